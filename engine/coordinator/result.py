"""Answers: rows as words until somebody asks for values, for Arrow or for text."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa

from engine import types
from engine.collection.arrow import to_arrow
from engine.collection.batch import Batch
from engine.collection.heap import Heap, Marks
from engine.collection.value import Value
from engine.collection.vector import Vector
from engine.collection.words import decode_column
from engine.expr.evaluate import Context
from engine.expr.functions.casts import to_text
from engine.types import Column, SqlType

if TYPE_CHECKING:
    from engine.coordinator.subscription import Subscription


@dataclass(frozen=True, slots=True)
class Notice:
    """What a client is told beside its answer."""

    message: str
    severity: str = "NOTICE"  # or WARNING
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
        return [_text(self.batch.vector(i), column.type, context) for i, column in enumerate(self.columns)]

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
            for i, column in enumerate(self.columns):
                marks.words(column.type.physical, self.batch.vector(i).words)


def _text(vector: Vector, type: SqlType, context: Context) -> pa.LargeStringArray:
    if type == types.BOOLEAN:
        return TRUTH.take(pa.array(vector.words != 0, mask=vector.nulls).cast(pa.int8()))
    return to_text(vector, type, context)


TRUTH: Final = pa.array(["f", "t"], pa.large_string())


@dataclass(frozen=True, slots=True)
class CopyOut:
    """COPY (...) TO STDOUT: the rows of an answer, or of a subscription until it ends, in COPY's text format."""

    source: "Result | Subscription"
    format: str = "text"
