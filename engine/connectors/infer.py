"""FORMAT JSON INFER: the columns that a sample of objects has.

A member is of the narrowest type that all of its values are of: boolean, bigint, numeric, double precision, date,
timestamp with time zone, uuid, text; whatever else, or of several kinds, is jsonb. What is inferred is only printed: a
sample cannot tell what the next record holds, so whoever makes the source looks at it first.
"""

import re
from collections.abc import Iterable
from decimal import Decimal
from typing import Final

from engine import types
from engine.collection import json
from engine.errors import MalformedSource
from engine.types import Column, SqlType

BIGINT_MAX: Final = (1 << 63) - 1
TEXTS: Final = (
    (re.compile(r"\d{4}-\d\d-\d\d"), types.DATE),
    (re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d{1,6})?"), types.TIMESTAMP),
    (re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d:?\d\d)"), types.TIMESTAMPTZ),
    (re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"), types.UUID),
)
NUMBERS: Final = (types.BIGINT, types.NUMERIC, types.DOUBLE)
"""Each holds what those before it do."""


def inferred(sample: Iterable[bytes]) -> tuple[Column, ...]:
    """The columns of the objects in a sample, in the order in which members first come."""
    found: dict[str, SqlType | None] = {}
    for raw in sample:
        try:
            document = json.parse(raw)
        except ValueError:
            continue
        if isinstance(document, dict):
            for name, value in document.items():
                found[name] = _wider(found.get(name), _type(value))
    if not found:
        raise MalformedSource("there is no JSON object to infer columns from")
    return tuple(Column(name, type or types.JSONB) for name, type in found.items())


def _type(value: json.Document) -> SqlType | None:
    """The type of one value; None of null."""
    match value:
        case None:
            return None
        case bool():
            return types.BOOLEAN
        case int():
            return types.BIGINT if -BIGINT_MAX - 1 <= value <= BIGINT_MAX else types.NUMERIC
        case Decimal():
            return types.DOUBLE
        case str():
            return next((type for pattern, type in TEXTS if pattern.fullmatch(value)), types.TEXT)
        case _:
            return types.JSONB


def _wider(a: SqlType | None, b: SqlType | None) -> SqlType | None:
    """A type for values of both."""
    if a is None or b is None or a == b:
        return a or b
    if a in NUMBERS and b in NUMBERS:
        return max(a, b, key=NUMBERS.index)
    texts = {types.TEXT, *(type for _, type in TEXTS)}
    return types.TEXT if a in texts and b in texts else types.JSONB
