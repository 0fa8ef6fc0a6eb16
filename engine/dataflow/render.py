"""From a node of a plan to its operator: the one place that knows every kind of both.

`signature` is what makes two nodes over the same inputs the same node; it holds a node's own parameters and none of its
inputs, so that hash-consing a deep plan costs its nodes once each. `demands` are the arrangements of its inputs that an
operator reads; they exist before it does.
"""

from collections.abc import Hashable, Sequence
from typing import assert_never

from engine.collection.heap import Heap
from engine.dataflow import graph
from engine.dataflow.graph import Plan
from engine.dataflow.operator import Operator
from engine.dataflow.operators import join
from engine.dataflow.operators.changes import ADDED, Changes
from engine.dataflow.operators.constant import Constant
from engine.dataflow.operators.distinct import Distinct
from engine.dataflow.operators.flat_map import FlatMap
from engine.dataflow.operators.join import Join
from engine.dataflow.operators.let_rec import LetRec
from engine.dataflow.operators.loop import Making
from engine.dataflow.operators.mfp import Mfp
from engine.dataflow.operators.negate import Negate
from engine.dataflow.operators.reduce import ReduceOperator
from engine.dataflow.operators.refresh import Refresh
from engine.dataflow.operators.source import Source
from engine.dataflow.operators.temporal import Temporal
from engine.dataflow.operators.threshold import Threshold
from engine.dataflow.operators.topk import TopKOperator
from engine.dataflow.operators.union import Union
from engine.dataflow.operators.window import WindowOperator
from engine.dataflow.trace import Trace
from engine.types import SqlType

Types = tuple[SqlType, ...]


def signature(plan: Plan) -> Hashable:
    """What tells a node from others of its kind over the same inputs."""
    match plan:
        case graph.Source():
            return plan.id
        case graph.Local():
            return plan.index, plan.types
        case graph.LetRec():
            return plan.variables, plan.bodies, plan.result, plan.limit, plan.returns_at_limit
        case graph.Constant():
            return plan.rows, plan.types
        case graph.Mfp():
            return plan.steps, plan.project
        case graph.FlatMap():
            return plan.function, plan.arguments
        case graph.Join():
            return plan.paths, plan.project
        case graph.Reduce():
            return plan.key, plan.aggregates
        case graph.TopK():
            return plan.group, plan.order, plan.limit, plan.offset
        case graph.Temporal():
            return plan.lower, plan.upper
        case graph.Refresh():
            return plan.view, plan.schedule, plan.since, plan.resumes
        case graph.Changes():
            return plan.as_of
        case graph.Window():
            return plan.partition, plan.order, plan.calls
        case graph.Distinct() | graph.Threshold() | graph.Union() | graph.Negate():
            return None
        case _:
            assert_never(plan)


def demands(plan: Plan, types: Types) -> list[tuple[int, tuple[int, ...]]]:
    """The arrangements it reads: (input, key), each once. `types` are those of its output."""
    match plan:
        case graph.Join():
            return join.demands(plan)
        case graph.Distinct() | graph.Threshold():
            return [(0, tuple(range(len(types))))]
        case _:
            return []


def types_of(plan: Plan, inputs: Sequence[Types]) -> Types:
    """The types of a node's output, given its inputs'. O(node), where graph.output_types walks the plan."""
    match plan:
        case graph.Source() | graph.Constant() | graph.Local():
            return plan.types
        case graph.LetRec():
            return graph.output_types(plan.result)
        case graph.Mfp():
            row = inputs[0] + tuple(s.expression.type for s in plan.steps if isinstance(s, graph.Compute))
            return tuple(row[i] for i in plan.project)
        case graph.FlatMap():
            return inputs[0] + tuple(column.type for column in plan.function.columns)
        case graph.Join():
            row = tuple(type for types in inputs for type in types)
            return tuple(row[i] for i in plan.project)
        case graph.Reduce():
            return tuple(inputs[0][i] for i in plan.key) + tuple(a.type for a in plan.aggregates)
        case graph.Distinct() | graph.Threshold() | graph.TopK() | graph.Negate() | graph.Union():
            return inputs[0]
        case graph.Temporal() | graph.Refresh():
            return inputs[0]
        case graph.Window():
            return inputs[0] + tuple(call.type for call in plan.calls)
        case graph.Changes():
            return (*inputs[0], *ADDED)
        case _:
            assert_never(plan)


def monotonic(plan: Plan, inputs: Sequence[bool]) -> bool:
    """Whether a node's output never retracts a row, given whether its inputs' do not."""
    match plan:
        case graph.Source():
            return plan.append_only
        case graph.Changes():
            return True
        case graph.Constant():
            return all(count > 0 for _, count in plan.rows)
        case graph.Mfp() | graph.FlatMap() | graph.Join() | graph.Union() | graph.Distinct() | graph.Threshold():
            return all(inputs)
        case graph.Reduce() | graph.TopK() | graph.Window() | graph.Negate():
            return False
        case graph.LetRec() | graph.Local() | graph.Temporal() | graph.Refresh():
            return False
        case _:
            assert_never(plan)


def render(plan: Plan, inputs: Sequence[Types], grows: bool, traces: Sequence[Trace], heap: Heap) -> Operator:
    """The operator of one node. `grows`: its inputs are monotonic. `traces` are what `demands` asked for, in order."""
    match plan:
        case graph.Source():
            return Source(plan.types, plan.append_only)
        case graph.Constant():
            return Constant(plan, heap)
        case graph.Mfp():
            return Mfp(plan, len(inputs[0]), heap)
        case graph.FlatMap():
            return FlatMap(plan, len(inputs[0]), heap)
        case graph.Join():
            return Join(plan, [len(types) for types in inputs], traces)
        case graph.Reduce():
            return ReduceOperator(plan, inputs[0], heap, grows)
        case graph.TopK():
            return TopKOperator(plan, inputs[0], heap)
        case graph.Window():
            return WindowOperator(plan, inputs[0], heap)
        case graph.Distinct():
            return Distinct(traces[0])
        case graph.Threshold():
            return Threshold(traces[0])
        case graph.Union():
            return Union()
        case graph.Negate():
            return Negate()
        case graph.LetRec():

            def inside(plan: Plan, inputs: Sequence[Types], traces: Sequence[Trace]) -> Operator:
                return render(plan, inputs, False, traces, heap)

            return LetRec(plan, inputs, Making(inside, demands, types_of), heap)
        case graph.Temporal():
            return Temporal(plan, inputs[0])
        case graph.Refresh():
            return Refresh(plan, inputs[0], heap)
        case graph.Changes():
            return Changes(inputs[0], heap)
        case graph.Local():
            raise AssertionError("a leaf of a loop outside of it")
        case _:
            assert_never(plan)
