"""Calls: functions, aggregates, and the few names that are syntax rather than functions."""

from collections.abc import Sequence
from dataclasses import replace

from engine import types
from engine.errors import GroupingError, InvalidParameter, UndefinedFunction, Unsupported, WrongObjectType
from engine.expr import overload
from engine.expr.aggregate import AGGREGATES, COUNTS, EXTREME_ROWS, HYPOTHETICAL, OF_EXTREME, ORDERED_SET, Kind
from engine.expr.functions.comparable import ordered_by_key
from engine.expr.scalar import Call, Case, Coalesce, Literal, Logic
from engine.expr.table import TableFunction
from engine.expr.window import FUNCTIONS
from engine.plan.relation import AggregateCall, BoundScalar, Outer, map_call
from engine.plan.scalars import parts
from engine.sql import syntax
from engine.sql.binding.applying import call, cast, located, settled
from engine.sql.binding.composed import OF_ONE, hypothetical
from engine.sql.binding.keys import as_key, told_apart
from engine.sql.binding.levels import level_of, outward
from engine.sql.binding.nested import Nested
from engine.sql.binding.place import GroupingSlot, Place, Slot
from engine.sql.binding.session import SESSION_FUNCTIONS
from engine.sql.binding.window_functions import WindowFunctions
from engine.sql.binding.yielding import yielding
from engine.types import CastContext

KEYS = Kind.JSONB_OBJECT_AGG
"""The keys of an object are the texts of whatever they are: its casts are those of an assignment."""
SYSTEM_SCHEMAS = frozenset({"pg_catalog", "mz_catalog", "mz_internal", "mz_unsafe", "information_schema"})


