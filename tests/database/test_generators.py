"""Load generators through SQL: their tables, their options, and what is refused."""

import pytest

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
