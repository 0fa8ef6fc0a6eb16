"""The past over a restart: the writes of the ticks that somebody may still ask about, each again at its own time.

Rule   what the log has up to the horizon comes first, as one write of each collection; then each later tick of what is
       wanted, with the same changes at the same time; what temporal filters let in or out between them has its own tick
       again. So every history from the horizon on is what it was: rows, times and errors.
Law    a collection has that history only if all that it is made from is replayed; else its history begins with the
       process, as it does where nobody asks for more.
Cost   a tick for each tick since the horizon that wrote to what is wanted. Nothing where nobody wants a past.

Wanted is what says RETAIN HISTORY, what CHANGES tells from some time on, and what the reader of a durable subscription
has not acknowledged. Of a view that is refreshed no more is
wanted than the rows of its last refresh. The log keeps the writes since then apart (recovery.py puts older ones
together).
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from engine.catalog.catalog import Catalog
from engine.catalog.items import (
    DurableSubscription,
    Index,
    Item,
    MaterializedView,
    Retaining,
    Source,
    SourceRelation,
    SystemRelation,
    Table,
    below,
)
from engine.collection.batch import Batch
from engine.coordinator.record import BROKEN, is_durable, unpacked
from engine.durable.log import HORIZON, Log
from engine.sql import statements
from engine.sql.binding.options import apart, schedule
from engine.sql.statements import Statement

if TYPE_CHECKING:
    from engine.coordinator.coordinator import Coordinator

NEEDED: Final = "needed"
"""The kind of the log's facts: since when (ms) the past of what an item reads has to be known, by the item's id."""

MADE: Final = "made"
"""The kind of the log's facts: the tick before an item was made, or that of the first rows of what came with some, by
its id. It has no history before that."""

REFRESHED: Final = "refreshed"
"""The kind of the log's facts: the tick of the first refresh of a view, by its id. The others are by its schedule."""


class Replay:
    """What a start does with the past. `horizon` is from when on it is wanted; before that are the times of up to
    `ticks_max` ticks of what comes first. `refreshed`: the last refresh of each view that had one; those of which that
    is not known are refreshed at `anew`."""

    def __init__(self, log: Log, horizon: int, ticks_max: int, refreshed: Mapping[int, int | None], anew: int) -> None:
        self.horizon: Final = horizon
        self._at = horizon - ticks_max - 1
        self._log = log
        self._refreshed = refreshed
        self._anew = anew

    def next(self) -> int:
        self._at += 1
        assert self._at < self.horizon, "more first ticks than items"
        return self._at

    def first_rows(self, id: int) -> int:
        """Up to which tick the writes of a collection come first."""
        return max(self.horizon, int(self._log.facts(HORIZON).get(str(id), 0)))

    def resumes(self, catalog: Catalog, view: MaterializedView) -> int | None:
        """The refresh that a view begins with; None: it has yet to have one."""
        last = self._refreshed.get(view.id)
        if last is None:
            return None
        broken = self._log.facts(BROKEN)
        for id in fed(catalog, view):
            if not is_durable(catalog, catalog.items[id]) or str(id) in broken or self.first_rows(id) > last:
                return self._anew
        return last

    def boundaries(self) -> list[int]:
        """The refreshes for which the rows of then are needed."""
        return sorted(at for at in self._refreshed.values() if at is not None)


def last_refreshes(log: Log, items: Iterable[tuple[int, Statement]], now: int) -> dict[int, int | None]:
    """The last refresh of each view that is refreshed; None: it had none."""
    made, first = log.facts(MADE), log.facts(REFRESHED)
    found: dict[int, int | None] = {}
    for id, statement in items:
        if not isinstance(statement, statements.CreateView):
            continue
        times = schedule(statement.options, datetime.fromtimestamp(now / 1000, UTC))
        if times is None:
            continue
        last = times.last(now)
        known = [at for at in (last,) if at is not None and at >= int(made.get(str(id), 0))]
        known += [int(first[str(id)])] if str(id) in first else []
        found[id] = max(known, default=now if times.at_once else None)
    return found


def horizon(log: Log, items: Iterable[Statement], refreshed: Mapping[int, int | None]) -> int | None:
    """From when on the past is wanted; None: nobody wants one from before this life."""
    clock = log.clock()
    wanted = [int(at) for at in log.facts(NEEDED).values()]
    wanted += [clock if at is None else at for at in refreshed.values()]
    for statement in items:
        match statement:
            case (
                statements.CreateTable()
                | statements.CreateView()
                | statements.CreateIndex()
                | statements.CreateSource()
                | statements.CreateCopy()
            ):
                history_ms, _ = apart(statement.options)
                if history_ms is not None:
                    wanted.append(clock - history_ms)
            case _:
                pass
    return max(0, min(clock, *wanted)) if wanted else None


def wanted(catalog: Catalog, log: Log) -> frozenset[int]:
    """The collections that are fed, and that are read by what wants its past."""
    needed = {int(id) for id in log.facts(NEEDED)}
    asking = [item for item in catalog.items.values() if item.id in needed or says_history(item)]
    return frozenset(id for item in asking for id in fed(catalog, item))


