"""The functions that read and write the values of each type, with PostgreSQL's names and numbers.

Drivers tell how a type looks in binary by the name of the function that receives it, and arrays by array_recv.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from engine import types
from engine.types import Category, Nesting, SqlType

CSTRING: Final = SqlType("cstring", 2275, -2, types.ANY.physical, Category.PSEUDO, types.ANY.arrow)
INTERNAL: Final = SqlType("internal", 2281, 8, types.ANY.physical, Category.PSEUDO, types.ANY.arrow)


@dataclass(frozen=True, slots=True)
class TypeIO:
    """`stem` begins the functions' names; the numbers are of in, out, recv and send; 0 where there is none."""

    stem: str
    input: int
    output: int
    receive: int
    send: int

    def functions(self, of: SqlType) -> Iterator[tuple[int, str, SqlType, SqlType]]:
        """Number, name, argument and result of each function that there is."""
        for oid, end, argument, result in (
            (self.input, "in", CSTRING, of),
            (self.output, "out", of, CSTRING),
            (self.receive, "recv", INTERNAL, of),
            (self.send, "send", of, types.BYTEA),
        ):
            if oid:
                yield oid, self.stem + end, argument, result


NONE: Final = TypeIO("", 0, 0, 0, 0)
"""Of types that PostgreSQL does not have."""
ARRAY_IO: Final = TypeIO("array_", 750, 751, 2400, 2401)
RANGE_IO: Final = TypeIO("range_", 3834, 3835, 3836, 3837)
BY_TYPE: Final = {
    types.BOOLEAN: TypeIO("bool", 1242, 1243, 2436, 2437),
    types.BYTEA: TypeIO("bytea", 1244, 31, 2412, 2413),
    types.INTERNAL_CHAR: TypeIO("char", 1245, 33, 2434, 2435),
    types.NAME: TypeIO("name", 34, 35, 2422, 2423),
    types.BIGINT: TypeIO("int8", 460, 461, 2408, 2409),
    types.SMALLINT: TypeIO("int2", 38, 39, 2404, 2405),
    types.INT2VECTOR: TypeIO("int2vector", 40, 41, 2410, 2411),
    types.INTEGER: TypeIO("int4", 42, 43, 2406, 2407),
    types.REGPROC: TypeIO("regproc", 44, 45, 2444, 2445),
    types.TEXT: TypeIO("text", 46, 47, 2414, 2415),
    types.OID: TypeIO("oid", 1798, 1799, 2418, 2419),
    types.OIDVECTOR: TypeIO("oidvector", 54, 55, 2420, 2421),
    types.REAL: TypeIO("float4", 200, 201, 2424, 2425),
    types.DOUBLE: TypeIO("float8", 214, 215, 2426, 2427),
    types.UNKNOWN: TypeIO("unknown", 109, 110, 2416, 2417),
    types.CHAR: TypeIO("bpchar", 1044, 1045, 2430, 2431),
    types.VARCHAR: TypeIO("varchar", 1046, 1047, 2432, 2433),
    types.DATE: TypeIO("date_", 1084, 1085, 2468, 2469),
    types.TIME: TypeIO("time_", 1143, 1144, 2470, 2471),
    types.TIMESTAMP: TypeIO("timestamp_", 1312, 1313, 2474, 2475),
    types.TIMESTAMPTZ: TypeIO("timestamptz_", 1150, 1151, 2476, 2477),
    types.INTERVAL: TypeIO("interval_", 1160, 1161, 2478, 2479),
    types.NUMERIC: TypeIO("numeric_", 1701, 1702, 2460, 2461),
    types.REGPROCEDURE: TypeIO("regprocedure", 2212, 2213, 2446, 2447),
    types.REGCLASS: TypeIO("regclass", 2218, 2219, 2452, 2453),
    types.REGTYPE: TypeIO("regtype", 2220, 2221, 2454, 2455),
    types.REGOPER: TypeIO("regoper", 2214, 2215, 2448, 2449),
    types.REGOPERATOR: TypeIO("regoperator", 2216, 2217, 2450, 2451),
    types.REGROLE: TypeIO("regrole", 4098, 4092, 4094, 4095),
    types.REGNAMESPACE: TypeIO("regnamespace", 4084, 4085, 4087, 4088),
    types.XID: TypeIO("xid", 50, 51, 2440, 2441),
    types.CID: TypeIO("cid", 52, 53, 2442, 2443),
    types.TID: TypeIO("tid", 48, 49, 2438, 2439),
    types.XID8: TypeIO("xid8", 5070, 5081, 5082, 5083),
    types.PG_LSN: TypeIO("pg_lsn_", 3229, 3230, 3238, 3239),
    types.ACLITEM: TypeIO("aclitem", 1031, 1032, 0, 0),
    types.UUID: TypeIO("uuid_", 2952, 2953, 2961, 2962),
    types.JSONB: TypeIO("jsonb_", 3806, 3804, 3805, 3803),
}
RECORD_IO: Final = TypeIO("record_", 2290, 2291, 2402, 2403)
VOID_IO: Final = TypeIO("void_", 2298, 2299, 3120, 3121)
BY_OID: Final = {types.ANYRECORD.oid: RECORD_IO, 2278: VOID_IO}
"""Those of pseudo-types: drivers look for types by them, and record's are those of every composite type."""
VOID: Final = SqlType("void", 2278, 4, types.ANY.physical, Category.PSEUDO, types.ANY.arrow)
ANYRANGE: Final = SqlType("anyrange", 3831, -1, types.ANY.physical, Category.PSEUDO, types.ANY.arrow)


def of_type(kind: SqlType) -> TypeIO:
    """The functions of a type of the type table."""
    if kind.nesting is Nesting.RANGE:
        return RANGE_IO
    return BY_TYPE.get(kind, ARRAY_IO if kind.element is not None else NONE)


def io_functions() -> Iterator[tuple[int, str, SqlType, SqlType]]:
    """All of them, each once: number, name, argument and result."""
    yield from ARRAY_IO.functions(types.ANYARRAY)
    yield from RANGE_IO.functions(ANYRANGE)
    yield from RECORD_IO.functions(types.ANYRECORD)
    yield from VOID_IO.functions(VOID)
    for kind, row in BY_TYPE.items():
        yield from row.functions(kind)
