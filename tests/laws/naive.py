"""What a plan means, said as plainly as possible: rows are Python tuples, a collection is a dict of row -> count.

No delta, no state, no sharing, no vector: this is the definition that the operators are held to.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from functools import cmp_to_key
from itertools import product
from typing import Final, assert_never

from hypothesis import assume

from engine.dataflow import graph
from engine.dataflow.graph import Plan
from engine.expr.aggregate import Kind
from engine.expr.functions.table import SERIES_ROWS_MAX
from engine.expr.scalar import Call, Case, Coalesce, Literal, Logic, Ref, Scalar, Value
from engine.expr.window import WindowCall
from tests.laws import naive_window

Row = tuple[Value, ...]
Rows = dict[Row, int]

INT64 = range(-(1 << 63), 1 << 63)

WINDOW_ROWS_MAX: Final = 1_000
"""In all. A frame looks at all rows for each row: joins of joins that have more are not looked at."""


class Failed(Exception):
    """A row that does not evaluate: the error's SQLSTATE and message."""


def meaning(plan: Plan, sources: Mapping[int, Rows], errors: Counter[str] | None = None) -> Rows:
    """The plan's rows over those of the sources; failed rows are counted in `errors` by their text."""
    errors = Counter() if errors is None else errors
    match plan:
        case graph.Source():
            return dict(sources[plan.id])
        case graph.Constant():
            return total((row, n) for row, n in plan.rows)
        case graph.Local():
            return dict(sources[plan])
        case graph.LetRec():
            return _fixed_point(plan, sources, errors)
        case graph.Mfp():
            return total(_each(plan, meaning(plan.input, sources, errors), errors))
        case graph.FlatMap():
            return total(_expand(plan, meaning(plan.input, sources, errors), errors))
        case graph.Join():
            return _join(plan, [meaning(child, sources, errors) for child in plan.inputs])
        case graph.Reduce():
            return _reduce(plan, meaning(plan.input, sources, errors), errors)
        case graph.Distinct():
            return {row: 1 for row, n in meaning(plan.input, sources, errors).items() if n > 0}
        case graph.Threshold():
            return {row: n for row, n in meaning(plan.input, sources, errors).items() if n > 0}
        case graph.TopK():
            return _topk(plan, meaning(plan.input, sources, errors))
        case graph.Window():
            return _window(plan, meaning(plan.input, sources, errors), errors)
        case graph.Union():
            children = [meaning(child, sources, errors) for child in plan.inputs]
            return total((row, n) for child in children for row, n in child.items())
        case graph.Negate():
            return {row: -n for row, n in meaning(plan.input, sources, errors).items()}
        case _:
            assert_never(plan)


def _fixed_point(plan: graph.LetRec, sources, errors) -> Rows:
    """Passes from empty variables, each set in order."""
    leaves = [*(meaning(child, sources, errors) for child in plan.inputs), *({} for _ in plan.variables)]
    first = len(plan.inputs)

    def inside(body, errors) -> Rows:
        known = {graph.Local(i, types): rows for i, (rows, types) in enumerate(zip(leaves, kinds, strict=True))}
        return meaning(body, {**sources, **known}, errors)

    kinds = [*map(graph.output_types, plan.inputs), *plan.variables]
    passes, changed = 0, True
    while changed and passes != plan.limit:
        changed, passes = False, passes + 1
        for k, body in enumerate(plan.bodies):
            rows = inside(body, Counter())
            changed = changed or rows != leaves[first + k]
            leaves[first + k] = rows
    for body in plan.bodies:
        inside(body, errors)
    return inside(plan.result, errors)


def total(changes) -> Rows:
    """Counts added by row; no row has count 0."""
    counts: dict[Row, int] = defaultdict(int)
    for row, n in changes:
        counts[row] += n
    return {row: n for row, n in counts.items() if n}


def _each(plan: graph.Mfp, rows: Rows, errors: Counter[str]):
    for row, n in rows.items():
        try:
            columns = list(row)
            for step in plan.steps:
                if isinstance(step, graph.Compute):
                    columns.append(scalar(step.expression, columns))
                elif scalar(step.predicate, columns) is not True:
                    break
            else:
                yield tuple(columns[c] for c in plan.project), n
        except Failed as failed:
            errors[str(failed)] += n


