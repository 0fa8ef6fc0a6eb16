"""Inner equi-join of n inputs, without intermediate results.

Rule   out = sum over inputs i of delta_i joined, along path i, with inputs j < i new and inputs j > i old;
       new = old + delta. Multiplicities multiply.
State  none of its own: the inputs' arrangements by the keys of the paths, shared with every join that wants them.
Cost   O(|delta| + what it meets) a tick. What meets the old rows and what meets their change is added up before the
       next stage: inputs that change together would else meet -old, +old and +new of each other, 3 ** stages times.
       Columns that no later key and no output needs are never copied. Over 2 M orders, 1,000 updates of customers with
       10 orders each: 3.0 ms a tick (median) with a reduce below it.
From   McSherry, "Delta joins" (Dogs^3), and Materialize's delta joins; the formula is bilinearity applied n times.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.collection.batch import Batch
from engine.collection.heap import Marks
from engine.dataflow import graph
from engine.dataflow.errors import ErrorCounts
from engine.dataflow.trace import Trace


@dataclass(frozen=True, slots=True, eq=False)
class Stage:
    """One lookup of a path over the columns that are kept: the rest as Arrangement.join takes it."""

    input: int
    trace: int
    by: tuple[int, ...]
    on: NDArray[np.int64]
    sources: NDArray[np.int64]
    strict: NDArray[np.bool_]


def demands(plan: graph.Join) -> list[tuple[int, tuple[int, ...]]]:
    """The arrangements that the paths look into: (input, key), each once, in a fixed order."""
    return list(dict.fromkeys((lookup.input, lookup.key) for path in plan.paths for lookup in path))


def stages(plan: graph.Join, path: int, widths: Sequence[int]) -> tuple[Stage, ...]:
    """Path `path` with projections pushed into it: after each lookup only what is needed later is kept."""
    wanted = demands(plan)
    concatenated = [(i, c) for i, width in enumerate(widths) for c in range(width)]
    project = [concatenated[c] for c in plan.project]
    visits = [path, *(lookup.input for lookup in plan.paths[path])]
    visited = [(i, c) for i in visits for c in range(widths[i])]
    kept = [(path, c) for c in range(widths[path])]
    done: list[Stage] = []
    for at, lookup in enumerate(plan.paths[path]):
        later = plan.paths[path][at + 1 :]
        needed = {visited[c] for ahead in later for c in ahead.stream_key}.union(project)
        met = [(lookup.input, c) for c in range(widths[lookup.input])]
        after = [column for column in kept + met if column in needed] if later else project
        on = np.array([kept.index(visited[c]) for c in lookup.stream_key], np.int64)
        sources = [-1 - column[1] if column[0] == lookup.input else kept.index(column) for column in after]
        trace = wanted.index((lookup.input, lookup.key))
        strict = np.array(lookup.strict, np.bool_)
        done.append(Stage(lookup.input, trace, lookup.key, on, np.array(sources, np.int64), strict))
        kept = after
    return tuple(done)


class Join:
    """`widths` are the columns of the inputs; `traces` are what `demands` asks for, in its order."""

    def __init__(self, plan: graph.Join, widths: Sequence[int], traces: Sequence[Trace]) -> None:
        self.errors = ErrorCounts()
        self.traces = list(traces)
        self._paths = [stages(plan, i, widths) for i in range(len(plan.inputs))]
        self._empty = Batch.empty(len(plan.project))

    def step(self, tick: int, deltas: Sequence[Batch]) -> Batch:
        out: list[Batch] = []
        for i, delta in enumerate(deltas):
            streams = [delta] if len(delta) else []
            for at, stage in enumerate(self._paths[i]):
                trace = self.traces[stage.trace]
                met: list[Batch] = []
                for stream in streams:
                    if stage.input < i:
                        met += trace.join_new(stage.by, stream, stage.on, stage.sources, stage.strict)
                    else:
                        met.append(trace.join_old(stage.by, stream, stage.on, stage.sources, stage.strict))
                streams = [stream for stream in met if len(stream)]
                if len(streams) > 1 and at + 1 < len(self._paths[i]):
                    streams = [Batch.concat(streams).consolidate()]
            out += streams
        return Batch.concat(out) if out else self._empty

    def publish(self) -> None: ...

    def contents(self) -> Batch | None:
        return None

    def rows(self) -> int:
        return 0

    def bytes_held(self) -> int:
        return 0

    def mark(self, marks: Marks) -> None: ...
