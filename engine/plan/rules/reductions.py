"""Aggregates before a join: where the groups fix what the join meets on, each input is reduced by itself.

Rule   Reduce[k; a, b](A ⋈[x = y] B) = Reduce[k of A, x; a](A) ⋈[x = y] Reduce[k of B, y; b](B), if every equivalence of
       the join has a member among the keys k. An aggregate reads one input; it is one that does not count how often a
       row is there (min, max, DISTINCT), or a row of its input meets one row at most of every other.
When   some input has several rows a group, and no input is cut down by a predicate: else the join may leave few rows to
       reduce. A change on one side of the join then costs a row, not all the rows that it meets.
Error  what may fail stays above the join: a row that meets none must not fail.
From   Yan and Larson, "Eager aggregation and lazy aggregation", VLDB 1995.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, cast

from engine.expr.aggregate import COUNTS, Kind
from engine.expr.scalar import INTEGERS, Ref, Scalar
from engine.plan.facts import Facts
from engine.plan.lowering.joins import without_nulls
from engine.plan.relation import (
    UNIT,
    AggregateCall,
    Distinct,
    Filter,
    Join,
    Let,
    Local,
    Map,
    Project,
    Reduce,
    Relation,
    call_scalars,
    children,
    map_call,
    with_children,
)
from engine.plan.rules.joins import lift, replaced
from engine.plan.scalars import shifted

ONCE: Final = frozenset({Kind.MIN, Kind.MAX, Kind.BOOL_AND, Kind.BOOL_OR})
"""Aggregates that are the same however often a row is there."""


def reduce_below_joins(relation: Relation, facts: Facts) -> Relation:
    """Reduces of joins as joins of reduces. O(size)."""
    if isinstance(relation, Let):
        value = reduce_below_joins(relation.value, facts)
        facts.bind(Let(relation.id, value, UNIT))
        return with_children(relation, (value, reduce_below_joins(relation.body, facts)))
    relation = with_children(relation, tuple(reduce_below_joins(child, facts) for child in children(relation)))
    return split(relation, facts) if isinstance(relation, Reduce) and relation.keys else relation


@dataclass(slots=True)
class Part:
    """An input of the join: what of the reduce is its own, all over its own columns."""

    input: Relation
    start: int
    keys: list[Scalar]
    calls: list[AggregateCall]

    def place(self, key: Scalar) -> int:
        """Where one of its keys is in its row, now a key if it was none."""
        inner = shifted(key, -self.start)
        if inner not in self.keys:
            self.keys.append(inner)
        return self.keys.index(inner)


def split(relation: Reduce, facts: Facts) -> Relation:
    lifted = lift(relation.input, set(), facts)
    if lifted is None or lifted.predicates:
        return relation
    join = lifted.join
    owner = [i for i, branch in enumerate(join.inputs) for _ in range(facts.arity(branch))]
    parts = [Part(branch, owner.index(i) if i in owner else 0, [], []) for i, branch in enumerate(join.inputs)]
    keys = [replaced(cast(Scalar, key), lifted.columns) for key in relation.keys]
    if not all(isinstance(scalar, Ref) for group in join.equivalences for scalar in group):
        return relation
    fixed = {key.index for key in keys if isinstance(key, Ref)}
    if not all(fixed & {cast(Ref, scalar).index for scalar in group} for group in join.equivalences):
        return relation
    if any(narrowed(branch, facts) for branch in join.inputs) or any(key.fallible or key.volatile for key in keys):
        return relation
    tied = {cast(Ref, scalar).index for group in join.equivalences for scalar in group}
    meets_one = [
        facts.unique(part.input, {c - part.start for c in tied if owner[c] == i}) for i, part in enumerate(parts)
    ]
    at: list[tuple[int, int]] = []  # of each key: the part, and which of its keys
    for key in keys:
        own = {owner[column] for column in key.reads}
        if len(own) != 1:
            return relation
        (i,) = own
        at.append((i, parts[i].place(key)))
    given: list[tuple[int, int]] = []  # of each aggregate
    for aggregate in relation.aggregates:
        call = map_call(aggregate, lambda scalar: replaced(cast(Scalar, scalar), lifted.columns))
        i = home(call, owner, meets_one)
        if i is None:
            return relation
        start = parts[i].start
        parts[i].calls.append(map_call(call, lambda scalar, start=start: shifted(cast(Scalar, scalar), -start)))
        given.append((i, len(parts[i].calls) - 1))
    groups = [[(owner[s.index], parts[owner[s.index]].place(s)) for s in cast(tuple[Ref, ...], group)]
              for group in join.equivalences]  # fmt: skip
    if all(one and not part.calls for one, part in zip(meets_one, parts, strict=True)):
        return relation
    if all(is_reduced(part, facts) for part in parts):
        return relation
    inputs = [reduced(part, facts) for part in parts]
    starts = [sum(map(facts.arity, inputs[:i])) for i in range(len(inputs))]
    rows = [facts.columns(branch) for branch in inputs]
    classes = tuple(tuple(Ref(starts[i] + k, *rows[i][k]) for i, k in dict.fromkeys(group)) for group in groups)
    columns = [starts[i] + k for i, k in at] + [starts[i] + len(parts[i].keys) + n for i, n in given]
    return Project(Join(tuple(inputs), tuple(group for group in classes if len(group) > 1)), tuple(columns))


def home(call: AggregateCall, owner: Sequence[int], meets_one: Sequence[bool]) -> int | None:
    """The input that an aggregate is of; None if it can be of none."""
    held = [cast(Scalar, scalar) for scalar in call_scalars(call)]
    if call.order or any(scalar.fallible or scalar.volatile for scalar in held):
        return None
    own = {owner[column] for scalar in held for column in scalar.reads}
    others = [i for i, one in enumerate(meets_one) if not one]
    if not own and len(others) <= 1:
        own = set(others) or {0}
    if len(own) != 1:
        return None
    (i,) = own
    kind = call.overload.kind
    if kind in ONCE or (call.distinct and kind in COUNTS):
        return i
    exact = kind is Kind.SUM and all(parameter.plain in INTEGERS for parameter in call.overload.parameters)
    return i if (kind in COUNTS or exact) and set(others) <= {i} else None


def narrowed(relation: Relation, facts: Facts) -> bool:
    """Whether predicates keep rows of a collection out, for more than a NULL that would meet nothing."""
    match relation:
        case Filter():
            return without_nulls(relation) is None
        case Project() | Map() | Distinct():
            return narrowed(relation.input, facts)
        case Local():
            value = facts.value(relation)
            return value is not None and narrowed(value, facts)
        case _:
            return False


def is_reduced(part: Part, facts: Facts) -> bool:
    """Whether its groups are rows already."""
    plain = [key.index for key in part.keys if isinstance(key, Ref)]
    return facts.unique(part.input, plain)


def reduced(part: Part, facts: Facts) -> Relation:
    """The keys of a part and then its aggregates, a row a group."""
    if part.calls or not is_reduced(part, facts):
        return Reduce(part.input, tuple(part.keys), tuple(part.calls))
    width = facts.arity(part.input)
    computed = [key for key in part.keys if not isinstance(key, Ref)]
    columns = [key.index if isinstance(key, Ref) else width + computed.index(key) for key in part.keys]
    return Project(Map(part.input, tuple(computed)) if computed else part.input, tuple(columns))
