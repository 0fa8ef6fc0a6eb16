# pyright: basic
# numba compiles these from their signatures; array element types are not Python's.
"""Where the values lie in what PostgreSQL sends: rows of COPY's text format, and changes of pgoutput.

Both give spans of text by [column, row], the same as other decoders of records take; nothing is converted here.
"""

import numpy as np
from numba import njit
from numba.extending import register_jitable

TAB, NEWLINE, BACKSLASH = 9, 10, 92
LETTER_N = 78

NO_OLD_ROW, MALFORMED = -1, -2
"""What `changes` returns instead of a number of rows: an update or a deletion without the row as it was; a message that
is not of this shape."""

SPANS = "int64[:, ::1], int64[:, ::1], boolean[:, ::1]"


@njit(f"int64(uint8[::1], int64, {SPANS})", cache=True, nogil=True)
def rows_of_copy(data, size, begins, ends, nulls):
    """The fields of the whole lines in data[:size], without their escapes: data is written to. O(bytes).

    Returns the number of rows, MALFORMED for one of another number of fields. There is room for every line.
    """
    columns = len(begins)
    row, column = 0, 0
    at, out, begin = 0, 0, 0
    while at < size:
        byte = data[at]
        if byte == TAB or byte == NEWLINE:
            if column >= columns:
                return MALFORMED
            begins[column, row] = begin
            ends[column, row] = out
            column += 1
            at += 1
            begin = out = at
            if byte == NEWLINE:
                if column != columns:
                    return MALFORMED
                column = 0
                row += 1
            continue
        if byte == BACKSLASH:
            at += 1
            byte = data[at]
            if byte == LETTER_N:
                if column >= columns:
                    return MALFORMED
                nulls[column, row] = True
                at += 1
                begin = out = at
                continue
            if byte == 98:  # b
                byte = np.uint8(8)
            elif byte == 102:  # f
                byte = np.uint8(12)
            elif byte == 110:  # n
                byte = np.uint8(10)
            elif byte == 114:  # r
                byte = np.uint8(13)
            elif byte == 116:  # t
                byte = np.uint8(9)
            elif byte == 118:  # v
                byte = np.uint8(11)
        data[out] = byte
        out += 1
        at += 1
    return row


@register_jitable
def _int32(data, at):
    return (
        (np.int64(data[at]) << 24) | (np.int64(data[at + 1]) << 16)
        | (np.int64(data[at + 2]) << 8) | np.int64(data[at + 3])
    )  # fmt: skip


@register_jitable
def _row(data, at, end, places, begins, ends, nulls, row):
    """The values of a TupleData at `at`; where it ends, or MALFORMED. An unchanged TOASTed value (u) is that of the row
    before, which is the same row as it was."""
    count = (np.int64(data[at]) << 8) | np.int64(data[at + 1])
    at += 2
    if count != len(places):
        return MALFORMED
    for i in range(count):
        if at >= end:
            return MALFORMED
        kind = data[at]
        at += 1
        begin, stop, null = at, at, False
        if kind == 116:  # t
            begin = at + 4
            stop = begin + _int32(data, at)
            at = stop
        elif kind == 110:  # n
            null = True
        elif kind != 117 or row == 0:  # u
            return MALFORMED
        place = places[i]
        if place < 0:
            continue
        if kind == 117:
            begins[place, row] = begins[place, row - 1]
            ends[place, row] = ends[place, row - 1]
            nulls[place, row] = nulls[place, row - 1]
        else:
            begins[place, row] = begin
            ends[place, row] = stop
            nulls[place, row] = null
    return at


@njit(f"int64(uint8[::1], int64[::1], int64[::1], int64[::1], {SPANS}, int64[::1])", cache=True, nogil=True)
def changes(data, starts, stops, places, begins, ends, nulls, diffs):
    """The rows that Insert, Update and Delete messages of one relation bring (diff 1) and take (-1). O(bytes).

    Message i is data[starts[i]:stops[i]]. Value j of a row goes to column places[j]; -1: nowhere. There is room for two
    rows a message. Returns the number of rows, or NO_OLD_ROW, or MALFORMED.
    """
    row = 0
    for i in range(len(starts)):
        at, end = starts[i], stops[i]
        kind = data[at]
        at += 5
        if kind == 73:  # I
            diffs[row] = 1
            at = _row(data, at + 1, end, places, begins, ends, nulls, row)
            row += 1
        else:
            if data[at] != 79:  # O: the whole old row; K is its key only
                return NO_OLD_ROW
            diffs[row] = -1
            at = _row(data, at + 1, end, places, begins, ends, nulls, row)
            row += 1
            if kind == 85 and at != MALFORMED:  # U
                diffs[row] = 1
                at = _row(data, at + 1, end, places, begins, ends, nulls, row)
                row += 1
        if at != end:
            return MALFORMED
    return row
