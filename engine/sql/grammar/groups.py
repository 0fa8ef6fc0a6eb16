"""GROUP BY: expressions, and the sets of them that GROUPING SETS, ROLLUP and CUBE stand for."""

from itertools import combinations, product
from typing import Final

from engine.errors import LimitExceeded
from engine.sql.grammar.expressions import Expressions
from engine.sql.syntax import Expression, Row

GROUPING_SETS_MAX: Final = 512
"""Groupings in one SELECT: each is an aggregation of its own. PostgreSQL allows 4096, and a CUBE of 12."""

Set = tuple[Expression, ...]


class Groups(Expressions):
    """Reads GROUP BY."""

    __slots__ = ()

    def group_by(self) -> tuple[tuple[Expression, ...], tuple[tuple[int, ...], ...], bool]:
        """The expressions, in which of the groupings each stands (() where there is one grouping), and whether equal
        groupings are one."""
        once = self.accept("distinct")
        if not once:
            self.accept("all")
        sets: list[Set] = [()]
        for element in self.list_of(self._group_element):
            if len(sets) * len(element) > GROUPING_SETS_MAX:
                self._too_many()
            sets = [(*left, *right) for left, right in product(sets, element)]
        if len(sets) == 1:
            return sets[0], (), once
        places: dict[int, int] = {}
        every: list[Expression] = []
        for node in (node for group in sets for node in group):
            if id(node) not in places:
                places[id(node)] = len(every)
                every.append(node)
        return tuple(every), tuple(tuple(places[id(node)] for node in group) for group in sets), once

    def _too_many(self) -> None:
        raise LimitExceeded(
            f"GROUP BY has more than {GROUPING_SETS_MAX} grouping sets",
            hint="Unite several SELECTs with UNION ALL.", position=self.here,
        )  # fmt: skip

    def _group_element(self) -> list[Set]:
        """The groupings that an element of GROUP BY stands for: one for an expression."""
        if self.at("grouping", "sets"):
            self.deeper()
            self.expect("grouping", "sets")
            sets = [group for element in self.parenthesised(self._group_element) for group in element]
            if len(sets) > GROUPING_SETS_MAX:
                self._too_many()
            self.depth -= 1
            return sets
        word = self.next.key
        if word in ("rollup", "cube") and self.peek().key == "(":
            self.advance()
            parts = self.parenthesised(self._group_set)
            if word == "rollup":
                return [_joined(parts[:n]) for n in range(len(parts), -1, -1)]
            if 1 << min(len(parts), 20) > GROUPING_SETS_MAX:
                self._too_many()
            return [_joined(chosen) for n in range(len(parts), -1, -1) for chosen in combinations(parts, n)]
        return [self._group_set()]

    def _group_set(self) -> Set:
        """An expression, or several in parentheses; () is none."""
        if self.accept("(", ")"):
            return ()
        node = self.expression()
        return node.items if isinstance(node, Row) else (node,)


def _joined(parts: tuple[Set, ...]) -> Set:
    return tuple(node for part in parts for node in part)
