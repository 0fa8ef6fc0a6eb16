"""What became of a query's answer since a tick of an earlier life of the database, which no history reaches back to.

Rule   what tables and kept sources held then is what they hold less their writes since, which the log has; the query's
       answer then is the query over that; the change is the answer of the moment less the answer then.
Law    None is said where that is not known to be exact: the query reads something whose rows the log does not keep,
       or a view that was replaced since, the log has put the writes together, or a row failed.
Cost   the query evaluated twice; nothing where nothing was written since and time alone changes nothing. What was found
       is kept for the next who asks from the same tick: whoever lost the server lost it at about the same one.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable
from threading import Lock
from typing import TYPE_CHECKING, Final, NamedTuple

from engine.catalog.items import MaterializedView
from engine.cluster.worker import sources
from engine.collection.batch import Batch
from engine.coordinator.pipeline import dataflow, plans_beneath
from engine.coordinator.record import is_durable, unpacked
from engine.dataflow.graph import Changes, Plan, Source, Temporal, nodes, output_types
from engine.dataflow.oneshot import OneShot

if TYPE_CHECKING:
    from engine.coordinator.coordinator import Coordinator

KEPT: Final = 16
"""Changes that are kept."""

KEPT_ROWS_MAX: Final = 1_000_000
"""A change of more rows than this is not kept."""


class Since(NamedTuple):
    """The change from some tick to tick `until`."""

    until: int
    change: Batch


class Past:
    """The changes that were found last, by fingerprint of the query and tick. `lock`: one at a time looks for one."""

    def __init__(self) -> None:
        self.lock: Final = Lock()
        self._found: OrderedDict[tuple[str, int], Since] = OrderedDict()

    def get(self, fingerprint: str, tick: int) -> Since | None:
        return self._found.get((fingerprint, tick))

    def keep(self, fingerprint: str, tick: int, found: Since) -> None:
        if len(found.change) <= KEPT_ROWS_MAX:
            self._found[fingerprint, tick] = found
            while len(self._found) > KEPT:
                self._found.popitem(last=False)

    def forget(self) -> None:
        """Before a sweep of the heap: it knows nothing of what is kept here."""
        self._found.clear()


def change_since(
    coordinator: "Coordinator", plan: Plan, fingerprint: str, tick: int, check: Callable[[], None]
) -> Since | None:
    """What leads from the plan's answer at `tick` to that of a tick which its histories still reach; None: unknown.

    The caller keeps the heap pinned, and ticks readable from now on. `tick` is of an earlier life.
    """
    worker = coordinator.cluster.worker
    with coordinator.past.lock:
        found = coordinator.past.get(fingerprint, tick)
        if found is not None and all(worker.circuit.since(id) <= found.until for id in sources(plan)):
            return found
        with coordinator.ticks.lock:
            until = worker.upper
            plans = plans_beneath(plan, coordinator.catalog, coordinator.options)
            written = _written(coordinator, {id for each in plans for id in sources(each)}, tick)
        gone = written is None or _refreshed(coordinator, plans) or _turned(coordinator, plans, tick)
        if written is None or gone or _recorded(plans):
            return None
        if not any(map(len, written.values())) and not any(
            isinstance(node, Temporal) for each in plans for node in nodes(each)
        ):
            found = Since(until, Batch.empty(len(output_types(plan))))
        else:
            found = _compared(coordinator, plan, tick, until, written, check)
        if found is not None:
            coordinator.past.keep(fingerprint, tick, found)
        return found


def _compared(
    coordinator: "Coordinator", plan: Plan, tick: int, until: int, written: dict[int, Batch], check: Callable[[], None]
) -> Since | None:
    circuit, heap = coordinator.cluster.worker.circuit, coordinator.heap
    watch = coordinator.watched(check)
    items = coordinator.catalog.items
    failed = False
    known: dict[int, Batch] = {}

    def given(part: Plan) -> Batch | None:
        if not isinstance(part, Source):
            return None
        rows = known.get(part.id)
        if rows is None and part.id in written:
            rows = Batch.concat([circuit.contents(part.id, until), written[part.id].negate()]).consolidate()
        elif rows is None:
            view = items[part.id]
            assert isinstance(view, MaterializedView), "what else is read is written"
            rows = answer(dataflow(view.relation, coordinator.catalog, coordinator.options))
        known[part.id] = rows
        return rows

    def answer(of: Plan) -> Batch:
        nonlocal failed
        evaluation = OneShot(heap, given, watch, tick)
        rows = evaluation.run(of).consolidate()
        failed = failed or evaluation.error is not None
        return rows

    then = answer(plan)
    now, error, _ = circuit.read(plan, until, watch)
    if failed or error is not None:
        return None
    return Since(until, Batch.concat([now, then.negate()]).consolidate())


def _refreshed(coordinator: "Coordinator", plans: Iterable[Plan]) -> bool:
    """Whether they read a view that is as of its last refresh: what it was in an earlier life is not known."""
    items = [coordinator.catalog.items.get(id) for each in plans for id in sources(each)]
    return any(isinstance(item, MaterializedView) and item.schedule is not None for item in items)


def _recorded(plans: Iterable[Plan]) -> bool:
    """Whether they read CHANGES: at which ticks something changed in an earlier life is not asked here."""
    return any(isinstance(node, Changes) for each in plans for node in nodes(each))


def _turned(coordinator: "Coordinator", plans: Iterable[Plan], tick: int) -> bool:
    """Whether they read a view that was another query's answer then, or may have been."""
    items = [coordinator.catalog.items.get(id) for each in plans for id in sources(each)]
    return any(isinstance(item, MaterializedView) and tick <= item.turned for item in items)


def _written(coordinator: "Coordinator", ids: Iterable[int], tick: int) -> dict[int, Batch] | None:
    """The writes after `tick` to the collections among `ids` that are written to; None where the log does not have
    them, or has too many. Under the tick lock."""
    log, catalog = coordinator.log, coordinator.catalog
    assert log is not None, "without a log there was no life before this"
    found: dict[int, Batch] = {}
    left = coordinator.options.resume_rows_max
    for id in ids:
        item = catalog.items.get(id)
        if isinstance(item, MaterializedView):
            continue
        writes = log.after(id, tick) if item is not None and is_durable(catalog, item) else None
        if item is None or writes is None:
            return None
        parts = [Batch.empty(len(item.columns))]
        for rows in writes:
            parts.append(unpacked(rows, item.columns, coordinator.heap))
            left -= len(parts[-1])
            if left < 0:
                return None
        found[id] = Batch.concat(parts).consolidate()
    return found
