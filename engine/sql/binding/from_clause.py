"""FROM: tables, views, subqueries, table functions, and the joins between them."""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import assert_never

from engine import types
from engine.catalog.items import (
    Connection,
    DurableSubscription,
    Index,
    Item,
    MaterializedView,
    Secret,
    Sink,
    SourceRelation,
    SystemRelation,
    Table,
    Type,
    View,
    kind,
)
from engine.catalog.items import (
    Source as SourceItem,
)
from engine.catalog.timelines import timeline_of
from engine.errors import (
    AmbiguousColumn,
    DuplicateColumn,
    ObjectNotInState,
    SyntaxError_,
    UndefinedColumn,
    Unsupported,
    WrongObjectType,
)
from engine.expr import overload
from engine.expr.rows_from import one_row, rows_from
from engine.expr.scalar import Coalesce, Literal, Ref
from engine.expr.table import TableFunction
from engine.plan.facts import Facts
from engine.plan.relation import (
    CHANGES,
    UNIT,
    BoundJoin,
    BoundScalar,
    Filter,
    FlatMap,
    Get,
    JoinKind,
    Local,
    Map,
    Project,
    Relation,
)
from engine.sql import syntax
from engine.sql.binding.applying import TRUE, call, cast, conjunction, located
from engine.sql.binding.calls import Calls
from engine.sql.binding.context import Context, Use
from engine.sql.binding.place import Place, Subrelation
from engine.sql.binding.time_windows import windowed
from engine.sql.binding.tree import renumbered
from engine.sql.binding.types import sql_type
from engine.sql.binding.writing import article
from engine.sql.parameters import UndefinedParameter
from engine.sql.scope import Around, Range, Scope, ScopeColumn, Source, moved, shifted, together
from engine.sql.syntax import FromItem, JoinType
from engine.types import CastContext, Column, Nesting, SqlType

KINDS = {
    JoinType.INNER: JoinKind.INNER, JoinType.CROSS: JoinKind.INNER, JoinType.LEFT: JoinKind.LEFT,
    JoinType.RIGHT: JoinKind.RIGHT, JoinType.FULL: JoinKind.FULL,
}  # fmt: skip
RELATIONS = {
    "pg_show_all_settings": "pg_settings", "pg_timezone_names": "pg_timezone_names",
    "pg_timezone_abbrevs": "pg_timezone_abbrevs", "pg_cursor": "pg_cursors",
    "pg_prepared_statement": "pg_prepared_statements", "pg_prepared_xact": "pg_prepared_xacts",
    "pg_lock_status": "pg_locks", "pg_available_extensions": "pg_available_extensions",
}  # fmt: skip
"""Functions that PostgreSQL's own views are made of, by the view that is a relation here."""
NOTHING = Source(UNIT, 0, (), ())
"""The FROM clause of a SELECT without one."""


