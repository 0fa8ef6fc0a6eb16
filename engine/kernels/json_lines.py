# pyright: basic
# numba compiles these from their signatures; array element types are not Python's.
"""JSON lines to typed columns in one pass over the bytes: no token list, no document, no object.

A line is what this kernel can read beyond doubt, or `slow`: then the caller decodes it with a full parser, which also
knows what to say about it. Slow are malformed lines, values of another type than their column's, and rare spellings.
Members that no column asks for are skipped; nested ones among them are only checked for balanced brackets.
"""

import numpy as np
from numba import njit
from numba.extending import register_jitable

from engine.kernels.memory import load64, same_bytes, trailing_zeros
from engine.kernels.numeric import TENS, pack

BOOLEAN, INTEGER, FLOAT, DECIMAL, TEXT, RAW, DATE, TIMESTAMP, TIMESTAMPTZ = 0, 1, 2, 3, 4, 5, 6, 7, 8
"""Kinds of columns. TEXT takes strings only; RAW takes any value, as its text."""

NULL, WORD, SPAN = 0, 1, 2
"""States of a cell: absent or null; its word is there; its text[begin:end] has still to be converted."""

QUOTE, BACKSLASH, NEWLINE, ZERO, NINE = 34, 92, 10, 48, 57
POWERS = 10.0 ** np.arange(23)
"""The powers of ten that a double holds exactly."""
EXACT = np.uint64(1 << 53)


LOW_BITS, HIGH_BITS = np.uint64(0x0101010101010101), np.uint64(0x8080808080808080)
QUOTES, BACKSLASHES, CONTROLS = LOW_BITS * np.uint64(QUOTE), LOW_BITS * np.uint64(BACKSLASH), LOW_BITS * np.uint64(32)
"""A byte eight times over."""


@register_jitable
def _plain_until(text, i):
    """The first position from i on that holds a quote, a backslash or a control character: eight bytes at a time.

    x - 1 borrows into the high bit of a zero byte, and of bytes above it only: the lowest one found is one. Mycroft.
    """
    while True:
        word = load64(text, i)
        quote, backslash = word ^ QUOTES, word ^ BACKSLASHES
        found = ((quote - LOW_BITS) & ~quote) | ((backslash - LOW_BITS) & ~backslash) | ((word - CONTROLS) & ~word)
        found &= HIGH_BITS
        if found != 0:
            return i + np.int64(trailing_zeros(found) >> np.uint64(3))
        i += 8


@register_jitable
def _blank(text, i):
    while text[i] == 32 or text[i] == 9 or text[i] == 13:
        i += 1
    return i


@register_jitable
def _hex4(text, i):
    """The value of four hexadecimal digits, or -1."""
    value = 0
    for k in range(4):
        c = np.int64(text[i + k])
        if ZERO <= c <= NINE:
            value = value * 16 + c - ZERO
        elif 97 <= c | 32 <= 102:
            value = value * 16 + (c | 32) - 87
        else:
            return -1
    return value


@register_jitable
def _string(text, i):
    """(end of content, position after the quote) of the string whose content begins at i.

    Escapes are resolved in place. (-1, -1) when it is malformed or holds a lone surrogate.
    """
    i = _plain_until(text, i)
    if text[i] == QUOTE:
        return i, i + 1
    to = i
    while text[i] != QUOTE:
        c = np.int64(text[i])
        if c < 32:
            return -1, -1
        if c != BACKSLASH:
            text[to] = c
            to += 1
            i += 1
            continue
        c = np.int64(text[i + 1])
        i += 2
        if c == 117:  # \u
            code = _hex4(text, i)
            i += 4
            if 0xD800 <= code < 0xDC00 and text[i] == BACKSLASH and text[i + 1] == 117:
                low = _hex4(text, i + 2)
                if low < 0xDC00 or low > 0xDFFF:
                    return -1, -1
                code = 0x10000 + ((code - 0xD800) << 10) + low - 0xDC00
                i += 6
            elif code < 0 or 0xD800 <= code < 0xE000:
                return -1, -1
            if code < 0x80:
                text[to] = code
                to += 1
                continue
            if code < 0x800:
                text[to] = 0xC0 | (code >> 6)
                to += 1
            else:
                if code < 0x10000:
                    text[to] = 0xE0 | (code >> 12)
                else:
                    text[to] = 0xF0 | (code >> 18)
                    to += 1
                    text[to] = 0x80 | ((code >> 12) & 63)
                text[to + 1] = 0x80 | ((code >> 6) & 63)
                to += 2
            text[to] = 0x80 | (code & 63)
        elif c == QUOTE or c == BACKSLASH or c == 47:
            text[to] = c
        elif c == 110:
            text[to] = 10
        elif c == 116:
            text[to] = 9
        elif c == 114:
            text[to] = 13
        elif c == 98:
            text[to] = 8
        elif c == 102:
            text[to] = 12
        else:
            return -1, -1
        to += 1
    return to, i + 1


