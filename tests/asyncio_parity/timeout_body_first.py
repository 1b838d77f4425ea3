import asyncio

from timeline import MS, log, run


async def main():
    async with asyncio.timeout(0):
        log("body")
    log("in-time")


run(main)
