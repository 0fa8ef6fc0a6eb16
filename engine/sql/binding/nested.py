"""Expressions of nested types: arrays, lists, maps and rows as values, and what reaches into them."""

from abc import abstractmethod
from collections.abc import Sequence

from engine import types
from engine.errors import ArraySubscript, SyntaxError_, TypeMismatch, UndefinedColumn, WrongObjectType
from engine.expr import overload
from engine.expr.functions import array, composite, quantified
from engine.expr.functions.comparable import ordered_by_key
from engine.expr.literal import literal_of_raw
from engine.expr.registry import Function
from engine.expr.scalar import Call, Coalesce, Literal, Ref
from engine.expr.text_forms import RawValue
from engine.plan.relation import BoundScalar, Map, Project, Relation, ScalarSubquery
from engine.sql import syntax
from engine.sql.binding.applying import call, cast, located, settled
from engine.sql.binding.keys import as_key
from engine.sql.binding.place import Place
from engine.sql.binding.scalars import Scalars
from engine.sql.scope import Around, Range
from engine.sql.syntax import Expression
from engine.types import CastContext, Nesting, SqlType

IN_LISTS = (("=", False), ("<>", True))
"""What ANY and ALL of written elements are: IN and NOT IN, which the planner knows."""
IMPLICIT, ASSIGNMENT, EXPLICIT = CastContext.IMPLICIT, CastContext.ASSIGNMENT, CastContext.EXPLICIT


