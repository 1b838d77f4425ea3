# python: 3.13
import asyncio

from timeline import MS, log, run


async def main():
    queue = asyncio.Queue()
    for n in range(2):
        queue.put_nowait(n)
    queue.shutdown()
    try:
        queue.put_nowait(9)
    except asyncio.QueueShutDown:
        log("put-refused")
    try:
        while True:
            log(f"got-{await queue.get()}")
    except asyncio.QueueShutDown:
        log("end")


run(main)
