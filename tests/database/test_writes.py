"""RETURNING, ON CONFLICT, UPDATE ... FROM, DELETE ... USING."""

import pytest

from engine.database import Database
from engine.errors import SqlError


def sqlstate(db: Database, sql: str) -> str:
    with pytest.raises(SqlError) as failure:
        db.execute(sql)
    return failure.value.sqlstate


@pytest.fixture
def keyed(db: Database) -> Database:
    db.execute("CREATE TABLE t (a int PRIMARY KEY, b text, n int DEFAULT 0)")
    db.execute("INSERT INTO t VALUES (1, 'x', 10), (2, 'y', 20)")
    return db


def contents(db: Database) -> list[tuple]:
    return sorted(db.execute("SELECT * FROM t").rows())


def test_returning(keyed: Database) -> None:
    result = keyed.execute("INSERT INTO t (a, b) VALUES (4, 'q'), (3, 'z') RETURNING a, n + 1 AS m, *, upper(b)")
    assert result.tag == "INSERT 0 2"
    assert [column.name for column in result.columns] == ["a", "m", "a", "b", "n", "upper"]
    assert result.rows() == [(4, 1, 4, "q", 0, "Q"), (3, 1, 3, "z", 0, "Z")]
    assert result.timestamp
    result = keyed.execute("UPDATE t AS u SET n = n + 1 WHERE a > 2 RETURNING u.a, n, (SELECT count(*) FROM t)")
    assert result.tag == "UPDATE 2"
    assert sorted(result.rows()) == [(3, 1, 4), (4, 1, 4)]
    result = keyed.execute("DELETE FROM t WHERE a > 2 RETURNING t.*")
    assert result.tag == "DELETE 2"
    assert sorted(result.rows()) == [(3, "z", 1), (4, "q", 1)]
    assert keyed.execute("DELETE FROM t WHERE a > 2 RETURNING a").rows() == []
    assert sqlstate(keyed, "INSERT INTO t (a) VALUES (9) RETURNING c") == "42703"
    assert sqlstate(keyed, "INSERT INTO t (a) VALUES (9) RETURNING count(*)") == "42803"
    assert sqlstate(keyed, "INSERT INTO t (a) VALUES (9) RETURNING 1 / (a - 9)") == "22012"
    assert len(contents(keyed)) == 2


def test_returning_gives_every_copy(db: Database) -> None:
    db.execute("CREATE TABLE t (a int); INSERT INTO t VALUES (1), (1), (2)")
    assert sorted(db.execute("UPDATE t SET a = 5 RETURNING a").rows()) == [(5,), (5,), (5,)]
    assert db.execute("INSERT INTO t SELECT 5 FROM generate_series(1, 2) RETURNING a").rows() == [(5,), (5,)]


def test_on_conflict_do_nothing(keyed: Database) -> None:
    insert = "INSERT INTO t VALUES (1, 'again', 1), (3, 'first', 1), (3, 'second', 2) ON CONFLICT"
    assert keyed.execute(f"{insert} DO NOTHING").tag == "INSERT 0 1"
    assert contents(keyed) == [(1, "x", 10), (2, "y", 20), (3, "first", 1)]
    assert keyed.execute(f"{insert} (a) DO NOTHING RETURNING a").rows() == []
    assert keyed.execute(f"{insert} ON CONSTRAINT t_pkey DO NOTHING").tag == "INSERT 0 0"


def test_a_conflict_excuses_no_null(db: Database) -> None:
    """As in PostgreSQL, what must not be NULL is asked first."""
    db.execute("CREATE TABLE t (a int PRIMARY KEY, b int UNIQUE, c int NOT NULL); INSERT INTO t VALUES (1, 1, 1)")
    for does in ("DO NOTHING", "(b) DO NOTHING", "(b) DO UPDATE SET c = 2"):
        assert sqlstate(db, f"INSERT INTO t VALUES (NULL, 1, 1) ON CONFLICT {does}") == "23502"
        assert sqlstate(db, f"INSERT INTO t VALUES (7, 1, NULL) ON CONFLICT {does}") == "23502"


