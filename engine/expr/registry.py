"""The one registry of scalar functions: what overload resolution, evaluation and docs/functions.md read."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

from engine.collection.vector import Vector
from engine.types import SqlType

if TYPE_CHECKING:
    from engine.expr.evaluate import Context


class OnNull(Enum):
    """What a NULL argument does to a function."""

    STRICT = "strict"  # any NULL argument makes the result NULL; the kernel never has to look
    OWN = "own"  # the kernel gets the null masks and decides (IS NULL, concat, IS DISTINCT FROM, ...)


Kernel = Callable[["Context", Sequence[Vector], SqlType], Vector]
"""(context with the heap, one Vector per argument all of the same n, result type) -> Vector of n.

For a STRICT function the caller merges nulls and errors of the arguments. The kernel sees no NULL and no failed row
(they are compressed away), unless it says `on_words`: then it meets zero words there and may compute anything."""


@dataclass(frozen=True, slots=True)
class Function:
    """One overload. Two are equal when name, parameters and result are, so expressions compare structurally; and what
    a statement has put into the kernel is (`of`)."""

    name: str
    parameters: tuple[SqlType, ...]
    result: SqlType
    kernel: Kernel = field(compare=False, repr=False)
    on_null: OnNull = OnNull.STRICT
    can_fail: bool = False  # may yield errors: never moved above a guard
    never_null: bool = False  # not NULL even where an argument is (IS NULL, concat)
    gives_null: bool = False  # may be NULL where no argument is (nullif, jsonb ->, regexp_match)
    on_words: bool = False  # the kernel runs safely on the zero words of NULL rows: it is spared a compress and scatter
    volatile: bool = False  # differs between calls: refused in materialized views, never folded
    catches: bool = False  # tells whether its argument failed: the argument's error is not its own
    doc: str = field(default="", compare=False)
    of: object = field(default=None, repr=False)  # what the kernel knows beside its arguments

    def nullable(self, arguments: tuple[bool, ...]) -> bool:
        """Whether the result can be NULL when these arguments can."""
        return not self.never_null and (self.gives_null or any(arguments))


@dataclass(frozen=True, slots=True)
class Placeholder(Function):
    """A value that is given later (a statement's parameter), as a function without arguments.

    While its `result` is UNKNOWN, whoever needs it to be of a type asks `become` for the placeholder of that type.
    """

    number: int = 0
    become: "Callable[[SqlType], Placeholder] | None" = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Generic:
    """A function over any types: overload resolution makes the Function once the argument types are known.

    `parameters` hold types.ANY (each argument its own type) or types.ANYCOMPATIBLE (all brought to their common type)
    beside plain types; with `variadic` the last one repeats, at least `least` times.
    """

    name: str
    parameters: tuple[SqlType, ...]
    instantiate: Callable[[tuple[SqlType, ...]], Function] = field(compare=False, repr=False)
    variadic: bool = False
    least: int = 1
    result: str = "any"  # for the documentation; the Function states its own
    doc: str = field(default="", compare=False)
