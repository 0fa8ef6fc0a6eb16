"""The extended query protocol: prepared statements and portals, each message answered into one buffer.

Results are text. A portal runs when it is described or first executed, and keeps its answer, so that Execute with a row
limit goes on where it stopped. Describing a statement before it is bound, and binary results, are refused by name.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from app.pgwire import messages
from app.pgwire.binary import parameter_text
from app.pgwire.forms import DESCRIBED_ROWS, Answer, form_of, notices_of
from app.pgwire.messages import Bind, Close, Describe, Execute, Flush, Message, Parse, ProtocolViolation
from engine.database import CopyOut, Result, Session, Subscription
from engine.errors import DuplicateObject, SqlError, Unsupported


class UndefinedStatement(SqlError):
    sqlstate = "26000"


class UndefinedPortal(SqlError):
    sqlstate = "34000"


class DuplicateStatement(DuplicateObject):
    sqlstate = "42P05"


@dataclass(frozen=True, slots=True)
class Prepared:
    sql: str
    types: tuple[int, ...]


@dataclass(slots=True)
class Portal:
    """A bound statement; `answers` gives its answer when it first runs, or none for an empty text."""

    answers: Iterator[Answer]
    ran: bool = False
    answer: Answer | None = None
    columns: list[Any] | None = None
    """A result as text, from the first Execute on."""
    sent: int = 0


def formats_of(bind: Bind) -> tuple[int, ...]:
    """One format a parameter: none given is text for all, one is for all."""
    count = len(bind.parameters)
    if len(bind.formats) == 1:
        return bind.formats * count
    if bind.formats and len(bind.formats) != count:
        raise ProtocolViolation(f"bind message has {len(bind.formats)} parameter formats but {count} parameters")
    return padded(bind.formats, count)


def padded(numbers: tuple[int, ...], count: int) -> tuple[int, ...]:
    """0 (text; a type to be inferred) for what is not given."""
    return (*numbers, *[0] * (count - len(numbers)))[:count]


class Portals:
    """The named statements and portals of one session, and the replies that wait for Sync or Flush."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._statements: dict[str, Prepared] = {}
        self._portals: dict[str, Portal] = {}
        self._replies: list[bytes] = []

    def answer(self, message: Message) -> Answer | None:
        """Answer one message of the extended protocol into the buffer; may run the statement. Raises SqlError.

        What it returns is an answer without an end in sight, which the caller sends in place of this message's reply.
        """
        match message:
            case Parse(name, sql, types):
                if name and name in self._statements:
                    raise DuplicateStatement(f'prepared statement "{name}" already exists')
                self._statements[name] = Prepared(sql, types)
                self.reply(messages.PARSE_COMPLETE)
            case Bind():
                self._bind(message)
            case Describe("S", name):
                self._statement(name)
                raise Unsupported(
                    "describing a prepared statement before it is bound is not supported",
                    hint="Bind the statement and describe the portal, or send a simple query.",
                )
            case Describe(_, name):
                self._describe(self._ran(name))
            case Execute(name, rows_max):
                return self._execute(self._ran(name), rows_max)
            case Close(kind, name):
                (self._statements if kind == "S" else self._portals).pop(name, None)
                self.reply(messages.CLOSE_COMPLETE)
            case Flush():
                pass
            case _:
                raise AssertionError(f"{type(message).__name__} is no message of the extended protocol")
        return None

    def reply(self, data: bytes) -> None:
        self._replies.append(data)

    def replies(self) -> bytes:
        """What waits to be sent; empties it."""
        data = b"".join(self._replies)
        self._replies.clear()
        return data

    def sync(self) -> None:
        """The end of a series: portals outlive it only in a transaction."""
        if self._session.transaction_status == "I":
            self._portals.clear()

    def forget_unnamed(self) -> None:
        """A simple query does so."""
        self._statements.pop("", None)
        self._portals.pop("", None)

    def _statement(self, name: str) -> Prepared:
        statement = self._statements.get(name)
        if statement is None:
            raise UndefinedStatement(f'prepared statement "{name}" does not exist')
        return statement

    def _bind(self, bind: Bind) -> None:
        statement = self._statement(bind.statement)
        if any(bind.result_formats):
            raise Unsupported("binary results are not supported", hint="Ask for the text format.")
        values = [
            None if value is None else parameter_text(value, oid) if binary else value.decode()
            for value, binary, oid in zip(
                bind.parameters, formats_of(bind), padded(statement.types, len(bind.parameters)), strict=True
            )
        ]
        self._portals[bind.portal] = Portal(self._session.run(statement.sql, values, statement.types))
        self.reply(messages.BIND_COMPLETE)

    def _ran(self, name: str) -> Portal:
        portal = self._portals.get(name)
        if portal is None:
            raise UndefinedPortal(f'portal "{name}" does not exist')
        if not portal.ran:
            portal.ran = True
            portal.answer = next(portal.answers, None)
        return portal

    def _describe(self, portal: Portal) -> None:
        match portal.answer:
            case Subscription(columns=columns):
                self.reply(messages.row_description(columns))
            case Result(columns=columns, batch=batch) if batch is not None:
                self.reply(messages.row_description(columns))
            case _:
                self.reply(messages.NO_DATA)

    def _execute(self, portal: Portal, rows_max: int) -> Answer | None:
        match portal.answer:
            case None:
                self.reply(messages.EMPTY_QUERY)
            case Subscription() | CopyOut(Subscription()):
                return portal.answer
            case Result() if rows_max and portal.answer.batch is not None:
                self._execute_some(portal, portal.answer, rows_max)
            case Result() | CopyOut():
                source, form = form_of(portal.answer, DESCRIBED_ROWS)
                if isinstance(source, Result):
                    self.reply(notices_of(source.notices) + form.whole(source))
        return None

    def _execute_some(self, portal: Portal, result: Result, rows_max: int) -> None:
        if portal.columns is None:
            portal.columns = result.text()
        start, count = portal.sent, min(rows_max, result.row_count - portal.sent)
        piece = [column.slice(start, count) for column in portal.columns]
        self.reply(DESCRIBED_ROWS.rows(piece, count))
        portal.sent += count
        rest = portal.sent < result.row_count
        self.reply(messages.PORTAL_SUSPENDED if rest else messages.command_complete(result.tag))
