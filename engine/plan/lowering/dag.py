"""Plans by structure: equal plans are one object, so that equal subplans are one operator and one state."""

from engine.dataflow import graph
from engine.dataflow.graph import Plan
from engine.dataflow.render import types_of
from engine.types import SqlType


class Dag:
    """One object for equal plans: `cons` compares shallowly, as the inputs of a plan are such objects already."""

    def __init__(self) -> None:
        self.one: dict[object, Plan] = {}
        self._types: dict[int, tuple[SqlType, ...]] = {}

    def cons(self, plan: Plan) -> Plan:
        """The one object for this plan, whose inputs are such objects already: compared shallowly."""
        match plan:
            case graph.Source():
                key: object = plan
            case graph.Constant():
                key = (graph.Constant, tuple((*map(type, row), row, count) for row, count in plan.rows), plan.types)
            case graph.Mfp() if graph.by_chance(plan):
                return plan  # two of the kind are not the same rows
            case graph.Mfp():
                key = (graph.Mfp, id(plan.input), plan.steps, plan.project)
            case graph.FlatMap():
                key = (graph.FlatMap, id(plan.input), plan.function, plan.arguments)
            case graph.Join():
                key = (graph.Join, tuple(map(id, plan.inputs)), plan.paths, plan.project)
            case graph.Reduce():
                key = (graph.Reduce, id(plan.input), plan.key, plan.aggregates)
            case graph.TopK():
                key = (graph.TopK, id(plan.input), plan.group, plan.order, plan.limit, plan.offset, plan.ties)
            case graph.Window():
                key = (graph.Window, id(plan.input), plan.partition, plan.order, plan.calls)
            case graph.Distinct() | graph.Threshold() | graph.Negate():
                key = (type(plan), id(plan.input))
            case graph.Union():
                key = (graph.Union, tuple(map(id, plan.inputs)))
            case graph.Local():
                key = plan
            case graph.Temporal():
                key = (graph.Temporal, id(plan.input), plan.lower, plan.upper)
            case graph.Refresh():
                key = (graph.Refresh, id(plan.input), plan.view, plan.schedule, plan.since, plan.resumes)
            case graph.Changes():
                key = (graph.Changes, id(plan.input), plan.as_of)
            case graph.LetRec():
                parts = (*plan.inputs, None, *plan.bodies, plan.result)
                key = (graph.LetRec, tuple(map(id, parts)), plan.variables, plan.limit, plan.returns_at_limit)
        return self.one.setdefault(key, plan)

    def types(self, plan: Plan) -> tuple[SqlType, ...]:
        """Those of the output of a plan that is such an object. O(node), once for a node."""
        known = self._types.get(id(plan))
        if known is None:
            known = self._types[id(plan)] = types_of(plan, [self.types(child) for child in graph.inputs(plan)])
        return known

    def replaced(self, plan: Plan, new: dict[int, Plan]) -> Plan:
        """The plan with other plans for some of its parts, by identity. `new` remembers what was done."""
        done = new.get(id(plan))
        if done is None:
            inputs = tuple(self.replaced(child, new) for child in graph.inputs(plan))
            same = all(a is b for a, b in zip(inputs, graph.inputs(plan), strict=True))
            done = new[id(plan)] = plan if same else self.cons(graph.with_inputs(plan, inputs))
        return done
