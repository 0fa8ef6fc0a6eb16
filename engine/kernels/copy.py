# pyright: basic
# numba compiles these from their signatures; array element types are not Python's.
"""The data of COPY cut into rows and fields, in PostgreSQL's text, CSV and binary formats.

Fields are spans of the data, row by row: begins[row, column], ends[row, column] and marks[row, column]. What is no
whole row yet is left for the next call, which gets it again in front of what has come since; so it never matters how
the data are cut. A kernel stops behind the last whole row, at the end mark, or at the first row that is malformed.

From  PostgreSQL documentation, "COPY", file formats.
"""

import numpy as np
from numba import njit
from numba.extending import register_jitable

PLAIN, NULL, MARKED = 0, 1, 2
"""Marks of a field: its bytes are its value; it is NULL; it has escapes or quotes that are no part of its value."""

FINE, ENDED, MISSING, EXTRA, UNTERMINATED, BACKSLASH_AT_END, STRAY_RETURN, STRAY_NEWLINE, BAD_END, WIDTH, SIZE, EOF = (
    range(12)
)
"""Why a kernel stopped. ENDED: the end mark was read. The others are about the row that would follow."""

ROWS, CONSUMED, STOP, LINE, ENDS, FOUND = range(6)
"""Places of `state`: rows cut, bytes that they took; why it stopped; lines read so far and how they end (both kept
from call to call); a number that belongs to the stop: the fields of the row that is malformed, or what it says."""

ANY, LF, CR, CRLF = range(4)
"""How lines end: the first line decides."""

BACKSLASH, NEWLINE, RETURN, DOT = 92, 10, 13, 46


@register_jitable
def _line_end(data, at, size, final, ends):
    """(bytes of the line end at `at`, how lines end); 0: more data are needed; below 0: minus the stop it is."""
    c = data[at]
    if c == NEWLINE:
        if ends == ANY or ends == LF:
            return 1, LF
        return -STRAY_NEWLINE, ends
    if ends == LF:
        return -STRAY_RETURN, ends
    if ends == CR:
        return 1, CR
    if at + 1 >= size:
        if not final:
            return 0, ends
        return (1, CR) if ends == ANY else (-STRAY_RETURN, ends)
    if data[at + 1] == NEWLINE:
        return 2, CRLF
    return (1, CR) if ends == ANY else (-STRAY_RETURN, ends)


@register_jitable
def _same(data, begin, end, null):
    if end - begin != len(null):
        return False
    for i in range(len(null)):
        if data[begin + i] != null[i]:
            return False
    return True


@register_jitable
def _end_mark(data, at, size, final):
    """Whether a line that begins with backslash and dot is the end mark: 1 it is, 0 it is not, -1 more data needed."""
    if at + 2 >= size:
        return 1 if final else -1
    return 1 if data[at + 2] == NEWLINE or data[at + 2] == RETURN else 0


@njit(
    "(Array(uint8, 1, 'C', readonly=True), boolean, int64, int64, int64, Array(uint8, 1, 'C', readonly=True),"
    " int64[:, ::1], int64[:, ::1], uint8[:, ::1], int64[::1], int64[::1])",
    cache=True,
    nogil=True,
)
def split_lines(data, final, delimiter, quote, escape, null, begins, ends, marks, numbers, state):
    """Cut text (quote < 0: a backslash escapes) or CSV. numbers[row] is the line that the row ends on. O(bytes)."""
    size, width, capacity = len(data), begins.shape[1], len(begins)
    lines, ending = state[LINE], state[ENDS]
    rows = consumed = at = 0
    stop = FINE
    found = 0
    while at < size and rows < capacity and stop == FINE:
        first, line = at, lines
        field, mark, column = at, PLAIN, 0
        quoted = whole = False
        if data[at] == BACKSLASH:
            if at + 1 == size and not final:
                break
            if at + 1 < size and data[at + 1] == DOT:
                marked = _end_mark(data, at, size, final)
                if marked < 0:
                    break
                if marked == 1:
                    stop = ENDED
                    break
                if quote < 0:
                    stop, lines = BAD_END, lines + 1
                    break
        while True:
            over = at >= size
            if over and not final:
                break
            c = NEWLINE if over else np.int64(data[at])
            if quoted and not over:
                if c == escape and at + 1 == size and not final:
                    break
                if c == escape and at + 1 < size and (data[at + 1] == escape or data[at + 1] == quote):
                    at += 2
                    continue
                if c == quote:
                    quoted = False
                elif c == (RETURN if ending == CR else NEWLINE):
                    line += 1
                at += 1
                continue
            if quoted:
                stop = UNTERMINATED
                break
            if not over and c == quote:
                quoted, mark = True, MARKED
                at += 1
                continue
            if not over and quote < 0 and c == BACKSLASH:
                if at + 1 == size:
                    if final:
                        stop = BACKSLASH_AT_END
                    break
                mark = MARKED
                at += 2
                continue
            if not over and c != delimiter and c != NEWLINE and c != RETURN:
                at += 1
                continue
            length = 1
            if over:
                length = 0
            elif c != delimiter:
                length, ending = _line_end(data, at, size, final, ending)
                if length < 0:
                    stop = -length
                if length <= 0:
                    break
            if column < width:
                begins[rows, column], ends[rows, column] = field, at
                absent = (quote < 0 or mark == PLAIN) and _same(data, field, at, null)
                marks[rows, column] = NULL if absent else mark
            empty = column == 0 and field == at
            column += 1
            at += length
            field, mark = at, PLAIN
            if over or c != delimiter:
                whole = True
                if width == 0 and empty:
                    column = 0
                break
        if whole and column != width:
            stop, found = (MISSING if column < width else EXTRA), column
        if not whole or stop != FINE:
            if stop != FINE:
                lines = line + 1
            at = first
            break
        lines = line + 1
        numbers[rows] = lines
        rows += 1
        consumed = at
    if stop == ENDED:
        consumed = at
    state[ROWS], state[CONSUMED], state[STOP], state[LINE], state[ENDS] = rows, consumed, stop, lines, ending
    state[FOUND] = found


