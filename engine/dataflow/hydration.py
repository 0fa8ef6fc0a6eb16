"""A new view built beside the running ones.

Rule   private operators over the contents, at one tick, of what already runs; then over the deltas of the ticks since;
       then the circuit adopts them at a tick boundary, where they are what they would be had they always run.
State  the private operators; the deltas that ticks record for it until they are replayed.
Cost   the contents of what it reads, once, in a background thread; a tick records references to its deltas, O(1) each.
From   DESIGN section 5: a new view does not stop the world.
"""

from collections import deque
from collections.abc import Callable, Hashable, Sequence
from typing import Final

import numpy as np

from engine.collection.batch import Batch
from engine.collection.heap import Heap
from engine.dataflow import graph
from engine.dataflow.errors import too_early
from engine.dataflow.graph import Plan
from engine.dataflow.node import (
    Key,
    Node,
    compute,
    copy,
    derive,
    due_nodes,
    first_due,
    identity,
    recorded,
    upstream_error,
)
from engine.dataflow.operator import Stateless
from engine.dataflow.operators.changes import Changes
from engine.dataflow.operators.constant import Constant
from engine.dataflow.operators.refresh import Refresh
from engine.dataflow.operators.source import Source
from engine.dataflow.render import demands, monotonic, render, types_of
from engine.dataflow.trace import Trace

CHUNK_ROWS: Final = 1 << 22
"""Rows of an input per private step: whole inputs go through at once unless they are so long that the intermediate
results of one step would weigh more than the state."""


class Staged:
    """A plan being hydrated as collection `id`, until the circuit adopts it.

    `twins` are the running nodes that private nodes stand for; those in `inputs` take their contents and deltas.
    """

    def __init__(
        self,
        id: int,
        building: "Building",
        root: Node,
        borrowed: list[tuple[Node, Key]],
        keys: tuple[Key, ...],
        history_ms: int,
        readable: bool,
        tick: int,
        of: int | None = None,
    ) -> None:
        self.id = id
        self.of = of  # the collection that it is nothing but
        self._at = tick  # that of the snapshot
        self.nodes = building.nodes  # in topological order
        self.root = root
        self.twins = building.twins
        self.borrowed = borrowed  # arrangements of `keys` that run already: (running node, key)
        self.keys = keys
        self.history_ms = history_ms
        self.readable = readable
        self._inputs: dict[Node, list[Batch]] = building.inputs
        self._recorded: deque[tuple[int, dict[Node, Batch], dict[Node, int | None]]] = deque()
        self._output: list[Batch] = []
        self._through = 0
        self._total = sum(len(batch) for rows in self._inputs.values() for batch in rows)
        self._refreshed = [node.operator for node in self.nodes if isinstance(node.operator, Refresh)]
        for operator in self._refreshed:
            operator.begin(tick)
        for node, twin in building.recorded.items():
            assert isinstance(node.operator, Changes)
            assert isinstance(node.plan, graph.Changes)
            if node.plan.as_of > tick:
                node.operator.wait(node.plan.as_of)
                continue
            first = recorded(twin, node.plan.as_of)
            since = 0 if twin.history is None else twin.history.since
            node.operator.begin(tick, first, too_early(node.plan.as_of, since))
        self._errors = self._standing()  # of the inputs, as of what is recorded
        for node, code in self._errors.items():
            stand_in(node, code)

    @property
    def progress(self) -> tuple[int, int]:
        """(rows of the snapshot that went through, rows of the snapshot)."""
        return self._through, self._total

    def hydrate(self) -> None:
        """Run the snapshot through the private operators. Background thread; touches nothing shared."""
        waiting = {node: deque(_chunks(rows)) for node, rows in self._inputs.items()}
        for node in self._inputs:
            self._inputs[node] = []
        while True:
            deltas = {node: chunks.popleft() for node, chunks in waiting.items() if chunks}
            if not deltas:
                break
            self._tick(self._at, deltas, {})
            self._through += sum(map(len, deltas.values()))

    def catch_up(self) -> int:
        """Replay what ticks have recorded since; the number of ticks that were replayed. Background thread.

        Call it until it returns a small number, then `adopt` (which replays the rest) holding the tick lock.
        """
        ticks = 0
        while self._recorded:
            self._tick(*self._recorded.popleft())
            ticks += 1
        return ticks

    def settle(self, tick: int) -> None:
        """Let what changes by itself say what was due at ticks without a delta. At a tick boundary, before it is
        adopted."""
        if due_nodes(self.nodes, tick):
            self._tick(tick, {}, {})

    def record(self, tick: int) -> None:
        """Keep the tick's deltas of the inputs for `catch_up`. The tick thread, between compute and the next tick."""
        deltas = {node: delta for node in self._inputs if (delta := self._delta(node)) is not None}
        errors = self._standing()
        changed = {node: code for node, code in errors.items() if code != self._errors[node]}
        if deltas or changed:
            self._recorded.append((tick, deltas, changed))
        self._errors = errors

    def _standing(self) -> dict[Node, int | None]:
        """The errors upstream of the inputs, if a refresh is to take them along. At a tick boundary."""
        if not self._refreshed:
            return {}
        return {node: upstream_error([self.twins[node]]) for node in self._inputs if node in self.twins}

    def _delta(self, node: Node) -> Batch | None:
        twin = self.twins.get(node)  # a constant of our own has none, and no delta either
        return None if twin is None else twin.delta

    def _tick(self, tick: int, deltas: dict[Node, Batch], errors: dict[Node, int | None]) -> None:
        """A tick, behind those that something was due at before it, as the driver of the running ones has it."""
        while (at := first_due(self.nodes)) is not None and at < tick:
            self._step(at, {})
        for node, code in errors.items():
            stand_in(node, code)
        self._step(tick, deltas)

    def _step(self, tick: int, deltas: dict[Node, Batch]) -> None:
        touched = compute(tick, deltas.items(), due_nodes(self.nodes, tick))
        if self.root.delta is not None and not self.readable:
            self._output.append(self.root.delta)
        for node in touched:
            node.publish(tick)
            node.delta = None

    def output(self) -> Batch:
        """The rows as of what was replayed: a subscription's snapshot. Only if not readable; consolidated.

        After `adopt`, those of the last published tick: the next tick's delta continues them.
        """
        assert not self.readable, "read the collection itself"
        self._output = [Batch.concat([self.root.empty, *self._output]).consolidate()]
        return self._output[0]


