import asyncio

from timeline import MS, log, run


async def main():
    try:
        async with asyncio.timeout(2 * MS):
            try:
                await asyncio.sleep(9 * MS)
                log("never")
            finally:
                log("cleanup")
    except TimeoutError:
        log("timeout")


run(main)
