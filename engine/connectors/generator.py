"""Load generators: COUNTER and AUCTION.

Law: every row is a function of the tick it belongs to, so that a generator keeps nothing: the rows that MAX CARDINALITY
retracts are computed again, and after a restart the same rows come again up to the tick where the last process stood.
AUCTION has Materialize's five tables; each tick opens one auction, with one to ten bids.
"""

import time
from collections.abc import Callable, Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engine import types
from engine.catalog.sources import GeneratorSource
from engine.collection.batch import Batch
from engine.collection.heap import Heap, Marks
from engine.collection.vector import Vector
from engine.connectors.dice import draw
from engine.connectors.feed import Decoded, Feed, Progress, SourceSpec
from engine.errors import InvalidParameter
from engine.types import Column

TICKS_MAX: Final = 50_000
"""Generator ticks in one block; a generator that is behind makes several blocks."""

ORGANIZATIONS, USERS = 100, 1_000
BIDS_MAX: Final = 10
AUCTION_SECONDS: Final = 10
"""How long an auction is open."""

ITEMS: Final = (
    "Signed Memorabilia", "City Bar Crawl", "Best Pizza in Town", "Gift Basket", "Custom Art", "Vintage Radio",
    "Concert Tickets", "Mountain Bike", "Rare Stamp", "Antique Clock",
)  # fmt: skip
TRADES: Final = ("Foods", "Motors", "Labs", "Partners", "Press", "Textiles", "Energy", "Logistics", "Studios", "Bank")
NAMES: Final = ("Ada", "Grace", "Edsger", "Barbara", "Donald", "Frances", "Tony", "Leslie", "Radia", "Dennis")

COUNTER: Final = (Column("counter", types.BIGINT, nullable=False),)


def describe(description: GeneratorSource) -> tuple[Feed, ...]:
    """The feeds of a generator; InvalidParameter for a kind that there is not."""
    grows = description.max_cardinality is None
    match description.kind:
        case "counter":
            return (Feed("", COUNTER, append_only=grows, keys=((0,),)),)
        case "auction":
            return tuple(
                Feed(name, columns, append_only=grows or name not in ("auctions", "bids"), keys=((0,),))
                for name, columns in AUCTION.items()
            )
        case _:
            raise InvalidParameter(
                f'unknown load generator "{description.kind}"', hint="There are COUNTER and AUCTION."
            )


def _columns(*pairs: tuple[str, types.SqlType]) -> tuple[Column, ...]:
    return tuple(Column(name, type, nullable=False) for name, type in pairs)


AUCTION: Final[dict[str, tuple[Column, ...]]] = {
    "organizations": _columns(("id", types.BIGINT), ("name", types.TEXT)),
    "users": _columns(("id", types.BIGINT), ("org_id", types.BIGINT), ("name", types.TEXT)),
    "accounts": _columns(("id", types.BIGINT), ("org_id", types.BIGINT), ("balance", types.BIGINT)),
    "auctions": _columns(
        ("id", types.BIGINT), ("seller", types.BIGINT), ("item", types.TEXT), ("end_time", types.TIMESTAMPTZ)
    ),
    "bids": _columns(
        ("id", types.BIGINT),
        ("buyer", types.BIGINT),
        ("auction_id", types.BIGINT),
        ("amount", types.INTEGER),
        ("bid_time", types.TIMESTAMPTZ),
    ),
}
"""The tables of AUCTION and their columns, as Materialize documents them."""


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


