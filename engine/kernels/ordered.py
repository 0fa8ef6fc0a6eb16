# pyright: basic
# numba compiles these from their signatures; array element types are not Python's.
"""One B+tree over the entries of all groups, ordered by group, then by value: what min, max and topk read.

An entry is 16 bytes: group (int32), order prefix of the value (uint64, kernels/compare.py) and load (int32). Where the
prefix is exact the load is the value's multiplicity; else it is a slot of a row store, whose `counts` hold the
multiplicity, and entries of equal prefix are ordered by the content of their rows. Small groups share leaves.

Nodes are rows of group[N, B], prefix[N, B], load[N, B] with meta[N, 5] = entries, parent, next leaf, previous leaf, level
(0: leaf). An inner node has the least entry of each child, and the child in `load`. Freed nodes are chained by `next`.
A leaf is split when full and merged below a quarter. Bulk loads fill 3/4: 22 bytes an entry; 24 at the usual 2/3.
Depth: log43 n, 4 levels for 3 million entries. `head` is int64[4]: root, nodes ever used, first free node, free nodes.

`store` uint64[S, w] has rows of words, `spec` int64[c, 6] the columns to compare them by: value word, null word, null
bit, physical, descending, nulls first. An empty `spec` says that prefixes are exact.
`slots` int32[S] is the stack of free slots, `slot_head` int64[2]: slots ever used, slots on the stack.
"""

import numpy as np
from numba import njit
from numba.extending import register_jitable

from engine.kernels.compare import compare, prefix
from engine.kernels.memory import prefetch

B = 64
MERGE_BELOW, MERGE_UP_TO, BULK_FILL = B // 4, 3 * B // 4, 3 * B // 4
SIZE, PARENT, NEXT, PREVIOUS, LEVEL = range(5)
ROOT, USED, FREE, FREE_COUNT = range(4)
NODES_SPARE = 16
"""Free nodes that an insertion may need: one per level and a new root."""
BLOCK = 64
"""Entries that descend the tree side by side, so that their cache misses overlap."""
ONE = np.uint64(1)
TREE = "int32[:, ::1], uint64[:, ::1], int32[:, ::1], int32[:, ::1], int64[::1]"
STORE = "uint64[:, ::1], int64[::1], int64[:, ::1], int64[::1], uint32[::1], uint8[::1]"


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
    if len(spec) == 0:
        return np.uint64(0)
    if (store[slot, spec[0, 1]] >> np.uint64(spec[0, 2])) & ONE == ONE:
        return np.uint64(0) if spec[0, 5] == 1 else ~np.uint64(0)
    p = prefix(spec[0, 3], store[slot, spec[0, 0]], start, length, data)
    return ~p if spec[0, 4] == 1 else p


@register_jitable
def order_entry(tree, node, i, g, p, slot, rows):
    """-1, 0 or 1 as entry i of a node sorts before, with or after (g, p, slot). Slot -1 sorts before all its ties."""
    group, pre, load, meta, _ = tree
    store, _, spec, start, length, data = rows
    if group[node, i] != g:
        return -1 if group[node, i] < g else 1
    if pre[node, i] != p:
        return -1 if pre[node, i] < p else 1
    if slot < 0:
        return 1
    if len(spec) == 0:
        return 0
    at = load[node, i]
    for _ in range(meta[node, LEVEL]):
        at = load[at, 0]
    return compare_rows(store, spec, at, slot, start, length, data)


@register_jitable
def child_of(tree, node, g, p, slot, rows):
    """The child of an inner node below which (g, p, slot) is or belongs."""
    low, high = 1, tree[3][node, SIZE]
    while low < high:
        middle = (low + high) >> 1
        if order_entry(tree, node, middle, g, p, slot, rows) <= 0:
            low = middle + 1
        else:
            high = middle
    return tree[2][node, low - 1]


