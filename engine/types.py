"""The one type table: SQL name, OID, width, physical word, Arrow type in one row.

Binder, evaluator, pgwire, JSON, decoders and pg_type all read it; nothing else knows what a type is.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum, IntEnum
from functools import cache
from typing import Final

import pyarrow as pa


class Physical(IntEnum):
    """How a word of a type is read and ordered. Kernels get the number, so the numbers are part of their contract.

    Equal values have equal words in every one of them, but for the two zeros of a double.
    """

    UNSIGNED = -1  # the number itself, from 0 on: uint8, mz_timestamp
    BOOLEAN = 0  # 0 or 1
    SIGNED = 1  # two's complement int64: integers, date (days), time, timestamps (microseconds), since 1970-01-01 UTC
    FLOAT = 2  # bits of a double, with one NaN; -0 sorts before 0, NaN last
    DECIMAL = 3  # packed decimal, or a heap code below a tag bit: engine/collection/numeric.py
    BYTES = 4  # heap code, ordered bytewise: text (UTF-8), bytea, uuid (16 bytes), nested values (collection/nested.py)
    INTERVAL = 5  # heap code of <i4 months, <i4 days, <i8 microseconds; ordered by length, then field by field
    JSON = 6  # heap code of canonical JSON text (engine/collection/json.py), ordered as kernels/json_order.py says

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
    COMPOSITE = "C"
    RANGE = "R"
    PSEUDO = "P"
    UNKNOWN = "X"


class Nesting(Enum):
    """How a type is made of other types."""

    ARRAY = "array"  # T[]: PostgreSQL's, of any number of dimensions, all lower bounds 1
    LIST = "list"  # T list: of one dimension, its elements perhaps lists themselves
    MAP = "map"  # map[text=>T]
    RECORD = "record"  # fields in order, each of its type
    RANGE = "range"  # what lies between two values of its element type


INTERVAL_FIELDS: Final = {"year": 2, "month": 1, "day": 3, "hour": 10, "minute": 11, "second": 12}
"""The fields that an interval type may name, the longest first, and their bits in PostgreSQL's type modifiers."""
ANY_FIELDS: Final = 0x7FFF
ANY_PRECISION: Final = 0xFFFF


@dataclass(frozen=True, slots=True)
class SqlType:
    """One row of the type table, with the modifier that a column declaration may add.

    `modifier` is () or what stands in brackets: numeric(precision, scale), varchar(n), char(n), timestamp(p); of an
    interval the precision (or ANY_PRECISION) and, if it names some, its fields as the bits of INTERVAL_FIELDS.
    `length` is PostgreSQL's typlen: bytes, or -1 for variable length. The name and the modifier are the identity: plans
    are hashed and compared all the time, and the rest of a row follows from its name: that of a nested type is made of
    the names, modifiers included, of the types within (`element` of arrays, lists and maps, `fields` of records).
    """

    name: str
    oid: int = field(compare=False)
    length: int = field(compare=False)
    physical: Physical = field(compare=False)
    category: Category = field(compare=False)
    arrow: pa.DataType = field(compare=False)
    preferred: bool = field(default=False, compare=False)
    modifier: tuple[int, ...] = ()
    nesting: Nesting | None = field(default=None, compare=False)
    element: "SqlType | None" = field(default=None, compare=False)
    fields: "tuple[tuple[str, SqlType], ...]" = field(default=(), compare=False)

    def __str__(self) -> str:
        name, modifier = self.name, self.modifier
        if self.interval_fields:
            name, modifier = f"{name} {self.interval_fields}", modifier[:1]
        return f"{name}({','.join(map(str, modifier))})" if modifier and modifier[0] != ANY_PRECISION else name

    @property
    def interval_fields(self) -> str:
        """The fields that an interval type names: "day to second"; "" are all."""
        if len(self.modifier) < 2 or self.name != "interval":
            return ""
        named = [word for word, bit in INTERVAL_FIELDS.items() if self.modifier[1] >> bit & 1]
        return " to ".join(dict.fromkeys((named[0], named[-1])))

    @property
    def typmod(self) -> int:
        """PostgreSQL's atttypmod: the modifier as the one number that its clients expect; -1 for none."""
        if not self.modifier:
            return -1
        if self.oid == 1700:
            return (self.modifier[0] << 16 | sum(self.modifier[1:])) + 4
        if self.name == "interval":
            precision, fields, *_ = (*self.modifier, ANY_FIELDS)
            return fields << 16 | precision
        return self.modifier[0] + 4 if self.category is Category.STRING else self.modifier[0]

    @property
    def plain(self) -> "SqlType":
        """The type without its modifier, or those within: what overloads are resolved by."""
        if self.nesting is not None:
            return _plain_nested(self)
        return replace(self, modifier=()) if self.modifier else self

    @property
    def within(self) -> "SqlType":
        """The element type of an array, list or map."""
        assert self.element is not None
        return self.element


