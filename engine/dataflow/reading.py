"""What readers ask of the running graph: rows, look-ups, the past, errors, sizes.

All of it is of the last published tick, or of an earlier one that the histories still know. Any thread may read: it
holds `publish_lock` while it copies rows out, no longer. A look-up need not wait for it: from `enter` to `gate.leave`
what it reads stays as it is (gate.py).
"""

import threading
from collections.abc import Hashable, Iterable, Iterator, Sequence, Set
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.collection.arrangement import Arrangement
from engine.collection.batch import Batch, Diffs, Words
from engine.collection.heap import Heap, Marks
from engine.collection.history import Hold
from engine.dataflow import graph
from engine.dataflow.gate import Gate
from engine.dataflow.graph import Plan
from engine.dataflow.holding import arranged, arrangement_of
from engine.dataflow.node import Key, Node, copy, derive, identity, recorded, upstream_error
from engine.dataflow.oneshot import OneShot
from engine.dataflow.operators.changes import until
from engine.dataflow.seeking import Held, Seek, Seeking, key_words
from engine.dataflow.watch import ALWAYS, Watch
from engine.types import SqlType


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
    durations: tuple[int, ...]  # counts of steps, by the bits of their nanoseconds


@dataclass(frozen=True, slots=True, eq=False)
class Export:
    """A collection or index by the id that the catalog gave it: the node it names and the arrangements it holds. One
    that is nothing but another collection is `of` that."""

    node: Node
    keys: tuple[Key, ...]
    history_ms: int
    of: int | None = None


class TooEarly(Exception):
    """A read as of `as_of`, of which the histories know nothing any more: `since` is the earliest that they show."""

    def __init__(self, as_of: int, since: int) -> None:
        super().__init__(f"as of {as_of}, but since {since}")
        self.as_of = as_of
        self.since = since


