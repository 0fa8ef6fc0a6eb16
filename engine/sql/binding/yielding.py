"""Table functions in a select list: each row of the SELECT, once for each row that they yield.

Those of one level run side by side, the shorter ones padded with NULLs; one that is an argument of another runs before
it (PostgreSQL's ProjectSet).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine import types
from engine.collection.vector import Vector
from engine.errors import Unsupported
from engine.expr.functions import composite
from engine.expr.registry import Function, OnNull
from engine.expr.rows_from import rows_from
from engine.expr.scalar import Call, Ref
from engine.expr.table import TableFunction
from engine.plan.relation import BoundScalar, FlatMap, Relation
from engine.plan.rules.aggregates import guarded
from engine.plan.scalars import parts, with_parts
from engine.sql.binding.applying import call as call_of
from engine.types import SqlType

if TYPE_CHECKING:
    from engine.expr.evaluate import Context


@dataclass(frozen=True, slots=True)
class Yielding(Function):
    """A table function where a scalar stands, until `expanded` puts the column of a FlatMap in its place."""

    table: TableFunction | None = None


def _never(context: "Context", arguments: Sequence[Vector], result: SqlType) -> Vector:
    raise AssertionError("a table function is a FlatMap before anything is evaluated")


def yielding(table: TableFunction, arguments: Sequence[BoundScalar]) -> Call:
    """The call of a table function as the scalar that it is in each row: of one column that, of several a record."""
    fields = tuple((column.name, column.type) for column in table.columns)
    kind = fields[0][1] if len(fields) == 1 else types.record_of(fields)
    function = Yielding(
        table.name, table.parameters, kind, _never, OnNull.OWN, gives_null=True, volatile=True, table=table
    )
    return Call(function, tuple(arguments), kind)  # pyright: ignore[reportArgumentType]: bound scalars nest


def yields(scalar: BoundScalar) -> bool:
    """Whether a table function is called in it."""
    return is_yielding(scalar) or any(map(yields, parts(scalar)))


def is_yielding(scalar: BoundScalar) -> bool:
    return isinstance(scalar, Call) and isinstance(scalar.function, Yielding)


def expanded(relation: Relation, width: int, scalars: Sequence[BoundScalar]) -> tuple[Relation, int, list[BoundScalar]]:
    """The relation, `width` columns wide, with the columns that the scalars' table functions yield; then the scalars
    over it."""
    found = list(scalars)
    while True:
        level: list[Call] = []
        for scalar in found:
            _innermost(scalar, level)
        if not level:
            return relation, width, found
        tables = [table for call in level if (table := _table(call)) is not None]
        if len(tables) > 1:
            tables = [_told_apart(table) for table in tables]
        function = rows_from(tables, False)
        # A FlatMap's columns are the function's alone: which names they have shows in EXPLAIN only.
        relation = FlatMap(relation, function, tuple(argument for call in level for argument in call.arguments))
        refs = [Ref(width + i, column.type, column.nullable) for i, column in enumerate(function.columns)]
        values: list[BoundScalar] = []
        start = 0
        for call, table in zip(level, tables, strict=True):
            values.append(_value(call, refs[start : start + len(table.columns)]))
            start += len(table.columns)
        width += len(refs)
        columns = dict(zip(level, values, strict=True))
        found = [_replaced(scalar, columns) for scalar in found]


def _told_apart(table: TableFunction) -> TableFunction:
    """A table whose rows stand beside others: records with their number behind, which a padded row lacks."""
    if not table.columns:
        raise Unsupported(
            f"{table.name}, which yields rows without a value, cannot stand beside another one in a select list",
            hint="Write them in FROM, as LATERAL.",
        )
    return table if len(table.columns) == 1 else rows_from([table], ordinality=True)


def _value(call: Call, refs: Sequence[Ref]) -> BoundScalar:
    """What a call yields in a row with these columns: a padded one is NULL, and no record of NULLs."""
    if len(refs) == 1:
        return refs[0]
    width = len(call.type.fields)
    record = Call(composite.row(call.type), tuple(refs[:width]), call.type)
    return record if len(refs) == width else guarded(call_of("is_not_null", refs[width]), record)


def _table(call: Call) -> TableFunction | None:
    return call.function.table if isinstance(call.function, Yielding) else None


def _innermost(scalar: BoundScalar, found: list[Call]) -> None:
    """The calls whose arguments call no table function, each once, in order."""
    for part in parts(scalar):
        _innermost(part, found)
    if not isinstance(scalar, Call) or not is_yielding(scalar) or scalar in found:
        return
    if not any(map(yields, scalar.arguments)):
        found.append(scalar)


def _replaced(scalar: BoundScalar, columns: dict[Call, BoundScalar]) -> BoundScalar:
    if isinstance(scalar, Call) and scalar in columns:
        return columns[scalar]
    return with_parts(scalar, tuple(_replaced(part, columns) for part in parts(scalar)))
