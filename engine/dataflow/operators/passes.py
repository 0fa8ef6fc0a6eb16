"""What of a recursion's bodies looks at more than a row, pass by pass (iterated.py): joins, and what looks at groups.

Law    A history is the changes of a collection by their times, each row with its time behind it. A join's rows come at
       the later of the times of what met. A group says in this tick what it said in the one before, but where its past
       is another; so it is asked both ways, time by time, from the first time at which that is so, and what it says
       alike is no change.
Cost   of a join O(|delta| + what it meets at all times); of groups the rows of the touched ones at all times, twice.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engine.collection.arrangement import Arrangement
from engine.collection.batch import Batch
from engine.collection.vector import Vector
from engine.dataflow import graph
from engine.dataflow.errors import ErrorCounts
from engine.dataflow.graph import Plan
from engine.dataflow.operators.join import Join
from engine.dataflow.operators.loop import Making, Step, Types
from engine.dataflow.trace import Trace


def at_time(batch: Batch, time: int) -> Batch:
    """The rows with their time behind them."""
    times = Vector(np.full(len(batch), time, np.uint64), None)
    return Batch.from_vectors([*batch.vectors(), times], batch.diffs)


def by_time(batch: Batch, columns: int, times: NDArray[np.int64]) -> Iterator[tuple[int, Batch]]:
    """The first `columns` of the rows of each time."""
    rows = batch.project(range(columns))
    if len(times) == 0:
        return
    if (times == times[0]).all():
        yield int(times[0]), rows
        return
    order = np.argsort(times, kind="stable")
    found, begins = np.unique(times[order], return_index=True)
    for time, part in zip(found.tolist(), np.split(order, begins[1:]), strict=True):
        yield time, rows.take(part)


class Group:
    """What of a step looks at the rows of a group: `key` are the columns of its input that say which.

    Lives in the step from tick to tick; what belongs to one tick is made anew by `begin`.
    """

    def __init__(self, plan: Plan, types: Types, inputs: "list[Step]", making: Making) -> None:
        self.errors: Final = ErrorCounts()
        self._plan = plan
        self._types = types
        self._inputs = inputs
        self._making = making
        self.key: Final = key_of(plan, len(inputs[0].types))
        for step in inputs:
            arranged(step, self.key)
        self.begin()

    def begin(self) -> None:
        """A tick in which nothing was touched yet."""
        self._runs: tuple[Run, Run] | None = None
        self._touched = Arrangement(len(self.key))
        self._all = False
        self.later: dict[int, list[tuple[int, Batch]]] = defaultdict(list)

    def step(self, tick: int, time: int, deltas: Sequence[Batch]) -> Batch:
        """The change of the output at a time, the first of them all that are waited for."""
        if self._runs is None:
            self._runs = self._run(), self._run()
        old: list[list[Batch]] = [[] for _ in deltas]
        for i, batch in self.later.pop(time, ()):
            old[i].append(batch)
        for i, came in self._loaded(deltas):
            columns = len(self._inputs[i].types)
            times = came.words[-1].view(np.int64)
            early = times <= time
            old[i].append(came.take(early).project(range(columns)))
            for at, rows in by_time(came.take(~early), columns, times[~early]):
                self.later[at].append((i, rows))
        before = [Batch.concat([Batch.empty(d.columns), *rows]) for d, rows in zip(deltas, old, strict=True)]
        after = [Batch.concat([rows, delta]) for rows, delta in zip(before, deltas, strict=True)]
        was, now = self._runs
        return Batch.concat([now.step(tick, after), was.step(tick, before).negate()]).consolidate()

    def _run(self) -> "Run":
        return Run(self._plan, self._types, self._inputs, self._making)

    def _loaded(self, deltas: Sequence[Batch]) -> Iterator[tuple[int, Batch]]:
        """The entries of the groups that are touched for the first time: (input, rows with times)."""
        traces = [step.trace for step in self._inputs]
        if not self.key:
            if not self._all and any(map(len, deltas)):
                self._all = True
                for i, trace in enumerate(traces):
                    assert trace is not None
                    yield i, trace.arrangement.rows()
            return
        (delta,), (trace,) = deltas, traces
        assert trace is not None
        keys = delta.project(self.key)
        keys = keys.with_diffs(np.ones(len(keys), np.int64)).consolidate()
        keys = keys.with_diffs((self._touched.counts(keys) == 0).astype(np.int64)) if len(keys) else keys
        if len(keys):
            self._touched.apply(keys)
            yield 0, trace.arrangement.lookup(self.key, keys.words)

    def end(self) -> None:
        """The errors of the tick: those of what there is now, less those that were."""
        if self._runs is not None:
            was, now = self._runs
            self.errors.add(*now.errors())
            codes, diffs = was.errors()
            self.errors.add(codes, -diffs)
        self.errors.publish()
        self.begin()


class Run:
    """One operator over the touched groups' rows, time by time, with the arrangements that it reads."""

    def __init__(self, plan: Plan, types: Types, inputs: "list[Step]", making: Making) -> None:
        self._traces = [Trace(len(step.types)) for step in inputs]
        traces = [self._traces[i].arranged(key) for i, key in making.demands(plan, types)]
        self._operator = making.render(plan, [step.types for step in inputs], traces)
        self._demanded = bool(traces)
        self._empty = Batch.empty(len(types))

    def step(self, tick: int, deltas: Sequence[Batch]) -> Batch:
        if not any(map(len, deltas)):
            return self._empty
        for trace, delta in zip(self._traces, deltas, strict=True) if self._demanded else ():
            trace.stage(delta)
        out = self._operator.step(tick, deltas)
        self._operator.publish()
        for trace in self._traces if self._demanded else ():
            trace.publish()
        return out

    def errors(self) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
        """Codes, and of how many rows."""
        return self._operator.errors.counts()


