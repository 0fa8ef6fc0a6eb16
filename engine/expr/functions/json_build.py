"""jsonb made of other values and of changed documents."""

from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np

from engine import types
from engine.collection.json import Document
from engine.collection.nested import Array
from engine.collection.vector import Vector
from engine.errors import ArraySubscript, InvalidArgument, InvalidText, NullNotAllowed
from engine.expr import text_forms
from engine.expr.columns import each, map_rows, own, unpack
from engine.expr.functions.json import TEXTS, dump, parse
from engine.expr.registry import Function, Generic, OnNull
from engine.expr.text_forms import RawValue
from engine.types import Category, Nesting, SqlType

if TYPE_CHECKING:
    from engine.expr.evaluate import Context


TREATMENTS: Final = ("delete_key", "return_target", "use_json_null", "raise_exception")


def document_of(value: RawValue, kind: SqlType) -> Document:
    """A raw value of an SQL type as JSON: numbers and booleans as themselves, jsonb as it is, the rest by text form."""
    if value is None:
        return None
    if kind.nesting is Nesting.RANGE:
        return text_forms.format(value, kind)
    if kind.nesting is not None:
        return _nested_document(value, kind)
    if kind.plain == types.JSONB:
        return parse(value)
    if kind.plain in (types.REAL, types.DOUBLE):
        text = text_forms.format(value, kind)
        return text if text in ("NaN", "Infinity", "-Infinity") else Decimal(text)
    if kind.plain == types.NUMERIC:
        return value if value.is_finite() else text_forms.format_numeric(value)
    if kind.category in (Category.BOOLEAN, Category.NUMERIC) and kind.plain != types.OID:
        return value
    text = text_forms.format(value, kind)
    # ISO 8601 joins date and time by T inside JSON, and tells the minutes of the zone.
    return text.replace(" ", "T", 1).replace("+00", "+00:00") if _is_stamp(kind) else text


def _nested_document(value: RawValue, kind: SqlType) -> Document:
    """Arrays and lists as arrays, one level a dimension; maps and records as objects."""
    match kind.nesting:
        case Nesting.ARRAY:
            items: list[Document] = [document_of(item, kind.within) for item in value.items]
            for size in value.dims[:0:-1]:
                items = [items[i : i + size] for i in range(0, len(items), size)]
            return items
        case Nesting.LIST:
            return [document_of(item, kind.within) for item in value]
        case Nesting.MAP:
            return {key: document_of(item, kind.within) for key, item in value.items()}
        case _:
            return {name: document_of(item, part) for item, (name, part) in zip(value, kind.fields, strict=True)}


def _is_stamp(kind: SqlType) -> bool:
    return kind.plain in (types.TIMESTAMP, types.TIMESTAMPTZ)


def _to_jsonb(parameters: tuple[SqlType, ...]) -> Function:
    (kind,) = parameters
    if kind.plain == types.JSONB:
        return Function("to_jsonb", parameters, types.JSONB, lambda context, vectors, type: vectors[0], on_words=True)
    return each("to_jsonb", parameters, types.JSONB, lambda value: dump(document_of(value, kind)))


def _rows_of(vectors: Sequence[Vector], kinds: Sequence[SqlType], context: "Context") -> list[list[RawValue]]:
    """The raw values of each column, None where NULL."""
    columns: list[list[RawValue]] = []
    for vector, kind in zip(vectors, kinds, strict=True):
        column: list[RawValue] = [None] * len(vector.words)
        rows = np.arange(len(column)) if vector.nulls is None else np.flatnonzero(~vector.nulls)
        for row, value in zip(rows.tolist(), unpack(vector.words[rows], kind, context), strict=True):
            column[row] = value
        columns.append(column)
    return columns


def _build_array(parameters: tuple[SqlType, ...]) -> Function:
    def build(*row: RawValue) -> str:
        return dump([document_of(value, kind) for value, kind in zip(row, parameters, strict=True)])

    return _builder("jsonb_build_array", parameters, build, False)


