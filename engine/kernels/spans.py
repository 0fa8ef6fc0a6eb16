# pyright: basic
# numba compiles these from their signatures; array element types are not Python's.
"""Data in spans of a buffer, put together as decoders want them."""

from numba import njit

NEWLINE = 10


@njit(
    "int64(Array(uint8, 1, 'C', readonly=True), int64[::1], int64[::1], uint8[::1], boolean[::1])",
    cache=True,
    nogil=True,
)
def join_lines(data, begins, ends, out, apart):
    """Write each datum as one line to `out`; the bytes written, at most the data's and two a datum. O(bytes).

    A datum that holds a newline or nothing but blanks would be no line or several: "!" stands for it, and apart[i] says
    so.
    """
    at = 0
    for i in range(len(begins)):
        first = at
        blank, broken = True, False
        for j in range(begins[i], ends[i]):
            c = data[j]
            out[at] = c
            at += 1
            broken |= c == NEWLINE
            blank &= c == 32 or c == 9 or c == 13
        apart[i] = blank or broken
        if apart[i]:
            out[first] = 33
            at = first + 1
        out[at] = NEWLINE
        at += 1
    return at
