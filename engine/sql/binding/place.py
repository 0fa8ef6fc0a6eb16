"""Where an expression stands, and what is found there before its own column stands in its place."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from engine import types
from engine.expr.aggregate import Kind as AggregateKind
from engine.expr.scalar import Opaque
from engine.expr.window import Frame, Kind
from engine.plan.relation import AggregateCall, BoundScalar, Relation
from engine.sql import syntax
from engine.sql.scope import Scope
from engine.types import Column, SqlType


@dataclass(frozen=True, slots=True)
class Slot(Opaque):
    """Aggregate number `index` of the SELECT, until grouping puts a Ref in its place."""

    index: int
    type: SqlType
    nullable: bool


@dataclass(frozen=True, slots=True)
class GroupingSlot(Opaque):
    """GROUPING(...) number `index` of the SELECT: which of its arguments the row's grouping does not group by."""

    index: int
    type: SqlType = types.INTEGER
    nullable: bool = False


@dataclass(frozen=True, slots=True)
class WindowSlot(Opaque):
    """Window function number `index` of the SELECT, until its column stands in its place."""

    index: int
    type: SqlType
    nullable: bool


@dataclass(frozen=True, slots=True)
class BoundWindow:
    """A window function over the place's row. Items of `order` are (scalar, descending, NULLs first).

    `key`, `start` and `end` are there with RANGE and offsets: the ordering value and the bounds as values of its type.
    """

    kind: Kind | AggregateKind
    arguments: tuple[BoundScalar, ...]
    type: SqlType
    nullable: bool
    partition: tuple[BoundScalar, ...]
    order: tuple[tuple[BoundScalar, bool, bool], ...]
    frame: Frame
    key: BoundScalar | None = None
    start: BoundScalar | None = None
    end: BoundScalar | None = None
    ignore_nulls: bool = False
    filter: BoundScalar | None = None
    within: tuple[tuple[BoundScalar, bool, bool], ...] = ()  # the ORDER BY inside an aggregate's call


@dataclass(slots=True)
class Windows:
    """The window functions found in a SELECT, and the windows that it names."""

    named: Mapping[str, syntax.Window]
    calls: list[BoundWindow] = field(default_factory=list)


@dataclass(slots=True)
class Place:
    """Where an expression stands: over which row, in which clause (for messages), and whether aggregates may.

    `aggregates` collects the aggregates found, or is None where they are refused; `used` is the first use of each
    column of the row, as (name, position), for errors that are found later. `rows`: table functions may stand here;
    `windows` collects window functions, or is None where they may not; `groupings` the arguments of GROUPING(...).
    """

    scope: Scope
    clause: str
    aggregates: list[AggregateCall] | None = None
    used: dict[int, tuple[str, int]] = field(default_factory=dict)
    rows: bool = False
    windows: Windows | None = None
    groupings: list[tuple[BoundScalar, ...]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Subrelation:
    """A bound subquery: its relation and the columns that come out, `unknown` those that are untyped literals."""

    relation: Relation
    columns: tuple[Column, ...]
    unknown: frozenset[int] = frozenset()
