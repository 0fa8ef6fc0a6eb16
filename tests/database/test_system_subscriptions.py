"""System relations are relations: a subscription to one, or to a query over several, adds up to what a read finds."""

from collections import Counter

import pytest

from engine.catalog.system.definition import Changes, Definition
from engine.catalog.system.registry import DEFINITIONS
from engine.database import Database, Options, Subscription

OURS = [row for row in DEFINITIONS if row.schema in ("mz_catalog", "mz_internal")]
SHOP = """
    CREATE TABLE sales (id bigint PRIMARY KEY, shop text);
    CREATE VIEW big AS SELECT * FROM sales WHERE id > 10;
    CREATE MATERIALIZED VIEW totals AS SELECT shop, count(*) AS n FROM sales GROUP BY shop;
    CREATE INDEX by_shop ON totals (shop);
    CREATE SOURCE ticks FROM LOAD GENERATOR COUNTER (MAX CARDINALITY 3);
    CREATE TYPE numbers AS LIST (ELEMENT TYPE = int);
    CREATE TYPE ages AS MAP (KEY TYPE = text, VALUE TYPE = int);
    INSERT INTO sales VALUES (1, 'north'), (2, 'south');
"""


@pytest.fixture
def shop() -> Database:
    database = Database.in_memory(Options(progress_ms=20))
    database.execute(SHOP)
    return database


def key(row: tuple) -> tuple:
    return tuple(tuple(value) if isinstance(value, list) else value for value in row)


def found(db: Database, sql: str) -> Counter:
    return Counter(map(key, db.execute(sql).rows()))


def told(changes: Subscription, state: Counter) -> Counter:
    """The rows that the subscription has told of so far."""
    while (batch := changes.poll()) is not None:
        for change in batch.changes():
            state[key(change.row)] += change.diff
    assert min(state.values(), default=0) >= 0
    return Counter({row: count for row, count in state.items() if count})


def until(changes: Subscription, state: Counter, wanted: Counter) -> None:
    """Take changes until they add up to this."""
    while (so_far := told(changes, state)) != wanted:
        assert changes.wait(10), (so_far, wanted)


@pytest.mark.parametrize("definition", OURS, ids=lambda row: row.name)
def test_each_can_be_read_kept_and_subscribed_to(shop: Database, definition: Definition):
    query = f"SELECT * FROM {definition.schema}.{definition.name}"
    with shop, shop.subscribe(f"SUBSCRIBE ({query})") as changes:
        shop.execute(f"CREATE MATERIALIZED VIEW kept AS {query}")
        state: Counter = Counter()
        told(changes, state)
        if definition.changes is Changes.CATALOG:
            until(changes, state, found(shop, query))
            shop.execute("CREATE TABLE coming (a int); DROP TABLE sales CASCADE")
            until(changes, state, found(shop, query))
            assert found(shop, "SELECT * FROM kept") == found(shop, query)


JOINED = """
    SELECT s.name AS schema, o.type, o.name, count(c.name) AS columns
    FROM mz_objects o JOIN mz_schemas s ON s.id = o.schema_id LEFT JOIN mz_columns c ON c.id = o.id
    WHERE o.id LIKE 'u%' GROUP BY s.name, o.type, o.name
"""


def test_a_query_over_the_catalog_hears_of_each_change_at_once(shop: Database):
    with shop, shop.subscribe(f"SUBSCRIBE ({JOINED})") as changes:
        state: Counter = Counter()
        for statement in (
            "CREATE SCHEMA other", "CREATE TABLE other.t (a int, b int)", "CREATE VIEW v AS SELECT a FROM other.t",
            "ALTER TABLE other.t RENAME TO renamed", "DROP VIEW v", "DROP SCHEMA other CASCADE",
        ):  # fmt: skip
            shop.execute(statement)
            until(changes, state, found(shop, JOINED))


