"""Literals: a quoted text becomes a typed constant when it is bound, so that its error carries the statement."""

from engine.expr import text_forms
from engine.expr.scalar import Literal
from engine.types import SqlType


def literal_of_text(text: str, type: SqlType, explicit: bool = True) -> Literal:
    """'text' read as a `type`, its modifier applied. Raises the DataError of the text (22P02, 22007, 22008, 22003)."""
    raw = text_forms.fit(text_forms.parse(text, type), type, explicit)
    return Literal(text_forms.value_of(raw, type), type)
