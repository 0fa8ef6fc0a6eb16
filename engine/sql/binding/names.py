"""What an output column is called when no alias says so: PostgreSQL's FigureColname (parse_target.c)."""

from typing import Final

from engine import types
from engine.sql import syntax
from engine.sql.syntax import Expression

INTERNAL: Final = {
    types.BOOLEAN: "bool", types.SMALLINT: "int2", types.INTEGER: "int4", types.BIGINT: "int8", types.REAL: "float4",
    types.DOUBLE: "float8", types.VARCHAR: "varchar", types.CHAR: "bpchar", types.TIMESTAMPTZ: "timestamptz",
}  # fmt: skip
"""Types whose name in the catalog of PostgreSQL is not the one that SQL has."""

NOTHING: Final = "?column?"


def output_name(expression: Expression) -> str:
    """The name of an output column."""
    return _named(expression)[0] or NOTHING


def _named(expression: Expression) -> tuple[str, int]:
    """The name and how well it fits: 2 for a name of the expression itself, 1 for a type's or a keyword's, 0 none."""
    match expression:
        case syntax.ColumnName():
            return expression.parts[-1], 2
        case syntax.Function():
            return expression.name.parts[-1], 2
        case syntax.Field():
            return expression.name, 2
        case syntax.Subscript():
            return _named(expression.operand)
        case syntax.Cast():
            name, strength = _named(expression.operand)
            if strength > 1:
                return name, strength
            found = types.ALIASES.get(expression.type.name)
            return (INTERNAL.get(found, found.name) if found else expression.type.name), 1
        case syntax.Case():
            name, strength = _named(expression.otherwise) if expression.otherwise is not None else ("", 0)
            return (name, strength) if strength > 1 else ("case", 1)
        case syntax.Subquery():
            return _of_query(expression.query), 2
        case syntax.Exists():
            return "exists", 2
        case syntax.Array() | syntax.ArrayQuery():
            return "list" if expression.list else "array", 2
        case syntax.Row():
            return "row", 2
        case syntax.Map() | syntax.MapQuery():
            return "map", 2
        case _:
            return "", 0


def _of_query(query: syntax.Query) -> str:
    """The name of a subquery's first column."""
    body = query.body
    while not isinstance(body, syntax.Select | syntax.Values | syntax.Show):
        body = body.left if isinstance(body, syntax.SetOperation) else body.query.body
    if isinstance(body, syntax.Values):
        return "column1"
    if isinstance(body, syntax.Show):
        return "name"
    if not body.items:
        return ""
    item = body.items[0]
    return item.alias or _named(item.expression)[0]
