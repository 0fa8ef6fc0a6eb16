"""Materialize's CDC: updates of rows at times, and how many updates there are at each time.

A message is a union of an array of updates {data, time, diff} and a statement {lower, upper, counts}: at the times from
`lower` on and below `upper` there are so many different updates as `counts` says, and none at times that it does not
name. Times are numbers from 0 on; a bound without a number is the end of time. Messages may come twice and in any
order; what they come to is for kafka/settling.py to know.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from engine import types
from engine.catalog.sources import AvroFormat, Format
from engine.collection.batch import Batch
from engine.collection.heap import Heap
from engine.connectors import registry
from engine.connectors.avro.compile import UPDATE_NUMBERS, compile_updates
from engine.connectors.avro.decode import AvroDecoder
from engine.connectors.avro.schema import Avro, Field, branch_with, data_columns, updates_in
from engine.connectors.avro.values import Read, long, reader_of
from engine.connectors.feed import Resolve
from engine.connectors.records import Spans
from engine.errors import InvalidParameter, MalformedSource
from engine.kernels.avro import CHAINED
from engine.types import Column

END_OF_TIME: Final = (1 << 63) - 1

_LONGS: Final = Avro("array", inner=(Avro("long"),))
_COUNT: Final = Avro("record", fields=(Field("time", Avro("long")), Field("count", Avro("long"))))
_COUNTS: Final = Avro("array", inner=(_COUNT,))
STATEMENT: Final = Avro("record", fields=(Field("lower", _LONGS), Field("upper", _LONGS), Field("counts", _COUNTS)))
"""What statements are read as."""


@dataclass(frozen=True, slots=True)
class Statement:
    """At the times from `lower` on and below `upper` there are `counts` different updates (by time), elsewhere none."""

    lower: int
    upper: int
    counts: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True, eq=False)
class Heard:
    """Of n messages: updates, each as the columns of its row, its time and its diff; by update the message that it is
    from; statements by message; and why some messages are none, of which nothing else is here."""

    updates: Batch
    messages: NDArray[np.int64]
    statements: dict[int, Statement]
    failed: dict[int, str]


def columns_of(format: Format) -> tuple[Column, ...]:
    """The columns of the relation that is told of."""
    if not isinstance(format, AvroFormat):
        raise InvalidParameter("ENVELOPE MATERIALIZE is for FORMAT AVRO")
    return data_columns(format.schema)


class CdcDecoder:
    """Messages to updates and statements. A message is taken whole or, if any of it does not decode, not at all."""

    def __init__(self, format: AvroFormat, columns: tuple[Column, ...], heap: Heap, resolve: Resolve) -> None:
        schemas = None if format.registry is None else registry.Registry(format.registry, resolve)
        numbers = (Column(name, types.BIGINT, nullable=False) for name in UPDATE_NUMBERS)
        self._updates = AvroDecoder(format, (*columns, *numbers), heap, schemas, compile_updates)
        self._branches: dict[int, tuple[int, int, Read] | str] = {}

    def decode(self, data: Spans) -> Heard:
        """What the messages tell."""
        ids, body, failed = self._updates.frames(data)
        view = body.data.data
        statements: dict[int, Statement] = {}
        parts: list[tuple[Batch, NDArray[np.int64]]] = []
        for id in np.unique(ids[ids >= 0]).tolist():
            branches = self._of_writer(id)
            rows = np.flatnonzero(ids == id).tolist()
            if isinstance(branches, str):
                failed.update(dict.fromkeys(rows, branches))
                continue
            updates, statement, read = branches
            blocks: list[tuple[int, int]] = []
            for row in rows:
                end = int(body.ends[row])
                try:
                    branch, at = long(view[:end], int(body.begins[row]))
                    if branch == updates:
                        blocks.append((row, at))
                    elif branch == statement:
                        statements[row] = _statement(read, bytes(view[at:end]))
                    else:
                        failed[row] = "malformed Avro: a union has no such branch"
                except (ValueError, IndexError) as error:
                    failed[row] = f"malformed Avro: {error}"
            while blocks:
                blocks = self._blocks(id, body, view, blocks, parts, failed)
        return self._together(parts, statements, failed)

    def _of_writer(self, id: int) -> tuple[int, int, Read] | str:
        """Of a writer's schema the branch of updates, that of statements and what reads those; or why it is none."""
        found = self._branches.get(id)
        if found is None:
            try:
                union = self._updates.writer(id)
                number, record = branch_with(union, *(field.name for field in STATEMENT.fields))
                found = updates_in(union)[0], number, reader_of(record, STATEMENT)
            except MalformedSource as error:
                found = error.message
            self._branches[id] = found
        return found

    def _blocks(
        self, id: int, body: Spans, view: memoryview, blocks: Sequence[tuple[int, int]],
        parts: list[tuple[Batch, NDArray[np.int64]]], failed: dict[int, str],
    ) -> list[tuple[int, int]]:  # fmt: skip
        """Decode one block of the array of each message (row, offset). The blocks behind them: most arrays have one.

        Updates say no length, so those of a block are chained, and behind them one more that is none: it tells where
        the block ended.
        """
        rows: list[int] = []
        begins: list[NDArray[np.int64]] = []
        for row, at in blocks:
            end = int(body.ends[row])
            try:
                count, at = long(view[:end], at)
                if count < 0:
                    count = -count
                    _, at = long(view[:end], at)
            except IndexError:
                failed[row] = "malformed Avro: the datum ends too early"
                continue
            if count == 0 and at != end:
                failed[row] = "malformed Avro: bytes are left over behind the datum"
            elif 2 * count > end - at:  # a time and a diff take a byte each, at least
                failed[row] = "malformed Avro: a length is out of bounds"
            elif count:
                chain = np.full(count + 1, CHAINED, np.int64)
                chain[0] = at
                rows.append(row)
                begins.append(chain)
        if not rows:
            return []
        sizes = np.array([len(chain) for chain in begins])
        of = np.repeat(np.array(rows), sizes)
        spans = Spans(body.data, np.concatenate(begins), body.ends[of])
        decoded = self._updates.decode_all(id, spans)
        behind = np.cumsum(sizes) - 1
        real = np.delete(np.arange(len(of)), behind)
        updates = Batch.from_vectors([vector.take(real) for vector in decoded.columns], np.ones(len(real), np.int64))
        for update, reason in decoded.failed.items():
            if update not in behind:
                failed.setdefault(int(of[update]), reason)
        for update in np.flatnonzero(times_of(updates) < 0).tolist():
            failed.setdefault(int(of[real[update]]), "a time is below 0")
        parts.append((updates, of[real]))
        return [(row, int(spans.begins[at])) for row, at in zip(rows, behind, strict=True) if row not in failed]

    def _together(
        self, parts: list[tuple[Batch, NDArray[np.int64]]], statements: dict[int, Statement], failed: dict[int, str]
    ) -> Heard:
        """Without the updates of messages that failed, perhaps in a later block."""
        bad = np.array(sorted(failed), np.int64)
        kept = [np.flatnonzero(~np.isin(of, bad)) for _, of in parts]
        updates = [batch.take(keep) for (batch, _), keep in zip(parts, kept, strict=True)]
        messages = [of[keep] for (_, of), keep in zip(parts, kept, strict=True)]
        empty = Batch.empty(len(self._updates.columns))
        return Heard(Batch.concat([empty, *updates]), np.concatenate([np.zeros(0, np.int64), *messages]),
                     statements, failed)  # fmt: skip