class Nested(Scalars):
    """Binds them; the subquery of ARRAY(...) is the business of a layer above."""

    @abstractmethod
    def collected(self, query: syntax.Query, aggregate: str, around: Around) -> tuple[Relation, SqlType]:
        """The one row with the aggregate of a query's columns, in the query's order; and its type."""

    def nested(self, expression: Expression, place: Place, wanted: SqlType | None = None) -> BoundScalar:
        """An expression of this file. `wanted` is the type that a cast around it names."""
        match expression:
            case syntax.Array():
                return self._constructed(expression, place, wanted)
            case syntax.Map():
                return self._map_constructed(expression, place, wanted)
            case syntax.ArrayQuery():
                name = "list_agg" if expression.list else "array_agg"
                empty = [] if expression.list else array.arrays.EMPTY
                return self._of_query(expression.query, name, empty, place)
            case syntax.MapQuery():
                return self._of_query(expression.query, "map_agg", {}, place)
            case syntax.QuantifiedArray():
                return self._any(expression, place)
            case syntax.Subscript():
                return self._subscript(expression, place)
            case syntax.Row():
                return self._row(expression, place, wanted)
            case syntax.Field():
                return self._field(expression, place)
            case _:
                raise AssertionError(f"{expression} is of no nested type")

    def _row(self, expression: syntax.Row, place: Place, wanted: SqlType | None) -> BoundScalar:
        kinds = [kind for _, kind in wanted.fields] if wanted is not None else []
        if len(kinds) != len(expression.items):
            return row([(f"f{i}", self.typed(item, place)) for i, item in enumerate(expression.items, 1)])
        items: list[tuple[str, BoundScalar]] = []
        for i, (node, kind) in enumerate(zip(expression.items, kinds, strict=True), 1):
            scalar = self.towards(node, place, kind)
            if scalar.type == types.UNKNOWN:
                scalar = located(node.at, cast, scalar, kind, EXPLICIT)
            items.append((f"f{i}", scalar))
        return row(items)

    def whole_row(self, range_: Range, at: int, place: Place) -> BoundScalar:
        """An item of FROM as one value; two of its columns may have one name."""
        scope, depth = place.scope, 0
        while all(other is not range_ for other in scope.ranges):
            assert scope.around.outer is not None
            scope, depth = scope.around.outer, depth + 1
        fields: list[tuple[str, BoundScalar]] = []
        for column in range_.columns:
            name = f"{range_.name}.{column.name}"
            found = scope.read(column, depth, name, at)
            if isinstance(found, Ref):
                place.used.setdefault(found.index, (name, at))
            fields.append((column.name, found))
        return fields[0][1] if range_.one else row(fields)

    def row_subquery(self, expression: syntax.Subquery, place: Place) -> BoundScalar:
        sub = self.subquery(expression.query, self._around(place))
        columns = [(c.name, Ref(i, c.type, c.nullable)) for i, c in enumerate(sub.columns)]
        record = row(columns)
        relation = Project(Map(sub.relation, (record,)), (len(columns),))
        return ScalarSubquery(relation, record.type)

    def fields(self, expression: Expression, place: Place) -> list[tuple[str, BoundScalar]]:
        """(record).*: each field by name."""
        record = self.scalar(expression, place)
        if record.type.nesting is not Nesting.RECORD:
            raise TypeMismatch(f"type {record.type.name} is not composite", position=expression.at)
        return [(name, made(composite.field(record.type, i), record)) for i, (name, _) in enumerate(record.type.fields)]

    def _constructed(self, expression: syntax.Array, place: Place, wanted: SqlType | None) -> BoundScalar:
        nesting = Nesting.LIST if expression.list else Nesting.ARRAY
        inside = None
        if wanted is not None and wanted.nesting is nesting:
            deeper = any(isinstance(item, syntax.Array) for item in expression.items)
            inside = wanted if nesting is Nesting.ARRAY and deeper else wanted.within
        if not expression.items:
            if inside is None:
                kind = "list" if expression.list else "array"
                raise SyntaxError_(
                    f"cannot determine type of empty {kind}", position=expression.at,
                    hint="Explicitly cast to the desired type, for example ARRAY[]::integer[].",
                )  # fmt: skip
            kind = types.container_of(nesting, inside)
            return literal_of_raw([] if expression.list else array.arrays.EMPTY, kind)
        scalars = [
            self.nested(item, place, inside)
            if isinstance(item, syntax.Array | syntax.Row)
            else self.scalar(item, place)
            for item in expression.items
        ]
        if inside is not None:
            scalars = [
                located(node.at, cast, scalar, inside, EXPLICIT)
                for node, scalar in zip(expression.items, scalars, strict=True)
            ]
        else:
            word = "LIST" if expression.list else "ARRAY"
            _, scalars = self.unified(expression.items, scalars, word, expression.at)
        kinds = tuple(scalar.type for scalar in scalars)
        return made(composite.list_function(kinds) if expression.list else array.array_function(kinds), *scalars)

    def _map_constructed(self, expression: syntax.Map, place: Place, wanted: SqlType | None) -> BoundScalar:
        inside = wanted.within if wanted is not None and wanted.nesting is Nesting.MAP else None
        keys = [located(node.at, cast, self.scalar(node, place), types.TEXT, IMPLICIT) for node, _ in expression.items]
        nodes = [node for _, node in expression.items]
        if not nodes:
            if inside is None:
                raise SyntaxError_("cannot determine type of empty map", position=expression.at)
            return literal_of_raw({}, types.map_of(inside))
        values = [
            self.nested(node, place, inside) if isinstance(node, syntax.Map | syntax.Row) else self.scalar(node, place)
            for node in nodes
        ]
        if inside is not None:
            values = [located(n.at, cast, value, inside, EXPLICIT) for n, value in zip(nodes, values, strict=True)]
        else:
            inside, values = self.unified(nodes, values, "MAP", expression.at)
        given = [part for pair in zip(keys, values, strict=True) for part in pair]
        return made(composite.map_function(inside, len(keys)), *given)

    def _of_query(self, query: syntax.Query, aggregate: str, empty: RawValue, place: Place) -> BoundScalar:
        """ARRAY(query), LIST(query), MAP(query): the aggregate of its rows, or what is empty of none."""
        relation, kind = self.collected(query, aggregate, self._around(place))
        none = literal_of_raw(empty, kind)
        return Coalesce((ScalarSubquery(relation, kind), none), kind)  # pyright: ignore[reportArgumentType]

    def _any(self, expression: syntax.QuantifiedArray, place: Place) -> BoundScalar:
        node, operator, every = expression.array, expression.operator, expression.all
        typed = isinstance(node, syntax.Array) and any(
            not isinstance(item, syntax.Array | syntax.String | syntax.Null) for item in node.items
        )  # of untyped literals alone the array is text[]
        if isinstance(node, syntax.Array) and typed and (operator, every) in IN_LISTS:
            return self.scalar(syntax.InList(expression.operand, node.items, every, expression.at), place)
        left, whole = self.scalar(expression.operand, place), self.scalar(node, place)
        if whole.type == types.UNKNOWN:
            left = settled(left)
            whole = located(node.at, cast, whole, types.array_of(left.type), IMPLICIT)
        if whole.type.nesting not in (Nesting.ARRAY, Nesting.LIST):
            raise WrongObjectType("op ANY/ALL (array) requires array on right side", position=expression.at)
        test, (a, b) = located(expression.at, overload.resolve_operator, operator, (left.type, whole.type.within.plain))
        if test.result != types.BOOLEAN:
            raise TypeMismatch("op ANY/ALL (array) requires operator to yield boolean", position=expression.at)
        container = types.container_of(whole.type.nesting, b)
        left = located(expression.at, cast, left, a, IMPLICIT)
        whole = located(node.at, cast, whole, container, EXPLICIT)
        if ordered_by_key(a) or (operator, every) in IN_LISTS:
            left, whole = as_key(left), as_key(whole)
        return made(quantified.quantified_function(operator, test, container, every), left, whole)

    def _subscript(self, expression: syntax.Subscript, place: Place) -> BoundScalar:
        """A chain of subscripts is one: a[1][2] reaches into a dimension, not into an array of arrays."""
        chain = [expression]
        while chain[0].chained and isinstance(chain[0].operand, syntax.Subscript):
            chain.insert(0, chain[0].operand)
        operand = self.scalar(chain[0].operand, place)
        match operand.type.nesting:
            case Nesting.ARRAY:
                return self._array_subscript(operand, chain, place)
            case Nesting.LIST:
                for node in chain:
                    operand = self._list_subscript(operand, node, place)
                return operand
            case Nesting.MAP | Nesting.RECORD | Nesting.RANGE | None:
                if operand.type == types.JSONB:
                    return self._json_subscript(operand, chain, place)
                raise TypeMismatch(
                    f"cannot subscript type {operand.type.name} because it does not support subscripting",
                    position=chain[0].at,
                )

    def _bound(self, node: Expression | None, place: Place, kind: SqlType = types.INTEGER) -> BoundScalar | None:
        if node is None:
            return None
        scalar = self.scalar(node, place)
        if scalar.type.category not in (types.Category.NUMERIC, types.Category.UNKNOWN):
            raise TypeMismatch("array subscript must have type integer", position=node.at)
        return located(node.at, cast, scalar, kind, ASSIGNMENT)

    def _array_subscript(self, operand: BoundScalar, chain: Sequence[syntax.Subscript], place: Place) -> BoundScalar:
        if len(chain) > 6:
            raise ArraySubscript(f"number of array dimensions ({len(chain)}) exceeds the maximum allowed (6)")
        if not any(node.slice for node in chain):
            indexes = [self._bound(node.lower, place) for node in chain]
            if operand.type in types.VECTORS:
                indexes = [index and call("+", index, Literal(1, types.INTEGER)) for index in indexes]
            given = [index for index in indexes if index is not None]
            return made(array.subscript_function(operand.type, len(given)), operand, *given)
        pairs: list[tuple[BoundScalar | None, BoundScalar | None]] = []
        for node in chain:  # beside a slice, a[2] means a[1:2]
            lower, upper = self._bound(node.lower, place), self._bound(node.upper, place)
            pairs.append((lower, upper) if node.slice else (None, lower))
        shape = [(lower is not None, upper is not None) for lower, upper in pairs]
        bounds = [bound for pair in pairs for bound in pair if bound is not None]
        return made(array.slice_function(operand.type, shape), operand, *bounds)

    def _list_subscript(self, operand: BoundScalar, node: syntax.Subscript, place: Place) -> BoundScalar:
        if operand.type.nesting is not Nesting.LIST:
            raise TypeMismatch(f"cannot subscript type {operand.type.name}", position=node.at)
        lower, upper = (self._bound(bound, place, types.BIGINT) for bound in (node.lower, node.upper))
        bounds = [bound for bound in (lower, upper) if bound is not None]
        if not node.slice:
            return made(composite.list_element(operand.type), operand, *bounds)
        return made(composite.list_slice(operand.type, lower is not None, upper is not None), operand, *bounds)

    def _json_subscript(self, operand: BoundScalar, chain: Sequence[syntax.Subscript], place: Place) -> BoundScalar:
        for node in chain:
            if node.slice or node.lower is None:
                raise TypeMismatch("jsonb subscript does not support slices", position=node.at)
            operand = located(node.at, call, "->", operand, self.scalar(node.lower, place))
        return operand

    def _field(self, expression: syntax.Field, place: Place) -> BoundScalar:
        operand = self.scalar(expression.operand, place)
        if operand.type.nesting is not Nesting.RECORD:
            raise TypeMismatch(
                f"column notation .{expression.name} applied to type {operand.type.name}, "
                "which is not a composite type",
                position=expression.at,
            )
        for i, (name, _) in enumerate(operand.type.fields):
            if name == expression.name:
                return made(composite.field(operand.type, i), operand)
        raise UndefinedColumn(f'could not identify column "{expression.name}" in record data type',
                              position=expression.at)  # fmt: skip


def row(fields: Sequence[tuple[str, BoundScalar]]) -> BoundScalar:
    """ROW(...)."""
    kind = types.record_of(tuple((name, scalar.type) for name, scalar in fields))
    return made(composite.row(kind), *(scalar for _, scalar in fields))


def made(function: Function, *arguments: BoundScalar) -> BoundScalar:
    """A call of arguments that are of its parameters' types."""
    return Call(function, arguments, function.result)  # pyright: ignore[reportArgumentType]
