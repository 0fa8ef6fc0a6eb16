"""Evaluation against a Python interpreter that takes one row at a time and raises where PostgreSQL would."""

import operator
from concurrent.futures import ThreadPoolExecutor
from itertools import product

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from engine import types
from engine.collection.heap import DECIMAL_TAG
from engine.collection.value import Value
from engine.collection.vector import Vector
from engine.expr.evaluate import compile, evaluate
from engine.expr.overload import call
from engine.expr.scalar import Call, Case, Coalesce, Literal, Logic, Ref, Scalar
from tests.expr.evaluating import Bench, ref, typed

INT, BOOL, TEXT = types.INTEGER, types.BOOLEAN, types.TEXT
COLUMNS = (INT, INT, BOOL, TEXT)


class Failed(Exception):
    pass


def quotient(a: int, b: int) -> int:
    if b == 0:
        raise Failed("22012 division by zero")
    return ranged(abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1))


def ranged(value: int) -> int:
    if not -(1 << 31) <= value < 1 << 31:
        raise Failed("22003 integer out of range")
    return value


ORACLE = {
    "+": lambda a, b: ranged(a + b),
    "-": lambda a, b: ranged(a - b),
    "*": lambda a, b: ranged(a * b),
    "/": quotient,
    "<": operator.lt,
    "=": operator.eq,
    "||": operator.add,
    "length": len,
    "not": operator.not_,
    "substr": lambda text, start: text[max(0, start - 1) :],
}


def interpret(expression: Scalar, row: tuple[Value, ...]) -> Value:
    match expression:
        case Ref():
            return row[expression.index]
        case Literal():
            return expression.value
        case Call() if expression.function.name == "is_null":
            return interpret(expression.arguments[0], row) is None
        case Call() if expression.function.name == "is_distinct_from":
            a, b = (interpret(argument, row) for argument in expression.arguments)
            return a != b
        case Call():
            given = [interpret(argument, row) for argument in expression.arguments]
            return None if None in given else ORACLE[expression.function.name](*given)
        case Case():
            for condition, result in expression.branches:
                if interpret(condition, row):
                    return interpret(result, row)
            return interpret(expression.otherwise, row)
        case Coalesce():
            return next((v for a in expression.arguments if (v := interpret(a, row)) is not None), None)
        case Logic():
            found: Value = expression.conjunction
            for argument in expression.arguments:
                value = interpret(argument, row)
                if value is (not expression.conjunction):
                    return value
                found = None if value is None else found
            return found


def expected(expression: Scalar, row: tuple[Value, ...]) -> object:
    try:
        return interpret(expression, row)
    except Failed as error:
        return (str(error),)


integers = st.one_of(st.none(), st.integers(-3, 3), st.sampled_from([-(1 << 31), (1 << 31) - 1]))
booleans = st.one_of(st.none(), st.booleans())
texts = st.one_of(st.none(), st.text("aé", max_size=3))
rows = st.lists(st.tuples(integers, integers, booleans, texts), max_size=12)


def expressions(kind: types.SqlType, depth: int) -> st.SearchStrategy[Scalar]:
    values = {INT: integers, BOOL: booleans, TEXT: texts}[kind]
    leaves = st.one_of(
        st.sampled_from([Ref(i, column) for i, column in enumerate(COLUMNS) if column == kind]),
        values.map(lambda value: Literal(value, kind)),
    )
    if depth == 0:
        return leaves
    number, truth, text = (expressions(k, depth - 1) for k in (INT, BOOL, TEXT))
    same = {INT: number, BOOL: truth, TEXT: text}[kind]
    nodes = [
        st.builds(lambda a, b, c, d, e: Case(((a, b), (c, d)), e, kind), truth, same, truth, same, same),
        st.builds(lambda a, b, c: Coalesce((a, b, c), kind), same, same, same),
    ]
    if kind == INT:
        nodes.append(st.builds(call, st.sampled_from("+-*/"), number, number))
        nodes.append(st.builds(lambda a: call("length", a), text))
    elif kind == TEXT:
        nodes.append(st.builds(lambda a, b: call("||", a, b), text, text))
        nodes.append(st.builds(lambda a, b: call("substr", a, b), text, number))
    else:
        nodes.append(st.builds(call, st.sampled_from("<="), number, number))
        nodes.append(st.builds(lambda c, a, b, d: Logic(c, (a, b, d)), st.booleans(), truth, truth, truth))
        nodes.append(st.builds(lambda a: call("not", a), truth))
        nodes.append(st.builds(lambda a: call("is_null", a), number))
        nodes.append(st.builds(lambda a, b: call("is_distinct_from", a, b), number, number))
    return st.one_of(leaves, *nodes)


@given(st.sampled_from([INT, BOOL, TEXT]).flatmap(lambda kind: expressions(kind, 3)), rows)
def test_equals_the_interpreter(expression, table):
    bench = Bench()
    columns = [([row[i] for row in table], kind) for i, kind in enumerate(COLUMNS)]
    assert bench.results(expression, columns) == [expected(expression, row) for row in table]
    if not expression.fallible:
        assert not any(isinstance(expected(expression, row), tuple) for row in table)
    if not expression.nullable:
        assert None not in [expected(expression, row) for row in table]


