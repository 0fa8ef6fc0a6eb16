"""Random expressions that only PostgreSQL can check: intervals, arrays, jsonb, row comparisons, errors behind guards,
documents, aggregates with an order. What two engines may answer differently is left out: digits of averages, the order
of evaluation where nothing guards an error.
"""

from collections.abc import Callable

from engine import types
from engine.types import Column, SqlType
from tests.queries.random_sql import BOOL, COMPARISONS, DAY, INT, NUM, TEXT, Generator, Scope

SPAN, TIME, JSON, LIST = types.INTERVAL, types.TIMESTAMP, types.JSONB, types.array_of(types.BIGINT)

TABLES: dict[str, tuple[Column, ...]] = {
    "t": (Column("a", INT), Column("b", INT), Column("c", TEXT), Column("n", NUM)),
    "u": (Column("a", INT, nullable=False), Column("d", INT), Column("e", TEXT), Column("g", BOOL)),
    "v": (Column("k", INT, nullable=False), Column("b", INT), Column("day", DAY), Column("s", SPAN)),
    "w": (Column("k", INT, nullable=False), Column("c", TEXT, nullable=False), Column("j", JSON), Column("xs", LIST)),
}
GROUPED = (INT, INT, TEXT, NUM, BOOL, LIST, JSON, TIME, SPAN)
PLAIN = (INT, TEXT, NUM, BOOL, DAY, TIME, SPAN, LIST, JSON)
"""Types with literals of which a column of VALUES is made."""
SPANS = ("1 day", "2 days", "01:30:00", "-1 days", "3 days 04:00:00", "1 mon")
DOCUMENTS = ("1", "[1, 2]", '{"a": 1}', '{"a": [1]}', '{"b": 0}', '{"aa": 1, "b": 2}', '"a"', "null", "[]", "[null, 1]")
LISTS = ("{}", "{1,2}", "{NULL,1}", "{0}", "{3,3,1}")


