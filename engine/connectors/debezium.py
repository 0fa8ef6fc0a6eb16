"""Debezium's envelope: what a row was before and after a change, and where in the upstream's log the change stands.

A record is {"before", "after", "op", "source", ..}, in JSON perhaps within "payload". Debezium may send changes again
after a restart of its own: those whose place in the log lies before one that was seen are the same changes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engine.catalog.sources import AvroFormat, Format, JsonFormat
from engine.collection.heap import Heap
from engine.collection.vector import Vector
from engine.collection.words import content_words
from engine.connectors import registry
from engine.connectors.avro.compile import change_columns, compile_debezium, compile_transaction
from engine.connectors.avro.decode import AvroDecoder
from engine.connectors.avro.schema import PLACE_COLUMNS, TRANSACTION_COLUMNS, row_columns
from engine.connectors.decode_json import JsonColumns, JsonMembers
from engine.connectors.feed import Resolve
from engine.connectors.records import Spans, present
from engine.errors import InvalidParameter
from engine.kernels.hash import hash_rows
from engine.types import Column

PARTS: Final = 4
"""Numbers of a place: (lsn), (file, position, row) or (three of a change_lsn, event_serial_no), the rest 0."""

BLIND: Final = "an update or a delete does not say what the row was before"
"""The upstream's table must log whole rows (REPLICA IDENTITY FULL in PostgreSQL)."""

NOT_SNAPSHOT: Final = frozenset({b"false", b'"false"', b"null"})


@dataclass(frozen=True, slots=True, eq=False)
class Places:
    """Where n changes stand in the upstream's log: `parts` int64[4, n], the greater the later, where `known`."""

    parts: NDArray[np.int64]
    known: NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Change:
    """n changes. `before` and `after` are columns of n rows, which mean something where has_before and has_after are.

    `failed` are no changes; `blind` change a row without saying which.
    """

    before: list[Vector]
    has_before: NDArray[np.bool_]
    after: list[Vector]
    has_after: NDArray[np.bool_]
    failed: dict[int, str]
    blind: dict[int, str]
    places: Places


