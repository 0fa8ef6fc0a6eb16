"""From a statement to its effect: bind it, then do what its bound form says.

What changes the catalog binds and acts under the tick lock, so that what it was bound against is what it changes. The
rest binds against the catalog of the moment and finds out when it reads or writes whether that still holds.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Protocol, TypeAlias

from engine.collection.batch import Batch
from engine.coordinator import alter, ddl, dml, reads
from engine.coordinator.changes import BoundChange, change, drafted
from engine.coordinator.coordinator import Coordinator
from engine.coordinator.copy_files import copy_from_files, copy_to
from engine.coordinator.copy_in import copy_from
from engine.coordinator.ddl import exists
from engine.coordinator.draft import Draft
from engine.coordinator.envelope import Envelope, Telling, Within
from engine.coordinator.explain import explain, explain_timestamp
from engine.coordinator.pipeline import dataflow
from engine.coordinator.prepared import BOUND, Prepared
from engine.coordinator.read_only import reads_only, refuse_read_only, refuse_write
from engine.coordinator.reshape import reshape
from engine.coordinator.result import CopyOut, Notice, Result
from engine.coordinator.secrets import validate_connection
from engine.coordinator.snapshot import Snapshot
from engine.coordinator.sources import create_copies, create_source, prepare, prepare_copies, printed
from engine.coordinator.subscribing import use
from engine.coordinator.subscription import Subscription
from engine.coordinator.transaction import Transaction, made_anew, still_there
from engine.coordinator.variables import VARIABLES, byte_count, checked, variable
from engine.errors import LimitExceeded, RaisedError, UndefinedTable, Unsupported
from engine.plan.lower import with_finishing_as_topk
from engine.sql.binder import bind
from engine.sql.binding.context import Context
from engine.sql.binding.settling import settled
from engine.sql.bound import (
    Bound,
    BoundCopy,
    BoundCopyFrom,
    BoundCreateCopies,
    BoundCreateSource,
    BoundCreateTableAs,
    BoundDelete,
    BoundDiscard,
    BoundExplain,
    BoundExplainTimestamp,
    BoundInert,
    BoundInsert,
    BoundMerge,
    BoundRaise,
    BoundReshape,
    BoundSelect,
    BoundSet,
    BoundShowVariable,
    BoundSubscribe,
    BoundTransaction,
    BoundTruncate,
    BoundTurn,
    BoundUpdate,
    BoundValidateConnection,
)
from engine.sql.parameters import Parameters
from engine.sql.resolved.rows import BoundAsOf, CopyFile
from engine.sql.statement.connectors import AlterAddSubsources, CreateCopy, CreateSource
from engine.sql.statement.data import Copy
from engine.sql.statement.definitions import ApplyReplacement, CreateTableAs
from engine.sql.statement.session import Transaction as TransactionStatement
from engine.sql.statement.session import TransactionVerb
from engine.sql.statements import CatalogStatement, Statement
from engine.types import TEXT, Column

Answer: TypeAlias = Result | Subscription | CopyOut


@dataclass(frozen=True, slots=True)
class Ready:
    """A prepared statement with the values of its parameters."""

    prepared: Prepared
    parameters: Parameters


class Client(Protocol):
    """What sequencing needs of the session that sends a statement."""

    @property
    def transaction(self) -> Transaction: ...
    def context(self) -> Context: ...
    def check(self) -> None: ...
    def set_variable(self, name: str, value: str | None, local: bool = False) -> None: ...
    def pause(self, seconds: float) -> None: ...
    def variable_of(self, key: str) -> str: ...
    def discard(self, what: str) -> None: ...
    def received(self, columns: int, binary: bool) -> Iterator[bytes]: ...


def sequence(coordinator: Coordinator, client: Client, statement: Statement, ready: Ready | None = None) -> Answer:
    """Run one statement, which may have been prepared. Raises SqlError."""
    if not isinstance(statement, TransactionStatement):
        client.transaction.check_usable()
    if isinstance(statement, CatalogStatement):
        refuse_read_only(client, re.sub("(?<=[a-z])(?=[A-Z])", " ", type(statement).__name__).upper())
    if isinstance(statement, CreateSource):
        return _create_source(coordinator, client, statement)
    if isinstance(statement, CreateCopy | AlterAddSubsources):
        return _create_copies(coordinator, client, statement)
    with ExitStack() as stack:
        if isinstance(statement, CreateTableAs):
            # Before the tick lock is taken: what hydrates needs it to join.
            parameters = None if ready is None else ready.parameters
            reads_from = bind(statement.statement, replace(client.context(), parameters=parameters))
            assert isinstance(reads_from, BoundSelect)
            reads_from = client.transaction.beneath(coordinator, reads_from.reads)
            coordinator.wait_live(coordinator.holding_rows(reads_from), client.check)
        if isinstance(statement, ApplyReplacement):
            turns = bind(statement, client.context())
            if isinstance(turns, BoundTurn):
                coordinator.wait_live({turns.other} & coordinator.catalog.items.keys(), client.check)
        if isinstance(statement, CatalogStatement):
            stack.enter_context(coordinator.ticks.lock)
        block = client.transaction
        alone = block.status == "I"
        while True:
            context, bound = _bound(coordinator, client, statement, ready)
            try:
                answer = run(coordinator, client, _settled(coordinator, client, bound, context))
                if alone and block.implicit:
                    block.end(coordinator, True)
                return answer
            except UndefinedTable:
                if alone and block.implicit:
                    block.clear(coordinator)
                # What it names may have been made anew since it was bound (ALTER TABLE); so far it has done nothing.
                asks = isinstance(bound, dml.BoundWrite | BoundSelect | BoundSubscribe)
                if not asks or coordinator.catalog is context.catalog:
                    raise
                if not alone:
                    _bound(coordinator, client, statement, ready)
                    raise made_anew() from None


def _settled(coordinator: Coordinator, client: Client, bound: Bound, context: Context) -> Bound:
    """The statement as it runs at this moment. One that reads, and asks for mz_now(), is a transaction by itself: what
    it reads is as of that tick, and so is what stands beside it. A write is of its commit, which is yet to come."""
    block = client.transaction
    query = bound.statement if isinstance(bound, BoundCopy) else bound
    as_of = query.as_of if isinstance(query, BoundSelect) else None

    chosen: list[int] = []

    def tick() -> int:
        if block.status == "I":
            if not isinstance(query, BoundSelect):
                return max(coordinator.oracle.wall_ms(), coordinator.cluster.worker.upper)
            block.begin(implicit=True)
        read = query.rows if isinstance(query, BoundCreateTableAs) else query
        reads = read.reads if isinstance(read, BoundSelect | dml.BoundWrite) else frozenset[int]()
        at_least = None if as_of is None else as_of.timestamp
        chosen.append(max(block.tick(coordinator, client.check, reads, at_least), at_least or 0))
        return chosen[-1]

    found = settled(bound, replace(context, tick=tick))
    if as_of is None or not chosen or not isinstance(found, BoundSelect):
        return found
    return replace(found, as_of=BoundAsOf(chosen[-1], False))


def _bound(
    coordinator: Coordinator, client: Client, statement: Statement, ready: Ready | None
) -> tuple[Context, Bound]:
    if ready is None:
        context = client.context()
        return context, bind(statement, context)
    takes = isinstance(statement, BOUND | Copy | CreateTableAs)
    context = replace(client.context(), parameters=ready.parameters if takes else None)
    return context, ready.prepared.bound(coordinator, context)


def run(coordinator: Coordinator, client: Client, bound: Bound) -> Answer:
    """Do what a bound statement says."""
    refuse_write(coordinator, client, bound)
    if isinstance(bound, BoundChange):
        return change(client.transaction, _draft(coordinator, client), bound)
    match bound:
        case BoundSelect():
            return _fitting(client, _select(coordinator, client, bound))
        case BoundInsert() | BoundUpdate() | BoundDelete() | BoundMerge():
            return _write(coordinator, client, bound)
        case BoundTruncate():
            return _truncate(coordinator, client, bound)
        case BoundCreateTableAs():
            return _create_table_as(coordinator, client, bound)
        case BoundReshape():
            return reshape(coordinator, client.transaction, bound, client.context(), client.check)
        case BoundValidateConnection():
            return validate_connection(coordinator, client.transaction.catalog(coordinator), bound)
        case BoundInert():
            return alter.inert(bound)
        case BoundSubscribe():
            return _subscribe(coordinator, client, bound)
        case BoundExplain():
            return explain(coordinator, bound, client.transaction.catalog(coordinator))
        case BoundExplainTimestamp():
            block = client.transaction
            return explain_timestamp(coordinator, bound, block.catalog(coordinator), block.read_at, client.check)
        case BoundCopy(statement=BoundSelect() as query, file=CopyFile() as file):
            return copy_to(coordinator, _select(coordinator, client, query), file, bound.form, client.check)
        case BoundCopy():
            answer = run(coordinator, client, bound.statement)
            assert not isinstance(answer, CopyOut)
            return CopyOut(answer, bound.form)
        case BoundCopyFrom(file=CopyFile()):
            return copy_from_files(coordinator, client.transaction, bound, client.check)
        case BoundCopyFrom():
            chunks = client.received(len(bound.given), bound.form.binary)
            return copy_from(coordinator, client.transaction, bound, chunks, client.check)
        case BoundShowVariable():
            return _show(coordinator, client, bound)
        case BoundSet():
            if bound.name == "transaction_read_only" and bound.value is not None:
                client.transaction.restrict(checked(bound.name, bound.value)[1] == "on")
            else:
                client.set_variable(bound.name, bound.value, bound.local)
            return Result("RESET" if bound.resets else "SET")
        case BoundTransaction():
            return _transaction(coordinator, client, bound)
        case BoundDiscard():
            return _discard(client, bound)
        case BoundRaise():
            return _raise(bound)


def _draft(coordinator: Coordinator, client: Client) -> Draft:
    """What a statement changes of the catalog: its own draft, or its block's. Under the tick lock."""
    block = client.transaction
    return Draft(coordinator) if block.status == "I" else block.drafted(coordinator)


