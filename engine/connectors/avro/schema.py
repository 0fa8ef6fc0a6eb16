"""Avro schemas as values, and the columns that they are.

A record's fields are columns. A union of null and one type is a nullable column; one of several types is a column for
each, named field1, field2, ... Arrays are lists, maps are maps, records within are records.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from engine import types
from engine.errors import MalformedSource
from engine.types import Column, SqlType

PRIMITIVES: Final = frozenset({"null", "boolean", "int", "long", "float", "double", "bytes", "string"})
NUMERIC_DIGITS_MAX: Final = 39
PLACE_COLUMNS: Final = (
    Column("lsn", types.BIGINT), Column("file", types.TEXT), Column("pos", types.BIGINT), Column("row", types.BIGINT),
    Column("change_lsn", types.TEXT), Column("event_serial_no", types.BIGINT), Column("snapshot", types.JSONB),
)  # fmt: skip
"""The members of Debezium's source that say where a change is in the log of PostgreSQL, MySQL or SQL Server."""

TRANSACTION_COLUMNS: Final = (Column("id", types.TEXT), Column("data_collection_order", types.BIGINT))
"""The members of Debezium's transaction: which one, and which of its changes to the table."""

JSON_NAME: Final = "io.debezium.data.Json"
"""What Debezium calls a string that is JSON."""


@dataclass(frozen=True, slots=True)
class Field:
    """`default` is JSON; None without one (a default of null is `has_default` and None)."""

    name: str
    type: "Avro"
    default: Any = None
    has_default: bool = False
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Avro:
    """A type. `inner` is the type of items or values, or the branches of a union."""

    kind: str
    name: str = ""
    logical: str = ""
    fields: tuple[Field, ...] = ()
    inner: tuple["Avro", ...] = ()
    symbols: tuple[str, ...] = ()
    symbol: str | None = None  # an enum's default
    size: int = 0
    precision: int = 0
    scale: int = 0
    is_json: bool = False
    aliases: tuple[str, ...] = ()


def parse(text: str) -> Avro:
    """A schema from its JSON. MalformedSource for what is none, and for types that hold themselves."""
    try:
        document = json.loads(text)
    except ValueError as error:
        if text.strip() in PRIMITIVES:
            return Avro(text.strip())
        raise MalformedSource(f"the Avro schema is no JSON: {error}") from None
    return _parsed(document, "", {}, ())


def _parsed(node: Any, space: str, known: dict[str, Any], around: tuple[str, ...]) -> Avro:  # noqa: ANN401 - JSON
    if isinstance(node, list):
        return Avro("union", inner=tuple(_parsed(branch, space, known, around) for branch in node))
    if isinstance(node, str):
        if node in PRIMITIVES:
            return Avro(node)
        full = node if "." in node else f"{space}.{node}" if space else node
        full = full if full in known else node
        if full in around:
            raise MalformedSource(f"Avro type {full} holds itself, so it is no column")
        if full not in known:
            raise MalformedSource(f"Avro type {node} is not defined")
        definition, within = known[full]
        return _parsed(definition, within, known, around)
    if not isinstance(node, dict) or "type" not in node:
        raise MalformedSource(f"an Avro schema has no type: {node!r}")
    kind = node["type"]
    if not isinstance(kind, str) or (kind not in PRIMITIVES and kind not in COMPLEX):
        return _parsed(kind, space, known, around)
    logical = str(node.get("logicalType", ""))
    if kind in PRIMITIVES:
        return Avro(
            kind, logical=logical, precision=int(node.get("precision", 0)), scale=int(node.get("scale", 0)),
            is_json=node.get("connect.name") == JSON_NAME,
        )  # fmt: skip
    if kind == "array":
        return Avro(kind, inner=(_parsed(node["items"], space, known, around),))
    if kind == "map":
        return Avro(kind, inner=(_parsed(node["values"], space, known, around),))
    name = str(node.get("name", ""))
    space = str(node.get("namespace", "")) or (name.rpartition(".")[0] if "." in name else space)
    full = name if "." in name else f"{space}.{name}" if space else name
    known[full] = node, space
    aliases = tuple(str(alias).rpartition(".")[2] for alias in node.get("aliases", ()))
    if kind == "enum":
        return Avro(kind, full, symbols=tuple(node["symbols"]), symbol=node.get("default"), aliases=aliases)
    if kind == "fixed":
        return Avro(
            kind, full, logical, size=int(node["size"]), precision=int(node.get("precision", 0)),
            scale=int(node.get("scale", 0)), aliases=aliases,
        )  # fmt: skip
    fields = tuple(
        Field(
            field["name"], _parsed(field["type"], space, known, (*around, full)), field.get("default"),
            "default" in field, tuple(field.get("aliases", ())),
        )
        for field in node.get("fields", ())
    )  # fmt: skip
    return Avro("record", full, fields=fields, aliases=aliases)


COMPLEX: Final = frozenset({"record", "enum", "array", "map", "fixed", "error"})


