"""CREATE SOURCE, CREATE SECRET, CREATE CONNECTION: what to read, and how to reach it.

A binder asks nobody: schemas that a registry has are filled in when the statement is run, and written into its text as
a SEED, so that the source means the same after a restart.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final
from urllib.parse import urlsplit

from engine import types
from engine.catalog.connections import (
    KafkaConnection,
    RegistryConnection,
    Sasl,
    Tls,
)
from engine.catalog.sources import (
    FETCH_BYTES_MAX,
    REFRESH_MS,
    REFRESH_MS_MAX,
    Append,
    AvroFormat,
    BytesFormat,
    CsvFormat,
    Debezium,
    Description,
    FileSource,
    Format,
    GeneratorSource,
    JsonFormat,
    KafkaSource,
    Metadata,
    ProtobufFormat,
    TextFormat,
    Upsert,
    WebhookSource,
)
from engine.errors import InvalidParameter, SyntaxError_, UndefinedColumn, Unsupported, WrongObjectType
from engine.expr.scalar import Literal
from engine.plan.rules.fold import folded_bound
from engine.sql import bound, statements
from engine.sql.binding.context import Context
from engine.sql.binding.definitions import name_in, with_full_names
from engine.sql.binding.generators import generator
from engine.sql.binding.queries import NOWHERE, Queries
from engine.sql.binding.scalars import Place
from engine.sql.binding.source_options import Options, Reads
from engine.sql.binding.tables import declared
from engine.sql.binding.webhooks import webhook, webhook_columns
from engine.sql.binding.writing import full
from engine.sql.statement.connectors import (
    AvroClause,
    FormatClause,
    FromFile,
    FromGenerator,
    FromKafka,
    FromWebhook,
    ProtobufClause,
    RegistryClause,
    Strategy,
)
from engine.types import Column

PROTOCOLS: Final[Mapping[str, tuple[bool, bool]]] = {
    "plaintext": (False, False), "ssl": (True, False), "sasl_plaintext": (False, True), "sasl_ssl": (True, True),
}  # fmt: skip
"""SECURITY PROTOCOL: with TLS, with SASL."""

MECHANISMS: Final = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER")

IGNORED: Final = frozenset(
    {"statistics interval ms", "timestamp frequency ms", "enable auto commit", "group id prefix", "ignore source keys",
     "progress group id prefix"}
)  # fmt: skip
"""Options of other systems that change nothing here: ticks come when records do, and offsets are with the log."""


def create_secret(statement: statements.CreateSecret, context: Context) -> bound.BoundCreateSecret:
    name = context.catalog.new_name(statement.name.parts, context.path, statement.name.at)
    scalar = folded_bound(Queries(context).scalar(statement.value, Place(NOWHERE, "CREATE SECRET")))
    if not isinstance(scalar, Literal) or not isinstance(scalar.value, str | bytes):
        raise InvalidParameter("the value of a secret must be a constant of type text or bytea",
                               position=statement.name.end)  # fmt: skip
    value = scalar.value.encode() if isinstance(scalar.value, str) else scalar.value
    return bound.BoundCreateSecret(name, value, statement.if_not_exists, f"CREATE SECRET {full(name)} AS '********'")


def create_connection(statement: statements.CreateConnection, context: Context) -> bound.BoundCreateConnection:
    name = context.catalog.new_name(statement.name.parts, context.path, statement.name.at)
    reads = Reads(context)
    options = Options("connection", statement.options, reads)
    description = _kafka(options, statement.name.end) if statement.kind == "kafka" else _registry(options, None)
    options.done()
    text = with_full_names(statement.span, statement.name.end, context)
    return bound.BoundCreateConnection(
        name, description, frozenset(reads.ids), statement.if_not_exists, f"CREATE CONNECTION {full(name)}{text}"
    )


def validate_connection(statement: statements.ValidateConnection, context: Context) -> bound.BoundValidateConnection:
    reads = Reads(context)
    reads.connection(statement.name)
    return bound.BoundValidateConnection(next(iter(reads.ids)))


def _kafka(options: Options, at: int) -> KafkaConnection:
    """TO KAFKA (BROKER 'h:p', ...)."""
    option = options.take("broker", "brokers")
    if option is None:
        raise SyntaxError_("a Kafka connection needs a BROKER", hint="BROKER 'host:port'", position=at)
    given = option.value if isinstance(option.value, tuple) else (option.value,)
    brokers = tuple(part.strip() for each in given if isinstance(each, str) for part in each.split(","))
    return secured(brokers, options, option.at)


def secured(brokers: tuple[str, ...], options: Options, at: int) -> KafkaConnection:
    """Brokers, and what the options say of how to talk to them."""
    for broker in brokers:
        host, _, port = broker.rpartition(":")
        if not host or not port.isdecimal():
            raise InvalidParameter(f'"{broker}" is not host:port', position=at)
    mechanism = options.text("sasl mechanisms", "sasl mechanism")
    authority = options.setting("ssl certificate authority", "ssl ca location")
    tls = Tls(
        authority, options.setting("ssl certificate", "ssl certificate location"),
        options.setting("ssl key", "ssl key location"), options.setting("ssl key password"),
    )  # fmt: skip
    protocol = options.text("security protocol")
    if protocol is None:
        protocol = ("sasl_" if mechanism else "") + ("ssl" if tls != Tls() or mechanism else "plaintext")
    if protocol.lower() not in PROTOCOLS:
        raise InvalidParameter(
            f'SECURITY PROTOCOL "{protocol}" is not known', hint=f"There are {', '.join(PROTOCOLS)}.", position=at
        )
    with_tls, with_sasl = PROTOCOLS[protocol.lower()]
    sasl = None
    if with_sasl:
        mechanism = (mechanism or "PLAIN").upper()
        if mechanism not in MECHANISMS:
            hint = f"There are {', '.join(MECHANISMS)}."
            raise InvalidParameter(f'SASL MECHANISM "{mechanism}" is not known', hint=hint, position=at)
        sasl = Sasl(
            mechanism, options.setting("sasl username"), options.setting("sasl password"),
            options.setting("sasl oauthbearer token"), options.text("sasl oauthbearer token url"),
        )  # fmt: skip
        asked = sasl.username is not None and sasl.password is not None
        if mechanism == "OAUTHBEARER" and sasl.token is None and not (asked and sasl.token_url):
            raise InvalidParameter(
                "OAUTHBEARER needs SASL OAUTHBEARER TOKEN",
                hint="Or SASL OAUTHBEARER TOKEN URL with SASL USERNAME and SASL PASSWORD.",
                position=at,
            )
        if mechanism != "OAUTHBEARER" and not asked:
            raise InvalidParameter(f"{mechanism} needs SASL USERNAME and SASL PASSWORD", position=at)
    return KafkaConnection(brokers, tls if with_tls else None, sasl)


def _registry(options: Options, url: str | None) -> RegistryConnection:
    """TO CONFLUENT SCHEMA REGISTRY (URL 'u', ...), or the options behind an inline url."""
    url = url or options.text("url")
    if url is None or urlsplit(url).scheme not in ("http", "https"):
        raise InvalidParameter("a schema registry needs a URL", hint="URL 'http://host:port'")
    tls = Tls(
        options.setting("ssl certificate authority", "ssl ca location"),
        options.setting("ssl certificate", "ssl certificate location"),
        options.setting("ssl key", "ssl key location"),
        options.setting("ssl key password"),
    )
    return RegistryConnection(
        url.rstrip("/"), options.setting("username"), options.setting("password"), None if tls == Tls() else tls
    )


def create_source(statement: statements.CreateSource, context: Context) -> bound.BoundCreateSource:
    name = context.catalog.new_name(statement.name.parts, context.path, statement.name.at)
    reads = Reads(context)
    description = _description(statement, reads)
    columns = _source_columns(statement, description, Queries(context))
    key = _promised_key(statement, columns)
    registries = [
        (clause.registry, clause)
        for clause in (statement.key_format, statement.format)
        if isinstance(clause, AvroClause | ProtobufClause) and clause.registry is not None
    ]
    shared = statement.key_format is None
    wanted = [
        (registry.end, clause is statement.key_format or shared, clause is statement.format)
        for registry, clause in registries
        if registry.key_seed is None and registry.value_seed is None
    ]
    begin = statement.name.end
    text, head = with_full_names(statement.span, begin, context), f"CREATE SOURCE {full(name)}"
    return bound.BoundCreateSource(
        name, description, columns, key, frozenset(reads.ids), statement.if_not_exists, head + text,
        tuple((len(head) + _moved(at, begin, context), of_key, of_value) for at, of_key, of_value in wanted),
        _inferring(statement, len(head), begin, context),
    )  # fmt: skip


def _inferring(
    statement: statements.CreateSource, head: int, begin: int, context: Context
) -> tuple[int, int, int] | None:
    if statement.infer is None:
        return None
    if statement.columns or not isinstance(statement.connector, FromKafka):
        raise InvalidParameter("INFER is for a Kafka source that lists no columns", position=statement.infer[0])
    first, last = (head + _moved(at, begin, context) for at in statement.infer)
    return head, first, last


def _moved(at: int, begin: int, context: Context) -> int:
    """Where position `at` of the statement is in its text from `begin` on, with full names."""
    uses = [use for use in context.uses if begin <= use.name.at and use.name.end <= at]
    return at - begin + sum(len(name_in(use, use.item.name)) - (use.name.end - use.name.at) for use in uses)


def _promised_key(statement: statements.CreateSource, columns: tuple[Column, ...] | None) -> tuple[str, ...]:
    if statement.key is None:
        return ()
    for column in statement.key.columns:
        if columns is not None and column not in {each.name for each in columns}:
            raise UndefinedColumn(f'column "{column}" named in key does not exist', position=statement.key.at)
    return statement.key.columns


def _description(statement: statements.CreateSource, reads: Reads) -> Description:
    connector = statement.connector
    if isinstance(connector, FromKafka):
        return _kafka_source(statement, connector, reads)
    if isinstance(connector, FromWebhook):
        return webhook(statement, connector, reads)
    if statement.key_format is not None or statement.included:
        raise Unsupported("KEY FORMAT and INCLUDE are for Kafka sources")
    if not isinstance(statement.envelope, Append) and not isinstance(connector, FromGenerator):
        raise Unsupported("envelopes other than NONE are for Kafka sources and the load generator KEY VALUE")
    if isinstance(connector, FromFile):
        tail = False
        for option in statement.options:
            if option.name != "tail" or not (option.value is None or isinstance(option.value, bool)):
                raise InvalidParameter(f'unrecognized file option "{option.name}"', position=option.at)
            tail = option.value is None or option.value
        assert statement.format is not None
        format_ = _format(statement.format, reads, of_key=False)
        if isinstance(format_, AvroFormat | ProtobufFormat):
            raise Unsupported("FORMAT AVRO and PROTOBUF of a file are not supported", position=statement.name.end)
        return FileSource(connector.path, connector.compression, format_, tail)
    if statement.columns or statement.format is not None:
        raise WrongObjectType("a load generator has its own columns and no format", position=connector.at)
    return generator(
        connector, Options("load generator", (*connector.options, *statement.options), reads), statement.envelope
    )


def _kafka_source(statement: statements.CreateSource, connector: FromKafka, reads: Reads) -> KafkaSource:
    options = Options("Kafka source", (*connector.options, *statement.options), reads)
    if connector.connection is not None:
        connection = reads.connection(connector.connection)
        if not isinstance(connection, KafkaConnection):
            raise WrongObjectType(f'connection "{connector.connection}" is not to Kafka', position=connector.at)
    else:
        connection = secured(connector.brokers, options, connector.at)
    topic = connector.topic or options.text("topic")
    if not topic:
        raise SyntaxError_("a Kafka source needs a TOPIC", position=connector.at)
    isolation = (options.text("isolation level") or "read_committed").lower()
    if isolation not in ("read_committed", "read_uncommitted"):
        raise InvalidParameter(f'isolation level "{isolation}" is not known', position=connector.at)
    start_ms = options.integer("start timestamp", -(1 << 62), 1 << 62)
    if start_ms is None:
        start_ms = options.integer("kafka time offset", -(1 << 62), 1 << 62)
    offsets = _start_offsets(options)
    if offsets and start_ms is not None:
        raise InvalidParameter("a source begins at offsets or at a time, not at both", position=connector.at)
    refresh_ms = options.integer("topic metadata refresh interval ms", 0, REFRESH_MS_MAX)
    if refresh_ms is None:
        refresh_ms = options.milliseconds("topic metadata refresh interval", REFRESH_MS_MAX)
    fetch_bytes = options.integer("fetch message max bytes", 1, 1 << 30)
    client_id = options.text("client id") or "tailrace"
    deduplication = options.text("deduplication") or "ordered"
    if deduplication not in ("ordered", "none"):
        raise InvalidParameter(f'deduplication "{deduplication}" is not known', hint="There are ordered and none.",
                               position=connector.at)  # fmt: skip
    for name in IGNORED:
        options.take(name)
    options.done()
    key_format, value_format = _formats(statement, reads)
    envelope = statement.envelope
    if isinstance(envelope, Debezium):
        envelope = replace(envelope, deduplicate=deduplication == "ordered")
    for format_ in (key_format, value_format):
        if isinstance(format_, CsvFormat) and format_.header:
            raise Unsupported("records of Kafka have no header: use FORMAT CSV WITH n COLUMNS", position=connector.at)
    match envelope:
        case Upsert() if key_format is None:
            raise InvalidParameter("ENVELOPE UPSERT needs a key format", position=connector.at)
        case Debezium() if not isinstance(value_format, AvroFormat | JsonFormat):
            raise InvalidParameter("ENVELOPE DEBEZIUM is for FORMAT AVRO and JSON", position=connector.at)
        case Debezium(upsert=True) if key_format is None:
            raise InvalidParameter("ENVELOPE DEBEZIUM UPSERT needs a key format", position=connector.at)
        case _:
            pass
    if key_format is None and any(each.what is Metadata.KEY for each in statement.included):
        raise InvalidParameter("INCLUDE KEY needs a key format", hint="KEY FORMAT f VALUE FORMAT f",
                               position=connector.at)  # fmt: skip
    return KafkaSource(
        connection, topic, key_format, value_format, statement.included, envelope, offsets, start_ms,
        isolation == "read_committed", REFRESH_MS if refresh_ms is None else refresh_ms,
        fetch_bytes or FETCH_BYTES_MAX, client_id,
    )  # fmt: skip


def _start_offsets(options: Options) -> tuple[int, ...]:
    option = options.take("start offset", "start offsets")
    if option is None:
        return ()
    given = option.value if isinstance(option.value, tuple) else (option.value,)
    offsets = [each for each in given if isinstance(each, int) and not isinstance(each, bool) and each >= 0]
    if len(offsets) != len(given):
        raise InvalidParameter("START OFFSET takes one offset per partition, none negative", position=option.at)
    return tuple(offsets)


def _formats(statement: statements.CreateSource, reads: Reads) -> tuple[Format | None, Format]:
    """Of the key and of the value. One FORMAT is of both where the key is needed and it has a schema for each."""
    assert statement.format is not None
    value = _format(statement.format, reads, of_key=False)
    if statement.key_format is not None:
        return _format(statement.key_format, reads, of_key=True), value
    asked = any(each.what is Metadata.KEY for each in statement.included)
    keyed = (
        asked
        or isinstance(statement.envelope, Upsert)
        or (isinstance(statement.envelope, Debezium) and statement.envelope.upsert)
    )
    return _format(statement.format, reads, of_key=True) if keyed else None, value


def _format(clause: FormatClause, reads: Reads, of_key: bool) -> Format:
    match clause:
        case AvroClause():
            if clause.registry is None:
                return AvroFormat(clause.schema or "", None, clause.framed)
            strategy = clause.registry.key_strategy if of_key else clause.registry.value_strategy
            _, schema = _seed(clause.registry, of_key)
            return AvroFormat(
                schema or strategy.inline or "", registry_of(clause.registry, reads), schema_id=strategy.id
            )
        case ProtobufClause():
            if clause.registry is None:
                if clause.message is None:
                    raise SyntaxError_("PROTOBUF USING SCHEMA needs MESSAGE 'name'", position=clause.at)
                return ProtobufFormat(clause.message, _descriptors(clause.schema or "", clause.at))
            if Strategy() != (clause.registry.key_strategy if of_key else clause.registry.value_strategy):
                raise Unsupported("STRATEGY other than LATEST is for FORMAT AVRO", position=clause.at)
            message, schema = _seed(clause.registry, of_key)
            return ProtobufFormat(
                clause.message or message, _descriptors(schema, clause.at), registry_of(clause.registry, reads)
            )
        case _:
            return clause


def _seed(clause: RegistryClause, of_key: bool) -> tuple[str, str]:
    return (clause.key_seed if of_key else clause.value_seed) or ("", "")


def registry_of(clause: RegistryClause, reads: Reads) -> RegistryConnection:
    if clause.connection is not None:
        connection = reads.connection(clause.connection)
        if not isinstance(connection, RegistryConnection):
            raise WrongObjectType(f'connection "{clause.connection}" is not to a schema registry', position=clause.at)
        return connection
    options = Options("schema registry", clause.options, reads)
    found = _registry(options, clause.url)
    options.done()
    return found


def _descriptors(text: str, at: int) -> bytes:
    """A serialised FileDescriptorSet, written as bytea."""
    try:
        return bytes.fromhex(text.removeprefix("\\x"))
    except ValueError:
        raise InvalidParameter(
            "SCHEMA of PROTOBUF must be a FileDescriptorSet in hexadecimal",
            hint="protoc --include_imports --descriptor_set_out=FILE, then xxd -p", position=at,
        ) from None  # fmt: skip


def _source_columns(
    statement: statements.CreateSource, description: Description, binder: Queries
) -> tuple[Column, ...] | None:
    """The columns of a source's rows that the statement declares; None where only the connector knows them."""
    match description:
        case GeneratorSource():
            return None
        case WebhookSource():
            return webhook_columns(description, statement.name.end)
        case FileSource():
            format_ = description.format
        case KafkaSource():
            format_ = description.value_format
    given = declared(statement.columns, binder)
    match format_:
        case JsonFormat():
            if isinstance(description, KafkaSource) and isinstance(description.envelope, Debezium) and not given:
                raise InvalidParameter(
                    "ENVELOPE DEBEZIUM of FORMAT JSON needs the columns of the table", position=statement.name.end
                )
            return given or None
        case TextFormat() | BytesFormat():
            text = isinstance(format_, TextFormat)
            wanted = Column("text" if text else "data", types.TEXT if text else types.BYTEA, False)
            if not given:
                return None
            if len(given) != 1 or given[0].type != wanted.type:
                raise InvalidParameter(
                    f"this format has one column of type {wanted.type.name}", position=statement.name.end
                )
            return given
        case CsvFormat():
            return _csv_columns(statement, format_, given)
        case _:
            if given and isinstance(format_, AvroFormat | ProtobufFormat):
                raise InvalidParameter("the columns of this format are in its schema", position=statement.name.end)
            return given or None


def _csv_columns(
    statement: statements.CreateSource, format_: CsvFormat, given: tuple[Column, ...]
) -> tuple[Column, ...] | None:
    if format_.width is not None:
        if given and len(given) != format_.width:
            raise InvalidParameter(
                f"{len(given)} columns declared, but the format has {format_.width}", position=statement.name.end
            )
        return given or tuple(Column(f"column{i + 1}", types.TEXT) for i in range(format_.width))
    if given:
        return given
    if format_.names:
        return tuple(Column(name, types.TEXT) for name in format_.names)
    if not format_.header:
        raise InvalidParameter(
            "the columns of a CSV source are not known",
            hint="Declare them, or use FORMAT CSV WITH HEADER or WITH n COLUMNS.", position=statement.name.end,
        )  # fmt: skip
    return None
