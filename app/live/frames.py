"""Changes as frames, made once for all subscribers that want them alike.

Law: what differs between subscribers (the id of theirs, their token) stands before the rest of a frame, so the rest is
shared. It is kept while the tick is recent: some hundred subscribers of a view cost one encoding a tick.
"""

# pyright: basic
# pyarrow ships no types.

import asyncio
import io
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import pyarrow as pa

from app.data.datums import encoded, rows
from app.front import Front
from app.schemas.live import Format, Mode
from engine.database import Keyed, SubscriptionBatch, keyed

CHANGES_MAX: Final = 10_000
"""Changes in one frame: about a megabyte, which is what websocket clients take by default."""

KEPT: Final = 64
"""Encoded batches that are kept for the next subscriber. One that is slower than so many ticks encodes its own."""

SNAPSHOTS_AT_ONCE: Final = 4
"""Parts of snapshots that are made at once: the machine's cores share the work, more only share the memory."""


@dataclass(frozen=True, slots=True)
class Shape:
    """How a subscriber wants its changes; `key` are column numbers."""

    mode: Mode = "diff"
    format: Format = "json"
    key: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Part:
    """A frame without its beginning: `head` are members of its JSON object, `data` is an Arrow stream or None."""

    head: str
    data: bytes | None
    more: bool

    def frame(self, id: str, token: str) -> str | bytes:
        """The frame for one subscriber: text, or binary as u32 big-endian length, JSON of that length, Arrow stream.

        `id` is JSON. The last part bears the token.
        """
        begin = f'{{"type":"changes","id":{id},'
        text = f"{begin}{self.head}}}" if self.more else f'{begin}"token":"{token}",{self.head}}}'
        if self.data is None:
            return text
        head = text.encode()
        return len(head).to_bytes(4, "big") + head + self.data


class Frames:
    """The batches that were encoded last, by what they are of and their shape."""

    def __init__(self, front: Front) -> None:
        self._front: Final = front
        self._snapshots: Final = asyncio.Semaphore(SNAPSHOTS_AT_ONCE)
        self._kept: OrderedDict[tuple[int, Shape], tuple[object, asyncio.Future[list[Part]]]] = OrderedDict()

    async def of(self, batch: SubscriptionBatch, shape: Shape, snapshot: bool) -> AsyncIterator[Part]:
        """The parts of a batch. A snapshot is one subscriber's own: a part of it is made when the one before is sent,
        and only so many at once, for it is as much memory as its rows are."""
        if snapshot:
            made = parts(batch, shape, True)
            while (part := await self._next(made)) is not None:
                yield part
            return
        # An equal number is the same batch: what is kept holds its batch, so no other can take its place in memory.
        name = id(batch.delta), shape
        kept = self._kept.get(name)
        if kept is None:
            work = asyncio.ensure_future(self._front.in_thread(lambda: list(parts(batch, shape, False))))
            kept = self._kept[name] = batch.delta, work
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        for part in await asyncio.shield(kept[1]):
            yield part

    async def _next(self, made: Iterator[Part]) -> Part | None:
        async with self._snapshots:
            return await self._front.in_thread(lambda: next(made, None))


def parts(batch: SubscriptionBatch, shape: Shape, snapshot: bool) -> Iterator[Part]:
    """One batch, at most CHANGES_MAX changes a part; an empty one is one part. Between two parts it holds no rows but
    those of the batch, or by key their values."""
    if shape.mode == "diff":
        total, made = batch.row_count, partial(by_count, batch, shape)
    else:
        changes = keyed(batch.delta, shape.key)
        total, made = len(changes.states), by_key(batch, shape, changes)
    for start in range(0, max(total, 1), CHANGES_MAX):
        end = min(start + CHANGES_MAX, total)
        yield part(batch.timestamp, snapshot, end < total, *made(start, end))


Made = tuple[list[dict[str, Any]], bytes | None]
"""The changes of a part as JSON, or as an Arrow stream."""


def part(timestamp: int, snapshot: bool, more: bool, changes: list[dict[str, Any]], data: bytes | None) -> Part:
    """Around the changes, what is said of them."""
    progress = None if more else timestamp
    head = {"timestamp": timestamp, "snapshot": snapshot, "changes": changes, "more": more, "progress": progress}
    return Part(encoded(head)[1:-1].decode(), data, more)


def by_count(batch: SubscriptionBatch, shape: Shape, start: int, end: int) -> Made:
    """Rows with counts."""
    data, diffs = batch.data, batch.diffs[start:end]
    piece = data.part(start, end, len(data.columns))
    if shape.format == "arrow":
        return [], ipc(piece.arrow().add_column(0, "mz_diff", pa.array(diffs)))
    given = rows(data.columns, piece.text(), piece.row_count)
    return [{"diff": diff, "row": row} for diff, row in zip(diffs.tolist(), given, strict=True)], None


def by_key(batch: SubscriptionBatch, shape: Shape, changes: Keyed) -> Callable[[int, int], Made]:
    """Changes by key: any part may need any row."""
    if shape.format == "arrow":
        table = batch.data.arrow()
        return lambda start, end: ([], stream(table, changes, shape, start, end))
    values = rows(batch.data.columns, batch.data.text(), batch.row_count)
    return lambda start, end: (list(entries(values, changes, shape, start, end)), None)


def entries(values: list[list[Any]], changes: Keyed, shape: Shape, start: int, end: int) -> Iterator[dict[str, Any]]:
    """Changes by key as schemas.live.Upsert or Debezium."""
    upsert = shape.mode == "upsert"
    for at in range(start, end):
        some = values[int(changes.rows[at])]
        before, after = int(changes.before[at]), int(changes.after[at])
        state, key = changes.states[at].value, [some[c] for c in shape.key]
        coming = None if after < 0 else values[after]
        if upsert:
            yield {"state": "upsert" if state == "insert" else state, "key": key, "row": coming}
        else:
            yield {"state": state, "key": key, "before": None if before < 0 else values[before], "after": coming}


def stream(table: pa.Table, changes: Keyed, shape: Shape, start: int, end: int) -> bytes:
    """A part by key as an Arrow IPC stream: mz_state, the key, and the others after (upsert) or before_* and after_*
    (debezium)."""
    states = [state.value for state in changes.states[start:end]]
    if shape.mode == "upsert":
        states = ["upsert" if state == "insert" else state for state in states]
    names, columns = ["mz_state"], [pa.array(states, pa.string())]
    some = table.take(pa.array(changes.rows[start:end]))
    for c in shape.key:
        names.append(table.column_names[c])
        columns.append(some.column(c))
    sides = (
        [("", changes.after)] if shape.mode == "upsert" else [("before_", changes.before), ("after_", changes.after)]
    )
    for prefix, at in sides:
        rows_at = at[start:end]
        side = table.take(pa.array(rows_at, mask=rows_at < 0))
        for c, name in enumerate(table.column_names):
            if c not in shape.key:
                names.append(prefix + name)
                columns.append(side.column(c))
    return ipc(pa.table(columns, names=names))


def ipc(table: pa.Table) -> bytes:
    """A table as one Arrow IPC stream."""
    out = io.BytesIO()
    with pa.ipc.new_stream(out, table.schema) as writer:
        writer.write_table(table)
    return out.getvalue()


def key_numbers(names: Sequence[str], wanted: Sequence[str]) -> tuple[int, ...]:
    """Column numbers by name. KeyError for a name that there is not."""
    at = {name: i for i, name in enumerate(names)}
    return tuple(at[name] for name in wanted)
