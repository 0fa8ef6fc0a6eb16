"""CREATE SOURCE ... FROM FILE, S3, AVRO OCF: which files, and how they are read."""

from engine.catalog.sources import Append, Compression, FileSource, Metadata, OcfFormat, ParquetFormat
from engine.errors import InvalidParameter, Unsupported
from engine.sql import statements
from engine.sql.binding.formats import file_format
from engine.sql.binding.options import milliseconds
from engine.sql.binding.source_options import Options, Reads
from engine.sql.binding.stores import store_connection
from engine.sql.statement.connectors import FromFile


def file_source(statement: statements.CreateSource, connector: FromFile, reads: Reads) -> FileSource:
    if statement.key_format is not None or not isinstance(statement.envelope, Append):
        raise Unsupported("KEY FORMAT and envelopes other than NONE are for Kafka sources", position=connector.at)
    options = Options("file", statement.options, reads)
    tail = options.flag("tail") or False
    interval = options.take("discover interval")
    discover_ms = None if interval is None else milliseconds(interval)
    if discover_ms is not None and not tail:
        raise InvalidParameter("DISCOVER INTERVAL is for tail = true", position=connector.at)
    options.take("timestamp frequency ms")  # of other systems: a tick comes when rows do
    connection = store_connection(connector.path, options, reads, connector.at)
    schema = options.text("reader schema")
    options.done()
    assert statement.format is not None
    format = file_format(statement.format)
    if schema is not None:
        if not isinstance(format, OcfFormat) or format.schema:
            raise InvalidParameter("READER SCHEMA is for FORMAT AVRO OCF without another one", position=connector.at)
        format = OcfFormat(schema)
    if isinstance(format, ParquetFormat | OcfFormat) and connector.compression is not Compression.BY_NAME:
        raise InvalidParameter("Parquet and Avro OCF are compressed within: say no COMPRESSION", position=connector.at)
    file_column = None
    for each in statement.included:
        if each.what is not Metadata.FILE:
            raise Unsupported("of a file there is only INCLUDE FILE [AS name]", position=connector.at)
        file_column = each.name
    return FileSource(connector.path, connector.compression, format, tail, connection, discover_ms, file_column)
