"""mz_internal, of dataflows: what each operator holds, takes and gives, and what of that each object needs.

A dataflow here is what keeps one object up to date: the operators above which its own stands. Operators are shared, so
one may be in many dataflows, and the sums by dataflow count it in each. There is one worker, number 0. What a relation
of Materialize has and there is nothing of here (slots, ports, capabilities) is not among its columns.
"""

import json
from collections.abc import Iterator
from typing import Final

from engine.catalog.catalog import FIRST_USER_ID, Catalog
from engine.catalog.items import Index, MaterializedView, Source, View
from engine.catalog.sources import KafkaSource
from engine.catalog.system.definition import Changes, OperatorState, Row, Runtime, define
from engine.catalog.system.ids import object_id
from engine.catalog.system.mz_catalog import items, none
from engine.collection.value import Interval
from engine.plan.facts import Facts

WORKER: Final = 0


def _named(state: OperatorState) -> str:
    return state.plan.partition("\n")[0].partition(" ")[0]


def _above(states: list[OperatorState]) -> dict[int, frozenset[int]]:
    """The operators that each reads, itself among them, through whatever is between."""
    found: dict[int, frozenset[int]] = {}
    for state in states:  # inputs come before what reads them
        found[state.id] = frozenset((state.id,)).union(*(found[source] for source in state.inputs))
    return found


def dataflows(catalog: Catalog, runtime: Runtime) -> Iterator[tuple[int, str, list[OperatorState]]]:
    """(object, its name, its operators) of each object that is kept up to date."""
    states = list(runtime.operators())
    by_id, above = {state.id: state for state in states}, _above(states)
    for state in states:
        for id_ in state.exports:
            item = catalog.items.get(id_)
            if item is not None and id_ >= FIRST_USER_ID:
                yield id_, f"Dataflow: {item.name}", [by_id[one] for one in sorted(above[state.id])]


def _names(catalog: Catalog, runtime: Runtime) -> Iterator[Row]:
    for id_, name, _ in dataflows(catalog, runtime):
        yield id_, WORKER, name


def _operator_dataflows(catalog: Catalog, runtime: Runtime) -> Iterator[Row]:
    for id_, name, states in dataflows(catalog, runtime):
        for state in states:
            yield state.id, _named(state), WORKER, id_, name


def _addresses(_: Catalog, runtime: Runtime) -> Iterator[Row]:
    for state in runtime.operators():
        yield state.id, WORKER, [state.id]


def _reachability(_: Catalog, runtime: Runtime) -> Iterator[Row]:
    for to, sources in _above(list(runtime.operators())).items():
        for source in sorted(sources - {to}):
            yield source, to


def _records(catalog: Catalog, runtime: Runtime) -> Iterator[Row]:
    for id_, name, states in dataflows(catalog, runtime):
        yield id_, name, WORKER, sum(state.rows for state in states)


def _records_global(catalog: Catalog, runtime: Runtime) -> Iterator[Row]:
    for id_, name, states in dataflows(catalog, runtime):
        yield id_, name, sum(state.rows for state in states)


def _records_operator(catalog: Catalog, runtime: Runtime) -> Iterator[Row]:
    for id_, _, states in dataflows(catalog, runtime):
        for state in states:
            yield state.id, _named(state), WORKER, id_, state.rows


def _arrangement_records(_: Catalog, runtime: Runtime) -> Iterator[Row]:
    for state in runtime.operators():
        if state.bytes:
            yield WORKER, _named(state), state.rows, state.id


def _sharing(_: Catalog, runtime: Runtime) -> Iterator[Row]:
    states = list(runtime.operators())
    readers = dict.fromkeys((state.id for state in states), 0)
    for state in states:
        for source in state.inputs:
            readers[source] += 1
        readers[state.id] += len(state.exports)
    for state in states:
        if state.bytes:
            yield state.id, WORKER, readers[state.id]


def _messages(_: Catalog, runtime: Runtime) -> Iterator[Row]:
    states = list(runtime.operators())
    given = {state.id: state.changes for state in states}
    for state in states:
        for place, source in enumerate(state.inputs):
            yield source, state.id, place, WORKER, WORKER, given[source]


def _elapsed(_: Catalog, runtime: Runtime) -> Iterator[Row]:
    for state in runtime.operators():
        yield state.id, WORKER, state.elapsed_ns


def _histogram(_: Catalog, runtime: Runtime) -> Iterator[Row]:
    for state in runtime.operators():
        for up_to, count in state.durations:
            yield state.id, WORKER, up_to, count


def _parks(_: Catalog, runtime: Runtime) -> Iterator[Row]:
    for up_to, count in runtime.parks():
        yield WORKER, up_to, count


def _materializations(catalog: Catalog, runtime: Runtime) -> Iterator[Row]:
    for id_, _, _ in dataflows(catalog, runtime):
        yield object_id(id_), WORKER


def _materialization_dependencies(catalog: Catalog, runtime: Runtime) -> Iterator[Row]:
    """The collections from outside that an object is made of: tables, and what sources feed."""
    for id_, _, states in dataflows(catalog, runtime):
        for state in states:
            for source in () if state.inputs else state.exports:
                if source != id_ and source in catalog.items and not isinstance(catalog.items[source], Index):
                    yield object_id(id_), object_id(source), WORKER


