"""The heap's laws: equal data, equal codes; what is marked or young stays; what is not goes."""

import threading

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from engine.collection.heap import DECIMAL_TAG, Heap, Unknown
from engine.types import Physical

data = st.binary(max_size=24) | st.sampled_from([b"", b"a", b"12345678", b"123456789"])


@settings(deadline=None, max_examples=100)
@given(st.lists(data))
def test_equal_data_have_equal_codes_and_decode_to_themselves(values):
    heap = Heap()
    codes = heap.intern_many(values)
    assert heap.decode(codes).to_pylist() == values
    assert [heap.get(int(code)) for code in codes] == values
    assert [heap.intern(value) for value in values] == codes.tolist()
    assert len(set(codes.tolist())) == len(set(values))
    assert len(heap) == len(set(values) - {b""})
    assert (heap.hash_of(codes) == hashes_elsewhere(values)).all()


def hashes_elsewhere(values: list[bytes]) -> np.ndarray:
    """The content hashes in a heap that met the data in another order."""
    other = Heap()
    other.intern_many(sorted(values))
    return other.hash_of(other.intern_many(values))


@settings(deadline=None, max_examples=60)
@given(st.lists(st.text(max_size=12) | st.none(), max_size=30), st.integers(0, 5), st.integers(0, 5))
def test_arrow_arrays_of_every_kind(values, cut, tail):
    heap = Heap()
    for kind in (pa.string(), pa.large_string(), pa.binary(), pa.large_binary()):
        raw = [None if v is None else v.encode() for v in values] if "binary" in str(kind) else values
        array = pa.array(raw, kind)[cut : max(cut, len(values) - tail)]
        want = [b"" if v is None else v.encode() for v in values[cut : max(cut, len(values) - tail)]]
        codes = heap.intern_arrow(array)
        assert heap.decode(codes).to_pylist() == want
        assert (codes[[v is None for v in array.to_pylist()]] == 0).all()


def test_growth_keeps_codes_and_views_stay_readable():
    heap = Heap()
    first = heap.intern(b"first")
    before = heap.view()
    many = [f"datum {i}".encode() for i in range(50_000)]
    codes = heap.intern_arrow(pa.array(many, pa.large_binary()))
    assert heap.intern(b"first") == first
    assert heap.decode(codes).to_pylist() == many
    start, length, bytes_ = before
    assert bytes_[start[first] : start[first] + length[first]].tobytes() == b"first"
    held = sum(map(len, many)) + 50_000 * 16
    assert held < heap.bytes_held() < 4 * held


def test_decimal_words_are_marked_only_where_they_are_codes():
    heap = Heap()
    kept, gone = heap.intern(b"1e40"), heap.intern(b"gone")
    for _ in range(2):
        marks = heap.begin_sweep()
        marks.words(Physical.DECIMAL, np.array([kept | int(DECIMAL_TAG), gone, 5], np.uint64))
        freed = heap.sweep(marks)
    assert freed == 1
    assert heap.get(kept) == b"1e40"


def test_a_sweep_is_due_when_the_data_have_doubled():
    heap = Heap(sweep_bytes_min=100)
    codes = heap.intern_many([b"x" * 60, b"y" * 60])
    assert heap.sweep_due
    for _ in range(2):
        marks = heap.begin_sweep()
        marks.codes(codes)
        heap.sweep(marks)
    assert not heap.sweep_due
    heap.intern(b"z" * 121)
    assert heap.sweep_due


def test_a_pin_holds_every_datum():
    heap = Heap()
    code = heap.intern(b"pinned")
    heap.sweep(heap.begin_sweep())
    with heap.pinned():
        assert heap.sweep(heap.begin_sweep()) == 0
        assert heap.get(code) == b"pinned"
        assert not heap.sweep_due
    assert heap.sweep(heap.begin_sweep()) == 1


def found(heap: Heap, datum: bytes) -> int | None:
    try:
        return heap.known.intern(datum)
    except Unknown:
        return None


class Sweeping(RuleBasedStateMachine):
    """A heap under interning and sweeping against a dict of what must still be there."""

    def __init__(self) -> None:
        super().__init__()
        self.heap = Heap()
        self.ages: dict[bytes, int] = {}  # sweeps begun since it was last interned
        self.codes: dict[bytes, int] = {}

    @rule(values=st.lists(st.integers(0, 200).map(lambda i: b"x" * (i % 19) + str(i).encode()), max_size=20))
    def intern(self, values):
        for value, code in zip(values, self.heap.intern_many(values).tolist(), strict=True):
            if value in self.ages:
                assert self.codes[value] == code
            self.codes[value] = code
            self.ages[value] = 0

    @rule(random=st.randoms(use_true_random=False), late=st.integers(0, 200))
    def sweep(self, random, late):
        marks = self.heap.begin_sweep()
        kept = {value for value in self.ages if random.random() < 0.3}
        marks.codes(np.array([self.codes[value] for value in kept], np.uint64))
        for value in self.ages:
            self.ages[value] += 1
        self.intern([b"late" + str(late).encode()])
        self.heap.sweep(marks)
        self.ages = {value: age for value, age in self.ages.items() if value in kept or age < 2}

    @invariant()
    def everything_that_must_be_there_is(self):
        for value in self.ages:
            assert self.heap.get(self.codes[value]) == value
        assert len(set(self.codes[value] for value in self.ages)) == len(self.ages)
        assert len(self.heap) == len(self.ages)

    @invariant()
    def what_is_there_is_found_and_nothing_else(self):
        for value in (b"x" * (i % 19) + str(i).encode() for i in range(201)):
            assert found(self.heap, value) == (self.codes[value] if value in self.ages else None)


TestSweeping = Sweeping.TestCase
TestSweeping.settings = settings(deadline=None, max_examples=30, stateful_step_count=25)


def test_threads_that_intern_the_same_data_get_the_same_codes():
    heap = Heap()
    values = pa.array([f"v{i % 5000}" for i in range(40_000)])
    results: list[np.ndarray] = []
    threads = [threading.Thread(target=lambda: results.append(heap.intern_arrow(values))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all((codes == results[0]).all() for codes in results)
    assert len(heap) == 5000


def test_whatever_is_kept_is_found_while_others_intern_and_sweep():
    heap = Heap()
    kept = [f"kept {i}".encode() * (1 + i % 5) for i in range(200)]
    codes = heap.intern_many(kept)
    over = threading.Event()

    def disturb() -> None:
        for round in range(60):
            heap.intern_arrow(pa.array([f"{round} of {i}" for i in range(2000)]))
            marks = heap.begin_sweep()
            marks.codes(codes)
            heap.sweep(marks)
        over.set()

    other = threading.Thread(target=disturb)
    other.start()
    while not over.is_set():
        assert [found(heap, datum) for datum in kept] == codes.tolist()
    other.join()
    assert found(heap, b"kept") is None
    assert found(heap, b"") == 0
