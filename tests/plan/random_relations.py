"""Random bound relations over three small tables of nullable integers, with subqueries in every position."""

from collections import Counter
from random import Random

from engine import types
from engine.dataflow.graph import Order, Ties
from engine.expr.aggregate import Kind, Overload
from engine.expr.scalar import Case, Coalesce, Literal, Logic, Ref
from engine.plan.relation import (
    UNIT,
    AggregateCall,
    BoundJoin,
    Constant,
    Distinct,
    Exists,
    Filter,
    Get,
    JoinKind,
    Let,
    Local,
    Map,
    Negate,
    Outer,
    Project,
    Quantified,
    Reduce,
    Relation,
    ScalarSubquery,
    Threshold,
    TopK,
    Union,
)
from engine.types import Column
from tests.plan.sql_values import call

INT = types.INTEGER
TABLES = (
    Get(1, "r", (Column("a", INT), Column("b", INT))),
    Get(2, "s", (Column("k", INT, nullable=False), Column("v", INT)), keys=((0,),)),
    Get(3, "t", (Column("x", INT, nullable=False), Column("y", INT, nullable=False), Column("z", INT))),
)
SUM = Overload("sum", Kind.SUM, (INT,), INT)
MIN = Overload("min", Kind.MIN, (INT,), INT)
COUNT = Overload("count", Kind.COUNT, (types.ANY,), INT)
COUNT_ROWS = Overload("count", Kind.COUNT_ROWS, (), INT)


def contents(random: Random) -> dict[int, Counter]:
    """Rows for the tables: few values, duplicates, NULLs where they may be."""

    def value(nullable: bool) -> int | None:
        return None if nullable and random.random() < 0.2 else random.randrange(4)

    found: dict[int, Counter] = {}
    for table in TABLES:
        rows: Counter = Counter()
        for _ in range(random.choice((0, 1, 3, 6))):
            row = tuple(value(column.nullable) for column in table.columns)
            if table.keys and any(other[0] == row[0] for other in rows):
                continue
            rows[row] += 1 if table.keys else random.choice((1, 1, 2))
        found[table.id] = rows
    return found


