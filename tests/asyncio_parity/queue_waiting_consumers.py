import asyncio

from timeline import MS, log, run


async def consume(queue, name):
    for _ in range(2):
        log(f"{name}-got-{await queue.get()}")


async def main():
    queue = asyncio.Queue()
    tasks = [asyncio.create_task(consume(queue, name)) for name in "ab"]
    await asyncio.sleep(MS)
    for n in range(4):
        queue.put_nowait(n)
        await asyncio.sleep(MS)
    for task in tasks:
        await task


run(main)
