"""The typed bodies of connectors, formats and connections as SQL. Law: as of app/data/statements.py."""

from collections.abc import Sequence
from typing import Literal, assert_never

from app.data.names import literal, parts_of, quoted
from app.schemas.connectors import (
    AuctionGenerator,
    AvroMarks,
    AwsConnection,
    Connection,
    Connector,
    CounterGenerator,
    Destination,
    FileConnector,
    FromFile,
    FromSecret,
    GcsConnection,
    Generator,
    Given,
    JsonOutput,
    KafkaConnection,
    KafkaConnector,
    KeyValueGenerator,
    MarketingGenerator,
    NexmarkGenerator,
    PostgresConnection,
    PostgresConnector,
    RegistryConnection,
    TlsSettings,
    TpchGenerator,
    WebhookConnector,
)
from app.schemas.formats import (
    AvroFormat,
    AvroOutput,
    BytesFormat,
    CsvFormat,
    FileFormat,
    JsonFormat,
    OcfFormat,
    ParquetFormat,
    ProtobufFormat,
    RecordFormat,
    RegexFormat,
    SinkFormat,
    TextFormat,
)
from engine.errors import InvalidParameter


def origin(connector: Connector) -> str:
    """What stands behind FROM."""
    match connector:
        case FileConnector():
            compression = ""
            if connector.compression != "by name":
                compression = f" COMPRESSION {connector.compression.upper()}"
            options = _file_options(connector)
            column = "" if connector.file_column is None else f" INCLUDE FILE AS {quoted(connector.file_column)}"
            return f"FILE {literal(connector.path)}{compression}{options} FORMAT {_format(connector.format)}{column}"
        case CounterGenerator():
            return f"LOAD GENERATOR COUNTER ({_options(connector)})"
        case AuctionGenerator() | MarketingGenerator() | TpchGenerator() | NexmarkGenerator():
            return f"LOAD GENERATOR {connector.type.upper()} ({_options(connector)}) FOR ALL TABLES"
        case KeyValueGenerator():
            upsert = " ENVELOPE UPSERT" if connector.upsert else ""
            return f"LOAD GENERATOR KEY VALUE ({_options(connector)}){upsert}"
        case KafkaConnector():
            return _kafka(connector)
        case WebhookConnector():
            return _webhook(connector)
        case PostgresConnector():
            return _postgres(connector)
        case _:
            assert_never(connector)


def _file_options(connector: FileConnector) -> str:
    options = ["TAIL = true"] if connector.tail else []
    if connector.discover_interval_ms is not None:
        options.append(f"DISCOVER INTERVAL = '{connector.discover_interval_ms} ms'")
    if connector.connection is not None:
        store = "GCS" if connector.path.startswith("gs:") else "AWS"
        options.append(f"{store} CONNECTION = {quoted(*parts_of(connector.connection))}")
    return f" WITH ({', '.join(options)})" if options else ""


def _options(generator: Generator) -> str:
    """Its numbers, by the names that SQL has for them."""
    numbers = generator.model_dump(exclude={"type", "tick_interval_ms", "upsert"}, exclude_none=True)
    options = [f"{name.replace('_', ' ').upper()} {value}" for name, value in numbers.items()]
    return ", ".join([f"TICK INTERVAL '{generator.tick_interval_ms} ms'", *options])