class Generator:
    """Relations of one to three integer columns. `outers` are the widths of the rows around, innermost first.

    `fallible` puts divisions in; `flat` leaves subqueries and lateral joins out.
    """

    def __init__(self, random: Random, *, fallible: bool = False, flat: bool = False) -> None:
        self.random = random
        self.fallible = fallible
        self.flat = flat
        self.lets = 0

    def relation(self, depth: int, outers: tuple[int, ...] = (), lets: tuple[Local, ...] = ()):
        """(relation, width)."""
        random = self.random
        if depth <= 0:
            leaf = random.choice((*TABLES, *TABLES, *lets, "constant"))
            if leaf == "constant":
                rows = tuple(
                    ((random.choice((None, 0, 1, 2)),), random.choice((1, 2))) for _ in range(random.randrange(3))
                )
                return Constant(rows, (INT,)), 1
            return leaf, len(leaf.columns) if isinstance(leaf, Get) else len(leaf.types)
        kinds = (
            "filter filter filter map map join join join lateral reduce reduce global distinct topk union except let"
        )
        kind = random.choice(kinds.split())
        inner, width = self.relation(depth - 1, outers, lets)
        match kind:
            case "filter":
                predicates = tuple(
                    self.predicate(depth - 1, width, outers, lets) for _ in range(random.choice((1, 1, 2)))
                )
                return Filter(inner, predicates), width
            case "map":
                scalars = [self.scalar(depth - 1, width, outers, lets)]
                if random.random() < 0.3:
                    scalars.append(self.scalar(depth - 1, width + 1, outers, lets))
                total = width + len(scalars)
                columns = tuple(random.sample(range(total), min(total, random.choice((1, 2, 3)))))
                return Project(Map(inner, tuple(scalars)), columns), len(columns)
            case "join" | "lateral":
                lateral = kind == "lateral" and not self.flat
                other, extra = self.relation(random.randrange(depth), (width, *outers) if lateral else outers, lets)
                kinds = (JoinKind.INNER, JoinKind.LEFT) if lateral else tuple(JoinKind)
                on = self.predicate(random.randrange(depth), width + extra, outers, lets, split=width)
                joined = BoundJoin(inner, other, on, random.choice(kinds), lateral)
                columns = tuple(random.sample(range(width + extra), min(width + extra, 3)))
                return Project(joined, columns), len(columns)
            case "reduce" | "global":
                keys = () if kind == "global" else (self.scalar(depth - 2, width, outers, lets),)
                calls = tuple(self.aggregate(depth - 2, width, outers, lets) for _ in range(random.choice((1, 1, 2))))
                return Reduce(inner, keys, calls, scalar=not keys), len(keys) + len(calls)
            case "distinct":
                return Distinct(inner), width
            case "topk":
                group = tuple(sorted(random.sample(range(width), random.randrange(width))))
                order = tuple(
                    Order(column, random.random() < 0.5, random.random() < 0.5)
                    for column in random.sample(range(width), width)
                )
                limit, ties = random.choice((0, 1, 2, None)), random.choice(tuple(Ties))
                offset = 0 if ties is Ties.COUNTED else random.choice((0, 0, 1))
                if ties is not Ties.CUT and not offset:  # which of its peers a cut keeps, no query may depend on
                    order = order[: random.choice((width, 1))]
                return TopK(inner, group, order, limit, offset, ties), width
            case "union" | "except":
                other, extra = self.relation(random.randrange(depth), outers, lets)
                common = min(width, extra)
                branches = (Project(inner, tuple(range(common))), Project(other, tuple(range(common))))
                if kind == "union":
                    return Union(branches), common
                if random.random() < 0.5:
                    branches = (Distinct(branches[0]), Distinct(branches[1]))
                return Threshold(Union((branches[0], Negate(branches[1])))), common
            case "let":
                self.lets += 1
                local = Local(self.lets, (INT,) * width)
                body, extra = self.relation(depth - 1, outers, (*lets, local, local))
                return Let(local.id, inner, body), extra
        raise AssertionError(kind)

    def grouped_join(self) -> Relation:
        """Groups of what two relations meet on, and perhaps of more; aggregates of either side."""
        random = self.random
        (left, a), (right, b) = self.relation(random.randrange(2)), self.relation(random.randrange(2))
        one, other = Ref(random.randrange(a), INT), Ref(a + random.randrange(b), INT)
        joined = BoundJoin(left, right, call("=", one, other), JoinKind.INNER)
        keys = [random.choice((one, other)), *(Ref(random.randrange(a + b), INT) for _ in range(random.randrange(3)))]
        calls = []
        for _ in range(random.choice((0, 1, 1, 2))):
            overload = random.choice((SUM, MIN, COUNT, COUNT_ROWS))
            argument = () if overload is COUNT_ROWS else (Ref(random.randrange(a + b), INT),)
            calls.append(AggregateCall(overload, argument, distinct=bool(argument) and random.random() < 0.3))
        return Reduce(joined, tuple(keys), tuple(calls))

    def scalar(self, depth: int, width: int, outers, lets):
        """An integer over a row."""
        random = self.random
        pick = random.random()
        if pick < 0.45 and width:
            return Ref(random.randrange(width), INT)
        if pick < 0.55:
            return Literal(random.choice((None, 0, 1, 2)), INT)
        if pick < 0.70:
            outer = self.outer(outers)
            if outer is not None:
                return outer
        if depth > 0 and pick < 0.85 and not self.flat:
            relation, inner = self.relation(depth - 1, (width, *outers), lets)
            if random.random() < 0.6:
                relation = Reduce(relation, (), (self.aggregate(0, inner, (width, *outers), lets),), scalar=True)
            elif inner > 1:
                relation = Project(relation, (0,))
            return ScalarSubquery(relation, INT)
        if pick < 0.9 and depth >= 0:
            condition = self.predicate(depth - 1, width, outers, lets)
            one, other = self.scalar(0, width, outers, lets), self.scalar(0, width, outers, lets)
            return Case(((condition, one),), other, INT)
        name = "/" if self.fallible and random.random() < 0.5 else "+"
        return call(name, self.scalar(-1, width, outers, lets), self.scalar(-1, width, outers, lets))

    def outer(self, outers: tuple[int, ...]) -> Outer | None:
        depths = [depth for depth, width in enumerate(outers, 1) if width]
        if not depths:
            return None
        depth = self.random.choice(depths)
        return Outer(depth, self.random.randrange(outers[depth - 1]), INT)

    def predicate(self, depth: int, width: int, outers, lets, split: int | None = None):
        """A boolean over a row; `split` makes an equality between the two sides of a join likely."""
        random = self.random
        pick = random.random()
        if split and split < width and pick < 0.6:
            one, other = Ref(random.randrange(split), INT), Ref(random.randrange(split, width), INT)
            if self.fallible and random.random() < 0.5:
                one = call("/", one, Ref(random.randrange(split), INT))
            if self.fallible and random.random() < 0.3:
                other = call("/", other, Ref(random.randrange(split, width), INT))
            equal = call("=", one, other)
            if random.random() < 0.5:
                return equal
            parts = (equal, self.predicate(depth - 1, width, outers, lets))
            return Logic(True, parts if random.random() < 0.7 else parts[::-1])
        if outers and pick < 0.3 and width:
            outer = self.outer(outers)
            if outer is not None:
                return call(random.choice(("=", "=", "<")), Ref(random.randrange(width), INT), outer)
        if depth > 0 and pick < 0.55 and not self.flat:
            relation, inner = self.relation(depth - 1, (width, *outers), lets)
            if random.random() < 0.5 or not inner:
                found = Exists(relation)
            else:
                operand = self.scalar(0, width, outers, lets)
                name = random.choice(("=", "=", "<>", "<"))
                condition = call(name, operand, Ref(width + random.randrange(inner), INT))
                found = Quantified(relation, condition, name == "<>" or random.random() < 0.2, width)
            return call("not", found) if random.random() < 0.3 else found
        if pick < 0.7:
            test = call("is_null", self.scalar(depth - 1, width, outers, lets))
            return call("not", test) if random.random() < 0.5 else test
        if pick < 0.8 and depth >= 0 and not self.fallible:
            parts = tuple(self.predicate(depth - 1, width, outers, lets) for _ in range(2))
            return Logic(random.random() < 0.5, parts)
        if pick < 0.83 and depth >= 0:
            return Coalesce(
                (self.predicate(depth - 1, width, outers, lets), Literal(True, types.BOOLEAN)), types.BOOLEAN
            )
        name = random.choice(("=", "=", "<", "<>", ">="))
        return call(name, self.scalar(depth - 1, width, outers, lets), self.scalar(-1, width, outers, lets))

    def aggregate(self, depth: int, width: int, outers, lets) -> AggregateCall:
        random = self.random
        condition = self.predicate(depth, width, outers, lets) if random.random() < 0.25 else None
        overload = random.choice((SUM, MIN, COUNT, COUNT_ROWS))
        if overload is COUNT_ROWS:
            return AggregateCall(overload, (), filter=condition)
        return AggregateCall(overload, (self.scalar(depth, width, outers, lets),), random.random() < 0.3, condition)


__all__ = ["TABLES", "UNIT", "Generator", "contents"]
