"""Whether the evaluation of a (bound) relation may fail: then it is asked for before it is computed."""

from engine.plan.decorrelation.bound import at_most_one
from engine.plan.relation import (
    BoundScalar,
    Exists,
    FlatMap,
    LetRec,
    Quantified,
    Relation,
    ScalarSubquery,
    children,
    scalars,
)
from engine.plan.scalars import parts


class Failing:
    """What is known of relations, each looked at once for an object. What a collection or a WITH of the query around it
    holds is computed in any case, so reading it adds no failure."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[Relation, bool]] = {}

    def may(self, relation: Relation) -> bool:
        """Whether some row may make the relation an error."""
        known = self._known.get(id(relation))
        if known is None:
            known = self._known[id(relation)] = (relation, self._may(relation))
        return known[1]

    def _may(self, relation: Relation) -> bool:
        match relation:
            case FlatMap() if relation.function.can_fail:
                return True
            case LetRec() if relation.limit is not None and not relation.returns_at_limit:
                return True
            case _:
                return any(map(self.may_scalar, scalars(relation))) or any(map(self.may, children(relation)))

    def may_scalar(self, scalar: BoundScalar) -> bool:
        """Whether a scalar may fail, or what is nested in it."""
        match scalar:
            case Exists():
                return self.may(scalar.relation)
            case ScalarSubquery():
                return not at_most_one(scalar.relation) or self.may(scalar.relation)
            case Quantified():
                return self.may(scalar.relation) or self.may_scalar(scalar.condition)
            case _:
                return scalar.fallible or any(map(self.may_scalar, parts(scalar)))
