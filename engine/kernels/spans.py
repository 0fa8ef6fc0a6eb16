# pyright: basic
# numba compiles these from their signatures; array element types are not Python's.
"""Data in spans of a buffer, put together as decoders want them."""

from numba import njit

NEWLINE = 10


@njit(
    "Tuple((int64, boolean))(Array(uint8, 1, 'C', readonly=True), int64[::1], int64[::1], uint8[::1], boolean[::1])",
    cache=True,
    nogil=True,
)
def join_lines(data, begins, ends, out, apart):
    """Write each datum as one line to `out`: (bytes written, whether all are ASCII). O(bytes).

    `out` has room for the data and two bytes more a datum. A datum that holds a newline or nothing but blanks would be
    no line or several: "!" stands for it, and apart[i] says so. Each loop does one thing, so that all become vectors.
    """
    at = 0
    every = data[0] & 0
    for i in range(len(begins)):
        begin, size = begins[i], ends[i] - begins[i]
        first = begin
        while first < ends[i] and (data[first] == 32 or data[first] == 9 or data[first] == 13):
            first += 1
        newlines = 0
        for j in range(begin, begin + size):
            newlines += data[j] == NEWLINE
        for j in range(begin, begin + size):
            every |= data[j]
        apart[i] = newlines > 0 or first == ends[i]
        if apart[i]:
            out[at] = 33
            size = 1
        else:
            for j in range(size):
                out[at + j] = data[begin + j]
        at += size
        out[at] = NEWLINE
        at += 1
    return at, every < 128
