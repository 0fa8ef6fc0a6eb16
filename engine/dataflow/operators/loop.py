"""The inside of a recursion: the operators of its bodies, fed round after round within one tick.

A loop has *leaves* (its inputs and its variables), private operators over them, and *gates*: the Distincts inside,
where rows are members or not. `push` sends changes of leaves and gates through the operators once; what arrives at the
bodies of the variables and below the gates is kept until the next round. A round costs its changes and O(operators).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from engine.collection.arrangement import Arrangement
from engine.collection.batch import Batch
from engine.collection.heap import Marks
from engine.dataflow import graph
from engine.dataflow.graph import Plan
from engine.dataflow.operator import Operator
from engine.dataflow.trace import Trace
from engine.types import SqlType

Types = tuple[SqlType, ...]


@dataclass(frozen=True, slots=True)
class Making:
    """How plans become operators: what render.py knows, given to it that neither imports the other twice."""

    render: Callable[[Plan, Sequence[Types], Sequence[Trace]], Operator]
    demands: Callable[[Plan, Types], list[tuple[int, tuple[int, ...]]]]
    types_of: Callable[[Plan, Sequence[Types]], Types]


@dataclass(slots=True, eq=False)
class Step:
    """One operator, or (None) a leaf or a gate, whose delta is given. `delta` is that of the round under way."""

    types: Types
    operator: Operator | None
    inputs: "list[Step]"
    trace: Trace | None = None
    delta: Batch | None = None

    def arranged(self, key: tuple[int, ...]) -> Trace:
        """The arrangement of its output, by `key` too."""
        if self.trace is None:
            self.trace = Trace(len(self.types))
        return self.trace.arranged(key)

    def rows(self) -> Batch:
        """The contents of a leaf."""
        assert self.trace is not None
        return self.trace.arrangement.rows()


class Steps:
    """Plans over leaves as steps, in topological order: a plan object becomes one step, however many read it."""

    def __init__(self, leaves: Sequence[Types], making: Making) -> None:
        self._making = making
        self._made: dict[int, Step] = {}  # by id of the plan object, which the plan of the recursion keeps alive
        self.leaves: Final = [Step(types, None, []) for types in leaves]
        self.all: Final = [*self.leaves]

    def of(self, plan: Plan, make: Callable[[Plan, Types, list[Step]], Step]) -> Step:
        """The step of a plan; `make` it of its plan, its types and the steps that it reads, if it is the first time."""
        if isinstance(plan, graph.Local):
            return self.leaves[plan.index]
        made = self._made.get(id(plan))
        if made is None:
            inputs = [self.of(child, make) for child in graph.inputs(plan)]
            types = self._making.types_of(plan, [child.types for child in inputs])
            made = self._made[id(plan)] = make(plan, types, inputs)
            self.all.append(made)
        return made


class Gate:
    """The members of a Distinct inside a loop: rows with a derivation, `counts` how many.

    A derivation that is lost takes its row out, even if the row has others (they may rest on the row itself); a row
    that is out and has one left comes back in `derived`, once nothing more is lost.
    """

    def __init__(self, below: Step, out: Step) -> None:
        self.below: Final = below
        self.out: Final = out
        columns = len(below.types)
        self.counts: Final = Arrangement(columns, range(columns))
        self.members: Final = Arrangement(columns, range(columns))
        self.arrived: list[Batch] = []
        self._touched: list[Batch] = []

    def lost(self) -> Batch:
        """Take what arrived; the members that lost a derivation, as retractions."""
        delta = Batch.concat([Batch.empty(len(self.below.types)), *self.arrived]).consolidate()
        self.arrived = []
        if not len(delta):
            return delta
        self.counts.apply(delta)
        self._touched.append(delta)
        less = delta.take(delta.diffs < 0)
        gone = less.with_diffs(-(self.members.counts(less) > 0).astype(np.int64))
        self.members.apply(gone)
        return gone

    def derived(self) -> Batch:
        """The touched rows that have a derivation and are not in, as insertions."""
        rows = Batch.concat([Batch.empty(len(self.below.types)), *self._touched])
        self._touched = []
        rows = Batch(rows.words, np.ones(len(rows), np.int64), rows.columns).consolidate()
        back = (self.counts.counts(rows) > 0) & (self.members.counts(rows) == 0)
        came = rows.with_diffs(back.astype(np.int64))
        self.members.apply(came)
        return came


class Loop:
    """The operators of `bodies` (the variables') and of `result`, over leaves of `leaves`: inputs, then variables.

    With `gated` the Distincts are gates; else they are operators like any other. `arrived[k]` is what came to body k
    since it was taken, `output` what came out of `result`.
    """

    def __init__(
        self, leaves: Sequence[Types], bodies: Sequence[Plan], result: Plan, gated: bool, making: Making
    ) -> None:
        self.gates: list[Gate] = []
        self.arrived: list[list[Batch]] = [[] for _ in bodies]
        self.output: list[Batch] = []
        self._making = making
        steps = Steps(leaves, making)
        self.steps: Final = steps.all
        self.leaves: Final = steps.leaves
        # What only the result reads are plain operators: gates are for what the rounds depend on.
        self._bodies: Final = [steps.of(body, self._gate_or_operator if gated else self._operator) for body in bodies]
        for leaf in self.leaves[: len(leaves) - len(bodies)] if gated else ():
            if leaf.trace is None:
                leaf.arranged(tuple(range(len(leaf.types))))  # a loop that fails starts again from its inputs
        self._result: Final = steps.of(result, self._operator)

    def _gate_or_operator(self, plan: Plan, types: Types, inputs: list[Step]) -> Step:
        if not isinstance(plan, graph.Distinct):
            return self._operator(plan, types, inputs)
        out = Step(types, None, inputs)
        self.gates.append(Gate(inputs[0], out))
        return out

    def _operator(self, plan: Plan, types: Types, inputs: list[Step]) -> Step:
        traces = [inputs[i].arranged(key) for i, key in self._making.demands(plan, types)]
        return Step(types, self._making.render(plan, [child.types for child in inputs], traces), inputs)

    def push(self, tick: int, fed: Mapping[Step, Batch]) -> None:
        """One round: these changes of leaves and gates through every operator that they reach."""
        touched: list[Step] = []
        for step in self.steps:
            if step.operator is None:
                delta = fed.get(step)
            elif any(child.delta is not None for child in step.inputs):
                deltas = [Batch.empty(len(c.types)) if c.delta is None else c.delta for c in step.inputs]
                delta = step.operator.step(tick, deltas)
                touched.append(step)
            else:
                continue
            if delta is not None and len(delta):
                step.delta = delta
                if step.trace is not None:
                    step.trace.stage(delta)
        for k, body in enumerate(self._bodies):
            if body.delta is not None:
                self.arrived[k].append(body.delta)
        if self._result.delta is not None:
            self.output.append(self._result.delta)
        for gate in self.gates:
            if gate.below.delta is not None:
                gate.arrived.append(gate.below.delta)
        for step in touched:
            assert step.operator is not None
            step.operator.publish()
        for step in self.steps:
            if step.delta is not None:
                if step.trace is not None:
                    step.trace.publish()
                step.delta = None

    def taken(self, k: int) -> Batch:
        """What came to body k since the last time."""
        empty = Batch.empty(len(self._bodies[k].types))
        batches, self.arrived[k] = self.arrived[k], []
        return Batch.concat([empty, *batches]).consolidate()

    def result(self) -> Batch:
        """What came out since the last time."""
        batches, self.output = self.output, []
        return Batch.concat([Batch.empty(len(self._result.types)), *batches]).consolidate()

    def error(self) -> int | None:
        """The code of a row's error inside, if there is one."""
        for step in self.steps:
            code = None if step.operator is None else step.operator.errors.first()
            if code is not None:
                return code
        return None

    def bytes_held(self) -> int:
        """Memory of all states and arrangements inside."""
        held = sum(gate.counts.bytes_held() + gate.members.bytes_held() for gate in self.gates)
        for step in self.steps:
            held += 0 if step.operator is None else step.operator.bytes_held()
            held += 0 if step.trace is None else step.trace.arrangement.bytes_held()
        return held

    def mark(self, marks: Marks) -> None:
        """Mark the heap codes of all of that. At a tick boundary."""
        for gate in self.gates:
            physical = [type.physical for type in gate.below.types]
            gate.counts.mark(marks, physical)
            gate.members.mark(marks, physical)
        for step in self.steps:
            if step.operator is not None:
                step.operator.mark(marks)
                step.operator.errors.mark(marks)
            if step.trace is not None:
                step.trace.arrangement.mark(marks, [type.physical for type in step.types])
