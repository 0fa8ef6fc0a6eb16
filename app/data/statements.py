"""A typed body -> the statement that makes the object. Nothing is decided here: the engine says what is wrong.

Law: what is a name is quoted, what is a value is a literal; only what the body calls SQL (types, defaults, queries, key
expressions, checks) is SQL.
"""

from dataclasses import dataclass
from typing import assert_never

from app.data.names import parts_of, quoted
from app.schemas.objects import (
    AuctionGenerator,
    AvroFormat,
    BytesFormat,
    ColumnSpec,
    CounterGenerator,
    CsvFormat,
    FileConnector,
    Format,
    JsonFormat,
    KafkaConnector,
    KeyValueGenerator,
    MarketingGenerator,
    NewIndex,
    NewSource,
    NewTable,
    NewView,
    NexmarkGenerator,
    ProtobufFormat,
    RecordFormat,
    RegexFormat,
    TextFormat,
    TpchGenerator,
    WebhookConnector,
)
from engine.errors import InvalidParameter, SqlError


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


def create(body: NewSource | NewTable | NewView | NewIndex) -> Statement:
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
        case _:
            assert_never(body)


def drop(kind: str, name: str, cascade: bool) -> Statement:
    return Statement(f"DROP {kind.upper()} {quoted(*parts_of(name))}{' CASCADE' if cascade else ''}")


def literal(text: str) -> str:
    """A string of SQL."""
    if "\0" in text:
        raise InvalidParameter("text has no NUL characters")
    return "'" + text.replace("'", "''") + "'"


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
    columns = f" {_columns(body.columns)}" if body.columns else ""
    connector = body.connector
    match connector:
        case FileConnector():
            compression = "" if connector.compression == "none" else f" COMPRESSION {connector.compression.upper()}"
            tail = " WITH (tail = true)" if connector.tail else ""
            origin = f"FILE {literal(connector.path)}{compression}{tail} FORMAT {_format(connector.format)}"
        case CounterGenerator() | AuctionGenerator():
            options = [f"TICK INTERVAL '{connector.tick_interval_ms} ms'"]
            if connector.max_cardinality is not None:
                options.append(f"MAX CARDINALITY {connector.max_cardinality}")
            every = " FOR ALL TABLES" if isinstance(connector, AuctionGenerator) else ""
            origin = f"LOAD GENERATOR {connector.type.upper()} ({', '.join(options)}){every}"
        case MarketingGenerator() | TpchGenerator() | NexmarkGenerator():
            origin = f"LOAD GENERATOR {connector.type.upper()} ({_options(connector)}) FOR ALL TABLES"
        case KeyValueGenerator():
            upsert = " ENVELOPE UPSERT" if connector.upsert else ""
            origin = f"LOAD GENERATOR KEY VALUE ({_options(connector)}){upsert}"
        case KafkaConnector():
            origin = _kafka(connector)
        case WebhookConnector():
            origin = _webhook(connector)
        case _:
            assert_never(connector)
    return f"CREATE SOURCE {name}{columns} FROM {origin}"


def _options(generator: MarketingGenerator | TpchGenerator | NexmarkGenerator | KeyValueGenerator) -> str:
    """Its numbers, by the names that SQL has for them."""
    numbers = generator.model_dump(exclude={"type", "tick_interval_ms", "upsert"})
    options = [f"{name.replace('_', ' ').upper()} {value}" for name, value in numbers.items()]
    return ", ".join([f"TICK INTERVAL '{generator.tick_interval_ms} ms'", *options])


def _kafka(connector: KafkaConnector) -> str:
    options = [f"ISOLATION LEVEL = '{connector.isolation_level}'"]
    if connector.start_offsets:
        options.append(f"START OFFSET = [{', '.join(map(str, connector.start_offsets))}]")
    if connector.start_timestamp_ms is not None:
        options.append(f"START TIMESTAMP = {connector.start_timestamp_ms}")
    topic = literal(connector.topic)
    if connector.connection is not None:
        connection = quoted(*parts_of(connector.connection))
        origin = f"KAFKA CONNECTION {connection} (TOPIC {topic}, {', '.join(options)})"
    else:
        origin = f"KAFKA BROKER {literal(','.join(connector.brokers))} TOPIC {topic} WITH ({', '.join(options)})"
    key = "" if connector.key_format is None else f"KEY FORMAT {_format(connector.key_format)} VALUE "
    included = ", ".join(
        each.what.upper() + ("" if each.name is None else f" AS {quoted(each.name)}") for each in connector.include
    )
    include = f" INCLUDE {included}" if included else ""
    envelope = "" if connector.envelope == "none" else f" ENVELOPE {connector.envelope.upper()}"
    return f"{origin} {key}FORMAT {_format(connector.format)}{include}{envelope}"


def _webhook(connector: WebhookConnector) -> str:
    parts = [f"WEBHOOK BODY FORMAT {connector.body.upper()}"]
    if connector.headers:
        but = ", ".join(f"NOT {literal(header)}" for header in connector.headers_but)
        parts.append("INCLUDE HEADERS" + (f" ({but})" if but else ""))
    for each in connector.named:
        binary = " BYTES" if each.binary else ""
        parts.append(f"INCLUDE HEADER {literal(each.header)} AS {quoted(each.column)}{binary}")
    if connector.check is not None:
        parts.append(f"CHECK ({connector.check})")
    return " ".join(parts)


def _format(format: Format | RecordFormat) -> str:
    match format:
        case JsonFormat() | TextFormat() | BytesFormat():
            return format.type.upper()
        case CsvFormat():
            width = "" if format.width is None else f" WITH {format.width} COLUMNS"
            delimiter = "" if format.delimiter == "," else f" DELIMITED BY {literal(format.delimiter)}"
            return f"CSV{' WITH HEADER' if format.header else width}{delimiter}"
        case RegexFormat():
            return f"REGEX {literal(format.pattern)}"
        case AvroFormat():
            return f"AVRO USING {_schema(format.definition, format.registry)}"
        case ProtobufFormat():
            message = "" if format.message is None else f" MESSAGE {literal(format.message)}"
            return f"PROTOBUF{message} USING {_schema(format.descriptors, format.registry)}"
        case _:
            assert_never(format)


def _schema(given: str | None, registry: str | None) -> str:
    if registry is not None:
        return f"CONFLUENT SCHEMA REGISTRY CONNECTION {quoted(*parts_of(registry))}"
    assert given is not None, "the body has one of them"
    return f"SCHEMA {literal(given)}"


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
