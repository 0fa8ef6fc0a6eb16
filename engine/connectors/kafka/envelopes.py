"""What records do to the rows of a source.

    Appending    a record is a row
    Upserting    the last record of a key is its row; one without value takes it away
    Changing     Debezium: a record says what a row was and what it became
    Settled      Materialize's CDC: records say what changes when, and how much of it there is

Law: the changes of a block are those of its records one after another, in the order in which they came. What is no row
is one of the error relation; under UPSERT it stands there until a later record of its key mends it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from engine import types
from engine.catalog.sources import AvroFormat, Debezium, Deduplication, KafkaSource, OpenCdc, Upsert
from engine.collection import nested
from engine.collection.batch import Batch
from engine.collection.heap import Heap, Marks
from engine.collection.vector import Vector
from engine.collection.words import content_words
from engine.connectors.cdc import CdcDecoder
from engine.connectors.debezium import Change, DebeziumDecoder, Seen
from engine.connectors.feed import Resolve
from engine.connectors.kafka.batches import Records
from engine.connectors.kafka.columns import ERROR_COLUMNS, INLINE_ERROR, Layout, Part
from engine.connectors.kafka.latest import Latest
from engine.connectors.kafka.parts import Parts, Rows
from engine.connectors.kafka.settling import FRONTIER, Settling
from engine.connectors.records import Decoded, Spans
from engine.connectors.remembered import Facts, Remembered

NO_VALUE: Final = "the record has no value"


@dataclass(frozen=True, slots=True, eq=False)
class Changes:
    """Of the rows and of the errors, either perhaps empty; `refused` are records that did not decode, by partition.
    `seen`: of what deduplication remembers, if it does."""

    rows: Batch
    errors: Batch
    refused: Mapping[int, int]
    seen: Batch | None = None


class Envelope(Protocol):
    """Records to changes. Stateful where a record means what it does by the ones before."""

    def apply(self, records: Records) -> Changes:
        """The changes of some records, which come after all that were applied before."""
        ...

    def restore(self, rows: Batch, errors: Batch) -> None:
        """Take up where another process was: its relations' contents."""
        ...

    def mark(self, marks: Marks) -> None:
        """Keep the codes of the state."""
        ...

    def held(self) -> Mapping[int, int]:
        """By partition the offset to go on from in another process, where it is not behind all that was applied."""
        ...

    def kept(self) -> Mapping[str, int]:
        """What is kept with the offsets."""
        ...

    def forget(self) -> None:
        """Records that come are of another topic."""
        ...


class Immediate:
    """What envelopes have in common whose records do what they do at once."""

    def held(self) -> Mapping[int, int]:
        """Nothing waits."""
        return {}

    def kept(self) -> Mapping[str, int]:
        """The offsets say all."""
        return {}

    def forget(self) -> None:
        """The rows stay."""


def envelope_of(
    description: KafkaSource, layout: Layout, heap: Heap, resolve: Resolve, seen: Seen, remembered: Remembered | None,
    kept: Mapping[str, int],
) -> Envelope:  # fmt: skip
    """The envelope of a source. `seen` is how far Debezium's deduplication is, by partition, `remembered` what it
    remembers if it is full; `kept` what the envelope kept in another process."""
    parts = Parts(description, layout, heap, resolve)
    match description.envelope:
        case Upsert():
            return Upserting(parts, layout, heap, description.envelope.inline is not None)
        case Debezium():
            decoder = DebeziumDecoder(description.value_format, layout.value_columns, heap, resolve)
            return Changing(parts, layout, heap, decoder, description.envelope, seen, remembered)
        case OpenCdc():
            assert isinstance(description.value_format, AvroFormat)
            messages = CdcDecoder(description.value_format, layout.value_columns, heap, resolve)
            return Settled(parts, layout, messages, kept.get(FRONTIER, 0))
        case _:
            return Appending(parts, layout, heap)


