"""jsonb within nested values (collection/nested.py): bytes that compare as documents do, and decode to them.

Law: the order is that of kernels/json_order.py. A document is its kind and what follows; an array or object begins with
the number of its parts, so that none needs an end; the pairs of an object stand by the length of their keys, then
bytewise.
"""

from decimal import Decimal
from typing import Final

from engine.collection.json import Document, dump, parse
from engine.collection.plain_bytes import read_decimal, read_text, write_bytes, write_decimal

EMPTY, NULL, STRING, NUMBER, FALSE, TRUE, ARRAY, OBJECT = range(1, 9)
COUNT_BYTES: Final = 4


def write_json(text: str, out: bytearray) -> None:
    """Append the canonical text of a document. O(bytes)."""
    document = parse(text.encode())
    if document == []:
        out.append(EMPTY)
    else:
        _write(document, out)


def read_json(data: bytes, at: int) -> tuple[str, int]:
    """The canonical text of the document there, and the offset behind it."""
    if data[at] == EMPTY:
        return "[]", at + 1
    document, at = _read(data, at)
    return dump(document).decode(), at


def _write(document: Document, out: bytearray) -> None:
    match document:
        case None:
            out.append(NULL)
        case bool():
            out.append(TRUE if document else FALSE)
        case str():
            out.append(STRING)
            write_bytes(document.encode(), out)
        case int() | Decimal():
            out.append(NUMBER)
            write_decimal(Decimal(document), out)
        case list():
            out.append(ARRAY)
            out += len(document).to_bytes(COUNT_BYTES, "big")
            for item in document:
                _write(item, out)
        case dict():
            out.append(OBJECT)
            out += len(document).to_bytes(COUNT_BYTES, "big")
            for key, encoded in sorted(((key, key.encode()) for key in document), key=lambda pair: _rank(pair[1])):
                write_bytes(encoded, out)
                _write(document[key], out)


def _rank(key: bytes) -> tuple[int, bytes]:
    return len(key), key


def _read(data: bytes, at: int) -> tuple[Document, int]:
    kind, at = data[at], at + 1
    if kind == STRING:
        return read_text(data, at)
    if kind == NUMBER:
        return read_decimal(data, at)
    if kind == NULL:
        return None, at
    if kind in (FALSE, TRUE):
        return kind == TRUE, at
    count, at = int.from_bytes(data[at : at + COUNT_BYTES], "big"), at + COUNT_BYTES
    if kind == ARRAY:
        items: list[Document] = []
        for _ in range(count):
            item, at = _read(data, at)
            items.append(item)
        return items, at
    pairs: dict[str, Document] = {}
    for _ in range(count):
        key, at = read_text(data, at)
        pairs[key], at = _read(data, at)
    return pairs, at
