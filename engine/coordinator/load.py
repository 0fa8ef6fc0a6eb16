"""Rows for a table as text: JSON lines, CSV, or Arrow's stream; all of it in one tick, or nothing.

The decoders are those of sources, but here a line that is no row fails the whole, and so does a member or a column that
the table does not have. What a row does not give takes the column's DEFAULT, as in INSERT.
"""

import csv
import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from enum import Enum
from typing import Final

import numpy as np
import orjson
import pyarrow as pa

from engine.catalog.catalog import Path
from engine.catalog.items import QualifiedName, Table, kind
from engine.catalog.sources import CsvFormat
from engine.collection.arrow import from_arrow
from engine.collection.batch import Batch
from engine.collection.vector import Vector
from engine.connectors.decode_csv import CsvDecoder
from engine.connectors.decode_json import JsonColumns
from engine.coordinator.coordinator import Coordinator
from engine.coordinator.dml import check_not_null
from engine.coordinator.snapshot import Snapshot
from engine.coordinator.ticks import Write
from engine.coordinator.write import modified
from engine.errors import InvalidText, MalformedCopy, UndefinedColumn, WrongObjectType
from engine.sql.binder import bind
from engine.sql.binding.context import Context
from engine.sql.binding.settling import settled
from engine.sql.bound import BoundInsert
from engine.sql.dialect import parse
from engine.types import Column


class Form(Enum):
    """How rows are written."""

    JSON = "json"  # one array of objects
    NDJSON = "ndjson"  # an object a line
    CSV = "csv"  # a header that names columns, then records
    ARROW = "arrow"  # an Arrow IPC stream


def load(coordinator: Coordinator, parts: Sequence[str], data: bytes, form: Form) -> tuple[int, int]:
    """Insert rows into a table; (rows, the timestamp of their tick). Raises what was wrong with the first bad row."""
    item = coordinator.catalog.resolve(parts, Path())
    if not isinstance(item, Table):
        raise WrongObjectType(f'{kind(item)} "{item.name.item}" is not a table', hint="Only tables can be written to.")
    with coordinator.heap.pinned():
        loading = Loading(coordinator, item)
        batch = Batch.concat([Batch.empty(len(item.columns)), *loading.batches(data, form)])
        check_not_null(batch, item.columns)
        queued = coordinator.ticks.put(Write({item.id: batch}))
    return len(batch), coordinator.ticks.commit(queued)


