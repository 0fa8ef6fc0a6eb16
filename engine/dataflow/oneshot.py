"""A plan evaluated once: the operators of a view, private, stepped one time over whole contents, then dropped.

A join needs one of its paths only, since all inputs are there at once: from its smallest input on, the smaller side of
each stage is arranged and the larger one probes it. What a subplan has given is let go when nothing needs it any more.
"""

from collections.abc import Callable, Sequence

import numpy as np

from engine.collection.arrangement import Arrangement
from engine.collection.batch import Batch
from engine.collection.heap import Heap
from engine.dataflow import graph
from engine.dataflow.graph import Plan
from engine.dataflow.operators import join
from engine.dataflow.render import Types, demands, render, types_of
from engine.dataflow.trace import Trace


class OneShot:
    """`given` has the contents of a subplan that is held somewhere, or None; `error` is a failed row's, if any."""

    def __init__(self, heap: Heap, given: Callable[[Plan], Batch | None]) -> None:
        self.error: int | None = None
        self._heap = heap
        self._given = given
        self._done: dict[int, tuple[Batch, Types]] = {}  # by id of the plan object, which the caller keeps alive

    def run(self, plan: Plan) -> Batch:
        """All rows of the plan."""
        return self._run(plan)[0]

    def _run(self, plan: Plan) -> tuple[Batch, Types]:
        done = self._done.get(id(plan))
        if done is None:
            rows = self._given(plan)
            done = self._evaluate(plan) if rows is None else (rows, graph.output_types(plan))
            self._done[id(plan)] = done
        return done

    def _evaluate(self, plan: Plan) -> tuple[Batch, Types]:
        inputs = [self._run(child) for child in graph.inputs(plan)]
        types = types_of(plan, [types for _, types in inputs])
        if isinstance(plan, graph.Join):
            return join_once(plan, [rows for rows, _ in inputs]), types
        traces = [Trace(len(inputs[i][1]), key) for i, key in demands(plan, types)]
        operator = render(plan, [types for _, types in inputs], False, traces, self._heap)
        rows = operator.contents() if isinstance(plan, graph.Constant) else None
        if rows is None:
            deltas = [rows for rows, _ in inputs]
            rows = operator.step(0, deltas) if any(map(len, deltas)) else Batch.empty(len(types))
        operator.publish()
        operator.errors.publish()
        if self.error is None:
            self.error = operator.errors.first()
        return rows, types


def join_once(plan: graph.Join, inputs: Sequence[Batch]) -> Batch:
    """The join of whole inputs. O(inputs + intermediate results of the path)."""
    widths = [batch.columns for batch in inputs]
    start = min(range(len(inputs)), key=lambda i: len(inputs[i]))
    stream = inputs[start]
    for lookup, stage in zip(plan.paths[start], join.stages(plan, start, widths), strict=True):
        met, key = inputs[stage.input], np.array(lookup.key, np.int64)
        if len(met) <= len(stream):
            build = Arrangement(met.columns, lookup.key)
            build.apply(met)
            stream = build.join(stream, stage.key, stage.sources)
        else:
            build = Arrangement(stream.columns, stage.key.tolist())
            build.apply(stream)
            stream = build.join(met, key, -1 - stage.sources)
    return stream
