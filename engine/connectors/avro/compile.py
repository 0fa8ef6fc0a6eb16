"""From a writer's and a reader's schema to a program: which bytes go to which cell, and how cells become columns.

What a word or a span holds is read by the kernel; arrays, maps and records are spans that values.py reads one by one.
Fields that the reader does not know are passed over, those that the writer did not write have their defaults.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from engine import types
from engine.connectors.avro.schema import (
    PLACE_COLUMNS,
    TRANSACTION_COLUMNS,
    Avro,
    Cell,
    Field,
    as_record,
    cells_of,
    data_of,
    nullable,
    row_of,
    sql_type,
    updates_in,
)
from engine.connectors.avro.values import Read, branch_for, default_of, enum_symbols, reader_of
from engine.errors import MalformedSource
from engine.kernels import avro as machine
from engine.types import SqlType

Instruction = list[int]


class Convert(Enum):
    """How a cell's words or spans become a column."""

    WORDS = "words"
    MILLIS = "millis"  # milliseconds to microseconds
    FLOAT = "float"  # integers to floats
    TEXT = "text"
    BYTES = "bytes"
    CAST = "cast"  # text to another type
    JSON = "json"
    DECIMAL = "decimal"
    SYMBOL = "symbol"
    READ = "read"  # by values.py
    DEFAULT = "default"


@dataclass(frozen=True, slots=True)
class Plan:
    """One column's conversion."""

    convert: Convert
    type: SqlType
    scale: int = 0
    symbols: tuple[str | None, ...] = ()
    read: Read | None = None
    default: Any = None


@dataclass(frozen=True, slots=True, eq=False)
class Program:
    """`code` is int64[n, 4] for kernels/avro.py, `plans` are by cell."""

    code: NDArray[np.int64]
    plans: tuple[Plan, ...]


CONSTANTS: Final = np.array([0, 1], np.uint64)
"""Of CONST: whether a side of a Debezium change is there."""


def compile(writer: Avro, reader: Avro, whole: str) -> Program:
    """Reads the writer's data into the reader's columns (schema.columns_of). MalformedSource when that cannot be."""
    builder = _Builder()
    wanted = as_record(reader, whole)
    cells = list(enumerate(cells_of(wanted)))
    if reader.kind == "record":
        if writer.kind != "record":
            raise MalformedSource(f"the data are of Avro type {writer.kind}, not records")
        builder.record(writer, wanted, cells)
    else:
        builder.field(writer, wanted.fields[0].type, cells)
    return builder.done(len(cells))


def change_columns(columns: Sequence[types.Column]) -> tuple[types.Column, ...]:
    """The columns of a change: those before, those after, whether each side is there, op, PLACE_COLUMNS of source."""
    there = (types.Column("has_before", types.BOOLEAN), types.Column("has_after", types.BOOLEAN))
    return (*columns, *columns, *there, _TEXT, *PLACE_COLUMNS)


def compile_debezium(writer: Avro, reader: Avro) -> Program:
    """Reads changes into the columns of `change_columns`."""
    row = row_of(reader)
    cells = cells_of(row)
    k = len(cells)
    builder = _Builder()
    for place in (2 * k, 2 * k + 1):
        builder.plan(place, Plan(Convert.WORDS, types.BOOLEAN))
    builder.plan(2 * k + 2, Plan(Convert.TEXT, types.TEXT))
    for i, column in enumerate(PLACE_COLUMNS, 2 * k + 3):
        builder.plan(i, Plan(Convert.DEFAULT, column.type))
    for side in range(2):
        for i, cell in enumerate(cells):
            builder.plan(side * k + i, Plan(Convert.DEFAULT, cell.column.type))
    for field in writer.fields:
        if field.name in ("before", "after"):
            side = int(field.name == "after")
            builder.side(field.type, row, [(side * k + i, cell) for i, cell in enumerate(cells)], 2 * k + side)
        elif field.name == "op":
            builder.field(field.type, Avro("string"), [(2 * k + 2, Cell(_TEXT, 0, Avro("string")))])
        elif field.name == "source":
            builder.members(field.type, 2 * k + 3, PLACE_COLUMNS)
        else:
            builder.skip(field.type)
    return builder.done(2 * k + 3 + len(PLACE_COLUMNS))


