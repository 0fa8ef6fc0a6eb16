"""What a reduce adds up: its aggregates as a program for engine/kernels/accumulate.py, and the results kernels leave
over.

Law: every accumulator is a linear function of the counts of the rows, and exact. So a retraction undoes an insertion
wherever it comes, in whatever order, and the same rows give the same result whatever came and went before.

Most values never leave the kernels. Aside, in Python integers per group, go: NaN and infinities (counted), doubles too
large or small for the fixed point of the limbs, squares of numerics of more than 18 places.
"""

from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Context, Decimal
from math import inf, isinf, isnan, nan, sqrt
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engine import types
from engine.collection import extremes
from engine.collection.batch import Batch, Words, null_words
from engine.collection.groups import Ids
from engine.collection.heap import DECIMAL_TAG, Heap
from engine.collection.numeric import pack_decimal, unpack_decimal
from engine.dataflow.graph import Aggregate
from engine.dataflow.operators.asides import Aside, from_limbs, quotient, scaled, to_limbs
from engine.errors import OutOfRange
from engine.expr.aggregate import EXTREME, WHOLE_GROUP, Kind
from engine.kernels import accumulate as kernels
from engine.kernels import wide
from engine.types import Physical, SqlType

FINE_BITS: Final = 1074
"""Every double is a whole number of 2^-1074."""
FINE_DIGITS: Final = 39
"""Every numeric is a whole number of 10^-39."""
ROUGH: Final = Context(prec=80, Emax=999_999, Emin=-999_999)
"""Quotients and roots before they are rounded to 39 digits."""
NAN_WORD: Final = 0x7FF8000000000000

SPREADS: Final = {Kind.VAR_SAMP: 0, Kind.STDDEV_SAMP: 1, Kind.VAR_POP: 2, Kind.STDDEV_POP: 3}
"""Bit 0: the root is taken; bit 1: of the population."""
ADDITIVE: Final = {
    Physical.SIGNED: kernels.INTEGER, Physical.FLOAT: kernels.DOUBLE, Physical.DECIMAL: kernels.DECIMAL,
}  # fmt: skip
SQUARED: Final = {
    Physical.SIGNED: kernels.SQUARES_INTEGER, Physical.FLOAT: kernels.SQUARES_DOUBLE,
    Physical.DECIMAL: kernels.SQUARES_DECIMAL,
}  # fmt: skip
SUMS: Final = {
    Physical.SIGNED: kernels.SHOW_INTEGER, Physical.FLOAT: kernels.SHOW_DOUBLE, Physical.DECIMAL: kernels.SHOW_DECIMAL,
}  # fmt: skip
MEANS: Final = {
    Physical.SIGNED: kernels.SHOW_MEAN_INTEGER, Physical.FLOAT: kernels.SHOW_MEAN_DOUBLE,
    Physical.DECIMAL: kernels.SHOW_MEAN_DECIMAL,
}  # fmt: skip
WIDTHS: Final = {
    kernels.COUNT: 1, kernels.INTEGER: 3, kernels.DOUBLE: 8, kernels.DECIMAL: 8, kernels.TRUTH: 2,
    kernels.SQUARES_INTEGER: 14, kernels.SQUARES_DOUBLE: 14, kernels.SQUARES_DECIMAL: 14, kernels.LARGEST: 3,
}  # fmt: skip
"""Words of state by operation."""
RUNS: Final = {
    kernels.COUNT: (1,), kernels.INTEGER: (1, 2), kernels.DOUBLE: (1, 1, 6), kernels.DECIMAL: (1, 1, 6),
    kernels.TRUTH: (1, 1), kernels.SQUARES_INTEGER: (1, 1, 6, 6), kernels.SQUARES_DOUBLE: (1, 1, 6, 6),
    kernels.SQUARES_DECIMAL: (1, 1, 6, 6),
}  # fmt: skip
"""The numbers in them, by how many words each has: what it takes to add states up."""
IN_ORDER: Final = frozenset({Physical.UNSIGNED, Physical.BOOLEAN, Physical.SIGNED, Physical.FLOAT})
"""Words that an order key sorts completely: what LARGEST compares."""


