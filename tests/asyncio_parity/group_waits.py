import asyncio

from timeline import MS, log, run


async def child(ms):
    await asyncio.sleep(ms * MS)
    log(f"child-{ms}")


async def main():
    async with asyncio.TaskGroup() as group:
        group.create_task(child(3))
        group.create_task(child(1))
        log("body-ends")
    log("after")


run(main)
