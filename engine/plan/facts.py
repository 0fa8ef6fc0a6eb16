"""What is known of a relation's rows without running it: column types, NULLs, unique keys, how many rows at most.

Nothing derivable is stored in plans, so a pass asks here. Answers are kept by object identity for the life of one
`Facts` (which holds the objects, so that no identity is reused): O(1) for a node that was asked about before.
"""

from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Final

from engine.collection.wanted import ask
from engine.dataflow.graph import Ties
from engine.expr.aggregate import COUNTS
from engine.expr.scalar import Literal, Ref, Value
from engine.expr.window import Kind as WindowKind
from engine.plan.predicates import equal_sides
from engine.plan.relation import (
    BoundJoin,
    Constant,
    Distinct,
    Filter,
    FlatMap,
    Get,
    Join,
    JoinKind,
    Let,
    LetRec,
    Local,
    Map,
    Negate,
    Project,
    Reduce,
    Relation,
    Threshold,
    TopK,
    Union,
    Window,
)
from engine.plan.scalars import conjuncts
from engine.types import SqlType

KEYS_KEPT: Final = 4
"""Unique keys remembered of a relation: joins multiply them, and the shortest few decide."""

Key = frozenset[int]


class Facts:
    """Types, nullability and keys of relations, each computed once for an object.

    The columns of an object are what it is made of says: they are kept from one rule to the next. Its keys are also
    what the Lets around it say, so each rule begins without any.
    """

    def __init__(self) -> None:
        self._columns: dict[int, tuple[Relation, tuple[tuple[SqlType, bool], ...]]] = {}
        self._arity: dict[int, tuple[Relation, int]] = {}
        self._keys: dict[int, tuple[Relation, tuple[Key, ...]]] = {}
        self._locals: dict[int, Relation] = {}

    def afresh(self) -> "Facts":
        """For another walk: what objects are is known, what the Lets of the walk before said is not."""
        made = Facts()
        made._columns, made._arity = self._columns, self._arity
        return made

    def columns(self, relation: Relation) -> tuple[tuple[SqlType, bool], ...]:
        """Type and "may be NULL" of each output column."""
        known = self._columns.get(id(relation))
        if known is None:
            known = self._columns[id(relation)] = (relation, self._columns_of(relation))
        return known[1]

    def types(self, relation: Relation) -> tuple[SqlType, ...]:
        return tuple(type_ for type_, _ in self.columns(relation))

    def arity(self, relation: Relation) -> int:
        """How many columns; without asking what they are, which in a wide join are hundreds."""
        known = self._arity.get(id(relation))
        if known is None:
            known = self._arity[id(relation)] = (relation, self._arity_of(relation))
        return known[1]

    def _arity_of(self, relation: Relation) -> int:
        match relation:
            case Get():
                return len(relation.columns)
            case Local() | Constant():
                return len(relation.types)
            case Let() | LetRec():
                return self.arity(relation.body)
            case Project():
                return len(relation.columns)
            case Map():
                return self.arity(relation.input) + len(relation.scalars)
            case FlatMap():
                return self.arity(relation.input) + len(relation.function.columns)
            case Join():
                return sum(map(self.arity, relation.inputs))
            case BoundJoin():
                return self.arity(relation.left) + self.arity(relation.right)
            case Reduce():
                return len(relation.keys) + len(relation.aggregates)
            case Union():
                return self.arity(relation.inputs[0])
            case Window():
                return self.arity(relation.input) + len(relation.calls)
            case Filter() | Distinct() | TopK() | Negate() | Threshold():
                return self.arity(relation.input)

    def refs(self, relation: Relation) -> tuple[Ref, ...]:
        """Each output column as an expression."""
        return tuple(Ref(i, type_, nullable) for i, (type_, nullable) in enumerate(self.columns(relation)))

    def _columns_of(self, relation: Relation) -> tuple[tuple[SqlType, bool], ...]:
        ask()
        match relation:
            case Get():
                return tuple((column.type, column.nullable) for column in relation.columns)
            case Local():
                return tuple(zip(relation.types, relation.nullable or [True] * len(relation.types), strict=True))
            case Let() | LetRec():
                return self.columns(relation.body)
            case Constant():
                can = [any(row[i] is None for row, _ in relation.rows) for i in range(len(relation.types))]
                return tuple(zip(relation.types, can, strict=True))
            case Project():
                row = self.columns(relation.input)
                return tuple(row[i] for i in relation.columns)
            case Map():
                return self.columns(relation.input) + tuple((s.type, s.nullable) for s in relation.scalars)
            case FlatMap():
                own = tuple((column.type, column.nullable) for column in relation.function.columns)
                return self.columns(relation.input) + own
            case Join():
                return tuple(chain.from_iterable(map(self.columns, relation.inputs)))
            case BoundJoin():
                left, right = self.columns(relation.left), self.columns(relation.right)
                if relation.kind in (JoinKind.RIGHT, JoinKind.FULL):
                    left = tuple((type_, True) for type_, _ in left)
                if relation.kind in (JoinKind.LEFT, JoinKind.FULL):
                    right = tuple((type_, True) for type_, _ in right)
                return left + right
            case Reduce():
                keys = tuple((key.type, key.nullable) for key in relation.keys)
                counts = tuple((call.overload.result, call.overload.kind not in COUNTS) for call in relation.aggregates)
                return keys + counts
            case Union():
                row, *rest = [self.columns(branch) for branch in relation.inputs]
                for other in rest:
                    row = tuple([a if a[1] or not b[1] else b for a, b in zip(row, other, strict=True)])
                return row
            case Window():
                return self.columns(relation.input) + tuple((call.type, call.nullable) for call in relation.calls)
            case Filter() | Distinct() | TopK() | Negate() | Threshold():
                return self.columns(relation.input)

    def bind(self, let: Let) -> None:
        """Make what is known of the value known of the Locals that stand for it."""
        self._locals[let.id] = let.value

    def value(self, local: Local) -> Relation | None:
        """The relation that the Local stands for, if its Let was met."""
        return self._locals.get(local.id)

    def keys(self, relation: Relation) -> tuple[Key, ...]:
        """Sets of columns in which no two rows agree (none counts twice), shortest first. Empty: at most one row."""
        known = self._keys.get(id(relation))
        if known is None:
            known = self._keys[id(relation)] = (relation, self._keys_of(relation))
        return known[1]

    def at_most_one(self, relation: Relation) -> bool:
        return frozenset() in self.keys(relation)

    def unique(self, relation: Relation, columns: Iterable[int]) -> bool:
        """Whether rows that agree on these columns are one row."""
        given = frozenset(columns)
        return any(key <= given for key in self.keys(relation))

    def _keys_of(self, relation: Relation) -> tuple[Key, ...]:
        match relation:
            case Get():
                return shortest(map(frozenset, relation.keys))
            case Local():
                value = self.value(relation)
                return () if value is None else self.keys(value)
            case Let():
                self.bind(relation)
                return self.keys(relation.body)
            case LetRec():
                return self.keys(relation.body)
            case Constant():
                return constant_keys(relation)
            case Project():
                at: dict[int, int] = {}
                for position, column in enumerate(relation.columns):
                    at.setdefault(column, position)
                held = (key for key in self.keys(relation.input) if all(column in at for column in key))
                return shortest(frozenset(at[column] for column in key) for key in held)
            case Map():
                return self.keys(relation.input)
            case Filter():
                return shortest(self._narrowed(relation, key) for key in self.keys(relation.input))
            case FlatMap() | BoundJoin() | Negate():
                return ()
            case Join():
                return self._join_keys(relation)
            case Reduce():
                return (frozenset(range(len(relation.keys))),)
            case Distinct():
                return shortest([*self.keys(relation.input), frozenset(range(self.arity(relation.input)))])
            case TopK():
                below = self.keys(relation.input)
                single = relation.limit == 1 and relation.ties is Ties.CUT
                return shortest([*below, frozenset(relation.group)]) if single else below
            case Window():
                width = self.arity(relation.input)
                numbers = (i for i, call in enumerate(relation.calls) if call.kind is WindowKind.ROW_NUMBER)
                numbered = (frozenset((*relation.partition, width + i)) for i in numbers)
                return shortest([*self.keys(relation.input), *numbered])
            case Threshold():
                return self.keys(relation.input) if positive(relation.input) else ()
            case Union():
                return self.keys(relation.inputs[0]) if len(relation.inputs) == 1 else ()

    def _narrowed(self, relation: Filter, key: Key) -> Key:
        """The key without the columns that a predicate makes constant or equal to another column of the key."""
        left = set(key)
        for predicate in conjuncts(relation.predicates):
            sides = equal_sides(predicate)
            if sides is None:
                continue
            for one, other in (sides, sides[::-1]):
                if isinstance(one, Ref) and (
                    isinstance(other, Literal) or (isinstance(other, Ref) and other.index in left and other != one)
                ):
                    left.discard(one.index)
        return frozenset(left)

    def _join_keys(self, relation: Join) -> tuple[Key, ...]:
        """One key of each input together; an input whose key the equivalences tie to the others adds no column."""
        starts: list[int] = []
        start = 0
        for branch in relation.inputs:
            starts.append(start)
            start += self.arity(branch)
        own = [self.keys(branch) for branch in relation.inputs]
        if not all(own):
            return ()
        found: list[Key] = []
        for first, own_key in ((i, key) for i, keys in enumerate(own) for key in keys):
            bound = set(range(starts[first], starts[first] + self.arity(relation.inputs[first])))
            key = {starts[first] + column for column in own_key}
            waiting = [i for i in range(len(own)) if i != first]
            while waiting:
                tied = self._tied(relation, bound)
                free = next((i for i in waiting if any(all(starts[i] + c in tied for c in k) for k in own[i])), None)
                if free is None:
                    free = waiting[0]
                    key |= {starts[free] + column for column in own[free][0]}
                waiting.remove(free)
                bound |= set(range(starts[free], starts[free] + self.arity(relation.inputs[free])))
            found.append(frozenset(key))
        return shortest(found)

    def _tied(self, relation: Join, bound: set[int]) -> set[int]:
        """The columns whose value follows from the bound ones."""
        tied = set(bound)
        for group in relation.equivalences:
            columns = {scalar.index for scalar in group if isinstance(scalar, Ref)}
            if columns & bound or any(isinstance(scalar, Literal) for scalar in group):
                tied |= columns
        return tied


