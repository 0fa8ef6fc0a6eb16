"""The bodies of a recursion with aggregates, differences or limits, kept up to date pass by pass: what a change of the
inputs changes in each pass, and nothing else.

Rule   Times are numbered: at time 0 the inputs come, then each variable takes in turn, at a time of its own, what has
       come to its body since. A collection is the sum of its changes up to a time, so a tick changes the changes. Map,
       filter, flat_map, union and negate pass a change on at its time. A join's rows come at the later of the times of
       what met. Of whatever looks at a group (Reduce, TopK, Window, Distinct, Threshold; a recursion inside looks at
       everything) two operators are made for the tick: one is given the rows of the touched groups as they came in the
       tick before, the other as they come now, both from the first time at which a group is another, time by time; the
       change is what the one says and the other does not. Nothing is left to decide: a group whose past is the same
       says the same.
State  the changes of all collections that a join or a group looks into, arranged, with their time as a last column.
Cost   the rows of the touched groups at all times, twice, and what follows from them; O(operators) a time at which
       something is another. Memory: an entry for each time at which a row changes.
From   McSherry et al., "Differential Dataflow", CIDR 2013, for collections by tick and pass; there differences are kept
       of outputs too, here a group says them again.
"""

import heapq
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engine.collection.arrangement import Arrangement
from engine.collection.batch import Batch
from engine.collection.heap import Marks
from engine.collection.vector import Vector
from engine.collection.wanted import ask
from engine.dataflow import graph
from engine.dataflow.errors import ErrorCounts
from engine.dataflow.graph import Plan
from engine.dataflow.operator import Operator
from engine.dataflow.operators.join import Join
from engine.dataflow.operators.loop import Making, Step, Types
from engine.dataflow.trace import Trace

ENTRIES_MIN: Final = 1 << 20
ENTRIES_TIMES: Final = 32
"""A history may hold so many entries for each row of the inputs, and some 80 MB in any case: a loop that changes every
row in every pass is better computed anew."""


class TooLong(Exception):
    """The history would hold too many entries."""


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


