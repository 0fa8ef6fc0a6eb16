"""What arrays as raw values (engine/collection/nested.py) can do: PostgreSQL's array functions, one call at a time."""

from collections.abc import Callable, Sequence
from itertools import product
from typing import Final, TypeAlias

from engine.collection.nested import Array
from engine.errors import ArraySubscript, ArrayTooLarge, InvalidArgument, NullNotAllowed
from engine.expr.text_forms import RawValue

Key: TypeAlias = Callable[[RawValue], bytes]
"""What tells elements apart: engine/expr/functions/comparable.py, element_key."""

EMPTY: Final = Array((), ())
ITEMS_MAX: Final = (1 << 27) // 8
"""PostgreSQL's limit on the elements of an array."""
DIMENSIONS_MAX: Final = 6


def stacked(items: Sequence[Array | None]) -> Array:
    """Arrays as the rows of one with one more dimension."""
    rows = [item for item in items if item is not None]
    if len(rows) < len(items):
        raise NullNotAllowed("cannot accumulate null arrays")
    dims = rows[0].dims
    if any(row.dims != dims for row in rows):
        raise ArraySubscript("cannot accumulate arrays of different dimensionality")
    if not dims:
        return EMPTY
    if len(dims) == DIMENSIONS_MAX:
        raise ArrayTooLarge(f"number of array dimensions ({len(dims) + 1}) exceeds the maximum allowed (6)")
    return Array((len(rows), *dims), tuple(item for row in rows for item in row.items))


def rows(items: Sequence[Array | None]) -> Array:
    """ARRAY[...] of arrays: as `stacked`, a NULL being an empty array."""
    given = [item or EMPTY for item in items]
    if any(item.dims != given[0].dims for item in given):
        raise ArraySubscript("multidimensional arrays must have array expressions with matching dimensions")
    return stacked(given)


def joined(a: Array | None, b: Array | None) -> Array | None:
    """a || b: of equal dimensions end to end, or one is a row of the other."""
    if a is None or b is None:
        return b if a is None else a
    if not a.dims or not b.dims:
        return b if not a.dims else a
    if a.dims[1:] == b.dims[1:] and len(a.dims) == len(b.dims):
        return Array((a.dims[0] + b.dims[0], *a.dims[1:]), a.items + b.items)
    if a.dims[1:] == b.dims:
        return Array((a.dims[0] + 1, *b.dims), a.items + b.items)
    if b.dims[1:] == a.dims:
        return Array((b.dims[0] + 1, *a.dims), a.items + b.items)
    raise ArraySubscript("cannot concatenate incompatible arrays")


def appended(array: Array | None, item: RawValue) -> Array:
    return joined(array or EMPTY, _one_dimension(array, item)) or EMPTY


def prepended(item: RawValue, array: Array | None) -> Array:
    return joined(_one_dimension(array, item), array or EMPTY) or EMPTY


def _one_dimension(array: Array | None, item: RawValue) -> Array:
    if array is not None and len(array.dims) > 1:
        raise InvalidArgument("argument must be empty or one-dimensional array")
    return Array((1,), (item,))


def element(array: Array, *indexes: int) -> RawValue:
    """a[i] or a[i][j]...; NULL outside, or for another number of subscripts than dimensions."""
    if len(indexes) != len(array.dims):
        return None
    place = 0
    for index, size in zip(indexes, array.dims, strict=True):
        if not 1 <= index <= size:
            return None
        place = place * size + index - 1
    return array.items[place]


def sliced(array: Array, bounds: Sequence[tuple[int | None, int | None]]) -> Array:
    """a[l:u][l:u]...; a missing bound is the dimension's own, a missing slice the whole dimension."""
    if len(bounds) > len(array.dims):
        return EMPTY
    ranges: list[range] = []
    for place, size in enumerate(array.dims):
        lower, upper = bounds[place] if place < len(bounds) else (None, None)
        low, high = max(1, 1 if lower is None else lower), min(size, size if upper is None else upper)
        if low > high:
            return EMPTY
        ranges.append(range(low - 1, high))
    items: list[RawValue] = []
    for places in product(*ranges):
        at = 0
        for index, size in zip(places, array.dims, strict=True):
            at = at * size + index
        items.append(array.items[at])
    return Array(tuple(len(part) for part in ranges), tuple(items))


def removed(key: Key, array: Array, item: RawValue) -> Array:
    """Without the elements that equal `item`, NULL being equal to NULL."""
    _flat(array, "removing elements from multidimensional arrays is not supported")
    gone = key(item)
    return Array.of([other for other in array.items if key(other) != gone])


def replaced(key: Key, array: Array, before: RawValue, after: RawValue) -> Array:
    gone = key(before)
    return Array(array.dims, tuple(after if key(item) == gone else item for item in array.items))


def position(key: Key, array: Array, item: RawValue, start: int | None = 1) -> int | None:
    """The subscript of the first element that equals `item`, from `start` on."""
    _flat(array, "searching for elements in multidimensional arrays is not supported")
    if start is None:
        raise InvalidArgument("initial position must not be null")
    wanted = key(item)
    for place, other in enumerate(array.items, 1):
        if place >= start and key(other) == wanted:
            return place
    return None


def positions(key: Key, array: Array, item: RawValue) -> Array:
    _flat(array, "searching for elements in multidimensional arrays is not supported")
    wanted = key(item)
    return Array.of([place for place, other in enumerate(array.items, 1) if key(other) == wanted])


def trimmed(array: Array, count: int) -> Array:
    size = array.dims[0] if array.dims else 0
    if not 0 <= count <= size:
        raise ArraySubscript(f"number of elements to trim must be between 0 and {size}")
    return sliced(array, [(1, size - count)])


def filled(item: RawValue, sizes: Array, bounds: Array | None = None) -> Array:
    """An array of those sizes, each element the same."""
    if any(size is None for size in sizes.items):
        raise InvalidArgument("dimension values cannot be null")
    if len(sizes.dims) > 1:
        raise ArraySubscript("wrong number of array subscripts")
    if bounds is not None and any(bound != 1 for bound in bounds.items):
        raise InvalidArgument("array_fill with lower bounds other than 1 is not supported")
    total = 1
    for size in sizes.items:
        if size < 0:
            raise ArrayTooLarge("array size cannot be negative")
        total *= size
    if total > ITEMS_MAX:
        raise ArrayTooLarge(f"array size exceeds the maximum allowed ({ITEMS_MAX})")
    return Array(sizes.items, (item,) * total) if total and sizes.items else EMPTY


def contains(key: Key, a: Array, b: Array) -> bool:
    """Every element of b equals one of a; a NULL equals nothing."""
    return None not in b.items and set(map(key, b.items)) <= set(map(key, a.items))


def overlaps(key: Key, a: Array, b: Array) -> bool:
    return not (set(map(key, a.items)) & set(map(key, b.items))) <= {b""}


def _flat(array: Array, message: str) -> None:
    if len(array.dims) > 1:
        raise InvalidArgument(message)
