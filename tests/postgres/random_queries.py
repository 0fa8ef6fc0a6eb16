"""Random queries that only PostgreSQL can check: USING and NATURAL joins, set-returning functions, grouping sets,
DISTINCT ON, recursion, every window frame. Ties that decide are left out: two engines may answer them differently.
"""

from random import Random

from engine.types import Column, SqlType
from tests.postgres.random_expressions import JSON, LIST, PLAIN, SPAN, TIME, Expressions
from tests.queries.random_sql import BOOL, DAY, INT, NUM, TEXT, Item, Scope, Select, listed

SHARED = {("t", "u"): "a", ("t", "v"): "b", ("t", "w"): "c", ("v", "w"): "k"}
"""Tables with a column of the same name, for USING and NATURAL."""
EXCLUDES = ("", "", "", " EXCLUDE CURRENT ROW", " EXCLUDE GROUP", " EXCLUDE TIES", " EXCLUDE NO OTHERS")
OFFSETS = {
    INT: ("0", "1", "2"), NUM: ("0.5", "1", "2.5"), DAY: ("INTERVAL '1 day'", "INTERVAL '2 days'"),
    TIME: ("INTERVAL '1 day'", "INTERVAL '90 minutes'"), SPAN: ("INTERVAL '1 day'",),
}  # fmt: skip
"""Offsets of RANGE by the type of what is ordered by."""


