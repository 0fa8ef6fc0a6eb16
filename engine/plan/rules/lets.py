"""WITH: a value that is read once, or that keeps no state, goes where it is read; what is never read goes.

Cost   two walks: one finds, body before value, how often each name is read once those inside it have gone; the other
       puts values where they are read. O(size of the result), however many names stand in a chain.
"""

from collections import Counter

from engine.expr.scalar import Made
from engine.plan.facts import Facts
from engine.plan.relation import (
    Constant,
    Filter,
    Get,
    Let,
    Local,
    Map,
    Project,
    Relation,
    children,
    scalars,
    with_children,
)


def inline_lets(relation: Relation, facts: Facts) -> Relation:
    """Lets kept only where they share a state."""
    inlining = Inlining()
    inlining.count(relation, 1)
    return inlining.put(relation)


class Inlining:
    """One run. Ids are unique, and every reader of a name stands in the body of its Let."""

    def __init__(self) -> None:
        self.reads: Counter[int] = Counter()
        self.going: set[int] = set()
        self.values: dict[int, Relation] = {}  # of those that go, with what goes into them put in

    def count(self, relation: Relation, times: int) -> None:
        """Note the reads in a relation that will stand `times` times in the result."""
        match relation:
            case Local():
                self.reads[relation.id] += times
            case Let():
                self.count(relation.body, times)
                reads = self.reads[relation.id]
                if reads <= times or stateless(relation.value):
                    self.going.add(relation.id)
                    times = reads
                if times:
                    self.count(relation.value, times)
            case _:
                for child in children(relation):
                    self.count(child, times)

    def put(self, relation: Relation) -> Relation:
        """The relation with the values in place of the names that go."""
        match relation:
            case Local():
                return self.values.get(relation.id, relation)
            case Let() if relation.id in self.going:
                if self.reads[relation.id]:
                    self.values[relation.id] = self.put(relation.value)
                return self.put(relation.body)
            case Let():
                made = with_children(relation, (self.put(relation.value), self.put(relation.body)))
                return flat(made) if isinstance(made, Let) else made
            case _:
                return with_children(relation, tuple(map(self.put, children(relation))))


def flat(relation: Let) -> Relation:
    """One list of shared relations, not a tree: those that the value stands on come before it."""
    before: list[Let] = []
    value = relation.value
    while isinstance(value, Let):
        before.append(value)
        value = value.body
    made = relation if value is relation.value else Let(relation.id, value, relation.body)
    for let in reversed(before):
        made = Let(let.id, let.value, made)
    return made


def stateless(relation: Relation) -> bool:
    """Whether reading it twice costs no second state, and is the same twice: a collection through maps and filters, of
    which none is by chance."""
    while isinstance(relation, Project | Map | Filter):
        if any(isinstance(scalar, Made) and scalar.volatile for scalar in scalars(relation)):
            return False
        relation = relation.input
    return isinstance(relation, Get | Local | Constant)
