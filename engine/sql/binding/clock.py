"""now() in what is kept up to date: as a bound of a temporal filter it is the time of the tick, so it becomes mz_now().

`at > now() - interval '1 hour'` says what `mz_now() < at + interval '1 hour'` says, but to the microsecond: both sides
move by the same length, which is a constant of days and less (a month is no fixed length, so it cannot be moved).
"""

from dataclasses import replace
from decimal import Decimal
from typing import Final

from engine import types
from engine.collection.value import Interval
from engine.expr import overload
from engine.expr.functions.system import UNMATERIALIZABLE
from engine.expr.scalar import Call, Literal, Scalar
from engine.plan.relation import BoundScalar, Filter, Relation
from engine.plan.rules.fold import folded
from engine.plan.scalars import conjuncts
from engine.plan.temporal import MIRRORED
from engine.sql.binding.tree import rewrite

CLOCKS: Final = frozenset(
    {"now", "current_timestamp", "transaction_timestamp", "statement_timestamp", "clock_timestamp", "localtimestamp"}
)
STAMPS: Final = (types.TIMESTAMP, types.TIMESTAMPTZ)
(MZ_NOW,) = (function for function in UNMATERIALIZABLE if function.name == "mz_now")
BACK: Final = {"+": "-", "-": "+"}


def ticking(relation: Relation) -> Relation:
    """The relation with mz_now() in the place of now() in its temporal filters."""

    def change(node: Relation) -> Relation:
        if not isinstance(node, Filter):
            return node
        changed = [(predicate, _by_tick(predicate)) for predicate in conjuncts(node.predicates)]
        if all(by_tick is None for _, by_tick in changed):
            return node
        return replace(node, predicates=tuple(by_tick or predicate for predicate, by_tick in changed))

    return rewrite(relation, change)


def _by_tick(predicate: BoundScalar) -> BoundScalar | None:
    """A comparison with now() as one with mz_now(); None where it is no such comparison."""
    if type(predicate) is not Call or predicate.function.name not in MIRRORED or len(predicate.arguments) != 2:
        return None
    left, right = predicate.arguments
    operator = predicate.function.name
    moves = _moves(left)
    if moves is None:
        left, right, operator = right, left, MIRRORED[operator]
        moves = _moves(left)
    if moves is None or right.type not in STAMPS or right.volatile:
        return None
    for sign, length in moves:
        right = overload.call(BACK[sign], right, length)
    seconds = overload.call("extract", Literal("epoch", types.TEXT), right)
    milliseconds = overload.call("*", seconds, Literal(Decimal(1000), types.NUMERIC))
    return overload.call(operator, Call(MZ_NOW, (), MZ_NOW.result), milliseconds)


def _moves(scalar: BoundScalar) -> list[tuple[str, Scalar]] | None:
    """What is added to now() and taken from it, the last first; None if it is not now() that is moved."""
    if type(scalar) is not Call:
        return None
    name, arguments = scalar.function.name, scalar.arguments
    if name in CLOCKS and not arguments:
        return []
    if name == "cast" and scalar.type in STAMPS and arguments[0].type in STAMPS:
        return _moves(arguments[0])
    if name not in BACK or len(arguments) != 2:
        return None
    moved, length = arguments
    if name == "+" and moved.type == types.INTERVAL:
        moved, length = length, moved
    inner = _moves(moved)
    if inner is None or not _is_constant(length):
        return None
    found = folded(length)
    fixed = isinstance(found, Literal) and isinstance(found.value, Interval) and found.value.months == 0
    return [(name, found), *inner] if fixed else None


def _is_constant(scalar: BoundScalar) -> bool:
    if type(scalar) is Call:
        return not scalar.function.volatile and all(map(_is_constant, scalar.arguments))
    return type(scalar) is Literal
