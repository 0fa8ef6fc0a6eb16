"""Table functions: series of numbers and timestamps, and what takes documents apart."""

from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from engine import types
from engine.collection.value import Interval
from engine.collection.vector import Vector
from engine.collection.wanted import ask
from engine.errors import DataError, DatetimeOverflow, InvalidArgument, LimitExceeded
from engine.expr import calendar
from engine.expr.calendar import DAY
from engine.expr.columns import Codes, pack, unpack
from engine.expr.functions.datetime import add_interval, stride
from engine.expr.functions.json import dump, parse, text_of
from engine.expr.table import Expanded, TableFunction
from engine.expr.text_forms import RawValue
from engine.kernels.rows import spread
from engine.types import Column, SqlType

if TYPE_CHECKING:
    from engine.expr.evaluate import Context

Int64s = NDArray[np.int64]

SERIES_ROWS_MAX: Final = 100_000_000
"""Rows that one batch of calls may yield: 10 GB would follow. The error names the function's limit."""
SERIES_ROWS_UNASKED: Final = 1 << 20
"""Some milliseconds."""


def _usable(vectors: Sequence[Vector]) -> tuple[NDArray[np.bool_], Codes | None]:
    """Which calls have neither NULL nor failed arguments, and the errors of those that failed."""
    n = len(vectors[0].words)
    usable = np.ones(n, np.bool_)
    errors: Codes | None = None
    for vector in vectors:
        if vector.nulls is not None:
            usable &= ~vector.nulls
        if vector.errors is not None:
            errors = vector.errors if errors is None else np.where(errors != 0, errors, vector.errors)
            usable &= vector.errors == 0
    return usable, errors


def _failed(errors: Codes | None, bad: NDArray[np.bool_], context: "Context", sqlstate: str, message: str) -> Codes:
    code = np.uint64(context.error(sqlstate, message))
    return np.where(bad, code, np.uint64(0) if errors is None else errors)


