# pyright: basic
# numba compiles these from their signatures; array element types are not Python's.
"""Rows at rest: a record array, open-addressing tables over it, and the rows of a key as a linked list.

Record   `records` uint64[capacity, stride] is row-major, so that a row is one or two cache lines: the row's words, its
         multiplicity (0: the record is free, and word 0 is the next free slot + 1), and a link word for each key:
         low half the next slot of the group or -1; high half the previous slot, or minus the group's count in its head.
Table    uint64[2^p]: 0 is empty, else tag << 32 | slot + 1, where the tag is the upper half of the hash and the home of
         an entry is tag & mask. So growing and deleting (backward shift, no tombstones) never read a record.
         `index` addresses records by the whole row, the `groups` of a key the heads of its groups.
State    int64[3]: records ever used, head of the free list or -1, rows.

A batch goes by the whole row first (`apply_rows`), which tells what became of each record; then through each key's
groups (`regroup`); only then are the records of rows that went free (`free_records`), for the groups still read them.

Large states live in memory, not in cache: every kernel works in blocks, and asks for the lines of a block before it
reads the first, so that misses overlap instead of queueing.
"""

import numpy as np
from numba import njit
from numba.extending import register_jitable

from engine.kernels.hash import K1, finish, mix
from engine.kernels.memory import prefetch

USED, FREE, ROWS = 0, 1, 2
STAYED, CAME, WENT = 0, 1, 2
"""What became of a row's record."""
BLOCK = 64
"""Rows whose cache lines are asked for ahead: enough to overlap misses, few enough to stay in the first-level cache."""
HALF = np.uint64(32)
LOW = np.uint64(0xFFFFFFFF)
ONE = np.uint64(1)


@register_jitable
def _hash_row(words, i):
    h = K1
    for j in range(words.shape[0]):
        h = mix(h, words[j, i])
    return finish(h) >> HALF


@register_jitable
def _hash_key(words, i, null_words, key):
    """The tag of the key columns of row i: null bits packed for the key, then the words."""
    h = K1
    for begin in range(0, key.size, 64):
        bits = np.uint64(0)
        for j in range(begin, min(begin + 64, key.size)):
            c = key[j]
            bits |= ((words[c >> 6, i] >> np.uint64(c & 63)) & ONE) << np.uint64(j - begin)
        h = mix(h, bits)
    for j in range(key.size):
        h = mix(h, words[null_words + key[j], i])
    return finish(h) >> HALF


@register_jitable
def _same_key(words, i, null_words, columns, record, record_null_words, key):
    """Whether `columns` of row i are `key` of a record; NULL is equal to NULL."""
    for j in range(key.size):
        c, k = columns[j], key[j]
        if words[null_words + c, i] != record[record_null_words + k]:
            return False
        a = (words[c >> 6, i] >> np.uint64(c & 63)) & ONE
        if a != (record[k >> 6] >> np.uint64(k & 63)) & ONE:
            return False
    return True


@register_jitable
def _has_null(words, i, columns, strict):
    """Whether a column that is strict about it is NULL in row i."""
    for j in range(columns.size):
        c = columns[j]
        if strict[j] and (words[c >> 6, i] >> np.uint64(c & 63)) & ONE:
            return True
    return False


@register_jitable
def _link(previous, following):
    return (np.uint64(np.uint32(previous)) << HALF) | np.uint64(np.uint32(following))


@register_jitable
def _next(link):
    return np.int64(np.int32(np.uint32(link & LOW)))


@register_jitable
def _previous(link):
    return np.int64(np.int32(np.uint32(link >> HALF)))


@register_jitable
def _erase(table, at):
    """Empty a position; later entries of the run move back so that no probe meets a gap before its entry."""
    mask = table.size - 1
    hole = at
    while True:
        at = (at + 1) & mask
        entry = table[at]
        if entry == 0:
            break
        home = np.int64(entry >> HALF) & mask
        if ((at - home) & mask) >= ((at - hole) & mask):
            table[hole] = entry
            hole = at
    table[hole] = np.uint64(0)


@register_jitable
def _find_row(table, tag, words, i, records):
    """(position, slot) of row i in the index; slot -1 and the empty position where it would go if it is not there."""
    mask = table.size - 1
    at = np.int64(tag) & mask
    while True:
        entry = table[at]
        if entry == 0:
            return at, np.int64(-1)
        if entry >> HALF == tag:
            slot = np.int64(entry & LOW) - 1
            same = True
            for j in range(words.shape[0]):
                if records[slot, j] != words[j, i]:
                    same = False
                    break
            if same:
                return at, slot
        at = (at + 1) & mask


