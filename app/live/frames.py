"""Changes as frames, made once for all subscribers that want them alike.

Law: what differs between subscribers (the id of theirs, their token) stands before the rest of a frame, so the rest is
shared. It is kept while the tick is recent: some hundred subscribers of a view cost one encoding a tick.
"""

# pyright: basic
# pyarrow ships no types.

import asyncio
import io
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa

from app.data.datums import encoded, rows
from app.front import Front
from app.schemas.live import Format, Mode
from engine.database import Keyed, SubscriptionBatch, keyed

CHANGES_MAX: Final = 10_000
"""Changes in one frame: about a megabyte, which is what websocket clients take by default."""

KEPT: Final = 64
"""Encoded batches that are kept for the next subscriber. One that is slower than so many ticks encodes its own."""


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
        self._kept: OrderedDict[tuple[int, Shape], tuple[object, asyncio.Future[list[Part]]]] = OrderedDict()

    async def of(self, batch: SubscriptionBatch, shape: Shape, snapshot: bool) -> list[Part]:
        """The parts of a batch. A snapshot is one subscriber's own."""
        if snapshot:
            return await self._front.in_thread(lambda: list(parts(batch, shape, True)))
        # An equal number is the same batch: what is kept holds its batch, so no other can take its place in memory.
        name = id(batch.delta), shape
        kept = self._kept.get(name)
        if kept is None:
            work = asyncio.ensure_future(self._front.in_thread(lambda: list(parts(batch, shape, False))))
            kept = self._kept[name] = batch.delta, work
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        return await asyncio.shield(kept[1])


def parts(batch: SubscriptionBatch, shape: Shape, snapshot: bool) -> Iterator[Part]:
    """One batch, at most CHANGES_MAX changes a part; an empty one is one part."""
    columns = batch.data.columns
    changes = keyed(batch.delta, shape.key) if shape.mode != "diff" else None
    total = batch.row_count if changes is None else len(changes.states)
    values = rows(columns, batch.data.text(), batch.row_count) if shape.format == "json" else []
    table = batch.data.arrow() if shape.format == "arrow" else None
    for start in range(0, max(total, 1), CHANGES_MAX):
        end = min(start + CHANGES_MAX, total)
        more = end < total
        data = None
        if table is not None:
            found: list[dict[str, Any]] = []
            data = stream(table, batch.diffs, changes, shape, start, end)
        elif changes is None:
            diffs = batch.diffs[start:end].tolist()
            found = [{"diff": diff, "row": row} for diff, row in zip(diffs, values[start:end], strict=True)]
        else:
            found = list(entries(values, changes, shape, start, end))
        head = {
            "timestamp": batch.timestamp,
            "snapshot": snapshot,
            "changes": found,
            "more": more,
            "progress": None if more else batch.timestamp,
        }
        yield Part(encoded(head)[1:-1].decode(), data, more)


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


def stream(
    table: pa.Table, diffs: np.ndarray, changes: Keyed | None, shape: Shape, start: int, end: int
) -> bytes:  # fmt: skip
    """A part as an Arrow IPC stream: mz_diff and the columns; or mz_state, the key, and the others after (upsert) or
    before_* and after_* (debezium)."""
    if changes is None:
        found = table.slice(start, end - start).add_column(0, "mz_diff", pa.array(diffs[start:end]))
        return ipc(found)
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