def _create_source(coordinator: Coordinator, client: Client, statement: CreateSource) -> Result:
    """What a source reads is asked before the tick lock is taken; if the catalog is another by then, again."""
    while True:
        bound = bind(statement, client.context())
        assert isinstance(bound, BoundCreateSource)
        if bound.infer is not None:
            return printed(coordinator, bound)
        block = client.transaction
        if block.catalog(coordinator).named(bound.name) is None:
            prepared = prepare(coordinator, bound)
        else:
            prepared = None
        with coordinator.ticks.lock:
            if bind(statement, client.context()) != bound:
                continue
            draft = _draft(coordinator, client)
            if prepared is not None:
                answer = create_source(draft, bound, prepared)
                if block.status == "I":
                    draft.publish()
                return answer
            skipped = exists(draft, "CREATE SOURCE", bound.name, bound.if_not_exists)
            if skipped is not None:
                return skipped


def _create_copies(coordinator: Coordinator, client: Client, statement: CreateCopy | AlterAddSubsources) -> Result:
    """The same of a table."""
    while True:
        bound = bind(statement, client.context())
        assert isinstance(bound, BoundCreateCopies)
        block = client.transaction
        feeds = prepare_copies(coordinator, block.catalog(coordinator), bound)
        with coordinator.ticks.lock:
            if bind(statement, client.context()) != bound:
                continue
            draft = _draft(coordinator, client)
            answer = create_copies(draft, bound, feeds)
            if block.status == "I":
                draft.publish()
            return answer


