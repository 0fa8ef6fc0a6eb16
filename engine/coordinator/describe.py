"""What is known of the items of the catalog, for those who show them: one value an item, of one moment."""

from collections.abc import Sequence
from dataclasses import dataclass

from engine.catalog.catalog import SYSTEM_SCHEMAS, Path
from engine.catalog.items import (
    Connection,
    DurableSubscription,
    Index,
    Item,
    MaterializedView,
    QualifiedName,
    Secret,
    Sink,
    Source,
    SourceRelation,
    SystemRelation,
    Table,
    Type,
    View,
    kind,
)
from engine.coordinator.coordinator import Coordinator
from engine.errors import WrongObjectType
from engine.plan.explain import explain_operator
from engine.plan.facts import Facts
from engine.plan.relation import Get, Relation
from engine.types import Column


@dataclass(frozen=True, slots=True)
class SourceProgress:
    """How far a source is. `rows` were decoded, `waiting` of them are in no tick yet; `offsets` by partition (or file)
    are those of the last block that is in one; `bytes` were read where that is counted."""

    state: str
    rows: int
    bytes: int
    waiting: int
    finished: bool
    error: str | None
    offsets: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class SinkProgress:
    """What a sink has written in this process; `timestamp` is the tick that its topic is at, in ms; 0: not known."""

    state: str
    error: str | None
    transactions: int
    records: int
    bytes: int
    timestamp: int


@dataclass(frozen=True, slots=True)
class Description:
    """One item. `kind` is the catalog's word for it. Times are ticks in ms.

    `maintained`: its rows are held, so that reading it computes nothing; then `frontier` is the tick up to which it is
    complete, `since` the first that AS OF can read, `changed` the last at which it changed. `error` is why it cannot be
    read. `hydration` is (rows done, rows in all) of what is still being computed, None when nothing is. `changes`
    counts the changes of its rows in this process.
    """

    id: int
    name: QualifiedName
    kind: str
    columns: tuple[Column, ...]
    keys: tuple[tuple[str, ...], ...]
    create_sql: str
    maintained: bool
    error: str | None
    hydration: tuple[int, int] | None
    frontier: int | None
    since: int | None
    changed: int | None
    rows: int | None
    bytes: int | None
    changes: int | None
    depends_on: tuple[QualifiedName, ...]
    used_by: tuple[QualifiedName, ...]
    on: QualifiedName | None
    key: tuple[str, ...]
    source: SourceProgress | None
    sink: SinkProgress | None


@dataclass(frozen=True, slots=True)
class Readable:
    """What a query of a relation is made from. `version` changes whenever its contents do, and is None where that is
    not known: a view that is computed when it is read, or one that cannot be read."""

    name: QualifiedName
    columns: tuple[Column, ...]
    keys: tuple[tuple[str, ...], ...]
    version: str | None


def readable(coordinator: Coordinator, parts: Sequence[str]) -> Readable:
    """The relation of that name. Waits for nothing. UndefinedTable, WrongObjectType."""
    item = coordinator.catalog.resolve(parts, Path())
    if isinstance(item, Index) or (isinstance(item, Source) and not item.columns):
        raise WrongObjectType(f'{kind(item)} "{item.name.item}" has no rows of its own')
    circuit = coordinator.cluster.worker.circuit
    version = None
    if coordinator.is_live(item.id) and circuit.error(item.id) is None:
        version = f"{item.id}.{circuit.changed(item.id)}"
    return Readable(item.name, item.columns, _keys(item), version)


def description(coordinator: Coordinator, parts: Sequence[str]) -> Description:
    """The item of that name, `item`, `schema.item` or `database.schema.item`, as it is. UndefinedTable for none."""
    item = coordinator.catalog.resolve(parts, Path())
    with coordinator.ticks.lock:
        return _described(coordinator, item)


def descriptions(coordinator: Coordinator, kinds: Sequence[str]) -> list[Description]:
    """The users' items of these kinds, by name."""
    with coordinator.ticks.lock:
        found = [item for item in coordinator.catalog.items.values() if kind(item) in kinds and _shown(item)]
        return [_described(coordinator, item) for item in sorted(found, key=lambda item: item.name)]


def _shown(item: Item) -> bool:
    own = not isinstance(item, Index) or not item.constraint
    return own and bool(item.name.database) and item.name.schema not in SYSTEM_SCHEMAS


