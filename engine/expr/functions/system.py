# pyright: reportAttributeAccessIssue=false
# pyarrow.compute makes its functions when it is imported: pyright cannot see them.
"""What depends on the session or the clock is only named here: the coordinator puts a literal in its place.

So evaluation stays a function of its input. What remains is pure: pg_typeof, version.
"""

import re
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow.compute as pc

from engine import types
from engine.collection.vector import Vector
from engine.errors import InvalidArgument
from engine.expr.columns import each
from engine.expr.registry import Function, Generic, OnNull
from engine.types import Physical, SqlType

if TYPE_CHECKING:
    from engine.expr.evaluate import Context


def _unsubstituted(context: "Context", vectors: Sequence[Vector], type: SqlType) -> Vector:
    raise AssertionError("a session function is replaced by its value before anything is evaluated")


STATEMENT, MILLISECONDS = "when the statement began", "the tick that is read, in milliseconds since 1970"

UNMATERIALIZABLE: Final = tuple(
    Function(name, (), kind, _unsubstituted, volatile=True, never_null=True, doc=doc)
    for name, kind, doc in (
        ("now", types.TIMESTAMPTZ, STATEMENT),
        ("current_timestamp", types.TIMESTAMPTZ, STATEMENT),
        ("transaction_timestamp", types.TIMESTAMPTZ, STATEMENT),
        ("statement_timestamp", types.TIMESTAMPTZ, STATEMENT),
        ("clock_timestamp", types.TIMESTAMPTZ, STATEMENT),
        ("localtimestamp", types.TIMESTAMP, STATEMENT + ", in UTC"),
        ("current_date", types.DATE, "the day on which the statement began, in UTC"),
        ("current_time", types.TIME, "the time of day at which the statement began, in UTC"),
        ("localtime", types.TIME, "the time of day at which the statement began, in UTC"),
        ("mz_now", types.MZ_TIMESTAMP, MILLISECONDS + "; see temporal filters"),
        ("mz_logical_timestamp", types.MZ_TIMESTAMP, "the former name of mz_now"),
        ("mz_uptime", types.INTERVAL, "how long this process has run"),
        ("current_user", types.TEXT, "the session's user"),
        ("session_user", types.TEXT, "the session's user"),
        ("user", types.TEXT, "the session's user"),
        ("current_role", types.TEXT, "the session's user"),
        ("current_database", types.TEXT, "the session's database"),
        ("current_catalog", types.TEXT, "the session's database"),
        ("current_schema", types.TEXT, "the first schema of the search path"),
        ("version", types.TEXT, "which PostgreSQL this answers as"),
        ("mz_version", types.TEXT, "the version of Materialize that clients go by, and that of this system"),
    )
)
"""Functions without arguments whose value is the statement's."""


def _pg_typeof(parameters: tuple[SqlType, ...]) -> Function:
    name = PG_NAMES.get(parameters[0], parameters[0].name).encode()

    def kernel(context: "Context", vectors: Sequence[Vector], type: SqlType) -> Vector:
        return Vector(np.full(len(vectors[0].words), context.heap.intern(name), np.uint64))

    return Function("pg_typeof", parameters, types.TEXT, kernel, OnNull.OWN, never_null=True)


PG_NAMES: Final = {types.TIMESTAMP: "timestamp without time zone", types.TIME: "time without time zone"}
"""Where PostgreSQL's own name of a type is longer than ours."""

SIZE: Final = re.compile(r"([+-]?\d+(?:\.\d*)?(?:e[+-]?\d+)?)\s*([a-z]*)", re.IGNORECASE)
SIZE_UNITS: Final = ("bytes", "kB", "MB", "GB", "TB", "PB")


def _size_pretty(size: int) -> str:
    value, unit = size, 0
    while abs(value) >= 10 * 1024 and unit + 1 < len(SIZE_UNITS):
        value = (abs(value) + 512) // 1024 * (1 if value > 0 else -1)
        unit += 1
    return f"{value} {SIZE_UNITS[unit]}"


def _size_bytes(text: str) -> int:
    found = SIZE.fullmatch(text.strip())
    unit = "" if found is None else found[2].lower()
    units = ["bytes", *(name.lower() for name in SIZE_UNITS[1:])]
    if found is None or unit not in ("", "b", *units):
        raise InvalidArgument(f'invalid size: "{text}"')
    return round(Decimal(found[1]) * 1024 ** units.index(unit if unit in units else "bytes"))


def _size(name: str) -> Callable[[tuple[SqlType, ...]], Function]:
    """The bytes of a datum: those of its word, or of what the word stands for."""

    def instantiate(parameters: tuple[SqlType, ...]) -> Function:
        kind = parameters[0]

        def kernel(context: "Context", vectors: Sequence[Vector], type: SqlType) -> Vector:
            words = vectors[0].words
            if not kind.physical.on_heap:
                return Vector(np.full(len(words), kind.length, np.uint64))
            if kind.physical is Physical.DECIMAL:
                return Vector(np.full(len(words), 8, np.uint64))
            lengths = pc.binary_length(context.heap.decode(words))
            return Vector(lengths.to_numpy().astype(np.uint64))

        return Function(name, parameters, types.INTEGER, kernel)

    return instantiate


FUNCTIONS: Final[tuple[Function | Generic, ...]] = (
    *UNMATERIALIZABLE,
    Generic("pg_typeof", (types.ANY,), _pg_typeof, result="text", doc="the name of the argument's type"),
    Generic("pg_column_size", (types.ANY,), _size("pg_column_size"), result="integer", doc="bytes of the value"),
    Generic("mz_row_size", (types.ANYRECORD,), _size("mz_row_size"), result="integer", doc="bytes of the row"),
    each(
        "pg_size_pretty",
        (types.NUMERIC,),
        types.TEXT,
        lambda size: _size_pretty(int(size)),
        "bytes in the unit that people read",
    ),
    each(
        "pg_size_bytes", (types.TEXT,), types.BIGINT, _size_bytes, "what pg_size_pretty() wrote as bytes", can_fail=True
    ),
    each("pg_size_pretty", (types.BIGINT,), types.TEXT, _size_pretty, "bytes in the unit that people read"),
)
