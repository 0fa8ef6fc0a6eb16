"""One client's side of a conversation: its variables, its transaction, and how one statement of it runs."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

from engine.catalog.catalog import SYSTEM_DATABASE, TEMPORARY, Path
from engine.collection.wanted import asking
from engine.coordinator.acting import WHO, Login, acting, is_guest, taken_on
from engine.coordinator.activity import Run
from engine.coordinator.advisory import Holder
from engine.coordinator.coordinator import Coordinator
from engine.coordinator.ddl import drop_temporary
from engine.coordinator.draft import Draft
from engine.coordinator.names import Names
from engine.coordinator.result import CopyOut, Result
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
    SessionTerminated,
    SqlError,
    UndefinedObject,
    Unsupported,
)
from engine.sql import statements
from engine.sql.binding.context import Context
from engine.sql.parameters import Parameters
from engine.sql.redaction import redacted
from engine.sql.statement.data import SelectStatement
from engine.sql.statement.session import Execute
from engine.sql.statements import SessionStatement, Statement

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


class Conversation:
    """What sequencing needs of whoever sends a statement, and the running of one. The ways in are Session's."""

    def __init__(self, coordinator: Coordinator, user: str, variables: Mapping[str, str]) -> None:
        self.user: Final = user
        self._coordinator: Final = coordinator
        defaults = {key: row.default for key, row in VARIABLES.items()}
        defaults |= coordinator.catalog.system
        defaults |= dict(checked(name, value) for name, value in variables.items())
        if defaults["session_authorization"] not in (VARIABLES["session_authorization"].default, user):
            raise InvalidParameter("a session begins as the role that logged in", hint="SET SESSION AUTHORIZATION.")
        self._login: Final = Login(user, user not in coordinator.catalog.roles)
        defaults |= taken_on(
            coordinator.catalog, self._login, {"session_authorization": user, "role": defaults["role"]}
        )
        self._settings: Final = Settings(defaults)
        self.number: Final = coordinator.request()
        self._locks: Final = Holder(coordinator.locks, self.number, self._lock_seconds, self.check)
        self._transaction = Transaction(self._settings, self._locks)
        self._subscriptions: list[Subscription] = []
        self._cancelled = False
        self._terminated = False
        self.on_terminate: Callable[[], object] = lambda: None
        """What else there is to do to end it, from any thread: the front end's."""
        self._deadline: float | None = None  # of the statement that runs, by time.monotonic()
        self._closed = False
        self.receive: Callable[[int, bool], Iterator[bytes]] | None = None
        """How the data of COPY FROM STDIN come, for so many columns, in pieces cut anywhere: the front end's. It waits
        for the client."""
        self._resolved: tuple[tuple[str, str], Path] | None = None
        self.began: Final = datetime.now(UTC)
        self.last: Run | None = None  # the statement that runs, or the last that did
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
        return {variable(key).name: value for key, value in self._settings.values.items()}

    @property
    def guest(self) -> bool:
        """Whether whoever began it was let in without being a role."""
        return self._login.unknown

    @property
    def transaction_status(self) -> str:
        """'I' outside a transaction, 'T' inside, 'E' inside a failed one."""
        return self._transaction.status

    def holds(self, subscription: Subscription) -> bool:
        """Whether the subscription is one of this session's."""
        return subscription in self._subscriptions

    def cancel(self) -> None:
        """Fail the statement that is running, if any, with QueryCanceled (57014). From any thread."""
        self._cancelled = True

    def terminate(self) -> None:
        """End the session: what it runs fails, and so does whatever it is asked to run. From any thread."""
        self._terminated = True
        self.on_terminate()

    def _lock_seconds(self) -> float | None:
        """How long to wait for an advisory lock; None: as long as it takes."""
        limit = milliseconds(self._settings.values["lock_timeout"])
        return limit / 1000 if limit else None

    # What sequencing needs of the session

    @property
    def transaction(self) -> Transaction:
        return self._transaction

    def check(self) -> None:
        """Raises QueryCanceled if the running statement was cancelled."""
        if self._deadline is not None and time.monotonic() > self._deadline:
            raise QueryCanceled("canceling statement due to statement timeout", hint="Raise statement_timeout.")
        if self._terminated:
            raise SessionTerminated("terminating connection due to administrator command")
        if self._cancelled:
            raise QueryCanceled("canceling statement due to user request")

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
            acting(self._settings.values),
            self.variables,
            now,
            coordinator.runtime(),
            self.number,
            transaction=self._transaction_number,
            locks=self._locks,
            session_user=self._settings.values["session_authorization"],
            guest=is_guest(self._login, self._settings.values),
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
        found = self._settings.values.get(key)
        if found is None:
            raise UndefinedObject(f'unrecognized configuration parameter "{key}"', hint="SET it first.")
        return found

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
            self._locks.end()
            self.set_variable("session_authorization", None)
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
        defaults = self._settings.defaults
        if name == "all":
            assigned = {
                key: defaults.get(key, variable(key).default) for key in self._settings.values if key not in WHO
            }
        elif value is None:
            row = variable(name)
            key = row.name.lower()
            assigned = {key: defaults.get(key, row.default)}
        else:
            key, kept = checked(name, value)
            if key == "cluster":
                self._transaction.catalog(self._coordinator).cluster(kept)
            assigned = {key: kept}
        if not WHO.isdisjoint(assigned):
            catalog = self._transaction.catalog(self._coordinator)
            assigned = taken_on(catalog, self._login, self._settings.values | assigned, *assigned)
        self._settings.assign(assigned, self._transaction.status != "I", local)

    # How one statement runs

    def _run_one(self, statement: Statement, alone: bool = True, ready: Ready | None = None) -> Answer:
        if self._closed:
            raise SqlError("the session is closed")
        span = getattr(statement, "span", None)
        sql = "" if span is None else span.text
        with self._timed(type(statement), sql), self._failing(sql), asking(self.check):
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
            self._locks.end_transaction()
        source = answer.source if isinstance(answer, CopyOut) else answer
        if isinstance(source, Subscription):
            self._keep(source)
        return answer

    @contextmanager
    def _timed(self, statement: type, sql: str) -> Iterator[None]:
        """What runs is a statement of that kind."""
        coordinator, application = self._coordinator, self._settings.values["application_name"]
        run = self.last = coordinator.activity.begin(self.number, application, statement, sql)
        began, failed = time.perf_counter_ns(), True
        try:
            yield
            failed = False
        except SqlError as error:
            run.error = error.message
            raise
        finally:
            run.finished = datetime.now(UTC)
            coordinator.commands.add(statement, failed, time.perf_counter_ns() - began)

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

    def _begin(self) -> None:
        """A message begins that runs or plans: what was cancelled before is over."""
        self._cancelled = False
        self._begin_clock()

    def _begin_clock(self) -> None:
        """A statement begins: it has its time from here on."""
        limit = milliseconds(self._settings.values["statement_timeout"])
        self._deadline = time.monotonic() + limit / 1000 if limit else None

    @contextmanager
    def _failing(self, sql: str = "") -> Iterator[None]:
        """What is raised inside fails the transaction, and tells no secret of `sql`."""
        try:
            yield
        except BaseException as error:
            if isinstance(error, SqlError) and not isinstance(error, QueryCanceled):  # it quotes nothing, and is quick
                redacted(error, sql)
            self._transaction.fail()
            if self._transaction.implicit:
                self._transaction.end(self._coordinator, False)
            if self._transaction.status == "I":
                self._locks.end_transaction()
            raise

    def _implicit(self, statement: Statement) -> None:
        """Begin or end the transaction that the statements of one text are in."""
        block = self._transaction
        if isinstance(statement, IN_BLOCK) and not isinstance(statement, BY_THEMSELVES):
            if block.status == "I":
                block.begin(implicit=True)
        elif block.implicit and not isinstance(statement, statements.Transaction | SessionStatement):
            block.end(self._coordinator, True)

    # Prepared statements and portals: what the extended protocol is made of. Names are one with SQL's.
    def _keep(self, subscription: Subscription) -> None:
        """It ends with the session."""
        self._subscriptions = [known for known in self._subscriptions if not known.ended]
        self._subscriptions.append(subscription)
