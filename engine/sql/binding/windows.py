"""Window functions as relations: a Map of what they need, then one Window for each PARTITION BY and ORDER BY."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from engine.dataflow.graph import Order
from engine.expr.scalar import Literal, Ref
from engine.expr.window import Bound, Kind, WindowCall
from engine.plan.relation import BoundScalar, Exists, Map, Outer, Quantified, Relation, ScalarSubquery, Window
from engine.plan.scalars import parts, with_parts
from engine.sql.binding.keys import as_key
from engine.sql.binding.place import BoundWindow, WindowSlot


def regrouped(call: BoundWindow, change: Callable[[BoundScalar], BoundScalar]) -> BoundWindow:
    """The call with each of its scalars changed."""

    def some(scalar: BoundScalar | None) -> BoundScalar | None:
        return None if scalar is None else change(scalar)

    return replace(
        call,
        arguments=tuple(map(change, call.arguments)),
        partition=tuple(map(change, call.partition)),
        order=tuple((change(scalar), descending, first) for scalar, descending, first in call.order),
        key=some(call.key), start=some(call.start), end=some(call.end), filter=some(call.filter),
        within=tuple((change(scalar), descending, first) for scalar, descending, first in call.within),
    )  # fmt: skip


def windowed(
    relation: Relation, width: int, calls: Sequence[BoundWindow], scalars: Sequence[BoundScalar]
) -> tuple[Relation, int, list[BoundScalar]]:
    """The relation, `width` columns wide, with the columns of the calls; then the scalars over it.

    Calls nest, each standing after those in its arguments: the ones that hold no other first, then those over them.
    """
    waiting, found = dict(enumerate(calls)), list(scalars)
    while waiting:
        ready = {number: call for number, call in waiting.items() if not any(map(has_slot, scalars_of(call)))}
        relation, width, replaced = stacked(relation, width, ready)
        waiting = {n: regrouped(call, replaced) for n, call in waiting.items() if n not in ready}
        found = list(map(replaced, found))
    return relation, width, found


def scalars_of(call: BoundWindow) -> list[BoundScalar]:
    """The scalars that a call holds."""
    held: list[BoundScalar] = []

    def hold(scalar: BoundScalar) -> BoundScalar:
        held.append(scalar)
        return scalar

    regrouped(call, hold)
    return held


def has_slot(scalar: BoundScalar | WindowSlot) -> bool:
    """Whether the value of a window function is in it."""
    if isinstance(scalar, Quantified):
        return has_slot(scalar.condition)
    return isinstance(scalar, WindowSlot) or any(map(has_slot, parts(scalar)))


def stacked(
    relation: Relation, width: int, calls: Mapping[int, BoundWindow]
) -> tuple[Relation, int, Callable[[BoundScalar], BoundScalar]]:
    """The relation with the columns of those calls, and what makes a scalar one over it."""
    computed: list[BoundScalar] = []

    def column(scalar: BoundScalar) -> int:
        if isinstance(scalar, Ref):
            return scalar.index
        if scalar not in computed:
            computed.append(scalar)
        return width + computed.index(scalar)

    def bound(edge: Bound, value: BoundScalar | None) -> Bound:
        return edge if value is None else Bound(edge.edge, column(value))

    groups: dict[tuple[tuple[int, ...], tuple[Order, ...]], list[tuple[int, WindowCall]]] = {}
    for number, call in calls.items():
        frame = replace(
            call.frame,
            start=bound(call.frame.start, call.start),
            end=bound(call.frame.end, call.end),
            key=None if call.key is None else column(call.key),
        )
        condition = None if call.filter is None else column(call.filter)
        given, nth = call.arguments, None
        if call.kind is Kind.NTH_VALUE and isinstance(given[1], Literal) and isinstance(given[1].value, int):
            given, nth = given[:1], given[1].value
        arguments = tuple(map(column, given))
        within = tuple((column(scalar), descending, first) for scalar, descending, first in call.within)
        made = WindowCall(
            call.kind, arguments, call.type, call.nullable, frame, call.ignore_nulls, condition, within, nth
        )
        keys = [as_key(scalar) for scalar in call.partition if not isinstance(scalar, Literal)]
        partition = tuple(sorted(map(column, keys)))
        order = tuple(
            Order(column(as_key(scalar)), descending, first)
            for scalar, descending, first in call.order
            if not isinstance(scalar, Literal)
        )
        groups.setdefault((partition, order), []).append((number, made))
    if computed:
        relation = Map(relation, tuple(computed))
    after = width + len(computed)
    at: dict[int, int] = {}
    for (partition, order), members in groups.items():
        relation = Window(relation, partition, order, tuple(made for _, made in members))
        for number, _ in members:
            at[number] = after
            after += 1

    def replaced(scalar: BoundScalar | WindowSlot) -> BoundScalar:
        match scalar:
            case WindowSlot():
                if scalar.index not in at:
                    return scalar  # pyright: ignore[reportReturnType]: a column further up
                return Ref(at[scalar.index], scalar.type, scalar.nullable)
            case Quantified():
                return replace(scalar, condition=condition_of(scalar.condition), width=after)
            case Ref() | Literal() | Outer() | Exists() | ScalarSubquery():
                return scalar
            case _:
                return with_parts(scalar, tuple(map(replaced, parts(scalar))))

    def condition_of(scalar: BoundScalar | WindowSlot) -> BoundScalar:
        """The comparison of a quantified subquery: its columns stand after the row, which is wider now."""
        if isinstance(scalar, Ref) and scalar.index >= width:
            return Ref(scalar.index - width + after, scalar.type, scalar.nullable)
        if isinstance(scalar, WindowSlot) or not parts(scalar):
            return replaced(scalar)
        return with_parts(scalar, tuple(map(condition_of, parts(scalar))))

    return relation, after, replaced
