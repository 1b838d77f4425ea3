import asyncio

from timeline import MS, log, run


async def main():
    try:
        async with asyncio.timeout(5 * MS):
            try:
                async with asyncio.timeout(2 * MS):
                    await asyncio.sleep(9 * MS)
            except TimeoutError:
                log("inner")
            await asyncio.sleep(1 * MS)
            log("body-goes-on")
            await asyncio.sleep(9 * MS)
    except TimeoutError:
        log("outer")


run(main)
