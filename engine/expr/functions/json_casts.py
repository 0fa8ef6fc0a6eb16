"""Casts from JSON: a number or boolean as an SQL value, anything else an error that names what it is."""

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from engine import types
from engine.collection import json, numeric
from engine.collection.vector import Vector
from engine.errors import InvalidArgument
from engine.expr.functions import number_casts
from engine.expr.functions.number_casts import number_as, per_value
from engine.expr.functions.text_casts import itself
from engine.expr.registry import Kernel
from engine.expr.text_forms import RawValue
from engine.types import SqlType

if TYPE_CHECKING:
    from engine.expr.evaluate import Context

JSON_KINDS: Final = {
    bool: "boolean",
    int: "numeric",
    Decimal: "numeric",
    str: "string",
    list: "array",
    dict: "object",
    type(None): "null",
}


def from_json(target: SqlType) -> Callable[[str], RawValue]:
    """A JSON number or boolean as a `target`; anything else is an error that names what it is."""

    def one(text: str) -> RawValue:
        value = json.parse(text.encode())
        if isinstance(value, bool):
            if target == types.BOOLEAN:
                return value
        elif isinstance(value, Decimal | int) and target != types.BOOLEAN:
            return number_as(Decimal(value), target)
        raise InvalidArgument(f"cannot cast jsonb {JSON_KINDS[type(value)]} to type {target.name}")

    return one


def json_number(target: SqlType) -> Kernel:
    """A canonical JSON number is a decimal's text; documents that are none go one by one, for their errors."""
    by_value = per_value(types.JSONB, target, from_json(target))
    if target == types.NUMERIC:
        onward = itself
    else:
        conversion = number_casts.conversion(types.NUMERIC, target)
        assert conversion is not None
        onward = conversion[0]

    def kernel(context: "Context", vectors: Sequence[Vector], type: SqlType) -> Vector:
        words, failed = numeric.from_text(context.heap.decode_text(vectors[0].words), context.heap)
        if failed is not None:
            return by_value(context, vectors, type)
        return onward(context, (Vector(words),), type)

    return kernel
