"""`$n` in a statement: parameters, whose types are declared or deduced from where they stand.

Rule  A parameter without a declared type is an untyped literal until something asks for a type; the first to ask
      decides, and another that asks for another type is an error (42P08). One that nothing asks is text.
Law   A statement binds the same way before and after its values are known: a parameter stays a placeholder in what is
      bound, and its value takes that place when the statement runs (binding.session.settle). What must be constant when
      it is bound (LIMIT, AS OF) takes the value, and says so in `immediate`: that binding is good for one run.

From  PostgreSQL's parse_param.c.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from engine import types
from engine.collection.vector import Vector
from engine.errors import SqlError
from engine.expr.binary_forms import receive
from engine.expr.literal import literal_of_raw, literal_of_text
from engine.expr.registry import Placeholder
from engine.expr.scalar import Call, Literal
from engine.plan.relation import BoundScalar
from engine.types import SqlType

if TYPE_CHECKING:
    from engine.expr.evaluate import Context

NUMBER_MAX = 65_535
"""What the protocol's 16-bit count of parameters can give."""


class UndefinedParameter(SqlError):
    sqlstate = "42P02"


class AmbiguousParameter(SqlError):
    sqlstate = "42P08"


class WrongParameters(SqlError):
    sqlstate = "08P01"


def _never(context: "Context", arguments: Sequence[Vector], result: SqlType) -> Vector:
    raise AssertionError("a parameter is replaced by its value before anything is evaluated")


class Parameters:
    """The parameters of one statement. Used by one binding at a time."""

    def __init__(self, declared: Sequence[SqlType | None] = (), values: Sequence[Literal] | None = None) -> None:
        self.types: list[SqlType | None] = list(declared)
        self.values = values
        self.immediate = False

    def scalar(self, number: int, at: int) -> Call:
        """`$number` where it stands in an expression."""
        if not 1 <= number <= NUMBER_MAX:
            raise UndefinedParameter(f"there is no parameter ${number}", position=at)
        self.types += [None] * (number - len(self.types))
        known = self.types[number - 1]
        placeholder = self._placeholder(number, types.UNKNOWN if known is None else known)
        return Call(placeholder, (), placeholder.result)

    def constant(self, scalar: BoundScalar) -> Literal | None:
        """The value of a scalar that is a parameter, where only a constant may stand; None for any other scalar.

        While the values are not known it is NULL, which stands for any value.
        """
        number = number_of(scalar)
        if number is None:
            return None
        self.immediate = True
        return Literal(None, scalar.type) if self.values is None else self.values[number - 1]

    def known(self) -> tuple[SqlType, ...]:
        """The types, when the statement is bound."""
        return tuple(types.TEXT if kind is None else kind for kind in self.types)

    def _placeholder(self, number: int, kind: SqlType) -> Placeholder:
        return Placeholder(
            f"${number}", (), kind, _never, gives_null=True, volatile=True, number=number,
            become=lambda kind: self._become(number, kind),
        )  # fmt: skip

    def _become(self, number: int, kind: SqlType) -> Placeholder:
        known = self.types[number - 1]
        if known is not None and known != kind:
            raise AmbiguousParameter(
                f"inconsistent types deduced for parameter ${number}", detail=f"{known.name} versus {kind.name}"
            )
        self.types[number - 1] = kind
        return self._placeholder(number, kind)


def number_of(scalar: BoundScalar) -> int | None:
    """n of a scalar that is `$n`."""
    return scalar.function.number if isinstance(scalar, Call) and isinstance(scalar.function, Placeholder) else None


def literals(given: Sequence[str | bytes | None], kinds: Sequence[SqlType]) -> tuple[Literal, ...]:
    """The values that a client gives, as text or (bytes) in the binary format, read as the parameters' types."""
    if len(given) != len(kinds):
        raise WrongParameters(f"the statement has {len(kinds)} parameters but {len(given)} are given")
    return tuple(
        Literal(None, kind)
        if value is None
        else literal_of_text(value, kind)
        if isinstance(value, str)
        else literal_of_raw(receive(value, kind), kind)
        for value, kind in zip(given, kinds, strict=True)
    )
