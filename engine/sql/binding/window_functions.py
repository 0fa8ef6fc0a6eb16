"""Calls with OVER: which function, over which window, in which frame. PostgreSQL's rules (parse_clause.c, parse_agg.c).

A window that refines another takes its PARTITION BY, and its ORDER BY unless it has one. Frame offsets are constants.
"""

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import replace
from decimal import Decimal

from engine import types
from engine.errors import (
    GroupingError,
    InvalidFrameOffset,
    MissingFrameOffset,
    UndefinedFunction,
    UndefinedObject,
    Unsupported,
    WindowingError,
    WrongObjectType,
)
from engine.expr import overload
from engine.expr.aggregate import COUNTS, WHOLE_GROUP
from engine.expr.scalar import Interval, Literal
from engine.expr.window import FUNCTIONS, MOVED, OFFSETS, Bound, Edge, Frame, Kind, Unit
from engine.plan.relation import AggregateCall, BoundScalar
from engine.plan.rules.fold import folded
from engine.sql import syntax
from engine.sql.binding.applying import call, cast, located, settled
from engine.sql.binding.keys import as_key
from engine.sql.binding.place import BoundWindow, Place, Windows, WindowSlot
from engine.sql.binding.scalars import Scalars
from engine.sql.scope import Scope
from engine.types import CastContext, SqlType

RESULTS = {
    Kind.ROW_NUMBER: types.BIGINT, Kind.RANK: types.BIGINT, Kind.DENSE_RANK: types.BIGINT,
    Kind.PERCENT_RANK: types.DOUBLE, Kind.CUME_DIST: types.DOUBLE, Kind.NTILE: types.INTEGER,
}  # fmt: skip
ARGUMENTS = {
    Kind.NTILE: (1, 1), Kind.LAG: (1, 3), Kind.LEAD: (1, 3), Kind.FIRST_VALUE: (1, 1), Kind.LAST_VALUE: (1, 1),
    Kind.NTH_VALUE: (2, 2),
}  # fmt: skip
"""How many, at least and at most; the others take none."""
MOMENTS = (types.TIMESTAMP, types.TIMESTAMPTZ, types.TIME)
"""What is ordered by it is offset by intervals, so that is what an untyped offset is."""


