"""Text of any kind is a statement or an error of the client's, with a place in the text: never a crash, never a hang.

What is mangled are the statements of answers.sql and those below: tokens are left out, doubled, exchanged, put in from
elsewhere, and characters are cut.
"""

import random
from pathlib import Path

import pytest

from engine.database import Database
from engine.errors import LimitExceeded, SqlError
from engine.sql.binder import Context, bind
from engine.sql.dialect import parse
from engine.sql.grammar.tokens import Kind, tokenize
from tests.sql.world import world

SEEDS = [line.rstrip(";") for line in (Path(__file__).parent / "answers.sql").read_text().splitlines() if line.strip()]
MORE = """
create view v as select * from t with (retain history for '1s')
create materialized view m (a, b) in cluster quickstart as select k, count(*) from t group by rollup (k)
create type p as (a int, b text list, c map[text=>struct<a int, b numeric(3, 1)[]>])
create table n (a int primary key default 1, b text not null, unique (a, b)) with (retain history = for '1h')
create source s from load generator auction (tick interval '1s') for all tables
create index i on t (k, v desc nulls last)
create index on t (lower(k), (v + 1) desc)
alter table t rename to x
alter table t add column c int default 1, drop column v cascade, alter column k set not null, add unique (k)
alter table if exists t rename column k to kk
alter table t alter k drop default, drop constraint if exists q
alter cluster quickstart rename to x
select k, v into temporary table made from t where k = 'x'
create global temporary table n (a int)
create materialized view m with (assert not null k, assert not null = (v, k)) as select * from t
alter materialized view m set (retain history for '1h')
comment on column t.k is 'text'
create user ann with password 'x' superuser
grant select on t to ann
subscribe (select * from t) envelope upsert (key (k)) with (snapshot = false, progress) as of at least 1 up to 99
subscribe t within timestamp order by k desc, mz_diff
explain optimized plan as text for select * from t
insert into t (k) values (default), ('x') on conflict (k) do update set v = excluded.v where t.v > 1 returning *
update t set (k, v) = (select 'a', 1) from u where t.id = u.id returning t.*
delete from t using u where t.id = u.id
declare c cursor for select * from t
fetch forward all from c with (timeout = '1s')
copy t (k) from stdin (format csv, delimiter ';', header)
show indexes from t like '%x%'
set search_path = a, b
begin read only
prepare q (int, text) as select $1, $2
with mutually recursive (return at recursion limit 3) a (x int) as (select 1 union select x from a) select * from a
select sum(v) over (partition by k order by v rows between 1 preceding and current row exclude ties) from t
select array[1, 2][1:2], map['a' => 1], row(1, 2), (t).k, x::int[]::text, interval '1' day, extract(year from d) from t
""".strip().splitlines()


ODD = ["(", ")", ",", "'", '"', "$1", "$$", "::", "-", "/*", "\\", "\x00", "é", "[", "1e9"]


def mangled(generator, texts):
    """A text made of a statement, and of pieces of others."""
    text = generator.choice(texts)
    tokens = [text[token.at - 1 : token.end - 1] for token in tokenize(text) if token.kind is not Kind.END]
    for _ in range(generator.randint(1, 4)):
        at = generator.randrange(len(tokens)) if tokens else 0
        match generator.randint(0, 5):
            case 0:
                del tokens[at : at + 1]
            case 1:
                tokens.insert(at, generator.choice(tokens or ["("]))
            case 2:
                tokens[at : at + 1] = [generator.choice(generator.choice(texts).split())]
            case 3:
                other = generator.choice(texts).split()
                begin = generator.randrange(len(other))
                tokens[at:at] = other[begin : begin + generator.randint(1, 6)]
            case 4:
                tokens.insert(
                    at,
                    generator.choice(
                        ["(", ")", ",", "'", '"', "$1", "$$", "::", "-", "/*", "\\", "\x00", "é", "[", "1e9"]
                    ),
                )
            case _:
                tokens = tokens[: generator.randint(0, len(tokens))]
    mixed = " ".join(tokens)
    return mixed[: generator.randint(0, len(mixed))] if generator.random() < 0.2 else mixed


