"""Blocks that read and write: their own writes are seen, others' are not, and what was read must still hold."""

import pytest

from engine.database import Database, Session
from engine.errors import ActiveTransaction, ReadOnlyTransaction, SqlError


def sqlstate(session: Session, sql: str) -> str:
    with pytest.raises(SqlError) as failure:
        session.execute(sql)
    return failure.value.sqlstate


@pytest.fixture
def bank(db: Database) -> Database:
    db.execute("CREATE TABLE t (a int PRIMARY KEY, n int); INSERT INTO t VALUES (1, 10), (2, 20)")
    db.execute("CREATE VIEW doubled AS SELECT a, 2 * n AS n FROM t")
    db.execute("CREATE MATERIALIZED VIEW total AS SELECT sum(n) AS n FROM doubled")
    return db


def test_a_block_sees_its_own_writes(bank: Database) -> None:
    session = bank.session()
    session.execute("BEGIN")
    session.execute("INSERT INTO t VALUES (3, 30)")
    session.execute("UPDATE t SET n = n + 1 WHERE a = 1")
    assert session.execute("DELETE FROM t WHERE a = 2 RETURNING n").rows() == [(20,)]
    assert session.execute("INSERT INTO t VALUES (1, 0), (4, 4) ON CONFLICT DO NOTHING RETURNING a").rows() == [(4,)]
    session.execute("INSERT INTO t VALUES (3, 5) ON CONFLICT (a) DO UPDATE SET n = t.n + excluded.n")
    session.execute("UPDATE t SET n = t.n + 1 FROM doubled WHERE doubled.a = t.a AND doubled.a = 4")
    assert sorted(session.execute("SELECT * FROM t").rows()) == [(1, 11), (3, 35), (4, 5)]
    assert session.execute("SELECT n FROM t WHERE a = 3").rows() == [(35,)]
    assert session.execute("SELECT n FROM total").rows() == [(102,)]
    assert bank.execute("SELECT n FROM total").rows() == [(60,)]
    result = session.execute("COMMIT")
    assert result.tag == "COMMIT"
    assert result.timestamp
    assert bank.execute("SELECT n FROM total").rows() == [(102,)]
    assert sorted(bank.execute("SELECT * FROM t").rows()) == [(1, 11), (3, 35), (4, 5)]


def test_a_block_rolls_back(bank: Database) -> None:
    session = bank.session()
    session.execute("BEGIN; DELETE FROM t; INSERT INTO t VALUES (1, 1); ROLLBACK")
    assert sorted(bank.execute("SELECT * FROM t").rows()) == [(1, 10), (2, 20)]


def test_what_was_read_must_not_have_changed(bank: Database) -> None:
    session = bank.session()
    session.execute("BEGIN; SELECT n FROM total; INSERT INTO t VALUES (7, 7)")
    bank.execute("INSERT INTO t VALUES (3, 30)")
    assert session.execute("SELECT n FROM total").rows() == [(74,)]
    assert sqlstate(session, "COMMIT") == "40001"
    assert session.transaction_status == "I"
    assert bank.execute("SELECT count(*) FROM t").rows() == [(3,)]
    session.execute("BEGIN; UPDATE t SET n = 0 WHERE a = 1")
    bank.execute("UPDATE t SET n = 1 WHERE a = 1")
    assert sqlstate(session, "COMMIT") == "40001"


@pytest.mark.parametrize("read", ["SELECT a, n FROM doubled", "SELECT a, 2 * n FROM t"], ids=["a view", "its query"])
def test_a_view_is_its_query(bank: Database, read: str) -> None:
    """Read alone too: at the block's tick, with the block's writes, and held to at the commit."""
    session = bank.session()
    session.execute("BEGIN")
    assert sorted(session.execute(read).rows()) == [(1, 20), (2, 40)]
    bank.execute("DELETE FROM t WHERE a = 2")
    session.execute("INSERT INTO t VALUES (3, 30)")
    assert sorted(session.execute(read).rows()) == [(1, 20), (2, 40), (3, 60)]
    assert sqlstate(session, "COMMIT") == "40001"


