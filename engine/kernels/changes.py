# pyright: basic
# numba compiles these from their signatures; array element types are not Python's.
"""What a tick changed in rows that a reduce shows: -old +new for each group that is not as it was."""

import numpy as np
from numba import njit
from numba.extending import register_jitable

from engine.kernels.groups import settle
from engine.kernels.memory import prefetch

ONE = np.uint64(1)
AHEAD = 16
"""Rows between asking for what a group showed and reading it."""


@register_jitable
def ask_for_row(rows, g):
    """Prefetch the cache lines of a group's row."""
    at = np.int64(g) * rows.shape[1]
    for w in range(0, rows.shape[1], 8):
        prefetch(rows, at + w)
    prefetch(rows, at + rows.shape[1] - 1)


@njit(
    "Tuple((uint64[:, ::1], int64[::1], int64))(int32[::1], uint64[:, ::1], uint64[:, ::1], int64, uint64[::1],"
    "uint64[:, ::1], int64[::1], int32[::1])",
    cache=True,
    nogil=True,
)
def emit_changes(touched, rows, shown, key_width, table, records, head, free):
    """(words, diffs) of -rows[touched[t]] + shown[t], and how many of these are errors. O(touched).

    `rows` are the rows of all groups by id, `shown` those of the touched ones; the last word of each is its status
    (0: no row, 1: a row, else an error, which is counted but not emitted). Rows that stay as they are are left out.
    Settles the groups.
    """
    m = len(touched)
    width = rows.shape[1] - 1
    sign = np.empty(m, np.int8)  # bit 0: emit the old row, bit 1: emit the new one
    total = 0
    errors = 0
    for t in range(m):
        g = touched[t]
        if t + AHEAD < m:
            ask_for_row(rows, touched[t + AHEAD])
        same = True
        for w in range(width, -1, -1):
            if rows[g, w] != shown[t, w]:
                same = False
                break
        sign[t] = 0
        if not same:
            if rows[g, width] == ONE:
                sign[t] |= 1
                total += 1
            elif rows[g, width] > ONE:
                errors += 1
            if shown[t, width] == ONE:
                sign[t] |= 2
                total += 1
            elif shown[t, width] > ONE:
                errors += 1
    words = np.empty((width, total), np.uint64)
    diffs = np.empty(total, np.int64)
    at = 0
    for t in range(m):
        if sign[t] & 1:
            for w in range(width):
                words[w, at] = rows[touched[t], w]
            diffs[at] = -1
            at += 1
        if sign[t] & 2:
            for w in range(width):
                words[w, at] = shown[t, w]
            diffs[at] = 1
            at += 1
    settle(key_width, table, records, head, free, touched)
    return words, diffs, errors


@njit("void(int32[::1], uint64[:, ::1], uint64[:, ::1])", cache=True, nogil=True)
def publish_rows(touched, rows, shown):
    """rows[touched[t]] = shown[t]: the touched groups show their new rows. O(touched)."""
    m, width = shown.shape
    for t in range(m):
        if t + AHEAD < m:
            ask_for_row(rows, touched[t + AHEAD])
        g = touched[t]
        for w in range(width):
            rows[g, w] = shown[t, w]