def test_a_view_over_the_catalog_is_kept(shop: Database):
    with shop:
        shop.execute(f"CREATE MATERIALIZED VIEW overview AS {JOINED}; CREATE INDEX overview_name ON overview (name)")
        shop.execute("CREATE TABLE added (a int)")
        assert shop.execute("SELECT type, columns FROM overview WHERE name = 'added'").rows() == [("table", 1)]
        shop.execute("DROP TABLE added")
        assert shop.execute("SELECT * FROM overview WHERE name = 'added'").rows() == []


SIZES = "SELECT name, records FROM mz_internal.mz_arrangement_sizes WHERE name IN ('sales', 'totals')"


def test_what_the_workers_do_is_told(shop: Database):
    with shop, shop.subscribe(f"SUBSCRIBE ({SIZES})") as sizes:
        state: Counter = Counter()
        until(sizes, state, Counter([("sales", 2), ("totals", 2)]))
        shop.execute("INSERT INTO sales VALUES (3, 'north')")
        until(sizes, state, Counter([("sales", 3), ("totals", 2)]))
        assert shop.execute("SELECT bytes > 0 FROM mz_internal.mz_arrangement_sizes WHERE name = 'sales'").rows() == [
            (True,)
        ]


GUESTS = "SELECT role_name FROM mz_internal.mz_sessions WHERE role_name = 'guest'"
READ = "SELECT referenced_object_ids[1] FROM mz_internal.mz_subscriptions"


def test_sessions_and_subscriptions_come_and_go(shop: Database):
    with shop, shop.subscribe(f"SUBSCRIBE ({GUESTS})") as sessions, shop.subscribe(f"SUBSCRIBE ({READ})") as others:
        here: Counter = Counter()
        reading: Counter = Counter()
        own, totals = found(shop, READ), found(shop, "SELECT id FROM mz_objects WHERE name = 'totals'")
        with shop.session("guest") as guest, guest.subscribe("SUBSCRIBE totals"):
            until(sessions, here, Counter([("guest",)]))
            until(others, reading, own + totals)
        until(sessions, here, Counter())
        until(others, reading, own)


def test_frontiers_hydration_and_sources_are_joined_with_what_they_are_of(shop: Database):
    with shop:
        joined = shop.execute(
            """SELECT o.name, h.hydrated, f.write_frontier > 0, array_length(d.used, 1)
            FROM mz_objects o JOIN mz_internal.mz_hydration_statuses h ON h.object_id = o.id
            JOIN mz_internal.mz_frontiers f ON f.object_id = o.id
            LEFT JOIN (SELECT object_id, array_agg(referenced_object_id) AS used
                       FROM mz_internal.mz_object_transitive_dependencies GROUP BY object_id) d ON d.object_id = o.id
            WHERE o.name = 'totals'"""
        ).rows()
        assert joined == [("totals", True, True, 1)]
        with shop.subscribe("SUBSCRIBE (SELECT name, status FROM mz_internal.mz_source_statuses)") as changes:
            until(changes, Counter(), Counter([("ticks", "running")]))
        peeks = "SELECT sum(count) FROM mz_internal.mz_peek_durations_histogram"
        assert shop.execute(peeks).rows()[0][0] < shop.execute(peeks).rows()[0][0]


def test_nobody_reads_nobody_pays(shop: Database):
    """Changes of the catalog that nobody watches make no tick, and none once the last watcher has gone."""

    def ticks() -> float:
        return next(value for name, _, value in shop.metrics() if name == "tailrace_ticks_total")

    with shop:
        with shop.subscribe("SUBSCRIBE ticks") as changes:
            until(changes, Counter(), Counter([(1,), (2,), (3,)]))
        before = ticks()
        shop.execute("CREATE TABLE a (x int); CREATE VIEW b AS SELECT x FROM a; DROP TABLE a CASCADE")
        assert ticks() == before
        with shop.subscribe("SUBSCRIBE mz_objects"):
            shop.execute("CREATE TABLE a (x int)")
        before = ticks()
        shop.execute("DROP TABLE a")
        assert ticks() == before