def _build_object(parameters: tuple[SqlType, ...]) -> Function:
    def build(*row: RawValue) -> str:
        if any(kind.nesting is not None or kind == types.JSONB for kind in parameters[::2]):
            raise InvalidArgument("key value must be scalar, not array, composite, or json")
        if len(row) % 2:
            raise InvalidArgument("argument list must have even number of elements")
        out: dict[str, Document] = {}
        for at in range(0, len(row), 2):
            if row[at] is None:
                raise InvalidArgument(f"argument {at + 1}: key must not be null")
            out[text_forms.format(row[at], parameters[at])] = document_of(row[at + 1], parameters[at + 1])
        return dump(out)

    return _builder("jsonb_build_object", parameters, build, True)


def _builder(name: str, parameters: tuple[SqlType, ...], build: Callable[..., str], can_fail: bool) -> Function:
    def kernel(context: "Context", vectors: Sequence[Vector], type: SqlType) -> Vector:
        if not vectors:
            return map_rows(build, [[]], types.JSONB, context)
        return map_rows(build, _rows_of(vectors, parameters, context), types.JSONB, context)

    return Function(
        name, parameters, types.JSONB, kernel, OnNull.OWN, can_fail=can_fail, never_null=True
    )  # fmt: skip


def _empty(name: str, text: str) -> Function:
    def kernel(context: "Context", vectors: Sequence[Vector], type: SqlType) -> Vector:
        return Vector(np.array([context.heap.intern(text.encode())], np.uint64))

    return Function(name, (), types.JSONB, kernel, doc="empty")


def _as_json(name: str) -> Callable[[tuple[SqlType, ...]], Function]:
    """array_to_json and row_to_json; whether lines are broken does not matter to canonical text."""

    def instantiate(parameters: tuple[SqlType, ...]) -> Function:
        kind = parameters[0]
        return each(name, parameters, types.JSONB, lambda value, *_: dump(document_of(value, kind)))

    return instantiate


def _object(keys: Array, values: Array | None = None) -> str:
    """Keys and values in turn, or as rows of two, or in two arrays."""
    if values is not None:
        if len(keys.dims) > 1 or len(values.dims) > 1:
            raise ArraySubscript("wrong number of array subscripts")
        if keys.dims != values.dims:
            raise ArraySubscript("mismatched array dimensions")
        pairs = list(zip(keys.items, values.items, strict=True))
    else:
        if len(keys.dims) == 2 and keys.dims[1] != 2:
            raise ArraySubscript("array must have two columns")
        if len(keys.dims) > 2:
            raise ArraySubscript("wrong number of array subscripts")
        if len(keys.items) % 2:
            raise ArraySubscript("array must have even number of elements")
        pairs = list(zip(keys.items[::2], keys.items[1::2], strict=True))
    if any(key is None for key, _ in pairs):
        raise NullNotAllowed("null value not allowed for object key")
    return dump(dict(pairs))


Place: TypeAlias = Any
"""An object or an array, and the name or number of a member: pyright cannot tie the two together."""
Change: TypeAlias = Callable[[Place, Place], None]
"""What happens to a container at the last step of a path."""


def _changed(text: str, path: Array, change: Change, what: str, *, adds: bool = True) -> str:
    document = parse(text)
    if not isinstance(document, dict | list):
        raise InvalidArgument(f"cannot {what} path in scalar")
    if not path.items or not (document or adds):
        return text
    place: Place = document
    for number, step in enumerate(path.items, 1):
        if step is None:
            raise NullNotAllowed(f"path element at position {number} is null")
        key: Place = step
        if isinstance(place, list):
            if not step.lstrip("-").isdigit():
                raise InvalidText(f'path element at position {number} is not an integer: "{step}"')
            key = int(step)
        if number == len(path.items):
            if isinstance(place, dict | list):
                change(place, key)
            break
        if isinstance(place, dict):
            if key not in place:
                break
            place = place[key]
        elif isinstance(place, list):
            if not -len(place) <= key < len(place):
                break
            place = place[key]
        else:
            break
    return dump(document)


def _is_within(place: Place, key: Place) -> bool:
    if isinstance(place, list):
        return -len(place) <= key < len(place)
    return key in place


def _set(text: str, path: Array, value: str, create: bool = True) -> str:
    new = parse(value)

    def change(place: Place, key: Place) -> None:
        if _is_within(place, key):
            place[key] = new
        elif create and isinstance(place, list):
            place.insert(len(place) if key >= 0 else 0, new)
        elif create:
            place[key] = new

    return _changed(text, path, change, "set", adds=create)


