"""CREATE SINK: what is written and how."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from engine import types
from engine.catalog.catalog import Path, is_temporary
from engine.catalog.connections import KafkaConnection
from engine.catalog.items import MaterializedView, Sink, Source, SourceRelation, Table, View, kind
from engine.catalog.sinks import AvroOutput, Consistency, KafkaSink, OutputEnvelope, OutputFormat
from engine.catalog.sources import JsonFormat
from engine.errors import (
    DuplicateColumn,
    InvalidParameter,
    SqlError,
    SyntaxError_,
    TypeMismatch,
    UndefinedColumn,
    Unsupported,
    WrongObjectType,
)
from engine.plan.facts import Facts
from engine.plan.relation import Get, Relation
from engine.sql import bound, dialect, statements, syntax
from engine.sql.binding.clock import ticking
from engine.sql.binding.connections import secured
from engine.sql.binding.context import Context
from engine.sql.binding.definitions import name_in, with_full_names
from engine.sql.binding.drops import find
from engine.sql.binding.outputs import Outputs, check_whole
from engine.sql.binding.queries import Queries
from engine.sql.binding.session import refuse
from engine.sql.binding.source_options import Options, Reads
from engine.sql.binding.writing import full
from engine.sql.scope import Around
from engine.sql.statement.parts import ObjectKind
from engine.types import Category, Column, Nesting

COMPRESSIONS: Final = ("none", "gzip", "snappy", "lz4", "zstd")
RETENTION: Final[Mapping[str, str]] = {"retention ms": "retention.ms", "retention bytes": "retention.bytes"}
ACKS: Final = ("all", "-1", -1)
"""Of a transaction all replicas that are in sync acknowledge."""


def create_sink(statement: statements.CreateSink, context: Context) -> bound.BoundCreateSink:
    name = context.catalog.new_name(statement.name.parts, context.path, statement.name.at)
    item = context.catalog.resolve(statement.on.parts, context.path, statement.on.at)
    if not isinstance(item, Table | Source | SourceRelation | View | MaterializedView) or not item.columns:
        raise WrongObjectType(f'"{statement.on}" is a {kind(item)}: a sink is made from a relation',
                              position=statement.on.at)  # fmt: skip
    if is_temporary(item.name):
        raise WrongObjectType(f'"{statement.on}" is temporary: a sink outlives it', position=statement.on.at)
    binder = Queries(context)
    sub = binder.derived(_query(statement), Around(None, {}))
    sub = replace(sub, relation=ticking(sub.relation))
    refuse(sub.relation, "a sink")
    written, columns = tuple(sub.columns), item.columns
    reads = Reads(context)
    key = None if statement.key is None else tuple(_column(each, columns, statement) for each in statement.key)
    if key is not None and len(set(key)) < len(key):
        raise DuplicateColumn("a column appears twice in the key of the sink", position=statement.into.at)
    headers = None if statement.headers is None else _headers(statement.headers, columns, statement)
    description = _description(statement, key, headers, reads, columns)
    if description.partitioned:
        _check_partition(statement, written[-1])
    if key is not None and statement.enforced and not _proven(sub.relation, key, context):
        raise InvalidParameter(
            f'no two rows of "{statement.on}" should agree in the key ({", ".join(statement.key or ())}), '
            "but the query does not show it",
            hint="Write KEY (...) NOT ENFORCED; the sink stops while a key has two rows.",
            position=statement.into.at,
        )
    text = with_full_names(statement.span, statement.name.end, context)
    return bound.BoundCreateSink(
        name, item.id, description, sub.relation, written, frozenset(reads.ids) | {item.id} | frozenset(binder.types),
        statement.if_not_exists, f"CREATE SINK {full(name)}{text}",
    )  # fmt: skip


def set_from(statement: statements.AlterSinkFrom, context: Context) -> bound.BoundRedefine:
    """The sink with its statement bound again, from the other relation: what it writes has to look the same."""
    catalog = context.catalog
    tag, databases, schemas = "ALTER SINK", catalog.databases, catalog.schemas
    old = find(ObjectKind.SINK, statement.name, statement.if_exists, context)
    if old is None:
        notice = f'"{statement.name}" does not exist, skipping'
        return bound.BoundRedefine(tag, (), databases, schemas, (notice,))
    assert isinstance(old, Sink)
    at = statement.relation.at
    on = catalog.resolve(statement.relation.parts, context.path, at)
    inside = replace(context, path=Path(), uses=[], fixed=[])
    (made,) = dialect.parse(old.create_sql)
    assert isinstance(made, statements.CreateSink)
    create_sink(made, inside)
    sql = old.create_sql
    edits = {(use.name.at, use.name.end, name_in(use, on.name)) for use in inside.uses if use.item.id == old.on}
    for begin, end, text in sorted(edits, reverse=True):
        sql = sql[: begin - 1] + text + sql[end - 1 :]
    (again,) = dialect.parse(sql)
    assert isinstance(again, statements.CreateSink)
    try:
        new = create_sink(again, replace(context, path=Path(), uses=[], fixed=[]))
    except SqlError as error:
        error.position = at
        raise
    if new.columns != old.written:
        raise TypeMismatch(
            f'sink "{old.name.item}" writes ({_shown(old.written)}), but "{statement.relation}" has '
            f"({_shown(new.columns)})",
            hint="Make it FROM a view that has these columns, in this order.", position=at,
        )  # fmt: skip
    item = replace(old, on=new.on, relation=new.relation, depends_on=new.depends_on, create_sql=new.create_sql)
    return bound.BoundRedefine(tag, (item,), databases, schemas)


def _shown(columns: tuple[Column, ...]) -> str:
    return ", ".join(f"{each.name} {each.type}{'' if each.nullable else ' NOT NULL'}" for each in columns)


def _query(statement: statements.CreateSink) -> syntax.Query:
    """SELECT * FROM the relation, behind its columns the expression of PARTITION BY."""
    query = dialect.parse_query("SELECT * FROM relation")
    body = query.body
    assert isinstance(body, syntax.Select)
    items = body.items
    if statement.into.partition_by is not None:
        items = (*items, syntax.SelectItem(statement.into.partition_by, "partition"))
    return replace(query, body=replace(body, items=items, from_=(syntax.TableName(statement.on, None),)))


def _proven(relation: Relation, key: tuple[int, ...], context: Context) -> bool:
    """Whether the query shows that no two rows agree in the key."""
    if isinstance(relation, Get):
        item = context.catalog.items.get(relation.id)
        if isinstance(item, MaterializedView):
            relation = item.relation
    return Facts().unique(relation, key)


def _column(name: str, columns: tuple[Column, ...], statement: statements.CreateSink) -> int:
    found = [i for i, column in enumerate(columns) if column.name == name]
    if not found:
        raise UndefinedColumn(f'column "{name}" does not exist in "{statement.on}"', position=statement.into.at)
    return found[0]


def _headers(name: str, columns: tuple[Column, ...], statement: statements.CreateSink) -> int:
    at = _column(name, columns, statement)
    type = columns[at].type
    if type.nesting is not Nesting.MAP or type.within.plain not in (types.TEXT, types.BYTEA):
        raise TypeMismatch(f'HEADERS column "{name}" must be map[text=>text] or map[text=>bytea], not {type}',
                           position=statement.into.at)  # fmt: skip
    return at


def _check_partition(statement: statements.CreateSink, column: Column) -> None:
    at = statement.into.at
    if column.type.category is not Category.NUMERIC or column.type.physical > types.Physical.SIGNED:
        raise TypeMismatch(f"PARTITION BY must be an integer, not {column.type}", position=at)
    assert statement.into.partition_by is not None
    names = {node.parts[-1] for node in _columns_in(statement.into.partition_by)}
    strange = sorted(names - set(statement.key or names))
    if strange:
        raise InvalidParameter(
            f'PARTITION BY reads column "{strange[0]}", which is not in the key of the sink',
            hint="A key's records must all be in one partition to stay in order.", position=at,
        )  # fmt: skip


def _columns_in(node: object) -> list[syntax.ColumnName]:
    """The column names within an expression, which is made of dataclasses and tuples."""
    if isinstance(node, syntax.ColumnName):
        return [node]
    if isinstance(node, tuple):
        return [name for each in node for name in _columns_in(each)]
    fields = getattr(node, "__dataclass_fields__", {})
    return [name for field in fields for name in _columns_in(getattr(node, field))]


def _description(
    statement: statements.CreateSink, key: tuple[int, ...] | None, headers: int | None, reads: Reads,
    columns: tuple[Column, ...],
) -> KafkaSink:  # fmt: skip
    into, envelope = statement.into, OutputEnvelope(statement.envelope)
    options = Options("Kafka sink", (*into.options, *statement.options), reads)
    if into.connection is not None:
        connection = reads.connection(into.connection)
        if not isinstance(connection, KafkaConnection):
            raise WrongObjectType(f'connection "{into.connection}" is not to Kafka', position=into.at)
    else:
        connection = secured(into.brokers, options, into.at)
    topic = into.topic or options.text("topic")
    if not topic:
        raise SyntaxError_("a Kafka sink needs a TOPIC", position=into.at)
    compression = (options.text("compression type", "compression") or "lz4").lower()
    if compression not in COMPRESSIONS:
        hint = f"There are {', '.join(COMPRESSIONS)}."
        raise InvalidParameter(f'compression type "{compression}" is not known', hint=hint, position=into.at)
    partitions = options.integer("topic partition count", -1, 100_000)
    if partitions is None:
        partitions = options.integer("partition count", -1, 100_000)
    replication = options.integer("topic replication factor", -1, 1000)
    if replication is None:
        replication = options.integer("replication factor", -1, 1000)
    config = dict(into.config)
    for name, setting in RETENTION.items():
        value = options.integer(name, -1, 1 << 62)
        if value is not None:
            config[setting] = str(value)
    progress = options.text("progress topic") or f"{topic}-progress"
    names = options.take("avro key fullname"), options.take("avro value fullname")
    snapshot = options.flag("snapshot")
    client_id = options.text("client id") or "tailrace"
    prefix = options.text("transactional id prefix") or "tailrace"
    marked = options.text("consistency topic")
    _check_others(options)
    options.done()
    if envelope is OutputEnvelope.UPSERT and key is None:
        raise InvalidParameter("ENVELOPE UPSERT of a sink needs KEY (columns)", position=into.at)
    if headers is not None and envelope is not OutputEnvelope.UPSERT:
        raise InvalidParameter("HEADERS are for ENVELOPE UPSERT", position=into.at)
    debezium = envelope is OutputEnvelope.DEBEZIUM
    shown = [column for i, column in enumerate(columns) if i != headers]
    keys = None if key is None else [columns[i] for i in key]
    outputs = Outputs(statement, keys, shown, reads)
    value = outputs.format("value", names[1], "envelope" if debezium else "row")
    check_whole(value, shown, "the value", into.at)
    if debezium and not isinstance(value, AvroOutput | JsonFormat):
        raise InvalidParameter("ENVELOPE DEBEZIUM of a sink is for FORMAT AVRO and JSON", position=into.at)
    key_format: OutputFormat | None = None
    if statement.key_format is not None and key is None:
        raise InvalidParameter("KEY FORMAT of a sink needs KEY (columns)", position=into.at)
    if keys is not None:
        key_format = outputs.format("key", names[0], "row")
        check_whole(key_format, keys, "the key", into.at)
    consistency: Consistency | None = None
    clause = statement.consistency
    if clause is not None or marked:
        name = marked if clause is None else clause.topic
        if not name or name in (topic, progress):
            raise InvalidParameter("CONSISTENCY needs a topic of its own", position=into.at)
        consistency = Consistency(name, outputs.marks(None if clause is None else clause.format, value, into.at))
    return KafkaSink(
        connection, topic, progress, envelope, key, key_format, value, headers, into.partition_by is not None,
        compression, _positive(partitions), _positive(replication), tuple(config.items()), snapshot is not False,
        client_id, prefix, consistency,
    )  # fmt: skip


def _check_others(options: Options) -> None:
    """Options of Materialize's that say what is so here; what would be otherwise is refused."""
    options.text("progress group id prefix")  # no group of consumers reads the progress topic
    acks, reuse = options.take("acks"), options.peek("reuse topic")
    if acks is not None and acks.value not in ACKS:
        raise Unsupported("acks other than all", detail="What is written exactly once is acknowledged by all replicas.",
                          position=acks.at)  # fmt: skip
    if options.flag("reuse topic") is False:
        raise Unsupported("reuse_topic = false", detail="A sink writes to the topic that it names, for good.",
                          position=None if reuse is None else reuse.at)  # fmt: skip


def _positive(number: int | None) -> int | None:
    """-1 and 0 leave it to the broker."""
    return number if number is not None and number > 0 else None
