"""Deduplication 'full' is a set of all that was seen: whatever the cuts, and whichever process asks."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.catalog.sources import Between
from engine.collection.batch import Batch
from engine.collection.heap import Heap
from engine.connectors.debezium import PARTS, Places, Seen
from engine.connectors.remembered import SEEN_COLUMNS, Facts, Known, Remembered

RANGE = Between(start_ms=20, end_ms=30, pad_start_ms=10)


@dataclass(frozen=True)
class Change:
    """A change as a test draws it; `place` None: of a snapshot."""

    partition: int
    time: int
    place: int | None
    content: int
    key: int | None


CHANGES = st.lists(
    st.builds(
        Change, st.integers(0, 1), st.integers(0, 40), st.none() | st.integers(0, 5), st.integers(0, 2),
        st.none() | st.integers(0, 3),
    ),
    max_size=40,
)  # fmt: skip


def facts(changes: list[Change]) -> Facts:
    n = len(changes)
    parts = np.zeros((PARTS, n), np.int64)
    parts[0] = [each.place or 0 for each in changes]
    placed = np.array([each.place is not None for each in changes], np.bool_)

    def column(values: list[int]) -> np.ndarray:
        return np.array(values, np.int64)

    return Facts(
        column([each.partition for each in changes]), column([each.time for each in changes]), Places(parts, placed),
        column([each.content for each in changes]), column([each.key or 0 for each in changes]),
        np.array([each.key is not None for each in changes], np.bool_),
    )  # fmt: skip


def oracle(changes: list[Change], between: Between | None) -> list[bool]:
    """The law, change by change."""
    found: list[bool] = []
    reached: dict[int, int] = {}
    there: dict[int, set[int]] = {}
    known: dict[int, set[tuple]] = {0: set(), 1: set()}
    over: set[int] = set()
    for each in changes:
        at = each.partition
        behind = False
        if each.place is not None:
            if each.place > reached.get(at, -1):
                reached[at], there[at] = each.place, set()
            behind = each.place < reached[at] or each.content in there[at]
            if each.place == reached[at]:
                there[at].add(each.content)
        what = ("placed", each.place, each.content) if each.place is not None else ("keyed", each.key)
        told = each.place is not None or each.key is not None
        trusted = told
        if between is not None and each.place is not None:
            told, trusted = each.time >= between.pad_start_ms, each.time >= between.start_ms
        if at in over or not told:
            found.append(behind)
            continue
        found.append(what in known[at] if trusted else behind)
        known[at].add(what)
        if between is not None and each.place is not None and each.time > between.end_ms:
            over.add(at)
            known[at].clear()
    return found


@settings(max_examples=150, deadline=None)
@given(CHANGES, st.sampled_from([None, RANGE]), st.lists(st.integers(0, 40), max_size=3), st.booleans())
def test_each_is_taken_once(changes, between, cuts, restarts):
    heap = Heap(1 << 20)
    seen, remembered, kept = Seen(), Remembered(between, heap), Batch.empty(len(SEEN_COLUMNS))
    remembered.restart("t", ())
    found: list[bool] = []
    places = sorted({0, len(changes), *(min(cut, len(changes)) for cut in cuts)})
    for begin, end in pairwise(places):
        each = facts(changes[begin:end])
        found += remembered.again(each, seen.again(each.partitions, each.places, each.contents)).tolist()
        kept = Batch.concat([kept, remembered.change()]).consolidate()
        assert (kept.diffs == 1).all()
        if restarts:
            over = remembered.over
            remembered = Remembered(between, heap)
            remembered.restore(kept)
            remembered.restart("t", over)
    assert found == oracle(changes, between)


@given(st.lists(st.lists(st.integers(0, 30), max_size=20)))
def test_known(blocks):
    known, naive = Known(), set()
    for block in blocks:
        expected = [number not in naive and number not in block[:i] for i, number in enumerate(block)]
        assert known.add(np.array(block, np.int64)).tolist() == expected
        naive |= set(block)
    assert set(known.numbers().tolist()) == naive
    assert len(known.numbers()) == len(naive)
