"""Relations as EXPLAIN shows them. Those that a Let shares are named l0, l1, ... as they are numbered when bound."""

from collections.abc import Iterator, Sequence
from math import prod
from typing import Final

from engine import types
from engine.dataflow import graph
from engine.expr.scalar import Value
from engine.plan.explaining.names import RelationNames
from engine.plan.explaining.options import Shown
from engine.plan.explaining.scalars import REDACTED, ScalarText, value_text
from engine.plan.explaining.tree import Json, Node, texts
from engine.plan.facts import Facts, positive
from engine.plan.relation import (
    BoundJoin,
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
    children,
)

CONSTANT_ROWS_SHOWN: Final = 20
"""Rows of a Constant that are printed; the others are counted."""

Fields = tuple[tuple[str, Json], ...]


class Relations:
    """One showing: facts and names are found once for it."""

    def __init__(self, shown: Shown) -> None:
        self._shown = shown
        self._facts = Facts()
        self._names = RelationNames(self._facts)

    def node(self, relation: Relation) -> Node:
        match relation:
            case Let():
                return self._let(relation)
            case LetRec():
                return self._let_rec(relation)
            case _:
                pass
        inputs = tuple(map(self.node, children(relation)))
        text = self._text(relation)
        head, fields = head_of(relation, text)
        parts = tuple((f"Subquery {n}", self.node(inner)) for n, inner in enumerate(text.subqueries))
        tail = tuple(constant_lines(relation.rows, self._shown.redacted)) if isinstance(relation, Constant) else ()
        notes = tuple(self._notes(relation))
        return Node(type(relation).__name__, head, fields, (), inputs, parts, None, tail, notes)

    def _let(self, relation: Let) -> Node:
        """Lets in a row are one node."""
        parts: list[tuple[str, Node]] = []
        body: Relation = relation
        while isinstance(body, Let):
            parts.append((f"cte l{body.id} =", self.node(body.value)))
            self._facts.bind(body)
            self._names.bind(body.id, body.value)
            body = body.body
        return Node("Let", "With", parts=tuple(parts), result=self.node(body))

    def _let_rec(self, relation: LetRec) -> Node:
        limit, fields = "", ()
        if relation.limit is not None:
            limit = f" [{'return' if relation.returns_at_limit else 'error'} at recursion limit {relation.limit}]"
            fields = (("limit", relation.limit), ("returns_at_limit", relation.returns_at_limit))
        parts = tuple((f"cte l{id}", value) for id, value in zip(relation.ids, relation.values, strict=True))
        shown = tuple((f"{name} =", self.node(value)) for name, value in parts)
        return Node("LetRec", f"With Mutually Recursive{limit}", fields, parts=shown, result=self.node(relation.body))

    def _text(self, relation: Relation) -> ScalarText:
        """Prints the scalars of a node: over the rows of its inputs, and of a Map's own columns before each."""
        if not self._shown.humanized_expressions:
            return ScalarText((), self._shown.redacted)
        if isinstance(relation, Map):
            names = self._names.of(relation)
        else:
            names = tuple(name for child in children(relation) for name in self._names.of(child))
        return ScalarText(names, self._shown.redacted)

    def _notes(self, relation: Relation) -> Iterator[tuple[str, str | int | bool]]:
        shown = self._shown
        columns = self._facts.columns(relation)
        if shown.arity:
            yield "arity", len(columns)
        if shown.types:
            yield "types", types_text(columns)
        if shown.keys:
            keys = sorted(sorted(key) for key in self._facts.keys(relation))
            yield "keys", f"({', '.join(map(str, keys))})"
        if shown.cardinality:
            most = rows_at_most(relation, self._facts)
            yield "cardinality", "unbounded" if most is None else f"<= {most}"
        if shown.non_negative:
            yield "non negative", positive(relation)
        if shown.join_implementations and isinstance(relation, Join):
            yield "implementation", "delta"
        if shown.filter_pushdown and isinstance(relation, Filter) and isinstance(relation.input, Get):
            yield "pushdown", "()"
        if shown.column_names:
            yield "column names", names_text(self._names.of(relation))


def types_text(columns: Sequence[tuple[types.SqlType, bool]]) -> str:
    return f"({', '.join(str(type) + ('?' if nullable else '') for type, nullable in columns)})"


def names_text(names: Sequence[str | None]) -> str:
    return f"({', '.join('#' + str(i) if name is None else name for i, name in enumerate(names))})"