B, N, S, D = Category.BOOLEAN, Category.NUMERIC, Category.STRING, Category.DATETIME

BOOLEAN: Final = SqlType("boolean", 16, 1, Physical.BOOLEAN, B, pa.bool_(), preferred=True)
SMALLINT: Final = SqlType("smallint", 21, 2, Physical.SIGNED, N, pa.int16())
INTEGER: Final = SqlType("integer", 23, 4, Physical.SIGNED, N, pa.int32())
BIGINT: Final = SqlType("bigint", 20, 8, Physical.SIGNED, N, pa.int64())
UINT2: Final = SqlType("uint2", 16460, 2, Physical.SIGNED, N, pa.uint16())
UINT4: Final = SqlType("uint4", 16462, 4, Physical.SIGNED, N, pa.uint32())
UINT8: Final = SqlType("uint8", 16464, 8, Physical.UNSIGNED, N, pa.uint64())
UNSIGNED: Final = (UINT2, UINT4, UINT8)
MZ_TIMESTAMP: Final = SqlType("mz_timestamp", 16552, 8, Physical.UNSIGNED, N, pa.uint64())
"""The time of a tick: milliseconds since 1970."""
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
INTERNAL_CHAR: Final = SqlType('"char"', 18, 1, Physical.BYTES, S, pa.large_string())
"""PostgreSQL's one-letter codes in its catalog: drivers tell relkind and typtype by this OID."""
NAME: Final = SqlType("name", 19, 64, Physical.BYTES, S, pa.large_string())
"""PostgreSQL's type of identifiers: texts of at most 63 bytes."""
XID: Final = SqlType("xid", 28, 4, Physical.SIGNED, Category.USER, pa.int64())
"""The number of a transaction in 32 bits: there is = of them, and no order, as they begin again."""
CID: Final = SqlType("cid", 29, 4, Physical.SIGNED, Category.USER, pa.int64())
TID: Final = SqlType("tid", 27, 6, Physical.UNSIGNED, Category.USER, pa.uint64())
"""Where a row is, (block,offset): the block in the bits from 16 on."""
XID8: Final = SqlType("xid8", 5069, 8, Physical.UNSIGNED, Category.USER, pa.uint64())
PG_LSN: Final = SqlType("pg_lsn", 3220, 8, Physical.UNSIGNED, Category.USER, pa.uint64())
"""A place in a log: bytes from its beginning."""
NUMBERED: Final = (XID, CID, TID, XID8, PG_LSN)
"""What PostgreSQL numbers by itself; no number becomes one without a text between."""
ACLITEM: Final = SqlType("aclitem", 1033, 12, Physical.BYTES, Category.USER, pa.large_string())
MZ_ACLITEM: Final = SqlType("mz_aclitem", 16566, -1, Physical.BYTES, Category.USER, pa.large_string())
SPELLED: Final = (ACLITEM, MZ_ACLITEM)
"""Types whose datum is the text that it is written as."""
UNKNOWN: Final = SqlType("unknown", 705, -2, Physical.BYTES, Category.UNKNOWN, pa.large_string())
"""An untyped literal ('x' or NULL) before resolution; the binder leaves none behind."""


def _registered(name: str, oid: int) -> SqlType:
    return SqlType(name, oid, 4, Physical.SIGNED, N, pa.int64())


REGCLASS: Final = _registered("regclass", 2205)
REGTYPE: Final = _registered("regtype", 2206)
REGPROC: Final = _registered("regproc", 24)
REGPROCEDURE: Final = _registered("regprocedure", 2202)
REGNAMESPACE: Final = _registered("regnamespace", 4089)
REGROLE: Final = _registered("regrole", 4096)
REGOPER: Final = _registered("regoper", 2203)
REGOPERATOR: Final = _registered("regoperator", 2204)
REGISTERED: Final = (REGCLASS, REGTYPE, REGPROC, REGPROCEDURE, REGNAMESPACE, REGROLE, REGOPER, REGOPERATOR)
"""OIDs that are read and written as the names that the catalog of the moment has for them."""