@dataclass
class FromClause(Calls):
    """Binds FROM. `reads` collects the ids of the items named, `types` those of types; `timed` is the first of the
    items that has a timeline, and which."""

    context: Context
    reads: set[int] = field(default_factory=set)
    types: set[int] = field(default_factory=set)
    timed: tuple[Item, str] | None = None
    _last_let: int = 0

    def parameter(self, expression: syntax.Parameter) -> BoundScalar:
        if self.context.parameters is None:
            raise UndefinedParameter(f"there is no parameter ${expression.number}", position=expression.at)
        self.unsettled = True
        return self.context.parameters.scalar(expression.number, expression.at)

    @abstractmethod
    def derived(self, query: syntax.Query, around: Around) -> Subrelation:
        """A query in FROM; an untyped literal in it is text."""

    @abstractmethod
    def timestamp(self, node: syntax.Expression) -> int:
        """The constant of AS OF or UP TO, in milliseconds since 1970."""

    def fresh(self) -> int:
        """An id for a Let: unique in the statement."""
        self._last_let += 1
        return self._last_let

    def from_clause(self, items: Sequence[FromItem], around: Around) -> Source:
        """The comma's items, joined from the left."""
        if not items:
            return NOTHING
        source = self.from_item(items[0], around)
        for item in items[1:]:
            source = self._joined(source, item, JoinType.CROSS, None, around, item_at(item))
        return source

    def joined(self, source: Source, items: Sequence[FromItem], around: Around) -> Source:
        """The rows of `source` beside each row of these items: UPDATE ... FROM, DELETE ... USING."""
        for item in items:
            source = self._joined(source, item, JoinType.CROSS, None, around, item_at(item))
        return source

    def from_item(self, item: FromItem, around: Around) -> Source:
        match item:
            case syntax.TableName():
                return self._table(item, around)
            case syntax.Derived():
                sub = self.derived(item.query, around)
                return self._renamed(sub.relation, sub.columns, item.alias, "", (), item.at)
            case syntax.WindowTable():
                return self._windows_of_time(item, around)
            case syntax.ChangesTable():
                return self._changes(item, around)
            case syntax.FunctionTable():
                return self._as_relation(item) or self._function_table(NOTHING, item, around)
            case syntax.JoinTable():
                return self._join(item, around)
            case _:
                assert_never(item)

    def _table(self, item: syntax.TableName, around: Around) -> Source:
        name = item.name
        common = around.tables.get(name.parts[0]) if len(name.parts) == 1 else None
        if common is not None:
            local = Local(
                common.id,
                tuple(column.type for column in common.columns),
                tuple(column.nullable for column in common.columns),
            )
            return self._renamed(local, common.columns, item.alias, name.parts[0], (), name.at)
        found = self.item(name)
        relation = self.read(found, name.at)
        qualifier = (found.name.database, found.name.schema)
        source = self._renamed(relation, found.columns, item.alias, found.name.item, qualifier, name.at)
        if isinstance(found, SystemRelation):
            source = _with_hidden(source, found)
        if item.alias is not None:
            return source
        return replace(source, ranges=tuple(replace(range_, item=found) for range_ in source.ranges))

    def _changes(self, item: syntax.ChangesTable, around: Around) -> Source:
        name = item.relation
        if len(name.parts) == 1 and name.parts[0] in around.tables:
            raise WrongObjectType(f'"{name}" is of this statement: it has no history', position=name.at)
        found = self.item(name)
        relation = self.read(found, name.at)
        if not isinstance(relation, Get) or isinstance(found, View | SystemRelation):
            raise Unsupported(
                f"CHANGES of {article(kind(found))} is not supported", position=name.at,
                hint="It is for tables, sources and materialized views: what is kept has a history.",
            )  # fmt: skip
        as_of = self.timestamp(item.as_of)
        if item.at_least:
            frontier = self.context.runtime.frontiers.get(found.id)
            if frontier is None:
                raise ObjectNotInState(
                    f'"{name}" is still hydrating: since when its changes are known is not known yet',
                    hint="Try again later, or say AS OF without AT LEAST.", position=name.at,
                )  # fmt: skip
            as_of = max(as_of, frontier[0])
            if self.context.parameters is not None:
                self.context.parameters.immediate = True  # the earliest moves on
        self.context.fixed.append((item.begin, item.end, str(as_of)))
        given = (Column(CHANGES[0], types.MZ_TIMESTAMP, False), Column(CHANGES[1], types.BIGINT, False))
        columns = (*found.columns, *given)
        relation = replace(relation, columns=columns, keys=(), changes=as_of)
        return self._renamed(relation, columns, item.alias, found.name.item, (), item.at)

    def type_of(self, name: syntax.TypeName) -> SqlType:
        return sql_type(name, self._created)

    def _created(self, name: syntax.Name) -> SqlType | None:
        """The type of that name that CREATE TYPE has made."""
        found = self.context.catalog.find(name.parts, self.context.path)
        if not isinstance(found, Type):
            return None
        self.context.uses.append(Use(name, found))
        self.types.add(found.id)
        return found.type

    def item(self, name: syntax.Name) -> Item:
        """The catalog's item of that name."""
        return self.context.resolve(name)

    def note(self, parts: tuple[str, ...], scope: Scope, at: int, until: int) -> None:
        item = scope.named_item(parts, at) if until else None
        if item is not None:
            self.context.uses.append(Use(syntax.Name(parts, at, until), item, qualifier=True))

    def read(self, item: Item, at: int) -> Relation:
        """The rows of an item: a view's query stands for it."""
        self.reads.add(item.id)
        self._check_timeline(item, at)
        self.unsettled = self.unsettled or isinstance(item, View | SystemRelation)
        match item:
            case View():
                return renumbered(item.relation, self.fresh)
            case Table():
                # NULL is equal to NULL in rows, but not in a constraint: a key with a nullable column is none here.
                keys = (key.columns for key in item.keys)
                known = tuple(key for key in keys if not any(item.columns[c].nullable for c in key))
                return Get(item.id, str(item.name), item.columns, keys=known)
            case MaterializedView():
                known = tuple(tuple(sorted(key)) for key in Facts().keys(item.relation))
                return Get(item.id, str(item.name), item.columns, keys=known)
            case SystemRelation():
                return Get(item.id, str(item.name), item.columns)
            case SourceRelation():
                return Get(item.id, str(item.name), item.columns, item.append_only, item.keys)
            case SourceItem():
                if not item.columns:
                    raise WrongObjectType(
                        f'source "{item.name.item}" has no rows of its own', position=at,
                        hint="Read its tables: SHOW SOURCES lists them.",
                    )  # fmt: skip
                return Get(item.id, str(item.name), item.columns, item.append_only, item.keys)
            case Index() | Type() | Secret() | Connection() | Sink() | DurableSubscription():
                raise WrongObjectType(f'"{item.name.item}" is {article(kind(item))}', position=at)
            case _:
                assert_never(item)

    def _check_timeline(self, item: Item, at: int) -> None:
        """It is of the same timeline as what was read before it."""
        timeline = timeline_of(item, self.context.catalog.items)
        if timeline is None:
            return
        first, other = self.timed = self.timed or (item, timeline)
        if timeline != other:
            raise Unsupported(
                f'"{first.name.item}" and "{item.name.item}" are of two timelines: they cannot be read together',
                detail=f'"{first.name.item}" is of {other}, "{item.name.item}" of {timeline}.',
                hint="Make their sources WITH (timeline = ...) of one name, or both without, on the clock's timeline.",
                position=at,
            )

    @staticmethod
    def _renamed(
        relation: Relation,
        columns: Sequence[Column],
        alias: syntax.Alias | None,
        name: str,
        qualifier: tuple[str, ...],
        at: int,
    ) -> Source:
        """The relation under its alias, if it has one, or its own name."""
        names = [column.name for column in columns]
        if alias is not None:
            if len(alias.columns) > len(names):
                raise SyntaxError_(
                    f'table "{alias.name}" has {len(names)} columns available '
                    f"but {len(alias.columns)} columns specified",
                    position=alias.at,
                )
            names[: len(alias.columns)] = alias.columns
            name, qualifier = alias.name, ()
        star = tuple(
            ScopeColumn(label, i, column.type, column.nullable)
            for i, (label, column) in enumerate(zip(names, columns, strict=True))
        )
        ranges = (Range(name, qualifier, star),) if name else ()
        return Source(relation, len(star), star, ranges)

    def _join(self, item: syntax.JoinTable, around: Around) -> Source:
        left = self.from_item(item.left, around)
        source = self._joined(left, item.right, item.type, item, around, item.at)
        if item.alias is not None:  # JOIN ... USING (...) AS alias names the merged columns alone
            assert item.using is not None
            merged = Range(item.alias.name, (), source.star[: len(item.using)])
            source = replace(source, ranges=together(source.ranges, (merged,), item.at))
        if item.whole is None:
            return source
        if len(item.whole.columns) > len(source.star):
            raise SyntaxError_(
                f'join "{item.whole.name}" has {len(source.star)} columns available '
                f"but {len(item.whole.columns)} columns specified",
                position=item.whole.at,
            )
        names = [*item.whole.columns, *(column.name for column in source.star[len(item.whole.columns) :])]
        star = tuple(replace(column, name=name) for column, name in zip(source.star, names, strict=True))
        return replace(source, star=star, ranges=(Range(item.whole.name, (), star),))

    def _joined(
        self,
        left: Source,
        item: FromItem,
        type_: JoinType,
        join: syntax.JoinTable | None,
        around: Around,
        at: int,
    ) -> Source:
        """`left` joined with `item`; `join` holds the condition, None for a comma."""
        inner = type_ in (JoinType.INNER, JoinType.CROSS)
        lateral = inner or type_ is JoinType.LEFT
        if inner and isinstance(item, syntax.FunctionTable) and _relation_name(item) is None:
            source = self._function_table(left, item, around)
            right = Source(UNIT, source.width - left.width, *_tail(source, left))
            return self._condition(source.relation, left, right, type_, join, around, False, at)
        if lateral and is_lateral(item):
            right = self.from_item(item, Around(left.scope(around), around.tables))
            return self._condition(None, left, right, type_, join, around, True, at)
        right = self.from_item(item, around)
        return self._condition(None, left, right, type_, join, around, False, at)

    def _condition(
        self,
        product: Relation | None,
        left: Source,
        right: Source,
        type_: JoinType,
        join: syntax.JoinTable | None,
        around: Around,
        lateral: bool,
        at: int,
    ) -> Source:
        """The join of both sides. `product` is their cross product where that is made already."""
        pads_left, pads_right = type_ in (JoinType.RIGHT, JoinType.FULL), type_ in (JoinType.LEFT, JoinType.FULL)
        left_ranges = moved(left.ranges, 0, pads_left) if pads_left else left.ranges
        right_ranges = moved(right.ranges, left.width, pads_right)
        plain = Source(
            UNIT,
            left.width + right.width,
            left.star + shifted(right.star, left.width, False),
            together(left.ranges, moved(right.ranges, left.width, False), at),
        )
        names: tuple[str, ...] = ()
        on: BoundScalar = TRUE
        if join is not None and join.on is not None:
            on = self.boolean(join.on, Place(plain.scope(around), "JOIN conditions"), "JOIN/ON")
        elif join is not None and (join.natural or join.using is not None):
            names = join.using or tuple(
                column.name for column in left.star if any(column.name == other.name for other in right.star)
            )
            on = self._using(names, left, right, at)
        if product is not None:
            relation: Relation = product if on is TRUE else Filter(product, (on,))
        else:
            relation = BoundJoin(left.relation, right.relation, on, KINDS[type_], lateral)
        star = shifted(left.star, 0, pads_left) + shifted(right.star, left.width, pads_right)
        joined = Source(relation, left.width + right.width, star, together(left_ranges, right_ranges, at))
        return self._merged(joined, names, type_, len(left.star)) if names else joined

    @staticmethod
    def _using(names: Sequence[str], left: Source, right: Source, at: int) -> BoundScalar:
        tests: list[BoundScalar] = []
        for name in names:
            if names.count(name) > 1:
                raise DuplicateColumn(f'column name "{name}" appears more than once in USING clause', position=at)
            a, b = _only(left, name, "left", at), _only(right, name, "right", at)
            shifted_b = Ref(b.index + left.width, b.type, b.nullable)
            tests.append(located(at, call, "=", a.ref, shifted_b))
        return conjunction(tests) if tests else TRUE

    @staticmethod
    def _merged(joined: Source, names: Sequence[str], type_: JoinType, left_columns: int) -> Source:
        """Columns that USING names once, first, and from the side that is never padded."""
        left, right = joined.star[:left_columns], joined.star[left_columns:]
        merged: list[ScopeColumn] = []
        added: list[BoundScalar] = []
        for name in names:
            a = next(column for column in left if column.name == name)
            b = next(column for column in right if column.name == name)
            common = overload.common_type((a.type, b.type), "JOIN/USING")
            kept: BoundScalar = cast((b if type_ is JoinType.RIGHT else a).ref, common, CastContext.IMPLICIT)
            if type_ is JoinType.FULL:
                other = cast(b.ref, common, CastContext.IMPLICIT)
                kept = Coalesce((kept, other), common)  # pyright: ignore[reportArgumentType]
            if isinstance(kept, Ref):
                merged.append(ScopeColumn(name, kept.index, kept.type, kept.nullable))
            else:
                merged.append(ScopeColumn(name, joined.width + len(added), kept.type, kept.nullable))
                added.append(kept)
        rest = tuple(column for column in joined.star if column.name not in names)
        relation = Map(joined.relation, tuple(added)) if added else joined.relation
        return Source(relation, joined.width + len(added), (*merged, *rest), joined.ranges)

    def _as_relation(self, item: syntax.FunctionTable) -> Source | None:
        relation = _relation_name(item)
        if relation is None:
            return None
        found = self.context.catalog.find(("pg_catalog", relation), self.context.path)
        assert found is not None
        name = item.functions[0].name.parts[-1]
        return self._renamed(self.read(found, item.at), found.columns, item.alias, name, (), item.at)

    def _function_table(self, left: Source, item: syntax.FunctionTable, around: Around) -> Source:
        """Each row of `left` with the rows that the function yields for it."""
        function = item.functions[0]
        name = self._name(function)
        place = Place(left.scope(around), "functions in FROM")
        if len(item.functions) == 1 and not item.ordinality and not overload.is_table_function(name):
            return self._scalar_table(left, item, function, place)
        functions = tuple(one for part in item.functions for one in self._side_by_side(part))
        parts, given = zip(*(self._function_rows(part, place) for part in functions), strict=True)
        found = rows_from(parts, item.ordinality)
        columns = found.columns
        if len(parts) == len(parts[0].columns) == 1 and columns[0].name == name and item.alias is not None:
            columns = (replace(columns[0], name=item.alias.name), *columns[1:])  # it is called as the alias says
        relation = FlatMap(left.relation, found, tuple(chain.from_iterable(given)))
        right = self._renamed(UNIT, columns, item.alias, name, (), item.at)
        return _beside(left, relation, _of_one(right) if len(found.columns) == 1 else right, item.at)

    def _windows_of_time(self, item: syntax.WindowTable, around: Around) -> Source:
        source = self._table(syntax.TableName(item.relation, None), around)
        place = Place(source.scope(around), "functions in FROM")
        rows = Project(source.relation, tuple(column.index for column in source.star))  # nothing that * does not show
        found, added = windowed(rows, len(source.star), item, lambda node: self.scalar(node, place))
        columns = (*(Column(c.name, c.type, c.nullable) for c in source.star), *added)
        return self._renamed(found, columns, item.alias, item.function, (), item.at)

    def _side_by_side(self, function: syntax.Function) -> tuple[syntax.Function, ...]:
        """unnest(a, b) is ROWS FROM (unnest(a), unnest(b))."""
        if self._name(function) != "unnest" or len(function.arguments) < 2:
            return (function,)
        return tuple(replace(function, arguments=(argument,)) for argument in function.arguments)

    def _function_rows(self, function: syntax.Function, place: Place) -> tuple[TableFunction, tuple[BoundScalar, ...]]:
        """A function of ROWS FROM and its arguments; one that yields a value is a table of one row."""
        name = self._name(function)
        if overload.is_table_function(name):
            return self.table_function(name, function, [self.scalar(node, place) for node in function.arguments])
        scalar = self.typed(function, place)
        return one_row(name, scalar.type, scalar.nullable), (scalar,)

    def _scalar_table(
        self, left: Source, item: syntax.FunctionTable, function: syntax.Function, place: Place
    ) -> Source:
        """A function that yields one value, as a table of one row."""
        scalar = self.typed(function, place)
        name = function.name.parts[-1]
        label = name if item.alias is None else item.alias.name
        columns = (Column(label, scalar.type, scalar.nullable),)
        relation = Map(left.relation, (scalar,))
        right = self._renamed(UNIT, columns, item.alias, name, (), item.at)
        return _beside(left, relation, right if scalar.type.nesting is Nesting.RECORD else _of_one(right), item.at)


