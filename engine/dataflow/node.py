"""One node of the running graph: an operator, the arrangement of its output, and who reads it.

Only the tick thread changes a node; what readers see of it (contents, error counts) changes in publish.
"""

import heapq
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Final

import numpy as np

from engine.collection.batch import Batch
from engine.collection.heap import Marks
from engine.collection.history import History
from engine.dataflow import graph
from engine.dataflow.errors import ErrorCounts
from engine.dataflow.graph import Plan
from engine.dataflow.operator import Operator, Stateless
from engine.dataflow.operators.changes import Changes, told
from engine.dataflow.operators.refresh import Refresh
from engine.dataflow.operators.source import Source
from engine.dataflow.operators.temporal import Temporal
from engine.dataflow.operators.turn import Turn
from engine.dataflow.render import signature
from engine.dataflow.trace import Trace
from engine.types import SqlType

DURATIONS: Final = 40
"""Bits of the nanoseconds of a step: nine minutes, and longer."""
TIMED: Final = (Temporal, Refresh, Changes, Turn)
"""The operators that change by themselves."""
Key = tuple[int, ...]
Clock = Callable[[], int]
"""Nanoseconds since some moment."""


class Node:
    """`rank` orders the graph topologically: a node's is greater than those of its inputs.

    `references` counts the edges from its dependents and whoever else holds it; the circuit frees it at 0.
    `delta` is its change in the tick under way, or the last one it took part in until the next begins; None: none.
    """

    __slots__ = (
        "_above",
        "changes",
        "delta",
        "dependents",
        "durations",
        "elapsed_ns",
        "empty",
        "grows",
        "history",
        "identity",
        "inputs",
        "operator",
        "operator_holds",
        "plan",
        "queued",
        "rank",
        "references",
        "trace",
        "types",
    )  # fmt: skip

    def __init__(
        self, plan: Plan, types: tuple[SqlType, ...], inputs: "list[Node]", operator: Operator, grows: bool
    ) -> None:
        self.plan = plan
        self.types = types
        self.inputs = inputs
        self.operator = operator
        self.grows = grows  # never retracts a row
        self.operator_holds = operator.contents() is not None  # cheap: it has seen no row
        self.rank = -1
        self.identity: Hashable = None  # its key in the circuit's hash-consing table
        self.dependents: dict[Node, int] = {}  # and how often each reads it
        self.references = 0
        self.trace: Trace | None = None
        self.history: History | None = None
        self.delta: Batch | None = None
        self.changes = 0  # that it ever gave
        self.elapsed_ns = 0  # that its steps took, if somebody has a clock
        self.durations = [0] * DURATIONS  # the same as counts of steps, by the bits of their nanoseconds
        self.empty = Batch.empty(len(types))
        self.queued = False
        self._above: tuple[Node, ...] | None = None  # once asked for

    def splice(self, inputs: "list[Node]") -> None:
        """Read those from now on; nobody reads it yet, and nothing is arranged."""
        self.inputs, self.dependents, self.trace, self._above = inputs, {}, None, None

    def emit(self, delta: Batch) -> None:
        """Take a delta as this tick's output: arrangements see it as `new`."""
        self.delta = delta
        self.changes += len(delta)
        if self.trace is not None:
            self.trace.stage(delta)

    def publish(self, tick: int, held: int | None = None) -> bool:
        """Make the tick visible, after the inputs have; the history keeps what reading as of `held` takes. Whether it
        is a view whose refresh has healed it: there is nothing to read before."""
        healed = isinstance(self.operator, Refresh) and self.operator.take_error(upstream_error(self.inputs))
        self.operator.publish()
        if self.delta is not None:
            if self.trace is not None:
                self.trace.publish()
            if self.history is not None:
                self.history.append(tick, self.delta, held)
        return healed

    def stored(self) -> list[Batch] | None:
        """The output's rows, if some state here holds them."""
        if isinstance(self.operator, Source) and self.operator.log is not None:
            return self.operator.log.batches()
        if self.trace is not None:
            return [self.trace.arrangement.rows()]
        rows = self.operator.contents()
        return None if rows is None else [rows]

    def holds(self) -> bool:
        """Whether `stored` has an answer."""
        return self.operator_holds or self.trace is not None

    def derivable(self) -> bool:
        """Whether the rows are cheap to read: held, or stateless steps away from results that are held.

        A filter over a table is not: reading the view would cost the table.
        """
        if self.holds():
            return True
        return (
            bool(self.inputs)
            and isinstance(self.operator, Stateless)
            and all(child.inputs and child.derivable() for child in self.inputs)
        )

    def lasting(self) -> bool:
        """Whether the rows stay cheap to read even if every arrangement of others' goes."""
        if self.operator_holds:
            return True
        return (
            bool(self.inputs)
            and isinstance(self.operator, Stateless)
            and all(child.inputs and child.lasting() for child in self.inputs)
        )

    def above(self) -> "tuple[Node, ...]":
        """The node and all upstream of it whose errors are its: a view as of its last refresh has those of then."""
        if self._above is None:
            seen: dict[Node, None] = {}
            waiting = [self]
            while waiting:
                node = waiting.pop()
                if node not in seen:
                    seen[node] = None
                    if not isinstance(node.operator, Refresh):
                        waiting += node.inputs
            self._above = tuple(seen)
        return self._above

    def seen_as(self, other: "Node") -> None:
        """Its errors are the other's, until that is reconsidered."""
        self._above = (self, *other.above())

    def reconsider(self) -> None:
        """What is upstream is another by now."""
        self._above = None

    def rows(self) -> int:
        """Distinct rows of the output that are held, in arrangements of it or by the operator; 0 where none are."""
        held = 0 if self.trace is None else len(self.trace.arrangement)
        return held or self.operator.rows()

    def bytes_held(self) -> int:
        """Memory of the operator's state, the arrangements of its output, and its history."""
        held = self.operator.bytes_held() + (0 if self.trace is None else self.trace.arrangement.bytes_held())
        return held + (self.history.bytes_held() if self.history is not None else 0)

    def mark(self, marks: Marks) -> None:
        """Mark the heap codes of all of that."""
        self.operator.mark(marks)
        self.operator.errors.mark(marks)
        physical = [type.physical for type in self.types]
        if self.trace is not None:
            self.trace.arrangement.mark(marks, physical)
        if self.history is not None:
            marks.codes(np.array(self.history.errors(), np.uint64))
        recent: Iterable[Batch] = self.history.batches() if self.history is not None else ()
        for batch in (*recent, *([self.delta] if self.delta is not None else [])):
            batch.mark(marks, self.types)