def test_what_a_block_has_written_below_a_materialized_view_is_held_to_its_inputs(bank: Database) -> None:
    """Others' change leaves the view alone, but not the view with the block's own rows."""
    bank.execute("CREATE MATERIALIZED VIEW many AS SELECT count(*) >= 4 AS yes FROM t")
    session = bank.session()
    session.execute("BEGIN; INSERT INTO t VALUES (3, 30)")
    assert session.execute("SELECT yes FROM many").rows() == [(False,)]
    bank.execute("INSERT INTO t VALUES (4, 40)")
    assert sqlstate(session, "COMMIT") == "40001"


def test_blind_writes_never_clash(bank: Database) -> None:
    bank.execute("CREATE TABLE u (a int)")
    one, two = bank.session(), bank.session()
    one.execute("BEGIN; INSERT INTO u VALUES (1)")
    two.execute("BEGIN; INSERT INTO u VALUES (2)")
    assert two.execute("COMMIT").tag == one.execute("COMMIT").tag == "COMMIT"
    assert bank.execute("SELECT count(*) FROM u").rows() == [(2,)]


def test_a_key_is_kept_at_the_statement_and_at_the_commit(bank: Database) -> None:
    one, two = bank.session(), bank.session()
    one.execute("BEGIN; INSERT INTO t VALUES (5, 5)")
    assert sqlstate(one, "INSERT INTO t VALUES (5, 6)") == "23505"
    assert one.execute("COMMIT").tag == "ROLLBACK"
    one.execute("BEGIN; INSERT INTO t VALUES (5, 5)")
    two.execute("BEGIN; INSERT INTO t VALUES (5, 6)")
    one.execute("COMMIT")
    assert sqlstate(two, "COMMIT") == "23505"
    assert bank.execute("SELECT n FROM t WHERE a = 5").rows() == [(5,)]


def test_a_text_of_several_statements_is_one_transaction(bank: Database) -> None:
    session = bank.session()
    assert sqlstate(session, "DELETE FROM t; INSERT INTO t VALUES (1, 1); SELECT 1 / 0") == "22012"
    assert session.transaction_status == "I"
    assert bank.execute("SELECT count(*) FROM t").rows() == [(2,)]
    with bank.subscribe("SUBSCRIBE t") as changes:
        changes.poll()
        session.execute("DELETE FROM t WHERE a = 1; INSERT INTO t VALUES (1, 1)")
        batch = changes.poll()
        assert batch is not None
        assert sorted((change.diff, change.row) for change in batch.changes()) == [(-1, (1, 10)), (1, (1, 1))]
    session.execute("INSERT INTO t VALUES (8, 8); BEGIN; INSERT INTO t VALUES (9, 9)")
    assert session.transaction_status == "T"
    session.execute("ROLLBACK")
    assert bank.execute("SELECT count(*) FROM t").rows() == [(2,)]
    notices = session.execute("INSERT INTO t VALUES (8, 8); COMMIT").notices
    assert [notice.sqlstate for notice in notices] == ["25P01"]
    assert bank.execute("SELECT count(*) FROM t").rows() == [(3,)]


def test_a_reader_that_writes_nothing_always_commits(bank: Database) -> None:
    session = bank.session()
    session.execute("BEGIN; SELECT * FROM t")
    bank.execute("DELETE FROM t")
    assert session.execute("SELECT count(*) FROM t").rows() == [(2,)]
    assert session.execute("COMMIT").tag == "COMMIT"


