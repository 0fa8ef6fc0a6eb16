# pyright: basic
# numba compiles these from their signatures; array element types are not Python's.
"""The heap's kernels: interning byte strings, gathering them, and moving the live ones together.

A datum is `data[start[code] : start[code] + length[code]]`. The index is open addressing with linear probing; a slot is
a 32-bit tag (upper half of the hash) above the 32-bit code, 0 when empty: most misses end without touching the datum.
`data` has SLACK writable bytes after the last datum, so copies may go by whole words.
"""

import numpy as np
from numba import njit

from engine.kernels.hash import hash_bytes
from engine.kernels.memory import copy_bytes, load64, prefetch, same_bytes, store64

SLACK = 8
BLOCK = 64
"""Rows per round of interning: hash and prefetch them all, then look them up, so that cache misses overlap."""

CODES, USED, FREE = 0, 1, 2
"""Positions in `state`: codes given out so far, bytes of data in use, codes waiting on the free list."""

GIVEN, GIVEN_OFFSETS = "Array(uint8, 1, 'C', readonly=True)", "Array(int64, 1, 'C', readonly=True)"
"""Buffers of Arrow and bytes objects: not ours to write."""

OWN = "int64[::1], uint32[::1], uint64[::1], uint8[::1], uint8[::1], uint64[::1], uint32[::1], int64[::1]"
"""Types of the heap's own arrays: start, length, hashes, young, data, slots, free, state."""


@njit(f"int64({GIVEN_OFFSETS}, {GIVEN_OFFSETS}, {GIVEN}, {GIVEN}, uint64[::1], int64, {OWN})", cache=True, nogil=True)
def intern(begins, ends, source, null, out, begin, start, length, hashes, young, data, slots, free, state):
    """Intern source[begins[i]:ends[i]] into out[i] for i from `begin` on; where null[i], out[i] is 0.

    `null` may have length 0: none is. Returns the first row not done: fewer than len(out) when some array is full, and
    the caller grows it and comes again. O(bytes).
    """
    n = len(out)
    mask = np.uint64(len(slots) - 1)
    room = len(slots) // 2
    block = np.empty(BLOCK, np.uint64)
    nullable = len(null) > 0
    codes, used, waiting = state[CODES], state[USED], state[FREE]
    done = begin
    while done < n:
        end = min(n, done + BLOCK)
        for i in range(done, end):
            h = hash_bytes(source, begins[i], ends[i] - begins[i])
            block[i - done] = h
            prefetch(slots, np.int64(h & mask))
        for i in range(done, end):
            word = slots[block[i - done] & mask]
            if word != 0:
                code = np.int64(word & np.uint64(0xFFFFFFFF))
                prefetch(start, code)
                prefetch(length, code)
                prefetch(young, code)
        for i in range(done, end):
            word = slots[block[i - done] & mask]
            if word != 0:
                prefetch(data, start[word & np.uint64(0xFFFFFFFF)])
        for i in range(done, end):
            at = begins[i]
            size = ends[i] - at
            if size == 0 or (nullable and null[i] != 0):
                out[i] = 0
                continue
            h = block[i - done]
            tag = h >> np.uint64(32)
            slot = h & mask
            code = np.int64(0)
            while True:
                word = slots[slot]
                if word == 0:
                    break
                if word >> np.uint64(32) == tag:
                    found = np.int64(word & np.uint64(0xFFFFFFFF))
                    if np.int64(length[found]) == size and same_bytes(source, at, data, start[found], size):
                        code = found
                        break
                slot = (slot + np.uint64(1)) & mask
            if code == 0:
                full = codes == len(start) and waiting == 0
                if full or used + size + SLACK > len(data) or codes - waiting >= room:
                    state[CODES], state[USED], state[FREE] = codes, used, waiting
                    return i
                if waiting > 0:
                    waiting -= 1
                    code = np.int64(free[waiting])
                else:
                    code = codes
                    codes += 1
                copy_bytes(source, at, data, used, size)
                start[code] = used
                length[code] = size
                hashes[code] = h
                used += size
                slots[slot] = (tag << np.uint64(32)) | np.uint64(code)
            if young[code] != 2:
                young[code] = 2
            out[i] = code
        done = end
    state[CODES], state[USED], state[FREE] = codes, used, waiting
    return n


