"""Statements that make and remove objects."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final, cast

from engine import types
from engine.catalog.catalog import is_temporary
from engine.catalog.items import (
    Index,
    Item,
    KeyExpression,
    MaterializedView,
    QualifiedName,
    SourceRelation,
    SystemRelation,
    View,
    kind,
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
from engine.expr.functions.planner import not_null
from engine.expr.scalar import Call, Literal, Ref, Scalar
from engine.plan.facts import Facts
from engine.plan.relation import BoundScalar, Exists, Get, Map, Quantified, Query, Relation, ScalarSubquery
from engine.plan.scalars import parts
from engine.sql import bound, statements, syntax
from engine.sql.binding.clock import ticking
from engine.sql.binding.context import Context, Use
from engine.sql.binding.drops import find
from engine.sql.binding.fitting import check_replacement
from engine.sql.binding.options import (
    REFRESH,
    asserted,
    history,
    history_sql,
    moment_ms,
    schedule,
    view_history,
    view_options_sql,
)  # fmt: skip
from engine.sql.binding.queries import Queries
from engine.sql.binding.scalars import Place
from engine.sql.binding.select import projected
from engine.sql.binding.session import refuse
from engine.sql.binding.writing import full, quoted
from engine.sql.scope import Around, Range, Scope, ScopeColumn
from engine.sql.statement.parts import ObjectKind, Span
from engine.types import Column


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
    sub = binder.derived(_recursive(statement) if statement.recursive else statement.query, Around(None, {}))
    columns = _view_columns(statement, sub.columns)
    text = _view_sql(statement, name, binder)
    replaced = _replaced(statement, context, name)
    reads = frozenset(binder.reads | binder.types)
    if replaced in reads:
        raise WrongObjectType(f'view "{name.item}" cannot read itself', position=statement.name.at)
    used = next((u.item for u in context.uses if is_temporary(u.item.name)), None)
    if used is not None and not statement.temporary:
        raise InvalidTableDefinition(
            f'view "{name.item}" cannot read the temporary {kind(used)} "{used.name.item}"',
            hint="Use CREATE TEMPORARY VIEW.", position=statement.name.at,
        )  # fmt: skip
    if not statement.materialized:
        refreshed = next((option for option in statement.options if option.name in REFRESH), None)
        if refreshed is not None:
            hint = "A plain view is computed when it is read: CREATE MATERIALIZED VIEW."
            raise Unsupported("REFRESH of a plain view is not supported", hint=hint, position=refreshed.at)
        for _, at in asserted(statement.options):
            hint = "What a view computes is known where it is kept: assert it of a materialized view."
            raise Unsupported("ASSERT NOT NULL of a plain view is not supported", hint=hint, position=at)
        found = Query(sub.relation, tuple(column.name for column in columns))
        return bound.BoundCreateView(
            name, found, columns, reads, statement.temporary, statement.if_not_exists, replaced, text
        )  # fmt: skip
    relation, columns = _asserting(statement, ticking(sub.relation), columns)
    refuse(relation, "a materialized view")
    history_ms = view_history(statement.options)
    target = _target(statement, columns, relation, reads, context)
    return bound.BoundCreateMaterializedView(
        name, relation, columns, reads if target is None else reads | {target.id}, statement.if_not_exists, replaced,
        history_ms, text,
        schedule(statement.options, context.now), moment_ms(context.now), None if target is None else target.id,
    )  # fmt: skip


def _target(
    statement: statements.CreateView, columns: tuple[Column, ...], relation: Relation, reads: frozenset[int],
    context: Context,
) -> MaterializedView | None:  # fmt: skip
    """The view whose place this one may take, if it is a replacement."""
    name = statement.replacement_for
    if name is None:
        return None
    item = find(ObjectKind.MATERIALIZED_VIEW, name, False, context)
    assert isinstance(item, MaterializedView)
    context.resolve(name)
    if not context.restoring:  # one that has come not to fit any more stays until it is dropped
        check_replacement(item, columns, relation, reads, context.catalog, name.at)
    return item


def _asserting(
    statement: statements.CreateView, relation: Relation, columns: Sequence[Column]
) -> tuple[Relation, tuple[Column, ...]]:
    """The view with the columns that must not be NULL: a row in which one is, is an error of the view."""
    given: list[BoundScalar] = [Ref(i, column.type, column.nullable) for i, column in enumerate(columns)]
    known = list(columns)
    for name, at in asserted(statement.options):
        place = next((i for i, column in enumerate(columns) if column.name == name), None)
        if place is None:
            raise UndefinedColumn(f'column "{name}" in ASSERT NOT NULL option not found', position=at)
        if known[place].nullable:
            type = columns[place].type
            message = Literal(f'column "{name}" must not be null', types.TEXT)
            given[place] = Call(not_null(type), (Ref(place, type), message), type)
            known[place] = replace(known[place], nullable=False)
    return projected(relation, len(columns), given), tuple(known)


def _view_columns(statement: statements.CreateView, columns: Sequence[Column]) -> tuple[Column, ...]:
    if len(statement.columns) > len(columns):
        raise SyntaxError_("CREATE VIEW specifies more column names than columns", position=statement.name.at)
    names = [*statement.columns, *(column.name for column in columns[len(statement.columns) :])]
    for name in names:
        if names.count(name) > 1:
            raise DuplicateColumn(f'column "{name}" specified more than once', position=statement.query.at)
    return tuple(replace(column, name=name) for column, name in zip(columns, names, strict=True))


def _recursive(statement: statements.CreateView) -> syntax.Query:
    """SELECT the columns FROM the query's own name, in WITH RECURSIVE."""
    name, at = statement.name.parts[-1], statement.query.at
    table = syntax.CommonTable(name, statement.columns, (), statement.query, statement.name.at)
    items = tuple(syntax.SelectItem(syntax.ColumnName((column,), at), None) for column in statement.columns)
    source = syntax.TableName(syntax.Name((name,), at, at), None)
    body = syntax.Select(items, (source,), None, None, None, None, at)
    return syntax.Query(body, (), None, None, (table,), syntax.Recursion.RECURSIVE, at)


