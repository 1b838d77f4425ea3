import asyncio

from timeline import MS, log, run


async def broken():
    await asyncio.sleep(2 * MS)
    raise ValueError


async def main():
    tasks = [asyncio.create_task(work) for work in [asyncio.sleep(1 * MS), broken(), asyncio.sleep(5 * MS)]]
    done, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
    for place, task in enumerate(tasks):
        log(f"{place}-{'done' if task in done else 'pending'}")
    done, pending = await asyncio.wait(tasks[2:], return_when=asyncio.FIRST_EXCEPTION)
    log(f"{len(done)}-{len(pending)}")


run(main)
