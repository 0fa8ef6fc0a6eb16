"""Some 15,600 calls and casts whose answers PostgreSQL 15.18 gave: value and type, or SQLSTATE.

postgres.jsonl holds those that Tailrace answers alike: numeric without trailing zeros, jsonb without blanks, decimals
to 14 digits. deviations.jsonl holds the others, with both answers: Materialize has no elements of JSON scalars; upper()
knows more letters than the C locale.
"""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from engine import types
from engine.collection.heap import Heap
from engine.collection.words import vector_of
from engine.errors import SqlError
from engine.expr.evaluate import Context, evaluate
from engine.expr.functions.text_casts import to_text
from engine.expr.overload import call, cast
from engine.expr.scalar import Literal, Ref, Scalar
from engine.types import SqlType

HERE = Path(__file__).parent
CONTEXT = Context(Heap())


def rows(name: str) -> list[list]:
    return [json.loads(line) for line in (HERE / name).read_text().splitlines()]


def type_of(spelled: str) -> SqlType:
    name, modifier = re.fullmatch(r"([a-z0-9_ ]+)(?:\(([\d,]+)\))?", spelled).groups()
    plain = types.UNKNOWN if name == "unknown" else types.ALIASES[name]
    return replace(plain, modifier=tuple(map(int, modifier.split(",")))) if modifier else plain


def expression_of(name: str, arguments: list) -> Scalar:
    given = [
        Literal(text, types.UNKNOWN) if kind == "unknown" else cast(Literal(text, types.UNKNOWN), type_of(kind))
        for text, kind in arguments
    ]
    return cast(given[0], type_of(name[2:])) if name.startswith("::") else call(name, *given)


def answer(name: str, arguments: list) -> list:
    try:
        expression = expression_of(name, arguments)
    except SqlError as error:
        return ["!", error.sqlstate]
    vector = evaluate(expression, (), 1, CONTEXT)
    if vector.errors is not None and vector.errors[0]:
        return ["!", CONTEXT.heap.get(int(vector.errors[0])).decode().split(" ")[0]]
    return ["=", to_text(vector, expression.type.plain, CONTEXT)[0].as_py(), expression.type.plain.name]


@pytest.mark.parametrize("file", ["postgres.jsonl", "deviations.jsonl"])
def test_answers(file):
    wrong = []
    for name, *rest in rows(file):
        arguments = [part for part in rest if part[0] not in ("=", "!", "postgres")]
        expected = next(part for part in rest if part[0] in ("=", "!"))
        if file == "postgres.jsonl":
            arguments, expected = rest[:-1], rest[-1]
        found = answer(name, arguments)
        if found != expected:
            wrong.append((name, arguments, expected, found))
    assert wrong == []


def test_evaluation_of_many_rows_is_evaluation_of_each():
    """The vectorised paths and the one-row paths agree: all arguments of one call signature as columns."""
    by_signature: dict[tuple, list[list]] = {}
    for name, *rest in rows("postgres.jsonl"):
        arguments, expected = rest[:-1], rest[-1]
        kinds = tuple(kind for _, kind in arguments)
        if expected[0] == "=" and "unknown" not in kinds and name != "extract":
            by_signature.setdefault((name, kinds), []).append([arguments, expected])
    for (name, _), cases in by_signature.items():
        cases = cases * 5
        found = many(name, [arguments for arguments, _ in cases])
        assert found == [expected[1] for _, expected in cases], name


def many(name: str, calls: list[list]) -> list[str | None]:
    literals = [[cast(Literal(text, types.UNKNOWN), type_of(kind)) for text, kind in arguments] for arguments in calls]
    columns = [vector_of([row[i].value for row in literals], literals[0][i].type, CONTEXT.heap)
               for i in range(len(literals[0]))]  # fmt: skip
    refs = [Ref(i, literal.type) for i, literal in enumerate(literals[0])]
    expression = cast(refs[0], type_of(name[2:])) if name.startswith("::") else call(name, *refs)
    vector = evaluate(expression, columns, len(calls), CONTEXT)
    assert vector.errors is None or not vector.errors.any()
    return to_text(vector, expression.type.plain, CONTEXT).to_pylist()
