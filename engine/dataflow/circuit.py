"""The running graph: one operator per distinct subplan, whoever asked for it, driven tick by tick.

    create(id, types, append_only)                    a collection fed from outside (table, source relation)
    stage(id, plan, keys) -> Staged                   a new view, private until it has caught up
    staged.hydrate(); staged.catch_up(); adopt(...)   build it beside the running ticks; join at a tick boundary
    step(tick, deltas); delta(id); publish()          the two phases of a tick
    contents / lookup / error / run_once              reads of the last published tick (reading.py)
    drop(id)                                          forget a collection, a view or an index

Threads. `create`, `stage`, `adopt`, `drop`, `step` and `publish` belong to whoever holds the tick lock (the caller's;
one tick at a time). The reads may run in any thread: they hold `publish_lock` while they copy rows out, no longer, or
pass the gate, which lets look-ups through that what is published does not touch.
Compute (`step`) changes nothing that a read can see. `Staged.hydrate` and `Staged.catch_up` run in a background thread
and touch nothing shared; from `stage` to `adopt` the caller holds `heap.pinned()`: a sweep does not see private state.
"""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from engine.collection.batch import Batch
from engine.collection.heap import Heap
from engine.collection.history import History
from engine.dataflow import graph
from engine.dataflow.graph import Plan
from engine.dataflow.holding import let_go, take_hold
from engine.dataflow.hydration import Building, Staged
from engine.dataflow.node import TIMED, Clock, Key, Node, compute, due_nodes, first_due, identity, upstream_error
from engine.dataflow.operators.distinct import Distinct
from engine.dataflow.operators.join import Join
from engine.dataflow.operators.refresh import Refresh
from engine.dataflow.operators.source import Source
from engine.dataflow.operators.threshold import Threshold
from engine.dataflow.reading import Export, Reading
from engine.dataflow.render import demands
from engine.dataflow.trace import Trace
from engine.types import SqlType

NONE_BROKEN: Mapping[int, int] = {}

HISTORY_MS = 1000
"""How far back a collection can be read unless it is told otherwise: Materialize's compaction window."""