class Appending(Immediate):
    """ENVELOPE NONE. Rule: each record that decodes adds one row."""

    def __init__(self, parts: Parts, layout: Layout, heap: Heap) -> None:
        self._parts = parts
        self._layout = layout

    def apply(self, records: Records) -> Changes:
        parts = self._parts
        wants_key = any(part is Part.KEY for part, _ in self._layout.places)
        keys = parts.keys(records.keys) if wants_key else Decoded([])
        values = parts.values(records.values)
        failed = {row: f"key: {reason}" for row, reason in keys.failed.items()} | values.failed
        for row in np.flatnonzero(records.values.begins < 0).tolist():
            failed[row] = NO_VALUE
        rows = _but(len(records), failed)
        columns = parts.columns(
            records, rows, [_taken(vector, rows) for vector in keys.columns],
            [_taken(vector, rows) for vector in values.columns],
        )  # fmt: skip
        return Changes(_added(columns, len(rows)), _added(parts.errors(records, failed), len(failed)),
                       _by_partition(records, failed))  # fmt: skip

    def restore(self, rows: Batch, errors: Batch) -> None:
        """A record means the same whatever came before."""

    def mark(self, marks: Marks) -> None:
        """No state."""


class Upserting(Immediate):
    """ENVELOPE UPSERT. Rule: out = [what stands for a key now] - [what stood for it], for the keys of a block.

    State  by key, its row or its error (latest.py).
    Cost   O(records), whatever the number of keys.
    """

    def __init__(self, parts: Parts, layout: Layout, heap: Heap, inline: bool) -> None:
        self._parts = parts
        self._layout = layout
        self._heap = heap
        self._inline = inline
        self._latest = Latest(layout.key_columns, layout.columns)

    def apply(self, records: Records) -> Changes:
        parts = self._parts
        keys = parts.keys(records.keys)
        failed = {row: f"key: {reason}" for row, reason in keys.failed.items()}
        for row in np.flatnonzero(records.keys.begins < 0).tolist():
            failed[row] = "the record has no key"
        rows = _but(len(records), failed)
        last = self._latest.last([_taken(vector, rows) for vector in keys.columns], len(rows))
        rows = rows[last.rows]
        gone = records.values.begins[rows] < 0
        values = parts.values(records.values.take(rows))
        bad = values.failed
        inline: Vector | None = None
        state = np.where(gone, Latest.NONE, Latest.ROW).astype(np.uint8)
        value_columns = values.columns
        if bad:
            at = np.array(sorted(bad), np.int64)
            if self._inline:
                value_columns = [_without(vector, at) for vector in value_columns]
                inline = _inline_errors(len(rows), bad, self._heap)
            else:
                state[at] = Latest.ERROR
        columns = parts.columns(
            records, rows, [_taken(vector, rows) for vector in keys.columns], value_columns, inline
        )  # fmt: skip
        standing = {} if self._inline else {int(rows[row]): bad[row] for row in sorted(bad)}
        stood = _added(parts.errors(records, standing), len(standing))
        change, errors = self._latest.become(last, state, _added(columns, len(rows)), stood)
        lost = _added(parts.errors(records, failed), len(failed))
        return Changes(change, _together(errors, lost), _by_partition(records, failed | standing))

    def restore(self, rows: Batch, errors: Batch) -> None:
        if len(rows):
            self._latest.restore([rows.vector(column) for column in self._layout.key], rows)
        if len(errors):
            raw = errors.vector(2)
            given = np.ones(len(errors), np.bool_) if raw.nulls is None else ~raw.nulls
            at = np.flatnonzero(given)
            keys = self._parts.keys(Spans.of(self._heap.decode(raw.words[at]).to_pylist()))
            fine = _but(len(at), keys.failed)
            at = at[fine]
            self._latest.restore_errors([_taken(vector, fine) for vector in keys.columns], errors.take(at))

    def mark(self, marks: Marks) -> None:
        self._latest.mark(marks)


