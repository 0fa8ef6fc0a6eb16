"""docs/functions.md from the registry: `python -m engine.expr.functions.document > docs/functions.md`."""

from collections.abc import Iterable, Iterator, Sequence

from engine import types
from engine.expr import window
from engine.expr.aggregate import AGGREGATES, COMPOSED, HYPOTHETICAL, Kind
from engine.expr.functions.families import FAMILIES, TABLE_FUNCTIONS
from engine.expr.overload import TAKES_JSON
from engine.expr.registry import Function, Generic
from engine.expr.table import GenericTable, TableFunction
from engine.types import Category, SqlType, cast_context

OVERLOADS_SHOWN_MAX = 6
"""More overloads than this differ in nothing but the type: the types are listed instead."""

HEAD = """# Functions, operators, aggregates and casts

Written by `python -m engine.expr.functions.document` from the tables that resolve calls; a test holds it to them.
`x`, `y`, `z` are the arguments in order. Unless its text says otherwise a function of a NULL is NULL. Overloads are
chosen by PostgreSQL's rules (its manual, chapter 10).
"""


def document() -> str:
    """The whole page."""
    parts = [HEAD]
    for family, rows in FAMILIES.items():
        parts.append(f"\n## {family}\n\n| call | result | |\n|---|---|---|\n")
        parts.extend(_function_lines(rows))
    parts.append("\n## Lazy forms\n\n" + LAZY)
    parts.append("\n## Table functions\n\n| call | columns | |\n|---|---|---|\n")
    parts.extend(_table_lines(row for rows in TABLE_FUNCTIONS.values() for row in rows))
    parts.append("\n## Aggregates\n\nNULLs are not counted in, except by `count(*)` and the JSON aggregates.\n\n")
    parts.append("| call | result | |\n|---|---|---|\n")
    parts.extend(_aggregate_lines())
    parts.append("\n## Window functions\n\n" + WINDOWS_HEAD)
    parts.extend(_window_lines())
    parts.append("\n## Casts\n\n" + CASTS_HEAD)
    parts.extend(_cast_lines())
    return "".join(parts)


LAZY = """| form | |
|---|---|
| `CASE WHEN c THEN x ... ELSE y END` | the result of the first true condition; the others are not evaluated |
| `COALESCE(x, ...)` | the first argument that is not NULL; later ones are not evaluated |
| `x AND y`, `x OR y` | in three values; `y` is not evaluated where `x` decides |
"""

WINDOWS_HEAD = """\
With `OVER (PARTITION BY ... ORDER BY ... frame)`, as has every aggregate above. Peers are rows equal in the
ORDER BY columns; ties are broken by the whole row's content. `lag`, `lead`, `first_value`, `last_value` and `nth_value`
take `IGNORE NULLS`.

| call | result | |
|---|---|---|
"""

CASTS_HEAD = """`i`: implicit, anywhere; `a`: on assignment to a column; `e`: only as `CAST(x AS t)`.
Rounding is half away from zero from numeric and half to even from floats; what does not fit is an error.

"""


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _code(text: str) -> str:
    """In a code span of a table, where a bar ends the cell."""
    return f"`{_cell(text)}`"


def _call(name: str, parameters: Sequence[str], variadic: bool = False) -> str:
    if name[0].isalpha() or name[0] == "_":
        return f"{name}({', '.join(parameters)}{', ...' if variadic else ''})"
    return f"{name} {parameters[0]}" if len(parameters) == 1 else f"{parameters[0]} {name} {parameters[1]}"


def _function_lines(rows: Iterable[Function | Generic]) -> Iterator[str]:
    grouped: dict[tuple[str, int, str], list[Function | Generic]] = {}
    for row in rows:
        grouped.setdefault((row.name, len(row.parameters), row.doc), []).append(row)
    for (name, count, doc), overloads in grouped.items():
        if len(overloads) > OVERLOADS_SHOWN_MAX:
            kinds = dict.fromkeys(str(row.parameters[0]) for row in overloads)
            results = dict.fromkeys(_result(row) for row in overloads)
            result = results.popitem()[0] if len(results) == 1 else "the wider type"
            yield f"| {_code(_call(name, ('x', 'y')[:count]))} | {result} | {_cell(doc)}; for {', '.join(kinds)} |\n"
            continue
        calls = [
            _code(_call(name, [str(p) for p in row.parameters], isinstance(row, Generic) and row.variadic))
            for row in overloads
        ]
        results = dict.fromkeys(_result(row) for row in overloads)
        yield f"| {'<br>'.join(calls)} | {', '.join(results)} | {_cell(doc)} |\n"


def _result(row: Function | Generic) -> str:
    return str(row.result)


def _table_lines(rows: Iterable[TableFunction | GenericTable]) -> Iterator[str]:
    for row in rows:
        columns = ", ".join(f"{column.name} {column.type}" for column in row.columns)
        yield f"| {_code(_call(row.name, [str(p) for p in row.parameters]))} | {columns} | {_cell(row.doc)} |\n"


def _aggregate_lines() -> Iterator[str]:
    for name, overloads in AGGREGATES.items():
        if all(row.parameters == (row.result,) for row in overloads):
            taken = ", ".join(str(row.result) for row in overloads)
            yield f"| `{name}(x)` | the type of x | {overloads[0].doc}; for {taken} |\n"
            continue
        grouped: dict[tuple[SqlType, str], list[str]] = {}
        for row in overloads:
            given = ["any" if p == types.JSONB and row.kind in TAKES_JSON else str(p) for p in row.parameters]
            shown = "*" if row.kind is Kind.COUNT_ROWS else ", ".join(given)
            grouped.setdefault((row.result, row.doc), []).append(f"`{name}({shown})`")
        for (result, doc), calls in grouped.items():
            yield f"| {'<br>'.join(calls)} | {result} | {doc} |\n"
    for name, doc in COMPOSED.items():
        result = "text" if name == "concat_agg" else "bigint" if "count" in name else "boolean"
        yield f"| `{name}(x)` | {'the type of x' if name == 'any_value' else result} | {doc} |\n"
    for name, (result, doc) in HYPOTHETICAL.items():
        yield f"| `{name}(x) WITHIN GROUP (ORDER BY y)` | {result} | of a row with x among the rows: {doc} |\n"


def _window_lines() -> Iterator[str]:
    for kind, (arguments, result, doc) in window.DOCS.items():
        yield f"| `{kind.value}({arguments})` | {result} | {doc} |\n"


def _cast_lines() -> Iterator[str]:
    shown = [kind for kind in types.TYPES if kind.category is not Category.UNKNOWN]
    yield f"| from \\ to | {' | '.join(str(kind) for kind in shown)} |\n|---{'|---' * len(shown)}|\n"
    for source in shown:
        marks = []
        for target in shown:
            context = cast_context(source, target)
            marks.append("=" if source == target else "" if context is None else context.name[0].lower())
        yield f"| {source} | {' | '.join(marks)} |\n"


if __name__ == "__main__":
    print(document(), end="")
