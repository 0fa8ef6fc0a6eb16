"""The forms in which answers leave: as rows, as rows whose description went before, or as COPY ... TO STDOUT.

Also the one function that makes a message of an error.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

from app.pgwire import messages
from app.pgwire.copy_out import SIGNATURE, begun, copied, ended, led
from app.pgwire.messages import ProtocolViolation
from app.pgwire.values import data_rows, few_rows
from engine.database import CopyForm, CopyOut, Notice, Result, Subscription
from engine.errors import SqlError
from engine.types import Column

Answer: TypeAlias = Result | Subscription | CopyOut
Formats: TypeAlias = tuple[int, ...]
"""0 is text, 1 binary; one a column, or one for all, or none: text."""


FEW_ROWS: Final = 12
"""Up to here rows are encoded value by value."""


@dataclass(frozen=True, slots=True)
class Form:
    """What stands before the rows, the rows, and what stands behind them."""

    begin: Callable[[tuple[Column, ...]], bytes]
    rows: Callable[[Result], bytes]
    end: Callable[[str, int], bytes]

    def whole(self, result: Result) -> bytes:
        """A small result at once; only its tag where no rows come."""
        if result.batch is None:
            return messages.command_complete(result.tag)
        return self.begin(result.columns) + self.rows(result) + self.end(result.tag, result.row_count)


def complete(tag: str, _: int) -> bytes:
    return messages.command_complete(tag)


def sent(result: Result, formats: Formats) -> bytes:
    """All rows of a result as DataRow messages."""
    spread_out = spread(formats, len(result.columns))
    if result.row_count <= FEW_ROWS:
        return few_rows(result.encoded_few(spread_out), result.row_count)
    return data_rows(result.encoded(spread_out), result.row_count)


ROWS: Final = Form(lambda columns: messages.row_description(columns), lambda result: sent(result, ()), complete)


def described_rows(formats: Formats) -> Form:
    """Rows whose description went before."""
    return Form(lambda _: b"", lambda result: sent(result, formats), complete)


def copy(form: CopyForm) -> Form:
    """COPY ... TO STDOUT, once: a reader of the binary format looks for the first row behind the signature."""
    lead = SIGNATURE if form.binary else b""

    def after_lead(sending: bytes) -> bytes:
        nonlocal lead
        if not lead or not sending:
            return sending
        sending, lead = led(lead, sending), b""
        return sending

    def begin(columns: tuple[Column, ...]) -> bytes:
        names = [column.name for column in columns]
        return messages.copy_out_response(len(columns), form.binary) + begun(form, names)

    def rows(result: Result) -> bytes:
        columns = result.encoded((1,) * len(result.columns)) if form.binary else result.text()
        return after_lead(copied(form, columns, result.row_count))

    def end(_: str, count: int) -> bytes:
        return after_lead(ended(form)) + messages.COPY_DONE + messages.command_complete(f"COPY {count}")

    return Form(begin, rows, end)


def form_of(answer: Answer, rows: Form = ROWS) -> tuple[Result | Subscription, Form]:
    """Where the rows come from, and how they leave."""
    return (answer.source, copy(answer.form)) if isinstance(answer, CopyOut) else (answer, rows)


def described(columns: tuple[Column, ...] | None, formats: Formats) -> bytes:
    """RowDescription, or NoData where no rows come."""
    if columns is None:
        return messages.NO_DATA
    return messages.row_description(columns, spread(formats, len(columns)))


def spread(formats: Formats, count: int) -> Formats:
    """One format a column."""
    if len(formats) <= 1:
        return (formats or (0,)) * count
    if len(formats) != count:
        raise ProtocolViolation(f"bind message has {len(formats)} result formats but query has {count} columns")
    return formats


def error_of(error: SqlError, severity: str = "ERROR") -> bytes:
    return messages.report(
        b"E", severity, error.sqlstate, error.message, error.detail, error.hint, error.position, error.where
    )


def fatal(sqlstate: str, message: str) -> bytes:
    """The last message of a connection."""
    return messages.report(b"E", "FATAL", sqlstate, message)


def notices_of(notices: tuple[Notice, ...]) -> bytes:
    return b"".join(
        messages.report(b"N", notice.severity, notice.sqlstate, notice.message, notice.detail, notice.hint)
        for notice in notices
    )
