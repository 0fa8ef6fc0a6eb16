"""CREATE SOURCE ... FROM KAFKA: the topic, where to begin, and what its records are."""

from dataclasses import replace
from typing import Final

from engine.catalog.connections import KafkaConnection
from engine.catalog.items import Source
from engine.catalog.sources import (
    FETCH_BYTES_MAX,
    REFRESH_MS,
    REFRESH_MS_MAX,
    AvroFormat,
    Between,
    CsvFormat,
    Debezium,
    Deduplication,
    JsonFormat,
    KafkaSource,
    Metadata,
    OpenCdc,
    TransactionTopic,
    Upsert,
)
from engine.errors import DataError, InvalidParameter, SyntaxError_, Unsupported, WrongObjectType
from engine.expr.datetime_text import parse_timestamp
from engine.sql import statements
from engine.sql.binding.connections import secured
from engine.sql.binding.formats import record_formats
from engine.sql.binding.source_options import Options, Reads
from engine.sql.statement.connectors import FromKafka, TransactionClause
from engine.sql.statement.parts import Option

MILLISECONDS_MAX: Final = 1 << 31

HOUR_MS: Final = 3_600_000


def kafka_source(statement: statements.CreateSource, connector: FromKafka, reads: Reads) -> KafkaSource:
    if any(each.what is Metadata.FILE for each in statement.included):
        raise Unsupported("INCLUDE FILE is for file sources", position=connector.at)
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
    deduplication, between = _deduplication(options, connector.at)
    prefix = options.text("group id prefix") or ""
    group_prefix = prefix if options.flag("enable auto commit") else None
    transactions = _named_transactions(statement, options)
    _check_others(options)
    options.done()
    key_format, value_format = record_formats(statement, reads)
    envelope = statement.envelope
    if isinstance(envelope, Debezium):
        envelope = replace(envelope, deduplication=deduplication, between=between)
        if transactions is not None:
            envelope = replace(envelope, transactions=_transactions(transactions, envelope, reads))
        if envelope.upsert and deduplication is Deduplication.FULL:
            raise InvalidParameter("ENVELOPE DEBEZIUM UPSERT goes by keys: there is nothing to remember",
                                   hint="Leave DEDUPLICATION out.", position=connector.at)  # fmt: skip
    changes = envelope == OpenCdc() or (isinstance(envelope, Debezium) and not envelope.upsert)
    if changes and (offsets or start_ms is not None):
        raise InvalidParameter(
            "a source that begins in the middle of its topic needs ENVELOPE NONE, UPSERT or DEBEZIUM UPSERT",
            detail="Changes of rows that came before would be changes of rows that are not there.",
            position=connector.at,
        )
    for format_ in (key_format, value_format):
        if isinstance(format_, CsvFormat) and format_.header:
            raise Unsupported("records of Kafka have no header: use FORMAT CSV WITH n COLUMNS", position=connector.at)
    match envelope:
        case Upsert() if key_format is None:
            raise InvalidParameter("ENVELOPE UPSERT needs a key format", position=connector.at)
        case Debezium() if not isinstance(value_format, AvroFormat | JsonFormat):
            raise InvalidParameter("ENVELOPE DEBEZIUM is for FORMAT AVRO and JSON", position=connector.at)
        case OpenCdc() if not isinstance(value_format, AvroFormat):
            raise InvalidParameter("ENVELOPE MATERIALIZE is for FORMAT AVRO", position=connector.at)
        case OpenCdc() if key_format is not None or statement.included:
            raise InvalidParameter(
                "ENVELOPE MATERIALIZE takes no KEY FORMAT and no INCLUDE: a row there may be of many records",
                position=connector.at,
            )
        case Debezium(upsert=False) if not reads.context.restoring and any(
            each.what is not Metadata.KEY for each in statement.included
        ):  # one that was made stays until it is dropped
            raise InvalidParameter(
                "ENVELOPE DEBEZIUM takes no INCLUDE but that of KEY: another record adds a row than takes it away",
                hint="ENVELOPE DEBEZIUM UPSERT has what is known of the last record of a key.",
                position=connector.at,
            )
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
        fetch_bytes or FETCH_BYTES_MAX, client_id, group_prefix,
    )  # fmt: skip


