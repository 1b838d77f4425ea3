import asyncio

from timeline import MS, log, run


async def work(queue):
    while True:
        item = await queue.get()
        await asyncio.sleep(MS)
        log(f"done-{item}")
        queue.task_done()


async def main():
    queue = asyncio.Queue()
    for n in range(3):
        queue.put_nowait(n)
    worker = asyncio.create_task(work(queue))
    await queue.join()
    log("all-done")
    worker.cancel()


run(main)