def _fitting(client: Client, answer: Result) -> Result:
    """The answer, unless it is too large for the session."""
    limit = byte_count(client.variable_of("max_result_size"))
    size = answer.bytes_held()
    if size > limit:
        raise LimitExceeded(
            f"the result has {size} bytes, more than max_result_size ({limit})", hint="Use LIMIT, or raise it."
        )
    return answer


def _select(coordinator: Coordinator, client: Client, bound: BoundSelect) -> Result:
    for name, value, local in bound.assigned:
        client.set_variable(name, value, local)
    for seconds in bound.pauses:
        client.pause(seconds)
    block = client.transaction
    if block.status == "I" or not (block.draft or block.beneath(coordinator, bound.reads)):
        return reads.select(coordinator, bound, None, client.check)
    with coordinator.heap.pinned():
        snapshot = block.snapshot(coordinator, client.check, bound.reads)
        over = snapshot.over(bound.query.relation)
        if over is not bound.query.relation:
            bound = replace(bound, query=replace(bound.query, relation=over), plan=None)
        return reads.select(coordinator, bound, snapshot.at, client.check)


def _write(coordinator: Coordinator, client: Client, bound: dml.BoundWrite) -> Result:
    block = client.transaction
    if block.status == "I":
        return dml.write(coordinator, bound, client.check)
    with coordinator.heap.pinned():
        reads_table = frozenset() if dml.is_blind(bound) else bound.reads | {bound.table}
        snapshot = block.snapshot(coordinator, client.check, reads_table)
        with still_there(coordinator, bound.table):
            change = dml.changes(snapshot, bound)
        block.write(coordinator, bound.table, change.delta)
        return dml.answered(coordinator, bound, change)


