"""Prepared statements and cursors."""

import pytest

from engine.database import Database
from engine.errors import SqlError


def test_prepared_statements(db: Database) -> None:
    session = db.session()
    session.execute("CREATE TABLE t (a int, b text)")
    session.execute("PREPARE put (int, text) AS INSERT INTO t VALUES ($1, $2 || '$1')")
    assert session.execute("EXECUTE put(1 + 1, 'x')").tag == "INSERT 0 1"
    session.execute("EXECUTE put(NULL, 'y')")
    session.execute("PREPARE get AS SELECT a, b FROM t WHERE a = $1 OR $1 IS NULL ORDER BY a LIMIT $2")
    assert session.execute("EXECUTE get('2', 1)").rows() == [(2, "x$1")]
    assert session.execute("EXECUTE get(NULL, 5)").rows() == [(2, "x$1"), (None, "y$1")]
    assert session.execute("DEALLOCATE PREPARE get").tag == "DEALLOCATE"
    for sql, code in [
        ("EXECUTE get(1, 1)", "26000"),
        ("DEALLOCATE get", "26000"),
        ("EXECUTE put(1)", "42601"),
        ("PREPARE put AS SELECT 1", "42P05"),
        ("PREPARE bad AS SELEC 1", "42601"),
        ("PREPARE bad AS", "42601"),
    ]:
        with pytest.raises(SqlError) as failure:
            session.execute(sql)
        assert failure.value.sqlstate == code
    assert session.execute("DEALLOCATE ALL").tag == "DEALLOCATE ALL"


def test_a_cursor_gives_a_query_in_pieces(db: Database) -> None:
    session = db.session()
    session.execute("BEGIN; DECLARE c NO SCROLL CURSOR WITHOUT HOLD FOR SELECT * FROM generate_series(1, 5) ORDER BY 1")
    assert session.execute("FETCH c").rows() == [(1,)]
    result = session.execute("FETCH FORWARD 2 FROM c")
    assert (result.tag, result.rows()) == ("FETCH 2", [(2,), (3,)])
    assert session.execute("FETCH ALL IN c").rows() == [(4,), (5,)]
    assert session.execute("FETCH 3 c").tag == "FETCH 0"
    assert session.execute("CLOSE c").tag == "CLOSE CURSOR"
    with pytest.raises(SqlError) as failure:
        session.execute("FETCH c")
    assert failure.value.sqlstate == "34000"
    session.execute("ROLLBACK")
    with pytest.raises(SqlError) as failure:
        session.execute("DECLARE c CURSOR FOR SELECT 1")
    assert failure.value.sqlstate == "25P01"
    session.execute("BEGIN; DECLARE c CURSOR FOR SELECT 1; COMMIT; BEGIN; DECLARE c CURSOR FOR SELECT 1")
    with pytest.raises(SqlError) as failure:
        session.execute("DECLARE c CURSOR FOR SELECT 1")
    assert failure.value.sqlstate == "42P03"


def test_move_goes_on_over_rows(db: Database) -> None:
    session = db.session()
    session.execute("BEGIN; DECLARE c CURSOR FOR SELECT * FROM generate_series(1, 9) ORDER BY 1")
    moved = session.execute("MOVE FORWARD 2 FROM c")
    assert (moved.tag, moved.columns, moved.rows()) == ("MOVE 2", (), [])
    assert [session.execute(f"{sql} c").tag for sql in ("MOVE", "MOVE 3 IN")] == ["MOVE 1", "MOVE 3"]
    assert session.execute("FETCH c").rows() == [(7,)]
    assert [session.execute("MOVE ALL c").tag, session.execute("MOVE c").tag] == ["MOVE 2", "MOVE 0"]
    session.execute("COMMIT")
    db.execute("CREATE TABLE t (a int); INSERT INTO t VALUES (1)")
    session.execute("BEGIN; DECLARE c CURSOR FOR SUBSCRIBE t")
    assert session.execute("MOVE ALL c").tag == "MOVE 1"
    db.execute("INSERT INTO t VALUES (2)")
    assert [row[1:] for row in session.execute("FETCH 1 c WITH (timeout = '10s')").rows()] == [(1, 2)]
    session.execute("COMMIT")


@pytest.mark.parametrize(
    ("sql", "severity", "sqlstate", "message"),
    [
        ("RAISE NOTICE 'it''s so'", "NOTICE", "00000", "it's so"),
        ("RAISE WARNING", "WARNING", "01000", "raised a test warning"),
        ("RAISE INFO 'x'", "INFO", "00000", "x"),
        ("RAISE DEBUG 'x'", "DEBUG1", "00000", "x"),
    ],
)
def test_raise_is_told(db: Database, sql: str, severity: str, sqlstate: str, message: str) -> None:
    (notice,) = db.execute(sql).notices
    assert (notice.severity, notice.sqlstate, notice.message) == (severity, sqlstate, message)


def test_raise_fails_the_block(db: Database) -> None:
    with db.session() as session:
        session.execute("BEGIN")
        for sql in ("RAISE EXCEPTION 'no'", "ROLLBACK; BEGIN; RAISE 'no'"):
            with pytest.raises(SqlError) as failure:
                session.execute(sql)
            assert (failure.value.sqlstate, failure.value.message) == ("P0001", "no")
            with pytest.raises(SqlError, match="aborted"):
                session.execute("SELECT 1")


def test_a_cursor_over_a_subscription(db: Database) -> None:
    session = db.session()
    db.execute("CREATE TABLE t (a int); INSERT INTO t VALUES (1), (2)")
    session.execute("BEGIN; DECLARE c CURSOR FOR SUBSCRIBE t")
    assert sorted(row[1:] for row in session.execute("FETCH ALL c").rows()) == [(1, 1), (1, 2)]
    assert session.execute("FETCH ALL c WITH (timeout = '0s')").rows() == []
    db.execute("DELETE FROM t WHERE a = 1")
    db.execute("INSERT INTO t VALUES (3)")
    assert [row[1:] for row in session.execute("FETCH 1 FROM c WITH (timeout = '10s')").rows()] == [(-1, 1)]
    assert [row[1:] for row in session.execute("FETCH 5 c WITH (timeout '10 ms')").rows()] == [(1, 3)]
    session.execute("COMMIT")
    with pytest.raises(SqlError):
        session.execute("BEGIN; FETCH c")
