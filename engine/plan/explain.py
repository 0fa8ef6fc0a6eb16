"""EXPLAIN: any stage of the planner's line, in the manner of Materialize: a tree by indentation, columns as #n.

The text is stable: it depends on the plan alone, so tests/golden compare it. What is shown is data first
(engine/plan/explaining), which the JSON of EXPLAIN and whoever draws a plan read too.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from engine.dataflow.graph import Plan
from engine.plan.explaining.dataflows import NO_REMARKS, Dataflows
from engine.plan.explaining.names import Names
from engine.plan.explaining.options import Shown
from engine.plan.explaining.relations import Relations
from engine.plan.explaining.scalars import ScalarText
from engine.plan.explaining.tree import Node, lines, texts
from engine.plan.lookup import Each, KeyLookup
from engine.plan.relation import Finishing, Query, Relation

PLAIN: Final = Shown()
NOTHING: Final[Mapping[int, str]] = {}
NO_COLUMNS: Final[Mapping[int, Names]] = {}


def query_node(query: Query, relation: Relation | None = None, shown: Shown = PLAIN) -> Node:
    """A query at a stage: its relation there (None: as bound), below what finishes its rows."""
    node = Relations(shown).node(query.relation if relation is None else relation)
    return finished(node, query.finishing, shown)


def plan_node(
    plan: Plan,
    names: Mapping[int, str] = NOTHING,
    columns: Mapping[int, Names] = NO_COLUMNS,
    shown: Shown = PLAIN,
    remarks: Mapping[int, Sequence[str]] = NO_REMARKS,
) -> Node:
    """A dataflow. `names` are those of collections by id, `columns` those of their columns, `remarks` of its nodes."""
    return Dataflows(names, columns, shown, remarks).node(plan)


def explain_query(query: Query, relation: Relation | None = None) -> str:
    """The text of a query at a stage."""
    return "\n".join(lines(query_node(query, relation)))


def explain_plan(plan: Plan, names: Mapping[int, str] = NOTHING) -> str:
    """The text of a dataflow."""
    return "\n".join(lines(plan_node(plan, names)))


def explain_operator(plan: Plan, names: Mapping[int, str] = NOTHING) -> str:
    """One operator of a dataflow, without its inputs."""
    return "\n".join(lines(Dataflows(names, NO_COLUMNS, PLAIN).alone(plan)))


def lookup_text(found: KeyLookup, names: Mapping[int, str], index: str | None, shown: Shown = PLAIN) -> str:
    """What an arrangement is asked for instead of all its rows."""
    text = ScalarText((), shown.redacted)
    rows = ([choice.array if isinstance(choice, Each) else choice for choice in row] for row in found.choices)
    keys = ", ".join(f"({text.scalars(row)})" for row in rows)
    by = "" if index is None else f" in index {index}"
    return f"Lookup {names.get(found.id, f'u{found.id}')} by ({text.columns(found.key)}) = {keys}{by}"


def finished(node: Node, finishing: Finishing, shown: Shown = PLAIN) -> Node:
    """A query's rows, below what happens to them outside the dataflow, if anything does."""
    text = ScalarText((), shown.redacted)
    order = list(map(text.order, finishing.order))
    parts = [f"order_by=[{', '.join(order)}]"] if order else []
    parts += [] if finishing.limit is None else [f"limit={finishing.limit}"]
    parts += [f"offset={finishing.offset}"] if finishing.offset else []
    parts += [] if finishing.project is None else [f"output=[{text.columns(finishing.project)}]"]
    if not parts:
        return node
    fields = ("order_by", texts(order)), ("limit", finishing.limit), ("offset", finishing.offset)
    return Node("Finish", f"Finish {' '.join(parts)}", fields, inputs=(node,))
