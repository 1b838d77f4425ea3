import asyncio

from timeline import MS, log, run


async def nap(ms):
    await asyncio.sleep(ms * MS)
    log(f"end-{ms}")


async def broken():
    await asyncio.sleep(2 * MS)
    raise ValueError


async def main():
    tasks = [asyncio.create_task(work) for work in [nap(1), broken(), nap(4)]]
    try:
        await asyncio.gather(*tasks)
    except ValueError:
        log("error")
    await asyncio.sleep(9 * MS)
    log("end")


run(main)
