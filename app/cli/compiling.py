"""The first start on a machine: kernels compile, on all cores, with a progress line.

numba compiles a kernel where it is defined, so importing the engine for the first time takes a while (about 80 s of one
core); from then on its cache, beside the sources, is loaded. Modules that have nothing in the cache are imported by
processes side by side, each after the modules that it imports. Whoever waits is told why, and that it is once.
"""

import gc
import multiprocessing
import os
import re
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager
from graphlib import TopologicalSorter
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from time import monotonic
from typing import Final, TextIO

LOOK_SECONDS: Final = 0.5
PACKAGE: Final = "engine.kernels"
IMPORTS: Final = re.compile(rf"^from {PACKAGE}\.(\w+) import|^from {PACKAGE} import (\w+)", re.MULTILINE)


@contextmanager
def progress(out: TextIO = sys.stderr) -> Iterator[None]:
    """Around an import of the engine: says how many kernels are ready, once new ones appear in the cache."""
    done = threading.Event()
    watcher = threading.Thread(target=_watch, args=(out, done), daemon=True)
    watcher.start()
    gc.disable()  # what an import makes stays: looking for garbage in it took a sixth of the time and found none
    try:
        compile_missing()
        yield
    finally:
        gc.freeze()
        gc.enable()
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


def folder() -> Path:
    """Where the kernels are; found without importing any."""
    spec = find_spec("engine")
    assert spec is not None
    assert spec.submodule_search_locations
    return Path(spec.submodule_search_locations[0]) / "kernels"


def ready() -> int:
    """Kernels in numba's cache beside the sources."""
    return sum(1 for _ in (folder() / "__pycache__").glob("*.nbc"))


def compile_missing() -> None:
    """Import the modules with nothing in the cache, in as many processes as there are cores. None missing: nothing."""
    sources = {path.stem: path.read_text() for path in folder().glob("*.py")}
    missing = {
        name
        for name, text in sources.items()
        if "@njit" in text and next((folder() / "__pycache__").glob(f"{name}.*.nbi"), None) is None
    }
    if not missing:
        return
    order = TopologicalSorter({name: {a or b for a, b in IMPORTS.findall(text)} for name, text in sources.items()})
    order.prepare()
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["numba"])
    running: dict[Future[None], str] = {}
    with ProcessPoolExecutor(os.cpu_count(), mp_context=context) as pool:
        while order.is_active():
            for name in order.get_ready():
                if name in missing:
                    running[pool.submit(_import, f"{PACKAGE}.{name}")] = name
                else:
                    order.done(name)
            for done in wait(running, return_when=FIRST_COMPLETED).done if running else ():
                done.result()
                order.done(running.pop(done))


def _import(name: str) -> None:
    import_module(name)