@pytest.mark.parametrize("seed", range(4))
def test_any_text_is_a_statement_or_an_error(seed):
    generator = random.Random(seed)
    catalog = world().catalog
    texts = SEEDS + MORE
    for _ in range(1500):
        try:
            text = mangled(generator, texts)
        except SqlError:
            continue
        error = error_of(text, catalog)
        assert error is None or error.position is None or 1 <= error.position <= len(text) + 1, text


def error_of(text, catalog):
    """What the client would be told first."""
    try:
        for statement in parse(text):
            bind(statement, Context(catalog))
    except SqlError as error:
        return error
    return None


def chain(i):
    return f"c{i} AS (SELECT * FROM {'t' if i == 0 else f'c{i - 1}'})"


def left_joined(n):
    return " LEFT JOIN ".join(f"t AS t{i}" + (f" ON t{i}.a = t{i - 1}.a" if i else "") for i in range(n))


DEEP = {
    "parentheses": lambda n: "SELECT " + "(" * n + "1" + ")" * n,
    "operators": lambda n: "SELECT " + "- " * n + "1",
    "sums": lambda n: "SELECT a" + " + a" * n + " FROM t",
    "casts": lambda n: "SELECT 1" + "::int" * n,
    "subscripts": lambda n: "SELECT a" + "[1]" * n,
    "types": lambda n: "SELECT NULL::" + "map[text=>" * n + "int" + "]" * n,
    "lists": lambda n: "SELECT NULL::int" + " list" * n,
    "subqueries": lambda n: "SELECT * FROM " + "(SELECT * FROM " * n + "t" + ") AS x" * n,
    "joins": lambda n: "SELECT 1 FROM " + "t JOIN " * n + "t" + " ON true" * n,
    "grouping sets": lambda n: "SELECT 1 FROM t GROUP BY " + "GROUPING SETS (" * n + "a" + ")" * n,
    "calls": lambda n: "SELECT " + "abs(" * n + "1" + ")" * n,
    "exceptions": lambda n: " EXCEPT ".join(["SELECT a FROM t"] * 2 * n),
}


@pytest.fixture(scope="module")
def db():
    with Database.in_memory() as db:
        db.execute("CREATE TABLE t (a int); INSERT INTO t VALUES (1)")
        yield db


def test_what_is_far_too_deep_is_not_looked_through_at_each_level(db):
    with pytest.raises(LimitExceeded):
        db.execute(DEEP["parentheses"](100_000))


@pytest.mark.parametrize("what", DEEP)
def test_what_is_too_deep_says_so(db, what):
    with pytest.raises(LimitExceeded):
        db.execute(DEEP[what](3000))
    assert db.execute("SELECT * FROM t").rows() == [(1,)]


@pytest.mark.parametrize(
    ("sql", "rows"),
    [
        (" UNION ALL ".join(f"SELECT a + {i} FROM t" for i in range(500)), 500),
        ("SELECT * FROM t WHERE a IN (" + ", ".join(map(str, range(1000))) + ")", 1),
        (DEEP["parentheses"](990), 1),
        (DEEP["sums"](990), 1),
        (DEEP["calls"](900), 1),
        (DEEP["subqueries"](300), 1),
        (DEEP["exceptions"](300), 0),
        (f"WITH {', '.join(map(chain, range(300)))} SELECT * FROM c299", 1),
        (
            "SELECT 1 FROM "
            + " LEFT JOIN ".join(f"t AS t{i}" + (f" ON t{i}.a = t{i - 1}.a" if i else "") for i in range(24)),
            1,
        ),
    ],
    ids=["union", "in", "parentheses", "sums", "calls", "subqueries", "exceptions", "names", "joins"],
)
def test_what_is_long_is_run(db, sql, rows):
    assert db.execute(sql).row_count == rows