def _insert(text: str, path: Array, value: str, after: bool = False) -> str:
    new = parse(value)

    def change(place: Place, key: Place) -> None:
        if isinstance(place, list):
            within = _is_within(place, key)
            at = key + len(place) if within and key < 0 else key
            place.insert(at + after if within else len(place) if key >= 0 else 0, new)
        elif key in place:
            raise InvalidArgument("cannot replace existing key")
        else:
            place[key] = new

    return _changed(text, path, change, "set")


def _without_path(text: str, path: Array) -> str:
    def change(place: Place, key: Place) -> None:
        if _is_within(place, key):
            del place[key]

    return _changed(text, path, change, "delete", adds=False)


def _set_lax(
    text: str | None, path: Array | None, value: str | None, create: bool | None = True,
    treatment: str | None = "use_json_null",
) -> str | None:  # fmt: skip
    """jsonb_set, and what becomes of a NULL."""
    if text is None or path is None or create is None:
        return None
    if treatment not in TREATMENTS:
        message = f"null_value_treatment must be {', '.join(map(repr, TREATMENTS[:-1]))}, or {TREATMENTS[-1]!r}"
        raise InvalidArgument(message)
    if value is not None:
        return _set(text, path, value, create)
    match treatment:
        case "raise_exception":
            raise NullNotAllowed("JSON value must not be null", detail="It is SQL NULL, and raise_exception was asked.")
        case "use_json_null":
            return _set(text, path, "null", create)
        case "delete_key":
            return _without_path(text, path)
        case _:
            return text


def _rows() -> Iterator[Function]:
    jsonb, flag = types.JSONB, types.BOOLEAN
    for prefix in ("jsonb", "json"):
        yield _empty(f"{prefix}_build_array", "[]")
        yield _empty(f"{prefix}_build_object", "{}")
        for more in ((), (TEXTS,)):
            doc = "an object of keys and values in turn, or of keys x and values y"
            yield each(f"{prefix}_object", (TEXTS, *more), jsonb, _object, doc, can_fail=True)
    for more in ((), (flag,)):
        doc = "with z at the path y; an absent last step is added"
        yield each("jsonb_set", (jsonb, TEXTS, jsonb, *more), jsonb, _set, doc, can_fail=True)
        doc = "with z put in at the path y, before the element there"
        yield each("jsonb_insert", (jsonb, TEXTS, jsonb, *more), jsonb, _insert, doc, can_fail=True)
    lax = (jsonb, TEXTS, jsonb, flag, types.TEXT)
    for count in (3, 4, 5):
        doc = "jsonb_set; a NULL as z is what the last argument says: use_json_null, delete_key, return_target..."
        yield own("jsonb_set_lax", lax[:count], jsonb, _set_lax, doc, can_fail=True)
    yield each("#-", (jsonb, TEXTS), jsonb, _without_path, "without what the path leads to", can_fail=True)


FUNCTIONS: Final[tuple[Function | Generic, ...]] = (
    *_rows(),
    Generic("to_jsonb", (types.ANY,), _to_jsonb, result="jsonb", doc="any value as JSON"),
    Generic("to_json", (types.ANY,), _to_jsonb, result="jsonb", doc="any value as JSON"),
    Generic("jsonb_build_array", (types.ANY,), _build_array, variadic=True, result="jsonb",
            doc="the arguments as a JSON array"),
    Generic("json_build_array", (types.ANY,), _build_array, variadic=True, result="jsonb",
            doc="the arguments as a JSON array"),
    Generic("jsonb_build_object", (types.ANY,), _build_object, variadic=True, result="jsonb",
            doc="alternating keys and values as a JSON object"),
    Generic("json_build_object", (types.ANY,), _build_object, variadic=True, result="jsonb",
            doc="alternating keys and values as a JSON object"),
    *(Generic(name, (whole, *more), _as_json(name), result="jsonb", doc="as JSON")
      for name, whole in (("array_to_json", types.ANYARRAY), ("row_to_json", types.ANYRECORD))
      for more in ((), (types.BOOLEAN,))),
)  # fmt: skip
