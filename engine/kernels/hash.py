# pyright: basic
# numba compiles these from their signatures; array element types are not Python's.
"""Hashes of rows of words and of byte strings: every table of the engine is addressed by them.

All 64 bits of a hash are good: a table may take its slot from the low bits and a tag from the high ones.
"""

import numpy as np
from numba import njit
from numba.extending import register_jitable

from engine.kernels.memory import fold, load64, load_tail

K0 = np.uint64(0x9E3779B97F4A7C15)
K1 = np.uint64(0xD6E8FEB86659FD93)
K2 = np.uint64(0xA0761D6478BD642F)
K3 = np.uint64(0xE7037ED1A0B428DB)
BLOCK = 1024
"""Rows hashed at a time: 8 kB of partial hashes stay in the first-level cache while the columns stream by."""


@register_jitable
def mix(h, word):
    """Take one more word into a hash. A bijection of `h` for each word, and of `word` for each h."""
    h = (h ^ word) * K0
    return h ^ (h >> np.uint64(32))


@register_jitable
def finish(h):
    """Avalanche: every input bit moves every output bit (the finaliser of Stafford's mix 13 family)."""
    h = (h ^ (h >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    h = (h ^ (h >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return h ^ (h >> np.uint64(31))


@njit("uint64[::1](uint64[:, ::1])", cache=True, nogil=True)
def hash_rows(words):
    """The hash of each column of `words` uint64[w, n], that is of each row of a batch: uint64[n]. O(w n)."""
    w, n = words.shape
    out = np.empty(n, np.uint64)
    for begin in range(0, n, BLOCK):
        end = min(n, begin + BLOCK)
        for i in range(begin, end):
            out[i] = K1
        for j in range(w):
            for i in range(begin, end):
                out[i] = mix(out[i], words[j, i])
        for i in range(begin, end):
            out[i] = finish(out[i])
    return out


@register_jitable
def hash_bytes(data, at, n):
    """The hash of data[at:at+n]: the same on every machine, so it also routes rows between workers. O(n/8)."""
    h = K1 ^ np.uint64(n)
    while n > 8:
        h = fold(h ^ K2, load64(data, at) ^ K3)
        at += 8
        n -= 8
    return finish(fold(h ^ K3, load_tail(data, at, n) ^ K2))
