import asyncio

from timeline import MS, log, run


async def use(lock, name):
    async with lock:
        log(f"{name}-in")
        await asyncio.sleep(0)
        log(f"{name}-out")


async def main():
    lock = asyncio.Lock()
    await lock.acquire()
    tasks = [asyncio.create_task(use(lock, name)) for name in "abc"]
    await asyncio.sleep(MS)
    lock.release()
    log("released")
    tasks.append(asyncio.create_task(use(lock, "late")))
    for task in tasks:
        await task


run(main)
