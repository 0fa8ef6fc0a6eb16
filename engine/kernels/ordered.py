# pyright: basic
# numba compiles these from their signatures; array element types are not Python's.
"""One B+tree over the entries of all groups, ordered by group, then by value: what min, max and topk read.

An entry is two words: group << 32 | load, and the order prefix of the value (kernels/compare.py) with its top bit
turned so that signed order is the value's. Where prefixes are exact the load is the value's multiplicity (int32);
else it is a slot of a row store, and entries of equal prefix are ordered by the content of their rows. Small groups
share leaves.

A node is a row of `nodes` int64[N, META + 2 B]: entries, parent, next leaf, previous leaf, level (0: leaf), then the
entries side by side. An inner node has the least entry of each child, and the child as load. Freed nodes are chained
by NEXT. A leaf is split when full and merged below a quarter. Bulk loads fill 3/4: 24 bytes an entry; 27 at the usual
2/3. Depth: log21 n, 5 levels for 4 million entries. `head` is int64[5]: root, nodes ever used, first free node, free
nodes, entries.

`store` uint64[S, w + 1] has rows of words, each with its multiplicity behind it; `spec` int64[c, 6] the columns to
compare them by: value word, null word, null bit, physical, descending, nulls first. An empty `spec` says that
prefixes are exact. `free_slots` int32[S] is the stack of free slots, `slot_head` int64[2]: slots ever used, slots on
the stack.

The kernels that change the tree are compiled without reference counting (_nrt=False), which costs more than the work
itself where arrays go from function to function; so they allocate nothing: scratch int64[4, BLOCK] comes from the
caller.
"""

import numpy as np
from numba import njit
from numba.extending import register_jitable

from engine.kernels.compare import compare, prefix
from engine.kernels.memory import prefetch

B = 32
MERGE_BELOW, MERGE_UP_TO, BULK_FILL = B // 4, 3 * B // 4, 3 * B // 4
SIZE, PARENT, NEXT, PREVIOUS, LEVEL, META = 0, 1, 2, 3, 4, 5
ROOT, USED, FREE, FREE_COUNT, ENTRIES = range(5)
NODES_SPARE = 16
"""Free nodes that an insertion may need: one per level and a new root."""
BLOCK = 64
"""Entries that descend the tree side by side, so that their cache misses overlap."""
PREFETCH_LEVELS = 3
"""Nodes of higher levels are few enough to be in the cache."""
COUNT_MAX = 1 << 30
"""Multiplicities of exact entries are int32."""
ONE = np.uint64(1)
TOP = -(1 << 63)
TREE = "int64[:, ::1], int64[::1]"
STORE = "uint64[:, ::1], int64[:, ::1], int64[::1], uint32[::1], uint8[::1]"


@register_jitable
def load_of(word):
    """The load of an entry, sign-extended."""
    return (word << 32) >> 32


@register_jitable
def entry_of(g, load):
    """The first word of an entry."""
    return (np.int64(g) << 32) | (np.int64(load) & 0xFFFFFFFF)


@register_jitable
def compare_rows(store, spec, a, b, start, length, data):
    """-1, 0 or 1 as row `a` of the store sorts before, with or after row `b`."""
    for c in range(len(spec)):
        bit = np.uint64(spec[c, 2])
        x_null = (store[a, spec[c, 1]] >> bit) & ONE
        y_null = (store[b, spec[c, 1]] >> bit) & ONE
        if x_null != y_null:
            return -1 if (x_null == ONE) == (spec[c, 5] == 1) else 1
        if x_null == ONE:
            continue
        order = compare(spec[c, 3], store[a, spec[c, 0]], store[b, spec[c, 0]], start, length, data)
        if order != 0:
            return -order if spec[c, 4] == 1 else order
    return 0


@register_jitable
def row_prefix(store, spec, slot, start, length, data):
    """The order prefix of a row: of its first column, turned for DESC, NULL at its end."""
    if (store[slot, spec[0, 1]] >> np.uint64(spec[0, 2])) & ONE == ONE:
        p = np.uint64(0) if spec[0, 5] == 1 else ~np.uint64(0)
    else:
        p = prefix(spec[0, 3], store[slot, spec[0, 0]], start, length, data)
        if spec[0, 4] == 1:
            p = ~p
    return np.int64(p) ^ np.int64(TOP)