def test_on_conflict_do_update(keyed: Database) -> None:
    result = keyed.execute(
        "INSERT INTO t AS old VALUES (1, 'new', 5), (3, 'z', 30), (2, 'kept', 1)"
        " ON CONFLICT (a) DO UPDATE SET b = excluded.b, n = old.n + excluded.n WHERE excluded.n > 1 RETURNING a, b, n"
    )
    assert result.tag == "INSERT 0 2"
    assert sorted(result.rows()) == [(1, "new", 15), (3, "z", 30)]
    assert contents(keyed) == [(1, "new", 15), (2, "y", 20), (3, "z", 30)]
    keyed.execute("INSERT INTO t (a) VALUES (2) ON CONFLICT (a) DO UPDATE SET (b, n) = (DEFAULT, DEFAULT)")
    assert contents(keyed)[1] == (2, None, 0)
    keyed.execute("INSERT INTO t SELECT a, 's', 1 FROM t ON CONFLICT (a) DO UPDATE SET n = t.n + 100")
    assert [row[2] for row in contents(keyed)] == [115, 100, 130]


def test_an_upsert_keeps_views(keyed: Database) -> None:
    keyed.execute("CREATE MATERIALIZED VIEW v AS SELECT sum(n) AS s, count(*) AS c FROM t")
    for n in range(5):
        keyed.execute(f"INSERT INTO t VALUES ({n}, 'u', {n}) ON CONFLICT (a) DO UPDATE SET n = excluded.n")
    assert keyed.execute("SELECT * FROM v").rows() == [(10, 5)]


@pytest.mark.parametrize(
    ("sql", "code"),
    [
        ("INSERT INTO t VALUES (5), (5) ON CONFLICT (a) DO UPDATE SET n = 1", "21000"),
        ("INSERT INTO t VALUES (5) ON CONFLICT (b) DO NOTHING", "42P10"),
        ("INSERT INTO t VALUES (5) ON CONFLICT (c) DO NOTHING", "42703"),
        ("INSERT INTO t VALUES (5) ON CONFLICT ON CONSTRAINT c DO NOTHING", "42704"),
        ("INSERT INTO t VALUES (5) ON CONFLICT DO UPDATE SET n = 1", "42601"),
        ("INSERT INTO t VALUES (1) ON CONFLICT (a) DO UPDATE SET a = 2", "23505"),
        ("INSERT INTO t VALUES (1) ON CONFLICT (a) DO UPDATE SET a = NULL", "23502"),
        ("INSERT INTO t VALUES (1) ON CONFLICT (a) DO UPDATE SET n = 1 / 0", "22012"),
        ("UPDATE t SET (a, b) = (1)", "42601"),
        ("UPDATE t SET a = 1, a = 2", "42601"),
    ],
)
def test_mistakes(keyed: Database, sql: str, code: str) -> None:
    before = contents(keyed)
    assert sqlstate(keyed, sql) == code
    assert contents(keyed) == before


def test_update_from(keyed: Database) -> None:
    keyed.execute("CREATE TABLE u (a int, c text); INSERT INTO u VALUES (1, 'one'), (1, 'uno'), (3, 'three')")
    result = keyed.execute("UPDATE t SET b = u.c FROM u WHERE u.a = t.a RETURNING t.a, t.b = u.c, u.a")
    assert result.tag == "UPDATE 1"
    assert result.rows() == [(1, True, 1)]
    keyed.execute("CREATE TABLE d (a int); INSERT INTO d VALUES (1), (1), (2)")
    assert keyed.execute("UPDATE d SET a = d.a + 10 FROM u WHERE u.a = d.a").tag == "UPDATE 2"
    assert sorted(keyed.execute("SELECT a FROM d").rows()) == [(2,), (11,), (11,)]
    assert keyed.execute("UPDATE t SET (b, n) = ('w', x.m) FROM (SELECT max(a) AS m FROM u) x").tag == "UPDATE 2"
    assert contents(keyed) == [(1, "w", 3), (2, "w", 3)]


