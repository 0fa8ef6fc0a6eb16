# pyright: basic
# numba compiles these from their signatures; array element types are not Python's.
"""A machine that reads Avro's binary encoding: its program is a schema, compiled (engine/connectors/avro/compile.py).

An instruction is four numbers: what, column, a, b. Columns get words, or spans of the datum for others to convert.
"""

import numpy as np
from numba import njit

from engine.kernels.varint import varint

END, LONG, BOOL, FLOAT, DOUBLE, BYTES, FIXED, UNION, JUMP = range(9)
NULL, CONST, BLOCK, LOOP, BEGIN, CLOSE, ENUM, DECIMAL = range(9, 17)
"""LONG, BOOL, FLOAT, DOUBLE, BYTES (with length), FIXED (a bytes), ENUM (b symbols): a value into the column, or past
it when the column is -1. UNION a: of a branches; the a instructions behind it are JUMPs to them. JUMP a. NULL: the
column is NULL. CONST: its word is the a-th constant. BLOCK a: a block of an array or map begins, which ends at a when
empty. LOOP a: the next item at a, or (behind the last of a block) the next BLOCK at b. BEGIN, CLOSE: the column is the
bytes in between. DECIMAL: like BYTES (a = 0) or FIXED (a bytes), up to 8 bytes as a word."""

ABSENT, WORD, SPAN = 0, 1, 2
"""States of a cell."""

FINE, CUT_OFF, TOO_LONG, BAD_BRANCH, BAD_LENGTH, BAD_SYMBOL, TOO_DEEP, LOST = range(8)
"""What was wrong with a datum."""

CHAINED = -1
"""A datum with this for its start begins where the one before it ended."""

DEPTH_MAX = 32
ITEMS_MAX = 1 << 27
"""Of a block: more of them, in whatever few bytes, are no datum."""
NAN = np.uint64(0x7FF8000000000000)


@njit(
    "void(Array(uint8, 1, 'C', readonly=True), int64[::1], int64[::1], int64[:, ::1], uint64[::1], uint64[:, ::1],"
    "int64[:, ::1], int64[:, ::1], uint8[:, ::1], uint8[::1])",
    cache=True,
    nogil=True,
)
def run(data, starts, stops, program, constants, words, begins, ends, states, wrong):
    """Run the program over each datum data[starts[r]:stops[r]]. O(bytes).

    Cell (c, r) is words[c, r] or the span begins[c, r], ends[c, r], as states[c, r] says; wrong[r] is FINE or why the
    datum is none. Data that are chained share their stop: of each its own start and stop are put into `starts` and
    `stops`, and those behind one that is none are LOST.
    """
    counters = np.zeros(DEPTH_MAX, np.int64)
    singles, doubles = np.zeros(2, np.float32), np.zeros(1, np.float64)
    single_bits, double_bits = singles.view(np.uint32), doubles.view(np.uint64)
    at, fault = np.int64(0), FINE
    for r in range(len(starts)):
        end = stops[r]
        if starts[r] != CHAINED:
            at = starts[r]
        else:
            starts[r] = at
            if fault != FINE:
                wrong[r] = LOST
                continue
        pc, depth = 0, 0
        fault = FINE
        while True:
            op, c, a, b = program[pc, 0], program[pc, 1], program[pc, 2], program[pc, 3]
            pc += 1
            if op == LONG or op == ENUM:
                value, at = varint(data, at, end)
                if at < 0:
                    fault = CUT_OFF
                    break
                if op == ENUM and (value < 0 or value >= b):
                    fault = BAD_SYMBOL
                    break
                if c >= 0:
                    words[c, r] = np.uint64(value)
                    states[c, r] = WORD
            elif op == BYTES or op == FIXED or op == DECIMAL:
                size = a
                if op == BYTES or a == 0:
                    size, at = varint(data, at, end)
                    if at < 0:
                        fault = CUT_OFF
                        break
                if size < 0 or size > end - at:
                    fault = BAD_LENGTH
                    break
                if c >= 0:
                    begins[c, r] = at
                    ends[c, r] = at + size
                    states[c, r] = SPAN
                    if op == DECIMAL and 0 < size <= 8:
                        number = np.int64(np.int8(data[at]))
                        for k in range(1, size):
                            number = (number << 8) | np.int64(data[at + k])
                        words[c, r] = np.uint64(number)
                        states[c, r] = WORD
                at += size
            elif op == UNION:
                branch, at = varint(data, at, end)
                if at < 0:
                    fault = CUT_OFF
                    break
                if branch < 0 or branch >= a:
                    fault = BAD_BRANCH
                    break
                pc += branch
            elif op == JUMP:
                pc = a
            elif op == NULL:
                states[c, r] = ABSENT
                words[c, r] = np.uint64(0)
            elif op == CONST:
                states[c, r] = WORD
                words[c, r] = constants[a]
            elif op == BOOL:
                if at >= end:
                    fault = CUT_OFF
                    break
                if c >= 0:
                    words[c, r] = np.uint64(data[at] != 0)
                    states[c, r] = WORD
                at += 1
            elif op == FLOAT or op == DOUBLE:
                size = 4 if op == FLOAT else 8
                if size > end - at:
                    fault = CUT_OFF
                    break
                if c >= 0:
                    word = np.uint64(0)
                    for k in range(size):
                        word |= np.uint64(data[at + k]) << np.uint64(8 * k)
                    if op == FLOAT:
                        single_bits[0] = np.uint32(word)
                        doubles[0] = np.float64(singles[0])
                    else:
                        double_bits[0] = word
                    words[c, r] = NAN if doubles[0] != doubles[0] else double_bits[0]
                    states[c, r] = WORD
                at += size
            elif op == BLOCK:
                count, at = varint(data, at, end)
                if at >= 0 and count < 0:
                    count = -count
                    _, at = varint(data, at, end)
                if at < 0:
                    fault = CUT_OFF
                    break
                if count < 0 or count > ITEMS_MAX:
                    fault = BAD_LENGTH
                    break
                if count == 0:
                    pc = a
                else:
                    if depth == DEPTH_MAX:
                        fault = TOO_DEEP
                        break
                    counters[depth] = count
                    depth += 1
            elif op == LOOP:
                counters[depth - 1] -= 1
                if counters[depth - 1] > 0:
                    pc = a
                else:
                    depth -= 1
                    pc = b
            elif op == BEGIN:
                begins[c, r] = at
            elif op == CLOSE:
                ends[c, r] = at
                states[c, r] = SPAN
            else:
                break
        if fault == FINE and at != end:
            if r + 1 < len(starts) and starts[r + 1] == CHAINED:
                stops[r] = at
            else:
                fault = TOO_LONG
        wrong[r] = fault