@register_jitable
def order_tie(nodes, node, i, slot, rows):
    """-1, 0 or 1 as the row behind entry i of a node sorts before, with or after row `slot` of the store."""
    store, spec, start, length, data = rows
    at = load_of(nodes[node, META + 2 * i])
    for _ in range(nodes[node, LEVEL]):
        at = load_of(nodes[at, META])
    return compare_rows(store, spec, at, slot, start, length, data)


@register_jitable(forceinline=True)
def position(nodes, node, low, g, p, slot, exact, rows):
    """(number of the first entry from `low` on that is not before (g, p, slot), whether that is equal).

    Slot -1 sorts before all its ties. O(log B). The search by group and prefix has no branch to mispredict; only among
    ties are rows compared.
    """
    size = nodes[node, SIZE]
    n = size - low
    while n > 0:
        half = n >> 1
        group, pre = nodes[node, META + 2 * (low + half)] >> 32, nodes[node, META + 2 * (low + half) + 1]
        before = np.int64((group < g) | ((group == g) & (pre < p)))
        low += before * (half + 1)
        n = half + before * (n - 2 * half - 1)
    if low >= size or slot < 0 or nodes[node, META + 2 * low + 1] != p or nodes[node, META + 2 * low] >> 32 != g:
        return low, False
    if exact:
        return low, True
    high = size
    equal = False
    while low < high:
        middle = (low + high) >> 1
        order = 1
        if nodes[node, META + 2 * middle + 1] == p and nodes[node, META + 2 * middle] >> 32 == g:
            order = order_tie(nodes, node, middle, slot, rows)
        if order < 0:
            low = middle + 1
        else:
            high = middle
            equal = order == 0
    return low, equal


@register_jitable(forceinline=True)
def child_of(nodes, node, g, p, slot, exact, rows):
    """The child of an inner node below which (g, p, slot) is or belongs."""
    i, equal = position(nodes, node, np.int64(1), g, p, slot, exact, rows)
    return load_of(nodes[node, META + 2 * (i if equal else i - 1)])


@register_jitable
def leaf_of(nodes, head, g, p, slot, exact, rows):
    """The leaf where (g, p, slot) is or belongs. O(log n)."""
    node = head[ROOT]
    while nodes[node, LEVEL] > 0:
        node = child_of(nodes, node, g, p, slot, exact, rows)
    return node


@register_jitable
def new_node(nodes, head, level):
    """A node without entries."""
    if head[FREE_COUNT] > 0:
        node = head[FREE]
        head[FREE] = nodes[node, NEXT]
        head[FREE_COUNT] -= 1
    else:
        node = head[USED]
        head[USED] += 1
    nodes[node, SIZE] = 0
    nodes[node, PARENT] = -1
    nodes[node, NEXT] = -1
    nodes[node, PREVIOUS] = -1
    nodes[node, LEVEL] = level
    return node


@register_jitable
def free_node(nodes, head, node):
    """Unlink a node from its neighbours and give it back. It has no entries, so who still holds it finds none."""
    after, before = nodes[node, NEXT], nodes[node, PREVIOUS]
    if after >= 0:
        nodes[after, PREVIOUS] = before
    if before >= 0:
        nodes[before, NEXT] = after
    nodes[node, SIZE] = 0
    nodes[node, LEVEL] = 0
    nodes[node, NEXT] = head[FREE]
    head[FREE] = node
    head[FREE_COUNT] += 1


@register_jitable
def index_in(nodes, parent, node):
    """Which child of `parent` a node is. O(B)."""
    i = 0
    while load_of(nodes[parent, META + 2 * i]) != node:
        i += 1
    return i


@register_jitable
def update_least(nodes, head, node):
    """The least entry of a node changed: tell the nodes above that show it."""
    while node != head[ROOT]:
        parent = nodes[node, PARENT]
        i = index_in(nodes, parent, node)
        nodes[parent, META + 2 * i] = entry_of(nodes[node, META] >> 32, node)
        nodes[parent, META + 2 * i + 1] = nodes[node, META + 1]
        if i > 0:
            return
        node = parent


