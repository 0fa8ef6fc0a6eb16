"""What a plan that is run once asks of large collections by key, instead of reading them whole.

Rule   literals for a key find their rows (`Seek`). Few rows, however they came, find what they meet: along the path of
       a join that starts at its smallest input, each next input is only those of its rows whose key a row so far has.
       The join has the same rows, as what is left out meets nothing.
       What keeps rows apart by the columns asked for (filters, groups of these, joins) asks its own input.
When   what is asked is arranged by some of the columns, and what is met is a small part of it.
Law    all of it happens while the publish lock is held, so that it is of one tick; what takes long waits until after:
       here nothing goes through more than FEW_ROWS_MAX rows.
Cost   O(rows found), where reading whole inputs costs all their rows.
"""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import Final

import numpy as np

from engine.collection.batch import Batch, Words
from engine.collection.heap import Heap
from engine.collection.words import vector_of
from engine.dataflow import graph
from engine.dataflow.graph import Mfp, Plan, Source
from engine.dataflow.node import Key, Node
from engine.dataflow.oneshot import OneShot, met_in_pieces
from engine.dataflow.operators import join
from engine.dataflow.watch import ALWAYS
from engine.expr.scalar import Value
from engine.types import SqlType

FEW_ROWS_MAX: Final = 16_384
"""Rows that are looked up by, or found, at a time: a few milliseconds."""
PAIRS_MAX: Final = 1 << 22
"""Of two inputs that few rows are known of: beyond it, how many rows their join has is not found out here."""
PART: Final = 4
"""One in so many rows of an input, at most, is looked up: beyond it, reading them all is no worse."""


@dataclass(frozen=True, slots=True, eq=False)
class Seek:
    """The rows that `mfp` lets through of its input, a Source, are among those whose columns `key` equal one of
    `values` (none NULL, each of its column's type), or of another Seek of the same `mfp`. The collection is arranged by
    `key`."""

    mfp: Mfp
    key: Key
    values: tuple[tuple[Value, ...], ...]


@dataclass(frozen=True, slots=True, eq=False)
class Held:
    """What the running graph says at one tick. `node` is that of a plan whose rows it holds, or None."""

    node: Callable[[Plan], Node | None]
    rows: Callable[[Node], Batch]
    with_keys: Callable[[Node, Key, Words], Batch]


def key_words(seek: Seek, types: Sequence[SqlType], heap: Heap) -> Words:
    """The values as keys."""
    vectors = [vector_of([value[i] for value in seek.values], types[c], heap) for i, c in enumerate(seek.key)]
    return Batch.from_vectors(vectors, np.ones(len(seek.values), np.int64)).words


def once_each(found: Sequence[Batch]) -> Batch:
    """The rows that are in any of these, each of which has all copies of what it has. O(n log n)."""
    rows = Batch.concat(found)
    _, first = np.unique(rows.words, axis=1, return_index=True)
    return rows.take(np.sort(first))


