"""What system relations show of the workers and the sessions, computed when a query reads them and not before."""

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol, TypeVar

from engine.catalog.system.definition import (
    OperatorState,
    PartitionState,
    Runtime,
    SessionState,
    SinkState,
    SourceState,
    SubscriptionState,
)
from engine.coordinator.activity import Run, shown, word_of
from engine.coordinator.subscription import Subscription
from engine.plan.explain import explain_operator

if TYPE_CHECKING:
    from engine.coordinator.coordinator import Coordinator

T = TypeVar("T")


class SessionLike(Protocol):
    """What is shown of a session."""

    user: str
    began: datetime
    last: Run | None

    @property
    def transaction_status(self) -> str: ...
    @property
    def guest(self) -> bool: ...
    @property
    def variables(self) -> Mapping[str, str]: ...
    def holds(self, subscription: Subscription) -> bool: ...
    def cancel(self) -> None: ...
    def terminate(self) -> None: ...


class Durations:
    """How long reads took: counts by the power of two of their nanoseconds. Adding costs less than a microsecond."""

    def __init__(self) -> None:
        self._counts = [0] * 64
        self.total_ns = 0

    def add(self, ns: int) -> None:
        self._counts[ns.bit_length()] += 1
        self.total_ns += ns

    def up_to(self, bits: int) -> int:
        """How many took less than 2**bits ns."""
        return sum(self._counts[: bits + 1])

    @property
    def count(self) -> int:
        """How many there were."""
        return sum(self._counts)

    def rows(self) -> Iterator[tuple[int, int]]:
        """(up to so many ns, how many took no longer and longer than the row before)."""
        return ((1 << bits, count) for bits, count in enumerate(self._counts) if count)


class Commands:
    """How long statements took until their answer was there, by what they are and whether they failed."""

    def __init__(self) -> None:
        self._durations: dict[tuple[type, bool], Durations] = {}

    def add(self, statement: type, failed: bool, ns: int) -> None:
        """From any thread; costs about a microsecond."""
        found = self._durations.get((statement, failed))
        if found is None:
            found = self._durations.setdefault((statement, failed), Durations())
        found.add(ns)

    def all(self) -> Iterator[tuple[str, bool, Durations]]:
        """(the statement in lower case, whether it failed, how long)."""
        for (statement, failed), durations in tuple(self._durations.items()):
            yield word_of(statement), failed, durations


class Lazily(Mapping[int, T]):
    """A fact about each of some collections, by id."""

    def __init__(self, ids: Callable[[], frozenset[int]], fact: Callable[[int], T]) -> None:
        self._ids = ids
        self._fact = fact

    def __getitem__(self, id: int) -> T:
        if id not in self._ids():
            raise KeyError(id)
        return self._fact(id)

    def __iter__(self) -> Iterator[int]:
        return iter(sorted(self._ids()))

    def __len__(self) -> int:
        return len(self._ids())


