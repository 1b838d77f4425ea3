import asyncio

from timeline import MS, log, run


async def nap(place, ms):
    await asyncio.sleep(ms * MS)
    return place


async def main():
    for coming in asyncio.as_completed([nap(0, 4), nap(1, 1), nap(2, 3)]):
        log(str(await coming))
    log("end")


run(main)
