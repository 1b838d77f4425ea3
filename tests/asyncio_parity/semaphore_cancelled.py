import asyncio

from timeline import MS, log, run


async def use(permits, name):
    async with permits:
        log(f"{name}-in")


async def main():
    permits = asyncio.Semaphore(1)
    await permits.acquire()
    tasks = [asyncio.create_task(use(permits, name)) for name in "ab"]
    await asyncio.sleep(MS)
    permits.release()
    tasks[0].cancel()
    await asyncio.wait(tasks)
    log("locked" if permits.locked() else "free")


run(main)
