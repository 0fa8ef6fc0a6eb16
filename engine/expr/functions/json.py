"""jsonb: what documents hold. They are parsed once for each distinct text; json_build.py makes and changes them."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import reduce
from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np

from engine import types
from engine.collection import json
from engine.collection.json import Document
from engine.collection.nested import Array
from engine.collection.vector import Vector
from engine.errors import ArraySubscript, InvalidArgument
from engine.expr.columns import FEW_ROWS, each
from engine.expr.registry import Function, Generic, Kernel
from engine.kernels import json as kernels
from engine.types import SqlType

if TYPE_CHECKING:
    from engine.expr.evaluate import Context

Found: TypeAlias = "tuple[Document] | None"
"""What a step leads to; None: nothing is there (a JSON null is something)."""


def parse(text: str) -> Document:
    """The document of canonical text."""
    return json.parse(text.encode())


def dump(document: Document) -> str:
    """Canonical text."""
    return json.dump(document).decode()


def _step(document: Document, key: str | int) -> Found:
    """One member or element. In a path a text names an element of an array by its digits."""
    if isinstance(document, dict):
        return (document[key],) if isinstance(key, str) and key in document else None
    if isinstance(document, list):
        if isinstance(key, str):
            if not key.removeprefix("-").isdigit():
                return None
            key = int(key)
        return (document[key],) if -len(document) <= key < len(document) else None
    return None


def _member(text: str, key: str | int) -> Found:
    """What -> finds: a text names no element of an array here."""
    document = parse(text)
    return None if isinstance(document, list) and isinstance(key, str) else _step(document, key)


def _get(text: str, key: str | int) -> str | None:
    found = _member(text, key)
    return None if found is None else dump(found[0])


def text_of(document: Document) -> str | None:
    """What ->> gives: strings bare, null as NULL, the rest as JSON text."""
    if document is None:
        return None
    return document if isinstance(document, str) else dump(document)


def _get_text(text: str, key: str | int) -> str | None:
    found = _member(text, key)
    return None if found is None else text_of(found[0])


def _member_kernel(by_value: Kernel, as_text: bool) -> Kernel:
    """-> and ->> by one name for all rows, read off the canonical text; different names go row by row."""

    def kernel(context: "Context", vectors: Sequence[Vector], type: SqlType) -> Vector:
        codes, keys = vectors[0].words, vectors[1].words
        n = len(codes)
        if n == 0 or not (keys == keys[0]).all():
            return by_value(context, vectors, type)
        name = np.frombuffer(json.dump(context.heap.get(int(keys[0])).decode()), np.uint8)
        begin, size, status = np.empty(n, np.int64), np.empty(n, np.int64), np.empty(n, np.uint8)
        start, length, data = context.heap.view()
        total = kernels.member(
            np.ascontiguousarray(codes), name.copy(), as_text, start, length, data, begin, size, status
        )
        offsets, found = np.empty(n + 1, np.int64), np.empty(total, np.uint8)
        kernels.slices(begin, size, data, offsets, found)
        absent = status == kernels.ABSENT
        if n < FEW_ROWS:
            ends = offsets.tolist()
            parts = [found[ends[i] : ends[i + 1]].tobytes() for i in range(n)]
            words = np.array([context.heap.intern(part) for part in parts], np.uint64)
        else:
            words = context.heap.intern_buffers(offsets, found, absent.view(np.uint8))
        for row in np.flatnonzero(status == kernels.ESCAPED).tolist():
            text = text_of(json.parse(found[offsets[row] : offsets[row + 1]].tobytes()))
            assert text is not None
            words[row] = context.heap.intern(text.encode())
        return Vector(words, absent if np.count_nonzero(absent) else None)

    return kernel


def _walk(text: str, path: Array) -> Found:
    found: Found = (parse(text),)
    for key in path.items:
        if found is None or key is None:
            return None
        found = _step(found[0], key)
    return found


def _get_path(text: str, path: Array) -> str | None:
    found = _walk(text, path)
    return None if found is None else dump(found[0])


def _get_path_text(text: str, path: Array) -> str | None:
    found = _walk(text, path)
    return None if found is None else text_of(found[0])


def contains(whole: Document, part: Document) -> bool:
    """PostgreSQL's @>: objects by member, arrays by element whatever the order; an array contains a bare scalar."""
    if isinstance(whole, dict):
        return isinstance(part, dict) and all(key in whole and _within(whole[key], part[key]) for key in part)
    if isinstance(whole, list):
        if isinstance(part, list):
            return all(any(_within(item, wanted) for item in whole) for wanted in part)
        return not isinstance(part, dict) and any(_same(item, part) for item in whole)
    return _same(whole, part)


def _within(whole: Document, part: Document) -> bool:
    """As `contains`, below the top: there an array no longer contains a bare scalar."""
    if isinstance(whole, list) and not isinstance(part, list):
        return False
    return contains(whole, part)


def _same(a: Document, b: Document) -> bool:
    if isinstance(a, bool) or isinstance(b, bool):
        return a is b
    return a == b


def _has_key(text: str, key: str) -> bool:
    document = parse(text)
    return key in document if isinstance(document, dict | list) else document == key


def _keys(keys: Array) -> list[str]:
    """The elements of a text[] that are none of NULL."""
    return [key for key in keys.items if key is not None]


def _concatenate(a: str, b: str) -> str:
    left, right = parse(a), parse(b)
    if isinstance(left, dict) and isinstance(right, dict):
        return dump(left | right)
    whole: list[Document] = []
    for part in (left, right):
        whole.extend(part if isinstance(part, list) else [part])
    return dump(whole)


