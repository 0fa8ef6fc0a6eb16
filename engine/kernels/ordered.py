# pyright: basic
# numba compiles these from their signatures; array element types are not Python's.
"""One B+tree over the rows of all groups, ordered by group, then by content: what topk, windows and ordered aggregates
read.

An entry is two words: group << 32 | slot, and the order prefix of the row in that slot of a row store (of its first
column: kernels/compare.py) with its top bit turned so that signed order is the value's. Entries of equal prefix are
ordered by the content of their rows. Small groups share leaves.

A node is a row of `nodes` int64[N, META + 2 B]: entries, parent, next leaf, previous leaf, level (0: leaf), weight of
all rows below, then the entries side by side. An inner node has the least entry of each child, and the child as load.
Freed nodes are chained by NEXT. A leaf is split when full and merged below a quarter. Bulk loads fill 3/4: 24 bytes an
entry; 27 at the usual 2/3. Depth: log21 n, 5 levels for 4 million entries. `head` is int64[6]: root, nodes ever used,
first free node, free nodes, entries, whether rows have weights of their own.

A row weighs its multiplicity, times the word before that if rows have weights of their own (the bytes of a text); below
1 nothing. By the sums in the nodes a row's place is found, and the row at a place (kernels/ordered_ranks.py).

`store` uint64[S, w + 1] has rows of words, each with its multiplicity behind it; `spec` int64[c, 6] the columns to
compare them by, at least one: value word, null word, null bit, physical, descending, nulls first. `free_slots`
int32[S] is the stack of free slots, `slot_head` int64[2]: slots ever used, slots on the stack.
"""

import numpy as np
from numba import njit
from numba.extending import register_jitable

from engine.kernels.compare import VIEW, compare, prefix
from engine.kernels.memory import prefetch

B = 32
MERGE_BELOW, MERGE_UP_TO, BULK_FILL = B // 4, 3 * B // 4, 3 * B // 4
SIZE, PARENT, NEXT, PREVIOUS, LEVEL, WEIGHT, META = range(7)
ROOT, USED, FREE, FREE_COUNT, ENTRIES, WEIGHED = range(6)
NODES_SPARE = 16
"""Free nodes that an insertion may need: one per level and a new root."""
BLOCK = 64
"""Entries that descend the tree side by side, so that their cache misses overlap."""
PREFETCH_LEVELS = 3
"""Nodes of higher levels are few enough to be in the cache."""
ONE = np.uint64(1)
TOP = -(1 << 63)
TREE = "int64[:, ::1], int64[::1]"
STORE = f"uint64[:, ::1], int64[:, ::1], {VIEW}"


@register_jitable
def load_of(word):
    """The load of an entry, sign-extended."""
    return (word << 32) >> 32


@register_jitable
def entry_of(g, load):
    """The first word of an entry."""
    return (np.int64(g) << 32) | (np.int64(load) & 0xFFFFFFFF)


@register_jitable
def weight_of(store, head, slot):
    """What a row weighs."""
    last = store.shape[1] - 1
    count = max(np.int64(store[slot, last]), 0)
    return count * np.int64(store[slot, last - 1]) if head[WEIGHED] else count


@register_jitable
def add_weight(nodes, node, weight):
    """Below a node and all above it there is so much more. O(log n)."""
    while node >= 0:
        nodes[node, WEIGHT] += weight
        node = nodes[node, PARENT]


@njit(
    f"int64(uint64[:, ::1], int64[:, ::1], int64, int64, {VIEW})",
    cache=True,
    nogil=True,
    _nrt=False,  # pyright: ignore[reportCallIssue]
)
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
def position(nodes, node, low, g, p, slot, rows):
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
def child_of(nodes, node, g, p, slot, rows):
    """The child of an inner node below which (g, p, slot) is or belongs."""
    i, equal = position(nodes, node, np.int64(1), g, p, slot, rows)
    return load_of(nodes[node, META + 2 * (i if equal else i - 1)])


@register_jitable
def leaf_of(nodes, head, g, p, slot, rows):
    """The leaf where (g, p, slot) is or belongs. O(log n)."""
    node = head[ROOT]
    while nodes[node, LEVEL] > 0:
        node = child_of(nodes, node, g, p, slot, rows)
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
    nodes[node, WEIGHT] = 0
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
def move_entries(nodes, head, source, begin, target, store):
    """Append the entries of `source` from `begin` on to `target`."""
    to, n = nodes[target, SIZE], nodes[source, SIZE] - begin
    weight = nodes[source, WEIGHT]
    if begin > 0:
        weight = np.int64(0)
        for i in range(begin, begin + n):
            load = load_of(nodes[source, META + 2 * i])
            weight += nodes[load, WEIGHT] if nodes[source, LEVEL] > 0 else weight_of(store, head, load)
    move_weight(nodes, source, weight, target)
    for i in range(2 * n):
        nodes[target, META + 2 * to + i] = nodes[source, META + 2 * begin + i]
    if nodes[source, LEVEL] > 0:
        for i in range(n):
            nodes[load_of(nodes[source, META + 2 * (begin + i)]), PARENT] = target
    nodes[target, SIZE] = to + n
    nodes[source, SIZE] = begin


