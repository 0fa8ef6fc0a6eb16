"""The running graph: one operator per distinct subplan, whoever asked for it, driven tick by tick.

    create(id, types, append_only)                    a collection fed from outside (table, source relation)
    stage(id, plan, keys) -> Staged                   a new view, private until it has caught up
    staged.hydrate(); staged.catch_up(); adopt(...)   build it beside the running ticks; join at a tick boundary
    step(tick, deltas); delta(id); publish()          the two phases of a tick
    contents / lookup / error / run_once              reads of the last published tick
    drop(id)                                          forget a collection, a view or an index

Threads. `create`, `stage`, `adopt`, `drop`, `step` and `publish` belong to whoever holds the tick lock (the caller's;
one tick at a time). The reads may run in any thread: they hold `publish_lock` while they copy rows out, no longer.
Compute (`step`) changes nothing that a read can see. `Staged.hydrate` and `Staged.catch_up` run in a background thread
and touch nothing shared; from `stage` to `adopt` the caller holds `heap.pinned()`: a sweep does not see private state.
"""

import threading
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from engine.collection.arrangement import Arrangement
from engine.collection.batch import Batch, Diffs, Words
from engine.collection.heap import Heap, Marks
from engine.collection.history import History, Hold
from engine.dataflow import graph
from engine.dataflow.graph import Plan
from engine.dataflow.hydration import Building, Staged
from engine.dataflow.node import Clock, Key, Node, compute, copy, derive, due_nodes, identity, upstream_error
from engine.dataflow.oneshot import OneShot
from engine.dataflow.operators.distinct import Distinct
from engine.dataflow.operators.join import Join
from engine.dataflow.operators.source import Source
from engine.dataflow.operators.temporal import Temporal
from engine.dataflow.operators.threshold import Threshold
from engine.dataflow.render import demands
from engine.dataflow.trace import Trace
from engine.dataflow.watch import ALWAYS, Watch
from engine.types import SqlType

NONE_BROKEN: Mapping[int, int] = {}

HISTORY_MS = 1000
"""How far back a collection can be read unless it is told otherwise: Materialize's compaction window."""


