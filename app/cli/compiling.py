"""The progress line while kernels compile.

numba compiles a kernel where it is defined, so importing the engine for the first time on a machine takes a while; from
then on its cache, beside the sources, is loaded. Whoever waits more than a moment is told why, and that it is once.
"""

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from time import monotonic
from typing import TextIO

LOOK_SECONDS = 0.5


@contextmanager
def progress(out: TextIO = sys.stderr) -> Iterator[None]:
    """Around an import of the engine: says how many kernels are ready, once new ones appear in the cache."""
    done = threading.Event()
    watcher = threading.Thread(target=_watch, args=(out, done), daemon=True)
    watcher.start()
    try:
        yield
    finally:
        done.set()
        watcher.join()


def _watch(out: TextIO, done: threading.Event) -> None:
    started, before = monotonic(), ready()
    live, told = out.isatty(), False
    while not done.wait(LOOK_SECONDS):
        if (compiled := ready() - before) == 0:
            continue
        if live:
            line = f"compiling kernels, once on this machine: {compiled} ready, {monotonic() - started:.0f} s "
            print("\r" + line, end="", file=out, flush=True)
        elif not told:
            print("compiling kernels, once on this machine ...", file=out, flush=True)
        told = True
    if told:
        line = f"compiled {ready() - before} kernels in {monotonic() - started:.0f} s, once on this machine"
        print("\r" + line if live else line, file=out, flush=True)


def ready() -> int:
    """Kernels in numba's cache beside the sources."""
    spec = find_spec("engine")
    places = spec.submodule_search_locations if spec is not None else None
    return sum(1 for place in places or () for _ in (Path(place) / "kernels" / "__pycache__").glob("*.nbc"))
