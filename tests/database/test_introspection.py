"""Relations about dataflows: every name that Materialize's users know, each with what the engine really does."""

from collections.abc import Iterator

import pytest

from engine.catalog.system.registry import DEFINITIONS
from engine.database import Database, Session
from engine.errors import SqlError

SINGLE_PROCESS = """
    mz_databases mz_schemas mz_objects mz_relations mz_tables mz_sources mz_sinks mz_kafka_sinks mz_views mz_view_keys
    mz_view_foreign_keys mz_indexes mz_index_columns mz_columns mz_types mz_base_types mz_array_types mz_list_types
    mz_map_types mz_pseudo_types mz_functions mz_roles mz_clusters mz_cluster_replicas mz_connectors mz_secrets
    mz_catalog_names
    mz_dataflow_names mz_dataflow_operators mz_dataflow_operator_addresses mz_dataflow_operator_dataflows
    mz_dataflow_operator_reachability mz_dataflow_channels mz_arrangement_sizes mz_arrangement_sharing
    mz_materializations mz_materialization_dependencies mz_materialization_frontiers
    mz_worker_materialization_frontiers mz_message_counts mz_peek_active mz_peek_durations mz_records_per_dataflow
    mz_records_per_dataflow_global mz_records_per_dataflow_operator mz_scheduling_elapsed mz_scheduling_histogram
    mz_scheduling_parks mz_perf_arrangement_records mz_perf_peek_durations_core mz_perf_peek_durations_bucket
    mz_perf_peek_durations_aggregates mz_kafka_source_statistics mz_metrics
    pg_am pg_attrdef pg_attribute pg_class pg_collation pg_constraint pg_database pg_description pg_enum pg_index
    pg_inherits pg_namespace pg_policy pg_proc pg_range pg_roles pg_settings pg_tables pg_type pg_views columns tables
"""
LATER = """
    mz_hydration_statuses mz_compute_hydration_times mz_expected_group_size_advice mz_materialization_lag
    mz_wallclock_lag mz_recent_activity_log mz_object_dependencies mz_notices mz_source_statistics
"""


def test_every_name_is_there():
    there = {row.name for row in DEFINITIONS}
    assert {*SINGLE_PROCESS.split(), *LATER.split()} <= there


@pytest.fixture
def database() -> Iterator[Database]:
    with Database.in_memory() as database:
        yield database


@pytest.fixture
def session(database: Database) -> Iterator[Session]:
    with database.session() as session:
        session.execute("""
            CREATE TABLE t (k bigint, v int);
            CREATE MATERIALIZED VIEW sums AS SELECT k, sum(v) AS total FROM t GROUP BY k;
            CREATE INDEX by_k ON sums (k)
        """)
        session.execute("SELECT * FROM sums")
        session.execute("INSERT INTO t VALUES (1, 2), (1, 3), (2, 4)")
        yield session


def rows(session: Session, query: str) -> list[tuple]:
    return session.execute(query).rows()


def test_records_are_those_of_the_operators(session: Session):
    by_operator = "SELECT dataflow_id, sum(records) FROM mz_records_per_dataflow_operator GROUP BY 1 ORDER BY 1"
    by_dataflow = "SELECT id, records FROM mz_records_per_dataflow ORDER BY 1"
    table, view, index = rows(session, by_dataflow)
    assert rows(session, by_operator) == rows(session, by_dataflow)
    assert (table[1], view[1], index[1]) == (3, 5, 5)  # of t; and the two of sums
    session.execute("DELETE FROM t WHERE k = 1")
    assert [records for _, records in rows(session, by_dataflow)] == [1, 2, 2]


def test_who_reads_whom(session: Session):
    members = "SELECT id, dataflow_id FROM mz_dataflow_operator_dataflows ORDER BY 2, 1"
    (source,), (reduce,) = rows(session, "SELECT operator_id FROM mz_dataflow_exports WHERE object_id <> 'u20002'")
    assert rows(session, "SELECT * FROM mz_dataflow_operator_reachability") == [(source, reduce)]
    assert rows(session, "SELECT sent FROM mz_message_counts") == [(3,)]
    assert rows(session, "SELECT dataflow, source FROM mz_materialization_dependencies ORDER BY 1") == [
        ("u20001", "u20000"), ("u20002", "u20000"),
    ]  # fmt: skip
    sharing = dict(rows(session, "SELECT operator, count FROM mz_arrangement_sharing"))
    assert (sharing[source], sharing[reduce]) == (2, 2)  # a reader and a name; two names
    assert rows(session, members) == [
        (source, 20000),
        *((each, of) for of in (20001, 20002) for each in (source, reduce)),
    ]


