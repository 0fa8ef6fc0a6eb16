"""Statements that read and write rows."""

from dataclasses import dataclass

from engine.sql.statement.parts import AsOf, Option, Span
from engine.sql.syntax import Expression, FromItem, Name, OrderItem, Query, SelectItem


@dataclass(frozen=True, slots=True)
class SelectStatement:
    """SELECT, VALUES, TABLE or WITH."""

    query: Query
    as_of: AsOf | None
    span: Span


@dataclass(frozen=True, slots=True)
class Insert:
    """`columns` is () when no list was given."""

    table: Name
    alias: str | None
    columns: tuple[str, ...]
    query: Query | None  # None: DEFAULT VALUES
    conflict: "OnConflict | None"
    returning: tuple[SelectItem, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class OnConflict:
    """ON CONFLICT [(columns) | ON CONSTRAINT name] DO {NOTHING | UPDATE SET ... [WHERE ...]}.

    `columns` is () without a list; `assignments` is None for DO NOTHING.
    """

    columns: tuple[str, ...]
    constraint: str | None
    assignments: tuple[tuple[Name, Expression], ...] | None
    where: Expression | None
    at: int


@dataclass(frozen=True, slots=True)
class Update:
    table: Name
    alias: str | None
    assignments: tuple[tuple[Name, Expression], ...]
    from_: tuple[FromItem, ...]
    where: Expression | None
    returning: tuple[SelectItem, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Delete:
    table: Name
    alias: str | None
    using: tuple[FromItem, ...]
    where: Expression | None
    returning: tuple[SelectItem, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class MergeUpdate:
    assignments: tuple[tuple[Name, Expression], ...]


@dataclass(frozen=True, slots=True)
class MergeDelete:
    pass


@dataclass(frozen=True, slots=True)
class MergeInsert:
    """`values` None: DEFAULT VALUES."""

    columns: tuple[str, ...]
    values: tuple[Expression, ...] | None


@dataclass(frozen=True, slots=True)
class MergeWhen:
    """WHEN [NOT] MATCHED [AND condition] THEN action; None: DO NOTHING."""

    matched: bool
    condition: Expression | None
    action: MergeUpdate | MergeDelete | MergeInsert | None
    at: int


@dataclass(frozen=True, slots=True)
class Merge:
    """MERGE INTO table USING source ON condition WHEN ..."""

    table: Name
    alias: str | None
    source: FromItem
    on: Expression
    whens: tuple[MergeWhen, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Truncate:
    """All rows of these tables go, at once. There are no sequences to restart and no foreign keys to follow."""

    tables: tuple[Name, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Subscribe:
    """SUBSCRIBE or TAIL; `target` is an object's name, a query, or a durable subscription. `within` is WITHIN TIMESTAMP
    ORDER BY."""

    target: "Name | Query | Using"
    options: tuple[Option, ...]
    as_of: AsOf | None
    up_to: Expression | None
    span: Span
    envelope: "EnvelopeClause | None" = None
    within: tuple[OrderItem, ...] = ()


@dataclass(frozen=True, slots=True)
class Using:
    """USING DURABLE SUBSCRIPTION name."""

    name: Name


@dataclass(frozen=True, slots=True)
class EnvelopeClause:
    """ENVELOPE {UPSERT | DEBEZIUM} (KEY (columns))."""

    debezium: bool
    key: tuple[str, ...]
    at: int


@dataclass(frozen=True, slots=True)
class Copy:
    """COPY (query | SUBSCRIBE ...) TO {STDOUT | 'path'} [WITH (FORMAT ...)]; `path` is None for STDOUT."""

    statement: "SelectStatement | Subscribe"
    options: tuple[Option, ...]
    path: str | None
    at: int
    span: Span


@dataclass(frozen=True, slots=True)
class CopyFrom:
    """COPY [INTO] table [(columns)] FROM {STDIN | 'path'} [WITH (options)]; `columns` is () without a list."""

    table: Name
    columns: tuple[str, ...]
    options: tuple[Option, ...]
    path: str | None
    at: int
    span: Span
