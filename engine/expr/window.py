"""Window functions as data: what a call computes for each row of a partition, and over which of its rows.

Frames are those of SQL:2011 as PostgreSQL has them. A RANGE frame with offsets compares column `key` with columns that
hold the bounds themselves (the ordering value moved by the offset), which the binder computes below: so the operator
needs no arithmetic of types.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
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
    Arguments of LAG and LEAD: value, offset, default; of NTH_VALUE: value, number; of NTILE: the number.
    """

    kind: Kind | AggregateKind
    columns: tuple[int, ...]
    type: SqlType
    nullable: bool = True
    frame: Frame = DEFAULT_FRAME
    ignore_nulls: bool = False
    filter: int | None = None
    within: tuple[tuple[int, bool, bool], ...] = ()

    def reads(self) -> tuple[int, ...]:
        """Every column that it reads."""
        ordering = (column for column, _, _ in self.within)
        return (*self.columns, *self.frame.columns(), *(() if self.filter is None else (self.filter,)), *ordering)

    def moved(self, to: Mapping[int, int]) -> "WindowCall":
        """The call over a row whose column i is at to[i]."""
        return WindowCall(
            self.kind, tuple(to[column] for column in self.columns), self.type, self.nullable, self.frame.moved(to),
            self.ignore_nulls, None if self.filter is None else to[self.filter],
            tuple((to[column], descending, first) for column, descending, first in self.within),
        )  # fmt: skip

    @property
    def framed(self) -> bool:
        """Whether its value depends on the frame."""
        return self.kind not in RANKINGS and self.kind not in OFFSETS

    def runs(self) -> bool:
        """Whether one state of all rows so far, however many, is all that it needs of a frame that begins with the
        partition: a sum, a least value, the first value, the last that is not NULL."""
        if isinstance(self.kind, AggregateKind):
            return self.kind not in WHOLE_GROUP
        return self.kind is Kind.FIRST_VALUE or (self.kind is Kind.LAST_VALUE and self.ignore_nulls)

    def of_partition(self, ordered: bool) -> bool:
        """Whether it is one aggregate of all rows of a partition, which may have an order or none."""
        frame = self.frame
        to_end = frame.end.edge is Edge.UNBOUNDED_FOLLOWING or (
            frame.end.edge is Edge.CURRENT_ROW and frame.unit is Unit.RANGE and not ordered
        )
        plain = isinstance(self.kind, AggregateKind) and self.runs() and not self.within
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
        inner = ", ".join(f"#{column}" for column in self.columns)
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

    `back` rows before it and `ahead` after it, or with `peers` so many groups of peers. `running`: beyond `back`, only
    what all the rows before come to counts (a running sum). The rest is in the data: `offsets` are the LAGs and LEADs,
    as (column, whether a positive offset looks ahead), `skips` those that IGNORE NULLS, as (column of values, that of
    offsets, whether ahead), `spans` the bounds of RANGE, as (key, column of the bound, whether it is ahead).
    """

    back: int = 0
    ahead: int = 0
    peers: bool = False
    running: bool = False
    offsets: tuple[tuple[int, bool], ...] = ()
    skips: tuple[tuple[int, int, bool], ...] = ()
    spans: tuple[tuple[int, int, bool], ...] = ()

    def and_also(self, other: "Reach") -> "Reach":
        """The reach of both."""
        return Reach(
            max(self.back, other.back), max(self.ahead, other.ahead), self.peers or other.peers,
            self.running or other.running, self.offsets + other.offsets, self.skips + other.skips,
            self.spans + other.spans,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Walk:
    """The calls as they are computed over partitions walked forwards, or from their end: then FIRST_VALUE is LAST_VALUE
    and a frame to UNBOUNDED FOLLOWING one from UNBOUNDED PRECEDING. `reach` None: as far as the partition goes, in a
    way that has no running state."""

    calls: tuple[WindowCall, ...]
    backwards: bool
    reach: Reach | None

    def __str__(self) -> str:
        if self.reach is None:
            return "touched partitions"
        if not self.reach.running:
            return "neighbours of a change"
        return "rows before a change" if self.backwards else "rows behind a change"


def walk_of(calls: tuple[WindowCall, ...]) -> Walk:
    """The way in which a change of the partition reaches few rows."""
    reach = reach_of(calls)
    if reach is None:
        turned = [turned_round(call) for call in calls]
        from_end = tuple(call for call in turned if call is not None)
        if len(from_end) == len(calls) and (back := reach_of(from_end)) is not None:
            return Walk(from_end, True, back)
    return Walk(calls, False, reach)


TURNED: Final = {
    Kind.LAG: Kind.LEAD, Kind.LEAD: Kind.LAG, Kind.FIRST_VALUE: Kind.LAST_VALUE, Kind.LAST_VALUE: Kind.FIRST_VALUE,
    Edge.PRECEDING: Edge.FOLLOWING, Edge.FOLLOWING: Edge.PRECEDING, Edge.CURRENT_ROW: Edge.CURRENT_ROW,
    Edge.UNBOUNDED_PRECEDING: Edge.UNBOUNDED_FOLLOWING, Edge.UNBOUNDED_FOLLOWING: Edge.UNBOUNDED_PRECEDING,
}  # fmt: skip
"""What a function, or an end of a frame, is to whoever walks the other way."""


def turned_round(call: WindowCall) -> WindowCall | None:
    """The call with the same values over the rows in the opposite order, if there is one."""
    if isinstance(call.kind, AggregateKind):
        kind = None if call.kind in WHOLE_GROUP else call.kind
    else:
        kind = TURNED.get(call.kind)
    if kind is None:
        return None
    frame = call.frame
    start, end = Bound(TURNED[frame.end.edge], frame.end.offset), Bound(TURNED[frame.start.edge], frame.start.offset)
    return replace(call, kind=kind, frame=Frame(frame.unit, start, end, frame.exclude, frame.key))


def reach_of(calls: Iterable[WindowCall]) -> Reach | None:
    """How far all of them look, walked forwards; None: as far as the partition goes."""
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
            return Reach(running=True)
        case Kind.RANK | Kind.DENSE_RANK:
            return Reach(peers=True, running=True)
        case Kind.PERCENT_RANK | Kind.CUME_DIST | Kind.NTILE:
            return None
        case Kind.LAG | Kind.LEAD:
            value, offset, _ = call.columns
            ahead = kind is Kind.LEAD
            return Reach(skips=((value, offset, ahead),)) if call.ignore_nulls else Reach(offsets=((offset, ahead),))
    start, end = frame.start, frame.end
    peers = frame.unit is not Unit.ROWS or frame.exclude in (Exclude.GROUP, Exclude.TIES)
    whole = not call.ignore_nulls and frame.exclude is Exclude.NO_OTHERS
    ends = {start.edge, end.edge}
    # The first and the last row of a frame do not depend on where its other end is, far from both ends of a partition;
    # if that is a bound by value on the other side, the first row beyond it may be anywhere.
    if frame.key is None or kind not in (Kind.FIRST_VALUE, Kind.LAST_VALUE):
        beyond = False
    else:
        beyond = (start.edge is Edge.FOLLOWING) if kind is Kind.FIRST_VALUE else (end.edge is Edge.PRECEDING)
    if kind is Kind.FIRST_VALUE and whole and not beyond and Edge.UNBOUNDED_PRECEDING not in ends:
        ends.discard(Edge.UNBOUNDED_FOLLOWING)
    if kind is Kind.LAST_VALUE and whole and not beyond and Edge.UNBOUNDED_FOLLOWING not in ends:
        ends.discard(Edge.UNBOUNDED_PRECEDING)
    if Edge.UNBOUNDED_FOLLOWING in ends or (Edge.UNBOUNDED_PRECEDING in ends and not call.runs()):
        return None
    moved = [bound for bound in (start, end) if bound.edge in MOVED]
    # Of rows that a frame excludes the state so far tells nothing: the same least value may be theirs alone.
    single = kind in EXTREME or kind in (Kind.FIRST_VALUE, Kind.LAST_VALUE)
    back = int(single and frame.exclude is not Exclude.NO_OTHERS)
    ahead = 0
    spans: tuple[tuple[int, int, bool], ...] = ()
    if frame.key is None:
        back = max([back, *(bound.offset for bound in moved if bound.edge is Edge.PRECEDING)])
        ahead = max((bound.offset for bound in moved if bound.edge is Edge.FOLLOWING), default=0)
    else:
        spans = tuple((frame.key, bound.offset, bound.edge is Edge.FOLLOWING) for bound in moved)
    return Reach(back, ahead, peers, Edge.UNBOUNDED_PRECEDING in ends, spans=spans)


def frame_text(frame: Frame) -> str:
    """As SQL writes it; the bounds of RANGE by their columns."""
    mark = "#" if frame.unit is Unit.RANGE else ""

    def bound(of: Bound) -> str:
        return (f"{mark}{of.offset} " if of.edge in MOVED else "") + of.edge.value

    exclude = "" if frame.exclude is Exclude.NO_OTHERS else f" exclude {frame.exclude.value}"
    return f"{frame.unit.value} between {bound(frame.start)} and {bound(frame.end)}{exclude}"
