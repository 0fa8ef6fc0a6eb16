"""Answers: rows as words until somebody asks for values, for Arrow or for text."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa

from engine import types
from engine.collection.arrow import to_arrow
from engine.collection.batch import Batch
from engine.collection.heap import Heap, Marks
from engine.collection.value import Value
from engine.collection.vector import Vector
from engine.collection.words import decode_column, encode
from engine.expr.binary_columns import sent_binary, sent_few, sent_text
from engine.expr.evaluate import Context
from engine.types import Column, Physical

if TYPE_CHECKING:
    from engine.coordinator.subscription import Subscription
    from engine.sql.resolved.rows import CopyForm


@dataclass(frozen=True, slots=True)
class Notice:
    """What a client is told beside its answer."""

    message: str
    severity: str = "NOTICE"  # or DEBUG, LOG, INFO, WARNING
    sqlstate: str = "00000"
    detail: str | None = None
    hint: str | None = None


class Result:
    """The answer to one statement.

    `tag` is PostgreSQL's command tag ("SELECT 3", "INSERT 0 2", "CREATE TABLE"). `columns` is () where no rows come
    (then `rows()` is [] and `arrow()` has no columns). `timestamp` is the tick, in ms, whose state was read or that the
    write committed in; None for neither. `row_count` counts the rows returned, or else the rows written.

    The words may be heap codes, so a result that is alive is a root of the heap's sweep.
    """

    __slots__ = ("__weakref__", "_heap", "_whole", "batch", "columns", "notices", "row_count", "tag", "timestamp")

    def __init__(
        self,
        tag: str,
        columns: tuple[Column, ...] = (),
        *,
        batch: Batch | None = None,
        heap: Heap | None = None,
        notices: tuple[Notice, ...] = (),
        timestamp: int | None = None,
        row_count: int = 0,
        whole: "Result | None" = None,
    ) -> None:
        self.tag: Final = tag
        self.columns: Final = columns
        self.batch: Final = batch  # every row by itself, in order: all diffs are 1
        self._heap: Final = heap
        self._whole: Final = whole  # what this is a part of: while the part lives, it is a root of the sweep
        self.notices: Final = notices
        self.timestamp = timestamp  # set by whoever commits what the answer is of
        self.row_count: Final = row_count if batch is None else len(batch.diffs)

    def rows(self) -> list[tuple[Value, ...]]:
        """The rows as tuples of Python values. One Python object per datum: for display and tests; bulk takes Arrow."""
        if self.batch is None or self._heap is None:
            return []
        columns = [
            decode_column(self.batch.vector(i), column.type, self._heap) for i, column in enumerate(self.columns)
        ]
        return list(zip(*columns, strict=True)) if columns else [()] * self.row_count

    def arrow(self) -> pa.Table:
        """The rows as an Arrow table of the type table's Arrow types."""
        if self.batch is None or self._heap is None:
            return pa.table({})
        return to_arrow(self.batch, self.columns, self._heap)

    def text(self) -> list[pa.LargeStringArray]:
        """CAST(x AS text) of each column, with booleans as t and f: what pgwire's text format sends. NULL is null."""
        if self.batch is None or self._heap is None:
            return []
        context = Context(self._heap)
        return [sent_text(self.batch.vector(i), column.type, context) for i, column in enumerate(self.columns)]

    def encoded(self, formats: Sequence[int]) -> list[pa.LargeBinaryArray]:
        """Each column in the format of that number (0 text, 1 binary): what pgwire sends. NULL is null."""
        if self.batch is None or self._heap is None:
            return []
        context = Context(self._heap)
        vectors = [self.batch.vector(i) for i in range(len(self.columns))]
        return [
            sent_binary(vector, column.type, context)
            if form
            else sent_text(vector, column.type, context).cast(pa.large_binary())
            for vector, column, form in zip(vectors, self.columns, formats, strict=True)
        ]

    def encoded_few(self, formats: Sequence[int]) -> list[Sequence[bytes | None]]:
        """The same for a few rows, value by value."""
        if self.batch is None or self._heap is None:
            return []
        context = Context(self._heap)
        return [
            sent_few(self.batch.vector(i), column.type, form != 0, context)
            for i, (column, form) in enumerate(zip(self.columns, formats, strict=True))
        ]

    def slice(self, start: int, end: int) -> "Result":
        """Rows `start` to `end` by themselves. They are safe from a sweep while this result lives."""
        assert self.batch is not None
        words = np.ascontiguousarray(self.batch.words[:, start:end])
        rows = Batch(words, self.batch.diffs[start:end], self.batch.columns)
        return Result(self.tag, self.columns, batch=rows, heap=self._heap, timestamp=self.timestamp)

    def bytes_held(self) -> int:
        """The rows' words, and the data that they refer to, as often as they do."""
        if self.batch is None or self._heap is None:
            return 0
        _, length, _ = self._heap.view()
        size = self.batch.words.nbytes
        for i, column in enumerate(self.columns):
            if column.type.physical in (Physical.BYTES, Physical.JSON):
                size += int(length[self.batch.vector(i).words].sum(dtype=np.int64))
        return size

    def numeric(self, number: int) -> int:
        """The word of a whole number as a numeric."""
        assert self._heap is not None
        return encode(Decimal(number), types.NUMERIC, self._heap)[0]

    def of(self, vectors: Sequence[Vector], columns: tuple[Column, ...]) -> "Result":
        """Other rows over the same heap."""
        rows = Batch.from_vectors(vectors, np.ones(len(vectors[0].words), np.int64))
        return Result(self.tag, columns, batch=rows, heap=self._heap)

    def behind(self, lead: Sequence[Vector], columns: tuple[Column, ...]) -> "Result":
        """The rows with columns before theirs; `columns` are all of them."""
        assert self.batch is not None
        rows = Batch.from_vectors([*lead, *self.batch.vectors()], self.batch.diffs)
        return Result(self.tag, columns, batch=rows, heap=self._heap, timestamp=self.timestamp)

    def part(self, begin: int, end: int, columns: int) -> "Result":
        """Rows `begin` to `end` of the first so many columns. O(what it has)."""
        if self.batch is None:
            return self
        rows = self.batch.take(np.arange(begin, min(end, self.row_count)))
        batch = rows.project(range(columns)) if columns < rows.columns else rows
        return Result(
            self.tag, self.columns[:columns], batch=batch, heap=self._heap, timestamp=self.timestamp, whole=self
        )

    def mark(self, marks: Marks) -> None:
        """Mark the heap codes of the rows, for a sweep."""
        if self.batch is not None:
            self.batch.mark(marks, [column.type for column in self.columns])


@dataclass(frozen=True, slots=True)
class CopyOut:
    """COPY (...) TO STDOUT: the rows of an answer, or of a subscription until it ends, written as `form` says."""

    source: "Result | Subscription"
    form: "CopyForm"
