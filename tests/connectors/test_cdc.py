"""Materialize's CDC: whatever order its messages come in, however often, cut as they may be, and whoever is killed
meanwhile, what was given out is each update of the times that are complete, once."""

import io
import json
from collections import Counter
from itertools import pairwise
from random import Random

import fastavro
import numpy as np
import pytest

from engine.catalog.sources import AvroFormat
from engine.collection.batch import Batch
from engine.collection.heap import Heap
from engine.connectors.cdc import CdcDecoder, columns_of
from engine.connectors.kafka.settling import Settling
from engine.connectors.records import Spans
from engine.errors import MalformedSource, SourceError

DATA = {"type": "record", "name": "data", "fields": [
    {"name": "id", "type": "long"}, {"name": "who", "type": ["null", "string"]},
    {"name": "tags", "type": {"type": "array", "items": "int"}}]}  # fmt: skip
LONGS = {"type": "array", "items": "long"}
SCHEMA = [
    {"type": "array", "items": {"type": "record", "name": "update", "namespace": "com.materialize.cdc", "fields": [
        {"name": "data", "type": DATA}, {"name": "time", "type": "long"}, {"name": "diff", "type": "long"}]}},
    {"type": "record", "name": "progress", "namespace": "com.materialize.cdc", "fields": [
        {"name": "lower", "type": LONGS}, {"name": "upper", "type": LONGS},
        {"name": "counts", "type": {"type": "array", "items": {"type": "record", "name": "counts", "fields": [
            {"name": "time", "type": "long"}, {"name": "count", "type": "long"}]}}}]},
]  # fmt: skip
PARSED = fastavro.parse_schema(SCHEMA)
FORMAT = AvroFormat(json.dumps(SCHEMA), framed=False)


def message(value: object) -> bytes:
    out = io.BytesIO()
    fastavro.schemaless_writer(out, PARSED, value)
    return out.getvalue()


def update(id: int, time: int, diff: int) -> dict:
    return {"data": {"id": id, "who": "é" * (id % 3) or None, "tags": [id] * (id % 4)}, "time": time, "diff": diff}


def statement(lower: int | None, upper: int | None, counts: dict[int, int]) -> dict:
    bounds = {"lower": [] if lower is None else [lower], "upper": [] if upper is None else [upper]}
    return bounds | {"counts": [{"time": time, "count": count} for time, count in counts.items()]}


class Feed:
    """A reader of such messages: (partition, offset, bytes) in, a sum of rows out."""

    def __init__(self, frontier: int = 0) -> None:
        self.heap = Heap()
        columns = columns_of(FORMAT)
        self.decoder = CdcDecoder(FORMAT, columns, self.heap, lambda setting: str(setting))
        self.settling = Settling(columns, frontier)
        self.rows: Counter[int] = Counter()
        self.failed: dict[int, str] = {}

    def read(self, messages: list[tuple[int, int, bytes]]) -> None:
        heard = self.decoder.decode(Spans.of([data for _, _, data in messages]))
        partitions, offsets = (np.array([each[i] for each in messages], np.int64) for i in range(2))
        self.failed = heard.failed
        change: Batch = self.settling.hear(heard, partitions, offsets)
        for id, diff in zip(change.vector(0).words.tolist(), change.diffs.tolist(), strict=True):
            self.rows[id] += diff


def history(dice: Random) -> tuple[list[dict[int, int]], list[bytes]]:
    """Updates by time (id: diff), and all that tells of them, once."""
    times = [
        {id: dice.choice([-2, -1, 1, 3]) for id in dice.sample(range(6), dice.choice([0, 1, 1, 2, 4]))}
        for _ in range(dice.randint(1, 8))
    ]
    updates = [update(id, time, diff) for time, at in enumerate(times) for id, diff in at.items()]
    dice.shuffle(updates)
    told: list[bytes] = []
    while updates:
        size = dice.randint(1, 4)
        told.append(message(updates[:size]))
        updates = updates[size:]
    cuts = sorted({0, len(times), *(dice.randint(0, len(times)) for _ in range(3))})
    for lower, upper in pairwise(cuts):
        named = {time: len(times[time]) for time in range(lower, upper) if times[time] or dice.random() < 0.5}
        told.append(message(statement(lower, upper, named)))
    return times, told


@pytest.mark.parametrize("seed", range(8))
def test_order_copies_cuts_and_crashes_do_not_matter(seed):
    for round in range(25):
        follow(Random(f"{seed} {round}"))


