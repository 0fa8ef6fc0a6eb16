"""Results in the media type that the client wants, a piece at a time, so that a reply costs the memory of a piece.

JSON     one object: what is known of the rows, then `rows`, a list of lists
NDJSON   an object a row
CSV      a header, then a record a row; NULL is empty, the empty text is ""
Arrow    an IPC stream of the columns' Arrow types
"""

# pyright: basic
# pyarrow ships no types.

import io
from collections.abc import Iterator, Mapping
from enum import Enum
from typing import Any, Final, Literal

import pyarrow as pa
from pyarrow import csv

from app.data.datums import encoded, rows
from engine.database import Result


class Media(Enum):
    """What a client may ask for, by its media type; the first is the default."""

    JSON = "application/json"
    NDJSON = "application/x-ndjson"
    CSV = "text/csv"
    ARROW = "application/vnd.apache.arrow.stream"


FormatName = Literal["json", "ndjson", "csv", "arrow"]
NAMES: Final[Mapping[FormatName, Media]] = {
    "json": Media.JSON,
    "ndjson": Media.NDJSON,
    "csv": Media.CSV,
    "arrow": Media.ARROW,
}


def chosen(accept: str | None) -> Media | None:
    """What an Accept header wants most of what there is; None: nothing of it."""
    if not accept or not accept.strip():
        return Media.JSON
    wanted: list[tuple[float, int, Media]] = []
    for order, entry in enumerate(accept.split(",")):
        kind, *parameters = (part.strip().lower() for part in entry.split(";"))
        weight = 1.0
        for parameter in parameters:
            if parameter.startswith("q="):
                try:
                    weight = float(parameter[2:])
                except ValueError:
                    weight = 0.0
        for media in Media:
            general = media.value.split("/")[0] + "/*"
            if kind == media.value or kind in ("*/*", general):
                wanted.append((-weight, order, media))
                break
    best = min(wanted, key=lambda found: found[:2], default=None)
    return best[2] if best is not None and best[0] < 0 else None


def of_body(content_type: str | None) -> Media | None:
    """The media type of a body; None: none that is read."""
    kind = (content_type or "").partition(";")[0].strip().lower()
    aliases = {"application/jsonl": Media.NDJSON, "application/x-jsonlines": Media.NDJSON}
    return next((media for media in Media if media.value == kind), aliases.get(kind))


def pieces(
    result: Result, begin: int, end: int, columns: int, media: Media, head: Mapping[str, Any], rows_max: int
) -> Iterator[bytes]:
    """Rows `begin` to `end` of the first so many columns. `head` is what JSON says before the rows."""
    parts = (result.part(at, min(at + rows_max, end), columns) for at in range(begin, end, rows_max))
    match media:
        case Media.JSON:
            return as_json(parts, head)
        case Media.NDJSON:
            return as_lines(parts)
        case Media.CSV:
            return as_csv(parts, [column.name for column in result.columns[:columns]])
        case Media.ARROW:
            return as_arrow(parts, result.part(0, 0, columns).arrow().schema)


def as_json(parts: Iterator[Result], head: Mapping[str, Any]) -> Iterator[bytes]:
    yield encoded(dict(head))[:-1] + b',"rows":['
    first = True
    for part in parts:
        inner = encoded(rows(part.columns, part.text(), part.row_count))[1:-1]
        yield inner if first else b"," + inner
        first = False
    yield b"]}"


def as_lines(parts: Iterator[Result]) -> Iterator[bytes]:
    for part in parts:
        names = [column.name for column in part.columns]
        found = rows(part.columns, part.text(), part.row_count)
        yield b"".join(encoded(dict(zip(names, row, strict=True))) + b"\n" for row in found)


def as_csv(parts: Iterator[Result], names: list[str]) -> Iterator[bytes]:
    yield (",".join('"' + name.replace('"', '""') + '"' for name in names) + "\n").encode()
    options = csv.WriteOptions(include_header=False)
    for part in parts:
        out = io.BytesIO()
        table = pa.table([pa.array(column) for column in part.text()], names=[str(i) for i in range(len(names))])
        csv.write_csv(table, out, options)
        yield out.getvalue()


def as_arrow(parts: Iterator[Result], schema: pa.Schema) -> Iterator[bytes]:
    out = io.BytesIO()
    with pa.ipc.new_stream(out, schema) as writer:
        for part in parts:
            writer.write_table(part.arrow())
            yield out.getvalue()
            out.seek(0)
            out.truncate()
    yield out.getvalue()
