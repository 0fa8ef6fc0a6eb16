"""Answers: rows as words until somebody asks for values, for Arrow or for text."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import pyarrow as pa

from engine.collection.batch import Batch
from engine.collection.heap import Heap
from engine.expr.scalar import Value
from engine.types import Column

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

    __slots__ = ("__weakref__", "_heap", "batch", "columns", "notices", "row_count", "tag", "timestamp")

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
    ) -> None:
        self.tag: Final = tag
        self.columns: Final = columns
        self.batch: Final = batch  # every row by itself, in order: all diffs are 1
        self._heap: Final = heap
        self.notices: Final = notices
        self.timestamp: Final = timestamp
        self.row_count: Final = row_count if batch is None else len(batch.diffs)

    def rows(self) -> list[tuple[Value, ...]]:
        """The rows as tuples of Python values. One Python object per datum: for display and tests; bulk takes Arrow."""
        raise NotImplementedError

    def arrow(self) -> pa.Table:
        """The rows as an Arrow table of the type table's Arrow types."""
        raise NotImplementedError

    def text(self) -> list[pa.LargeStringArray]:
        """CAST(x AS text) of each column, with booleans as t and f: what pgwire's text format sends. NULL is null."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class CopyOut:
    """COPY (...) TO STDOUT: the rows of an answer, or of a subscription until it ends, in COPY's text format."""

    source: "Result | Subscription"
    format: str = "text"