class Changing(Immediate):
    """ENVELOPE DEBEZIUM. Rule: out = after - before. DEBEZIUM UPSERT goes by the key and looks at `after` alone.

    State  with UPSERT, by key its row; else none but how far each partition of the upstream's log was seen, or what.
    """

    def __init__(
        self, parts: Parts, layout: Layout, heap: Heap, decoder: DebeziumDecoder, envelope: Debezium, seen: Seen,
        remembered: Remembered | None,
    ) -> None:  # fmt: skip
        self._parts = parts
        self._layout = layout
        self._heap = heap
        self._decoder = decoder
        self._seen = seen
        self._deduplicate = envelope.deduplication is not Deduplication.NONE and not envelope.upsert
        self._remembered = remembered
        self._latest = Latest(layout.key_columns, layout.columns) if envelope.upsert else None

    def apply(self, records: Records) -> Changes:
        parts = self._parts
        given = np.flatnonzero(records.values.begins >= 0)
        change = self._decoder.decode(records.values.take(given))
        failed = {int(given[row]): reason for row, reason in change.failed.items()}
        if self._latest is None:
            failed |= {int(given[row]): reason for row, reason in change.blind.items()}
        keys: list[Vector] = []
        if parts.has_keys:
            decoded = parts.keys(records.keys)
            failed |= {row: f"key: {reason}" for row, reason in decoded.failed.items()}
            keys = decoded.columns
        if self._latest is not None:
            return self._by_key(records, keys, given, change.has_after, change.after, failed)
        if self._deduplicate:
            contents = self._decoder.contents(change)
            again = self._seen.again(records.partitions[given], change.places, contents)
            if self._remembered is not None:
                again = self._remembered.again(self._facts(records, given, change, contents), again)
            fresh = ~again
        else:
            fresh = np.ones(len(given), np.bool_)
        fresh[[row for row in range(len(given)) if int(given[row]) in failed]] = False
        before = np.flatnonzero(fresh & change.has_before)
        after = np.flatnonzero(fresh & change.has_after)
        sides: list[Batch] = []
        for side, vectors, diff in ((before, change.before, -1), (after, change.after, 1)):
            rows = given[side]
            columns = parts.columns(
                records, rows, [_taken(vector, rows) for vector in keys], [_taken(vector, side) for vector in vectors]
            )
            sides.append(Batch.from_vectors(columns, np.full(len(rows), diff, np.int64)))
        return Changes(
            _together(*sides), _added(parts.errors(records, failed), len(failed)), _by_partition(records, failed),
            None if self._remembered is None else self._remembered.change(),
        )  # fmt: skip

    def _facts(self, records: Records, given: Rows, change: Change, contents: NDArray[np.int64]) -> Facts:
        keys = records.keys.take(given)
        keyed = keys.begins >= 0
        texts = Spans(keys.data, np.where(keyed, keys.begins, 0), np.where(keyed, keys.ends, 0)).intern(self._heap)
        hashed = content_words(texts.words, types.BYTEA, self._heap).view(np.int64)
        return Facts(records.partitions[given], records.times[given], change.places, contents, hashed, keyed)

    def _by_key(
        self, records: Records, keys: list[Vector], given: Rows, has_after: NDArray[np.bool_], after: Sequence[Vector],
        failed: dict[int, str],
    ) -> Changes:  # fmt: skip
        assert self._latest is not None
        for row in np.flatnonzero(records.keys.begins < 0).tolist():
            failed[row] = "the record has no key"
        place = np.full(len(records), -1, np.int64)
        place[given[has_after]] = np.flatnonzero(has_after)
        rows = _but(len(records), failed)
        last = self._latest.last([_taken(vector, rows) for vector in keys], len(rows))
        rows = rows[last.rows]
        at = place[rows]
        state = np.where(at < 0, Latest.NONE, Latest.ROW).astype(np.uint8)
        there = np.maximum(at, 0)
        padded = [vector if len(vector) else Vector(np.zeros(1, np.uint64)) for vector in after]
        columns = self._parts.columns(
            records, rows, [_taken(vector, rows) for vector in keys], [_taken(vector, there) for vector in padded]
        )
        change, _ = self._latest.become(last, state, _added(columns, len(rows)), Batch.empty(len(ERROR_COLUMNS)))
        lost = _added(self._parts.errors(records, failed), len(failed))
        return Changes(change, lost, _by_partition(records, failed))

    def restore(self, rows: Batch, errors: Batch) -> None:
        if self._latest is not None and len(rows):
            names = [column.name for column in self._layout.columns]
            key = [names.index(column.name) for column in self._layout.key_columns]
            self._latest.restore([rows.vector(column) for column in key], rows)

    def mark(self, marks: Marks) -> None:
        if self._latest is not None:
            self._latest.mark(marks)