@register_jitable
def _integer(data, at, size):
    value = np.int64(0)
    for i in range(size):
        value = (value << 8) | data[at + i]
    bits = np.int64(64 - 8 * size)
    return (value << bits) >> bits


@njit(
    "(Array(uint8, 1, 'C', readonly=True), boolean, int64[:, ::1], int64[:, ::1], uint8[:, ::1], int64[::1])",
    cache=True,
    nogil=True,
)
def split_binary(data, final, begins, ends, marks, state):
    """Cut the binary format behind its header. O(bytes)."""
    size, width, capacity = len(data), begins.shape[1], len(begins)
    rows = consumed = at = 0
    stop = FINE
    found = 0
    while at < size and rows < capacity and stop == FINE:
        if at + 2 > size:
            stop = EOF if final else FINE
            break
        fields = _integer(data, at, 2)
        at += 2
        if fields == -1:
            stop, consumed = ENDED, at
            break
        if fields != width:
            stop, found = WIDTH, fields
            break
        column = 0
        while column < width:
            if at + 4 > size:
                break
            length = _integer(data, at, 4)
            at += 4
            if length < -1:
                stop, found = SIZE, column
                break
            if at + max(length, 0) > size:
                break
            begins[rows, column], ends[rows, column] = at, at + max(length, 0)
            marks[rows, column] = NULL if length < 0 else PLAIN
            at += max(length, 0)
            column += 1
        if column < width:
            if stop == FINE and final:
                stop, found = EOF, column
            break
        rows += 1
        consumed = at
    state[ROWS], state[CONSUMED], state[STOP], state[FOUND] = rows, consumed, stop, found


@register_jitable
def _hex(c):
    if 48 <= c <= 57:
        return c - 48
    if 97 <= c | 32 <= 102:
        return (c | 32) - 87
    return -1


@register_jitable
def _unescaped(data, at, end):
    """(the byte that the escape at `at` means, where it ends)."""
    c = np.int64(data[at + 1])
    at += 2
    if 48 <= c <= 55:
        value = c - 48
        for _ in range(2):
            if at < end and 48 <= data[at] <= 55:
                value = value * 8 + data[at] - 48
                at += 1
        return value & 255, at
    if c == 120 and at < end and _hex(np.int64(data[at])) >= 0:
        value = np.int64(0)
        for _ in range(2):
            if at < end and _hex(np.int64(data[at])) >= 0:
                value = value * 16 + _hex(np.int64(data[at]))
                at += 1
        return value, at
    if c == 98:
        return np.int64(8), at
    if c == 102:
        return np.int64(12), at
    if c == 110:
        return np.int64(10), at
    if c == 114:
        return np.int64(13), at
    if c == 116:
        return np.int64(9), at
    if c == 118:
        return np.int64(11), at
    return c, at


@njit(
    "Tuple((int64[::1], uint8[::1]))(Array(uint8, 1, 'C', readonly=True), int64[::1], int64[::1], uint8[::1], int64,"
    " int64)",
    cache=True,
    nogil=True,
)
def values_of(data, begins, ends, marks, quote, escape):
    """(offsets, bytes) of the values of fields, none of them NULL, without their quotes and escapes. O(bytes)."""
    n = len(begins)
    total = np.int64(0)
    for i in range(n):
        total += ends[i] - begins[i]
    offsets, out = np.empty(n + 1, np.int64), np.empty(total, np.uint8)
    to = np.int64(0)
    for i in range(n):
        offsets[i] = to
        at, end = begins[i], ends[i]
        if marks[i] == PLAIN:
            while at < end:
                out[to] = data[at]
                at += 1
                to += 1
            continue
        quoted = False
        while at < end:
            c = np.int64(data[at])
            if quote < 0 and c == BACKSLASH:
                c, at = _unescaped(data, at, end)
            elif quoted and c == escape and at + 1 < end and (data[at + 1] == escape or data[at + 1] == quote):
                c = np.int64(data[at + 1])
                at += 2
            elif quote >= 0 and c == quote:
                quoted = not quoted
                at += 1
                continue
            else:
                at += 1
            out[to] = c
            to += 1
    offsets[n] = to
    return offsets, out[:to].copy()


@njit("int64[::1](Array(uint8, 1, 'C', readonly=True), int64[::1], int64)", cache=True, nogil=True)
def integers_of(data, begins, size):
    """Integers of `size` bytes in network order."""
    out = np.empty(len(begins), np.int64)
    for i in range(len(begins)):
        out[i] = _integer(data, begins[i], size)
    return out
