import asyncio

from timeline import MS, log, run


async def nap(ms):
    try:
        await asyncio.sleep(ms * MS)
        log(f"end-{ms}")
    finally:
        log(f"cleanup-{ms}")


async def main():
    tasks = [asyncio.create_task(nap(ms)) for ms in [1, 4, 5]]
    try:
        async with asyncio.timeout(2 * MS):
            await asyncio.gather(*tasks)
    except TimeoutError:
        log("timeout")
    await asyncio.sleep(9 * MS)
    log("end")


run(main)
