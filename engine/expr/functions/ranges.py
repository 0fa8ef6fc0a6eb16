"""Functions and operators of ranges: one set of overloads for each range type."""

from collections.abc import Callable, Iterator
from typing import Final

from engine import types
from engine.collection.value import Range
from engine.errors import DataError, InvalidBounds
from engine.expr import ranges
from engine.expr.columns import each, own
from engine.expr.registry import Function
from engine.expr.text_forms import RawValue
from engine.types import SqlType

BOUNDS: Final = ("[]", "[)", "(]", "()")


def _constructor(kind: SqlType) -> Callable[..., Range]:
    def make(lower: RawValue, upper: RawValue, bounds: str | None = "[)") -> Range:
        if bounds is None:
            raise DataError("range constructor flags argument must not be null")
        if bounds not in BOUNDS:
            raise InvalidBounds(f'invalid range bound flags: "{bounds}": they are "[]", "[)", "(]" or "()"')
        return ranges.made(lower, upper, bounds[0] == "[", bounds[1] == "]", kind)

    return make


def _of(range_: SqlType) -> Iterator[Function]:
    kind, truth = range_.within, types.BOOLEAN
    of = ranges.Ranges(kind)
    pair, texts = (range_, range_), (kind, kind, types.TEXT)
    make = _constructor(kind)
    doc = "the range from x to y, y excluded; NULL is no bound"
    yield own(range_.name, (kind, kind), range_, make, doc, can_fail=True, never_null=True)
    doc = "the range from x to y, whose bounds are in it ([ and ]) or not"
    yield own(range_.name, texts, range_, make, doc, can_fail=True, never_null=True)
    yield each("lower", (range_,), kind, lambda a: a.lower, "the lower bound; NULL for none", gives_null=True)
    yield each("upper", (range_,), kind, lambda a: a.upper, "the upper bound; NULL for none", gives_null=True)
    yield each("isempty", (range_,), truth, lambda a: a.empty, "whether nothing is in the range")
    yield each("lower_inc", (range_,), truth, lambda a: a.lower_inc, "whether the lower bound is in the range")
    yield each("upper_inc", (range_,), truth, lambda a: a.upper_inc, "whether the upper bound is in the range")
    doc = "whether there is no lower bound"
    yield each("lower_inf", (range_,), truth, lambda a: not a.empty and a.lower is None, doc)
    doc = "whether there is no upper bound"
    yield each("upper_inf", (range_,), truth, lambda a: not a.empty and a.upper is None, doc)
    yield each("range_merge", pair, range_, of.merge, "the smallest range with both in it", can_fail=True)
    yield each("@>", pair, truth, of.contains, "whether y lies in x")
    yield each("@>", (range_, kind), truth, of.contains_value, "whether y lies in x")
    yield each("<@", pair, truth, lambda a, b: of.contains(b, a), "whether x lies in y")
    yield each("<@", (kind, range_), truth, lambda a, b: of.contains_value(b, a), "whether x lies in y")
    yield each("&&", pair, truth, of.overlap, "whether something is in both")
    yield each("<<", pair, truth, of.before, "whether x ends before y begins")
    yield each(">>", pair, truth, lambda a, b: of.before(b, a), "whether x begins behind the end of y")
    yield each("&<", pair, truth, of.not_beyond, "whether x does not end behind y")
    yield each("&>", pair, truth, of.not_short, "whether x does not begin before y")
    yield each("-|-", pair, truth, of.adjacent, "whether the two meet without a gap or a value in both")
    yield each("+", pair, range_, of.union, "what is in either, if that is one range", can_fail=True)
    yield each("*", pair, range_, of.intersection, "what is in both", can_fail=True)
    yield each("-", pair, range_, of.difference, "what is in x and not in y, if that is one range", can_fail=True)


FUNCTIONS: Final = tuple(function for range_ in types.RANGES for function in _of(range_))