def _named_transactions(statement: statements.CreateSource, options: Options) -> TransactionClause | None:
    """What TRANSACTION METADATA says, or the options tx_metadata and tx_metadata_collection in its place."""
    source, collection = options.peek("tx metadata"), options.peek("tx metadata collection")
    name, called = options.name("tx metadata"), options.text("tx metadata collection")
    given = source or collection
    if given is None:
        return statement.transactions
    if statement.transactions is not None:
        raise SyntaxError_("TRANSACTION METADATA says what tx_metadata does: give one of them", position=given.at)
    if not isinstance(statement.envelope, Debezium):
        raise InvalidParameter("tx_metadata is of ENVELOPE DEBEZIUM", position=given.at)
    if name is None or called is None:
        raise InvalidParameter(
            "tx_metadata and tx_metadata_collection go together",
            hint="tx_metadata = source, tx_metadata_collection = 'schema.table', as Debezium calls the table",
            position=given.at,
        )
    return TransactionClause(name, called)


def _transactions(clause: TransactionClause, envelope: Debezium, reads: Reads) -> TransactionTopic:
    """The topic that another source reads, in which Debezium says which transactions there are."""
    at = clause.source.at
    if envelope.upsert:
        raise InvalidParameter("ENVELOPE DEBEZIUM UPSERT has the last change of a key alone: transactions have all",
                               position=at)  # fmt: skip
    item = reads.context.resolve(clause.source)
    description = item.description if isinstance(item, Source) else None
    if not isinstance(item, Source) or not isinstance(description, KafkaSource):
        raise WrongObjectType(f'"{clause.source}" is no source of Kafka, which TRANSACTION METADATA wants', position=at)
    named = {column.name for column in item.columns}
    missing = [name for name in ("status", "id", "data_collections") if name not in named]
    match description.value_format:
        case JsonFormat():
            pass
        case AvroFormat() if not missing:
            pass
        case _:
            raise InvalidParameter(
                f'"{clause.source}" does not have the transactions of Debezium',
                detail=f"It has no column {', '.join(missing)}." if missing else "They are in JSON or Avro.",
                position=at,
            )
    reads.ids.add(item.id)
    return TransactionTopic(description.connection, description.topic, description.value_format, clause.collection)


def _deduplication(options: Options, at: int) -> tuple[Deduplication, Between | None]:
    """DEDUPLICATION, and of 'full_in_range' the times from when to when."""
    said = options.text("deduplication") or "ordered"
    times = [options.take(f"deduplication {name}") for name in ("start", "end", "pad start")]
    if said == "full_in_range":
        start, end, pad_start = (None if option is None else _moment(option) for option in times)
        if start is None or end is None:
            raise InvalidParameter("deduplication 'full_in_range' needs DEDUPLICATION START and DEDUPLICATION END",
                                   position=at)  # fmt: skip
        between = Between(start, end, start - HOUR_MS if pad_start is None else pad_start)
        if not between.pad_start_ms <= between.start_ms < between.end_ms:
            raise InvalidParameter("DEDUPLICATION START is before its END, and PAD START not behind it", position=at)
        return Deduplication.FULL, between
    given = next((option for option in times if option is not None), None)
    if given is not None:
        raise InvalidParameter(f"{given.name.upper()} is of deduplication 'full_in_range'", position=given.at)
    known = [each.value for each in Deduplication]
    if said not in known:
        hint = f"There are {', '.join(known)} and full_in_range."
        raise InvalidParameter(f'deduplication "{said}" is not known', hint=hint, position=at)
    return Deduplication(said), None


def _moment(option: Option) -> int:
    """A time in UTC, in ms since 1970."""
    try:
        return parse_timestamp(str(option.value)) // 1000
    except DataError:
        raise InvalidParameter(
            f"{option.name.upper()} must be a time of UTC: '2022-05-01' or '2022-05-01 12:30:00.5'", position=option.at
        ) from None


def _start_offsets(options: Options) -> tuple[int, ...]:
    option = options.take("start offset", "start offsets")
    if option is None:
        return ()
    given = option.value if isinstance(option.value, tuple) else (option.value,)
    offsets = [each for each in given if isinstance(each, int) and not isinstance(each, bool) and each >= 0]
    if len(offsets) != len(given):
        raise InvalidParameter("START OFFSET takes one offset per partition, none negative", position=option.at)
    return tuple(offsets)


def _check_others(options: Options) -> None:
    """Options of Materialize's that say nothing new here: ticks come when records do, statistics are always of the
    moment, the log has a copy of the topic, keys of schemas are no promise. What would be otherwise is refused."""
    for name in ("statistics interval ms", "timestamp frequency ms"):
        options.integer(name, 0, MILLISECONDS_MAX)
    options.text("progress group id prefix")
    options.flag("ignore source keys")
    cache = options.peek("cache")
    if cache is not None and not options.flag("cache"):
        raise Unsupported("cache = false", detail="What was read stays in the data directory.", position=cache.at)
