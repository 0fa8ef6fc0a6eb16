"""Type names and constants of SQL as the engine has them."""

import difflib
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Final

from engine import types
from engine.catalog.catalog import IMPLICIT_SCHEMAS
from engine.errors import InvalidParameter, OutOfRange, UndefinedObject
from engine.expr import absent
from engine.expr.literal import literal_of_text
from engine.expr.scalar import Literal
from engine.sql.syntax import Name, TypeName
from engine.types import Category, Nesting, SqlType

RANGES: Final = {types.SMALLINT: 1 << 15, types.INTEGER: 1 << 31, types.BIGINT: 1 << 63}
PRECISION_MAX: Final = 39
"""Digits of a numeric: the engine's 39 (REFERENCE 1.7)."""
WITH_PRECISION: Final = (types.TIME, types.TIMESTAMP, types.TIMESTAMPTZ, types.INTERVAL)


def sql_type(name: TypeName, created: Callable[[Name], SqlType | None]) -> SqlType:
    """The type that a type name means, with its modifier. Raises 42704, or 22023 for a modifier that cannot be.

    `created` tells what CREATE TYPE has made of that name. The built-in types come first, as pg_catalog does.
    """
    if name.dimensions:
        return types.array_of(sql_type(replace(name, dimensions=0), created))
    if name.of is not None:
        return types.container_of(Nesting(name.name), sql_type(name.of, created))
    if name.parts:
        return types.record_of(tuple((field, sql_type(kind, created)) for field, kind in name.parts))
    written = name.written.parts if name.written is not None else ()
    found = types.ALIASES.get(name.name) if len(written) < 2 or written[-2] in IMPLICIT_SCHEMAS else None
    if (found is None or found == types.UNKNOWN) and name.written is not None:
        own = created(name.written)
        if own is not None:
            if name.modifier:
                _invalid(f'type modifier is not allowed for type "{name.name}"', name)
            return own
    if found is None or found == types.UNKNOWN:
        near = difflib.get_close_matches(name.name, types.ALIASES, 1)
        hint = f'Perhaps you meant "{near[0]}".' if near else None
        hint = absent.TYPES.get(name.name, hint)
        raise UndefinedObject(f'type "{".".join(written) or name.name}" does not exist', hint=hint, position=name.at)
    return _modified(found, name)


def _modified(found: SqlType, name: TypeName) -> SqlType:
    modifier: tuple[int, ...] = name.modifier
    if found == types.DOUBLE and name.name == "float" and modifier:
        return types.REAL if max(modifier) <= 24 else types.DOUBLE
    if found == types.CHAR and not modifier and name.name != "bpchar":
        modifier = (1,)
    if found == types.INTERVAL and name.fields:
        modifier = _restricted(name)
    if not modifier:
        return found
    if found == types.NUMERIC and len(modifier) <= 2:
        precision, scale = (*modifier, 0)[:2]
        if not 1 <= precision <= PRECISION_MAX:
            _invalid(f"NUMERIC precision {precision} must be between 1 and {PRECISION_MAX}", name)
        if scale > precision:
            _invalid(f"NUMERIC scale {scale} must be between 0 and precision {precision}", name)
        modifier = (precision, scale)
    elif found in (types.VARCHAR, types.CHAR) and len(modifier) == 1:
        if modifier[0] < 1:
            _invalid(f"length for type {name.name} must be at least 1", name)
    elif found in WITH_PRECISION and len(modifier) == 1 + bool(name.fields):
        if modifier[0] > 6 and modifier[0] != types.ANY_PRECISION:
            _invalid(f"precision of type {name.name} must be between 0 and 6", name)
    else:
        _invalid(f'type modifier is not allowed for type "{name.name}"', name)
    return SqlType(
        found.name, found.oid, found.length, found.physical, found.category, found.arrow, found.preferred, modifier
    )


def _restricted(name: TypeName) -> tuple[int, ...]:
    """The modifier of an interval type that names fields."""
    if name.modifier and not name.fields.endswith("second"):
        _invalid("only seconds have a precision", name)
    order = list(types.INTERVAL_FIELDS)
    first, *rest = (order.index(word) for word in name.fields.split(" to "))
    last = rest[0] if rest else first
    if last < first:
        _invalid(f"interval fields are named from the longest to the shortest: {name.fields}", name)
    bits = sum(1 << types.INTERVAL_FIELDS[word] for word in order[first : last + 1])
    return (*(name.modifier or (types.ANY_PRECISION,)), bits)


def _invalid(message: str, name: TypeName) -> None:
    raise InvalidParameter(message, position=name.at)


def number(text: str) -> Literal:
    """A numeric constant: the first of integer, bigint, numeric that holds it."""
    digits = text.lstrip("-")
    if digits.isdigit() and len(digits) <= 19:
        value = int(text)
        for type_ in (types.INTEGER, types.BIGINT):
            if -RANGES[type_] <= value < RANGES[type_]:
                return Literal(value, type_)
    value = Decimal(text)
    if not digits.isdigit():
        _, found, exponent = value.as_tuple()
        assert isinstance(exponent, int)
        if max(len(found), len(found) + exponent, -exponent) > PRECISION_MAX:
            raise OutOfRange("numeric field overflow")
    elif len(digits) > PRECISION_MAX:
        raise OutOfRange("numeric field overflow")
    return Literal(value, types.NUMERIC)


WIDENED: Final = (types.SMALLINT, types.INTEGER, types.BIGINT, types.NUMERIC)


def widened(literal: Literal, to: SqlType) -> Literal | None:
    """A numeric constant as another numeric type, where that loses nothing: no function is left to call for it."""
    value = literal.value
    if literal.type.plain not in WIDENED:  # a date may be an integer here, too
        return None
    if to.category is not Category.NUMERIC or isinstance(value, bool) or not isinstance(value, int | Decimal):
        return None
    if to.plain == types.NUMERIC:
        return literal_of_text(str(value), to, explicit=False)
    if isinstance(value, int):
        limit = RANGES.get(to)
        if limit is not None:
            if not -limit <= value < limit:
                raise OutOfRange(f"{to.name} out of range")
            return Literal(value, to)
        if to == types.DOUBLE and abs(value) <= 1 << 53:
            return Literal(float(value), to)
    elif to == types.DOUBLE:
        return Literal(float(value), to)
    return None
