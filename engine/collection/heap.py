"""The heap: where data of variable length live, each once, under a 64-bit code.

Law: two data are equal exactly when their codes are, so the rest of the engine compares words. A code stays what it is
while anything that marks itself holds it; the bytes beneath it move. Code 0 is the empty string and is never freed.

One heap serves a whole database. Interning is under `lock`, because readers intern too; decoding and finding take no
lock: arrays are replaced or appended to, and what a `View` covers never changes.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import RLock
from typing import Final, Protocol, TypeAlias

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from engine.kernels import heap as kernels
from engine.kernels.memory import doubled
from engine.types import Physical

Codes: TypeAlias = NDArray[np.uint64]
View: TypeAlias = tuple[NDArray[np.int64], NDArray[np.uint32], NDArray[np.uint8]]
"""(start, length, data) for kernels: datum c is data[start[c] : start[c] + length[c]]."""

NONE_NULL: Final = np.empty(0, np.uint8)
DECIMAL_TAG: Final = np.uint64(1 << 63)
"""Set in a numeric's word when the rest of it is a heap code."""

SWEEP_BYTES_MIN: Final = 64 << 20
"""Below this a sweep frees too little to be worth its pass over all state; the setting heap_sweep_bytes_min."""

RECENT_MAX: Final = 1 << 14
"""Data that `intern` remembers outside the index: a dict look-up costs 0.1 us, a kernel call 5 us."""

KERNEL_PAYS: Final = 4
"""Fewer data than this are interned one by one."""


class Marks:
    """The codes that a sweep must keep. Every holder of codes marks its own between `begin_sweep` and `sweep`."""

    def __init__(self, codes: int) -> None:
        self.marked = np.zeros(codes, np.bool_)

    def codes(self, codes: Codes) -> None:
        """Keep these; each must be a heap code. One that came after the sweep began is young: nothing frees it."""
        self.marked[codes[codes < len(self.marked)]] = True

    def words(self, physical: Physical, words: Codes) -> None:
        """Keep whatever a column of this layout refers to."""
        match physical:
            case Physical.BYTES | Physical.INTERVAL | Physical.JSON:
                self.codes(words)
            case Physical.DECIMAL:
                self.codes(words[words >= DECIMAL_TAG] ^ DECIMAL_TAG)
            case Physical.UNSIGNED | Physical.BOOLEAN | Physical.SIGNED | Physical.FLOAT:
                pass


class Interning(Protocol):
    """Whatever gives the codes of data."""

    def intern(self, datum: bytes) -> int: ...


class Unknown(Exception):
    """The heap has no such datum, so that no row has it."""


class Known:
    """A heap to whoever looks for rows: it gives the codes of the data that are there, adds none and takes no lock.

    Law   Every datum of a row that does not change meanwhile is found, for it was interned before the row was: adding
          to an index moves nothing in it, and an index that grew or was swept takes its place when it is complete.
    """

    def __init__(self, heap: "Heap") -> None:
        self._heap: Final = heap

    def intern(self, datum: bytes) -> int:
        """The code of a datum; Unknown. 0.2 us when it was interned lately, else 3 us."""
        return self._heap.find(datum)


