"""The relations that decorrelation makes: joins back on a scope, semijoins, antijoins, defaults for what has no row."""

from collections.abc import Sequence
from itertools import count

from engine import types
from engine.expr.scalar import Ref, Scalar
from engine.plan.decorrelation.bound import highest_let, nested
from engine.plan.decorrelation.failing import Failing
from engine.plan.decorrelation.outer import References
from engine.plan.decorrelation.scope import TOP, Partners, Row, Scope
from engine.plan.facts import Facts
from engine.plan.predicates import (
    Equi,
    not_null_filters,
    plain_columns,
)
from engine.plan.relation import (
    UNIT,
    Constant,
    Distinct,
    Filter,
    Get,
    Join,
    Let,
    Local,
    Map,
    Negate,
    Project,
    Relation,
    Union,
    children,
    scalars,
)
from engine.plan.scalars import (
    FALSE,
    TRUE,
)


class Shapes:
    """Fresh ids for the Lets that are made, and what was learned of the nodes on the way."""

    def __init__(self, relation: Relation) -> None:
        self.ids = count(highest_let(relation) + 1)
        self.facts = Facts()
        self.references = References()
        self.failing = Failing()
        self.scoped: dict[int, Scope] = {}  # recursions that are computed against a scope, by the ids of their rows

    def recurs(self, relation: Relation) -> bool:
        """Whether such a recursion's rows are read anywhere in it."""
        return bool(self.scoped) and bool(self.rounds_in(relation))

    def rounds_in(self, relation: Relation) -> set[int]:
        """The ids of those that are read in it."""
        if isinstance(relation, Local):
            return {relation.id} & self.scoped.keys()
        inner = (found for scalar in scalars(relation) for found in nested(scalar))
        return set().union(*map(self.rounds_in, (*children(relation), *inner)))

    def anybody(self, rows: Relation) -> Scope:
        """What a relation without outer columns is computed against, if that is whether there are such rows."""
        return Scope(Distinct(Project(rows, ())), 0, {})

    def alone(self, relation: Relation, scope: Scope) -> Scope:
        """What a relation is computed against that reads nothing of the scope: where it can fail, whether anybody
        asks."""
        if scope is TOP or not self.failing.may(relation):
            return TOP
        return self.anybody(scope.rows) if scope.width else scope

    def cut(self, relation: Relation, columns: Sequence[int]) -> Relation:
        """Those columns, without a node where they are all of them."""
        every = range(self.facts.arity(relation))
        return relation if tuple(columns) == tuple(every) else Project(relation, tuple(columns))

    def crossed(self, left: Relation, right: Relation) -> Relation:
        return right if left is UNIT else left if right is UNIT else Join((left, right), ())

    def joined_back(self, left: Relation, right: Relation, columns: Sequence[int]) -> Relation:
        """Left, and right without its first columns, which must be the same as left's `columns`."""
        if not columns:
            return self.crossed(left, right)
        width, extra = self.facts.arity(left), self.facts.arity(right)
        own, other = self.facts.refs(left), self.facts.columns(right)
        classes = tuple((own[column], Ref(width + i, *other[i])) for i, column in enumerate(columns))
        return Project(Join((left, right), classes), (*range(width), *range(width + len(columns), width + extra)))

    def shared(self, row: Row, relation: Relation) -> Relation:
        """A stand-in for a relation that is about to be read more than once."""
        if isinstance(relation, Get | Local | Constant):
            return relation
        id_ = next(self.ids)
        row.lets.append((id_, relation))
        self.facts.bind(Let(id_, relation, UNIT))
        columns = self.facts.columns(relation)
        return Local(id_, tuple(type_ for type_, _ in columns), tuple(nullable for _, nullable in columns))

    def added(self, scalar: Scalar, row: Row) -> Ref:
        """The column that the scalar becomes."""
        row.relation = Map(row.relation, (scalar,))
        row.width += 1
        return Ref(row.width - 1, scalar.type, scalar.nullable)

    def semijoin(self, relation: Relation, partners: Partners) -> Relation:
        """The rows that have a partner, each as often as it was there."""
        width = self.facts.arity(relation)
        asking = Filter(relation, partners.asked) if partners.asked else relation
        columns = self.facts.columns(partners.rows)
        classes = tuple((scalar, Ref(width + i, *columns[i])) for i, scalar in enumerate(partners.wanted))
        return self.cut(Join((asking, partners.rows), classes), range(width))

    def antijoin(self, relation: Relation, partners: Partners) -> Relation:
        """The rows that have none."""
        return Union((relation, Negate(self.semijoin(relation, partners))))

    def partners(self, relation: Relation, condition: Equi) -> Partners:
        """Those of an equi-join: the distinct right sides, computed without a look at the left."""
        asked = (*condition.right_only, *not_null_filters(condition.right))
        rows = Filter(relation, asked) if asked else relation
        columns = plain_columns(condition.right)
        if columns is None:
            width = self.facts.arity(rows)
            rows = Map(rows, condition.right)
            columns = range(width, width + len(condition.right))
        return Partners(Distinct(self.cut(rows, columns)), condition.left, condition.left_only)

    def truth(self, partners: Partners, row: Row) -> Ref:
        """Whether each row has a partner, as a column."""
        if not partners.wanted and not partners.asked:
            some = self.shared(row, partners.rows)
            none = Union((UNIT, Negate(some)))
            flag = Union((Map(some, (TRUE,)), Map(none, (FALSE,))))
            row.relation = self.crossed(row.relation, flag)
        else:
            every = self.shared(row, row.relation)
            having = self.shared(row, self.semijoin(every, partners))
            lacking = Union((every, Negate(having)))
            row.relation = Union((Map(having, (TRUE,)), Map(lacking, (FALSE,))))
        row.width += 1
        return Ref(row.width - 1, types.BOOLEAN, nullable=False)

    def defaulted(self, rows: Relation, keys: Relation, default: tuple[Scalar, ...], row: Row) -> Relation:
        """The rows, at most one for each key (their first columns), and the default for the keys without."""
        rows = self.shared(row, rows)
        present = self.cut(rows, range(self.facts.arity(keys)))
        return Union((rows, Map(Union((keys, Negate(present))), default)))
