"""Reads: one answer as of one tick.

A look-up by an arranged key goes to the arrangement and touches no dataflow. Everything else runs once over the
contents of the last tick, reusing whatever the running graph already holds of it: a materialized view read through
filters and projections is a copy of its rows, and what it asks of a large collection by key is looked up. Errors of the
operators upstream of what is read fail the read.
"""

import time
from collections.abc import Callable

import numpy as np

from engine.catalog.catalog import FIRST_USER_ID
from engine.cluster.command import Lookup, Peek, Rows
from engine.cluster.worker import sources
from engine.collection.batch import Batch
from engine.collection.words import vector_of
from engine.coordinator.coordinator import Coordinator
from engine.coordinator.expression_keys import by_expression
from engine.coordinator.finishing import finish
from engine.coordinator.pipeline import dataflow
from engine.coordinator.result import Result
from engine.dataflow.graph import Changes, Mfp, Plan, Source, nodes, output_types
from engine.errors import DataError, InvalidParameter, ObjectNotInState, UndefinedTable, Unsupported
from engine.plan.lookup import as_lookup, seeks_of
from engine.plan.relation import Constant, Relation
from engine.sql.bound import BoundSelect
from engine.sql.resolved.rows import BoundAsOf

Check = Callable[[], None]
"""Raises QueryCanceled when the statement that runs is cancelled."""


def select(coordinator: Coordinator, bound: BoundSelect, at: int | None, check: Check) -> Result:
    """The answer to a SELECT: as of tick `at`, or of its own AS OF, or of the last tick."""
    most = coordinator.options.result_rows_max
    if at is None:
        coordinator.ticks.run_due()
    plan = bound.plan or coordinator.plans.of(bound.query.relation, coordinator.catalog)
    coordinator.wait_live(sources(plan), check)  # without the pin: while somebody holds one, no dead datum is freed
    with coordinator.heap.pinned():
        if bound.as_of is not None:
            at = readable_time(coordinator, bound.as_of, plan, check)
        rows = _computed_keys(coordinator, plan, check) if at is None else None
        if rows is None:
            rows = peek(coordinator, plan, at, check, waited=True)
        finishing = bound.query.finishing
        batch = coordinator.watched(check).run(
            lambda: finish(rows.batch, finishing, output_types(plan), coordinator.heap, most),
            len(rows.batch),
        )
        timestamp = rows.timestamp or None
        return coordinator.result(f"SELECT {len(batch)}", bound.columns, batch, timestamp=timestamp)


def _computed_keys(coordinator: Coordinator, plan: Plan, check: Check) -> Rows | None:
    """The rows of a plan that an index by an expression answers; None: none does, or not without an error."""
    instead = by_expression(coordinator, plan)
    if instead is None:
        return None
    try:
        return peek(coordinator, instead, None, check)
    except (DataError, UndefinedTable):
        return None


def peek(coordinator: Coordinator, plan: Plan, at: int | None, check: Check, waited: bool = False) -> Rows:
    """The rows of a plan; waits for what it reads to hydrate, unless that was done. The caller holds the heap pinned or
    the tick lock."""
    reads = sources(plan)
    if not waited:
        coordinator.wait_live(reads, check)
    began = time.perf_counter_ns()
    try:
        rows = look_up(coordinator, plan, at)
        if rows is None:
            circuit = coordinator.cluster.worker.circuit
            seeks = seeks_of(plan, {id: frozenset(circuit.arranged(id)) for id in reads})
            rows = coordinator.cluster.peek(Peek(coordinator.request(), plan, at, seeks), coordinator.watched(check))
    except KeyError:
        coordinator.check_there(reads)
        raise
    coordinator.peeks.add(time.perf_counter_ns() - began)
    check()
    if rows.error is not None:
        raise DataError.of(rows.error)
    return rows


def check_recorded(coordinator: Coordinator, plan: Plan) -> None:
    """What is to be kept of CHANGES has to begin where the histories reach. InvalidParameter."""
    for part in nodes(plan):
        if isinstance(part, Changes) and isinstance(part.input, Source):
            check_reached(coordinator, part.input.id, part.as_of)


def check_reached(coordinator: Coordinator, id: int, at: int) -> None:
    """The changes of a collection from that time on are to be told. InvalidParameter, ObjectNotInState."""
    if not coordinator.is_live(id):
        raise ObjectNotInState(
            "changes of what is still hydrating, or not yet committed, are not known",
            hint="mz_hydration_statuses shows how far it is; try again later.",
        )
    worker = coordinator.cluster.worker
    since = worker.circuit.since(id)
    if at < since:
        raise InvalidParameter(
            f"timestamp ({at}) is not valid for all inputs: the earliest that can be read is {since}",
            hint="RETAIN HISTORY FOR keeps more; AS OF AT LEAST begins at the earliest.",
        )
    if at > worker.upper:
        raise _in_future(at, worker.upper)


def _in_future(at: int, upper: int) -> InvalidParameter:
    return InvalidParameter(
        f"timestamp ({at}) lies in the future: the last complete one is {upper}",
        hint="AS OF AT LEAST reads the first one that can be read.",
    )


def look_up(coordinator: Coordinator, plan: Plan, at: int | None) -> Rows | None:
    """The rows of a plan that asks one collection for keys that it is arranged by; None for any other plan."""
    if not isinstance(plan, Mfp) or not isinstance(plan.input, Source):
        return None
    circuit = coordinator.cluster.worker.circuit
    found = as_lookup(plan, {plan.input.id: frozenset(circuit.arranged(plan.input.id))})
    if found is None:
        return None
    try:
        return coordinator.cluster.peek(Lookup(coordinator.request(), found.id, found.key, found.values, found.mfp, at))
    except KeyError:
        return None  # the arrangement went meanwhile


def rows_of(coordinator: Coordinator, relation: Relation, check: Check) -> Batch:
    """The present rows of a bound relation. The caller holds the heap pinned or the tick lock."""
    if isinstance(relation, Constant):
        return constant(coordinator, relation)
    return peek(coordinator, dataflow(relation, coordinator.catalog, coordinator.options), None, check).batch


def constant(coordinator: Coordinator, relation: Constant) -> Batch:
    """Fixed rows as a batch."""
    vectors = [
        vector_of([row[i] for row, _ in relation.rows], type, coordinator.heap) for i, type in enumerate(relation.types)
    ]
    return Batch.from_vectors(vectors, np.array([count for _, count in relation.rows], np.int64))


def readable_time(coordinator: Coordinator, as_of: BoundAsOf, plan: Plan, check: Check) -> int:
    """The tick that AS OF means; a time that has come without a tick gets one."""
    at = as_of.timestamp
    reads = sources(plan)
    system = [coordinator.catalog.items[id].name for id in reads if id < FIRST_USER_ID]
    if system:
        raise Unsupported(f"AS OF of {system[0]} is not supported", hint="System relations show the moment.")
    coordinator.wait_live(reads, check)
    worker = coordinator.cluster.worker
    if as_of.at_least:
        at = max([at, *(worker.circuit.since(id) for id in reads)])
    if at > worker.upper and at <= coordinator.oracle.wall_ms():
        coordinator.ticks.run(idle=True)
    if at > worker.upper:
        raise _in_future(at, worker.upper)
    return at
