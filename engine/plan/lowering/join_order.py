"""The order in which a delta join's changes meet the other inputs.

Rule   greedy: from the inputs bound so far go to one that an equivalence ties to them, best first: a unique key (at
       most one match a row), an arrangement that exists, more key columns, the input that its predicates cut down most
       (a value asked for, then other comparisons, then none); last a cross product.
Cost   O(inputs³) comparisons for all paths, and what ties an input is found again only when another equivalence of
       its has been reached.
"""

from collections.abc import Mapping, Sequence
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
    own: list[dict[int, int]] = [{} for _ in inputs]
    for number, group in enumerate(classes):
        for column in group:
            own[column[0]].setdefault(number, column[1])
    return [path_from(start, inputs, own) for start in range(len(inputs))]


def path_from(start: int, inputs: Sequence[JoinInput], own: Sequence[Mapping[int, int]]) -> list[Stage]:
    """`own` is each input's first column in each of the equivalences that it is in, by their numbers."""
    bound: dict[int, Column] = {}  # what an equivalence is tied to: the first of its columns that was visited
    stages = {i: Stage(i, (), ()) for i in range(len(inputs)) if i != start}
    ranks = {i: rank(stage, inputs[i]) for i, stage in stages.items()}
    path: list[Stage] = []
    visited = start
    while ranks:
        new = {number: (visited, column) for number, column in own[visited].items() if number not in bound}
        bound |= new
        for i in ranks:
            if not own[i].keys().isdisjoint(new):
                stages[i] = stage_to(i, bound, own[i])
                ranks[i] = rank(stages[i], inputs[i])
        visited = min(ranks, key=ranks.__getitem__)
        path.append(stages[visited])
        del ranks[visited]
    return path


def stage_to(target: int, bound: Mapping[int, Column], own: Mapping[int, int]) -> Stage:
    """All that ties the target to the inputs visited."""
    pairs: dict[int, Column] = {}
    for number, column in own.items():
        if number in bound:
            pairs.setdefault(column, bound[number])
    key = tuple(sorted(pairs))
    return Stage(target, key, tuple(pairs[column] for column in key))


def rank(stage: Stage, target: JoinInput) -> tuple[bool, bool, bool, int, int, int, int]:
    """Less is better."""
    key = frozenset(stage.key)
    unique = any(one <= key for one in target.unique)
    tied = bool(stage.key) or unique
    values, others = target.narrowed
    return (not tied, not unique, key not in target.arranged, -len(stage.key), -values, -others, stage.input)