@register_jitable
def _skip_string(text, i):
    """The position after the quote that ends the string whose content begins at i, or -1."""
    i = _plain_until(text, i)
    while text[i] != QUOTE:
        i += text[i] == BACKSLASH
        if text[i] < 32:
            return -1
        i = _plain_until(text, i + 1)
    return i + 1


@register_jitable
def _skip_nested(text, i):
    """The position after the object or array that begins at i, or -1."""
    depth = 0
    while True:
        c = text[i]
        if c == NEWLINE:
            return -1
        i += 1
        if c == QUOTE:
            i = _skip_string(text, i)
            if i < 0:
                return -1
        elif c == 123 or c == 91:
            depth += 1
        elif c == 125 or c == 93:
            depth -= 1
            if depth == 0:
                return i


@register_jitable
def _number(text, i):
    """(end, magnitude, digits, places, exponent) of the number at i without its sign; end -1 when it is none.

    `magnitude` is exact up to 19 digits, leading zeros not counted; `places` of them stand behind the point.
    """
    m, places, exponent = np.uint64(0), 0, 0
    begin = i
    while True:
        digit = np.uint64(text[i]) - np.uint64(ZERO)
        if digit > np.uint64(9):
            break
        m = m * np.uint64(10) + digit
        i += 1
    digits = i - begin
    if digits == 0 or (text[begin] == ZERO and digits > 1):
        return -1, m, digits, places, exponent
    if text[i] == 46:
        digits -= text[begin] == ZERO  # leading zeros do not count
        i += 1
        begin = i
        while ZERO <= text[i] <= NINE:
            m = m * np.uint64(10) + np.uint64(text[i] - ZERO)
            digits += digits > 0 or text[i] != ZERO
            i += 1
        places = i - begin
        if places == 0:
            return -1, m, digits, places, exponent
    if text[i] | 32 == 101:
        i += 1
        negative = text[i] == 45
        i += text[i] == 45 or text[i] == 43
        begin = i
        while ZERO <= text[i] <= NINE:
            exponent = min(exponent * 10 + np.int64(text[i]) - ZERO, 100000)
            i += 1
        if i == begin:
            return -1, m, digits, places, exponent
        exponent = -exponent if negative else exponent
    return i, m, digits, places, exponent


@register_jitable
def _decimal_digits(text, i, n):
    """The value of n digits, or -1."""
    value = 0
    for k in range(n):
        c = np.int64(text[i + k])
        if c < ZERO or c > NINE:
            return -1
        value = value * 10 + c - ZERO
    return value


@register_jitable
def _days(text, i):
    """Days since 1970-01-01 of YYYY-MM-DD, or -2^62 (Hinnant, "chrono-compatible low-level date algorithms")."""
    year, month, day = _decimal_digits(text, i, 4), _decimal_digits(text, i + 5, 2), _decimal_digits(text, i + 8, 2)
    if year < 1 or month < 1 or month > 12 or day < 1 or text[i + 4] != 45 or text[i + 7] != 45:
        return -(1 << 62)
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    last = 28 + leap if month == 2 else 30 + ((month + (month >> 3)) & 1)
    if day > last:
        return -(1 << 62)
    y = year - (month <= 2)
    era = y // 400
    of_year = (153 * (month + (-3 if month > 2 else 9)) + 2) // 5 + day - 1
    of_era = (y - era * 400) * 365 + (y - era * 400) // 4 - (y - era * 400) // 100 + of_year
    return era * 146097 + of_era - 719468