def head_of(relation: Relation, text: ScalarText) -> tuple[str, Fields]:
    """A node's line, and what it says by name."""
    match relation:
        case Get():
            since = "" if relation.changes is None else f" changes since {relation.changes}"
            return f"Get {relation.name}{since}", (("name", relation.name), ("id", f"u{relation.id}"))
        case Local():
            return f"Get l{relation.id}", (("name", f"l{relation.id}"),)
        case Let() | LetRec():
            return "With", ()
        case Constant():
            return "Constant <empty>" if not relation.rows else "Constant", (("rows", len(relation.rows)),)
        case Project():
            return f"Project ({text.columns(relation.columns)})", (("columns", list[Json](relation.columns)),)
        case Map():
            scalars = list(map(text.scalar, relation.scalars))
            return f"Map ({', '.join(scalars)})", (("scalars", texts(scalars)),)
        case Filter():
            predicates = list(map(text.operand, relation.predicates))
            return f"Filter {' AND '.join(predicates)}", (("predicates", texts(predicates)),)
        case FlatMap():
            call = f"{relation.function.name}({text.scalars(relation.arguments)})"
            return f"FlatMap {call}", (("function", call),)
        case BoundJoin():
            kind = relation.kind.value.capitalize() + ("LateralJoin" if relation.lateral else "Join")
            on = text.scalar(relation.on)
            return f"{kind} {on}", (("kind", relation.kind.value), ("on", on))
        case Join():
            groups = [" = ".join(map(text.scalar, group)) for group in relation.equivalences]
            return (f"Join on=({' AND '.join(groups)})" if groups else "CrossJoin"), (("on", texts(groups)),)
        case Reduce():
            kind = "Reduce scalar" if relation.scalar else "Reduce"
            keys = list(map(text.scalar, relation.keys))
            calls = list(map(text.call, relation.aggregates))
            by = f" group_by=[{', '.join(keys)}]" if keys else ""
            return f"{kind}{by} aggregates=[{', '.join(calls)}]", (
                ("group_by", texts(keys)),
                ("aggregates", texts(calls)),
            )
        case TopK():
            return top_k(relation, text)
        case Window():
            order, calls = list(map(text.order, relation.order)), list(map(str, relation.calls))
            parts = [f"partition_by=[{text.columns(relation.partition)}]"] if relation.partition else []
            parts += [f"order_by=[{', '.join(order)}]"] if order else []
            fields = (
                ("partition_by", list[Json](relation.partition)),
                ("order_by", texts(order)),
                ("calls", texts(calls)),
            )
            return " ".join(["Window", *parts, f"calls=[{', '.join(calls)}]"]), fields
        case Distinct() | Negate() | Threshold() | Union():
            return type(relation).__name__, ()


def top_k(plan: TopK | graph.TopK, text: ScalarText) -> tuple[str, Fields]:
    order = list(map(text.order, plan.order))
    parts = [f"group_by=[{text.columns(plan.group)}]"] if plan.group else []
    parts += [f"order_by=[{', '.join(order)}]"] if order else []
    parts += [] if plan.limit is None else [f"limit={plan.limit}"]
    parts += [f"offset={plan.offset}"] if plan.offset else []
    parts += [] if plan.ties is graph.Ties.CUT else [plan.ties.value]
    fields: Fields = (
        ("group_by", list[Json](plan.group)),
        ("order_by", texts(order)),
        ("limit", plan.limit),
        ("offset", plan.offset),
        ("ties", plan.ties.value),
    )
    return " ".join(["TopK", *parts]), fields


def constant_lines(rows: Sequence[tuple[tuple[Value, ...], int]], redacted: bool = False) -> Iterator[str]:
    for row, count in rows[:CONSTANT_ROWS_SHOWN]:
        shown = ", ".join(REDACTED if redacted else value_text(value) for value in row)
        yield f"- ({shown})" + (f" x {count}" if count != 1 else "")
    if len(rows) > CONSTANT_ROWS_SHOWN:
        yield f"... {len(rows) - CONSTANT_ROWS_SHOWN} more"


def rows_at_most(relation: Relation, facts: Facts) -> int | None:
    """How many rows a relation has at most, as its shape says; None: any number. O(size of relation)."""
    if frozenset() in facts.keys(relation):
        return 1
    match relation:
        case Constant():
            return sum(count for _, count in relation.rows)
        case Project() | Map() | Filter() | Window() | Distinct() | Threshold() | Reduce():
            return rows_at_most(relation.input, facts)
        case TopK():
            before = rows_at_most(relation.input, facts)
            if relation.group or relation.limit is None or relation.ties is not graph.Ties.CUT:
                return before
            return relation.limit if before is None else min(relation.limit, before)
        case Union() | Join():
            each = [rows_at_most(branch, facts) for branch in relation.inputs]
            known = [most for most in each if most is not None]
            if isinstance(relation, Join) and 0 in known:
                return 0
            if len(known) < len(each):
                return None
            return sum(known) if isinstance(relation, Union) else prod(known)
        case Let() | LetRec():
            return rows_at_most(relation.body, facts)
        case Get() | Local() | FlatMap() | BoundJoin() | Negate():
            return None
