import asyncio

from timeline import MS, log, run


async def produce(queue):
    for n in range(4):
        await queue.put(n)
        log(f"put-{n}")


async def main():
    queue = asyncio.Queue(1)
    producer = asyncio.create_task(produce(queue))
    for n in range(4):
        await asyncio.sleep(MS)
        log(f"got-{await queue.get()}")
    await producer


run(main)
