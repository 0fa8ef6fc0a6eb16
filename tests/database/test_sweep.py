"""The heap is swept between ticks: what died is freed, and nothing that anybody still holds changes."""

from collections.abc import Iterator

import pytest

from engine.connectors import generator
from engine.database import Database, Options
from engine.errors import SqlError


@pytest.fixture
def db() -> Iterator[Database]:
    """Sweeps early; keeps no history, because what is in it is alive."""
    with Database.in_memory(Options(history_ms=0, heap_sweep_bytes_min=1 << 12)) as database:
        yield database


def metric(db: Database, wanted: str) -> float:
    return next(value for name, _, value in db.metrics() if name == wanted)


def test_memory_comes_back_and_what_lives_stays(db: Database) -> None:
    db.execute("CREATE TABLE t (k int, s text, n numeric, j jsonb); CREATE TABLE kept (s text)")
    db.execute("INSERT INTO kept SELECT 'kept ' || g FROM generate_series(1, 50) g")
    db.execute("CREATE MATERIALIZED VIEW v AS SELECT k, min(s) AS lo, max(s) AS hi, max(j) AS j FROM t GROUP BY k")
    db.execute("CREATE MATERIALIZED VIEW w AS SELECT string_agg(s, ',' ORDER BY s) AS all FROM kept WHERE s <> 'gone'")
    first = db.execute("SELECT * FROM w")
    changes = db.subscribe("SUBSCRIBE (SELECT s, n FROM t)")
    state: dict[tuple, int] = {}
    session = db.session()
    session.execute("BEGIN; INSERT INTO kept VALUES ('written in a transaction that is open for long')")
    held = None
    peak = 0.0
    for turn in range(80):
        big = f"repeat('{turn} ', 200)"
        db.execute(
            f"INSERT INTO t SELECT g % 7, g || {big}, 1e30 + {turn} * 1e3 + g, jsonb_build_object('a', g || {big})"
            " FROM generate_series(1, 60) g"
        )
        if turn == 3:
            held = db.execute("SELECT * FROM v ORDER BY k"), db.execute("SELECT * FROM v ORDER BY k").rows()
        assert db.execute("SELECT count(*), count(DISTINCT s) FROM t").rows() == [(60, 60)]
        highest = db.execute("SELECT max(s) FROM t WHERE k = 3").rows()
        assert db.execute("SELECT hi FROM v WHERE k = 3").rows() == highest
        db.execute("DELETE FROM t")
        peak = max(peak, metric(db, "tailrace_heap_data"))
        if turn % 10 == 9:
            while (batch := changes.poll()) is not None:
                for change in batch.changes():
                    state[change.row] = state.get(change.row, 0) + change.diff
    assert not any(state.values())
    # Every turn interns 60 texts, numbers and documents, and half of all that were ever there is never held at once.
    assert metric(db, "tailrace_heap_data") <= peak < 80 * 60 * 3 / 2
    session.execute("COMMIT")
    db.execute("DELETE FROM kept WHERE s LIKE 'written%'")
    assert db.execute("SELECT * FROM w").rows() == first.rows()
    assert held is not None
    assert held[0].rows() == held[1]
    assert db.execute("SELECT count(*) FROM kept WHERE s LIKE 'kept %'").rows() == [(50,)]


def test_codes_in_constants_and_errors_survive(db: Database) -> None:
    db.execute("CREATE TABLE t (s text)")
    db.execute(
        "CREATE MATERIALIZED VIEW v AS SELECT CASE WHEN s = 'a literal of a plan' THEN 'another one' ELSE s END FROM t"
    )
    db.execute("CREATE MATERIALIZED VIEW bad AS SELECT s::int AS i FROM t")
    db.execute("INSERT INTO t VALUES ('no number at all')")
    for turn in range(20):
        db.execute(f"INSERT INTO t SELECT 'row ' || (g + {turn * 1000}) FROM generate_series(1, 300) g")
        db.execute("DELETE FROM t WHERE s LIKE 'row %'")
    db.execute("INSERT INTO t VALUES ('a literal of a plan')")
    assert sorted(db.execute("SELECT * FROM v").rows()) == [("another one",), ("no number at all",)]
    with pytest.raises(SqlError, match=r"no number at all|a literal of a plan"):
        db.execute("SELECT * FROM bad")


def test_memory_is_flat_under_a_source_that_is_flat_out_while_somebody_asks(monkeypatch):
    """Whoever waits for a tick holds nothing back: a heap that is not swept while there are readers grows for ever."""
    monkeypatch.setattr(generator, "BLOCK_ROWS", 2_000)
    options = Options(heap_sweep_bytes_min=1 << 16, inbox_rows_max=2_000, tick_rows_max=2_000, history_ms=0)
    with Database.in_memory(options) as db:
        db.execute(
            "CREATE SOURCE kv FROM LOAD GENERATOR KEY VALUE (KEYS 100, VALUE SIZE 50, BATCH SIZE 100, "
            "TICK INTERVAL '0s') ENVELOPE UPSERT"
        )
        db.execute("CREATE MATERIALIZED VIEW v AS SELECT count(*) AS n, max(value) AS m FROM kv")
        asked = "SELECT updates_committed FROM mz_internal.mz_source_statistics"
        held: list[int] = []
        while not held or db.execute(asked).rows()[0][0] < 150_000:
            assert db.execute("SELECT n FROM v").rows() == [(100,)]
            held.append(len(db._coordinator.heap))
        assert max(held) < 20_000, "of 75,000 values"
