"""Every function, aggregate, window function and table function of SQL, as pg_proc and mz_functions list them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from engine import types
from engine.catalog.system.type_io import io_functions
from engine.expr import window
from engine.expr.aggregate import AGGREGATES
from engine.expr.functions.families import FUNCTIONS, TABLE_FUNCTIONS
from engine.expr.registry import Generic
from engine.types import SqlType

FIRST_OID: Final = 9_000
"""Above PostgreSQL's own functions, whose numbers mean others."""


@dataclass(frozen=True, slots=True)
class Routine:
    """`kind` is pg_proc's: f function, a aggregate, w window function."""

    oid: int
    name: str
    arguments: tuple[SqlType, ...]
    result: SqlType
    kind: str
    returns_set: bool
    variadic: bool
    volatile: bool
    strict: bool
    doc: str


def _scalar(name: str, oid: int) -> Iterator[Routine]:
    for row in FUNCTIONS[name]:
        if isinstance(row, Generic):
            result = types.ALIASES.get(row.result, types.ANY)
            yield Routine(oid, name, row.parameters, result, "f", False, row.variadic, False, False, row.doc)
        else:
            strict = row.on_null.value == "strict"
            yield Routine(oid, name, row.parameters, row.result, "f", False, False, row.volatile, strict, row.doc)
        oid += 1


def _all() -> Iterator[Routine]:
    oid = FIRST_OID
    for name in sorted(FUNCTIONS):
        if name[0].isalpha() or name[0] == "_":
            for routine in _scalar(name, oid):
                yield routine
                oid = routine.oid + 1
    for name in sorted(AGGREGATES):
        for row in AGGREGATES[name]:
            yield Routine(oid, name, row.parameters, row.result, "a", False, False, False, False, row.doc)
            oid += 1
    for kind, (_, result, doc) in window.DOCS.items():
        of = types.ALIASES.get(result, types.ANYELEMENT)
        given = () if kind in window.RANKINGS else (types.ANYELEMENT,)
        yield Routine(oid, kind.value, given, of, "w", False, False, False, False, doc)
        oid += 1
    for name in sorted(TABLE_FUNCTIONS):
        for row in TABLE_FUNCTIONS[name]:
            only = row.columns[0].type if len(row.columns) == 1 else types.ANYRECORD
            yield Routine(oid, name, row.parameters, only, "f", True, False, False, True, row.doc)
            oid += 1
    for number, name, argument, result in io_functions():
        yield Routine(number, name, (argument,), result, "f", False, False, False, True, "I/O")


ROUTINES: Final = tuple(_all())
BY_OID: Final = {routine.oid: routine for routine in ROUTINES}
