"""Chains of projections, maps and filters as the steps of one Mfp, without those that nothing reads."""

from collections.abc import Mapping, Sequence
from typing import cast

from engine.dataflow import graph
from engine.dataflow.graph import Compute, Keep
from engine.expr.scalar import Ref, Scalar
from engine.plan.relation import (
    Filter,
    Map,
    Project,
)
from engine.plan.scalars import all_columns_read, conjuncts, moved


def mfp_steps(links: Sequence[Project | Map | Filter], width: int) -> tuple[list[Compute | Keep], list[int]]:
    """Nodes (top first) over a row of so many columns as the steps and the projection of one Mfp."""
    at = list(range(width))
    steps: list[Compute | Keep] = []
    for link in reversed(links):
        match link:
            case Project():
                at = [at[column] for column in link.columns]
            case Map():
                for scalar in cast(tuple[Scalar, ...], link.scalars):
                    inner = moved(scalar, at)
                    if isinstance(inner, Ref):
                        at.append(inner.index)
                    else:
                        steps.append(Compute(inner))
                        at.append(width)
                        width += 1
            case Filter():
                steps.extend(Keep(moved(cast(Scalar, predicate), at)) for predicate in conjuncts(link.predicates))
    return without_dead_steps(steps, at, width)


def without_dead_steps(
    steps: Sequence[Compute | Keep], project: Sequence[int], width: int
) -> tuple[list[Compute | Keep], list[int]]:
    """The steps without the computed columns that nothing reads. `width` counts the input's and all computed ones."""
    read = set(project)
    position = width
    live: list[tuple[int | None, Compute | Keep]] = []
    for step in reversed(steps):
        if isinstance(step, Keep):
            read |= step.predicate.reads
            live.append((None, step))
        else:
            position -= 1
            if position in read:
                read |= step.expression.reads
                live.append((position, step))
    at = {column: column for column in range(position)}
    kept: list[Compute | Keep] = []
    for column, step in reversed(live):
        kept.append(moved_step(step, at))
        if column is not None:
            at[column] = position
            position += 1
    return kept, [at[column] for column in project]


def moved_step(step: Compute | Keep, at: Mapping[int, int]) -> Compute | Keep:
    if isinstance(step, Compute):
        return Compute(moved(step.expression, at))
    return Keep(moved(step.predicate, at))


def steps_read(steps: Sequence[Compute | Keep]) -> set[int]:
    """The columns that any step reads."""
    return all_columns_read(step.expression if isinstance(step, Compute) else step.predicate for step in steps)


def without_dead(below: graph.Mfp, project: Sequence[int], width: int) -> tuple[list[Compute | Keep], list[int]]:
    """An Mfp's steps and projection under a narrower projection of its output; its input has `width` columns."""
    width += sum(isinstance(step, Compute) for step in below.steps)
    return without_dead_steps(below.steps, [below.project[column] for column in project], width)