@register_jitable
def _instant(text, i, end, zoned):
    """(microseconds, understood) of YYYY-MM-DD[T ]HH:MM:SS[.f], with Z behind it if `zoned`."""
    if zoned and end > i and text[end - 1] == 90:
        end -= 1
    n = end - i
    if n < 19 or n == 20 or n > 26 or (text[i + 10] != 84 and text[i + 10] != 32):
        return 0, False
    days = _days(text, i)
    hour, minute, second = (
        _decimal_digits(text, i + 11, 2),
        _decimal_digits(text, i + 14, 2),
        _decimal_digits(text, i + 17, 2),
    )
    if days < -(1 << 61) or text[i + 13] != 58 or text[i + 16] != 58:
        return 0, False
    if hour < 0 or hour > 23 or minute < 0 or minute > 59 or second < 0 or second > 59:
        return 0, False
    micros = 0
    if n > 20:
        micros = _decimal_digits(text, i + 20, n - 20)
        if text[i + 19] != 46 or micros < 0:
            return 0, False
        micros *= TENS[26 - n]
    return (((days * 24 + hour) * 60 + minute) * 60 + second) * 1000000 + micros, True


@register_jitable
def _number_cell(kind, negative, m, digits, places, exponent, low, high):
    """(state, word) of a number for a column of this kind; state NULL means that the column does not take it."""
    if kind == INTEGER:
        if places > 0 or exponent != 0 or digits > 19 or m > np.uint64(1 << 63):
            return NULL, np.uint64(0)
        if negative:
            value = -np.int64(m)
        else:
            if m == np.uint64(1 << 63):
                return NULL, np.uint64(0)
            value = np.int64(m)
        return WORD if low <= value <= high else NULL, np.uint64(value)
    if kind == FLOAT:
        power = exponent - places
        if digits > 19 or m > EXACT or power < -22 or power > 22:
            return SPAN, np.uint64(0)
        value = np.float64(m) * POWERS[power] if power >= 0 else np.float64(m) / POWERS[-power]
        return WORD, np.float64(-value if negative else value).view(np.uint64)
    if kind == DECIMAL:
        if digits > 18 or exponent != 0:
            return SPAN, np.uint64(0)
        word, fits = pack(-np.int64(m) if negative else np.int64(m), places)
        return WORD if fits else SPAN, word
    return NULL, np.uint64(0)


