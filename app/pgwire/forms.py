"""The forms in which answers leave: as rows, as rows whose description went before, or as COPY ... TO STDOUT.

Also the one function that makes a message of an error.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from app.pgwire import messages
from app.pgwire.values import copy_lines, data_rows
from engine.database import CopyOut, Notice, Result, Subscription
from engine.errors import SqlError
from engine.types import Column

Answer: TypeAlias = Result | Subscription | CopyOut


@dataclass(frozen=True, slots=True)
class Form:
    """What stands before the rows, the rows (of columns of text, and their count), and what stands behind them."""

    begin: Callable[[tuple[Column, ...]], bytes]
    rows: Callable[[list[Any], int], bytes]
    end: Callable[[str, int], bytes]

    def whole(self, result: Result) -> bytes:
        """A small result at once; only its tag where no rows come."""
        if result.batch is None:
            return messages.command_complete(result.tag)
        rows = self.rows(result.text(), result.row_count)
        return self.begin(result.columns) + rows + self.end(result.tag, result.row_count)


ROWS: Final = Form(messages.row_description, data_rows, lambda tag, _: messages.command_complete(tag))
DESCRIBED_ROWS: Final = Form(lambda _: b"", ROWS.rows, ROWS.end)
COPY: Final = Form(
    lambda columns: messages.copy_out_response(len(columns)),
    copy_lines,
    lambda _, count: messages.COPY_DONE + messages.command_complete(f"COPY {count}"),
)


def form_of(answer: Answer, rows: Form = ROWS) -> tuple[Result | Subscription, Form]:
    """Where the rows come from, and how they leave."""
    return (answer.source, COPY) if isinstance(answer, CopyOut) else (answer, rows)


def error_of(error: SqlError, severity: str = "ERROR") -> bytes:
    return messages.report(b"E", severity, error.sqlstate, error.message, error.detail, error.hint, error.position)


def fatal(sqlstate: str, message: str) -> bytes:
    """The last message of a connection."""
    return messages.report(b"E", "FATAL", sqlstate, message)


def notices_of(notices: tuple[Notice, ...]) -> bytes:
    return b"".join(
        messages.report(b"N", notice.severity, notice.sqlstate, notice.message, notice.detail, notice.hint)
        for notice in notices
    )
