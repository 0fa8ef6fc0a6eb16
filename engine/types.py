"""The one type table: SQL name, OID, width, physical word, Arrow type in one row.

Binder, evaluator, pgwire, JSON, decoders and pg_type all read it; nothing else knows what a type is.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum, IntEnum
from typing import Final

import pyarrow as pa


class Physical(IntEnum):
    """How a word of a type is read and ordered. Kernels get the number, so the numbers are part of their contract.

    Equal values have equal words in every one of them.
    """

    BOOLEAN = 0  # 0 or 1
    SIGNED = 1  # two's complement int64: integers, date (days), time, timestamps (microseconds), since 1970-01-01 UTC
    FLOAT = 2  # bits of a double, without -0.0 and with one NaN; NaN sorts last
    DECIMAL = 3  # packed decimal, or a heap code below a tag bit: engine/collection/numeric.py
    BYTES = 4  # heap code, ordered bytewise: text (UTF-8), bytea, uuid (16 bytes)
    INTERVAL = 5  # heap code of <i4 months, <i4 days, <i8 microseconds; ordered by length, then field by field
    JSON = 6  # heap code of canonical JSON text (engine/collection/json.py), ordered bytewise

    @property
    def on_heap(self) -> bool:
        """Whether words are (or may be) heap codes, which a sweep has to mark."""
        return self >= Physical.DECIMAL


class Category(Enum):
    """PostgreSQL's typcategory: what overload resolution prefers."""

    BOOLEAN = "B"
    NUMERIC = "N"
    STRING = "S"
    DATETIME = "D"
    TIMESPAN = "T"
    USER = "U"
    ARRAY = "A"
    PSEUDO = "P"
    UNKNOWN = "X"


@dataclass(frozen=True, slots=True)
class SqlType:
    """One row of the type table, with the modifier that a column declaration may add.

    `modifier` is () or what stands in brackets: numeric(precision, scale), varchar(n), char(n), timestamp(p).
    `length` is PostgreSQL's typlen: bytes, or -1 for variable length. The name and the modifier are the identity: plans
    are hashed and compared all the time, and the rest of a row follows from its name.
    """

    name: str
    oid: int = field(compare=False)
    length: int = field(compare=False)
    physical: Physical = field(compare=False)
    category: Category = field(compare=False)
    arrow: pa.DataType = field(compare=False)
    preferred: bool = field(default=False, compare=False)
    modifier: tuple[int, ...] = ()

    def __str__(self) -> str:
        return f"{self.name}({','.join(map(str, self.modifier))})" if self.modifier else self.name

    @property
    def typmod(self) -> int:
        """PostgreSQL's atttypmod: the modifier as the one number that its clients expect; -1 for none."""
        if not self.modifier:
            return -1
        if self.oid == 1700:
            return (self.modifier[0] << 16 | sum(self.modifier[1:])) + 4
        return self.modifier[0] + 4 if self.category is Category.STRING else self.modifier[0]

    @property
    def plain(self) -> "SqlType":
        """The type without its modifier: what overloads are resolved by."""
        return replace(self, modifier=()) if self.modifier else self


B, N, S, D = Category.BOOLEAN, Category.NUMERIC, Category.STRING, Category.DATETIME

BOOLEAN: Final = SqlType("boolean", 16, 1, Physical.BOOLEAN, B, pa.bool_(), preferred=True)
SMALLINT: Final = SqlType("smallint", 21, 2, Physical.SIGNED, N, pa.int16())
INTEGER: Final = SqlType("integer", 23, 4, Physical.SIGNED, N, pa.int32())
BIGINT: Final = SqlType("bigint", 20, 8, Physical.SIGNED, N, pa.int64())
OID: Final = SqlType("oid", 26, 4, Physical.SIGNED, N, pa.int64(), preferred=True)
REAL: Final = SqlType("real", 700, 4, Physical.FLOAT, N, pa.float32())
DOUBLE: Final = SqlType("double precision", 701, 8, Physical.FLOAT, N, pa.float64(), preferred=True)
NUMERIC: Final = SqlType("numeric", 1700, -1, Physical.DECIMAL, N, pa.decimal256(76, 39))
TEXT: Final = SqlType("text", 25, -1, Physical.BYTES, S, pa.large_string(), preferred=True)
VARCHAR: Final = SqlType("character varying", 1043, -1, Physical.BYTES, S, pa.large_string())
CHAR: Final = SqlType("character", 1042, -1, Physical.BYTES, S, pa.large_string())
BYTEA: Final = SqlType("bytea", 17, -1, Physical.BYTES, Category.USER, pa.large_binary())
DATE: Final = SqlType("date", 1082, 4, Physical.SIGNED, D, pa.date32())
TIME: Final = SqlType("time", 1083, 8, Physical.SIGNED, D, pa.time64("us"))
TIMESTAMP: Final = SqlType("timestamp", 1114, 8, Physical.SIGNED, D, pa.timestamp("us"))
TIMESTAMPTZ: Final = SqlType(
    "timestamp with time zone", 1184, 8, Physical.SIGNED, D, pa.timestamp("us", tz="UTC"), preferred=True
)
INTERVAL: Final = SqlType(
    "interval", 1186, 16, Physical.INTERVAL, Category.TIMESPAN, pa.month_day_nano_interval(), preferred=True
)
UUID: Final = SqlType("uuid", 2950, 16, Physical.BYTES, Category.USER, pa.binary(16))
JSONB: Final = SqlType("jsonb", 3802, -1, Physical.JSON, Category.USER, pa.large_string())
UNKNOWN: Final = SqlType("unknown", 705, -2, Physical.BYTES, Category.UNKNOWN, pa.large_string())
"""An untyped literal ('x' or NULL) before resolution; the binder leaves none behind."""

