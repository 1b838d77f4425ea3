import asyncio

from timeline import MS, log, run


async def ready():
    log("ready")


async def other():
    log("other")


async def main():
    task = asyncio.create_task(other())
    await ready()
    log("no-tick-passed")
    await task
    log("end")


run(main)
