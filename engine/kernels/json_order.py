# pyright: basic
# numba compiles these from their signatures; array element types are not Python's.
"""The order of JSON documents, read off their canonical text (engine/collection/json.py) without parsing it.

Law: PostgreSQL's order of jsonb. Object > array > boolean > number > string > null; of two arrays or objects the one
with more elements or pairs is above; else the first difference decides, element by element, or pair by pair, keys
before values, the pairs in the order of their keys by length and then bytewise. Strings compare bytewise, numbers by
value. The empty array is below everything else, but only as a whole document: a scalar counts as an array of one there.

The pairs of a text stand bytewise by key. Which of two objects is above is found in that order all the same: the first
difference in PostgreSQL's order is the least key, by length and bytes, that the two do not share with equal values. So
a comparison is O(bytes) of what is equal and of each container on the way down, without a stack and without memory.
"""

import numpy as np
from numba.extending import register_jitable

from engine.kernels.json import (
    BACKSLASH,
    CLOSE_BRACE,
    CLOSE_BRACKET,
    COMMA,
    NULL,
    OPEN_BRACE,
    OPEN_BRACKET,
    QUOTE,
    after_string,
)

EMPTY, NULLS, STRING, NUMBER, BOOLEAN, ARRAY, OBJECT = range(7)
FALSE, TRUE, MINUS, POINT, ZERO, HEX = 102, 116, 45, 46, 48, 117
DIGITS = 13  # leading digits in a number's prefix: they fit 44 bits
EXPONENT_MAX = 1000  # beyond it, whichever number: the prefix has 11 bits
BIAS = 1024


@register_jitable
def kind_of(data, at):
    """Which kind of value begins there."""
    first = data[at]
    if first == QUOTE:
        return STRING
    if first == OPEN_BRACE:
        return OBJECT
    if first == OPEN_BRACKET:
        return ARRAY
    if first == FALSE or first == TRUE:
        return BOOLEAN
    return NULLS if first == NULL else NUMBER


@register_jitable
def end_of(data, at, end):
    """Where the value that begins at `at` has ended; nothing of the document lies at `end` or behind."""
    depth = 0
    while at < end:
        byte = data[at]
        if byte == QUOTE:
            at = after_string(data, at)[0]
            if depth == 0:
                return at
            continue
        if byte == OPEN_BRACE or byte == OPEN_BRACKET:
            depth += 1
        elif byte == CLOSE_BRACE or byte == CLOSE_BRACKET:
            if depth == 0:
                return at
            depth -= 1
            if depth == 0:
                return at + 1
        elif byte == COMMA and depth == 0:
            return at
        at += 1
    return at


@register_jitable
def next_at(data, at):
    """Past the comma behind a part, if there is one."""
    return at + 1 if data[at] == COMMA else at


@register_jitable
def count_of(data, at, end):
    """How many elements or pairs the container at `at` has. O(bytes)."""
    found, keyed = 0, data[at] == OPEN_BRACE
    at += 1
    while data[at] != CLOSE_BRACE and data[at] != CLOSE_BRACKET:
        if keyed:
            at = after_string(data, at)[0] + 1
        at = next_at(data, end_of(data, at, end))
        found += 1
    return found


@register_jitable
def byte_at(data, at):
    """The byte that a string has at `at`, escapes undone, and where its next one stands. Only ASCII is escaped."""
    byte = data[at]
    if byte != BACKSLASH:
        return np.int64(byte), at + 1
    byte = data[at + 1]
    if byte == HEX:
        found = 0
        for j in range(at + 2, at + 6):
            digit = np.int64(data[j])
            found = found * 16 + (digit - ZERO if digit <= 57 else (digit | 32) - 87)
        return found, at + 6
    if byte == 98:  # \b
        return 8, at + 2
    if byte == 116:  # \t
        return 9, at + 2
    if byte == 110:  # \n
        return 10, at + 2
    if byte == 102:  # \f
        return 12, at + 2
    if byte == 114:  # \r
        return 13, at + 2
    return np.int64(byte), at + 2


@register_jitable
def compare_strings(data, a, b, by_length):
    """-1, 0 or 1: strings that begin at `a` and `b`, bytewise; with `by_length` the shorter one is below."""
    a += 1
    b += 1
    found = 0
    while data[a] != QUOTE and data[b] != QUOTE:
        x, a = byte_at(data, a)
        y, b = byte_at(data, b)
        if found == 0 and x != y:
            found = -1 if x < y else 1
            if not by_length:
                return found
    if data[a] == QUOTE and data[b] == QUOTE:
        return found
    return -1 if data[a] == QUOTE else 1


@register_jitable
def point_of(data, at, end):
    """Where a number's digits before the point have ended."""
    while at < end and data[at] != POINT:
        at += 1
    return at


@register_jitable
def compare_numbers(data, a, a_end, b, b_end):
    """-1, 0 or 1: numbers in plain digits, without zeros at their ends."""
    negative = data[a] == MINUS
    if negative != (data[b] == MINUS):
        return -1 if negative else 1
    if negative:
        a += 1
        b += 1
    above = -1 if negative else 1
    places, others = point_of(data, a, a_end) - a, point_of(data, b, b_end) - b
    if places != others:
        return above if places > others else -above
    while a < a_end and b < b_end:
        if data[a] != data[b]:
            return above if data[a] > data[b] else -above
        a += 1
        b += 1
    if a == a_end and b == b_end:
        return 0
    return -above if a == a_end else above


@register_jitable
def same_text(data, a, a_end, b, b_end):
    """Whether two parts are equal: canonical texts are, when their bytes are."""
    if a_end - a != b_end - b:
        return False
    for j in range(a_end - a):
        if data[a + j] != data[b + j]:
            return False
    return True


