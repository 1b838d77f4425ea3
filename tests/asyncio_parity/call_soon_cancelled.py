import asyncio

from timeline import MS, log, run


async def main():
    loop = asyncio.get_running_loop()
    handles = [loop.call_soon(log, str(n)) for n in range(4)]
    handles[1].cancel()
    await asyncio.sleep(0)
    log("end")


run(main)