class PostgresGenerator(Expressions):
    """Random queries over TABLES."""

    # Queries.

    def query(self, depth: int, outer: Scope = (), columns: tuple[SqlType, ...] | None = None) -> Select:
        pick = self.random.random()
        if depth > 0 and pick < 0.08 and not outer:
            return self.recursive(depth, columns)
        if depth > 0 and pick < 0.14:
            return self.distinct_on(depth, outer, columns)
        return super().query(depth, outer, columns)

    def distinct_on(self, depth: int, outer: Scope, columns: tuple[SqlType, ...] | None) -> Select:
        """The first row of each group in a total order."""
        made = self.query(depth - 1, outer, columns)
        name = self.alias()
        plain = [f"{name}.x{i}" for i in range(len(made.types))]
        items = [
            f"{name}.x{i}" if made.types[i] != JSON else f"CAST({name}.x{i} AS text)" for i in range(len(made.types))
        ]
        keys = self.random.sample(items, self.random.randrange(1, len(items) + 1))
        rest = [item for item in items if item not in keys]
        self.random.shuffle(rest)
        order = listed([f"{item} {self.direction()}" for item in (*keys, *rest)])
        sql = f"SELECT DISTINCT ON ({listed(keys)}) {self.named(plain)} FROM ({made.sql}) AS {name} ORDER BY {order}"
        if self.chance(0.2):
            sql += f" LIMIT {self.random.randrange(4)}"
        return Select(f"({sql})", made.types)

    def recursive(self, depth: int, columns: tuple[SqlType, ...] | None) -> Select:
        """A recursion that ends: over finite values by UNION, or counted."""
        name, a, b, random = self.alias(), self.alias(), self.alias(), self.random
        first = self.select(depth - 1, (), (INT, INT))
        start = f"SELECT CAST({b}.x0 AS bigint), CAST({b}.x1 AS bigint) FROM ({first.sql}) AS {b}"
        source, scope = self.item(depth - 1)
        ints = [item.sql for item in scope if item.type == INT]
        if not ints:
            source, scope = f"u AS {b}", tuple(Item(f"{b}.{c.name}", c.type) for c in self.tables["u"])
            ints = [item.sql for item in scope if item.type == INT]
        here = (Item(f"{a}.x0", INT), Item(f"{a}.x1", INT))
        one, other = random.choice(ints), random.choice(ints)
        more = f" AND {self.predicate(0, (*here, *scope), ())}" if self.chance(0.4) else ""
        if self.chance(0.6):
            value = random.choice((other, other, f"({other} + {a}.x1) % 5", f"coalesce({other}, {a}.x0)"))
            kept = random.choice((f"{a}.x0", f"{a}.x1"))
            body = f"SELECT {kept}, {value} FROM {name} AS {a} JOIN {source} ON {one} = {a}.x1{more}"
            sql = f"WITH RECURSIVE {name} (x0, x1) AS ({start} UNION {body})"
        else:
            body = f"SELECT {a}.x0, {a}.x1 + 1 FROM {name} AS {a}"
            body += (
                f" JOIN {source} ON {one} = {a}.x1 WHERE {a}.x1 < 3{more}" if self.chance(0.5) else f" WHERE {a}.x1 < 4"
            )
            sql = f"WITH RECURSIVE {name} (x0, x1) AS ({start} UNION ALL {body})"
        self.commons.append((name, (INT, INT)))
        rest = self.select(depth - 1, (), columns)
        self.commons.pop()
        return Select(f"{sql} {self.below_with(rest)}", rest.types)

    # FROM.

    def item(self, depth: int) -> tuple[str, Scope]:
        name, pick = self.alias(), self.random.random()
        if pick < 0.06:
            kinds = tuple(self.random.choice(PLAIN) for _ in range(self.random.choice((1, 2))))
            rows = [f"({listed([self.typed(kind) for kind in kinds])})" for _ in range(self.random.choice((1, 2, 3)))]
            names = listed([f"x{i}" for i in range(len(kinds))])
            return f"(VALUES {listed(rows)}) AS {name} ({names})", self.scope_of(name, kinds)
        if pick < 0.16:
            one, other = self.random.choice(list(SHARED))
            if self.chance(0.5):
                one, other = other, one
            return self.shared(name, one, other)
        if pick < 0.2:
            series = f"generate_series(CAST({self.random.randrange(3)} AS bigint), {self.random.randrange(5)})"
            return f"{series} AS {name} (x0)", self.scope_of(name, (INT,))
        return super().item(depth)

    def shared(self, name: str, one: str, other: str) -> tuple[str, Scope]:
        """A join by a column that both have, which then is one."""
        column = SHARED.get((one, other)) or SHARED[other, one]
        left, right = self.alias(), self.alias()
        kind = self.random.choice(("", "LEFT ", "RIGHT ", "FULL "))
        on = (
            f"{kind}JOIN {other} AS {right} USING ({column})"
            if self.chance(0.5)
            else f"NATURAL {kind}JOIN {other} AS {right}"
        )
        columns = [Item(column, INT if column != "c" else TEXT)]
        for table, alias in ((one, left), (other, right)):
            columns += [Item(f"{alias}.{c.name}", c.type) for c in self.tables[table]]
        picked = [columns[0], *self.random.sample(columns[1:], 3)]
        sql = f"(SELECT {self.named([item.sql for item in picked])} FROM {one} AS {left} {on}) AS {name}"
        return sql, self.scope_of(name, tuple(item.type for item in picked))

    def lateral(self, source: str, scope: Scope, depth: int) -> tuple[str, Scope]:
        """A subquery or a table function of the rows before."""
        if self.chance(0.5):
            return super().lateral(source, scope, depth)
        name, random = self.alias(), self.random
        kind, end = random.choice((("CROSS JOIN LATERAL", ""), ("LEFT JOIN LATERAL", " ON true"), (",", "")))
        lists = [item.sql for item in scope if item.type == LIST]
        docs = [item.sql for item in scope if item.type == JSON]
        pick = random.random()
        if kind == ",":
            kind = "CROSS JOIN"
        if lists and pick < 0.5:
            if self.chance(0.5):
                call = f"unnest({random.choice(lists)}) WITH ORDINALITY AS {name} (x0, x1)"
                return f"{source} {kind} {call}{end}", scope + self.scope_of(name, (INT, INT))
            return f"{source} {kind} unnest({random.choice(lists)}) AS {name} (x0){end}", scope + self.scope_of(
                name, (INT,)
            )
        if docs and pick < 0.8:
            doc = random.choice(docs)
            call = (
                f"jsonb_array_elements(CASE jsonb_typeof({doc}) WHEN 'array' THEN {doc} ELSE '[7]' END) AS {name} (x0)"
            )
            return f"{source} {kind} {call}{end}", scope + self.scope_of(name, (JSON,))
        bound = self.scalar(INT, 0, scope, ())
        call = f"generate_series(CAST(0 AS bigint), ({bound}) % 4) AS {name} (x0)"
        return f"{source} {kind} {call}{end}", scope + self.scope_of(name, (INT,))

    def grouping(self, keys: list[str]) -> str:
        """GROUP BY of several sets."""
        if not keys or self.chance(0.6):
            return super().grouping(keys)
        sets = [f"({listed(self.random.sample(keys, self.random.randrange(len(keys) + 1)))})" for _ in range(2)]
        return " GROUP BY " + self.random.choice((
            f"ROLLUP ({listed(keys)})", f"CUBE ({listed(keys)})", f"GROUPING SETS ({listed(sets)}, ({listed(keys)}))",
            f"GROUPING SETS ({listed(sets)}, ROLLUP ({listed(keys)}))",
        ))  # fmt: skip

    # Windows.

    def window(self, scope: Scope, type_: SqlType) -> str | None:
        """A window function of the type, over a total order where ties would decide."""
        random = self.random
        partition = f"PARTITION BY {random.choice(scope).sql} " if self.chance(0.7) else ""
        keys = [f"CAST({item.sql} AS text)" if item.type == JSON else item.sql for item in scope]
        order = [f"{key} {self.direction()}" for key in random.sample(keys, len(keys))]
        total, some = f"{partition}ORDER BY {listed(order)}", f"{partition}ORDER BY {listed(order[:1])}"
        same, pick = [item.sql for item in scope if item.type == type_], random.random()
        if type_ == INT and pick < 0.25:
            ranking = random.choice(("rank()", "dense_rank()"))
            return random.choice((
                f"row_number() OVER ({total})", f"{ranking} OVER ({total})", f"{ranking} OVER ({some})",
                f"CAST(ntile({random.randrange(1, 4)}) OVER ({total}) AS bigint)",
            ))  # fmt: skip
        if type_ == NUM and pick < 0.3:
            call = f"{random.choice(('percent_rank()', 'cume_dist()'))} OVER ({random.choice((total, some))})"
            return f"round(CAST({call} AS numeric), 6)"
        if same and pick < 0.6:
            return self.value_of(random.choice(same), type_, total)
        call = self.framed_call(scope, type_, same)
        if call is None:
            return None
        if self.chance(0.25):
            call += f" FILTER (WHERE {self.predicate(-1, scope, ())})"
        by = random.choice(scope)
        if call.startswith("array_agg") or by.type == JSON or self.chance(0.5):
            over = f"{total} {self.frame(None)}"
        else:
            over = f"{partition}ORDER BY {by.sql} {self.direction()} {self.frame(by.type, ties=True)}"
        return f"CAST({call} OVER ({over}) AS {type_})"

    def value_of(self, value: str, type_: SqlType, total: str) -> str:
        """A column of another row."""
        random = self.random
        if self.chance(0.5):
            offset = f", {random.randrange(-1, 4)}" if self.chance(0.5) else ""
            default = f", {self.literal(type_)}" if offset and self.chance(0.5) else ""
            return f"{random.choice(('lag', 'lead'))}({value}{offset}{default}) OVER ({total})"
        call = random.choice(
            (f"first_value({value})", f"last_value({value})", f"nth_value({value}, {random.choice('123')})")
        )
        return f"{call} OVER ({total} {self.frame(None)})"

    def framed_call(self, scope: Scope, type_: SqlType, same: list[str]) -> str | None:
        """An aggregate of the type, of some column."""
        choice = self.random.choice
        one = choice([item.sql for item in scope if item.type == INT] or ["1"])
        if type_ == INT:
            return choice((f"sum({one})", f"count({one})", "count(*)", f"min({one})", f"max({one})"))
        if type_ == LIST:
            return f"array_agg({one})"
        if not same or type_ == JSON:
            return None
        if type_ == BOOL:
            return f"{choice(('bool_and', 'bool_or'))}({choice(same)})"
        return f"{choice(('sum', 'min', 'max') if type_ == NUM else ('min', 'max'))}({choice(same)})"

    def frame(self, ordered: SqlType | None, ties: bool = False) -> str:
        """A frame, or none; with `ties` one that does not part rows of equal order, whose type is `ordered`."""
        random = self.random
        if self.chance(0.2):
            return ""
        unit = random.choice(("GROUPS", "RANGE") if ties else ("ROWS", "GROUPS"))
        offsets = ("0", "1", "2", "3") if unit != "RANGE" or ordered is None else OFFSETS.get(ordered)
        places = ["UNBOUNDED PRECEDING", "§ PRECEDING", "CURRENT ROW", "§ FOLLOWING", "UNBOUNDED FOLLOWING"]
        allowed = [place for place in range(5) if offsets is not None or "§" not in places[place]]
        start = random.choice([place for place in allowed if place < 4])
        end = random.choice([place for place in allowed if place >= max(start, 1)])
        first, last = (places[place].replace("§", random.choice(offsets or ("",))) for place in (start, end))
        exclude = random.choice(EXCLUDES if not ties else ("", "", " EXCLUDE GROUP"))
        return f"{unit} BETWEEN {first} AND {last}{exclude}"


def random_query(seed: int, depth: int = 2) -> Select:
    return PostgresGenerator(Random(seed)).query(depth)


def random_literal(random: Random, column: Column) -> str:
    """A value for a column, as SQL."""
    if column.nullable and random.random() < 0.2:
        return "NULL"
    generator = PostgresGenerator(random)
    while "NULL AS" in (found := generator.typed(column.type)):
        pass
    return found