@njit(
    "Tuple((int64, int64))(Array(uint8, 1, 'C', readonly=True), uint8[::1], int64, uint8[::1], int64[::1], int64[::1],"
    "int64[::1], int64[::1], uint64[:, ::1], int64[:, ::1], int64[:, ::1], uint8[:, ::1], int64[::1], int64[::1],"
    "boolean[::1])",
    cache=True,
    nogil=True,
)
def parse_lines(block, text, line, names, name_at, kinds, low, high, words, begins, ends, states, lines, starts, slow):
    """Decode the whole lines of `block`: (rows, lines). O(bytes).

    `text` is a copy to write to (strings lose their escapes in place) with a newline and some bytes more behind it.

    Column j is called names[name_at[j]:name_at[j + 1]], takes what kinds[j] says, integers within low[j]..high[j].
    Row r gets words[j, r] or begins[j, r], ends[j, r] according to states[j, r]; its line number lines[r] counts from
    `line`, and it stood at starts[r] (starts[rows] is the end). Blank lines are no rows.
    """
    k, size = len(kinds), len(block)
    rows, i = 0, 0
    first = line
    while i < size:
        begin = i
        i = _blank(text, i)
        if text[i] == NEWLINE:
            i += 1
            line += 1
            continue
        for j in range(k):
            states[j, rows] = NULL
            words[j, rows] = np.uint64(0)
        fine = text[i] == 123
        expected = 0
        if fine:
            i = _blank(text, i + 1)
            fine = text[i] == QUOTE or text[i] == 125
            if text[i] == 125:
                i += 1
                expected = -1
        while fine and expected >= 0:
            # a member: "name" : value
            name = i + 1
            column = -1
            length = name_at[expected + 1] - name_at[expected]
            # Members mostly come in one order: then the name need not even be looked for its end.
            i = min(name + length, size)
            if text[i] == QUOTE and same_bytes(text, name, names, name_at[expected], length):
                column = expected
            else:
                i = name
                while text[i] != QUOTE and text[i] != BACKSLASH and text[i] >= 32:
                    i += 1
                if text[i] != QUOTE:
                    fine = False
                    break
                for j in range(k):
                    if name_at[j + 1] - name_at[j] == i - name and same_bytes(text, name, names, name_at[j], i - name):
                        column = j
                        break
            if column >= 0:
                expected = column + 1 if column + 1 < k else 0
            i = _blank(text, i + 1)
            if text[i] != 58:
                fine = False
                break
            i = _blank(text, i + 1)
            c = text[i]
            at = i
            kind = kinds[column] if column >= 0 else np.int64(-1)
            state, word = np.int64(NULL), np.uint64(0)
            if c == QUOTE:
                if kind < DECIMAL or kind == RAW:
                    i = _skip_string(text, i + 1)
                    fine = i >= 0 and (column < 0 or kind == RAW)
                    state = SPAN
                    end = i
                else:
                    at = i + 1
                    end, i = _string(text, at)
                    fine = end >= 0
                    state = SPAN
                    if fine and kind >= DATE:
                        if kind == DATE:
                            value = _days(text, at) if end - at == 10 else -(1 << 62)
                            understood = value > -(1 << 61)
                        else:
                            value, understood = _instant(text, at, end, kind == TIMESTAMPTZ)
                        if understood:
                            state, word = np.int64(WORD), np.uint64(value)
            elif c == 45 or ZERO <= c <= NINE:
                negative = c == 45
                i, m, digits, places, exponent = _number(text, i + 1 if negative else i)
                fine = i >= 0
                end = i
                if kind == RAW:
                    state = SPAN
                elif fine and column >= 0:
                    state, word = _number_cell(kind, negative, m, digits, places, exponent, low[column], high[column])
                    fine = state != NULL
            elif c == 110 and text[i + 1] == 117 and text[i + 2] == 108 and text[i + 3] == 108:
                i += 4
                end = i
                state = SPAN if kind == RAW else NULL
            elif c == 116 and text[i + 1] == 114 and text[i + 2] == 117 and text[i + 3] == 101:
                i += 4
                end = i
                state, word = np.int64(SPAN if kind == RAW else WORD), np.uint64(1)
                fine = column < 0 or kind == BOOLEAN or kind == RAW
            elif c == 102 and text[i + 1] == 97 and text[i + 2] == 108 and text[i + 3] == 115 and text[i + 4] == 101:
                i += 5
                end = i
                state = SPAN if kind == RAW else WORD
                fine = column < 0 or kind == BOOLEAN or kind == RAW
            elif c == 123 or c == 91:
                i = _skip_nested(text, i)
                end = i
                state = SPAN
                fine = i >= 0 and (column < 0 or kind == RAW)
            else:
                fine = False
            if not fine:
                break
            if column >= 0:
                states[column, rows] = state
                words[column, rows] = word if state == WORD else np.uint64(0)
                if state == SPAN:
                    begins[column, rows] = at
                    ends[column, rows] = end
            i = _blank(text, i)
            if text[i] == 44:
                i = _blank(text, i + 1)
                fine = text[i] == QUOTE
            elif text[i] == 125:
                i += 1
                expected = -1
            else:
                fine = False
        if fine:
            i = _blank(text, i)
            fine = text[i] == NEWLINE
        if not fine:
            i = begin
            while block[i] != NEWLINE:
                i += 1
        i += 1
        slow[rows] = not fine
        lines[rows] = line
        starts[rows] = begin
        rows += 1
        line += 1
    starts[rows] = i
    return rows, line - first
