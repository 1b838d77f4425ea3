# python: 3.12
import asyncio

from timeline import MS, log, run


async def ready():
    log("body")
    return "output"


async def waits():
    log("begins")
    await asyncio.sleep(0)
    log("ends")


def spawn_eager(work):
    return asyncio.Task(work, loop=asyncio.get_running_loop(), eager_start=True)


async def main():
    log("before")
    task = spawn_eager(ready())
    log("done" if task.done() else "running")
    task = spawn_eager(waits())
    log("done" if task.done() else "running")
    await task


run(main)
