import asyncio

from timeline import MS, log, run


async def ready():
    log("body")
    return "output"


async def main():
    try:
        log(await asyncio.wait_for(ready(), 0))
    except TimeoutError:
        log("timeout")


run(main)
