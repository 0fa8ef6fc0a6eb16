"""A statement that may be cancelled while it computes.

Rule  Between steps it is asked whether it is still wanted. A step that may take long runs in a thread of its own: when
      the statement is cancelled meanwhile, it fails at once, and the step ends where it asks next (wanted.py).
Law   A step that is left behind changes nothing: it reads copies and writes to operators that are private to it. The
      heap stays pinned until it ends. There are STEPS_MAX at once, those left behind among them: the next one waits.
Cost  100 us a long step.
"""

import time
from collections.abc import Callable
from threading import Event, Semaphore, Thread
from typing import Final, TypeVar

from engine.collection.heap import Heap
from engine.collection.wanted import asking
from engine.dataflow.watch import Watch

T = TypeVar("T")

LONG_ROWS: Final = 1 << 14
"""From here on a step may take longer than its thread costs; below, less than a client notices."""
STEP_SECONDS: Final = 0.01
"""What a step should take that can be made of fewer rows, the next of which may be of four times as many: functions in
Python may take 30 us a row."""
STEPS_MAX: Final = 16
"""More would only share the processors, and each holds copies of what it reads."""
LOOK_SECONDS: Final = 0.01
"""How often a statement looks whether it was cancelled while a step of it runs."""


class LeftBehind(Exception):
    """Nobody waits for the step any more."""


class Watched(Watch):
    """`check` raises when the statement was cancelled, or its time is over. `free` counts the steps that may begin."""

    def __init__(self, check: Callable[[], None], heap: Heap, free: Semaphore) -> None:
        self._check: Final = check
        self._heap: Final = heap
        self._free: Final = free
        self._seconds = 0.0  # that the last step took

    def check(self) -> None:
        self._check()

    @property
    def too_long(self) -> bool:
        return self._seconds > STEP_SECONDS

    def run(self, work: Callable[[], T], rows: int | None) -> T:
        self._check()
        began = time.perf_counter()
        try:
            return work() if rows is not None and rows < LONG_ROWS else self._beside(work)
        finally:
            self._seconds = time.perf_counter() - began

    def _beside(self, work: Callable[[], T]) -> T:
        """In a thread of its own."""
        results: list[T] = []
        errors: list[BaseException] = []
        ended, left = Event(), Event()

        def still_wanted() -> None:
            if left.is_set():
                raise LeftBehind

        def step() -> None:
            try:
                with self._heap.pinned(), asking(still_wanted):
                    results.append(work())
            except BaseException as error:  # noqa: BLE001 - it is raised where the step was asked for
                errors.append(error)
            finally:
                self._free.release()
                ended.set()

        while not self._free.acquire(timeout=LOOK_SECONDS):
            self._check()
        Thread(target=step, name="step", daemon=True).start()
        try:
            while not ended.wait(LOOK_SECONDS):
                self._check()
        finally:
            left.set()
        if errors:
            raise errors[0]
        self._check()
        return results[0]
