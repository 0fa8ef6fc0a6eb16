"""What SUBSCRIBE and durable subscriptions have in common, and the statements about the latter."""

from engine.sql.grammar.tables import Tables
from engine.sql.statement.data import EnvelopeClause
from engine.sql.statement.definitions import Acknowledge, CreateDurableSubscription
from engine.sql.statement.parts import Option
from engine.sql.syntax import Name, OrderItem, Query


class Subscriptions(Tables):
    """CREATE DURABLE SUBSCRIPTION, ACKNOWLEDGE; how changes are told."""

    __slots__ = ()

    def create_durable_subscription(self) -> CreateDurableSubscription:
        self.expect("durable", "subscription")
        if_not_exists = self.if_not_exists()
        name = self.name()
        self.in_cluster()
        target: Name | Query
        if self.accept("as"):
            target = self.query()
        else:
            self.expect("on")
            target = self.name()
        options: tuple[Option, ...] = ()
        envelope: EnvelopeClause | None = None
        within: tuple[OrderItem, ...] = ()
        while not self.ended:
            if not options and self.at("with", "("):
                options = self.with_options()
            elif envelope is None and not within and self.at("envelope"):
                envelope = self.envelope()
            elif envelope is None and not within and self.accept("within", "timestamp"):
                within = self.within_timestamp()
            else:
                self.fail()
        return CreateDurableSubscription(name, target, envelope, within, if_not_exists, options, self.span())

    def acknowledge(self) -> Acknowledge:
        self.expect("acknowledge", "durable", "subscription")
        name = self.name()
        self.expect("up", "to")
        return Acknowledge(name, self.expression(), self.span())

    def envelope(self) -> EnvelopeClause:
        """ENVELOPE {UPSERT | DEBEZIUM} (KEY (columns))."""
        at = self.expect("envelope").at
        word = self.accept_any("upsert", "debezium")
        if word is None:
            self.fail()
        self.expect("(", "key")
        key = self.parenthesised(self.identifier)
        self.expect(")")
        return EnvelopeClause(word == "debezium", key, at)

    def within_timestamp(self) -> tuple[OrderItem, ...]:
        """ORDER BY behind WITHIN TIMESTAMP."""
        order = self.order_by()
        if not order:
            self.fail()
        return order
