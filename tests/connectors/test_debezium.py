"""Debezium's changes: whatever it sends again, and wherever we begin anew, each change counts once."""

import json

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from engine import types
from engine.catalog.sources import JsonFormat
from engine.collection.heap import Heap
from engine.collection.words import decode_column
from engine.connectors.debezium import PARTS, Change, DebeziumDecoder, Places, Seen
from engine.connectors.records import Spans
from engine.types import Column

COLUMNS = (Column("id", types.BIGINT), Column("v", types.TEXT))


def places_of(numbers: list[tuple[int, int]]) -> Places:
    parts = np.zeros((PARTS, len(numbers)), np.int64)
    parts[:2] = np.array(numbers, np.int64).reshape(-1, 2).T
    return Places(parts, np.ones(len(numbers), np.bool_))


@given(
    log=st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=30),
    resumes=st.lists(st.integers(0, 30), max_size=4),
    cuts=st.sets(st.integers(0, 120)),
    restarts=st.sets(st.integers(0, 120)),
)
def test_each_change_counts_once(log, resumes, cuts, restarts):
    """The upstream's log is told again from earlier places; neither blocks nor our own restarts matter."""
    log = [(place, content) for content, place in enumerate(sorted(log))]  # several changes may be at one place
    sent: list[tuple[tuple[int, int], int]] = []
    for resume in [*resumes, len(log)]:
        reached = len({change for change in sent})
        begin = min(resume, reached)
        while 0 < begin < len(log) and log[begin - 1][0] == log[begin][0]:
            begin -= 1  # Debezium resumes at a place
        sent += log[begin:] if resume is len(log) else log[begin : begin + 1 + resume]
    seen, counted, block = Seen(), [], []
    for i, change in enumerate([*sent, None]):
        if block and (change is None or i in cuts):
            places, contents = places_of([place for place, _ in block]), np.array([each for _, each in block], np.int64)
            again = seen.again(np.full(len(block), 7), places, contents)
            counted += [each for each, old in zip(block, again.tolist(), strict=True) if not old]
            block = []
            if i in restarts:
                written, seen = seen.written(7), Seen()
                seen.restart({7: (*written, 99, 98)})  # what a longer one left behind in the log
        if change is not None:
            block.append(change)
    assert sorted(counted) == sorted(set(sent))


SOURCES = (
    ({"lsn": 24023128, "txId": 5, "snapshot": "false"}, (24023128, 0, 0, 0)),
    ({"lsn": 24023128, "snapshot": "last"}, None),
    ({"lsn": 5, "snapshot": True}, None),
    ({"file": "mysql-bin.000007", "pos": 154, "row": 2, "snapshot": False}, (7, 154, 2, 0)),
    ({"file": "mysql-bin", "pos": 154}, None),
    ({"change_lsn": "0000002a:00000f60:0003", "event_serial_no": 2}, (42, 3936, 3, 2)),
    ({"change_lsn": "NULL", "lsn": None}, None),
    ({"ts_ms": 1}, None),
    (None, None),
)


def decoded(*documents: object) -> tuple[Change, DebeziumDecoder, Heap]:
    heap = Heap()
    decoder = DebeziumDecoder(JsonFormat(), COLUMNS, heap, lambda setting: "")
    return decoder.decode(Spans.of([json.dumps(each).encode() for each in documents])), decoder, heap


def test_places_of_each_upstream():
    change, _, _ = decoded(*({"op": "c", "after": {"id": 1}, "source": source} for source, _ in SOURCES))
    found = [
        tuple(part) if known else None
        for part, known in zip(change.places.parts.T.tolist(), change.places.known, strict=True)
    ]
    assert found == [place for _, place in SOURCES]
    assert change.failed == {}


@given(st.lists(st.tuples(st.booleans(), st.sampled_from("cudr"), *[st.none() | st.integers(0, 9)] * 2), min_size=1))
def test_envelopes_wrapped_or_not(made):
    """{"payload": change} is the change; what it was before and after are the columns of that row."""
    documents = []
    for wrapped, op, before, after in made:
        sides = {
            name: None if side is None else {"id": side, "v": "é\n" * side}
            for name, side in (("before", before), ("after", after))
        }
        document = {**sides, "op": op, "source": {"lsn": 1}}
        documents.append({"schema": {"before": 1}, "payload": document} if wrapped else document)
    change, decoder, heap = decoded(*documents)
    for i, vectors, has in ((2, change.before, change.has_before), (3, change.after, change.has_after)):
        wanted = [each[i] for each in made]
        assert has.tolist() == [each is not None for each in wanted]
        assert decode_column(vectors[0], types.BIGINT, heap) == wanted
        assert decode_column(vectors[1], types.TEXT, heap) == [None if n is None else "é\n" * n for n in wanted]
    assert set(change.blind) == {i for i, (_, op, before, _) in enumerate(made) if op in "ud" and before is None}
    contents = decoder.contents(change).tolist()
    said = [(before, after) for _, _, before, after in made]
    assert len(set(contents)) == len(set(said)) == len(set(zip(contents, said, strict=True)))


def test_what_is_no_change():
    change, _, _ = decoded({"after": {"id": "x"}}, [1], {"payload": [1]}, {"after": {"id": 1}, "source": {"lsn": "x"}})
    assert change.failed == {
        0: 'column "id": expected bigint but got string',
        1: "expected a JSON object but got array",
        2: "expected a JSON object but got array",
        3: 'source: column "lsn": expected bigint but got string',
    }
