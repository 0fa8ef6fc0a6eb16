"""CREATE SOURCE: what to read; the connectors are in kafka.py, files.py, generators.py, webhooks.py and postgres.py.

A binder asks nobody: schemas that a registry has are filled in when the statement is run, and written into its text as
a SEED, so that the source means the same after a restart.
"""

from dataclasses import replace

from engine.catalog.sources import Description, PostgresSource
from engine.errors import InvalidParameter, UndefinedColumn, Unsupported, WrongObjectType
from engine.sql import bound, statements
from engine.sql.binding import postgres
from engine.sql.binding.context import Context
from engine.sql.binding.definitions import name_in, with_full_names
from engine.sql.binding.files import file_source
from engine.sql.binding.formats import source_columns
from engine.sql.binding.generators import generator
from engine.sql.binding.kafka import kafka_source
from engine.sql.binding.options import apart, source_sql, timeline
from engine.sql.binding.queries import Queries
from engine.sql.binding.source_options import Options, Reads
from engine.sql.binding.webhooks import webhook
from engine.sql.binding.writing import full
from engine.sql.statement.connectors import (
    AvroClause,
    FromFile,
    FromKafka,
    FromPostgres,
    FromWebhook,
    ProtobufClause,
    RegistryClause,
    SchemaFile,
)
from engine.types import Column


def create_source(statement: statements.CreateSource, context: Context) -> bound.BoundCreateSource:
    name = context.catalog.new_name(statement.name.parts, context.path, statement.name.at)
    history_ms, others = apart(statement.options)
    connector = statement.connector
    if isinstance(connector, FromKafka):  # whose options stand in either list
        connector, others = replace(connector, options=()), (*connector.options, *others)
    line, others = timeline(others)
    statement = replace(statement, options=others, connector=connector)
    reads = Reads(context)
    description = _description(statement, reads)
    columns = source_columns(statement, description, Queries(context))
    key = _promised_key(statement, columns)
    wanted = _wanted(statement)
    begin = statement.name.end
    text, head = with_full_names(statement.span, begin, context), f"CREATE SOURCE {full(name)}"
    if isinstance(description, PostgresSource):
        assert isinstance(statement.connector, FromPostgres)
        text = postgres.source_sql(statement.connector, description, reads) + source_sql(history_ms, line)
    return bound.BoundCreateSource(
        name, description, columns, key, frozenset(reads.ids), statement.if_not_exists, head + text,
        tuple((len(head) + _moved(at, begin, context), len(head) + _moved(end, begin, context), of_key, of_value)
              for at, end, of_key, of_value in wanted),
        _inferring(statement, len(head), begin, context), history_ms, line,
    )  # fmt: skip


def _wanted(statement: statements.CreateSource) -> list[tuple[int, int, bool, bool]]:
    """Which parts of the text give way to what only the outside knows: schemas of a registry or a file, of the key or
    the value; and of files what the first one says."""
    found: list[tuple[int, int, bool, bool]] = []
    for clause in (statement.key_format, statement.format):
        of = clause is statement.key_format or statement.key_format is None, clause is statement.format
        match clause:
            case AvroClause(schema=SchemaFile() as file) | ProtobufClause(schema=SchemaFile() as file):
                found.append((file.at, file.end, *of))
            case (
                AvroClause(registry=RegistryClause(key_seed=None, value_seed=None, end=end))
                | ProtobufClause(registry=RegistryClause(key_seed=None, value_seed=None, end=end))
            ):
                found.append((end, end, *of))
            case _:
                pass
    if statement.says_no is not None:
        found.append((statement.says_no, statement.says_no, False, True))
    return found


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
        return kafka_source(statement, connector, reads)
    if isinstance(connector, FromWebhook):
        return webhook(statement, connector, reads)
    if isinstance(connector, FromFile):
        return file_source(statement, connector, reads)
    if isinstance(connector, FromPostgres):
        if statement.columns or statement.format is not None or statement.included or statement.options:
            raise WrongObjectType("the columns of a table and their types are the server's", position=connector.at)
        return postgres.source(connector, reads, statement.name)
    if statement.key_format is not None or statement.included:
        raise Unsupported("KEY FORMAT and INCLUDE are for Kafka sources")
    if statement.columns or statement.format is not None:
        raise WrongObjectType("a load generator has its own columns and no format", position=connector.at)
    return generator(
        connector, Options("load generator", (*connector.options, *statement.options), reads), statement.envelope
    )
