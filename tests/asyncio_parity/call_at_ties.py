import asyncio

from timeline import MS, log, run


async def main():
    loop = asyncio.get_running_loop()
    when = loop.time() + 3 * MS
    for n in range(4):
        loop.call_at(when, log, str(n))
    await asyncio.sleep(10 * MS)


run(main)