def constant_keys(relation: Constant) -> tuple[Key, ...]:
    """The columns of fixed rows in which no two agree."""
    if any(count != 1 for _, count in relation.rows):
        return ()
    if len(relation.rows) <= 1:
        return (frozenset(),)
    columns = (frozenset((i,)) for i in range(len(relation.types)) if all_differ([row[i] for row, _ in relation.rows]))
    return shortest(columns)


def all_differ(values: Sequence[Value]) -> bool:
    """Whether no two values of one type are the same datum, as far as Python tells: it does for these."""
    return all(isinstance(value, int | str) for value in values) and len(set(values)) == len(values)


def shortest(keys: Iterable[Key]) -> tuple[Key, ...]:
    """The shortest few keys, none of which holds another."""
    kept: list[Key] = []
    for key in sorted(set(keys), key=lambda key: (len(key), sorted(key))):
        if not any(other <= key for other in kept):
            kept.append(key)
    return tuple(kept[:KEYS_KEPT])


def positive(relation: Relation) -> bool:
    """Whether no Negate is in it: then no row can count below zero."""
    match relation:
        case Negate():
            return False
        case Get() | Constant():
            return True
        case Local():
            return False
        case Let():
            return positive(relation.value) and positive(relation.body)
        case LetRec():
            return all(map(positive, relation.values)) and positive(relation.body)
        case Reduce() | Distinct() | Threshold() | TopK() | Window():
            return True
        case Join() | Union():
            return all(map(positive, relation.inputs))
        case BoundJoin():
            return positive(relation.left) and positive(relation.right)
        case Project() | Map() | Filter() | FlatMap():
            return positive(relation.input)
