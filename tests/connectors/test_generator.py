"""Load generators: the same rows in every run, however they are cut into blocks, and never more than they promise."""

import pytest

from engine.catalog.sources import GeneratorSource
from engine.collection.batch import Batch
from engine.collection.heap import Heap
from engine.collection.words import decode_column
from engine.connectors.feed import PROGRESS, SourceSpec
from engine.connectors.generate_auction import ORGANIZATIONS, USERS
from engine.connectors.generate_marketing import CUSTOMERS
from engine.connectors.generator import GeneratorReader, describe
from engine.errors import InvalidParameter

SMALL = {
    "counter": {}, "auction": {}, "marketing": {}, "tpch": {"scale_factor": 0.0002}, "nexmark": {"batch_size": 50},
    "key value": {"keys": 30, "partitions": 4, "snapshot_rounds": 2, "value_size": 11, "batch_size": 7},
}  # fmt: skip
VARIANTS = [
    *SMALL.items(),
    ("counter", {"max_cardinality": 3}),
    ("auction", {"max_cardinality": 5}),
    ("key value", {**SMALL["key value"], "upsert": True}),
]


class Clock:
    def __init__(self) -> None:
        self.ms = 1_700_000_000_000

    def __call__(self) -> int:
        return self.ms


def reader_of(kind: str, heap: Heap, clock: Clock, offsets=None, tick_ms=100, **options):
    description = GeneratorSource(kind, tick_ms, **options)
    spec = SourceSpec(1, description, tuple(enumerate(describe(description), 10)))
    return spec, GeneratorReader(spec, description, heap, offsets or {}, clock)


def read(reader: GeneratorReader) -> list:
    """All blocks that are due."""
    blocks = []
    while (block := reader.poll()) is not None:
        blocks.append(block)
    return blocks


def contents(spec: SourceSpec, blocks, heap: Heap) -> dict[str, list[tuple]]:
    """What the deltas add up to: never less than nothing, and a row once."""
    found = {}
    for id, feed in spec.feeds:
        batches = [block.deltas[id] for block in blocks if id in block.deltas] or [Batch.empty(len(feed.columns))]
        net = Batch.concat(batches).consolidate()
        if feed.append_only:
            assert all((batch.diffs > 0).all() for batch in batches), feed.name
        assert (net.diffs == 1).all(), feed.name
        columns = [decode_column(v, c.type, heap) for v, c in zip(net.vectors(), feed.columns, strict=True)]
        rows = sorted(zip(*columns, strict=True), key=repr)
        for key in feed.keys:
            assert len({tuple(row[c] for c in key) for row in rows}) == len(rows), (feed.name, key)
        found[feed.name] = rows
    return found


@pytest.mark.parametrize(("kind", "options"), VARIANTS, ids=lambda value: value if isinstance(value, str) else "")
def test_rows_are_a_function_of_the_tick(kind, options):
    """Tick by tick, all at once, and again after a restart: the same rows; keys and promises of growth are kept."""
    heap, clock = Heap(), Clock()
    spec, slow = reader_of(kind, heap, clock, **options)
    blocks = read(slow)
    for _ in range(40):
        clock.ms += 100
        blocks += read(slow)
    once = contents(spec, blocks, heap)
    _, again = reader_of(kind, heap, clock, blocks[-1].offsets, **options)
    assert contents(spec, read(again), heap) == once
    assert once[PROGRESS] == [(40,)]
    assert sum(map(len, once.values())) > 1


def test_counter_counts_and_forgets():
    heap, clock = Heap(), Clock()
    spec, reader = reader_of("counter", heap, clock, max_cardinality=3)
    assert not spec.feeds[0][1].append_only
    blocks = read(reader)
    for step in (100, 250, 1000):
        clock.ms += step
        blocks += read(reader)
    assert 0 < reader.idle_seconds <= 0.1
    assert contents(spec, blocks, heap)[""] == [(11,), (12,), (13,)]
    assert blocks[-1].offsets["tick"] == 13


def test_as_of_comes_at_once_and_nothing_comes_from_up_to_on():
    heap, clock = Heap(), Clock()
    spec, reader = reader_of("counter", heap, clock, as_of=5, up_to=8)
    blocks = read(reader)
    assert contents(spec, blocks, heap)[""] == [(i,) for i in range(1, 6)]
    assert not reader.finished
    clock.ms += 10_000
    blocks += read(reader)
    assert contents(spec, blocks, heap)[""] == [(i,) for i in range(1, 9)]
    assert reader.finished


