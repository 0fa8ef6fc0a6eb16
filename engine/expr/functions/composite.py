"""Lists, maps and records: what makes them, takes them apart, measures and searches them."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Final

from engine import types
from engine.collection.vector import Vector
from engine.errors import InvalidArgument, TypeMismatch
from engine.expr.arrays import Key
from engine.expr.columns import each, own, pack, raws
from engine.expr.functions.comparable import element_key
from engine.expr.functions.comparison import comparisons
from engine.expr.registry import Function, Generic, OnNull
from engine.expr.text_forms import RawValue
from engine.types import Nesting, SqlType

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.expr.evaluate import Context

Types = tuple[SqlType, ...]
LIST, MAP, ELEMENT, TEXT, INTEGER = types.ANYLIST, types.ANYMAP, types.ANYELEMENT, types.TEXT, types.INTEGER
TEXTS: Final = types.array_of(TEXT)


def list_function(elements: Types) -> Function:
    """LIST[...]"""
    return own("list", elements, types.list_of(elements[0]), lambda *items: list(items), never_null=True)


def map_function(element: SqlType, pairs: int) -> Function:
    """MAP[key => value, ...]; of equal keys the last value."""

    def apply(*row: RawValue) -> RawValue:
        if None in row[::2]:
            raise InvalidArgument("a key of a map must not be null")
        found = dict(zip(row[::2], row[1::2], strict=True))
        return {key: found[key] for key in sorted(found, key=str.encode)}

    return own("map", (TEXT, element) * pairs, types.map_of(element), apply, can_fail=True, never_null=True)


def row(kind: SqlType) -> Function:
    """ROW(...)"""
    parameters = tuple(part for _, part in kind.fields)

    def kernel(context: "Context", vectors: "Sequence[Vector]", type: SqlType) -> Vector:
        given = [raws(vector, part, context) for vector, part in zip(vectors, parameters, strict=True)]
        rows = list(zip(*given, strict=True)) if given else [()]
        return Vector(pack(rows, kind, context))

    return Function("row", parameters, kind, kernel, OnNull.OWN, never_null=True)


def field(kind: SqlType, index: int) -> Function:
    """(record).name"""
    return each(f"field {index + 1}", (kind,), kind.fields[index][1], lambda record: record[index], gives_null=True)


def list_element(kind: SqlType) -> Function:
    """l[i]"""
    return each("subscript", (kind, types.BIGINT), kind.within, _element, gives_null=True)


def list_slice(kind: SqlType, low: bool, high: bool) -> Function:
    """l[a:b]"""

    def apply(items: list[RawValue], *bounds: int) -> list[RawValue]:
        rest = iter(bounds)
        start = next(rest) if low else 1
        end = next(rest) if high else len(items)
        return items[max(start, 1) - 1 : max(end, 0)]

    return each(
        f"slice[{'l' if low else ''}:{'u' if high else ''}]", (kind, *(types.BIGINT,) * (low + high)), kind, apply
    )


def _element(items: list[RawValue], index: int) -> RawValue:
    return items[index - 1] if 1 <= index <= len(items) else None


def _made(
    name: str,
    parameters: Types,
    result: SqlType | Callable[[Types], SqlType],
    apply: Callable[..., RawValue],
    doc: str,
    *,
    lenient: bool = False,
    gives_null: bool = False,
) -> Generic:
    def instantiate(given: Types) -> Function:
        kind = result(given) if callable(result) else result
        if lenient:
            return own(name, given, kind, apply, doc)
        return each(name, given, kind, apply, doc, gives_null=gives_null)

    return Generic(name, parameters, instantiate, result="as x" if callable(result) else result.name, doc=doc)


def _map_build(given: Types) -> Function:
    element = given[0].within
    if element.nesting is not Nesting.RECORD or [kind for _, kind in element.fields][:-1] != [types.TEXT]:
        raise TypeMismatch(f"map_build needs a list of records of a text and a value, not {given[0].name}")

    def apply(rows: list[RawValue]) -> dict[str, RawValue]:
        return {row[0]: row[1] for row in rows if row is not None and row[0] is not None}

    return each("map_build", given, types.map_of(element.fields[1][1]), apply)


def _layers(kind: SqlType) -> int:
    return 1 + _layers(kind.within) if kind.nesting is Nesting.LIST else 0


def _n_layers(given: Types) -> Function:
    layers = _layers(given[0])
    return own("list_n_layers", given, INTEGER, lambda _: layers, never_null=True)


def _length_max(items: list[RawValue], layer: int) -> int | None:
    """The length of the longest list on that layer."""
    level: list[RawValue] = [items]
    for _ in range(layer - 1):
        level = [part for whole in level if whole is not None for part in whole]
    lengths = [len(part) for part in level if part is not None]
    return max(lengths, default=None)


def _list_length_max(given: Types) -> Function:
    layers = _layers(given[0])

    def apply(items: list[RawValue], layer: int) -> int | None:
        if not 1 <= layer <= layers:
            raise InvalidArgument(f"invalid layer: {layer}; must use value within [1, {layers}]")
        return _length_max(items, layer)

    return each("list_length_max", given, INTEGER, apply, can_fail=True, gives_null=True)


def _first(given: Types) -> SqlType:
    return given[0]


def _second(given: Types) -> SqlType:
    return given[1]


def _cat(a: list[RawValue] | None, b: list[RawValue] | None) -> list[RawValue] | None:
    return (a if b is None else b) if a is None or b is None else a + b


def _list_remove(given: Types) -> Function:
    key = element_key(given[1])

    def apply(items: list[RawValue] | None, item: RawValue) -> list[RawValue] | None:
        return None if items is None else [other for other in items if key(other) != key(item)]

    return own("list_remove", given, given[0], apply)


def _contains(key: Key, a: list[RawValue], b: list[RawValue]) -> bool:
    return None not in b and set(map(key, b)) <= set(map(key, a))


def _map_contains(key: Key, a: dict[str, RawValue], b: dict[str, RawValue]) -> bool:
    return all(name in a and value is not None and key(a[name]) == key(value) for name, value in b.items())


def _contained(apply: Callable[..., RawValue], swapped: bool) -> Callable[[Types], Function]:
    """@> and <@ of two lists or maps."""

    def instantiate(given: Types) -> Function:
        key = element_key(given[0].within)
        both = (lambda a, b: apply(key, b, a)) if swapped else partial(apply, key)
        return each("<@" if swapped else "@>", given, types.BOOLEAN, both)

    return instantiate


def _rows() -> Iterator[Generic]:
    for name in ("list_append", "||"):
        yield _made(name, (LIST, ELEMENT), _first, lambda items, item: [*(items or []), item],
                    "x with y behind it", lenient=True)  # fmt: skip
    for name in ("list_prepend", "||"):
        yield _made(name, (ELEMENT, LIST), _second, lambda item, items: [item, *(items or [])],
                    "y with x before it", lenient=True)  # fmt: skip
    for name in ("list_cat", "||"):
        yield _made(name, (LIST, LIST), _first, _cat, "x, then y", lenient=True)
    yield _made("list_length", (LIST,), INTEGER, len, "how many elements")
    yield Generic("list_length_max", (LIST, INTEGER), _list_length_max, result="integer",
                  doc="length of the longest list on layer y")  # fmt: skip
    for name in ("list_n_layers", "list_ndims"):
        yield Generic(name, (LIST,), _n_layers, result="integer", doc="how deep lists are nested in the type")
    yield Generic("list_remove", (LIST, ELEMENT), _list_remove, result="as x", doc="without the elements that are y")
    for whole, apply, parts in ((LIST, _contains, "elements"), (MAP, _map_contains, "pairs")):
        yield Generic(
            "@>", (whole, whole), _contained(apply, False), result="boolean", doc=f"whether x has all {parts} of y"
        )
        yield Generic(
            "<@", (whole, whole), _contained(apply, True), result="boolean", doc=f"whether y has all {parts} of x"
        )
    yield _made("map_length", (MAP,), INTEGER, len, "how many pairs")
    yield _made("->", (MAP, TEXT), lambda given: given[0].within, lambda pairs, key: pairs.get(key),
                "the value under that key", gives_null=True)  # fmt: skip
    yield _made("?", (MAP, TEXT), types.BOOLEAN, lambda pairs, key: key in pairs, "whether y is a key of x")
    yield _made("?&", (MAP, TEXTS), types.BOOLEAN, lambda pairs, keys: set(keys.items) <= set(pairs),
                "whether all of y are keys of x")  # fmt: skip
    yield _made("?|", (MAP, TEXTS), types.BOOLEAN, lambda pairs, keys: any(key in pairs for key in keys.items),
                "whether some of y is a key of x")  # fmt: skip
    doc = "a map of the records (key, value); of equal keys the last, without NULL keys"
    yield Generic("map_build", (LIST,), _map_build, result="map", doc=doc)
    for whole in (LIST, MAP, types.ANYRECORD):
        yield from comparisons(whole)


FUNCTIONS: Final = tuple(_rows())
