import asyncio

from timeline import MS, log, run


async def work(name):
    for n in range(3):
        log(f"{name}{n}")
        await asyncio.sleep(0)


async def main():
    await asyncio.gather(asyncio.create_task(work("a")), asyncio.create_task(work("b")))


run(main)