class GeneratorReader:
    """Reader of one generator; see feed.Reader for the protocol.

    `offsets` of an earlier process make it repeat that one's ticks at once, from the same start.
    """

    finished: bool = False

    def __init__(
        self,
        spec: SourceSpec,
        description: GeneratorSource,
        heap: Heap,
        offsets: Mapping[str, int],
        clock_ms: Callable[[], int] = _now_ms,
    ) -> None:
        self._description = description
        self._ids = {feed.name: id for id, feed in spec.feeds}
        self._heap = heap
        self._clock_ms = clock_ms
        self._start_ms = offsets.get("start_ms", clock_ms())
        self._ticks = 0
        self._begun = False
        self._items = heap.intern_many([item.encode() for item in ITEMS])

    @property
    def idle_seconds(self) -> float:
        """Until the next tick is due."""
        due_ms = self._start_ms + (self._ticks + 1) * self._description.tick_ms
        return max(0.001, (due_ms - self._clock_ms()) / 1000)

    def poll(self) -> Decoded | None:
        due = (self._clock_ms() - self._start_ms) // max(1, self._description.tick_ms)
        begin, end = self._ticks, min(due, self._ticks + TICKS_MAX)
        deltas: dict[int, Batch] = {}
        if self._description.kind == "auction" and not self._begun:
            deltas = self._people()
        if end > begin:
            deltas |= self._counter(begin, end) if self._description.kind == "counter" else self._auction(begin, end)
            self._ticks = end
        self._begun = True
        if not deltas:
            return None
        rows = sum(len(batch) for batch in deltas.values())
        return Decoded(deltas, rows, {"tick": self._ticks, "start_ms": self._start_ms})

    def _window(self, begin: int, end: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The ticks whose rows come, then those whose rows go, and the diff of each."""
        come = np.arange(begin, end)
        live = self._description.max_cardinality
        if live is None:
            return come, np.ones(len(come), np.int64)
        go = np.arange(max(0, begin - live), max(0, end - live))
        return np.concatenate([come, go]), np.repeat(np.array([1, -1], np.int64), [len(come), len(go)])

    def _counter(self, begin: int, end: int) -> dict[int, Batch]:
        ticks, diffs = self._window(begin, end)
        return {self._ids[""]: Batch.from_vectors([_integers(ticks + 1)], diffs)}

    def _auction(self, begin: int, end: int) -> dict[int, Batch]:
        ticks, diffs = self._window(begin, end)
        opened = (self._start_ms + ticks * self._description.tick_ms) * 1000
        auctions = [
            _integers(ticks + 1),
            _integers(draw(ticks, 1, USERS) + 1),
            Vector(self._items[draw(ticks, 2, len(ITEMS))]),
            _integers(opened + AUCTION_SECONDS * 1_000_000),
        ]
        count = draw(ticks, 3, BIDS_MAX) + 1
        auction = np.repeat(ticks, count)
        nth = np.arange(len(auction)) - np.repeat(np.cumsum(count) - count, count)
        serial = auction * BIDS_MAX + nth
        bids = [
            _integers(serial + 1),
            _integers(draw(serial, 4, USERS) + 1),
            _integers(auction + 1),
            _integers(draw(serial, 5, 100) + 1),
            _integers(np.repeat(opened, count) + nth * 100_000),
        ]
        return {
            self._ids["auctions"]: Batch.from_vectors(auctions, diffs),
            self._ids["bids"]: Batch.from_vectors(bids, np.repeat(diffs, count)),
        }

    def _people(self) -> dict[int, Batch]:
        """The tables that do not change."""
        orgs, users = np.arange(ORGANIZATIONS), np.arange(USERS)
        companies = [f"{NAMES[i // 10]} {TRADES[i % 10]}".encode() for i in orgs.tolist()]
        people = [f"{NAMES[i % 10]} {i // 10 + 1}".encode() for i in users.tolist()]
        return {
            self._ids[name]: Batch.from_vectors(columns, np.ones(len(columns[0]), np.int64))
            for name, columns in {
                "organizations": [_integers(orgs + 1), Vector(self._heap.intern_many(companies))],
                "users": [
                    _integers(users + 1),
                    _integers(draw(users, 6, ORGANIZATIONS) + 1),
                    Vector(self._heap.intern_many(people)),
                ],
                "accounts": [_integers(orgs + 1), _integers(orgs + 1), _integers(draw(orgs, 7, 100_000))],
            }.items()
        }

    def progress(self) -> Mapping[str, Progress]:
        return {}

    def interrupt(self) -> None:
        """A poll never waits."""

    def mark(self, marks: Marks) -> None:
        marks.codes(self._items)

    def close(self) -> None:
        """It holds nothing."""


def _integers(values: NDArray[np.int64]) -> Vector:
    return Vector(values.view(np.uint64))
