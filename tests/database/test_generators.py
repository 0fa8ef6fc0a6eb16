"""Load generators through SQL: their tables, their options, and what is refused."""

from pathlib import Path

import pytest

from engine.connectors import generate_tpch
from engine.database import Database
from engine.errors import SqlError
from tests.database.test_sources import wait_for

TABLES = {
    "AUCTION": ["accounts", "auctions", "bids", "organizations", "users"],
    "MARKETING": ["clicks", "conversion_predictions", "coupons", "customers", "impressions", "leads"],
    "TPCH": ["customer", "lineitem", "nation", "orders", "part", "partsupp", "region", "supplier"],
    "NEXMARK": ["auction", "bid", "person"],
}


@pytest.mark.parametrize("kind", TABLES)
def test_every_table_of_a_generator_is_a_relation(db: Database, kind: str) -> None:
    scale = ", SCALE FACTOR 0.0001" if kind == "TPCH" else ""
    db.execute(
        f"CREATE SOURCE g FROM LOAD GENERATOR {kind} (TICK INTERVAL '1s', AS OF 30, UP TO 30{scale}) FOR ALL TABLES"
    )
    wait_for(db, 'SELECT "offset" FROM g_progress', [(30,)])
    names = {name for (name,) in db.execute("SELECT name FROM mz_sources WHERE id LIKE 'u%'").rows()}
    assert names == {*TABLES[kind], "g", "g_progress"}
    for name in TABLES[kind]:
        assert db.execute(f"SELECT count(*) FROM {name}").rows()[0][0] > 0, name


def test_key_value_upserts(db: Database) -> None:
    db.execute(
        "CREATE SOURCE kv FROM LOAD GENERATOR KEY VALUE "
        "(KEYS 16, PARTITIONS 4, SNAPSHOT ROUNDS 3, SEED 7, VALUE SIZE 10, BATCH SIZE 2, TICK INTERVAL '0s', UP TO 100)"
        " ENVELOPE UPSERT"
    )
    wait_for(db, 'SELECT "offset" FROM kv_progress', [(100,)])
    assert db.execute("SELECT count(*), count(DISTINCT key), min(length(value)) FROM kv").rows() == [(16, 16, 10)]


def test_tpch_changes_stay_consistent(db: Database) -> None:
    """What orders say of their lines is true at every tick."""
    db.execute(
        "CREATE SOURCE t FROM LOAD GENERATOR TPCH (SCALE FACTOR 0.0001, TICK INTERVAL '1ms', UP TO 300) FOR ALL TABLES"
    )
    db.execute(
        "CREATE MATERIALIZED VIEW wrong AS SELECT o_orderkey FROM orders FULL JOIN "
        "(SELECT DISTINCT l_orderkey FROM lineitem) l ON l_orderkey = o_orderkey "
        "WHERE o_orderkey IS NULL OR l_orderkey IS NULL"
    )
    with db.subscribe("SUBSCRIBE wrong WITH (SNAPSHOT)") as changes:
        wait_for(db, 'SELECT "offset" FROM t_progress', [(300,)])
        assert changes.poll() is None, "every order has lines at every time"


def test_its_ticks_are_its_progress(tmp_path: Path) -> None:
    parts = (
        "SELECT partition, offset_received, offset_committed, offset_known, lag FROM mz_internal.mz_source_partitions"
    )
    for _ in range(2):
        with Database.open(tmp_path) as db:
            db.execute("CREATE SOURCE IF NOT EXISTS c FROM LOAD GENERATOR COUNTER (TICK INTERVAL '1ms', UP TO 50)")
            wait_for(db, 'SELECT "offset" FROM c_progress', [(50,)])
            assert db.execute(parts).rows() == [("tick", 50, 50, 50, 0)]