class Accumulators:
    """The accumulators of one reduce. Aggregates that need the same state of the same column share it.

    `extra` is how many words of each record they take, from word `base` on; `places[a]` is the offset of the state of
    aggregate a; what is not accumulated here has the words of its owner there (extremes.py, whole_group.py).
    """

    def __init__(
        self,
        aggregates: Sequence[Aggregate],
        input_types: Sequence[SqlType],
        keys: int,
        base: int,
        monotonic: bool,
        heap: Heap,
    ) -> None:
        self._heap = heap
        self._types = input_types
        self.aggregates: Final = aggregates
        self.places: Final[list[int]] = []
        self._states: Final[dict[tuple[int, int, bool], int]] = {}
        self._asides: Final[dict[int, dict[int, Aside]]] = {}
        self.extra = 0
        self._base = base
        columns = keys + len(aggregates)
        program: list[list[int]] = []
        results: list[list[int]] = []
        for a, aggregate in enumerate(aggregates):
            operation, function, option = self._plan(aggregate, monotonic)
            parameter = 0
            if operation == kernels.LARGEST:
                parameter = 2 * input_types[aggregate.columns[0]].physical + (aggregate.kind is Kind.MIN)
            place = 0
            if function == kernels.SHOW_ROWS:
                place = 0
            elif operation is None:
                place = base + self.extra
                self.extra += extremes.WIDTH if aggregate.kind in EXTREME else 1
            else:
                place = self._state(operation, aggregate.columns[0], parameter, program)
            self.places.append(place)
            results.append([function, place, null_words(columns) + keys + a, (keys + a) >> 6, (keys + a) & 63, option])
        self.program: Final = np.array(program, np.int64).reshape(-1, 7)
        self.results: Final = np.array(results, np.int64).reshape(-1, 6)
        self.errors: Final = np.array(
            [heap.intern(b"22003 bigint out of range"), heap.intern(b"22003 numeric field overflow")], np.uint64
        )

    def _plan(self, aggregate: Aggregate, monotonic: bool) -> tuple[int | None, int, int]:
        """(operation, function, option) of one aggregate; no operation where its owner is another module."""
        kind = aggregate.kind
        if kind is Kind.COUNT_ROWS:
            return None, kernels.SHOW_ROWS, 0
        if kind in WHOLE_GROUP:
            return None, kernels.SHOW_LATER, 0
        physical = self._types[aggregate.columns[0]].physical
        if kind in EXTREME:
            alone = monotonic and physical in IN_ORDER
            return (kernels.LARGEST if alone else None), kernels.SHOW_VALUE, 0
        if kind is Kind.COUNT:
            return kernels.COUNT, kernels.SHOW_COUNT, 0
        if kind is Kind.BOOL_AND or kind is Kind.BOOL_OR:
            return kernels.TRUTH, kernels.SHOW_AND if kind is Kind.BOOL_AND else kernels.SHOW_OR, 0
        if kind in SPREADS:
            spread = kernels.SHOW_SPREAD if physical is Physical.FLOAT else kernels.SHOW_LATER
            return SQUARED[physical], spread, SPREADS[kind]
        real = int(aggregate.type.oid == types.REAL.oid)
        if kind is Kind.AVG:
            return ADDITIVE[physical], MEANS[physical], real
        assert kind is Kind.SUM
        if physical is Physical.SIGNED and aggregate.type.physical in (Physical.SIGNED, Physical.UNSIGNED):
            return kernels.INTEGER, kernels.SHOW_BIGINT, 0
        return ADDITIVE[physical], SUMS[physical], real

    def _state(self, operation: int, column: int, parameter: int, program: list[list[int]]) -> int:
        """The offset of a state, taken up anew unless the column has one."""
        key = (operation, column, bool(parameter & 1) and operation == kernels.LARGEST)
        if key not in self._states:
            offset = self._base + self.extra
            self._states[key] = offset
            self.extra += WIDTHS[operation]
            value = null_words(len(self._types)) + column
            program.append([operation, value, column >> 6, column & 63, offset, parameter, 0])
        return self._states[key]

    # Adding

    def add(self, batch: Batch, gids: Ids, records: Words, used: int) -> None:
        """Take a batch into the records of its groups; all ids are below `used`."""
        program = self.program
        aside = kernels.accumulate(batch.words, batch.diffs, gids, records, program)
        if aside < 0:
            for p in range(len(program)):
                if program[p, kernels.ASIDE]:
                    self._rescale(p, int(program[p, kernels.ASIDE]), records, used)
            aside = kernels.accumulate(batch.words, batch.diffs, gids, records, program)
        if aside:
            for p in np.flatnonzero(program[:, kernels.ASIDE]).tolist():
                rows = kernels.aside_rows(batch.words, batch.diffs, program, p)
                words = batch.words[program[p, kernels.VALUE], rows]
                if program[p, kernels.OPERATION] == kernels.DECIMAL:
                    self._add_heap_decimals(p, words, batch.diffs[rows], gids[rows], records, used)
                else:
                    self._add_aside(p, words, batch.diffs[rows], gids[rows], records)

    def _rescale(self, p: int, scale: int, records: Words, used: int) -> None:
        """Sums of operation `p` in units of 10^-scale from here on. O(groups), at most 39 times."""
        offset, before = int(self.program[p, kernels.OFFSET]), int(self.program[p, kernels.PARAMETER])
        wide.rescale(records, used, offset + 2, scale - before)
        if self.program[p, kernels.OPERATION] == kernels.SQUARES_DECIMAL:
            wide.rescale(records, used, offset + 2 + wide.LIMBS, 2 * (scale - before))
        else:
            self.results[self.results[:, kernels.STATE] == offset, kernels.OPTION] = scale
        self.program[p, kernels.PARAMETER] = scale

    def _add_heap_decimals(
        self, p: int, words: Words, diffs: NDArray[np.int64], gids: Ids, records: Words, used: int
    ) -> None:
        """Numerics that are not packed: each distinct one is read once, then they are limbs like the others."""
        distinct, which = np.unique(words, return_inverse=True)
        values = [unpack_decimal(word, self._heap) for word in distinct.tolist()]
        places = max((-int(v.as_tuple().exponent) for v in values if v.is_finite()), default=0)
        if places > self.program[p, kernels.PARAMETER]:
            self._rescale(p, places, records, used)
        scale = int(self.program[p, kernels.PARAMETER])
        finite = np.array([v.is_finite() for v in values])
        numbers = to_limbs([scaled(v, scale) if v.is_finite() else 0 for v in values])
        offset = int(self.program[p, kernels.OFFSET])
        wide.add_numbers(records, gids, offset + 2, numbers[which], diffs)
        if not finite.all():
            rest = ~finite[which]
            self._add_aside(p, words[rest], diffs[rest], gids[rest], records)

    def _add_aside(self, p: int, words: Words, diffs: NDArray[np.int64], gids: Ids, records: Words) -> None:
        """Values that do not go into limbs. O(rows) in Python: they are rare."""
        asides = self._asides.setdefault(int(self.program[p, kernels.OFFSET]), {})
        flag = int(self.program[p, kernels.OFFSET]) + 1
        decimal = self.program[p, kernels.OPERATION] == kernels.SQUARES_DECIMAL or (
            self.program[p, kernels.OPERATION] == kernels.DECIMAL
        )
        floats = words.view(np.float64).tolist()
        for word, x, diff, gid in zip(words.tolist(), floats, diffs.tolist(), gids.tolist(), strict=True):
            entry = asides.setdefault(gid, Aside())
            if decimal:
                value = unpack_decimal(word, self._heap)
                x = 0.0 if value.is_finite() else float(value)
                unit = scaled(value, FINE_DIGITS) if value.is_finite() else 0
            elif isnan(x) or isinf(x):
                unit = 0
            else:
                over, under = x.as_integer_ratio()
                unit = over * ((1 << FINE_BITS) // under)
            entry.nans += diff * isnan(x)
            entry.infinities += diff * (x == inf)
            entry.negative_infinities += diff * (x == -inf)
            entry.total += diff * unit
            entry.squares += diff * unit * unit
            records[gid, flag] = not entry.empty
            if entry.empty:
                del asides[gid]

    def frame_asides(self, begin: NDArray[np.int64], end: NDArray[np.int64]) -> None:
        """Entries of single rows become those of frames: frame i is the rows begin[p, i] .. end[p, i] of every p.

        O(frames) in Python, where any row has an entry.
        """
        for offset, held in self._asides.items():
            at = np.array(sorted(held), np.int64)
            running = [Aside()]
            for row in at.tolist():
                running.append(running[-1].plus(held[row], 1))
            first, last = np.searchsorted(at, begin), np.searchsorted(at, end)
            framed: dict[int, Aside] = {}
            for i in np.flatnonzero((last > first).any(axis=0)).tolist():
                entry = Aside()
                for p in np.flatnonzero(last[:, i] > first[:, i]).tolist():
                    entry = entry.plus(running[last[p, i]], 1).plus(running[first[p, i]], -1)
                framed[i] = entry
            self._asides[offset] = framed

    def follow(self, other: "Accumulators", records: Words, used: int) -> None:
        """Count in the units of `other`, which has the same aggregates and units as fine or finer. O(records used)."""
        for p in np.flatnonzero(self.program[:, kernels.PARAMETER] != other.program[:, kernels.PARAMETER]).tolist():
            self._rescale(p, int(other.program[p, kernels.PARAMETER]), records, used)

    def copy_asides(self, other: "Accumulators", rows: NDArray[np.integer], to: NDArray[np.integer]) -> None:
        """What `other` has beside its records `rows` is what there is beside the records `to` here."""
        for offset in {*self._asides, *other._asides}:
            there, here = other._asides.get(offset, {}), self._asides.setdefault(offset, {})
            if not there and not here:
                continue
            for row, target in zip(rows.tolist(), to.tolist(), strict=True):
                if row in there:
                    here[target] = there[row]
                else:
                    here.pop(target, None)

    def in_units_of(self, other: "Accumulators") -> bool:
        """Whether records of both mean the same."""
        return np.array_equal(self.program[:, kernels.PARAMETER], other.program[:, kernels.PARAMETER])

    @property
    def beside(self) -> bool:
        """Whether any record has something beside its limbs."""
        return any(self._asides.values())

    # Showing

    def show_later(self, a: int, rows: NDArray[np.int64], gids: Ids, records: Words, shown: Words) -> None:
        """Put the results of aggregate `a`, which the kernel left, into rows `rows` (groups `gids`) of `shown`."""
        function, place = int(self.results[a, kernels.FUNCTION]), self.places[a]
        if function in (kernels.SHOW_DOUBLE, kernels.SHOW_MEAN_DOUBLE, kernels.SHOW_SPREAD):
            words = [self._double(a, gid, records) for gid in gids.tolist()]
            shown[rows, self.results[a, kernels.TARGET]] = np.array(words, np.uint64)
            return
        if function == kernels.SHOW_LATER:
            for row, gid in zip(rows.tolist(), gids.tolist(), strict=True):
                self._show_spread(a, row, gid, records, shown)
            return
        asides = self._asides.get(place, {})
        plain = np.array([gid not in asides for gid in gids.tolist()]) if asides else np.ones(len(gids), np.bool_)
        for row, gid in zip(rows[~plain].tolist(), gids[~plain].tolist(), strict=True):
            special = asides[gid].special
            assert special is not None  # finite numerics are all in the limbs
            shown[row, self.results[a, kernels.TARGET]] = pack_decimal(Decimal(special), self._heap)
        rows, gids = rows[plain], gids[plain]
        integer = function in (kernels.SHOW_INTEGER, kernels.SHOW_MEAN_INTEGER)
        mean = function in (kernels.SHOW_MEAN_INTEGER, kernels.SHOW_MEAN_DECIMAL)
        numbers = self._numbers(gids, place + 1, 2, records) if integer else self._numbers(gids, place + 2, 6, records)
        divisors = records[gids, place].view(np.int64) if mean else np.ones(len(gids), np.int64)
        words = np.empty(len(gids), np.uint64)
        offsets = np.empty(len(gids) + 1, np.int64)
        text = np.empty(96 * len(gids), np.uint8)
        scale = 0 if integer else int(self.results[a, kernels.OPTION])
        end = wide.divide_decimals(numbers, divisors, scale, words, text, offsets)
        if end:
            codes = self._heap.intern_buffers(offsets, text[:end])
            words = np.where(codes != 0, codes | DECIMAL_TAG, words)
        failed = words == wide.OVERFLOW
        shown[rows, self.results[a, kernels.TARGET]] = words
        self._fail(rows[failed], shown)

    def _fail(self, rows: NDArray[np.int64], shown: Words) -> None:
        """These groups show 'numeric field overflow'."""
        shown[rows] = 0
        shown[rows, -1] = self.errors[1] + np.uint64(1)

    @staticmethod
    def _numbers(gids: Ids, offset: int, limbs: int, records: Words) -> Words:
        """Sums as LIMBS limbs: uint64[n, LIMBS]."""
        out = np.empty((len(gids), wide.LIMBS), np.uint64)
        out[:, :limbs] = records[gids, offset : offset + limbs]
        sign = records[gids, offset + limbs - 1].view(np.int64) >> 63
        out[:, limbs:] = sign.view(np.uint64)[:, None]
        return out

    def _double(self, a: int, gid: int, records: Words) -> int:
        """The word of a double of a group that has an entry beside its limbs."""
        function, place, option = int(self.results[a, 0]), self.places[a], int(self.results[a, kernels.OPTION])
        entry = self._asides[place][gid]
        special, count = entry.special, int(records[gid, place])
        fine = FINE_BITS - wide.FLOAT_SCALE
        total = (from_limbs(records[gid, place + 2 : place + 2 + wide.LIMBS]) << fine) + entry.total
        if function == kernels.SHOW_SPREAD:
            second = slice(place + 2 + wide.LIMBS, place + 2 + 2 * wide.LIMBS)
            squares = (from_limbs(records[gid, second]) << (2 * FINE_BITS - wide.FLOAT_SCALE)) + entry.squares
            value = nan
            if special is None:
                top = quotient(max(0, count * squares - total * total), 1 << 2 * FINE_BITS)
                value = top / (float(count) * (count if option & 2 else count - 1.0))
                value = sqrt(value) if option & 1 else value
        else:
            value = quotient(total, 1 << FINE_BITS) if special is None else special
            value = value / count if function == kernels.SHOW_MEAN_DOUBLE else value
            if option == 1:
                with np.errstate(over="ignore"):
                    value = float(np.float32(value))
        if isnan(value):
            return NAN_WORD
        return int(np.array([value + 0.0]).view(np.uint64)[0])

    def _show_spread(self, a: int, row: int, gid: int, records: Words, shown: Words) -> None:
        """Variance or deviation of integers or numerics: Python integers, as a numeric of 39 digits. 5 us a group."""
        aggregate, place = self.aggregates[a], self.places[a]
        option, count = SPREADS[aggregate.kind], int(records[gid, place].view(np.int64))
        if count <= (0 if option & 2 else 1):
            word, bit = int(self.results[a, kernels.TARGET_NULL]), int(self.results[a, kernels.TARGET_BIT])
            shown[row, word] |= np.uint64(1 << bit)
            return
        total = from_limbs(records[gid, place + 2 : place + 2 + wide.LIMBS])
        squares = from_limbs(records[gid, place + 2 + wide.LIMBS : place + 2 + 2 * wide.LIMBS])
        (p,) = np.flatnonzero(self.program[:, kernels.OFFSET] == place).tolist()
        scale = int(self.program[p, kernels.PARAMETER])
        entry = self._asides.get(place, {}).get(gid)
        if entry is not None:
            total = total * 10 ** (FINE_DIGITS - scale) + entry.total
            squares = squares * 100 ** (FINE_DIGITS - scale) + entry.squares
            scale = FINE_DIGITS
        if entry is not None and entry.special is not None:
            value = Decimal("NaN")
        else:
            over = Decimal(max(0, count * squares - total * total))
            under = Decimal(count * (count if option & 2 else count - 1) * 100**scale)
            value = ROUGH.divide(over, under)
            value = ROUGH.sqrt(value) if option & 1 else value
            if value:  # both limits in one step: rounding twice may round up what is below a half
                places = min(FINE_DIGITS, FINE_DIGITS - 1 - value.adjusted())
                value = value.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP, ROUGH)
        try:
            shown[row, self.results[a, kernels.TARGET]] = pack_decimal(value, self._heap)
        except OutOfRange:
            self._fail(np.array([row]), shown)
