"""Constant folding in scalars: what literals and boolean logic decide without looking at a row."""

from dataclasses import replace
from typing import Final, cast

from engine import types
from engine.collection.heap import Heap
from engine.collection.words import literal_of
from engine.expr.evaluate import Context, evaluate
from engine.expr.overload import cast as cast_to
from engine.expr.registry import OnNull
from engine.expr.scalar import Call, Case, Coalesce, Literal, Logic, Scalar
from engine.plan.facts import Facts
from engine.plan.predicates import EQUALITIES, negate, negated, not_null_tested, null_tested, test
from engine.plan.relation import BoundScalar, Relation, children, map_scalars, with_children
from engine.plan.scalars import FALSE, TRUE, conjunction, conjuncts, null, parts, with_parts
from engine.types import CastContext

COMPARED_MAX: Final = 16
"""Arguments of an AND or OR that are compared with each other: an IN list of thousands is not."""
ONE_TO_ONE: Final = {
    types.SMALLINT: (types.INTEGER, types.BIGINT, types.NUMERIC, types.REAL, types.DOUBLE),
    types.INTEGER: (types.BIGINT, types.NUMERIC, types.DOUBLE),
    types.BIGINT: (types.NUMERIC,),
    types.DATE: (types.TIMESTAMP,),
}
"""Conversions that give each value a value of its own."""


def fold(relation: Relation, facts: Facts) -> Relation:
    """Each scalar of the relation folded."""
    below = tuple(fold(child, facts) for child in children(relation))
    return map_scalars(with_children(relation, below), folded_bound)


def folded_bound(scalar: BoundScalar) -> BoundScalar:
    return folded(scalar)  # pyright: ignore[reportArgumentType]  (decorrelate has removed the bound nodes)


def folded(scalar: Scalar, negative: bool = False) -> Scalar:
    """The scalar, or its NOT, with every part that is decided replaced by what it is. O(size).

    A NOT goes down with the walk to the comparisons, where it is the opposite one: NOTs of NOTs are one walk.
    """
    inner = negated(scalar)
    if inner is not None:
        made = folded(inner, not negative)
        return scalar if not negative and made == scalar else made
    if not negative:
        below = parts(scalar)
        new = tuple([folded(cast(Scalar, part)) for part in below])
        return fold_one(cast(Scalar, with_parts(scalar, new))) if below else scalar
    if isinstance(scalar, Logic):
        return fold_logic(Logic(not scalar.conjunction, tuple([folded(part, True) for part in scalar.arguments])))
    plain = folded(scalar)
    return fold_one(negate(plain)) if negated(plain) is None else negate(plain)


def fold_one(scalar: Scalar) -> Scalar:
    match scalar:
        case Logic():
            return fold_logic(scalar)
        case Case():
            return fold_case(scalar)
        case Coalesce():
            return fold_coalesce(scalar)
        case Call():
            return fold_call(scalar)
        case _:
            return scalar


def fold_logic(scalar: Logic) -> Scalar:
    """Neutral arguments go; a deciding one ends the list (those after it are never evaluated)."""
    neutral, deciding = (TRUE, FALSE) if scalar.conjunction else (FALSE, TRUE)
    kept: list[Scalar] = []
    arguments = flattened(scalar)
    few = len(arguments) <= COMPARED_MAX
    for argument in arguments:
        if argument == neutral or (few and not argument.volatile and argument in kept):
            continue
        kept.append(argument)
        if argument == deciding:
            break
    if not kept:
        return neutral
    if kept[-1] == deciding and not any(argument.fallible for argument in kept):
        return deciding
    if len(kept) == 1:
        return kept[0]
    if few and not scalar.conjunction:
        common = factored(kept)
        if common is not None:
            return common
    return scalar if tuple(kept) == scalar.arguments else Logic(scalar.conjunction, tuple(kept))


