"""jsonb: one text for one value, so equal documents have equal words.

Canonical: no blanks, keys sorted bytewise with the last duplicate kept, strings with the fewest escapes, numbers in
plain digits without trailing zeros (1.0 and 1 are the same number), every digit kept.
"""

import json
import re
from decimal import Decimal
from typing import Final, TypeAlias

import numpy as np
import orjson
import pyarrow as pa
from numpy.typing import NDArray

from engine.collection.heap import Codes, Heap
from engine.collection.numeric import text_of

Document: TypeAlias = "dict[str, Document] | list[Document] | str | int | Decimal | bool | None"

INEXACT: Final = re.compile(rb"\d[.eE]|-0|\d{19}")
"""What orjson might read as a double or beyond 64 bits. It also matches inside strings: they take the slow way too."""

EXPONENT_MAX: Final = 1000
"""Numbers are written out in full, so 1e999999999 is refused instead of filling memory."""


def parse(text: bytes) -> Document:
    """The document, numbers exact: int, or Decimal where it was written with a point or exponent. Else ValueError."""
    try:
        return json.loads(text, parse_float=_number, parse_constant=_refuse)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def dump(document: Document) -> bytes:
    """Canonical text. ValueError for what has none (a lone surrogate)."""
    parts: list[bytes] = []
    try:
        _write(document, parts)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    except orjson.JSONEncodeError:
        raise ValueError("a lone surrogate is no text") from None
    return b"".join(parts)


def canonical(text: bytes) -> bytes:
    """Canonical text of any JSON text. ValueError if malformed. 1 us, 10 us with fractions or long numbers."""
    if INEXACT.search(text) is None:
        return orjson.dumps(orjson.loads(text), option=orjson.OPT_SORT_KEYS)
    return dump(parse(text))


def intern_json(texts: pa.Array, heap: Heap) -> tuple[Codes, NDArray[np.bool_] | None]:
    """Words of JSON texts (string or binary) and the rows that are malformed, or None. Each distinct text once."""
    coded = texts.dictionary_encode()
    failures: list[int] = []
    datas: list[bytes] = []
    for i, text in enumerate(coded.dictionary.cast(pa.large_binary()).to_pylist()):
        try:
            datas.append(canonical(text))
        except ValueError:
            datas.append(b"")
            failures.append(i)
    if not datas:
        return np.zeros(len(texts), np.uint64), None
    rows = coded.indices.fill_null(0).to_numpy()
    codes = heap.intern_many(datas)[rows]
    bad = np.isin(rows, failures) if failures else None
    if texts.null_count:
        null = texts.is_null().to_numpy(zero_copy_only=False)
        codes[null] = 0
        if bad is not None:
            bad &= ~null
    return codes, bad


def _number(text: str) -> Decimal:
    value = Decimal(text)
    if value and abs(value.adjusted()) > EXPONENT_MAX:
        raise ValueError(f"number {text} is out of range")
    return value


def _refuse(name: str) -> Document:
    raise ValueError(f"{name} is no JSON value")


def _write(document: Document, parts: list[bytes]) -> None:
    match document:
        case dict():
            parts.append(b"{")
            for i, key in enumerate(sorted(document, key=str.encode)):
                parts.append((b"," if i else b"") + orjson.dumps(key) + b":")
                _write(document[key], parts)
            parts.append(b"}")
        case list():
            parts.append(b"[")
            for i, item in enumerate(document):
                if i:
                    parts.append(b",")
                _write(item, parts)
            parts.append(b"]")
        case None | bool() | str():
            parts.append(orjson.dumps(document))
        case int():
            parts.append(str(document).encode())
        case Decimal():
            parts.append(text_of(document).encode())
