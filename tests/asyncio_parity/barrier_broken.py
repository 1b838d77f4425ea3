import asyncio

from timeline import MS, log, run


async def meets(barrier, name):
    try:
        await barrier.wait()
        log(f"{name}-goes")
    except asyncio.BrokenBarrierError:
        log(f"{name}-broken")


async def main():
    barrier = asyncio.Barrier(3)
    tasks = [asyncio.create_task(meets(barrier, name)) for name in "ab"]
    await asyncio.sleep(MS)
    await barrier.abort()
    for task in tasks:
        await task


run(main)