class Loading:
    """The rows of one body for one table. The heap is pinned."""

    def __init__(self, coordinator: Coordinator, table: Table) -> None:
        self._coordinator: Final = coordinator
        self._table: Final = table
        self._at: Final = {column.name: i for i, column in enumerate(table.columns)}
        self._missing: Batch | None = None

    def batches(self, data: bytes, form: Form) -> Iterator[Batch]:
        """The rows, those that give the same columns together."""
        match form:
            case Form.JSON:
                yield from self._json(elements(data), "element")
            case Form.NDJSON:
                yield from self._json([line for line in data.split(b"\n") if line.strip()], "line")
            case Form.CSV:
                yield self._csv(data)
            case Form.ARROW:
                yield from self._arrow(data)

    def _json(self, lines: list[bytes], unit: str) -> Iterator[Batch]:
        groups: dict[tuple[str, ...], list[int]] = {}
        for number, line in enumerate(lines):
            groups.setdefault(self._members(line, f"{unit} {number + 1}"), []).append(number)
        bad: list[tuple[int, str]] = []
        for names, numbers in groups.items():
            columns = self._columns(names)
            if not columns:
                yield self._filled([], (), len(numbers))
                continue
            block = b"".join(lines[number].replace(b"\n", b" ").replace(b"\r", b" ") + b"\n" for number in numbers)
            rows = JsonColumns(columns, self._coordinator.heap).decode_lines(block, 1)
            bad += [(numbers[line.line - 1] + 1, line.reason) for line in rows.bad]
            yield self._filled(rows.columns, names, len(rows.columns[0]))
        self._refuse(bad, unit)

    def _members(self, line: bytes, where: str) -> tuple[str, ...]:
        """The columns that an object has members for."""
        try:
            found = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            raise InvalidText(f"{where} is malformed JSON: {error.msg}") from None
        if not isinstance(found, dict):
            raise InvalidText(f"{where} is no JSON object", hint='A row is written {"column": value, ...}.')
        for name in found:
            self._known(name, where)
        return tuple(sorted(found, key=self._at.__getitem__))

    def _known(self, name: str, where: str) -> None:
        if name not in self._at:
            raise UndefinedColumn(
                f'column "{name}" of relation "{self._table.name.item}" does not exist',
                detail=f"It is named in {where}.",
                hint=f"There are {', '.join(self._at)}.",
            )

    def _csv(self, data: bytes) -> Batch:
        first, _, rest = data.partition(b"\n")
        try:
            names = next(csv.reader([first.decode().rstrip("\r")]), [])
        except UnicodeDecodeError:
            raise InvalidText("the header is not UTF-8") from None
        if not names:
            raise MalformedCopy("the header is missing", hint="The first line of the CSV names the columns.")
        for name in names:
            self._known(name, "the header")
        if len(set(names)) < len(names):
            raise MalformedCopy("the header names a column twice")
        columns = self._columns(names)
        decoder = CsvDecoder(columns, CsvFormat(False, (), len(columns)), self._coordinator.heap)
        body = rest if not rest or rest.endswith(b"\n") else rest + b"\n"
        rows = decoder.decode_lines(body, 2)
        self._refuse([(line.line, line.reason) for line in rows.bad], "line")
        return self._filled(rows.columns, tuple(names), len(rows.columns[0]))

    def _arrow(self, data: bytes) -> Iterator[Batch]:
        try:
            with pa.ipc.open_stream(pa.BufferReader(data)) as stream:
                table = stream.read_all()
                table.validate(full=True)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError, OSError) as error:
            raise InvalidText(f"the body is no Arrow IPC stream: {error}") from None
        names = tuple(table.schema.names)
        for name in names:
            self._known(name, "the schema")
        if len(set(names)) < len(names):
            raise MalformedCopy("the schema names a column twice")
        vectors = from_arrow(table, [column.type for column in self._columns(names)], self._coordinator.heap)
        yield self._filled(vectors, names, table.num_rows)

    def _columns(self, names: Sequence[str]) -> list[Column]:
        return [self._table.columns[self._at[name]] for name in names]

    @staticmethod
    def _refuse(bad: Sequence[tuple[int, str]], unit: str) -> None:
        """Raises for the first line, by number, that is no row."""
        if bad:
            number, reason = min(bad)
            raise InvalidText(f"{unit} {number}: {reason}", hint="Nothing was inserted.")

    def _filled(self, vectors: Sequence[Vector], names: Sequence[str], n: int) -> Batch:
        """Rows of the table: those columns as given, the others as their DEFAULT says."""
        given = {self._at[name]: vector for name, vector in zip(names, vectors, strict=True)}
        every: list[Vector] = []
        for i in range(len(self._table.columns)):
            vector = given.get(i)
            if vector is None:
                one = self._defaults().vector(i)
                nulls = None if one.nulls is None else np.repeat(one.nulls, n)
                vector = Vector(np.repeat(one.words, n), nulls)
            every.append(vector)
        return modified(self._coordinator, Batch.from_vectors(every, np.ones(n, np.int64)), self._table.columns)

    def _defaults(self) -> Batch:
        """What INSERT ... DEFAULT VALUES would insert: the same for all rows of the body."""
        if self._missing is None:
            (statement,) = parse(f"INSERT INTO {quoted(self._table.name)} DEFAULT VALUES")
            now = datetime.fromtimestamp(self._coordinator.oracle.wall_ms() / 1000, UTC)
            context = Context(self._coordinator.catalog, now=now)
            bound = settled(bind(statement, context), context)
            assert isinstance(bound, BoundInsert)
            self._missing = Snapshot(self._coordinator, lambda: None).rows(bound.query.relation)
        return self._missing


def quoted(name: QualifiedName) -> str:
    """The name as SQL has it, whatever is in it."""
    return ".".join('"' + part.replace('"', '""') + '"' for part in (name.database, name.schema, name.item))


def elements(data: bytes) -> list[bytes]:
    """The elements of a JSON array, each as its text. InvalidText for anything else."""
    text = utf8(data)
    at = blank(text, 0)
    if text[at : at + 1] != "[":
        raise InvalidText("the body is no JSON array", hint="For one object a line send application/x-ndjson.")
    found, at = array(text, at)
    if blank(text, at) != len(text):
        raise InvalidText("something follows the JSON array")
    return found


def utf8(data: bytes) -> str:
    """The body as text."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise InvalidText("the body is not UTF-8") from None


def array(text: str, at: int) -> tuple[list[bytes], int]:
    """The elements of the JSON array that begins at `at`, and where it ends."""
    decoder, found = json.JSONDecoder(), list[bytes]()
    at = blank(text, at + 1)
    if text[at : at + 1] == "]":
        at += 1
    else:
        while True:
            try:
                _, end = decoder.raw_decode(text, at)
            except (ValueError, RecursionError) as error:
                raise InvalidText(f"element {len(found) + 1} is malformed JSON: {error}") from None
            found.append(text[at:end].encode())
            at = blank(text, end)
            separator, at = text[at : at + 1], at + 1
            if separator == "]":
                break
            if separator != ",":
                raise InvalidText(f"element {len(found)} is followed by neither a comma nor ]")
            at = blank(text, at)
    return found, at


def blank(text: str, at: int) -> int:
    """The first place from `at` on that is no white space of JSON."""
    while text[at : at + 1] in ("\t", "\n", "\r", " ") and at < len(text):
        at += 1
    return at