def compile_transaction(writer: Avro, reader: Avro) -> Program:
    """Reads of a change which transaction it is of, into TRANSACTION_COLUMNS."""
    builder = _Builder()
    for i, column in enumerate(TRANSACTION_COLUMNS):
        builder.plan(i, Plan(Convert.DEFAULT, column.type))
    for field in writer.fields:
        if field.name == "transaction":
            builder.members(field.type, 0, TRANSACTION_COLUMNS)
        else:
            builder.skip(field.type)
    return builder.done(len(TRANSACTION_COLUMNS))


def compile_updates(writer: Avro, reader: Avro) -> Program:
    """Reads one update of Materialize's CDC: the columns of its data, its time and its diff."""
    row = data_of(reader)
    cells = cells_of(row)
    builder = _Builder()
    for field in updates_in(writer)[1].fields:
        if field.name == "data":
            if field.type.kind != "record":
                raise MalformedSource("the data of an update are no record")
            builder.record(field.type, row, list(enumerate(cells)))
        elif field.name in UPDATE_NUMBERS:
            number = len(cells) + UPDATE_NUMBERS.index(field.name)
            builder.field(field.type, _LONG, [(number, Cell(types.Column(field.name, types.BIGINT), 0, _LONG))])
        else:
            builder.skip(field.type)
    return builder.done(len(cells) + len(UPDATE_NUMBERS))


UPDATE_NUMBERS: Final = ("time", "diff")
"""Behind the columns of an update's data."""
_LONG: Final = Avro("long")
_TEXT: Final = types.Column("op", types.TEXT)
_PLACE_KINDS: Final = {types.BIGINT: "long", types.TEXT: "string", types.JSONB: "string"}
READ_AS: Final = {"long": ("int", "long"), "string": ("string",)}
"""The writer's kinds that a member of source may have."""