@register_jitable
def move_entries(nodes, source, begin, target):
    """Append the entries of `source` from `begin` on to `target`."""
    to, n = nodes[target, SIZE], nodes[source, SIZE] - begin
    for i in range(2 * n):
        nodes[target, META + 2 * to + i] = nodes[source, META + 2 * begin + i]
    if nodes[source, LEVEL] > 0:
        for i in range(n):
            nodes[load_of(nodes[source, META + 2 * (begin + i)]), PARENT] = target
    nodes[target, SIZE] = to + n
    nodes[source, SIZE] = begin


@register_jitable
def put_entry(nodes, node, at, word, p):
    """Make room at entry `at` of a node that is not full."""
    n = nodes[node, SIZE]
    for i in range(2 * n + META - 1, 2 * at + META - 1, -1):
        nodes[node, i + 2] = nodes[node, i]
    nodes[node, META + 2 * at] = word
    nodes[node, META + 2 * at + 1] = p
    nodes[node, SIZE] = n + 1
    if nodes[node, LEVEL] > 0:
        nodes[load_of(word), PARENT] = node


@register_jitable
def insert_entry(nodes, head, node, at, word, p):
    """Insert an entry before entry `at` of a node; whether nodes were split. O(B + log n)."""
    split = False
    while True:
        if nodes[node, SIZE] < B:
            put_entry(nodes, node, at, word, p)
            if at == 0:
                update_least(nodes, head, node)
            return split
        split = True
        right = new_node(nodes, head, nodes[node, LEVEL])
        after = nodes[node, NEXT]
        nodes[right, NEXT] = after
        nodes[right, PREVIOUS] = node
        nodes[node, NEXT] = right
        if after >= 0:
            nodes[after, PREVIOUS] = right
        # Ascending insertion at the very end leaves full leaves behind.
        half = np.int64(B if at == B and after < 0 else B // 2)
        move_entries(nodes, node, half, right)
        if at > half or half == B:
            put_entry(nodes, right, at - half, word, p)
        else:
            put_entry(nodes, node, at, word, p)
            if at == 0:
                update_least(nodes, head, node)
        if node == head[ROOT]:
            root = new_node(nodes, head, nodes[node, LEVEL] + 1)
            put_entry(nodes, root, np.int64(0), entry_of(nodes[node, META] >> 32, node), nodes[node, META + 1])
            put_entry(nodes, root, np.int64(1), entry_of(nodes[right, META] >> 32, right), nodes[right, META + 1])
            head[ROOT] = root
            return True
        parent = nodes[node, PARENT]
        at = index_in(nodes, parent, node) + 1
        word, p = entry_of(nodes[right, META] >> 32, right), nodes[right, META + 1]
        node = parent


@register_jitable
def remove_entry(nodes, head, node, at):
    """Take entry `at` out of a node; whether nodes were freed or merged. O(B + log n)."""
    changed = False
    while True:
        n = nodes[node, SIZE] - 1
        for i in range(META + 2 * at, META + 2 * n):
            nodes[node, i] = nodes[node, i + 2]
        nodes[node, SIZE] = n
        if node == head[ROOT]:
            while nodes[head[ROOT], LEVEL] > 0 and nodes[head[ROOT], SIZE] == 1:
                old = head[ROOT]
                head[ROOT] = load_of(nodes[old, META])
                nodes[head[ROOT], PARENT] = -1
                free_node(nodes, head, old)
                changed = True
            return changed
        parent = nodes[node, PARENT]
        if n == 0:
            at = index_in(nodes, parent, node)
            free_node(nodes, head, node)
            node = parent
            changed = True
            continue
        if at == 0:
            update_least(nodes, head, node)
        if n >= MERGE_BELOW:
            return changed
        i = index_in(nodes, parent, node)
        before = load_of(nodes[parent, META + 2 * (i - 1)]) if i > 0 else np.int64(-1)
        after = load_of(nodes[parent, META + 2 * (i + 1)]) if i + 1 < nodes[parent, SIZE] else np.int64(-1)
        if after >= 0 and nodes[after, SIZE] + n <= MERGE_UP_TO:
            move_entries(nodes, after, np.int64(0), node)
            free_node(nodes, head, after)
            at = i + 1
        elif before >= 0 and nodes[before, SIZE] + n <= MERGE_UP_TO:
            move_entries(nodes, node, np.int64(0), before)
            free_node(nodes, head, node)
            at = i
        else:
            return changed
        node = parent
        changed = True


@register_jitable
def descend_block(nodes, head, size, scratch, exact, rows):
    """The leaves of entries 0 .. size, all one level at a time, each next node asked for in advance.

    `scratch` has their groups, prefixes and slots; it takes the leaves.
    """
    root = head[ROOT]
    for i in range(size):
        scratch[3, i] = root
    for level in range(nodes[root, LEVEL], 0, -1):
        for i in range(size):
            node = child_of(nodes, scratch[3, i], scratch[0, i], scratch[1, i], scratch[2, i], exact, rows)
            scratch[3, i] = node
            if size > 1 and level <= PREFETCH_LEVELS:
                for line in range((META + 2 * B) // 8 + 1):
                    prefetch(nodes, node * nodes.shape[1] + 8 * line)


@register_jitable
def change_entry(nodes, head, i, certain, diff, scratch, exact, rows):
    """Add to the multiplicity of entry i of `scratch`: (new count, entries added, slot of the entry, nodes changed?).

    `certain`: its leaf is where it belongs; else, if it lies at an end of the leaf, it is looked for anew. The slot
    returned is that of the entry that was there, if there was one. O(log n).
    """
    store = rows[0]
    g, p, slot, leaf = scratch[0, i], scratch[1, i], scratch[2, i], scratch[3, i]
    at, equal = position(nodes, leaf, np.int64(0), g, p, slot, exact, rows)
    if not certain and not equal and (at == 0 or at >= nodes[leaf, SIZE]):
        leaf = leaf_of(nodes, head, g, p, slot, exact, rows)
        at, equal = position(nodes, leaf, np.int64(0), g, p, slot, exact, rows)
    if not equal:
        if not exact:
            store[slot, store.shape[1] - 1] = np.uint64(diff)
        head[ENTRIES] += 1
        changed = insert_entry(nodes, head, leaf, at, entry_of(g, diff if exact else slot), p)
        return diff, 1, slot, changed
    if exact:
        count = load_of(nodes[leaf, META + 2 * at]) + diff
        nodes[leaf, META + 2 * at] = entry_of(g, count)
    else:
        slot = load_of(nodes[leaf, META + 2 * at])
        store[slot, store.shape[1] - 1] += np.uint64(diff)
        count = np.int64(store[slot, store.shape[1] - 1])
    if count == 0:
        head[ENTRIES] -= 1
        return 0, -1, slot, remove_entry(nodes, head, leaf, at)
    return count, 0, slot, False


@register_jitable
def enough_nodes(nodes, head):
    """Whether an insertion finds the nodes that it may need."""
    return len(nodes) - head[USED] + head[FREE_COUNT] >= NODES_SPARE


@register_jitable
def unprefixed(kind, p):
    """The word of an exact order prefix."""
    word = np.uint64(p ^ np.int64(TOP))
    if kind == 1:
        return word ^ np.uint64(1 << 63)
    if kind == 2:
        return word ^ np.uint64(1 << 63) if word >> np.uint64(63) else ~word
    return word


@register_jitable
def step(nodes, leaf, i, way):
    """The entry after (way 1) or before (way -1) entry i of a leaf; leaf -1 at the end."""
    i += way
    if i < 0:
        leaf = nodes[leaf, PREVIOUS]
        return leaf, (nodes[leaf, SIZE] - 1 if leaf >= 0 else np.int64(0))
    if i >= nodes[leaf, SIZE]:
        return nodes[leaf, NEXT], np.int64(0)
    return leaf, i


@register_jitable
def first_entry(nodes, head, g):
    """The first entry that is not of a group before g: (leaf, number), leaf -1 if there is none. O(log n)."""
    node = head[ROOT]
    while True:
        inner = nodes[node, LEVEL] > 0
        low, high = 1 if inner else 0, nodes[node, SIZE]
        while low < high:
            middle = (low + high) >> 1
            if nodes[node, META + 2 * middle] >> 32 < g:
                low = middle + 1
            else:
                high = middle
        if not inner:
            break
        node = load_of(nodes[node, META + 2 * (low - 1)])
    if low >= nodes[node, SIZE]:
        return nodes[node, NEXT], np.int64(0)
    return node, low


@register_jitable
def last_entry(nodes, head, g):
    """The last entry that is not of a group after g: (leaf, number), leaf -1 if there is none. O(log n)."""
    leaf, i = first_entry(nodes, head, g + 1)
    if leaf >= 0:
        return step(nodes, leaf, i, -1)
    leaf = head[ROOT]
    while nodes[leaf, LEVEL] > 0:
        leaf = load_of(nodes[leaf, META + 2 * (nodes[leaf, SIZE] - 1)])
    return leaf, nodes[leaf, SIZE] - 1


@njit(
    f"int64(int32[::1], int64[::1], int32[::1], int64[::1], int64, int32[::1], {TREE}, {STORE}, int32[::1], int64[::1],"
    "uint64[:, ::1], int64, int64[:, ::1])",
    cache=True,
    nogil=True,
    _nrt=False,  # pyright: ignore[reportCallIssue]
)
def update_rows(
    gids, prefixes, slots, diffs, begin, gone, nodes, head, store, spec, start, length, data, free_slots, slot_head,
    records, at, scratch,
):  # fmt: skip
    """Add rows, each in its own slot of the store, to the tree; from row `begin` on. O(log n) a row.

    A slot whose row was there already goes back to the stack; gone[i] is the slot of a row whose count became 0, else
    -1: the caller gives it back when nobody reads it any more. records[group, at] counts the entries of the group.
    Returns the rows done: less than all when the tree needs more nodes.
    """
    rows = (store, spec, start, length, data)
    n = len(diffs)
    for first in range(begin, n, BLOCK):
        size = min(BLOCK, n - first)
        for i in range(size):
            scratch[0, i], scratch[1, i], scratch[2, i] = gids[first + i], prefixes[first + i], slots[first + i]
        descend_block(nodes, head, size, scratch, False, rows)
        certain = True
        for i in range(size):
            k = first + i
            if not enough_nodes(nodes, head):
                return k
            count, added, found, changed = change_entry(nodes, head, i, certain, diffs[k], scratch, False, rows)
            certain = certain and not changed
            records[gids[k], at] += np.uint64(added)
            gone[k] = found if count == 0 else -1
            if found != slots[k]:
                free_slots[slot_head[1]] = slots[k]
                slot_head[1] += 1
    return n


@njit(
    f"int64(uint64[:, ::1], int64[::1], int64[::1], int64, int64, int64, int64, int32[::1], {TREE}, {STORE},"
    "int32[::1], int64[::1], uint64[:, ::1], int64, int64[:, ::1])",
    cache=True,
    nogil=True,
    _nrt=False,  # pyright: ignore[reportCallIssue]
)
def update_values(
    words, diffs, kept, value, kind, largest, begin, gids, nodes, head, store, spec, start, length, data, free_slots,
    slot_head, records, at, scratch,
):  # fmt: skip
    """Add the values words[value, kept[i]] to the tree and keep the least or greatest of each group. O(log n) a row.

    records[group, at:at+3] = entries of the group, whether there is a value, the value. The store (a null word, the
    value) must have as many free slots as there are rows. Returns the rows done: less than all when the tree needs
    more nodes; -1 - i when the multiplicity of row i leaves int32.
    """
    rows = (store, spec, start, length, data)
    exact = len(spec) == 0
    n = len(kept)
    for first in range(begin, n, BLOCK):
        size = min(BLOCK, n - first)
        for i in range(size):
            k = kept[first + i]
            word = words[value, k]
            scratch[0, i] = gids[k]
            scratch[1, i] = np.int64(prefix(kind, word, start, length, data)) ^ np.int64(TOP)
            scratch[2, i] = 0
            if not exact:
                if slot_head[1] > 0:
                    slot_head[1] -= 1
                    slot = np.int64(free_slots[slot_head[1]])
                else:
                    slot = slot_head[0]
                    slot_head[0] += 1
                scratch[2, i] = slot
                store[slot, 0] = np.uint64(0)
                store[slot, 1] = word
        descend_block(nodes, head, size, scratch, exact, rows)
        certain = True
        for i in range(size):
            k = kept[first + i]
            g, diff = scratch[0, i], diffs[k]
            if not enough_nodes(nodes, head):
                if not exact:
                    for j in range(i, size):
                        free_slots[slot_head[1]] = scratch[2, j]
                        slot_head[1] += 1
                return first + i
            if exact and (diff > COUNT_MAX or diff < -COUNT_MAX):
                return -1 - first - i
            count, added, found, changed = change_entry(nodes, head, i, certain, diff, scratch, exact, rows)
            if exact and (count > COUNT_MAX or count < -COUNT_MAX):
                return -1 - first - i
            certain = certain and not changed
            if not exact:
                if found != scratch[2, i]:
                    free_slots[slot_head[1]] = scratch[2, i]
                    slot_head[1] += 1
                if count == 0:
                    free_slots[slot_head[1]] = found
                    slot_head[1] += 1
            records[g, at] += np.uint64(added)
            word = words[value, k]
            if count > 0:
                if records[g, at + 1] == np.uint64(0):
                    records[g, at + 1] = ONE
                    records[g, at + 2] = word
                elif compare(kind, word, records[g, at + 2], start, length, data) * largest > 0:
                    records[g, at + 2] = word
            elif records[g, at + 1] == ONE and records[g, at + 2] == word:
                # The extreme itself went: the one next to it, which the end of the group now is.
                records[g, at + 1] = np.uint64(0)
                records[g, at + 2] = np.uint64(0)
                if np.int64(records[g, at]) > 0:
                    if largest > 0:
                        leaf, j = last_entry(nodes, head, g)
                    else:
                        leaf, j = first_entry(nodes, head, g)
                    while leaf >= 0 and nodes[leaf, META + 2 * j] >> 32 == g:
                        x = load_of(nodes[leaf, META + 2 * j])
                        if (x if exact else np.int64(store[x, 2])) > 0:
                            records[g, at + 1] = ONE
                            pre = nodes[leaf, META + 2 * j + 1]
                            records[g, at + 2] = unprefixed(kind, pre) if exact else store[x, 1]
                            break
                        leaf, j = step(nodes, leaf, j, -largest)
    return n


@njit(
    f"Tuple((int32[::1], int64[::1], int64[::1]))(int32[::1], int64, int64, {TREE}, uint64[:, ::1])",
    cache=True,
    nogil=True,
)
def walk_groups(gids, offset, limit, nodes, head, store):
    """Of each group the rows from `offset` on, at most `limit` (negative: all), in order: (slots, how often, bounds).

    Rows of group i are bounds[i] .. bounds[i + 1]. Multiplicities count as that many rows, those below 1 as none.
    O(log n + rows walked) a group.
    """
    n = len(gids)
    bounds = np.zeros(n + 1, np.int64)
    slots, takes = np.empty(64, np.int32), np.empty(64, np.int64)
    used = 0
    for k in range(n):
        g = np.int64(gids[k])
        leaf, i = first_entry(nodes, head, g)
        skip, left = offset, limit
        while leaf >= 0 and nodes[leaf, META + 2 * i] >> 32 == g and left != 0:
            slot = load_of(nodes[leaf, META + 2 * i])
            count = np.int64(store[slot, store.shape[1] - 1])
            if count > 0:
                skipped = min(skip, count)
                skip -= skipped
                count -= skipped
                if left >= 0 and count > left:
                    count = left
                if count > 0:
                    if used == len(slots):
                        more_slots, more_takes = np.empty(2 * used, np.int32), np.empty(2 * used, np.int64)
                        more_slots[:used] = slots
                        more_takes[:used] = takes
                        slots, takes = more_slots, more_takes
                    slots[used] = slot
                    takes[used] = count
                    used += 1
                    if left >= 0:
                        left -= count
            leaf, i = step(nodes, leaf, i, 1)
        bounds[k + 1] = used
    return slots[:used].copy(), takes[:used].copy(), bounds


@njit(
    f"int64(uint64[:, ::1], int64[::1], int64, int32[::1], int64[::1], {STORE}, int32[::1], int64[::1])",
    cache=True,
    nogil=True,
    _nrt=False,  # pyright: ignore[reportCallIssue]
)
def store_rows(words, picked, nulls, slots, prefixes, store, spec, start, length, data, free_slots, slot_head):
    """Put the columns `picked` of rows into free slots of the store, of which there must be as many; O(rows).

    Row i gets slots[i] and the order prefix prefixes[i]. A store row is its null words, then the columns, then 0.
    """
    n = words.shape[1]
    k = len(picked)
    leading = (k + 63) >> 6
    for i in range(n):
        if slot_head[1] > 0:
            slot_head[1] -= 1
            slot = np.int64(free_slots[slot_head[1]])
        else:
            slot = slot_head[0]
            slot_head[0] += 1
        slots[i] = slot
        for w in range(store.shape[1]):
            store[slot, w] = np.uint64(0)
        for c in range(k):
            column = picked[c]
            store[slot, leading + c] = words[nulls + column, i]
            null = (words[column >> 6, i] >> np.uint64(column & 63)) & ONE
            store[slot, c >> 6] |= null << np.uint64(c & 63)
        prefixes[i] = row_prefix(store, spec, slot, start, length, data) if len(spec) > 0 else 0
    return n


@njit(f"Tuple((int32[::1], int64[::1], int64[::1]))({TREE})", cache=True, nogil=True)
def read_tree(nodes, head):
    """All entries in order: (groups, prefixes, loads). O(n)."""
    n = head[ENTRIES]
    gids, prefixes, loads = np.empty(n, np.int32), np.empty(n, np.int64), np.empty(n, np.int64)
    leaf = head[ROOT]
    while nodes[leaf, LEVEL] > 0:
        leaf = load_of(nodes[leaf, META])
    k = 0
    while leaf >= 0:
        for i in range(nodes[leaf, SIZE]):
            gids[k] = nodes[leaf, META + 2 * i] >> 32
            loads[k] = load_of(nodes[leaf, META + 2 * i])
            prefixes[k] = nodes[leaf, META + 2 * i + 1]
            k += 1
        leaf = nodes[leaf, NEXT]
    return gids, prefixes, loads


@njit(
    f"Tuple((int64[::1], int64[::1], int64[::1]))(int32[::1], int64[::1], int64[::1], int64, {STORE})",
    cache=True,
    nogil=True,
)
def sort_entries(gids, prefixes, loads, groups, store, spec, start, length, data):
    """(prefixes, loads, bounds): entries of group g, in order, are bounds[g] .. bounds[g + 1]. O(n log(group)).

    A counting sort by group, then a quicksort of each group.
    """
    n = len(gids)
    exact = len(spec) == 0
    bounds = np.zeros(groups + 2, np.int64)
    for i in range(n):
        bounds[gids[i] + 2] += 1
    for g in range(groups):
        bounds[g + 2] += bounds[g + 1]
    p, x = np.empty(n, np.int64), np.empty(n, np.int64)
    for i in range(n):
        if i + 16 < n:
            prefetch(p, bounds[gids[i + 16] + 1])
            prefetch(x, bounds[gids[i + 16] + 1])
        to = bounds[gids[i] + 1]
        p[to] = prefixes[i]
        x[to] = loads[i]
        bounds[gids[i] + 1] = to + 1
    stack = np.empty((128, 2), np.int64)
    for g in range(groups):
        depth = 1
        stack[0, 0], stack[0, 1] = bounds[g], bounds[g + 1] - 1
        while depth > 0:
            depth -= 1
            low, high = stack[depth, 0], stack[depth, 1]
            while high - low > 20:
                middle = (low + high) >> 1
                # The median of three at the middle; equal entries are spread to both sides.
                for a, b in ((low, middle), (middle, high), (low, middle)):
                    order = 0 if p[a] == p[b] else (-1 if p[a] < p[b] else 1)
                    if order == 0 and not exact:
                        order = compare_rows(store, spec, x[a], x[b], start, length, data)
                    if order > 0:
                        p[a], p[b] = p[b], p[a]
                        x[a], x[b] = x[b], x[a]
                pivot, pivot_x = p[middle], x[middle]
                i, j = low, high
                while i <= j:
                    while True:
                        order = 0 if p[i] == pivot else (-1 if p[i] < pivot else 1)
                        if order == 0 and not exact:
                            order = compare_rows(store, spec, x[i], pivot_x, start, length, data)
                        if order >= 0:
                            break
                        i += 1
                    while True:
                        order = 0 if p[j] == pivot else (-1 if p[j] < pivot else 1)
                        if order == 0 and not exact:
                            order = compare_rows(store, spec, x[j], pivot_x, start, length, data)
                        if order <= 0:
                            break
                        j -= 1
                    if i <= j:
                        p[i], p[j] = p[j], p[i]
                        x[i], x[j] = x[j], x[i]
                        i += 1
                        j -= 1
                # The larger side waits, so the stack stays below log2(n).
                if j - low > high - i:
                    stack[depth, 0], stack[depth, 1] = low, j
                    low = i
                else:
                    stack[depth, 0], stack[depth, 1] = i, high
                    high = j
                depth += 1
            for i in range(low + 1, high + 1):
                a, b = p[i], x[i]
                j = i - 1
                while j >= low:
                    order = 0 if p[j] == a else (-1 if p[j] < a else 1)
                    if order == 0 and not exact:
                        order = compare_rows(store, spec, x[j], b, start, length, data)
                    if order <= 0:
                        break
                    p[j + 1] = p[j]
                    x[j + 1] = x[j]
                    j -= 1
                p[j + 1] = a
                x[j + 1] = b
    return p, x, bounds


@njit(
    f"int64(int64[::1], int64[::1], int64[::1], int32[::1], {TREE}, {STORE}, int32[::1], int64[::1], uint64[:, ::1],"
    "int64, int64, int64)",
    cache=True,
    nogil=True,
)
def build_tree(
    p, x, bounds, gone, nodes, head, store, spec, start, length, data, free_slots, slot_head, records, at, kind,
    largest,
):  # fmt: skip
    """Make the tree anew of sorted entries, equal ones added up. O(n).

    `nodes` has room for n / BULK_FILL leaves and the nodes above. records[group, at] takes the number of entries; with
    `largest` 1 or -1 the two words behind it take the greatest or least value. gone[: result] are the slots of rows
    whose count is 0; slots of rows that are there twice go back to the stack. Returns -1 when a multiplicity leaves
    int32.
    """
    exact = len(spec) == 0
    last = store.shape[1] - 1
    head[ROOT], head[USED], head[FREE], head[FREE_COUNT], head[ENTRIES] = 0, 0, -1, 0, 0
    leaf = new_node(nodes, head, np.int64(0))
    went = 0
    for g in range(len(bounds) - 2):
        entries = 0
        i = bounds[g]
        if i < bounds[g + 1] and largest != 0:
            records[g, at + 1] = np.uint64(0)
            records[g, at + 2] = np.uint64(0)
        while i < bounds[g + 1]:
            slot = x[i]
            count = slot if exact else np.int64(store[slot, last])
            j = i + 1
            while j < bounds[g + 1] and p[j] == p[i]:
                if exact:
                    count += x[j]
                else:
                    if compare_rows(store, spec, slot, x[j], start, length, data) != 0:
                        break
                    count += np.int64(store[x[j], last])
                    free_slots[slot_head[1]] = x[j]
                    slot_head[1] += 1
                j += 1
            if exact and (count > COUNT_MAX or count < -COUNT_MAX):
                return -1
            if not exact:
                store[slot, last] = np.uint64(count)
            if count == 0:
                if not exact:
                    gone[went] = slot
                    went += 1
            else:
                n = nodes[leaf, SIZE]
                if n == BULK_FILL:
                    after = new_node(nodes, head, np.int64(0))
                    nodes[leaf, NEXT] = after
                    nodes[after, PREVIOUS] = leaf
                    leaf = after
                    n = np.int64(0)
                nodes[leaf, META + 2 * n] = entry_of(g, count if exact else slot)
                nodes[leaf, META + 2 * n + 1] = p[i]
                nodes[leaf, SIZE] = n + 1
                entries += 1
                if largest != 0 and count > 0 and (largest > 0 or records[g, at + 1] == np.uint64(0)):
                    records[g, at + 1] = ONE
                    records[g, at + 2] = unprefixed(kind, p[i]) if exact else store[slot, 1]
            i = j
        if bounds[g] < bounds[g + 1]:
            records[g, at] = np.uint64(entries)
            head[ENTRIES] += entries
    # Levels of inner nodes over the nodes first .. end.
    first, end, level = 0, head[USED], 0
    while end - first > 1:
        level += 1
        inner = np.int64(-1)
        for node in range(first, end):
            if inner < 0 or nodes[inner, SIZE] == BULK_FILL:
                inner = new_node(nodes, head, np.int64(level))
            n = nodes[inner, SIZE]
            nodes[inner, META + 2 * n] = entry_of(nodes[node, META] >> 32, node)
            nodes[inner, META + 2 * n + 1] = nodes[node, META + 1]
            nodes[inner, SIZE] = n + 1
            nodes[node, PARENT] = inner
        first, end = end, head[USED]
    head[ROOT] = first
    return went
