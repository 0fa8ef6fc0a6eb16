"""What a bound relation means: nested loops over dictionaries row -> count, each subquery run anew for each row."""

from collections import Counter
from collections.abc import Mapping

from engine.dataflow import graph
from engine.expr.scalar import Call, Case, Coalesce, Logic
from engine.plan.facts import Facts
from engine.plan.relation import (
    AggregateCall,
    BoundJoin,
    Constant,
    Distinct,
    Exists,
    Filter,
    Get,
    Join,
    JoinKind,
    Let,
    Local,
    Map,
    Negate,
    Outer,
    Project,
    Quantified,
    Reduce,
    ScalarSubquery,
    Threshold,
    TopK,
    Union,
)
from engine.plan.scalars import parts
from tests.laws.naive import prefix
from tests.plan.sql_values import EvaluationError, aggregate, apply, evaluate, order_key

Rows = Counter


def nonzero(rows: Counter) -> Counter:
    return Counter({row: count for row, count in rows.items() if count})


class Bound:
    """Runs bound relations over the contents of collections by id.

    `eager` evaluates a scalar also where a CASE or AND before it would not: the errors that a plan may raise.
    """

    def __init__(self, contents: Mapping[int, Counter], *, eager: bool = False) -> None:
        self.contents = contents
        self.eager = eager

    def rows(self, relation, outer: tuple = (), lets: Mapping[int, tuple] | None = None) -> Counter:
        """`outer` are the rows of the queries around, innermost first."""
        lets = lets or {}

        def run(inner) -> Counter:
            return self.rows(inner, outer, lets)

        def value(scalar, row: tuple) -> object:
            return self.value(scalar, row, outer, lets)

        out: Counter = Counter()
        match relation:
            case Get():
                return self.contents[relation.id]
            case Local():
                held, seen = lets[relation.id]
                return self.rows(held, seen[0], seen[1])
            case Let():
                return self.rows(relation.body, outer, {**lets, relation.id: (relation.value, (outer, lets))})
            case Constant():
                for row, count in relation.rows:
                    out[row] += count
            case Project():
                for row, count in run(relation.input).items():
                    out[tuple(row[i] for i in relation.columns)] += count
            case Map():
                for row, count in run(relation.input).items():
                    for scalar in relation.scalars:
                        row = (*row, value(scalar, row))
                    out[row] += count
            case Filter():
                for row, count in run(relation.input).items():
                    if all(value(predicate, row) is True for predicate in relation.predicates):
                        out[row] += count
            case BoundJoin():
                return self.join(relation, outer, lets)
            case Join():
                out[()] = 1
                for branch in relation.inputs:
                    rows = run(branch)
                    out = Counter({(*a, *b): m * n for a, m in out.items() for b, n in rows.items()})
                out = Counter(
                    {
                        row: count
                        for row, count in out.items()
                        if all(len({value(s, row) for s in group}) == 1 for group in relation.equivalences)
                    }
                )
            case Reduce():
                return self.reduce(relation, outer, lets)
            case Distinct():
                out = Counter({row: 1 for row, count in run(relation.input).items() if count > 0})
            case Threshold():
                out = Counter({row: count for row, count in run(relation.input).items() if count > 0})
            case Negate():
                out = Counter({row: -count for row, count in run(relation.input).items()})
            case Union():
                for branch in relation.inputs:
                    for row, count in run(branch).items():
                        out[row] += count
            case TopK():
                out = topk(run(relation.input), relation)
            case _:
                raise AssertionError(relation)
        return nonzero(out)

    def join(self, relation: BoundJoin, outer: tuple, lets: Mapping) -> Counter:
        out: Counter = Counter()
        left = self.rows(relation.left, outer, lets)
        fixed = None if relation.lateral else self.rows(relation.right, outer, lets)
        met: set = set()
        sizes = (width(relation.left), width(relation.right))
        for one, count in left.items():
            right = self.rows(relation.right, (one, *outer), lets) if fixed is None else fixed
            found = False
            for other, times in right.items():
                if self.value(relation.on, (*one, *other), outer, lets) is True:
                    out[(*one, *other)] += count * times
                    found = True
                    met.add(other)
            if not found and relation.kind in (JoinKind.LEFT, JoinKind.FULL):
                out[(*one, *(None,) * sizes[1])] += count
        if relation.kind in (JoinKind.RIGHT, JoinKind.FULL):
            assert fixed is not None
            for other, times in fixed.items():
                if other not in met:
                    out[(*(None,) * sizes[0], *other)] += times
        return nonzero(out)

    def reduce(self, relation: Reduce, outer: tuple, lets: Mapping) -> Counter:
        groups: dict[tuple, list] = {}
        for row, count in self.rows(relation.input, outer, lets).items():
            key = tuple(self.value(scalar, row, outer, lets) for scalar in relation.keys)
            groups.setdefault(key, []).append((row, count))
        if relation.scalar and not groups:
            groups[()] = []
        out: Counter = Counter()
        for key, rows in groups.items():
            results = []
            for call in relation.aggregates:
                kept = [
                    (tuple(self.value(a, row, outer, lets) for a in call.arguments), count)
                    for row, count in rows
                    if self.holds(call, row, outer, lets)
                ]
                if call.distinct:
                    kept = [(arguments, 1) for arguments in {arguments for arguments, _ in kept}]
                results.append(aggregate(call.overload.kind.name, kept))
            out[(*key, *results)] += 1
        return out

    def holds(self, call: AggregateCall, row: tuple, outer: tuple, lets: Mapping) -> bool:
        """Whether the aggregate's FILTER lets the row in."""
        if self.eager:
            for argument in call.arguments:
                self.value(argument, row, outer, lets)
        return call.filter is None or self.value(call.filter, row, outer, lets) is True

    def value(self, scalar, row: tuple, outer: tuple, lets: Mapping) -> object:
        if self.eager:
            for part in parts(scalar):
                self.value(part, row, outer, lets)
        match scalar:
            case Outer():
                return outer[scalar.depth - 1][scalar.index]
            case Exists():
                return bool(self.rows(scalar.relation, (row, *outer), lets))
            case ScalarSubquery():
                found = [
                    r for r, count in self.rows(scalar.relation, (row, *outer), lets).items() for _ in range(count)
                ]
                if len(found) > 1:
                    raise EvaluationError("more than one row")
                return found[0][0] if found else None
            case Quantified():
                found = self.rows(scalar.relation, (row, *outer), lets)
                values = {self.value(scalar.condition, (*row[: scalar.width], *r), outer, lets) for r in found}
                deciding = not scalar.all
                return deciding if deciding in values else None if None in values else not deciding
            case Case():
                for condition, result in scalar.branches:
                    if self.value(condition, row, outer, lets) is True:
                        return self.value(result, row, outer, lets)
                return self.value(scalar.otherwise, row, outer, lets)
            case Coalesce():
                values = (self.value(argument, row, outer, lets) for argument in scalar.arguments)
                return next((value for value in values if value is not None), None)
            case Logic():
                deciding, unknown = not scalar.conjunction, False
                for argument in scalar.arguments:
                    value = self.value(argument, row, outer, lets)
                    if value is deciding:
                        return deciding
                    unknown |= value is None
                return None if unknown else not deciding
            case Call():
                return apply(scalar.function.name, [self.value(a, row, outer, lets) for a in scalar.arguments])
            case _:
                return evaluate(scalar, row)


def topk(rows: Counter, node: TopK | graph.TopK) -> Counter:
    groups: dict[tuple, list] = {}
    for row, count in rows.items():
        assert count > 0
        groups.setdefault(tuple(row[i] for i in node.group), []).append((row, count))
    out: Counter = Counter()
    for members in groups.values():
        members.sort(
            key=lambda member: (
                [order_key(member[0][o.column], o.descending, o.nulls_first) for o in node.order],
                [order_key(value, False, False) for value in member[0]],
            )
        )
        out.update(prefix(members, node.order, node.limit, node.offset, node.ties))
    return out


def width(relation) -> int:
    return Facts().arity(relation)
