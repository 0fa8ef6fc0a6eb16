"""The bodies of a recursion with aggregates, differences or limits, kept up to date pass by pass: what a change of the
inputs changes in each pass, and nothing else.

Rule   Times are numbered: at time 0 the inputs come, then each variable takes in turn, at a time of its own, what has
       come to its body since. A collection is the sum of its changes up to a time, so a tick changes the changes. Map,
       filter, flat_map, union and negate pass a change on at its time; what joins and groups make of it, and at which
       times, is passes.py's.
State  the changes of all collections that a join or a group looks into, arranged, with their time as a last column.
Cost   the rows of the touched groups at all times, twice, and what follows from them; O(operators) a time at which
       something is another. Memory: an entry for each time at which a row changes.
From   McSherry et al., "Differential Dataflow", CIDR 2013, for collections by tick and pass; there differences are kept
       of outputs too, here a group says them again.
"""

import heapq
from collections.abc import Mapping, Sequence
from typing import Final

from engine.collection.arrangement import Arrangement
from engine.collection.batch import Batch
from engine.collection.heap import Marks
from engine.collection.wanted import ask
from engine.dataflow import graph
from engine.dataflow.graph import Plan
from engine.dataflow.operator import Operator
from engine.dataflow.operators.loop import Making, Step, Steps, Types
from engine.dataflow.operators.passes import Group, Meeting, arranged, at_time

ENTRIES_MIN: Final = 1 << 20
ENTRIES_TIMES: Final = 32
"""A history may hold so many entries for each row of the inputs, and some 80 MB in any case: a loop that changes every
row in every pass is better computed anew."""


class TooLong(Exception):
    """The history would hold too many entries."""


class Iterated:
    """The operators of `bodies` (the variables') over leaves of `leaves`: inputs, then variables.

    `limit`: the passes that are made. What variables would take in the pass behind it is in `beyond`, by variable.
    """

    def __init__(self, leaves: Sequence[Types], bodies: Sequence[Plan], limit: int, making: Making) -> None:
        self._making = making
        self._limit = limit
        steps = Steps(leaves, making)
        self._steps: Final = steps.all
        self._leaves: Final = steps.leaves
        self._works: Final[list[Operator | Group | Meeting | None]] = [None for _ in leaves]  # of each step
        self._inputs: Final = self._leaves[: len(leaves) - len(bodies)]
        self._variables: Final = self._leaves[len(leaves) - len(bodies) :]
        for leaf in self._inputs:
            arranged(leaf, ())  # what a loop that is computed anew begins with
        self._bodies: Final = [steps.of(body, self._step) for body in bodies]
        self.beyond: Final = [Arrangement(len(variable.types)) for variable in self._variables]

    def _step(self, plan: Plan, types: Types, inputs: list[Step]) -> Step:
        match plan:
            case graph.Mfp() | graph.FlatMap() | graph.Union() | graph.Negate():
                work = self._making.render(plan, [child.types for child in inputs], [])
            case graph.Join():
                work = Meeting(plan, inputs, self._making)
            case _:
                work = Group(plan, types, inputs, self._making)
        self._works.append(work)
        return Step(types, None, inputs)

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
