"""FORMAT: what a source's bytes are, and the columns that the statement says they make."""

from engine import types
from engine.catalog.sources import (
    AvroFormat,
    BytesFormat,
    CsvFormat,
    Debezium,
    Description,
    FileFormat,
    FileSource,
    Format,
    GeneratorSource,
    JsonFormat,
    KafkaSource,
    Metadata,
    OcfFormat,
    ParquetFormat,
    PostgresSource,
    ProtobufFormat,
    TextFormat,
    Upsert,
    WebhookSource,
)
from engine.errors import InvalidParameter, SyntaxError_, Unsupported
from engine.sql import statements
from engine.sql.binding.connections import registry_of
from engine.sql.binding.queries import Queries
from engine.sql.binding.source_options import Reads
from engine.sql.binding.tables import declared
from engine.sql.binding.webhooks import webhook_columns
from engine.sql.statement.connectors import (
    AvroClause,
    FormatClause,
    OcfClause,
    ProtobufClause,
    RegistryClause,
    SchemaFile,
    Strategy,
)
from engine.types import Column


def record_formats(statement: statements.CreateSource, reads: Reads) -> tuple[Format | None, Format]:
    """Of the key and of the value. One FORMAT is of both where the key is needed and it has a schema for each."""
    assert statement.format is not None
    value = record_format(statement.format, reads, of_key=False)
    if statement.key_format is not None:
        return record_format(statement.key_format, reads, of_key=True), value
    asked = any(each.what is Metadata.KEY for each in statement.included)
    keyed = (
        asked
        or isinstance(statement.envelope, Upsert)
        or (isinstance(statement.envelope, Debezium) and statement.envelope.upsert)
    )
    return record_format(statement.format, reads, of_key=True) if keyed else None, value


def record_format(clause: FormatClause, reads: Reads, of_key: bool) -> Format:
    match clause:
        case AvroClause():
            if clause.registry is None:
                if isinstance(clause.schema, SchemaFile):
                    return AvroFormat("", None, clause.framed, path=clause.schema.path)
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
                if isinstance(clause.schema, SchemaFile):
                    return ProtobufFormat(clause.message, b"", path=clause.schema.path)
                return ProtobufFormat(clause.message, _descriptors(clause.schema or "", clause.at))
            if Strategy() != (clause.registry.key_strategy if of_key else clause.registry.value_strategy):
                raise Unsupported("STRATEGY other than LATEST is for FORMAT AVRO", position=clause.at)
            message, schema = _seed(clause.registry, of_key)
            return ProtobufFormat(
                clause.message or message, _descriptors(schema, clause.at), registry_of(clause.registry, reads)
            )
        case OcfClause() | ParquetFormat():
            raise Unsupported("FORMAT PARQUET and AVRO OCF are of files")
        case _:
            return clause


def file_format(clause: FormatClause) -> FileFormat:
    match clause:
        case OcfClause():
            return OcfFormat(clause.schema or "")
        case AvroClause() | ProtobufClause():
            raise Unsupported("FORMAT AVRO USING and PROTOBUF are of records", hint="Of a file it is FORMAT AVRO OCF.",
                              position=clause.at)  # fmt: skip
        case _:
            return clause


def _seed(clause: RegistryClause, of_key: bool) -> tuple[str, str]:
    return (clause.key_seed if of_key else clause.value_seed) or ("", "")


def _descriptors(text: str, at: int) -> bytes:
    """A serialised FileDescriptorSet, written as bytea."""
    try:
        return bytes.fromhex(text.removeprefix("\\x"))
    except ValueError:
        raise InvalidParameter(
            "SCHEMA of PROTOBUF must be a FileDescriptorSet in hexadecimal",
            hint="protoc --include_imports --descriptor_set_out=FILE, then xxd -p", position=at,
        ) from None  # fmt: skip


def source_columns(
    statement: statements.CreateSource, description: Description, binder: Queries
) -> tuple[Column, ...] | None:
    """The columns of a source's rows that the statement declares; None where only the connector knows them."""
    match description:
        case GeneratorSource() | PostgresSource():
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
            if given and isinstance(format_, AvroFormat | OcfFormat | ProtobufFormat):
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
