"""What GROUP BY leaves visible: the keys, the aggregates, and what is computed from them."""

from collections.abc import Sequence

from engine.errors import GroupingError
from engine.expr.scalar import Literal, Ref
from engine.plan.relation import BoundScalar, Exists, Outer, Quantified, ScalarSubquery
from engine.plan.scalars import parts, with_parts
from engine.sql.binding.scalars import Place, Slot, WindowSlot


class Grouping:
    """Rewrites scalars over the rows before GROUP BY into scalars over the rows after it: keys, then aggregates.

    The largest parts that are keys become columns; a column of the input that is left over is an error (42803).
    """

    def __init__(self, keys: Sequence[BoundScalar], aggregates: int, place: Place) -> None:
        self.keys = {key: index for index, key in reversed(list(enumerate(keys)))}
        self.count = len(keys)
        self.before = place.scope.width
        self.after = len(keys) + aggregates
        self.used = place.used

    def __call__(self, scalar: BoundScalar | Slot | WindowSlot) -> BoundScalar:
        if not isinstance(scalar, Slot | WindowSlot):
            index = self.keys.get(scalar)
            if index is not None and not isinstance(scalar, Literal):
                return Ref(index, scalar.type, scalar.nullable)
        match scalar:
            case Slot():
                return Ref(self.count + scalar.index, scalar.type, scalar.nullable)
            case WindowSlot():
                return scalar  # pyright: ignore[reportReturnType]: a column when windows are made
            case Ref():
                return self._ungrouped(scalar)
            case Literal() | Outer() | Exists() | ScalarSubquery():
                return scalar  # a subquery's own columns were mapped when they were resolved
            case Quantified():
                return Quantified(scalar.relation, self._condition(scalar.condition), scalar.all, self.after)
            case _:
                return with_parts(scalar, tuple(map(self, parts(scalar))))

    def _condition(self, scalar: BoundScalar) -> BoundScalar:
        """The comparison of a quantified subquery: its columns stand after the row, which has another width now."""
        if isinstance(scalar, Ref) and scalar.index >= self.before:
            return Ref(scalar.index - self.before + self.after, scalar.type, scalar.nullable)
        if scalar in self.keys or not parts(scalar):
            return self(scalar)
        return with_parts(scalar, tuple(map(self._condition, parts(scalar))))

    def _ungrouped(self, ref: Ref) -> BoundScalar:
        name, at = self.used.get(ref.index, (f"#{ref.index}", 0))
        raise GroupingError(
            f'column "{name}" must appear in the GROUP BY clause or be used in an aggregate function',
            position=at or None,
        )
