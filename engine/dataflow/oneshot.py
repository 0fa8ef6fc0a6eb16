"""A plan evaluated once: the operators of a view, private, stepped one time over whole contents, then dropped.

A join needs one of its paths only, since all inputs are there at once: from its smallest input on, the smaller side of
each stage is arranged and the larger one probes it. What a subplan has given is let go when nothing needs it any more.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Final

import numpy as np

from engine.collection.arrangement import Arrangement
from engine.collection.batch import Batch
from engine.collection.heap import Heap
from engine.dataflow import graph
from engine.dataflow.graph import Plan
from engine.dataflow.operator import Operator
from engine.dataflow.operators import join
from engine.dataflow.operators.let_rec import LetRec
from engine.dataflow.render import Types, demands, render, types_of
from engine.dataflow.trace import Trace
from engine.dataflow.watch import ALWAYS, Watch

FIRST_ROWS: Final = 1024
PIECE_ROWS: Final = 262_144
"""The most rows that go through an operator between two looks at whether the query is still wanted."""

SLOW_ROWS: Final = 64
"""Fewer rows at a time do not make an operator's step shorter: it is then its number of expressions that takes long."""


class OneShot:
    """`given` has the contents of a subplan that is held somewhere, or None; `error` is a failed row's, if any. `tick`
    is what they are of, which temporal filters ask."""

    def __init__(self, heap: Heap, given: Callable[[Plan], Batch | None], watch: Watch = ALWAYS, tick: int = 0) -> None:
        self.error: int | None = None
        self._heap = heap
        self._given = given
        self._watch = watch
        self.tick = tick
        self._done: dict[int, tuple[Batch, Types]] = {}  # by id of the plan object, which the caller keeps alive
        self._replaced: dict[tuple[int, int], Batch] = {}  # by id of the plan object and number of its input

    def run(self, plan: Plan) -> Batch:
        """All rows of the plan."""
        return self._run(plan)[0]

    def give(self, plan: Plan, rows: Batch) -> None:
        """These are all rows of the plan."""
        self._done[id(plan)] = rows, graph.output_types(plan)

    def known(self, plan: Plan) -> Batch | None:
        """Its rows, if they are there already."""
        done = self._done.get(id(plan))
        return None if done is None else done[0]

    def replace(self, plan: Plan, index: int, rows: Batch) -> None:
        """The plan has the same rows if its input `index` has these alone."""
        self._replaced[id(plan), index] = rows

    def replaced(self, plan: Plan, index: int) -> Batch | None:
        """What stands for an input of the plan, if not all its rows do."""
        return self._replaced.get((id(plan), index))

    def reads(self, plan: Plan) -> list[Plan]:
        """The inputs that are needed whole."""
        if id(plan) in self._done:
            return []
        return [child for i, child in enumerate(graph.inputs(plan)) if (id(plan), i) not in self._replaced]

    def operate(self, plan: Plan, inputs: list[Batch]) -> Batch:
        """What the plan makes of some rows of its inputs."""
        kinds = [graph.output_types(child) for child in graph.inputs(plan)]
        return self._operated(plan, inputs, kinds, graph.output_types(plan))

    def _run(self, plan: Plan) -> tuple[Batch, Types]:
        done = self._done.get(id(plan))
        if done is None:
            rows = self._given(plan)
            done = self._evaluate(plan) if rows is None else (rows, graph.output_types(plan))
            self._done[id(plan)] = done
        return done

    def _evaluate(self, plan: Plan) -> tuple[Batch, Types]:
        inputs = [self._input(plan, i, child) for i, child in enumerate(graph.inputs(plan))]
        self._watch.check()
        kinds = [types for _, types in inputs]
        types = types_of(plan, kinds)
        return self._operated(plan, [rows for rows, _ in inputs], kinds, types), types

    def _input(self, plan: Plan, index: int, child: Plan) -> tuple[Batch, Types]:
        rows = self._replaced.get((id(plan), index))
        return self._run(child) if rows is None else (rows, graph.output_types(child))

    def _operated(self, plan: Plan, inputs: list[Batch], kinds: list[Types], types: Types) -> Batch:
        """What a plan makes of its inputs, whose types are `kinds`; its own are `types`."""
        if isinstance(plan, graph.Join):
            return join_once(plan, inputs, self._watch)
        traces = [Trace(len(kinds[i])).arranged(key) for i, key in demands(plan, types)]
        operator = render(plan, kinds, False, traces, self._heap)
        if isinstance(operator, LetRec):
            operator.once()
        rows = operator.contents() if isinstance(plan, graph.Constant) else None
        if rows is None:
            rows = self._stepped(plan, operator, inputs, types)
        operator.publish()
        operator.errors.publish()
        if self.error is None:
            self.error = operator.errors.first()
        return rows

    def _stepped(self, plan: Plan, operator: Operator, deltas: list[Batch], types: Types) -> Batch:
        """What the operator makes of its inputs."""
        if isinstance(plan, graph.Mfp) and graph.by_chance(plan):
            deltas = [apart(deltas[0])]
        rows = sum(map(len, deltas))
        if not rows:
            return Batch.empty(len(types))
        if isinstance(plan, graph.Mfp | graph.FlatMap) and rows > FIRST_ROWS:
            return in_pieces(lambda part: operator.step(self.tick, [part]), deltas[0], self._watch)
        endless = isinstance(plan, graph.FlatMap | graph.LetRec)  # a row of theirs may be a million
        return self._watch.run(lambda: operator.step(self.tick, deltas), None if endless else rows)


