# pyright: basic
# numba compiles these from their signatures; array element types are not Python's.
"""Members and elements of canonical JSON text, found without parsing it (engine/collection/json.py: no blanks, one
spelling for each string). A part of canonical text is canonical itself.
"""

import numpy as np
from numba import njit
from numba.extending import register_jitable

ABSENT, FOUND, ESCAPED = 0, 1, 2
QUOTE, BACKSLASH, COMMA, COLON = 34, 92, 44, 58
OPEN_BRACE, CLOSE_BRACE, OPEN_BRACKET, CLOSE_BRACKET = 123, 125, 91, 93
NULL = 110  # the n of null: no other value begins with it


@register_jitable
def after_string(data, at):
    """Where a string that begins at `at` has ended, and whether it has escapes."""
    at += 1
    escaped = False
    while data[at] != QUOTE:
        if data[at] == BACKSLASH:
            escaped = True
            at += 1
        at += 1
    return at + 1, escaped


@register_jitable
def after_value(data, at):
    """Where a value that begins at `at` has ended."""
    first = data[at]
    if first == QUOTE:
        return after_string(data, at)[0]
    if first != OPEN_BRACE and first != OPEN_BRACKET:
        while data[at] != COMMA and data[at] != CLOSE_BRACE and data[at] != CLOSE_BRACKET:
            at += 1
        return at
    depth = 0
    while True:
        byte = data[at]
        if byte == QUOTE:
            at = after_string(data, at)[0]
            continue
        if byte == OPEN_BRACE or byte == OPEN_BRACKET:
            depth += 1
        elif byte == CLOSE_BRACE or byte == CLOSE_BRACKET:
            depth -= 1
            if depth == 0:
                return at + 1
        at += 1


@register_jitable
def same(data, at, key):
    """Whether `key` stands at `at`."""
    for j in range(len(key)):
        if data[at + j] != key[j]:
            return False
    return True


@njit(
    "int64(uint64[::1], uint8[::1], boolean, int64[::1], uint32[::1], uint8[::1], int64[::1], int64[::1], uint8[::1])",
    cache=True,
    nogil=True,
)
def member(codes, key, as_text, start, length, data, begin, size, status):
    """Where in `data` the member of that name of each object lies; `key` is its canonical text, quotes included.

    status: ABSENT (not there, no object, or a null that is wanted as text), FOUND, ESCAPED (FOUND, but a string that is
    wanted as text has escapes to be undone: then it lies with its quotes). Returns the bytes found. O(bytes before it).
    """
    total = 0
    for i in range(len(codes)):
        status[i] = ABSENT
        begin[i] = 0
        size[i] = 0
        at = start[codes[i]]
        end = at + np.int64(length[codes[i]])
        if end - at <= 2 or data[at] != OPEN_BRACE:
            continue
        while data[at] != CLOSE_BRACE:
            at += 1  # past the brace or comma
            stop, _ = after_string(data, at)
            value = stop + 1  # past the colon
            if stop - at != len(key) or not same(data, at, key):
                at = after_value(data, value)
                continue
            stop = after_value(data, value)
            if as_text and data[value] == NULL:
                break
            status[i] = FOUND
            if as_text and data[value] == QUOTE:
                if after_string(data, value)[1]:
                    status[i] = ESCAPED
                else:
                    value += 1
                    stop -= 1
            begin[i] = value
            size[i] = stop - value
            total += stop - value
            break
    return total


@njit("void(int64[::1], int64[::1], uint8[::1], int64[::1], uint8[::1])", cache=True, nogil=True)
def slices(begin, size, data, offsets, out):
    """Copy the slices one after the other; fill in offsets[n + 1]. O(bytes)."""
    to = 0
    offsets[0] = 0
    for i in range(len(begin)):
        at = begin[i]
        for j in range(size[i]):
            out[to + j] = data[at + j]
        to += size[i]
        offsets[i + 1] = to
