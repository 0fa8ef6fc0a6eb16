"""What depends on a table whose columns have changed, bound again: it has to go on to mean what it meant.

Law  let A be the relation that the dependent had, with the table read as its new columns under their old places and
     names; let B be what its statement is bound to against the new catalog. Where A and B are the same after the
     optimiser, the statement stays as it is written. Else it is written so that it names the columns that it has known
     (`FROM t` becomes `FROM (SELECT a, b AS c FROM t) AS t`), and has to be the same then; or it cannot be kept.

What is only known of columns (that they are not NULL, are a key) is no part of what a statement means.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Final, TypeAlias

from engine.catalog.catalog import Catalog, Path, is_temporary
from engine.catalog.items import Index, Item, MaterializedView, Table, View, kind
from engine.errors import DependentObjects, SqlError
from engine.expr.scalar import Literal, Ref
from engine.plan.decorrelate import decorrelate
from engine.plan.lower import with_finishing_as_topk
from engine.plan.optimize import optimize, prepare
from engine.plan.relation import BoundScalar, Get, Local, Outer, Relation
from engine.sql import bound, dialect, statements
from engine.sql.binding.context import Context
from engine.sql.binding.definitions import create_index, create_view
from engine.sql.binding.select import projected
from engine.sql.binding.tree import rewrite
from engine.sql.binding.writing import full, quoted
from engine.sql.syntax import ColumnName, Select, TableName
from engine.types import Column

NAMELESS: Final = ""

Named: TypeAlias = tuple[tuple[str, str], ...]
"""Columns, and what a query calls them."""


@dataclass(frozen=True, slots=True)
class Moved:
    """Relation `old` is `new` by now: for each old column its place among the new ones, None: it is gone."""

    old: Item
    new: Item
    places: tuple[int | None, ...]

    def as_it_was(self) -> Relation:
        """The rows of the new one, with the columns of the old. What is gone is NULL: nothing may tell."""
        given: list[BoundScalar] = [
            Literal(None, column.type) if place is None else Ref(place, column.type)
            for place, column in zip(self.places, self.old.columns, strict=True)
        ]
        relation = Get(self.new.id, NAMELESS, _bare(self.new))
        return projected(relation, len(self.new.columns), given)

    def as_written(self, named: Sequence[tuple[str, str]] | None = None) -> str:
        """The same in SQL, without the columns that are gone. `named`: only these of the old, under these names."""
        places = {column.name: place for column, place in zip(self.old.columns, self.places, strict=True)}
        wanted = [(name, name) for name in places] if named is None else named
        shown: list[str] = []
        for name, called in wanted:
            place = places[name]
            if place is not None:
                now = self.new.columns[place].name
                shown.append(quoted(now) if now == called else f"{quoted(now)} AS {quoted(called)}")
        return f"SELECT {', '.join(shown)} FROM {full(self.new.name)}"


def unmoved(old: Item, new: Item) -> Moved:
    """It has the columns that it had."""
    return Moved(old, new, tuple(range(len(old.columns))))


def again(
    item: Item, old: Catalog, new: Catalog, moved: Mapping[int, Moved], context: Context
) -> bound.BoundCreateView | bound.BoundCreateMaterializedView | bound.BoundCreateIndex:
    """What makes the item again over what moved. Raises DependentObjects where nothing would be the same."""
    if isinstance(item, Index):
        (statement,) = dialect.parse(_renamed_keys(item, moved[item.on]))
        assert isinstance(statement, statements.CreateIndex)
        try:
            return create_index(statement, at_catalog(context, new))
        except SqlError as error:
            raise lost(item, error.message) from None
    if not isinstance(item, View | MaterializedView):
        raise lost(item, "it cannot be made again: drop it first, and create it anew after")
    if reads_changes(item.relation, moved):
        raise lost(item, "what is changed has no history yet that CHANGES could tell")
    wanted = _meaning(rewrite(item.relation, lambda node: _moved(node, moved)))
    why = "it would mean something else"
    for text in (item.create_sql, _pinned(item, old, moved, context)):
        try:
            found = create_view(_statement(text, item), at_catalog(context, new))
        except SqlError as error:
            why = error.message
            continue
        relation = (
            found.relation
            if isinstance(found, bound.BoundCreateMaterializedView)
            else with_finishing_as_topk(found.query)
        )
        same = [(c.name, c.type) for c in found.columns] == [(c.name, c.type) for c in item.columns]
        if same and _meaning(relation) == wanted:
            return found
    raise lost(item, why)


def _renamed_keys(index: Index, move: Moved) -> str:
    """The statement of an index, its columns as they are called now."""
    now = {
        column.name: move.new.columns[place].name
        for column, place in zip(move.old.columns, move.places, strict=True)
        if place is not None
    }
    sql = index.create_sql
    (statement,) = dialect.parse(sql)
    assert isinstance(statement, statements.CreateIndex)
    names = {node.at: node for node in _nodes(statement.keys or ()) if isinstance(node, ColumnName)}
    for at, node in sorted(names.items(), reverse=True):
        name = node.parts[0]
        if len(node.parts) == 1 and now.get(name, name) != name:
            sql = sql[: at - 1] + quoted(now[name]) + sql[node.until - 1 :]
    return sql


def lost(item: Item, why: str) -> DependentObjects:
    return DependentObjects(f'{kind(item)} "{item.name.item}" depends on what is changed', detail=why)


def at_catalog(context: Context, catalog: Catalog) -> Context:
    """To bind a statement of the catalog in, in which every name is whole."""
    return replace(context, catalog=catalog, path=Path(temporary=context.path.temporary), uses=[], fixed=[])


def made_by(item: View | MaterializedView) -> statements.CreateView:
    """The statement that makes it."""
    return _statement(item.create_sql, item)


def _statement(text: str, item: Item) -> statements.CreateView:
    (made,) = dialect.parse(text)
    assert isinstance(made, statements.CreateView)
    if is_temporary(item.name):
        made = replace(made, name=replace(made.name, parts=(item.name.item,)), temporary=True)
    return made


def _moved(node: Relation, moved: Mapping[int, Moved]) -> Relation:
    return moved[node.id].as_it_was() if isinstance(node, Get) and node.id in moved else node


def reads_changes(relation: Relation, moved: Mapping[int, Moved]) -> bool:
    """Whether a query reads CHANGES of what moved."""
    found = False

    def look(node: Relation) -> Relation:
        nonlocal found
        found = found or (isinstance(node, Get) and node.changes is not None and node.id in moved)
        return node

    rewrite(relation, look)
    return found


def _meaning(relation: Relation) -> Relation:
    """What it computes, whatever is known of the columns."""
    return optimize(decorrelate(prepare(rewrite(relation, _unknowing, _any_may_be_null))))


def _unknowing(node: Relation) -> Relation:
    match node:
        case Get():
            columns = tuple(replace(c, name=NAMELESS, nullable=True) for c in node.columns)
            return Get(node.id, NAMELESS, columns, changes=node.changes)
        case Local():
            return Local(node.id, node.types)
        case _:
            return node


def _any_may_be_null(node: BoundScalar) -> BoundScalar:
    return replace(node, nullable=True) if isinstance(node, Ref | Outer) else node


def _bare(item: Item) -> tuple[Column, ...]:
    return tuple(replace(column, name=NAMELESS, nullable=True) for column in item.columns)


def _pinned(item: Item, old: Catalog, moved: Mapping[int, Moved], context: Context) -> str:
    """The statement, every table that it reads and whose columns moved replaced by the columns that it had."""
    statement = _statement(item.create_sql, item)
    before = at_catalog(context, old)
    create_view(statement, before)
    tables = {node.name.at: node for node in _nodes(statement) if isinstance(node, TableName)}
    selects = dict(found for node in _nodes(statement) if (found := _only_names(node)) is not None)
    sql = item.create_sql
    edits: set[tuple[int, int, str]] = set()
    for use in before.uses:
        move = moved.get(use.item.id)
        if move is None or not isinstance(use.item, Table | View | MaterializedView):
            continue
        if use.item.columns == move.new.columns:
            continue
        at, called = use.name.at, quoted(use.name.parts[-1])
        if use.qualifier:
            edits.add((at, use.name.end, called))
        elif at in selects:
            begin, named = selects[at]
            edits.add((begin, use.name.end, move.as_written(named)))
        elif at in tables:
            alias = "" if tables[at].alias is not None else f" AS {called}"
            edits.add((at, use.name.end, f"({move.as_written()}){alias}"))
    for at, end, text in sorted(edits, reverse=True):
        sql = sql[: at - 1] + text + sql[end - 1 :]
    return sql


def _nodes(node: object) -> Iterator[object]:
    """The nodes of a statement, at any depth."""
    yield node
    if is_dataclass(node):
        for each in fields(node):
            yield from _nodes(getattr(node, each.name))
    elif isinstance(node, Sequence) and not isinstance(node, str):
        for each in node:
            yield from _nodes(each)


def _only_names(node: object) -> tuple[int, tuple[int, Named]] | None:
    """Of `SELECT a, b AS c FROM t` and nothing more: where t stands; where it begins, and its columns and their
    names. It is what an earlier change has left here."""
    match node:
        case Select(items, (TableName(name, None),), None, None, None, None, at, (), None):
            pairs = [
                (item.expression.parts[0], item.alias or item.expression.parts[0])
                for item in items
                if isinstance(item.expression, ColumnName) and len(item.expression.parts) == 1
            ]
            return (name.at, (at, tuple(pairs))) if len(pairs) == len(items) else None
        case _:
            return None
