"""Logical relations: what the binder makes and the planner rewrites. Immutable; a node refuses to be built wrong.

The binder's output may hold the nodes marked (bound): correlated references `Outer`, subqueries inside scalars, binary
joins of every kind. `decorrelate` leaves none of them behind; `optimize` and `lower` never see them.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import Enum
from itertools import chain
from operator import is_
from typing import ClassVar, TypeAlias, cast

from engine import types
from engine.collection import nested
from engine.collection.value import planned
from engine.collection.wanted import ask
from engine.collection.words import raw_of
from engine.dataflow.graph import Order, Ties
from engine.expr.aggregate import Overload
from engine.expr.scalar import Opaque, Scalar, Value
from engine.expr.table import TableFunction
from engine.expr.window import WindowCall
from engine.types import Column, SqlType


@dataclass(frozen=True, slots=True)
class Outer(Opaque):
    """(bound) Column `index` of the row of the query `depth` levels out (1: the query that this one is nested in)."""

    depth: int
    index: int
    type: SqlType
    nullable: bool = True


@dataclass(frozen=True, slots=True)
class Exists(Opaque):
    """(bound) Whether the subquery has a row."""

    subquery: ClassVar[bool] = True

    relation: "Relation"
    type: SqlType = types.BOOLEAN
    nullable: bool = False


@dataclass(frozen=True, slots=True)
class ScalarSubquery(Opaque):
    """(bound) The one value of a one-column subquery: NULL without a row, error 21000 with more than one."""

    subquery: ClassVar[bool] = True

    relation: "Relation"
    type: SqlType
    nullable: bool = True


@dataclass(frozen=True, slots=True)
class Quantified(Opaque):
    """(bound) `operand op ANY|ALL (subquery)`; IN is = ANY, NOT IN is <> ALL. Three-valued.

    `condition` is the comparison itself, a boolean Scalar over the row [outer row's columns | subquery's columns]:
    Refs below `width` are the columns of the row that the whole scalar is over, the others are the subquery's, from
    its first. `width` is stated because a scalar does not know how many columns its row has (a Map adds some).
    """

    subquery: ClassVar[bool] = True

    relation: "Relation"
    condition: "BoundScalar"
    all: bool
    width: int
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
    """A collection of the catalog. `keys` are sets of columns known to be unique. The id says which; the name, as it
    was when this was bound, is for who reads the plan. With `changes` it is what the collection held at that time (ms)
    and all changes since, each with the columns of CHANGES behind its own."""

    id: int
    name: str = field(compare=False)
    columns: tuple[Column, ...]
    append_only: bool = False
    keys: tuple[tuple[int, ...], ...] = ()
    changes: int | None = None


CHANGES = ("mz_timestamp", "mz_diff")


@dataclass(frozen=True, slots=True)
class Local:
    """The relation bound by the Let with this id around it. `nullable` () promises nothing of any column."""

    id: int
    types: tuple[SqlType, ...]
    nullable: tuple[bool, ...] = ()


@dataclass(frozen=True, slots=True)
class Let:
    """WITH: `value` computed once, readable in `body` as Local(id). Ids are unique in a statement."""

    id: int
    value: "Relation"
    body: "Relation"


@dataclass(frozen=True, slots=True)
class LetRec:
    """WITH MUTUALLY RECURSIVE: `values` may read each other and themselves as Local(ids[i]), and so may `body`.

    All start empty; a pass sets each in order to its value, until a pass changes nothing, or for `limit` passes: then
    it fails, or ends if `returns_at_limit`. The columns of a value are those of `types`, and any may be NULL.
    """

    ids: tuple[int, ...]
    types: tuple[tuple[SqlType, ...], ...]
    values: "tuple[Relation, ...]"
    body: "Relation"
    limit: int | None = None
    returns_at_limit: bool = False


@dataclass(frozen=True, slots=True)
class Constant:
    """Fixed rows, each with its multiplicity. Constant of one row without columns is what a FROM-less SELECT reads."""

    rows: tuple[tuple[tuple[Value, ...], int], ...]
    types: tuple[SqlType, ...]

    def __post_init__(self) -> None:
        if any(type.physical is types.Physical.FLOAT or type.nesting is not None for type in self.types):
            rows = tuple((tuple(map(_held, row, self.types)), count) for row, count in self.rows)
            object.__setattr__(self, "rows", rows)


def _held(value: Value, type: SqlType) -> Value:
    """A value as plans hold it: they are hashed, and are the same when they are equal."""
    if type.nesting is None or value is None or isinstance(value, bytes):
        return planned(value)
    return nested.encode(raw_of(value, type), type)


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
    """Of each group, ordered, the rows from `offset`, at most `limit` as `ties` counts them. DISTINCT ON is limit 1."""

    input: "Relation"
    group: tuple[int, ...]
    order: tuple[Order, ...]
    limit: int | None
    offset: int = 0
    ties: Ties = Ties.CUT


@dataclass(frozen=True, slots=True)
class Window:
    """Each row with the value of each call for it: the input's columns, then the calls'. All is over columns: the
    binder computes what calls, partition and order need in a Map below."""

    input: "Relation"
    partition: tuple[int, ...]
    order: tuple[Order, ...]
    calls: tuple[WindowCall, ...]


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
    Get | Local | Let | LetRec | Constant | Project | Map | Filter | FlatMap | BoundJoin | Join | Reduce | Distinct
    | TopK | Window | Negate | Threshold | Union
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


UNIT = Constant((((), 1),), ())
"""One row without columns: what a FROM-less SELECT reads, and the neutral input of Join."""


def children(relation: Relation) -> tuple[Relation, ...]:
    """The relations that a node reads, without those inside its scalars. Whoever walks over a plan comes by here, so it
    is asked whether the plan is still wanted."""
    ask()
    match relation:
        case Get() | Local() | Constant():
            return ()
        case Let():
            return (relation.value, relation.body)
        case LetRec():
            return (*relation.values, relation.body)
        case BoundJoin():
            return (relation.left, relation.right)
        case Join() | Union():
            return relation.inputs
        case _:
            return (relation.input,)


def with_children(relation: Relation, inputs: tuple[Relation, ...]) -> Relation:
    """The node over other inputs; the node itself if they are the very objects that it has."""
    if all(map(is_, inputs, children(relation))):
        return relation
    match relation:
        case Get() | Local() | Constant():
            return relation
        case Let():
            return Let(relation.id, *inputs)
        case LetRec():
            return replace(relation, values=inputs[:-1], body=inputs[-1])
        case BoundJoin():
            return replace(relation, left=inputs[0], right=inputs[1])
        case Join() | Union():
            return replace(relation, inputs=inputs)
        case _:
            return replace(relation, input=inputs[0])


def scalars(relation: Relation) -> "tuple[BoundScalar, ...]":
    """The scalars that a node holds itself, in the order in which `with_scalars` takes them."""
    match relation:
        case Map():
            return relation.scalars
        case Filter():
            return relation.predicates
        case FlatMap():
            return relation.arguments
        case BoundJoin():
            return (relation.on,)
        case Join():
            return tuple(chain.from_iterable(relation.equivalences))
        case Reduce():
            return (*relation.keys, *chain.from_iterable(map(call_scalars, relation.aggregates)))
        case _:
            return ()


def call_scalars(call: AggregateCall) -> "tuple[BoundScalar, ...]":
    """The scalars of an aggregate: arguments, filter, order."""
    held = () if call.filter is None else (call.filter,)
    return (*call.arguments, *held, *(scalar for scalar, _, _ in call.order))


def map_call(call: AggregateCall, change: "Callable[[BoundScalar], BoundScalar]") -> AggregateCall:
    """The aggregate with each of its scalars changed."""
    arguments = tuple(map(change, call.arguments))
    order = tuple((change(scalar), descending, nulls_first) for scalar, descending, nulls_first in call.order)
    return replace(call, arguments=arguments, filter=call.filter and change(call.filter), order=order)


def map_scalars(relation: Relation, change: "Callable[[BoundScalar], BoundScalar]") -> Relation:
    """The node with each scalar that it holds itself changed; the node itself if none is."""
    before = scalars(relation)
    made = {id(scalar): change(scalar) for scalar in before}  # once each: nested subqueries make it costly
    if all(made[id(scalar)] is scalar for scalar in before):
        return relation
    return _with_scalars(relation, lambda scalar: made[id(scalar)])


def _with_scalars(relation: Relation, change: "Callable[[BoundScalar], BoundScalar]") -> Relation:
    match relation:
        case Map():
            return Map(relation.input, tuple(map(change, relation.scalars)))
        case Filter():
            return Filter(relation.input, tuple(map(change, relation.predicates)))
        case FlatMap():
            return replace(relation, arguments=tuple(map(change, relation.arguments)))
        case BoundJoin():
            return replace(relation, on=change(relation.on))
        case Join():
            classes = tuple(tuple(cast(Scalar, change(scalar)) for scalar in group) for group in relation.equivalences)
            return Join(relation.inputs, classes)
        case Reduce():
            aggregates = tuple(map_call(call, change) for call in relation.aggregates)
            return Reduce(relation.input, tuple(map(change, relation.keys)), aggregates, relation.scalar)
        case _:
            return relation