class _Builder:
    """Instructions, and what each cell's become."""

    def __init__(self) -> None:
        self._code: list[Instruction] = []
        self._plans: dict[int, Plan] = {}

    def done(self, cells: int) -> Program:
        self._emit(machine.END)
        plans = tuple(self._plans.get(i, Plan(Convert.DEFAULT, types.TEXT)) for i in range(cells))
        return Program(np.array(self._code, np.int64), plans)

    def plan(self, cell: int, plan: Plan) -> None:
        self._plans[cell] = plan

    def record(self, writer: Avro, reader: Avro, cells: Sequence[tuple[int, Cell]]) -> None:
        """The writer's fields in its order."""
        places = {name: i for i, field in enumerate(reader.fields) for name in (field.name, *field.aliases)}
        written: set[int] = set()
        for field in writer.fields:
            place = places.get(field.name)
            if place is None:
                self.skip(field.type)
                continue
            written.add(place)
            self.field(field.type, reader.fields[place].type, [each for each in cells if each[1].field == place])
        for number, cell in cells:
            if cell.field not in written:
                self._default(number, cell, reader.fields[cell.field])

    def _default(self, number: int, cell: Cell, field: Field) -> None:
        if not field.has_default:
            raise MalformedSource(f"Avro field {field.name} is not in the data, and has no default")
        _, others = nullable(field.type)
        first = field.type.inner[0] if field.type.kind == "union" else field.type
        raw = None
        if field.default is not None and (len(others) == 1 or cell.branch is first):
            raw = default_of(field.default, cell.branch)
        self.plan(number, Plan(Convert.DEFAULT, cell.column.type, default=raw))

    def field(self, writer: Avro, reader: Avro, cells: Sequence[tuple[int, Cell]]) -> None:
        """One field of the writer into its cells."""
        branches = writer.inner if writer.kind == "union" else (writer,)
        wanted = [None if branch.kind == "null" else branch_for(branch, reader) for branch in branches]
        plans = [None if to is None else _plan(branch, to) for branch, to in zip(branches, wanted, strict=True)]
        by_cell: dict[int, Plan] = {}
        for to, plan in zip(wanted, plans, strict=True):
            number = next((number for number, cell in cells if cell.branch is to), -1)
            if plan is not None and by_cell.setdefault(number, plan) != plan:
                self._one_by_one(writer, cells)
                return
        if writer.kind != "union" and wanted[0] is None and writer.kind != "null":
            raise MalformedSource(
                f"Avro type {writer.name or writer.kind} cannot be read as {reader.name or reader.kind}"
            )
        for number, cell in cells:
            self.plan(number, by_cell.get(number, Plan(Convert.DEFAULT, cell.column.type)))
        may_be_null = nullable(reader)[0]

        def one(i: int) -> None:
            to = wanted[i]
            if branches[i].kind == "null" and may_be_null:
                for number, _ in cells:
                    self._emit(machine.NULL, number)
            elif to is None:
                self._emit(machine.UNION)  # of no branches: such a datum is none
            else:
                for number, cell in cells:
                    if cell.branch is not to:
                        self._emit(machine.NULL, number)
                self._value(branches[i], to, next((number for number, cell in cells if cell.branch is to), -1))

        self._branch(writer, one)

    def _branch(self, writer: Avro, one: Any) -> None:  # noqa: ANN401 - a local function of a branch's number
        if writer.kind != "union":
            one(0)
            return
        self._emit(machine.UNION, -1, len(writer.inner))
        jumps = [self._emit(machine.JUMP) for _ in writer.inner]
        ends: list[int] = []
        for i, jump in enumerate(jumps):
            self._code[jump][2] = len(self._code)
            one(i)
            ends.append(self._emit(machine.JUMP))
        for end in ends:
            self._code[end][2] = len(self._code)

    def _one_by_one(self, writer: Avro, cells: Sequence[tuple[int, Cell]]) -> None:
        """Branches that one conversion cannot serve."""
        if len(cells) != 1:
            raise MalformedSource("an Avro union of several types was written otherwise than it is read")
        number, cell = cells[0]
        read = reader_of(writer, cell.branch) if not cell.column.nullable else reader_of(
            writer, Avro("union", inner=(Avro("null"), cell.branch))
        )  # fmt: skip
        self._span(writer, number, Plan(Convert.READ, cell.column.type, read=read))

    def side(self, writer: Avro, row: Avro, cells: Sequence[tuple[int, Cell]], presence: int) -> None:
        """Debezium's before or after."""
        branches = writer.inner if writer.kind == "union" else (writer,)

        def one(i: int) -> None:
            branch = branches[i]
            if branch.kind == "null":
                self._emit(machine.CONST, presence, 0)
                for number, _ in cells:
                    self._emit(machine.NULL, number)
            elif branch.kind == "record":
                self._emit(machine.CONST, presence, 1)
                self.record(branch, row, cells)
            else:
                raise MalformedSource("Debezium's before and after are records")

        self._branch(writer, one)

    def members(self, writer: Avro, first: int, columns: Sequence[types.Column]) -> None:
        """A record, perhaps null: its members that bear the names of columns, into those from `first` on."""
        branches = writer.inner if writer.kind == "union" else (writer,)

        def one(i: int) -> None:
            if branches[i].kind == "record":
                self._members(branches[i], first, columns)
            else:
                self.skip(branches[i])
                for number in range(len(columns)):
                    self._emit(machine.NULL, first + number)

        self._branch(writer, one)

    def _members(self, writer: Avro, first: int, columns: Sequence[types.Column]) -> None:
        wanted = {column.name: i for i, column in enumerate(columns)}
        for field in writer.fields:
            kind = _PLACE_KINDS[columns[wanted[field.name]].type] if field.name in wanted else ""
            _, branches = nullable(field.type)
            if kind and all(branch.kind in READ_AS[kind] for branch in branches):
                reader = Avro("union", inner=(Avro("null"), Avro(kind)))
                number, column = first + wanted[field.name], columns[wanted[field.name]]
                self.field(field.type, reader, [(number, Cell(column, 0, reader.inner[1]))])
            else:
                self.skip(field.type)

    def _span(self, writer: Avro, number: int, plan: Plan) -> None:
        self.plan(number, plan)
        self._emit(machine.BEGIN, number)
        self.skip(writer)
        self._emit(machine.CLOSE, number)

    def _value(self, writer: Avro, reader: Avro, number: int) -> None:
        match writer.kind:
            case "record" | "array" | "map":
                self._emit(machine.BEGIN, number)
                self.skip(writer)
                self._emit(machine.CLOSE, number)
            case "bytes" | "fixed" if writer.logical == "decimal":
                self._emit(machine.DECIMAL, number, writer.size)
            case _:
                self._scalar(writer, number)

    def _scalar(self, writer: Avro, number: int) -> None:
        match writer.kind:
            case "null":
                pass
            case "int" | "long":
                self._emit(machine.LONG, number)
            case "boolean":
                self._emit(machine.BOOL, number)
            case "float":
                self._emit(machine.FLOAT, number)
            case "double":
                self._emit(machine.DOUBLE, number)
            case "fixed":
                self._emit(machine.FIXED, number, writer.size)
            case "enum":
                self._emit(machine.ENUM, number, 0, len(writer.symbols))
            case _:
                self._emit(machine.BYTES, number)

    def skip(self, writer: Avro) -> None:
        """Past a value."""
        match writer.kind:
            case "record":
                for field in writer.fields:
                    self.skip(field.type)
            case "union":
                self._branch(writer, lambda i: self.skip(writer.inner[i]))
            case "array" | "map":
                block = self._emit(machine.BLOCK)
                item = len(self._code)
                if writer.kind == "map":
                    self._emit(machine.BYTES, -1)
                self.skip(writer.inner[0])
                self._emit(machine.LOOP, -1, item, block)
                self._code[block][2] = len(self._code)
            case _:
                self._scalar(writer, -1)

    def _emit(self, what: int, cell: int = -1, a: int = 0, b: int = 0) -> int:
        self._code.append([what, cell, a, b])
        return len(self._code) - 1