ANY: Final = SqlType("any", 2276, 4, Physical.BYTES, Category.PSEUDO, pa.null())
"""Parameters only: an argument of whatever type, each its own."""
ANYCOMPATIBLE: Final = SqlType("anycompatible", 5077, 4, Physical.BYTES, Category.PSEUDO, pa.null())
"""Parameters only: all arguments of this kind are brought to their common type."""


def _pseudo(name: str, oid: int) -> SqlType:
    return SqlType(name, oid, 4, Physical.BYTES, Category.PSEUDO, pa.null())


ANYELEMENT: Final = _pseudo("anyelement", 2283)
"""Parameters only: a value of the one type T that the polymorphic parameters of a call share, after casts."""
ANYARRAY: Final = _pseudo("anyarray", 2277)
"""Parameters only: an array of T."""
ANYLIST: Final = _pseudo("anylist", 16384)
"""Parameters only: a list of T."""
ANYMAP: Final = _pseudo("anymap", 16385)
"""Parameters only: a map of T."""
ANYRECORD: Final = _pseudo("record", 2249)
"""Parameters only: a record; two of them are brought to common fields."""
POLYMORPHIC: Final = frozenset({ANYELEMENT, ANYARRAY, ANYLIST, ANYMAP, ANYRECORD})

ARRAY_OIDS: Final[Mapping[int, int]] = {
    16: 1000, 21: 1005, 23: 1007, 20: 1016, 26: 1028, 700: 1021, 701: 1022, 1700: 1231, 25: 1009, 1043: 1015,
    1042: 1014, 17: 1001, 1082: 1182, 1083: 1183, 1114: 1115, 1184: 1185, 1186: 1187, 2950: 2951, 3802: 3807,
    3904: 3905, 3906: 3907, 3908: 3909, 3910: 3911, 3912: 3913, 3926: 3927,
    16460: 16461, 16462: 16463, 16464: 16465, 16552: 16553,
    2249: 2287, 19: 1003, 18: 1002, 2205: 2210, 2206: 2211, 24: 1008, 2202: 2207, 4089: 4090, 4096: 4097,
    2203: 2208, 2204: 2209, 28: 1011, 29: 1012, 27: 1010, 5069: 271, 3220: 3221, 1033: 1034, 16566: 16567,
}  # fmt: skip
"""PostgreSQL's OID of the array type, by that of its element type."""


@cache
def array_of(element: SqlType) -> SqlType:
    """element[]; of an array the type itself, since an array has any number of dimensions."""
    if element.nesting is Nesting.ARRAY:
        return element
    oid = ARRAY_OIDS.get(element.oid, ANYARRAY.oid)
    arrow = pa.list_(element.arrow)
    name = f"{element}[]"
    return SqlType(name, oid, -1, Physical.BYTES, Category.ARRAY, arrow, nesting=Nesting.ARRAY, element=element)


INT2VECTOR: Final = replace(array_of(SMALLINT), name="int2vector", oid=22)
OIDVECTOR: Final = replace(array_of(OID), name="oidvector", oid=30)
VECTORS: Final = (INT2VECTOR, OIDVECTOR)
"""Arrays of PostgreSQL's catalog that are written with blanks between their elements and counted from 0."""


@cache
def list_of(element: SqlType) -> SqlType:
    """element list."""
    arrow, name = pa.list_(element.arrow), f"{element} list"
    return SqlType(name, ANYLIST.oid, -1, Physical.BYTES, Category.USER, arrow, nesting=Nesting.LIST, element=element)


@cache
def map_of(element: SqlType) -> SqlType:
    """map[text=>element]."""
    arrow, name = pa.map_(pa.large_string(), element.arrow), f"map[text=>{element}]"
    return SqlType(name, ANYMAP.oid, -1, Physical.BYTES, Category.USER, arrow, nesting=Nesting.MAP, element=element)


@cache
def record_of(fields: tuple[tuple[str, SqlType], ...]) -> SqlType:
    """A record of those fields, by name and type."""
    arrow = pa.struct([pa.field(name, kind.arrow) for name, kind in fields])
    name = f"record({', '.join(f'{name}: {kind}' for name, kind in fields)})"
    return SqlType(
        name, ANYRECORD.oid, -1, Physical.BYTES, Category.COMPOSITE, arrow, nesting=Nesting.RECORD, fields=fields
    )