def _expand(plan: graph.FlatMap, rows: Rows, errors: Counter[str]):
    assert plan.function.name == "generate_series"
    for row, n in rows.items():
        try:
            arguments = [scalar(argument, row) for argument in plan.arguments]
        except Failed as failed:
            errors[str(failed)] += n
            continue
        if None not in arguments:
            start, stop = arguments
            if stop - start >= SERIES_ROWS_MAX:  # type: ignore[operator]
                errors["53400"] += n
                continue
            for value in range(start, stop + 1):  # type: ignore[arg-type]
                yield (*row, value), n


def _join(plan: graph.Join, inputs: list[Rows]) -> Rows:
    """The cross product, cut down to the rows that every lookup of the first path lets through."""
    widths = [len(next(iter(rows), ())) for rows in inputs]

    def met(combination: tuple[Row, ...]) -> bool:
        visited = combination[0]
        for lookup in plan.paths[0]:
            other = combination[lookup.input]
            strict = lookup.strict or (False,) * len(lookup.key)
            for s, k, never_null in zip(lookup.stream_key, lookup.key, strict, strict=True):
                if visited[s] != other[k] or (never_null and other[k] is None):
                    return False
            visited += other
        return True

    if not all(widths):
        return {}
    found = []
    for combination in product(*(rows.items() for rows in inputs)):
        rows = tuple(row for row, _ in combination)
        if met(rows):
            n = 1
            for _, m in combination:
                n *= m
            whole = tuple(value for row in rows for value in row)
            found.append((tuple(whole[c] for c in plan.project), n))
    return total(found)


def _reduce(plan: graph.Reduce, rows: Rows, errors: Counter[str]) -> Rows:
    groups: dict[Row, list[tuple[Row, int]]] = defaultdict(list)
    for row, n in rows.items():
        groups[tuple(row[c] for c in plan.key)].append((row, n))
    out: Rows = {}
    for key, members in groups.items():
        try:
            out[(*key, *(aggregate(a, members) for a in plan.aggregates))] = 1
        except Failed as failed:
            errors[str(failed)] += 1
    return out


def aggregate(call: graph.Aggregate, members: list[tuple[Row, int]]) -> Value:
    """One aggregate of one group; NULLs are not seen."""
    if call.kind is Kind.COUNT_ROWS:
        return sum(n for _, n in members)
    values = [(row[call.columns[0]], n) for row, n in members if row[call.columns[0]] is not None]
    match call.kind:
        case Kind.COUNT:
            return sum(n for _, n in values)
        case Kind.SUM:
            return sum(v * n for v, n in values) if values else None  # type: ignore[operator]
        case Kind.MIN:
            return min((v for v, _ in values), default=None)  # type: ignore[type-var]
        case Kind.MAX:
            return max((v for v, _ in values), default=None)  # type: ignore[type-var]
        case Kind.BOOL_AND:
            return all(v for v, _ in values) if values else None
        case Kind.BOOL_OR:
            return any(v for v, _ in values) if values else None
        case _:
            raise AssertionError(f"the random plans have no {call.kind}: it needs a rule here")


def _topk(plan: graph.TopK, rows: Rows) -> Rows:
    groups: dict[Row, list[tuple[Row, int]]] = defaultdict(list)
    for row, n in rows.items():
        groups[tuple(row[c] for c in plan.group)].append((row, n))
    out: Rows = {}
    for members in groups.values():
        members.sort(key=cmp_to_key(lambda a, b: compare(a[0], b[0], plan.order)))
        out.update(prefix(members, plan.order, plan.limit, plan.offset, plan.ties))
    return out