class Heap:
    """Byte strings by code. Memory: 21 bytes and two index slots (16 to 32 bytes) a datum, and its bytes."""

    def __init__(self, sweep_bytes_min: int = SWEEP_BYTES_MIN) -> None:
        self.lock: Final = RLock()
        self._sweep_bytes_min = sweep_bytes_min
        self._start: NDArray[np.int64] = np.zeros(1 << 10, np.int64)
        self._length: NDArray[np.uint32] = np.zeros(1 << 10, np.uint32)
        self._hashes: NDArray[np.uint64] = np.zeros(1 << 10, np.uint64)
        self._young: NDArray[np.uint8] = np.zeros(1 << 10, np.uint8)
        self._data: NDArray[np.uint8] = np.zeros((1 << 14) + kernels.SLACK, np.uint8)
        self._slots: NDArray[np.uint64] = np.zeros(1 << 11, np.uint64)
        self._free: NDArray[np.uint32] = np.empty(0, np.uint32)
        self._state: Final = np.array([1, 0, 0], np.int64)
        self._show()
        self.known: Final = Known(self)
        self._recent: dict[bytes, int] = {}
        self._one: Final = np.zeros(2, np.int64)
        self._pins = 0
        self._live_bytes = 0

    def __len__(self) -> int:
        """How many data it holds, the empty one not counted."""
        return int(self._state[kernels.CODES] - self._state[kernels.FREE]) - 1

    # Interning

    def intern(self, datum: bytes) -> int:
        """The code of one datum. 0.2 us when it was seen lately, else 6 us."""
        code = self._recent.get(datum)
        if code is None:
            with self.lock:
                self._one[1] = len(datum)
                code = int(self.intern_buffers(self._one, np.frombuffer(datum, np.uint8))[0]) if datum else 0
                if len(self._recent) >= RECENT_MAX:
                    self._recent.clear()
                self._recent[datum] = code
        return code

    def find(self, datum: bytes) -> int:
        """The code of a datum that is there; Unknown. See `Known`."""
        code = self._recent.get(datum)
        if code is None:
            code = int(kernels.find(np.frombuffer(datum, np.uint8), *self._indexed)) if datum else 0
            if datum and not code:
                raise Unknown
        return code

    def intern_many(self, data: Sequence[bytes]) -> Codes:
        """The codes of data that are Python objects already."""
        if len(data) < KERNEL_PAYS:
            return np.array([self.intern(datum) for datum in data], np.uint64)
        offsets = np.zeros(len(data) + 1, np.int64)
        np.cumsum([len(datum) for datum in data], out=offsets[1:])
        return self.intern_buffers(offsets, np.frombuffer(b"".join(data), np.uint8))

    def intern_arrow(self, array: pa.Array) -> Codes:
        """The codes of a string or binary array of any offset width; a null has word 0. 3 to 18 M/s."""
        if pa.types.is_fixed_size_binary(array.type):
            array = array.cast(pa.binary())
        if not (pa.types.is_large_string(array.type) or pa.types.is_large_binary(array.type)):
            array = array.cast(pa.large_string() if pa.types.is_string(array.type) else pa.large_binary())
        _, offsets, data = array.buffers()
        n = len(array)
        if n == 0 or offsets is None or data is None:
            return np.zeros(n, np.uint64)
        where = np.frombuffer(offsets, np.int64)[array.offset : array.offset + n + 1]
        null = NONE_NULL
        if array.null_count:
            null = array.is_null().cast(pa.uint8()).to_numpy()
        return self.intern_buffers(where, np.frombuffer(data, np.uint8), null)

    def intern_buffers(
        self, offsets: NDArray[np.int64], data: NDArray[np.uint8], null: NDArray[np.uint8] = NONE_NULL
    ) -> Codes:
        """The codes of data[offsets[i]:offsets[i + 1]], n = len(offsets) - 1; 0 where null[i] (or `null` is empty)."""
        return self.intern_spans(offsets[:-1], offsets[1:], data, null)

    def intern_spans(
        self,
        begins: NDArray[np.int64],
        ends: NDArray[np.int64],
        data: NDArray[np.uint8],
        null: NDArray[np.uint8] = NONE_NULL,
    ) -> Codes:
        """The codes of data[begins[i]:ends[i]]; 0 where null[i] (or `null` is empty)."""
        out = np.empty(len(begins), np.uint64)
        done = 0
        with self.lock:
            while True:
                done = kernels.intern(
                    begins, ends, data, null, out, done,
                    self._start, self._length, self._hashes, self._young, self._data, self._slots, self._free,
                    self._state,
                )  # fmt: skip
                if done == len(out):
                    return out
                self._grow(int(ends[done] - begins[done]))

    def _grow(self, size: int) -> None:
        """Make room for one more datum of `size` bytes, doubling what is full."""
        codes, used, waiting = self._state.tolist()
        if codes == len(self._start) and waiting == 0:
            assert codes < 1 << 32, "heap codes are 32 bits wide in the index"
            self._start = doubled(self._start)
            self._length = doubled(self._length)
            self._hashes = doubled(self._hashes)
            self._young = doubled(self._young)
        if used + size + kernels.SLACK > len(self._data):
            data = np.empty(max(2 * len(self._data), used + size + kernels.SLACK), np.uint8)
            data[:used] = self._data[:used]
            self._data = data
        if codes - waiting >= len(self._slots) // 2:
            self._slots = np.zeros(2 * len(self._slots), np.uint64)
            kernels.index(codes, self._hashes, self._length, self._slots)
        self._show()

    def _show(self) -> None:
        """Give the arrays to whoever takes no lock, all of them at once and complete."""
        self._view: View = (self._start, self._length, self._data)
        self._indexed = (self._slots, *self._view)

    # Decoding

    def view(self) -> View:
        """The arrays behind the codes known so far, for kernels. Take it after the codes it is to decode."""
        return self._view

    def get(self, code: int) -> bytes:
        """One datum."""
        start, length, data = self._view
        at = int(start[code])
        return data[at : at + int(length[code])].tobytes()

    def decode(self, codes: Codes) -> pa.LargeBinaryArray:
        """The data of those codes, as bytes. O(bytes)."""
        offsets, data = kernels.gather(np.ascontiguousarray(codes), *self._view)
        buffers = [None, pa.py_buffer(offsets), pa.py_buffer(data)]
        return pa.LargeBinaryArray.from_buffers(pa.large_binary(), len(codes), buffers)

    def decode_text(self, codes: Codes) -> pa.LargeStringArray:
        """The same for data known to be UTF-8."""
        offsets, data = kernels.gather(np.ascontiguousarray(codes), *self._view)
        return pa.LargeStringArray.from_buffers(len(codes), pa.py_buffer(offsets), pa.py_buffer(data))

    def hash_of(self, codes: Codes) -> NDArray[np.uint64]:
        """The hash of each datum's content: the same in every process, whatever its code there."""
        return self._hashes[codes]

    # Sweeping

    @contextmanager
    def pinned(self) -> Iterator[None]:
        """While held nothing is freed: for whoever keeps codes that no root marks (a peek, a copy for hydration)."""
        with self.lock:
            self._pins += 1
        try:
            yield
        finally:
            with self.lock:
                self._pins -= 1

    @property
    def sweep_due(self) -> bool:
        """Whether the data have doubled since the last sweep left them, and nothing forbids one."""
        used = int(self._state[kernels.USED])
        return self._pins == 0 and bool(used > max(2 * self._live_bytes, self._sweep_bytes_min))

    def begin_sweep(self) -> Marks:
        """The empty marks of a sweep. What is interned from here on is young to this sweep and to the next one."""
        with self.lock:
            # 2: interned since the last sweep began, 1: before that but since the one before, 0: old.
            np.maximum(self._young, 1, out=self._young)
            self._young -= 1
            self._recent.clear()
            return Marks(int(self._state[kernels.CODES]))

    def sweep(self, marks: Marks) -> int:
        """Free what is neither marked nor young and close the gaps: how many codes were freed.

        Only between ticks, with every root marked. Batches in flight are safe because their codes are young: a code
        counts as interned again each time its datum is.
        """
        with self.lock:
            if self._pins:
                return 0
            before = len(self)
            codes = int(self._state[kernels.CODES])
            start, length, data, free, used = kernels.compact(
                codes, marks.marked, self._start, self._length, self._young, self._data
            )
            self._start, self._length, self._data, self._free = start, length, data, free
            self._state[kernels.USED], self._state[kernels.FREE] = used, len(free)
            self._slots = np.zeros(len(self._slots), np.uint64)
            kernels.index(codes, self._hashes, self._length, self._slots)
            self._show()
            # What is only young may be garbage: were it counted, each sweep would leave more of it than the last.
            self._live_bytes = int(length[: len(marks.marked)][marks.marked].sum())
            return before - len(self)

    def bytes_held(self) -> int:
        """Memory of all its arrays."""
        arrays = (self._start, self._length, self._hashes, self._young, self._data, self._slots, self._free)
        return sum(array.nbytes for array in arrays)
