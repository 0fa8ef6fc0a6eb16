"""Logical relations: what the binder makes and the planner rewrites. Immutable; a node refuses to be built wrong.

The binder's output may hold the nodes marked (bound): correlated references `Outer`, subqueries inside scalars, binary
joins of every kind. `decorrelate` leaves none of them behind; `optimize` and `lower` never see them.
"""

from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias

from engine import types
from engine.dataflow.graph import Order
from engine.expr.aggregate import Overload
from engine.expr.scalar import Scalar, Value
from engine.expr.table import TableFunction
from engine.types import Column, SqlType


@dataclass(frozen=True, slots=True)
class Outer:
    """(bound) Column `index` of the row of the query `depth` levels out (1: the query that this one is nested in).

    It stands where a Scalar may stand; so do Exists, ScalarSubquery and InSubquery.
    """

    depth: int
    index: int
    type: SqlType
    nullable: bool = True


@dataclass(frozen=True, slots=True)
class Exists:
    """(bound) Whether the subquery has a row."""

    relation: "Relation"
    type: SqlType = types.BOOLEAN
    nullable: bool = False


@dataclass(frozen=True, slots=True)
class ScalarSubquery:
    """(bound) The one value of a one-column subquery: NULL without a row, error 21000 with more than one."""

    relation: "Relation"
    type: SqlType
    nullable: bool = True


@dataclass(frozen=True, slots=True)
class Quantified:
    """(bound) `operand op ANY|ALL (subquery)`; IN is = ANY, NOT IN is <> ALL. Three-valued.

    `condition` is the comparison itself, a boolean Scalar over the row [outer row's columns | subquery's columns]:
    Refs from len(outer row) on are the subquery's columns, as in an ON condition of a lateral join.
    """

    relation: "Relation"
    condition: "BoundScalar"
    all: bool
    type: SqlType = types.BOOLEAN
    nullable: bool = True


BoundScalar: TypeAlias = Scalar | Outer | Exists | ScalarSubquery | Quantified
"""What the binder makes. Nested positions inside Scalar nodes may hold these too; `decorrelate` removes them."""


class JoinKind(Enum):
    INNER = "inner"
    LEFT = "left"
    RIGHT = "right"
    FULL = "full"


@dataclass(frozen=True, slots=True)
class Get:
    """A collection of the catalog. `keys` are sets of columns known to be unique."""

    id: int
    name: str
    columns: tuple[Column, ...]
    append_only: bool = False
    keys: tuple[tuple[int, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class Local:
    """The relation bound by the Let with this id around it."""

    id: int
    types: tuple[SqlType, ...]


@dataclass(frozen=True, slots=True)
class Let:
    """WITH: `value` computed once, readable in `body` as Local(id). Ids are unique in a statement."""

    id: int
    value: "Relation"
    body: "Relation"


@dataclass(frozen=True, slots=True)
class Constant:
    """Fixed rows, each with its multiplicity. Constant of one row without columns is what a FROM-less SELECT reads."""

    rows: tuple[tuple[tuple[Value, ...], int], ...]
    types: tuple[SqlType, ...]


@dataclass(frozen=True, slots=True)
class Project:
    input: "Relation"
    columns: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Map:
    """The input's columns and then the scalars; a scalar may refer to the ones before it."""

    input: "Relation"
    scalars: "tuple[BoundScalar, ...]"


@dataclass(frozen=True, slots=True)
class Filter:
    """The rows where every predicate is true."""

    input: "Relation"
    predicates: "tuple[BoundScalar, ...]"

    def __post_init__(self) -> None:
        assert all(predicate.type == types.BOOLEAN for predicate in self.predicates)


@dataclass(frozen=True, slots=True)
class FlatMap:
    """Each row with each row the table function yields for it (LATERAL by nature): input columns, then its own."""

    input: "Relation"
    function: TableFunction
    arguments: "tuple[BoundScalar, ...]"


@dataclass(frozen=True, slots=True)
class BoundJoin:
    """(bound) Two relations; `on` is over left's columns then right's. The right side of a lateral join sees the
    left row as Outer(1, ...)."""

    left: "Relation"
    right: "Relation"
    on: "BoundScalar"
    kind: JoinKind
    lateral: bool = False


@dataclass(frozen=True, slots=True)
class Join:
    """Inner join of n inputs, all columns concatenated. Each equivalence is a set of scalars over the concatenated row
    that must be equal, NULL equal to NULL (SQL's `=` adds an IS NOT NULL filter)."""

    inputs: "tuple[Relation, ...]"
    equivalences: tuple[tuple[Scalar, ...], ...]


@dataclass(frozen=True, slots=True)
class AggregateCall:
    """An aggregate in a Reduce: arguments are over the input's row. `filter` NULL means unfiltered."""

    overload: Overload
    arguments: "tuple[BoundScalar, ...]"
    distinct: bool = False
    filter: "BoundScalar | None" = None
    order: "tuple[tuple[BoundScalar, bool, bool], ...]" = ()  # (expression, descending, nulls first)


@dataclass(frozen=True, slots=True)
class Reduce:
    """One row per group with rows: the keys, then the aggregates. With keys () and `scalar` one row even without input
    (a global aggregate: count 0, sums NULL)."""

    input: "Relation"
    keys: "tuple[BoundScalar, ...]"
    aggregates: tuple[AggregateCall, ...]
    scalar: bool = False


@dataclass(frozen=True, slots=True)
class Distinct:
    input: "Relation"


@dataclass(frozen=True, slots=True)
class TopK:
    """Of each group, ordered, the rows from `offset`, at most `limit`. DISTINCT ON is limit 1."""

    input: "Relation"
    group: tuple[int, ...]
    order: tuple[Order, ...]
    limit: int | None
    offset: int = 0


@dataclass(frozen=True, slots=True)
class Negate:
    input: "Relation"


@dataclass(frozen=True, slots=True)
class Threshold:
    input: "Relation"


@dataclass(frozen=True, slots=True)
class Union:
    """UNION ALL of relations with equal column types."""

    inputs: "tuple[Relation, ...]"


Relation: TypeAlias = (
    Get | Local | Let | Constant | Project | Map | Filter | FlatMap | BoundJoin | Join | Reduce | Distinct | TopK
    | Negate | Threshold | Union
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Finishing:
    """What happens to the rows of a top-level SELECT outside the dataflow: sort, cut, project."""

    order: tuple[Order, ...] = ()
    limit: int | None = None
    offset: int = 0
    project: tuple[int, ...] | None = None  # None: all columns


@dataclass(frozen=True, slots=True)
class Query:
    """A bound query: its relation, the names of its output columns (those of `finishing.project`), its finishing."""

    relation: Relation
    names: tuple[str, ...]
    finishing: Finishing = Finishing()