class Meeting:
    """A join whose rows come at the later of the times of what met."""

    def __init__(self, plan: graph.Join, inputs: "list[Step]", making: Making) -> None:
        widths = [len(step.types) for step in inputs]
        starts = np.cumsum([0, *widths]).tolist()
        owner = [i for i, width in enumerate(widths) for _ in range(width)]
        paths: list[tuple[graph.Lookup, ...]] = []
        for i, path in enumerate(plan.paths):
            visits = [i, *(lookup.input for lookup in path)]
            shift = [v for v, visit in enumerate(visits) for _ in range(widths[visit])]
            paths.append(tuple(
                replace(lookup, stream_key=tuple(c + shift[c] for c in lookup.stream_key)) for lookup in path
            ))  # fmt: skip
        times = [starts[i + 1] + i for i in range(len(widths))]
        self.columns: Final = len(plan.project)
        timed = graph.Join(plan.inputs, tuple(paths), (*(c + owner[c] for c in plan.project), *times))
        traces = [arranged(inputs[i], key) for i, key in making.demands(timed, ())]
        self._join: Final = Join(timed, [width + 1 for width in widths], traces)

    def step(self, tick: int, time: int, deltas: Sequence[Batch]) -> Iterator[tuple[int, Batch]]:
        """The changes of the output, by the times that they are of."""
        met = self._join.step(tick, [at_time(delta, time) for delta in deltas])
        if len(met):
            times = met.words[-(met.columns - self.columns) :].view(np.int64).max(axis=0)
            yield from by_time(met, self.columns, times)


def arranged(step: Step, key: tuple[int, ...]) -> Trace:
    """The history of a step's output, by a key: its rows with their times."""
    if step.trace is None:
        step.trace = Trace(len(step.types) + 1)
    return step.trace.arranged(key)


def key_of(plan: Plan, columns: int) -> tuple[int, ...]:
    """The columns of its input by which a node looks at rows together; none: at all of them."""
    match plan:
        case graph.Reduce():
            return tuple(dict.fromkeys(plan.key))
        case graph.TopK():
            return tuple(dict.fromkeys(plan.group))
        case graph.Window():
            return tuple(dict.fromkeys(plan.partition))
        case graph.Distinct() | graph.Threshold():
            return tuple(range(columns))
        case _:
            return ()