def _range_of(name: str, oid: int, element: SqlType) -> SqlType:
    bounds = [pa.field(bound, element.arrow) for bound in ("lower", "upper")]
    arrow = pa.struct([*bounds, *(pa.field(name, pa.bool_()) for name in ("lower_inc", "upper_inc", "empty"))])
    return SqlType(
        name, oid, -1, Physical.BYTES, Category.RANGE, arrow, nesting=Nesting.RANGE, element=element
    )  # fmt: skip


RANGES: Final = (
    _range_of("int4range", 3904, INTEGER), _range_of("int8range", 3926, BIGINT), _range_of("numrange", 3906, NUMERIC),
    _range_of("tsrange", 3908, TIMESTAMP), _range_of("tstzrange", 3910, TIMESTAMPTZ),
    _range_of("daterange", 3912, DATE),
)  # fmt: skip


def container_of(nesting: Nesting, element: SqlType) -> SqlType:
    """An array, list or map of `element`."""
    match nesting:
        case Nesting.ARRAY:
            return array_of(element)
        case Nesting.LIST:
            return list_of(element)
        case Nesting.MAP:
            return map_of(element)
        case Nesting.RECORD | Nesting.RANGE:
            raise AssertionError("a record has fields, and a range a name of its own")


@cache
def _plain_nested(kind: SqlType) -> SqlType:
    if kind in VECTORS or kind.nesting is Nesting.RANGE:
        return kind
    if kind.nesting is Nesting.RECORD:
        return record_of(tuple((name, part.plain) for name, part in kind.fields))
    assert kind.nesting is not None
    return container_of(kind.nesting, kind.within.plain)


TYPES: Final[tuple[SqlType, ...]] = (
    BOOLEAN, SMALLINT, INTEGER, BIGINT, *UNSIGNED, OID, REAL, DOUBLE, NUMERIC, TEXT, VARCHAR, CHAR, BYTEA, DATE, TIME,
    TIMESTAMP, TIMESTAMPTZ, MZ_TIMESTAMP, INTERVAL, UUID, JSONB, INTERNAL_CHAR, NAME, *REGISTERED, *NUMBERED, *SPELLED,
    UNKNOWN,
)  # fmt: skip
ARRAYS: Final = tuple(array_of(row) for row in (*TYPES, *RANGES) if row.oid in ARRAY_OIDS)
BY_OID: Final[dict[int, SqlType]] = {row.oid: row for row in (*TYPES, *RANGES, *ARRAYS, *VECTORS)}