def runtime(coordinator: "Coordinator") -> Runtime:
    """The state of each collection and index that the worker has, of sources, sessions and subscriptions."""
    worker = coordinator.cluster.worker

    def rows(id: int) -> int:
        return worker.circuit.rows(id) if worker.is_live(id) else 0

    def bytes_of(id: int) -> int:
        return worker.circuit.bytes_of(id) if worker.is_live(id) else 0

    def progress(id: int) -> tuple[int, int]:
        return worker.progress(id) or (0, 0)

    def live() -> frozenset[int]:
        return frozenset(id for id in worker.known() if worker.is_live(id))

    def frontier(id: int) -> tuple[int, int]:
        return worker.circuit.since(id), worker.upper

    def refreshes(id: int) -> tuple[int | None, int | None]:
        return worker.circuit.refreshes(id)

    def sources() -> frozenset[int]:
        return frozenset(coordinator.ingest.status())

    return Runtime(
        hydrated=Lazily(worker.known, worker.is_live),
        rows=Lazily(worker.known, rows),
        bytes=Lazily(worker.known, bytes_of),
        progress=Lazily(worker.unfinished, progress),
        frontiers=Lazily(live, frontier),
        history_ms=coordinator.options.history_ms,
        refreshes=Lazily(live, refreshes),
        sources=Lazily(sources, lambda id: _source(coordinator, id)),
        sinks=Lazily(lambda: frozenset(coordinator.sinks.status()), lambda id: _sink(coordinator, id)),
        durable=coordinator.durable.states,
        sessions=lambda: _sessions(coordinator),
        subscriptions=lambda: _subscriptions(coordinator),
        cancel=lambda number: _cancel(coordinator, number),
        terminate=lambda number: _terminate(coordinator, number),
        locks=coordinator.locks.states,
        blocking=coordinator.locks.blocking,
        peeks=coordinator.peeks.rows,
        operators=lambda: _operators(coordinator),
        statements=coordinator.activity.states,
        hydration_ns=coordinator.hydration_ns,
        parks=coordinator.ticker.parks.rows,
        metrics=coordinator.metrics,
        wall_ms=coordinator.oracle.wall_ms,
        began=coordinator.began,
        identity=coordinator.identity,
        oids=coordinator.oids,
    )


def _source(coordinator: "Coordinator", id: int) -> SourceState:
    status = coordinator.ingest.status()[id]
    error, hint = (None, None) if status.error is None else (status.error.message, status.error.hint)
    partitions = [
        PartitionState(
            at.partition,
            at.records,
            at.bytes,
            at.errors,
            at.position,
            status.offsets.get(name, 0),
            at.known,
            at.records_per_second,
        )
        for name, at in status.progress.items()
    ]
    since = datetime.fromtimestamp(status.since_ms / 1000, UTC)
    return SourceState(
        status.rows, status.waiting, status.state.value, since, error, hint,
        tuple(sorted(partitions, key=lambda at: (len(at.partition), at.partition))), status.errors_let_go,
    )  # fmt: skip


def _sink(coordinator: "Coordinator", id: int) -> SinkState:
    status = coordinator.sinks.status()[id]
    error, hint = (None, None) if status.error is None else (status.error.message, status.error.hint)
    since = datetime.fromtimestamp(status.since_ms / 1000, UTC)
    return SinkState(
        status.state.value, since, error, hint, status.transactions, status.records, status.bytes, status.timestamp
    )


def _cancel(coordinator: "Coordinator", number: int) -> bool:
    session = coordinator.sessions.get(number)
    if session is not None:
        session.cancel()
    return session is not None


def _terminate(coordinator: "Coordinator", number: int) -> bool:
    session = coordinator.sessions.get(number)
    if session is not None:
        session.terminate()
    return session is not None


def _sessions(coordinator: "Coordinator") -> Iterator[SessionState]:
    for number, session in sorted(coordinator.sessions.copy().items()):
        variables = session.variables
        last = None if session.last is None else shown(session.last)
        yield SessionState(
            number, session.user, variables["database"], variables["application_name"], session.began,
            session.transaction_status, last, session.guest,
        )  # fmt: skip


def _subscriptions(coordinator: "Coordinator") -> Iterator[SubscriptionState]:
    sessions = sorted(coordinator.sessions.copy().items())
    for request, subscription in sorted(coordinator.subscriptions.copy().items()):
        holder = next((number for number, session in sessions if session.holds(subscription)), None)
        reads = frozenset(coordinator.subscribed(request))
        yield SubscriptionState(request, holder, reads, subscription.pending_rows, subscription.began)


def _operators(coordinator: "Coordinator") -> Iterator[OperatorState]:
    names = {id: item.name.item for id, item in coordinator.catalog.items.items()}
    for node in coordinator.cluster.worker.circuit.nodes():
        plan = explain_operator(node.plan, names)
        durations = tuple((1 << bits, count) for bits, count in enumerate(node.durations) if count)
        yield OperatorState(
            node.id, plan, node.inputs, node.rows, node.bytes, node.changes, node.elapsed_ns, node.exports, durations
        )