class Building:
    """Makes the private nodes of a plan, down to where the graph holds contents.

    `find` tells the running node of a plan, if any. `twins` are the running nodes by the private ones that do the same;
    `inputs` are the private nodes without inputs, each with the rows that it starts from.
    """

    def __init__(self, find: Callable[[Plan, dict[int, Node | None]], Node | None], heap: Heap) -> None:
        self.nodes: list[Node] = []
        self.twins: dict[Node, Node] = {}
        self.inputs: dict[Node, list[Batch]] = {}
        self._find = find
        self._heap = heap
        self._found: dict[int, Node | None] = {}
        self._done: dict[int, Node] = {}  # by id of the plan object
        self._by_identity: dict[Hashable, Node] = {}
        self.recorded: dict[Node, Node] = {}  # by a private node of Changes, the running one whose changes they are

    def staged(self, id: int, plan: Plan, keys: Sequence[Key], history_ms: int, readable: bool, tick: int) -> Staged:
        """The whole of it. At a tick boundary."""
        root = self._node(plan)
        running = self.twins.get(root) if root in self.inputs else None
        if readable and not keys and not isinstance(plan, graph.Source) and not self._lasting(root):
            keys = (tuple(range(len(root.types))),)
        borrowed: list[tuple[Node, Key]] = []
        for key in keys:
            if running is not None and running.trace is not None and key in running.trace.references:
                borrowed.append((running, key))
            else:
                self._arrange(root, key)
        if running is not None and readable and root.trace is None:
            self.inputs.clear()  # all is there already
        for node in self.inputs:
            if node in self.twins:
                twin, copies = self.twins[node], dict[Node, list[Batch]]()
                copy(twin, copies)
                self.inputs[node] = derive(twin, copies)
        of = plan.id if isinstance(plan, graph.Source) else None
        return Staged(id, self, root, borrowed, tuple(keys), history_ms, readable, tick, of)

    def _node(self, plan: Plan) -> Node:
        """The private node of a plan, made with all that it reads."""
        done = self._done.get(id(plan))
        if done is None:
            running = self._find(plan, self._found)
            if running is not None and running.derivable():
                done = self._input(running)
            else:
                assert not isinstance(plan, graph.Source), f"no collection {plan}, or one that keeps no contents"
                done = self._operator(plan, [self._node(child) for child in graph.inputs(plan)])
                if running is not None:
                    self.twins[done] = running
            self._done[id(plan)] = done
        return done

    def _input(self, running: Node) -> Node:
        """The private stand-in for a running node."""
        name: Hashable = running
        if name not in self._by_identity:
            node = Node(running.plan, running.types, [], Source(running.types, append_only=False), running.grows)
            self._enter(node, name)
            self.twins[node] = running
            self.inputs[node] = []
        return self._by_identity[name]

    def _operator(self, plan: Plan, inputs: list[Node]) -> Node:
        name = identity(plan, inputs)
        if name not in self._by_identity:
            types = types_of(plan, [child.types for child in inputs])
            traces = [self._arrange(inputs[i], key) for i, key in demands(plan, types)]
            grow = [child.grows for child in inputs]
            operator = render(plan, [child.types for child in inputs], all(grow), traces, self._heap)
            node = Node(plan, types, inputs, operator, monotonic(plan, grow))
            for child in inputs:
                child.dependents[node] = 1
            self._enter(node, name)
            if isinstance(node.operator, Changes):
                self.recorded[node] = self.twins[inputs[0]]
            if isinstance(node.operator, Constant):
                self.inputs[node] = [node.operator.contents()]
        return self._by_identity[name]

    def _arrange(self, node: Node, key: Key) -> Trace:
        """The private arrangement by `key`; by the running one's keys too where it may have to take its place."""
        if node.trace is None:
            node.trace = Trace(len(node.types))
        running = self.twins[node].trace if node in self.twins else None
        if running is not None and not running.arrangement.has(key):
            for other in running.references:
                node.trace.arranged(other)
        return node.trace.arranged(key)

    def _enter(self, node: Node, name: Hashable) -> None:
        node.rank = len(self.nodes)
        self.nodes.append(node)
        self._by_identity[name] = node

    def _lasting(self, node: Node) -> bool:
        """Node.lasting of what the node will be, seen through the stand-ins."""
        if node in self.inputs and node in self.twins:
            return self.twins[node].lasting()
        return node.operator_holds or (
            isinstance(node.operator, Stateless)
            and all(self._reads(child) and self._lasting(child) for child in node.inputs)
        )

    def _reads(self, node: Node) -> bool:
        """Whether it is more than a fed collection or a constant."""
        return bool(self.twins[node].inputs if node in self.inputs and node in self.twins else node.inputs)


def stand_in(node: Node, code: int | None) -> None:
    """A private stand-in has this error, or none, in place of the one it had."""
    errors = node.operator.errors
    for each, diff in ((errors.first(), -1), (code, 1)):
        if each is not None:
            errors.add(np.array([each], np.uint64), np.array([diff], np.int64))
    errors.publish()


def _chunks(batches: Sequence[Batch]) -> list[Batch]:
    """The batches put together to steps of about CHUNK_ROWS rows."""
    chunks: list[list[Batch]] = []
    room = 0
    for batch in batches:
        if len(batch) > room or not chunks:
            chunks.append([])
            room = CHUNK_ROWS
        chunks[-1].append(batch)
        room -= len(batch)
    return [chunk for chunk in map(Batch.concat, chunks) if len(chunk)]
