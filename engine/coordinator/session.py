"""Sessions: the variables and the transaction of one client."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final, Self, TypeVar

from engine.catalog.catalog import SYSTEM_DATABASE, TEMPORARY, Path
from engine.coordinator.coordinator import Coordinator
from engine.coordinator.ddl import drop_temporary
from engine.coordinator.draft import Draft
from engine.coordinator.lookups import Busy
from engine.coordinator.names import Names
from engine.coordinator.portals import Portal
from engine.coordinator.prepared import Prepared, declared_types, prepared
from engine.coordinator.result import CopyOut, Result
from engine.coordinator.resume import Following, follow
from engine.coordinator.sequence import Answer, Ready, sequence
from engine.coordinator.subscription import Subscription
from engine.coordinator.transaction import Transaction
from engine.coordinator.variables import VARIABLES, Settings, checked, milliseconds, variable
from engine.errors import (
    ActiveTransaction,
    InvalidParameter,
    LimitExceeded,
    NoTransaction,
    QueryCanceled,
    SqlError,
    SyntaxError_,
    Unsupported,
    WrongObjectType,
)
from engine.sql import statements
from engine.sql.binder import bind
from engine.sql.binding.context import Context
from engine.sql.binding.settling import settled
from engine.sql.bound import BoundSubscribe
from engine.sql.dialect import parse
from engine.sql.parameters import Parameters
from engine.sql.redaction import redacted
from engine.sql.statement.data import SelectStatement, Subscribe
from engine.sql.statement.session import Execute
from engine.sql.statements import SessionStatement, Statement

T = TypeVar("T")
PAUSE_SECONDS: Final = 0.02
"""How long a statement that waits may be deaf to a cancellation."""

IN_BLOCK: Final = (
    SelectStatement | statements.Insert | statements.Update | statements.Delete | statements.Truncate
    | statements.Declare | statements.CopyFrom | statements.CatalogStatement | statements.SetVariable
)  # fmt: skip
"""Statements that make the text they stand in one transaction."""

BY_THEMSELVES: Final = (
    statements.CreateSource | statements.CreateSink | statements.CreateConnection | statements.CreateSecret
)
"""Statements about the world outside: what follows them in a text finds them made."""


class Session:
    """One client's conversation. Used by one thread at a time; `cancel` may come from any."""

    def __init__(
        self, coordinator: Coordinator, user: str, variables: Mapping[str, str], on_close: Callable[["Session"], None]
    ) -> None:
        self.user: Final = user
        self._coordinator: Final = coordinator
        defaults = {key: row.default for key, row in VARIABLES.items()}
        defaults |= dict(checked(name, value) for name, value in variables.items())
        role = coordinator.catalog.roles.get(user)
        defaults["session_authorization"] = user
        defaults["is_superuser"] = "on" if role is None or role.superuser else "off"
        self._settings: Final = Settings(defaults)
        self._transaction = Transaction(self._settings)
        self._subscriptions: list[Subscription] = []
        self._on_close: Final = on_close
        self._cancelled = False
        self._deadline: float | None = None  # of the statement that runs, by time.monotonic()
        self._closed = False
        self.receive: Callable[[int, bool], Iterator[bytes]] | None = None
        """How the data of COPY FROM STDIN come, for so many columns, in pieces cut anywhere: the front end's. It waits
        for the client."""
        self._resolved: tuple[tuple[str, str], Path] | None = None
        self.number: Final = coordinator.request()
        self.began: Final = datetime.now(UTC)
        self._temporary: Final = f"{TEMPORARY}_{self.number}"
        self._names: Final = Names(coordinator)
        coordinator.sessions[self.number] = self

    @property
    def settings_made(self) -> int:
        """How often a variable was assigned: whoever tells a client of them need not look else."""
        return self._settings.changes

    @property
    def variables(self) -> Mapping[str, str]:
        """Session variables as SHOW gives them, under the names that clients are told: DateStyle, TimeZone, ..."""
        return {VARIABLES[key].name: value for key, value in self._settings.values.items()}

    def run(
        self, sql: str, parameters: Sequence[str | None] = (), parameter_types: Sequence[int] = ()
    ) -> Iterator[Answer]:
        """Run the statements of `sql`; each is executed when its answer is asked for. An empty text yields nothing.

        Several statements are one transaction unless they say otherwise: it commits before the last answer comes, or
        before a statement that cannot be in it (see IN_BLOCK).

        `$n` is the text `parameters[n - 1]` (None: NULL), of the type with OID `parameter_types[n - 1]` if that is
        given and not 0; a text with parameters is one statement. Raises SqlError, with positions counted in `sql` from
        1; the statements behind the failed one are not run.
        """
        self._cancelled = False
        with self._failing(sql):
            if parameters:
                made = prepared(sql, declared_types(parameter_types))
                if made.statement is not None:
                    made.prepare(self._coordinator, self.context(), self._names.columns_of)
                    yield self._run_one(made.statement, ready=Ready(made, made.values(parameters)))
                return
            parsed = parse(sql)
        if len(parsed) == 1:
            yield self._run_one(parsed[0])
            return
        for number, statement in enumerate(parsed, 1):
            answer = self._run_one(statement, alone=False)
            if number == len(parsed) and self._transaction.implicit:
                at = self._transaction.end(self._coordinator, True)
                if isinstance(answer, Result):
                    answer.timestamp = answer.timestamp if at is None else at
            yield answer

    def _implicit(self, statement: Statement) -> None:
        """Begin or end the transaction that the statements of one text are in."""
        block = self._transaction
        if isinstance(statement, IN_BLOCK) and not isinstance(statement, BY_THEMSELVES):
            if block.status == "I":
                block.begin(implicit=True)
        elif block.implicit and not isinstance(statement, statements.Transaction | SessionStatement):
            block.end(self._coordinator, True)

    # Prepared statements and portals: what the extended protocol is made of. Names are one with SQL's.

    def prepare(self, name: str, sql: str, parameter_types: Sequence[int] = ()) -> Prepared:
        """Parse one statement, deduce its parameters' types and its columns, and keep it under `name`."""
        self._cancelled = False
        with self._failing(sql):
            if not name:
                self._names.statements.pop("", None)
            if self._transaction.status == "E":
                self._check_ending(prepared(sql, ()).statement)
            return self._names.prepare(name, sql, declared_types(parameter_types), self.context())

    def statement(self, name: str) -> Prepared:
        """The prepared statement of that name."""
        with self._failing():
            return self._names.statement(name)

    def bind(
        self, name: str, statement: Prepared, values: Sequence[str | bytes | None], formats: tuple[int, ...] = ()
    ) -> Portal:
        """A portal that runs the statement with these values, as text or (bytes) in the binary format. `formats` are
        kept with it for the client."""
        with self._failing():
            self._check_ending(statement.statement)
            portal = Portal(statement, statement.values(values), formats)
            self._names.bind(name, portal)
            return portal

    def portal(self, name: str) -> Portal:
        """The portal, or cursor, of that name."""
        with self._failing():
            return self._names.portal(name)

    def run_portal(self, portal: Portal, alone: bool) -> Answer | None:
        """Run a portal's statement, if it has not run; its answer, None for an empty text. Unless it is `alone` it is
        in a transaction with what follows it, until `sync`."""
        self._cancelled = False
        self._begin_clock()
        statement = portal.prepared.statement
        if portal.answer is None and statement is not None:
            ready = Ready(portal.prepared, portal.parameters)
            portal.answer = self._run_one(statement, alone and not self._transaction.implicit, ready)
        return portal.answer

    def look_up(self, portal: Portal, wait: bool, use: Callable[[Result], T]) -> T | None:
        """What `use` makes of the answer of a portal that is a look-up by key, read and used at once; None if it is
        none, or if it would have to wait and is not to. An error fails the transaction, as of any statement."""
        if self._transaction.status != "I" or portal.answer is not None or self._closed:
            return None
        coordinator = self._coordinator
        path = self._path()
        keyed = portal.prepared.look_up(coordinator.catalog, path)
        if keyed is None or coordinator.ticks.due_ms() == 0:
            return None
        values = portal.parameters.values
        began = time.perf_counter_ns()
        try:
            found = keyed.run(coordinator, tuple(values or ()), wait, use)
        except Busy:
            return None
        coordinator.commands.add(SelectStatement, False, time.perf_counter_ns() - began)
        return found

    def sent(
        self, statement: Prepared, given: Sequence[str | bytes | None], formats: tuple[int, ...]
    ) -> Sequence[Sequence[bytes | None]] | None:
        """The rows that a prepared look-up by key answers with, as they are sent, if they are one at most; one format a
        column. None: it is none, or has more to do, or would have to wait."""
        coordinator = self._coordinator
        if self._transaction.status != "I" or self._closed or coordinator.ticks.due_ms() == 0:
            return None
        keyed = statement.look_up(coordinator.catalog, self._path())
        if keyed is None or keyed.one is None:
            return None
        began = time.perf_counter_ns()
        found = keyed.sent(coordinator, keyed.one, statement.values(given).values or (), formats)
        if found is not None:
            coordinator.commands.add(SelectStatement, False, time.perf_counter_ns() - began)
        return found

    def sync(self) -> None:
        """The end of a series of the extended protocol: what was implicit commits, and portals end with it."""
        if self._transaction.implicit:
            with self._failing():
                self._transaction.end(self._coordinator, True)
        if self._transaction.status == "I":
            self._names.end_transaction()

    @property
    def idle_seconds_max(self) -> float | None:
        """How long the client may say nothing, being in a transaction; None: as long as it likes."""
        limit = milliseconds(self._settings.values["idle_in_transaction_session_timeout"])
        return limit / 1000 if limit and self._transaction.status != "I" else None

    @property
    def series_open(self) -> bool:
        """Whether `sync` has something to end that may take its time: a transaction, or a subscription."""
        return self._transaction.implicit or any(portal.streams for portal in self._names.portals.values())

    def close_statement(self, name: str) -> None:
        """Forget a prepared statement, if there is one of that name."""
        self._names.statements.pop(name, None)

    def close_portal(self, name: str) -> None:
        """Close a portal, if there is one of that name."""
        self._names.forget(name)

    def _check_ending(self, statement: Statement | None) -> None:
        """In a failed transaction only its end may follow."""
        if not isinstance(statement, statements.Transaction):
            self._transaction.check_usable()

    def execute(self, sql: str) -> Result:
        """Run all statements; the answer of the last (tag "" for none). One that streams is an error: `subscribe`."""
        last = Result("")
        for answer in self.run(sql):
            if not isinstance(answer, Result):
                source = answer.source if isinstance(answer, CopyOut) else answer
                if isinstance(source, Subscription):
                    source.close()
                raise WrongObjectType("the statement streams its answer", hint="Use subscribe() for SUBSCRIBE.")
            last = answer
        return last

    def execute_one(self, sql: str) -> Result:
        """Run one statement that answers at once. SyntaxError_ for several: text put together from pieces is one."""
        if len(parse(sql)) != 1:
            raise SyntaxError_("there has to be one statement here, and no more")
        return self.execute(sql)

    def subscribe(self, sql: str) -> Subscription:
        """Run one SUBSCRIBE or TAIL, or COPY of one; a bare SELECT is taken as SUBSCRIBE (SELECT)."""
        statement = self._subscribing(sql)
        self._cancelled = False
        answer = self._run_one(statement)
        answer = answer.source if isinstance(answer, CopyOut) else answer
        if not isinstance(answer, Subscription):
            raise WrongObjectType("subscribe() takes SUBSCRIBE or SELECT")
        return answer

    def follow(self, sql: str, resume: str | None = None) -> Following:
        """Begin a subscription that its subscriber can come back to; `resume` is a position of an earlier one of the
        same query. Progress is there to be asked for (`complete`), whether the statement says PROGRESS or not."""
        statement = self._subscribing(sql)
        self._cancelled = False
        context = self.context()
        bound = settled(bind(statement, context), context)
        if not isinstance(bound, BoundSubscribe):
            raise WrongObjectType("only SUBSCRIBE and SELECT can be followed")
        following = follow(self._coordinator, bound, resume, self.check)
        self._keep(following.subscription)
        return following

    def _subscribing(self, sql: str) -> Subscribe | statements.Copy:
        parsed = parse(sql)
        if len(parsed) != 1:
            raise InvalidParameter("one statement can be subscribed to at a time")
        statement = parsed[0]
        if isinstance(statement, SelectStatement):
            statement = Subscribe(statement.query, (), statement.as_of, None, statement.span)
        if not isinstance(statement, Subscribe | statements.Copy):
            raise WrongObjectType("subscribe() takes SUBSCRIBE or SELECT")
        return statement

    def _keep(self, subscription: Subscription) -> None:
        """It ends with the session."""
        self._subscriptions = [known for known in self._subscriptions if not known.ended]
        self._subscriptions.append(subscription)

    def cancel(self) -> None:
        """Fail the statement that is running, if any, with QueryCanceled (57014). From any thread."""
        self._cancelled = True

    @property
    def transaction_status(self) -> str:
        """'I' outside a transaction, 'T' inside, 'E' inside a failed one."""
        return self._transaction.status

    def close(self) -> None:
        """End the session: its transaction is rolled back, its subscriptions end. Idempotent."""
        if self._closed:
            return
        self._closed = True
        self._names.close(None)
        self._transaction.clear(self._coordinator)
        for subscription in self._subscriptions:
            subscription.close()
        self._drop_temporary()
        self._coordinator.sessions.pop(self.number, None)
        self._on_close(self)

    def holds(self, subscription: Subscription) -> bool:
        """Whether the subscription is one of this session's."""
        return subscription in self._subscriptions

    def release(self) -> None:
        """End the session but leave its subscriptions to whoever holds them."""
        self._subscriptions.clear()
        self.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # What sequencing needs of the session

    @property
    def transaction(self) -> Transaction:
        return self._transaction

    def check(self) -> None:
        """Raises QueryCanceled if the running statement was cancelled."""
        if self._deadline is not None and time.monotonic() > self._deadline:
            raise QueryCanceled("canceling statement due to statement timeout", hint="Raise statement_timeout.")
        if self._cancelled:
            raise QueryCanceled("canceling statement due to user request")

    def _begin_clock(self) -> None:
        """A statement begins: it has its time from here on."""
        limit = milliseconds(self._settings.values["statement_timeout"])
        self._deadline = time.monotonic() + limit / 1000 if limit else None

    def pause(self, seconds: float) -> None:
        """Let time pass; QueryCanceled if the running statement is cancelled meanwhile."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            self.check()
            time.sleep(min(left, PAUSE_SECONDS))

    def context(self) -> Context:
        """What a statement that begins at this moment is bound against."""
        coordinator = self._coordinator
        now = datetime.fromtimestamp(coordinator.oracle.wall_ms() / 1000, UTC)
        return Context(
            self._transaction.catalog(coordinator),
            self._path(),
            self.user,
            self.variables,
            now,
            coordinator.runtime(),
            self.number,
            transaction=self._transaction_number,
        )

    def _transaction_number(self) -> int:
        """Each transaction has one of its own, once somebody asks; so has a statement outside of any."""
        block = self._transaction
        if block.number is None or block.status == "I":
            block.number = self._coordinator.request()
        return block.number

    def _path(self) -> Path:
        """Where names are looked up. The same object while the variables say the same."""
        asked = self._settings.values["search_path"], self._settings.values["database"]
        if self._resolved is None or self._resolved[0] != asked:
            schemas = tuple(part.strip().strip('"') for part in asked[0].split(",") if part.strip())
            self._resolved = asked, Path(asked[1], schemas, self._temporary)
        return self._resolved[1]

    def variable_of(self, key: str) -> str:
        """The value of a variable by its key in VARIABLES."""
        return self._settings.values[key]

    def received(self, columns: int, binary: bool) -> Iterator[bytes]:
        """The data of COPY FROM STDIN, as they come."""
        if self.receive is None:
            raise Unsupported("COPY FROM STDIN needs the PostgreSQL protocol", hint="Use INSERT, or connect with psql.")
        return self.receive(columns, binary)

    def discard(self, what: str) -> None:
        """DISCARD: temporary items; or all that the session holds."""
        if what == "all" and self._transaction.status != "I":
            raise ActiveTransaction("DISCARD ALL cannot run inside a transaction block", hint="COMMIT first.")
        if what in ("temp", "temporary", "all"):
            self._drop_temporary()
        if what == "all":
            self._names.deallocate(None)
            self.set_variable("all", None)

    def _drop_temporary(self) -> None:
        """A session that made nothing for itself waits for no tick: only it could have."""
        coordinator, block = self._coordinator, self._transaction
        if not block.catalog(coordinator).in_schema(SYSTEM_DATABASE, self._temporary):
            return
        with coordinator.ticks.lock:
            draft = Draft(coordinator) if block.status == "I" else block.drafted(coordinator)
            drop_temporary(draft, self._temporary)
            if block.status == "I":
                draft.publish()

    def set_variable(self, name: str, value: str | None, local: bool = False) -> None:
        """Assign a variable; None: its default; name "all": every default. `local`: until the block ends."""
        if name == "all":
            assigned = self._settings.defaults
        elif value is None:
            key = variable(name).name.lower()
            assigned = {key: self._settings.defaults[key]}
        else:
            key, kept = checked(name, value)
            if key == "cluster":
                self._transaction.catalog(self._coordinator).cluster(kept)
            assigned = {key: kept}
        self._settings.assign(assigned, self._transaction.status != "I", local)

    @contextmanager
    def _failing(self, sql: str = "") -> Iterator[None]:
        """What is raised inside fails the transaction, and tells no secret of `sql`."""
        try:
            yield
        except BaseException as error:
            if isinstance(error, SqlError):
                redacted(error, sql)
            self._transaction.fail()
            if self._transaction.implicit:
                self._transaction.end(self._coordinator, False)
            raise

    def _run_one(self, statement: Statement, alone: bool = True, ready: Ready | None = None) -> Answer:
        if self._closed:
            raise SqlError("the session is closed")
        self._begin_clock()
        span = getattr(statement, "span", None)
        with self._timed(type(statement)), self._failing("" if span is None else span.text):
            self.check()
            if isinstance(statement, Execute):
                self._transaction.check_usable()
                ready = Ready(*self._names.executed(statement, self.context()))
                assert ready.prepared.statement is not None, "PREPARE and Parse refuse to EXECUTE nothing"
                statement = ready.prepared.statement
            if not alone:
                self._implicit(statement)
            answer = self._answer(statement, ready)
        if self._transaction.status == "I":
            self._names.end_transaction()
        source = answer.source if isinstance(answer, CopyOut) else answer
        if isinstance(source, Subscription):
            self._keep(source)
        return answer

    @contextmanager
    def _timed(self, statement: type) -> Iterator[None]:
        """What runs is a statement of that kind."""
        began, failed = time.perf_counter_ns(), True
        try:
            yield
            failed = False
        finally:
            self._coordinator.commands.add(statement, failed, time.perf_counter_ns() - began)

    def _answer(self, statement: Statement, ready: Ready | None) -> Answer:
        if not isinstance(statement, SessionStatement):
            try:
                return sequence(self._coordinator, self, statement, ready)
            except RecursionError:
                raise LimitExceeded(
                    "statement is too deep: it stacks more queries, joins or set operations than can be planned",
                    hint="Bind parts of it to names with CREATE VIEW.",
                ) from None
        self._transaction.check_usable()
        match statement:
            case statements.Prepare():
                return self._names.prepare_sql(statement, self.context())
            case statements.Deallocate():
                return self._names.deallocate(statement.name)
            case statements.Declare():
                return self._declare(statement, Parameters() if ready is None else ready.parameters)
            case statements.Fetch():
                return self._names.fetch(statement, self.check)
            case statements.CloseCursor():
                return self._names.close(statement.name)
            case Execute():
                raise Unsupported("EXECUTE of a prepared EXECUTE is not supported")

    def _declare(self, statement: statements.Declare, parameters: Parameters) -> Result:
        if self._transaction.status == "I" and not statement.hold:
            raise NoTransaction("DECLARE CURSOR can only be used in transaction blocks", hint="BEGIN first.")
        context = replace(self.context(), parameters=parameters)
        portal = self._names.declare(statement, parameters, context)
        portal.answer = self._run_one(statement.statement, ready=Ready(portal.prepared, parameters))
        self._names.portals[statement.name] = portal
        return Result("DECLARE CURSOR")