def apart(batch: Batch) -> Batch:
    """The rows, each of its own: chance tells equal ones apart."""
    if bool((batch.diffs <= 1).all()):
        return batch
    copies = batch.take(np.repeat(np.arange(len(batch)), np.maximum(batch.diffs, 1)))
    return Batch(copies.words, np.minimum(copies.diffs, 1), copies.columns)


def in_pieces(step: Callable[[Batch], Batch], batch: Batch, watch: Watch) -> Batch:
    """What a linear operator makes of a batch, piece by piece: a row may become a million of them, so the pieces grow
    and shrink with what they give, and with the time they take."""
    parts: list[Batch] = []
    at, rows = 0, FIRST_ROWS
    while at < len(batch):
        end = min(at + rows, len(batch))
        part = batch.take(np.arange(at, end))
        parts.append(watch.run(lambda part=part: step(part), len(part)))
        at = end
        if len(parts[-1]) > PIECE_ROWS // 4:
            rows = max(1, rows // 4)
        elif watch.too_long:
            rows = max(min(rows, SLOW_ROWS), rows // 4)
        else:
            rows = min(4 * rows, PIECE_ROWS)
    return together(parts, watch)


def together(parts: list[Batch], watch: Watch) -> Batch:
    """The rows of all parts."""
    return watch.run(lambda: Batch.concat(parts), sum(map(len, parts))) if len(parts) > 1 else parts[0]


def pieces(batch: Batch, rows: int) -> Iterator[Batch]:
    """The batch in parts of so many rows."""
    for start in range(0, len(batch), rows):
        yield batch.take(np.arange(start, min(start + rows, len(batch))))


def met_in_pieces(
    build: Batch,
    by: Sequence[int],
    stream: Batch,
    on: Sequence[int],
    sources: Sequence[int],
    strict: np.ndarray,
    watch: Watch,
) -> Batch:
    """Each row of the stream beside each of `build` whose columns `by` its columns `on` equal: see Arrangement.join.

    Of `build` no more than the columns that count is arranged, and the stream probes it in pieces that give about
    PIECE_ROWS rows each where each row meets an average group.
    """
    kept = sorted({*by, *(-1 - c for c in sources if c < 0)})
    place = {column: i for i, column in enumerate(kept)}
    key = tuple(place[column] for column in by)
    out = np.array([c if c >= 0 else -1 - place[-1 - c] for c in sources], np.int64)
    held = Arrangement(len(kept), key)
    watch.run(lambda: held.apply(build.project(kept)), len(build))
    rows = max(1, PIECE_ROWS // max(1, len(held) // max(1, held.groups(key))))
    columns = np.array(on, np.int64)
    parts = [stream] if len(stream) <= rows else pieces(stream, rows)
    joined = [
        watch.run(lambda part=part: held.join(key, part, columns, out, strict), len(part) + len(held)) for part in parts
    ]
    return together(joined, watch)


def join_once(plan: graph.Join, inputs: Sequence[Batch], watch: Watch = ALWAYS) -> Batch:
    """The join of whole inputs. O(inputs + intermediate results of the path)."""
    widths = [batch.columns for batch in inputs]
    start = min(range(len(inputs)), key=lambda i: len(inputs[i]))
    stream = inputs[start]
    for stage in join.stages(plan, start, widths):
        met, on, sources = inputs[stage.input], stage.on.tolist(), stage.sources.tolist()
        if len(met) <= len(stream):
            stream = met_in_pieces(met, stage.by, stream, on, sources, stage.strict, watch)
        else:
            stream = met_in_pieces(stream, on, met, stage.by, [-1 - c for c in sources], stage.strict, watch)
    return stream