class Expressions(Generator):
    """The grammar of random_sql.py over TABLES, with further expressions."""

    tables = TABLES
    grouped_types = GROUPED

    def typed(self, type_: SqlType) -> str:
        """A literal that says its type."""
        return f"CAST({self.literal(type_)} AS {type_})"

    def literal(self, type_: SqlType) -> str:
        random = self.random
        if self.chance(0.06):
            return f"CAST(NULL AS {type_})"
        if type_ == SPAN:
            return f"INTERVAL '{random.choice(SPANS)}'"
        if type_ == TIME:
            return f"TIMESTAMP '2020-01-0{random.randrange(1, 5)} 0{random.randrange(3)}:00:00'"
        if type_ == JSON:
            return f"CAST('{random.choice(DOCUMENTS)}' AS jsonb)"
        if type_ == LIST:
            return f"CAST('{random.choice(LISTS)}' AS bigint[])"
        return super().literal(type_)

    def scalar(self, type_: SqlType, depth: int, scope: Scope, outer: Scope) -> str:
        if depth >= 0 and self.chance(0.25) and (found := self.further(type_, depth, scope, outer)) is not None:
            return found
        if type_ not in (SPAN, TIME, JSON, LIST):
            return super().scalar(type_, depth, scope, outer)
        same = [item.sql for item in scope if item.type == type_]
        if same and self.chance(0.6):
            return self.random.choice(same)
        if depth < 0 or self.chance(0.3):
            return self.literal(type_)
        if self.chance(0.3):
            one, other = (self.scalar(type_, depth - 1, scope, outer) for _ in range(2))
            return f"CASE WHEN {self.predicate(depth - 1, scope, outer)} THEN {one} ELSE {other} END"
        return self.further(type_, depth, scope, outer) or self.literal(type_)

    def further(self, type_: SqlType, depth: int, scope: Scope, outer: Scope) -> str | None:
        """What DuckDB lacks, or writes otherwise."""

        def of(kind: SqlType) -> str:
            return self.scalar(kind, depth - 1, scope, outer)

        choice = self.random.choice
        match type_.name:
            case "bigint":
                one, other, doc = of(INT), of(INT), of(JSON)
                return choice((
                    f"CASE WHEN {other} <> 0 THEN {one} / {other} END",
                    f"CASE WHEN {other} <> 0 THEN {one} % {other} ELSE {other} END",
                    f"coalesce(nullif({one}, 0) / nullif({other}, 0), 1)",
                    f"CASE WHEN {of(TEXT)} = '1' THEN CAST('1' AS bigint) ELSE {one} END",
                    f"CASE {one} WHEN 0 THEN {other} WHEN 1 THEN {of(INT)} END",
                    f"({of(LIST)})[{self.random.randrange(1, 3)}]", f"cardinality({of(LIST)})",
                    f"array_position({of(LIST)}, {one})", f"greatest({one}, {other})", f"least({one}, {other})",
                    f"jsonb_array_length(CASE WHEN jsonb_typeof({doc}) = 'array' THEN {doc} END)",
                    f"CAST(extract(day FROM {of(SPAN)}) AS bigint)", f"CAST(extract(hour FROM {of(TIME)}) AS bigint)",
                    f"CAST({of(DAY)} - {of(DAY)} AS bigint)", f"CAST(CAST({of(BOOL)} AS int) AS bigint)",
                    f"CAST({of(NUM)} AS bigint)",
                ))  # fmt: skip
            case "text":
                return choice((
                    f"({of(JSON)} ->> 'a')", f"array_to_string({of(LIST)}, ',', '-')", f"CAST({of(INT)} AS text)",
                    f"CAST({of(SPAN)} AS text)", f"lpad({of(TEXT)}, 2, 'x')", f"replace({of(TEXT)}, 'a', 'bb')",
                    f"substring({of(TEXT)} from 1 for 1)", f"concat({of(TEXT)}, {of(INT)})", f"initcap({of(TEXT)})",
                    f"CAST({of(LIST)} AS text)", f"to_char({of(TIME)}, 'YYYY-MM-DD HH24')",
                ))  # fmt: skip
            case "boolean":
                return self.test(of)
            case "numeric":
                one, other = of(NUM), of(NUM)
                return choice((
                    f"({one} * {other})", f"({one} - {other})", f"CAST({of(INT)} AS numeric)", f"round({one}, 1)",
                    f"floor({one})", f"CASE WHEN {other} <> 0 THEN round({one} / {other}, 3) END", f"abs({one})",
                    f"trunc({one})", f"CAST(extract(epoch FROM {of(SPAN)}) AS numeric)",
                ))  # fmt: skip
            case "date":
                days = self.scalar(INT, -1, scope, outer)
                return choice((f"({of(DAY)} + CAST({days} AS integer))", f"CAST({of(TIME)} AS date)"))
            case "timestamp":
                return choice((
                    f"({of(TIME)} + {of(SPAN)})", f"({of(TIME)} - {of(SPAN)})", f"CAST({of(DAY)} AS timestamp)",
                    f"date_trunc('{choice(('day', 'hour', 'month'))}', {of(TIME)})",
                    f"date_bin('6 hours', {of(TIME)}, TIMESTAMP '2020-01-01')",
                ))  # fmt: skip
            case "interval":
                return choice((
                    f"({of(SPAN)} + {of(SPAN)})", f"({of(TIME)} - {of(TIME)})", f"({of(SPAN)} * 2)", f"(- {of(SPAN)})",
                    f"justify_hours({of(SPAN)})",
                ))  # fmt: skip
            case "jsonb":
                doc = of(JSON)
                return choice((
                    f"({doc} -> 'a')", f"CASE jsonb_typeof({doc}) WHEN 'array' THEN {doc} -> 0 END",
                    f"to_jsonb({of(INT)})", f"jsonb_build_object('a', {of(INT)})", f"to_jsonb({of(LIST)})",
                    f"jsonb_build_array({of(INT)}, {of(TEXT)})",
                    f"CASE WHEN jsonb_typeof({doc}) = 'object' THEN {doc} || '{{\"z\": 1}}' END",
                ))  # fmt: skip
            case "bigint[]":
                return choice((
                    f"({of(LIST)} || {of(LIST)})", f"CAST(ARRAY[{of(INT)}, {of(INT)}] AS bigint[])",
                    f"array_append({of(LIST)}, {of(INT)})", f"array_remove({of(LIST)}, {of(INT)})",
                    f"({of(LIST)})[1:2]",
                    f"ARRAY(SELECT y.x FROM unnest({of(LIST)}) AS y (x) WHERE y.x > 0 ORDER BY y.x)",
                ))  # fmt: skip
            case _:
                return None

    def test(self, of: Callable[[SqlType], str]) -> str:
        """A boolean."""
        return self.random.choice((
            f"({of(LIST)} @> {of(LIST)})", f"({of(LIST)} && {of(LIST)})", f"({of(JSON)} @> {of(JSON)})",
            f"({of(JSON)} ? 'a')", f"({of(INT)} = ANY ({of(LIST)}))", f"({of(INT)} > ALL ({of(LIST)}))",
            f"(({of(INT)}, {of(TEXT)}) < ({of(INT)}, {of(TEXT)}))",
            f"({of(INT)} BETWEEN SYMMETRIC {of(INT)} AND {of(INT)})",
            f"(({of(BOOL)}) IS {self.random.choice(('TRUE', 'NOT TRUE', 'UNKNOWN', 'NOT FALSE'))})",
        ))  # fmt: skip

    def predicate(self, depth: int, scope: Scope, outer: Scope) -> str:
        if depth >= 0 and self.chance(0.08):
            return self.test(lambda kind: self.scalar(kind, depth - 1, scope, outer))
        return super().predicate(depth, scope, outer)

    def subquery_predicate(self, depth: int, outer: Scope) -> str:
        if self.chance(0.25):
            inner = self.select(depth, outer, (INT, TEXT))
            row = f"({self.scalar(INT, 0, outer, ())}, {self.scalar(TEXT, 0, outer, ())})"
            if self.chance(0.2):  # so many rows of constants that they are joined with
                rows = ", ".join(f"({self.literal(INT)}, {self.literal(TEXT)})" for _ in range(80))
                return f"{row} {self.random.choice(('IN', 'NOT IN'))} ({rows})"
            return f"{row} {self.random.choice(('IN', 'NOT IN', '= ANY', '<> ALL'))} ({inner.sql})"
        if self.chance(0.25):
            kind = self.random.choice(PLAIN)
            inner = self.select(depth, outer, (kind,))
            operator = f"{self.random.choice(COMPARISONS)} {self.random.choice(('ANY', 'ALL', 'SOME'))}"
            return f"{self.scalar(kind, 0, outer, ())} {operator} ({inner.sql})"
        return super().subquery_predicate(depth, outer)

    def aggregate(self, type_: SqlType, depth: int, scope: Scope, outer: Scope) -> str:
        found = self.ordered_aggregate(type_, lambda kind: self.scalar(kind, depth - 1, scope, ()))
        if found is None:
            return super().aggregate(type_, depth, scope, outer)
        condition = f" FILTER (WHERE {self.predicate(-1, scope, ())})" if self.chance(0.25) else ""
        return found.replace("§", condition)

    def ordered_aggregate(self, type_: SqlType, of: Callable[[SqlType], str]) -> str | None:
        """An aggregate that DuckDB lacks, or that has an order; § where its FILTER goes."""
        choice, one, pick = self.random.choice, of(INT), self.random.random()
        word = "DISTINCT " if self.chance(0.3) else ""
        if type_ == INT and pick < 0.3:
            return choice((
                f"bit_or({one})§", f"bit_and({one})§", f"bit_xor({one})§", f"count({word}({one}, {of(TEXT)}))§",
                f"percentile_disc(0.5) WITHIN GROUP (ORDER BY {one})§",
                f"(array_agg({one} ORDER BY {one} DESC NULLS LAST)§)[1]",
            ))  # fmt: skip
        if type_ == TEXT and pick < 0.4:
            text = of(TEXT)
            return f"string_agg({word}{text}, ',' ORDER BY {text} {choice(('', 'DESC'))})§"
        if type_ == NUM and pick < 0.4:
            return choice((
                f"round(avg({word}{of(NUM)})§, 4)", f"round(avg({word}{one})§, 4)", f"min({of(NUM)})§",
                f"max({of(NUM)})§", f"round(var_pop({word}{one})§, 4)",
            ))  # fmt: skip
        if type_ == LIST and pick < 0.2:
            return f"{choice(('min', 'max'))}({of(LIST)})§"
        if type_ in (LIST, JSON):
            name = "array_agg" if type_ == LIST else "jsonb_agg"
            return f"{name}({word}{one} ORDER BY {one} {self.direction()})§"
        if type_ == SPAN:
            return f"{choice(('sum', 'min', 'max'))}({of(SPAN)})§"
        if type_ == TIME:
            return f"{choice(('min', 'max'))}({of(TIME)})§"
        return None
