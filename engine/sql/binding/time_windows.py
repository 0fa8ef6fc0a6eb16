"""tumble(relation, time, size [, offset]) and hop(relation, time, hop, size [, offset]) in FROM: each row of a relation
beside the windows of time that it lies in, as the columns window_start and window_end.

They are date_bin and date_bin_hopping over the relation's rows, so they are kept up to date as those are: a row lies in
one tumbling window and in size / hop hopping ones, whose starts are counted from 1970-01-01 plus the offset. A row
without a time lies in no window.
"""

from collections.abc import Callable
from typing import Final

from engine import types
from engine.errors import TypeMismatch, UndefinedFunction
from engine.expr.literal import literal_of_raw
from engine.expr.overload import resolve_table_function
from engine.expr.scalar import Ref
from engine.plan.relation import BoundScalar, Filter, FlatMap, Map, Relation
from engine.sql import syntax
from engine.sql.binding.applying import call, cast, located
from engine.types import CastContext, Column

SPANS: Final = {"tumble": 1, "hop": 2}
"""How many intervals follow the relation and its time, by name; the offset is one more."""
STAMPS: Final = (types.TIMESTAMP, types.TIMESTAMPTZ)
IMPLICIT: Final = CastContext.IMPLICIT


def windowed(
    relation: Relation, width: int, item: syntax.WindowTable, bind: Callable[[syntax.Expression], BoundScalar]
) -> tuple[Relation, tuple[Column, ...]]:
    """The rows of `relation` (`width` columns) beside their windows, and the two columns that come behind them.

    `bind` binds an expression over those rows.
    """
    name, given = item.function, item.arguments
    spans = SPANS[name]
    if not 1 + spans <= len(given) <= 2 + spans:
        what = "tumble(relation, time, size [, offset])" if spans == 1 else "hop(relation, time, hop, size [, offset])"
        raise UndefinedFunction(f"{name} takes {what}", position=item.at)
    time = bind(given[0])
    if time.type.plain == types.DATE:
        time = cast(time, types.TIMESTAMP, IMPLICIT)
    if time.type.plain not in STAMPS:
        raise TypeMismatch(f"{name} needs a date or timestamp, not {time.type}", position=position(given[0], item))
    *lengths, size = (interval(node, bind(node), item) for node in given[1 : 1 + spans])
    origin: BoundScalar = literal_of_raw(0, time.type.plain)
    if len(given) > 1 + spans:
        offset = interval(given[-1], bind(given[-1]), item)
        origin = located(position(given[-1], item), call, "+", origin, offset)
    kind = time.type.plain
    if lengths:
        arguments = (lengths[0], size, time, origin)
        found, parameters = resolve_table_function("date_bin_hopping", [a.type for a in arguments])
        cast_arguments = (cast(a, parameter, IMPLICIT) for a, parameter in zip(arguments, parameters, strict=True))
        relation = FlatMap(relation, found, tuple(cast_arguments))
    else:
        there = Filter(relation, (call("is_not_null", time),))
        relation = Map(there, (located(item.at, call, "date_bin", size, time, origin),))
    start = Ref(width, kind, False)
    relation = Map(relation, (located(item.at, call, "+", start, size),))
    return relation, (Column("window_start", kind, False), Column("window_end", kind, False))


def interval(node: syntax.Expression, scalar: BoundScalar, item: syntax.WindowTable) -> BoundScalar:
    """A length of time; a bare literal is read as one."""
    return located(position(node, item), cast, scalar, types.INTERVAL, IMPLICIT)


def position(node: syntax.Expression, item: syntax.WindowTable) -> int:
    """Where an argument stands."""
    return getattr(node, "at", item.at)