def prefix(
    members: Sequence[tuple[Row, int]], by: Sequence[graph.Order], limit: int | None, offset: int, ties: graph.Ties
) -> Rows:
    """Of a group's rows, which stand in order, those from `offset` on that `limit` allows."""
    out: Rows = {}
    at, first, groups = 0, 0, 0  # rows before this one, before its first peer; groups of peers before its own
    last: Row | None = None
    for row, n in members:
        values = tuple(row[order.column] for order in by)
        if last is not None and values != last:
            first, groups = at, groups + 1
        last = values
        begin, at = max(at, offset), at + n
        place = {
            graph.Ties.CUT: begin - offset,
            graph.Ties.WHOLE: max(first, offset) - offset,
            graph.Ties.COUNTED: groups,
        }
        kept = at - begin
        if limit is not None:
            left = limit - place[ties]
            kept = min(kept, left) if left <= 0 or ties is graph.Ties.CUT else kept
        if kept > 0:
            out[row] = kept
    return out


def _window(plan: graph.Window, rows: Rows, errors: Counter[str]) -> Rows:
    assume(sum(rows.values()) <= WINDOW_ROWS_MAX)
    groups: dict[Row, list[Row]] = defaultdict(list)
    for row, n in rows.items():
        groups[tuple(row[c] for c in plan.partition)] += [row] * n
    columns = [order.column for order in plan.order]
    out: Rows = {}
    for members in groups.values():
        members.sort(key=cmp_to_key(lambda a, b: compare(a, b, plan.order)))

        def stands_before(a: Value, b: Value) -> bool:
            (by,) = plan.order
            return compare((a,), (b,), (graph.Order(0, by.descending, by.nulls_first),)) < 0

        def aggregated(call: WindowCall, seen: list[Row]) -> Value:
            assert isinstance(call.kind, Kind)
            return aggregate(graph.Aggregate(call.kind, call.columns, call.type), [(row, 1) for row in seen])

        found = [naive_window.values(call, members, columns, stands_before, aggregated) for call in plan.calls]
        for row, values in zip(members, zip(*found, strict=True), strict=True):
            failed = next((value for value in values if isinstance(value, naive_window.NoValue)), None)
            if failed is not None:
                errors[str(failed)] += 1
            else:
                out[(*row, *values)] = out.get((*row, *values), 0) + 1
    return out


def compare(a: Row, b: Row, order: tuple[graph.Order, ...]) -> int:
    """By the ORDER BY columns, then by all columns, ascending and NULLs last."""
    for by in (*order, *map(graph.Order, range(len(a)))):
        x, y = a[by.column], b[by.column]
        if x != y:
            if x is None or y is None:
                return -1 if (x is None) == by.nulls_first else 1
            return (-1 if x < y else 1) * (-1 if by.descending else 1)  # type: ignore[operator]
    return 0


def scalar(expression: Scalar, row) -> Value:
    """The value of an expression over one row, three-valued; raises Failed."""
    match expression:
        case Ref():
            return row[expression.index]
        case Literal():
            return expression.value
        case Case():
            for condition, result in expression.branches:
                if scalar(condition, row) is True:
                    return scalar(result, row)
            return scalar(expression.otherwise, row)
        case Coalesce():
            values = (scalar(argument, row) for argument in expression.arguments)
            return next((value for value in values if value is not None), None)
        case Logic():
            decided, unknown = not expression.conjunction, False
            for argument in expression.arguments:
                value = scalar(argument, row)
                if value is decided:
                    return decided
                unknown = unknown or value is None
            return None if unknown else not decided
        case Call():
            return _call(expression.function.name, [scalar(argument, row) for argument in expression.arguments])
        case _:
            assert_never(expression)


def _call(name: str, arguments: list[Value]) -> Value:
    if name == "is_null":
        return arguments[0] is None
    if None in arguments:
        return None
    a, b = arguments
    match name:
        case "=":
            return a == b
        case "<":
            return a < b  # type: ignore[operator]
        case "+" | "/":
            assert isinstance(a, int)
            assert isinstance(b, int)
            if name == "/" and b == 0:
                raise Failed("22012 division by zero")
            value = a + b if name == "+" else abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)
            if value not in INT64:
                raise Failed("22003 bigint out of range")
            return value
        case _:
            raise AssertionError(f"the random plans have no {name}: it needs a rule here")