def _kafka(connector: KafkaConnector) -> str:
    options = [
        f"ISOLATION LEVEL = '{connector.isolation_level}'",
        f"TOPIC METADATA REFRESH INTERVAL MS = {connector.topic_metadata_refresh_interval_ms}",
        f"FETCH MESSAGE MAX BYTES = {connector.fetch_message_max_bytes}",
        f"CLIENT ID = {literal(connector.client_id)}",
    ]
    for part in ("", "_start", "_end", "_pad_start"):
        said = getattr(connector, f"deduplication{part}")
        if said is not None:
            options.append(f"DEDUPLICATION{part.upper()} = {literal(said)}")
    if connector.transactions is not None:
        options.append(f"TX_METADATA = {quoted(*parts_of(connector.transactions.source))}")
        options.append(f"TX_METADATA_COLLECTION = {literal(connector.transactions.collection)}")
    if connector.enable_auto_commit:
        options.append("ENABLE AUTO COMMIT = true")
    if connector.group_id_prefix:
        options.append(f"GROUP ID PREFIX = {literal(connector.group_id_prefix)}")
    if connector.start_offsets:
        options.append(f"START OFFSET = [{', '.join(map(str, connector.start_offsets))}]")
    if connector.start_timestamp_ms is not None:
        options.append(f"START TIMESTAMP = {connector.start_timestamp_ms}")
    origin = through(connector, options)
    key = "" if connector.key_format is None else f"KEY FORMAT {_format(connector.key_format, 'KEY')} VALUE "
    included = ", ".join(
        each.what.upper() + ("" if each.name is None else f" AS {quoted(each.name)}") for each in connector.include
    )
    include = f" INCLUDE {included}" if included else ""
    envelope = "" if connector.envelope == "none" else f" ENVELOPE {connector.envelope.upper()}"
    if connector.inline_errors is not None:
        envelope += f" (VALUE DECODING ERRORS = (INLINE AS {quoted(connector.inline_errors)}))"
    return f"{origin[0]}{origin[1]} {key}FORMAT {_format(connector.format)}{include}{envelope}"


def _postgres(connector: PostgresConnector) -> str:
    options = [f"PUBLICATION {literal(connector.publication)}"]
    for name, columns in (("TEXT", connector.text_columns), ("EXCLUDE", connector.exclude_columns)):
        if columns:
            listed = (quoted(*_upstream(each.schema_), each.table, each.column) for each in columns)
            options.append(f"{name} COLUMNS ({', '.join(listed)})")
    which = "FOR ALL TABLES"
    if connector.schemas:
        which = f"FOR SCHEMAS ({', '.join(map(quoted, connector.schemas))})"
    if connector.tables:
        tables = (
            quoted(*_upstream(each.schema_), each.table) + ("" if each.name is None else f" AS {quoted(each.name)}")
            for each in connector.tables
        )
        which = f"FOR TABLES ({', '.join(tables)})"
    return f"POSTGRES CONNECTION {quoted(*parts_of(connector.connection))} ({', '.join(options)}) {which}"


def _upstream(schema: str | None) -> tuple[str, ...]:
    return () if schema is None else (schema,)


def _webhook(connector: WebhookConnector) -> str:
    parts = [f"WEBHOOK BODY FORMAT {connector.body.upper()}"]
    if connector.headers:
        some = [*map(literal, connector.headers_only), *(f"NOT {literal(name)}" for name in connector.headers_but)]
        parts.append("INCLUDE HEADERS" + (f" ({', '.join(some)})" if some else ""))
    for each in connector.named:
        binary = " BYTES" if each.binary else ""
        parts.append(f"INCLUDE HEADER {literal(each.header)} AS {quoted(each.column)}{binary}")
    if connector.check is not None:
        parts.append(f"CHECK ({connector.check})")
    return " ".join(parts)


