"""What EXPLAIN ... WITH (...) asks to be shown."""

from dataclasses import dataclass, fields
from typing import Final


@dataclass(frozen=True, slots=True)
class Shown:
    """Of each operator's rows: `arity`, their number of columns; `types`, of the columns, `?` where NULL may be;
    `keys`, the columns in which no two rows agree; `cardinality`, how many rows there are at most; `non_negative`,
    whether no row can count below zero; `column_names`. Of all expressions: with `humanized_expressions` columns have
    their names, with `redacted` constants are not seen. `timing`: how long planning took. `join_implementations`: how
    joins run, which is in one way: a change of any input looks up the others. `filter_pushdown`: what of a filter
    leaves out parts of storage: nothing, as collections are in memory."""

    arity: bool = False
    types: bool = False
    keys: bool = False
    cardinality: bool = False
    non_negative: bool = False
    column_names: bool = False
    humanized_expressions: bool = False
    redacted: bool = False
    timing: bool = False
    join_implementations: bool = False
    filter_pushdown: bool = False


VERBOSE: Final = Shown(arity=True, types=True, keys=True, humanized_expressions=True)
"""EXPLAIN ... AS VERBOSE TEXT."""

OPTIONS: Final = tuple(field.name for field in fields(Shown))

OF_RELATIONS: Final = ("keys", "cardinality", "non_negative")
"""What is known of relations, and no more of the dataflow that they have become."""
