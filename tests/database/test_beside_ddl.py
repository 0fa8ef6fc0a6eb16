"""Who reads beside somebody that changes the catalog is answered as of one moment, or told why not."""

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from engine.database import Database
from engine.errors import SqlError

GROUPED = "SELECT k, count(*) AS n FROM t GROUP BY k"
SCHEMA = f"""
CREATE TABLE t (k int, v text); INSERT INTO t SELECT i % 5, 'v' || i FROM generate_series(1, 30) i;
CREATE TABLE other (n int);
CREATE MATERIALIZED VIEW m AS {GROUPED}; CREATE VIEW plain AS {GROUPED};
CREATE VIEW indexed AS {GROUPED}; CREATE INDEX i ON indexed (k);
"""
RELATIONS = ("m", "plain", "indexed", f"({GROUPED})")
CHANGES = {
    "reshaped": ("ALTER TABLE t ADD COLUMN more int", "ALTER TABLE t DROP COLUMN more"),
    "dropped": ("DROP MATERIALIZED VIEW m", f"CREATE MATERIALIZED VIEW m AS {GROUPED}"),
    "not indexed": ("DROP INDEX i", "CREATE INDEX i ON indexed (k)"),
}


@contextmanager
def changing(db: Database, statements: tuple[str, ...]) -> Iterator[None]:
    """These, over and over, and a row that comes and goes."""
    ended = threading.Event()
    failures: list[SqlError] = []

    def run() -> None:
        while not ended.is_set():
            try:
                for sql in statements:
                    db.execute(f"INSERT INTO t (k, v) VALUES (1, 'new'); {sql}; DELETE FROM t WHERE v = 'new'")
            except SqlError as error:
                failures.append(error)
                return

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
    assert not failures


@pytest.mark.parametrize("change", CHANGES)
def test_all_reads_of_a_block_are_of_one_moment(db: Database, change: str) -> None:
    db.execute(SCHEMA)
    whole = 0
    with changing(db, CHANGES[change]):
        for first in range(120):
            with db.session() as session:
                session.execute("BEGIN")
                asked = (*RELATIONS[first % 4 :], *RELATIONS[: first % 4])
                try:
                    answers = [Counter(session.execute(f"SELECT * FROM {name} AS r").rows()) for name in asked]
                except SqlError as error:
                    assert error.sqlstate in ("40001", "42P01"), error  # noqa: PT017 - most blocks have none
                    continue
                assert answers[0].total() == 5
                assert answers == [answers[0]] * len(answers), asked
                whole += 1
    assert whole


@pytest.mark.parametrize("change", CHANGES)
def test_a_subscription_begins_or_says_why_not(db: Database, change: str) -> None:
    db.execute(SCHEMA)
    begun = 0
    with changing(db, CHANGES[change]):
        for at in range(60):
            try:
                with db.subscribe(f"SUBSCRIBE (SELECT count(*) FROM {RELATIONS[at % 4]} AS r)") as subscription:
                    assert subscription.wait(60), RELATIONS[at % 4]
                    batch = subscription.poll()
                    assert batch is not None
                    assert [change.row for change in batch.changes()] == [(5,)]
                    begun += 1
            except SqlError as error:
                assert error.sqlstate == "42P01"  # noqa: PT017 - most have none
    assert begun


@pytest.mark.parametrize("change", ["ALTER TABLE t ADD COLUMN more int", "DROP TABLE t CASCADE"])
def test_what_a_block_read_must_still_be_there(db: Database, change: str) -> None:
    """Else two of them could each write what the other would have had to read."""
    db.execute(SCHEMA)
    with db.session() as session:
        session.execute("BEGIN; INSERT INTO other SELECT count(*) FROM t")
        db.execute(change)
        assert db.execute("SELECT count(*) FROM other").rows() == [(0,)]
        with pytest.raises(SqlError) as failed:
            session.execute("COMMIT")
        assert failed.value.sqlstate == "40001"
    assert db.execute("SELECT count(*) FROM other").rows() == [(0,)]


def test_what_others_drop_is_not_taken_for_the_blocks_own(db: Database) -> None:
    db.execute(SCHEMA)
    with db.session() as session:
        session.execute("BEGIN; CREATE TABLE own (n int); INSERT INTO own VALUES (1)")
        db.execute("DROP TABLE t CASCADE")
        assert session.execute("SELECT n FROM own").rows() == [(1,)]
        with pytest.raises(SqlError) as failed:
            session.execute("SELECT * FROM t")
        assert failed.value.sqlstate in ("40001", "42P01")
