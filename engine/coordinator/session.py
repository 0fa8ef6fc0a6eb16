"""Sessions: the ways in to one client's conversation. A text, prepared statements and portals, subscriptions."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final, Self, TypeVar

from engine.collection.wanted import asking
from engine.coordinator.conversation import Conversation
from engine.coordinator.coordinator import Coordinator
from engine.coordinator.portals import Portal
from engine.coordinator.prepared import Prepared, declared_types, prepared
from engine.coordinator.read_only import refuse_read_only
from engine.coordinator.result import CopyOut, Result
from engine.coordinator.resume import Following, follow
from engine.coordinator.sequence import Answer, Ready
from engine.coordinator.subscribing import follow_durable
from engine.coordinator.subscription import Subscription
from engine.coordinator.variables import milliseconds
from engine.errors import (
    InvalidParameter,
    SyntaxError_,
    WrongObjectType,
)
from engine.sql import statements
from engine.sql.binder import bind
from engine.sql.binding.settling import settled
from engine.sql.bound import BoundSubscribe
from engine.sql.dialect import parse
from engine.sql.statement.data import SelectStatement, Subscribe
from engine.sql.statements import Statement

T = TypeVar("T")


class Session(Conversation):
    """One client's conversation. Used by one thread at a time; `cancel` may come from any."""

    def __init__(
        self, coordinator: Coordinator, user: str, variables: Mapping[str, str], on_close: Callable[["Session"], None]
    ) -> None:
        super().__init__(coordinator, user, variables)
        self._on_close: Final = on_close

    def run(
        self, sql: str, parameters: Sequence[str | None] = (), parameter_types: Sequence[int] = ()
    ) -> Iterator[Answer]:
        """Run the statements of `sql`; each is executed when its answer is asked for. An empty text yields nothing.

        Several statements are one transaction unless they say otherwise: it commits before the last answer comes, or
        before a statement that cannot be in it (see IN_BLOCK in conversation.py).

        `$n` is the text `parameters[n - 1]` (None: NULL), of the type with OID `parameter_types[n - 1]` if that is
        given and not 0; a text with parameters is one statement. Raises SqlError, with positions counted in `sql` from
        1; the statements behind the failed one are not run.
        """
        self._begin()
        with self._failing(sql):
            if parameters:
                with asking(self.check):
                    made = prepared(sql, declared_types(parameter_types))
                    if made.statement is not None:
                        made.prepare(self._coordinator, self.context(), self._names.columns_of)
                if made.statement is not None:
                    yield self._run_one(made.statement, ready=Ready(made, made.values(parameters)))
                return
            with asking(self.check):
                parsed = parse(sql)
        if len(parsed) == 1:
            yield self._run_one(parsed[0])
            return
        for number, statement in enumerate(parsed, 1):
            self._begin_clock()
            answer = self._run_one(statement, alone=False)
            if number == len(parsed) and self._transaction.implicit:
                at = self._transaction.end(self._coordinator, True)
                if isinstance(answer, Result):
                    answer.timestamp = answer.timestamp if at is None else at
            yield answer

    def prepare(self, name: str, sql: str, parameter_types: Sequence[int] = ()) -> Prepared:
        """Parse one statement, deduce its parameters' types and its columns, and keep it under `name`."""
        self._begin()
        with self._failing(sql), asking(self.check):
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
        self._begin()
        statement = portal.prepared.statement
        if portal.answer is None and statement is not None:
            ready = Ready(portal.prepared, portal.parameters)
            portal.answer = self._run_one(statement, alone and not self._transaction.implicit, ready)
        return portal.answer

    def look_up(self, portal: Portal, use: Callable[[Result], T]) -> T | None:
        """What `use` makes of the answer of a portal that is a look-up by key, read and used at once; None if it is
        none. Busy if a tick is publishing what it reads. An error fails the transaction, as of any statement."""
        if self._transaction.status != "I" or portal.answer is not None or self._closed:
            return None
        coordinator = self._coordinator
        path = self._path()
        keyed = portal.prepared.look_up(coordinator.catalog, path)
        if keyed is None or coordinator.ticks.due_ms() == 0:
            return None
        values = portal.parameters.values
        began = time.perf_counter_ns()
        found = keyed.run(coordinator, tuple(values or ()), use)
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

    def when_free(self, wake: Callable[[], None]) -> None:
        """After Busy: call `wake`, from any thread, when it may be tried again."""
        self._coordinator.cluster.worker.circuit.gate.when_free(wake)

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
        self._coordinator.turns.give()
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
        self._begin()
        answer = self._run_one(statement)
        answer = answer.source if isinstance(answer, CopyOut) else answer
        if not isinstance(answer, Subscription):
            raise WrongObjectType("subscribe() takes SUBSCRIBE or SELECT")
        return answer

    def follow(self, sql: str, resume: str | None = None) -> Following:
        """Begin a subscription that its subscriber can come back to; `resume` is a position of an earlier one of the
        same query. Progress is there to be asked for (`complete`), whether the statement says PROGRESS or not."""
        statement = self._subscribing(sql)
        self._begin()
        context = self.context()
        bound = settled(bind(statement, context), context)
        if not isinstance(bound, BoundSubscribe):
            raise WrongObjectType("only SUBSCRIBE and SELECT can be followed")
        begin = follow if bound.durable is None else follow_durable
        if bound.resets:
            refuse_read_only(self, "SUBSCRIBE ... WITH (RESET)")
        following = begin(self._coordinator, bound, resume, self.check)
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

    def close(self) -> None:
        """End the session: its transaction is rolled back, its subscriptions end. Idempotent. A statement that a thread
        left behind still runs for it fails where it asks next."""
        if self._closed:
            return
        self._closed = self._terminated = True
        self._names.close(None)
        self._transaction.clear(self._coordinator)
        self._locks.end()
        for subscription in self._subscriptions:
            subscription.close()
        self._drop_temporary()
        self._coordinator.sessions.pop(self.number, None)
        self._on_close(self)

    def release(self) -> None:
        """End the session but leave its subscriptions to whoever holds them."""
        self._subscriptions.clear()
        self.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
