"""Well-formed relations: every column that is read exists and has the type that its reader takes it for.

Rules are held to it in the tests; a plan that fails here is our bug, never the client's.
"""

from engine.expr.scalar import Ref
from engine.plan.facts import Facts
from engine.plan.relation import (
    BoundJoin,
    BoundScalar,
    Exists,
    Filter,
    Join,
    Let,
    LetRec,
    Local,
    Map,
    Outer,
    Project,
    Quantified,
    Reduce,
    Relation,
    ScalarSubquery,
    TopK,
    Union,
    Window,
    children,
    scalars,
)
from engine.plan.scalars import parts
from engine.types import SqlType

Row = tuple[SqlType, ...]


def check(relation: Relation) -> None:
    """Assert that a decorrelated relation is well formed. O(size)."""
    _check(relation, Facts(), {})


def _check(relation: Relation, facts: Facts, lets: dict[int, Row]) -> None:
    if isinstance(relation, Let):
        _check(relation.value, facts, lets)
        _check(relation.body, facts, lets | {relation.id: facts.types(relation.value)})
        return
    if isinstance(relation, LetRec):
        lets = lets | dict(zip(relation.ids, relation.types, strict=True))
        for value, row in zip(relation.values, relation.types, strict=True):
            assert plain(facts.types(value)) == plain(row), "a recursive value has other types than stated"
    for child in children(relation):
        _check(child, facts, lets)
    rows = [facts.types(child) for child in children(relation)]
    match relation:
        case Local():
            assert relation.id in lets, f"l{relation.id} is not bound"
            assert relation.types == lets[relation.id], f"l{relation.id} has other types than its value"
        case Project():
            assert all(0 <= column < len(rows[0]) for column in relation.columns), relation.columns
        case TopK():
            read = (*relation.group, *(order.column for order in relation.order))
            assert all(0 <= column < len(rows[0]) for column in read), read
        case Window():
            read = {*relation.partition, *(order.column for order in relation.order)}
            read |= {column for call in relation.calls for column in call.reads()}
            assert all(0 <= column < len(rows[0]) for column in read), read
        case Map():
            row = rows[0]
            for scalar in relation.scalars:
                check_scalar(scalar, row)
                row = (*row, scalar.type)
        case Union():
            assert rows, "a union of nothing has no columns"
            assert all(plain(row) == plain(rows[0]) for row in rows), rows
        case Filter() | Reduce() | Join():
            whole = tuple(type_ for row in rows for type_ in row)
            for scalar in scalars(relation):
                check_scalar(scalar, whole)
        case BoundJoin():
            raise AssertionError("a bound join after decorrelate")
        case _:
            for scalar in scalars(relation):
                check_scalar(scalar, rows[0])


def plain(row: Row) -> Row:
    return tuple(type_.plain for type_ in row)


def check_scalar(scalar: BoundScalar, row: Row) -> None:
    assert not isinstance(scalar, Outer | Exists | ScalarSubquery | Quantified), f"{scalar} after decorrelate"
    if isinstance(scalar, Ref):
        assert 0 <= scalar.index < len(row), f"#{scalar.index} of a row of {len(row)} columns"
        assert scalar.type.plain == row[scalar.index].plain, f"#{scalar.index} is a {row[scalar.index]}"
    for part in parts(scalar):
        check_scalar(part, row)
