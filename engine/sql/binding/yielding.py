"""Table functions in a select list: each row of the SELECT, once for each row that they yield.

Those of one level run side by side, the shorter ones padded with NULLs; one that is an argument of another runs before
it (PostgreSQL's ProjectSet).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.collection.vector import Vector
from engine.errors import Unsupported
from engine.expr.registry import Function, OnNull
from engine.expr.rows_from import rows_from
from engine.expr.scalar import Call, Ref
from engine.expr.table import TableFunction
from engine.plan.relation import BoundScalar, FlatMap, Relation
from engine.plan.scalars import parts, with_parts
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
    """The call of a table function with one column, as the scalar that it is in each row."""
    if len(table.columns) != 1:
        raise Unsupported(f"{table.name} yields records, which a select list cannot hold: write it in FROM")
    kind = table.columns[0].type
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
        tables = [call.function.table for call in level if isinstance(call.function, Yielding)]
        function = rows_from([table for table in tables if table is not None], False)
        # A FlatMap's columns are the function's alone: which names they have shows in EXPLAIN only.
        relation = FlatMap(relation, function, tuple(argument for call in level for argument in call.arguments))
        columns = {
            call: Ref(width + i, column.type, column.nullable)
            for i, (call, column) in enumerate(zip(level, function.columns, strict=True))
        }
        width += len(level)
        found = [_replaced(scalar, columns) for scalar in found]


def _innermost(scalar: BoundScalar, found: list[Call]) -> None:
    """The calls whose arguments call no table function, each once, in order."""
    for part in parts(scalar):
        _innermost(part, found)
    if not isinstance(scalar, Call) or not is_yielding(scalar) or scalar in found:
        return
    if not any(map(yields, scalar.arguments)):
        found.append(scalar)


def _replaced(scalar: BoundScalar, columns: dict[Call, Ref]) -> BoundScalar:
    if isinstance(scalar, Call) and scalar in columns:
        return columns[scalar]
    return with_parts(scalar, tuple(_replaced(part, columns) for part in parts(scalar)))
