"""A typed body -> the statement that makes the object. Nothing is decided here: the engine says what is wrong.

Law: what is a name is quoted, what is a value is a literal; only what the body calls SQL (types, defaults, queries, key
expressions, checks) is SQL.
"""

from dataclasses import dataclass
from typing import TypeAlias, assert_never

from app.data.connectors import consistency, destination, origin, reached, sink_format
from app.data.names import literal, parts_of, quoted
from app.schemas.formats import AvroOutput, ColumnSpec, SinkFormat
from app.schemas.objects import (
    NewConnection,
    NewIndex,
    NewSecret,
    NewSink,
    NewSource,
    NewTable,
    NewView,
)
from engine.errors import SqlError

New: TypeAlias = NewSource | NewTable | NewView | NewIndex | NewSink | NewConnection | NewSecret


@dataclass(frozen=True, slots=True)
class Statement:
    """SQL, and where in it the client's own begins and ends: positions in errors are told in that."""

    sql: str
    begin: int = 0
    end: int = 0

    def own(self, error: SqlError) -> SqlError:
        """The error with its position in the client's text, or none."""
        position = error.position
        if position is not None:
            inside = self.begin < position <= self.end + 1
            error.position = position - self.begin if inside else None
        return error


def create(body: New) -> Statement:
    """The statement. InvalidParameter for a name that is none."""
    match body:
        case NewSource():
            return Statement(_source(body))
        case NewTable():
            return Statement(_table(body))
        case NewView():
            return _view(body)
        case NewIndex():
            return Statement(_index(body))
        case NewSink():
            return Statement(_sink(body))
        case NewConnection():
            return Statement(_connection(body))
        case NewSecret():
            return Statement(_secret(body))
        case _:
            assert_never(body)


def drop(kind: str, name: str, cascade: bool) -> Statement:
    return Statement(f"DROP {kind.upper()} {quoted(*parts_of(name))}{' CASCADE' if cascade else ''}")


def validate(name: str) -> Statement:
    return Statement(f"VALIDATE CONNECTION {quoted(*parts_of(name))}")


def _name(name: str, if_not_exists: bool) -> str:
    return f"{'IF NOT EXISTS ' if if_not_exists else ''}{quoted(*parts_of(name))}"


def _columns(columns: list[ColumnSpec], more: tuple[str, ...] = ()) -> str:
    return "(" + ", ".join([*map(_column, columns), *more]) + ")"


def _column(column: ColumnSpec) -> str:
    default = "" if column.default is None else f" DEFAULT {column.default}"
    return f"{quoted(column.name)} {column.type}{'' if column.nullable else ' NOT NULL'}{default}"


def _table(body: NewTable) -> str:
    key = ", ".join(quoted(column) for column in body.primary_key)
    more = (f"PRIMARY KEY ({key})",) if key else ()
    return f"CREATE TABLE {_name(body.name, body.if_not_exists)} {_columns(body.columns, more)}"


def _source(body: NewSource) -> str:
    name = _name(body.name, body.if_not_exists)
    key = ", ".join(quoted(column) for column in body.primary_key)
    more = (f"PRIMARY KEY ({key}) NOT ENFORCED",) if key else ()
    columns = f" {_columns(body.columns, more)}" if body.columns or more else ""
    timeline = "" if body.timeline is None else f" WITH (TIMELINE = {literal(body.timeline)})"
    if body.own_timeline:
        timeline = " WITH (EPOCH_MS_TIMELINE = false)"
    return f"CREATE SOURCE {name}{columns} FROM {origin(body.connector)}{timeline}"


def _sink(body: NewSink) -> str:
    key = ""
    if body.key is not None:
        key = f" KEY ({', '.join(map(quoted, body.key))}){'' if body.enforced else ' NOT ENFORCED'}"
    headers = "" if body.headers is None else f" HEADERS {quoted(body.headers)}"
    into, options = destination(body.connector, [*_fullname("KEY", body.key_format), *_fullname("VALUE", body.format)])
    relation = parts_of(body.relation)
    of = ("KEY", "VALUE") if body.key is not None and body.key_format is None else ("VALUE",)
    written = f"FORMAT {sink_format(body.format, of, relation)}"
    if body.key_format is not None:
        written = f"KEY FORMAT {sink_format(body.key_format, ('KEY',), relation)} VALUE {written}"
    snapshot = "" if body.snapshot else " WITHOUT SNAPSHOT"
    return (
        f"CREATE SINK {_name(body.name, body.if_not_exists)} FROM {quoted(*relation)} INTO {into}"
        f"{key}{consistency(body.connector)}{headers}{options} {written} ENVELOPE {body.envelope.upper()}{snapshot}"
    )


def _fullname(of: str, format: SinkFormat | None) -> list[str]:
    if not isinstance(format, AvroOutput) or format.fullname is None:
        return []
    return [f"AVRO {of} FULLNAME = {literal(format.fullname)}"]


def _connection(body: NewConnection) -> str:
    return f"CREATE CONNECTION {_name(body.name, body.if_not_exists)} TO {reached(body.connection)}"


def _secret(body: NewSecret) -> str:
    value = literal(body.value.get_secret_value())
    given = f"decode({value}, 'base64')" if body.base64 else value
    return f"CREATE SECRET {_name(body.name, body.if_not_exists)} AS {given}"


def _view(body: NewView) -> Statement:
    history = "" if body.retain_history_ms is None else f" WITH (RETAIN HISTORY FOR '{body.retain_history_ms} ms')"
    kind = "MATERIALIZED VIEW" if body.materialized else "VIEW"
    head = f"CREATE {kind} {_name(body.name, body.if_not_exists)}{history} AS "
    return Statement(head + body.query, len(head), len(head) + len(body.query))


def _index(body: NewIndex) -> str:
    on = quoted(*parts_of(body.on))
    kind = "DEFAULT INDEX" if body.key is None else "INDEX"
    exists = " IF NOT EXISTS" if body.if_not_exists else ""
    name = "" if body.name is None else f" {quoted(body.name)}"
    key = "" if body.key is None else f" ({', '.join(body.key)})"
    return f"CREATE {kind}{exists}{name} ON {on}{key}"