def _view_sql(statement: statements.CreateView, name: QualifiedName, binder: Queries) -> str:
    """The statement with the names in it written out, so that it means the same in any session."""
    query = with_full_names(statement.span, statement.query.at, binder.context)
    if statement.recursive:
        own, names = quoted(statement.name.parts[-1]), ", ".join(map(quoted, statement.columns))
        query = f"WITH RECURSIVE {own} ({names}) AS ({query}) SELECT {names} FROM {own}"
    word = "MATERIALIZED VIEW" if statement.materialized else "VIEW"
    columns = f" ({', '.join(map(quoted, statement.columns))})" if statement.columns else ""
    options = view_options_sql(statement.options, binder.context.now)
    if statement.replacement_for is not None:
        target = full(binder.context.resolve(statement.replacement_for).name)
        return f"CREATE REPLACEMENT {word} {full(name)}{columns} FOR {target}{options} AS {query}"
    return f"CREATE {word} {full(name)}{columns}{options} AS {query}"


def with_full_names(span: Span, begin: int, context: Context) -> str:
    """The statement's text from position `begin` on, every name in it that the binder resolved written out."""
    text = span.text[begin - span.start :]
    edits = [(use.name.at, use.name.end, name_in(use, use.item.name)) for use in context.uses]
    for at, end, written in sorted({*edits, *context.fixed}, reverse=True):
        if at >= begin:
            text = text[: at - begin] + written + text[end - begin :]
    return text


def name_in(use: Use, name: QualifiedName) -> str:
    """How the text names an item that is called so: in full, but in front of a column with as many parts as there."""
    parts = (name.database, name.schema, name.item)
    return ".".join(map(quoted, parts[-len(use.name.parts) :])) if use.qualifier else full(name)


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


def create_cluster(statement: statements.CreateCluster, context: Context) -> bound.BoundCreateCluster:
    exists = statement.name in context.catalog.clusters
    if exists and not statement.if_not_exists:
        raise DuplicateObject(f'cluster "{statement.name}" already exists')
    return bound.BoundCreateCluster(statement.name, exists)


def create_type(statement: statements.CreateType, context: Context) -> bound.BoundCreateType:
    name = context.catalog.new_name(statement.name.parts, context.path, statement.name.at)
    binder = Queries(context)
    fields = tuple((label, binder.type_of(kind)) for label, kind in statement.options)
    if not statement.base:
        seen: set[str] = set()
        for label, _ in fields:
            if label in seen:
                raise DuplicateColumn(f'column "{label}" specified more than once', position=statement.name.at)
            seen.add(label)
        made = types.record_of(fields)
    else:
        options = dict(statement.options)
        for label, needed in TYPE_OPTIONS[statement.base].items():
            if label not in options:
                raise SyntaxError_(f"CREATE TYPE ... AS {statement.base.upper()} needs {label.upper()}",
                                   position=statement.name.end)  # fmt: skip
            if needed and dict(fields)[label].plain != types.TEXT:
                raise Unsupported("a map with keys that are not text is not supported", position=options[label].at)
            if options[label].of is not None or options[label].dimensions:
                raise InvalidParameter(
                    f"CREATE TYPE ... AS {statement.base.upper()} option {label.upper()} takes a named type",
                    hint="Give the type a name with CREATE TYPE first.", position=options[label].at,
                )  # fmt: skip
        inside = fields[-1][1] if statement.base == "list" else dict(fields)["value type"]
        made = types.container_of(types.Nesting(statement.base), inside)
    rest = with_full_names(statement.span, statement.name.end, context)
    text = f"CREATE TYPE {full(name)}{rest}"
    return bound.BoundCreateType(name, made, frozenset(binder.types), statement.if_not_exists, text)


