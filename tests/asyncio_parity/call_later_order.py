import asyncio

from timeline import MS, log, run


async def main():
    loop = asyncio.get_running_loop()
    for ms in [5, 1, 3, 2, 4]:
        loop.call_later(ms * MS, log, str(ms))
    loop.call_later(3.5 * MS, log, "never").cancel()
    await asyncio.sleep(10 * MS)


run(main)
