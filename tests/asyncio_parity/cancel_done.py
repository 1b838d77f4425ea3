import asyncio

from timeline import MS, log, run


async def body():
    return "output"


async def main():
    task = asyncio.create_task(body())
    await asyncio.sleep(MS)
    log(str(task.cancel()).lower())
    log(await task)


run(main)
