"""The extended query protocol: each message answered from the session, into one buffer.

The session keeps statements and portals (they share their names with SQL's PREPARE and DECLARE); here are the
protocol's words for them. A portal runs when it is first executed, so a series may Describe it for nothing.
"""

from dataclasses import dataclass
from typing import Final

from app.pgwire import messages
from app.pgwire.forms import described, described_rows, notices_of, spread
from app.pgwire.messages import Bind, Close, Describe, Execute, Flush, Message, Parse, ProtocolViolation
from app.pgwire.values import data_row
from engine.database import Portal, Result, Session
from engine.types import Column

ROWS_AT_ONCE: Final = 65_536
"""A larger answer is sent in pieces by the caller."""
SELECTED: Final = (messages.command_complete("SELECT 0"), messages.command_complete("SELECT 1"))
DESCRIPTIONS_MAX: Final = 256
"""RowDescriptions that are kept: a statement's, by its name."""


@dataclass(frozen=True, slots=True)
class Long:
    """What an Execute is answered with, where that is large or has no end in sight: `count` rows of a result from
    number `first` on, after which the portal is suspended or at its end; or a subscription, or a COPY of either."""

    portal: Portal
    first: int = 0
    count: int | None = None
    suspends: bool = False


class Portals:
    """The extended protocol's side of one session, and the replies that wait for Sync or Flush."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self.waiting: list[bytes] = []
        self._descriptions: dict[str, tuple[tuple[Column, ...], tuple[int, ...], bytes]] = {}
        self.rows_sent = 0
        self.flushed = False
        """Whether a Sync or a Flush wants what waits to be sent."""

    def answer(self, message: Message, alone: bool) -> Long | None:
        """Answer one message of the extended protocol into the buffer; may run a statement. Raises SqlError.

        `alone`: the series ends behind it. What it returns the caller sends in place of this message's reply.
        """
        match message:
            case Parse(name, sql, types):
                self._session.prepare(name, sql, types)
                self.reply(messages.PARSE_COMPLETE)
            case Bind():
                self._bind(message)
            case Describe("S", name):
                statement = self._session.statement(name)
                oids = [kind.oid for kind in statement.parameters]
                self.reply(messages.parameter_description(oids) + described(statement.columns, ()))
            case Describe(_, name):
                portal = self._session.portal(name)
                self.reply(described(portal.columns, portal.formats))
            case Execute(name, rows_max):
                return self._execute(self._session.portal(name), rows_max, alone)
            case Close(kind, name):
                if kind == "S":
                    self._session.close_statement(name)
                else:
                    self._session.close_portal(name)
                self.reply(messages.CLOSE_COMPLETE)
            case Flush():
                self.flushed = True
            case _:
                raise AssertionError(f"{type(message).__name__} is no message of the extended protocol")
        return None

    def look_up(self, name: str) -> bool:
        """Execute a portal that is a look-up by key; False: it is none. Raises SqlError, and Busy."""
        portal = self._session.portal(name)

        def use(result: Result) -> bytes:
            portal.answer, portal.sent = result.slice(0, 0), 0
            self.rows_sent += result.row_count
            return described_rows(portal.formats).rows(result) + messages.command_complete(result.tag)

        data = self._session.look_up(portal, use)
        if data is None:
            return False
        self.reply(data)
        return True

    def run_at_once(self, bind: Bind, described: bool) -> bytes | None:
        """The answer to Bind of the unnamed portal, Describe of it if `described`, and Execute, in front of a Sync,
        where the statement is a look-up of one row that need not wait; None: to be answered message by message.

        No portal is made: Sync would end it.
        """
        statement = self._session.statement(bind.statement)
        if statement.keyed is None or statement.columns is None:
            return None
        formats = spread(bind.result_formats, len(statement.columns))
        rows = self._session.sent(statement, given(bind), formats)
        if rows is None:
            return None
        parts = [messages.BIND_COMPLETE]
        if described:
            parts.append(self._description(bind.statement, statement.columns, formats))
        parts += map(data_row, rows)
        self.rows_sent += len(rows)
        parts.append(SELECTED[len(rows)])
        return b"".join(parts)

    def _description(self, name: str, columns: tuple[Column, ...], formats: tuple[int, ...]) -> bytes:
        """The RowDescription of a statement, which is made once as long as it is described the same way."""
        known = self._descriptions.get(name)
        if known is None or known[0] is not columns or known[1] != formats:
            if len(self._descriptions) >= DESCRIPTIONS_MAX:
                self._descriptions.clear()
            known = self._descriptions[name] = (columns, formats, messages.row_description(columns, formats))
        return known[2]

    def reply(self, data: bytes, flush: bool = False) -> None:
        self.waiting.append(data)
        self.flushed = self.flushed or flush

    def replies(self) -> bytes:
        """What waits to be sent; empties it."""
        data = b"".join(self.waiting)
        self.waiting.clear()
        self.flushed = False
        return data

    def forget_unnamed(self) -> None:
        """A simple query does so."""
        self._session.close_statement("")
        self._session.close_portal("")

    def _bind(self, bind: Bind) -> None:
        statement = self._session.statement(bind.statement)
        if statement.columns is not None:
            spread(bind.result_formats, len(statement.columns))
        self._session.bind(bind.portal, statement, given(bind), bind.result_formats)
        self.reply(messages.BIND_COMPLETE)

    def _execute(self, portal: Portal, rows_max: int, alone: bool) -> Long | None:
        answer = self._session.run_portal(portal, alone)
        match answer:
            case None:
                self.reply(messages.EMPTY_QUERY)
            case Result() if answer.batch is None:
                if portal.sent:
                    portal.piece(None)  # says that it cannot run again
                portal.sent = 1
                self.reply(notices_of(answer.notices) + messages.command_complete(answer.tag))
            case Result():
                count = min(rows_max or answer.row_count, answer.row_count - portal.sent)
                if count > ROWS_AT_ONCE:
                    first, portal.sent = portal.sent, portal.sent + count
                    return Long(portal, first, count, bool(rows_max) and count == rows_max)
                self._rows(portal, answer, count, rows_max)
            case _:
                return Long(portal)
        return None

    def _rows(self, portal: Portal, answer: Result, count: int, rows_max: int) -> None:
        """The next rows of a result; as many as were asked for suspend it, even if they are the last."""
        first = portal.sent == 0
        self.rows_sent += count
        data = described_rows(portal.formats).rows(portal.piece(count))
        notices = notices_of(answer.notices) if first else b""
        if rows_max and count == rows_max:
            end = messages.PORTAL_SUSPENDED
        else:
            end = messages.command_complete(answer.tag if first else f"SELECT {count}")
        self.reply(notices + data + end)


def given(bind: Bind) -> list[str | bytes | None]:
    """The parameters' values: those in the text format as text."""
    return [
        value if value is None or binary else text_of(value)
        for value, binary in zip(bind.parameters, formats_of(bind), strict=True)
    ]


def formats_of(bind: Bind) -> tuple[int, ...]:
    """One format a parameter: none given is text for all, one is for all."""
    count = len(bind.parameters)
    if len(bind.formats) <= 1:
        return (bind.formats or (0,)) * count
    if len(bind.formats) != count:
        raise ProtocolViolation(f"bind message has {len(bind.formats)} parameter formats but {count} parameters")
    return bind.formats


def text_of(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise ProtocolViolation("invalid byte sequence for encoding UTF8") from None
