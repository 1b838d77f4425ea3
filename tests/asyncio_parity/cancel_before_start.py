import asyncio

from timeline import MS, log, run


async def body():
    try:
        log("body")
    finally:
        log("cleanup")


async def main():
    task = asyncio.create_task(body())
    task.cancel()
    try:
        await task
    except asyncio.CancelledError:
        log("cancelled")


run(main)
