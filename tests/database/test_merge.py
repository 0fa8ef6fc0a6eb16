"""MERGE: what each clause does, in one tick, or nothing."""

import pytest

from engine.database import Database
from engine.errors import SqlError

TABLES = """CREATE TABLE t (k int PRIMARY KEY, v int NOT NULL DEFAULT 7, w text);
    INSERT INTO t VALUES (1, 10, 'a'), (2, 20, 'b'), (3, 30, 'c');
    CREATE TABLE s (k int, v int); INSERT INTO s VALUES (1, 1), (2, 0), (4, 4), (5, NULL)"""


def rows(db: Database) -> list[tuple]:
    return sorted(db.execute("SELECT * FROM t").rows())


def test_each_row_does_what_the_first_clause_says(db: Database) -> None:
    db.execute(TABLES + "; CREATE MATERIALIZED VIEW m AS SELECT count(*) AS n, sum(v) AS s FROM t")
    follower = db.subscribe("SUBSCRIBE m WITH (SNAPSHOT = false)")
    answer = db.execute("""MERGE INTO t AS target USING s ON target.k = s.k
        WHEN MATCHED AND s.v = 0 THEN DELETE
        WHEN MATCHED THEN UPDATE SET v = target.v + s.v, w = DEFAULT
        WHEN NOT MATCHED AND s.v IS NULL THEN INSERT (k) VALUES (s.k)
        WHEN NOT MATCHED BY TARGET THEN INSERT VALUES (s.k, s.v, 'new')""")
    assert (answer.tag, answer.row_count) == ("MERGE 4", 4)
    assert rows(db) == [(1, 11, None), (3, 30, "c"), (4, 4, "new"), (5, 7, None)]
    ticks = set[object]()
    while (batch := follower.poll()) is not None:
        ticks |= {row[0] for row in batch.result().rows()}
    assert len(ticks) == 1
    follower.close()
    assert db.execute("MERGE INTO t USING s ON t.k = s.k WHEN MATCHED THEN DO NOTHING").tag == "MERGE 0"
    assert db.execute("MERGE INTO t USING (SELECT 9 AS k) x ON t.k = x.k WHEN MATCHED THEN DELETE").tag == "MERGE 0"
    made = (
        "MERGE INTO t USING (VALUES (9)) x (k) ON t.k = x.k WHEN NOT MATCHED THEN INSERT (k, w) VALUES (x.k, DEFAULT)"
    )
    assert db.execute(made).tag == "MERGE 1"


def test_what_a_clause_computes_is_of_its_own_rows(db: Database) -> None:
    db.execute(TABLES)
    db.execute("""MERGE INTO t USING s ON t.k = s.k WHEN MATCHED AND s.v = 0 THEN DO NOTHING
        WHEN MATCHED THEN UPDATE SET v = t.v / s.v WHEN NOT MATCHED AND s.k = 4 THEN INSERT VALUES (4, 4 / s.v, 'x')""")
    assert rows(db) == [(1, 10, "a"), (2, 20, "b"), (3, 30, "c"), (4, 1, "x")]


def test_in_a_block_it_sees_what_the_block_wrote(db: Database) -> None:
    db.execute(TABLES)
    with db.session() as session:
        session.execute("BEGIN; INSERT INTO s VALUES (3, 3); UPDATE t SET v = 0")
        session.execute("MERGE INTO t USING s ON t.k = s.k WHEN MATCHED THEN UPDATE SET v = s.v")
        assert rows(db) == [(1, 10, "a"), (2, 20, "b"), (3, 30, "c")]
        session.execute("PREPARE p AS MERGE INTO t USING s ON t.k = s.k WHEN MATCHED THEN UPDATE SET v = t.v + $1")
        session.execute("EXECUTE p(5); COMMIT")
    assert rows(db) == [(1, 6, "a"), (2, 5, "b"), (3, 8, "c")]


@pytest.mark.parametrize(
    ("sql", "sqlstate", "match"),
    [
        ("USING (VALUES (1), (1)) x (k) ON t.k = x.k WHEN MATCHED THEN DELETE", "21000", "second time"),
        ("USING (VALUES (1, 2), (1, 3)) x (k, v) ON t.k = x.k WHEN MATCHED AND v = 2 THEN DELETE", "42702", "v"),
        ("USING s ON t.k = s.k WHEN NOT MATCHED THEN INSERT VALUES (1, 2, 'x')", "23505", "t_pkey"),
        ("USING s ON t.k = s.k WHEN MATCHED THEN UPDATE SET v = NULL", "23502", '"v"'),
        ("USING s ON t.k = s.k WHEN NOT MATCHED THEN INSERT VALUES (t.k)", "42P01", '"t"'),
        ("USING s ON t.k = s.k WHEN NOT MATCHED THEN INSERT (k, v) VALUES (1)", "42601", "more target columns"),
        ("USING s ON t.k = s.k WHEN MATCHED THEN UPDATE SET nope = 1", "42703", "nope"),
        ("USING s ON t.k = s.k WHEN MATCHED THEN DELETE WHEN MATCHED THEN DO NOTHING", "42601", "unreachable"),
        ("USING s ON t.k = s.k WHEN NOT MATCHED THEN DELETE", "42601", "DELETE"),
        ("USING t ON true WHEN MATCHED THEN DELETE", "42712", '"t"'),
        ("USING s ON t.k = s.k WHEN NOT MATCHED BY SOURCE THEN DELETE", "0A000", "BY SOURCE"),
        ("USING s ON t.k = s.k WHEN MATCHED THEN DELETE RETURNING *", "0A000", "RETURNING"),
        ("USING s ON t.k = s.k", "42601", "end of input"),
    ],
)
def test_what_is_wrong_changes_nothing(db: Database, sql: str, sqlstate: str, match: str) -> None:
    db.execute(TABLES)
    with pytest.raises(SqlError, match=match) as refused:
        db.execute(f"MERGE INTO t {sql}")
    assert refused.value.sqlstate == sqlstate
    assert rows(db) == [(1, 10, "a"), (2, 20, "b"), (3, 30, "c")]


def test_only_tables_are_merged_into(db: Database) -> None:
    db.execute(TABLES + "; CREATE VIEW v AS SELECT * FROM t")
    with pytest.raises(SqlError, match="cannot merge into view"):
        db.execute("MERGE INTO v USING s ON v.k = s.k WHEN MATCHED THEN DELETE")
    with db.session() as session:
        session.execute("SET default_transaction_read_only = on")
        with pytest.raises(SqlError, match="cannot execute MERGE in a read-only"):
            session.execute("MERGE INTO t USING s ON t.k = s.k WHEN MATCHED THEN DELETE")