class Calls(WindowFunctions, Nested):
    """Binds calls."""

    def function(self, expression: syntax.Function, place: Place) -> BoundScalar:
        name = self._name(expression)
        if expression.within:
            return self._within_group(name, expression, place)
        if name in OF_ONE and expression.over is None and len(expression.arguments) == 1:
            return self.scalar(OF_ONE[name](expression), place)
        if expression.over is not None:
            return self._window(name, expression, expression.over, place)
        if name in FUNCTIONS and not overload.is_aggregate(name):
            raise WrongObjectType(f"window function {name} requires an OVER clause", position=expression.at)
        if overload.is_aggregate(name):
            return self._aggregate(name, expression, place)
        for given, what in (
            (expression.star, "(*)"),
            (expression.distinct, "DISTINCT"),
            (expression.filter is not None, "FILTER"),
            (expression.order, "ORDER BY"),
        ):
            if given:
                raise WrongObjectType(
                    f"{what} specified, but {name} is not an aggregate function", position=expression.at
                )
        match name:
            case "coalesce":
                return self._coalesce(expression, place)
            case "nullif":
                return self._nullif(expression, place)
            case "grouping":
                return self._grouping(expression, place)
            case _:
                return self._plain(name, expression, place)

    @staticmethod
    def _name(expression: syntax.Function) -> str:
        *schema, name = expression.name.parts
        if schema and schema[0] not in SYSTEM_SCHEMAS:
            raise UndefinedFunction(f"function {expression.name} does not exist", position=expression.at)
        return name

    def _plain(self, name: str, expression: syntax.Function, place: Place) -> BoundScalar:
        arguments = [self.scalar(argument, place) for argument in expression.arguments]
        session = SESSION_FUNCTIONS.get(name)
        if session is not None and not arguments:
            self.unsettled = True
            return Call(session, (), session.result)
        if overload.is_table_function(name) and not overload.is_function(name):
            if not place.rows:
                raise Unsupported(
                    f"set-returning functions are not allowed in {place.clause}", position=expression.at,
                    hint=f"Write FROM ..., LATERAL {name}(...).",
                )  # fmt: skip
            table, given = self.table_function(name, expression, arguments)
            return located(expression.at, yielding, table, given)
        made = located(expression.at, call, name, *arguments)
        self.unsettled = self.unsettled or (isinstance(made, Call) and made.function.volatile)
        return made

    def table_function(
        self, name: str, expression: syntax.Function, arguments: Sequence[BoundScalar]
    ) -> tuple[TableFunction, tuple[BoundScalar, ...]]:
        """The overload for these arguments, and the arguments cast to its parameters."""
        found, parameters = located(
            expression.at, overload.resolve_table_function, name, [argument.type for argument in arguments],
            [argument.value if isinstance(argument, Literal) else None for argument in arguments],
        )  # fmt: skip
        if found.through is not None:
            self.unsettled = True
            return found, (located(expression.at, call, found.through, *arguments),)
        return found, tuple(
            located(node.at, cast, scalar, parameter, CastContext.IMPLICIT)
            for node, scalar, parameter in zip(expression.arguments, arguments, parameters, strict=True)
        )

    def _coalesce(self, expression: syntax.Function, place: Place) -> BoundScalar:
        nodes = expression.arguments
        if not nodes:
            raise UndefinedFunction("coalesce needs at least one argument", position=expression.at)
        scalars = [self.scalar(node, place) for node in nodes]
        common, unified = self.unified(nodes, scalars, "COALESCE", expression.at)
        return Coalesce(tuple(unified), common)  # pyright: ignore[reportArgumentType]

    def _nullif(self, expression: syntax.Function, place: Place) -> BoundScalar:
        if len(expression.arguments) != 2:
            raise UndefinedFunction("nullif needs two arguments", position=expression.at)
        left, right = (self.scalar(argument, place) for argument in expression.arguments)
        equal = located(expression.at, call, "=", left, right)
        value = settled(left)
        branch = (equal, Literal(None, value.type))
        return Case((branch,), value, value.type)  # pyright: ignore[reportArgumentType]

    def _aggregate(self, name: str, expression: syntax.Function, place: Place) -> BoundScalar:
        """The column of an aggregate: of this query, or of the one around it whose columns alone it reads."""
        made = self.aggregate_call(name, expression, Place(place.scope, "aggregate", None, {}))
        level = level_of(made)
        aggregates, clause, width = place.aggregates, place.clause, 0
        if level:
            around = place.scope.around
            for _ in range(level - 1):
                assert around.outer is not None
                around = around.outer.around
            assert around.outer is not None
            aggregates, clause, width = around.aggregates, around.clause, around.outer.width
            made = map_call(made, lambda scalar: outward(scalar, level))
        if aggregates is None:
            nested = clause == "aggregate"
            refused = "function calls cannot be nested" if nested else f"functions are not allowed in {clause}"
            raise GroupingError(f"aggregate {refused}", position=expression.at)
        if made not in aggregates:
            aggregates.append(made)
        index, found = aggregates.index(made), made.overload
        nullable = found.kind not in COUNTS
        if level:
            return Outer(level, width + index, found.result, nullable)
        return Slot(index, found.result, nullable)  # pyright: ignore[reportReturnType]

    def _within_group(self, name: str, expression: syntax.Function, place: Place) -> BoundScalar:
        """An ordered-set aggregate, or a hypothetical-set one."""
        for given, refused in (
            (expression.over is not None, f"OVER is not supported for ordered-set aggregate {name}"),
            (expression.distinct, "cannot use DISTINCT with WITHIN GROUP"),
            (expression.order, "cannot use multiple ORDER BY clauses with WITHIN GROUP"),
        ):
            if given:
                raise WrongObjectType(refused, position=expression.at)
        for node in expression.arguments:
            if not _of_no_row(self.scalar(node, Place(place.scope, "aggregate", None, {}))):
                raise GroupingError(f"the arguments of {name} before WITHIN GROUP must be constants", position=node.at)
        if name in HYPOTHETICAL:
            if len(expression.arguments) != len(expression.within):
                raise UndefinedFunction(
                    f"{name} needs as many arguments as there are expressions in WITHIN GROUP (ORDER BY ...)",
                    position=expression.at,
                )
            return self.scalar(hypothetical(name, expression), place)
        if not overload.is_aggregate(name) or AGGREGATES[name][0].kind not in ORDERED_SET:
            raise WrongObjectType(
                f"{name} is not an ordered-set aggregate, so it cannot have WITHIN GROUP", position=expression.at
            )
        return self._aggregate(name, expression, place)

    def _grouping(self, expression: syntax.Function, place: Place) -> BoundScalar:
        """GROUPING(a, b): a bit for each argument, the last one's lowest, set where the row is not grouped by it."""
        if place.aggregates is None:
            raise GroupingError(f"grouping operations are not allowed in {place.clause}", position=expression.at)
        if not 1 <= len(expression.arguments) <= 31:
            raise InvalidParameter("GROUPING must have 1 to 31 arguments", position=expression.at)
        inside = Place(place.scope, "GROUPING", None, place.used)
        given = tuple(self.typed(node, inside) for node in expression.arguments)
        if given not in place.groupings:
            place.groupings.append(given)
        return GroupingSlot(place.groupings.index(given))  # pyright: ignore[reportReturnType]

    def aggregate_call(self, name: str, expression: syntax.Function, place: Place) -> AggregateCall:
        if AGGREGATES[name][0].kind in ORDERED_SET and not expression.within:
            raise WrongObjectType(f"WITHIN GROUP is required for ordered-set aggregate {name}", position=expression.at)
        nodes = (*(item.expression for item in expression.within), *expression.arguments)
        arguments = [self.scalar(node, place) for node in nodes]
        if expression.star and name != "count":
            raise UndefinedFunction(f"function {name}() does not exist", position=expression.at)
        if not (arguments or expression.star):
            raise WrongObjectType(
                f"{name}(*) must be used to call a parameterless aggregate function", position=expression.at
            )
        found, parameters = located(
            expression.at, overload.resolve_aggregate, name, [argument.type for argument in arguments]
        )
        given = tuple(
            settled(scalar)
            if parameter == types.ANY
            else located(node.at, cast, scalar, parameter, CastContext(found.kind is KEYS and parameter == types.TEXT))
            for node, scalar, parameter in zip(nodes, arguments, parameters, strict=True)
        )
        condition = None if expression.filter is None else self.boolean(expression.filter, place, "FILTER")
        order = tuple(
            (
                as_key(self.typed(item.expression, place)),
                item.descending,
                item.descending if item.nulls_first is None else item.nulls_first,
            )
            for item in expression.order
        )
        for item in expression.within:
            first = item.descending if item.nulls_first is None else item.nulls_first
            counted = found.kind is Kind.MODE or ordered_by_key(given[0].type)
            by = as_key(given[0]) if counted else given[0]
            order = ((by, item.descending, first),)
        if expression.distinct:
            given = located(expression.at, told_apart, found, given)
        return as_first(AggregateCall(found, given, expression.distinct, condition, order))


