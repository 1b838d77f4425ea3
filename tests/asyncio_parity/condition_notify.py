import asyncio

from timeline import MS, log, run


async def waits(condition, name):
    async with condition:
        await condition.wait()
        log(name)


async def main():
    condition = asyncio.Condition()
    tasks = [asyncio.create_task(waits(condition, name)) for name in "abcd"]
    await asyncio.sleep(MS)
    async with condition:
        condition.notify()
        log("one")
    await asyncio.sleep(MS)
    async with condition:
        condition.notify_all()
        log("all")
    for task in tasks:
        await task


run(main)
