"""CREATE SOURCE FROM WEBHOOK: the columns that requests fill, and the condition that they have to pass."""

from typing import Final

from engine import types
from engine.catalog.connections import SecretRef
from engine.catalog.sources import Append, Check, Part, WebhookBody, WebhookSource
from engine.errors import DuplicateAlias, DuplicateColumn, Unsupported, WrongObjectType
from engine.plan.scalars import is_plain
from engine.sql import statements
from engine.sql.binding.place import Place
from engine.sql.binding.queries import Queries
from engine.sql.binding.source_options import Reads
from engine.sql.scope import Around, Scope, ScopeColumn
from engine.sql.statement.connectors import FromWebhook, Given
from engine.types import Column, SqlType

BODY_TYPES: Final = {
    WebhookBody.JSON: types.JSONB,
    WebhookBody.JSON_ARRAY: types.JSONB,
    WebhookBody.TEXT: types.TEXT,
    WebhookBody.BYTES: types.BYTEA,
}


def webhook(statement: statements.CreateSource, connector: FromWebhook, reads: Reads) -> WebhookSource:
    if statement.columns or statement.key is not None:
        raise WrongObjectType(
            "a webhook source has its own columns", hint="They are body, headers and those of INCLUDE HEADER.",
            position=connector.at,
        )  # fmt: skip
    other = statement.format is not None or statement.included or statement.options
    if other or not isinstance(statement.envelope, Append):
        raise Unsupported(
            "a webhook source has no options but BODY FORMAT, INCLUDE and CHECK, in this order", position=connector.at
        )
    check = None if connector.condition is None else _check(connector, reads)
    return WebhookSource(connector.body, connector.headers, connector.named, check)


def _check(connector: FromWebhook, reads: Reads) -> Check:
    assert connector.condition is not None
    seen: set[str] = set()
    for given in connector.given:
        if given.name in seen:
            raise DuplicateAlias(f'CHECK calls two things "{given.name}"', position=given.at)
        seen.add(given.name)
    star = tuple(ScopeColumn(given.name, i, given_type(given), False) for i, given in enumerate(connector.given))
    binder = Queries(reads.context)
    place = Place(Scope(star, (), len(star), Around(None, {})), "CHECK")
    condition = binder.boolean(connector.condition, place, "CHECK")
    if binder.reads or not is_plain(condition):
        raise Unsupported("cannot use subquery in CHECK expression", position=connector.condition.at)
    reads.ids.update(binder.types)
    return Check(tuple((_what(given, reads), given.binary) for given in connector.given), condition)


def _what(given: Given, reads: Reads) -> Part | SecretRef:
    return given.what if isinstance(given.what, Part) else reads.secret(given.what)


def given_type(given: Given) -> SqlType:
    plain = types.BYTEA if given.binary else types.TEXT
    return types.map_of(plain) if given.what is Part.HEADERS else plain


def webhook_columns(description: WebhookSource, at: int) -> tuple[Column, ...]:
    columns = [Column("body", BODY_TYPES[description.body], nullable=False)]
    if description.headers is not None:
        columns.append(Column("headers", types.map_of(types.TEXT), nullable=False))
    columns += [Column(each.column, types.BYTEA if each.binary else types.TEXT) for each in description.named]
    names = [column.name for column in columns]
    for name in names:
        if names.count(name) > 1:
            raise DuplicateColumn(f'column "{name}" specified more than once', position=at)
    return tuple(columns)
