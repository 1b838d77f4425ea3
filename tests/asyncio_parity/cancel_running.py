import asyncio

from timeline import MS, log, run


async def body():
    try:
        log("begin")
        await asyncio.sleep(9 * MS)
        log("never")
    finally:
        log("cleanup")


async def main():
    task = asyncio.create_task(body())
    await asyncio.sleep(MS)
    task.cancel()
    log("asked")
    try:
        await task
    except asyncio.CancelledError:
        log("cancelled")


run(main)