def factored(branches: list[Scalar]) -> Scalar | None:
    """An OR whose branches have conjuncts in common, with these once and in front: a join condition that every branch
    repeats is a key then. None if there are none. Only what cannot fail comes forward."""
    parts = [conjuncts((branch,)) for branch in branches]
    others = [frozenset(branch) for branch in parts[1:]]
    movable = [p for p in dict.fromkeys(parts[0]) if not p.fallible and not p.volatile]
    common = [p for p in movable if all(p in other for other in others)]
    if not common:
        return None
    rest = [[part for part in branch if part not in common] for branch in parts]
    first = cast(list[Scalar], common)
    if all(rest):
        first = [*first, fold_logic(Logic(False, tuple(conjunction(cast(list[Scalar], branch)) for branch in rest)))]
    return conjunction(first)


def flattened(scalar: Logic) -> list[Scalar]:
    if scalar.conjunction:
        return [part for part in conjuncts(scalar.arguments)]  # pyright: ignore[reportReturnType]
    flat: list[Scalar] = []
    for argument in scalar.arguments:
        flat.extend(flattened(argument) if isinstance(argument, Logic) and not argument.conjunction else [argument])
    return flat


def fold_case(scalar: Case) -> Scalar:
    branches: list[tuple[Scalar, Scalar]] = []
    otherwise = scalar.otherwise
    for condition, result in scalar.branches:
        if isinstance(condition, Literal):
            if condition.value is True:
                otherwise = result
                break
        else:
            branches.append((condition, result))
    if not branches:
        return otherwise
    if len(branches) == len(scalar.branches):
        return scalar
    return Case(tuple(branches), otherwise, scalar.type)


def fold_coalesce(scalar: Coalesce) -> Scalar:
    kept: list[Scalar] = []
    for argument in scalar.arguments:
        if is_null(argument):
            continue
        kept.append(argument)
        if not argument.nullable:
            break
    if not kept:
        return null(scalar.type)
    if len(kept) == 1 and kept[0].type == scalar.type:
        return kept[0]
    return scalar if len(kept) == len(scalar.arguments) else Coalesce(tuple(kept), scalar.type)


def fold_call(scalar: Call) -> Scalar:
    tested = null_tested(scalar)
    if tested is not None and not tested.nullable and not tested.fallible:
        return FALSE
    tested = not_null_tested(scalar)
    if tested is not None and not tested.nullable and not tested.fallible:
        return TRUE
    if all(isinstance(argument, Literal) for argument in scalar.arguments) and not scalar.function.volatile:
        return constant(scalar)
    given = not any(argument.fallible or argument.volatile for argument in scalar.arguments)
    if given and scalar.function.on_null is OnNull.STRICT and any(map(is_null, scalar.arguments)):
        return null(scalar.type)
    return beside_a_constant(beside_a_number(scalar)) if scalar.function.name in EQUALITIES else scalar


def is_null(scalar: Scalar) -> bool:
    return isinstance(scalar, Literal) and scalar.value is None


def beside_a_number(scalar: Call) -> Call:
    """An equality with a literal other than 0: that the other side's zeros are one zero says nothing then, and the
    column itself may have an index."""
    if not any(isinstance(argument, Literal) and argument.value for argument in scalar.arguments):
        return scalar
    plain = (a.arguments[0] if type(a) is Call and a.function.name == "unsigned_zero" else a for a in scalar.arguments)
    return replace(scalar, arguments=tuple(plain))


def beside_a_constant(scalar: Call) -> Call:
    """An equality of what is converted one to one with a literal: of the value itself with the literal converted back,
    as it may have an index. No change where no value becomes that literal."""
    for one, other in (scalar.arguments, scalar.arguments[::-1]):
        if not isinstance(one, Call) or one.function.name != "cast" or not isinstance(other, Literal):
            continue
        (inner,) = one.arguments
        if one.type != one.type.plain or one.type not in ONE_TO_ONE.get(inner.type.plain, ()) or other.value is None:
            continue
        back = fold_one(cast_to(other, inner.type.plain, CastContext.EXPLICIT))
        if isinstance(back, Literal) and fold_one(cast_to(back, one.type, CastContext.EXPLICIT)) == other:
            return cast(Call, test(scalar.function.name, inner, back))
    return scalar


def constant(scalar: Call) -> Scalar:
    """The value of a call of literals, computed on a heap of its own; the call if it fails: rows may not reach it."""
    heap = Heap()
    value = evaluate(scalar, (), 1, Context(heap))
    if value.errors is not None and value.errors[0]:
        return scalar
    return Literal(literal_of(value, scalar.type, heap), scalar.type)
