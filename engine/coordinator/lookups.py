"""Look-ups by key, planned once for a prepared SELECT and run without a plan, a dataflow or a copy.

Rule  SELECT ... WHERE key = $1 over one collection is the rows of that key, through what is left of its filters.
      The parameters' values become the key; the rest of the plan is compiled when the statement is prepared.
Law   Everything happens between `enter` and `leave` of the gate: one complete tick is read, and no sweep can take the
      codes that are read, since the arrangement holds them. A key's data are looked up and never interned. Nothing is
      waited for: while a tick is publishing what would be read, whoever asks is told so (`Busy`).
Cost  O(rows of the key); about 20 us for one row.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import product
from math import prod
from typing import Final, TypeVar

import numpy as np

from engine.catalog.catalog import Catalog
from engine.catalog.items import SystemRelation
from engine.collection.batch import Batch, null_words
from engine.collection.heap import Heap, Known, Unknown
from engine.collection.words import encode
from engine.coordinator.coordinator import Coordinator
from engine.coordinator.expression_keys import by_expression
from engine.coordinator.finishing import finish
from engine.coordinator.pipeline import dataflow
from engine.coordinator.result import Result
from engine.dataflow import graph
from engine.dataflow.errors import ErrorCounts
from engine.dataflow.graph import Mfp, Source, output_types
from engine.dataflow.holding import arranged, arrangement_of
from engine.dataflow.node import Node, upstream_error
from engine.dataflow.operators.mfp import Mfp as MfpOperator
from engine.errors import DataError
from engine.expr.binary_columns import sender
from engine.expr.evaluate import Context
from engine.expr.registry import Placeholder
from engine.expr.scalar import Call, Literal, Scalar, Value
from engine.plan.lookup import LOOKUP_KEYS_MAX, Choice, Each, KeyLookup, as_lookup, each_of
from engine.plan.relation import BoundScalar, Finishing, Get, Relation
from engine.plan.rules.fold import folded
from engine.plan.scalars import rewrite
from engine.sql.binding import tree
from engine.sql.bound import BoundSelect
from engine.sql.parameters import number_of
from engine.types import SqlType

T = TypeVar("T")


class Busy(Exception):
    """The look-up would have to wait for a tick to be published."""


@dataclass(slots=True)
class KeyedSelect:
    """`look_up` as planned when the collection was arranged by `arranged`; None: by no key that the statement gives."""

    bound: BoundSelect
    plan: Mfp
    source: Source
    arranged: tuple[tuple[int, ...], ...]
    look_up: KeyLookup | None = None
    operator: MfpOperator | None = None
    """The steps that are left, where no parameter is in them."""
    one: "OneKey | None" = None
    """How it is answered where nothing but one key is left to be looked up."""

    def replan(self, coordinator: Coordinator, node: Node) -> KeyLookup | None:
        """The look-up by the keys that the collection, which is the node's, is arranged by at this moment."""
        self.arranged = arranged(node)
        self.look_up = found = as_lookup(self.plan, {self.source.id: frozenset(self.arranged)}, later=True)
        self.operator = self.one = None
        if found is not None and not found.rest and self.bound.query.finishing == PLAIN and is_one_key(found):
            self.one = OneKey(found, [self.source.types[column] for column in found.key])
        if found is not None and found.rest and not any(map(has_parameter, found.rest)):
            rest = replace(self.plan, steps=found.rest)
            self.operator = MfpOperator(rest, len(self.source.types), coordinator.heap)
        return found

    def run(self, coordinator: Coordinator, values: tuple[Literal, ...], use: Callable[[Result], T]) -> T | None:
        """What `use` makes of the rows while they may be read; None: there is no such look-up, the statement has to be
        planned. Busy."""
        circuit, heap = coordinator.cluster.worker.circuit, coordinator.heap
        if not coordinator.is_live(self.source.id):
            return None
        try:
            node = circuit.enter(self.source.id, False)
        except KeyError:
            return None  # it was dropped
        if node is None:
            raise Busy
        try:
            found = self.look_up
            if arranged(node) != self.arranged:
                found = self.replan(coordinator, node)
            if found is None:
                return None
            keys = chosen(found, values)
            if keys is None:
                return None
            error = upstream_error([node])
            if error is not None:
                raise DataError.of(heap.get(error).decode())
            kinds = [self.source.types[column] for column in found.key]
            words = dict.fromkeys(key_words(key, kinds, heap.known) for key in keys)
            nulls = [0] * null_words(len(kinds))
            distinct = np.array([(*nulls, *key) for key in words if key is not None], np.uint64)
            asked = np.ascontiguousarray(distinct.reshape(-1, len(nulls) + len(kinds)).T)
            rows = self._rest(coordinator, found, arrangement_of(node).lookup(found.key, asked), values)
            finishing = self.bound.query.finishing
            if finishing != PLAIN or len(rows) > 1 or (len(rows) and rows.diffs[0] != 1):
                types, most = output_types(self.plan), coordinator.options.result_rows_max
                rows = finish(rows, finishing, types, heap, most)
            tag = f"SELECT {len(rows)}"
            return use(Result(tag, self.bound.columns, batch=rows, heap=heap, timestamp=circuit.published or None))
        finally:
            circuit.gate.leave(node)

    def sent(
        self, coordinator: Coordinator, one: "OneKey", values: Sequence[Literal], formats: tuple[int, ...]
    ) -> Sequence[Sequence[bytes | None]] | None:
        """The row of one key as it is sent, or none; None: `run` has to look, or it would have to wait."""
        circuit, heap = coordinator.cluster.worker.circuit, coordinator.heap
        if not coordinator.is_live(self.source.id):
            return None
        try:
            node = circuit.enter(self.source.id, False)
        except KeyError:
            return None  # it was dropped
        if node is None:
            return None
        try:
            if arranged(node) != self.arranged or upstream_error([node]) is not None:
                return None
            known = one.set(values, heap.known)
            count, row = arrangement_of(node).one(one.look_up.key, one.words) if known else (0, [])
            if count == 0:
                return ()
            if count > 1 or row[-1] != 1:
                return None
            senders = one.senders.get(formats)
            if senders is None:
                senders = one.senders[formats] = self._senders(heap, formats)
            return ([None if row[at] & null else send(row[place]) for at, null, place, send in senders],)
        finally:
            circuit.gate.leave(node)

    def _senders(self, heap: Heap, formats: tuple[int, ...]) -> "list[Sender]":
        """Of each column of the answer: the word and the bit that say that it is NULL, its own word, how it is sent."""
        leading, context = null_words(len(self.source.types)), Context(heap)
        return [
            (column >> 6, 1 << (column & 63), leading + column, sender(answer.type, form != 0, context))
            for column, answer, form in zip(self.plan.project, self.bound.columns, formats, strict=True)
        ]

    def _rest(self, coordinator: Coordinator, found: KeyLookup, rows: Batch, values: tuple[Literal, ...]) -> Batch:
        """The rows through the steps that are left."""
        if not found.rest:
            return rows.project(self.plan.project)
        operator = self.operator
        if operator is None:
            steps = tuple(with_values(step, values) for step in found.rest)
            operator = MfpOperator(replace(self.plan, steps=steps), len(self.source.types), coordinator.heap)
        failed = ErrorCounts()
        out = operator.apply([rows], failed)
        failed.publish()
        code = failed.first()
        if code is not None:
            raise DataError.of(coordinator.heap.get(code).decode())
        return out


