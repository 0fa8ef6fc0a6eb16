"""What window functions mean, row by row in plain Python: no positions, no running sums, every frame looked at anew."""

from collections.abc import Callable, Sequence
from typing import Any

from engine.expr.window import Bound, Edge, Exclude, Frame, Kind, Unit, WindowCall

Row = tuple[Any, ...]


class NoValue(Exception):
    """A function that fails for a row: the error's SQLSTATE."""


def values(
    call: WindowCall,
    rows: Sequence[Row],
    order: Sequence[int],
    before: Callable[[Any, Any], bool],
    aggregate: Callable[[WindowCall, list[Row]], Any],
) -> list[Any]:
    """The call's value, or NoValue, for each row of one partition in its order.

    `order` are the ordering columns; before(a, b) says whether value a of the (only) ordering column stands before b.
    """
    found, ties = [], peers(rows, order)
    for i in range(len(rows)):
        try:
            found.append(value(call, rows, i, order, ties, before, aggregate))
        except NoValue as failed:
            found.append(failed)
    return found


def peers(rows, order):
    """Of each row the places of those that are its equals in the order, itself among them."""
    places = {}
    for i, row in enumerate(rows):
        places.setdefault(tuple(row[c] for c in order), []).append(i)
    return [places[tuple(row[c] for c in order)] for row in rows]


def value(call, rows, i, order, ties, before, aggregate):
    n, same = len(rows), ties[i]
    match call.kind:
        case Kind.ROW_NUMBER:
            return i + 1
        case Kind.RANK:
            return same[0] + 1
        case Kind.DENSE_RANK:
            return len({tuple(row[c] for c in order) for row in rows[: same[0] + 1]})
        case Kind.PERCENT_RANK:
            return same[0] / (n - 1) if n > 1 else 0.0
        case Kind.CUME_DIST:
            return (same[-1] + 1) / n
        case Kind.NTILE:
            tiles = rows[0][call.columns[0]]
            if tiles is None:
                return None
            if tiles <= 0:
                raise NoValue("22014")
            sizes = [n // tiles + (t < n % tiles) for t in range(min(tiles, n))]
            return next(t + 1 for t in range(len(sizes)) if i < sum(sizes[: t + 1]))
        case Kind.LAG | Kind.LEAD:
            column, by, fallback = (rows[i][c] for c in call.columns)
            if by is None:
                return None
            by = -by if call.kind is Kind.LAG else by
            if by == 0:
                return column
            way = range(i + 1, n) if by > 0 else range(i - 1, -1, -1)
            met = [rows[j][call.columns[0]] for j in way]
            met = [v for v in met if v is not None] if call.ignore_nulls else met
            return met[abs(by) - 1] if len(met) >= abs(by) else fallback
    members = frame(call.frame, rows, i, ties, before)
    if call.kind in (Kind.FIRST_VALUE, Kind.LAST_VALUE, Kind.NTH_VALUE):
        seen = [rows[j][call.columns[0]] for j in members]
        seen = [v for v in seen if v is not None] if call.ignore_nulls else seen
        if call.kind is Kind.NTH_VALUE:
            number = rows[i][call.columns[1]] if call.number is None else call.number
            if number is None:
                return None
            if number <= 0:
                raise NoValue("22016")
            return seen[number - 1] if number <= len(seen) else None
        return (seen[0] if call.kind is Kind.FIRST_VALUE else seen[-1]) if seen else None
    return aggregate(call, [rows[j] for j in members if call.filter is None or rows[j][call.filter] is True])


def frame(clause: Frame, rows, i, ties, before) -> list[int]:
    """The rows of row i's frame."""
    same = ties[i]
    groups = {first: at for at, first in enumerate(sorted({tie[0] for tie in ties}))}
    group = [groups[tie[0]] for tie in ties]

    def inside(j: int, bound: Bound, start: bool) -> bool:
        def beyond(a, b) -> bool:  # whether a lies outside of the bound b
            return a < b if start else a > b

        match bound.edge:
            case Edge.UNBOUNDED_PRECEDING | Edge.UNBOUNDED_FOLLOWING:
                return True
            case Edge.CURRENT_ROW:
                return not beyond(*((j, i) if clause.unit is Unit.ROWS else (group[j], group[i])))
        by = -bound.offset if bound.edge is Edge.PRECEDING else bound.offset
        if clause.unit is Unit.ROWS:
            return not beyond(j, i + by)
        if clause.unit is Unit.GROUPS:
            return not beyond(group[j], group[i] + by)
        here, limit = rows[j][clause.key], rows[i][bound.offset]
        return not (before(here, limit) if start else before(limit, here))

    members = [j for j in range(len(rows)) if inside(j, clause.start, True) and inside(j, clause.end, False)]
    match clause.exclude:
        case Exclude.NO_OTHERS:
            return members
        case Exclude.CURRENT_ROW:
            return [j for j in members if j != i]
        case Exclude.GROUP:
            return [j for j in members if j not in same]
        case Exclude.TIES:
            return [j for j in members if j not in same or j == i]