def _truncate(coordinator: Coordinator, client: Client, bound: BoundTruncate) -> Result:
    block, deletes = client.transaction, bound.deletes
    at = None
    if block.status == "I":
        at = dml.write_all(coordinator, deletes, client.check)
    else:
        with coordinator.heap.pinned():
            snapshot = block.snapshot(coordinator, client.check, frozenset(each.table for each in deletes))
            for each in deletes:
                with still_there(coordinator, each.table):
                    gone = dml.changes(snapshot, each).delta
                block.write(coordinator, each.table, gone)
    return Result("TRUNCATE TABLE", timestamp=at)


def _create_table_as(coordinator: Coordinator, client: Client, bound: BoundCreateTableAs) -> Result:
    """The rows are computed first: where that fails there is no table. Under the tick lock."""
    draft = _draft(coordinator, client)
    skipped = exists(draft, "CREATE TABLE AS", bound.table.name, bound.table.if_not_exists)
    if skipped is not None:
        return skipped
    if not bound.filled:
        change(client.transaction, draft, bound.table)
        return Result("CREATE TABLE AS")
    block, rows = client.transaction, bound.rows
    in_block = block.status != "I"
    snapshot = Snapshot(coordinator, client.check)
    if in_block:
        snapshot = block.snapshot(coordinator, client.check, rows.reads)
    count = 0

    def made() -> Mapping[int, Batch]:
        nonlocal count
        found = snapshot.rows(with_finishing_as_topk(rows.query))
        count = int(found.diffs.sum())
        drafted(draft, bound.table)
        table = draft.catalog.named(bound.table.name)
        assert table is not None
        if not in_block:
            draft.publish([table.id] if len(found) else [])
        return {table.id: found}

    if not in_block:
        with coordinator.logged_together():
            at = coordinator.ticks.commit_computed(made)
            draft.filled_at(at)
        return Result(f"SELECT {count}", timestamp=at, row_count=count)
    with coordinator.heap.pinned():
        for table, found in made().items():
            block.write(coordinator, table, found)
    return Result(f"SELECT {count}", row_count=count)