class Seen:
    """How far each partition's upstream log was seen: its greatest place, and what was changed at that very place.

    Law: a change is seen again when its place is below the greatest, or is the greatest and one of the same content was
    there. One place may have several changes (a COPY writes many rows at one); when a change is sent again everything
    but its content may differ (`ts_ms` does). So two changes of one place that are equal in content are one: rows of a
    table with a key never are.
    """

    def __init__(self) -> None:
        self._reached: dict[int, tuple[int, ...]] = {}
        self._there: dict[int, set[int]] = {}

    def restart(self, written: Mapping[int, Sequence[int]]) -> None:
        """Another topic of the name, or what `written` said of this one in another process."""
        self._reached = {partition: tuple(each[1 : 1 + PARTS]) for partition, each in written.items()}
        self._there = {partition: set(each[1 + PARTS : 1 + each[0]]) for partition, each in written.items()}

    def written(self, partition: int) -> tuple[int, ...]:
        """(how many numbers follow, the place, the contents there); () before there was one."""
        reached = self._reached.get(partition)
        if reached is None:
            return ()
        there = self._there[partition]
        return PARTS + len(there), *reached, *there

    def again(self, partitions: NDArray[np.int64], places: Places, contents: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which changes were seen before. O(n); where places only grow, as mostly, without a look at each."""
        found = np.zeros(len(partitions), np.bool_)
        for partition in np.unique(partitions[places.known]).tolist():
            rows = np.flatnonzero(places.known & (partitions == partition))
            reached = self._reached.get(partition, (-1,) * PARTS)
            parts = np.concatenate([np.array([reached], np.int64).T, places.parts[:, rows]], axis=1)
            if _grow(parts):
                self._reached[partition] = tuple(parts[:, -1].tolist())
                self._there[partition] = {int(contents[rows[-1]])}
            else:
                found[rows] = self._one_by_one(partition, parts[:, 1:], contents[rows])
        return found

    def _one_by_one(self, partition: int, parts: NDArray[np.int64], contents: NDArray[np.int64]) -> list[bool]:
        found: list[bool] = []
        reached = self._reached.get(partition, (-1,) * PARTS)
        there = self._there.get(partition, set[int]())
        for place, content in zip(map(tuple, parts.T.tolist()), contents.tolist(), strict=True):
            if place > reached:
                reached, there = place, set[int]()
            found.append(place < reached or content in there)
            if place == reached:
                there.add(content)
        self._reached[partition], self._there[partition] = reached, there
        return found


def _grow(parts: NDArray[np.int64]) -> bool:
    """Whether each column is greater than the one before, its first number counting most."""
    greater = np.zeros(parts.shape[1] - 1, np.bool_)
    equal = ~greater
    for part in parts:
        greater |= equal & (part[1:] > part[:-1])
        equal &= part[1:] == part[:-1]
    return bool(greater.all())


def columns_of(format: Format, declared: tuple[Column, ...] | None) -> tuple[Column, ...]:
    """The columns of the upstream's table."""
    match format:
        case JsonFormat():
            assert declared is not None
            return declared
        case AvroFormat():
            return row_columns(format.schema)
        case _:
            raise InvalidParameter("ENVELOPE DEBEZIUM is for FORMAT AVRO and JSON")


class DebeziumDecoder:
    """Records to changes, in JSON or Avro."""

    def __init__(self, format: Format, columns: tuple[Column, ...], heap: Heap, resolve: Resolve) -> None:
        self._columns = columns
        self._heap = heap
        self._avro: AvroDecoder | None = None
        if isinstance(format, AvroFormat):
            schemas = None if format.registry is None else registry.Registry(format.registry, resolve)
            self._avro = AvroDecoder(format, change_columns(columns), heap, schemas, compile_debezium)
        self._members = JsonMembers(("before", "after", "op", "source", "payload"), heap)
        self._inner = JsonMembers(("before", "after", "op", "source"), heap)
        self._rows = JsonColumns(columns, heap)
        self._source = JsonColumns(PLACE_COLUMNS, heap)

    def decode(self, data: Spans) -> Change:
        """One change a datum."""
        if self._avro is not None:
            return self._from_avro(self._avro, data)
        members, failed = self._members.decode(data)
        within = members.pop()
        wrapped = np.flatnonzero(within.begins >= 0)
        if len(wrapped):
            inner, others = self._inner.decode(within.take(wrapped))
            members = [member.put(wrapped, part) for member, part in zip(members, inner, strict=True)]
            failed |= {int(wrapped[row]): reason for row, reason in others.items()}
        before, has_before = self._side(members[0], failed)
        after, has_after = self._side(members[1], failed)
        op, source = members[2], members[3]
        # A string, so a quote stands before what is looked at.
        letter = np.where(op.ends - op.begins == 3, op.data[np.maximum(op.begins, 0) + 1], 0)
        decoded = present(self._source, source)
        failed |= {row: f"source: {reason}" for row, reason in decoded.failed.items()}
        places = self._places(decoded.columns)
        return Change(before, has_before, after, has_after, failed, _blind(letter, has_before), places)

    def contents(self, change: Change) -> NDArray[np.int64]:
        """What each change says, hashed: the same in every process."""
        words: list[NDArray[np.uint64]] = [change.has_before.astype(np.uint64), change.has_after.astype(np.uint64)]
        for vectors, has in ((change.before, change.has_before), (change.after, change.has_after)):
            for vector, column in zip(vectors, self._columns, strict=True):
                nulls = ~has if vector.nulls is None else ~has | vector.nulls
                held = content_words(np.where(nulls, np.uint64(0), vector.words), column.type, self._heap)
                words += [np.where(nulls, np.uint64(0), held), nulls.astype(np.uint64)]
        return hash_rows(np.ascontiguousarray(words)).view(np.int64)

    def _side(self, texts: Spans, failed: dict[int, str]) -> tuple[list[Vector], NDArray[np.bool_]]:
        decoded = present(self._rows, texts)
        for row, reason in decoded.failed.items():
            failed.setdefault(row, reason)
        return decoded.columns, texts.begins >= 0

    def _from_avro(self, avro: AvroDecoder, data: Spans) -> Change:
        decoded = avro.decode(data)
        k = len(self._columns)
        before, after = decoded.columns[:k], decoded.columns[k : 2 * k]
        has_before, has_after = (vector.words != 0 for vector in decoded.columns[2 * k : 2 * k + 2])
        op = decoded.columns[2 * k + 2]
        letter = np.zeros(len(data), np.uint8)
        for code in np.unique(op.words[_given(op)]).tolist():
            text = self._heap.get(code)
            letter[op.words == code] = text[0] if len(text) == 1 else 0
        places = self._places(decoded.columns[2 * k + 3 :])
        return Change(before, has_before, after, has_after, decoded.failed, _blind(letter, has_before), places)

    def _places(self, columns: Sequence[Vector]) -> Places:
        """The places that `source` names (PLACE_COLUMNS): of PostgreSQL, MySQL or SQL Server. Snapshots have none."""
        lsn, file, pos, row, change, serial, snapshot = columns
        n = len(lsn)
        parts, known = np.zeros((PARTS, n), np.int64), np.zeros(n, np.bool_)
        at = np.flatnonzero(_given(change))
        numbers = np.array([_hexadecimal(text) for text in self._heap.decode(change.words[at]).to_pylist()], np.int64)
        numbers = numbers.reshape(-1, PARTS)
        at, numbers = at[numbers[:, 0] >= 0], numbers[numbers[:, 0] >= 0]
        parts[:, at], known[at] = numbers.T, True
        parts[PARTS - 1, at] = _numbers(serial)[at]
        at = np.flatnonzero(_given(file) & _given(pos))
        texts, which = np.unique(file.words[at], return_inverse=True)
        files = np.array([_file_number(self._heap.get(code)) for code in texts.tolist()], np.int64)[which]
        at, files = at[files >= 0], files[files >= 0]
        parts[:, at], known[at] = 0, True
        parts[0, at], parts[1, at], parts[2, at] = files, _numbers(pos)[at], _numbers(row)[at]
        at = np.flatnonzero(_given(lsn))
        parts[:, at], known[at] = 0, True
        parts[0, at] = _numbers(lsn)[at]
        for code in np.unique(snapshot.words[_given(snapshot)]).tolist():
            if self._heap.get(code) not in NOT_SNAPSHOT:
                known &= (snapshot.words != code) | ~_given(snapshot)
        return Places(parts, known)


class TransactionDecoder:
    """Which transaction of the upstream each change is of, in JSON or Avro."""

    def __init__(self, format: Format, heap: Heap, resolve: Resolve) -> None:
        self._heap = heap
        self._avro: AvroDecoder | None = None
        if isinstance(format, AvroFormat):
            schemas = None if format.registry is None else registry.Registry(format.registry, resolve)
            self._avro = AvroDecoder(format, TRANSACTION_COLUMNS, heap, schemas, compile_transaction)
        self._members = JsonMembers(("transaction", "payload"), heap)
        self._inner = JsonMembers(("transaction",), heap)
        self._columns = JsonColumns(TRANSACTION_COLUMNS, heap)

    def decode(self, data: Spans) -> tuple[list[str | None], NDArray[np.int64]]:
        """(by datum the transaction's id, None where it says none; which of its events in the table it is)."""
        if self._avro is not None:
            decoded = self._avro.decode(data)
        else:
            (transactions, within), _ = self._members.decode(data)
            wrapped = np.flatnonzero(within.begins >= 0)
            if len(wrapped):
                (inner,), _ = self._inner.decode(within.take(wrapped))
                transactions = transactions.put(wrapped, inner)
            decoded = present(self._columns, transactions)
        ids, orders = decoded.columns
        known = _given(ids) & _given(orders)
        known[list(decoded.failed)] = False
        texts = {code: self._heap.get(code).decode() for code in np.unique(ids.words[known]).tolist()}
        codes = zip(ids.words.tolist(), known.tolist(), strict=True)
        return [texts[code] if there else None for code, there in codes], _numbers(orders)


def _given(vector: Vector) -> NDArray[np.bool_]:
    return np.ones(len(vector), np.bool_) if vector.nulls is None else ~vector.nulls


def _numbers(vector: Vector) -> NDArray[np.int64]:
    """The numbers, NULL as 0."""
    return np.where(_given(vector), vector.words.view(np.int64), 0)


def _blind(letter: NDArray[np.uint8], has_before: NDArray[np.bool_]) -> dict[int, str]:
    updates = (letter == ord("u")) | (letter == ord("d"))
    return dict.fromkeys(np.flatnonzero(updates & ~has_before).tolist(), BLIND)


def _file_number(name: bytes) -> int:
    """The number of a binlog file ("mysql-bin.000007"), or -1."""
    number = name.rpartition(b".")[2]
    return int(number) if number.isdigit() else -1


def _hexadecimal(text: bytes) -> tuple[int, ...]:
    """The numbers of an LSN of SQL Server ("0000002a:00000f60:0003"), or -1 first."""
    try:
        first, second, third = (int(part, 16) for part in text.split(b":"))
    except ValueError:
        return (-1, 0, 0, 0)
    return first, second, third, 0
