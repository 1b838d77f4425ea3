import asyncio

from timeline import MS, log, run


async def waits(future):
    log(await future)


async def main():
    future = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(waits(future))
    await asyncio.sleep(0)
    future.set_result("got")
    log("set")
    await task


run(main)