@register_jitable
def first_difference(data, a, a_end, b, b_end):
    """Of two arrays of one length that differ: where their first elements that differ begin and end."""
    a += 1
    b += 1
    while True:
        x, y = end_of(data, a, a_end), end_of(data, b, b_end)
        if not same_text(data, a, x, b, y):
            return a, x, b, y
        a, b = next_at(data, x), next_at(data, y)


@register_jitable
def least_difference(data, a, a_end, b, b_end):
    """Of two objects that differ: the least key, by length and bytes, that they do not share with equal values; where
    it begins in each of them, -1 in the one that does not have it. O(bytes)."""
    a += 1
    b += 1
    in_a, in_b = -1, -1
    while data[a] != CLOSE_BRACE or data[b] != CLOSE_BRACE:
        if data[a] == CLOSE_BRACE:
            order = 1
        elif data[b] == CLOSE_BRACE:
            order = -1
        else:
            order = compare_strings(data, a, b, False)
        mine, yours = a if order <= 0 else -1, b if order >= 0 else -1
        differs = order != 0
        value, value_end, other, other_end = 0, 0, 0, 0
        if mine >= 0:
            value = after_string(data, a)[0] + 1
            value_end = end_of(data, value, a_end)
            a = next_at(data, value_end)
        if yours >= 0:
            other = after_string(data, b)[0] + 1
            other_end = end_of(data, other, b_end)
            b = next_at(data, other_end)
        if not differs:
            differs = not same_text(data, value, value_end, other, other_end)
        if differs:
            key, least = mine if mine >= 0 else yours, in_a if in_a >= 0 else in_b
            if least < 0 or compare_strings(data, key, least, True) < 0:
                in_a, in_b = mine, yours
    return in_a, in_b


@register_jitable
def key_above(data, at, end, key):
    """Where the least key, by length and bytes, of the object at `at` stands that is above `key`. O(bytes)."""
    at += 1
    found = -1
    while data[at] != CLOSE_BRACE:
        if compare_strings(data, at, key, True) > 0 and (found < 0 or compare_strings(data, at, found, True) < 0):
            found = at
        at = next_at(data, end_of(data, after_string(data, at)[0] + 1, end))
    return found


@register_jitable
def is_least(data, at, end):
    """Whether the document is [], or none at all: the datum of a NULL, which is asked for and not looked at."""
    return at == end or (end - at == 2 and data[at] == OPEN_BRACKET)


@register_jitable
def compare_documents(data, a, a_end, b, b_end):
    """-1 or 1 as one document sorts before or after another one that is not equal to it."""
    if is_least(data, a, a_end):
        return -1
    if is_least(data, b, b_end):
        return 1
    while True:
        kind, other = kind_of(data, a), kind_of(data, b)
        if kind != other:
            return -1 if kind < other else 1
        if kind == STRING:
            return compare_strings(data, a, b, False)
        if kind == NUMBER:
            return compare_numbers(data, a, a_end, b, b_end)
        if kind == BOOLEAN:
            return -1 if data[a] == FALSE else 1
        n, m = count_of(data, a, a_end), count_of(data, b, b_end)
        if n != m:
            return -1 if n < m else 1
        if kind == ARRAY:
            a, a_end, b, b_end = first_difference(data, a, a_end, b, b_end)
            continue
        key, beside = least_difference(data, a, a_end, b, b_end)
        if beside < 0:
            return compare_strings(data, key, key_above(data, b, b_end, key), False)
        if key < 0:
            return compare_strings(data, key_above(data, a, a_end, beside), beside, False)
        a, b = after_string(data, key)[0] + 1, after_string(data, beside)[0] + 1
        a_end, b_end = end_of(data, a, a_end), end_of(data, b, b_end)


@register_jitable
def number_prefix(data, at, end):
    """Sign, decimal exponent (11 bits) and leading digits (44 bits): truncation keeps the order."""
    negative = data[at] == MINUS
    at += negative
    exponent = point_of(data, at, end) - at
    while at < end and (data[at] == ZERO or data[at] == POINT):
        exponent -= data[at] == ZERO
        at += 1
    if at == end:
        return 1 << 55  # the number 0
    leading, digits = np.int64(0), 0
    while digits < DIGITS:
        if at < end and data[at] == POINT:
            at += 1
            continue
        leading *= 10
        if at < end:
            leading += np.int64(data[at]) - ZERO
            at += 1
        digits += 1
    magnitude = (np.int64(exponent + BIAS) << 44) | leading
    if exponent > EXPONENT_MAX:
        magnitude = (np.int64(EXPONENT_MAX + 1 + BIAS) << 44) - 1
    return (1 << 55) - magnitude if negative else (1 << 55) + magnitude


@register_jitable
def document_prefix(data, at, end):
    """The order prefix of a document: its kind, then a number's or a boolean's value, a string's first seven bytes, or
    how many parts a container has. O(1) of scalars, O(bytes) of containers."""
    if is_least(data, at, end):
        return np.uint64(0)
    kind = kind_of(data, at)
    rest = np.int64(0)
    if kind == STRING:
        at += 1
        for _ in range(7):
            byte = 0
            if data[at] != QUOTE:
                byte, at = byte_at(data, at)
            rest = rest << 8 | byte
    elif kind == NUMBER:
        rest = np.int64(number_prefix(data, at, end))
    elif kind == BOOLEAN:
        rest = np.int64(data[at] == TRUE)
    elif kind != NULLS:
        rest = np.int64(count_of(data, at, end))
    return np.uint64(kind) << np.uint64(56) | np.uint64(rest)
