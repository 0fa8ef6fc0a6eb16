"""Sessions: the variables and the transaction of one client."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final, Self

from engine.catalog.catalog import TEMPORARY, Path
from engine.coordinator.coordinator import Coordinator
from engine.coordinator.cursors import Names
from engine.coordinator.ddl import drop_temporary
from engine.coordinator.result import CopyOut, Result
from engine.coordinator.resume import Following, follow
from engine.coordinator.sequence import Answer, sequence
from engine.coordinator.subscription import Subscription
from engine.coordinator.transaction import Transaction
from engine.coordinator.variables import VARIABLES, checked, variable
from engine.errors import (
    ActiveTransaction,
    InvalidParameter,
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
from engine.sql.bound import BoundSubscribe
from engine.sql.dialect import parse
from engine.sql.parameters import inline, literal
from engine.sql.statements import Execute, SelectStatement, SessionStatement, Statement, Subscribe

IN_BLOCK: Final = (
    SelectStatement | statements.Insert | statements.Update | statements.Delete | statements.Declare
    | statements.CopyFrom
)  # fmt: skip
"""Statements that make the text they stand in one transaction."""


class Session:
    """One client's conversation. Used by one thread at a time; `cancel` may come from any."""

    def __init__(
        self, coordinator: Coordinator, user: str, variables: Mapping[str, str], on_close: Callable[["Session"], None]
    ) -> None:
        self.user: Final = user
        self._coordinator: Final = coordinator
        self._defaults: Final = {key: row.default for key, row in VARIABLES.items()} | dict(
            checked(name, value) for name, value in variables.items()
        )
        self._variables = dict(self._defaults)
        self._transaction = Transaction()
        self._subscriptions: list[Subscription] = []
        self._on_close: Final = on_close
        self._cancelled = False
        self._closed = False
        self.receive: Callable[[int], bytes] | None = None
        """How the data of COPY FROM STDIN come, for so many columns: the front end's. It may wait for the client."""
        self.number: Final = coordinator.request()
        self.began: Final = datetime.now(UTC)
        self._temporary: Final = f"{TEMPORARY}_{self.number}"
        self._names: Final = Names(coordinator, lambda statement: sequence(coordinator, self, statement), self.check)
        coordinator.sessions[self.number] = self

    @property
    def variables(self) -> Mapping[str, str]:
        """Session variables as SHOW gives them, under the names that clients are told: DateStyle, TimeZone, ..."""
        return {VARIABLES[key].name: value for key, value in self._variables.items()}

    def run(
        self, sql: str, parameters: Sequence[str | None] = (), parameter_types: Sequence[int] = ()
    ) -> Iterator[Answer]:
        """Run the statements of `sql`; each is executed when its answer is asked for. An empty text yields nothing.

        Several statements are one transaction unless they say otherwise: it commits before the last answer comes, or
        before a statement that cannot be in it (see IN_BLOCK).

        `$n` is the text `parameters[n - 1]` (None: NULL), of the type with OID `parameter_types[n - 1]` if that is
        given and not 0. Raises SqlError, with positions counted in `sql` from 1; the statements behind the failed one
        are not run.
        """
        self._cancelled = False
        try:
            if parameters:
                oids = [*parameter_types, *[0] * (len(parameters) - len(parameter_types))]
                sql = inline(sql, [literal(value, oid) for value, oid in zip(parameters, oids, strict=True)])
            parsed = parse(sql)
        except SqlError:
            self._transaction.fail()
            raise
        if len(parsed) == 1:
            yield self._run_one(parsed[0])
            return
        for number, statement in enumerate(parsed, 1):
            answer = self._run_one(statement, alone=False)
            if number == len(parsed) and self._transaction.implicit:
                self._transaction.end(self._coordinator, True)
            yield answer

    def _implicit(self, statement: Statement) -> None:
        """Begin or end the transaction that the statements of one text are in."""
        block = self._transaction
        if isinstance(statement, IN_BLOCK):
            if block.status == "I":
                block.begin(implicit=True)
        elif block.implicit and not isinstance(statement, statements.Transaction | SessionStatement):
            block.end(self._coordinator, True)

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
        same query. Options of the SUBSCRIBE other than UP TO have no meaning here."""
        statement = self._subscribing(sql)
        self._cancelled = False
        bound = bind(statement, self.context())
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
        drop_temporary(self._coordinator, self._temporary)
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
        if self._cancelled:
            raise QueryCanceled("canceling statement due to user request")

    def context(self) -> Context:
        """What a statement that begins at this moment is bound against."""
        coordinator = self._coordinator
        now = datetime.fromtimestamp(coordinator.oracle.wall_ms() / 1000, UTC)
        schemas = tuple(part.strip().strip('"') for part in self._variables["search_path"].split(",") if part.strip())
        path = Path(self._variables["database"], schemas, self._temporary)
        return Context(coordinator.catalog, path, self.user, self.variables, now, coordinator.runtime(), self.number)

    def variable_of(self, key: str) -> str:
        """The value of a variable by its key in VARIABLES."""
        return self._variables[key]

    def received(self, columns: int) -> bytes:
        """The data of COPY FROM STDIN."""
        if self.receive is None:
            raise Unsupported("COPY FROM STDIN needs the PostgreSQL protocol", hint="Use INSERT, or connect with psql.")
        return self.receive(columns)

    def discard(self, what: str) -> None:
        """DISCARD: temporary items; or all that the session holds."""
        if what == "all" and self._transaction.status != "I":
            raise ActiveTransaction("DISCARD ALL cannot run inside a transaction block", hint="COMMIT first.")
        if what in ("temp", "temporary", "all"):
            drop_temporary(self._coordinator, self._temporary)
        if what == "all":
            self._names.deallocate(None)
            self.set_variable("all", None)

    def set_variable(self, name: str, value: str | None) -> None:
        """Assign a variable; None: its default; name "all": every default."""
        if name == "all":
            self._variables = dict(self._defaults)
            return
        if value is None:
            key = variable(name).name.lower()
            self._variables[key] = self._defaults[key]
        else:
            key, kept = checked(name, value)
            if key == "cluster":
                self._coordinator.catalog.cluster(kept)
            self._variables[key] = kept

    def _run_one(self, statement: Statement, alone: bool = True) -> Answer:
        if self._closed:
            raise SqlError("the session is closed")
        try:
            self.check()
            while isinstance(statement, Execute):
                self._transaction.check_usable()
                statement = self._names.expanded(statement)
            if not alone:
                self._implicit(statement)
            answer = self._answer(statement)
        except BaseException:
            self._transaction.fail()
            if self._transaction.implicit:
                self._transaction.end(self._coordinator, False)
            raise
        if self._transaction.status == "I":
            self._names.close(None)
        source = answer.source if isinstance(answer, CopyOut) else answer
        if isinstance(source, Subscription):
            self._keep(source)
        return answer

    def _answer(self, statement: Statement) -> Answer:
        if not isinstance(statement, SessionStatement):
            return sequence(self._coordinator, self, statement)
        self._transaction.check_usable()
        match statement:
            case statements.Prepare():
                return self._names.prepare(statement)
            case statements.Deallocate():
                return self._names.deallocate(statement.name)
            case statements.Declare():
                if self._transaction.status == "I":
                    raise NoTransaction("DECLARE CURSOR can only be used in transaction blocks", hint="BEGIN first.")
                return self._names.declare(statement)
            case statements.Fetch():
                return self._names.fetch(statement)
            case statements.CloseCursor():
                return self._names.close(statement.name)
            case Execute():
                raise AssertionError("it was expanded")
