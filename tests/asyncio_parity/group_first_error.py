import asyncio

from timeline import MS, log, run


async def child(name, ms):
    try:
        await asyncio.sleep(ms * MS)
        log(f"{name}-end")
    finally:
        log(f"{name}-cleanup")


async def broken():
    await asyncio.sleep(2 * MS)
    log("raise")
    raise ValueError


async def main():
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(child("a", 1))
            group.create_task(broken())
            group.create_task(child("b", 9))
            try:
                await asyncio.sleep(9 * MS)
            finally:
                log("body-cleanup")
    except* ValueError as errors:
        log(f"errors-{len(errors.exceptions)}")


run(main)
