"""Every operator of SQL, as pg_operator lists it, and what of them an index can serve."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from engine import types
from engine.expr.functions.families import FUNCTIONS
from engine.expr.registry import Generic
from engine.types import SqlType

FIRST_OID: Final = 9_000
"""As functions: above PostgreSQL's own, whose numbers mean others."""
FIRST_CLASS_OID: Final = 10_000
SWAPPED: Final[Mapping[str, str]] = {
    "=": "=", "<>": "<>", "<": ">", ">": "<", "<=": ">=", ">=": "<=", "+": "+", "*": "*", "&": "&", "|": "|", "#": "#",
    "&&": "&&", "@>": "<@", "<@": "@>",
}  # fmt: skip
"""What says the same with its sides exchanged."""
NEGATED: Final[Mapping[str, str]] = {
    "=": "<>", "<": ">=", ">": "<=", "~~": "!~~", "~~*": "!~~*", "~": "!~", "~*": "!~*",
}  # fmt: skip
NEGATIONS: Final = NEGATED | {value: key for key, value in NEGATED.items()}


@dataclass(frozen=True, slots=True)
class Operator:
    """`left` is None for a prefix operator."""

    oid: int
    name: str
    left: SqlType | None
    right: SqlType
    result: SqlType
    doc: str

    @property
    def hashes(self) -> bool:
        """Whether equal values have equal words, so that a join may go by them."""
        return self.name == "=" and self.left == self.right


def _all() -> Iterator[Operator]:
    oid = FIRST_OID
    for name in sorted(FUNCTIONS):
        if name[0].isalpha() or name[0] == "_":
            continue
        for row in FUNCTIONS[name]:
            result = types.ALIASES.get(row.result, types.ANY) if isinstance(row, Generic) else row.result
            *left, right = row.parameters
            yield Operator(oid, name, left[0] if left else None, right, result, row.doc)
            oid += 1


OPERATORS: Final = tuple(_all())
BY_OID: Final = {row.oid: row for row in OPERATORS}
BY_NAME: Final = {(row.name, row.left, row.right): row for row in OPERATORS}


def commutator(row: Operator) -> int:
    """The number of the operator that is this one with its sides exchanged; 0: there is none."""
    other = BY_NAME.get((SWAPPED.get(row.name, ""), row.right, row.left)) if row.left is not None else None
    return 0 if other is None else other.oid


def negator(row: Operator) -> int:
    """The number of the operator that is true where this one is false; 0: there is none."""
    other = BY_NAME.get((NEGATIONS.get(row.name, ""), row.left, row.right)) if row.result == types.BOOLEAN else None
    return 0 if other is None else other.oid


CLASSES: Final[Mapping[SqlType, int]] = {
    kind: FIRST_CLASS_OID + n
    for n, kind in enumerate((*types.TYPES, types.ANYARRAY, types.ANYRECORD))
    if ("=", kind, kind) in BY_NAME
}
"""The numbers of the operator classes, one for each type that has an equality: an arrangement looks up by it."""


def class_of(kind: SqlType) -> int:
    """The number of the operator class that an index by a column of that type uses."""
    if kind.nesting is not None:
        return CLASSES[types.ANYARRAY if kind.element is not None else types.ANYRECORD]
    return CLASSES.get(kind.plain, 0)
