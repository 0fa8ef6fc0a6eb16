"""EXPLAIN: the planner's line, stopped at a stage and shown; and the time at which a query would read."""

import json
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final, assert_never

from engine.catalog.catalog import FIRST_USER_ID, Catalog
from engine.catalog.items import Index, Item, kind
from engine.catalog.timelines import CLOCK, timeline_of
from engine.cluster.worker import sources
from engine.coordinator.coordinator import Coordinator
from engine.coordinator.expression_keys import by_expression
from engine.coordinator.pipeline import arranged, dataflow
from engine.coordinator.reads import Check, readable_time
from engine.coordinator.result import Result
from engine.dataflow.graph import Mfp, Plan, Source, nodes
from engine.plan.decorrelate import decorrelate
from engine.plan.explain import finished, lookup_text, plan_node, query_node
from engine.plan.explaining.dataflows import schedule_text
from engine.plan.explaining.options import Shown
from engine.plan.explaining.tree import Json, Node, as_json, lines
from engine.plan.lookup import as_lookups, missing
from engine.plan.optimize import optimize, prepare
from engine.sql.bound import BoundExplain, BoundExplainTimestamp
from engine.sql.statement.session import Stage
from engine.types import TEXT, Column

TIMESTAMP_COLUMN: Final = Column("Timestamp", TEXT, False)


def plan_column(bound: BoundExplain) -> Column:
    """The column that EXPLAIN answers with."""
    return Column(f"{bound.stage.value.capitalize()} Plan", TEXT, False)


def explain(coordinator: Coordinator, bound: BoundExplain, catalog: Catalog) -> Result:
    """The stage of a query as one text: its relation, or with PHYSICAL its dataflow. `catalog` is the transaction's."""
    began = time.perf_counter()
    node = _node(coordinator, bound, catalog)
    if bound.schedule is not None and node.operator != "Refresh":
        node = Node("Refresh", f"Refresh {schedule_text(bound.schedule)}", inputs=(node,))
    ms = round((time.perf_counter() - began) * 1000, 3)
    if bound.as_json:
        timed: dict[str, Json] = {"planning_ms": ms} if bound.shown.timing else {}
        found = json.dumps({"stage": bound.stage.value, "plan": as_json(node), **timed}, indent=2, ensure_ascii=False)
    else:
        found = "\n".join([*lines(node), *(["", f"Planning time: {ms} ms"] if bound.shown.timing else [])])
    return coordinator.rows("EXPLAIN", (plan_column(bound),), [(found,)])


def _node(coordinator: Coordinator, bound: BoundExplain, catalog: Catalog) -> Node:
    relation, shown = bound.query.relation, bound.shown
    match bound.stage:
        case Stage.RAW:
            return query_node(bound.query, None, shown)
        case Stage.DECORRELATED:
            return query_node(bound.query, decorrelate(relation), shown)
        case Stage.OPTIMIZED:
            return query_node(bound.query, optimize(decorrelate(prepare(relation))), shown)
        case Stage.PHYSICAL:
            running = _running(coordinator, bound.runs)
            plan = running or dataflow(relation, catalog, coordinator.options)
            plan = by_expression(coordinator, plan) or plan
            names = {id: str(item.name.item) for id, item in catalog.items.items()}
            columns = {id: _names_of(item, catalog) for id, item in catalog.items.items()}
            remarks = {} if running or bound.runs is not None else _look_ups(catalog, plan, names, shown)
            node = plan_node(plan, names, columns, shown, remarks)
            return finished(node, bound.query.finishing, shown)
        case _:
            assert_never(bound.stage)


def _names_of(item: Item, catalog: Catalog) -> tuple[str, ...]:
    """What the columns of a collection are called: an index by expressions is one by itself."""
    if not isinstance(item, Index) or not item.expressions:
        return tuple(column.name for column in item.columns)
    columns = catalog.items[item.on].columns
    return (*(column.name for column in columns), *(each.text for each in item.expressions))


def _look_ups(catalog: Catalog, plan: Plan, names: Mapping[int, str], shown: Shown) -> Mapping[int, list[str]]:
    """By node of a plan that is run once: what it looks up, or by which index it cannot and why."""
    keys = arranged(catalog)
    indexes = [item for item in catalog.items.values() if isinstance(item, Index)]
    remarks: dict[int, list[str]] = {}
    for node in nodes(plan):
        if not isinstance(node, Mfp) or not isinstance(node.input, Source):
            continue
        own = [index for index in indexes if node.input.id == index.collection]
        for found in as_lookups(node, keys):
            name = next((str(index.name.item) for index in own if index.key == found.key), None)
            remarks.setdefault(id(node), []).append(lookup_text(found, names, name, shown))
        if id(node) in remarks:
            continue
        for index in own:
            left = ", ".join(f"#{column}" for column in missing(node, index.key))
            if left:
                text = f"no look-up in index {index.name.item}: it is by whole keys, and no value of {left} is given"
                remarks.setdefault(id(node), []).append(text)
    return remarks


def _running(coordinator: Coordinator, id: int | None) -> Plan | None:
    """The dataflow that maintains an item, if one does."""
    if id is None or not coordinator.is_live(id):
        return None
    with coordinator.ticks.lock:
        nodes = coordinator.cluster.worker.circuit.nodes()
    return next((node.plan for node in nodes if id in node.exports), None)


def explain_timestamp(
    coordinator: Coordinator, bound: BoundExplainTimestamp, catalog: Catalog, read_at: int | None, check: Check
) -> Result:
    """At what tick a query would read and between which it could. `read_at` is the tick of the transaction, if any."""
    plan = dataflow(bound.relation, catalog, coordinator.options)
    worker = coordinator.cluster.worker
    reads = sorted(id for id in sources(plan) if id >= FIRST_USER_ID)
    live = [id for id in reads if coordinator.is_live(id)]
    if bound.as_of is not None:
        at = readable_time(coordinator, bound.as_of, plan, check)
    else:
        at = worker.upper if read_at is None else read_at
    upper, since = worker.upper, max((worker.circuit.since(id) for id in live), default=0)
    items = catalog.items
    facts: dict[str, Json] = {
        "query timestamp": at,
        "largest not in advance of upper": upper,
        "upper": upper + 1,
        "since": since,
        "can respond immediately": len(live) == len(reads),
        "timeline": next((line for id in sorted(bound.reads) if (line := timeline_of(items[id], items))), CLOCK),
        "session wall time": coordinator.oracle.wall_ms(),
    }
    each: list[Json] = [
        {
            "name": f"{items[id].name} (u{id}, {kind(items[id])})",
            "read frontier": worker.circuit.since(id) if id in live else 0,
            "write frontier": upper + 1 if id in live else 0,
        }
        for id in reads
    ]
    if bound.as_json:
        found = json.dumps({**facts, "sources": each}, indent=2, ensure_ascii=False)
    else:
        width = max(map(len, facts))
        found = "\n".join(f"{name:>{width}}: {_moment(value)}" for name, value in facts.items())
        for source in each:
            assert isinstance(source, dict)
            found += f"\n\nsource {source['name']}:"
            for name in ("read frontier", "write frontier"):
                found += f"\n{name:>{width}}: {_moment(source[name])}"
    return coordinator.rows("EXPLAIN", (TIMESTAMP_COLUMN,), [(found,)])


def _moment(value: Json) -> str:
    """A tick and what it is on the clock."""
    if isinstance(value, bool) or not isinstance(value, int):
        return str(value).lower() if isinstance(value, bool) else str(value)
    return f"{value:13} ({datetime.fromtimestamp(value / 1000, UTC).isoformat(' ', 'milliseconds')})"
