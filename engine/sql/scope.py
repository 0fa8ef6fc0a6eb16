"""What names mean inside a query: the columns of its FROM clause, and of the queries around it.

A scope describes one row. Levels nest as in the relations that are bound: a subquery's scope has the row of the query
around it as `outer`, and so has the right side of a lateral join the row of the left side; a column found n levels out
becomes Outer(n, ...).
"""

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from engine.catalog.items import Item
from engine.errors import AmbiguousColumn, DuplicateAlias, UndefinedColumn, UndefinedTable
from engine.expr.scalar import Ref
from engine.plan.relation import AggregateCall, Outer, Relation
from engine.types import Column, SqlType


@dataclass(frozen=True, slots=True)
class ScopeColumn:
    """A column that has a name: number `index` of the scope's row."""

    name: str
    index: int
    type: SqlType
    nullable: bool

    @property
    def ref(self) -> Ref:
        return Ref(self.index, self.type, self.nullable)


@dataclass(frozen=True, slots=True)
class Range:
    """A part of FROM as qualified names see it: `name.column`, or `schema.name.column` without an alias. `hidden` are
    columns that no `*` has, and that give way to others of their name."""

    name: str
    qualifier: tuple[str, ...]
    columns: tuple[ScopeColumn, ...]
    item: Item | None = None  # whose own name it is
    hidden: tuple[ScopeColumn, ...] = ()
    one: bool = False  # it is a function's one value, and so is its whole row


@dataclass(frozen=True, slots=True)
class Common:
    """A name that WITH binds: read as Local(id)."""

    id: int
    columns: tuple[Column, ...]


@dataclass(slots=True)
class Scope:
    """The row that expressions are bound over.

    `star` are the columns that unqualified names and `*` mean, in order: those merged by USING once, and first.
    `escaped` is the first use of each column by a subquery, as (name, position), for errors that are found later.
    """

    star: tuple[ScopeColumn, ...]
    ranges: tuple[Range, ...]
    width: int
    around: "Around"
    escaped: dict[int, tuple[str, int]] = field(default_factory=dict)

    def names(self) -> Iterator[str]:
        """Every column name that could be meant, from here outwards."""
        scope: Scope | None = self
        while scope is not None:
            yield from (column.name for column in scope.star)
            scope = scope.around.outer

    def find(self, parts: tuple[str, ...], at: int) -> ScopeColumn | None:
        """The column of this level that a name means; None: another level's, perhaps."""
        *qualifier, name = parts
        if not qualifier:
            found = [column for column in self.star if column.name == name]
            found = found or [column for range_ in self.ranges for column in range_.hidden if column.name == name]
        else:
            range_ = self.range(tuple(qualifier), at)
            if range_ is None:
                return None
            found = [column for column in (*range_.columns, *range_.hidden) if column.name == name]
            if not found:
                near = difflib.get_close_matches(name, [column.name for column in range_.columns], 1)
                hint = f'Perhaps you meant to reference the column "{range_.name}.{near[0]}".' if near else None
                raise UndefinedColumn(f"column {'.'.join(parts)} does not exist", hint=hint, position=at)
        if len(found) > 1:
            raise AmbiguousColumn(f'column reference "{name}" is ambiguous', position=at)
        return found[0] if found else None

    def range(self, qualifier: tuple[str, ...], at: int) -> Range | None:
        """The item of FROM that a qualifier means."""
        found = [
            range_
            for range_ in self.ranges
            if range_.name == qualifier[-1]
            and (len(qualifier) == 1 or range_.qualifier[-len(qualifier) + 1 :] == qualifier[:-1])
        ]
        if len(found) > 1:
            raise AmbiguousColumn(f'table reference "{".".join(qualifier)}" is ambiguous', position=at)
        return found[0] if found else None

    def named_item(self, qualifier: tuple[str, ...], at: int) -> Item | None:
        """The item whose own name (and no alias of it) a qualifier is, here or further out."""
        found = self.range_around(qualifier, at)
        return None if found is None else found.item

    def range_around(self, qualifier: tuple[str, ...], at: int) -> Range | None:
        """The item of FROM that a qualifier means, here or further out."""
        scope: Scope | None = self
        while scope is not None:
            found = scope.range(qualifier, at)
            if found is not None:
                return found
            scope = scope.around.outer
        return None

    def column(self, parts: tuple[str, ...], at: int) -> Ref | Outer:
        """The column that a name means, here or further out. Raises 42703, 42P01 or 42702, with the nearest name."""
        scope: Scope | None = self
        depth = 0
        while scope is not None:
            column = scope.find(parts, at)
            if column is not None:
                return scope.read(column, depth, ".".join(parts), at)
            scope, depth = scope.around.outer, depth + 1
        *qualifier, name = parts
        if qualifier:
            table = ".".join(qualifier)
            raise UndefinedTable(f'missing FROM-clause entry for table "{table}"', position=at)
        near = difflib.get_close_matches(name, list(self.names()), 1)
        hint = f'Perhaps you meant to reference the column "{near[0]}".' if near else None
        raise UndefinedColumn(f'column "{name}" does not exist', hint=hint, position=at)

    def read(self, column: ScopeColumn, depth: int, name: str, at: int) -> Ref | Outer:
        """`column` of this scope, seen from `depth` levels further in."""
        if depth == 0:
            return column.ref
        self.escaped.setdefault(column.index, (name, at))
        return Outer(depth, column.index, column.type, column.nullable)


@dataclass(frozen=True, slots=True)
class Around:
    """What a query stands in: the row of the query around it, and the names that WITH has bound.

    `aggregates` collects the aggregates over that row that are found further in, or is None where they are refused:
    in `clause`. Number n of them is Outer(depth, width + n) until GROUP BY has found its place.
    """

    outer: Scope | None
    tables: Mapping[str, Common]
    aggregates: list[AggregateCall] | None = None
    clause: str = "this clause"


@dataclass(frozen=True, slots=True)
class Source:
    """A bound FROM clause, or a part of it: `star` and `ranges` as in Scope, over the rows of `relation`."""

    relation: Relation
    width: int
    star: tuple[ScopeColumn, ...]
    ranges: tuple[Range, ...]

    def scope(self, around: Around) -> Scope:
        return Scope(self.star, self.ranges, self.width, around)


def shifted(columns: tuple[ScopeColumn, ...], by: int, nullable: bool) -> tuple[ScopeColumn, ...]:
    """The columns with `by` others before them; `nullable` where an outer join may pad them."""
    return tuple(ScopeColumn(c.name, c.index + by, c.type, c.nullable or nullable) for c in columns)


def moved(ranges: tuple[Range, ...], by: int, nullable: bool) -> tuple[Range, ...]:
    return tuple(
        replace(r, columns=shifted(r.columns, by, nullable), hidden=shifted(r.hidden, by, nullable)) for r in ranges
    )


def together(left: tuple[Range, ...], right: tuple[Range, ...], at: int) -> tuple[Range, ...]:
    """The items of both sides of a join. Raises 42712 where two have one name."""
    for range_ in right:
        if any(other.name == range_.name and other.qualifier == range_.qualifier for other in left):
            raise DuplicateAlias(f'table name "{range_.name}" specified more than once', position=at)
    return left + right
