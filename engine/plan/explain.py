"""EXPLAIN: any stage of the planner's line as text, in the manner of Materialize: a tree by indentation, columns as #n.

The text is stable: it depends on the plan alone, so tests/golden compare it. Relations that a Let shares are named l0,
l1, ... in the order in which they are bound; in a dataflow every operator that two others read is named so.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, time
from typing import Final

from engine.collection.value import Interval
from engine.dataflow import graph
from engine.dataflow.graph import Compute, Order, Plan
from engine.expr.aggregate import WHOLE_GROUP
from engine.expr.interval_text import format_interval
from engine.expr.scalar import Call, Case, Coalesce, Literal, Logic, Ref, Value
from engine.expr.window import reach_of
from engine.plan.relation import (
    AggregateCall,
    BoundJoin,
    BoundScalar,
    Constant,
    Distinct,
    Exists,
    Filter,
    Finishing,
    FlatMap,
    Get,
    Join,
    Let,
    LetRec,
    Local,
    Map,
    Negate,
    Outer,
    Project,
    Quantified,
    Query,
    Reduce,
    Relation,
    ScalarSubquery,
    Threshold,
    TopK,
    Union,
    Window,
    children,
)

INFIX: Final = frozenset(
    {"=", "<>", "<", "<=", ">", ">=", "+", "-", "*", "/", "%", "||", "->", "->>", "#>", "#>>", "@>", "<@", "?", "&",
     "|", "#", "<<", ">>", "~", "~*", "!~", "!~*", "like", "ilike", "^"}
)  # fmt: skip
POSTFIX: Final = {
    "is_null": "IS NULL", "is_not_null": "IS NOT NULL", "is_true": "IS TRUE", "is_not_true": "IS NOT TRUE",
    "is_false": "IS FALSE", "is_not_false": "IS NOT FALSE", "is_unknown": "IS UNKNOWN",
    "is_not_unknown": "IS NOT UNKNOWN",
}  # fmt: skip
DISTINCTION: Final = {"is_distinct_from": "IS DISTINCT FROM", "is_not_distinct_from": "IS NOT DISTINCT FROM"}

CONSTANT_ROWS_SHOWN: Final = 20
"""Rows of a Constant that are printed; the others are counted."""

Names = Mapping[int, str]


def explain_query(query: Query, relation: Relation | None = None) -> str:
    """A query at a stage: its relation there (None: as bound), below what finishes its rows."""
    text = RelationText()
    body = query.relation if relation is None else relation
    finish = finishing_text(query.finishing)
    return "\n".join([finish, *text.lines(body, 1)] if finish else text.lines(body, 0))


def explain_plan(plan: Plan, names: Names | None = None) -> str:
    """A dataflow: shared operators first, each before its readers. `names` are those of collections by id."""
    return "\n".join(PlanText(plan, names or {}).all())


def explain_operator(plan: Plan, names: Names | None = None) -> str:
    """One operator of a dataflow, without its inputs."""
    return "\n".join(PlanText(plan, names or {}).head(plan))


def finishing_text(finishing: Finishing) -> str:
    """What happens to the rows of a SELECT outside the dataflow, or nothing."""
    parts = []
    if finishing.order:
        parts.append(f"order_by=[{', '.join(map(order_text, finishing.order))}]")
    if finishing.limit is not None:
        parts.append(f"limit={finishing.limit}")
    if finishing.offset:
        parts.append(f"offset={finishing.offset}")
    if finishing.project is not None:
        parts.append(f"output=[{columns_text(finishing.project)}]")
    return f"Finish {' '.join(parts)}" if parts else ""


def order_text(order: Order) -> str:
    direction = "desc" if order.descending else "asc"
    return f"#{order.column} {direction} nulls_{'first' if order.nulls_first else 'last'}"


def columns_text(columns: Sequence[int]) -> str:
    return ", ".join(f"#{column}" for column in columns)


def literal_text(literal: Literal) -> str:
    match literal.value:
        case None:
            return "null"
        case bool():
            return "true" if literal.value else "false"
        case str():
            return '"' + literal.value.replace("\\", "\\\\").replace('"', '\\"') + '"'
        case bytes():
            return f"\\x{literal.value.hex()}"
        case Interval():
            return f"'{format_interval(literal.value)}'"
        case datetime() | date() | time():
            return literal.value.isoformat(*((" ",) if isinstance(literal.value, datetime) else ()))
        case _:
            return str(literal.value)


class RelationText:
    """One printing: subqueries in scalars are printed below the node that holds them, numbered in its order."""

    def __init__(self) -> None:
        self.waiting: list[Relation] = []

    def lines(self, relation: Relation, depth: int) -> list[str]:
        held, self.waiting = self.waiting, []
        head = self.head(relation)
        inner, self.waiting = self.waiting, held
        pad = "  " * depth
        if isinstance(relation, Let):
            return self.let_lines(relation, depth)
        if isinstance(relation, LetRec):
            return self.let_rec_lines(relation, depth)
        found = [pad + head]
        for child in children(relation):
            found.extend(self.lines(child, depth + 1))
        for number, subquery in enumerate(inner):
            found.append(f"{pad}  Subquery {number}")
            found.extend(self.lines(subquery, depth + 2))
        if isinstance(relation, Constant):
            found.extend(f"{pad}  {line}" for line in constant_lines(relation.rows))
        return found

    def let_lines(self, relation: Let, depth: int) -> list[str]:
        """With: each bound relation, then Return: the body."""
        pad = "  " * depth
        found = [f"{pad}With"]
        body: Relation = relation
        while isinstance(body, Let):
            found.append(f"{pad}  cte l{body.id} =")
            found.extend(self.lines(body.value, depth + 2))
            body = body.body
        return [*found, f"{pad}Return", *self.lines(body, depth + 1)]

    def let_rec_lines(self, relation: LetRec, depth: int) -> list[str]:
        pad = "  " * depth
        limit = ""
        if relation.limit is not None:
            limit = f" [{'return' if relation.returns_at_limit else 'error'} at recursion limit {relation.limit}]"
        found = [f"{pad}With Mutually Recursive{limit}"]
        for id_, value in zip(relation.ids, relation.values, strict=True):
            found.append(f"{pad}  cte l{id_} =")
            found.extend(self.lines(value, depth + 2))
        return [*found, f"{pad}Return", *self.lines(relation.body, depth + 1)]

    def head(self, relation: Relation) -> str:
        match relation:
            case Get():
                return f"Get {relation.name}"
            case Local():
                return f"Get l{relation.id}"
            case Let() | LetRec():
                return "With"
            case Constant():
                return "Constant <empty>" if not relation.rows else "Constant"
            case Project():
                return f"Project ({columns_text(relation.columns)})"
            case Map():
                return f"Map ({self.scalars(relation.scalars)})"
            case Filter():
                return f"Filter {' AND '.join(self.operand(p) for p in relation.predicates)}"
            case FlatMap():
                return f"FlatMap {relation.function.name}({self.scalars(relation.arguments)})"
            case BoundJoin():
                kind = relation.kind.value.capitalize() + ("LateralJoin" if relation.lateral else "Join")
                return f"{kind} {self.scalar(relation.on)}"
            case Join():
                if not relation.equivalences:
                    return "CrossJoin"
                on = " AND ".join(" = ".join(map(self.scalar, group)) for group in relation.equivalences)
                return f"Join on=({on})"
            case Reduce():
                kind = "Reduce scalar" if relation.scalar else "Reduce"
                keys = f" group_by=[{self.scalars(relation.keys)}]" if relation.keys else ""
                calls = ", ".join(map(self.call, relation.aggregates))
                return f"{kind}{keys} aggregates=[{calls}]"
            case TopK():
                parts = [f"group_by=[{columns_text(relation.group)}]"] if relation.group else []
                parts += [f"order_by=[{', '.join(map(order_text, relation.order))}]"] if relation.order else []
                parts += [] if relation.limit is None else [f"limit={relation.limit}"]
                parts += [f"offset={relation.offset}"] if relation.offset else []
                return " ".join(["TopK", *parts])
            case Window():
                parts = [f"partition_by=[{columns_text(relation.partition)}]"] if relation.partition else []
                parts += [f"order_by=[{', '.join(map(order_text, relation.order))}]"] if relation.order else []
                return " ".join(["Window", *parts, f"calls=[{', '.join(map(str, relation.calls))}]"])
            case Distinct() | Negate() | Threshold() | Union():
                return type(relation).__name__

    def call(self, call: AggregateCall) -> str:
        inner = ("distinct " if call.distinct else "") + self.scalars(call.arguments)
        if call.order:
            inner += " order_by=" + ", ".join(
                f"{self.scalar(s)} {'desc' if down else 'asc'} nulls_{'first' if first else 'last'}"
                for s, down, first in call.order
            )
        where = "" if call.filter is None else f" filter={self.scalar(call.filter)}"
        return f"{call.overload.name}({inner or '*'}){where}"

    def scalars(self, scalars: Sequence[BoundScalar]) -> str:
        return ", ".join(map(self.scalar, scalars))

    def operand(self, scalar: BoundScalar) -> str:
        """A scalar as part of another: in brackets where it is no single word."""
        text = self.scalar(scalar)
        return f"({text})" if isinstance(scalar, Logic | Case) or is_operator(scalar) else text

    def subquery(self, relation: Relation) -> str:
        self.waiting.append(relation)
        return f"(subquery {len(self.waiting) - 1})"

    def scalar(self, scalar: BoundScalar) -> str:
        match scalar:
            case Ref():
                return f"#{scalar.index}"
            case Outer():
                return f"#^{scalar.index}" if scalar.depth == 1 else f"#^{scalar.depth}:{scalar.index}"
            case Literal():
                return literal_text(scalar)
            case Call():
                return self.call_text(scalar)
            case Case():
                branches = " ".join(f"when {self.scalar(c)} then {self.scalar(r)}" for c, r in scalar.branches)
                return f"case {branches} else {self.scalar(scalar.otherwise)} end"
            case Coalesce():
                return f"coalesce({self.scalars(scalar.arguments)})"
            case Logic():
                return (" AND " if scalar.conjunction else " OR ").join(map(self.operand, scalar.arguments))
            case Exists():
                return f"exists{self.subquery(scalar.relation)}"
            case ScalarSubquery():
                return self.subquery(scalar.relation)
            case Quantified():
                quantor = "all" if scalar.all else "any"
                return f"{quantor}{self.subquery(scalar.relation)}[{self.scalar(scalar.condition)}]"

    def call_text(self, scalar: Call) -> str:
        name, arguments = scalar.function.name, scalar.arguments
        if name in POSTFIX:
            return f"{self.operand(arguments[0])} {POSTFIX[name]}"
        if name in DISTINCTION:
            return f"{self.operand(arguments[0])} {DISTINCTION[name]} {self.operand(arguments[1])}"
        if name == "not":
            return f"NOT({self.scalar(arguments[0])})"
        if name in INFIX and len(arguments) == 2:
            return f"{self.operand(arguments[0])} {name} {self.operand(arguments[1])}"
        if name in INFIX:
            return f"{name}{self.operand(arguments[0])}"
        if name == "cast" or name.startswith("cast_"):
            return f"{self.operand(arguments[0])}::{scalar.type}"
        return f"{name}({self.scalars(arguments)})"


def is_operator(scalar: BoundScalar) -> bool:
    if not isinstance(scalar, Call):
        return False
    name = scalar.function.name
    return name in INFIX or name in POSTFIX or name in DISTINCTION


def constant_lines(rows: Sequence[tuple[tuple[Value, ...], int]]) -> Iterator[str]:
    for row, count in rows[:CONSTANT_ROWS_SHOWN]:
        shown = ", ".join(literal_text(Literal(value, graph.types.TEXT)) for value in row)  # pyright: ignore
        yield f"- ({shown})" + (f" x {count}" if count != 1 else "")
    if len(rows) > CONSTANT_ROWS_SHOWN:
        yield f"... {len(rows) - CONSTANT_ROWS_SHOWN} more"


class PlanText:
    """One printing of a dataflow, whose nodes are compared by identity (lower makes equal ones one object)."""

    def __init__(self, plan: Plan, names: Names) -> None:
        self.plan = plan
        self.names = names
        self.text = RelationText()
        self.readers: dict[int, int] = {}
        self.shared: dict[int, str] = {}
        self.order: list[Plan] = []
        self.count(plan)

    def count(self, plan: Plan) -> None:
        seen = self.readers.get(id(plan), 0)
        self.readers[id(plan)] = seen + 1
        if seen:
            return
        for child in graph.inputs(plan):
            self.count(child)
        self.order.append(plan)

    def all(self) -> list[str]:
        many = [p for p in self.order if self.readers[id(p)] > 1 and not isinstance(p, graph.Source | graph.Constant)]
        if not many:
            return self.lines(self.plan, 0)
        found = ["With"]
        for number, plan in enumerate(many):
            body = self.lines(plan, 2)
            self.shared[id(plan)] = f"l{number}"
            found.extend([f"  cte l{number} =", *body])
        return [*found, "Return", *self.lines(self.plan, 1)]

    def lines(self, plan: Plan, depth: int) -> list[str]:
        pad = "  " * depth
        if id(plan) in self.shared:
            return [f"{pad}Get {self.shared[id(plan)]}"]
        found = [pad + line for line in self.head(plan)]
        for child in graph.inputs(plan):
            found.extend(self.lines(child, depth + 1))
        if isinstance(plan, graph.LetRec):
            variables = range(len(plan.inputs), len(plan.inputs) + len(plan.bodies))
            for label, inner in zip(
                (*(f"%{v} :=" for v in variables), "return"), (*plan.bodies, plan.result), strict=True
            ):
                found.append(f"{pad}  {label}")
                found.extend(f"{pad}    {line}" for line in PlanText(inner, self.names).all())
        return found

    def head(self, plan: Plan) -> list[str]:
        match plan:
            case graph.Source():
                return [f"Source {self.names.get(plan.id, f'u{plan.id}')}"]
            case graph.Constant():
                return ["Constant" if plan.rows else "Constant <empty>", *(f"  {x}" for x in constant_lines(plan.rows))]
            case graph.Local():
                return [f"%{plan.index}"]
            case graph.Temporal():
                lower = "" if plan.lower is None else f"#{plan.lower} <= "
                return [f"Temporal {lower}now" + ("" if plan.upper is None else f" < #{plan.upper}")]
            case graph.LetRec():
                how = "maintained" if graph.is_monotone(plan) else "recomputed when an input changes"
                return [f"Recursion ({how}) over %0..%{len(plan.inputs) - 1}"]
            case graph.Mfp():
                steps = [
                    f"  compute {self.text.scalar(step.expression)}"
                    if isinstance(step, Compute)
                    else f"  keep {self.text.scalar(step.predicate)}"
                    for step in plan.steps
                ]
                return [f"Mfp project=({columns_text(plan.project)})", *steps]
            case graph.FlatMap():
                return [f"FlatMap {plan.function.name}({self.text.scalars(plan.arguments)})"]
            case graph.Join():
                return [f"DeltaJoin project=({columns_text(plan.project)})", *self.paths(plan)]
            case graph.Reduce():
                calls = ", ".join(
                    f"{a.kind.value.removesuffix('(*)')}({columns_text(a.columns) or '*'})" for a in plan.aggregates
                )
                whole = any(aggregate.kind in WHOLE_GROUP for aggregate in plan.aggregates)
                again = " recomputes=touched groups" if whole else ""
                return [f"Reduce key=({columns_text(plan.key)}) aggregates=[{calls}]{again}"]
            case graph.TopK():
                relation = TopK(Constant((), ()), plan.group, plan.order, plan.limit, plan.offset)
                return [self.text.head(relation)]
            case graph.Window():
                relation = Window(Constant((), ()), plan.partition, plan.order, plan.calls)
                return [f"{self.text.head(relation)} recomputes={reach_of(plan.calls) or 'touched partitions'}"]
            case graph.Distinct() | graph.Threshold() | graph.Union() | graph.Negate():
                return [type(plan).__name__]

    def paths(self, plan: graph.Join) -> Iterator[str]:
        for start, path in enumerate(plan.paths):
            stages = " » ".join(f"%{look.input}[{columns_text(look.key)}]" + ("" if look.key else "×") for look in path)
            yield f"  %{start} » {stages}"
