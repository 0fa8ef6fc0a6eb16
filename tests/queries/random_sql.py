"""Random queries over four small tables, as text that PostgreSQL, DuckDB and Tailrace take alike and mean alike.

What the three do otherwise is left out: `/` of integers, orders without a place for NULLs, a LIMIT over ties, overflow.
Every query is a function of its seed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from random import Random

from engine import types
from engine.types import Column, SqlType

INT, TEXT, BOOL, NUM, DAY = types.BIGINT, types.TEXT, types.BOOLEAN, types.NUMERIC, types.DATE

TABLES: dict[str, tuple[Column, ...]] = {
    "t": (Column("a", INT), Column("b", INT), Column("c", TEXT), Column("n", NUM)),
    "u": (Column("a", INT, nullable=False), Column("d", INT), Column("e", TEXT), Column("g", BOOL)),
    "v": (Column("k", INT, nullable=False), Column("b", INT), Column("day", DAY)),
    "w": (Column("k", INT, nullable=False), Column("c", TEXT, nullable=False), Column("n", NUM)),
}
KEYS = {"v": ("k",)}
"""Tables with a PRIMARY KEY, so that rules which need keys have some."""

COMPARISONS = ("=", "=", "=", "<>", "<", "<=", ">", ">=")


@dataclass(frozen=True)
class Item:
    """A column that can be read: how it is written, and its type."""

    sql: str
    type: SqlType


Scope = tuple[Item, ...]


@dataclass(frozen=True)
class Select:
    """A query: its text and the types of its columns, which are named x0, x1, ..."""

    sql: str
    types: tuple[SqlType, ...]


def listed(names: Sequence[str]) -> str:
    return ", ".join(names)


class Generator:
    tables = TABLES
    grouped_types: tuple[SqlType, ...] = (INT, INT, TEXT, NUM, BOOL)

    def __init__(self, random: Random) -> None:
        self.random = random
        self.aliases = 0
        self.commons: list[tuple[str, tuple[SqlType, ...]]] = []

    def chance(self, probability: float) -> bool:
        return self.random.random() < probability

    def alias(self) -> str:
        self.aliases += 1
        return f"q{self.aliases}"

    # Queries.

    def query(self, depth: int, outer: Scope = (), columns: tuple[SqlType, ...] | None = None) -> Select:
        """A query of any form; with `columns` of exactly these types."""
        pick = self.random.random()
        if pick < 0.12 and depth > 0 and not outer:
            return self.with_query(depth, columns)
        if pick < 0.3 and depth > 0:
            return self.set_operation(depth, outer, columns)
        made = self.select(depth, outer, columns)
        if self.chance(0.12):
            order = [f"{i + 1} {self.direction()}" for i in range(len(made.types))]
            self.random.shuffle(order)
            offset = f" OFFSET {self.random.randrange(3)}" if self.chance(0.4) else ""
            sql = f"{made.sql} ORDER BY {listed(order)} LIMIT {self.random.choice((0, 1, 2, 5))}{offset}"
            return Select(sql, made.types)
        return made

    def direction(self) -> str:
        return f"{self.random.choice(('ASC', 'DESC'))} NULLS {self.random.choice(('FIRST', 'LAST'))}"

    def with_query(self, depth: int, columns: tuple[SqlType, ...] | None) -> Select:
        name = self.alias()
        value = self.query(depth - 1)
        self.commons.append((name, value.types))
        body = self.query(depth - 1, (), columns)
        self.commons.pop()
        return Select(f"WITH {name} AS ({value.sql}) {self.below_with(body)}", body.types)

    def below_with(self, body: Select) -> str:
        """The query where another WITH stands before it."""
        return f"SELECT * FROM ({body.sql}) AS {self.alias()}" if body.sql.startswith("WITH") else body.sql

    def set_operation(self, depth: int, outer: Scope, columns: tuple[SqlType, ...] | None) -> Select:
        left = self.select(depth - 1, outer, columns)
        right = self.select(depth - 1, outer, left.types)
        operation = self.random.choice(("UNION ALL", "UNION", "EXCEPT", "INTERSECT", "EXCEPT ALL", "INTERSECT ALL"))
        return Select(f"({left.sql}) {operation} ({right.sql})", left.types)

    def hopping(self, depth: int) -> Select:
        """Aggregates of windows of days that overlap."""
        source, scope = self.item(depth - 1)
        days = [item.sql for item in scope if item.type == DAY]
        if not days:
            name = self.alias()
            source, scope = f"v AS {name}", tuple(Item(f"{name}.{c.name}", c.type) for c in self.tables["v"])
            days = [item.sql for item in scope if item.type == DAY]
        hop, times = self.random.choice((1, 2)), self.random.choice((1, 3))
        lengths = f"INTERVAL '{hop} days', INTERVAL '{hop * times} days'"
        name, wanted = self.alias(), (DAY, *(self.random.choice(self.grouped_types) for _ in range(2)))
        source += f", date_bin_hopping({lengths}, CAST({self.random.choice(days)} AS timestamp)) AS {name}(w)"
        where = f" WHERE {self.predicate(0, scope, ())}" if self.chance(0.4) else ""
        keys = [f"{name}.w", *(self.random.choice(scope).sql for _ in range(self.random.choice((0, 1))))]
        items = [f"CAST({name}.w AS date)", *(self.aggregate(type_, 0, scope, ()) for type_ in wanted[1:])]
        return Select(f"SELECT {self.named(items)} FROM {source}{where} GROUP BY {listed(keys)}", wanted)

    def select(self, depth: int, outer: Scope, columns: tuple[SqlType, ...] | None) -> Select:
        if columns is None and not outer and self.chance(0.06):
            return self.hopping(depth)
        source, scope = self.from_clause(depth)
        where = f" WHERE {self.predicate(depth, scope, outer)}" if self.chance(0.6) else ""
        if self.chance(0.35):
            return self.grouped(source, where, scope, outer, depth, columns)
        wanted = columns or tuple(self.random.choice(scope).type for _ in range(self.random.choice((1, 2, 3))))
        made = [self.window(scope, type_) if self.chance(0.08) else None for type_ in wanted]
        items = [
            found or self.scalar(type_, depth - 1, scope, outer) for found, type_ in zip(made, wanted, strict=True)
        ]
        distinct = "DISTINCT " if self.chance(0.2) else ""
        return Select(f"SELECT {distinct}{self.named(items)} FROM {source}{where}", wanted)

    def named(self, items: Sequence[str]) -> str:
        return listed([f"{item} AS x{i}" for i, item in enumerate(items)])

    def grouped(
        self, source: str, where: str, scope: Scope, outer: Scope, depth: int, columns: tuple[SqlType, ...] | None
    ) -> Select:
        wanted = columns or tuple(self.random.choice(self.grouped_types) for _ in range(self.random.choice((1, 2, 3))))
        keys = [self.scalar(self.random.choice((INT, TEXT)), 0, scope, ()) if self.chance(0.3)
                else self.random.choice(scope).sql for _ in range(self.random.choice((0, 1, 1, 2)))]  # fmt: skip
        keys = [key for key in dict.fromkeys(keys) if key[0] not in "'0123456789-N" and key[:4] != "CAST"]
        kept = tuple(item for item in scope if item.sql in keys)
        items: list[str] = []
        for type_ in wanted:
            same = [item.sql for item in kept if item.type == type_]
            items.append(
                self.random.choice(same) if same and self.chance(0.5) else self.aggregate(type_, depth, scope, outer)
            )
        sql = f"SELECT {self.named(items)} FROM {source}{where}"
        if keys:
            sql += self.grouping(keys)
        if self.chance(0.3):
            value = self.aggregate(INT, 0, scope, ())
            sql += f" HAVING {value} {self.random.choice(COMPARISONS)} {self.random.randrange(4)}"
        return Select(sql, wanted)

    def grouping(self, keys: list[str]) -> str:
        return f" GROUP BY {listed(keys)}"

    # FROM.

    def from_clause(self, depth: int) -> tuple[str, Scope]:
        source, scope = self.item(depth)
        for _ in range(self.random.choice((0, 0, 1, 1, 2))):
            if self.chance(0.15) and depth > 0:
                source, scope = self.lateral(source, scope, depth)
                continue
            other, more = self.item(depth - 1)
            kind = self.random.choice(("JOIN", "JOIN", "LEFT JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN", ","))
            if kind == ",":
                source, scope = f"{source} CROSS JOIN {other}", scope + more
                continue
            on = self.join_condition(scope, more, kind == "FULL JOIN")
            source, scope = f"{source} {kind} {other} ON {on}", scope + more
        return source, scope

    def lateral(self, source: str, scope: Scope, depth: int) -> tuple[str, Scope]:
        inner = self.select(depth - 1, scope, None)
        name = self.alias()
        kind = self.random.choice(("CROSS JOIN LATERAL", "LEFT JOIN LATERAL"))
        end = " ON true" if kind.startswith("LEFT") else ""
        return f"{source} {kind} ({inner.sql}) AS {name}{end}", scope + self.scope_of(name, inner.types)

    def scope_of(self, name: str, kinds: tuple[SqlType, ...]) -> Scope:
        return tuple(Item(f"{name}.x{i}", type_) for i, type_ in enumerate(kinds))

    def item(self, depth: int) -> tuple[str, Scope]:
        name = self.alias()
        if self.commons and self.chance(0.5):
            common, kinds = self.random.choice(self.commons)
            return f"{common} AS {name}", self.scope_of(name, kinds)
        if depth > 0 and self.chance(0.25):
            inner = self.query(depth - 1)
            return f"({inner.sql}) AS {name}", self.scope_of(name, inner.types)
        table = self.random.choice(list(self.tables))
        return f"{table} AS {name}", tuple(Item(f"{name}.{column.name}", column.type) for column in self.tables[table])

    def join_condition(self, left: Scope, right: Scope, plain: bool) -> str:
        pairs = [(one, other) for one in left for other in right if one.type == other.type]
        if not pairs:
            return "true" if not plain else f"{self.random.choice(left).sql} IS NULL"
        one, other = self.random.choice(pairs)
        parts = [f"{one.sql} = {other.sql}"]
        if self.chance(0.2) and one.type == INT:
            parts = [f"{one.sql} + 1 = {other.sql}"]
        if self.chance(0.15):
            one, other = self.random.choice(pairs)
            parts.append(f"{one.sql} = {other.sql}")
        if self.chance(0.25):
            parts.append(self.predicate(0, (*left, *right), ()))
        return " AND ".join(parts)

    # Scalars.

    def literal(self, type_: SqlType) -> str:
        random = self.random
        if self.chance(0.06):
            return f"CAST(NULL AS {type_})"
        match type_.name:
            case "bigint":
                return str(random.randrange(5))
            case "text":
                return random.choice(("'a'", "'b'", "'ab'", "''"))
            case "boolean":
                return random.choice(("true", "false"))
            case "numeric":
                return f"CAST({random.choice((0, 1, 2.5, -1))} AS numeric(10, 2))"
            case _:
                return f"DATE '2020-01-0{random.randrange(1, 5)}'"

    def scalar(self, type_: SqlType, depth: int, scope: Scope, outer: Scope) -> str:
        """An expression of the type over the row, and now and then over the rows around it."""
        random = self.random
        if outer and self.chance(0.15):
            scope = outer
        same = [item.sql for item in scope if item.type == type_]
        pick = random.random()
        if same and pick < 0.55:
            return random.choice(same)
        if pick < 0.65 or depth < 0:
            return random.choice(same) if same and self.chance(0.5) else self.literal(type_)
        if pick < 0.75 and depth > 0:
            return self.scalar_subquery(type_, depth - 1, scope)
        inner = lambda kind=type_: self.scalar(kind, depth - 1, scope, outer)  # noqa: E731
        if pick < 0.82:
            return f"CASE WHEN {self.predicate(depth - 1, scope, outer)} THEN {inner()} ELSE {inner()} END"
        if pick < 0.88:
            return f"coalesce({inner()}, {inner()})"
        match type_.name:
            case "bigint":
                return random.choice(
                    (f"({inner()} + {inner()})", f"({inner()} - {inner()})", f"length({inner(TEXT)})",
                     f"({inner()} % 3)", f"abs({inner()})", f"nullif({inner()}, {inner()})")
                )  # fmt: skip
            case "text":
                return random.choice((f"upper({inner()})", f"({inner()} || {inner()})", f"nullif({inner()}, 'a')"))
            case "boolean":
                return f"({self.predicate(depth - 1, scope, outer)})"
            case "numeric":
                return f"({inner()} + {inner()})"
            case _:
                return inner()

    def scalar_subquery(self, type_: SqlType, depth: int, outer: Scope) -> str:
        source, scope = self.from_clause(depth)
        where = f" WHERE {self.tie(scope, outer)}" if self.chance(0.8) else ""
        return f"(SELECT {self.aggregate(type_, 0, scope, ())} FROM {source}{where})"

    def tie(self, scope: Scope, outer: Scope) -> str:
        """A predicate of a subquery that reads the row around it, mostly by an equality."""
        pairs = [(one, other) for one in scope for other in outer if one.type == other.type]
        if not pairs or self.chance(0.15):
            return self.predicate(0, scope, outer)
        one, other = self.random.choice(pairs)
        operator = "=" if self.chance(0.8) else self.random.choice(COMPARISONS)
        more = f" AND {self.predicate(0, scope, outer)}" if self.chance(0.3) else ""
        return f"{one.sql} {operator} {other.sql}{more}"

    def predicate(self, depth: int, scope: Scope, outer: Scope) -> str:
        random = self.random
        pick = random.random()
        if depth >= 0 and pick < 0.2:
            parts = [self.predicate(depth - 1, scope, outer) for _ in range(random.choice((2, 2, 3)))]
            return f"({random.choice((' AND ', ' OR ')).join(parts)})"
        if depth >= 0 and pick < 0.26:
            return f"NOT ({self.predicate(depth - 1, scope, outer)})"
        if depth > 0 and pick < 0.45:
            return self.subquery_predicate(depth - 1, scope)
        if depth > 0 and pick < 0.47:
            return self.long_list(scope)
        item = random.choice(scope)
        if outer and self.chance(0.3):
            item = random.choice(outer)
        if pick < 0.55:
            return f"{item.sql} IS {random.choice(('', 'NOT '))}NULL"
        if pick < 0.62:
            values = listed([self.literal(item.type) for _ in range(random.choice((1, 2, 3, 9)))])
            return f"{item.sql} {random.choice(('IN', 'IN', 'NOT IN'))} ({values})"
        if pick < 0.66 and item.type == TEXT:
            return f"{item.sql} LIKE {random.choice(('%a%', 'a%', '%b', '_'))!r}"
        if pick < 0.7:
            other = self.scalar(item.type, depth - 1, scope, outer)
            return f"{item.sql} IS {random.choice(('', 'NOT '))}DISTINCT FROM {other}"
        if item.type == BOOL:
            return item.sql
        return f"{item.sql} {random.choice(COMPARISONS)} {self.scalar(item.type, depth - 1, scope, outer)}"

    def long_list(self, scope: Scope) -> str:
        """Rows of constants that are many: what `(a, b) IN (...)` says, of which not all of these think alike."""
        items = [item for item in scope if item.type in (INT, TEXT)] or list(scope)
        one, other = self.random.choice(items), self.random.choice(items)
        rows = [
            f"({one.sql} = {self.literal(one.type)} AND {other.sql} = {self.literal(other.type)})" for _ in range(64)
        ]
        return f"({' OR '.join(rows)})"

    def subquery_predicate(self, depth: int, outer: Scope) -> str:
        random = self.random
        source, scope = self.from_clause(depth)
        tied = f" WHERE {self.tie(scope, outer)}" if self.chance(0.7) else ""
        if self.chance(0.45):
            return f"{random.choice(('', 'NOT '))}EXISTS (SELECT 1 FROM {source}{tied})"
        pairs = [(one, other) for one in outer for other in scope if one.type == other.type]
        if not pairs:
            return f"EXISTS (SELECT 1 FROM {source}{tied})"
        one, other = random.choice(pairs)
        value = self.aggregate(other.type, 0, scope, ()) if self.chance(0.2) else other.sql
        operator = random.choice(("IN", "IN", "NOT IN", "< ANY", ">= ALL", "= ANY", "<> ALL"))
        query = f"SELECT {value} FROM {source}{tied}"
        if operator in ("= ANY", "<> ALL") and self.chance(0.5):
            query = f"ARRAY({query})"
        return f"{one.sql} {operator} ({query})"

    def aggregate(self, type_: SqlType, depth: int, scope: Scope, outer: Scope) -> str:
        random = self.random
        inner = lambda kind: self.scalar(kind, depth - 1, scope, ())  # noqa: E731
        condition = f" FILTER (WHERE {self.predicate(-1, scope, ())})" if self.chance(0.2) else ""
        distinct = "DISTINCT " if self.chance(0.2) else ""
        match type_.name:
            case "bigint":
                any_ = random.choice(scope).sql
                found = random.choice(
                    ("count(*)", f"count({distinct}{any_})", f"min({inner(INT)})", f"max({inner(INT)})",
                     f"CAST(sum({distinct}{inner(INT)})§ AS bigint)")
                )  # fmt: skip
            case "boolean":
                found = random.choice((f"bool_and({inner(BOOL)})", f"bool_or({inner(BOOL)})"))
            case "numeric":
                found = f"sum({distinct}{inner(NUM)})"
            case "text":
                found = random.choice((f"min({inner(TEXT)})", f"max({inner(TEXT)})"))
            case _:
                found = f"{random.choice(('min', 'max'))}({inner(type_)})"
        return found.replace("§", condition) if "§" in found else found + condition

    def window(self, scope: Scope, type_: SqlType) -> str | None:
        """A window function of the type over a total order of the row."""
        random = self.random
        order = listed([f"{item.sql} {self.direction()}" for item in random.sample(scope, len(scope))])
        partition = f"PARTITION BY {random.choice(scope).sql} " if self.chance(0.7) else ""
        over = f"OVER ({partition}ORDER BY {order})"
        same = [item.sql for item in scope if item.type == type_]
        if type_ == INT and self.chance(0.6):
            return f"{random.choice(('row_number()', 'rank()', 'dense_rank()', 'count(*)'))} {over}"
        if not same:
            return None
        return f"{random.choice(('lag', 'lead', 'first_value', 'min', 'max'))}({random.choice(same)}) {over}"


def random_query(seed: int, depth: int = 2) -> str:
    return Generator(Random(seed)).query(depth).sql


def random_row(random: Random, table: str) -> tuple[object, ...]:
    """Few values, NULLs where they may be."""
    return tuple(random_value(random, column) for column in TABLES[table])


def random_value(random: Random, column: Column) -> object:
    if column.nullable and random.random() < 0.2:
        return None
    match column.type.name:
        case "bigint":
            return random.randrange(5)
        case "text":
            return random.choice(("a", "b", "ab", ""))
        case "boolean":
            return random.random() < 0.5
        case "numeric":
            return random.choice((Decimal(0), Decimal(1), Decimal("2.5"), Decimal(-1)))
        case _:
            return date(2020, 1, random.randrange(1, 5))
