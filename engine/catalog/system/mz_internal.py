"""mz_internal: what the workers, sources and sessions are doing.

System relations themselves are left out of sizes, frontiers and hydration: they are computed when somebody reads them.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Final

from engine.catalog.catalog import FIRST_USER_ID, Catalog
from engine.catalog.items import DurableSubscription, Index, Item, MaterializedView, Retaining, Sink, Source
from engine.catalog.roles import SUPERUSER
from engine.catalog.system.definition import Changes, Row, Rows, Runtime, define
from engine.catalog.system.ids import database_id, object_id, role_id, schema_id
from engine.catalog.system.mz_catalog import every, items, source_word, word_of
from engine.collection.value import Interval


def _dependencies(catalog: Catalog, _: Runtime) -> Iterator[Row]:
    for id_, item in sorted(catalog.items.items()):
        for dependency in sorted(item.depends_on):
            yield object_id(id_), object_id(dependency)


def _transitive(catalog: Catalog, _: Runtime) -> Iterator[Row]:
    below: dict[int, frozenset[int]] = {}
    for id_ in catalog.order():
        item = catalog.items[id_]
        below[id_] = item.depends_on.union(*(below[use] for use in item.depends_on))
        for dependency in sorted(below[id_]):
            yield object_id(id_), object_id(dependency)


def _arrangements(catalog: Catalog, runtime: Runtime) -> Iterator[Row]:
    for id_ in sorted(runtime.rows.keys() | runtime.bytes.keys()):
        item = catalog.items.get(id_)
        if item is not None and id_ >= FIRST_USER_ID:
            yield object_id(id_), item.name.item, word_of(item), runtime.rows.get(id_, 0), runtime.bytes.get(id_, 0)


def _hydration(catalog: Catalog, runtime: Runtime) -> Iterator[Row]:
    for item in items(catalog, MaterializedView, Index):
        done, total = runtime.progress.get(item.id, (None, None))
        yield object_id(item.id), item.name.item, runtime.hydrated.get(item.id, False), done, total


def _frontiers(catalog: Catalog, runtime: Runtime) -> Iterator[Row]:
    for id_, (since, upper) in sorted(runtime.frontiers.items()):
        if id_ in catalog.items and id_ >= FIRST_USER_ID:
            yield object_id(id_), since, upper


def _retained(catalog: Catalog, runtime: Runtime) -> Iterator[Row]:
    for item in every(catalog):
        if not isinstance(item, Retaining):
            continue
        history_ms = runtime.history_ms if item.history_ms is None else item.history_ms
        yield object_id(item.id), "FOR", str(history_ms)


def _refreshes(catalog: Catalog, runtime: Runtime) -> Iterator[Row]:
    for item in items(catalog, MaterializedView):
        if isinstance(item, MaterializedView) and item.schedule is not None:
            yield object_id(item.id), *runtime.refreshes.get(item.id, (None, None))


def _replacements(catalog: Catalog, _: Runtime) -> Iterator[Row]:
    for item in items(catalog, MaterializedView):
        if isinstance(item, MaterializedView) and item.replaces is not None:
            yield object_id(item.id), object_id(item.replaces)


def _strategies(catalog: Catalog, _: Runtime) -> Iterator[Row]:
    for item in items(catalog, MaterializedView):
        assert isinstance(item, MaterializedView)
        id, schedule = object_id(item.id), item.schedule
        if schedule is None:
            yield id, "on-commit", None, None, None
            continue
        if schedule.at_once:
            yield id, "at-creation", None, None, None
        for at in schedule.at:
            yield id, "at", None, None, moment(at)
        for aligned, step in schedule.every:
            yield id, "every", Interval(0, 0, step * 1000), moment(aligned), None


def _lag(catalog: Catalog, runtime: Runtime) -> Iterator[Row]:
    """Everything that is hydrated is complete as of the same tick, but for what is as of its last refresh; what is not
    has yet to begin."""
    as_of: dict[int, int | None] = {}  # of the inputs at their beginning; None: of the tick that is read
    unknown: set[int] = set()
    for id in catalog.order():
        _know(catalog.items[id], runtime, as_of, unknown)
    for item in items(catalog, MaterializedView, Index):
        of = catalog.items[item.on] if isinstance(item, Index) else item
        hydrated = runtime.hydrated.get(item.id, False)
        local = 0 if hydrated else None
        if hydrated and isinstance(of, MaterializedView) and of.schedule is not None:
            last, _ = runtime.refreshes.get(of.id, (None, None))
            local = None if last is None else runtime.frontiers[of.id][1] - last
        at = as_of.get(of.id)
        whole = None if local is None or of.id in unknown else 0 if at is None else runtime.frontiers[of.id][1] - at
        yield object_id(item.id), *(None if lag is None else Interval(0, 0, lag * 1000) for lag in (local, whole))


def _know(item: Item, runtime: Runtime, as_of: dict[int, int | None], unknown: set[int]) -> None:
    """As of which tick of the tables and sources at its beginning an item is. What was refreshed before one of its
    inputs was the last time has read that as of a tick that nobody remembers."""
    last = None
    if isinstance(item, MaterializedView) and item.schedule is not None:
        last, _ = runtime.refreshes.get(item.id, (None, None))
        if last is None:
            unknown.add(item.id)
    inputs = [at for id in item.depends_on if (at := as_of.get(id)) is not None]
    if unknown & item.depends_on or (last is not None and any(at > last for at in inputs)):
        unknown.add(item.id)
    ticks = inputs if last is None else [*inputs, last]
    as_of[item.id] = min(ticks, default=None)


def _source_statuses(catalog: Catalog, runtime: Runtime) -> Iterator[Row]:
    for item in items(catalog, Source):
        assert isinstance(item, Source)
        state = runtime.sources.get(item.id)
        status, since = ("created", None) if state is None else (state.state, utc(state.since))
        error, hint = (None, None) if state is None else (state.error, state.hint)
        yield object_id(item.id), item.name.item, source_word(item), since, status, error, hint


def _source_statistics(catalog: Catalog, runtime: Runtime) -> Iterator[Row]:
    for item in items(catalog, Source):
        state = runtime.sources.get(item.id)
        if state is None:
            continue
        parts = state.partitions
        yield (
            object_id(item.id), item.name.item, state.rows, state.waiting, state.rows - state.waiting, len(parts),
            *([None] * 7 if not parts else (
                sum(at.records for at in parts), sum(at.bytes for at in parts), sum(at.errors for at in parts),
                sum(at.known for at in parts), sum(at.committed for at in parts),
                sum(max(0, at.known - at.committed) for at in parts), sum(at.records_per_second for at in parts),
            )), state.errors_let_go,
        )  # fmt: skip


def _partitions(catalog: Catalog, runtime: Runtime) -> Iterator[Row]:
    for item in items(catalog, Source):
        state = runtime.sources.get(item.id)
        for at in state.partitions if state is not None else ():
            yield (
                object_id(item.id), at.partition, at.records, at.bytes, at.position, at.committed, at.known,
                max(0, at.known - at.committed), at.records_per_second, at.errors,
            )  # fmt: skip


def _sink_statuses(catalog: Catalog, runtime: Runtime) -> Iterator[Row]:
    for item in items(catalog, Sink):
        state = runtime.sinks.get(item.id)
        status, since = ("created", None) if state is None else (state.state, utc(state.since))
        error, hint = (None, None) if state is None else (state.error, state.hint)
        yield object_id(item.id), item.name.item, "kafka", since, status, error, hint


def _sink_statistics(catalog: Catalog, runtime: Runtime) -> Iterator[Row]:
    for item in items(catalog, Sink):
        state = runtime.sinks.get(item.id)
        if state is not None:
            at = state.timestamp or None
            yield object_id(item.id), item.name.item, state.records, state.bytes, state.transactions, at


def _sessions(_: Catalog, runtime: Runtime) -> Iterator[Row]:
    for state in runtime.sessions():
        role = role_id(runtime.oids, state.user)
        yield state.id, role, state.user, state.database, state.application, utc(state.began)


def moment(ms: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=ms)


def utc(moment: datetime) -> datetime:
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def _subscriptions(_: Catalog, runtime: Runtime) -> Iterator[Row]:
    for state in runtime.subscriptions():
        reads = [object_id(id_) for id_ in sorted(state.reads)]
        yield state.id, state.session, utc(state.began), reads, state.pending_rows


def _durable(catalog: Catalog, runtime: Runtime) -> Iterator[Row]:
    for id, state in runtime.durable():
        item = catalog.items.get(id)
        if not isinstance(item, DurableSubscription):
            continue
        target = None if item.on is None else str(catalog.items[item.on].name)
        lag = None if state.lag_ms is None else Interval(0, 0, state.lag_ms * 1000)
        waited = Interval(0, 0, state.since_ms * 1000)
        yield object_id(id), item.name.item, target, state.acknowledged, waited, lag, state.state


def _peeks(_: Catalog, runtime: Runtime) -> Iterator[Row]:
    yield from runtime.peeks()


def _operators(_: Catalog, runtime: Runtime) -> Iterator[Row]:
    for state in runtime.operators():
        name = state.plan.partition("\n")[0].partition(" ")[0]
        elapsed = Interval(0, 0, state.elapsed_ns // 1000)
        yield state.id, name, state.plan, state.rows, state.bytes, state.changes, elapsed


def _channels(_: Catalog, runtime: Runtime) -> Iterator[Row]:
    for state in runtime.operators():
        for place, source in enumerate(state.inputs):
            yield source, state.id, place


def _exports(catalog: Catalog, runtime: Runtime) -> Iterator[Row]:
    for state in runtime.operators():
        for id_ in state.exports:
            if id_ in catalog.items and id_ >= FIRST_USER_ID:
                yield object_id(id_), state.id


def _notices(catalog: Catalog, runtime: Runtime) -> Iterator[Row]:
    """Advice about objects: what an index could be without, what nothing reads."""
    for item in items(catalog, Index):
        assert isinstance(item, Index)
        twins = [other for other in catalog.indexes(item.on) if set(other.key) == set(item.key) and other.id < item.id]
        if twins and not item.constraint:
            message = f"index {item.name.item} has the columns of index {twins[0].name.item}"
            yield object_id(item.id), "Index With The Same Key", message, "Drop one of them: either serves both."
    yield from ((object_id(id_), kind, message, hint) for id_, kind, message, hint in runtime.notices())


def _comments(catalog: Catalog, runtime: Runtime) -> Iterator[Row]:
    oids = runtime.oids
    for (subject, name, column), text in sorted(catalog.comments.items()):
        match subject:
            case "item":
                item = catalog.items[int(name)]
                yield object_id(item.id), word_of(item), column or None, text
            case "schema":
                yield schema_id(oids, *name.split(".", 1)), subject, None, text
            case "database":
                yield database_id(oids, name), subject, None, text
            case "role":
                yield role_id(oids, name), subject, None, text
            case _:
                yield name, subject, None, text


def _default_privileges(_: Catalog, __: Runtime) -> Iterator[Row]:
    return iter(())


def _database_privileges(catalog: Catalog, _: Runtime) -> Iterator[Row]:
    """Privileges are not enforced, so everybody has all of them."""
    for name in sorted(catalog.databases):
        for privilege in ("CREATE", "USAGE"):
            yield SUPERUSER, name, privilege


RUNTIME, CATALOG = Changes.RUNTIME, Changes.CATALOG
_TABLE: Final[tuple[tuple[str, Changes, str, str, Rows], ...]] = (
    ("mz_object_dependencies", CATALOG, "object_id text!, referenced_object_id text!",
     "which object is used by which", _dependencies),
    ("mz_object_transitive_dependencies", CATALOG, "object_id text!, referenced_object_id text!",
     "the same, through whatever is between them", _transitive),
    ("mz_arrangement_sizes", RUNTIME, "id text!, name text!, type text!, records bigint!, bytes bigint!",
     "rows and bytes that collections and indexes hold in memory", _arrangements),
    ("mz_hydration_statuses", RUNTIME,
     "object_id text!, name text!, hydrated boolean!, rows_done bigint, rows_total bigint",
     "how far views and indexes have caught up with their inputs", _hydration),
    ("mz_frontiers", RUNTIME, "object_id text!, read_frontier numeric!, write_frontier numeric!",
     "from when to when each collection can be read, in ms since 1970: the first is what AS OF can reach back to",
     _frontiers),
    ("mz_history_retention_strategies", CATALOG, "id text!, strategy text!, value jsonb!",
     "how much of its past each object keeps that can be read: FOR so many ms, what RETAIN HISTORY says or the setting",
     _retained),
    ("mz_materialized_view_refreshes", RUNTIME,
     "materialized_view_id text!, last_completed_refresh numeric, next_refresh numeric",
     "when the views with a REFRESH were refreshed and will be, in ms since 1970", _refreshes),
    ("mz_materialized_view_refresh_strategies", CATALOG,
     "materialized_view_id text!, type text!, interval interval, aligned_to timestamptz, at timestamptz",
     "when views are refreshed: at-creation, at, every, or on-commit, at every tick", _strategies),
    ("mz_materialization_lag", RUNTIME, "object_id text!, local_lag interval, global_lag interval",
     "how far views and indexes are behind their inputs, what is refreshed since its last refresh, and behind the "
     "tables and sources that those are made of; NULL before they have hydrated or were refreshed, and where an input "
     "was refreshed after what reads it", _lag),
    ("mz_source_statuses", RUNTIME,
     "id text!, name text!, type text!, last_status_change_at timestamptz, status text!, error text, hint text",
     "whether sources run: created, starting, running, stalled with an error (and tried again), finished",
     _source_statuses),
    ("mz_source_statistics", RUNTIME,
     "id text!, name text!, updates_staged bigint!, updates_waiting bigint!, updates_committed bigint!, "
     "partitions bigint!, messages_received bigint, bytes_received bigint, decode_errors bigint, offset_known numeric, "
     "offset_committed numeric, lag numeric, messages_per_second double, errors_let_go bigint!",
     "rows that sources have read, that wait for a tick, and that are in their relations; the sums over their "
     "partitions, if they have any; and the rows of their errors that had to go (`source_errors_max`)",
     _source_statistics),
    ("mz_source_partitions", RUNTIME,
     "id text!, partition text!, messages_received bigint!, bytes_received bigint!, offset_received numeric!, "
     "offset_committed numeric!, offset_known numeric!, lag numeric!, messages_per_second double!, "
     "decode_errors bigint!",
     "how far each partition of a source is read, is in its relations, and is behind; what did not decode",
     _partitions),
    ("mz_sink_statuses", RUNTIME,
     "id text!, name text!, type text!, last_status_change_at timestamptz, status text!, error text, hint text",
     "whether sinks run: created, starting, running, stalled with an error (and tried again)", _sink_statuses),
    ("mz_sink_statistics", RUNTIME,
     "id text!, name text!, messages_committed bigint!, bytes_committed bigint!, transactions_committed bigint!, "
     "written_timestamp mz_timestamp",
     "records that sinks have written since the server began, and the tick that their topics are at",
     _sink_statistics),
    ("mz_sessions", RUNTIME,
     "connection_id bigint!, role_id text!, role_name text!, database_name text!, application_name text!, "
     "connected_at timestamptz!", "the open sessions", _sessions),
    ("mz_subscriptions", RUNTIME,
     "id bigint!, session_id bigint, created_at timestamptz!, referenced_object_ids text[]!, pending_rows bigint!",
     "the open subscriptions, what they read, and the rows that wait for their readers", _subscriptions),
    ("mz_peek_durations_histogram", RUNTIME, "duration_ns bigint!, count bigint!",
     "how many reads took up to so long, and longer than the row before", _peeks),
    ("mz_notices", RUNTIME, "object_id text!, notice_type text!, message text!, hint text!",
     "advice about objects", _notices),
    ("mz_replacements", CATALOG, "object_id text!, target_id text!",
     "materialized views that may take the place of others: CREATE REPLACEMENT MATERIALIZED VIEW", _replacements),
    ("mz_comments", CATALOG, "id text!, object_type text!, object_sub_id integer, comment text!",
     "comments on objects and columns", _comments),
    ("mz_show_default_privileges", CATALOG,
     "object_owner text!, database text, schema text, object_type text!, grantee text!, privilege_type text!",
     "default privileges: none", _default_privileges),
    ("mz_show_my_database_privileges", CATALOG, "grantor text!, name text!, privilege_type text!",
     "what the session's role may do in each database: everything", _database_privileges),
    ("mz_dataflow_operators", RUNTIME,
     "id bigint!, name text!, plan text!, records bigint!, bytes bigint!, changes bigint!, "
     "elapsed interval!",
     "the running operators, each once whoever shares it: its lines in the plan, the rows and bytes that it and the "
     "arrangements of its output hold, the changes that it gave and the time that its steps took", _operators),
    ("mz_dataflow_channels", RUNTIME,
     "from_operator_id bigint!, to_operator_id bigint!, input_position bigint!",
     "which operator reads which, as which of its inputs", _channels),
    ("mz_dataflow_exports", RUNTIME, "object_id text!, operator_id bigint!",
     "the operator whose output each collection or index is", _exports),
    ("mz_durable_subscriptions", RUNTIME,
     "id text!, name text!, target text, acknowledged_up_to mz_timestamp, time_since_ack interval!, lag interval, "
     "state text!",
     "durable subscriptions: the object that they tell (NULL: a query's answer), the time before which everything is "
     "acknowledged, when that was last said, how far it is behind, and whether they are hydrating, idle, reading "
     "or expired", _durable),
)  # fmt: skip

DEFINITIONS: Final = tuple(
    define("mz_internal", name, 14_200 + i, text, doc, rows, changes=changes)
    for i, (name, changes, text, doc, rows) in enumerate(_TABLE)
)
