import asyncio

from timeline import MS, log, run


items = []


async def takes(condition):
    async with condition:
        await condition.wait_for(lambda: len(items) >= 2)
        log(f"took-{len(items)}")


async def main():
    condition = asyncio.Condition()
    task = asyncio.create_task(takes(condition))
    for n in range(2):
        await asyncio.sleep(MS)
        async with condition:
            items.append(n)
            log("put")
            condition.notify()
    await task


run(main)