def _subscribe(coordinator: Coordinator, client: Client, bound: BoundSubscribe) -> Subscription:
    drafted = client.transaction.draft is not None and not client.transaction.draft.made.isdisjoint(bound.reads)
    if drafted and not bound.reads <= coordinator.catalog.items.keys():
        raise Unsupported("what this transaction has made cannot be subscribed to yet", hint="COMMIT first.")
    telling = _telling(coordinator, bound)
    if bound.durable is not None:
        if bound.resets:
            refuse_read_only(client, "SUBSCRIBE ... WITH (RESET)")
        return use(coordinator, bound, telling, client.check)
    plan = dataflow(bound.relation, coordinator.catalog, coordinator.options)
    as_of = None
    if bound.as_of is not None:
        as_of = reads.readable_time(coordinator, bound.as_of, plan, client.check)
    return coordinator.subscribe(
        plan, bound.columns, as_of=as_of, snapshot=bound.snapshot, progress=bound.progress, up_to=bound.up_to,
        telling=telling, ends=True,
    )  # fmt: skip


def _telling(coordinator: Coordinator, bound: BoundSubscribe) -> Telling | None:
    if bound.envelope is not None:
        return Envelope(bound.envelope, coordinator.heap)
    if bound.within:
        return Within(bound.within, ddl.types_of(bound.columns), coordinator.heap)
    return None


def _transaction(coordinator: Coordinator, client: Client, bound: BoundTransaction) -> Result:
    block, verb = client.transaction, bound.verb
    match verb:
        case TransactionVerb.SAVEPOINT:
            block.save(bound.savepoint)
            return Result("SAVEPOINT")
        case TransactionVerb.RELEASE:
            block.release(bound.savepoint)
            return Result("RELEASE")
        case TransactionVerb.ROLLBACK_TO:
            block.return_to(bound.savepoint)
            return Result("ROLLBACK")
        case _:
            pass
    if verb is TransactionVerb.BEGIN:
        if block.implicit:
            block.implicit, block.read_only = False, bound.read_only
            return Result("BEGIN")
        if block.status == "T":
            message = "there is already a transaction in progress"
            return Result("BEGIN", notices=(Notice(message, "WARNING", "25001"),))
        block.check_usable()
        block.begin(read_only=reads_only(client) if bound.read_only is None else bound.read_only)
        return Result("BEGIN")
    if block.status == "I":
        message = "there is no transaction in progress"
        return Result(verb.value, notices=(Notice(message, "WARNING", "25P01"),))
    notices = (Notice("there is no transaction in progress", "WARNING", "25P01"),) if block.implicit else ()
    commits = verb is TransactionVerb.COMMIT and block.status == "T"
    timestamp = block.end(coordinator, commits)
    return Result("COMMIT" if commits else "ROLLBACK", timestamp=timestamp, notices=notices)


def _show(coordinator: Coordinator, client: Client, bound: BoundShowVariable) -> Result:
    now = {"transaction_read_only": "on" if reads_only(client) else "off"}
    if bound.name == "all":
        columns = (Column("name", TEXT, False), Column("setting", TEXT, False), Column("description", TEXT, False))
        rows = [(row.name, now.get(key) or client.variable_of(key), row.doc) for key, row in VARIABLES.items()]
    else:
        row = variable(bound.name)
        columns = (Column(row.name.lower(), TEXT, False),)
        key = row.name.lower()
        rows = [(now.get(key) or client.variable_of(key),)]
    return coordinator.rows("SHOW", columns, rows)


def _raise(bound: BoundRaise) -> Result:
    """A notice that a client asks for, to see what becomes of one; or an error."""
    if bound.level == "ERROR":
        raise RaisedError(bound.message)
    sqlstate = "01000" if bound.level == "WARNING" else "00000"
    return Result("RAISE", notices=(Notice(bound.message, bound.level, sqlstate),))


def _discard(client: Client, bound: BoundDiscard) -> Result:
    """No plan is a session's own: DISCARD PLANS has nothing to do."""
    client.discard(bound.what.lower())
    return Result(f"DISCARD {bound.what.upper()}")
