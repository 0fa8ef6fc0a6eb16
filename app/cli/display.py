"""Answers as psql shows them: aligned columns, a count, errors with a caret below their position.

An answer comes as pieces, so that a subscription can be shown while it runs.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, Protocol, TextIO, TypeAlias

NUMERIC_OIDS: Final = frozenset({20, 21, 23, 26, 700, 701, 1700})
"""Types that stand to the right: integers, oid, floats, numeric."""


@dataclass(frozen=True, slots=True)
class Header:
    """Rows with these columns follow."""

    names: list[str]
    to_the_right: list[bool]


@dataclass(frozen=True, slots=True)
class Rows:
    """Text of datums; None is NULL."""

    rows: list[list[str | None]]


@dataclass(frozen=True, slots=True)
class Pause:
    """No more has come for a moment: show what there is."""


@dataclass(frozen=True, slots=True)
class Done:
    """The end of one answer."""

    tag: str


@dataclass(frozen=True, slots=True)
class Lines:
    """Bytes of a COPY, as they are."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Notice:
    severity: str
    message: str
    hint: str | None = None


@dataclass(frozen=True, slots=True)
class Failure:
    """The statement failed. `position` counts characters of its text from 1."""

    message: str
    sqlstate: str
    severity: str = "ERROR"
    detail: str | None = None
    hint: str | None = None
    position: int | None = None


Piece: TypeAlias = Header | Rows | Pause | Done | Lines | Notice | Failure


class Conversation(Protocol):
    """Who answers: a server (client.py) or a database in this process (embedded.py)."""

    def run(self, sql: str) -> Iterator[Piece]:
        """The pieces of the answers to the statements of `sql`, up to the first failure."""
        ...

    def cancel(self) -> None:
        """End the statement that runs; its pieces end with a Failure."""
        ...

    def close(self) -> None: ...


@dataclass(slots=True)
class Display:
    """Prints pieces as they come."""

    out: TextIO
    err: TextIO
    header: Header | None = None
    waiting: list[list[str | None]] = field(default_factory=list[list[str | None]])
    widths: list[int] = field(default_factory=list[int])
    shown: bool = False
    """Whether the header of this answer was printed: its rows are shown as they come."""

    def show(self, piece: Piece, sql: str) -> None:
        match piece:
            case Header():
                self.header, self.shown, self.waiting = piece, False, []
            case Rows(rows):
                self.waiting += rows
                if self.shown:
                    self._print_rows()
            case Pause():
                if self.header is not None and (self.waiting or self.shown):
                    self._print_rows()
            case Done(tag):
                self._finish(tag)
            case Lines(data):
                self.out.write(data.decode())
                self.out.flush()
            case Notice(severity, message, hint):
                print(f"{severity}:  {message}", file=self.err)
                if hint:
                    print(f"HINT:  {hint}", file=self.err)
            case Failure():
                self.header, self.waiting = None, []
                print("\n".join(explained(piece, sql)), file=self.err)

    def _print_rows(self) -> None:
        assert self.header is not None, "rows come behind their header"
        if not self.shown:
            self.widths = widths_of(self.header, self.waiting)
            names = [name.center(width) for name, width in zip(self.header.names, self.widths, strict=True)]
            print(" " + " | ".join(names), file=self.out)
            print("-" + "-+-".join("-" * width for width in self.widths) + "-", file=self.out)
            self.shown = True
        for row in self.waiting:
            print(" " + line(row, self.widths, self.header.to_the_right), file=self.out)
        self.waiting = []
        self.out.flush()

    def _finish(self, tag: str) -> None:
        if self.header is None:
            print(tag, file=self.out, flush=True)
            return
        count = int(number) if (number := tag.rpartition(" ")[2]).isdigit() else len(self.waiting)
        self._print_rows()
        print(f"({count} row{'' if count == 1 else 's'})\n", file=self.out, flush=True)
        self.header = None


def widths_of(header: Header, rows: list[list[str | None]]) -> list[int]:
    columns = zip(header.names, zip(*rows, strict=True), strict=True) if rows else ((name, ()) for name in header.names)
    return [max([len(name), *(longest(value) for value in values)]) for name, values in columns]


def longest(value: str | None) -> int:
    return max(map(len, value.split("\n")), default=0) if value else 0


def line(row: list[str | None], widths: list[int], to_the_right: list[bool]) -> str:
    """A value of several lines is continued with psql's `+`."""
    cells = [(value or "").split("\n") for value in row]
    height = max(map(len, cells), default=1)
    lines: list[str] = []
    for at in range(height):
        parts: list[str] = []
        for cell, width, right in zip(cells, widths, to_the_right, strict=True):
            text = cell[at] if at < len(cell) else ""
            mark = "+" if at + 1 < len(cell) else " "
            parts.append((text.rjust(width) if right else text.ljust(width)) + mark)
        lines.append("| ".join(parts).rstrip())
    return "\n ".join(lines)


def explained(failure: Failure, sql: str) -> list[str]:
    """The message, the line of the statement that it is about, a caret, and what to do."""
    lines = [f"{failure.severity}:  {failure.message}"]
    if failure.position is not None and 1 <= failure.position <= len(sql) + 1:
        before = sql[: failure.position - 1]
        number, column = before.count("\n") + 1, len(before) - (before.rfind("\n") + 1)
        label = f"LINE {number}: "
        lines += [label + sql.split("\n")[number - 1], " " * (len(label) + column) + "^"]
    if failure.detail:
        lines.append(f"DETAIL:  {failure.detail}")
    if failure.hint:
        lines.append(f"HINT:  {failure.hint}")
    return lines
