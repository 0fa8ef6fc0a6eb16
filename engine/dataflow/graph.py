"""A dataflow as data: what the planner's `lower` makes, commands carry and `render` turns into operators.

Nodes are immutable and compare by structure, so the same subplan over the same collections is the same key, whoever
asked for it: that is the hash-consing of the operator graph. A row of a node's output is the concatenation named in its
docstring; NULL equals NULL wherever rows or keys are compared (SQL's `=` is the planner's IS NOT NULL filter before).
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import Enum
from typing import TypeAlias

from engine import types
from engine.expr.aggregate import Kind
from engine.expr.scalar import Ref, Scalar, Value
from engine.expr.table import TableFunction
from engine.expr.window import WindowCall
from engine.types import SqlType


@dataclass(frozen=True, slots=True)
class Order:
    """One ORDER BY column."""

    column: int
    descending: bool = False
    nulls_first: bool = False


class Ties(Enum):
    """What the limit of a TopK counts, and what becomes of rows that its order does not tell apart (peers)."""

    CUT = "cut"  # rows: what row_number() <= limit says
    WHOLE = "with ties"  # rows, and the peers of the last of them: rank() <= limit
    COUNTED = "peers counted once"  # groups of peers: dense_rank() <= limit


@dataclass(frozen=True, slots=True)
class Source:
    """The collection that the catalog knows as `id`: a table, a source's relation, or a maintained view.

    `append_only` promises that no diff is ever negative (min/max then keep one value, contents are a log).
    """

    id: int
    types: tuple[SqlType, ...]
    append_only: bool = False


@dataclass(frozen=True, slots=True)
class Constant:
    """Fixed rows, each with its multiplicity."""

    rows: tuple[tuple[tuple[Value, ...], int], ...]
    types: tuple[SqlType, ...]


@dataclass(frozen=True, slots=True)
class Compute:
    """A step of Mfp: append one column, the value of `expression` over the columns so far."""

    expression: Scalar


@dataclass(frozen=True, slots=True)
class Keep:
    """A step of Mfp: keep the rows where `predicate` is true. A row that an earlier step dropped is never evaluated."""

    predicate: Scalar

    def __post_init__(self) -> None:
        assert self.predicate.type == types.BOOLEAN


@dataclass(frozen=True, slots=True)
class Mfp:
    """Map, filter and project in one: the steps in order, then the columns of `project`.

    A row whose step fails leaves the ok stream and enters the error stream.
    """

    input: "Plan"
    steps: tuple[Compute | Keep, ...]
    project: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class FlatMap:
    """Each row, once for each row that the table function yields for it: input columns, then the function's."""

    input: "Plan"
    function: TableFunction
    arguments: tuple[Scalar, ...]


@dataclass(frozen=True, slots=True)
class Lookup:
    """A stage of a join path: the columns `stream_key` of the rows so far meet the columns `key` of input `input`.

    The rows so far are the inputs visited, concatenated in the order of the visits, unprojected. NULL meets NULL except
    in the columns where `strict` says so; () where it does everywhere.
    """

    input: int
    stream_key: tuple[int, ...]
    key: tuple[int, ...]
    strict: tuple[bool, ...] = ()


@dataclass(frozen=True, slots=True)
class Join:
    """Inner equi-join of n inputs as a delta join: `paths[i]` says how a change of input i meets all the others.

    Output: the columns `project` of the inputs concatenated in input order. An empty key is a cross product.
    """

    inputs: "tuple[Plan, ...]"
    paths: tuple[tuple[Lookup, ...], ...]
    project: tuple[int, ...]

    def __post_init__(self) -> None:
        assert len(self.paths) == len(self.inputs) >= 2
        for i, path in enumerate(self.paths):
            assert sorted([i, *(lookup.input for lookup in path)]) == list(range(len(self.inputs)))


@dataclass(frozen=True, slots=True)
class Aggregate:
    """One aggregate of Reduce over columns of its input. DISTINCT and FILTER are gone: the planner lowers them."""

    kind: Kind
    columns: tuple[int, ...]
    type: SqlType
    order: tuple[Order, ...] = ()  # WHOLE_GROUP kinds only