def test_delete_using(keyed: Database) -> None:
    keyed.execute("CREATE TABLE d (a int); INSERT INTO d VALUES (1), (1), (2), (3)")
    keyed.execute("CREATE TABLE u (a int); INSERT INTO u VALUES (1), (1), (3)")
    assert keyed.execute("DELETE FROM d USING u, t WHERE u.a = d.a AND t.a = d.a RETURNING d.a, t.b").rows() == [
        (1, "x"), (1, "x"),
    ]  # fmt: skip
    assert sorted(keyed.execute("SELECT a FROM d").rows()) == [(2,), (3,)]


def test_truncate(keyed: Database) -> None:
    keyed.execute("CREATE TABLE u (a int)")
    keyed.execute(
        "CREATE MATERIALIZED VIEW both_ AS SELECT count(*) AS n FROM (SELECT a FROM t UNION ALL SELECT a FROM u)"
    )
    keyed.execute("INSERT INTO u VALUES (1), (1)")
    assert keyed.execute("TRUNCATE TABLE t, ONLY u, t RESTART IDENTITY CASCADE").tag == "TRUNCATE TABLE"
    assert keyed.execute("SELECT * FROM both_").rows() == [(0,)]
    keyed.execute("INSERT INTO t VALUES (1, 'again', 1)")
    with keyed.session() as session:
        session.execute("BEGIN")
        session.execute("INSERT INTO t VALUES (2, 'own', 1)")
        session.execute("TRUNCATE t")
        assert session.execute("SELECT * FROM t").rows() == []
        session.execute("ROLLBACK")
    assert contents(keyed) == [(1, "again", 1)]
    assert sqlstate(keyed, "TRUNCATE both_") == "42809"


def test_create_table_as(keyed: Database) -> None:
    made = "CREATE TABLE made (k) AS SELECT a, b::varchar(5), NULL AS c FROM t WHERE a = 1 UNION ALL SELECT 7, 'z', 'c'"
    result = keyed.execute(made)
    assert result.tag == "SELECT 2"
    assert result.timestamp
    found = keyed.execute("SELECT * FROM made ORDER BY k")
    assert [(column.name, column.nullable) for column in found.columns] == [("k", True), ("b", True), ("c", True)]
    assert found.rows() == [(1, "x", None), (7, "z", "c")]
    assert sqlstate(keyed, made) == "42P07"
    assert keyed.execute("CREATE TABLE IF NOT EXISTS made AS SELECT 1").notices
    assert keyed.execute("CREATE TABLE hollow AS SELECT * FROM t WITH NO DATA").tag == "CREATE TABLE AS"
    assert keyed.execute("SELECT count(*) FROM hollow").rows() == [(0,)]
    assert keyed.execute("CREATE TABLE top AS SELECT a FROM t ORDER BY a DESC LIMIT 1").tag == "SELECT 1"
    assert keyed.execute("SELECT a FROM top").rows() == [(2,)]
    assert sqlstate(keyed, "CREATE TABLE never AS SELECT a / 0 FROM t") == "22012"
    assert sqlstate(keyed, "SELECT * FROM never") == "42P01"
    assert sqlstate(keyed, "CREATE TABLE twice AS SELECT a, a FROM t") == "42701"
    assert sqlstate(keyed, "CREATE TABLE many (a, b) AS SELECT a FROM t") == "42601"


def test_create_table_as_in_a_block(keyed: Database) -> None:
    with keyed.session() as session:
        session.execute("BEGIN")
        session.execute("INSERT INTO t VALUES (3, 'own', 1)")
        session.execute("CREATE TEMPORARY TABLE seen AS SELECT a FROM t")
        assert sorted(session.execute("SELECT a FROM seen").rows()) == [(1,), (2,), (3,)]
        session.execute("COMMIT")
        assert sorted(session.execute("SELECT a FROM seen").rows()) == [(1,), (2,), (3,)]
