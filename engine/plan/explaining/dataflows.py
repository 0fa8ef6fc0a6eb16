"""Dataflows as EXPLAIN shows them: every operator that two others read is named l0, l1, ... before its readers."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from engine.dataflow import graph
from engine.dataflow.graph import Compute, Plan
from engine.expr.aggregate import recomputes
from engine.expr.datetime_text import format_timestamptz
from engine.expr.window import reach_of, reach_text
from engine.plan.explaining.names import Names, plan_names
from engine.plan.explaining.options import Shown
from engine.plan.explaining.relations import Fields, constant_lines, names_text, top_k
from engine.plan.explaining.scalars import ScalarText
from engine.plan.explaining.tree import Json, Node, texts

NO_REMARKS: Final[Mapping[int, Sequence[str]]] = {}


class Dataflows:
    """One showing of a dataflow, whose nodes are compared by identity (lower makes equal ones one object).

    `names` are those of collections by id, `columns` the names of their columns. `remarks` are said of nodes, by their
    ids: what is looked up when the plan is run once.
    """

    def __init__(
        self,
        names: Mapping[int, str],
        columns: Mapping[int, Names],
        shown: Shown,
        remarks: Mapping[int, Sequence[str]] = NO_REMARKS,
    ) -> None:
        self._names = names
        self._columns = columns
        self._shown = shown
        self._remarks = remarks
        self._shared: dict[int, str] = {}

    def node(self, plan: Plan) -> Node:
        """The whole of a dataflow."""
        many = shared(plan)
        if not many:
            return self._node(plan)
        parts: list[tuple[str, Node]] = []
        for number, part in enumerate(many):
            node = self._node(part)
            self._shared[id(part)] = f"l{number}"
            parts.append((f"cte l{number} =", node))
        return Node("Let", "With", parts=tuple(parts), result=self._node(plan))

    def _node(self, plan: Plan) -> Node:
        name = self._shared.get(id(plan))
        if name is not None:
            return Node("Local", f"Get {name}", (("name", name),), notes=tuple(self._notes(plan)))
        node = self.alone(plan)
        inputs = tuple(map(self._node, graph.inputs(plan)))
        parts: tuple[tuple[str, Node], ...] = ()
        if isinstance(plan, graph.LetRec):
            variables = range(len(plan.inputs), len(plan.inputs) + len(plan.bodies))
            labels = (*(f"%{v} :=" for v in variables), "return")
            inner = (*plan.bodies, plan.result)
            parts = tuple((label, self._inside().node(body)) for label, body in zip(labels, inner, strict=True))
        remarks = tuple(self._remarks.get(id(plan), ()))
        fields = (*node.fields, ("remarks", texts(remarks))) if remarks else node.fields
        notes = tuple(self._notes(plan))
        return Node(node.operator, node.head, fields, (*remarks, *node.lines), inputs, parts, None, (), notes)

    def _inside(self) -> "Dataflows":
        return Dataflows(self._names, self._columns, self._shown)

    def alone(self, plan: Plan) -> Node:
        """An operator without its inputs."""
        text = self._text(*graph.inputs(plan))
        if isinstance(plan, graph.Mfp) and self._shown.humanized_expressions:
            text.names = (*text.names, *(None for step in plan.steps if isinstance(step, Compute)))
        head, fields, lines = self._line(plan, text)
        return Node(type(plan).__name__, head, fields, tuple(lines))

    def _text(self, *inputs: Plan) -> ScalarText:
        if not self._shown.humanized_expressions:
            return ScalarText((), self._shown.redacted)
        names = tuple(name for child in inputs for name in plan_names(child, self._columns))
        return ScalarText(names, self._shown.redacted)

    def _notes(self, plan: Plan) -> Iterator[tuple[str, str | int | bool]]:
        if self._shown.arity:
            yield "arity", len(graph.output_types(plan))
        if self._shown.types:
            yield "types", f"({', '.join(map(str, graph.output_types(plan)))})"
        if self._shown.column_names:
            yield "column names", names_text(plan_names(plan, self._columns))

    def _line(self, plan: Plan, text: ScalarText) -> tuple[str, Fields, Sequence[str]]:
        match plan:
            case graph.Source():
                name = self._names.get(plan.id, f"u{plan.id}")
                return f"Source {name}", (("name", name), ("id", f"u{plan.id}")), ()
            case graph.Constant():
                rows = list(constant_lines(plan.rows, self._shown.redacted))
                return "Constant" if rows else "Constant <empty>", (("rows", len(plan.rows)),), rows
            case graph.Local():
                return f"%{plan.index}", (), ()
            case graph.Temporal():
                lower = "" if plan.lower is None else f"{text.column(plan.lower)} <= "
                upper = "" if plan.upper is None else f" < {text.column(plan.upper)}"
                return f"Temporal {lower}now{upper}", (), ()
            case graph.Refresh():
                return f"Refresh {schedule_text(plan.schedule)}", (), ()
            case graph.Changes():
                return f"Changes since {plan.as_of}", (("as_of", plan.as_of),), ()
            case graph.LetRec():
                over = f"over %0..%{len(plan.inputs) - 1}"
                if graph.is_monotone(plan):
                    return f"Recursion (maintained) {over}", (), ()
                again = "touched groups in each pass, or the loop"
                head = f"Recursion (maintained pass by pass) {over} recomputes={again}"
                return head, (("recomputes", again),), ()
            case graph.Mfp():
                steps = [
                    f"compute {text.scalar(step.expression)}"
                    if isinstance(step, Compute)
                    else f"keep {text.scalar(step.predicate)}"
                    for step in plan.steps
                ]
                columns = text.columns(plan.project)
                return f"Mfp project=({columns})", (("project", list[Json](plan.project)),), steps
            case graph.FlatMap():
                call = f"{plan.function.name}({text.scalars(plan.arguments)})"
                return f"FlatMap {call}", (("function", call),), ()
            case graph.Join():
                project = (("project", list[Json](plan.project)),)
                return f"DeltaJoin project=({text.columns(plan.project)})", project, list(self._paths(plan))
            case graph.Reduce():
                calls = [
                    f"{a.kind.value.removesuffix('(*)')}({text.columns(a.columns) or '*'})" for a in plan.aggregates
                ]
                fields: Fields = ("key", list[Json](plan.key)), ("aggregates", texts(calls))
                head = f"Reduce key=({text.columns(plan.key)}) aggregates=[{', '.join(calls)}]"
                types = graph.output_types(plan.input)
                if any(a.columns and recomputes(a.kind, types[a.columns[0]]) for a in plan.aggregates):
                    return f"{head} recomputes=touched groups", (*fields, ("recomputes", "touched groups")), ()
                return head, fields, ()
            case graph.TopK():
                head, fields = top_k(plan, text)
                return head, fields, ()
            case graph.Window():
                order, calls = list(map(text.order, plan.order)), list(map(str, plan.calls))
                again = reach_text(reach_of(plan.calls))
                parts = [f"partition_by=[{text.columns(plan.partition)}]"] if plan.partition else []
                parts += [f"order_by=[{', '.join(order)}]"] if order else []
                fields = (("partition_by", list[Json](plan.partition)), ("order_by", texts(order)),
                          ("calls", texts(calls)), ("recomputes", again))  # fmt: skip
                return " ".join(["Window", *parts, f"calls=[{', '.join(calls)}]", f"recomputes={again}"]), fields, ()
            case graph.Distinct() | graph.Threshold() | graph.Union() | graph.Negate():
                return type(plan).__name__, (), ()

    def _paths(self, plan: graph.Join) -> Iterator[str]:
        each = list(map(self._text, plan.inputs))
        for start, path in enumerate(plan.paths):
            yield f"%{start} » {' » '.join(met_text(look, each[look.input]) for look in path)}"


def met_text(look: graph.Lookup, text: ScalarText) -> str:
    """The input that a stage of a join's path meets, and by which of its columns."""
    strict = look.strict or (False,) * len(look.key)
    key = (text.columns([c]) + " not null" * flag for c, flag in zip(look.key, strict, strict=True))
    return f"%{look.input}[{', '.join(key)}]" + ("" if look.key else "×")


def shared(plan: Plan) -> list[Plan]:
    """The operators that more than one other reads, each behind those that it reads itself."""
    readers: dict[int, int] = {}
    order: list[Plan] = []

    def count(node: Plan) -> None:
        seen = readers.get(id(node), 0)
        readers[id(node)] = seen + 1
        if seen:
            return
        for child in graph.inputs(node):
            count(child)
        order.append(node)

    count(plan)
    return [node for node in order if readers[id(node)] > 1 and not isinstance(node, graph.Source | graph.Constant)]


def schedule_text(schedule: graph.Schedule) -> str:
    """When a view is refreshed."""
    parts = ["at once"] if schedule.at_once else []
    parts += [f"at {format_timestamptz(at * 1000)}" for at in schedule.at]
    parts += [f"every {step} ms aligned to {format_timestamptz(at * 1000)}" for at, step in schedule.every]
    return ", ".join(parts)
