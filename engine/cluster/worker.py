"""A worker: one shard of every dataflow, as a function of the commands that it is given.

`handle` takes a command and gives the responses; the commands that change anything come one at a time (the shell holds
the tick lock), `peek` may come from any thread. What hydrates in the background is handed out by `next_hydration`, run
by the shell beside the ticks, and joined by `adopt` at a tick boundary; what is small joins at once. A view or index
over something that is still hydrating waits until that is there, so everything is built from complete inputs.
"""

from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Final, assert_never

import numpy as np

from engine.cluster.command import (
    Arrange,
    Cancel,
    Command,
    CreateCollection,
    Drop,
    Hydrated,
    Lookup,
    Maintain,
    Peek,
    Response,
    Retain,
    Rows,
    Subscribe,
    Tick,
    Ticked,
)  # fmt: skip
from engine.collection.batch import Batch
from engine.collection.heap import Heap, Marks
from engine.collection.words import vector_of
from engine.dataflow.errors import ErrorCounts, too_early
from engine.dataflow.graph import Plan, Source, nodes
from engine.dataflow.hydration import Staged
from engine.dataflow.node import upstream_error
from engine.dataflow.operators.mfp import Mfp
from engine.dataflow.reading import TooEarly, look_up
from engine.dataflow.turning import Turning
from engine.dataflow.watch import ALWAYS, Watch

HYDRATE_AT_ONCE_ROWS: Final = 20_000
"""Snapshots up to this size are run through at the tick boundary where they were taken: a few milliseconds."""

CAUGHT_UP_TICKS: Final = 4
"""Recorded ticks that are left to the tick boundary: replaying them takes about as long as they took."""

Building = Maintain | Arrange | Subscribe


@dataclass(slots=True, eq=False)
class Hydration:
    """A view, index or subscription between its snapshot and its place in the circuit. No code it holds is swept."""

    command: Building
    staged: Staged
    pin: ExitStack
    abandoned: bool = False

    def run(self) -> None:
        """Run the snapshot through, then what ticks have recorded meanwhile. In a thread of the shell's."""
        self.staged.hydrate()
        while not self.abandoned and self.staged.catch_up() > CAUGHT_UP_TICKS:
            pass


@dataclass(slots=True)
class Feed:
    """A running subscription: collection `id` is what it sends, private to it when the id is negative."""

    id: int
    request: int