def times_of(updates: Batch) -> NDArray[np.int64]:
    """The time of each."""
    return updates.vector(updates.columns - 2).words.view(np.int64)


def rows_of(updates: Batch) -> Batch:
    """The changes that they are: each row with its diff."""
    diffs = updates.vector(updates.columns - 1).words.view(np.int64)
    return updates.project(range(updates.columns - 2)).with_diffs(diffs)


def _statement(read: Read, data: bytes) -> Statement:
    """ValueError for what says nothing."""
    raw: Any
    raw, at = read(data, 0)
    if at != len(data):
        raise ValueError("bytes are left over behind the datum")
    lower, upper = (_bound(bounds) for bounds in raw[:2])
    counts = dict[int, int]()
    for time, count in raw[2]:
        if not lower <= time < upper or count < 0 or time in counts:
            raise ValueError(f"a statement of the times from {lower} to {upper} counts {count} updates at {time}")
        counts[time] = count
    if lower > upper:
        raise ValueError(f"a statement is of the times from {lower} back to {upper}")
    return Statement(lower, upper, tuple(sorted(counts.items())))


def _bound(times: Sequence[int]) -> int:
    if len(times) > 1 or any(time < 0 for time in times):
        raise ValueError("a bound of a statement is one time from 0 on, or none")
    return times[0] if times else END_OF_TIME
