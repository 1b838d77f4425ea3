import asyncio

from timeline import MS, log, run


async def save():
    await asyncio.sleep(4 * MS)
    log("saved")


async def main():
    try:
        async with asyncio.timeout(1 * MS):
            await asyncio.shield(asyncio.create_task(save()))
    except TimeoutError:
        log("timeout")
    await asyncio.sleep(9 * MS)
    log("end")


run(main)