ANY: Final = SqlType("any", 2276, 4, Physical.BYTES, Category.PSEUDO, pa.null())
"""Parameters only: an argument of whatever type, each its own."""
ANYCOMPATIBLE: Final = SqlType("anycompatible", 5077, 4, Physical.BYTES, Category.PSEUDO, pa.null())
"""Parameters only: all arguments of this kind are brought to their common type."""

TYPES: Final[tuple[SqlType, ...]] = (
    BOOLEAN, SMALLINT, INTEGER, BIGINT, OID, REAL, DOUBLE, NUMERIC, TEXT, VARCHAR, CHAR, BYTEA, DATE, TIME,
    TIMESTAMP, TIMESTAMPTZ, INTERVAL, UUID, JSONB, UNKNOWN,
)  # fmt: skip
BY_OID: Final[dict[int, SqlType]] = {row.oid: row for row in TYPES}

ALIASES: Final[dict[str, SqlType]] = {row.name: row for row in TYPES} | {
    "bool": BOOLEAN, "int2": SMALLINT, "int": INTEGER, "int4": INTEGER, "int8": BIGINT, "float4": REAL,
    "float8": DOUBLE, "float": DOUBLE, "double": DOUBLE, "decimal": NUMERIC, "dec": NUMERIC, "string": TEXT,
    "varchar": VARCHAR, "char": CHAR, "bpchar": CHAR, "bytes": BYTEA, "time without time zone": TIME,
    "timestamp without time zone": TIMESTAMP, "timestamptz": TIMESTAMPTZ, "json": JSONB,
}  # fmt: skip
"""Every spelling of a type name, in lower case."""


class CastContext(IntEnum):
    """Where a cast may stand without being written. Each context includes the ones before it."""

    IMPLICIT = 0  # anywhere: operators, function arguments, UNION branches
    ASSIGNMENT = 1  # storing into a column
    EXPLICIT = 2  # CAST(x AS t), x::t


IM, AS, EX = CastContext.IMPLICIT, CastContext.ASSIGNMENT, CastContext.EXPLICIT

CASTS: Final[Mapping[SqlType, Mapping[SqlType, CastContext]]] = {
    BOOLEAN: {INTEGER: EX},
    SMALLINT: {INTEGER: IM, BIGINT: IM, OID: IM, REAL: IM, DOUBLE: IM, NUMERIC: IM},
    INTEGER: {SMALLINT: AS, BIGINT: IM, OID: IM, REAL: IM, DOUBLE: IM, NUMERIC: IM, BOOLEAN: EX},
    BIGINT: {SMALLINT: AS, INTEGER: AS, OID: IM, REAL: IM, DOUBLE: IM, NUMERIC: IM},
    OID: {INTEGER: AS, BIGINT: AS},
    REAL: {SMALLINT: AS, INTEGER: AS, BIGINT: AS, DOUBLE: IM, NUMERIC: AS},
    DOUBLE: {SMALLINT: AS, INTEGER: AS, BIGINT: AS, REAL: AS, NUMERIC: AS},
    NUMERIC: {SMALLINT: AS, INTEGER: AS, BIGINT: AS, REAL: IM, DOUBLE: IM},
    TEXT: {VARCHAR: IM, CHAR: IM},
    VARCHAR: {TEXT: IM, CHAR: IM},
    CHAR: {TEXT: IM, VARCHAR: IM},
    DATE: {TIMESTAMP: IM, TIMESTAMPTZ: IM},
    TIME: {INTERVAL: IM},
    TIMESTAMP: {TIMESTAMPTZ: IM, DATE: AS, TIME: AS},
    TIMESTAMPTZ: {TIMESTAMP: AS, DATE: AS, TIME: AS},
    INTERVAL: {TIME: AS},
    JSONB: {BOOLEAN: EX, SMALLINT: EX, INTEGER: EX, BIGINT: EX, REAL: EX, DOUBLE: EX, NUMERIC: EX},
}
"""PostgreSQL's pg_cast for these types: from, to, the least context. The casts through text are `cast_context`'s."""


def cast_context(source: SqlType, target: SqlType) -> CastContext | None:
    """The least context in which `source` becomes `target`; None: never. Modifiers do not matter.

    Beside CASTS every type goes to the string types (on assignment) and comes from them (explicitly) through its text
    form, and an untyped literal becomes anything.
    """
    source, target = source.plain, target.plain
    if source in (target, UNKNOWN):
        return CastContext.IMPLICIT
    stated = CASTS.get(source, {}).get(target)
    if stated is not None:
        return stated
    if Category.PSEUDO in (source.category, target.category):
        return None
    if target.category is Category.STRING:
        return CastContext.ASSIGNMENT
    if source.category is Category.STRING:
        return CastContext.EXPLICIT
    return None


@dataclass(frozen=True, slots=True)
class Column:
    """One named, typed column of a relation as its declaration or its query gives it."""

    name: str
    type: SqlType
    nullable: bool = True
