"""Runs the programs beside this file, each on a loop of its own whose time jumps, and prints their traces.

    python3 timeline.py NAME...

Before each trace stands a line `== NAME`. A program says in its first line, `# python: 3.12`, if it needs one
newer than LEAST; with an older one it prints `== NAME skipped`. Time is that of a test: it stands still while anything
is ready, and jumps to the next deadline when nothing is, so a trace depends on no machine's speed.
"""

import asyncio
import pathlib
import runpy
import sys
import traceback

MS = 0.001
# The first with TaskGroup, timeout and Barrier.
LEAST = (3, 11)


def log(word):
    print(word)


class Timeline(asyncio.SelectorEventLoop):
    def __init__(self):
        super().__init__()
        self._clock_resolution = 1e-9
        self._now = 1000.0
        select = self._selector.select

        def jump(timeout=None):
            events = select(0)
            if not events and timeout is None:
                raise RuntimeError("nothing can ever happen")
            if not events and timeout > 0:
                self._now = round(self._now + timeout, 6)
            return events

        self._selector.select = jump

    def time(self):
        return self._now


def run(main):
    loop = Timeline()
    loop.set_exception_handler(lambda loop, context: None)
    try:
        asyncio.set_event_loop(loop)
        loop.run_until_complete(main())
    finally:
        asyncio.set_event_loop(None)
        loop.close()


def play(name):
    path = pathlib.Path(__file__).with_name(name + ".py")
    first = path.read_text().split("\n", 1)[0]
    needed = LEAST
    if first.startswith("# python: "):
        needed = tuple(int(part) for part in first.split(": ")[1].split("."))
    if sys.version_info[:2] < needed:
        print("==", name, "skipped")
        return
    print("==", name)
    try:
        runpy.run_path(str(path))
    except BaseException:
        print(traceback.format_exc().strip().split("\n")[-1])


if __name__ == "__main__":
    sys.modules["timeline"] = sys.modules["__main__"]
    for program in sys.argv[1:]:
        play(program)