class WindowFunctions(Scalars):
    """Binds calls of window functions."""

    @abstractmethod
    def aggregate_call(self, name: str, expression: syntax.Function, place: Place) -> AggregateCall:
        """A call of an aggregate."""

    def _window(self, name: str, expression: syntax.Function, over: syntax.Window, place: Place) -> BoundScalar:
        at = expression.at
        kind = FUNCTIONS.get(name)
        if kind is None and not overload.is_aggregate(name):
            if not overload.is_function(name):
                raise UndefinedFunction(f"function {name} does not exist", position=at)
            raise WrongObjectType(
                f"OVER specified, but {name} is not a window function nor an aggregate function", position=at
            )
        windows = place.windows
        if windows is None:
            if place.clause == "aggregate":
                raise GroupingError("aggregate function calls cannot contain window function calls", position=at)
            raise WindowingError(f"window functions are not allowed in {place.clause}", position=at)
        if expression.distinct:
            raise Unsupported("DISTINCT is not implemented for window functions", position=at)
        if expression.order and kind is not None:
            raise WrongObjectType(f"ORDER BY specified, but {name} is not an aggregate function", position=at)
        inside = Place(place.scope, "window functions", place.aggregates, place.used, windows=windows)
        made = self._window_call(name, kind, expression, inside)
        made = self._over_window(made, resolved(over, windows), inside)
        if made not in windows.calls:
            windows.calls.append(made)
        return WindowSlot(windows.calls.index(made), made.type, made.nullable)  # pyright: ignore[reportReturnType]

    def _window_call(self, name: str, kind: Kind | None, expression: syntax.Function, place: Place) -> BoundWindow:
        """The function and its arguments, over no window yet."""
        if kind is None:
            found = self.aggregate_call(name, expression, place)
            overloaded = found.overload
            if expression.ignore_nulls:
                raise Unsupported("aggregates do not take IGNORE NULLS", position=expression.at)
            return BoundWindow(
                overloaded.kind, found.arguments, overloaded.result, overloaded.kind not in COUNTS, (), (), Frame(),
                filter=found.filter, within=found.order if overloaded.kind in WHOLE_GROUP else (),
            )  # fmt: skip
        if expression.filter is not None:
            raise Unsupported("FILTER is not implemented for non-aggregate window functions", position=expression.at)
        nodes = expression.arguments
        least, most = ARGUMENTS.get(kind, (0, 0))
        arguments = [self.scalar(node, place) for node in nodes]
        if expression.star or not least <= len(arguments) <= most:
            given = "*" if expression.star else ", ".join(argument.type.name for argument in arguments)
            raise UndefinedFunction(f"function {name}({given}) does not exist", position=expression.at)
        if expression.ignore_nulls and kind in RESULTS:
            raise Unsupported(f"{name} does not take IGNORE NULLS", position=expression.at)
        if kind in RESULTS:
            return BoundWindow(
                kind, tuple(self._whole_number(n, a) for n, a in zip(nodes, arguments, strict=True)), RESULTS[kind],
                kind is Kind.NTILE, (), (), Frame(),
            )  # fmt: skip
        value = settled(arguments[0])
        if kind in OFFSETS:
            by = self._whole_number(nodes[1], arguments[1]) if len(nodes) > 1 else Literal(1, types.BIGINT)
            fallback: BoundScalar = Literal(None, value.type)
            if len(nodes) > 2:
                common, (value, fallback) = self.unified(
                    (nodes[0], nodes[2]), (arguments[0], arguments[2]), name.upper(), expression.at
                )
                if common == types.UNKNOWN:
                    value, fallback = settled(value), settled(fallback)
            given = (value, by, fallback)
        elif kind is Kind.NTH_VALUE:
            given = (value, self._whole_number(nodes[1], arguments[1]))
        else:
            given = (value,)
        return BoundWindow(kind, given, value.type, True, (), (), Frame(), ignore_nulls=expression.ignore_nulls)

    @staticmethod
    def _whole_number(node: syntax.Expression, scalar: BoundScalar) -> BoundScalar:
        return located(node.at, cast, scalar, types.BIGINT, CastContext.IMPLICIT)

    def _over_window(self, made: BoundWindow, window: syntax.Window, place: Place) -> BoundWindow:
        """The call over its window."""
        partition = tuple(dict.fromkeys(self.typed(node, place) for node in window.partition))
        order: list[tuple[BoundScalar, bool, bool]] = []
        for item in window.order:
            scalar = self.typed(item.expression, place)
            first = item.descending if item.nulls_first is None else item.nulls_first
            if all(scalar != other for other, _, _ in order):
                order.append((scalar, item.descending, first))
        made = replace(made, partition=partition, order=tuple(order))
        clause = window.frame
        if clause is None:
            return made
        moved = [bound for bound in (clause.start, clause.end) if bound.edge in MOVED]
        if clause.unit is Unit.GROUPS and not order:
            raise WindowingError("GROUPS mode requires an ORDER BY clause", position=clause.at)
        if clause.unit is not Unit.RANGE or not moved:
            start = Bound(clause.start.edge, self._frame_count(clause.start, "starting", clause.unit, place))
            end = Bound(clause.end.edge, self._frame_count(clause.end, "ending", clause.unit, place))
            return replace(made, frame=Frame(clause.unit, start, end, clause.exclude))
        if len(window.order) != 1:
            raise WindowingError(
                "RANGE with offset PRECEDING/FOLLOWING requires exactly one ORDER BY column", position=clause.at
            )
        return self._range_frame(made, clause, place)

    def _frame_offset(self, bound: syntax.FrameBound, which: str, clause: str, place: Place) -> BoundScalar | None:
        """The constant of a bound, NULL refused."""
        if bound.offset is None:
            return None
        nowhere = Place(Scope((), (), 0, place.scope.around), clause)
        scalar = self.scalar(bound.offset, nowhere)
        if isinstance(scalar, Literal) and scalar.value is None:
            raise MissingFrameOffset(f"frame {which} offset must not be null", position=bound.at)
        return scalar

    def _frame_count(self, bound: syntax.FrameBound, which: str, unit: Unit, place: Place) -> int:
        """The number of rows or groups of a bound."""
        scalar = self._frame_offset(bound, which, unit.name, place)
        if scalar is None:
            return 0
        whole = located(bound.at, cast, scalar, types.BIGINT, CastContext.IMPLICIT)
        scalar = folded(whole)  # pyright: ignore[reportArgumentType]: a subquery in it stays one
        if not isinstance(scalar, Literal):
            raise WindowingError(f"argument of {unit.name} must be a constant", position=bound.at)
        if not isinstance(scalar.value, int):
            raise MissingFrameOffset(f"frame {which} offset must not be null", position=bound.at)
        if scalar.value < 0:
            raise InvalidFrameOffset(f"frame {which} offset must not be negative", position=bound.at)
        return scalar.value

    def _range_frame(self, made: BoundWindow, clause: syntax.FrameClause, place: Place) -> BoundWindow:
        """RANGE with offsets: the ordering value and the bounds, all of one type wide enough for them."""
        ((key, descending, _),) = made.order
        key = located(clause.at, roomy, key)
        found: list[BoundScalar | None] = []
        for bound, which in ((clause.start, "starting"), (clause.end, "ending")):
            offset = self._frame_offset(bound, which, "RANGE", place)
            if offset is None:
                found.append(None)
                continue
            if offset.type == types.UNKNOWN and key.type.plain in MOMENTS:
                offset = located(bound.at, cast, offset, types.INTERVAL, CastContext.IMPLICIT)
            constant = folded(offset)  # pyright: ignore[reportArgumentType]: it has no subquery
            if isinstance(constant, Literal) and below_zero(constant.value):
                raise InvalidFrameOffset("invalid preceding or following size in window function", position=bound.at)
            if isinstance(constant, Literal) and is_infinite(constant.value):
                raise InvalidFrameOffset(f"an offset of RANGE cannot be infinite: use UNBOUNDED {bound.edge.name}",
                                         position=bound.at)  # fmt: skip
            backwards = (bound.edge is Edge.PRECEDING) is not descending
            found.append(located(bound.at, call, "-" if backwards else "+", key, offset))
        common = overload.common_type([key.type, *(scalar.type for scalar in found if scalar is not None)], "RANGE")

        def same(scalar: BoundScalar) -> BoundScalar:
            return located(clause.at, cast, scalar, common, CastContext.IMPLICIT)

        start, end = (None if scalar is None else as_key(same(scalar)) for scalar in found)
        frame = Frame(clause.unit, Bound(clause.start.edge), Bound(clause.end.edge), clause.exclude)
        return replace(made, frame=frame, key=as_key(same(key)), start=start, end=end)


