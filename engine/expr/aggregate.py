"""The aggregates: one table from (name, argument type) to (kind, result type)."""

from dataclasses import dataclass
from enum import Enum

from engine.types import SqlType


class Kind(Enum):
    """What the reduce operator keeps for an aggregate, and so what a change costs it."""

    COUNT_ROWS = "count(*)"
    COUNT = "count"
    SUM = "sum"
    AVG = "avg"
    STDDEV_SAMP = "stddev_samp"
    STDDEV_POP = "stddev_pop"
    VAR_SAMP = "var_samp"
    VAR_POP = "var_pop"
    BOOL_AND = "bool_and"
    BOOL_OR = "bool_or"
    MIN = "min"
    MAX = "max"
    STRING_AGG = "string_agg"
    JSONB_AGG = "jsonb_agg"
    JSONB_OBJECT_AGG = "jsonb_object_agg"


ACCUMULABLE = frozenset(
    {Kind.COUNT_ROWS, Kind.COUNT, Kind.SUM, Kind.AVG, Kind.STDDEV_SAMP, Kind.STDDEV_POP, Kind.VAR_SAMP, Kind.VAR_POP,
     Kind.BOOL_AND, Kind.BOOL_OR}
)  # fmt: skip
EXTREME = frozenset({Kind.MIN, Kind.MAX})
WHOLE_GROUP = frozenset({Kind.STRING_AGG, Kind.JSONB_AGG, Kind.JSONB_OBJECT_AGG})


@dataclass(frozen=True, slots=True)
class Overload:
    """One aggregate overload: `parameters` are exact types after the binder's casts."""

    name: str
    kind: Kind
    parameters: tuple[SqlType, ...]
    result: SqlType
    doc: str = ""
