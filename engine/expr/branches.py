"""Expressions that evaluate an argument only on the rows that reach it: CASE, COALESCE, AND and OR.

The law: the rows that are left are cut out of the columns that the argument reads, and what comes of them is put back
where they were. A row that does not reach a branch never sees its error.
Cost: O(rows that reach it) an argument, and nothing is cut where all rows do.
"""

from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from engine.collection.vector import Vector

Nulls: TypeAlias = NDArray[np.bool_]
Codes: TypeAlias = NDArray[np.uint64]

Run = Callable[[Sequence[Vector], int], Vector]
"""(the columns of the row, n) -> n values."""


class Scatter:
    """The output of an expression that is put together from parts of the rows."""

    __slots__ = ("errors", "n", "nulls", "words")

    def __init__(self, n: int) -> None:
        self.n = n
        self.words: Codes = np.zeros(n, np.uint64)
        self.nulls: Nulls | None = None
        self.errors: Codes | None = None

    def put(self, rows: NDArray[np.int64] | None, part: Vector) -> None:
        """The values of those rows (None: of all)."""
        at = slice(None) if rows is None else rows
        self.words[at] = part.words
        if part.nulls is not None:
            if self.nulls is None:
                self.nulls = np.zeros(self.n, np.bool_)
            self.nulls[at] = part.nulls
        if part.errors is not None:
            self.fail(rows, part.errors)

    def fail(self, rows: NDArray[np.int64] | None, errors: Codes) -> None:
        if self.errors is None:
            self.errors = np.zeros(self.n, np.uint64)
        self.errors[slice(None) if rows is None else rows] = errors

    def vector(self) -> Vector:
        return Vector(self.words, self.nulls, self.errors)


def _taken(columns: Sequence[Vector], read: Sequence[int], rows: NDArray[np.int64]) -> Sequence[Vector]:
    """The columns that a branch reads, cut down to the rows that reach it; the others are not touched."""
    cut = list(columns)
    for index in read:
        cut[index] = columns[index].take(rows)
    return cut


def case(branches: list[tuple[Run, Run]], otherwise: Run, read: Sequence[int]) -> Run:
    def run(columns: Sequence[Vector], n: int) -> Vector:
        out: Scatter | None = None
        rest: NDArray[np.int64] | None = None  # the rows that no branch has taken; None: all
        view, m = columns, n
        for condition, result in branches:
            verdict = condition(view, m)
            hits = int(np.count_nonzero(verdict.words))  # of a NULL and of an error the word is 0
            if hits == m and out is None:
                return result(view, m)
            if hits == 0 and verdict.errors is None:
                continue
            if out is None:
                out = Scatter(n)
            taken = verdict.words != 0
            if hits:
                local = np.flatnonzero(taken)
                at = local if rest is None else rest[local]
                out.put(at, result(_taken(columns, read, at), hits))
            still = ~taken
            if verdict.errors is not None:
                bad = verdict.errors != 0
                local = np.flatnonzero(bad)
                out.fail(local if rest is None else rest[local], verdict.errors[local])
                still &= ~bad
            local = np.flatnonzero(still)
            rest = local if rest is None else rest[local]
            m = len(rest)
            if m == 0:
                return out.vector()
            view = _taken(columns, read, rest)
        if out is None:
            return otherwise(columns, n)
        out.put(rest, otherwise(view, m))
        return out.vector()

    return run


def coalesce(arguments: list[Run], read: Sequence[int]) -> Run:
    def run(columns: Sequence[Vector], n: int) -> Vector:
        first = arguments[0](columns, n)
        if first.nulls is None or not np.count_nonzero(first.nulls):
            return first
        out = Scatter(n)
        out.put(None, first)
        assert out.nulls is not None
        for argument in arguments[1:]:
            rest = np.flatnonzero(out.nulls)
            if len(rest) == 0:
                break
            view = columns if len(rest) == n else _taken(columns, read, rest)
            part = argument(view, len(rest))
            out.nulls[rest] = False
            out.put(rest, part)
        return out.vector()

    return run


def logic(conjunction: bool, arguments: list[Run], lazy: list[bool], read: Sequence[int]) -> Run:
    """AND decides on FALSE, OR on TRUE. An argument that cannot fail is cheapest on all rows at once."""

    def run(columns: Sequence[Vector], n: int) -> Vector:
        first = arguments[0](columns, n)
        words, nulls, errors = first.words, first.nulls, first.errors
        for argument, may_fail in zip(arguments[1:], lazy[1:], strict=True):
            if nulls is None and errors is None:
                trues = np.count_nonzero(words)
                if trues == (0 if conjunction else n):
                    return Vector(words)
                everywhere = not may_fail or trues == (n if conjunction else 0)
                if everywhere:
                    other = argument(columns, n)
                    if other.nulls is None and other.errors is None:
                        words = words & other.words if conjunction else words | other.words
                        continue
                    words, nulls, errors = _both(conjunction, Vector(words), other)
                    continue
            is_open = words != 0 if conjunction else words == 0
            if nulls is not None:
                is_open |= nulls
            if errors is not None:
                is_open &= errors == 0
            rest = np.flatnonzero(is_open)
            if len(rest) == 0:
                break
            if len(rest) == n:
                words, nulls, errors = _both(conjunction, Vector(words, nulls, errors), argument(columns, n))
                continue
            part = argument(_taken(columns, read, rest), len(rest))
            before = Vector(words, nulls, errors).take(rest)
            out = Scatter(n)
            out.put(None, Vector(words, nulls, errors))
            out.put(rest, Vector(*_both(conjunction, Vector(before.words, before.nulls), part)))
            words, nulls, errors = out.words, out.nulls, out.errors
        return Vector(words, nulls, errors)

    return run


def _both(conjunction: bool, a: Vector, b: Vector) -> tuple[Codes, Nulls | None, Codes | None]:
    """a AND b, a OR b, in three values, where `a` leaves no row failed; decided rows of `a` win over errors of `b`."""
    a_true, b_true = a.words != 0, b.words != 0
    a_null = np.zeros(len(a.words), np.bool_) if a.nulls is None else a.nulls
    b_null = np.zeros(len(b.words), np.bool_) if b.nulls is None else b.nulls
    decided_by_a = ~a_true & ~a_null if conjunction else a_true
    decided = decided_by_a | ((~b_true & ~b_null) if conjunction else b_true)
    true = a_true & b_true if conjunction else a_true | b_true
    nulls = (a_null | b_null) & ~decided
    errors = b.errors
    if errors is not None:
        errors = np.where(decided_by_a, np.uint64(0), errors)
        failed = errors != 0
        true = true & ~failed
        nulls = nulls & ~failed
    if a.errors is not None:
        errors = a.errors if errors is None else np.where(a.errors != 0, a.errors, errors)
        failed = errors != 0
        true = true & ~failed
        nulls = nulls & ~failed
    return true.astype(np.uint64), nulls, errors
