"""What a reduce adds up: its aggregates as a program for engine/kernels/accumulate.py, and the results kernels leave
over.

Law: every accumulator is a linear function of the counts of the rows, and exact. So a retraction undoes an insertion
wherever it comes, in whatever order, and the same rows give the same result whatever came and went before.

Most values never leave the kernels. Aside, in Python integers per group, go: NaN and infinities (counted), doubles too
large or small for the fixed point of the limbs, squares of numerics of more than 18 places.
"""

from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Context, Decimal
from math import isnan, nan, sqrt
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
from engine.dataflow.operators.asides import (
    FINE_BITS,
    FINE_DIGITS,
    Aside,
    from_limbs,
    quotient,
    scaled,
    to_limbs,
)
from engine.dataflow.operators.regression import Moments, regression
from engine.errors import OutOfRange
from engine.expr.aggregate import BITWISE, EXTREME, PAIRED, SMALL_UNSIGNED, WHOLE_GROUP, Kind
from engine.kernels import accumulate as kernels
from engine.kernels import wide
from engine.types import Physical, SqlType

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
    kernels.PAIRS: 32, kernels.BITS: 1,
}  # fmt: skip
"""Words of state by operation; of BITS the bits come to them."""
RUNS: Final = {
    kernels.COUNT: (1,), kernels.INTEGER: (1, 2), kernels.DOUBLE: (1, 1, 6), kernels.DECIMAL: (1, 1, 6),
    kernels.TRUTH: (1, 1), kernels.SQUARES_INTEGER: (1, 1, 6, 6), kernels.SQUARES_DOUBLE: (1, 1, 6, 6),
    kernels.SQUARES_DECIMAL: (1, 1, 6, 6), kernels.PAIRS: (1, 1, 6, 6, 6, 6, 6), kernels.BITS: (1,),
}  # fmt: skip
"""The numbers in them, by how many words each has: what it takes to add states up."""
BITS: Final = {Kind.BIT_AND: kernels.BIT_AND, Kind.BIT_OR: kernels.BIT_OR, Kind.BIT_XOR: kernels.BIT_XOR}
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
        self._states: Final[dict[tuple[int, tuple[int, ...], bool], int]] = {}
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
            elif operation == kernels.BITS:
                parameter = option >> 2
            place = 0
            if function == kernels.SHOW_ROWS:
                place = 0
            elif operation is None:
                place = base + self.extra
                self.extra += extremes.WIDTH if aggregate.kind in EXTREME else 1
            else:
                place = self._state(operation, aggregate.columns, parameter, program)
            self.places.append(place)
            results.append([function, place, null_words(columns) + keys + a, (keys + a) >> 6, (keys + a) & 63, option])
        self.program: Final = np.array(program, np.int64).reshape(-1, kernels.NULL_BIT_2 + 1)
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
        if kind in PAIRED:
            return kernels.PAIRS, kernels.SHOW_COUNT if kind is Kind.REGR_COUNT else kernels.SHOW_LATER, 0
        if kind in BITWISE:
            return kernels.BITS, kernels.SHOW_BITS, 4 * bits_of(aggregate.type) + BITS[kind]
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

    def _state(self, operation: int, columns: tuple[int, ...], parameter: int, program: list[list[int]]) -> int:
        """The offset of a state, taken up anew unless the columns have one."""
        key = (operation, columns, bool(parameter & 1) and operation == kernels.LARGEST)
        if key not in self._states:
            offset = self._base + self.extra
            self._states[key] = offset
            self.extra += WIDTHS[operation] + parameter * (operation == kernels.BITS)
            leading = null_words(len(self._types))
            (first, *second) = ([leading + c, c >> 6, c & 63] for c in (columns[0], columns[-1]))
            program.append([operation, *first, offset, parameter, 0, *second[0]])
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
                if program[p, kernels.OPERATION] == kernels.PAIRS:
                    others = batch.words[program[p, kernels.VALUE_2], rows]
                    self._add_pairs(p, words, others, batch.diffs[rows], gids[rows], records)
                elif program[p, kernels.OPERATION] == kernels.DECIMAL:
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
            value = unpack_decimal(word, self._heap) if decimal else x
            if isinstance(value, Decimal) and value.is_finite():
                entry.add_units(scaled(value, FINE_DIGITS), diff)
            else:
                entry.add(float(value), diff)
            records[gid, flag] = not entry.empty
            if entry.empty:
                del asides[gid]

    def _add_pairs(
        self, p: int, words: Words, others: Words, diffs: NDArray[np.int64], gids: Ids, records: Words
    ) -> None:
        """Pairs that do not go into limbs. O(rows) in Python."""
        asides = self._asides.setdefault(int(self.program[p, kernels.OFFSET]), {})
        flag = int(self.program[p, kernels.OFFSET]) + 1
        pairs = zip(words.view(np.float64).tolist(), others.view(np.float64).tolist(), strict=True)
        for (y, x), diff, gid in zip(pairs, diffs.tolist(), gids.tolist(), strict=True):
            entry = asides.setdefault(gid, Aside())
            entry.add_pair(y, x, diff)
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

    def runs(self) -> NDArray[np.int64]:
        """Where in a record numbers lie, and how many words each has, the count of rows first: what it takes to add
        records up."""
        runs = [(0, 1)]
        for operation, *_, offset, parameter, _, _, _, _ in self.program.tolist():
            for length in (*RUNS[operation], *(1,) * (parameter * (operation == kernels.BITS))):
                runs.append((offset, length))
                offset += length
        return np.array(runs, np.int64)

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
        if self.aggregates[a].kind in PAIRED:
            self._show_pairs(a, rows, gids, records, shown)
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

    def _show_pairs(self, a: int, rows: NDArray[np.int64], gids: Ids, records: Words, shown: Words) -> None:
        """Covariance, correlation and the like in Python integers. 10 us a group."""
        kind, place, limbs = self.aggregates[a].kind, self.places[a], wide.LIMBS
        target, word, bit = self.results[a, kernels.TARGET : kernels.TARGET_BIT + 1].tolist()
        asides = self._asides.get(place, {})
        for row, gid in zip(rows.tolist(), gids.tolist(), strict=True):
            record = records[gid, place : place + WIDTHS[kernels.PAIRS]]
            sums = [from_limbs(record[at : at + limbs]) for at in range(2, len(record), limbs)]
            moments = Moments(int(record[0].view(np.int64)), wide.FLOAT_SCALE, *sums)
            entry = asides.get(gid)
            value = regression(kind, moments if entry is None else moments.beside(entry))
            if value is None:
                shown[row, word] |= np.uint64(1 << bit)
            else:
                shown[row, target] = NAN_WORD if isnan(value) else np.float64(value + 0.0).view(np.uint64)


def bits_of(column_type: SqlType) -> int:
    """The bits of an integer's word that say it, the highest one the sign; uint2 and uint4 have none, so one more."""
    small = column_type.plain in SMALL_UNSIGNED
    return 8 * column_type.length + small
