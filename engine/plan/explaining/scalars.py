"""Scalar expressions as EXPLAIN prints them: columns as #n, operators as they are written."""

from collections.abc import Sequence
from datetime import date, datetime, time
from typing import Final

from engine.collection.value import Interval
from engine.dataflow.graph import Order
from engine.expr.interval_text import format_interval
from engine.expr.scalar import Call, Case, Coalesce, Literal, Logic, Ref, Value
from engine.plan.explaining.names import Names
from engine.plan.relation import AggregateCall, BoundScalar, Exists, Outer, Quantified, Relation, ScalarSubquery

INFIX: Final = frozenset(
    {"=", "<>", "<", "<=", ">", ">=", "+", "-", "*", "/", "%", "||", "->", "->>", "#>", "#>>", "@>", "<@", "?", "&",
     "|", "#", "<<", ">>", "~", "~*", "!~", "!~*", "like", "ilike", "^"}
)  # fmt: skip
POSTFIX: Final = {
    "is_null": "IS NULL", "is_not_null": "IS NOT NULL", "is_true": "IS TRUE", "is_not_true": "IS NOT TRUE",
    "is_false": "IS FALSE", "is_not_false": "IS NOT FALSE", "is_unknown": "IS UNKNOWN",
    "is_not_unknown": "IS NOT UNKNOWN",
}  # fmt: skip
DISTINCTION: Final = {"is_distinct_from": "IS DISTINCT FROM", "is_not_distinct_from": "IS NOT DISTINCT FROM"}

REDACTED: Final = "█"
"""What stands for a constant that is not to be seen."""


def value_text(value: Value) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case str():
            return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
        case bytes():
            return f"\\x{value.hex()}"
        case Interval():
            return f"'{format_interval(value)}'"
        case datetime():
            return value.isoformat(" ")
        case date() | time():
            return value.isoformat()
        case _:
            return str(value)


class ScalarText:
    """Prints the scalars over rows of one kind. `names` are what the columns are called, () to leave names out.

    Subqueries are left in `subqueries`, numbered in their order, for whoever prints the node that holds them.
    """

    def __init__(self, names: Names = (), redacted: bool = False) -> None:
        self.names = names
        self.redacted = redacted
        self.subqueries: list[Relation] = []

    def column(self, index: int) -> str:
        name = self.names[index] if index < len(self.names) else None
        return f"#{index}" if name is None else f"#{index}{{{name}}}"

    def columns(self, columns: Sequence[int]) -> str:
        return ", ".join(map(self.column, columns))

    def order(self, order: Order) -> str:
        direction = "desc" if order.descending else "asc"
        return f"{self.column(order.column)} {direction} nulls_{'first' if order.nulls_first else 'last'}"

    def literal(self, literal: Literal) -> str:
        return REDACTED if self.redacted else value_text(literal.value)

    def call(self, call: AggregateCall) -> str:
        inner = ("distinct " if call.distinct else "") + self.scalars(call.arguments)
        if call.order:
            inner += " order_by=" + ", ".join(
                f"{self.scalar(s)} {'desc' if down else 'asc'} nulls_{'first' if first else 'last'}"
                for s, down, first in call.order
            )
        where = "" if call.filter is None else f" filter={self.scalar(call.filter)}"
        return f"{call.overload.name}({inner or '*'}){where}"

    def scalars(self, scalars: Sequence[BoundScalar]) -> str:
        return ", ".join(map(self.scalar, scalars))

    def operand(self, scalar: BoundScalar) -> str:
        """A scalar as part of another: in brackets where it is no single word."""
        text = self.scalar(scalar)
        return f"({text})" if isinstance(scalar, Logic | Case) or _is_operator(scalar) else text

    def _subquery(self, relation: Relation) -> str:
        self.subqueries.append(relation)
        return f"(subquery {len(self.subqueries) - 1})"

    def scalar(self, scalar: BoundScalar) -> str:
        match scalar:
            case Ref():
                return self.column(scalar.index)
            case Outer():
                return f"#^{scalar.index}" if scalar.depth == 1 else f"#^{scalar.depth}:{scalar.index}"
            case Literal():
                return self.literal(scalar)
            case Call():
                return self._call(scalar)
            case Case():
                branches = " ".join(f"when {self.scalar(c)} then {self.scalar(r)}" for c, r in scalar.branches)
                return f"case {branches} else {self.scalar(scalar.otherwise)} end"
            case Coalesce():
                return f"coalesce({self.scalars(scalar.arguments)})"
            case Logic():
                return (" AND " if scalar.conjunction else " OR ").join(map(self.operand, scalar.arguments))
            case Exists():
                return f"exists{self._subquery(scalar.relation)}"
            case ScalarSubquery():
                return self._subquery(scalar.relation)
            case Quantified():
                quantor = "all" if scalar.all else "any"
                return f"{quantor}{self._subquery(scalar.relation)}[{self.scalar(scalar.condition)}]"

    def _call(self, scalar: Call) -> str:
        name, arguments = scalar.function.name, scalar.arguments
        if name in POSTFIX:
            return f"{self.operand(arguments[0])} {POSTFIX[name]}"
        if name in DISTINCTION:
            return f"{self.operand(arguments[0])} {DISTINCTION[name]} {self.operand(arguments[1])}"
        if name == "not":
            return f"NOT({self.scalar(arguments[0])})"
        if name in INFIX and len(arguments) == 2:
            return f"{self.operand(arguments[0])} {name} {self.operand(arguments[1])}"
        if name in INFIX:
            return f"{name}{self.operand(arguments[0])}"
        if name == "cast" or name.startswith("cast_"):
            return f"{self.operand(arguments[0])}::{scalar.type}"
        return f"{name}({self.scalars(arguments)})"


def _is_operator(scalar: BoundScalar) -> bool:
    if not isinstance(scalar, Call):
        return False
    name = scalar.function.name
    return name in INFIX or name in POSTFIX or name in DISTINCTION
