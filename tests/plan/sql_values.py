"""Scalars in plain Python: the few functions that the planner's tests use, with SQL's NULLs and errors.

They carry no kernel: these tests are about plans, and evaluate them with dictionaries.
"""

from collections.abc import Callable, Mapping

from engine.expr.overload import call as expression
from engine.expr.scalar import Call, Case, Coalesce, Literal, Logic, Ref, Scalar


class EvaluationError(Exception):
    """A row failed to evaluate."""


def divide(left: int, right: int) -> int:
    if right == 0:
        raise EvaluationError("division by zero")
    return int(left / right)


STRICT: Mapping[str, Callable[..., object]] = {
    "=": lambda a, b: a == b,
    "<>": lambda a, b: a != b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
    "+": lambda a, b: a + b,
    "/": divide,
    "not": lambda a: not a,
}


def fail_if_many(count: int) -> None:
    if count > 1:
        raise EvaluationError("more than one row")


def call(name: str, *arguments: Scalar) -> Call:
    return expression(name, *arguments)


def evaluate(scalar: Scalar, row: tuple) -> object:
    """The value over a row of values; every other node type is the caller's."""
    match scalar:
        case Ref():
            return row[scalar.index]
        case Literal():
            return scalar.value
        case Case():
            for condition, result in scalar.branches:
                if evaluate(condition, row) is True:
                    return evaluate(result, row)
            return evaluate(scalar.otherwise, row)
        case Coalesce():
            for argument in scalar.arguments:
                value = evaluate(argument, row)
                if value is not None:
                    return value
            return None
        case Logic():
            deciding = not scalar.conjunction
            unknown = False
            for argument in scalar.arguments:
                value = evaluate(argument, row)
                if value is deciding:
                    return deciding
                unknown |= value is None
            return None if unknown else not deciding
        case Call() if scalar.function.name == "fails":
            try:
                evaluate(scalar.arguments[0], row)
            except EvaluationError:
                return True
            return False
        case Call():
            return apply(scalar.function.name, [evaluate(argument, row) for argument in scalar.arguments])
    raise AssertionError(scalar)


def apply(name: str, values: list) -> object:
    if name == "is_null":
        return values[0] is None
    if name == "is_not_null":
        return values[0] is not None
    if name == "is_not_distinct_from":
        return values[0] == values[1]
    if name == "is_not_true":
        return values[0] is not True
    if any(value is None for value in values):
        return None
    if name == "error_if_many":
        return fail_if_many(values[0])
    return STRICT[name](*values)


def order_key(value: object, descending: bool, nulls_first: bool) -> tuple:
    """A sort key for integers and booleans."""
    if value is None:
        return (-1 if nulls_first else 1, 0)
    return (0, -value if descending else value)  # type: ignore[operator]


def aggregate(kind_name: str, rows: list[tuple[tuple, int]]) -> object:
    """count(*), count, sum, min, max, bool_or over argument tuples with counts."""
    if kind_name == "COUNT_ROWS":
        return sum(count for _, count in rows)
    values = [(arguments[0], count) for arguments, count in rows if arguments[0] is not None]
    if kind_name == "COUNT":
        return sum(count for _, count in values)
    if not values:
        return None
    match kind_name:
        case "SUM":
            return sum(value * count for value, count in values)
        case "MIN":
            return min(value for value, _ in values)
        case "MAX":
            return max(value for value, _ in values)
        case "BOOL_OR":
            return any(value for value, _ in values)
        case "BOOL_AND":
            return all(value for value, _ in values)
    raise AssertionError(kind_name)
