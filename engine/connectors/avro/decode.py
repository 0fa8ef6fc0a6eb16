"""FORMAT AVRO: data to columns, each by the schema that its writer used.

With a registry each datum begins with five bytes: 0 and the id of the writer's schema. The programs of the ids seen are
kept. A datum whose schema cannot be read as the source's is an error of its own; a registry that does not answer stops
the source until it does.
"""

from collections.abc import Callable
from typing import Final, Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from engine import types
from engine.catalog.sources import AvroFormat
from engine.collection import numeric
from engine.collection.heap import Heap
from engine.collection.json import intern_json
from engine.collection.nested import Raw
from engine.collection.vector import Vector
from engine.collection.words import value_of, vector_of
from engine.connectors.avro.compile import CONSTANTS, Convert, Plan, Program, compile
from engine.connectors.avro.schema import Avro, parse
from engine.connectors.lines import cast_texts, failures
from engine.connectors.records import Decoded, Spans, not_utf8
from engine.connectors.registry import RegisteredSchema
from engine.errors import MalformedSource
from engine.kernels import avro as machine
from engine.types import Column

HEADER: Final = 5
"""Bytes before the data: a zero and the schema's id."""

WRONG: Final = {
    machine.CUT_OFF: "the datum ends too early",
    machine.TOO_LONG: "bytes are left over behind the datum",
    machine.BAD_BRANCH: "a union has no such branch, or one that the source's schema cannot take",
    machine.BAD_LENGTH: "a length is out of bounds",
    machine.BAD_SYMBOL: "an enum has no such symbol",
    machine.TOO_DEEP: "it is nested too deep",
    machine.LOST: "where it begins is not known, because the datum before it in its block is none",
}


class Schemas(Protocol):
    """Who knows the schemas that data were written by: a registry, or a file of its own."""

    def by_id(self, id: int) -> RegisteredSchema: ...


Compile = Callable[[Avro, Avro], Program]
"""From the writer's schema and the reader's to what makes columns of the data."""


