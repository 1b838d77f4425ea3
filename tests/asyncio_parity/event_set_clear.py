import asyncio

from timeline import MS, log, run


async def waits(event, name):
    await event.wait()
    log(name)


async def main():
    event = asyncio.Event()
    tasks = [asyncio.create_task(waits(event, name)) for name in "abc"]
    await asyncio.sleep(MS)
    event.set()
    event.clear()
    log("cleared")
    for task in tasks:
        await task
    late = asyncio.create_task(waits(event, "late"))
    await asyncio.sleep(MS)
    log("late-waits")
    event.set()
    await late


run(main)