class Iterated:
    """The operators of `bodies` (the variables') over leaves of `leaves`: inputs, then variables.

    `limit`: the passes that are made. What variables would take in the pass behind it is in `beyond`, by variable.
    """

    def __init__(self, leaves: Sequence[Types], bodies: Sequence[Plan], limit: int, making: Making) -> None:
        self._making = making
        self._limit = limit
        self._made: dict[int, Step] = {}
        self._steps: list[Step] = []  # in topological order
        self._works: list[Operator | Group | Meeting | None] = []  # of each step; None: a leaf
        self._leaves: Final = [self._entered(Step(types, None, []), None) for types in leaves]
        self._inputs: Final = self._leaves[: len(leaves) - len(bodies)]
        self._variables: Final = self._leaves[len(leaves) - len(bodies) :]
        for leaf in self._inputs:
            arranged(leaf, ())  # what a loop that is computed anew begins with
        self._bodies: Final = [self._step(body) for body in bodies]
        self.beyond: Final = [Arrangement(len(variable.types)) for variable in self._variables]

    def _entered(self, step: Step, work: Operator | Group | Meeting | None) -> Step:
        self._steps.append(step)
        self._works.append(work)
        return step

    def _step(self, plan: Plan) -> Step:
        made = self._made.get(id(plan))
        if made is None:
            made = self._made[id(plan)] = self._make(plan)
        return made

    def _make(self, plan: Plan) -> Step:
        if isinstance(plan, graph.Local):
            return self._leaves[plan.index]
        inputs = [self._step(child) for child in graph.inputs(plan)]
        types = self._making.types_of(plan, [child.types for child in inputs])
        step = Step(types, None, inputs)
        match plan:
            case graph.Mfp() | graph.FlatMap() | graph.Union() | graph.Negate():
                return self._entered(step, self._making.render(plan, [child.types for child in inputs], []))
            case graph.Join():
                return self._entered(step, Meeting(plan, inputs, self._making))
            case _:
                return self._entered(step, Group(plan, types, inputs, self._making))

    def run(self, tick: int, deltas: Sequence[Batch]) -> list[Batch]:
        """What a change of the inputs changes in each leaf in all passes together."""
        waiting = Waiting()
        for leaf, delta in zip(self._inputs, deltas, strict=True):
            waiting.put(0, leaf, delta.consolidate())
        totals: dict[Step, list[Batch]] = {leaf: [] for leaf in self._leaves}
        last = self._limit * len(self._variables)
        while (time := waiting.first()) is not None:
            ask()
            came = waiting.take(time)
            if time > last:
                for variable, beyond in zip(self._variables, self.beyond, strict=True):
                    beyond.apply(came.get(variable, Batch.empty(len(variable.types))))
                continue
            self._pass(tick, time, came, waiting)
            for leaf, batches in totals.items():
                if leaf.delta is not None:
                    batches.append(leaf.delta)
            self._settle()
        for work in self._works:
            if isinstance(work, Group):
                work.end()
            elif work is not None and not isinstance(work, Meeting):
                work.publish()
        return [Batch.concat([Batch.empty(len(leaf.types)), *found]).consolidate() for leaf, found in totals.items()]

    def _pass(self, tick: int, time: int, came: Mapping[Step, Batch], waiting: "Waiting") -> None:
        """One time: what came at it, and what follows at it, through every operator that is reached."""
        for step, work in zip(self._steps, self._works, strict=True):
            found = [came[step]] if step in came else []
            deltas = [Batch.empty(len(s.types)) if s.delta is None else s.delta for s in step.inputs]
            given = any(map(len, deltas))
            match work:
                case None:
                    pass
                case Group():
                    if given or time in work.later:
                        found.append(work.step(tick, time, deltas))
                        waiting.wake(work.later)
                case Meeting():
                    for at, rows in work.step(tick, time, deltas) if given else ():
                        if at == time:
                            found.append(rows)
                        else:
                            waiting.put(at, step, rows)
                case _:
                    if given:
                        found.append(work.step(tick, deltas))
            if found:
                delta = Batch.concat(found).consolidate()
                if len(delta):
                    step.delta = delta
                    if step.trace is not None:
                        step.trace.stage(at_time(delta, time))
        for k, (variable, body) in enumerate(zip(self._variables, self._bodies, strict=True)):
            if body.delta is not None:
                waiting.put(self._taken(time, k), variable, body.delta)

    def _taken(self, time: int, k: int) -> int:
        """The first time after `time` at which variable k takes what came to its body."""
        n = len(self._variables)
        return time + 1 + (k - time) % n

    def _settle(self) -> None:
        """What was computed at a time is part of the history."""
        entries, rows = 0, ENTRIES_MIN
        for step in self._steps:
            if step.delta is not None:
                if step.trace is not None:
                    step.trace.publish()
                step.delta = None
            if step.trace is not None:
                entries += len(step.trace.arrangement)
        for leaf in self._inputs:
            assert leaf.trace is not None
            rows += ENTRIES_TIMES * len(leaf.trace.arrangement)
        if entries > rows:
            raise TooLong

    def inputs(self) -> list[Batch]:
        """The contents of the inputs."""
        found: list[Batch] = []
        for leaf in self._inputs:
            assert leaf.trace is not None
            found.append(leaf.trace.arrangement.rows().project(range(len(leaf.types))))
        return found

    def error(self) -> int | None:
        """The code of a row's error inside, if there is one."""
        for work in self._works:
            code = None if work is None or isinstance(work, Meeting) else work.errors.first()
            if code is not None:
                return code
        return None

    def bytes_held(self) -> int:
        """Memory of the history."""
        held = sum(beyond.bytes_held() for beyond in self.beyond)
        return held + sum(0 if s.trace is None else s.trace.arrangement.bytes_held() for s in self._steps)

    def mark(self, marks: Marks) -> None:
        """Mark the heap codes of all of that. At a tick boundary."""
        for step, work in zip(self._steps, self._works, strict=True):
            if step.trace is not None:
                step.trace.arrangement.mark(marks, [type.physical for type in step.types])
            if work is not None and not isinstance(work, Meeting):
                work.errors.mark(marks)
                if not isinstance(work, Group):
                    work.mark(marks)
        for variable, beyond in zip(self._variables, self.beyond, strict=True):
            beyond.mark(marks, [type.physical for type in variable.types])


class Waiting:
    """Changes on their way to steps, by time; and times that something is waiting for."""

    def __init__(self) -> None:
        self._batches: dict[int, dict[Step, list[Batch]]] = {}
        self._times: list[int] = []

    def put(self, time: int, step: Step, batch: Batch) -> None:
        if len(batch):
            self._at(time).setdefault(step, []).append(batch)

    def wake(self, times: Mapping[int, object]) -> None:
        """There is something to do at those times."""
        for time in times:
            self._at(time)

    def _at(self, time: int) -> dict[Step, list[Batch]]:
        if time not in self._batches:
            self._batches[time] = {}
            heapq.heappush(self._times, time)
        return self._batches[time]

    def first(self) -> int | None:
        return self._times[0] if self._times else None

    def take(self, time: int) -> dict[Step, Batch]:
        """What comes at the first time."""
        assert heapq.heappop(self._times) == time
        return {step: Batch.concat(batches).consolidate() for step, batches in self._batches.pop(time).items()}