@pytest.mark.parametrize(
    "begin",
    [
        "BEGIN READ ONLY",
        "START TRANSACTION ISOLATION LEVEL SERIALIZABLE, READ ONLY",
        "BEGIN; SET TRANSACTION READ ONLY",
        "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY; BEGIN",
        "SET default_transaction_read_only = true; BEGIN ISOLATION LEVEL SERIALIZABLE",
    ],
)
@pytest.mark.parametrize(
    ("write", "command"),
    [
        ("INSERT INTO kept VALUES (1)", "INSERT"),
        ("DELETE FROM kept", "DELETE"),
        ("UPDATE kept SET a = 1", "UPDATE"),
        ("TRUNCATE kept", "TRUNCATE"),
        ("COPY kept FROM STDIN", "COPY FROM"),
        ("CREATE TABLE more (a int)", "CREATE TABLE"),
        ("DROP TABLE kept", "DROP"),
    ],
)
def test_a_transaction_that_only_reads_refuses_to_write(db: Database, begin: str, write: str, command: str) -> None:
    db.execute("CREATE TABLE kept (a int)")
    db.execute("INSERT INTO kept VALUES (7)")
    with db.session() as session:
        session.execute("CREATE TEMP TABLE own (a int)")
        for statement in begin.split("; "):
            session.execute(statement)
        assert session.execute("SHOW transaction_read_only").rows() == [("on",)]
        session.execute("INSERT INTO own VALUES (1)")
        with pytest.raises(ReadOnlyTransaction, match=f"cannot execute {command} in a read-only transaction"):
            session.execute(write)
        session.execute("ROLLBACK")
        session.execute("BEGIN READ WRITE")
        session.execute("INSERT INTO kept SELECT a FROM kept")
        session.execute("COMMIT")
    assert db.execute("SELECT a FROM kept").rows() == [(7,), (7,)]


def test_outside_of_a_block_the_default_says_whether_a_statement_may_write(db: Database) -> None:
    db.execute("CREATE TABLE kept (a int)")
    with db.session() as session:
        session.execute("SET TRANSACTION READ ONLY")  # of the transaction that this statement is
        session.execute("INSERT INTO kept VALUES (1)")
        session.execute("SET default_transaction_read_only = on")
        with pytest.raises(ReadOnlyTransaction):
            session.execute("INSERT INTO kept VALUES (2)")
        session.execute("BEGIN; SELECT * FROM kept")
        with pytest.raises(ActiveTransaction):
            session.execute("SET TRANSACTION READ WRITE")


def test_what_a_block_assigns_ends_with_it(db: Database) -> None:
    """SET is undone by a rollback, SET LOCAL by any end; a savepoint is what was assigned before it."""
    with db.session() as session:

        def shown() -> str:
            return session.execute("SHOW application_name").rows()[0][0]

        session.execute("SET application_name = 'a'")
        session.execute("SET LOCAL application_name = 'nobody'")  # outside of a block it lasts for itself
        assert shown() == "a"
        for end, kept in (("COMMIT", "b"), ("ROLLBACK", "a")):
            session.execute("SET application_name = 'a'")
            session.execute("BEGIN")
            session.execute("SET application_name = 'b'")
            session.execute("SAVEPOINT s")
            session.execute("SET LOCAL application_name = 'c'")
            assert shown() == "c"
            session.execute("ROLLBACK TO s")
            assert shown() == "b"
            session.execute("SELECT set_config('application_name', 'd', true)")
            assert shown() == "d"
            session.execute(end)
            assert shown() == kept
        session.execute("BEGIN")
        session.execute("SET application_name = 'e'")
        sqlstate(session, "SELECT 1 / 0")
        session.execute("COMMIT")  # of a failed block, so a rollback
        assert shown() == "a"
        session.execute("SET application_name = 'f'; SELECT 1")  # a text of several is a block
        assert shown() == "f"
        sqlstate(session, "SET application_name = 'g'; SELECT 1 / 0")
        assert shown() == "f"
        session.execute("SELECT set_config('application_name', 'h', false)")
        assert shown() == "h"