def _described(coordinator: Coordinator, item: Item) -> Description:
    catalog, worker = coordinator.catalog, coordinator.cluster.worker
    live = coordinator.is_live(item.id)
    readable = live and not isinstance(item, Index)
    circuit = worker.circuit
    on = catalog.items[item.on] if isinstance(item, Index | Sink) else None
    code = circuit.error(item.id) if live else None
    return Description(
        id=item.id,
        name=item.name,
        kind=kind(item),
        columns=item.columns,
        keys=_keys(item),
        create_sql=item.create_sql,
        maintained=item.id in worker.known(),
        error=None if code is None else coordinator.heap.get(code).decode().partition(" ")[2],
        hydration=worker.progress(item.id),
        frontier=worker.upper if live else None,
        since=circuit.since(item.id) if readable else None,
        changed=circuit.changed(item.id) if readable else None,
        rows=circuit.rows(item.id) if live else None,
        bytes=circuit.bytes_of(item.id) if live else None,
        changes=circuit.changes_of(item.id) if live else None,
        depends_on=_names(coordinator, item.depends_on),
        used_by=_names(coordinator, {other.id for other in catalog.items.values() if item.id in other.depends_on}),
        on=None if on is None else on.name,
        key=() if on is None or not isinstance(item, Index) else tuple(on.columns[c].name for c in item.key),
        source=_progress(coordinator, item),
        sink=_written(coordinator, item),
    )


@dataclass(frozen=True, slots=True)
class Operator:
    """One operator of a running dataflow. `text` is its line of EXPLAIN; `rows` and `bytes` are of its state and its
    output's arrangements, `changes` counts the changes of its output; `used_by` are all relations it is part of."""

    id: int
    name: str
    text: str
    inputs: tuple[int, ...]
    rows: int
    bytes: int
    changes: int
    used_by: tuple[QualifiedName, ...]


def operators(coordinator: Coordinator, parts: Sequence[str]) -> list[Operator]:
    """What computes a relation, inputs first; none for what is not maintained. UndefinedTable."""
    item = coordinator.catalog.resolve(parts, Path())
    with coordinator.ticks.lock:
        if not coordinator.is_live(item.id) or isinstance(item, Index):
            return []
        items = coordinator.catalog.items
        names = {id: known.name.item for id, known in items.items()}
        nodes = {node.id: node for node in coordinator.cluster.worker.circuit.nodes()}
        users: dict[int, set[int]] = {id: set() for id in nodes}
        for id in sorted(nodes, reverse=True):  # who reads a node stands behind it
            users[id].update(export for export in nodes[id].exports if not isinstance(items.get(export), Index))
            for child in nodes[id].inputs:
                users[child] |= users[id]
        return [
            Operator(
                node.id, type(node.plan).__name__, explain_operator(node.plan, names), node.inputs, node.rows,
                node.bytes, node.changes, _names(coordinator, users[node.id] & items.keys()),
            )
            for node in nodes.values() if item.id in users[node.id]
        ]  # fmt: skip


def _names(coordinator: Coordinator, ids: set[int] | frozenset[int]) -> tuple[QualifiedName, ...]:
    return tuple(sorted(coordinator.catalog.items[id].name for id in ids))


def _progress(coordinator: Coordinator, item: Item) -> SourceProgress | None:
    source = item.source if isinstance(item, SourceRelation) else item.id
    status = coordinator.ingest.status().get(source)
    if status is None:
        return None
    error = None if status.error is None else status.error.message
    named = {name: each.partition for name, each in status.progress.items()}  # others are the log's own notes
    offsets = tuple(
        sorted((named.get(name, name), at) for name, at in status.offsets.items() if name in named or not named)
    )
    read = sum(at.bytes for at in status.progress.values())
    return SourceProgress(status.state.value, status.rows, read, status.waiting, status.finished, error, offsets)


def _written(coordinator: Coordinator, item: Item) -> SinkProgress | None:
    status = coordinator.sinks.status().get(item.id)
    if status is None:
        return None
    error = None if status.error is None else status.error.message
    return SinkProgress(status.state.value, error, status.transactions, status.records, status.bytes, status.timestamp)


def _keys(item: Item) -> tuple[tuple[str, ...], ...]:
    """Sets of columns in which no two rows agree, shortest first."""
    match item:
        case Table():
            found = [key.columns for key in item.keys if not any(item.columns[c].nullable for c in key.columns)]
        case Source() | SourceRelation():
            found = list(item.keys)
        case View() | MaterializedView():
            found = [tuple(sorted(key)) for key in Facts().keys(item.relation)]
        case Type() | Index() | Secret() | Connection() | Sink() | DurableSubscription() | SystemRelation():
            found = []
    return tuple(tuple(item.columns[c].name for c in key) for key in found)


def key_of(coordinator: Coordinator, relation: Relation) -> tuple[int, ...] | None:
    """Some columns in which no two rows of a query agree, as few as are known; None: none are."""
    if isinstance(relation, Get):
        item = coordinator.catalog.items.get(relation.id)
        if isinstance(item, MaterializedView):
            relation = item.relation
    keys = Facts().keys(relation)
    return tuple(sorted(keys[0])) if keys else None