class Seeking:
    """One run: what it finds it puts into `evaluation`. `nodes` are those that it has read."""

    def __init__(self, evaluation: OneShot, held: Held, seeks: Mapping[int, Sequence[tuple[Seek, Words]]]) -> None:
        self.nodes: dict[Node, None] = {}
        self._evaluation = evaluation
        self._held = held
        self._seeks = seeks  # by id of the Mfp, with their keys
        self._seen: set[int] = set()
        self._answers: dict[Hashable, tuple[Batch, Batch | None]] = {}  # of `_asked`, each with its stream

    def look(self, plan: Plan) -> None:
        """Find what can be found by key in a plan and all below it."""
        if id(plan) in self._seen or self._held.node(plan) is not None:
            return
        self._seen.add(id(plan))
        if id(plan) in self._seeks:
            self._seek(self._seeks[id(plan)])
            return
        for child in graph.inputs(plan):
            self.look(child)
        if isinstance(plan, graph.Join):
            self._join(plan)

    def _seek(self, seeks: Sequence[tuple[Seek, Words]]) -> None:
        mfp = seeks[0][0].mfp
        node = self._held.node(mfp.input)
        if node is None or node.trace is None or any(seek.key not in node.trace.references for seek, _ in seeks):
            return
        found = [self._found(node, seek.key, words) for seek, words in seeks]
        self._evaluation.replace(mfp, 0, found[0] if len(found) == 1 else once_each(found))

    def _found(self, node: Node, key: Key, words: Words) -> Batch:
        self.nodes[node] = None
        return self._held.with_keys(node, key, words)

    def _join(self, plan: graph.Join) -> None:
        """Replace the inputs that few rows meet a part of; and the join's rows, if they turn out to be few."""
        sizes = list(map(self._size, plan.inputs))
        start = min(range(len(sizes)), key=sizes.__getitem__)
        if sizes[start] > FEW_ROWS_MAX or sizes[start] == max(sizes):
            return
        few = self._few(plan.inputs[start])
        rows = None if few is None else self._from(plan, start, few, True)
        if rows is not None:
            self._evaluation.give(plan, rows)

    def _size(self, plan: Plan) -> float:
        """How many rows a plan is made of."""
        known = self._evaluation.known(plan)
        if known is not None:
            return len(known)
        node = self._held.node(plan)
        if node is not None:
            return size(node)
        match plan:
            case graph.Constant():
                return len(plan.rows)
            case graph.Join() | graph.FlatMap() | graph.LetRec() | Source():
                return inf
            case _:
                inputs = enumerate(graph.inputs(plan))
                replaced = [(child, self._evaluation.replaced(plan, i)) for i, child in inputs]
                return sum(self._size(child) if rows is None else len(rows) for child, rows in replaced)

    def _from(self, plan: graph.Join, start: int, stream: Batch, is_whole: bool) -> Batch | None:
        """The join of some rows of its input `start` with what they meet of the others; None where it is too much. What
        was met stands for those inputs, if the rows are all of input `start`."""
        widths = [len(graph.output_types(child)) for child in plan.inputs]
        for stage in join.stages(plan, start, widths):
            met = self._asked(plan.inputs[stage.input], dict(zip(stage.by, stage.on.tolist(), strict=True)), stream)
            if met is None:
                return None
            if is_whole:
                self._evaluation.replace(plan, stage.input, met)
            if len(stream) * len(met) > PAIRS_MAX:
                return None
            on, sources = stage.on.tolist(), stage.sources.tolist()
            stream = met_in_pieces(met, stage.by, stream, on, sources, stage.strict, ALWAYS)
            if len(stream) > FEW_ROWS_MAX:
                return None
        return stream

    def _few(self, plan: Plan) -> Batch | None:
        """The rows of a plan if what it is made of is few."""
        if self._size(plan) > FEW_ROWS_MAX:
            return None
        self._give(plan)
        return self._evaluation.run(plan)

    def _give(self, plan: Plan) -> None:
        """Let the evaluation have what the graph holds of a plan that is made of few rows."""
        if self._evaluation.known(plan) is not None:
            return
        node = self._held.node(plan)
        if node is None:
            for i, child in enumerate(graph.inputs(plan)):
                if self._evaluation.replaced(plan, i) is None:
                    self._give(child)
        else:
            self.nodes[node] = None
            self._evaluation.give(plan, self._held.rows(node))

    def _asked(self, plan: Plan, on: Mapping[int, int], stream: Batch) -> Batch | None:
        """Rows of a plan, all those among them whose column c is column on[c] of a row of the stream, for all of `on`;
        None if they are not easily had. Where a plan keeps rows apart by a column, its input is asked for them. Once
        each: outer joins share their inputs, so a chain of them has 2^n paths down."""
        asked = (id(plan), tuple(sorted(on.items())), id(stream))
        if asked not in self._answers:
            self._answers[asked] = stream, self._ask(plan, on, stream)
        return self._answers[asked][1]

    def _ask(self, plan: Plan, on: Mapping[int, int], stream: Batch) -> Batch | None:
        node = self._held.node(plan)
        if node is not None:
            found = self._looked_up(node, on, stream)
            return self._few(plan) if found is None else found
        if self._evaluation.known(plan) is not None:
            return self._few(plan)
        match plan:
            case Mfp() if id(plan) not in self._seeks:
                width = len(graph.output_types(plan.input))
                below = {plan.project[c]: at for c, at in on.items() if plan.project[c] < width}
            case graph.Distinct() | graph.Threshold() | graph.Negate() | graph.Union():
                below = on
            case graph.Reduce():
                below = {plan.key[c]: at for c, at in on.items() if c < len(plan.key)}
            case graph.TopK():
                below = {c: at for c, at in on.items() if c in plan.group}
            case graph.Window():
                below = {c: at for c, at in on.items() if c in plan.partition}
            case graph.Join():
                return self._asked_join(plan, on, stream)
            case _:
                return self._few(plan)
        if not below:
            return self._few(plan)
        inputs = [self._asked(child, below, stream) for child in graph.inputs(plan)]
        found = [rows for rows in inputs if rows is not None]
        return self._evaluation.operate(plan, found) if len(found) == len(inputs) else self._few(plan)

    def _asked_join(self, plan: graph.Join, on: Mapping[int, int], stream: Batch) -> Batch | None:
        """The same of a join: from the input that has the most of those columns to what it meets."""
        place = [(i, c) for i, child in enumerate(plan.inputs) for c in range(len(graph.output_types(child)))]
        below: dict[int, dict[int, int]] = {}
        for column, at in on.items():
            i, c = place[plan.project[column]]
            below.setdefault(i, {})[c] = at
        for i in sorted(below, key=lambda i: -len(below[i])):
            rows = self._asked(plan.inputs[i], below[i], stream)
            if rows is not None:
                return self._from(plan, i, rows, False)
        return None

    def _looked_up(self, node: Node, on: Mapping[int, int], stream: Batch) -> Batch | None:
        """Those rows of a node that is arranged by some of the columns, if they are a small part of it."""
        if node.trace is None:
            return None
        keys = [key for key in node.trace.references if key and on.keys() >= set(key)]
        if not keys:
            return None
        key = max(keys, key=lambda key: (len(key), key))
        asked = stream.project([on[column] for column in key])
        words = Batch(asked.words, np.ones(len(asked), np.int64), len(key)).consolidate().words
        _, total = node.trace.arrangement.find(key, words, len(key), np.arange(len(key), dtype=np.int64))
        small = total <= FEW_ROWS_MAX and total * PART <= size(node)
        return self._found(node, key, words) if small else None


def size(node: Node) -> int:
    """How many rows its contents are made of."""
    return node.rows() if node.holds() else sum(map(size, node.inputs))
