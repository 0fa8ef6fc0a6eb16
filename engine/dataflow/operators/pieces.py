"""The bytes that each row gives to a text or an array that is all rows' bytes, one after the other.

Law    A run of pieces is the datum but for what it begins and ends with: the text of string_agg and the JSON array of
       jsonb_agg are pieces of a separator and a value (the first piece without its separator), an array or a list is
       pieces of elements as engine/collection/nested.py writes them; of a map or a JSON object
       pieces are members in the order of their keys.
Cost   O(bytes) at memory speed; of elements that are neither numbers, times nor truths 0.7 us for each different one,
       of members 1 us each.
"""

from collections.abc import Sequence
from typing import Final, Protocol, TypeAlias

import numpy as np
import orjson
from numpy.typing import NDArray

from engine.collection import nested
from engine.collection.batch import Words
from engine.collection.heap import Heap
from engine.expr.columns import unpack
from engine.expr.evaluate import Context
from engine.kernels.heap import gather
from engine.types import Physical, SqlType

Positions = NDArray[np.int64]
Column: TypeAlias = tuple[Words, NDArray[np.bool_]]
"""Words of some rows, and where they are NULL."""
NUMBERS: Final = frozenset({Physical.SIGNED, Physical.UNSIGNED, Physical.FLOAT})
SIGN: Final = np.uint64(nested.SIGN)
DIMENSIONS: Final = 5
"""Bytes in which an array says that it has one dimension, and its size."""

TEXT_MAX: Final = (1 << 30) - 1
"""PostgreSQL's limit of a text."""


class Pieces(Protocol):
    """`front` and `back` are the bytes before and behind a run, which has `bytes_max`."""

    @property
    def front(self) -> int: ...
    @property
    def back(self) -> int: ...
    @property
    def bytes_max(self) -> int: ...

    def heads(self, columns: Sequence[Column]) -> Words:
        """The codes of what each row's piece loses where it is the first."""
        ...

    def sizes(self, columns: Sequence[Column]) -> Positions:
        """How long each row's piece is."""
        ...

    def of(self, columns: Sequence[Column]) -> tuple[Positions, NDArray[np.uint8]]:
        """(offsets, bytes) of the rows' pieces."""
        ...

    def close(self, out: NDArray[np.uint8], begins: Positions, ends: Positions, counts: Positions) -> None:
        """Write what is before and behind runs of so many pieces each; begins and ends are of the whole data."""
        ...

    def codes(self) -> Words:
        """What it keeps in the heap."""
        ...


class Texts:
    """Of string_agg: (value, separator); of jsonb_agg, `items`: (value,)."""

    def __init__(self, items: bool, heap: Heap) -> None:
        self.front: Final = int(items)
        self.back: Final = int(items)
        self.bytes_max: Final = TEXT_MAX
        self._heap = heap
        self._comma, self._null = (np.uint64(heap.intern(text)) for text in (b",", b"null"))
        self._items: Final = items

    def heads(self, columns: Sequence[Column]) -> Words:
        if self._items:
            return np.full(len(columns[0][0]), self._comma)
        if len(columns) == 1:
            return np.zeros(len(columns[0][0]), np.uint64)
        words, nulls = columns[1]
        return np.where(nulls, np.uint64(0), words)

    def _values(self, columns: Sequence[Column]) -> Words:
        words, nulls = columns[0]
        return np.where(nulls, self._null, words) if self._items else words

    def sizes(self, columns: Sequence[Column]) -> Positions:
        length = self._heap.view()[1]
        return length[self._values(columns)].astype(np.int64) + length[self.heads(columns)]

    def of(self, columns: Sequence[Column]) -> tuple[Positions, NDArray[np.uint8]]:
        both = np.stack([self.heads(columns), self._values(columns)], axis=1)
        offsets, data = gather(both.ravel(), *self._heap.view())
        return np.ascontiguousarray(offsets[::2]), data

    def close(self, out: NDArray[np.uint8], begins: Positions, ends: Positions, counts: Positions) -> None:
        if self._items:
            out[begins], out[ends - 1] = ord("["), ord("]")

    def codes(self) -> Words:
        return np.array([self._comma, self._null], np.uint64)


