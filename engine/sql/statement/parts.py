"""What several statements are made of: their span, options, kinds of objects, columns of tables."""

from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias

from engine.sql.syntax import Expression, Name, TypeName


@dataclass(frozen=True, slots=True)
class Span:
    """`start` is the position of the first character of `text` in the client's text, from 1."""

    text: str
    start: int


@dataclass(frozen=True, slots=True)
class AsOf:
    """`AS OF [AT LEAST] timestamp`."""

    timestamp: Expression
    at_least: bool


OptionValue: TypeAlias = str | int | float | bool


@dataclass(frozen=True, slots=True)
class Option:
    """`NAME = value` of a WITH or a parenthesised list; the name in lower case, words joined by blanks.

    `value` is a string, number, boolean or word as Python has it, several of them (a Name where one has dots in it), or
    the Name of a secret; None when only the name stands there.
    """

    name: str
    value: OptionValue | tuple[OptionValue | Name, ...] | Name | None
    at: int


class ObjectKind(Enum):
    """What DROP, SHOW and error messages call an object."""

    DATABASE = "database"
    SCHEMA = "schema"
    TABLE = "table"
    SOURCE = "source"
    VIEW = "view"
    MATERIALIZED_VIEW = "materialized view"
    INDEX = "index"
    TYPE = "type"
    CLUSTER = "cluster"
    ROLE = "role"
    SECRET = "secret"
    CONNECTION = "connection"
    SINK = "sink"
    DURABLE_SUBSCRIPTION = "durable subscription"

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True, slots=True)
class KeyConstraint:
    """[CONSTRAINT name] {PRIMARY KEY | UNIQUE} (columns)."""

    name: str | None
    columns: tuple[str, ...]
    primary: bool
    at: int


@dataclass(frozen=True, slots=True)
class ColumnDefinition:
    name: str
    type: TypeName
    not_null: bool
    default: Expression | None
    default_sql: str
    keys: tuple[KeyConstraint, ...]  # on this column alone
    at: int
