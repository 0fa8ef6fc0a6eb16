"""What depends on the session or the clock is only named here: the coordinator puts a literal in its place.

So evaluation stays a function of its input. What remains is pure: pg_typeof, version.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import numpy as np

from engine import types
from engine.collection.vector import Vector
from engine.expr.columns import each
from engine.expr.registry import Function, Generic, OnNull
from engine.types import SqlType

if TYPE_CHECKING:
    from engine.expr.evaluate import Context

VERSION: Final = "PostgreSQL 15.0 compatible (Tailrace)"

UNMATERIALIZABLE: Final = (
    ("now", types.TIMESTAMPTZ, "when the statement began"),
    ("current_timestamp", types.TIMESTAMPTZ, "when the statement began"),
    ("transaction_timestamp", types.TIMESTAMPTZ, "when the transaction began"),
    ("statement_timestamp", types.TIMESTAMPTZ, "when the statement began"),
    ("clock_timestamp", types.TIMESTAMPTZ, "the time of day"),
    ("localtimestamp", types.TIMESTAMP, "when the statement began, in UTC"),
    ("current_date", types.DATE, "the day on which the statement began"),
    ("current_time", types.TIME, "the time at which the statement began"),
    ("localtime", types.TIME, "the time at which the statement began"),
    ("mz_now", types.NUMERIC, "the tick that is read, in milliseconds since 1970"),
    ("mz_logical_timestamp", types.NUMERIC, "the former name of mz_now"),
    ("current_user", types.TEXT, "the session's user"),
    ("session_user", types.TEXT, "the session's user"),
    ("user", types.TEXT, "the session's user"),
    ("current_role", types.TEXT, "the session's user"),
    ("current_database", types.TEXT, "the session's database"),
    ("current_catalog", types.TEXT, "the session's database"),
    ("current_schema", types.TEXT, "the first schema of the search path"),
    ("mz_version", types.TEXT, "the version of this system"),
)


def _unsubstituted(context: "Context", vectors: Sequence[Vector], type: SqlType) -> Vector:
    raise AssertionError("the coordinator replaces calls of volatile functions before evaluation")


def _version(context: "Context", vectors: Sequence[Vector], type: SqlType) -> Vector:
    return Vector(np.array([context.heap.intern(VERSION.encode())], np.uint64))


def _pg_typeof(parameters: tuple[SqlType, ...]) -> Function:
    name = PG_NAMES.get(parameters[0], parameters[0].name).encode()

    def kernel(context: "Context", vectors: Sequence[Vector], type: SqlType) -> Vector:
        return Vector(np.full(len(vectors[0].words), context.heap.intern(name), np.uint64))

    return Function("pg_typeof", parameters, types.TEXT, kernel, OnNull.OWN, never_null=True)


PG_NAMES: Final = {types.TIMESTAMP: "timestamp without time zone", types.TIME: "time without time zone"}
"""Where PostgreSQL's own name of a type is longer than ours."""

SIZE_UNITS: Final = ("bytes", "kB", "MB", "GB", "TB", "PB")


def _size_pretty(size: int) -> str:
    value, unit = size, 0
    while abs(value) >= 10 * 1024 and unit + 1 < len(SIZE_UNITS):
        value = (abs(value) + 512) // 1024 * (1 if value > 0 else -1)
        unit += 1
    return f"{value} {SIZE_UNITS[unit]}"


FUNCTIONS: Final[tuple[Function | Generic, ...]] = (
    *(Function(name, (), kind, _unsubstituted, volatile=True, doc=doc) for name, kind, doc in UNMATERIALIZABLE),
    Function("version", (), types.TEXT, _version, doc="which PostgreSQL this answers as"),
    Generic("pg_typeof", (types.ANY,), _pg_typeof, result="text", doc="the name of the argument's type"),
    each("pg_size_pretty", (types.BIGINT,), types.TEXT, _size_pretty, "bytes in the unit that people read"),
)
