import asyncio

from timeline import MS, log, run


async def use(permits, name, ms):
    async with permits:
        log(f"{name}-in")
        await asyncio.sleep(ms * MS)
        log(f"{name}-out")


async def main():
    permits = asyncio.Semaphore(2)
    works = [("a", 3), ("b", 1), ("c", 5), ("d", 1)]
    tasks = [asyncio.create_task(use(permits, name, ms)) for name, ms in works]
    for task in tasks:
        await task


run(main)
