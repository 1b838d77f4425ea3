import asyncio

from timeline import MS, log, run


async def main():
    loop = asyncio.get_running_loop()
    start = loop.time()
    try:
        async with asyncio.timeout(2 * MS) as timeout:
            await asyncio.sleep(1 * MS)
            timeout.reschedule(start + 6 * MS)
            await asyncio.sleep(3 * MS)
            log("moved")
            await asyncio.sleep(9 * MS)
    except TimeoutError:
        log(f"timeout-{round((loop.time() - start) / MS)}")


run(main)
