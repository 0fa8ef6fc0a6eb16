"""What a value is compared by, where equal values have words of their own: doubles, intervals, and what holds them.

Law: two values are equal exactly when what they are compared by has equal words, and are ordered as that is. It is a
value of the same type: 0 for both zeros of a double, one interval for all of a length, and of a nested value the same
with each part as what it is compared by.
"""

from collections.abc import Callable
from functools import cache
from typing import Final

from engine.collection import nested
from engine.collection.nested import Array
from engine.expr.columns import each
from engine.expr.functions.intervals import of_length, span_length
from engine.expr.functions.planner import unsigned_zero
from engine.expr.registry import Function
from engine.expr.text_forms import RawValue
from engine.types import Nesting, Physical, SqlType

NAMES: Final = frozenset({"unsigned_zero", "span_length", "comparable"})
"""The functions that `comparable` gives: what one of them gives stays what it is under it."""


@cache
def holds(type: SqlType, physical: Physical) -> bool:
    """Whether values of the type are, or have in them at any depth, such data."""
    if type.nesting is None:
        return type.physical is physical
    within = [kind for _, kind in type.fields] if type.nesting is Nesting.RECORD else [type.within]
    return any(holds(kind, physical) for kind in within)


def has_two_zeros(type: SqlType) -> bool:
    """Whether a zero in a value of the type may be another one."""
    return holds(type, Physical.FLOAT)


def ordered_by_key(type: SqlType) -> bool:
    """Whether values of the type are not ordered as they stand: of a double the order knows its zeros for one."""
    return has_spans(type) or (type.nesting is not None and has_two_zeros(type))


def has_spans(type: SqlType) -> bool:
    """Whether equal values of the type may differ in what they show: an interval in one is as long as the other's."""
    return holds(type, Physical.INTERVAL)


@cache
def comparable(type: SqlType) -> Function:
    """The function from values of a type that has zeros or intervals to what they are compared by. It never fails."""
    if type.nesting is None:
        return span_length() if has_spans(type) else unsigned_zero(type)
    return each("comparable", (type,), type, raw_key(type), "Internal: a nested value as what it is compared by.")


def nested_key(data: bytes, type: SqlType) -> bytes:
    """What a nested value in a plan is compared by."""
    return nested.encode(raw_key(type)(nested.decode(data, type)), type)


@cache
def raw_key(type: SqlType) -> Callable[[RawValue], RawValue]:
    """`comparable` of raw values (NULL is None)."""
    if not has_two_zeros(type) and not has_spans(type):
        return lambda raw: raw
    match type.nesting:
        case Nesting.ARRAY:
            item = raw_key(type.within)
            return lambda raw: None if raw is None else Array(raw.dims, tuple(map(item, raw.items)))
        case Nesting.LIST:
            item = raw_key(type.within)
            return lambda raw: None if raw is None else list(map(item, raw))
        case Nesting.MAP:
            item = raw_key(type.within)
            return lambda raw: None if raw is None else {key: item(value) for key, value in raw.items()}
        case Nesting.RECORD:
            fields = [raw_key(kind) for _, kind in type.fields]
            return lambda raw: raw and tuple(field(part) for field, part in zip(fields, raw, strict=True))
        case Nesting.RANGE | None if has_spans(type):
            return lambda raw: None if raw is None else of_length(raw)
        case Nesting.RANGE | None:
            return lambda raw: None if raw is None else raw + 0.0


@cache
def element_key(type: SqlType) -> Callable[[RawValue], bytes]:
    """What orders raw values as ORDER BY does, and tells them apart as = does; of NULL no bytes, as of nothing else."""
    of, write = raw_key(type), nested.writer(type)

    def key(raw: RawValue) -> bytes:
        out = bytearray()
        if raw is not None:
            write(of(raw), out)
        return bytes(out)

    return key