def _format(format: FileFormat | RecordFormat, part: Literal["KEY", "VALUE"] = "VALUE") -> str:
    """What stands behind FORMAT of a source, of its records' keys or values."""
    match format:
        case JsonFormat() | TextFormat() | BytesFormat():
            return format.type.upper()
        case CsvFormat():
            width = "" if format.width is None else f" WITH {format.width} COLUMNS"
            delimiter = "" if format.delimiter == "," else f" DELIMITED BY {literal(format.delimiter)}"
            names = f" ({', '.join(map(quoted, format.names))})" if format.names else ""
            return f"CSV{f' WITH HEADER{names}' if format.header else width}{delimiter}"
        case RegexFormat():
            return f"REGEX {literal(format.pattern)}"
        case AvroFormat():
            framed = "" if format.framed or format.registry else " WITH (CONFLUENT WIRE FORMAT = false)"
            strategy = "" if format.schema_id is None else f" {part} STRATEGY ID {format.schema_id}"
            return f"AVRO USING {_schema(format.definition, format.registry)}{framed}{strategy}"
        case ProtobufFormat():
            message = "" if format.message is None else f" MESSAGE {literal(format.message)}"
            return f"PROTOBUF{message} USING {_schema(format.descriptors, format.registry)}"
        case ParquetFormat():
            return "PARQUET"
        case OcfFormat():
            return "AVRO OCF" + ("" if format.definition is None else f" USING SCHEMA {literal(format.definition)}")
        case _:
            assert_never(format)


def _schema(given: str | None, registry: str | None) -> str:
    if registry is not None:
        return f"CONFLUENT SCHEMA REGISTRY CONNECTION {quoted(*parts_of(registry))}"
    assert given is not None, "the body has one of them"
    return f"SCHEMA {literal(given)}"


def through(connector: KafkaConnector | Destination, options: list[str]) -> tuple[str, str]:
    """(KAFKA and how it is reached, the options where they stand apart from that)."""
    topic = literal(connector.topic)
    if connector.connection is None:
        brokers = literal(",".join(connector.brokers))
        return f"KAFKA BROKER {brokers} TOPIC {topic}", f" WITH ({', '.join(options)})"
    connection = quoted(*parts_of(connector.connection))
    return f"KAFKA CONNECTION {connection} ({', '.join([f'TOPIC {topic}', *options])})", ""


def destination(connector: Destination, more: list[str]) -> tuple[str, str]:
    """(what stands behind INTO, the options behind the key); with `more` options."""
    options = [*more, f"COMPRESSION TYPE = '{connector.compression}'", f"CLIENT ID = {literal(connector.client_id)}"]
    options.append(f"TRANSACTIONAL ID PREFIX = {literal(connector.transactional_id_prefix)}")
    if connector.progress_topic is not None:
        options.append(f"PROGRESS TOPIC = {literal(connector.progress_topic)}")
    if connector.partitions is not None:
        options.append(f"TOPIC PARTITION COUNT = {connector.partitions}")
    if connector.replication is not None:
        options.append(f"TOPIC REPLICATION FACTOR = {connector.replication}")
    if connector.config:
        pairs = (f"{literal(name)} => {literal(value)}" for name, value in connector.config.items())
        options.append(f"TOPIC CONFIG MAP[{', '.join(pairs)}]")
    if connector.partition_by is not None:
        options.append(f"PARTITION BY = {connector.partition_by}")
    return through(connector, options)


def consistency(connector: Destination) -> str:
    """The clause of it, behind the key."""
    marks = connector.consistency
    if marks is None:
        return ""
    match marks.format:
        case None:
            said = ""
        case AvroMarks():
            said = f" FORMAT AVRO USING {_schema(None, marks.format.registry)}"
        case JsonOutput():
            said = " FORMAT JSON"
    return f" CONSISTENCY (TOPIC {literal(marks.topic)}{said})"


def sink_format(format: SinkFormat, of: Sequence[str], relation: Sequence[str]) -> str:
    """What stands behind FORMAT of a sink from a relation, where that is `of` the KEY, the VALUE or both."""
    if not isinstance(format, AvroOutput):
        return format.type.upper()
    options = ["NULL DEFAULTS"] if format.null_defaults else []
    if format.compatibility is not None:
        options += [f"{part} COMPATIBILITY LEVEL = {literal(format.compatibility)}" for part in of]
    if format.doc is not None:
        options.append(f"DOC ON TYPE {quoted(*relation)} = {literal(format.doc)}")
    for column, text in format.column_docs.items():
        options.append(f"DOC ON COLUMN {quoted(*relation, column)} = {literal(text)}")
    written = f" ({', '.join(options)})" if options else ""
    return f"AVRO USING {_schema(None, format.registry)}{written}"