class Reading:
    """The graph as readers see it. `Circuit` makes it run."""

    def __init__(self, heap: Heap) -> None:
        self.publish_lock = threading.RLock()
        self.published = 0  # the last tick that readers see; changes under publish_lock
        self.gate = Gate()
        self._heap = heap
        self._exports: dict[int, Export] = {}
        self._by_identity: dict[Hashable, Node] = {}

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
        with self.publish_lock:
            return look_up(self._exports[id].node, key, key_words, as_of)

    def enter(self, id: int, wait: bool) -> Node | None:
        """The node of collection `id`, which stays as it is until the gate is left; None: it changes, and nobody is to
        `wait` for that. KeyError: there is none."""
        node = self._exports[id].node
        if wait:
            self.gate.wait(node)
        elif not self.gate.enter(node):
            return None
        export = self._exports.get(id)
        if export is None or export.node is not node:
            self.gate.leave(node)
            raise KeyError(id)
        return node

    @contextmanager
    def changing(self, nodes: Set[Node] | None = None) -> Iterator[None]:
        """While these nodes change, or by default the graph itself: nobody reads them."""
        with self.publish_lock, self.gate.changing(nodes):
            yield

    def counts(self, id: int, rows: Batch) -> Diffs:
        """How often each row (no two equal) is in a collection made by `create` that is not append-only: int64[n]."""
        node = self._exports[id].node
        with self.publish_lock:
            return arrangement_of(node).counts(rows)

    def present(self, id: int, key: Key, key_words: Words) -> NDArray[np.bool_]:
        """Whether each key is in collection `id`, which is arranged by `key`: bool[n]. O(n)."""
        columns = np.arange(len(key), dtype=np.int64)
        with self.publish_lock:
            return arrangement_of(self._exports[id].node).find(key, key_words, len(key), columns)[0] >= 0

    def arranged(self, id: int) -> tuple[Key, ...]:
        """The keys by which the collection is arranged (by whoever asked): look-ups by them are O(result)."""
        return arranged(self._exports[id].node)

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

    def error(self, id: int, as_of: int | None = None) -> int | None:
        """The heap code of an error among the operators upstream of collection `id`, or None: it may be read. As of an
        earlier tick, not before `since(id)`, the one of then."""
        with self.publish_lock:
            return upstream_error([self._exports[id].node], as_of)

    def first_error(self, id: int, after: int) -> tuple[int, int] | None:
        """The first tick behind `after` as of which the collection has an error, and its code; None: there is none."""
        with self.publish_lock:
            history = self._exports[id].node.history
            assert history is not None
            found = ((tick, history.error_at(tick)) for tick in history.failures(after))
            return next(((tick, code) for tick, code in found if code is not None), None)

    def run_once(self, plan: Plan, as_of: int | None = None) -> tuple[Batch, int | None]:
        """Evaluate `plan` over the present contents with private operators, dropped after; (rows, error code)."""
        rows, error, _ = self.read(plan, as_of)
        return rows, error

    def read(
        self, plan: Plan, as_of: int | None = None, watch: Watch = ALWAYS, seeks: Sequence[Seek] = ()
    ) -> tuple[Batch, int | None, int]:
        """As `run_once`, with the tick that it read as of. TooEarly; KeyError for a collection that is not there.

        `watch` says whether the answer is still wanted; `seeks` what of the plan can be found by key.
        """
        copies: dict[Node, list[Batch]] = {}
        found: dict[int, tuple[Node, list[Batch]]] = {}  # by id of the plan object
        words: dict[int, list[tuple[Seek, Words]]] = {}
        for seek in seeks:
            keys = key_words(seek, self._types(seek.mfp.input), self._heap)
            words.setdefault(id(seek.mfp), []).append((seek, keys))

        def given(part: Plan) -> Batch | None:
            if id(part) not in found:
                return None
            return watch.run(lambda: whole(*found[id(part)], copies), size)

        evaluation = OneShot(self._heap, given, watch)
        with self.publish_lock:
            tick, as_of = self.read_time(as_of)
            evaluation.tick = tick
            changes = self._recorded(plan, evaluation, tick)
            held = self._at(as_of)
            seeking = Seeking(evaluation, held, words)
            seeking.look(plan)
            for part, node in self._whole(plan, evaluation, held, as_of):
                copy(node, copies)
                found[id(part)] = node, _undone(node, as_of)
            error = upstream_error({node: None for node, _ in found.values()} | seeking.nodes | changes, as_of)
        size = sum(len(batch) for batches in copies.values() for batch in batches)
        rows = evaluation.run(plan)
        rows = watch.run(rows.consolidate, len(rows))
        return rows, evaluation.error if error is None else error, tick

    def _recorded(self, plan: Plan, evaluation: OneShot, tick: int) -> dict[Node, None]:
        """Give the evaluation what each Changes of the plan has told up to then; the nodes that know it. Holding
        `publish_lock`."""
        known: dict[Node, None] = {}
        for part in graph.nodes(plan):
            if not isinstance(part, graph.Changes):
                continue
            node = self.find(part, {})
            rows = None if node is None else node.operator.contents()
            if node is None:
                node = self.find(part.input, {})
                if node is None:
                    raise KeyError(part)
                rows = recorded(node, part.as_of, tick)
            if rows is None:
                raise _too_early(node, part.as_of)
            evaluation.give(part, until(rows, tick))
            known[node] = None
        return known

    def _types(self, source: Plan) -> tuple[SqlType, ...]:
        return source.types if isinstance(source, graph.Source) else ()

    def _at(self, as_of: int | None) -> Held:
        """What the graph holds, as of then. Holding `publish_lock`."""
        live: dict[int, Node | None] = {}

        def node_of(plan: Plan) -> Node | None:
            node = self.find(plan, live)
            past = as_of is None or (node is not None and node.history is not None and node.history.since <= as_of)
            return node if node is not None and past and node.derivable() else None

        def rows(node: Node) -> Batch:
            copies: dict[Node, list[Batch]] = {}
            copy(node, copies)
            return whole(node, _undone(node, as_of), copies)

        return Held(node_of, rows, lambda node, key, words: look_up(node, key, words, as_of))

    def read_time(self, as_of: int | None) -> tuple[int, int | None]:
        """The tick that a read as of `as_of` is of, and what to read: None, the present, if that is the same tick, for
        it is cheaper. Holding `publish_lock`, or within the gate: else the present may be another one when it is
        read."""
        if as_of is None or as_of == self.published:
            return self.published, None
        return as_of, as_of

    def _whole(self, plan: Plan, evaluation: OneShot, held: Held, as_of: int | None) -> Iterator[tuple[Plan, Node]]:
        """The largest subplans whose rows the graph holds (and held as of then), of those that are needed whole."""
        seen: set[int] = set()
        waiting = [plan]
        while waiting:
            part = waiting.pop()
            if id(part) in seen or evaluation.known(part) is not None:
                continue
            seen.add(id(part))
            node = held.node(part)
            if node is not None:
                yield part, node
            elif isinstance(part, graph.Source):
                export = self._exports.get(part.id)
                if export is None or as_of is None:
                    raise KeyError(part.id)
                raise _too_early(export.node, as_of)
            else:
                waiting += evaluation.reads(part)

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
                node.changes, node.elapsed_ns, tuple(exports.get(node, ())), tuple(node.durations),
            )
            for node in sorted(list(self._by_identity.values()), key=lambda node: node.rank)
        ]  # fmt: skip


def whole(node: Node, undone: list[Batch], copies: dict[Node, list[Batch]]) -> Batch:
    """The node's contents from what was copied, without what came since. Holds no lock."""
    rows = Batch.concat([node.empty, *derive(node, copies), *undone])
    return rows.consolidate() if undone else rows


def look_up(node: Node, key: Key, key_words: Words, as_of: int | None) -> Batch:
    """See Reading.lookup. The node must stay as it is meanwhile."""
    rows = arrangement_of(node).lookup(key, key_words)
    undone = _undone(node, as_of)
    if not undone:
        return rows
    return Batch.concat([rows, with_key(Batch.concat(undone), key, key_words)]).consolidate()


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
