"""What every operator is held to, whoever wrote it: a circuit fed with a history, compared with what the plan means."""

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np

from engine.collection.batch import Batch
from engine.collection.heap import Heap
from engine.collection.words import decode_column, vector_of
from engine.dataflow.graph import Plan, output_types
from engine.dataflow.turning import Turning
from engine.types import SqlType
from tests.laws.naive import Row, Rows, meaning, total
from tests.laws.plans import SOURCES, Tick


def batch_of(changes: Iterable[tuple[Row, int]], row: Sequence[SqlType], heap: Heap) -> Batch:
    """Changes as a batch, in their order, not consolidated."""
    changes = list(changes)
    columns = [vector_of([values[c] for values, _ in changes], type, heap) for c, type in enumerate(row)]
    return Batch.from_vectors(columns, np.array([diff for _, diff in changes], np.int64))


def rows_of(batch: Batch, row: Sequence[SqlType], heap: Heap) -> Rows:
    """A batch as counts by row."""
    assert batch.diffs.all(), "a batch has no diff of zero"
    columns = [decode_column(batch.vector(c), type, heap) for c, type in enumerate(row)]
    decoded = list(zip(*columns, strict=True)) if columns else [()] * len(batch)
    if batch.consolidated:
        assert len(set(decoded)) == len(decoded), "a consolidated batch has no two equal rows"
    return total(zip(decoded, batch.diffs.tolist(), strict=True))


class World:
    """A circuit with the fed collections of `plans`, beside what they hold in plain Python."""

    def __init__(self) -> None:
        self.heap = Heap()
        self.circuit = Turning(self.heap)
        self.sources: dict[int, Rows] = {source.id: {} for source in SOURCES}
        self.tick = 0
        for source in SOURCES:
            self.circuit.create(source.id, source.types, source.append_only, history_ms=1000)

    def run(self, changes: Tick) -> None:
        """One tick."""
        self.begin(changes)
        self.circuit.settle()

    def begin(self, changes: Tick) -> None:
        """One tick, but for what is settled behind it."""
        self.tick += 1
        deltas: dict[int, Batch] = {}
        for source in SOURCES:
            mine = [(row, diff) for id, row, diff in changes if id == source.id]
            if mine:
                deltas[source.id] = batch_of(mine, source.types, self.heap)
                self.sources[source.id] = total([*self.sources[source.id].items(), *mine])
        self.circuit.step(self.tick, deltas)
        self.circuit.publish()

    def undo(self) -> None:
        """One tick that retracts all that was inserted, append-only collections aside."""
        self.run([(id, row, -n) for id, held in self.sources.items() if id != 3 for row, n in held.items()])

    def check(self, id: int, plan: Plan) -> None:
        """Collection `id` holds what `plan` means, and fails to be read exactly when a row of it fails."""
        errors: Counter[str] = Counter()
        expected = meaning(plan, self.sources, errors)
        code = self.circuit.error(id)
        assert self.error(code) == expected_error(errors, code, self.heap)
        row = output_types(plan)
        assert rows_of(self.circuit.contents(id), row, self.heap) == expected

    def check_once(self, plan: Plan) -> None:
        """The same of a plan that is evaluated once."""
        errors: Counter[str] = Counter()
        expected = meaning(plan, self.sources, errors)
        rows, code = self.circuit.run_once(plan)
        assert self.error(code) == expected_error(errors, code, self.heap)
        assert rows_of(rows, output_types(plan), self.heap) == expected

    def error(self, code: int | None) -> str | None:
        """The text of an error."""
        return None if code is None else self.heap.get(code).decode()


def expected_error(errors: Counter[str], code: int | None, heap: Heap) -> str | None:
    """One of the errors that rows have: the one that was reported if it begins like one of them."""
    texts = sorted(text for text, n in errors.items() if n)
    if code is not None and heap.get(code).decode().startswith(tuple(texts)):
        return heap.get(code).decode()
    return texts[0] if texts else None
