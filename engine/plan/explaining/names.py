"""What columns are called in EXPLAIN: a name where the column is one of a relation's, None where it is computed."""

from collections.abc import Mapping, Sequence
from itertools import chain

from engine.dataflow import graph
from engine.expr.scalar import Ref
from engine.plan.facts import Facts
from engine.plan.relation import (
    CHANGES,
    BoundJoin,
    BoundScalar,
    Constant,
    Distinct,
    Filter,
    FlatMap,
    Get,
    Join,
    Let,
    LetRec,
    Local,
    Map,
    Negate,
    Project,
    Reduce,
    Relation,
    Threshold,
    TopK,
    Union,
    Window,
)

Names = tuple[str | None, ...]


class RelationNames:
    """The names of relations' columns, each found once. `bind` says what a Local stands for."""

    def __init__(self, facts: Facts) -> None:
        self._facts = facts
        self._known: dict[int, tuple[Relation, Names]] = {}
        self._locals: dict[int, Names] = {}

    def bind(self, id: int, value: Relation) -> None:
        self._locals[id] = self.of(value)

    def of(self, relation: Relation) -> Names:
        known = self._known.get(id(relation))
        if known is None:
            known = self._known[id(relation)] = (relation, self._of(relation))
        return known[1]

    def _of(self, relation: Relation) -> Names:
        match relation:
            case Get():
                return tuple(column.name for column in relation.columns)
            case Local():
                return self._locals.get(relation.id, (None,) * len(relation.types))
            case Let():
                self.bind(relation.id, relation.value)
                return self.of(relation.body)
            case LetRec():
                return self.of(relation.body)
            case Constant():
                return (None,) * len(relation.types)
            case Project():
                return picked(self.of(relation.input), relation.columns)
            case Map():
                row = self.of(relation.input)
                for scalar in relation.scalars:
                    row = (*row, _name(scalar, row))
                return row
            case FlatMap():
                return (*self.of(relation.input), *(column.name for column in relation.function.columns))
            case Join():
                return tuple(chain.from_iterable(map(self.of, relation.inputs)))
            case BoundJoin():
                return self.of(relation.left) + self.of(relation.right)
            case Reduce():
                row = self.of(relation.input)
                keys = (_name(key, row) for key in relation.keys)
                return (*keys, *(call.overload.name for call in relation.aggregates))
            case Union():
                return self.of(relation.inputs[0])
            case Window():
                return (*self.of(relation.input), *(None for _ in relation.calls))
            case Filter() | Distinct() | TopK() | Negate() | Threshold():
                return self.of(relation.input)


def _name(scalar: BoundScalar, row: Names) -> str | None:
    return row[scalar.index] if isinstance(scalar, Ref) and scalar.index < len(row) else None


def picked(row: Names, columns: Sequence[int]) -> Names:
    return tuple(row[column] for column in columns)


def plan_names(plan: graph.Plan, collections: Mapping[int, Names]) -> Names:
    """The names of a dataflow's output columns; `collections` are those of what it reads."""
    match plan:
        case graph.Source():
            return collections.get(plan.id, (None,) * len(plan.types))
        case graph.Mfp():
            row = plan_names(plan.input, collections)
            for step in plan.steps:
                if isinstance(step, graph.Compute):
                    row = (*row, _name(step.expression, row))
            return picked(row, plan.project)
        case graph.FlatMap():
            return (*plan_names(plan.input, collections), *(column.name for column in plan.function.columns))
        case graph.Join():
            row = tuple(chain.from_iterable(plan_names(child, collections) for child in plan.inputs))
            return picked(row, plan.project)
        case graph.Reduce():
            row = plan_names(plan.input, collections)
            return (*picked(row, plan.key), *(call.kind.value.removesuffix("(*)") for call in plan.aggregates))
        case graph.Union():
            return plan_names(plan.inputs[0], collections)
        case graph.Window():
            return (*plan_names(plan.input, collections), *(None for _ in plan.calls))
        case graph.Distinct() | graph.Threshold() | graph.TopK() | graph.Negate():
            return plan_names(plan.input, collections)
        case graph.Temporal() | graph.Refresh():
            return plan_names(plan.input, collections)
        case graph.Changes():
            return (*plan_names(plan.input, collections), *CHANGES)
        case graph.Constant() | graph.Local() | graph.LetRec():
            return (None,) * len(graph.output_types(plan))
