"""Bytes a row of an arrangement of three-column rows with every index, as reported and as the kernel counts them."""

import gc

import numpy as np

from benchmarks.measure import report, resident_bytes
from engine.collection.arrangement import Arrangement
from engine.collection.batch import Batch


def run(scale: float) -> None:
    rows, part = int(10_000_000 * scale), 500_000
    random = np.random.Generator(np.random.PCG64(7))
    held = Arrangement(3, (1,))
    gc.collect()
    before = resident_bytes()
    for start in range(0, rows, part):
        words = np.zeros((4, part), np.uint64)
        words[1] = np.arange(start, start + part)
        words[2] = random.integers(0, rows // 50, part)
        words[3] = random.integers(0, 1_000_000, part)
        held.apply(Batch(words, np.ones(part, np.int64), 3))
    del words
    gc.collect()
    truth = resident_bytes() - before
    payload = rows * 3 * 8
    report("memory", "arrangement, bytes a row", truth / rows, "bytes", peer="the row's own words",
           theirs=payload / rows, bar="120")  # fmt: skip
    report("memory", "reported over true bytes", held.bytes_held() / truth, "times", bar="0.9 to 1.1")
