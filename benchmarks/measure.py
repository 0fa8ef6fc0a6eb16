"""Timing, the rows of the report, and the check of every answer against DuckDB's."""

import gc
import json
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from decimal import Decimal

import numpy as np
import pyarrow as pa


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the report. `ratio` is ours over the peer's, above 1 when Tailrace is ahead."""

    workload: str
    metric: str
    ours: float
    unit: str
    peer: str = ""
    theirs: float | None = None
    ratio: float | None = None
    bar: str = ""


def report(
    workload: str,
    metric: str,
    ours: float,
    unit: str,
    *,
    peer: str = "",
    theirs: float | None = None,
    bar: str = "",
) -> None:
    """Print one figure as a line of JSON for the parent process. Rates are better high, times and bytes low."""
    better_high = unit.endswith("/s")
    ratio = None if theirs is None else (ours / theirs if better_high else theirs / ours)
    print(json.dumps(asdict(Figure(workload, metric, ours, unit, peer, theirs, ratio, bar))), flush=True)


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def each(work: Callable[[int], object], times: int, warm: int = 0) -> np.ndarray:
    """Seconds of each call work(i), i from 0; the first `warm` calls are not reported."""
    gc.collect()
    taken = [seconds(lambda i=i: work(i)) for i in range(times)]
    return np.array(taken[warm:])


def check(name: str, ours: Iterable[Sequence[object]], theirs: Iterable[Sequence[object]]) -> None:
    """End the run unless both are the same multiset of rows, fractions to ten digits, as the two divide differently."""
    left = sorted(tuple(map(text, row)) for row in ours)
    right = sorted(tuple(map(text, row)) for row in theirs)
    if left != right:
        wrong = next((pair for pair in zip(left, right, strict=False) if pair[0] != pair[1]), (len(left), len(right)))
        sys.exit(f"{name}: the answer is not DuckDB's: {wrong[0]} against {wrong[1]}")


def text(value: object) -> str:
    return f"{float(value):.10g}" if isinstance(value, Decimal | float) else str(value)


def slices(table: pa.Table, rows: int) -> list[pa.Table]:
    """The table cut into consecutive tables of `rows` rows."""
    return [table.slice(start, rows) for start in range(0, len(table), rows)]


def resident_bytes() -> int:
    """Physical memory of this process."""
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * 4096