Sender = tuple[int, int, int, Callable[[int], bytes]]


class OneKey:
    """A look-up of one key, which its parameters' values are put into. Used by one thread at a time."""

    def __init__(self, look_up: KeyLookup, kinds: Sequence[SqlType]) -> None:
        self.look_up: Final = look_up
        self.words: Final = np.zeros((null_words(len(kinds)) + len(kinds), 1), np.uint64)
        """The key, for Circuit.look_up_one."""
        self.senders: Final[dict[tuple[int, ...], list[Sender]]] = {}
        """How the answer is sent, by the formats that were asked for."""
        self._kinds: Final = kinds

    def set(self, values: Sequence[Literal], known: Known) -> bool:
        """Put the key in; False where no row's key equals it: a NULL is in it, or a datum that is nowhere."""
        for at, (choice, kind) in enumerate(zip(self.look_up.choices[0], self._kinds, strict=True), -len(self._kinds)):
            value = value_of(choice, values)
            if value is None:
                return False
            try:
                self.words[at, 0] = encode(value, kind, known)[0]
            except Unknown:
                return False
        return True


PLAIN = Finishing()
VIEWS_MAX = 8
"""Items that a look-up's statement may name: the collection, and plain views around it."""


def moment_in(catalog: Catalog, bound: BoundSelect) -> bool:
    """Whether a session function or a system relation is in it, whose value only the run knows."""
    found = False

    def look(node: Relation) -> Relation:
        nonlocal found
        found = found or (isinstance(node, Get) and isinstance(catalog.items[node.id], SystemRelation))
        return node

    def look_at(scalar: BoundScalar) -> BoundScalar:
        nonlocal found
        found = found or (isinstance(scalar, Call) and scalar.function.volatile and number_of(scalar) is None)
        return scalar

    tree.rewrite(bound.query.relation, look, look_at)
    return found


