"""Window functions as data: what a call computes for each row of a partition, and over which of its rows.

Frames are those of SQL:2011 as PostgreSQL has them. A RANGE frame with offsets compares column `key` with columns that
hold the bounds themselves (the ordering value moved by the offset), which the binder computes below: so the operator
needs no arithmetic of types.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final

from engine.expr.aggregate import EXTREME, WHOLE_GROUP
from engine.expr.aggregate import Kind as AggregateKind
from engine.types import SqlType


class Kind(Enum):
    """The functions that are no aggregates."""

    ROW_NUMBER = "row_number"
    RANK = "rank"
    DENSE_RANK = "dense_rank"
    PERCENT_RANK = "percent_rank"
    CUME_DIST = "cume_dist"
    NTILE = "ntile"
    LAG = "lag"
    LEAD = "lead"
    FIRST_VALUE = "first_value"
    LAST_VALUE = "last_value"
    NTH_VALUE = "nth_value"


DOCS: Final[Mapping[Kind, tuple[str, str, str]]] = {
    Kind.ROW_NUMBER: ("", "bigint", "the number of the row in its partition, from 1"),
    Kind.RANK: ("", "bigint", "the row_number of the first of its peers: ranks with gaps"),
    Kind.DENSE_RANK: ("", "bigint", "how many groups of peers there are up to its own: ranks without gaps"),
    Kind.PERCENT_RANK: ("", "double precision", "(rank - 1) / (rows of the partition - 1); 0 of one row"),
    Kind.CUME_DIST: ("", "double precision", "the share of the partition's rows up to its last peer"),
    Kind.NTILE: ("n", "integer", "which of n even parts, from 1; n is that of the partition's first row"),
    Kind.LAG: ("x, offset, default", "the type of x", "x of the row so many (1) before; else the default (NULL)"),
    Kind.LEAD: ("x, offset, default", "the type of x", "x of the row so many (1) after; else the default (NULL)"),
    Kind.FIRST_VALUE: ("x", "the type of x", "x of the frame's first row"),
    Kind.LAST_VALUE: ("x", "the type of x", "x of the frame's last row"),
    Kind.NTH_VALUE: ("x, n", "the type of x", "x of the frame's n-th row, from 1; NULL if there is none"),
}
"""Arguments, result and meaning of each: its row in docs/functions.md."""
OFFSETS: Final = frozenset({Kind.LAG, Kind.LEAD})
VALUES: Final = frozenset({Kind.FIRST_VALUE, Kind.LAST_VALUE, Kind.NTH_VALUE})
RANKINGS: Final = frozenset(
    {Kind.ROW_NUMBER, Kind.RANK, Kind.DENSE_RANK, Kind.PERCENT_RANK, Kind.CUME_DIST, Kind.NTILE}
)
FUNCTIONS: Final[Mapping[str, Kind]] = {kind.value: kind for kind in Kind}
"""By SQL name."""


class Unit(Enum):
    ROWS = "rows"
    RANGE = "range"
    GROUPS = "groups"


class Edge(Enum):
    """Where a frame begins or ends."""

    UNBOUNDED_PRECEDING = "unbounded preceding"
    PRECEDING = "preceding"
    CURRENT_ROW = "current row"
    FOLLOWING = "following"
    UNBOUNDED_FOLLOWING = "unbounded following"


MOVED: Final = (Edge.PRECEDING, Edge.FOLLOWING)
"""Those with an offset."""


class Exclude(Enum):
    NO_OTHERS = "no others"
    CURRENT_ROW = "current row"
    GROUP = "group"
    TIES = "ties"


@dataclass(frozen=True, slots=True)
class Bound:
    """An end of a frame. `offset` counts rows or groups; of RANGE it is the column that holds the bound."""

    edge: Edge
    offset: int = 0


@dataclass(frozen=True, slots=True)
class Frame:
    """The rows around the current one that a function sees. `key` is the ordering column of RANGE with offsets."""

    unit: Unit = Unit.RANGE
    start: Bound = Bound(Edge.UNBOUNDED_PRECEDING)
    end: Bound = Bound(Edge.CURRENT_ROW)
    exclude: Exclude = Exclude.NO_OTHERS
    key: int | None = None

    def columns(self) -> tuple[int, ...]:
        """The columns that it reads: the key, then the bounds."""
        if self.key is None:
            return ()
        return (self.key, *(bound.offset for bound in (self.start, self.end) if bound.edge in MOVED))

    def moved(self, to: Mapping[int, int]) -> "Frame":
        """The frame over a row whose column i is at to[i]."""
        if self.key is None:
            return self
        start, end = (
            Bound(bound.edge, to[bound.offset]) if bound.edge in MOVED else bound for bound in (self.start, self.end)
        )
        return Frame(self.unit, start, end, self.exclude, to[self.key])


DEFAULT_FRAME: Final = Frame()


@dataclass(frozen=True, slots=True)
class WindowCall:
    """One function of a Window over columns of its input's rows. `filter`: only rows where that column is true count.

    `within`: the order in which an aggregate of the whole frame takes its rows, before that of the window: (column,
    descending, NULLs first).
    Arguments of LAG and LEAD: value, offset, default; of NTILE: the number; of NTH_VALUE: value, number, or value alone
    if the number is the same for all rows, `number`.
    """

    kind: Kind | AggregateKind
    columns: tuple[int, ...]
    type: SqlType
    nullable: bool = True
    frame: Frame = DEFAULT_FRAME
    ignore_nulls: bool = False
    filter: int | None = None
    within: tuple[tuple[int, bool, bool], ...] = ()
    number: int | None = None

    def reads(self) -> tuple[int, ...]:
        """Every column that it reads."""
        ordering = (column for column, _, _ in self.within)
        return (*self.columns, *self.frame.columns(), *(() if self.filter is None else (self.filter,)), *ordering)

    def moved(self, to: Mapping[int, int]) -> "WindowCall":
        """The call over a row whose column i is at to[i]."""
        return WindowCall(
            self.kind, tuple(to[column] for column in self.columns), self.type, self.nullable, self.frame.moved(to),
            self.ignore_nulls, None if self.filter is None else to[self.filter],
            tuple((to[column], descending, first) for column, descending, first in self.within), self.number,
        )  # fmt: skip

    @property
    def framed(self) -> bool:
        """Whether its value depends on the frame."""
        return self.kind not in RANKINGS and self.kind not in OFFSETS

    def of_partition(self, ordered: bool) -> bool:
        """Whether it is one aggregate of all rows of a partition, which may have an order or none."""
        frame = self.frame
        to_end = frame.end.edge is Edge.UNBOUNDED_FOLLOWING or (
            frame.end.edge is Edge.CURRENT_ROW and frame.unit is Unit.RANGE and not ordered
        )
        plain = isinstance(self.kind, AggregateKind) and self.kind not in WHOLE_GROUP
        return plain and to_end and frame.start.edge is Edge.UNBOUNDED_PRECEDING and frame.exclude is Exclude.NO_OTHERS

    def looks_back(self, peers: bool) -> bool:
        """Whether its value depends on no row after the current one, but its `peers`: then a prefix of the partition
        (that cuts no peers apart) will do."""
        if self.kind in (Kind.ROW_NUMBER, Kind.RANK, Kind.DENSE_RANK):
            return True
        back = (Edge.UNBOUNDED_PRECEDING, Edge.PRECEDING, Edge.CURRENT_ROW)
        rows = self.frame.unit is Unit.ROWS and self.frame.exclude in (Exclude.NO_OTHERS, Exclude.CURRENT_ROW)
        return self.framed and (peers or rows) and self.frame.end.edge in back

    def __str__(self) -> str:
        number = [] if self.number is None else [str(self.number)]
        inner = ", ".join([*(f"#{column}" for column in self.columns), *number])
        star = "*" if isinstance(self.kind, AggregateKind) else ""
        parts = [f"{self.kind.value.removesuffix('(*)')}({inner or star})"]
        parts += ["ignore nulls"] if self.ignore_nulls else []
        parts += [] if self.filter is None else [f"filter=#{self.filter}"]
        if self.framed and self.frame != DEFAULT_FRAME:
            parts.append(frame_text(self.frame))
        return " ".join(parts)


@dataclass(frozen=True, slots=True)
class Reach:
    """How far from a row the rows are that its values depend on, the same for all calls of a window.

    `back` rows before it and `ahead` after it, or with `peers` so many groups of peers. `before`: beyond `back`, only
    what all the rows before come to counts (a running sum); `behind`: beyond `ahead`, what all rows behind come to. The
    rest is in the data: `offsets` are the LAGs and LEADs, as (column, whether a positive offset looks ahead), `skips`
    those that IGNORE NULLS, as (column of values, that of offsets, whether ahead), `spans` the bounds of RANGE, as
    (key, column of the bound, whether it is ahead).
    """

    back: int = 0
    ahead: int = 0
    peers: bool = False
    before: bool = False
    behind: bool = False
    offsets: tuple[tuple[int, bool], ...] = ()
    skips: tuple[tuple[int, int, bool], ...] = ()
    spans: tuple[tuple[int, int, bool], ...] = ()

    def and_also(self, other: "Reach") -> "Reach":
        """The reach of both."""
        return Reach(
            max(self.back, other.back), max(self.ahead, other.ahead), self.peers or other.peers,
            self.before or other.before, self.behind or other.behind, self.offsets + other.offsets,
            self.skips + other.skips, self.spans + other.spans,
        )  # fmt: skip


def reach_text(reach: Reach | None) -> str:
    """What a change has computed anew, as EXPLAIN says it."""
    if reach is None:
        return "touched partitions"
    if reach.before and reach.behind:
        return "rows on both sides of a change"
    if reach.before:
        return "rows behind a change"
    return "rows before a change" if reach.behind else "neighbours of a change"


def reach_of(calls: Iterable[WindowCall]) -> Reach | None:
    """How far all of them look; None: as far as the partition goes, in a way that has no running state."""
    found = Reach()
    for call in calls:
        one = _reach(call)
        if one is None:
            return None
        found = found.and_also(one)
    return found


def _reach(call: WindowCall) -> Reach | None:
    kind, frame = call.kind, call.frame
    match kind:
        case Kind.ROW_NUMBER:
            return Reach(before=True)
        case Kind.RANK | Kind.DENSE_RANK:
            return Reach(peers=True, before=True)
        case Kind.PERCENT_RANK | Kind.CUME_DIST | Kind.NTILE:
            return None
        case Kind.LAG | Kind.LEAD:
            value, offset, _ = call.columns
            ahead = kind is Kind.LEAD
            return Reach(skips=((value, offset, ahead),)) if call.ignore_nulls else Reach(offsets=((offset, ahead),))
    start, end = frame.start, frame.end
    peers = frame.unit is not Unit.ROWS or frame.exclude in (Exclude.GROUP, Exclude.TIES)
    ends = {start.edge, end.edge} - _unread_ends(call)
    if kind in WHOLE_GROUP and not ends.isdisjoint((Edge.UNBOUNDED_PRECEDING, Edge.UNBOUNDED_FOLLOWING)):
        return None
    moved = [bound for bound in (start, end) if bound.edge in MOVED]
    # Of rows that a frame excludes a state tells nothing: the same least value may be theirs alone.
    single = kind in EXTREME or kind in VALUES
    back = ahead = int(single and frame.exclude is not Exclude.NO_OTHERS)
    spans: tuple[tuple[int, int, bool], ...] = ()
    if frame.key is None:
        back = max([back, *(bound.offset for bound in moved if bound.edge is Edge.PRECEDING)])
        ahead = max([ahead, *(bound.offset for bound in moved if bound.edge is Edge.FOLLOWING)])
    else:
        spans = tuple((frame.key, bound.offset, bound.edge is Edge.FOLLOWING) for bound in moved)
    before, behind = Edge.UNBOUNDED_PRECEDING in ends, Edge.UNBOUNDED_FOLLOWING in ends
    if kind is Kind.NTH_VALUE and end.edge is Edge.UNBOUNDED_FOLLOWING:
        # No farther ahead than so many rows from where the frame begins, or from the row itself if that is before it.
        if call.number is None or call.ignore_nulls or (frame.key is not None and start.edge is Edge.FOLLOWING):
            return None
        ahead += max(0, call.number)
    if kind is Kind.NTH_VALUE and before and call.number is None:
        return None
    return Reach(back, ahead, peers, before, behind, spans=spans)


def _unread_ends(call: WindowCall) -> set[Edge]:
    """The ends of its frame that tell nothing of its value far from them.

    The first and the last row of a frame do not depend on where its other end is, nor the n-th; if that is a bound by
    value on the other side, the first row beyond it may be anywhere."""
    kind, frame = call.kind, call.frame
    if kind is Kind.NTH_VALUE:
        return {Edge.UNBOUNDED_FOLLOWING}
    if kind not in VALUES or frame.exclude is not Exclude.NO_OTHERS:
        return set()
    first = kind is Kind.FIRST_VALUE
    near, far = (frame.start, Edge.UNBOUNDED_FOLLOWING) if first else (frame.end, Edge.UNBOUNDED_PRECEDING)
    if near.edge is (Edge.UNBOUNDED_PRECEDING if first else Edge.UNBOUNDED_FOLLOWING):
        return {far} if not call.ignore_nulls else set()
    beyond = frame.key is not None and near.edge is (Edge.FOLLOWING if first else Edge.PRECEDING)
    return set() if call.ignore_nulls or beyond else {far}


def frame_text(frame: Frame) -> str:
    """As SQL writes it; the bounds of RANGE by their columns."""
    mark = "#" if frame.unit is Unit.RANGE else ""

    def bound(of: Bound) -> str:
        return (f"{mark}{of.offset} " if of.edge in MOVED else "") + of.edge.value

    exclude = "" if frame.exclude is Exclude.NO_OTHERS else f" exclude {frame.exclude.value}"
    return f"{frame.unit.value} between {bound(frame.start)} and {bound(frame.end)}{exclude}"
