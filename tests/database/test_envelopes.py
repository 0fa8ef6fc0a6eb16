"""SUBSCRIBE ... ENVELOPE and WITHIN TIMESTAMP ORDER BY: the same changes, told by key or in an order."""

import pytest

from engine.database import Database
from engine.errors import AmbiguousColumn, DuplicateColumn, SyntaxError_, UndefinedColumn, Unsupported


@pytest.fixture
def db():
    with Database.in_memory() as db:
        db.execute("CREATE TABLE t (a int, b text, c int); INSERT INTO t VALUES (1, 'x', NULL), (2, 'y', 5)")
        yield db


def told(subscription):
    """The rows of the next batch without their times; as text they are the same."""
    subscription.wait()
    batch = subscription.poll()
    rows = [row[1:] for row in batch.rows()]
    table = batch.arrow()
    assert list(table.column_names) == [column.name for column in subscription.columns]
    assert table.num_rows == len(rows) == batch.row_count
    texts = [column.to_pylist() for column in batch.text()]
    shown = {None: None, True: "t", False: "f"}
    written = [tuple(shown.get(v, str(v)) if v is None or isinstance(v, bool) else str(v) for v in r) for r in rows]
    assert written == list(zip(*texts[1:], strict=True))
    return rows


def test_upsert(db):
    subscription = db.subscribe("SUBSCRIBE t ENVELOPE UPSERT (KEY (a))")
    assert [column.name for column in subscription.columns] == ["mz_timestamp", "mz_state", "a", "b", "c"]
    assert sorted(told(subscription)) == [("upsert", 1, "x", None), ("upsert", 2, "y", 5)]
    db.execute("UPDATE t SET b = 'z' WHERE a = 1")
    assert told(subscription) == [("upsert", 1, "z", None)]
    db.execute("DELETE FROM t WHERE a = 2")
    assert told(subscription) == [("delete", 2, None, None)]
    db.execute("INSERT INTO t VALUES (1, 'again', 1), (1, 'and again', 1)")
    assert told(subscription) == [("key_violation", 1, None, None)]
    subscription.close()


def test_debezium(db):
    subscription = db.subscribe("SUBSCRIBE (SELECT * FROM t) WITH (SNAPSHOT = false) ENVELOPE DEBEZIUM (KEY (c, a))")
    names = ["mz_timestamp", "mz_state", "c", "a", "before_b", "after_b"]
    assert [column.name for column in subscription.columns] == names
    db.execute("UPDATE t SET b = 'z' WHERE a = 2")
    assert told(subscription) == [("upsert", 5, 2, "y", "z")]
    db.execute("DELETE FROM t WHERE a = 1")
    assert told(subscription) == [("delete", None, 1, "x", None)]
    db.execute("INSERT INTO t VALUES (7, 'new', 7)")
    assert told(subscription) == [("insert", 7, 7, None, "new")]
    subscription.close()


def test_progress_comes_with_an_envelope(db):
    subscription = db.subscribe("SUBSCRIBE t ENVELOPE UPSERT (KEY (a)) WITH (PROGRESS)")
    assert [column.name for column in subscription.columns][:3] == ["mz_timestamp", "mz_progressed", "mz_state"]
    subscription.wait()
    assert subscription.poll().rows()[0][1:] == (True, None, None, None, None)
    assert sorted(told(subscription))[0] == (False, "upsert", 1, "x", None)
    subscription.close()


def test_within_a_time_in_order(db):
    subscription = db.subscribe("SUBSCRIBE t WITHIN TIMESTAMP ORDER BY c DESC NULLS LAST, mz_diff")
    assert told(subscription) == [(1, 2, "y", 5), (1, 1, "x", None)]
    db.execute("UPDATE t SET b = b || '!'")
    assert told(subscription) == [(-1, 2, "y", 5), (1, 2, "y!", 5), (-1, 1, "x", None), (1, 1, "x!", None)]
    subscription.close()


def test_up_to_ends_it_at_once(db):
    now = db.execute("INSERT INTO t VALUES (3, 'w', 1)").timestamp
    subscription = db.subscribe(f"SUBSCRIBE t AS OF {now} UP TO {now + 1} ENVELOPE UPSERT (KEY (a))")
    assert sorted(row[:2] for row in told(subscription)) == [("upsert", 1), ("upsert", 2), ("upsert", 3)]
    db.execute("INSERT INTO t VALUES (4, 'v', 1)")
    assert list(subscription) == []


@pytest.mark.parametrize(
    ("sql", "error"),
    [
        ("SUBSCRIBE t ENVELOPE UPSERT (KEY (nope))", UndefinedColumn),
        ("SUBSCRIBE t ENVELOPE UPSERT (KEY (a, a))", DuplicateColumn),
        ("SUBSCRIBE (SELECT a, b AS a FROM t) ENVELOPE DEBEZIUM (KEY (a))", AmbiguousColumn),
        ("SUBSCRIBE t ENVELOPE UPSERT", SyntaxError_),
        ("SUBSCRIBE t ENVELOPE UPSERT (KEY (a)) WITHIN TIMESTAMP ORDER BY a", SyntaxError_),
        ("SUBSCRIBE t WITHIN TIMESTAMP ORDER BY nope", UndefinedColumn),
        ("SUBSCRIBE t WITHIN TIMESTAMP ORDER BY a + 1", Unsupported),
        ("SUBSCRIBE t WITH (PROGRESS) WITH (SNAPSHOT)", SyntaxError_),
    ],
)
def test_what_is_refused(db, sql, error):
    with pytest.raises(error):
        db.subscribe(sql)
