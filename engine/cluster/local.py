"""The workers of this process: what the coordinator sends its commands to.

The lock is the tick lock of the whole engine: whoever holds it is at a tick boundary, or is the tick. Background
hydration takes it only to join.
"""

import time
from collections.abc import Callable
from threading import RLock, Thread
from typing import Final

from engine.cluster.command import Command, Lookup, Peek, Response, Rows
from engine.cluster.worker import Worker
from engine.collection.heap import Heap
from engine.collection.wanted import asking, unasked
from engine.dataflow.watch import ALWAYS, Watch

CLOSE_SECONDS: Final = 0.5
"""How long closing waits for a hydration to end where it asks next. One that is in a long kernel is left behind."""


class Closed(Exception):
    """Nobody waits for what hydrates any more."""


class Local:
    """One worker, called directly. Responses to what changes something go to `deliver`, in order, under the lock."""

    def __init__(self, heap: Heap, deliver: Callable[[list[Response]], None]) -> None:
        self.lock: Final = RLock()
        self.worker: Final = Worker(heap)
        self.worker.circuit.clock = time.perf_counter_ns
        self._deliver: Final = deliver
        self._hydrator: Thread | None = None
        self._closed = False

    def send(self, command: Command) -> None:
        """Carry out a command that changes something."""
        with self.lock, unasked():
            self._deliver(self.worker.handle(command))
            self._hydrate_more()

    def hydrate_now(self) -> None:
        """Run all hydrations that there are, and what waits for them. At a tick boundary, which lasts."""
        with self.lock:
            while (hydration := self.worker.next_hydration()) is not None:
                hydration.run()
                self._deliver(self.worker.adopt(hydration))

    def peek(self, command: Peek | Lookup, watch: Watch = ALWAYS) -> Rows:
        """Answer a read, beside whatever tick is running. What `watch` raises ends it."""
        return self.worker.peek(command, watch)

    def close(self) -> None:
        """Stop hydrating. What runs is abandoned: it is private until it joins, which it does not any more."""
        with self.lock:
            self._closed = True
            hydrator = self._hydrator
        if hydrator is not None:
            hydrator.join(CLOSE_SECONDS)

    def _hydrate_more(self) -> None:
        if self._hydrator is None and not self._closed and self.worker.has_hydrations():
            self._hydrator = Thread(target=self._hydrate, name="hydration", daemon=True)
            self._hydrator.start()

    def _still_wanted(self) -> None:
        if self._closed:
            raise Closed

    def _hydrate(self) -> None:
        """Run hydrations one after the other until there is none. The thread ends with them."""
        while True:
            with self.lock:
                hydration = None if self._closed else self.worker.next_hydration()
                if hydration is None:
                    self._hydrator = None
                    return
            try:
                with asking(self._still_wanted):
                    hydration.run()
            except Closed:
                return
            except BaseException:
                # The view never becomes readable, which its readers are told; the others behind it go on.
                with self.lock:
                    self._hydrator = None
                    self._hydrate_more()
                raise
            with self.lock:
                if self._closed:
                    return
                self._deliver(self.worker.adopt(hydration))
