"""Functions of chance and of time: drawn anew for each row, refused where rows are kept up to date."""

import time
from collections.abc import Iterator

import pytest

from engine.database import Database
from engine.errors import InvalidParameter, QueryCanceled, Unsupported


@pytest.fixture
def db() -> Iterator[Database]:
    with Database.in_memory() as database:
        yield database


def test_each_row_and_each_call_draws_anew(db: Database) -> None:
    rows = db.execute("SELECT random(), random() FROM generate_series(1, 1000)").rows()
    drawn = [value for row in rows for value in row]
    assert len(set(drawn)) == 2000
    assert all(0 <= value < 1 for value in drawn)
    assert 0.4 < sum(drawn) / len(drawn) < 0.6


def test_a_value_that_is_named_twice_is_drawn_once(db: Database) -> None:
    asked = "SELECT count(*) FROM (SELECT random() AS x FROM generate_series(1, 1000)) d WHERE x >= 0.5 AND x < 0.5"
    assert db.execute(asked).rows() == [(0,)]
    asked = "SELECT bool_and(x = y) FROM (SELECT x, x AS y FROM (SELECT random() AS x FROM generate_series(1, 9)) d) e"
    assert db.execute(asked).rows() == [(True,)]


@pytest.mark.parametrize(
    "asked",
    [
        "SELECT count(*) = 2000 FROM r x JOIN r y ON x.p = y.p",
        "SELECT count(*) = 1000 FROM r x JOIN r y ON x.p = y.p WHERE x.k = 0",
        "SELECT count(*) = 0 FROM (SELECT random() AS p FROM a) x JOIN (SELECT random() AS p FROM a) y ON x.p = y.p",
        "SELECT count(*) BETWEEN 350 AND 650 FROM a WHERE random() < 0.5 AND random() < 0.5",
        "SELECT count(*) = 0 FROM (SELECT DISTINCT k FROM a) d WHERE random() < 0.000001",
    ],
    ids=["read twice", "read twice, filtered once", "two of a kind", "both pass", "not before DISTINCT"],
)
def test_chance_is_drawn_once_where_it_is_named_and_for_each_of_equal_rows(db: Database, asked: str) -> None:
    db.execute("CREATE TABLE a (k int); INSERT INTO a SELECT i % 2 FROM generate_series(1, 2000) i")
    assert db.execute(f"WITH r AS (SELECT k, random() AS p FROM a) {asked}").rows() == [(True,)]


def test_uuids_are_version_4(db: Database) -> None:
    rows = db.execute("SELECT gen_random_uuid() FROM generate_series(1, 1000)").rows()
    assert len(set(rows)) == 1000
    assert all(uuid.version == 4 and uuid.variant == "specified in RFC 4122" for (uuid,) in rows)


def test_written_rows_keep_what_was_drawn(db: Database) -> None:
    db.execute("CREATE TABLE t (id uuid DEFAULT gen_random_uuid(), r double precision, n int)")
    db.execute("CREATE MATERIALIZED VIEW v AS SELECT count(DISTINCT id) AS ids, count(DISTINCT r) AS rs FROM t")
    db.execute("INSERT INTO t (r, n) SELECT random(), n FROM generate_series(1, 10) AS n")
    db.execute("INSERT INTO t (n) VALUES (11), (12)")
    assert db.execute("SELECT * FROM v").rows() == [(12, 10)]
    db.execute("UPDATE t SET r = random()")
    assert db.execute("SELECT * FROM v").rows() == [(12, 12)]
    assert db.execute("SELECT * FROM t").rows() == db.execute("SELECT * FROM t").rows()


@pytest.mark.parametrize("call", ["random()", "gen_random_uuid()", "mz_sleep(1)", "pretty_sql('SELECT 1')"])
def test_nothing_maintained_can_call_them(db: Database, call: str) -> None:
    with pytest.raises(Unsupported, match=f"cannot call {call.split('(')[0]}"):
        db.execute(f"CREATE MATERIALIZED VIEW v AS SELECT {call}")
    db.execute(f"CREATE VIEW v AS SELECT {call} AS x")


def test_sleeping_lasts_so_long_and_can_be_cancelled(db: Database) -> None:
    begin = time.monotonic()
    assert db.execute("SELECT mz_sleep(0.2), 1").rows() == [(None, 1)]
    assert time.monotonic() - begin >= 0.2
    session = db.session()
    session.execute("SET statement_timeout = '100ms'")
    with pytest.raises(QueryCanceled):
        session.execute("SELECT mz_unsafe.mz_sleep(30)")
    with pytest.raises(InvalidParameter, match=r"the arguments of mz_sleep\(\) must be constants"):
        db.execute("SELECT mz_sleep(n) FROM generate_series(1, 2) AS n")


def test_sql_is_shown_again(db: Database) -> None:
    def one(text: str) -> object:
        return db.execute(text).rows()[0][0]

    assert one("SELECT redact_sql('select a, ''x'' from t where b = 12.5')") == (
        "select a, '<REDACTED>' from t where b = '<REDACTED>'"
    )
    shown = one("SELECT pretty_sql('select  a,f( b )::int from s.t where a>1')")
    assert shown == "SELECT a, f(b)::int FROM s.t WHERE a > 1;"
    assert one("SELECT pretty_sql('select a, b from t join u using (c) where a > 1 group by 1, 2', 20)") == (
        "SELECT a, b\nFROM t\nJOIN u USING (c)\nWHERE a > 1\nGROUP BY 1, 2;"
    )
    assert one("SELECT pretty_sql(NULL)") is None
