"""Transactions of the upstream: whatever blocks records and ENDs come in, what is given out is whole transactions."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.connectors.kafka.batches import Records
from engine.connectors.kafka.gathering import STRIDE, End, Transactions
from engine.connectors.records import Spans
from engine.connectors.together import Member, cut


def records(rows: list[tuple[int, int, int]]) -> Records:
    """Of (partition, offset, what its value says)."""
    values = Spans.of([str(value).encode() for _, _, value in rows])
    absent = Spans(values.data, np.full(len(rows), -1, np.int64), np.full(len(rows), -1, np.int64))
    columns = np.array([[row[i] for row in rows] for i in range(2)], np.int64).reshape(2, len(rows))
    return Records(columns[0], columns[1], columns[0], absent, values, absent, {})


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_whole_and_in_order(data):
    """Records of a partition come in order, and so do ENDs; the one may be ahead of the other, and of other partitions.
    Now and then a process ends and another goes on from what was kept."""
    sizes = data.draw(st.lists(st.integers(0, 4), min_size=1, max_size=12))
    spread = data.draw(st.sampled_from([2, STRIDE // 3, STRIDE]))
    places = [(number, order) for number, size in enumerate(sizes) for order in range(size)]
    partitions = [data.draw(st.integers(0, 1)) for _ in places]
    streams: list[list[tuple[int, int]]] = [
        [p for p, at in zip(places, partitions, strict=True) if at == n] for n in (0, 1)
    ]
    ends = [End(number * spread, f"t{number}", size) for number, size in enumerate(sizes)]
    kept: dict[str, int] = {}
    read, heard, applied = [0, 0], 0, list[tuple[int, int]]()
    gate = Transactions("c", kept, 1 << 30)
    for _ in range(400):
        what = data.draw(st.sampled_from(["read 0", "read 1", "hear", "step", "die"])) if len(applied) < 200 else "die"
        if what == "hear" and heard < len(ends):
            gate.hear([ends[heard]], ends[heard].offset + 1)
            heard += 1
        elif what.startswith("read"):
            n = int(what[-1])
            some = streams[n][read[n] : read[n] + 3]
            rows = [(n, read[n] + i, number * 10 + order) for i, (number, order) in enumerate(some)]
            gate.hold(records(rows), [f"t{number}" for number, _ in some], np.array([o for _, o in some], np.int64))
            read[n] += len(some)
        elif what == "die":
            held = gate.held()
            read = [held.get(n, read[n]) for n in (0, 1)]
            kept |= gate.kept("id")
            gate = Transactions("c", kept, 1 << 30)
            heard = sum(end.offset < gate.upto for end in ends)
        if what == "step" or (heard == len(ends) and read == [len(stream) for stream in streams]):
            step = gate.step()
            if step is None and what != "step" and len(applied) == len(places):
                break
            if step is not None:
                values = [int(step.records.values.get(row)) for row in range(len(step.records))]
                applied += [divmod(value, 10) for value in values]
                gate.give(step)
                kept |= gate.kept("id")
            assert applied == places[: len(applied)]
            assert len(applied) == sum(size for end, size in zip(ends, sizes, strict=True) if end.offset < gate.upto)
        if what == "die" and len(applied) == len(places):
            break


def test_what_is_sent_again_is_passed_over():
    gate = Transactions("c", {}, 1 << 30)
    once = records([(0, 0, 1), (0, 1, 2), (0, 2, 1), (0, 3, 2)])
    gate.hold(once, ["t"] * 4, np.array([1, 2, 1, 2], np.int64))
    gate.hear([End(5, "t", 2)], 6)
    step = gate.step()
    assert step is not None
    assert step.records.offsets.tolist() == [0, 1]
    gate.give(step)
    gate.hold(records([(0, 4, 2)]), ["t"], np.array([2], np.int64))
    gate.hear([End(7, "t", 2)], 8)
    again = gate.step()
    assert again is not None
    gate.give(again)
    assert (len(again.records), gate.upto, gate.held()) == (0, 8, {})


@given(
    st.lists(st.tuples(st.integers(0, 3), st.lists(st.tuples(st.integers(4, 12), st.integers(0, 9)), max_size=4)),
             min_size=1, max_size=3), st.integers(1, 40),
)  # fmt: skip
def test_all_stop_at_the_cut(drawn, rows_max):
    members = []
    for taken, steps in drawn:
        by_stop = dict(steps)
        sums = np.cumsum([by_stop[stop] for stop in sorted(by_stop)]).tolist()
        members.append(Member(taken, list(zip(sorted(by_stop), sums, strict=True))))
    stops = [
        stop for stop in range(13)
        if any(stop == upto for _, steps in members for upto, _ in steps)
        and all(taken >= stop or any(stop == upto for upto, _ in steps) for taken, steps in members)
    ]  # fmt: skip

    def rows(stop: int) -> int:
        return sum(sums for _, steps in members for upto, sums in steps if upto == stop)

    fitting = [stop for stop in stops if rows(stop) <= rows_max]
    assert cut(members, rows_max) == (max(fitting) if fitting else min(stops, default=None))
