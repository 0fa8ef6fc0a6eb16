"""FORMAT REGEX: the groups of a match are the columns, as text or cast to the declared types. What does not match (the
whole datum, from its beginning) is an error; a group that took no part is NULL."""

import re
from collections.abc import Sequence

import pyarrow as pa

from engine import types
from engine.collection.heap import Heap
from engine.collection.vector import Vector
from engine.connectors.lines import STRINGS, cast_texts, failures
from engine.connectors.records import Decoded, Spans
from engine.errors import MalformedSource
from engine.types import Column


def _compiled(pattern: str) -> re.Pattern[str]:
    try:
        return re.compile(pattern)
    except re.error as error:
        raise MalformedSource(f"the regular expression is none: {error}") from None


def regex_columns(pattern: str) -> tuple[Column, ...]:
    """Named groups by their names, others as column1, column2, ..."""
    compiled = _compiled(pattern)
    if not compiled.groups:
        raise MalformedSource("the regular expression has no groups, so it makes no columns")
    names = {number: name for name, number in compiled.groupindex.items()}
    return tuple(Column(names.get(i, f"column{i}"), types.TEXT) for i in range(1, compiled.groups + 1))


class RegexDecoder:
    """See the file's head. A Python match a datum: some 1 us."""

    def __init__(self, columns: Sequence[Column], pattern: str, heap: Heap) -> None:
        self.columns = tuple(columns)
        self._heap = heap
        self._pattern = _compiled(pattern)
        if self._pattern.groups != len(columns):
            raise MalformedSource(
                f"the regular expression has {self._pattern.groups} groups, the source {len(columns)} columns"
            )

    def decode(self, data: Spans) -> Decoded:
        failed: dict[int, str] = {}
        none = (None,) * len(self.columns)
        rows: list[tuple[str | None, ...]] = []
        for row, raw in enumerate(data.texts().to_pylist()):
            groups = none
            try:
                match = self._pattern.match(raw.decode())
            except UnicodeDecodeError:
                failed[row] = "invalid UTF-8"
            else:
                if match is None:
                    failed[row] = "the regular expression does not match"
                else:
                    groups = match.groups()
            rows.append(groups)
        vectors = [self._column([groups[j] for groups in rows], column) for j, column in enumerate(self.columns)]
        for row, reason in failures(vectors, self.columns, self._heap).items():
            failed.setdefault(row, reason)
        return Decoded([Vector(vector.words, vector.nulls) for vector in vectors], failed)

    def _column(self, texts: list[str | None], column: Column) -> Vector:
        array = pa.array(texts, pa.large_string())
        nulls = array.is_null().to_numpy(zero_copy_only=False) if array.null_count else None
        vector = Vector(self._heap.intern_arrow(array), nulls)
        if column.type.plain in STRINGS and not column.type.modifier:
            return vector
        cast = cast_texts(vector, column.type, self._heap)
        if nulls is None or cast.errors is None:
            return cast
        cast.errors[nulls] = 0
        return cast
