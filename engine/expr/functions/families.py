"""Every family's functions in one table by name: what overload resolution searches and docs/functions.md lists."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Final, TypeVar

from engine.expr.functions import (
    acls,
    arithmetic,
    array,
    bytes,
    catalog,
    chance,
    comparison,
    composite,
    conditional,
    datetime,
    datetime_fields,
    formatting,
    identifiers,
    intervals,
    json,
    json_build,
    math,
    numbered,
    pattern,
    ranges,
    regex,
    special,
    string,
    system,
    table,
    text_table,
    unnest,
    unsigned,
    zones,
)
from engine.expr.registry import Function, Generic
from engine.expr.table import GenericTable, TableFunction

Row = TypeVar("Row", Function | Generic, TableFunction | GenericTable)

FAMILIES: Final[Mapping[str, tuple[Function | Generic, ...]]] = {
    "Comparison": comparison.FUNCTIONS,
    "Conditional": conditional.FUNCTIONS,
    "Arithmetic": arithmetic.FUNCTIONS,
    "Unsigned integers": unsigned.FUNCTIONS,
    "Mathematics": math.FUNCTIONS,
    "Degrees and special functions": special.FUNCTIONS,
    "Strings": string.FUNCTIONS,
    "Bytes": bytes.FUNCTIONS,
    "Identifiers and literals": identifiers.FUNCTIONS,
    "Patterns": pattern.FUNCTIONS,
    "Regular expressions": regex.FUNCTIONS,
    "Dates and times": datetime.FUNCTIONS,
    "Intervals": intervals.FUNCTIONS,
    "Fields of dates and times": datetime_fields.FUNCTIONS,
    "Time zones": zones.FUNCTIONS,
    "Templates": formatting.FUNCTIONS,
    "JSON": json.FUNCTIONS,
    "JSON made and changed": json_build.FUNCTIONS,
    "Arrays": array.FUNCTIONS,
    "Lists, maps and records": composite.FUNCTIONS,
    "Ranges": ranges.FUNCTIONS,
    "System": system.FUNCTIONS,
    "Chance": chance.FUNCTIONS,
    "Numbers of transactions and places in a log": numbered.FUNCTIONS,
    "Access lists": acls.FUNCTIONS,
    "Catalog": catalog.FUNCTIONS,
}


def _by_name(rows: Iterable[Row]) -> Mapping[str, tuple[Row, ...]]:
    found: defaultdict[str, list[Row]] = defaultdict(list)
    for row in rows:
        found[row.name].append(row)
    return {name: tuple(overloads) for name, overloads in found.items()}


FUNCTIONS: Final = _by_name(row for family in FAMILIES.values() for row in family)
TABLE_FUNCTIONS: Final = _by_name(
    (
        *table.TABLE_FUNCTIONS,
        *catalog.TABLE_FUNCTIONS,
        *acls.TABLE_FUNCTIONS,
        *text_table.TABLE_FUNCTIONS,
        *unnest.TABLE_FUNCTIONS,
    )
)
