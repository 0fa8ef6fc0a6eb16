"""Shared by the tests of expressions: literals in, Python values or (sqlstate, message) out."""

from collections.abc import Sequence

from engine import types
from engine.collection.heap import Heap
from engine.collection.value import Value
from engine.collection.words import decode_column, vector_of
from engine.expr.evaluate import Context, evaluate
from engine.expr.overload import cast
from engine.expr.scalar import Literal, Ref, Scalar
from engine.types import SqlType


class Bench:
    """A heap, and columns of values on it."""

    def __init__(self) -> None:
        self.context = Context(Heap())

    def column(self, values: Sequence[Value], kind: SqlType):
        return vector_of(list(values), kind, self.context.heap)

    def results(self, expression: Scalar, columns: Sequence[tuple[Sequence[Value], SqlType]] = (), n: int = 1):
        """One entry a row: the value, or the text of its error in a tuple."""
        n = len(columns[0][0]) if columns else n
        vector = evaluate(expression, [self.column(*column) for column in columns], n, self.context)
        assert len(vector.words) == n
        assert vector.nulls is None or not vector.words[vector.nulls].any(), "a NULL's word is 0"
        values: list[object] = list(decode_column(vector, expression.type, self.context.heap))
        if vector.errors is not None:
            assert not vector.words[vector.errors != 0].any(), "a failed row's word is 0"
            for row, code in enumerate(vector.errors.tolist()):
                if code:
                    values[row] = (self.context.heap.get(code).decode(),)
        return values

    def value(self, expression: Scalar):
        return self.results(expression)[0]


def typed(text: str | None, kind: SqlType) -> Scalar:
    """CAST('text' AS kind)."""
    return cast(Literal(text, types.UNKNOWN), kind)


def ref(index: int, kind: SqlType) -> Ref:
    return Ref(index, kind)
