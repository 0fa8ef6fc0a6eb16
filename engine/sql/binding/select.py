"""One SELECT, with the ORDER BY that stands behind it: they share the row that their expressions are over."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from engine import types
from engine.dataflow.graph import Order
from engine.errors import (
    AmbiguousColumn,
    DuplicateColumn,
    GroupingError,
    InvalidColumnReference,
    SyntaxError_,
    UndefinedColumn,
    UndefinedTable,
)
from engine.expr.scalar import Ref
from engine.plan.relation import BoundScalar, Filter, Map, Project, Relation
from engine.sql import syntax
from engine.sql.binding.applying import settled
from engine.sql.binding.from_clause import FromClause
from engine.sql.binding.grouping import Grouping, grouped
from engine.sql.binding.keys import cut, distinct
from engine.sql.binding.names import output_name
from engine.sql.binding.place import Place, Windows
from engine.sql.binding.window_functions import named_windows
from engine.sql.binding.windows import regrouped, windowed
from engine.sql.binding.yielding import expanded
from engine.sql.scope import Around, Scope, ScopeColumn
from engine.sql.syntax import Expression, OrderItem
from engine.types import Column, SqlType


@dataclass(frozen=True, slots=True)
class Rows:
    """A bound query before its LIMIT. The first columns of `relation` are the query's `columns`, any others are there
    for `order` alone. `unknown` are columns that hold untyped literals, as text."""

    relation: Relation
    columns: tuple[Column, ...]
    width: int
    order: tuple[Order, ...] = ()
    unknown: frozenset[int] = frozenset()
    kinds: tuple[SqlType, ...] = ()  # of all columns, where there is an `order`


@dataclass(slots=True)
class Output:
    """The select list as it grows: named items first, then what only ORDER BY and DISTINCT ON need."""

    names: list[str] = field(default_factory=list)
    nodes: list[Expression | None] = field(default_factory=list)  # None: a column that `*` stands for
    scalars: list[BoundScalar] = field(default_factory=list)

    def index(self, scalar: BoundScalar) -> int:
        """The column that holds `scalar`, added if need be."""
        for index, held in enumerate(self.scalars):
            if held == scalar:
                return index
        self.scalars.append(scalar)
        return len(self.scalars) - 1

    def named(self, name: str, at: int) -> int | None:
        """The item of that name. Items that are the same expression are not ambiguous."""
        found = [i for i, held in enumerate(self.names) if held == name]
        if len({self.scalars[i] for i in found}) > 1:
            raise AmbiguousColumn(f'ORDER BY "{name}" is ambiguous', position=at)
        return found[0] if found else None

    def position(self, node: syntax.Number, clause: str) -> int:
        """The item at a position that a constant in ORDER BY or GROUP BY gives."""
        if not node.text.lstrip("-").isdigit():
            raise SyntaxError_(f"non-integer constant in {clause}", position=node.at)
        position = int(node.text)
        if not 1 <= position <= len(self.names):
            raise InvalidColumnReference(f"{clause} position {position} is not in select list", position=node.at)
        return position - 1


class Selects(FromClause):
    """Binds SELECT."""

    def select(self, select: syntax.Select, order: Sequence[OrderItem], around: Around) -> Rows:
        source = self.from_clause(select.from_, around)
        scope = source.scope(around)
        relation = source.relation
        if select.where is not None:
            relation = Filter(relation, (self.boolean(select.where, Place(scope, "WHERE"), "WHERE"),))
            scope.escaped.clear()  # before the grouping a subquery may use any column
        items = self._items(select.items, scope)
        windows = Windows(named_windows(select.windows))
        place = Place(scope, "SELECT", [], rows=True, windows=windows)
        keys, sets = self._keys(select, items, place)
        output, unknown = self._output(items, place)
        visible = len(output.names)
        having = None
        if select.having is not None:
            having = self.boolean(select.having, replace(place, clause="HAVING", rows=False, windows=None), "HAVING")
        distinct_on = [self._ordered(node, output, place, "SELECT DISTINCT ON") for node in select.distinct or ()]
        ordering = self._order(order, output, place, "ORDER BY")
        if select.qualify is not None:
            output.scalars.append(self.boolean(select.qualify, replace(place, rows=False), "QUALIFY"))
        width = scope.width
        if place.aggregates or place.groupings or select.group is not None or select.having is not None:
            relation = self._reduced(relation, keys, sets, having, output, place)
            width = len(keys) + len(place.aggregates or ()) + len(place.groupings)
        relation, width, output.scalars = windowed(relation, width, windows.calls, output.scalars)
        if select.qualify is not None:
            relation = Filter(relation, (output.scalars.pop(),))
        relation, width, output.scalars = expanded(relation, width, output.scalars)
        relation = projected(relation, width, output.scalars)
        if select.distinct is not None:
            if not select.distinct:
                if len(output.scalars) > visible:
                    raise InvalidColumnReference(
                        "for SELECT DISTINCT, ORDER BY expressions must appear in select list",
                        position=order[0].expression.at,
                    )
                relation = distinct(relation, [scalar.type for scalar in output.scalars])
            else:
                relation = self._distinct_on(relation, output, distinct_on, ordering, select.distinct[0].at)
        columns = tuple(
            Column(name, scalar.type, scalar.nullable)
            for name, scalar in zip(output.names, output.scalars, strict=False)
        )
        kinds = tuple(scalar.type for scalar in output.scalars)
        return Rows(relation, columns, len(output.scalars), ordering, unknown, kinds)

    def _items(self, items: Sequence[syntax.SelectItem], scope: Scope) -> list[tuple[str, Expression | ScopeColumn]]:
        """The select list with its stars written out."""
        found: list[tuple[str, Expression | ScopeColumn]] = []
        for item in items:
            node = item.expression
            if isinstance(node, syntax.Field) and node.name == "*":
                fields = self.fields(node.operand, Place(scope, "SELECT", [], rows=True))
                found.extend((name, syntax.Field(node.operand, name, node.at)) for name, _ in fields)
                continue
            if not isinstance(node, syntax.Star):
                found.append((item.alias or output_name(node), node))
                continue
            if node.qualifier:
                range_ = scope.range(node.qualifier, node.at)
                if range_ is None:
                    name = ".".join(node.qualifier)
                    raise UndefinedTable(f'missing FROM-clause entry for table "{name}"', position=node.at)
                self.note(node.qualifier, scope, node.at, node.until)
                found.extend((column.name, column) for column in self._kept(range_.columns, node, scope))
            elif not scope.ranges and not scope.star:
                raise SyntaxError_("SELECT * with no tables specified is not valid", position=node.at)
            else:
                found.extend((column.name, column) for column in self._kept(scope.star, node, scope))
        return found

    @staticmethod
    def _kept(columns: Sequence[ScopeColumn], star: syntax.Star, scope: Scope) -> list[ScopeColumn]:
        """The columns of a star without those of its EXCEPT."""
        gone: set[int] = set()
        for name in star.without:
            own = next((held for held in columns if (held.name,) == name.parts), None)
            column = own or scope.find(name.parts, name.at)
            if column is None or all(column.index != held.index for held in columns):
                raise UndefinedColumn(
                    f'column "{".".join(name.parts)}" in EXCEPT is not one that the star stands for', position=name.at
                )
            if column.index in gone:
                raise DuplicateColumn(f'column "{name.parts[-1]}" in EXCEPT appears twice', position=name.at)
            gone.add(column.index)
        return [column for column in columns if column.index not in gone]

    def _output(
        self, items: Sequence[tuple[str, Expression | ScopeColumn]], place: Place
    ) -> tuple[Output, frozenset[int]]:
        output, unknown = Output(), set[int]()
        for index, (name, node) in enumerate(items):
            if isinstance(node, ScopeColumn):
                place.used.setdefault(node.index, (node.name, 0))
                scalar: BoundScalar = node.ref
            else:
                scalar = self.scalar(node, place)
                if scalar.type == types.UNKNOWN:
                    unknown.add(index)
                    scalar = settled(scalar)
            output.names.append(name)
            output.nodes.append(None if isinstance(node, ScopeColumn) else node)
            output.scalars.append(scalar)
        return output, frozenset(unknown)

    def _keys(
        self, select: syntax.Select, items: Sequence[tuple[str, Expression | ScopeColumn]], place: Place
    ) -> tuple[list[BoundScalar], list[tuple[int, ...]]]:
        """The keys of GROUP BY: positions, columns, then names of the select list, or any expression; and the sets of
        them to group by."""
        inside = Place(place.scope, "GROUP BY", None, place.used)
        keys: list[BoundScalar] = []
        places: list[int] = []
        for node in select.group or ():
            meant: Expression | ScopeColumn = node
            if isinstance(node, syntax.Number):
                listed = Output([name for name, _ in items])
                meant = items[listed.position(node, "GROUP BY")][1]
            elif isinstance(node, syntax.ColumnName) and len(node.parts) == 1:
                meant = self._key_name(node, items, place.scope)
            key = meant.ref if isinstance(meant, ScopeColumn) else self.typed(meant, inside)
            if key not in keys:
                keys.append(key)
            places.append(keys.index(key))
        if not select.sets:
            return keys, [tuple(range(len(keys)))]
        sets = [tuple(sorted({places[i] for i in chosen})) for chosen in select.sets]
        return keys, list(dict.fromkeys(sets)) if select.once else sets

    @staticmethod
    def _key_name(
        node: syntax.ColumnName, items: Sequence[tuple[str, Expression | ScopeColumn]], scope: Scope
    ) -> Expression | ScopeColumn:
        """A bare name in GROUP BY: a column of the input before an output name."""
        if scope.find(node.parts, node.at) is not None:
            return node
        found = [item for name, item in items if name == node.parts[0]]
        if len(found) > 1 and any(item != found[0] for item in found):
            raise AmbiguousColumn(f'GROUP BY "{node.parts[0]}" is ambiguous', position=node.at)
        return found[0] if found else node

    def _reduced(
        self,
        relation: Relation,
        keys: Sequence[BoundScalar],
        sets: Sequence[tuple[int, ...]],
        having: BoundScalar | None,
        output: Output,
        place: Place,
    ) -> Relation:
        """GROUP BY and HAVING; the scalars of the output and of window functions are then over the groups."""
        aggregates = tuple(place.aggregates or ())
        padded = frozenset(key for key in range(len(keys)) if any(key not in chosen for chosen in sets))
        after = Grouping(keys, len(aggregates), place, padded)
        groupings = [[self._grouping_key(scalar, keys) for scalar in given] for given in place.groupings]
        relation = grouped(relation, keys, sets, aggregates, groupings, self.fresh)
        if having is not None:
            relation = Filter(relation, (after(having),))
        output.scalars = [after(scalar) for scalar in output.scalars]
        if place.windows is not None:
            place.windows.calls = [regrouped(call, after) for call in place.windows.calls]
        return relation

    @staticmethod
    def _grouping_key(scalar: BoundScalar, keys: Sequence[BoundScalar]) -> int:
        if scalar not in keys:
            raise GroupingError("arguments to GROUPING must be grouping expressions of the associated query level")
        return keys.index(scalar)

    def _order(self, order: Sequence[OrderItem], output: Output, place: Place, clause: str) -> tuple[Order, ...]:
        found: list[Order] = []
        for item in order:
            column = self._ordered(item.expression, output, place, clause)
            if all(other.column != column for other in found):
                found.append(ordering(column, item))
        return tuple(found)

    def _ordered(self, node: Expression, output: Output, place: Place, clause: str) -> int:
        """The column that an item of ORDER BY means: a position, an output's name, or an expression over the input."""
        if isinstance(node, syntax.Number):
            return output.position(node, clause)
        if isinstance(node, syntax.String):
            raise SyntaxError_(f"non-integer constant in {clause}", position=node.at)
        if isinstance(node, syntax.ColumnName) and len(node.parts) == 1:
            index = output.named(node.parts[0], node.at)
            if index is not None:
                return index
        return output.index(self.typed(node, replace(place, clause=clause)))

    @staticmethod
    def _distinct_on(
        relation: Relation, output: Output, columns: Sequence[int], order: Sequence[Order], at: int
    ) -> Relation:
        group = tuple(dict.fromkeys(columns))
        leading = [item.column for item in order[: len(group)]]
        if set(leading) - set(group):
            raise InvalidColumnReference(
                "SELECT DISTINCT ON expressions must match initial ORDER BY expressions", position=at
            )
        kinds = [scalar.type for scalar in output.scalars]
        return cut(relation, kinds, group, tuple(item for item in order if item.column not in group), 1)


def ordering(column: int, item: OrderItem) -> Order:
    """An ORDER BY column with PostgreSQL's default for NULLs: last, or first when descending."""
    nulls_first = item.descending if item.nulls_first is None else item.nulls_first
    return Order(column, item.descending, nulls_first)


def projected(relation: Relation, width: int, scalars: Sequence[BoundScalar]) -> Relation:
    """The scalars, and nothing else, over the rows of `relation`, which are `width` columns wide."""
    computed: list[BoundScalar] = []
    columns: list[int] = []
    for scalar in scalars:
        if isinstance(scalar, Ref):
            columns.append(scalar.index)
        else:
            columns.append(width + len(computed))
            computed.append(scalar)
    if computed:
        relation = Map(relation, tuple(computed))
    if columns == list(range(width + len(computed))):
        return relation
    return Project(relation, tuple(columns))
