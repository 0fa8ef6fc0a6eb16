"""Windows as operators. What is the same for all rows of a partition is a reduction that they meet, so that a change
which leaves it alone (most do: of min and max, of a sum that another row makes up for) touches no other row."""

from collections.abc import Callable, Sequence

from engine import types
from engine.dataflow import graph
from engine.dataflow.graph import Aggregate, Compute, Lookup, Plan
from engine.expr.aggregate import Kind as AggregateKind
from engine.expr.scalar import Case, Literal, Ref
from engine.expr.window import WindowCall
from engine.plan.relation import Window


def lower_filters(
    calls: Sequence[WindowCall], below: Plan, cons: Callable[[Plan], Plan]
) -> tuple[Plan, list[Aggregate]]:
    """Aggregates without FILTER, and what they are of: an argument is NULL, which none of them counts, in rows that do
    not pass."""
    row = graph.output_types(below)
    steps: list[Compute] = []
    aggregates: list[Aggregate] = []
    for call in calls:
        kind, columns = call.kind, call.columns
        assert isinstance(kind, AggregateKind)
        if call.filter is not None:
            if kind is AggregateKind.COUNT_ROWS:
                kind, columns = AggregateKind.COUNT, (call.filter,)
            value = Ref(columns[0], row[columns[0]])
            passing = ((Ref(call.filter, types.BOOLEAN), value),)
            columns = (len(row) + len(steps), *columns[1:])
            steps.append(Compute(Case(passing, Literal(None, value.type), value.type)))
        aggregates.append(Aggregate(kind, columns, call.type))
    if steps:
        below = cons(graph.Mfp(below, tuple(steps), tuple(range(len(row) + len(steps)))))
    return below, aggregates


def lower_window(relation: Window, below: Plan, cons: Callable[[Plan], Plan]) -> Plan:
    """The window over the operators of its input."""
    ordered, key = bool(relation.order), tuple(dict.fromkeys(relation.partition))
    shared = [i for i, call in enumerate(relation.calls) if call.of_partition(ordered)]
    if not shared:
        return cons(graph.Window(below, relation.partition, relation.order, relation.calls))
    own = [i for i in range(len(relation.calls)) if i not in shared]
    rows = below
    if own:
        rows = cons(graph.Window(below, relation.partition, relation.order, tuple(relation.calls[i] for i in own)))
    fed, aggregates = lower_filters([relation.calls[i] for i in shared], below, cons)
    reduced = cons(graph.Reduce(fed, key, tuple(aggregates)))
    arranged = tuple(sorted(key))
    places = tuple(key.index(column) for column in arranged)
    paths = (Lookup(1, arranged, places),), (Lookup(0, places, arranged),)
    width = len(graph.output_types(below))
    at = {i: width + place for place, i in enumerate(own)}
    at |= {i: width + len(own) + len(key) + place for place, i in enumerate(shared)}
    project = (*range(width), *(at[i] for i in range(len(relation.calls))))
    return cons(graph.Join((rows, reduced), paths, project))