def _without_keys(text: str, keys: Array) -> str:
    if len(keys.dims) > 1:
        raise ArraySubscript("wrong number of array subscripts")
    return reduce(_without_key, (key for key in _keys(keys)), text)


def _without_key(text: str, key: str) -> str:
    match parse(text):
        case dict() as document:
            document.pop(key, None)
            return dump(document)
        case list() as document:
            return dump([item for item in document if item != key])
        case _:
            raise InvalidArgument("cannot delete from scalar")


def _without_index(text: str, index: int) -> str:
    match parse(text):
        case list() as document:
            if -len(document) <= index < len(document):
                del document[index]
            return dump(document)
        case dict():
            raise InvalidArgument("cannot delete from object using integer index")
        case _:
            raise InvalidArgument("cannot delete from scalar")


def _typeof(text: str) -> str:
    match parse(text):
        case None:
            return "null"
        case bool():
            return "boolean"
        case str():
            return "string"
        case list():
            return "array"
        case dict():
            return "object"
        case _:
            return "number"


def _array_length(text: str) -> int:
    match parse(text):
        case list() as document:
            return len(document)
        case dict():
            raise InvalidArgument("cannot get array length of a non-array")
        case _:
            raise InvalidArgument("cannot get array length of a scalar")


def _strip_nulls(text: str) -> str:
    def strip(document: Document) -> Document:
        match document:
            case dict():
                return {key: strip(value) for key, value in document.items() if value is not None}
            case list():
                return [strip(item) for item in document]
            case _:
                return document

    return dump(strip(parse(text)))


def _pretty(text: str) -> str:
    def lines(document: Document, indent: str) -> str:
        inner = indent + "    "
        match document:
            case dict() if document:
                members = (f"{inner}{dump(key)}: {lines(value, inner)}" for key, value in document.items())
                return "{\n" + ",\n".join(members) + f"\n{indent}}}"
            case list() if document:
                return "[\n" + ",\n".join(inner + lines(item, inner) for item in document) + f"\n{indent}]"
            case dict():
                return "{\n" + indent + "}"
            case list():
                return "[\n" + indent + "]"
            case _:
                return dump(document)

    return lines(parse(text), "")


TEXTS: Final = types.array_of(types.TEXT)


def _extract_path(name: str, as_text: bool) -> Generic:
    """The path as arguments of its own."""
    walk = _get_path_text if as_text else _get_path
    result = types.TEXT if as_text else types.JSONB

    def instantiate(parameters: tuple[SqlType, ...]) -> Function:
        return each(name, parameters, result, lambda text, *path: walk(text, Array.of(path)), gives_null=True)

    doc = "what the path of the other arguments leads to" + (", as text" if as_text else "")
    return Generic(name, (types.JSONB, types.TEXT), instantiate, variadic=True, result=result.name, doc=doc)


def _rows() -> Iterator[Function | Generic]:
    jsonb, text, number, boolean = types.JSONB, types.TEXT, types.INTEGER, types.BOOLEAN
    for key in (text, types.BIGINT):
        what = "the member of that name" if key == text else "the element at that index, from the end if negative"
        get = each("->", (jsonb, key), jsonb, _get, what, gives_null=True)
        get_text = each("->>", (jsonb, key), text, _get_text, what + ", as text", gives_null=True)
        yield replace(get, kernel=_member_kernel(get.kernel, False)) if key == text else get
        yield replace(get_text, kernel=_member_kernel(get_text.kernel, True)) if key == text else get_text
    yield each("#>", (jsonb, TEXTS), jsonb, _get_path, "what the path {a,0,b} leads to", can_fail=True, gives_null=True)
    yield each("#>>", (jsonb, TEXTS), text, _get_path_text, "what the path leads to, as text", can_fail=True,
               gives_null=True)  # fmt: skip
    yield each("@>", (jsonb, jsonb), boolean, lambda a, b: contains(parse(a), parse(b)), "whether x contains y")
    yield each("<@", (jsonb, jsonb), boolean, lambda a, b: contains(parse(b), parse(a)), "whether y contains x")
    yield each("?", (jsonb, text), boolean, _has_key, "whether y is a key or an element of x")
    yield each("?|", (jsonb, TEXTS), boolean, lambda text, keys: any(_has_key(text, key) for key in _keys(keys)),
               "whether some of y is a key or an element of x")  # fmt: skip
    yield each("?&", (jsonb, TEXTS), boolean, lambda text, keys: all(_has_key(text, key) for key in _keys(keys)),
               "whether all of y are keys or elements of x")  # fmt: skip
    yield each("-", (jsonb, TEXTS), jsonb, _without_keys, "without those keys or elements", can_fail=True)
    yield each("||", (jsonb, jsonb), jsonb, _concatenate, "objects merged, arrays joined")
    yield each("-", (jsonb, text), jsonb, _without_key, "without that key or those elements", can_fail=True)
    yield each("-", (jsonb, types.BIGINT), jsonb, _without_index, "without the element at that index", can_fail=True)
    for prefix in ("jsonb", "json"):
        yield each(f"{prefix}_typeof", (jsonb,), text, _typeof, "object, array, string, number, boolean or null")
        yield each(f"{prefix}_array_length", (jsonb,), number, _array_length, "how many elements", can_fail=True)
        yield _extract_path(f"{prefix}_extract_path", False)
        yield _extract_path(f"{prefix}_extract_path_text", True)
        yield each(f"{prefix}_strip_nulls", (jsonb,), jsonb, _strip_nulls, "without members that are null")
    yield each("jsonb_pretty", (jsonb,), text, _pretty, "indented text")


FUNCTIONS: Final = tuple(_rows())
