"""Typed scalar expressions: immutable values over the columns of one row.

Every node knows its type and whether it can be NULL; a node refuses to be built wrong. Evaluation is in
`engine/expr/evaluate.py`; functions are looked up in `engine/expr/functions/`.

What follows from a node's parts and is asked all the time is found once, when the node is made: a pass that asked each
node to walk its tree would be quadratic in the depth of an expression, and exponential in one that shares its parts.
    nullable   whether it can be NULL
    fallible   whether its evaluation may yield an error
    volatile   whether two evaluations over one row may differ
    subquery   whether a relation is nested in it (until it is decorrelated)
    reads      the columns of its row that it reads
    size       how many nodes it has
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import ClassVar, Final, TypeAlias

from engine import types
from engine.collection.value import Interval as Interval
from engine.collection.value import Plain, planned
from engine.collection.value import Value as Value
from engine.expr.registry import Function
from engine.types import SqlType

INTEGERS: Final = (types.SMALLINT, types.INTEGER, types.BIGINT)


NO_COLUMNS: Final[frozenset[int]] = frozenset()


@dataclass(frozen=True, slots=True)
class Opaque:
    """What stands where a scalar will stand, until a stage of binding or planning puts it there (a subquery, a column
    of a query around): to the scalars around it a leaf of which nothing is known."""

    fallible: ClassVar[bool] = False
    volatile: ClassVar[bool] = False
    subquery: ClassVar[bool] = False
    reads: ClassVar[frozenset[int]] = NO_COLUMNS
    size: ClassVar[int] = 1


@dataclass(frozen=True, slots=True)
class Ref:
    """The value of column `index` of the input row."""

    index: int
    type: SqlType
    nullable: bool = True

    fallible: ClassVar[bool] = False
    volatile: ClassVar[bool] = False
    subquery: ClassVar[bool] = False
    size: ClassVar[int] = 1

    @property
    def reads(self) -> frozenset[int]:
        return frozenset((self.index,))


@dataclass(frozen=True, slots=True)
class Literal:
    """A constant. `value` None is NULL. A str of type UNKNOWN is a quoted literal whose type is not settled yet.

    A value of a nested type is its bytes (engine/collection/nested.py): a literal is hashed.
    """

    value: Plain
    type: SqlType

    fallible: ClassVar[bool] = False
    volatile: ClassVar[bool] = False
    subquery: ClassVar[bool] = False
    reads: ClassVar[frozenset[int]] = NO_COLUMNS
    size: ClassVar[int] = 1

    def __post_init__(self) -> None:
        if self.value.__class__ is float and not self.value:
            object.__setattr__(self, "value", planned(self.value))

    @property
    def nullable(self) -> bool:
        return self.value is None


@dataclass(frozen=True, slots=True)
class Made:
    """What a node that is made of others knows of itself; each kind says whether it can be NULL."""

    nullable: bool = field(init=False, compare=False, repr=False)
    fallible: bool = field(init=False, compare=False, repr=False)
    volatile: bool = field(init=False, compare=False, repr=False)
    subquery: bool = field(init=False, compare=False, repr=False)
    reads: frozenset[int] = field(init=False, compare=False, repr=False)
    size: int = field(init=False, compare=False, repr=False)

    def _knows(self, nullable: bool, parts: "Sequence[Scalar]", fallible: bool = False, volatile: bool = False) -> None:
        reads, size, subquery = NO_COLUMNS, 1, False
        for part in parts:
            fallible = fallible or part.fallible
            volatile = volatile or part.volatile
            subquery = subquery or part.subquery
            size += part.size
            more = part.reads
            if not reads:
                reads = more
            elif more is not reads:
                reads |= more
        know = object.__setattr__  # the one time that a frozen value is written to
        know(self, "nullable", nullable)
        know(self, "fallible", fallible)
        know(self, "volatile", volatile)
        know(self, "subquery", subquery)
        know(self, "reads", reads)
        know(self, "size", size)


@dataclass(frozen=True, slots=True)
class Call(Made):
    """A function, operator or cast (casts are functions) applied to arguments of exactly its parameter types.

    `type` is stated, not derived: casts to numeric(10,2) or varchar(3) carry the modifier in it.
    """

    function: Function
    arguments: "tuple[Scalar, ...]"
    type: SqlType

    def __post_init__(self) -> None:
        arguments, function = self.arguments, self.function
        nullable = function.nullable(tuple([argument.nullable for argument in arguments]))
        self._knows(nullable, arguments, self.can_fail, function.volatile)
        if function.catches:
            object.__setattr__(self, "fallible", False)

    @property
    def can_fail(self) -> bool:
        """Whether the function itself may fail: an integer divided by a literal other than 0 and -1 does not, nor one
        that is made a numeric of any size."""
        if not self.function.can_fail:
            return False
        if self.function.name in ("/", "%") and self.type.plain in INTEGERS:
            divisor = self.arguments[1]
            return not isinstance(divisor, Literal) or divisor.value in (0, -1)
        return self.type != types.NUMERIC or self.function.name != "cast" or self.arguments[0].type not in INTEGERS


@dataclass(frozen=True, slots=True)
class Case(Made):
    """CASE WHEN c1 THEN r1 ... ELSE r END: a branch is evaluated only on the rows that reach it."""

    branches: "tuple[tuple[Scalar, Scalar], ...]"
    otherwise: "Scalar"
    type: SqlType

    def __post_init__(self) -> None:
        assert all(condition.type == types.BOOLEAN for condition, _ in self.branches)
        nullable = self.otherwise.nullable or any(result.nullable for _, result in self.branches)
        self._knows(nullable, [*chain.from_iterable(self.branches), self.otherwise])


@dataclass(frozen=True, slots=True)
class Coalesce(Made):
    """The first argument that is not NULL; later ones are evaluated only on the rows that reach them."""

    arguments: "tuple[Scalar, ...]"
    type: SqlType

    def __post_init__(self) -> None:
        self._knows(all(argument.nullable for argument in self.arguments), self.arguments)


@dataclass(frozen=True, slots=True)
class Logic(Made):
    """AND or OR in three-valued logic: an argument is evaluated only where the earlier ones left it open."""

    conjunction: bool
    arguments: "tuple[Scalar, ...]"

    @property
    def type(self) -> SqlType:
        return types.BOOLEAN

    def __post_init__(self) -> None:
        self._knows(any(argument.nullable for argument in self.arguments), self.arguments)


Scalar: TypeAlias = Ref | Literal | Call | Case | Coalesce | Logic