def test_what_comes_at_once_has_been_before():
    """The ticks before AS OF are a history: all but the latest auctions are over when it is first read."""
    heap, clock = Heap(), Clock()
    spec, reader = reader_of("auction", heap, clock, as_of=200)
    ends = [row[3].timestamp() * 1000 for row in contents(spec, read(reader), heap)["auctions"]]
    assert sum(end <= clock.ms for end in ends) == 101  # an auction of 10 s begins each 100 ms
    assert len({*ends}) == 200


def test_flat_out_waits_for_nobody():
    heap, clock = Heap(), Clock()
    spec, reader = reader_of("counter", heap, clock, tick_ms=0, up_to=120_000)
    blocks = read(reader)
    assert reader.finished
    assert len(blocks) > 1
    assert sum(block.rows for block in blocks) == 120_000
    assert contents(spec, blocks, heap)[""][-1] == (99_999,)


def test_auction_refers_to_what_there_is():
    heap, clock = Heap(), Clock()
    spec, reader = reader_of("auction", heap, clock, as_of=20)
    found = contents(spec, read(reader), heap)
    assert {name: len(found[name]) for name in ("organizations", "users", "accounts", "auctions")} == {
        "organizations": ORGANIZATIONS, "users": USERS, "accounts": ORGANIZATIONS, "auctions": 20,
    }  # fmt: skip
    assert {row[2] for row in found["bids"]} == {row[0] for row in found["auctions"]}
    assert {row[1] for row in found["bids"]} <= {row[0] for row in found["users"]}
    assert {row[1] for row in found["users"]} <= {row[0] for row in found["organizations"]}


def test_marketing_leads_convert_and_refer_to_what_there_is():
    heap, clock = Heap(), Clock()
    spec, reader = reader_of("marketing", heap, clock, as_of=400)
    found = contents(spec, read(reader), heap)
    leads = {row[0]: row for row in found["leads"]}
    assert len(found["customers"]) == CUSTOMERS
    assert {row[1] for row in found["leads"]} <= {row[0] for row in found["customers"]}
    assert {row[0] for row in found["clicks"]} <= {row[0] for row in found["impressions"]}
    assert {row[1] for row in found["coupons"]} <= leads.keys()
    assert {row[0] for row in found["conversion_predictions"]} == leads.keys()
    converted = [row for row in leads.values() if row[3] is not None]
    assert 0 < len(converted) < len(leads)
    assert all(row[3] > row[2] and row[4] is not None for row in converted)
    assert all(row[4] is None for row in leads.values() if row[3] is None)


def test_tpch_replaces_an_order_with_its_lines():
    heap, clock = Heap(), Clock()
    spec, reader = reader_of("tpch", heap, clock, **SMALL["tpch"])
    before = contents(spec, blocks := read(reader), heap)
    clock.ms += 500
    after = contents(spec, blocks + read(reader), heap)
    assert len(before["orders"]) == len(after["orders"]) == 300
    assert len({row for row in before["orders"] if row not in after["orders"]}) == 5
    assert {row[0] for row in after["lineitem"]} == {row[0] for row in after["orders"]}
    assert before["customer"] == after["customer"]


def test_every_key_has_one_value_that_is_replaced_in_turn():
    heap, clock = Heap(), Clock()
    options = {**SMALL["key value"], "upsert": True}
    spec, reader = reader_of("key value", heap, clock, **options)
    first = contents(spec, blocks := read(reader), heap)[""]
    assert [row[0] for row in sorted(first)] == list(range(30))
    assert all(len(row[3]) == 11 and row[1] == row[0] % 4 for row in first)
    clock.ms += 100
    second = contents(spec, blocks + read(reader), heap)[""]
    assert len(second) == 30
    assert len(set(first) - set(second)) == 7
    _, other = reader_of("key value", heap, clock, **{**options, "seed": 1})
    assert {row[3] for row in contents(spec, read(other), heap)[""]}.isdisjoint({row[3] for row in first})


def test_unknown_kinds_are_refused():
    with pytest.raises(InvalidParameter, match="nosuch") as failure:
        describe(GeneratorSource("nosuch", 1000))
    assert failure.value.hint is not None
    assert "TPCH" in failure.value.hint
