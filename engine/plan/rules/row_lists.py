"""`WHERE (a, b) IN ((1, 2), ...)` of many rows, bound as an OR of ANDs, is IN of a relation of these rows: a semijoin;
NOT IN is an antijoin.

The rows of a collection then meet the list by key: a change looks its own row up, and a query that runs once looks the
list's rows up in an index, where the OR would compare each row with each. Only where a filter asks for it to be true,
where false and NULL are one, or to be false: then a row of the list that holds a NULL counts. A list of single values
needs none of it (engine/expr/membership.py searches it).
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import Final, TypeAlias, TypeGuard, cast

from engine import types
from engine.collection.value import Value
from engine.expr.registry import Function
from engine.expr.scalar import INTEGERS, Call, Literal, Logic, Ref, Scalar
from engine.plan.facts import Facts
from engine.plan.predicates import negate, negated
from engine.plan.relation import BoundScalar, Constant, Filter, Quantified, Relation, children, with_children
from engine.plan.rules.fold import folded
from engine.plan.scalars import conjunction, conjuncts, is_plain
from engine.types import SqlType

Test: TypeAlias = tuple[Scalar, Call, Literal]
"""What a comparison asks, the comparison, the value that it asks for."""
EXACT: Final = (*INTEGERS, types.NUMERIC)
"""Numbers of which each is one of the next type too, and equal to it there."""
ROWS_MIN: Final = 64
"""Below it the comparisons one by one cost less than a join."""


def join_row_lists(relation: Relation) -> Relation:
    """The bound relation with its long lists of rows as relations. O(size)."""
    relation = with_children(relation, tuple(map(join_row_lists, children(relation))))
    if not isinstance(relation, Filter):
        return relation
    width = Facts().arity(relation.input) if any(map(asks_list, conjuncts(relation.predicates))) else 0
    return with_predicates(relation, [as_subquery(part, width) for part in conjuncts(relation.predicates)])


def with_predicates(relation: Filter, predicates: Sequence[BoundScalar]) -> Filter:
    same = all(new is old for new, old in zip(predicates, conjuncts(relation.predicates), strict=True))
    return relation if same else Filter(relation.input, tuple(predicates))


def asks_list(predicate: BoundScalar) -> bool:
    return is_long(predicate) or is_long(negated(predicate))


def is_long(predicate: BoundScalar | None) -> TypeGuard[Logic]:
    return isinstance(predicate, Logic) and not predicate.conjunction and len(predicate.arguments) >= ROWS_MIN


def as_subquery(predicate: BoundScalar, width: int) -> BoundScalar:
    """The predicate, over a row of so many columns, as IN or NOT IN of a relation, if it asks such a list."""
    inner = negated(predicate)
    if is_long(inner):
        found = as_in(inner, width, with_nulls=True)
        return predicate if found is None else negate(cast(Scalar, found))
    return (as_in(predicate, width, with_nulls=False) if is_long(predicate) else None) or predicate


def as_in(predicate: Logic, width: int, *, with_nulls: bool) -> Quantified | None:
    """The OR as IN of a relation of its rows, without those that hold a NULL if it is enough to know where it is true.
    None: it is no such list."""
    branches: list[list[Test]] = []
    for argument in predicate.arguments:
        branch = tests(argument)
        if branch is None or (branches and len(branch) != len(branches[0])):
            return None
        branches.append(branch)
    asked: list[tuple[Scalar, Function, SqlType]] = []
    for column in zip(*branches, strict=True):
        operand, test, literal = max(column, key=lambda test: rank(test[2].type))
        if operand.fallible or operand.volatile or not all(alike(other, (operand, test, literal)) for other in column):
            return None
        asked.append((operand, test.function, literal.type))
    kinds = [type for _, _, type in asked]
    rows = dict.fromkeys(
        tuple(of_kind(literal.value, kind) for (_, _, literal), kind in zip(branch, kinds, strict=True))
        for branch in branches
    )
    met = tuple((row, 1) for row in rows if with_nulls or None not in row)
    unknown = {i for row, _ in met for i, value in enumerate(row) if value is None}
    relation = Constant(met, tuple(type for _, _, type in asked))
    equalities = [
        Call(function, (operand, Ref(width + i, type, i in unknown)), predicate.type)
        for i, (operand, function, type) in enumerate(asked)
    ]
    return Quantified(relation, conjunction(equalities), False, width)


def rank(kind: SqlType) -> int:
    """Where a type stands among the numbers that are exact, the narrowest first; 0: it is none."""
    return EXACT.index(kind) + 1 if kind in EXACT else 0


def alike(one: Test, other: Test) -> bool:
    """Whether both ask the same of a column, if the value of the first is taken as one of the second's type: of exact
    numbers it does not matter as which of their types they are compared."""
    if rank(one[2].type) and rank(other[2].type):
        return number(one[0]) == number(other[0])
    return (one[0], one[1].function, one[2].type) == (other[0], other[1].function, other[2].type)


def number(scalar: Scalar) -> Scalar:
    """An exact number as it is before it is made one of a wider type."""
    while isinstance(scalar, Call) and scalar.function.name == "cast":
        (inner,) = scalar.arguments
        if not rank(scalar.type) > rank(inner.type) > 0:
            break
        scalar = inner
    return scalar


def of_kind(value: Value, kind: SqlType) -> Value:
    return Decimal(value) if kind == types.NUMERIC and isinstance(value, int) else value


def tests(branch: Scalar) -> list[Test] | None:
    """What a branch compares with which literals, and how, if it is two or more equalities and nothing else."""
    if not isinstance(branch, Logic) or not branch.conjunction:
        return None
    found: list[Test] = []
    for test in branch.arguments:
        if not isinstance(test, Call) or test.function.name != "=":
            return None
        operand, value = test.arguments
        literal = folded(value)  # DATE '2020-01-01' + 1
        if not isinstance(literal, Literal) or not is_plain(operand):
            return None
        found.append((operand, test, literal))
    return found
