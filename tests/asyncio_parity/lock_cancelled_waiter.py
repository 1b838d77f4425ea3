import asyncio

from timeline import MS, log, run


async def use(lock, name):
    async with lock:
        log(f"{name}-in")


async def main():
    lock = asyncio.Lock()
    await lock.acquire()
    tasks = [asyncio.create_task(use(lock, name)) for name in "abc"]
    await asyncio.sleep(MS)
    lock.release()
    tasks[0].cancel()
    await asyncio.wait(tasks)
    log("locked" if lock.locked() else "free")


run(main)