def roomy(scalar: BoundScalar) -> BoundScalar:
    """An ordering value in a type in which adding an offset does not overflow."""
    wider: dict[SqlType, SqlType] = {
        types.SMALLINT: types.BIGINT, types.INTEGER: types.BIGINT, types.BIGINT: types.NUMERIC,
        types.REAL: types.DOUBLE, types.DATE: types.TIMESTAMP,
    }  # fmt: skip
    to = wider.get(scalar.type.plain)
    return scalar if to is None else cast(scalar, to, CastContext.IMPLICIT)


def below_zero(value: object) -> bool:
    if isinstance(value, Interval):
        return (value.months, value.days, value.microseconds) < (0, 0, 0)
    return isinstance(value, int | float | Decimal) and value < 0


def is_infinite(value: object) -> bool:
    return isinstance(value, float | Decimal) and value in (Decimal("Infinity"), float("inf"))


def resolved(window: syntax.Window, windows: Windows) -> syntax.Window:
    """The window with what it takes from the ones that it names."""
    if window.name is None:
        return window
    chain = [window]
    for base in bases(window, windows):
        if chain[-1].bare:
            chain.append(base)
            continue
        name = chain[-1].name
        if chain[-1].partition:
            raise WindowingError(f'cannot override PARTITION BY clause of window "{name}"', position=window.at)
        if chain[-1].order and base.order:
            raise WindowingError(f'cannot override ORDER BY clause of window "{name}"', position=window.at)
        if base.frame is not None:
            raise WindowingError(f'cannot copy window "{name}" because it has a frame clause', position=window.at)
        chain.append(base)
    partition = next((part.partition for part in chain if part.partition), ())
    order = next((part.order for part in chain if part.order), ())
    frame = next((part.frame for part in chain if part.frame is not None), None)
    return syntax.Window(None, partition, order, frame, False, window.at)


def bases(window: syntax.Window, windows: Windows) -> Iterator[syntax.Window]:
    """The windows that a window refines, the nearest first. The WINDOW clause has no cycles: a name refers back."""
    while window.name is not None:
        found = windows.named.get(window.name)
        if found is None:
            raise UndefinedObject(f'window "{window.name}" does not exist', position=window.at)
        window = found
        yield window


def named_windows(clauses: Sequence[tuple[str, syntax.Window]]) -> dict[str, syntax.Window]:
    """The WINDOW clause: each window may refine those before it."""
    named: dict[str, syntax.Window] = {}
    for name, window in clauses:
        if name in named:
            raise WindowingError(f'window "{name}" is already defined', position=window.at)
        named[name] = resolved(window, Windows(dict(named)))
    return named
