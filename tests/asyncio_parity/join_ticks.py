import asyncio

from timeline import MS, log, run


ticks = 0


async def count():
    global ticks
    while True:
        ticks += 1
        await asyncio.sleep(0)


async def noop():
    pass


async def main():
    counter = asyncio.create_task(count())
    await asyncio.sleep(0)
    start = ticks
    await asyncio.create_task(noop())
    log(f"join-{ticks - start}")
    start = ticks
    await asyncio.gather(asyncio.create_task(noop()), asyncio.create_task(noop()))
    log(f"gather-{ticks - start}")
    start = ticks
    async with asyncio.TaskGroup() as group:
        group.create_task(noop())
    log(f"group-{ticks - start}")
    counter.cancel()


run(main)
