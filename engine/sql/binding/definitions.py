"""Statements that make and remove objects."""

from collections.abc import Sequence
from dataclasses import replace

from engine import types
from engine.catalog.catalog import is_temporary
from engine.catalog.items import (
    Index,
    Item,
    MaterializedView,
    QualifiedName,
    SourceRelation,
    SystemRelation,
    View,
    kind,
)
from engine.catalog.sources import (
    BytesFormat,
    CsvFormat,
    Description,
    FileSource,
    GeneratorSource,
    JsonFormat,
    TextFormat,
)
from engine.errors import (
    DuplicateColumn,
    DuplicateObject,
    InvalidParameter,
    InvalidTableDefinition,
    SyntaxError_,
    UndefinedColumn,
    UndefinedSchema,
    Unsupported,
    WrongObjectType,
)
from engine.expr.interval_text import parse_interval
from engine.plan.facts import Facts
from engine.plan.relation import Query
from engine.sql import bound, statements, syntax
from engine.sql.binding.context import Context
from engine.sql.binding.queries import Queries
from engine.sql.binding.session import refuse
from engine.sql.binding.tables import declared
from engine.sql.binding.writing import full, quoted
from engine.sql.scope import Around
from engine.sql.statements import Option
from engine.types import Column

TICK_MS = 1000
"""How often a load generator ticks unless TICK INTERVAL says otherwise."""


def create_database(statement: statements.CreateDatabase, context: Context) -> bound.BoundCreateDatabase:
    if statement.name in context.catalog.databases and not statement.if_not_exists:
        raise DuplicateObject(f'database "{statement.name}" already exists')
    return bound.BoundCreateDatabase(statement.name, statement.if_not_exists)


def create_schema(statement: statements.CreateSchema, context: Context) -> bound.BoundCreateSchema:
    *above, name = statement.name.parts
    if len(above) > 1:
        raise UndefinedSchema(f"improper schema name: {statement.name}", position=statement.name.at)
    database = above[0] if above else context.path.database
    context.catalog.database(database, statement.name.at)
    return bound.BoundCreateSchema(database, name, statement.if_not_exists)


def create_view(
    statement: statements.CreateView, context: Context
) -> bound.BoundCreateView | bound.BoundCreateMaterializedView:
    new_name = context.catalog.new_temporary_name if statement.temporary else context.catalog.new_name
    name = new_name(statement.name.parts, context.path, statement.name.at)
    binder = Queries(context)
    sub = binder.derived(statement.query, Around(None, {}))
    columns = _view_columns(statement, sub.columns)
    text = _view_sql(statement, name, binder)
    replaced = _replaced(statement, context, name)
    reads = frozenset(binder.reads)
    if replaced in reads:
        raise WrongObjectType(f'view "{name.item}" cannot read itself', position=statement.name.at)
    used = next((item for _, item in binder.uses if is_temporary(item.name)), None)
    if used is not None and not statement.temporary:
        raise InvalidTableDefinition(
            f'view "{name.item}" cannot read the temporary {kind(used)} "{used.name.item}"',
            hint="Use CREATE TEMPORARY VIEW.", position=statement.name.at,
        )  # fmt: skip
    if not statement.materialized:
        found = Query(sub.relation, tuple(column.name for column in columns))
        return bound.BoundCreateView(
            name, found, columns, reads, statement.temporary, statement.if_not_exists, replaced, text
        )  # fmt: skip
    refuse(sub.relation, context, "a materialized view")
    history = _history(statement.options)
    return bound.BoundCreateMaterializedView(
        name, sub.relation, columns, reads, statement.if_not_exists, replaced, history, text
    )


def _view_columns(statement: statements.CreateView, columns: Sequence[Column]) -> tuple[Column, ...]:
    if len(statement.columns) > len(columns):
        raise SyntaxError_("CREATE VIEW specifies more column names than columns", position=statement.name.at)
    names = [*statement.columns, *(column.name for column in columns[len(statement.columns) :])]
    for name in names:
        if names.count(name) > 1:
            raise DuplicateColumn(f'column "{name}" specified more than once', position=statement.query.at)
    return tuple(replace(column, name=name) for column, name in zip(columns, names, strict=True))


def _view_sql(statement: statements.CreateView, name: QualifiedName, binder: Queries) -> str:
    """The statement with the names in it written out, so that it means the same in any session."""
    span = statement.span
    query = span.text[statement.query.at - span.start :]
    for use, item in sorted(binder.uses, key=lambda pair: -pair[0].at):
        at, end = use.at - statement.query.at, use.end - statement.query.at
        query = query[:at] + full(item.name) + query[end:]
    word = "MATERIALIZED VIEW" if statement.materialized else "VIEW"
    columns = f" ({', '.join(map(quoted, statement.columns))})" if statement.columns else ""
    history = _history(statement.options)
    options = "" if history is None else f" WITH (RETAIN HISTORY FOR '{history} ms')"
    return f"CREATE {word} {full(name)}{columns}{options} AS {query}"


def _history(options: Sequence[Option]) -> int | None:
    found = None
    for option in options:
        if option.name != "retain history" or not isinstance(option.value, str):
            raise InvalidParameter(f'unrecognized view option "{option.name}"', position=option.at)
        found = milliseconds(option)
    return found


def milliseconds(option: Option) -> int:
    """The length of time that an option gives, as the text of an interval without months."""
    interval = parse_interval(str(option.value))
    total = interval.days * 86_400_000 + interval.microseconds // 1000
    if interval.months or total <= 0:
        raise InvalidParameter(f"{option.name.upper()} must be positive and without months", position=option.at)
    return total


