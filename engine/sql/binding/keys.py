"""Where SQL asks whether values are equal, and the engine whether words are.

A double has two zeros, and SQL takes them for one: 0 = -0. The engine keeps them apart, so that a value is what was
stored. The law: what is compared for equality, grouped, made distinct or put in order by its value goes through
`as_key` when it is bound. After the binder equal means equal words, so that no rule or operator has to know of it; and
what a group or a DISTINCT shows is 0, whichever of its rows came first.
"""

from collections.abc import Sequence
from dataclasses import replace

from engine.collection.value import MinusZero
from engine.dataflow.graph import Order
from engine.expr.functions.planner import unsigned_zero
from engine.expr.scalar import Call, Literal, Ref
from engine.plan.relation import BoundScalar, Distinct, Map, Project, Relation, TopK
from engine.types import Physical, SqlType


def as_key(scalar: BoundScalar) -> BoundScalar:
    """The scalar as what it is compared by."""
    if not has_two_zeros(scalar.type) or not may_be_minus_zero(scalar):
        return scalar
    if isinstance(scalar, Literal):
        return Literal(0.0, scalar.type)
    return Call(unsigned_zero(scalar.type), (scalar,), scalar.type)  # pyright: ignore[reportArgumentType]


def has_two_zeros(type: SqlType) -> bool:
    return type.physical is Physical.FLOAT


def may_be_minus_zero(scalar: BoundScalar) -> bool:
    """Whether the scalar, which is a double, may be -0: not what is known to be another number, or came of an exact
    one."""
    match scalar:
        case Literal():
            return isinstance(scalar.value, MinusZero)
        case Call() if scalar.function.name == "unsigned_zero":
            return False
        case Call() if scalar.function.name == "cast":
            source = scalar.arguments[0]
            exact = source.type.physical in (Physical.SIGNED, Physical.UNSIGNED, Physical.DECIMAL)
            return not exact and (not has_two_zeros(source.type) or may_be_minus_zero(source))
        case _:
            return True


def compared(scalars: Sequence[BoundScalar]) -> tuple[BoundScalar, ...]:
    """The arguments of an equality. Beside a number that is not 0 there is nothing to take for it."""
    if any(isinstance(scalar, Literal) and scalar.value for scalar in scalars):
        return tuple(scalars)
    return tuple(map(as_key, scalars))


def compared_with_each(operand: BoundScalar, others: Sequence[BoundScalar]) -> list[BoundScalar]:
    """The arguments of several equalities that have one side in common, which stays the same for all."""
    plain = all(compared((operand, other))[0] is operand for other in others)
    return [operand if plain else as_key(operand), *map(as_key, others)]


def distinct(relation: Relation, columns: Sequence[SqlType]) -> Relation:
    """The distinct rows of the relation, which has these columns."""
    return Distinct(as_keys(relation, columns))


def as_keys(relation: Relation, columns: Sequence[SqlType]) -> Relation:
    """The rows as what they are compared by."""
    wide, places = _with_keys(relation, columns, range(len(columns)))
    return relation if wide is relation else Project(wide, tuple(places[i] for i in range(len(columns))))


def cut(
    relation: Relation, columns: Sequence[SqlType], group: Sequence[int], order: Sequence[Order], limit: int | None,
    offset: int = 0,
) -> Relation:  # fmt: skip
    """The first rows of each group: a TopK by what group and order compare by."""
    wide, places = _with_keys(relation, columns, [*group, *(item.column for item in order)])
    by = tuple(replace(item, column=places[item.column]) for item in order)
    found = TopK(wide, tuple(places[column] for column in group), by, limit, offset)
    return found if wide is relation else Project(found, tuple(range(len(columns))))


def _with_keys(
    relation: Relation, columns: Sequence[SqlType], compared: Sequence[int]
) -> tuple[Relation, dict[int, int]]:
    """The relation with, behind its columns, what those of `compared` that have two zeros are compared by; and where
    each column's key is."""
    made: list[BoundScalar] = []
    places: dict[int, int] = {}
    for column in dict.fromkeys(compared):
        places[column] = column
        if has_two_zeros(columns[column]):
            places[column] = len(columns) + len(made)
            made.append(as_key(Ref(column, columns[column])))
    return (Map(relation, tuple(made)) if made else relation), places
