"""Literals: a quoted text becomes a typed constant when it is bound, so that its error carries the statement."""

from collections.abc import Sequence
from typing import cast

from engine import types
from engine.collection import nested
from engine.collection.value import Plain
from engine.collection.words import raw_of, value_of
from engine.expr import text_forms
from engine.expr.scalar import Literal
from engine.types import SqlType


def literal_of_text(text: str, type: SqlType, explicit: bool = True) -> Literal:
    """'text' read as a `type`, its modifier applied. Raises the DataError of the text (22P02, 22007, 22008, 22003)."""
    raw = text_forms.fit(text_forms.parse(text, type), type, explicit)
    return literal_of_raw(raw, type)


def literal_of_raw(raw: text_forms.RawValue, type: SqlType) -> Literal:
    """A constant from its raw value (engine/expr/columns.py)."""
    if raw is not None and type.nesting is not None:
        return Literal(nested.encode(raw, type), type)
    return Literal(cast("Plain", value_of(raw, type)), type)


def array_of(items: Sequence[Literal], element: SqlType) -> Literal:
    """The array of constants of that type, which is no array itself."""
    raws = [raw_of(item.value, element) for item in items]
    return literal_of_raw(nested.Array.of(raws), types.array_of(element))
