"""`WHERE x = ANY (ARRAY(SELECT ...))` is `x IN (SELECT ...)`: a semijoin, which looks a changed row up, where the array
of all would be made anew for each change and searched for each row. `<> ALL` is NOT IN.

The order of an array and how often it has an element do not matter to either, an empty one is a relation without rows,
and a NULL in it is a row that is NULL. Elements that are arrays themselves are left alone: ANY looks into them.
"""

from typing import Final

from engine.expr.aggregate import Kind
from engine.expr.membership import AMONG
from engine.expr.membership import elements as elements_of
from engine.expr.overload import call
from engine.expr.scalar import Call, Coalesce, Literal, Ref, Scalar
from engine.plan.facts import Facts
from engine.plan.relation import (
    AggregateCall,
    BoundScalar,
    Filter,
    Map,
    Project,
    Quantified,
    Reduce,
    Relation,
    ScalarSubquery,
    children,
    with_children,
)
from engine.plan.scalars import conjuncts, is_plain

ASKED: Final = {AMONG: ("=", False), "<> all": ("<>", True)}
"""What a function asks of the elements, and whether of all of them."""
COLLECTED: Final = (Kind.ARRAY_AGG, Kind.LIST_AGG)


def join_array_queries(relation: Relation) -> Relation:
    """The bound relation with IN of a query where it asks for an element of the array of that query. O(size)."""
    relation = with_children(relation, tuple(map(join_array_queries, children(relation))))
    if not isinstance(relation, Filter):
        return relation
    before = conjuncts(relation.predicates)
    if all(elements(part) is None for part in before):
        return relation
    width = Facts().arity(relation.input)
    return Filter(relation.input, tuple(as_in(part, width) for part in before))


def as_in(predicate: BoundScalar, width: int) -> BoundScalar:
    """The predicate, over a row of so many columns, as IN or NOT IN if it asks for an element of a query's array."""
    found = elements(predicate)
    if found is None:
        return predicate
    assert isinstance(predicate, Call)
    operator, every = ASKED[predicate.function.name]
    element = found.type
    condition = call(operator, predicate.arguments[0], Ref(width, element, True))
    return Quantified(found.relation, condition, every, width)


def elements(predicate: BoundScalar) -> ScalarSubquery | None:
    """The elements, one a row, of the array of a query that a predicate asks for one; None: it is no such predicate."""
    if not isinstance(predicate, Call) or predicate.function.name not in ASKED:
        return None
    operand, array = predicate.arguments
    if not is_plain(operand) or operand.volatile or not isinstance(array, Coalesce):
        return None
    query, *others = array.arguments
    if not isinstance(query, ScalarSubquery) or [is_empty(other) for other in others] != [True]:
        return None
    match query.relation:
        case Reduce(rows, (), (AggregateCall(overload, (element,), False, None),), True):
            if overload.kind not in COLLECTED or element.type.nesting is not None:
                return None
            return ScalarSubquery(Project(Map(rows, (element,)), (Facts().arity(rows),)), element.type)
        case _:
            return None


def is_empty(array: Scalar) -> bool:
    return isinstance(array, Literal) and elements_of(array) == ()