def _relation_name(item: syntax.FunctionTable) -> str | None:
    """The system relation whose rows a function of PostgreSQL's catalog yields."""
    function = item.functions[0]
    if function.arguments or len(item.functions) > 1 or item.ordinality:
        return None
    return RELATIONS.get(function.name.parts[-1])


def _of_one(source: Source) -> Source:
    """A function's values: the row of one is the value itself."""
    return replace(source, ranges=tuple(replace(range_, one=True) for range_ in source.ranges))


def _beside(left: Source, relation: Relation, right: Source, at: int) -> Source:
    """Both sides' columns over `relation`, which has them one after the other."""
    return Source(
        relation,
        left.width + right.width,
        left.star + shifted(right.star, left.width, False),
        together(left.ranges, moved(right.ranges, left.width, False), at),
    )


def _tail(source: Source, left: Source) -> tuple[tuple[ScopeColumn, ...], tuple[Range, ...]]:
    """What `source` has beyond `left`, as a side of its own."""
    star = shifted(source.star[len(left.star) :], -left.width, False)
    return star, moved(source.ranges[len(left.ranges) :], -left.width, False)


def _only(source: Source, name: str, side: str, at: int) -> ScopeColumn:
    """The one column of that name on a side of a USING."""
    found = [column for column in source.star if column.name == name]
    if not found:
        raise UndefinedColumn(f'column "{name}" specified in USING clause does not exist in {side} table', position=at)
    if len(found) > 1:
        raise AmbiguousColumn(f'common column name "{name}" appears more than once in {side} table', position=at)
    return found[0]


def _with_hidden(source: Source, item: SystemRelation) -> Source:
    """PostgreSQL's columns of each row that no * has: its relation's number, by which clients tell what a comment is
    on, and the transaction that wrote it, by which they tell whether it has changed: none is kept."""
    width = source.width
    hidden = (ScopeColumn("tableoid", width, types.OID, False), ScopeColumn("xmin", width + 1, types.XID, False))
    relation = Map(source.relation, (Literal(item.id, types.OID), Literal(0, types.XID)))
    ranges = tuple(replace(range_, hidden=hidden) for range_ in source.ranges)
    return Source(relation, width + 2, source.star, ranges)


def is_lateral(item: FromItem) -> bool:
    """Whether an item of FROM sees the items before it."""
    match item:
        case syntax.TableName() | syntax.WindowTable() | syntax.ChangesTable():
            return False
        case syntax.Derived():
            return item.lateral
        case syntax.FunctionTable():
            return any(function.arguments for function in item.functions)
        case syntax.JoinTable():
            return is_lateral(item.left) or is_lateral(item.right)
        case _:
            assert_never(item)


def item_at(item: FromItem) -> int:
    """Where an item of FROM stands."""
    return item.name.at if isinstance(item, syntax.TableName) else item.at