@dataclass(frozen=True, slots=True)
class NodeInfo:
    """What introspection shows of one node: `rows` and `bytes` are of its own state and its output's arrangements,
    `changes` what it gave since it was made, `elapsed_ns` what its steps took, `exports` the collections and indexes
    that it is known as."""

    id: int
    plan: Plan
    inputs: tuple[int, ...]
    rows: int
    bytes: int
    changes: int
    elapsed_ns: int
    exports: tuple[int, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Export:
    """A collection or index by the id that the catalog gave it: the node it names and the arrangements it holds."""

    node: Node
    keys: tuple[Key, ...]
    history_ms: int


class TooEarly(Exception):
    """A read as of `as_of`, of which the histories know nothing any more: `since` is the earliest that they show."""

    def __init__(self, as_of: int, since: int) -> None:
        super().__init__(f"as of {as_of}, but since {since}")
        self.as_of = as_of
        self.since = since


class Circuit:
    """The graph of running operators and the arrangements that they share."""

    def __init__(self, heap: Heap) -> None:
        self.publish_lock = threading.RLock()
        self.published = 0  # the last tick that readers see; changes under publish_lock
        self.held: int | None = None  # a tick that somebody still reads as of; the caller's, from tick to tick
        self._heap = heap
        self._exports: dict[int, Export] = {}
        self._by_identity: dict[Hashable, Node] = {}
        self._ranks = 0
        self._tick = 0
        self._touched: list[Node] = []
        self._staging: list[Staged] = []
        self.clock: Clock = lambda: 0  # nanoseconds, for what operators take: whoever runs this may set one
        self.maintained_ns = 0  # that publishing took
        self._timed: dict[Node, None] = {}  # the nodes that may change by themselves

    # What runs

    def create(
        self, id: int, types: tuple[SqlType, ...], append_only: bool = False, history_ms: int = HISTORY_MS
    ) -> None:
        """A collection fed by `step`. Its rows are kept: arranged by the whole row, or as a log if append-only."""
        plan = graph.Source(id, types, append_only)
        node = Node(plan, types, [], Source(types, append_only), append_only)
        with self.publish_lock:
            self._enter(node, identity(plan, ()))
            keys = () if append_only else (tuple(range(len(types))),)
            self._export(id, node, keys, history_ms, None if append_only else Trace(len(types)))

    def stage(
        self, id: int, plan: Plan, keys: Sequence[Key] = (), history_ms: int = HISTORY_MS, readable: bool = True
    ) -> Staged:
        """Begin collection `id`: the output of `plan`, arranged by each of `keys`. At a tick boundary; O(contents).

        An index `id` on collection `on` is `stage(id, Source(on, types), (key,))`. `Source(id)` in a plan names any
        collection created or adopted before. `readable` False: only its deltas are wanted (a subscription), and no
        arrangement is kept for `contents`.
        """
        building = Building(self.find, self._heap)
        staged = building.staged(id, plan, keys, history_ms, readable, self._tick)
        for twin in staged.twins.values():
            twin.references += 1
        for twin, key in staged.borrowed:
            _hold(twin, key, None)
        self._staging.append(staged)
        return staged

    def adopt(self, staged: Staged) -> None:
        """Replay what is left and splice the view into the graph. At a tick boundary."""
        staged.catch_up()
        staged.settle(self._tick)
        placed: dict[Node, Node] = {}
        own = {node: node.trace for node in staged.nodes}
        children = {node: node.inputs for node in staged.nodes}
        with self.publish_lock:
            self._staging.remove(staged)
            for node in staged.nodes:
                live = staged.twins.get(node)
                if live is None:
                    inputs = [placed[child] for child in node.inputs]
                    name = identity(node.plan, inputs)
                    live = self._by_identity.get(name)
                    if live is None:
                        live = node
                        self._splice(node, name, inputs, [own[child] for child in children[node]])
                placed[node] = live
            self._export(staged.id, placed[staged.root], staged.keys, staged.history_ms, own[staged.root])
            self._release_twins(staged)

    def abandon(self, staged: Staged) -> None:
        """Forget a staged view that is not wanted any more (dropped or cancelled while it hydrated)."""
        with self.publish_lock:
            self._staging.remove(staged)
            self._release_twins(staged)

    def install(self, id: int, plan: Plan, keys: Sequence[Key] = (), history_ms: int = HISTORY_MS) -> None:
        """stage, hydrate and adopt in one go: for views over little, and for tests."""
        staged = self.stage(id, plan, keys, history_ms)
        staged.hydrate()
        self.adopt(staged)

    def drop(self, id: int) -> None:
        """Forget collection or index `id`; operators and arrangements that nobody else uses are freed."""
        with self.publish_lock:
            export = self._exports.pop(id)
            node = export.node
            for key in export.keys:
                _let_go(node, key)
            self._retain_for_all(node)
            self._release(node)

    def retain(self, id: int, history_ms: int) -> None:
        """Keep so much of the past of collection or index `id` from the next tick on."""
        with self.publish_lock:
            self._exports[id] = replace(self._exports[id], history_ms=history_ms)
            self._retain_for_all(self._exports[id].node)

    def _retain_for_all(self, node: Node) -> None:
        """As much of the node's history as the most demanding of its names wants."""
        kept = [export.history_ms for export in self._exports.values() if export.node is node]
        if not kept:
            node.history = None
        elif node.history is not None:
            node.history.retain = max(kept)

    def _enter(self, node: Node, name: Hashable) -> None:
        node.rank, node.identity = self._ranks, name
        self._ranks += 1
        self._by_identity[name] = node

    def _splice(self, node: Node, name: Hashable, inputs: list[Node], own: Sequence[Trace | None]) -> None:
        """Make a private node one of the graph. `own` are the private arrangements of its inputs: taken where the
        graph has none by that key, since both hold the same rows at this tick."""
        self._enter(node, name)
        if isinstance(node.operator, Temporal):
            self._timed[node] = None
        node.inputs, node.dependents, node.trace = inputs, {}, None
        for child in inputs:
            child.dependents[node] = child.dependents.get(node, 0) + 1
            child.references += 1
        for at, (i, key) in enumerate(demands(node.plan, node.types)):
            assert isinstance(node.operator, Join | Distinct | Threshold)
            node.operator.traces[at] = _hold(inputs[i], key, own[i])

    def _export(self, id: int, node: Node, keys: tuple[Key, ...], history_ms: int, own: Trace | None) -> None:
        assert id not in self._exports, f"collection {id} exists"
        for key in keys:
            _hold(node, key, own)
        if node.history is None:
            node.history = History(self._tick, history_ms)
        node.history.retain = max(node.history.retain, history_ms)
        node.references += 1
        self._exports[id] = Export(node, keys, history_ms)

    def _release(self, node: Node) -> None:
        """One reference less; without any, the node goes, and with it what only it used."""
        node.references -= 1
        if node.references:
            return
        del self._by_identity[node.identity]
        self._timed.pop(node, None)
        for i, key in demands(node.plan, node.types):
            _let_go(node.inputs[i], key)
        for child in node.inputs:
            child.dependents[node] -= 1
            if not child.dependents[node]:
                del child.dependents[node]
            self._release(child)

    def _release_twins(self, staged: Staged) -> None:
        for twin, key in staged.borrowed:
            _let_go(twin, key)
        for twin in staged.twins.values():
            self._release(twin)

    # A tick

    def step(self, tick: int, deltas: Mapping[int, Batch], broken: Mapping[int, int] = NONE_BROKEN) -> None:
        """Compute: push the deltas of fed collections through. O(touched operators), not of the graph.

        `broken` are fed collections whose rows are not known any more, with the heap code of the error that is to be
        read in their place.
        """
        for node in self._touched:
            node.delta = None
        self._tick = tick
        fed = [(self._exports[id].node, delta) for id, delta in deltas.items()]
        for id, code in broken.items():
            node = self._exports[id].node
            node.operator.errors.add(np.array([code], np.uint64), np.ones(1, np.int64))
            if id not in deltas:
                fed.append((node, node.empty))
        self._touched = compute(tick, fed, due_nodes(self._timed, tick) if self._timed else (), self.clock)

    def has(self, id: int) -> bool:
        """Whether there is a collection or an index of that id."""
        return id in self._exports

    def delta(self, id: int) -> Batch | None:
        """From `step` until the next `step`: the change of collection `id` in this tick; None if there is none."""
        return self._exports[id].node.delta

    def publish(self) -> None:
        """Publish: every touched arrangement, error count and history takes the tick. Holds `publish_lock`."""
        began = self.clock()
        with self.publish_lock:
            # Who began to read while this tick computed may have chosen the one before it and not be among `held` yet.
            held = self.published if self.held is None else min(self.held, self.published)
            for node in self._touched:
                node.publish(self._tick, held)
            self.published = self._tick
        self.maintained_ns += self.clock() - began
        for staged in self._staging:
            staged.record(self._tick)

    def due(self) -> int | None:
        """The first tick at which something changes by itself: a temporal filter's row comes or goes. O(filters)."""
        times = [node.operator.due() for node in self._timed if isinstance(node.operator, Temporal)]
        return min((time for time in times if time is not None), default=None)

    # Reads

    def contents(self, id: int, as_of: int | None = None) -> Batch:
        """The rows of collection `id` after the last published tick, or as of an earlier one not before `since(id)`.

        Each distinct row once unless the collection is append-only.
        """
        node = self._exports[id].node
        copies: dict[Node, list[Batch]] = {}
        with self.publish_lock:
            copy(node, copies)
            undone = _undone(node, as_of)
        rows = Batch.concat([node.empty, *derive(node, copies), *undone])
        return rows.consolidate() if undone else rows

    def lookup(self, id: int, key: Key, key_words: Words, as_of: int | None = None) -> Batch:
        """The rows of collection `id` whose columns `key` are `key_words` (uint64[null_words + k, n], n keys).

        `key` must be one of `arranged(id)`. O(result), with `as_of` also of the deltas since.
        """
        node = self._exports[id].node
        with self.publish_lock:
            rows = _arrangement(node).lookup(key, key_words)
            undone = _undone(node, as_of)
        if not undone:
            return rows
        wanted = Batch.concat(undone)
        return Batch.concat([rows, with_key(wanted, key, key_words)]).consolidate()

    def look_up_one(self, id: int, key: Key, key_words: Words) -> tuple[int, list[int]]:
        """How many rows have one key, and if it is one its words and multiplicity. Holding `publish_lock`."""
        return _arrangement(self._exports[id].node).one(key, key_words)

    def counts(self, id: int, rows: Batch) -> Diffs:
        """How often each row (no two equal) is in a collection made by `create` that is not append-only: int64[n]."""
        node = self._exports[id].node
        with self.publish_lock:
            return _arrangement(node).counts(rows)

    def present(self, id: int, key: Key, key_words: Words) -> NDArray[np.bool_]:
        """Whether each key is in collection `id`, which is arranged by `key`: bool[n]. O(n)."""
        columns = np.arange(len(key), dtype=np.int64)
        with self.publish_lock:
            return _arrangement(self._exports[id].node).find(key, key_words, len(key), columns)[0] >= 0

    def arranged(self, id: int) -> tuple[Key, ...]:
        """The keys by which the collection is arranged (by whoever asked): look-ups by them are O(result)."""
        trace = self._exports[id].node.trace
        return () if trace is None else tuple(trace.references)

    def since(self, id: int) -> int:
        """The earliest tick that `contents(id, as_of)` can show."""
        history = self._exports[id].node.history
        assert history is not None
        return history.since

    def changes(self, id: int, after: int) -> list[tuple[int, Batch]]:
        """(tick, delta) of the published ticks after `after`, not before `since(id)`; oldest first."""
        history = self._exports[id].node.history
        assert history is not None
        with self.publish_lock:
            return history.after(after)

    def changed(self, id: int) -> int:
        """The last tick at which the collection changed, or at which it began."""
        history = self._exports[id].node.history
        assert history is not None
        return history.changed

    def hold(self, ids: Iterable[int], who: str, hold: Hold) -> None:
        """Keep the histories of collections readable from `hold.at` on, within its bounds. Collections that
        are gone are left out."""
        with self.publish_lock:
            for id in ids:
                export = self._exports.get(id)
                if export is not None and export.node.history is not None:
                    export.node.history.hold(who, hold)

    def release(self, ids: Iterable[int], who: str, hold: Hold) -> None:
        """Nobody needs this hold any more. Collections that are gone, and later holds of the same, are left alone."""
        with self.publish_lock:
            for id in ids:
                export = self._exports.get(id)
                history = None if export is None else export.node.history
                if history is not None and history.holds.get(who) is hold:
                    del history.holds[who]

    def columns(self, id: int) -> int:
        """How many columns the collection's rows have."""
        return len(self._exports[id].node.types)

    def error(self, id: int) -> int | None:
        """The heap code of an error among the operators upstream of collection `id`, or None: it may be read."""
        with self.publish_lock:
            return upstream_error([self._exports[id].node])

    def run_once(self, plan: Plan, as_of: int | None = None) -> tuple[Batch, int | None]:
        """Evaluate `plan` over the present contents with private operators, dropped after; (rows, error code)."""
        rows, error, _ = self.read(plan, as_of)
        return rows, error

    def read(self, plan: Plan, as_of: int | None = None, watch: Watch = ALWAYS) -> tuple[Batch, int | None, int]:
        """As `run_once`, with the tick that it read as of. TooEarly; KeyError for a collection that is not there.

        `watch` says whether the answer is still wanted.
        """
        copies: dict[Node, list[Batch]] = {}
        found: dict[int, tuple[Node, list[Batch]]] = {}  # by id of the plan object
        with self.publish_lock:
            tick, as_of = self.read_time(as_of)
            for part, node in self._held(plan, as_of):
                copy(node, copies)
                found[id(part)] = node, _undone(node, as_of)
            error = upstream_error({node: None for node, _ in found.values()})

        def given(part: Plan) -> Batch | None:
            if id(part) not in found:
                return None
            return watch.run(lambda: whole(*found[id(part)]), size)

        def whole(node: Node, undone: list[Batch]) -> Batch:
            rows = Batch.concat([node.empty, *derive(node, copies), *undone])
            return rows.consolidate() if undone else rows

        size = sum(len(batch) for batches in copies.values() for batch in batches)
        evaluation = OneShot(self._heap, given, watch, tick)
        rows = evaluation.run(plan)
        rows = watch.run(rows.consolidate, len(rows))
        return rows, evaluation.error if error is None else error, tick

    def read_time(self, as_of: int | None) -> tuple[int, int | None]:
        """The tick that a read as of `as_of` is of, and what to read: None, the present, if that is the same tick, for
        it is cheaper. Holding `publish_lock`, or the present may be another one when it is read."""
        if as_of is None or as_of == self.published:
            return self.published, None
        return as_of, as_of

    def _held(self, plan: Plan, as_of: int | None) -> Iterator[tuple[Plan, Node]]:
        """The largest subplans whose rows the graph holds (and held as of then)."""
        seen: set[int] = set()
        live: dict[int, Node | None] = {}
        waiting = [plan]
        while waiting:
            part = waiting.pop()
            if id(part) in seen:
                continue
            seen.add(id(part))
            node = self.find(part, live)
            past = as_of is None or (node is not None and node.history is not None and node.history.since <= as_of)
            if node is not None and past and node.derivable():
                yield part, node
            else:
                if isinstance(part, graph.Source):
                    raise KeyError(part.id) if node is None or as_of is None else _too_early(node, as_of)
                waiting += graph.inputs(part)

    def find(self, plan: Plan, found: dict[int, Node | None]) -> Node | None:
        """The running node that computes `plan`, if there is one. `found` keeps answers by id of the plan object."""
        if id(plan) not in found:
            if isinstance(plan, graph.Source):
                export = self._exports.get(plan.id)
                found[id(plan)] = None if export is None else export.node
            else:
                inputs = [self.find(child, found) for child in graph.inputs(plan)]
                known = [child for child in inputs if child is not None]
                found[id(plan)] = self._by_identity.get(identity(plan, known)) if len(known) == len(inputs) else None
        return found[id(plan)]

    def rows(self, id: int) -> int:
        """How many distinct rows the collection's state holds."""
        return self._exports[id].node.rows()

    def bytes_of(self, id: int) -> int:
        """Memory of the node that makes the collection: its operator, its output's arrangements, its history."""
        return self._exports[id].node.bytes_held()

    def changes_of(self, id: int) -> int:
        """How many changes the collection has had since it is there."""
        return self._exports[id].node.changes

    def bytes_held(self) -> int:
        """Memory of all states and arrangements."""
        return sum(node.bytes_held() for node in self._by_identity.values())

    def mark(self, marks: Marks) -> None:
        """Mark the heap codes that states, arrangements, logs, histories and error counts hold. At a tick boundary."""
        for node in self._by_identity.values():
            node.mark(marks)

    @property
    def operators(self) -> int:
        """How many nodes there are."""
        return len(self._by_identity)

    def nodes(self) -> list[NodeInfo]:
        """Every node, in topological order."""
        exports: dict[Node, list[int]] = {}
        for id, export in list(self._exports.items()):
            exports.setdefault(export.node, []).append(id)
        return [
            NodeInfo(
                node.rank, node.plan, tuple(child.rank for child in node.inputs), node.rows(), node.bytes_held(),
                node.changes, node.elapsed_ns, tuple(exports.get(node, ())),
            )
            for node in sorted(list(self._by_identity.values()), key=lambda node: node.rank)
        ]  # fmt: skip


def _hold(node: Node, key: Key, own: Trace | None) -> Trace:
    """The node's arrangement, one reference to `key` more; `own`, which has the same rows by it, takes its place if the
    key is new: O(1), unless another view has arranged the node by another key since `own` was begun: then O(rows).
    """
    if node.trace is None:
        assert own is not None
        node.trace, own.references = own, {}
    trace = node.trace
    if not trace.arrangement.has(key):
        if own is not None and all(map(own.arrangement.has, (key, *trace.references))):
            trace.arrangement = own.arrangement
        else:
            trace.arrangement.add(key)
    trace.references[key] = trace.references.get(key, 0) + 1
    return trace


def _let_go(node: Node, key: Key) -> None:
    """One reference less; without any, the key goes, and with the last key the arrangement."""
    trace = node.trace
    assert trace is not None
    trace.references[key] -= 1
    if not trace.references[key]:
        del trace.references[key]
        trace.arrangement.remove(key)
    if not trace.references:
        node.trace = None


def _arrangement(node: Node) -> Arrangement:
    """The arrangement that the node is read by."""
    assert node.trace is not None
    return node.trace.arrangement


def _undone(node: Node, as_of: int | None) -> list[Batch]:
    """What leads from the present contents back to those of `as_of`."""
    if as_of is None:
        return []
    assert node.history is not None
    if as_of < node.history.since:
        raise _too_early(node, as_of)
    return [delta.negate() for _, delta in node.history.after(as_of)]


def _too_early(node: Node, as_of: int) -> TooEarly:
    assert node.history is not None
    return TooEarly(as_of, node.history.since)


def with_key(batch: Batch, key: Key, key_words: Words) -> Batch:
    """The rows whose key is among `key_words`."""
    wanted = Arrangement(len(key), tuple(range(len(key))))
    wanted.apply(Batch(key_words, np.ones(key_words.shape[1], np.int64), len(key)))
    return batch.take(wanted.counts(Batch(batch.key_words(key), batch.diffs, len(key))) != 0)