@dataclass(slots=True)
class Worker:
    """State of one worker. `upper` is the last tick that was published, in ms."""

    heap: Heap
    upper: int = 0
    circuit: Turning = field(init=False)
    _live: set[int] = field(default_factory=set)  # collections and indexes that are complete
    _awaited: dict[int, int] = field(default_factory=dict)  # what a tick has yet to begin, by the collection it is of
    _waiting: list[Building] = field(default_factory=list)  # for an input to be live, in order of arrival
    _hydrations: dict[int, Hydration] = field(default_factory=dict)
    _todo: list[Hydration] = field(default_factory=list)  # those that no thread has taken yet
    _feeds: dict[int, Feed] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.circuit = Turning(self.heap)

    def handle(self, command: Command) -> list[Response]:
        """Take one command. At a tick boundary, except for the reads (Peek, Lookup), which may come at any time."""
        match command:
            case Tick():
                return self._tick(command)
            case Lookup() | Peek():
                return [self.peek(command)]
            case CreateCollection():
                return self._create(command)
            case Maintain() | Arrange() | Subscribe():
                self._waiting.append(command)
                return self._build()
            case Drop():
                self._drop(command.id)
                return []
            case Retain():
                self.circuit.retain(command.id, command.history_ms)
                return []
            case Cancel():
                self._drop(-command.request)
                self._feeds.pop(command.request, None)
                return []
            case _:
                assert_never(command)

    def _create(self, command: CreateCollection) -> list[Response]:
        self.circuit.create(command.id, command.types, command.append_only, command.history_ms, command.keys)
        with self.heap.pinned():
            for each in command.computed:
                self.circuit.install(each.id, each.plan, each.keys, each.history_ms)
        made = [command.id, *(each.id for each in command.computed)]
        if command.awaits:
            self._awaited |= dict.fromkeys(made, command.id)
            return []
        return [response for id in made for response in self._now_live(id)]

    # Ticks

    def _tick(self, command: Tick) -> list[Response]:
        self.circuit.held = command.held
        turned = {id for target, other in command.turned for id in self._turn(target, other)}
        broken = {
            id: None if error is None else self.heap.intern(error.encode()) for id, error in command.broken.items()
        }
        self.circuit.step(command.timestamp, command.deltas, broken)
        with self.circuit.publish_lock:
            self.circuit.publish()
            self.upper = command.timestamp
        responses: list[Response] = self._changes() if self._feeds else []
        self._end_failed(responses)
        if command.turned:
            self.circuit.settle()
            for id in sorted(turned):
                responses += self._now_live(id)
            responses += self._build()
        for id in sorted(id for id, of in self._awaited.items() if of in command.began):
            del self._awaited[id]
            self.circuit.begin(id)
            responses += self._now_live(id)
        responses.append(Ticked(command.timestamp))
        return responses

    def _turn(self, target: int, other: int) -> tuple[int, ...]:
        """`target` is what `other` is from the tick under way on; what hydrates from it, at any remove, begins anew.
        The collections that are live with that."""
        assert other in self._live, "who asked for it waited"
        self._live.discard(other)
        if target not in self._live:
            self._drop(target)
            self.circuit.turn(target, other)
            return (target,)
        reached = self.circuit.reached(target)
        for hydration in [each for each in self._hydrations.values() if not reached.isdisjoint(_reads(each.command))]:
            self._abandon(hydration)
            self._waiting.append(hydration.command)
        self.circuit.turn(target, other)
        return ()

    def _changes(self) -> list[Response]:
        """What the tick tells each subscription. Those of one collection share one batch."""
        told: dict[int, tuple[Batch, str | None]] = {}
        for id in {feed.id for feed in self._feeds.values()}:
            error = self.circuit.error(id)
            delta = self.circuit.delta(id) if error is None else None
            batch = Batch.empty(self.circuit.columns(id)) if delta is None else delta.consolidate()
            told[id] = batch, self._text(error)
        return [Rows(feed.request, self.upper, *told[feed.id]) for feed in self._feeds.values()]

    def _end_failed(self, responses: list[Response]) -> None:
        for response in responses:
            if isinstance(response, Rows) and response.error is not None:
                self._feeds.pop(response.request, None)
                self._drop(-response.request)

    def due(self) -> int | None:
        """The first tick at which something changes though no input does, in ms; None: nothing will."""
        return self.circuit.due()

    # Building

    def _build(self) -> list[Response]:
        """Begin what has all its inputs; what is small is done at once and may be what others wait for."""
        responses: list[Response] = []
        while (ready := next((c for c in self._waiting if self._live.issuperset(_reads(c))), None)) is not None:
            self._waiting.remove(ready)
            responses += self._begin(ready)
        return responses

    def _begin(self, command: Building) -> list[Response]:
        if isinstance(command, Subscribe) and isinstance(command.plan, Source):
            return self._feed(command, command.plan.id)
        pin = ExitStack()
        pin.enter_context(self.heap.pinned())
        match command:
            case Maintain():
                staged = self.circuit.stage(command.id, command.plan, command.keys, command.history_ms)
            case Arrange():
                source = Source(command.on, command.types)
                staged = self.circuit.stage(command.id, source, (command.key,), command.history_ms)
            case Subscribe():
                staged = self.circuit.stage(-command.request, command.plan, history_ms=0, readable=False)
        hydration = Hydration(command, staged, pin)
        self._hydrations[_target(command)] = hydration
        if staged.progress[1] <= HYDRATE_AT_ONCE_ROWS:
            staged.hydrate()
            return self.adopt(hydration)
        self._todo.append(hydration)
        return []

    def has_hydrations(self) -> bool:
        """Whether a hydration waits for a thread. At a tick boundary."""
        return bool(self._todo)

    def next_hydration(self) -> Hydration | None:
        """One that no thread runs yet. At a tick boundary."""
        return self._todo.pop(0) if self._todo else None

    def adopt(self, hydration: Hydration) -> list[Response]:
        """Join a hydration that has run, and begin what waited for it. At a tick boundary."""
        if hydration.abandoned:
            return []
        self.circuit.adopt(hydration.staged)
        hydration.pin.close()
        target = _target(hydration.command)
        del self._hydrations[target]
        if isinstance(hydration.command, Subscribe):
            return self._feed(hydration.command, target, hydration.staged.output())
        return self._now_live(target)

    def _now_live(self, id: int) -> list[Response]:
        self._live.add(id)
        return [Hydrated(id, self.upper), *(self._build() if self._waiting else [])]

    def is_live(self, id: int) -> bool:
        """Whether a collection or index is complete."""
        return id in self._live

    def takes(self, id: int) -> bool:
        """Whether rows may be written to a collection: it is complete, or they are its first."""
        return id in self._live or id in self._awaited

    def known(self) -> frozenset[int]:
        """The ids of collections and indexes that are there or on their way."""
        return self.unfinished() | self._awaited.keys() | frozenset(id for id in self._live if id >= 0)

    def unfinished(self) -> frozenset[int]:
        """The ids of those that are on their way."""
        return frozenset(id for id in (*self._hydrations, *map(_target, self._waiting)) if id >= 0)

    def progress(self, id: int) -> tuple[int, int] | None:
        """(rows that went through, rows) of what hydrates; None: it does not. (0, 0) waits for its inputs."""
        hydration = self._hydrations.get(id)
        if hydration is not None:
            return hydration.staged.progress
        return (0, 0) if any(_target(command) == id for command in self._waiting) else None

    def _drop(self, id: int) -> None:
        """Forget whatever `id` is by now: waiting, hydrating, or in the circuit."""
        self._waiting = [command for command in self._waiting if _target(command) != id]
        hydration = self._hydrations.get(id)
        if hydration is not None:
            self._abandon(hydration)
        elif id in self._live or id in self._awaited:
            self._live.discard(id)
            self._awaited.pop(id, None)
            self.circuit.drop(id)

    def _abandon(self, hydration: Hydration) -> None:
        hydration.abandoned = True
        del self._hydrations[_target(hydration.command)]
        if hydration in self._todo:
            self._todo.remove(hydration)
        self.circuit.abandon(hydration.staged)
        hydration.pin.close()

    # Subscriptions

    def _feed(self, command: Subscribe, id: int, snapshot: Batch | None = None) -> list[Response]:
        """Begin to send collection `id`: first its rows as of the time asked for, then what happened since.

        `snapshot` is what a collection of the subscription's own (a negative id) holds.
        """
        if id < 0:
            self._live.add(id)
        self._feeds[command.request] = Feed(id, command.request)
        start = self.upper if command.as_of is None else min(command.as_of, self.upper)
        past = id >= 0 and start < self.upper and self.circuit.since(id) <= start
        error = self._text(self.circuit.error(id, start if past else None))
        nothing = Batch.empty(self.circuit.columns(id))
        if error is None and start < self.upper:
            late = [self.circuit.since(source) for source in sources(command.plan)]
            error = None if max(late, default=0) <= start else too_early(start, max(late))
        rows: list[Response] = []
        if command.behind is not None:
            then, change = command.behind
            rows = [Rows(command.request, then, nothing), Rows(command.request, start, change)]
        if error is not None:
            rows = [Rows(command.request, start, nothing, error)]
        elif snapshot is not None and start < self.upper:
            rows += self._since(command, snapshot, start)
        else:
            first = snapshot if command.snapshot else nothing
            if first is None:  # the collection is there for others, too
                first = self.circuit.contents(id, None if start == self.upper else start).consolidate()
            rows.append(Rows(command.request, start, first))
            if start < self.upper:
                healed = self.circuit.error(id) is None
                failed = None if healed else self.circuit.first_error(id, start)
                rows += [
                    Rows(command.request, at, change.consolidate())
                    for at, change in self.circuit.changes(id, start)
                    if failed is None or at < failed[0]
                ]
                if failed is not None:
                    rows.append(Rows(command.request, failed[0], nothing, self._text(failed[1])))
        self._end_failed(rows)
        return rows

    def _since(self, command: Subscribe, present: Batch, start: int) -> list[Response]:
        """A query's answer as of `start`, then what it took from there to the present, as one change."""
        then, failed = self.circuit.run_once(command.plan, start)
        change = Batch.concat([present, then.negate()]).consolidate()
        first = then.consolidate() if command.snapshot else Batch.empty(then.columns)
        return [
            Rows(command.request, start, first, self._text(failed)),
            Rows(command.request, self.upper, change),
        ]

    # Reads

    def peek(self, command: Peek | Lookup, watch: Watch = ALWAYS) -> Rows:
        """Answer a read as of one complete tick. From any thread; the caller keeps the heap pinned. What `watch` raises
        ends it."""
        try:
            if isinstance(command, Peek):
                rows, error, tick = self.circuit.read(command.plan, command.timestamp, watch, command.seeks)
            else:
                rows, error, tick = self._look_up(command)
        except TooEarly as early:
            return Rows(command.request, early.as_of, Batch.empty(0), too_early(early.as_of, early.since))
        return Rows(command.request, tick, rows, self._text(error))

    def _look_up(self, command: Lookup) -> tuple[Batch, int | None, int]:
        types = command.mfp.input.types if isinstance(command.mfp.input, Source) else ()
        vectors = [
            vector_of([value[i] for value in command.values], types[column], self.heap)
            for i, column in enumerate(command.key)
        ]
        words = Batch.from_vectors(vectors, np.ones(len(command.values), np.int64)).words
        node = self.circuit.enter(command.id, wait=True)
        assert node is not None, "it waited"
        try:
            tick, at = self.circuit.read_time(command.timestamp)
            error = upstream_error([node], at)
            found = look_up(node, command.key, words, at)
        finally:
            self.circuit.gate.leave(node)
        failed = ErrorCounts()
        rows = Mfp(command.mfp, len(types), self.heap).apply([found], failed)
        failed.publish()
        return rows, failed.first() if error is None else error, tick

    def _text(self, code: int | None) -> str | None:
        return None if code is None else self.heap.get(code).decode()

    # Introspection

    def mark(self, marks: Marks) -> None:
        """Mark every heap code the worker holds. At a tick boundary with nothing hydrating."""
        self.circuit.mark(marks)


def _target(command: Building) -> int:
    """The id under which the circuit will hold it."""
    return -command.request if isinstance(command, Subscribe) else command.id


def _plan(command: Peek | Lookup) -> Plan:
    return command.plan if isinstance(command, Peek) else command.mfp


def _reads(command: Building) -> set[int]:
    return {command.on} if isinstance(command, Arrange) else sources(command.plan)


def sources(plan: Plan) -> set[int]:
    """The collections that a plan reads."""
    return {node.id for node in nodes(plan) if isinstance(node, Source)}