def _materialization_frontiers(catalog: Catalog, runtime: Runtime) -> Iterator[Row]:
    for id_, (_, upper) in sorted(runtime.frontiers.items()):
        if id_ in catalog.items and id_ >= FIRST_USER_ID:
            yield object_id(id_), upper


def _worker_frontiers(catalog: Catalog, runtime: Runtime) -> Iterator[Row]:
    for id_, upper in _materialization_frontiers(catalog, runtime):
        yield id_, WORKER, upper


def _wallclock(catalog: Catalog, runtime: Runtime) -> Iterator[Row]:
    now = runtime.wall_ms()
    for id_, upper in _materialization_frontiers(catalog, runtime):
        assert isinstance(upper, int)
        yield id_, Interval(0, 0, max(0, now - upper) * 1000)


def _hydration_times(catalog: Catalog, runtime: Runtime) -> Iterator[Row]:
    for id_, took in sorted(runtime.hydration_ns.items()):
        if id_ in catalog.items:
            yield object_id(id_), took


def _peeks_active(_: Catalog, runtime: Runtime) -> Iterator[Row]:
    for session in runtime.sessions():
        last = session.last
        if last is not None and last.finished is None and last.kind in ("select", "copy", "execute"):
            yield last.id, session.id, WORKER, last.sql, last.began


def _peeks(_: Catalog, runtime: Runtime) -> Iterator[Row]:
    for up_to, count in runtime.peeks():
        yield WORKER, up_to, count


def _peeks_core(_: Catalog, runtime: Runtime) -> Iterator[Row]:
    total = 0
    for up_to, count in runtime.peeks():
        total += count
        yield WORKER, str(up_to), total


def _peeks_bucket(catalog: Catalog, runtime: Runtime) -> Iterator[Row]:
    total = 0
    for _, le, count in _peeks_core(catalog, runtime):
        assert isinstance(count, int)
        total = count
        yield WORKER, le, count
    yield WORKER, "+Inf", total


def _peeks_aggregates(_: Catalog, runtime: Runtime) -> Iterator[Row]:
    rows = list(runtime.peeks())
    yield WORKER, sum(up_to * count for up_to, count in rows), sum(count for _, count in rows)


def _kafka(catalog: Catalog, runtime: Runtime) -> Iterator[Row]:
    for item in items(catalog, Source):
        state = runtime.sources.get(item.id)
        if isinstance(item, Source) and isinstance(item.description, KafkaSource) and state is not None:
            for at in state.partitions:
                yield (
                    object_id(item.id), item.description.topic, at.partition, at.records, at.bytes, at.known,
                    at.position, at.committed, max(0, at.known - at.committed),
                )  # fmt: skip


def _metrics(_: Catalog, runtime: Runtime) -> Iterator[Row]:
    for name, labels, value in runtime.metrics():
        yield name, json.dumps(labels), value


def _activity(_: Catalog, runtime: Runtime) -> Iterator[Row]:
    for run in runtime.statements():
        word = "running" if run.finished is None else "success" if run.error is None else "error"
        yield (
            run.id, run.session, run.application, run.kind, run.sql, run.began, run.finished, word, run.error
        )  # fmt: skip


def _view_keys(catalog: Catalog, _: Runtime) -> Iterator[Row]:
    for item in items(catalog, View, MaterializedView):
        assert isinstance(item, View | MaterializedView)
        for group, key in enumerate(Facts().keys(item.relation)):
            for column in sorted(key):
                yield object_id(item.id), column, group


