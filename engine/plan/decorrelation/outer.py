"""Free references: which columns of the queries around it a relation or scalar reads. Decorrelate cuts there.

A reference is (depth, column): depth 0 is the row the scalar itself is over, 1 the row of the query around, and so on.
"""

from engine.expr.scalar import Ref
from engine.plan.relation import (
    BoundJoin,
    BoundScalar,
    Exists,
    Outer,
    Quantified,
    Relation,
    ScalarSubquery,
    children,
    scalars,
)
from engine.plan.scalars import parts

Reference = tuple[int, int]


class References:
    """Free references of relations, each computed once for an object."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[Relation, frozenset[Reference]]] = {}

    def of(self, relation: Relation) -> frozenset[Reference]:
        """The columns of outer queries that a relation reads: depth 1 is the row of the query it is nested in."""
        known = self._known.get(id(relation))
        if known is None:
            known = self._known[id(relation)] = (relation, self._of(relation))
        return known[1]

    def _of(self, relation: Relation) -> frozenset[Reference]:
        found: set[Reference] = set()
        if isinstance(relation, BoundJoin) and relation.lateral:
            found |= self.of(relation.left)
            found |= {reference for reference in inward(self.of(relation.right)) if reference[0] > 0}
        else:
            for child in children(relation):
                found |= self.of(child)
        for scalar in scalars(relation):
            found |= {reference for reference in self.of_scalar(scalar) if reference[0] > 0}
        return frozenset(found)

    def of_scalar(self, scalar: BoundScalar) -> set[Reference]:
        """The columns that a scalar reads, its own row's at depth 0."""
        match scalar:
            case Ref():
                return {(0, scalar.index)}
            case Outer():
                return {(scalar.depth, scalar.index)}
            case Exists() | ScalarSubquery():
                return inward(self.of(scalar.relation))
            case Quantified():
                condition = self.of_scalar(scalar.condition)
                return inward(self.of(scalar.relation)) | {
                    (depth, column) for depth, column in condition if depth > 0 or column < scalar.width
                }
            case _:
                return set().union(*map(self.of_scalar, parts(scalar)))


def inward(references: frozenset[Reference]) -> set[Reference]:
    """What a subquery's references are to the row of the query that holds it."""
    return {(depth - 1, column) for depth, column in references}