ALIASES: Final[dict[str, SqlType]] = {row.name: row for row in (*TYPES, *RANGES, *VECTORS)} | {
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

TO_UNSIGNED: Final = dict.fromkeys((*UNSIGNED, MZ_TIMESTAMP), AS)
TO_REGISTERED: Final = dict.fromkeys(REGISTERED, IM)

CASTS: Final[Mapping[SqlType, Mapping[SqlType, CastContext]]] = {
    BOOLEAN: {INTEGER: EX},
    SMALLINT: {
        INTEGER: IM, BIGINT: IM, OID: IM, REAL: IM, DOUBLE: IM, NUMERIC: IM, **TO_UNSIGNED, **TO_REGISTERED,
    },
    INTEGER: {
        SMALLINT: AS, BIGINT: IM, OID: IM, REAL: IM, DOUBLE: IM, NUMERIC: IM, BOOLEAN: EX, INTERNAL_CHAR: EX,
        **TO_UNSIGNED, **TO_REGISTERED,
    },
    BIGINT: {
        SMALLINT: AS, INTEGER: AS, OID: IM, REAL: IM, DOUBLE: IM, NUMERIC: IM, **TO_UNSIGNED, **TO_REGISTERED,
    },
    UINT2: {SMALLINT: AS, INTEGER: IM, BIGINT: IM, UINT4: IM, UINT8: IM, REAL: IM, DOUBLE: IM, NUMERIC: IM},
    UINT4: {
        SMALLINT: AS, INTEGER: AS, BIGINT: IM, UINT2: AS, UINT8: IM, REAL: IM, DOUBLE: IM, NUMERIC: IM,
        MZ_TIMESTAMP: AS,
    },
    UINT8: {
        SMALLINT: AS, INTEGER: AS, BIGINT: AS, UINT2: AS, UINT4: AS, REAL: AS, DOUBLE: AS, NUMERIC: IM,
        MZ_TIMESTAMP: AS,
    },
    OID: {INTEGER: AS, BIGINT: AS, **TO_REGISTERED},
    **{kind: {OID: IM, INTEGER: AS, BIGINT: AS} for kind in REGISTERED},
    REGPROC: {OID: IM, INTEGER: AS, BIGINT: AS, REGPROCEDURE: IM},
    REGPROCEDURE: {OID: IM, INTEGER: AS, BIGINT: AS, REGPROC: IM},
    REGOPER: {OID: IM, INTEGER: AS, BIGINT: AS, REGOPERATOR: IM},
    REGOPERATOR: {OID: IM, INTEGER: AS, BIGINT: AS, REGOPER: IM},
    REAL: {SMALLINT: AS, INTEGER: AS, BIGINT: AS, DOUBLE: IM, NUMERIC: AS, **dict.fromkeys(UNSIGNED, AS)},
    DOUBLE: {SMALLINT: AS, INTEGER: AS, BIGINT: AS, REAL: AS, NUMERIC: AS, **dict.fromkeys(UNSIGNED, AS)},
    NUMERIC: {SMALLINT: AS, INTEGER: AS, BIGINT: AS, REAL: IM, DOUBLE: IM, **TO_UNSIGNED},
    TEXT: {NAME: IM, VARCHAR: IM, CHAR: IM, INTERNAL_CHAR: AS, REGCLASS: IM},
    VARCHAR: {NAME: IM, TEXT: IM, CHAR: IM, INTERNAL_CHAR: AS, REGCLASS: IM},
    CHAR: {NAME: IM, TEXT: IM, VARCHAR: IM, INTERNAL_CHAR: AS},
    NAME: {TEXT: IM, VARCHAR: AS, CHAR: AS, INTERNAL_CHAR: EX},
    INTERNAL_CHAR: {TEXT: IM, VARCHAR: AS, CHAR: AS, NAME: AS, INTEGER: EX},
    DATE: {TIMESTAMP: IM, TIMESTAMPTZ: IM, MZ_TIMESTAMP: AS},
    TIME: {INTERVAL: IM},
    TIMESTAMP: {TIMESTAMPTZ: IM, DATE: AS, TIME: AS, MZ_TIMESTAMP: AS},
    TIMESTAMPTZ: {TIMESTAMP: AS, DATE: AS, TIME: AS, MZ_TIMESTAMP: AS},
    MZ_TIMESTAMP: {NUMERIC: IM, UINT8: AS, BIGINT: AS, TIMESTAMP: AS, TIMESTAMPTZ: AS},
    INTERVAL: {TIME: AS},
    XID8: {XID: EX},
    JSONB: {BOOLEAN: EX, SMALLINT: EX, INTEGER: EX, BIGINT: EX, REAL: EX, DOUBLE: EX, NUMERIC: EX},
}  # fmt: skip
"""PostgreSQL's pg_cast for these types, and Materialize's for its own: from, to, the least context.

The casts through text are `cast_context`'s.
"""


def is_registered(kind: SqlType) -> bool:
    """Whether its values, or those of an array of it, are numbers that the catalog has names for."""
    return kind.plain in REGISTERED or (kind.nesting is Nesting.ARRAY and kind.within.plain in REGISTERED)


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
    if Category.PSEUDO in (source.category, target.category) or INTERNAL_CHAR in (source, target):
        return None
    if source.nesting is not None and target.nesting is not None:
        return _nested_context(source, target)
    if target.category is Category.STRING:
        return CastContext.ASSIGNMENT
    if source.category is Category.STRING:
        return CastContext.EXPLICIT
    return None


def _nested_context(source: SqlType, target: SqlType) -> CastContext | None:
    """Containers of one kind are cast element by element, records field by field, and lists and arrays explicitly."""
    if source.nesting is Nesting.RECORD and target.nesting is Nesting.RECORD:
        if len(source.fields) != len(target.fields):
            return None
        contexts = [cast_context(a, b) for (_, a), (_, b) in zip(source.fields, target.fields, strict=True)]
        found = [context for context in contexts if context is not None]
        return max(found, default=CastContext.IMPLICIT) if len(found) == len(contexts) else None
    if source.element is None or target.element is None or Nesting.RANGE in (source.nesting, target.nesting):
        return None
    context = cast_context(source.element, target.element)
    if source.nesting is target.nesting or context is None:
        return context
    return CastContext.EXPLICIT if Nesting.MAP not in (source.nesting, target.nesting) else None


@dataclass(frozen=True, slots=True)
class Column:
    """One named, typed column of a relation as its declaration or its query gives it."""

    name: str
    type: SqlType
    nullable: bool = True