class Settled:
    """ENVELOPE MATERIALIZE. Rule: out = the updates of the times that are complete now, and were not before.

    State  what waits for its time to be complete (settling.py).
    """

    def __init__(self, parts: Parts, layout: Layout, decoder: CdcDecoder, frontier: int) -> None:
        self._parts = parts
        self._decoder = decoder
        self._settling = Settling(layout.columns, frontier)

    def apply(self, records: Records) -> Changes:
        given = np.flatnonzero(records.values.begins >= 0)
        heard = self._decoder.decode(records.values.take(given))
        failed = {int(given[row]): reason for row, reason in heard.failed.items()}
        for row in np.flatnonzero(records.values.begins < 0).tolist():
            failed[row] = NO_VALUE
        rows = self._settling.hear(heard, records.partitions[given], records.offsets[given])
        return Changes(rows, _added(self._parts.errors(records, failed), len(failed)), _by_partition(records, failed))

    def restore(self, rows: Batch, errors: Batch) -> None:
        """What waited is read again."""

    def mark(self, marks: Marks) -> None:
        self._settling.mark(marks)

    def held(self) -> Mapping[int, int]:
        return self._settling.held()

    def kept(self) -> Mapping[str, int]:
        return {FRONTIER: self._settling.frontier}

    def forget(self) -> None:
        self._settling.forget()


def _taken(vector: Vector, rows: Rows) -> Vector:
    return vector if len(rows) == len(vector) else vector.take(rows)


def _but(n: int, failed: Mapping[int, str]) -> Rows:
    """All rows but those."""
    if not failed:
        return np.arange(n)
    keep = np.ones(n, np.bool_)
    keep[list(failed)] = False
    return np.flatnonzero(keep)


def _added(columns: Sequence[Vector], n: int) -> Batch:
    return Batch.from_vectors(columns, np.ones(n, np.int64))


def _together(*batches: Batch) -> Batch:
    full = [batch for batch in batches if len(batch)]
    if not full:
        return batches[0]
    return full[0] if len(full) == 1 else Batch.concat(full)


def _by_partition(records: Records, failed: Mapping[int, str]) -> dict[int, int]:
    found: dict[int, int] = {}
    for row in failed:
        partition = int(records.partitions[row])
        found[partition] = found.get(partition, 0) + 1
    return found


def _without(vector: Vector, rows: Rows) -> Vector:
    """The column with NULL in those rows."""
    words = vector.words.copy()
    nulls = np.zeros(len(words), np.bool_) if vector.nulls is None else vector.nulls.copy()
    words[rows] = 0
    nulls[rows] = True
    return Vector(words, nulls)


def _inline_errors(n: int, bad: Mapping[int, str], heap: Heap) -> Vector:
    nulls = np.ones(n, np.bool_)
    words = np.zeros(n, np.uint64)
    for row, reason in bad.items():
        words[row] = heap.intern(nested.encode((reason, "22P02"), INLINE_ERROR))
        nulls[row] = False
    return Vector(words, nulls)
