import asyncio

from timeline import MS, log, run


async def nap(ms):
    await asyncio.sleep(ms * MS)
    log(f"end-{ms}")
    return str(ms)


async def main():
    tasks = [asyncio.create_task(nap(ms)) for ms in [3, 1, 2]]
    for result in await asyncio.gather(*tasks):
        log(result)


run(main)