def _plan(writer: Avro, reader: Avro) -> Plan:
    """How a value of the writer's type becomes the reader's."""
    type = sql_type(reader)
    match writer.kind:
        case "int" | "long":
            if reader.kind in ("float", "double"):
                return Plan(Convert.FLOAT, type)
            millis = writer.logical.endswith("-millis") and type in (types.TIME, types.TIMESTAMP)
            return Plan(Convert.MILLIS if millis else Convert.WORDS, type)
        case "boolean" | "float" | "double":
            return Plan(Convert.WORDS, type)
        case "enum":
            return Plan(Convert.SYMBOL, type, symbols=tuple(enum_symbols(writer, reader)))
        case "record" | "array" | "map":
            return Plan(Convert.READ, type, read=reader_of(writer, reader))
        case _:
            pass
    if type.plain == types.NUMERIC:
        if writer.logical != "decimal":
            raise MalformedSource(f"Avro type {writer.kind} without its logical type decimal cannot be a decimal")
        return Plan(Convert.DECIMAL, type, scale=writer.scale)
    if type == types.JSONB:
        return Plan(Convert.JSON, type)
    if type == types.UUID:
        return Plan(Convert.CAST, type)
    return Plan(Convert.TEXT if type == types.TEXT else Convert.BYTES, type)