def _replaced(statement: statements.CreateView, context: Context, name: QualifiedName) -> int | None:
    """The view that OR REPLACE drops."""
    if not statement.replace:
        return None
    old = context.catalog.named(name)
    if old is None:
        return None
    wanted = MaterializedView if statement.materialized else View
    if not isinstance(old, wanted):
        word = "materialized view" if statement.materialized else "view"
        raise WrongObjectType(f'"{name.item}" is not a {word}', position=statement.name.at)
    context.catalog.drop_order([old], cascade=False)
    return old.id


def create_index(statement: statements.CreateIndex, context: Context) -> bound.BoundCreateIndex:
    item = context.catalog.resolve(statement.on.parts, context.path, statement.on.at)
    if isinstance(item, Index | SystemRelation) or not item.columns:
        raise WrongObjectType(f'"{item.name.item}" cannot have an index', position=statement.on.at)
    if isinstance(item, View):
        refuse(item.relation, context, "an indexed view")
    key = _default_key(item) if statement.keys is None else tuple(_key(node, item) for node in statement.keys)
    name = _index_name(statement, item, key, context)
    columns = ", ".join(quoted(item.columns[column].name) for column in key)
    text = f"CREATE INDEX {quoted(name.item)} ON {full(item.name)} ({columns})"
    return bound.BoundCreateIndex(name, item.id, key, statement.if_not_exists, text)


def _key(node: syntax.Expression, item: Item) -> int:
    if isinstance(node, syntax.Number) and node.text.isdigit() and 1 <= int(node.text) <= len(item.columns):
        return int(node.text) - 1
    if not isinstance(node, syntax.ColumnName):
        raise Unsupported("an index on an expression is not supported", position=node.at)
    found = [i for i, column in enumerate(item.columns) if column.name == node.parts[-1]]
    if not found:
        raise UndefinedColumn(f'column "{node.parts[-1]}" does not exist', position=node.at)
    return found[0]


def _default_key(item: Item) -> tuple[int, ...]:
    """A unique key where one is known, else every column."""
    keys: Sequence[tuple[int, ...]] = ()
    if isinstance(item, SourceRelation):
        keys = item.keys
    elif isinstance(item, View | MaterializedView):
        keys = [tuple(sorted(key)) for key in Facts().keys(item.relation) if key]
    return next(iter(keys), tuple(range(len(item.columns))))


def _index_name(statement: statements.CreateIndex, item: Item, key: Sequence[int], context: Context) -> QualifiedName:
    """The name given, or one after the relation and its key that is free."""
    if statement.name is not None:
        return replace(item.name, item=statement.name)
    middle = "primary" if statement.keys is None else "_".join(item.columns[column].name for column in key)
    stem = f"{item.name.item}_{middle}_idx"
    name, number = replace(item.name, item=stem), 0
    while context.catalog.named(name) is not None:
        if statement.if_not_exists:
            break
        number += 1
        name = replace(item.name, item=f"{stem}{number}")
    return name


def create_source(statement: statements.CreateSource, context: Context) -> bound.BoundCreateSource:
    name = context.catalog.new_name(statement.name.parts, context.path, statement.name.at)
    description = _description(statement)
    columns = _source_columns(statement, description)
    rest = statement.span.text[statement.name.end - statement.span.start :]
    return bound.BoundCreateSource(
        name, description, columns, isinstance(statement.connector, statements.FromGenerator)
        and statement.connector.for_all_tables, statement.materialized, statement.if_not_exists,
        f"CREATE SOURCE {full(name)}{rest}",
    )  # fmt: skip


def _description(statement: statements.CreateSource) -> Description:
    connector = statement.connector
    if isinstance(connector, statements.FromFile):
        tail = False
        for option in statement.options:
            if option.name != "tail" or not (option.value is None or isinstance(option.value, bool)):
                raise InvalidParameter(f'unrecognized file option "{option.name}"', position=option.at)
            tail = option.value is None or option.value
        assert statement.format is not None
        return FileSource(connector.path, connector.compression, statement.format, tail)
    if connector.kind not in ("counter", "auction"):
        raise Unsupported(f"load generator {connector.kind.upper()} is not supported", position=connector.at)
    if statement.columns or statement.format is not None:
        raise WrongObjectType("a load generator has its own columns and no format", position=connector.at)
    if connector.kind == "auction" and not connector.for_all_tables:
        raise SyntaxError_(
            "load generator AUCTION has several tables", hint="Add FOR ALL TABLES.", position=connector.at
        )
    tick_ms, cardinality = TICK_MS, None
    for option in (*connector.options, *statement.options):
        if option.name == "tick interval":
            tick_ms = milliseconds(option)
        elif option.name == "max cardinality" and isinstance(option.value, int) and option.value > 0:
            cardinality = int(option.value)
        else:
            raise InvalidParameter(f'unrecognized load generator option "{option.name}"', position=option.at)
    return GeneratorSource(connector.kind, tick_ms, cardinality)


def _source_columns(statement: statements.CreateSource, description: Description) -> tuple[Column, ...] | None:
    """The columns of a file's rows; None where only the connector knows them."""
    if isinstance(description, GeneratorSource):
        return None
    given = declared(statement.columns)
    match description.format:
        case JsonFormat():
            return given or (Column("data", types.JSONB, False),)
        case TextFormat() | BytesFormat():
            text = isinstance(description.format, TextFormat)
            wanted = Column("text" if text else "data", types.TEXT if text else types.BYTEA, False)
            if not given:
                return (wanted,)
            if len(given) != 1 or given[0].type != wanted.type:
                raise InvalidParameter(
                    f"this format has one column of type {wanted.type.name}", position=statement.name.end
                )
            return given
        case CsvFormat():
            return _csv_columns(statement, description.format, given)


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
