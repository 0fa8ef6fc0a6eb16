"""Secrets and connections. A secret's value is here and in the log's facts, and nowhere that anything prints."""

from engine.catalog.catalog import Catalog
from engine.catalog.items import Connection, Secret
from engine.connectors.kinds import check
from engine.coordinator.coordinator import Coordinator
from engine.coordinator.ddl import exists
from engine.coordinator.draft import Draft
from engine.coordinator.result import Notice, Result
from engine.durable.log import Log
from engine.sql.bound import BoundAlterSecret, BoundCreateConnection, BoundCreateSecret, BoundValidateConnection

KIND = "secret"
"""The kind of the log's facts: the value in hexadecimal, by the secret's id."""


def create_secret(draft: Draft, bound: BoundCreateSecret, id: int | None = None) -> Result:
    """`id` is what the log says it was; then the value is there already."""
    skipped = exists(draft, "CREATE SECRET", bound.name, bound.if_not_exists)
    if skipped is not None:
        return skipped
    item = Secret(draft.new_id(id), bound.name, bound.create_sql)
    facts: dict[tuple[str, str], str | None] = {}
    if id is None:
        draft.coordinator.secrets[item.id] = bound.value
        facts[KIND, str(item.id)] = bound.value.hex()
    draft.enter([item], facts=facts)
    return Result("CREATE SECRET")


def alter_secret(draft: Draft, bound: BoundAlterSecret) -> Result:
    """Another value, from the commit on: of the next request to a webhook, of whoever connects next."""
    secret, value = bound.secret, bound.value
    if secret is None:
        return Result("ALTER SECRET", notices=(Notice(f'secret "{bound.name}" does not exist, skipping'),))
    draft.fact({(KIND, str(secret)): value.hex()})
    draft.later(secret, lambda: draft.coordinator.secrets.update({secret: value}))
    return Result("ALTER SECRET")


def restore_secrets(coordinator: Coordinator, log: Log) -> None:
    """The values, before the statements that make the secrets."""
    for id, value in log.facts(KIND).items():
        coordinator.secrets[int(id)] = bytes.fromhex(value)


def create_connection(draft: Draft, bound: BoundCreateConnection, id: int | None = None) -> Result:
    """Nothing is connected to: VALIDATE CONNECTION does that, and what reads through it."""
    skipped = exists(draft, "CREATE CONNECTION", bound.name, bound.if_not_exists)
    if skipped is not None:
        return skipped
    item = Connection(draft.new_id(id), bound.name, bound.description, bound.depends_on, bound.create_sql)
    draft.enter([item])
    return Result("CREATE CONNECTION")


def validate_connection(coordinator: Coordinator, catalog: Catalog, bound: BoundValidateConnection) -> Result:
    """SourceError with what went wrong when the other side cannot be reached and asked."""
    item = catalog.items[bound.connection]
    assert isinstance(item, Connection)
    check(item.description, coordinator.resolve)
    return Result("VALIDATE CONNECTION")
