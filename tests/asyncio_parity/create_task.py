import asyncio

from timeline import MS, log, run


async def body(name):
    log(name)


async def main():
    log("before")
    tasks = [asyncio.create_task(body(name)) for name in "abc"]
    log("after")
    for task in tasks:
        await task
    log("end")


run(main)