def reached(connection: Connection) -> str:
    """What stands behind TO."""
    match connection:
        case KafkaConnection():
            return f"KAFKA ({', '.join(_brokers(connection))})"
        case RegistryConnection():
            options = [f"URL = {literal(connection.url)}", *_option("USERNAME", connection.username)]
            options += [*_option("PASSWORD", connection.password), *_tls(connection.tls)]
            return f"CONFLUENT SCHEMA REGISTRY ({', '.join(options)})"
        case AwsConnection():
            options = _option("ACCESS KEY ID", connection.access_key_id)
            options += _option("SECRET ACCESS KEY", connection.secret_access_key)
            options += [*_option("TOKEN", connection.token), *_option("REGION", connection.region)]
            return f"AWS ({', '.join([*options, *_option('ENDPOINT', connection.endpoint)])})"
        case PostgresConnection():
            options = [f"HOST = {literal(connection.host)}", f"PORT = {connection.port}"]
            options += [f"DATABASE = {literal(connection.database)}", *_option("USER", connection.user)]
            options += [*_option("PASSWORD", connection.password), *_option("SSL MODE", connection.ssl_mode)]
            return f"POSTGRES ({', '.join([*options, *_tls(connection.tls)])})"
        case GcsConnection():
            options = _option("ACCESS TOKEN", connection.access_token)
            return f"GCS ({', '.join([*options, *_option('ENDPOINT', connection.endpoint)])})"
        case _:
            assert_never(connection)


def _brokers(connection: KafkaConnection) -> list[str]:
    sasl = connection.sasl
    protocol = f"{'' if sasl is None else 'SASL_'}{'PLAINTEXT' if connection.tls is None else 'SSL'}"
    options = [f"BROKERS ({', '.join(map(literal, connection.brokers))})", *_tls(connection.tls)]
    options.append(f"SECURITY PROTOCOL = '{protocol}'")
    if sasl is not None:
        options.append(f"SASL MECHANISMS = '{sasl.mechanism}'")
        options += _option("SASL USERNAME", sasl.username)
        options += _option("SASL PASSWORD", sasl.password)
        options += _option("SASL OAUTHBEARER TOKEN", sasl.token)
        options += _option("SASL OAUTHBEARER TOKEN URL", sasl.token_url)
        if sasl.kerberos is not None:
            options += _option("SASL KERBEROS PRINCIPAL", sasl.kerberos.principal)
            options += _option("SASL KERBEROS KEYTAB", sasl.kerberos.keytab, "SASL KERBEROS KEYTAB")
            options += _option("SASL KERBEROS SERVICE NAME", sasl.kerberos.service)
    return options


def _tls(tls: TlsSettings | None) -> list[str]:
    if tls is None:
        return []
    return [
        *_option("SSL CERTIFICATE AUTHORITY", tls.authority, "SSL CA LOCATION"),
        *_option("SSL CERTIFICATE", tls.certificate, "SSL CERTIFICATE LOCATION"),
        *_option("SSL KEY", tls.key, "SSL KEY LOCATION"),
        *_option("SSL KEY PASSWORD", tls.key_password),
    ]


def _option(name: str, value: Given | None, of_file: str = "") -> list[str]:
    match value:
        case None:
            return []
        case FromSecret():
            return [f"{name} = SECRET {quoted(*parts_of(value.secret))}"]
        case FromFile():
            if not of_file:
                raise InvalidParameter(f"{name} cannot come from a file", hint='Make a secret of it: {"secret": name}.')
            return [f"{of_file} = {literal(value.file)}"]
        case str():
            return [f"{name} = {literal(value)}"]