def test_times_are_taken(session: Session):
    (elapsed,) = rows(session, "SELECT sum(elapsed_ns) FROM mz_scheduling_elapsed")[0]
    up_to = "SELECT count(*), sum(duration_ns * count) FROM mz_scheduling_histogram"
    ((steps, most),) = rows(session, up_to)
    assert steps > 0
    assert 0 < elapsed <= most
    hydrated = rows(session, "SELECT object_id FROM mz_compute_hydration_times WHERE time_ns > 0 ORDER BY 1")
    assert hydrated == [("u20001",), ("u20002",)]
    aggregate = "SELECT count FROM mz_perf_peek_durations_aggregates"
    ((before,),) = rows(session, aggregate)
    ((after,),) = rows(session, aggregate)
    assert after > before
    waits = "SELECT coalesce(sum(count), 0) FROM mz_scheduling_parks"
    assert rows(session, waits) >= [(0,)]


def test_metrics_are_those_of_the_page(session: Session):
    shown = {name for (name,) in rows(session, "SELECT DISTINCT metric FROM mz_metrics")}
    assert {"tailrace_ticks_total", "mz_query_count"} <= shown
    labels = "SELECT labels ->> 'statement_type' FROM mz_metrics WHERE metric = 'mz_query_count'"
    assert {"select", "insert", "create table"} <= {label for (label,) in rows(session, labels)}


def test_statements_are_logged_without_their_secrets(session: Session):
    session.execute("CREATE SECRET pw AS 'hush'")
    with pytest.raises(SqlError):
        session.execute("SELECT 1 / 0")
    log = "SELECT statement_type, sql, finished_status, error_message FROM mz_recent_activity_log"
    logged = rows(session, f"{log} ORDER BY execution_id DESC LIMIT 3")
    assert [(kind, status) for kind, _, status, _ in logged] == [
        ("select", "running"), ("select", "error"), ("create secret", "success"),
    ]  # fmt: skip
    assert logged[1][3] == "division by zero"
    assert not [sql for _, sql, _, _ in rows(session, log) if "hush" in sql and "mz_recent" not in sql]
    for _ in range(1_010):
        session.execute("SHOW jit")
    assert rows(session, "SELECT count(*) FROM mz_recent_activity_log") == [(1_000,)]


def test_keys_of_views(session: Session):
    keys = 'SELECT name, "column" FROM mz_view_keys JOIN mz_objects ON id = global_id'
    assert rows(session, keys) == [("sums", 0)]


def test_what_a_session_runs(database: Database, session: Session):
    mine = "SELECT state, query LIKE '%pg_stat_activity' FROM pg_stat_activity"
    assert rows(session, mine) == [("active", True)]
    with database.session() as other:
        other.execute("BEGIN")
        idle = "SELECT state, query FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
        assert rows(session, idle) == [("idle in transaction", "BEGIN")]
        with pytest.raises(SqlError):
            other.execute("SELECT nothing")
        assert rows(session, idle) == [("idle in transaction (aborted)", "SELECT nothing")]
    assert rows(session, "SELECT sql FROM mz_peek_active") == [("SELECT sql FROM mz_peek_active",)]


def test_what_is_in_mz_introspection_is_what_mz_internal_has():
    with Database.in_memory() as database, database.session() as session:
        listed = session.execute(
            "SELECT r.name FROM mz_relations AS r JOIN mz_schemas AS s ON r.schema_id = s.id "
            "WHERE s.name = 'mz_introspection'"
        ).rows()
        names = {name for (name,) in listed}
        assert {"mz_dataflow_operators", "mz_message_counts", "mz_compute_hydration_times"} <= names
        for name in sorted(names - {"mz_peek_active"}):
            session.execute(f"SELECT * FROM mz_introspection.{name}")
            columns = [
                session.execute(f"SHOW COLUMNS FROM {s}.{name}").rows() for s in ("mz_introspection", "mz_internal")
            ]
            assert columns[0] == columns[1]
