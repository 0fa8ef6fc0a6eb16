"""The order in which a delta join's changes meet the other inputs.

Rule   greedy: from the inputs bound so far go to one that an equivalence ties to them, best first: a unique key (at
       most one match a row), an arrangement that exists, more key columns, the input that its predicates cut down most
       (a value asked for, then other comparisons, then none); last a cross product.
Cost   O(inputs³ · equivalences) for all paths.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from engine.plan.facts import Key

Column = tuple[int, int]
"""(input, column of that input)."""


@dataclass(frozen=True, slots=True)
class JoinInput:
    """An input as the order sees it: the keys it is arranged by already, its unique keys, and how many of its columns
    must have one of a few values, how many other predicates it has."""

    arranged: frozenset[Key]
    unique: tuple[Key, ...]
    narrowed: tuple[int, int] = (0, 0)


@dataclass(frozen=True, slots=True)
class Stage:
    """Meet `input` where its columns `key` (ascending) are the columns `stream` of inputs visited before."""

    input: int
    key: tuple[int, ...]
    stream: tuple[Column, ...]


def join_paths(inputs: Sequence[JoinInput], classes: Sequence[Sequence[Column]]) -> list[list[Stage]]:
    """For each input the stages in which a change of it meets all the others."""
    return [path_from(start, inputs, classes) for start in range(len(inputs))]


def path_from(start: int, inputs: Sequence[JoinInput], classes: Sequence[Sequence[Column]]) -> list[Stage]:
    visited = [start]
    waiting = [i for i in range(len(inputs)) if i != start]
    path: list[Stage] = []
    while waiting:
        stages = [stage_to(i, visited, classes) for i in waiting]
        best = min(stages, key=lambda stage: rank(stage, inputs[stage.input]))
        path.append(best)
        visited.append(best.input)
        waiting.remove(best.input)
    return path


def stage_to(target: int, visited: Sequence[int], classes: Sequence[Sequence[Column]]) -> Stage:
    """All that ties the target to the inputs visited."""
    pairs: dict[int, Column] = {}
    for group in classes:
        own = next((column for column in group if column[0] == target), None)
        bound = next((column for i in visited for column in group if column[0] == i), None)
        if own is not None and bound is not None:
            pairs.setdefault(own[1], bound)
    key = tuple(sorted(pairs))
    return Stage(target, key, tuple(pairs[column] for column in key))


def rank(stage: Stage, target: JoinInput) -> tuple[bool, bool, bool, int, int, int, int]:
    """Less is better."""
    key = frozenset(stage.key)
    unique = any(one <= key for one in target.unique)
    tied = bool(stage.key) or unique
    values, others = target.narrowed
    return (not tied, not unique, key not in target.arranged, -len(stage.key), -values, -others, stage.input)
