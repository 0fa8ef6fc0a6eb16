"""Table functions that take texts apart, and repeat_row, which yields nothing, so often."""

import csv
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Final

from engine import types
from engine.collection.value import Plain
from engine.collection.vector import Vector
from engine.errors import InvalidArgument, InvalidParameter, LimitExceeded
from engine.expr.functions.regex import Regex, regexp_extract, regexp_matches, split
from engine.expr.functions.table import SERIES_ROWS_MAX, expand, listing
from engine.expr.table import Expanded, GenericTable, TableFunction
from engine.expr.text_forms import RawValue
from engine.types import Column, SqlType

if TYPE_CHECKING:
    from engine.expr.evaluate import Context

Types = tuple[SqlType, ...]
TEXTS: Final = types.array_of(types.TEXT)

COLUMNS_MAX: Final = 8192
"""More columns than this csv_extract does not make: rows are that wide in every operator above."""


def _string_to_table(text: str, delimiter: str) -> list[RawValue]:
    if not text:
        return []
    return list(text.split(delimiter)) if delimiter else [text]


def _of_constant(
    name: str, parameters: Types, columns: tuple[Column, ...], apply: Callable[..., Sequence[RawValue]]
) -> TableFunction:
    """A table function whose first argument is in `apply` already; the rest is read."""
    results = [column.type for column in columns]

    def kernel(context: "Context", vectors: Sequence[Vector]) -> Expanded:
        return expand(apply, vectors[1:], parameters[1:], results, context)

    return TableFunction(name, parameters, columns, kernel)


def _regexp_extract(parameters: Types, constants: Sequence[Plain]) -> TableFunction:
    (pattern,) = constants
    if not isinstance(pattern, str):
        raise InvalidParameter("regexp_extract requires a string literal as its first argument")
    regex = Regex.of(pattern)
    if not regex.groups:
        raise InvalidParameter("regexp_extract must specify at least one capture group")
    columns = tuple(Column(name or f"column{i}", types.TEXT) for i, (_, name) in enumerate(regex.groups, 1))

    def apply(text: str) -> list[RawValue]:
        found = regexp_extract(text, regex)
        if found is None:
            return []
        return [found[0]] if len(found) == 1 else [found]

    return _of_constant("regexp_extract", parameters, columns, apply)


def _csv_extract(parameters: Types, constants: Sequence[Plain]) -> TableFunction:
    (count,) = constants
    if not isinstance(count, int) or count < 1:
        raise InvalidParameter("csv_extract number of columns must be a positive integer literal")
    if count > COLUMNS_MAX:
        raise LimitExceeded(f"attempt to create relation with too many columns, {count} max: {COLUMNS_MAX}")
    columns = tuple(Column(f"column{i + 1}", types.TEXT) for i in range(count))

    def apply(text: str) -> list[RawValue]:
        found = [tuple(row) for row in csv.reader(text.splitlines()) if len(row) == count]
        return [row[0] for row in found] if count == 1 else list(found)

    return _of_constant("csv_extract", parameters, columns, apply)


def _repeated(name: str) -> Callable[[int], list[RawValue]]:
    def apply(count: int) -> list[RawValue]:
        if count < 0:
            raise InvalidArgument(f"{name} got {count}")
        if count > SERIES_ROWS_MAX:
            raise InvalidArgument(f"{name} got {count}, at most {SERIES_ROWS_MAX}")
        return [()] * count

    return apply


def _rows() -> Iterator[TableFunction | GenericTable]:
    text = types.TEXT
    for more in ((), (text,)):
        part = (Column("regexp_split_to_table", text, nullable=False),)
        yield listing("regexp_split_to_table", (text, text, *more), part, split, "the parts between the matches of y")
        part = (Column("regexp_matches", TEXTS, nullable=False),)
        doc = "the groups of the first match of y in x (flag g: of each), or all of it"
        yield listing("regexp_matches", (text, text, *more), part, regexp_matches, doc)
    part = (Column("string_to_table", text, nullable=False),)
    yield listing("string_to_table", (text, text), part, _string_to_table, "the parts between the delimiters", False)
    for name in ("repeat_row", "repeat_row_non_negative"):
        yield listing(
            name, (types.BIGINT,), (), _repeated(name), "no columns, x rows: x copies of what it stands beside"
        )
    doc = "the groups of the first match of the literal x in y, each under its name"
    yield GenericTable(
        "regexp_extract", (text, text), _regexp_extract, (Column("column1, ...", text),), doc, constants=1
    )
    doc = "y as a line of CSV with x columns, a literal"
    pair = (types.INTEGER, text)
    yield GenericTable("csv_extract", pair, _csv_extract, (Column("column1, ...", text),), doc, constants=1)


TABLE_FUNCTIONS: Final = tuple(_rows())
