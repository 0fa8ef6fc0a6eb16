"""The catalog: what goes with what, how names resolve, and that its SQL makes it again."""

import pytest

from engine.catalog.catalog import Path
from engine.catalog.items import Index, QualifiedName
from engine.errors import DependentObjects, DuplicateRelation, SqlError
from engine.sql.bound import BoundCreateIndex, BoundCreateView, BoundDrop
from tests.sql.world import World, world

MORE = """
    CREATE SCHEMA other;
    CREATE TABLE other.t ("Odd ""name" varchar(3), ts timestamp(3) with time zone NOT NULL, d double precision);
    CREATE VIEW paired AS SELECT t.id, o.ts FROM t, other.t AS o WHERE EXISTS (SELECT 1 FROM u WHERE u.id = t.id);
    CREATE VIEW above AS WITH t AS (SELECT * FROM paired) SELECT count(*) AS n FROM t;
    CREATE MATERIALIZED VIEW kept WITH (RETAIN HISTORY FOR '1 hour') AS (SELECT k FROM totals ORDER BY k LIMIT 3);
    CREATE INDEX by_k ON t (k, v);
    CREATE DEFAULT INDEX ON totals;
    CREATE SOURCE files (a bigint, b text) FROM FILE '/data/x.json' WITH (tail = true) FORMAT JSON;
"""


def full() -> World:
    made = world()
    made.run(MORE)
    return made


def test_the_statements_make_the_catalog_again():
    made = full()
    again = World(path=Path(schemas=("elsewhere",)))
    again.catalog = again.catalog.create_schema("materialize", "other")
    for id_, sql in made.catalog.statements():
        again.run(sql, id_)
    assert again.catalog == made.catalog


@pytest.mark.parametrize("cascade", [False, True])
def test_everything_is_dropped_after_what_depends_on_it(cascade: bool):
    made = full()
    for id_ in [id_ for id_, item in made.catalog.items.items() if item.create_sql]:
        item = made.catalog.items[id_]
        used = [other for other in made.catalog.dependents(id_) if not isinstance(other, Index)]
        if used and not cascade:
            with pytest.raises(DependentObjects):
                made.catalog.drop_order([item], cascade)
            continue
        order = made.catalog.drop_order([item], cascade)
        assert order[-1] == id_
        gone: set[int] = set()
        for dropped in order:
            assert {dependent.id for dependent in made.catalog.dependents(dropped)} <= gone
            gone.add(dropped)


def test_indexes_go_with_their_relation_and_views_need_cascade():
    made = full()
    by_k = made.catalog.resolve(["by_k"], made.path)
    dropped = made.run("DROP TABLE t CASCADE")
    assert isinstance(dropped, BoundDrop)
    assert by_k.id in dropped.items
    names = {item.name.item for item in made.catalog.items.values() if item.create_sql}
    assert names == {"u", "t", "files"}


def test_replacing_a_view_that_is_read_is_refused():
    made = full()
    with pytest.raises(DependentObjects):
        made.run("CREATE OR REPLACE VIEW paired AS SELECT 1 AS id, 2 AS ts")
    bound = made.run("CREATE OR REPLACE VIEW above AS SELECT 1 AS one")
    assert isinstance(bound, BoundCreateView)
    assert bound.replaces is not None
    assert made.catalog.resolve(["above"], made.path).columns[0].name == "one"


def test_names_resolve_by_the_path_and_system_schemas_first():
    made = full()
    assert made.catalog.resolve(["t"], made.path).name.schema == "public"
    assert made.catalog.resolve(["t"], Path(schemas=("other", "public"))).name.schema == "other"
    assert made.catalog.resolve(["materialize", "other", "t"], made.path).name.schema == "other"
    assert made.catalog.resolve(["mz_tables"], Path(schemas=())).name.schema == "mz_catalog"
    assert made.catalog.resolve(["pg_catalog", "pg_type"], made.path).name.item == "pg_type"


@pytest.mark.parametrize("sql", ["CREATE TABLE t (a int)", "CREATE VIEW t AS SELECT 1", "CREATE INDEX u ON t (k)"])
def test_a_name_is_taken_once(sql: str):
    with pytest.raises(DuplicateRelation, match="already exists"):
        full().run(sql)


def test_default_indexes_use_a_unique_key_and_free_names():
    made = full()
    key = made.catalog.resolve(["totals_primary_idx"], made.path)
    bound = made.run("CREATE DEFAULT INDEX ON totals")
    assert isinstance(bound, BoundCreateIndex)
    assert (bound.key, bound.name) == ((0,), QualifiedName("materialize", "public", "totals_primary_idx1"))
    assert getattr(key, "key", None) == (0,)


@pytest.mark.parametrize(
    ("sql", "gone"),
    [
        ("DROP SCHEMA other CASCADE", {"paired", "above"}),
        ("DROP TABLE IF EXISTS nope, u CASCADE", {"u", "named", "paired", "above"}),
    ],
)
def test_cascades(sql: str, gone: set[str]):
    made = full()
    before = {item.name for item in made.catalog.items.values()}
    bound = made.run(sql)
    assert isinstance(bound, BoundDrop)
    after = {item.name for item in made.catalog.items.values()}
    assert {name.item for name in before - after if name.schema == "public"} == gone


def test_a_schema_with_objects_needs_cascade():
    with pytest.raises(DependentObjects, match='cannot drop schema "other"'):
        full().run("DROP SCHEMA other")


@pytest.mark.parametrize(
    "sql", ["CREATE TABLE mz_catalog.x (a int)", "DROP VIEW mz_catalog.mz_views", "CREATE INDEX i ON mz_tables (name)",
            "CREATE MATERIALIZED VIEW m AS SELECT * FROM pg_class", "SUBSCRIBE pg_settings",
            "SUBSCRIBE (SELECT pg_table_is_visible(oid) FROM pg_class)"]
)  # fmt: skip
def test_system_relations_are_read_only_and_what_depends_on_the_session_is_not_maintained(sql: str):
    with pytest.raises(SqlError):
        full().run(sql)
