import asyncio

from timeline import MS, log, run


async def nap(ms):
    await asyncio.sleep(ms * MS)
    log(f"end-{ms}")


async def main():
    tasks = [asyncio.create_task(nap(ms)) for ms in [1, 4]]
    done, pending = await asyncio.wait(tasks, timeout=2 * MS)
    log(f"{len(done)}-{len(pending)}")
    await asyncio.wait(tasks)
    log("end")


run(main)