@njit(f"int64({GIVEN}, uint64[::1], int64[::1], uint32[::1], uint8[::1])", cache=True, nogil=True)
def find(source, slots, start, length, data):
    """The code of the datum `source`, which is not empty; 0 if it is not there. O(bytes).

    `intern` may run at the same time in another thread, on these arrays or on ones that have grown out of them: what it
    adds meanwhile may be missed, and what these arrays do not reach to is no match.
    """
    size = len(source)
    h = hash_bytes(source, 0, size)
    mask = np.uint64(len(slots) - 1)
    slot = h & mask
    while True:
        word = slots[slot]
        if word == 0:
            return 0
        code = np.int64(word & np.uint64(0xFFFFFFFF))
        if word >> np.uint64(32) == h >> np.uint64(32) and code < len(start) and np.int64(length[code]) == size:
            at = start[code]
            if 0 <= at <= len(data) - size - SLACK and same_bytes(source, 0, data, at, size):
                return code
        slot = (slot + np.uint64(1)) & mask


@njit("void(int64, uint64[::1], uint32[::1], uint64[::1])", cache=True, nogil=True)
def index(codes, hashes, length, slots):
    """Fill the empty `slots` with every code in 1..codes-1 whose length is not 0. O(codes)."""
    mask = np.uint64(len(slots) - 1)
    for code in range(1, codes):
        if length[code] == 0:
            continue
        slot = hashes[code] & mask
        while slots[slot] != 0:
            slot = (slot + np.uint64(1)) & mask
        slots[slot] = ((hashes[code] >> np.uint64(32)) << np.uint64(32)) | np.uint64(code)


@njit("Tuple((int64[::1], uint8[::1]))(uint64[::1], int64[::1], uint32[::1], uint8[::1])", cache=True, nogil=True)
def gather(codes, start, length, data):
    """The data of those codes as the buffers of a LargeBinary array: offsets int64[n + 1], bytes. O(bytes)."""
    n = len(codes)
    offsets = np.empty(n + 1, np.int64)
    total = 0
    for i in range(n):
        offsets[i] = total
        total += np.int64(length[codes[i]])
    offsets[n] = total
    out = np.empty(total + SLACK, np.uint8)
    for i in range(n):
        at, to, end = start[codes[i]], offsets[i], offsets[i + 1]
        while to < end:
            store64(out, to, load64(data, at))
            at += 8
            to += 8
    return offsets, out


@njit(
    "Tuple((int64[::1], uint32[::1], uint8[::1], uint32[::1], int64))"
    "(int64, boolean[::1], int64[::1], uint32[::1], uint8[::1], uint8[::1])",
    cache=True,
    nogil=True,
)
def compact(codes, marked, start, length, young, data):
    """New start, length, data and free list without the data that are neither marked nor young; and how many are free.

    A freed code has length 0. O(codes + live bytes).
    """
    new_start, new_length = np.zeros(len(start), np.int64), np.zeros(len(start), np.uint32)
    free = np.empty(codes, np.uint32)
    waiting = 0
    live = 0
    for code in range(1, codes):
        if (code < len(marked) and marked[code]) or young[code] != 0:
            live += np.int64(length[code])
    new_data = np.empty(max(live + live // 2, 1 << 12) + SLACK, np.uint8)
    used = 0
    for code in range(codes - 1, 0, -1):
        if (code < len(marked) and marked[code]) or young[code] != 0:
            size = np.int64(length[code])
            if size > 0:
                new_start[code] = used
                new_length[code] = size
                copy_bytes(data, start[code], new_data, used, size)
                used += size
                continue
        free[waiting] = code
        waiting += 1
    return new_start, new_length, new_data, free[:waiting].copy(), used