def kept_apart(catalog: Catalog, log: Log) -> frozenset[int]:
    """Those of which the writes since the horizon must not be put together."""
    refreshed = [each for each in catalog.items.values() if isinstance(each, MaterializedView) and each.schedule]
    return wanted(catalog, log) | {id for item in refreshed for id in fed(catalog, item)}


def says_history(item: Item) -> bool:
    return isinstance(item, Retaining) and item.history_ms is not None


def fed(catalog: Catalog, item: Item, top: bool = True) -> Iterable[int]:
    """The ids of the fed collections that an item is, or is made from; below the `top` a refreshed view is one that
    nobody knows the past of."""
    item = what(catalog, item)
    match item:
        case MaterializedView() if item.schedule is not None and not top:
            yield item.id
        case Table() | SourceRelation():
            yield item.id
        case SystemRelation():
            yield item.id
        case Source():
            if item.columns:
                yield item.id
            for each in catalog.items.values():
                if isinstance(each, SourceRelation) and each.source == item.id:
                    yield each.id
        case _:
            for id in item.depends_on:
                yield from fed(catalog, catalog.items[id], top=False)


def what(catalog: Catalog, item: Item) -> Item:
    """What an item is by another name: of an index, or of a subscription, what it is on; else itself."""
    match item:
        case Index(expressions=()) | DurableSubscription(on=int()):
            assert item.on is not None
            return what(catalog, catalog.items[item.on])
        case _:
            return item


def run(coordinator: "Coordinator", log: Log) -> None:
    """Behind what came first. Under the tick lock."""
    replay, catalog, ticks = coordinator.replay, coordinator.catalog, coordinator.ticks
    assert replay is not None
    coordinator.cluster.hydrate_now()
    ticks.replay(replay.horizon, {})
    broken = {int(id) for id in log.facts(BROKEN)}
    durable = {item.id for item in catalog.items.values() if is_durable(catalog, item)}
    exact = (wanted(catalog, log) & durable) - broken
    begins = _begin(coordinator, log, exact)
    later: dict[int, dict[int, list[Batch]]] = {}
    ends = sorted({*replay.boundaries(), log.clock()})
    for id in durable:
        columns = catalog.items[id].columns
        for at, rows in log.later(id, replay.first_rows(id)):
            tick = at if id in exact else next(end for end in ends if at <= end)
            later.setdefault(tick, {}).setdefault(id, []).append(unpacked(rows, columns, coordinator.heap))
    for tick in sorted(later):
        ticks.replay(tick, {id: Batch.concat(parts) for id, parts in later[tick].items()})
    ticks.replay(coordinator.oracle.last, {})
    circuit = coordinator.cluster.worker.circuit
    for id in coordinator.cluster.worker.known():
        if circuit.has(id) and id not in begins:
            circuit.begin(id)


def _logged(catalog: Catalog, id: int) -> int:
    """The item whose statement the log has: the source of a relation that came with it."""
    item = catalog.items[id]
    return item.source if isinstance(item, SourceRelation) and not item.create_sql else id


def _turned(catalog: Catalog, item: Item) -> int:
    """Since when an item, and what it reads, have been what they are; before that another query answered for it."""
    views = [found for found in below(catalog.items, [item.id]) if isinstance(found, MaterializedView)]
    return max((view.turned + 1 for view in views if view.turned), default=0)


def _begin(coordinator: "Coordinator", log: Log, exact: frozenset[int]) -> frozenset[int]:
    """Begin the histories that are to be exact, where they are; the collections that have one.

    Views of one query are one collection, whose history is that of the oldest; unless one of them was another query's
    answer before, of which it knows nothing."""
    replay, catalog = coordinator.replay, coordinator.catalog
    assert replay is not None
    circuit = coordinator.cluster.worker.circuit
    made, together = log.facts(MADE), log.facts(HORIZON)
    oldest: list[tuple[int, int]] = []  # (first tick, id)
    turned: list[tuple[int, int]] = []
    for id in coordinator.cluster.worker.known():
        known = catalog.items.get(id)
        if known is None or not circuit.has(id):
            continue
        item = what(catalog, known)  # they share the history
        sources = frozenset(fed(catalog, item)) if not isinstance(item, Source) else frozenset({item.id})
        if not sources or not sources <= exact:
            continue
        first = max(replay.horizon, *(int(together.get(str(source), 0)) for source in sources))
        own = {id} if isinstance(item, MaterializedView) else set[int]()  # an index is as old as what it is on
        first = max(first, *(int(made.get(str(_logged(catalog, each)), 0)) for each in sources | own))
        since = _turned(catalog, item)
        first = max(first, since)
        if isinstance(item, MaterializedView) and item.schedule is not None:
            first = max(first, replay.resumes(catalog, item) or 0)
        (turned if since else oldest).append((first, id))
    begins = [*sorted(oldest, reverse=True), *sorted(turned)]
    for first, id in begins:
        circuit.begin(id, first)  # of one collection's names the last decides
    return frozenset(id for _, id in begins)
