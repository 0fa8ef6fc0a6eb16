"""The statements about durable subscriptions: what each makes of a draft, and who reads one (durable.py)."""

from typing import Final

from engine.catalog.items import DurableSubscription, View
from engine.cluster.command import Maintain
from engine.coordinator.coordinator import Coordinator
from engine.coordinator.ddl import changes_since, exists, need
from engine.coordinator.describe import key_of
from engine.coordinator.draft import Draft
from engine.coordinator.envelope import Telling
from engine.coordinator.pipeline import dataflow
from engine.coordinator.reads import Check, check_reached
from engine.coordinator.result import Result
from engine.coordinator.resume import Following, Position, life_of
from engine.coordinator.subscription import Subscription, SubscriptionBatch
from engine.errors import InvalidParameter, Unsupported
from engine.sql.bound import BoundAcknowledge, BoundCreateDurableSubscription, BoundSubscribe


def create_durable_subscription(draft: Draft, bound: BoundCreateDurableSubscription, id: int | None = None) -> Result:
    """Returns as soon as it is in the catalog; it begins when it has hydrated. `id` is what the log says it was."""
    skipped = exists(draft, "CREATE DURABLE SUBSCRIPTION", bound.name, bound.if_not_exists)
    if skipped is not None:
        return skipped
    coordinator = draft.coordinator
    item = DurableSubscription(
        draft.new_id(id), bound.name, bound.on, bound.relation, bound.told, bound.depends_on, bound.create_sql,
        bound.acknowledge_ms, bound.envelope, bound.within,
    )  # fmt: skip
    plan = dataflow(bound.relation, draft.catalog, coordinator.options)
    start = None
    if id is None:
        need(draft, item, plan)
        start = bound.start
    if start is not None:
        _check_start(coordinator, item, start)

    def make() -> None:
        coordinator.durable.enter(item, start, changes_since(plan))
        coordinator.send(Maintain(item.id, plan, (), 0))

    draft.enter([item], make)
    return Result("CREATE DURABLE SUBSCRIPTION")


def _check_start(coordinator: Coordinator, item: DurableSubscription, start: int) -> None:
    assert item.on is not None, "the binder has refused START AT of a query"
    on = coordinator.catalog.items.get(item.on)
    if isinstance(on, View) and on.id not in coordinator.maintained():
        raise InvalidParameter(
            f'the past of view "{on.name.item}" is not kept: START AT is for what is',
            hint="Index the view, or make it a materialized one, WITH (RETAIN HISTORY FOR ...).",
        )
    if coordinator.cluster.worker.upper < start <= coordinator.oracle.wall_ms():
        coordinator.ticks.run(idle=True)
    check_reached(coordinator, item.on, start)


def acknowledge(draft: Draft, bound: BoundAcknowledge) -> Result:
    """Takes effect with the transaction: what it writes and what it acknowledges are there together, or not at all."""
    durable = draft.coordinator.durable
    durable.check(bound.id, bound.up_to)
    draft.later(bound.id, lambda: durable.acknowledge(bound.id, bound.up_to))
    return Result("ACKNOWLEDGE DURABLE SUBSCRIPTION")


class DurableFollowing(Following):
    """A durable subscription for who acknowledges along the way that the changes come. Its position is the server's, so
    there is none to resume from."""

    def __init__(
        self, coordinator: Coordinator, bound: BoundSubscribe, subscription: Subscription, whole: bool
    ) -> None:
        assert bound.durable is not None
        item = coordinator.catalog.items[bound.durable]
        assert isinstance(item, DurableSubscription)
        position = Position("", 0, "", life_of(coordinator), 0)
        resumed = None if whole else True
        key = key_of(coordinator, item.relation)
        super().__init__(coordinator, subscription, position, resumed, whole, bound.reads, None, key)
        self._id: Final = bound.durable

    def poll(self) -> SubscriptionBatch | None:
        return self.subscription.poll()

    def position(self, timestamp: int) -> str:
        """None: who hands it in again says nothing."""
        return ""

    def acknowledge(self, timestamp: int) -> None:
        """Raises as ACKNOWLEDGE does. Takes the tick lock."""
        durable = self._coordinator.durable
        with self._coordinator.ticks.lock:
            durable.check(self._id, timestamp + 1)
            durable.acknowledge(self._id, timestamp + 1)

    def leave(self) -> None:
        self.subscription.close()


def follow_durable(
    coordinator: Coordinator, bound: BoundSubscribe, resume: str | None, check: Check
) -> DurableFollowing:
    """SUBSCRIBE USING, followed."""
    if resume:
        raise InvalidParameter(
            "a durable subscription goes on from what was acknowledged, not from a token", hint="Subscribe without it."
        )
    if bound.envelope is not None or bound.within:
        raise Unsupported(
            "a durable subscription with an ENVELOPE or an order cannot be followed here",
            hint="Whoever follows it chooses the mode and the key: make it without, or read it by SQL.",
        )
    assert bound.durable is not None
    coordinator.wait_live({bound.durable}, check)  # before the lock is taken: what hydrates needs it to join
    with coordinator.ticks.lock:
        subscription = use(coordinator, bound, None, check)
        return DurableFollowing(coordinator, bound, subscription, coordinator.durable.is_whole(bound.durable))


def use(coordinator: Coordinator, bound: BoundSubscribe, telling: Telling | None, check: Check) -> Subscription:
    """SUBSCRIBE USING."""
    id = bound.durable
    assert id is not None
    coordinator.wait_live({id}, check)
    with coordinator.ticks.lock:
        coordinator.check_there({id})
        return coordinator.durable.read(
            id, bound.columns, resets=bound.resets, progress=bound.progress, up_to=bound.up_to, telling=telling
        )
