"""Aggregates that are said in terms of others, syntax for syntax: what keeps those up to date keeps them too.

Hypothetical-set aggregates (rank(v) WITHIN GROUP (ORDER BY x)...) count the rows before or beside a row that is not
there.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

from engine.sql.syntax import (
    Binary,
    Boolean,
    Case,
    Cast,
    Expression,
    Function,
    Is,
    IsDistinct,
    Logic,
    Name,
    Null,
    Number,
    OrderItem,
    Row,
    String,
    Test,
    TypeName,
)


def _called(name: str, call: Function, *arguments: Expression, condition: Expression | None = None) -> Function:
    """Another aggregate over the rows of `call`, those alone where `condition` is true; without arguments name(*)."""
    kept = [part for part in (call.filter, condition) if part is not None]
    filter_ = None if not kept else kept[0] if len(kept) == 1 else Logic(True, tuple(kept), call.at)
    named = Name((name,), call.name.at, call.name.end)
    return replace(call, name=named, arguments=arguments, filter=filter_, star=not arguments, within=())


def _quantified(every: bool) -> Callable[[Function], Expression]:
    """AND or OR of the values in three-valued logic, of no values what leaves the others as they are."""

    def expression(call: Function) -> Expression:
        at, (value,) = call.at, call.arguments
        decided = _called("bool_and" if every else "bool_or", call, value)
        start = Function(Name(("coalesce",), at, at), (decided, Boolean(every, at)), at)
        unknown = _called("count", call, condition=Is(value, Test.NULL, False, at))
        some = Binary(">", replace(unknown, distinct=False), Number("0", at), at)
        return Logic(every, (start, Case(None, ((some, Null(at)),), Boolean(every, at), at)), at)

    return expression


def _concat(call: Function) -> Expression:
    (value,) = call.arguments
    return _called("string_agg", call, Cast(value, TypeName("text", (), 0, call.at), call.at), String("", call.at))


def _any_value(call: Function) -> Expression:
    (value,) = call.arguments
    return _called("first_value", call, value, condition=Is(value, Test.NULL, True, call.at))


def _count_distinct(call: Function) -> Expression:
    return replace(_called("count", call, *call.arguments), distinct=True)


OF_ONE: Final[Mapping[str, Callable[[Function], Expression]]] = {
    "mz_all": _quantified(True),
    "mz_any": _quantified(False),
    "concat_agg": _concat,
    "any_value": _any_value,
    "approx_count_distinct": _count_distinct,
}
"""How each of engine/expr/aggregate.py's COMPOSED is said."""


def _before(order: tuple[OrderItem, ...], values: tuple[Expression, ...], at: int) -> Expression:
    """Whether a row comes before the hypothetical one."""
    found: list[Expression] = []
    same: list[Expression] = []
    for item, value in zip(order, values, strict=True):
        nulls_first = item.descending if item.nulls_first is None else item.nulls_first
        sooner = Binary(">" if item.descending else "<", item.expression, value, at)
        first, last = (item.expression, value) if nulls_first else (value, item.expression)
        by_null = Logic(True, (Is(first, Test.NULL, False, at), Is(last, Test.NULL, True, at)), at)
        here = Logic(False, (Is(sooner, Test.TRUE, False, at), by_null), at)
        found.append(Logic(True, (*same, here), at) if same else here)
        same.append(IsDistinct(item.expression, value, True, at))
    return Logic(False, tuple(found), at) if len(found) > 1 else found[0]


def _same(order: tuple[OrderItem, ...], values: tuple[Expression, ...], at: int) -> Expression:
    parts = [IsDistinct(item.expression, value, True, at) for item, value in zip(order, values, strict=True)]
    return Logic(True, tuple(parts), at) if len(parts) > 1 else parts[0]


def hypothetical(name: str, call: Function) -> Expression:
    """rank, dense_rank, percent_rank or cume_dist of the row of the arguments among the rows."""
    at, order, values = call.at, call.within, call.arguments
    before = _before(order, values, at)
    one, rows = Number("1", at), _called("count", call)
    sooner: Expression = _called("count", call, condition=before)
    match name:
        case "rank":
            return Binary("+", sooner, one, at)
        case "dense_rank":
            items = Row(tuple(item.expression for item in order), at)
            distinct = replace(_called("count", call, items, condition=before), distinct=True)
            return Binary("+", distinct, one, at)
        case "percent_rank":
            none = Binary("=", rows, Number("0", at), at)
            return Case(None, ((none, _double(Number("0", at))),), Binary("/", _double(sooner), rows, at), at)
        case _:
            assert name == "cume_dist"
            beside = Logic(False, (before, _same(order, values, at)), at)
            so_far = Binary("+", _called("count", call, condition=beside), one, at)
            return Binary("/", _double(so_far), Binary("+", rows, one, at), at)


def _double(expression: Expression) -> Expression:
    at = expression.at
    return Cast(expression, TypeName("double precision", (), 0, at), at)