def follow(dice: Random) -> None:
    times, told = history(dice)
    told += dice.choices(told, k=dice.randint(0, 6))
    dice.shuffle(told)
    partitions: list[list[tuple[int, int, bytes]]] = [[], [], []]
    for each in told:
        partition = dice.randrange(3)
        partitions[partition].append((partition, len(partitions[partition]), each))
    feed, before = Feed(), Counter[int]()
    places, resume = [0, 0, 0], [0, 0, 0]
    while places != [len(messages) for messages in partitions]:
        block: list[tuple[int, int, bytes]] = []
        for partition, messages in enumerate(partitions):
            size = dice.randint(0, 3)
            block += messages[places[partition] : places[partition] + size]
            places[partition] = min(places[partition] + size, len(messages))
        if block:
            feed.read(block)
            held = feed.settling.held()
            resume = [held.get(partition, at) for partition, at in enumerate(places)]
        if dice.random() < 0.2:  # killed behind a commit, and started again
            before.update(feed.rows)
            feed, places = Feed(feed.settling.frontier), list(resume)
        given = Counter(before)
        given.update(feed.rows)
        passed = Counter[int]()
        for at in times[: feed.settling.frontier]:
            passed.update(at)
        assert all(given[id] == passed[id] for id in range(6))
    assert feed.settling.frontier == len(times)
    assert feed.settling.held() == {}


def test_the_example_of_the_protocol():
    feed = Feed()
    told = [update(10, 5, 1), update(12, 4, 1), update(12, 5, -1), update(10, 6, -1)]
    feed.read([(0, at, message([each])) for at, each in enumerate(told)])
    feed.read([(0, 4, message(statement(3, 10, {4: 1, 5: 2, 6: 1})))])
    assert feed.settling.frontier == 0  # nobody said anything of the times before 3
    feed.read([(0, 5, message(statement(0, 3, {})))])
    assert (feed.settling.frontier, +feed.rows) == (10, Counter())
    feed.read([(0, 6, message(told[:2])), (0, 7, message(statement(10, None, {})))])
    assert (feed.settling.frontier, +feed.rows) == ((1 << 63) - 1, Counter())


def test_a_message_is_taken_whole_or_not_at_all():
    feed = Feed()
    whole = message([update(i, 1, 1) for i in range(3)])
    broken = [whole[:-1], whole + b"\0", b"\4", b"", b"\0\2", whole[:-9] + b"\xff" * 8 + b"\0",
              message([update(1, 1, 1), update(2, -1, 1)]), message(statement(3, 2, {})),
              message(statement(0, 2, {2: 1}))]  # fmt: skip
    feed.read([(0, at, each) for at, each in enumerate(broken)])
    assert sorted(feed.failed) == list(range(len(broken)))
    assert feed.settling.held() == {}
    feed.read([(0, 20, whole), (0, 21, message(statement(0, 2, {1: 3})))])
    assert feed.rows == Counter({0: 1, 1: 1, 2: 1})


def test_arrays_in_several_blocks():
    """Java writes long arrays so: (count, updates) again and again, some with their size."""
    feed = Feed()
    one, two = (message([update(i, 1, 1)])[2:-1] for i in (7, 8))
    size = bytes([2 * len(two)])
    feed.read([(0, 0, b"\0" + b"\2" + one + b"\1" + size + two + b"\0")])
    assert feed.failed == {}
    feed.read([(0, 1, message(statement(0, 2, {1: 2})))])
    assert feed.rows == Counter({7: 1, 8: 1})


@pytest.mark.parametrize(("told", "match"), [
    ([[update(1, 1, 1), update(2, 1, 1)], statement(0, 2, {1: 1})], "2 different updates at time 1"),
    ([[update(1, 1, 1)], statement(0, 2, {})], "1 different updates at time 1, but statements say 0"),
    ([statement(0, 3, {1: 2}), statement(1, 2, {1: 1})], "differ"),
])  # fmt: skip
def test_a_feed_that_contradicts_itself_stops(told, match):
    feed = Feed()
    with pytest.raises(SourceError, match=match):
        feed.read([(0, at, message(each)) for at, each in enumerate(told)])


def test_other_schemas_are_refused():
    for schema in (DATA, [SCHEMA[1]], [{"type": "array", "items": "long"}, SCHEMA[1]]):
        with pytest.raises(MalformedSource, match="not Materialize's CDC"):
            columns_of(AvroFormat(json.dumps(schema)))
