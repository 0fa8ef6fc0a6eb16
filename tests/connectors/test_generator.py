"""Load generators: the same rows in every run, and never more live ones than MAX CARDINALITY."""

import numpy as np
import pytest

from engine.catalog.sources import GeneratorSource
from engine.collection.batch import Batch
from engine.collection.heap import Heap
from engine.collection.words import decode_column
from engine.connectors.feed import SourceSpec
from engine.connectors.generator import AUCTION, ORGANIZATIONS, USERS, GeneratorReader, describe
from engine.errors import InvalidParameter


class Clock:
    def __init__(self) -> None:
        self.ms = 1_700_000_000_000

    def __call__(self) -> int:
        return self.ms


def reader_of(kind: str, heap: Heap, clock: Clock, max_cardinality=None, offsets=None):
    description = GeneratorSource(kind, 100, max_cardinality)
    spec = SourceSpec(1, description, tuple(enumerate(describe(description), 10)))
    return spec, GeneratorReader(spec, description, heap, offsets or {}, clock)


def contents(spec: SourceSpec, blocks, heap: Heap) -> dict[str, list[tuple]]:
    """What the deltas add up to."""
    found = {}
    for id, feed in spec.feeds:
        batches = [block.deltas[id] for block in blocks if id in block.deltas] or [Batch.empty(len(feed.columns))]
        net = Batch.concat(batches).consolidate()
        assert (net.diffs == 1).all()
        columns = [decode_column(v, c.type, heap) for v, c in zip(net.vectors(), feed.columns, strict=True)]
        found[feed.name] = sorted(zip(*columns, strict=True))
    return found


def test_counter_counts_and_forgets():
    heap, clock = Heap(), Clock()
    spec, reader = reader_of("counter", heap, clock, max_cardinality=3)
    assert not spec.feeds[0][1].append_only
    assert reader.poll() is None
    blocks = []
    for step in (100, 250, 1000):
        clock.ms += step
        blocks.append(reader.poll())
    assert reader.poll() is None
    assert 0 < reader.idle_seconds <= 0.1
    assert contents(spec, blocks, heap)[""] == [(11,), (12,), (13,)]
    assert blocks[-1].offsets["tick"] == 13


@pytest.mark.parametrize("max_cardinality", [None, 5])
def test_auction_is_a_function_of_the_tick(max_cardinality):
    heap, clock = Heap(), Clock()
    spec, slow = reader_of("auction", heap, clock, max_cardinality)
    blocks = [slow.poll()]
    for _ in range(20):
        clock.ms += 100
        blocks.append(slow.poll())
    once = contents(spec, blocks, heap)
    _, again = reader_of("auction", heap, clock, max_cardinality, blocks[-1].offsets)
    assert contents(spec, [again.poll()], heap) == once
    live = 20 if max_cardinality is None else max_cardinality
    assert {name: len(once[name]) for name in ("organizations", "users", "accounts", "auctions")} == {
        "organizations": ORGANIZATIONS, "users": USERS, "accounts": ORGANIZATIONS, "auctions": live,
    }  # fmt: skip
    auctions = {row[0] for row in once["auctions"]}
    users = {row[0] for row in once["users"]}
    assert {row[2] for row in once["bids"]} == auctions
    assert {row[1] for row in once["bids"]} <= users
    assert {row[1] for row in once["users"]} <= {row[0] for row in once["organizations"]}
    assert len({row[0] for row in once["bids"]}) == len(once["bids"]) >= live


def test_append_only_promises_are_kept():
    heap, clock = Heap(), Clock()
    spec, reader = reader_of("auction", heap, clock, 2)
    clock.ms += 2_000
    deltas = reader.poll().deltas
    for id, feed in spec.feeds:
        assert feed.append_only == (feed.name not in ("auctions", "bids"))
        assert feed.append_only == bool((deltas[id].diffs > 0).all())
        assert feed.columns == AUCTION[feed.name]
        assert np.count_nonzero(deltas[id].diffs) == len(deltas[id])


def test_unknown_kinds_are_refused():
    with pytest.raises(InvalidParameter, match="tpch"):
        describe(GeneratorSource("tpch", 1000, None))