def keyed_select(coordinator: Coordinator, bound: BoundSelect) -> KeyedSelect | None:
    """The statement planned as a look-up, if it reads one collection through filters and projections."""
    if bound.as_of is not None or not 0 < len(bound.reads) <= VIEWS_MAX:
        return None
    if not bound.reads <= coordinator.catalog.items.keys() or moment_in(coordinator.catalog, bound):
        return None
    plan = dataflow(bound.query.relation, coordinator.catalog, coordinator.options)
    if not isinstance(plan, Mfp) or not isinstance(plan.input, Source):
        return None
    plan = by_expression(coordinator, plan, surely=True) or plan
    assert isinstance(plan.input, Source)
    return KeyedSelect(bound, plan, plan.input, ())


def key_words(key: Sequence[Value], kinds: Sequence[SqlType], known: Known) -> tuple[int, ...] | None:
    """The words of a key without NULLs; None where a datum of it is nowhere, so that no row has it."""
    try:
        return tuple(encode(value, kind, known)[0] for value, kind in zip(key, kinds, strict=True))
    except Unknown:
        return None


def chosen(found: KeyLookup, values: Sequence[Literal]) -> list[tuple[Value, ...]] | None:
    """The keys that are asked for, without NULLs; None where what they are computed of fails, or they are too many."""
    keys: list[tuple[Value, ...]] = []
    for row in found.choices:
        columns: list[Sequence[Value]] = []
        for choice in row:
            given = value_of(choice, values) if isinstance(choice, Literal | Call) and is_plain(choice) else None
            if given is not None:
                columns.append((given,))
                continue
            literal = computed(choice.array if isinstance(choice, Each) else choice, values)
            if literal is None:
                return None
            one = each_of(literal) if isinstance(choice, Each) else (literal,)
            columns.append([literal.value for literal in one if literal.value is not None])
        if len(keys) + prod(map(len, columns)) > LOOKUP_KEYS_MAX:
            return None
        keys += product(*columns)
    return keys


def is_one_key(found: KeyLookup) -> bool:
    """Whether one key is asked for, which literals and parameters are as they are given."""
    return len(found.choices) == 1 and all(map(is_plain, found.choices[0]))


def is_plain(choice: Choice) -> bool:
    """Whether it is a literal or a parameter as it is given."""
    return isinstance(choice, Literal) or (isinstance(choice, Call) and isinstance(choice.function, Placeholder))


def value_of(choice: Choice, values: Sequence[Literal]) -> Value:
    """A literal's value, or that given for a placeholder."""
    if isinstance(choice, Literal):
        return choice.value
    assert isinstance(choice, Call)
    number = number_of(choice)
    assert number is not None
    return values[number - 1].value


def computed(scalar: Scalar, values: Sequence[Literal]) -> Literal | None:
    """What a scalar of literals and parameters is; None where it fails."""
    made = folded(settled_by(scalar, values))
    return made if isinstance(made, Literal) else None


def has_parameter(step: graph.Compute | graph.Keep) -> bool:
    found = False

    def look(scalar: Scalar) -> Scalar:
        nonlocal found
        found = found or (isinstance(scalar, Call) and isinstance(scalar.function, Placeholder))
        return scalar

    rewrite(scalar_of(step), look)
    return found


def scalar_of(step: graph.Compute | graph.Keep) -> Scalar:
    return step.expression if isinstance(step, graph.Compute) else step.predicate


def with_values(step: graph.Compute | graph.Keep, values: tuple[Literal, ...]) -> graph.Compute | graph.Keep:
    """The step with the values of its parameters."""
    scalar = settled_by(scalar_of(step), values)
    return graph.Compute(scalar) if isinstance(step, graph.Compute) else graph.Keep(scalar)


def settled_by(scalar: Scalar, values: Sequence[Literal]) -> Scalar:
    """The scalar with the values of its parameters."""

    def given(part: Scalar) -> Scalar:
        number = number_of(part)
        return part if number is None else values[number - 1]

    return rewrite(scalar, given)