@register_jitable
def move_weight(nodes, source, weight, target):
    """So much of what is below one node is below its neighbour."""
    nodes[source, WEIGHT] -= weight
    nodes[target, WEIGHT] += weight


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
def insert_entry(nodes, head, node, at, word, p, store):
    """Insert an entry, which is weighed already, before entry `at` of a leaf; whether nodes were split. O(B + log n)"""
    split = False
    weight = weight_of(store, head, load_of(word))
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
        move_entries(nodes, head, node, half, right, store)
        if at > half or half == B:
            put_entry(nodes, right, at - half, word, p)
            move_weight(nodes, node, weight, right)
        else:
            put_entry(nodes, node, at, word, p)
            if at == 0:
                update_least(nodes, head, node)
        if node == head[ROOT]:
            root = new_node(nodes, head, nodes[node, LEVEL] + 1)
            put_entry(nodes, root, np.int64(0), entry_of(nodes[node, META] >> 32, node), nodes[node, META + 1])
            put_entry(nodes, root, np.int64(1), entry_of(nodes[right, META] >> 32, right), nodes[right, META + 1])
            nodes[root, WEIGHT] = nodes[node, WEIGHT] + nodes[right, WEIGHT]
            head[ROOT] = root
            return True
        parent = nodes[node, PARENT]
        at = index_in(nodes, parent, node) + 1
        word, p = entry_of(nodes[right, META] >> 32, right), nodes[right, META + 1]
        weight = nodes[right, WEIGHT]
        node = parent


@register_jitable
def remove_entry(nodes, head, node, at, store):
    """Take entry `at`, which weighs nothing, out of a leaf; whether nodes were freed or merged. O(B + log n)."""
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
            move_entries(nodes, head, after, np.int64(0), node, store)
            free_node(nodes, head, after)
            at = i + 1
        elif before >= 0 and nodes[before, SIZE] + n <= MERGE_UP_TO:
            move_entries(nodes, head, node, np.int64(0), before, store)
            free_node(nodes, head, node)
            at = i
        else:
            return changed
        node = parent
        changed = True


@register_jitable
def descend_block(nodes, head, size, scratch, rows):
    """The leaves of entries 0 .. size, all one level at a time, each next node asked for in advance.

    `scratch` has their groups, prefixes and slots; it takes the leaves.
    """
    root = head[ROOT]
    for i in range(size):
        scratch[3, i] = root
    for level in range(nodes[root, LEVEL], 0, -1):
        for i in range(size):
            node = child_of(nodes, scratch[3, i], scratch[0, i], scratch[1, i], scratch[2, i], rows)
            scratch[3, i] = node
            if size > 1 and level <= PREFETCH_LEVELS:
                for line in range((META + 2 * B) // 8 + 1):
                    prefetch(nodes, node * nodes.shape[1] + 8 * line)


@register_jitable
def change_entry(nodes, head, i, certain, diff, scratch, rows):
    """Add to the multiplicity of entry i of `scratch`: (new count, entries added, slot of the entry, nodes changed?).

    `certain`: its leaf is where it belongs; else, if it lies at an end of the leaf, it is looked for anew. The slot
    returned is that of the entry that was there, if there was one. O(log n).
    """
    store = rows[0]
    g, p, slot, leaf = scratch[0, i], scratch[1, i], scratch[2, i], scratch[3, i]
    at, equal = position(nodes, leaf, np.int64(0), g, p, slot, rows)
    if not certain and not equal and (at == 0 or at >= nodes[leaf, SIZE]):
        leaf = leaf_of(nodes, head, g, p, slot, rows)
        at, equal = position(nodes, leaf, np.int64(0), g, p, slot, rows)
    if not equal:
        store[slot, store.shape[1] - 1] = np.uint64(diff)
        head[ENTRIES] += 1
        add_weight(nodes, leaf, weight_of(store, head, slot))
        return diff, 1, slot, insert_entry(nodes, head, leaf, at, entry_of(g, slot), p, store)
    slot = load_of(nodes[leaf, META + 2 * at])
    before = weight_of(store, head, slot)
    store[slot, store.shape[1] - 1] += np.uint64(diff)
    add_weight(nodes, leaf, weight_of(store, head, slot) - before)
    count = np.int64(store[slot, store.shape[1] - 1])
    if count == 0:
        head[ENTRIES] -= 1
        return 0, -1, slot, remove_entry(nodes, head, leaf, at, store)
    return count, 0, slot, False


@register_jitable
def enough_nodes(nodes, head):
    """Whether an insertion finds the nodes that it may need."""
    return len(nodes) - head[USED] + head[FREE_COUNT] >= NODES_SPARE


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
