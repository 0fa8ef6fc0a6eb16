"""Windows as operators. What is the same for all rows of a partition is a reduction that they meet, so that a change
which leaves it alone (most do: of min and max, of a sum that another row makes up for) touches no other row."""

from collections.abc import Callable

from engine.dataflow import graph
from engine.dataflow.graph import Aggregate, Lookup, Plan
from engine.expr.aggregate import Kind as AggregateKind
from engine.plan.relation import Window


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
    aggregates: list[Aggregate] = []
    for i in shared:
        call = relation.calls[i]
        assert isinstance(call.kind, AggregateKind)
        aggregates.append(Aggregate(call.kind, call.columns, call.type))
    reduced = cons(graph.Reduce(below, key, tuple(aggregates)))
    arranged = tuple(sorted(key))
    places = tuple(key.index(column) for column in arranged)
    paths = (Lookup(1, arranged, places),), (Lookup(0, places, arranged),)
    width = len(graph.output_types(below))
    at = {i: width + place for place, i in enumerate(own)}
    at |= {i: width + len(own) + len(key) + place for place, i in enumerate(shared)}
    project = (*range(width), *(at[i] for i in range(len(relation.calls))))
    return cons(graph.Join((rows, reduced), paths, project))
