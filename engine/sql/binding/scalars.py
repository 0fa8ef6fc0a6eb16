"""Expressions: syntax over a scope becomes typed scalars over its row."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from typing import Final, assert_never

from engine import types
from engine.collection.wanted import ask
from engine.errors import SyntaxError_, TypeMismatch, UndefinedColumn, UndefinedTable
from engine.expr import overload
from engine.expr.functions.quantified import quantified_function
from engine.expr.literal import array_of
from engine.expr.membership import LISTED_MIN
from engine.expr.scalar import Call, Case, Literal, Ref
from engine.plan.relation import BoundScalar, Exists, Project, Quantified, ScalarSubquery
from engine.sql import syntax
from engine.sql.binding.applying import FALSE, TRUE, call, cast, compare_rows, conjunction, located, negated, settled
from engine.sql.binding.keys import compared_with_each
from engine.sql.binding.place import Place, Subrelation
from engine.sql.binding.types import number
from engine.sql.scope import Around, Range, Scope
from engine.sql.syntax import Expression, Test
from engine.types import CastContext, SqlType

IS_TESTS: Final = {
    (Test.TRUE, False): "is_true", (Test.TRUE, True): "is_not_true",
    (Test.FALSE, False): "is_false", (Test.FALSE, True): "is_not_false",
    (Test.UNKNOWN, False): "is_unknown", (Test.UNKNOWN, True): "is_not_unknown",
}  # fmt: skip


class Scalars(ABC):
    """Binds expressions. The subqueries in them are the business of a layer above.

    `unsettled` tells that something was bound whose value is the statement's: see session.settle.
    """

    unsettled: bool = False

    @abstractmethod
    def subquery(self, query: syntax.Query, around: Around) -> Subrelation:
        """A query in an expression."""

    @abstractmethod
    def function(self, expression: syntax.Function, place: Place) -> BoundScalar:
        """A call."""

    @abstractmethod
    def parameter(self, expression: syntax.Parameter) -> BoundScalar:
        """A parameter of the statement."""

    @abstractmethod
    def nested(self, expression: Expression, place: Place, wanted: SqlType | None = None) -> BoundScalar:
        """An expression of a nested type, or that reaches into one. `wanted`: what a cast around it names."""

    @abstractmethod
    def row_subquery(self, expression: syntax.Subquery, place: Place) -> BoundScalar:
        """The one row of a subquery as a record."""

    @abstractmethod
    def whole_row(self, range_: Range, at: int, place: Place) -> BoundScalar:
        """An item of FROM as one value."""

    @abstractmethod
    def type_of(self, name: syntax.TypeName) -> SqlType:
        """The type that a name means."""

    @abstractmethod
    def note(self, parts: tuple[str, ...], scope: Scope, at: int, until: int) -> None:
        """Keep that these parts qualify a column, if they are the name of an item."""

    def typed(self, expression: Expression, place: Place) -> BoundScalar:
        """An expression; an untyped literal is text."""
        return settled(self.scalar(expression, place))

    def towards(self, expression: Expression, place: Place, wanted: SqlType) -> BoundScalar:
        """An expression that is about to be cast: what is written of a nested type types its literals by it."""
        if wanted.nesting is not None and isinstance(expression, syntax.Array | syntax.Map | syntax.Row):
            return self.nested(expression, place, wanted)
        return self.scalar(expression, place)

    def boolean(self, expression: Expression, place: Place, of: str) -> BoundScalar:
        """The condition of clause `of`."""
        scalar = self.scalar(expression, place)
        if scalar.type == types.UNKNOWN:
            return located(expression.at, cast, scalar, types.BOOLEAN, CastContext.IMPLICIT)
        if scalar.type != types.BOOLEAN:
            raise TypeMismatch(
                f"argument of {of} must be type boolean, not type {scalar.type.name}", position=expression.at
            )
        return scalar

    def scalar(self, expression: Expression, place: Place) -> BoundScalar:
        """An expression over the place's row. An untyped literal stays one (type UNKNOWN)."""
        ask()
        match expression:
            case syntax.ColumnName():
                return self._column(expression, place)
            case syntax.Number():
                return located(expression.at, number, expression.text)
            case syntax.String():
                return Literal(expression.value, types.UNKNOWN)
            case syntax.Null():
                return Literal(None, types.UNKNOWN)
            case syntax.Boolean():
                return TRUE if expression.value else FALSE
            case syntax.Function():
                return self.function(expression, place)
            case syntax.Binary():
                return self._binary(expression, place)
            case syntax.Unary():
                return located(expression.at, call, expression.operator, self.scalar(expression.operand, place))
            case syntax.Logic():
                word = "AND" if expression.conjunction else "OR"
                arguments = [self.boolean(argument, place, word) for argument in expression.arguments]
                return conjunction(arguments, expression.conjunction)
            case syntax.Not():
                return negated(self.boolean(expression.operand, place, "NOT"))
            case syntax.Is():
                return self._is(expression, place)
            case syntax.IsDistinct():
                return self._is_distinct(expression, place)
            case syntax.Between():
                return self._between(expression, place)
            case syntax.Like():
                return self._like(expression, place)
            case syntax.InList():
                return self._in_list(expression, place)
            case syntax.Quantified():
                return self._quantified(expression, place)
            case syntax.Exists():
                return Exists(self.subquery(expression.query, self._around(place)).relation)
            case syntax.Subquery():
                return self._scalar_subquery(expression, place)
            case syntax.SubqueryColumn():
                return self._subquery_column(expression, place)
            case syntax.Case():
                return self._case(expression, place)
            case syntax.Cast():
                return self._cast(expression, place)
            case syntax.Parameter():
                return self.parameter(expression)
            case syntax.Star() if expression.qualifier:
                return self._row_of(expression, place)
            case syntax.Star():
                raise SyntaxError_('"*" is only allowed in a select list and in count(*)', position=expression.at)
            case syntax.Default():
                raise SyntaxError_("DEFAULT is not allowed in this context", position=expression.at)
            case (
                syntax.Row() | syntax.Field() | syntax.Array() | syntax.Map() | syntax.MapQuery() | syntax.ArrayQuery()
                | syntax.QuantifiedArray() | syntax.Subscript()
            ):  # fmt: skip
                return self.nested(expression, place)
            case _:
                assert_never(expression)

    @staticmethod
    def _around(place: Place) -> Around:
        """What a subquery at this place stands in."""
        return Around(place.scope, place.scope.around.tables, place.aggregates, place.clause)

    def _row_of(self, star: syntax.Star, place: Place) -> BoundScalar:
        """`t.*` where one value is expected: the row of t."""
        range_ = place.scope.range_around(star.qualifier, star.at)
        if range_ is None:
            name = ".".join(star.qualifier)
            raise UndefinedTable(f'missing FROM-clause entry for table "{name}"', position=star.at)
        self.note(star.qualifier, place.scope, star.at, star.until)
        return self.whole_row(range_, star.at, place)

    def _column(self, expression: syntax.ColumnName, place: Place) -> BoundScalar:
        try:
            column = place.scope.column(expression.parts, expression.at)
        except UndefinedColumn:
            one = len(expression.parts) == 1
            range_ = place.scope.range_around(expression.parts, expression.at) if one else None
            if range_ is not None:
                self.note(expression.parts, place.scope, expression.at, expression.until)
                return self.whole_row(range_, expression.at, place)
            raise
        if len(expression.parts) > 1:
            self.note(expression.parts[:-1], place.scope, expression.at, expression.until)
        if isinstance(column, Ref):
            place.used.setdefault(column.index, (".".join(expression.parts), expression.at))
        return column

    def _binary(self, expression: syntax.Binary, place: Place) -> BoundScalar:
        left, right = expression.left, expression.right
        if isinstance(left, syntax.Row) and isinstance(right, syntax.Row):
            return self._rows(expression, left, right, place)
        if isinstance(left, syntax.Row) and isinstance(right, syntax.Subquery):
            one = self.row_subquery(right, place)
            return located(expression.at, call, expression.operator, self.scalar(left, place), one)
        a, b = self.scalar(left, place), self.scalar(right, place)
        return located(expression.at, call, expression.operator, a, b)

    def _rows(self, expression: syntax.Binary, left: syntax.Row, right: syntax.Row, place: Place) -> BoundScalar:
        """(a, b) op (c, d): = and <> column by column, the others by the first column that differs."""
        if len(left.items) != len(right.items):
            raise SyntaxError_("unequal number of entries in row expressions", position=expression.at)
        pairs = [(self.scalar(a, place), self.scalar(b, place)) for a, b in zip(left.items, right.items, strict=True)]
        return located(expression.at, compare_rows, expression.operator, pairs)

    def _is(self, expression: syntax.Is, place: Place) -> BoundScalar:
        if expression.test is Test.NULL:
            if isinstance(expression.operand, syntax.Row):
                items = [self.typed(item, place) for item in expression.operand.items]
                return conjunction([negated(call("is_null", item), expression.negated) for item in items])
            return negated(call("is_null", self.typed(expression.operand, place)), expression.negated)
        operand = self.boolean(expression.operand, place, f"IS {expression.test.name}")
        return call(IS_TESTS[expression.test, expression.negated], operand)

    def _is_distinct(self, expression: syntax.IsDistinct, place: Place) -> BoundScalar:
        match expression.left, expression.right:
            case syntax.Row(items=a), syntax.Row(items=b) if a and len(a) == len(b):
                pairs = [replace(expression, left=x, right=y) for x, y in zip(a, b, strict=True)]
                return conjunction([self._is_distinct(pair, place) for pair in pairs], all_=expression.negated)
            case _:
                pass
        left, right = self.scalar(expression.left, place), self.scalar(expression.right, place)
        name = "is_not_distinct_from" if expression.negated else "is_distinct_from"
        if left.type == right.type == types.UNKNOWN:
            left, right = settled(left), settled(right)
        return located(expression.at, call, name, left, right)

    def _between(self, expression: syntax.Between, place: Place) -> BoundScalar:
        operand = self.scalar(expression.operand, place)
        low, high = self.scalar(expression.low, place), self.scalar(expression.high, place)

        def inside(low: BoundScalar, high: BoundScalar) -> BoundScalar:
            return conjunction((call(">=", operand, low), call("<=", operand, high)))

        within = located(expression.at, inside, low, high)
        if expression.symmetric:
            within = conjunction((within, located(expression.at, inside, high, low)), all_=False)
        return negated(within, expression.negated)

    def _like(self, expression: syntax.Like, place: Place) -> BoundScalar:
        operand, pattern = self.scalar(expression.operand, place), self.scalar(expression.pattern, place)
        if expression.escape is not None:
            escape = self.scalar(expression.escape, place)
            pattern = located(expression.at, call, "like_escape", pattern, escape)
        return located(expression.at, call, syntax.LIKE[expression.insensitive, expression.negated], operand, pattern)

    def _in_list(self, expression: syntax.InList, place: Place) -> BoundScalar:
        """One comparison per item, all of one type when there is one: what the planner sees as a set of constants."""
        at = expression.at
        if isinstance(expression.operand, syntax.Row):
            tests = [self._binary(syntax.Binary("=", expression.operand, item, at), place) for item in expression.items]
            return negated(conjunction(tests, all_=False), expression.negated)
        operand = self.scalar(expression.operand, place)
        items = [self.scalar(item, place) for item in expression.items]
        try:
            common = overload.common_type([operand.type, *(item.type for item in items)], "IN")
        except TypeMismatch:
            common = None
        if common is not None and len(items) > 1:
            operand = located(at, cast, operand, common, CastContext.IMPLICIT)
            items = [
                located(node.at, cast, item, common, CastContext.IMPLICIT)
                for node, item in zip(expression.items, items, strict=True)
            ]
        if len(items) > 1 and common is not None:
            equal = overload.resolve_operator("=", (common, common))[0]
            operand, *items = compared_with_each(operand, items)
            constants = [item for item in items if isinstance(item, Literal)]
            if len(constants) == len(items) >= LISTED_MIN and common.nesting is None:
                array = array_of(constants, common.plain)
                among = Call(quantified_function("=", equal, array.type, False), (operand, array), types.BOOLEAN)  # pyright: ignore[reportArgumentType]
                return negated(among, expression.negated)
            tests = [Call(equal, (operand, item), types.BOOLEAN) for item in items]  # pyright: ignore[reportArgumentType]
        else:
            tests = [located(at, call, "=", operand, item) for item in items]
        return negated(conjunction(tests, all_=False), expression.negated)

    def _quantified(self, expression: syntax.Quantified, place: Place) -> BoundScalar:
        row = isinstance(expression.operand, syntax.Row)
        nodes = expression.operand.items if isinstance(expression.operand, syntax.Row) else (expression.operand,)
        operands = [self.scalar(node, place) for node in nodes]
        sub = self.subquery(expression.query, self._around(place))
        if len(sub.columns) != len(operands):
            few = "too few" if len(sub.columns) < len(operands) else "too many"
            raise SyntaxError_(f"subquery has {few} columns", position=expression.at)
        width = place.scope.width
        right: list[BoundScalar] = [Ref(width + i, c.type, c.nullable) for i, c in enumerate(sub.columns)]
        pairs = list(zip(operands, right, strict=True))
        if row:
            condition = located(expression.at, compare_rows, expression.operator, pairs)
        else:
            condition = located(expression.at, call, expression.operator, *pairs[0])
        if condition.type != types.BOOLEAN:
            raise TypeMismatch("operator must return boolean", position=expression.at)
        return Quantified(sub.relation, condition, expression.all, width)

    def _scalar_subquery(self, expression: syntax.Subquery, place: Place) -> BoundScalar:
        sub = self.subquery(expression.query, self._around(place))
        if len(sub.columns) != 1:
            raise SyntaxError_("subquery must return only one column", position=expression.at)
        return ScalarSubquery(sub.relation, sub.columns[0].type)

    def _subquery_column(self, expression: syntax.SubqueryColumn, place: Place) -> BoundScalar:
        sub = self.subquery(expression.query, self._around(place))
        if len(sub.columns) != expression.width:
            raise SyntaxError_("number of columns does not match number of values", position=expression.at)
        relation = Project(sub.relation, (expression.index,))
        return ScalarSubquery(relation, sub.columns[expression.index].type)

    def _case(self, expression: syntax.Case, place: Place) -> BoundScalar:
        operand = None if expression.operand is None else settled(self.scalar(expression.operand, place))
        conditions: list[BoundScalar] = []
        for node, _ in expression.branches:
            if operand is None:
                conditions.append(self.boolean(node, place, "CASE/WHEN"))
            else:
                conditions.append(located(node.at, call, "=", operand, self.scalar(node, place)))
        otherwise = syntax.Null(expression.at) if expression.otherwise is None else expression.otherwise
        nodes = [otherwise, *(node for _, node in expression.branches)]  # as PostgreSQL asks for their common type
        scalars = [self.scalar(node, place) for node in nodes]
        common, results = self.unified(nodes, scalars, "CASE", expression.at)
        branches = tuple(zip(conditions, results[1:], strict=True))
        return Case(branches, results[0], common)  # pyright: ignore[reportArgumentType]

    @staticmethod
    def unified(
        nodes: Sequence[Expression], scalars: Sequence[BoundScalar], clause: str, at: int
    ) -> tuple[SqlType, list[BoundScalar]]:
        """The common type of the scalars, and each brought to it."""
        common = located(at, overload.common_type, [scalar.type for scalar in scalars], clause)
        return common, [
            located(node.at, cast, scalar, common, CastContext.IMPLICIT)
            for node, scalar in zip(nodes, scalars, strict=True)
        ]

    def _cast(self, expression: syntax.Cast, place: Place) -> BoundScalar:
        to = self.type_of(expression.type)
        operand = self.towards(expression.operand, place, to)
        if to.plain in types.REGISTERED and isinstance(expression.operand, syntax.Parameter):
            operand = settled(operand)  # a name comes as text, which the catalog of the moment reads
        at = expression.operand.at if operand.type == types.UNKNOWN else expression.at
        self.unsettled = self.unsettled or types.is_registered(to) or types.is_registered(operand.type)
        return located(at, cast, operand, to, CastContext.EXPLICIT)