RUNTIME: Final = Changes.RUNTIME
OPERATOR: Final = "id bigint!, name text!, worker bigint!"
_TABLE: Final = (
    ("mz_dataflow_names", RUNTIME, "id bigint!, worker bigint!, name text!",
     "the dataflows: each keeps one object up to date, and has its number", _names),
    ("mz_dataflow_operator_dataflows", RUNTIME, f"{OPERATOR}, dataflow_id bigint!, dataflow_name text!",
     "the operators of each dataflow; one that is shared is in several", _operator_dataflows),
    ("mz_dataflow_operator_addresses", RUNTIME, "id bigint!, worker bigint!, address bigint[]!",
     "where operators are: side by side, so an operator's address is its number", _addresses),
    ("mz_dataflow_operator_reachability", RUNTIME, "from_operator_id bigint!, to_operator_id bigint!",
     "whose changes may come to whom, through whatever is between", _reachability),
    ("mz_records_per_dataflow", RUNTIME, f"{OPERATOR}, records bigint!",
     "rows that the operators of a dataflow hold, those that it shares with others among them", _records),
    ("mz_records_per_dataflow_global", RUNTIME, "id bigint!, name text!, records bigint!",
     "the same, on all workers", _records_global),
    ("mz_records_per_dataflow_operator", RUNTIME, f"{OPERATOR}, dataflow_id bigint!, records bigint!",
     "rows that each operator of a dataflow holds", _records_operator),
    ("mz_perf_arrangement_records", RUNTIME, "worker bigint!, name text!, records bigint!, operator bigint!",
     "rows that each operator with a state holds", _arrangement_records),
    ("mz_arrangement_sharing", RUNTIME, "operator bigint!, worker bigint!, count bigint!",
     "how many operators and objects read what an operator holds", _sharing),
    ("mz_message_counts", RUNTIME,
     "from_operator_id bigint!, to_operator_id bigint!, input_position bigint!, source_worker bigint!, "
     "target_worker bigint!, sent bigint!",
     "changes that an operator has given, by who reads them now; who came later has had the sum of those before",
     _messages),
    ("mz_scheduling_elapsed", RUNTIME, "id bigint!, worker bigint!, elapsed_ns bigint!",
     "how long the steps of each operator took, those of its hydration aside", _elapsed),
    ("mz_scheduling_histogram", RUNTIME, "id bigint!, worker bigint!, duration_ns bigint!, count bigint!",
     "how many steps of each operator took up to so long, and longer than the row before", _histogram),
    ("mz_scheduling_parks", RUNTIME, "worker bigint!, slept_for_ns bigint!, count bigint!",
     "how often the worker waited for work, up to so long, and longer than the row before", _parks),
    ("mz_materializations", RUNTIME, "name text!, worker bigint!", "the objects that are kept up to date",
     _materializations),
    ("mz_materialization_dependencies", RUNTIME, "dataflow text!, source text!, worker bigint!",
     "the tables and sources that each of them is made of", _materialization_dependencies),
    ("mz_materialization_frontiers", RUNTIME, "global_id text!, time numeric!",
     "up to when each of them is complete, in ms since 1970", _materialization_frontiers),
    ("mz_worker_materialization_frontiers", RUNTIME, "global_id text!, worker bigint!, time numeric!",
     "the same by worker", _worker_frontiers),
    ("mz_wallclock_lag", RUNTIME, "object_id text!, lag interval!",
     "how long ago it was up to when each is complete: nothing has come since, so reads need not wait", _wallclock),
    ("mz_wallclock_global_lag", RUNTIME, "object_id text!, lag interval!", "the same", _wallclock),
    ("mz_compute_hydration_times", RUNTIME, "object_id text!, time_ns bigint!",
     "how long views and indexes took from their making, or the start, until they were complete", _hydration_times),
    ("mz_peek_active", RUNTIME, "id bigint!, session_id bigint!, worker bigint!, sql text!, began_at timestamptz!",
     "the reads that are under way, this one among them", _peeks_active),
    ("mz_peek_durations", RUNTIME, "worker bigint!, duration_ns bigint!, count bigint!",
     "how many reads took up to so long, and longer than the row before", _peeks),
    ("mz_perf_peek_durations_core", RUNTIME, "worker bigint!, le text!, count bigint!",
     "how many reads took up to so long", _peeks_core),
    ("mz_perf_peek_durations_bucket", RUNTIME, "worker bigint!, le text!, count bigint!",
     "the same, and all of them", _peeks_bucket),
    ("mz_perf_peek_durations_aggregates", RUNTIME, "worker bigint!, sum bigint!, count bigint!",
     "what reads took together, by the upper ends of mz_peek_durations, and how many they were", _peeks_aggregates),
    ("mz_kafka_source_statistics", RUNTIME,
     "source_id text!, topic text!, partition_id text!, rx_msgs bigint!, rx_bytes bigint!, hi_offset bigint!, "
     "rx_offset bigint!, app_offset bigint!, consumer_lag bigint!",
     "how far each partition of a Kafka source goes (hi), is read (rx) and is in its relations (app)", _kafka),
    ("mz_metrics", RUNTIME, "metric text!, labels jsonb!, value double!", "what /metrics shows at this moment",
     _metrics),
    ("mz_recent_activity_log", RUNTIME,
     "execution_id bigint!, session_id bigint!, application_name text!, statement_type text!, sql text!, "
     "began_at timestamptz!, finished_at timestamptz, finished_status text!, error_message text",
     "the last thousand statements of all sessions, 4096 characters of each, without secrets; look-ups by key over a "
     "prepared statement are only counted, in mz_metrics", _activity),
    ("mz_view_keys", Changes.CATALOG, 'global_id text!, column bigint!, key_group bigint!',
     "what is known to be unique in views: columns, from 0, by key", _view_keys),
    ("mz_view_foreign_keys", Changes.CATALOG,
     "child_id text!, child_column bigint!, parent_id text!, parent_column bigint!, key_group bigint!",
     "foreign keys of views: none, as tables have none", none),
    ("mz_expected_group_size_advice", RUNTIME,
     "dataflow_id bigint!, region_id bigint!, region_name text!, levels bigint!, to_cut bigint!, hint double!",
     "which group sizes would save memory: none, as the memory of a group is that of its rows whatever is expected",
     none),
)  # fmt: skip

DEFINITIONS: Final = tuple(
    define("mz_internal", name, 14_300 + i, text, doc, rows, changes=changes)
    for i, (name, changes, text, doc, rows) in enumerate(_TABLE)
)
