"""FORMAT of a sink: what a record's key and value are written as.

Options of Avro stand behind its registry, or (the names of records) with the topic's. KEY and VALUE in front of one say
which of the two it is of; without them it is of both.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from engine import types
from engine.catalog.sinks import AvroOutput, OutputFormat
from engine.catalog.sources import BytesFormat, JsonFormat, TextFormat
from engine.errors import InvalidParameter, TypeMismatch, Unsupported, WrongObjectType
from engine.sql import statements
from engine.sql.binding.connections import registry_of
from engine.sql.binding.source_options import Options, Reads
from engine.sql.statement.connectors import AvroClause, FormatClause, RegistryClause
from engine.sql.statement.parts import Option
from engine.sql.syntax import Name
from engine.types import Column

Part = Literal["key", "value"]

LEVELS: Final = ("BACKWARD", "BACKWARD_TRANSITIVE", "FORWARD", "FORWARD_TRANSITIVE", "FULL", "FULL_TRANSITIVE", "NONE")
"""What a registry may hold the schemas of a subject to."""


class Outputs:
    """The formats of a CREATE SINK whose key and value have these columns."""

    def __init__(
        self, statement: statements.CreateSink, key: Sequence[Column] | None, value: Sequence[Column], reads: Reads
    ) -> None:
        self._statement = statement
        self._columns = {"key": [column.name for column in key or ()], "value": [column.name for column in value]}
        self._reads = reads
        self._relation: Final = reads.context.resolve(statement.on)
        self._clauses = {"key": statement.key_format or statement.format, "value": statement.format}
        self._check_parts(keyed=key is not None)

    def _check_parts(self, keyed: bool) -> None:
        """An option of the key stands where the key's format does, and one of the value where the value's."""
        for part, clause in self._clauses.items():
            for option in clause.written if isinstance(clause, AvroClause) else ():
                of = _part(option)
                if of == "key" and not keyed:
                    raise InvalidParameter(f'option "{option.name}" needs KEY (columns)', position=option.at)
                if of not in (part, None) and self._statement.key_format is not None:
                    raise InvalidParameter(
                        f'option "{option.name}" stands behind the format of the {part}', position=option.at
                    )

    def format(self, part: Part, beside: Option | None, fullname: str) -> OutputFormat:
        """`beside` is the record's name as the topic's options have it, `fullname` what it is without one."""
        clause = self._clauses[part]
        match clause:
            case JsonFormat() | TextFormat() | BytesFormat():
                return clause
            case AvroClause():
                return self._avro(clause, part, beside, fullname)
            case _:
                raise Unsupported("the format of a sink is JSON, AVRO, TEXT or BYTES", position=None)

    def marks(self, clause: FormatClause | None, value: OutputFormat, at: int) -> JsonFormat | AvroOutput:
        """The format of CONSISTENCY: the value's, where none is given."""
        match clause:
            case None if isinstance(value, AvroOutput):
                return AvroOutput(value.registry, "envelope")
            case None if isinstance(value, JsonFormat):
                return value
            case JsonFormat():
                return clause
            case AvroClause(registry=RegistryClause() as registry, written=()):
                return AvroOutput(registry_of(registry, self._reads), "envelope")
            case _:
                raise InvalidParameter(
                    "CONSISTENCY is written in FORMAT JSON, or AVRO USING CONFLUENT SCHEMA REGISTRY without options",
                    position=at,
                )

    def _avro(self, clause: AvroClause, part: Part, beside: Option | None, fullname: str) -> AvroOutput:
        if clause.registry is None:
            raise Unsupported(
                "FORMAT AVRO of a sink needs a schema registry",
                hint="USING CONFLUENT SCHEMA REGISTRY CONNECTION name", position=clause.at,
            )  # fmt: skip
        own = [each for each in clause.written if _part(each) in (part, None)]
        docs, others = _apart(own)
        options = Options("Avro", others if beside is None else [beside, *others], self._reads)
        name = options.text(f"avro {part} fullname") or fullname
        level = self._level(options, f"{part} compatibility level")
        null_defaults = options.flag("null defaults")
        options.done()
        doc, column_docs = self._docs(docs, part)
        return AvroOutput(
            registry_of(clause.registry, self._reads), name, level, null_defaults is True, doc, column_docs
        )

    def _level(self, options: Options, name: str) -> str | None:
        option, level = options.peek(name), (options.text(name) or "").upper()
        if option is not None and level not in LEVELS:
            hint = f"There are {', '.join(LEVELS)}."
            raise InvalidParameter(f'compatibility level "{option.value}" is not known', hint=hint, position=option.at)
        return level or None

    def _docs(self, docs: Sequence["_Doc"], part: Part) -> tuple[str | None, dict[str, str]]:
        """Of the row and of its columns; what is said of the part alone goes before what is said of both."""
        found: dict[str, str] = {}
        given: set[tuple[Part | None, str]] = set()
        for doc in sorted(docs, key=lambda doc: doc.part is not None):
            if self._reads.context.resolve(doc.on).id != self._relation.id:
                raise Unsupported(f'DOC ON of "{doc.on}", which is not what the sink is from', position=doc.on.at)
            if (doc.part, doc.column) in given:
                raise InvalidParameter(f'option "{doc.option.name}" is given twice', position=doc.option.at)
            given.add((doc.part, doc.column))
            if doc.column:
                self._reads.context.catalog.column(self._relation, doc.column, doc.on.at)
                if doc.part is not None and doc.column not in self._columns[part]:
                    message = f'column "{doc.column}" is not in the {part} of the sink'
                    raise InvalidParameter(message, position=doc.on.at)
            found[doc.column] = doc.text
        return found.pop("", None), found


@dataclass(frozen=True, slots=True)
class _Doc:
    """[KEY | VALUE] DOC ON TYPE `on`, or where there is a `column` on that of it."""

    option: Option
    on: Name
    column: str
    text: str

    @property
    def part(self) -> Part | None:
        return _part(self.option)


def _apart(options: Sequence[Option]) -> tuple[list[_Doc], list[Option]]:
    """DOC ON and what else there is."""
    docs: list[_Doc] = []
    others: list[Option] = []
    for option in options:
        match option.value:
            case (Name() as on, str(column), str(text)):
                if not column and option.name.removeprefix("key ").removeprefix("value ").startswith("doc on column "):
                    raise WrongObjectType("DOC ON COLUMN names its relation: t.c", position=on.at)
                docs.append(_Doc(option, on, column, text))
            case _:
                others.append(option)
    return docs, others


def _part(option: Option) -> Part | None:
    match option.name.removeprefix("avro ").partition(" ")[0]:
        case "key":
            return "key"
        case "value":
            return "value"
        case _:
            return None


def check_whole(format: OutputFormat, columns: Sequence[Column], what: str, at: int) -> None:
    """TEXT and BYTES are of one column."""
    if isinstance(format, AvroOutput | JsonFormat):
        return
    if len(columns) != 1:
        raise InvalidParameter(f"FORMAT TEXT and BYTES are of one column, but {what} has {len(columns)}",
                               position=at)  # fmt: skip
    if isinstance(format, BytesFormat) and columns[0].type.plain != types.BYTEA:
        raise TypeMismatch(f"FORMAT BYTES is of bytea, but {what} is {columns[0].type}", position=at)