def _of_no_row(scalar: BoundScalar) -> bool:
    """Whether a value is the same for all rows of the query."""
    return isinstance(scalar, Literal | Call | Case | Coalesce | Logic | Outer) and all(map(_of_no_row, parts(scalar)))


def as_first(made: AggregateCall) -> AggregateCall:
    """last_value, arg_min and arg_max as the first value in an order that says the same; min and max too of what is not
    ordered as it stands."""
    kind = made.overload.kind
    if kind in OF_EXTREME and made.arguments[0].type.nesting is not None and ordered_by_key(made.arguments[0].type):
        kind = OF_EXTREME[kind]
        made = replace(made, arguments=(made.arguments[0], as_key(made.arguments[0])), distinct=False)
    if kind is not Kind.LAST and kind not in EXTREME_ROWS:
        return made
    value, *by = made.arguments
    order = made.order
    if kind is Kind.LAST:
        order = tuple((scalar, not descending, not nulls_first) for scalar, descending, nulls_first in order)
    condition = made.filter
    for scalar in by:
        order = ((scalar, EXTREME_ROWS[kind], False), *order)
        known = [call("is_not_null", part) for part in (value, scalar)]
        tests = [test for test in (condition, *known) if test is not None]
        condition = Logic(True, tuple(tests))  # pyright: ignore[reportArgumentType]: bound scalars nest
    overload = replace(made.overload, kind=Kind.FIRST, parameters=made.overload.parameters[:1])
    return AggregateCall(overload, (value,), made.distinct, condition, order)
