"""The sinks that run, and what each is doing."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from threading import Thread
from typing import Final, Protocol

from engine.catalog.items import Sink
from engine.collection.heap import Marks
from engine.errors import SqlError

STOP_SECONDS_MAX: Final = 10.0


class State(Enum):
    """What a sink is doing, in Materialize's words."""

    STARTING = "starting"
    RUNNING = "running"
    STALLED = "stalled"  # it cannot write at the moment; the error says why, and it is tried again


@dataclass(slots=True)
class Status:
    """Written by the sink's thread, read by system relations. Counts are of this process."""

    state: State = State.STARTING
    since_ms: int = field(default_factory=lambda: time.time_ns() // 1_000_000)
    error: SqlError | None = None
    transactions: int = 0
    records: int = 0
    bytes: int = 0
    timestamp: int = 0  # the tick that the topic is at, in ms; 0: not known yet

    def become(self, state: State, error: SqlError | None = None) -> None:
        """Take on a state, with the time of it if it is another."""
        if state is not self.state or (error is None) != (self.error is None):
            self.since_ms = time.time_ns() // 1_000_000
        self.state, self.error = state, error


class Running(Protocol):
    """A sink and its thread."""

    @property
    def thread(self) -> Thread: ...
    @property
    def status(self) -> Status: ...
    @property
    def idle(self) -> bool:
        """Whether all of the ticks so far is written."""
        ...

    @property
    def queued(self) -> int:
        """Changes that wait to be written."""
        ...

    def redefine(self, item: Sink) -> None:
        """Go on as this item says. Under the tick lock."""
        ...

    def stop(self) -> None:
        """Have the thread end soon. From any thread."""
        ...

    def mark(self, marks: Marks) -> None:
        """Keep the heap codes of what waits to be written."""
        ...


class Sinks:
    """All sinks of the database."""

    def __init__(self) -> None:
        self._sinks: dict[int, Running] = {}

    def start(self, id: int, sink: Running) -> None:
        """Begin to write."""
        self._sinks[id] = sink
        sink.thread.start()

    def redefine(self, item: Sink) -> None:
        """A sink is called or made otherwise. Under the tick lock."""
        self._sinks[item.id].redefine(item)

    def stop(self, id: int) -> None:
        """Stop writing. Under the tick lock, so it does not wait for the thread, which may want that: what is under way
        is committed or not, and nothing is begun any more."""
        self._sinks.pop(id).stop()

    def close(self) -> None:
        """Stop all. Not under the tick lock."""
        sinks = [*self._sinks.values()]
        for sink in sinks:
            sink.stop()
        for sink in sinks:
            sink.thread.join(STOP_SECONDS_MAX)

    def running(self) -> Sequence[Running]:
        """Each of them."""
        return tuple(self._sinks.copy().values())

    def queued(self) -> Mapping[int, int]:
        """How many changes wait for each."""
        return {id: sink.queued for id, sink in self._sinks.copy().items()}

    def status(self) -> Mapping[int, Status]:
        """Each sink's."""
        return {id: sink.status for id, sink in self._sinks.copy().items()}

    def mark(self, marks: Marks) -> None:
        """Keep the heap codes of what waits to be written."""
        for sink in self._sinks.copy().values():
            sink.mark(marks)