@register_jitable
def position(tree, leaf, g, p, slot, rows):
    """(number of the first entry of a leaf that is not before (g, p, slot), whether it is equal)."""
    low, high = 0, tree[3][leaf, SIZE]
    equal = False
    while low < high:
        middle = (low + high) >> 1
        order = order_entry(tree, leaf, middle, g, p, slot, rows)
        if order < 0:
            low = middle + 1
        else:
            high = middle
            equal = order == 0
    return low, equal


@register_jitable
def leaf_of(tree, g, p, slot, rows):
    """The leaf where (g, p, slot) is or belongs. O(log n)."""
    node = np.int32(tree[4][ROOT])
    while tree[3][node, LEVEL] > 0:
        node = child_of(tree, node, g, p, slot, rows)
    return node


@register_jitable
def prefetch_node(tree, node):
    """Ask for all of a node but its loads."""
    group, pre, load, meta, _ = tree
    prefetch(meta, node * 5)
    for line in range(B // 16):
        prefetch(group, node * B + 16 * line)
    for line in range(B // 8):
        prefetch(pre, node * B + 8 * line)


@register_jitable
def new_node(tree, level):
    """A node without entries."""
    meta, head = tree[3], tree[4]
    if head[FREE_COUNT] > 0:
        node = head[FREE]
        head[FREE] = meta[node, NEXT]
        head[FREE_COUNT] -= 1
    else:
        node = head[USED]
        head[USED] += 1
    meta[node, SIZE] = 0
    meta[node, PARENT] = -1
    meta[node, NEXT] = -1
    meta[node, PREVIOUS] = -1
    meta[node, LEVEL] = level
    return np.int32(node)


@register_jitable
def free_node(tree, node):
    """Unlink a node from its neighbours and give it back. Its entries are gone, so a stale reader finds none."""
    meta, head = tree[3], tree[4]
    after, before = meta[node, NEXT], meta[node, PREVIOUS]
    if after >= 0:
        meta[after, PREVIOUS] = before
    if before >= 0:
        meta[before, NEXT] = after
    meta[node, SIZE] = 0
    meta[node, LEVEL] = 0
    meta[node, NEXT] = head[FREE]
    head[FREE] = node
    head[FREE_COUNT] += 1


@register_jitable
def index_in(tree, parent, node):
    """Which child of `parent` a node is. O(B)."""
    load = tree[2]
    i = 0
    while load[parent, i] != node:
        i += 1
    return i


@register_jitable
def update_least(tree, node):
    """The least entry of a node changed: tell the nodes above that show it."""
    group, pre, _, meta, head = tree
    while node != head[ROOT]:
        parent = meta[node, PARENT]
        i = index_in(tree, parent, node)
        group[parent, i] = group[node, 0]
        pre[parent, i] = pre[node, 0]
        if i > 0:
            return
        node = parent


@register_jitable
def move_entries(tree, source, begin, target):
    """Append the entries of `source` from `begin` on to `target`."""
    group, pre, load, meta, _ = tree
    to, n = meta[target, SIZE], meta[source, SIZE] - begin
    for i in range(n):
        group[target, to + i] = group[source, begin + i]
        pre[target, to + i] = pre[source, begin + i]
        load[target, to + i] = load[source, begin + i]
    if meta[source, LEVEL] > 0:
        for i in range(n):
            meta[load[source, begin + i], PARENT] = target
    meta[target, SIZE] = to + n
    meta[source, SIZE] = begin


@register_jitable
def put_entry(tree, node, at, g, p, x):
    """Make room at entry `at` of a node that is not full."""
    group, pre, load, meta, _ = tree
    n = meta[node, SIZE]
    for i in range(n, at, -1):
        group[node, i] = group[node, i - 1]
    for i in range(n, at, -1):
        pre[node, i] = pre[node, i - 1]
    for i in range(n, at, -1):
        load[node, i] = load[node, i - 1]
    group[node, at] = g
    pre[node, at] = p
    load[node, at] = x
    meta[node, SIZE] = n + 1
    if meta[node, LEVEL] > 0:
        meta[x, PARENT] = node
    if at == 0:
        update_least(tree, node)


@register_jitable
def insert_entry(tree, node, at, g, p, x):
    """Insert (g, p, x) before entry `at` of a node; whether nodes were split. O(B + log n)."""
    group, pre, load, meta, head = tree
    split = False
    while True:
        if meta[node, SIZE] < B:
            put_entry(tree, node, at, g, p, x)
            return split
        split = True
        right = new_node(tree, meta[node, LEVEL])
        if meta[node, LEVEL] == 0:
            after = meta[node, NEXT]
            meta[right, NEXT] = after
            meta[right, PREVIOUS] = node
            meta[node, NEXT] = right
            if after >= 0:
                meta[after, PREVIOUS] = right
        # Ascending insertion at the very end leaves full leaves behind.
        half = B if at == B and meta[right, NEXT] < 0 and meta[node, LEVEL] == 0 else B // 2
        if half < B:
            move_entries(tree, node, half, right)
        if at <= half and half < B:
            put_entry(tree, node, at, g, p, x)
        else:
            # `right` has no parent yet, so its least entry is told to nobody.
            n = meta[right, SIZE]
            to = at - half
            for i in range(n, to, -1):
                group[right, i] = group[right, i - 1]
                pre[right, i] = pre[right, i - 1]
                load[right, i] = load[right, i - 1]
            group[right, to] = g
            pre[right, to] = p
            load[right, to] = x
            meta[right, SIZE] = n + 1
            if meta[right, LEVEL] > 0:
                meta[x, PARENT] = right
        if node == head[ROOT]:
            root = new_node(tree, meta[node, LEVEL] + 1)
            for i, child in enumerate((node, right)):
                group[root, i] = group[child, 0]
                pre[root, i] = pre[child, 0]
                load[root, i] = child
                meta[child, PARENT] = root
            meta[root, SIZE] = 2
            head[ROOT] = root
            return True
        parent = meta[node, PARENT]
        at = index_in(tree, parent, node) + 1
        g, p, x = group[right, 0], pre[right, 0], right
        node = parent


@register_jitable
def remove_entry(tree, node, at):
    """Take entry `at` out of a node; whether nodes were freed or merged. O(B + log n)."""
    group, pre, load, meta, head = tree
    changed = False
    while True:
        n = meta[node, SIZE] - 1
        for i in range(at, n):
            group[node, i] = group[node, i + 1]
        for i in range(at, n):
            pre[node, i] = pre[node, i + 1]
        for i in range(at, n):
            load[node, i] = load[node, i + 1]
        meta[node, SIZE] = n
        if node == head[ROOT]:
            while meta[head[ROOT], LEVEL] > 0 and meta[head[ROOT], SIZE] == 1:
                old = np.int32(head[ROOT])
                head[ROOT] = load[old, 0]
                meta[head[ROOT], PARENT] = -1
                free_node(tree, old)
                changed = True
            return changed
        parent = meta[node, PARENT]
        if n == 0:
            at = index_in(tree, parent, node)
            free_node(tree, node)
            node = parent
            changed = True
            continue
        if at == 0:
            update_least(tree, node)
        if n >= MERGE_BELOW:
            return changed
        i = index_in(tree, parent, node)
        if i + 1 < meta[parent, SIZE] and meta[load[parent, i + 1], SIZE] + n <= MERGE_UP_TO:
            gone = load[parent, i + 1]
            move_entries(tree, gone, 0, node)
            at = i + 1
        elif i > 0 and meta[load[parent, i - 1], SIZE] + n <= MERGE_UP_TO:
            gone = node
            move_entries(tree, node, 0, load[parent, i - 1])
            at = i
        else:
            return changed
        free_node(tree, gone)
        node = parent
        changed = True


@register_jitable
def descend_block(tree, g, p, slots, begin, size, leaves, rows):
    """The leaves of entries begin .. begin + size, all one level at a time, each next node asked for in advance."""
    root = np.int32(tree[4][ROOT])
    for i in range(size):
        leaves[i] = root
    for _ in range(tree[3][root, LEVEL]):
        for i in range(size):
            k = begin + i
            leaves[i] = child_of(tree, leaves[i], g[k], p[k], slots[k], rows)
            if size > 1:
                prefetch_node(tree, leaves[i])


@register_jitable
def change_entry(tree, leaf, certain, g, p, slot, diff, rows):
    """Add to the multiplicity of (g, p, slot): (new count, entries added, slot of the entry, whether nodes changed).

    `certain`: `leaf` is where the entry belongs; else, if it lies at an end of the leaf, it is looked for anew. The slot
    returned is that of the entry that was there, if there was one.
    """
    store, counts, spec, start, length, data = rows
    load = tree[2]
    at, equal = position(tree, leaf, g, p, slot, rows)
    if not certain and not equal and (at == 0 or at >= tree[3][leaf, SIZE]):
        leaf = leaf_of(tree, g, p, slot, rows)
        at, equal = position(tree, leaf, g, p, slot, rows)
    exact = len(spec) == 0
    if not equal:
        if not exact:
            counts[slot] = diff
        changed = insert_entry(tree, leaf, at, g, p, np.int32(diff) if exact else slot)
        return diff, 1, slot, changed
    if exact:
        count = np.int64(load[leaf, at]) + diff
        load[leaf, at] = count
    else:
        slot = load[leaf, at]
        counts[slot] += diff
        count = counts[slot]
    if count == 0:
        return 0, -1, slot, remove_entry(tree, leaf, at)
    return count, 0, slot, False


@register_jitable
def enough_nodes(tree):
    """Whether an insertion finds the nodes that it may need."""
    return len(tree[3]) - tree[4][USED] + tree[4][FREE_COUNT] >= NODES_SPARE


@register_jitable
def unprefixed(kind, p):
    """The word of an exact order prefix."""
    if kind == 1:
        return p ^ np.uint64(1 << 63)
    if kind == 2:
        return p ^ np.uint64(1 << 63) if p >> np.uint64(63) else ~p
    return p


@register_jitable
def step(tree, leaf, i, way):
    """The entry after (way 1) or before (way -1) entry i of a leaf; leaf -1 at the end."""
    meta = tree[3]
    i += way
    if i < 0:
        leaf = meta[leaf, PREVIOUS]
        return leaf, (meta[leaf, SIZE] - 1 if leaf >= 0 else 0)
    if i >= meta[leaf, SIZE]:
        return meta[leaf, NEXT], 0
    return leaf, i


@register_jitable
def neighbour(tree, g, p, slot, largest, rows):
    """The first entry of group g (largest -1), or the last one (largest 1): from one end of the group. O(log n)."""
    if largest < 0:
        return first_entry(tree, g, rows)
    leaf, i = first_entry(tree, g + 1, rows)
    if leaf < 0:
        # No later group: the last entry of the tree.
        node = np.int32(tree[4][ROOT])
        while tree[3][node, LEVEL] > 0:
            node = tree[2][node, tree[3][node, SIZE] - 1]
        return node, tree[3][node, SIZE] - 1
    return step(tree, leaf, i, -1)


@register_jitable
def first_entry(tree, g, rows):
    """The first entry that is not of a group before g: (leaf, number), leaf -1 if there is none."""
    none = np.int32(-1)
    leaf = leaf_of(tree, g, np.uint64(0), none, rows)
    i, _ = position(tree, leaf, g, np.uint64(0), none, rows)
    if i >= tree[3][leaf, SIZE]:
        return tree[3][leaf, NEXT], 0
    return leaf, i


@njit(
    f"int64(int32[::1], uint64[::1], int32[::1], int64[::1], int64, int32[::1], {TREE}, {STORE}, int32[::1], int64[::1],"
    "uint64[:, ::1], int64)",
    cache=True,
    nogil=True,
)
def update_rows(
    gids, prefixes, slots, diffs, begin, gone, group, pre, load, meta, head, store, counts, spec, start, length, data,
    free_slots, slot_head, records, at,
):  # fmt: skip
    """Add rows, each in its own slot of the store, to the tree; from row `begin` on. O(log n) a row.

    A slot whose row was there already goes back to the stack; gone[i] is the slot of a row whose count became 0, else -1:
    the caller gives it back when nobody reads it any more. records[group, at] counts the entries of the group. Returns
    the rows done: less than all when the tree needs more nodes.
    """
    tree = (group, pre, load, meta, head)
    rows = (store, counts, spec, start, length, data)
    n = len(diffs)
    leaves = np.empty(BLOCK, np.int32)
    for first in range(begin, n, BLOCK):
        size = min(BLOCK, n - first)
        descend_block(tree, gids, prefixes, slots, first, size, leaves, rows)
        certain = True
        for i in range(size):
            k = first + i
            if not enough_nodes(tree):
                return k
            slot = slots[k]
            count, added, found, changed = change_entry(
                tree, leaves[i], certain, gids[k], prefixes[k], slot, diffs[k], rows
            )
            certain = certain and not changed
            records[gids[k], at] += np.uint64(added)
            gone[k] = found if count == 0 else -1
            if found != slot:
                free_slots[slot_head[1]] = slot
                slot_head[1] += 1
    return n


@njit(
    f"int64(uint64[:, ::1], int64[::1], int64[::1], int64, int64, int64, int64, int32[::1], {TREE}, {STORE},"
    "int32[::1], int64[::1], uint64[:, ::1], int64)",
    cache=True,
    nogil=True,
)
def update_values(
    words, diffs, kept, value, kind, largest, begin, gids, group, pre, load, meta, head, store, counts, spec, start,
    length, data, free_slots, slot_head, records, at,
):  # fmt: skip
    """Add the values words[value, kept[i]] to the tree and keep the least or greatest of each group. O(log n) a row.

    records[group, at:at+3] = entries of the group, whether there is a value, the value. The store (one word a slot) must
    have as many free slots as there are rows. Returns the rows done: less than all when the tree needs more nodes; -1 - i
    when the multiplicity of row i leaves int32.
    """
    tree = (group, pre, load, meta, head)
    rows = (store, counts, spec, start, length, data)
    exact = len(spec) == 0
    n = len(kept)
    leaves = np.empty(BLOCK, np.int32)
    g, p, slots = np.empty(BLOCK, np.int32), np.empty(BLOCK, np.uint64), np.zeros(BLOCK, np.int32)
    for first in range(begin, n, BLOCK):
        size = min(BLOCK, n - first)
        for i in range(size):
            k = kept[first + i]
            g[i] = gids[k]
            word = words[value, k]
            p[i] = prefix(kind, word, start, length, data)
            if not exact:
                if slot_head[1] > 0:
                    slot_head[1] -= 1
                    slots[i] = free_slots[slot_head[1]]
                else:
                    slots[i] = slot_head[0]
                    slot_head[0] += 1
                store[slots[i], 0] = np.uint64(0)
                store[slots[i], 1] = word
        descend_block(tree, g, p, slots, 0, size, leaves, rows)
        certain = True
        for i in range(size):
            k = kept[first + i]
            diff = diffs[k]
            if not enough_nodes(tree):
                for j in range(i, size):
                    if not exact:
                        free_slots[slot_head[1]] = slots[j]
                        slot_head[1] += 1
                return first + i
            if exact and (diff > 1 << 30 or diff < -(1 << 30)):
                return -1 - first - i
            count, added, found, changed = change_entry(tree, leaves[i], certain, g[i], p[i], slots[i], diff, rows)
            if exact and (count > 1 << 30 or count < -(1 << 30)):
                return -1 - first - i
            certain = certain and not changed
            if not exact:
                if found != slots[i]:
                    free_slots[slot_head[1]] = slots[i]
                    slot_head[1] += 1
                if count == 0:
                    free_slots[slot_head[1]] = found
                    slot_head[1] += 1
            record = records[g[i]]
            record[at] += np.uint64(added)
            word = words[value, k]
            if count > 0:
                if record[at + 1] == np.uint64(0):
                    record[at + 1] = ONE
                    record[at + 2] = word
                else:
                    order = compare(kind, word, record[at + 2], start, length, data)
                    if order * largest > 0:
                        record[at + 2] = word
            elif record[at + 1] == ONE and record[at + 2] == word:
                # The extreme itself went: the next one beside it in the tree.
                record[at + 1] = np.uint64(0)
                record[at + 2] = np.uint64(0)
                if np.int64(record[at]) > 0:
                    leaf, j = neighbour(tree, g[i], p[i], slots[i], largest, rows)
                    while leaf >= 0 and group[leaf, j] == g[i]:
                        x = load[leaf, j]
                        if (np.int64(x) if exact else counts[x]) > 0:
                            record[at + 1] = ONE
                            record[at + 2] = unprefixed(kind, pre[leaf, j]) if exact else store[x, 1]
                            break
                        leaf, j = step(tree, leaf, j, -largest)
    return n


@njit(
    f"Tuple((int32[::1], int64[::1], int64[::1]))(int32[::1], int64, int64, {TREE}, {STORE})", cache=True, nogil=True
)
def walk_groups(gids, offset, limit, group, pre, load, meta, head, store, counts, spec, start, length, data):
    """Of each group the rows from `offset` on, at most `limit` (negative: all), in order: (slots, how often, bounds).

    Rows of group i are bounds[i] .. bounds[i + 1]. Multiplicities count as that many rows, those below 1 as none.
    O(log n + rows walked) a group.
    """
    tree = (group, pre, load, meta, head)
    rows = (store, counts, spec, start, length, data)
    n = len(gids)
    bounds = np.zeros(n + 1, np.int64)
    slots, takes = np.empty(64, np.int32), np.empty(64, np.int64)
    used = 0
    for k in range(n):
        g = gids[k]
        leaf, i = first_entry(tree, g, rows)
        skip, left = offset, limit
        while leaf >= 0 and group[leaf, i] == g and left != 0:
            slot = load[leaf, i]
            count = counts[slot]
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
            leaf, i = step(tree, leaf, i, 1)
        bounds[k + 1] = used
    return slots[:used].copy(), takes[:used].copy(), bounds


@njit(
    f"int64(uint64[:, ::1], int64[::1], int64, int32[::1], uint64[::1], {STORE}, int32[::1], int64[::1])",
    cache=True,
    nogil=True,
)
def store_rows(words, picked, nulls, slots, prefixes, store, counts, spec, start, length, data, free_slots, slot_head):
    """Put the columns `picked` of rows into free slots of the store, of which there must be as many; O(rows).

    Row i gets slots[i] and the order prefix prefixes[i]. A store row is its null words, then the columns.
    """
    n = words.shape[1]
    k = len(picked)
    leading = (k + 63) >> 6
    for i in range(n):
        if slot_head[1] > 0:
            slot_head[1] -= 1
            slot = free_slots[slot_head[1]]
        else:
            slot = np.int32(slot_head[0])
            slot_head[0] += 1
        slots[i] = slot
        for w in range(leading):
            store[slot, w] = np.uint64(0)
        for c in range(k):
            column = picked[c]
            store[slot, leading + c] = words[nulls + column, i]
            null = (words[column >> 6, i] >> np.uint64(column & 63)) & ONE
            store[slot, c >> 6] |= null << np.uint64(c & 63)
        prefixes[i] = row_prefix(store, spec, slot, start, length, data)
    return n