@given(st.sampled_from([INT, BOOL, TEXT]).flatmap(lambda kind: expressions(kind, 2)), rows.filter(bool))
def test_rows_do_not_see_each_other(expression, table):
    bench = Bench()
    run = compile(expression, bench.context)
    columns = [bench.column([row[i] for row in table], kind) for i, kind in enumerate(COLUMNS)]
    whole = run(columns, len(table))
    for i in range(len(table)):
        row = np.array([i])
        one = run([column.take(row) for column in columns], 1)
        assert one.words[0] == whole.words[i]
        assert (one.nulls is not None and one.nulls[0]) == (whole.nulls is not None and whole.nulls[i])
        assert (0 if one.errors is None else one.errors[0]) == (0 if whole.errors is None else whole.errors[i])


def test_three_valued_logic_whatever_the_order():
    bench = Bench()
    triples = list(product([True, False, None], repeat=3))
    columns = [([triple[i] for triple in triples], BOOL) for i in range(3)]
    for conjunction in (True, False):
        expression = Logic(conjunction, tuple(ref(i, BOOL) for i in range(3)))
        assert bench.results(expression, columns) == [interpret(expression, triple) for triple in triples]


def test_a_guard_protects_what_it_guards():
    bench = Bench()
    x = ref(0, INT)
    quotient = call("/", Literal(10, INT), x)
    guarded = [
        Case(((call("<>", x, Literal(0, INT)), quotient),), Literal(0, INT), INT),
        Coalesce((Case(((call("=", x, Literal(0, INT)), Literal(0, INT)),), Literal(None, INT), INT), quotient), INT),
    ]
    for expression in guarded:
        assert bench.results(expression, [([5, 0, 2], INT)]) == [2, 0, 5]
    both = Logic(True, (call("<>", x, Literal(0, INT)), call(">", quotient, Literal(2, INT))))
    assert bench.results(both, [([5, 0, 2], INT)]) == [False, False, True]


def test_a_null_argument_never_makes_an_error():
    bench = Bench()
    quotient = call("/", ref(0, INT), ref(1, INT))
    assert bench.results(quotient, [([1, None, 6], INT), ([None, 0, 0], INT)]) == [
        None, None, ("22012 division by zero",)
    ]  # fmt: skip
    parsed = typed(None, INT)
    assert bench.value(parsed) is None


def test_an_error_of_an_argument_is_the_rows_error():
    bench = Bench()
    inner = call("/", Literal(1, INT), ref(0, INT))
    table = [([0, 1], INT)]
    failed = ("22012 division by zero",)
    assert bench.results(call("+", inner, Literal(None, INT)), table) == [failed, None]
    assert bench.results(call("is_null", inner), table) == [failed, False]
    assert bench.results(call("greatest", inner, Literal(None, INT)), table) == [failed, 1]
    assert bench.results(Coalesce((inner, Literal(7, INT)), INT), table) == [failed, 1]
    assert bench.results(Case(((call("=", inner, Literal(1, INT)), inner),), Literal(9, INT), INT), table) == [
        failed,
        1,
    ]


def test_no_rows():
    bench = Bench()
    for expression in (call("+", ref(0, INT), ref(0, INT)), call("||", ref(1, TEXT), ref(1, TEXT)),
                       Case(((call("=", ref(0, INT), ref(0, INT)), ref(0, INT)),), ref(0, INT), INT),
                       call("date_trunc", typed("day", TEXT), typed("2020-01-01", types.TIMESTAMP))):  # fmt: skip
        assert bench.results(expression, [([], INT), ([], TEXT)]) == []


def test_literals_are_marked_once_for_the_sweep():
    bench = Bench()
    expression = call("||", Literal("abc", TEXT), ref(0, TEXT))
    compiled = compile(expression, bench.context)
    assert [bench.context.heap.get(int(code)) for code in compiled.codes] == [b"abc"]
    wide = typed("123456789012345678901234567890", types.NUMERIC)
    (code,) = compile(wide, bench.context).codes.tolist()
    word = int(evaluate(wide, (), 1, bench.context).words[0])
    assert word == code | int(DECIMAL_TAG)
    assert len(compile(typed("1.5", types.NUMERIC), bench.context).codes) == 0


def test_compiled_expressions_may_run_in_several_threads():
    bench = Bench()
    run = compile(call("+", ref(0, INT), Literal(1, INT)), bench.context)

    def many(n: int) -> bool:
        column = Vector(np.arange(n, dtype=np.uint64))
        return all((run([column], n).words == np.arange(1, n + 1)).all() for _ in range(200))

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(many, [3, 1000, 1, 64, 7]))


def test_columns_read():
    expression = Case(((call("=", ref(3, INT), ref(1, INT)), ref(2, INT)),), Literal(0, INT), INT)
    assert expression.reads == {1, 2, 3}