class Circuit(Reading):
    """The graph of running operators and the arrangements that they share."""

    def __init__(self, heap: Heap) -> None:
        super().__init__(heap)
        self.held: int | None = None  # a tick that somebody still reads as of; the caller's, from tick to tick
        self._ranks = 0
        self._tick = 0
        self._touched: list[Node] = []
        self._staging: list[Staged] = []
        self.clock: Clock = lambda: 0  # nanoseconds, for what operators take: whoever runs this may set one
        self.maintained_ns = 0  # that publishing took
        self._stale: tuple[Node, ...] = ()  # whose errors are those of other nodes from the tick under way on
        self._timed: dict[Node, None] = {}  # the nodes that may change by themselves

    # What runs

    def create(
        self,
        id: int,
        types: tuple[SqlType, ...],
        append_only: bool = False,
        history_ms: int = HISTORY_MS,
        keys: Sequence[Key] = (),
    ) -> None:
        """A collection fed by `step`. Its rows are kept: arranged by the whole row and by `keys`, or as a log if
        append-only."""
        plan = graph.Source(id, types, append_only)
        node = Node(plan, types, [], Source(types, append_only), append_only)
        with self.changing():
            self._enter(node, identity(plan, ()))
            arranged = () if append_only else tuple(dict.fromkeys((tuple(range(len(types))), *keys)))
            self._export(id, node, arranged, history_ms, None if append_only else Trace(len(types)))

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
            take_hold(twin, key, None)
        self._staging.append(staged)
        return staged

    def adopt(self, staged: Staged) -> None:
        """Replay what is left and splice the view into the graph. At a tick boundary."""
        staged.catch_up()
        staged.settle(self._tick)
        placed: dict[Node, Node] = {}
        own = {node: node.trace for node in staged.nodes}
        children = {node: node.inputs for node in staged.nodes}
        with self.changing():
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
            self._export(staged.id, placed[staged.root], staged.keys, staged.history_ms, own[staged.root], staged.of)
            self._release_twins(staged)

    def abandon(self, staged: Staged) -> None:
        """Forget a staged view that is not wanted any more (dropped or cancelled while it hydrated)."""
        with self.changing():
            self._staging.remove(staged)
            self._release_twins(staged)

    def install(self, id: int, plan: Plan, keys: Sequence[Key] = (), history_ms: int = HISTORY_MS) -> None:
        """stage, hydrate and adopt in one go: for views over little, and for tests."""
        staged = self.stage(id, plan, keys, history_ms)
        staged.hydrate()
        self.adopt(staged)

    def drop(self, id: int) -> None:
        """Forget collection or index `id`; operators and arrangements that nobody else uses are freed."""
        with self.changing():
            export = self._exports.pop(id)
            node = export.node
            for key in export.keys:
                let_go(node, key)
            self._retain_for_all(node)
            self._release(node)

    def begin(self, id: int, first: int | None = None) -> None:
        """Collection `id` is complete as of the last published tick (or of `first`, which may be yet to come): it
        cannot be read as of an earlier one. Who holds its history goes on to."""
        with self.changing():
            before = self._exports[id].node.history
            assert before is not None
            since = self._tick if first is None else max(first, self._tick)
            history = History(since, before.retain, upstream_error([self._exports[id].node]))
            history.holds = before.holds
            self._exports[id].node.history = history

    def _begin_behind(self, healed: set[Node]) -> None:
        """What reads these could not be read before this tick, and cannot be read as of then."""
        for export in self._exports.values():
            node = export.node
            if node.history is not None and not healed.isdisjoint(node.above()):
                node.history = History(self._tick, node.history.retain)

    def _remember_errors(self, failing: set[Node]) -> None:
        """The errors of these have changed with the tick, and so may those of all that reads them."""
        for export in self._exports.values():
            node = export.node
            if node.history is not None and not failing.isdisjoint(node.above()):
                node.history.fail(self._tick, upstream_error([node]))

    def refreshes(self, id: int) -> tuple[int | None, int | None]:
        """The ticks of the last refresh of a collection that is as of one, and of the next."""
        operator = self._exports[id].node.operator
        return (operator.refreshed, operator.due()) if isinstance(operator, Refresh) else (None, None)

    def retain(self, id: int, history_ms: int) -> None:
        """Keep so much of the past of collection or index `id` from the next tick on."""
        with self.changing():
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
        if isinstance(node.operator, TIMED):
            self._timed[node] = None
        node.splice(inputs)
        for child in inputs:
            child.dependents[node] = child.dependents.get(node, 0) + 1
            child.references += 1
        for at, (i, key) in enumerate(demands(node.plan, node.types)):
            assert isinstance(node.operator, Join | Distinct | Threshold)
            node.operator.traces[at] = take_hold(inputs[i], key, own[i])

    def _export(
        self, id: int, node: Node, keys: tuple[Key, ...], history_ms: int, own: Trace | None, of: int | None = None
    ) -> None:
        assert id not in self._exports, f"collection {id} exists"
        for key in keys:
            take_hold(node, key, own)
        if node.history is None:
            node.history = History(self._tick, history_ms, upstream_error([node]))
        node.history.retain = max(node.history.retain, history_ms)
        node.references += 1
        self._exports[id] = Export(node, keys, history_ms, of)

    def _release(self, node: Node) -> None:
        """One reference less; without any, the node goes, and with it what only it used."""
        node.references -= 1
        if node.references:
            return
        del self._by_identity[node.identity]
        self._timed.pop(node, None)
        for i, key in demands(node.plan, node.types):
            let_go(node.inputs[i], key)
        for child in node.inputs:
            child.dependents[node] -= 1
            if not child.dependents[node]:
                del child.dependents[node]
            self._release(child)

    def _release_twins(self, staged: Staged) -> None:
        for twin, key in staged.borrowed:
            let_go(twin, key)
        for twin in staged.twins.values():
            self._release(twin)

    # A tick

    def step(self, tick: int, deltas: Mapping[int, Batch], broken: Mapping[int, int | None] = NONE_BROKEN) -> None:
        """Compute: push the deltas of fed collections through. O(touched operators), not of the graph.

        `broken` are fed collections whose rows are not known any more, with the heap code of the error that is to be
        read in their place, or are known again (None).
        """
        for node in self._touched:
            node.delta = None
        self._tick = tick
        fed = [(self._exports[id].node, delta) for id, delta in deltas.items()]
        for id, code in broken.items():
            node = self._exports[id].node
            gone, counts = node.operator.errors.counts()
            node.operator.errors.add(gone, -counts)
            if code is not None:
                node.operator.errors.add(np.array([code], np.uint64), np.ones(1, np.int64))
            if id not in deltas:
                fed.append((node, node.empty))
        self._touched = compute(tick, fed, due_nodes(self._timed, tick) if self._timed else (), self.clock)

    @property
    def made_bytes(self) -> int:
        """What the operators made in the last step, all at once in memory. O(touched operators)."""
        deltas = [node.delta for node in self._touched if node.delta is not None]
        return sum(delta.words.nbytes + delta.diffs.nbytes for delta in deltas)

    @property
    def operators_ever(self) -> int:
        """How many operators there have been: it grows when there is another."""
        return self._ranks

    def has(self, id: int) -> bool:
        """Whether there is a collection or an index of that id."""
        return id in self._exports

    def delta(self, id: int) -> Batch | None:
        """From `step` until the next `step`: the change of collection `id` in this tick; None if there is none."""
        return self._exports[id].node.delta

    def publish(self) -> None:
        """Publish: every touched arrangement, error count and history takes the tick. Nobody reads them meanwhile."""
        began = self.clock()
        stale, self._stale = self._stale, ()
        with self.changing({*self._touched, *stale}):
            for node in stale:
                node.reconsider()
            # Who began to read while this tick computed may have chosen the one before it and not be among `held` yet.
            held = self.published if self.held is None else min(self.held, self.published)
            healed: set[Node] = set()
            failing = set(stale)
            for node in self._touched:
                before = node.operator.errors.first()
                if node.publish(self._tick, held):
                    healed.add(node)
                if node.operator.errors.first() != before:
                    failing.add(node)
            if failing:
                self._remember_errors(failing)
            if healed:
                self._begin_behind(healed)
            self.published = self._tick
        self.maintained_ns += self.clock() - began
        for staged in self._staging:
            staged.record(self._tick)

    def due(self) -> int | None:
        """The first tick at which something changes by itself: a temporal filter's row comes or goes, a view is
        refreshed. O(such nodes)."""
        return first_due(self._timed)
