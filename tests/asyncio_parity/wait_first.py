import asyncio

from timeline import MS, log, run


async def main():
    tasks = [asyncio.create_task(asyncio.sleep(ms * MS, ms)) for ms in [3, 1, 2]]
    done, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for place, task in enumerate(tasks):
        log(f"{place}-{'done' if task in done else 'pending'}")
    for task in tasks:
        log(str(await task))


run(main)
