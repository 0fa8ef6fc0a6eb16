"""A change of the catalog: first a draft that only its transaction sees, then published, all of it at once or nothing.

    draft      `catalog` is what it will be; nothing below it has changed
    publish    merge with what others did meanwhile, log, swap, free what went, then do what each new item waits for

A statement outside of a block drafts and publishes under one hold of the tick lock; a block publishes at COMMIT, and
ROLLBACK forgets the draft. What a table's rows are kept under is known from the draft on (its id is nobody else's), so
that the block can write to it.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from engine.catalog.catalog import Catalog, is_temporary
from engine.catalog.items import (
    Connection,
    DurableSubscription,
    Index,
    Item,
    MaterializedView,
    Secret,
    Sink,
    Source,
    SourceRelation,
    Table,
    Type,
    View,
    kind,
)
from engine.catalog.merge import merged
from engine.cluster.command import Drop
from engine.collection.wanted import unasked
from engine.coordinator.coordinator import Coordinator
from engine.coordinator.durable import DURABLE
from engine.coordinator.feeding import refeed
from engine.coordinator.record import BROKEN
from engine.coordinator.replay import MADE, NEEDED, REFRESHED
from engine.durable.log import NOTHING
from engine.durable.log import Item as LogItem

NEXT_ID = "catalog", "next id"
"""The fact of the log that keeps an id from coming again: what somebody knows of a dropped item is of no other."""

TURNED = "turned"
"""The kind of the log's facts: the last tick at which a replaced view was another query's answer, by its id."""
ORDER = "catalog", "order"
"""The fact of the log that says in which order items are made again: their ids; behind them the others, by age."""

Facts = Mapping[tuple[str, str], str | None]


@dataclass(frozen=True, slots=True)
class State:
    """A draft at a moment, for a savepoint. `waiting` is what is to be done for an item once it is published,
    `renames` are catalogs before and after a database or a schema got another name, `turned` views and the replacements
    that they are from then on."""

    catalog: Catalog
    waiting: tuple[tuple[int, Callable[[], None]], ...] = ()
    facts: Facts = field(default_factory=dict)
    renames: tuple[tuple[Catalog, Catalog], ...] = ()
    turned: tuple[tuple[int, int], ...] = ()


class Draft:
    """Changes under the tick lock. `durable`: the log is told; it is not of what comes from it."""

    def __init__(self, coordinator: Coordinator, durable: bool = True) -> None:
        self.coordinator: Final = coordinator
        self.durable: Final = durable
        self._base: Final = coordinator.catalog
        self._state = State(self._base)
        self.made: Final[set[int]] = set()  # ids of all that was ever entered
        self.filled: frozenset[int] = frozenset()  # new tables whose first rows commit with the draft

    @property
    def catalog(self) -> Catalog:
        return self._state.catalog

    @catalog.setter
    def catalog(self, catalog: Catalog) -> None:
        self._state = replace(self._state, catalog=catalog)

    @property
    def state(self) -> State:
        return self._state

    def return_to(self, state: State | None) -> None:
        """The draft as it was at a savepoint; None: before it had begun."""
        self._state = State(self._base) if state is None else state

    def new_id(self, id: int | None = None, count: int = 1) -> int:
        """The first of so many ids for new items; in a replay of the log, the one that it had."""
        return self.coordinator.reserve(count) if id is None else id

    def enter(self, items: Sequence[Item], then: Callable[[], None] | None = None, facts: Facts = NOTHING) -> None:
        """Put items into the catalog; `then` makes the first of them what it is, once they are published."""
        catalog = self.catalog
        for item in items:
            catalog = catalog.create(item)
            self.made.add(item.id)
        self.catalog = catalog
        if then is not None:
            self.later(items[0].id, then)
        self.fact(facts)

    def later(self, id: int, then: Callable[[], None]) -> None:
        """Do this for an item once it is published, if it is there by then."""
        self._state = replace(self._state, waiting=(*self._state.waiting, (id, then)))

    def fact(self, facts: Facts) -> None:
        """The log is to keep these too; None: no longer."""
        if facts:
            self._state = replace(self._state, facts={**self._state.facts, **facts})

    def rename(self, catalog: Catalog) -> None:
        """With databases and schemas under other names: their OIDs stay theirs."""
        renames = (*self._state.renames, (self.catalog, catalog))
        self._state = replace(self._state, catalog=catalog, renames=renames)

    def turn(self, target: int, other: int) -> None:
        """A view is what its replacement is, which is a name no more."""
        turned = (*self._state.turned, (target, other))
        self._state = replace(self._state, catalog=self.catalog.drop([other]), turned=turned)

    def drop(self, ids: Sequence[int]) -> None:
        """Without these items, dependents before what they depend on."""
        if ids:
            self.catalog = self.catalog.drop(ids)

    @property
    def is_empty(self) -> bool:
        return self.catalog is self._base and not self._state.facts and not self._state.waiting

    def merged(self) -> Catalog:
        """The catalog as it will be published. Raises SerializationFailure."""
        return merged(self._base, self.catalog, self.coordinator.catalog)

    def publish(self, filled: Iterable[int] = ()) -> None:
        """Make it so. Under the tick lock. The tick that comes next has the first rows of the tables that are `filled`:
        whoever reads one waits for it."""
        self.filled = frozenset(filled)
        after = self.merged()
        with unasked():
            self._publish(self._turned(after))
            if not self.filled:
                self.coordinator.ticks.run_turning()

    def filled_at(self, tick: int) -> None:
        """The log is to know when the first rows of the tables that were filled came: before that other tables may have
        had the names of those, and of what is made from them. In the transaction of `publish`."""
        coordinator = self.coordinator
        if coordinator.log is None or not self.filled:
            return
        above = {id for id in coordinator.catalog.above(sorted(self.filled)) if id in self.made}
        kept = [item for id, item in coordinator.catalog.items.items() if id in above and not is_temporary(item.name)]
        coordinator.log.change(facts={(MADE, str(item.id)): str(tick) for item in kept if item.create_sql})

    def _turned(self, after: Catalog) -> Catalog:
        """With the tick up to which the views that are replaced were something else."""
        upper = self.coordinator.cluster.worker.upper
        items = [after.items[target] for target, _ in self._state.turned if target in after.items]
        return after.redefined(replace(item, turned=upper) for item in items if isinstance(item, MaterializedView))

    def _publish(self, after: Catalog) -> None:
        coordinator, before = self.coordinator, self.coordinator.catalog
        gone = [before.items[id] for id in sorted(before.items.keys() - after.items.keys(), reverse=True)]
        for item in gone:
            if isinstance(item, Source):
                coordinator.ingest.stop(item.id, forget=True)
            if isinstance(item, Sink):
                coordinator.sinks.stop(item.id)
        for old, new in self._state.renames:
            coordinator.oids.renamed(old, new)
        if self.durable:
            self._record(before, after, gone)
        coordinator.catalog = after
        for id in {item.source for item in gone if isinstance(item, SourceRelation)}:
            refeed(coordinator, id)
        others = {other for target, other in self._state.turned if target in after.items}
        for item in gone:
            if item.id in others:
                coordinator.end_subscriptions(item.id)
            else:
                _free(coordinator, before, item)
        coordinator.forget([item.id for item in gone])
        for id, then in self._state.waiting:
            if id in after.items:
                then()
        self.discard()

    def discard(self) -> None:
        """Forget what was known early of items that are not there."""
        coordinator = self.coordinator
        for id in self.made - coordinator.catalog.items.keys():
            coordinator.tables.pop(id, None)
            coordinator.constraints.forget(id)
            coordinator.secrets.pop(id, None)

    def _record(self, before: Catalog, after: Catalog, gone: Sequence[Item]) -> None:
        """One transaction of the log: what differs between the two catalogs, and the facts."""
        log = self.coordinator.log
        if log is None:
            return
        new = [item for id, item in after.items.items() if item is not before.items.get(id)]
        kept = [item for item in new if item.create_sql and not is_temporary(item.name)]
        facts = {
            key: value for key, value in self._state.facts.items() if not _is_of(key, self.made - after.items.keys())
        }
        upper = self.coordinator.cluster.worker.upper
        facts |= {(MADE, str(item.id)): str(upper) for item in kept if item.id not in before.items}
        facts |= {(of, str(item.id)): None for item in gone for of in (MADE, NEEDED, REFRESHED, DURABLE)}
        if gone:
            facts[NEXT_ID] = str(after.next_id)
            facts |= {(word, str(item.id)): None for item in gone if (word := kind(item)) in ("secret", "sink")}
            # The value itself stays with the process: a reader that ends late lets go of its slot with it.
            facts |= {("secret", str(item.id)): None for item in gone if isinstance(item, Source)}
            facts |= {(BROKEN, str(item.id)): None for item in gone if isinstance(item, SourceRelation)}
            facts |= {(TURNED, str(item.id)): None for item in gone if isinstance(item, MaterializedView)}
        for target, _ in self._state.turned:
            item = after.items.get(target)
            if isinstance(item, MaterializedView):
                facts |= {
                    (TURNED, str(target)): str(item.turned),
                    ORDER: " ".join(str(id) for id, _ in after.statements()),
                }
        schemas = None
        if (before.databases, before.schemas) != (after.databases, after.schemas):
            schemas = [*((name, "") for name in sorted(after.databases)), *sorted(after.schemas)]
        if schemas is not None or before.roles.keys() != after.roles.keys():
            facts |= self.coordinator.oids.facts(after)
        drops = [item.id for item in gone]
        if kept or drops or facts or schemas is not None:
            created = [LogItem(item.id, item.create_sql) for item in kept]
            log.change(create=created, drop=drops, schemas=schemas, facts=facts)


def _is_of(fact: tuple[str, str], ids: set[int]) -> bool:
    """Whether a fact is about an item that came and went in the same draft."""
    return fact[0] in ("secret", "sink") and int(fact[1]) in ids


def _free(coordinator: Coordinator, before: Catalog, item: Item) -> None:
    """Undo what making the item did below the catalog. `before` is the catalog with it."""
    match item:
        case Source() if not item.columns:
            return
        case Secret():
            coordinator.secrets.pop(item.id, None)
            return
        case Connection() | Type() | Sink():
            return
        case Index():
            coordinator.send(Drop(item.id))
            on = before.items[item.on]
            known = coordinator.cluster.worker.known()
            if isinstance(on, View) and on.id in known and not coordinator.catalog.indexes(on.id):
                coordinator.end_subscriptions(on.id)
                coordinator.send(Drop(on.id))
                coordinator.forget([on.id])
            return
        case Source():
            coordinator.tables.pop(item.id, None)
        case DurableSubscription():
            coordinator.durable.forget(item.id)
        case Table():
            coordinator.tables.pop(item.id)
            coordinator.constraints.forget(item.id)
        case _:
            pass
    coordinator.end_subscriptions(item.id)
    if not isinstance(item, View):
        coordinator.send(Drop(item.id))