class Elements:
    """Of array_agg and list_agg: (element,)."""

    def __init__(self, element: SqlType, of_array: bool, heap: Heap) -> None:
        self.front: Final = 0
        self.back: Final = 1 + DIMENSIONS * of_array
        self.bytes_max: Final = nested.BYTES_MAX
        self._of_array: Final = of_array
        self._element: Final = element
        self.numbers = element.nesting is None and element.physical in NUMBERS
        self._heap = heap

    def heads(self, columns: Sequence[Column]) -> Words:
        return np.zeros(len(columns[0][0]), np.uint64)

    def sizes(self, columns: Sequence[Column]) -> Positions:
        if self.numbers:
            return np.where(columns[0][1], 1, 9)
        return np.diff(self.of(columns)[0])

    def of(self, columns: Sequence[Column]) -> tuple[Positions, NDArray[np.uint8]]:
        words, nulls = columns[0]
        sizes = np.where(nulls, 1, 9)
        if self.numbers:
            pieces = np.empty((len(words), 9), np.uint8)
            pieces[:, 0] = np.where(nulls, nested.NULL, nested.PRESENT)
            pieces[:, 1:] = ordered_words(words, self._element.physical).astype(">u8").view(np.uint8).reshape(-1, 8)
            data = pieces[np.arange(9) < sizes[:, None]] if nulls.any() else pieces.ravel()
        else:
            write = nested.element_writer(self._element)
            different, which = np.unique(words[~nulls], return_inverse=True)
            made = [bytearray() for _ in range(len(different) + 1)]
            for raw, out in zip(unpack(different, self._element, Context(self._heap)), made, strict=False):
                write(raw, out)
            write(None, made[-1])
            of_rows = np.full(len(words), len(different))
            of_rows[~nulls] = which.ravel()
            parts = [made[i] for i in of_rows.tolist()]
            sizes = np.array([len(part) for part in parts], np.int64)
            data = np.frombuffer(bytearray().join(parts), np.uint8)
        offsets = np.zeros(len(words) + 1, np.int64)
        np.cumsum(sizes, out=offsets[1:])
        return offsets, np.append(data, np.zeros(8, np.uint8))

    def close(self, out: NDArray[np.uint8], begins: Positions, ends: Positions, counts: Positions) -> None:
        out[ends - self.back] = nested.END
        if self._of_array:
            out[ends - DIMENSIONS] = 1
            sizes = counts.astype(">u4").view(np.uint8).reshape(-1, 4)
            for k in range(4):
                out[ends - 4 + k] = sizes[:, k]

    def codes(self) -> Words:
        return np.empty(0, np.uint64)


class Members:
    """Of map_agg and jsonb_object_agg: (key, value)."""

    def __init__(self, value: SqlType, of_map: bool, heap: Heap) -> None:
        self.front: Final = int(not of_map)
        self.back: Final = 1
        self.bytes_max: Final = nested.BYTES_MAX if of_map else TEXT_MAX
        self._heap = heap
        self._value: Final = value
        self._of_map: Final = of_map
        self._comma = np.uint64(0 if of_map else heap.intern(b","))

    def heads(self, columns: Sequence[Column]) -> Words:
        return np.full(len(columns[0][0]), self._comma)

    def sizes(self, columns: Sequence[Column]) -> Positions:
        return np.diff(self.of(columns)[0])

    def of(self, columns: Sequence[Column]) -> tuple[Positions, NDArray[np.uint8]]:
        (keys, _), (values, nulls) = columns
        texts: list[bytes] = self._heap.decode(keys).to_pylist()
        parts: list[bytes] = []
        if self._of_map:
            write = nested.element_writer(self._value)
            raws = iter(unpack(values[~nulls], self._value, Context(self._heap)))
            for key, null in zip(texts, nulls.tolist(), strict=True):
                out = bytearray([nested.PRESENT])
                nested.write_bytes(key, out)
                write(None if null else next(raws), out)
                parts.append(bytes(out))
        else:
            data: list[bytes] = self._heap.decode(values).to_pylist()
            for key, value, null in zip(texts, data, nulls.tolist(), strict=True):
                parts.append(b",%b:%b" % (orjson.dumps(key.decode()), b"null" if null else value))
        offsets = np.zeros(len(parts) + 1, np.int64)
        np.cumsum([len(part) for part in parts], out=offsets[1:])
        return offsets, np.frombuffer(bytearray().join((*parts, bytes(8))), np.uint8)

    def close(self, out: NDArray[np.uint8], begins: Positions, ends: Positions, counts: Positions) -> None:
        if self._of_map:
            out[ends - 1] = nested.END
        else:
            out[begins], out[ends - 1] = ord("{"), ord("}")

    def codes(self) -> Words:
        return np.array([self._comma], np.uint64)


def ordered_words(words: Words, physical: Physical) -> Words:
    """Numbers as words that compare as they do."""
    match physical:
        case Physical.SIGNED:
            return words ^ SIGN
        case Physical.FLOAT:
            return np.where(words & SIGN != 0, ~words, words | SIGN)
        case _:
            return words