def _series(exclusive: bool) -> Callable[["Context", Sequence[Vector]], Expanded]:
    """start, start + step ... to stop, for integers; `exclusive` of stop itself."""

    def kernel(context: "Context", vectors: Sequence[Vector]) -> Expanded:
        usable, errors = _usable(vectors)
        start, stop = vectors[0].words.view(np.int64), vectors[1].words.view(np.int64)
        step = vectors[2].words.view(np.int64) if len(vectors) > 2 else np.ones(len(start), np.int64)
        zero = (step == 0) & usable
        if np.count_nonzero(zero):
            errors = _failed(errors, zero, context, "22023", "step size cannot equal zero")
            usable &= ~zero
        runs = usable & np.where(step > 0, start <= stop, start >= stop)
        counts = np.zeros(len(start), np.int64)
        rows = np.flatnonzero(runs)
        # In Python integers: stop - start may leave int64. Beyond the limit how many does not matter.
        counts[rows] = [
            min((b - a - (exclusive and (1 if s > 0 else -1))) // s, SERIES_ROWS_MAX) + 1
            for a, b, s in zip(start[rows].tolist(), stop[rows].tolist(), step[rows].tolist(), strict=True)
        ]
        origin, index = _spread(counts)
        values = np.empty(len(origin), np.int64)
        for begin in range(0, len(origin), SERIES_ROWS_UNASKED):
            ask()
            part = slice(begin, begin + SERIES_ROWS_UNASKED)
            values[part] = start[origin[part]] + index[part] * step[origin[part]]
        return Expanded(origin, (Vector(values.view(np.uint64)),), errors)

    return kernel


def _spread(counts: Int64s) -> tuple[Int64s, Int64s]:
    """(the call of each output row, its number within the call)."""
    total = int(counts.sum())
    if total > SERIES_ROWS_MAX:
        raise LimitExceeded(f"generate_series would yield {total} rows; the limit is {SERIES_ROWS_MAX}")
    origin, index = np.empty(total, np.int64), np.empty(total, np.int64)
    i = k = 0
    for begin in range(0, total, SERIES_ROWS_UNASKED):
        ask()
        i, k = spread(counts, i, k, origin, index, begin, min(begin + SERIES_ROWS_UNASKED, total))
    return origin, index


def _stamp_series(exclusive: bool) -> Callable[[int, int, Interval], list[RawValue]]:
    """Each value is start plus so many intervals' sum, month by month: PostgreSQL adds the step to the last value."""

    def run(start: int, stop: int, step: Interval) -> list[RawValue]:
        span = step.months * 30 * DAY + step.days * DAY + step.microseconds
        if span == 0:
            raise InvalidArgument("step size cannot equal zero")
        if exclusive:
            stop += -1 if span > 0 else 1
        if step.months == 0:
            count = (stop - start) // span + 1 if (stop - start) * span >= 0 else 0
            _limited(count)
            return [start + i * span for i in range(count)]
        return list(_walk(start, stop, step, span > 0))

    return run


def _walk(start: int, stop: int, step: Interval, upwards: bool) -> Iterator[int]:
    parts = [np.array([part], np.int64) for part in (step.months, step.days, step.microseconds)]
    value, count = start, 0
    while value <= stop if upwards else value >= stop:
        yield value
        count += 1
        _limited(count)
        moved, bad = add_interval(np.array([value], np.int64), *parts)
        if bad[0]:
            raise DatetimeOverflow("timestamp out of range")
        value = int(moved[0])


def _zoned_series(start: int, stop: int, step: Interval, zone: str) -> list[RawValue]:
    """As _stamp_series by a zone's clock: a day there may have 23 hours."""
    place = calendar.clock_zone(zone)
    local = [int(calendar.to_local(np.array([stamp], np.int64), place)[0]) for stamp in (start, stop)]
    found = np.array(_stamp_series(False)(local[0], local[1], step), np.int64)
    return list(calendar.to_utc(found, place).tolist())


def _decimal_series(exclusive: bool) -> Callable[..., list[RawValue]]:
    def run(start: Decimal, stop: Decimal, step: Decimal = Decimal(1)) -> list[RawValue]:
        for number, what in ((start, "start"), (stop, "stop"), (step, "step size")):
            if not number.is_finite():
                raise InvalidArgument(f"{what} value cannot be {'NaN' if number.is_nan() else 'infinity'}")
        if step == 0:
            raise InvalidArgument("step size cannot equal zero")
        count = int((stop - start) / step) + 1 if (stop - start) * step >= 0 else 0
        _limited(count)
        found = [start + i * step for i in range(count)]
        if exclusive and found and found[-1] == stop:
            found.pop()
        return list[RawValue](found)

    return run


def _hopping(hop: Interval, width: Interval, stamp: int, origin: int = 0) -> list[RawValue]:
    """The starts of the windows of `width` that hold the timestamp: one ends at every `hop` counted from the origin."""
    step, size = stride(hop), stride(width)
    last = origin + (stamp - origin) // step * step
    _limited(size // step)
    return list(range(last + step - size, stamp + 1, step))


def _limited(count: int) -> None:
    if count > SERIES_ROWS_MAX:
        raise LimitExceeded(f"generate_series would yield {count} rows; the limit is {SERIES_ROWS_MAX}")


def expand(
    apply: Callable[..., Sequence[RawValue]],
    vectors: Sequence[Vector],
    parameters: Sequence[SqlType],
    results: Sequence[SqlType],
    context: "Context",
) -> Expanded:
    """apply(*row) lists the rows of each call: values, or tuples of them for several columns; None is NULL."""
    usable, errors = _usable(vectors)
    rows = np.flatnonzero(usable)
    given = [unpack(v.words[rows], kind, context) for v, kind in zip(vectors, parameters, strict=True)]
    counts = np.zeros(len(usable), np.int64)
    found: list[RawValue] = []
    for row, arguments in zip(rows.tolist(), zip(*given, strict=True), strict=True):
        try:
            listed = apply(*arguments)
        except DataError as error:
            errors = np.zeros(len(usable), np.uint64) if errors is None else errors.copy()
            errors[row] = context.error(error.sqlstate, error.message)
            continue
        counts[row] = len(listed)
        found.extend(listed)
    columns = [found] if len(results) == 1 else [[row[i] for row in found] for i in range(len(results))]
    out: list[Vector] = []
    for values, kind in zip(columns, results, strict=True):
        nulls = np.array([value is None for value in values], np.bool_)
        out.append(
            Vector(pack(values, kind, context) if values else np.zeros(0, np.uint64), nulls if nulls.any() else None)
        )
    return Expanded(np.repeat(np.arange(len(usable)), counts), tuple(out), errors)


def _elements(text: str) -> list[RawValue]:
    match parse(text):
        case list() as items:
            return [dump(item) for item in items]
        case dict():
            raise InvalidArgument("cannot extract elements from an object")
        case _:
            raise InvalidArgument("cannot extract elements from a scalar")


def _element_texts(text: str) -> list[RawValue]:
    match parse(text):
        case list() as items:
            return [text_of(item) for item in items]
        case dict():
            raise InvalidArgument("cannot extract elements from an object")
        case _:
            raise InvalidArgument("cannot extract elements from a scalar")


def _each(text: str) -> list[RawValue]:
    match parse(text):
        case dict() as members:
            return [(key, dump(value)) for key, value in members.items()]
        case _:
            raise InvalidArgument("cannot call jsonb_each on a non-object")


def _each_text(text: str) -> list[RawValue]:
    match parse(text):
        case dict() as members:
            return [(key, text_of(value)) for key, value in members.items()]
        case _:
            raise InvalidArgument("cannot call jsonb_each_text on a non-object")


def _keys(text: str) -> list[RawValue]:
    match parse(text):
        case dict() as members:
            return list(members)
        case list():
            raise InvalidArgument("cannot call jsonb_object_keys on an array")
        case _:
            raise InvalidArgument("cannot call jsonb_object_keys on a scalar")


def listing(
    name: str,
    parameters: tuple[SqlType, ...],
    columns: tuple[Column, ...],
    apply: Callable[..., Sequence[RawValue]],
    doc: str,
    can_fail: bool = True,
) -> TableFunction:
    """A table function from one that lists the rows of a call: values, or tuples where the columns are not one."""
    results = [column.type for column in columns]

    def kernel(context: "Context", vectors: Sequence[Vector]) -> Expanded:
        return expand(apply, vectors, parameters, results, context)

    return TableFunction(name, parameters, columns, kernel, can_fail=can_fail, doc=doc)


def _all_series(name: str, exclusive: bool, end: str) -> Iterator[TableFunction]:
    once, stepped = f"x, x + 1 ... {end}", f"x, x + z ... {end}"
    for kind in (types.INTEGER, types.BIGINT):
        columns = (Column(name, kind, nullable=False),)
        yield TableFunction(name, (kind, kind), columns, _series(exclusive), doc=once)
        yield TableFunction(name, (kind, kind, kind), columns, _series(exclusive), True, stepped)
    kind = types.NUMERIC
    columns = (Column(name, kind, nullable=False),)
    yield listing(name, (kind, kind), columns, _decimal_series(exclusive), once)
    yield listing(name, (kind, kind, kind), columns, _decimal_series(exclusive), stepped)
    for kind in (types.TIMESTAMP, types.TIMESTAMPTZ):
        columns = (Column(name, kind, nullable=False),)
        yield listing(name, (kind, kind, types.INTERVAL), columns, _stamp_series(exclusive), stepped)


def _rows() -> Iterator[TableFunction]:
    text, jsonb = types.TEXT, types.JSONB
    yield from _all_series("generate_series", False, "to y")
    yield from _all_series("range", True, "below y")
    span, stamptz = types.INTERVAL, types.TIMESTAMPTZ
    columns = (Column("generate_series", stamptz, nullable=False),)
    doc = "x, x + z ... to y, by the clock of a zone"
    yield listing("generate_series", (stamptz, stamptz, span, text), columns, _zoned_series, doc)
    for kind in (types.TIMESTAMP, types.TIMESTAMPTZ):
        columns = (Column("date_bin_hopping", kind, nullable=False),)
        doc = "the starts of the windows of length y, one every x, that z lies in"
        for given in ((types.INTERVAL, types.INTERVAL, kind), (types.INTERVAL, types.INTERVAL, kind, kind)):
            yield listing("date_bin_hopping", given, columns, _hopping, doc)
    for prefix in ("jsonb", "json"):
        value, bare = Column("value", jsonb, nullable=False), Column("value", text)
        key = Column("key", text, nullable=False)
        yield listing(f"{prefix}_array_elements", (jsonb,), (value,), _elements, "the elements of an array")
        yield listing(f"{prefix}_array_elements_text", (jsonb,), (bare,), _element_texts, "the elements, as text")
        yield listing(f"{prefix}_each", (jsonb,), (key, value), _each, "the members of an object")
        yield listing(f"{prefix}_each_text", (jsonb,), (key, bare), _each_text, "the members, as text")
        name = f"{prefix}_object_keys"
        yield listing(name, (jsonb,), (Column(name, text, nullable=False),), _keys, "the keys of an object")


TABLE_FUNCTIONS: Final = tuple(_rows())