def nullable(type: Avro) -> tuple[bool, tuple[Avro, ...]]:
    """Whether a type may be null, and what else it may be."""
    if type.kind != "union":
        return type.kind == "null", () if type.kind == "null" else (type,)
    others = tuple(branch for branch in type.inner if branch.kind != "null")
    return len(others) < len(type.inner), others


SIMPLE: Final[Mapping[str, SqlType]] = {
    "boolean": types.BOOLEAN, "int": types.INTEGER, "long": types.BIGINT, "float": types.REAL,
    "double": types.DOUBLE, "bytes": types.BYTEA, "string": types.TEXT, "enum": types.TEXT, "fixed": types.BYTEA,
}  # fmt: skip
LOGICAL: Final[Mapping[tuple[str, str], SqlType]] = {
    ("int", "date"): types.DATE,
    ("int", "time-millis"): types.TIME,
    ("long", "time-micros"): types.TIME,
    ("long", "timestamp-millis"): types.TIMESTAMP,
    ("long", "timestamp-micros"): types.TIMESTAMP,
    ("long", "local-timestamp-millis"): types.TIMESTAMP,
    ("long", "local-timestamp-micros"): types.TIMESTAMP,
    ("string", "uuid"): types.UUID,
}


def sql_type(type: Avro) -> SqlType:
    """The SQL type of a value that is not null."""
    if type.logical == "decimal" and type.kind in ("bytes", "fixed") and type.precision <= NUMERIC_DIGITS_MAX:
        return replace(types.NUMERIC, modifier=(type.precision, type.scale))
    if type.is_json:
        return types.JSONB
    logical = LOGICAL.get((type.kind, type.logical))
    if logical is not None:
        return logical
    match type.kind:
        case "array":
            return types.list_of(_within(type.inner[0]))
        case "map":
            return types.map_of(_within(type.inner[0]))
        case "record":
            return types.record_of(tuple((field.name, _within(field.type)) for field in type.fields))
        case _:
            return SIMPLE[type.kind]


def _within(type: Avro) -> SqlType:
    _, others = nullable(type)
    if len(others) != 1:
        raise MalformedSource("an Avro union of several types is a column only by itself, not within another type")
    return sql_type(others[0])


@dataclass(frozen=True, slots=True)
class Cell:
    """A column and where in the reader's schema it comes from: the field, and the branch of its union."""

    column: Column
    field: int
    branch: Avro


def cells_of(record: Avro) -> tuple[Cell, ...]:
    """The columns of a record's fields."""
    found: list[Cell] = []
    for number, field in enumerate(record.fields):
        may_be_null, others = nullable(field.type)
        for i, branch in enumerate(others, 1):
            name = field.name if len(others) == 1 else f"{field.name}{i}"
            column = Column(name, sql_type(branch), nullable=may_be_null or len(others) > 1)
            found.append(Cell(column, number, branch))
    return tuple(found)


def as_record(type: Avro, whole: str) -> Avro:
    """A record, or a record of the one value that the type is."""
    return type if type.kind == "record" else Avro("record", fields=(Field(whole, type),))


def columns_of(text: str, whole: str) -> tuple[Column, ...]:
    """The columns of a schema; `whole` names the one of a schema that is no record."""
    return tuple(cell.column for cell in cells_of(as_record(parse(text), whole)))


def row_of(envelope: Avro) -> Avro:
    """The record that Debezium's "after" is."""
    for field in envelope.fields:
        if field.name == "after":
            _, others = nullable(field.type)
            if len(others) == 1 and others[0].kind == "record":
                return others[0]
    raise MalformedSource("the Avro schema is not Debezium's: it has no record after")


def row_columns(text: str) -> tuple[Column, ...]:
    """The columns of the table whose changes Debezium tells."""
    return tuple(cell.column for cell in cells_of(row_of(parse(text))))


def branch_with(union: Avro, *names: str) -> tuple[int, Avro]:
    """Of Materialize's CDC: the number of the branch that is a record of such fields, or an array of them, and the
    record."""
    branches = union.inner if union.kind == "union" else (union,)
    for number, branch in enumerate(branches):
        record = branch.inner[0] if branch.kind == "array" else branch
        if record.kind == "record" and set(names) <= {field.name for field in record.fields}:
            return number, record
    raise MalformedSource(f"the Avro schema is not Materialize's CDC: it has no record of {', '.join(names)}")


def updates_in(union: Avro) -> tuple[int, Avro]:
    """The branch whose data are updates (data, time, diff), and what an update is."""
    return branch_with(union, "data", "time", "diff")


def data_of(union: Avro) -> Avro:
    """The record that the data of an update are."""
    _, update = updates_in(union)
    for field in update.fields:
        if field.name == "data" and field.type.kind == "record":
            return field.type
    raise MalformedSource("the Avro schema is not Materialize's CDC: its data are no record")


def data_columns(text: str) -> tuple[Column, ...]:
    """The columns of the relation whose updates Materialize's CDC tells."""
    return tuple(cell.column for cell in cells_of(data_of(parse(text))))
