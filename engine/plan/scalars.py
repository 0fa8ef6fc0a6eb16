"""Reading and rewriting scalars: what every stage of the planner does to the expressions inside relations.

All functions keep identity: a scalar in which nothing changes is returned as the very object, so passes can tell by
`is` that they are done. Subqueries are leaves here; decorrelate opens them itself.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import is_
from typing import Final, TypeGuard, cast

from engine import types
from engine.collection.wanted import ask
from engine.expr.scalar import Call, Case, Coalesce, Literal, Logic, Ref, Scalar
from engine.plan.relation import BoundScalar, Exists, Outer, Quantified, ScalarSubquery
from engine.types import SqlType

TRUE: Final = Literal(True, types.BOOLEAN)
FALSE: Final = Literal(False, types.BOOLEAN)


def parts(scalar: BoundScalar) -> tuple[BoundScalar, ...]:
    """The scalars that a scalar is made of."""
    ask()
    match scalar:
        case Call() | Coalesce() | Logic():
            return scalar.arguments
        case Case():
            return (*(part for branch in scalar.branches for part in branch), scalar.otherwise)
        case Ref() | Literal() | Outer() | Exists() | ScalarSubquery() | Quantified():
            return ()


def with_parts(scalar: BoundScalar, new: tuple[BoundScalar, ...]) -> BoundScalar:
    """The scalar made of other parts; itself if they are the very objects that it has."""
    if all(map(is_, new, parts(scalar))):
        return scalar
    made = cast(tuple[Scalar, ...], new)
    match scalar:
        case Call():
            return Call(scalar.function, made, scalar.type)
        case Coalesce():
            return Coalesce(made, scalar.type)
        case Logic():
            return Logic(scalar.conjunction, made)
        case Case():
            return Case(tuple(zip(made[:-1:2], made[1::2], strict=True)), made[-1], scalar.type)
        case _:
            return scalar


def rewrite(scalar: Scalar, change: Callable[[Scalar], Scalar]) -> Scalar:
    """Each part rewritten, then the scalar itself changed: bottom up."""
    below = parts(scalar)
    if below:
        new = tuple(rewrite(cast(Scalar, part), change) for part in below)
        scalar = cast(Scalar, with_parts(scalar, new))
    return change(scalar)


def map_refs(scalar: Scalar, change: Callable[[Ref], Scalar]) -> Scalar:
    """The scalar over another row."""
    ask()
    if type(scalar) is Ref:
        return change(scalar)
    if type(scalar) is Literal:
        return scalar
    return cast(Scalar, with_parts(scalar, tuple(map_refs(cast(Scalar, part), change) for part in parts(scalar))))


def moved(scalar: Scalar, to: Mapping[int, int] | Sequence[int]) -> Scalar:
    """The scalar with column i read at `to[i]`."""
    return map_refs(
        scalar, lambda ref: ref if to[ref.index] == ref.index else Ref(to[ref.index], ref.type, ref.nullable)
    )


def shifted(scalar: Scalar, by: int) -> Scalar:
    """The scalar over a row that has `by` more columns in front."""
    return map_refs(scalar, lambda ref: Ref(ref.index + by, ref.type, ref.nullable)) if by else scalar


def all_columns_read(scalars: Iterable[Scalar]) -> set[int]:
    """The columns that any of the scalars reads."""
    return set().union(*(scalar.reads for scalar in scalars))


def is_plain(scalar: BoundScalar) -> TypeGuard[Scalar]:
    """Whether no subquery and no outer column is in it."""
    if isinstance(scalar, Outer | Exists | ScalarSubquery | Quantified):
        return False
    return all(is_plain(part) for part in parts(scalar))


def conjuncts(predicates: Iterable[BoundScalar]) -> list[BoundScalar]:
    """The predicates with every AND taken apart, in the order of evaluation."""
    flat: list[BoundScalar] = []
    for predicate in predicates:
        if isinstance(predicate, Logic) and predicate.conjunction:
            flat.extend(conjuncts(predicate.arguments))
        else:
            flat.append(predicate)
    return flat


def conjunction(predicates: Sequence[Scalar]) -> Scalar:
    """The predicates as one, in their order."""
    return TRUE if not predicates else predicates[0] if len(predicates) == 1 else Logic(True, tuple(predicates))


def null(type_: SqlType) -> Literal:
    """The NULL of a type."""
    return Literal(None, type_)