@register_jitable
def _find_group(table, tag, words, i, null_words, columns, records, record_null_words, key):
    """(position, head slot) of the group whose key is `columns` of row i; slot -1 if there is none."""
    mask = table.size - 1
    at = np.int64(tag) & mask
    while True:
        entry = table[at]
        if entry == 0:
            return at, np.int64(-1)
        if entry >> HALF == tag:
            slot = np.int64(entry & LOW) - 1
            if _same_key(words, i, null_words, columns, records[slot], record_null_words, key):
                return at, slot
        at = (at + 1) & mask


@register_jitable
def _ask_for_record(table, tag, records, word):
    """Prefetch that word of the record that the home position of a tag points at, if its tag fits."""
    entry = table[np.int64(tag) & (table.size - 1)]
    if entry >> HALF == tag:
        prefetch(records, (np.int64(entry & LOW) - 1) * records.shape[1] + word)


@register_jitable
def _link_in(words, i, null_words, key, tag, slot, records, at_link, groups, count):
    """Put a record at the head of its group's list. O(1)."""
    at, head = _find_group(groups, tag, words, i, null_words, key, records, null_words, key)
    groups[at] = (tag << HALF) | np.uint64(slot + 1)
    if head < 0:
        records[slot, at_link] = _link(-1, -1)
        count[0] += 1
    else:
        link = records[head, at_link]
        records[head, at_link] = _link(slot, _next(link))
        records[slot, at_link] = _link(_previous(link) - 1, head)


@register_jitable
def _unlink(words, i, null_words, key, tag, slot, records, at_link, groups, count):
    """Take a record out of its group's list; an empty group leaves the table. O(1)."""
    link = records[slot, at_link]
    previous, following = _previous(link), _next(link)
    at, head = _find_group(groups, tag, words, i, null_words, key, records, null_words, key)
    size = -_previous(records[head, at_link])
    if size == 1:
        _erase(groups, at)
        count[0] -= 1
        return
    if head == slot:
        groups[at] = (tag << HALF) | np.uint64(following + 1)
        records[following, at_link] = _link(-(size - 1), _next(records[following, at_link]))
        return
    records[head, at_link] = _link(-(size - 1), _next(records[head, at_link]))
    records[previous, at_link] = _link(_previous(records[previous, at_link]), following)
    if following >= 0:
        records[following, at_link] = _link(previous, _next(records[following, at_link]))


@njit(
    "int64(uint64[:, ::1], int64[::1], int64, uint64[:, ::1], uint64[::1], int64[::1], int32[::1], uint8[::1])",
    cache=True,
    nogil=True,
)
def apply_rows(words, diffs, begin, records, index, state, slots, moves):
    """Add the diffs of a batch (words uint64[w, n]) to the multiplicities, from row `begin` on.

    `slots` and `moves` get the record of each row and what became of it; of length 0: there are no groups to tell, and
    the record of a row that went is free at once. Returns the row it stopped at: n, or one that found records or the
    index full (at 3/5); the caller makes room and goes on. O(n) expected.
    """
    width, n = words.shape
    capacity = records.shape[0]
    told = slots.size > 0
    most_rows = index.size * 3 // 5
    tags = np.empty(BLOCK, np.uint64)
    for base in range(begin, n, BLOCK):
        end = min(n, base + BLOCK)
        for i in range(base, end):
            tag = _hash_row(words, i)
            tags[i - base] = tag
            prefetch(index, np.int64(tag) & (index.size - 1))
        if end - base > 1:
            for i in range(base, end):
                _ask_for_record(index, tags[i - base], records, 0)
        for i in range(base, end):
            tag = tags[i - base]
            at, slot = _find_row(index, tag, words, i, records)
            move = STAYED
            if slot >= 0:
                count = np.int64(records[slot, width]) + diffs[i]
                records[slot, width] = np.uint64(count)
                if count == 0:
                    move = WENT
                    _erase(index, at)
                    state[ROWS] -= 1
                    if not told:
                        records[slot, 0] = np.uint64(state[FREE] + 1)
                        state[FREE] = slot
            else:
                if state[ROWS] >= most_rows:
                    return i
                slot = state[FREE]
                if slot >= 0:
                    state[FREE] = np.int64(records[slot, 0]) - 1
                elif state[USED] < capacity:
                    slot = state[USED]
                    state[USED] += 1
                else:
                    return i
                move = CAME
                for j in range(width):
                    records[slot, j] = words[j, i]
                records[slot, width] = np.uint64(diffs[i])
                index[at] = (tag << HALF) | np.uint64(slot + 1)
                state[ROWS] += 1
            if told:
                slots[i] = slot
                moves[i] = move
    return n