def test_what_is_there_at_first_is_there_whole(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many blocks it comes in: whoever asks waits for the last."""
    monkeypatch.setattr(generate_tpch, "ROWS_AT_ONCE", 10)
    monkeypatch.setattr(generate_tpch, "ORDERS_AT_ONCE", 10)
    db.execute("CREATE SOURCE t FROM LOAD GENERATOR TPCH (SCALE FACTOR 0.001, TICK INTERVAL '1h') FOR ALL TABLES")
    counts = "SELECT (SELECT count(*) FROM orders), (SELECT count(*) FROM customer), (SELECT count(*) FROM part)"
    assert db.execute(counts).rows() == [(1500, 150, 200)]
    db.execute("CREATE SOURCE c FROM LOAD GENERATOR COUNTER (AS OF 120000, TICK INTERVAL '1h')")
    assert db.execute("SELECT count(*) FROM c").rows() == [(120000,)]


def test_no_answer_goes_back_over_a_restart(tmp_path: Path) -> None:
    """The rows come again; nobody sees fewer of them."""
    with Database.open(tmp_path) as db:
        db.execute("CREATE SOURCE c FROM LOAD GENERATOR COUNTER (TICK INTERVAL '0s', UP TO 200000)")
        db.execute("CREATE MATERIALIZED VIEW n AS SELECT count(*) AS n FROM c")
        wait_for(db, "SELECT n FROM n", [(200000,)])
    for _ in range(2):
        with Database.open(tmp_path) as db:
            assert db.execute("SELECT n FROM n").rows() == [(200000,)]
            assert db.execute("SELECT count(*), max(counter) FROM c").rows() == [(200000, 200000)]


def test_tpch_is_what_its_specification_says(db: Database) -> None:
    """Cardinalities and keys of clause 4.2, references that lead somewhere, and what follows from other columns."""
    db.execute("CREATE SOURCE t FROM LOAD GENERATOR TPCH (SCALE FACTOR 0.002, TICK INTERVAL '1h') FOR ALL TABLES")
    counts = {"region": 5, "nation": 25, "supplier": 20, "part": 400, "partsupp": 1600, "customer": 300, "orders": 3000}
    for table, count in counts.items():
        assert db.execute(f"SELECT count(*) FROM {table}").rows() == [(count,)], table
    for table, column, other, key in (
        ("nation", "n_regionkey", "region", "r_regionkey"),
        ("supplier", "s_nationkey", "nation", "n_nationkey"),
        ("customer", "c_nationkey", "nation", "n_nationkey"),
        ("partsupp", "ps_partkey", "part", "p_partkey"),
        ("partsupp", "ps_suppkey", "supplier", "s_suppkey"),
        ("orders", "o_custkey", "customer", "c_custkey"),
        ("lineitem", "l_orderkey", "orders", "o_orderkey"),
    ):
        lost = f"SELECT count(*) FROM {table} WHERE {column} NOT IN (SELECT {key} FROM {other})"
        assert db.execute(lost).rows() == [(0,)], column
    for wrong in (
        "lineitem WHERE (l_partkey, l_suppkey) NOT IN (SELECT ps_partkey, ps_suppkey FROM partsupp)",
        "orders WHERE o_custkey % 3 = 0",  # a third of the customers never order
        "lineitem JOIN orders ON l_orderkey = o_orderkey WHERE NOT (l_shipdate > o_orderdate "
        "AND l_shipdate <= o_orderdate + 121 AND l_receiptdate BETWEEN l_shipdate + 1 AND l_shipdate + 30 "
        "AND l_commitdate BETWEEN o_orderdate + 30 AND o_orderdate + 90)",
        "lineitem JOIN part ON l_partkey = p_partkey WHERE l_extendedprice <> l_quantity * p_retailprice",
        "part WHERE p_retailprice <> (90000 + p_partkey / 10 % 20001 + 100 * (p_partkey % 1000)) / 100.0",
        "lineitem WHERE l_quantity NOT BETWEEN 1 AND 50 OR l_discount NOT BETWEEN 0 AND 0.1 OR l_tax > 0.08",
        "lineitem WHERE (l_linestatus = 'O') <> (l_shipdate > DATE '1995-06-17')",
        "lineitem WHERE (l_returnflag = 'N') <> (l_receiptdate > DATE '1995-06-17')",
        "orders JOIN (SELECT l_orderkey, sum(l_extendedprice * (1 + l_tax) * (1 - l_discount)) AS total "
        "FROM lineitem GROUP BY l_orderkey) l ON l_orderkey = o_orderkey WHERE abs(o_totalprice - total) > 0.02 * 7",
        "orders WHERE o_orderdate NOT BETWEEN DATE '1992-01-01' AND DATE '1998-08-02'",
        "orders WHERE o_orderkey % 32 > 8",  # eight of each 32 keys are used
    ):
        assert db.execute(f"SELECT count(*) FROM {wrong}").rows() == [(0,)], wrong
    lines = "SELECT min(n), max(n) FROM (SELECT count(*) AS n FROM lineitem GROUP BY l_orderkey)"
    assert db.execute(lines).rows() == [(1, 7)]


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("NOSUCH", "no load generator NOSUCH"),
        ("TPCH (SCALE FACTOR 0) FOR ALL TABLES", "scale factor"),
        ("TPCH", "FOR ALL TABLES"),
        ("COUNTER (SCALE FACTOR 1)", 'unrecognized load generator option "scale factor"'),
        ("COUNTER (TICK INTERVAL '1 month')", "TICK INTERVAL"),
        ("KEY VALUE (VALUE SIZE 10)", "needs KEYS"),
        ("KEY VALUE (KEYS 0)", "keys"),
        ("COUNTER ENVELOPE UPSERT", "KEY VALUE"),
    ],
)
def test_what_is_wrong_is_named(db: Database, sql: str, words: str) -> None:
    with pytest.raises(SqlError) as failure:
        db.execute(f"CREATE SOURCE g FROM LOAD GENERATOR {sql}")
    assert words in f"{failure.value.message} {failure.value.hint}"