TYPE_OPTIONS: Final = {"list": {"element type": False}, "map": {"key type": True, "value type": False}}
"""What CREATE TYPE ... AS LIST and MAP must state, and whether it must be text."""


def create_index(statement: statements.CreateIndex, context: Context) -> bound.BoundCreateIndex:
    item = context.resolve(statement.on)
    if isinstance(item, Index | SystemRelation) or not item.columns:
        raise WrongObjectType(f'"{item.name.item}" cannot have an index', position=statement.on.at)
    if isinstance(item, View):
        refuse(ticking(item.relation), "an indexed view")
    expressions: list[KeyExpression] = []
    key: list[int] = []
    for node, text in statement.keys or ():
        place = _column(node, item)
        if place is None:
            place = len(item.columns) + len(expressions)
            expressions.append(KeyExpression(_computed(node, item, context), _as_key(node, text)))
        key.append(place)
    index = Index(0, item.name, item.id, tuple(key) or _default_key(item), "", expressions=tuple(expressions))
    name = _index_name(statement, item, index, context)
    history_ms = history(statement.options)
    text = index_sql(replace(index, name=name, history_ms=history_ms), item)
    return bound.BoundCreateIndex(
        name, item.id, index.key, statement.if_not_exists, text, history_ms, index.expressions
    )


def index_sql(index: Index, on: Item) -> str:
    """The statement that makes an index again."""
    key, history_ms = index.written(on.columns, quoted), index.history_ms
    return f"CREATE INDEX {quoted(index.name.item)} ON {full(on.name)} ({key}){history_sql(history_ms)}"


def _column(node: syntax.Expression, item: Item) -> int | None:
    """The column that a key is, by its name or its number; None: it is to be computed."""
    if isinstance(node, syntax.Number) and node.text.isdigit() and 1 <= int(node.text) <= len(item.columns):
        return int(node.text) - 1
    if not isinstance(node, syntax.ColumnName):
        return None
    found = [i for i, column in enumerate(item.columns) if column.name == node.parts[-1]]
    if not found:
        raise UndefinedColumn(f'column "{node.parts[-1]}" does not exist', position=node.at)
    return found[0]


def _computed(node: syntax.Expression, item: Item, context: Context) -> Scalar:
    """An expression over the columns of a row, and nothing else."""
    binder = Queries(context)
    star = tuple(ScopeColumn(c.name, i, c.type, c.nullable) for i, c in enumerate(item.columns))
    ranges = (Range(item.name.item, (item.name.database, item.name.schema), star),)
    scalar = binder.scalar(node, Place(Scope(star, ranges, len(star), Around(None, {})), "index expression"))
    if binder.reads or holds_query(scalar):
        raise Unsupported("cannot use subquery in index expression", position=node.at)
    refuse(Map(Get(item.id, item.name.item, item.columns), (scalar,)), "an index")
    return cast(Scalar, scalar)


def holds_query(scalar: BoundScalar) -> bool:
    """Whether a subquery is in it."""
    return isinstance(scalar, Exists | ScalarSubquery | Quantified) or any(map(holds_query, parts(scalar)))


def _as_key(node: syntax.Expression, text: str) -> str:
    """In parentheses, as PostgreSQL wants it, unless it is a call; or has some."""
    return text if isinstance(node, syntax.Function) or (text.startswith("(") and text.endswith(")")) else f"({text})"


def _default_key(item: Item) -> tuple[int, ...]:
    """A unique key where one is known, else every column."""
    keys: Sequence[tuple[int, ...]] = ()
    if isinstance(item, SourceRelation):
        keys = item.keys
    elif isinstance(item, View | MaterializedView):
        keys = [tuple(sorted(key)) for key in Facts().keys(item.relation) if key]
    return next(iter(keys), tuple(range(len(item.columns))))


def _index_name(statement: statements.CreateIndex, item: Item, index: Index, context: Context) -> QualifiedName:
    """The name given, or one after the relation and its key that is free."""
    if statement.name is not None:
        return replace(item.name, item=statement.name)
    middle = "primary" if statement.keys is None else "_".join(_called(statement, item))
    stem = f"{item.name.item}_{middle}_idx"
    name, number = replace(item.name, item=stem), 0
    while context.catalog.named(name) is not None:
        if statement.if_not_exists:
            break
        number += 1
        name = replace(item.name, item=f"{stem}{number}")
    return name


def _called(statement: statements.CreateIndex, item: Item) -> Iterator[str]:
    """What an index without a name is called after: columns, functions, and "expr", as in PostgreSQL."""
    for node, _ in statement.keys or ():
        place = _column(node, item)
        if place is not None:
            yield item.columns[place].name
        else:
            yield node.name.parts[-1] if isinstance(node, syntax.Function) else "expr"