@njit(
    "int64(uint64[:, ::1], int64, int64, int64[::1], int32[::1], uint8[::1], uint64[:, ::1], int64, uint64[::1],"
    "int64[::1])",
    cache=True,
    nogil=True,
)
def regroup(words, begin, null_words, key, slots, moves, records, at_link, groups, count):
    """Bring the groups of a key up to what `apply_rows` told, from row `begin` on.

    `at_link` is the key's link word, `count` int64[1] its number of groups. Returns the row it stopped at: n, or one
    that found the table full (at 3/5). O(n) expected.
    """
    n = words.shape[1]
    most = groups.size * 3 // 5
    tags = np.empty(BLOCK, np.uint64)
    for base in range(begin, n, BLOCK):
        end = min(n, base + BLOCK)
        for i in range(base, end):
            if moves[i] != STAYED:
                tag = _hash_key(words, i, null_words, key)
                tags[i - base] = tag
                prefetch(groups, np.int64(tag) & (groups.size - 1))
        if end - base > 1:
            for i in range(base, end):
                if moves[i] != STAYED:
                    _ask_for_record(groups, tags[i - base], records, null_words + key[0])
                    _ask_for_record(groups, tags[i - base], records, at_link)
        for i in range(base, end):
            if moves[i] == CAME:
                if count[0] >= most:
                    return i
                _link_in(words, i, null_words, key, tags[i - base], slots[i], records, at_link, groups, count)
            elif moves[i] == WENT:
                _unlink(words, i, null_words, key, tags[i - base], slots[i], records, at_link, groups, count)
    return n


@njit("void(int32[::1], uint8[::1], uint64[:, ::1], int64[::1])", cache=True, nogil=True)
def free_records(slots, moves, records, state):
    """Let the records of rows that went be used again. O(n)."""
    for i in range(slots.size):
        if moves[i] == WENT:
            records[slots[i], 0] = np.uint64(state[FREE] + 1)
            state[FREE] = slots[i]


@njit("void(uint64[::1], uint64[::1])", cache=True, nogil=True)
def rehash(old, new):
    """Move the entries of a table into an empty one of another size. O(old); reads no record."""
    mask = new.size - 1
    for entry in old:
        if entry != 0:
            at = np.int64(entry >> HALF) & mask
            while new[at] != 0:
                at = (at + 1) & mask
            new[at] = entry


@njit(
    "int64(uint64[:, ::1], int64, int64[::1], uint64[:, ::1], int64, int64[::1], int64, uint64[::1], boolean[::1],"
    "int32[::1])",
    cache=True,
    nogil=True,
)
def find(words, null_words, columns, records, record_null_words, key, at_link, table, strict, heads):
    """For each row of `words` the slot whose `key` equals the row's `columns`, into heads int32[n]; -1: none.

    `table` are the key's groups and `at_link` its link word; or the index, and -1. NULL is equal to NULL, but where
    strict[j] NULL in the key's column j is equal to nothing; of length 0: nowhere. Returns the number of rows in the
    groups found (1 each without lists). O(n) expected.
    """
    n = words.shape[1]
    total = 0
    first = record_null_words + (key[0] if key.size else 0)
    tags = np.empty(BLOCK, np.uint64)
    for base in range(0, n, BLOCK):
        end = min(n, base + BLOCK)
        for i in range(base, end):
            tag = _hash_key(words, i, null_words, columns)
            tags[i - base] = tag
            prefetch(table, np.int64(tag) & (table.size - 1))
        if end - base > 1:
            for i in range(base, end):
                _ask_for_record(table, tags[i - base], records, first)
                if at_link >= 0:
                    _ask_for_record(table, tags[i - base], records, at_link)
        for i in range(base, end):
            if strict.size and _has_null(words, i, columns, strict):
                heads[i] = -1
                continue
            _, slot = _find_group(table, tags[i - base], words, i, null_words, columns, records, record_null_words, key)
            heads[i] = slot
            if slot >= 0:
                total += -_previous(records[slot, at_link]) if at_link >= 0 else 1
    return total


@njit("int64(uint64[:, ::1], int64, int64, int64, uint64[:, ::1], int64[::1], int64)", cache=True, nogil=True)
def copy_rows(records, begin, end, width, words, diffs, at):
    """The rows in slots `begin` to `end` into words uint64[width, rows] and diffs int64[rows], from place `at` on in
    the order of their slots; the place behind them. O(slots)."""
    for slot in range(begin, end):
        if records[slot, width] != 0:
            for j in range(width):
                words[j, at] = records[slot, j]
            diffs[at] = np.int64(records[slot, width])
            at += 1
    return at
