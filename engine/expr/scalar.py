"""Typed scalar expressions: immutable values over the columns of one row.

Every node knows its type and whether it can be NULL; a node refuses to be built wrong. Evaluation is in
`engine/expr/evaluate.py`; functions are looked up in `engine/expr/functions/`.
"""

from dataclasses import dataclass
from typing import Final, TypeAlias

from engine import types
from engine.collection.value import Interval as Interval
from engine.collection.value import Plain
from engine.collection.value import Value as Value
from engine.expr.registry import Function
from engine.types import SqlType

INTEGERS: Final = (types.SMALLINT, types.INTEGER, types.BIGINT)


@dataclass(frozen=True, slots=True)
class Ref:
    """The value of column `index` of the input row."""

    index: int
    type: SqlType
    nullable: bool = True


@dataclass(frozen=True, slots=True)
class Literal:
    """A constant. `value` None is NULL. A str of type UNKNOWN is a quoted literal whose type is not settled yet.

    A value of a nested type is its bytes (engine/collection/nested.py): a literal is hashed.
    """

    value: Plain
    type: SqlType

    @property
    def nullable(self) -> bool:
        return self.value is None


@dataclass(frozen=True, slots=True)
class Call:
    """A function, operator or cast (casts are functions) applied to arguments of exactly its parameter types.

    `type` is stated, not derived: casts to numeric(10,2) or varchar(3) carry the modifier in it.
    """

    function: Function
    arguments: "tuple[Scalar, ...]"
    type: SqlType

    @property
    def nullable(self) -> bool:
        return self.function.nullable(tuple(argument.nullable for argument in self.arguments))

    @property
    def can_fail(self) -> bool:
        """Whether the function itself may fail: an integer divided by a literal other than 0 and -1 does not."""
        if not self.function.can_fail:
            return False
        if self.function.name in ("/", "%") and self.type.plain in INTEGERS:
            divisor = self.arguments[1]
            return not isinstance(divisor, Literal) or divisor.value in (0, -1)
        return True


@dataclass(frozen=True, slots=True)
class Case:
    """CASE WHEN c1 THEN r1 ... ELSE r END: a branch is evaluated only on the rows that reach it."""

    branches: "tuple[tuple[Scalar, Scalar], ...]"
    otherwise: "Scalar"
    type: SqlType

    def __post_init__(self) -> None:
        assert all(condition.type == types.BOOLEAN for condition, _ in self.branches)

    @property
    def nullable(self) -> bool:
        return self.otherwise.nullable or any(result.nullable for _, result in self.branches)


@dataclass(frozen=True, slots=True)
class Coalesce:
    """The first argument that is not NULL; later ones are evaluated only on the rows that reach them."""

    arguments: "tuple[Scalar, ...]"
    type: SqlType

    @property
    def nullable(self) -> bool:
        return all(argument.nullable for argument in self.arguments)


@dataclass(frozen=True, slots=True)
class Logic:
    """AND or OR in three-valued logic: an argument is evaluated only where the earlier ones left it open."""

    conjunction: bool
    arguments: "tuple[Scalar, ...]"

    @property
    def type(self) -> SqlType:
        return types.BOOLEAN

    @property
    def nullable(self) -> bool:
        return any(argument.nullable for argument in self.arguments)


Scalar: TypeAlias = Ref | Literal | Call | Case | Coalesce | Logic