def identity(plan: Plan, inputs: Sequence[Node]) -> Hashable:
    """What a node is known by: its kind, its own parameters, which nodes it reads, and by which collections' names: one
    may come to name another node (turning.py). O(own parameters)."""
    names = tuple(each.id if isinstance(each, graph.Source) else None for each in graph.inputs(plan))
    return type(plan), signature(plan), tuple(node.rank for node in inputs), names


def upstream_error(nodes: Iterable[Node], as_of: int | None = None) -> int | None:
    """The code of an error of any operator upstream of the nodes, or None; as of an earlier tick that of then, which
    the nodes' histories have."""
    for node in nodes:
        if as_of is not None and node.history is not None:
            code = node.history.error_at(as_of)
            if code is not None:
                return code
            continue
        for source in node.above():
            code = source.operator.errors.first()
            if code is not None:
                return code
    return None


def due_nodes(nodes: Iterable[Node], tick: int) -> list[Node]:
    """Those among the nodes that have something to say at a tick by themselves."""
    return [node for node in nodes if (at := due(node)) is not None and at <= tick]


def due(node: Node) -> int | None:
    """The next tick at which it changes though no input does; None: never."""
    return node.operator.due() if isinstance(node.operator, TIMED) else None


def first_due(nodes: Iterable[Node]) -> int | None:
    """The first of those ticks. O(nodes)."""
    return min((at for node in nodes if (at := due(node)) is not None), default=None)


def compute(
    tick: int, fed: Iterable[tuple[Node, Batch]], due: Iterable[Node] = (), clock: Clock = lambda: 0
) -> list[Node]:
    """The compute phase: each node that a delta reaches steps once, inputs first, and so do those that are `due`.
    Returns the nodes it touched. `clock` gives nanoseconds, by which each node's time is taken.

    O(touched nodes) and their work: what no delta reaches is not looked at.
    """
    touched: list[Node] = []
    waiting: list[tuple[int, Node]] = []

    def emit(node: Node, delta: Batch) -> None:
        node.emit(delta)
        for dependent in node.dependents:
            if not dependent.queued:
                dependent.queued = True
                heapq.heappush(waiting, (dependent.rank, dependent))

    for node in due:
        node.queued = True
        heapq.heappush(waiting, (node.rank, node))
    for node, delta in fed:
        touched.append(node)
        if len(delta):
            emit(node, node.operator.step(tick, [delta]))
    while waiting:
        node = heapq.heappop(waiting)[1]
        node.queued = False
        touched.append(node)
        began = clock()
        delta = node.operator.step(tick, [child.empty if child.delta is None else child.delta for child in node.inputs])
        if len(delta):
            emit(node, delta)
        took = clock() - began
        if took:
            node.elapsed_ns += took
            node.durations[min(took.bit_length(), DURATIONS - 1)] += 1
    return touched


def copy(node: Node, copies: dict[Node, list[Batch]]) -> None:
    """Copy out the rows that the node's contents are held as or derived from. Holding the publish lock; O(rows)."""
    if node in copies:
        return
    rows = node.stored()
    if rows is not None:
        copies[node] = rows
    else:
        for child in node.inputs:
            copy(child, copies)


def derive(node: Node, copies: dict[Node, list[Batch]]) -> list[Batch]:
    """The node's contents from those copies. Holds no lock."""
    rows = copies.get(node)
    if rows is None:
        assert isinstance(node.operator, Stateless)
        inputs = [Batch.concat([child.empty, *derive(child, copies)]) for child in node.inputs]
        rows = copies[node] = [node.operator.apply(inputs, ErrorCounts())]
    return rows


def recorded(node: Node, after: int, until: int | None = None) -> Batch | None:
    """The contents of a node as of tick `after`, and its changes from there on (or up to `until`), as the operator
    Changes tells them; None where the history does not reach back to then. Nobody changes the node meanwhile."""
    if node.history is None or after < node.history.since:
        return None
    copies: dict[Node, list[Batch]] = {}
    copy(node, copies)
    deltas = node.history.after(after)
    undone = [delta.negate() for _, delta in deltas]
    then = Batch.concat([node.empty, *derive(node, copies), *undone]).consolidate()
    since = [told(delta.consolidate(), tick) for tick, delta in deltas if until is None or tick <= until]
    return Batch.concat([told(then, after), *since])
