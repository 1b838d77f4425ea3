import asyncio

from timeline import MS, log, run


async def main():
    loop = asyncio.get_running_loop()

    def first():
        log("soon-a")
        loop.call_soon(log, "nested")

    loop.call_soon(first)
    loop.call_soon(log, "soon-b")
    loop.call_later(0, log, "later-0")
    await asyncio.sleep(5 * MS)


run(main)