@dataclass(frozen=True, slots=True)
class Reduce:
    """One row per group that has rows: the key columns, then the aggregates. No group, no row, also for key ()."""

    input: "Plan"
    key: tuple[int, ...]
    aggregates: tuple[Aggregate, ...]


@dataclass(frozen=True, slots=True)
class Distinct:
    """One copy of each row whose count is above zero."""

    input: "Plan"


@dataclass(frozen=True, slots=True)
class Threshold:
    """max(count, 0) copies of each row."""

    input: "Plan"


@dataclass(frozen=True, slots=True)
class TopK:
    """Of each group the rows from `offset`, at most `limit` (None: all) as `ties` counts them, by `order`; among peers
    by the whole row's content. An offset counts rows, so there is none where peers are counted once."""

    input: "Plan"
    group: tuple[int, ...]
    order: tuple[Order, ...]
    limit: int | None
    offset: int = 0
    ties: Ties = Ties.CUT

    def __post_init__(self) -> None:
        assert not self.offset or self.ties is not Ties.COUNTED


@dataclass(frozen=True, slots=True)
class Window:
    """Each row with the value of each call for it: input columns, then the calls'. A row that counts n is n rows.

    Rows of a partition stand in `order`; ties by the whole row's content, as in TopK.
    """

    input: "Plan"
    partition: tuple[int, ...]
    order: tuple[Order, ...]
    calls: tuple[WindowCall, ...]


@dataclass(frozen=True, slots=True)
class Union:
    """The inputs' counts added."""

    inputs: "tuple[Plan, ...]"


@dataclass(frozen=True, slots=True)
class Negate:
    """The input's counts negated."""

    input: "Plan"


@dataclass(frozen=True, slots=True)
class Temporal:
    """The rows at whose tick t holds: column `lower` <= t < column `upper`, both bigint, each None where it is open.

    NULL in a bound: never. The one node whose output changes without a change of its input.
    """

    input: "Plan"
    lower: int | None
    upper: int | None


