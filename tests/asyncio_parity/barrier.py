import asyncio

from timeline import MS, log, run


async def meets(barrier, name):
    log(f"{name}-comes")
    await barrier.wait()
    log(f"{name}-goes")


async def main():
    barrier = asyncio.Barrier(3)
    tasks = [asyncio.create_task(meets(barrier, name)) for name in "abc"]
    for task in tasks:
        await task


run(main)
