# pyright: basic
# numba compiles these from their signatures; array element types are not Python's.
"""Null bits of rows: bit c % 64 of word c // 64 says that column c is NULL."""

import numpy as np
from numba import njit


@njit("uint64[:, ::1](uint64[:, ::1], int64, int64[::1])", cache=True, nogil=True)
def project_words(words, columns, picked):
    """The rows cut down to the columns `picked`, their null bits packed anew. O(n |picked|).

    `words` is uint64[null_words(columns) + columns, n]; the result has the same form. A column may be picked twice.
    """
    n = words.shape[1]
    before, after = (columns + 63) // 64, (len(picked) + 63) // 64
    out = np.empty((after + len(picked), n), np.uint64)
    for k in range(len(picked)):
        for i in range(n):
            out[after + k, i] = words[before + picked[k], i]
    for w in range(after):
        for i in range(n):
            out[w, i] = np.uint64(0)
    some = np.uint64(0)
    for w in range(before):
        for i in range(n):
            some |= words[w, i]
    if some == np.uint64(0):
        return out
    for k in range(len(picked)):
        word, shift = picked[k] // 64, np.uint64(picked[k] % 64)
        to, up = k // 64, np.uint64(k % 64)
        for i in range(n):
            out[to, i] |= ((words[word, i] >> shift) & np.uint64(1)) << up
    return out