@dataclass(frozen=True, slots=True)
class Schedule:
    """When a view is refreshed, in ms: at the times of `at`, at every first + k * step (k any integer) of the
    (first, step) in `every`, and, if `at_once`, at the tick at which it begins."""

    at: tuple[int, ...]
    every: tuple[tuple[int, int], ...]
    at_once: bool

    def first(self, since: int, tick: int) -> int | None:
        """The first refresh of a view that is there since `since` and begins at `tick`: then, if one was to be before
        it began."""
        first = self.after(since - 1)
        return tick if self.at_once or (first is not None and first <= tick) else first

    def after(self, tick: int) -> int | None:
        """The first refresh after `tick`; None: there is none."""
        times = [time for time in self.at if time > tick]
        times += [first + ((tick - first) // step + 1) * step for first, step in self.every]
        return min(times, default=None)

    def last(self, tick: int) -> int | None:
        """The last refresh up to `tick`, but for that at the beginning; None: there was none."""
        times = [time for time in self.at if time <= tick]
        times += [first + (tick - first) // step * step for first, step in self.every]
        return max(times, default=None)


@dataclass(frozen=True, slots=True)
class Refresh:
    """The input as of the last refresh. `view` is whose it is: two views began at different ticks. Changes without a
    change of its input, as Temporal does. `resumes`: it begins with a refresh that was before the server began."""

    input: "Plan"
    view: int
    schedule: Schedule
    since: int = 0
    resumes: int | None = None


@dataclass(frozen=True, slots=True)
class Changes:
    """The input as of tick `as_of`, and every change of it since, as rows that never go: the input's columns, the tick,
    the diff."""

    input: "Plan"
    as_of: int


@dataclass(frozen=True, slots=True)
class Local:
    """A leaf inside a LetRec: its input number `index`, or, counted on from there, its variable."""

    index: int
    types: tuple[SqlType, ...]


@dataclass(frozen=True, slots=True)
class LetRec:
    """The rows of `result` over the variables: the fixed point that passes from empty variables reach.

    A pass sets each variable in order to its body. `bodies` and `result` read Locals only: all that does not depend on
    the variables is an input. `limit` is the number of passes, after which it fails or, if `returns_at_limit`, ends.
    """

    inputs: "tuple[Plan, ...]"
    variables: tuple[tuple[SqlType, ...], ...]
    bodies: "tuple[Plan, ...]"
    result: "Plan"
    limit: int | None = None
    returns_at_limit: bool = False


Plan: TypeAlias = (
    Local | LetRec | Source | Constant | Mfp | FlatMap | Join | Reduce | Distinct | Threshold | TopK | Window | Union
    | Negate | Temporal | Refresh | Changes
)  # fmt: skip


def output_types(plan: Plan) -> tuple[SqlType, ...]:
    """The types of the columns of a node's rows."""
    match plan:
        case Source() | Constant() | Local():
            return plan.types
        case LetRec():
            return output_types(plan.result)
        case Mfp():
            row = [*output_types(plan.input), *(s.expression.type for s in plan.steps if isinstance(s, Compute))]
            return tuple(row[i] for i in plan.project)
        case FlatMap():
            return output_types(plan.input) + tuple(column.type for column in plan.function.columns)
        case Join():
            row = [t for child in plan.inputs for t in output_types(child)]
            return tuple(row[i] for i in plan.project)
        case Reduce():
            row = output_types(plan.input)
            return tuple(row[i] for i in plan.key) + tuple(a.type for a in plan.aggregates)
        case Distinct() | Threshold() | TopK() | Negate() | Temporal() | Refresh():
            return output_types(plan.input)
        case Window():
            return output_types(plan.input) + tuple(call.type for call in plan.calls)
        case Changes():
            return (*output_types(plan.input), types.MZ_TIMESTAMP, types.BIGINT)
        case Union():
            return output_types(plan.inputs[0])


def inputs(plan: Plan) -> "tuple[Plan, ...]":
    """The nodes that a node reads."""
    match plan:
        case Source() | Constant() | Local():
            return ()
        case Mfp() | FlatMap() | Reduce() | Distinct() | Threshold() | TopK() | Window() | Negate():
            return (plan.input,)
        case Temporal() | Refresh() | Changes():
            return (plan.input,)
        case Join() | Union() | LetRec():
            return plan.inputs


def nodes(plan: Plan) -> "Iterator[Plan]":
    """Each node once. O(size): a plan is a graph, in which one node may have many readers."""
    seen: set[int] = set()
    todo: list[Plan] = [plan]
    while todo:
        node = todo.pop()
        if id(node) not in seen:
            seen.add(id(node))
            yield node
            todo.extend(inputs(node))


def with_inputs(plan: Plan, new: "tuple[Plan, ...]") -> Plan:
    """The node over other inputs."""
    match plan:
        case Source() | Constant() | Local():
            return plan
        case Join() | Union() | LetRec():
            return replace(plan, inputs=new)
        case _:
            return replace(plan, input=new[0])


def is_monotone(plan: LetRec) -> bool:
    """Whether more rows in the variables never mean fewer rows in a body, and the fixed point is all that is asked."""
    seen: set[int] = set()
    waiting = list(plan.bodies)
    while waiting:
        node = waiting.pop()
        if not isinstance(node, Local | Mfp | FlatMap | Join | Union | Distinct):
            return False
        if id(node) not in seen:
            seen.add(id(node))
            waiting += inputs(node)
    return plan.limit is None


def by_chance(plan: Mfp) -> bool:
    """Whether it differs from one evaluation to the next, and from row to row."""
    scalars = (step.expression if isinstance(step, Compute) else step.predicate for step in plan.steps)
    return any(scalar.volatile for scalar in scalars)


def refs(columns: tuple[int, ...], row: tuple[SqlType, ...]) -> tuple[Ref, ...]:
    """Those columns of a row as expressions."""
    return tuple(Ref(i, row[i]) for i in columns)