class AvroDecoder:
    """See the file's head. `columns` are those that `compile` has the data become; without it, the reader's own."""

    def __init__(
        self,
        format: AvroFormat,
        columns: tuple[Column, ...],
        heap: Heap,
        registry: Schemas | None,
        compile: Compile | None = None,
    ) -> None:
        self.columns = columns
        self._heap = heap
        self._registry = registry
        self._framed = format.framed
        self._reader = parse(format.schema)
        self._compile = compile or self._compile_rows
        self._writers: dict[int, Avro] = {}
        self._programs: dict[int, Program | str] = {}

    def check(self) -> None:
        """MalformedSource when data without a header, all of one schema, cannot be read as the source's."""
        program = self._program(0)
        if isinstance(program, str):
            raise MalformedSource(program)

    def decode(self, data: Spans) -> Decoded:
        ids, body, failed = self.frames(data)
        if not self._framed:
            return self._run(0, body, np.arange(len(data)), failed, None)
        made: Decoded | None = None
        for id in np.unique(ids[ids >= 0]).tolist():
            made = self._run(id, body, np.flatnonzero(ids == id), failed, made)
        return made or Decoded(_blank(len(self.columns), len(data)), failed)

    def decode_all(self, id: int, body: Spans) -> Decoded:
        """As `decode`, of data without header that were all written by the schema of that id."""
        return self._run(id, body, np.arange(len(body)), {}, None)

    def frames(self, data: Spans) -> tuple[NDArray[np.int64], Spans, dict[int, str]]:
        """(the id of each datum's schema, what is behind its header, why others, whose id is -1, have no such)."""
        n = len(data)
        failed: dict[int, str] = {}
        if not self._framed:
            return np.zeros(n, np.int64), data, failed
        lengths = data.ends - data.begins
        framed = lengths >= HEADER
        at = np.where(framed, data.begins, 0)
        framed &= data.data[at] == 0
        for row in np.flatnonzero(~framed).tolist():
            failed[row] = "malformed Avro: the datum does not begin with a schema's id"
        ids = np.zeros(n, np.int64)
        for k in range(1, HEADER):
            ids = ids << 8 | np.where(framed, data.data[np.where(framed, data.begins + k, 0)], 0)
        return np.where(framed, ids, -1), Spans(data.data, data.begins + HEADER, data.ends), failed

    def writer(self, id: int) -> Avro:
        """The schema of that id. MalformedSource when it is none of Avro."""
        found = self._writers.get(id)
        if found is None:
            found = self._reader
            if self._registry is not None:
                registered = self._registry.by_id(id)
                if registered.kind != "AVRO":
                    raise MalformedSource(f"schema {id} of the registry is {registered.kind}, not Avro")
                found = parse(registered.text)
            self._writers[id] = found
        return found

    def _compile_rows(self, writer: Avro, reader: Avro) -> Program:
        return compile(writer, reader, self.columns[0].name if self.columns else "")

    def _program(self, id: int) -> Program | str:
        """The program for a writer's schema, or why there is none."""
        found = self._programs.get(id)
        if found is None:
            try:
                found = self._compile(self.writer(id), self._reader)
            except MalformedSource as error:
                found = error.message
            self._programs[id] = found
        return found

    def _run(
        self, id: int, data: Spans, rows: NDArray[np.int64], failed: dict[int, str], so_far: Decoded | None
    ) -> Decoded:
        """The rows of one schema, beside those of others."""
        program = self._program(id)
        if isinstance(program, str):
            failed.update(dict.fromkeys(rows.tolist(), program))
            return so_far or Decoded(_blank(len(self.columns), len(data)), failed)
        spans = data if len(rows) == len(data) else data.take(rows)
        n, k = len(rows), len(program.plans)
        words, states = np.zeros((k, n), np.uint64), np.zeros((k, n), np.uint8)
        begins, ends = np.zeros((k, n), np.int64), np.zeros((k, n), np.int64)
        wrong = np.zeros(n, np.uint8)
        machine.run(spans.data, spans.begins, spans.ends, program.code, CONSTANTS, words, begins, ends, states, wrong)
        bad = {row: f"malformed Avro: {WRONG[int(wrong[row])]}" for row in np.flatnonzero(wrong).tolist()}
        states[:, wrong != 0] = machine.ABSENT
        vectors = [
            self._column(plan, words[c], Spans(data.data, begins[c], ends[c]), states[c], bad)
            for c, plan in enumerate(program.plans)
        ]
        for row, reason in failures(vectors, self.columns, self._heap).items():
            bad.setdefault(row, reason)
        failed.update({int(rows[row]): reason for row, reason in bad.items()})
        plain = [Vector(vector.words, vector.nulls) for vector in vectors]
        if len(rows) == len(data):
            return Decoded(plain, failed)
        into = so_far.columns if so_far is not None else _blank(len(self.columns), len(data))
        return Decoded([_placed(whole, rows, part) for whole, part in zip(into, plain, strict=True)], failed)

    def _column(
        self, plan: Plan, words: NDArray[np.uint64], spans: Spans, states: NDArray[np.uint8], bad: dict[int, str]
    ) -> Vector:
        """One column, from the cells as the kernel left them."""
        n = len(words)
        absent = states == machine.ABSENT
        nulls = absent if absent.any() else None
        match plan.convert:
            case Convert.WORDS:
                return Vector(words, nulls)
            case Convert.MILLIS:
                return Vector((words.view(np.int64) * 1000).view(np.uint64), nulls)
            case Convert.FLOAT:
                floats = np.where(absent, 0.0, words.view(np.int64).astype(np.float64))
                if plan.type == types.REAL:
                    floats = floats.astype(np.float32).astype(np.float64)
                return Vector(floats.view(np.uint64), nulls)
            case Convert.DEFAULT:
                value = value_of(plan.default, plan.type)
                one = vector_of([value], plan.type, self._heap)
                return Vector.repeat(int(one.words[0]), one.nulls is not None, n)
            case Convert.SYMBOL:
                return self._symbols(plan, words, absent, bad)
            case Convert.DECIMAL:
                return self._decimals(plan, words, spans, states)
            case Convert.READ:
                return self._read(plan, spans, absent, bad)
            case _:
                return self._spans(plan, spans, absent, nulls, bad)

    def _spans(
        self, plan: Plan, spans: Spans, absent: NDArray[np.bool_], nulls: NDArray[np.bool_] | None, bad: dict[int, str]
    ) -> Vector:
        ends = np.where(absent, spans.begins, spans.ends)
        whole = Spans(spans.data, spans.begins, ends)
        if plan.convert is not Convert.BYTES:
            wrong = not_utf8(whole)
            if wrong:
                bad.update({row: bad.get(row, "malformed Avro: a string is not UTF-8") for row in wrong})
                ends[wrong] = spans.begins[wrong]
        texts = whole.intern(self._heap)
        if plan.convert is Convert.CAST:
            cast = cast_texts(Vector(texts.words, nulls), plan.type, self._heap)
            errors = cast.errors if cast.errors is None else np.where(absent, np.uint64(0), cast.errors)
            return Vector(np.where(absent, np.uint64(0), cast.words), nulls, errors)
        if plan.convert is Convert.JSON:
            codes, wrong_json = intern_json(whole.texts().cast(pa.large_string()), self._heap)
            if wrong_json is not None:
                for row in np.flatnonzero(wrong_json & ~absent).tolist():
                    bad.setdefault(row, "malformed JSON")
            return Vector(np.where(absent, np.uint64(0), codes), nulls)
        return Vector(texts.words, nulls)

    def _symbols(self, plan: Plan, words: NDArray[np.uint64], absent: NDArray[np.bool_], bad: dict[int, str]) -> Vector:
        codes = self._heap.intern_many([(symbol or "").encode() for symbol in plan.symbols])
        unknown = np.array([symbol is None for symbol in plan.symbols], np.bool_)
        at = np.where(absent, 0, words.view(np.int64))
        for row in np.flatnonzero(unknown[at] & ~absent).tolist():
            bad.setdefault(row, "malformed Avro: an enum has a symbol that the source's schema does not know")
        return Vector(np.where(absent, np.uint64(0), codes[at]), absent if absent.any() else None)

    def _decimals(self, plan: Plan, words: NDArray[np.uint64], spans: Spans, states: NDArray[np.uint8]) -> Vector:
        low = words.view(np.int64)
        made, _ = numeric.from_wide(low >> 63, words, plan.scale, self._heap)
        for row in np.flatnonzero(states == machine.SPAN).tolist():
            digits = int.from_bytes(spans.get(row), "big", signed=True)
            made[row] = numeric.pack_decimal(_decimal(digits, plan.scale), self._heap)
        absent = states == machine.ABSENT
        return Vector(np.where(absent, np.uint64(0), made), absent if absent.any() else None)

    def _read(self, plan: Plan, spans: Spans, absent: NDArray[np.bool_], bad: dict[int, str]) -> Vector:
        assert plan.read is not None
        values: list[Raw] = []
        for row in range(len(spans)):
            raw = None
            if not absent[row]:
                try:
                    raw, _ = plan.read(spans.get(row), 0)
                except (ValueError, IndexError, ArithmeticError) as error:
                    bad.setdefault(row, f"malformed Avro: {error}")
            values.append(raw)
        return vector_of([value_of(raw, plan.type) for raw in values], plan.type, self._heap)


def _decimal(digits: int, scale: int) -> "numeric.Decimal":
    return numeric.Decimal(digits).scaleb(-scale)


def _blank(columns: int, n: int) -> list[Vector]:
    return [Vector(np.zeros(n, np.uint64), np.ones(n, np.bool_)) for _ in range(columns)]


def _placed(whole: Vector, rows: NDArray[np.int64], part: Vector) -> Vector:
    """A column with those rows of another schema in their places."""
    words = whole.words.copy()
    words[rows] = part.words
    nulls = np.zeros(len(words), np.bool_) if whole.nulls is None else whole.nulls.copy()
    nulls[rows] = False if part.nulls is None else part.nulls
    return Vector(words, nulls if nulls.any() else None)
