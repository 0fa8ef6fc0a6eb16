"""FORMAT TEXT and BYTES: each line is a row, an empty one too."""

import numpy as np

from engine.collection.heap import Heap
from engine.collection.vector import Vector
from engine.connectors.lines import BadLine, Rows, is_utf8, last_newline

NEWLINE = 10


class LineDecoder:
    """Lines as text, which must be UTF-8, or as bytes."""

    def __init__(self, heap: Heap, utf8: bool) -> None:
        self._heap = heap
        self._utf8 = utf8

    def cut(self, block: bytes) -> int:
        return last_newline(block)

    def decode_lines(self, block: bytes, first_line: int) -> Rows:
        data = np.frombuffer(block, np.uint8)
        ends = np.flatnonzero(data == NEWLINE)
        begins = np.concatenate([np.zeros(1, np.int64), ends[:-1] + 1])
        lines = len(ends)
        bad: list[BadLine] = []
        if self._utf8 and not is_utf8(block):
            spans = zip(begins.tolist(), ends.tolist(), strict=True)
            fine = np.array([is_utf8(block[begin:end]) for begin, end in spans], np.bool_)
            for row in np.flatnonzero(~fine).tolist():
                bad.append(BadLine(first_line + row, block[begins[row] : ends[row]], "invalid UTF-8"))
            begins, ends = begins[fine], ends[fine]
        return Rows([Vector(self._heap.intern_spans(begins, ends, data))], lines, bad)
