"""Texts made of what they were against the same edits of lists."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from engine.collection.heap import Heap
from engine.kernels.texts import splice_texts

texts = st.sampled_from((b"", b"a", b"12345678", b"a longer text than one word"))
pieces = st.lists(st.tuples(texts, st.integers(0, 2), st.integers(0, 2), st.booleans()), max_size=6)
"""Of one row: its piece, how often it is there before and after, and whether it is told though nothing changed."""


@given(st.lists(st.tuples(pieces, texts), max_size=4), st.integers(0, 1), st.integers(0, 2))
def test_a_run_is_what_edits_make_of_the_old_one(groups, front, back):
    heap = Heap()
    data, bounds, places, counts, spans, sizes, codes, heads, wanted = b"", [0], [], [], [], [], [], [], []
    for rows, head in groups:
        run = b"".join(piece * before for piece, before, _, _ in rows)
        whole = head + run  # the head is what the old datum's first piece lost
        at = len(head)
        for piece, before, after, told in rows:
            if before != after or told:
                places.append((at, before * len(piece)))
                counts.append(after)
                spans.append((len(data), len(data) + len(piece)))
                data += piece
            at += before * len(piece)
        bounds.append(len(counts))
        known = len(whole) > 0
        codes.append(heap.intern(b"<" * front + whole[len(head) :] + b">" * back) if known else -1)
        heads.append(heap.intern(head) if known else -1)
        wanted.append((head if known else b"") + b"".join(piece * after for piece, _, after, _ in rows))
        sizes.append(len(wanted[-1]))

    def pairs(of):
        return np.array(of, np.int64).reshape(-1, 2).T.copy()

    def numbers(of):
        return np.array(of, np.int64)

    given_data = np.frombuffer(data + bytes(8), np.uint8).copy()
    begins, out = splice_texts(
        numbers(bounds), pairs(places), numbers(counts), pairs(spans), numbers(sizes), given_data, numbers(codes),
        numbers(heads), front, back, *heap.view(),
    )  # fmt: skip
    assert [out[b : b + n].tobytes() for b, n in zip(begins.tolist(), sizes, strict=True)] == wanted
    sizes = [size + 1 for size in sizes]
    begins, _ = splice_texts(
        numbers(bounds), pairs(places), numbers(counts), pairs(spans), numbers(sizes), given_data, numbers(codes),
        numbers(heads), front, back, *heap.view(),
    )  # fmt: skip
    assert (begins == -1).all(), "a run that does not come out even is told"
