"""What GROUP BY leaves visible: the keys, the aggregates, and what is computed from them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from engine import types
from engine.errors import GroupingError
from engine.expr.scalar import Literal, Ref
from engine.plan.facts import Facts
from engine.plan.relation import (
    AggregateCall,
    BoundScalar,
    Exists,
    Let,
    Local,
    Map,
    Outer,
    Project,
    Quantified,
    Reduce,
    Relation,
    ScalarSubquery,
    Union,
)
from engine.plan.scalars import null, parts, with_parts
from engine.sql.binding.keys import as_key, first_of, has_spans, once
from engine.sql.binding.levels import changed, changed_within
from engine.sql.binding.place import GroupingSlot, Place, Slot, WindowSlot


class Grouping:
    """Rewrites scalars over the rows before GROUP BY into scalars over the rows after it: keys, aggregates, groupings.

    The largest parts that are keys become columns, in subqueries too; a column of the input that is left over is an
    error (42803). `padded` are the keys that some of the grouping sets are without, which makes them NULL.
    """

    def __init__(self, keys: Sequence[BoundScalar], aggregates: int, place: Place, padded: frozenset[int]) -> None:
        self.keys = {key: index for index, key in reversed(list(enumerate(keys)))}
        self.count = len(keys)
        self.aggregates = aggregates
        self.before = place.scope.width
        self.after = len(keys) + aggregates + len(place.groupings)
        self.padded = padded
        self.used = place.used
        self.escaped = place.scope.escaped
        self.further_in: dict[int, Mapping[BoundScalar, int]] = {}

    def __call__(self, scalar: BoundScalar | Slot | WindowSlot | GroupingSlot) -> BoundScalar:
        if not isinstance(scalar, Slot | WindowSlot | GroupingSlot):
            index = self.keys.get(scalar)
            if index is not None and not isinstance(scalar, Literal):
                return Ref(index, scalar.type, scalar.nullable or index in self.padded)
        match scalar:
            case Slot():
                return Ref(self.count + scalar.index, scalar.type, scalar.nullable)
            case GroupingSlot():
                return Ref(self.count + self.aggregates + scalar.index, scalar.type, scalar.nullable)
            case WindowSlot():
                return scalar  # pyright: ignore[reportReturnType]: a column when windows are made
            case Ref():
                return self._ungrouped(scalar)
            case Literal() | Outer():
                return scalar
            case Exists() | ScalarSubquery():
                return replace(scalar, relation=changed_within(scalar.relation, self._inside, 1))
            case Quantified():
                inner = changed_within(scalar.relation, self._inside, 1)
                return Quantified(inner, self._condition(scalar.condition), scalar.all, self.after)
            case _:
                return with_parts(scalar, tuple(map(self, parts(scalar))))

    def _condition(self, scalar: BoundScalar) -> BoundScalar:
        """The comparison of a quantified subquery: its columns stand after the row, which has another width now."""
        if isinstance(scalar, Ref) and scalar.index >= self.before:
            return Ref(scalar.index - self.before + self.after, scalar.type, scalar.nullable)
        if scalar in self.keys or not parts(scalar):
            return self(scalar)
        return with_parts(scalar, tuple(map(self._condition, parts(scalar))))

    def _inside(self, scalar: BoundScalar, level: int) -> BoundScalar | None:
        """What a scalar of a subquery so deep reads of this query's row, as it is after GROUP BY."""
        if isinstance(scalar, Literal):
            return scalar
        index = self._keys_from(level).get(scalar)
        if index is not None:
            return Outer(level, index, scalar.type, scalar.nullable or index in self.padded)
        if not isinstance(scalar, Outer) or scalar.depth != level:
            return None
        if scalar.index >= self.before:
            return replace(scalar, index=self.count + scalar.index - self.before)
        name, at = self.escaped.get(scalar.index, (f"#{scalar.index}", 0))
        raise GroupingError(f'subquery uses ungrouped column "{name}" from outer query', position=at or None)

    def _keys_from(self, level: int) -> Mapping[BoundScalar, int]:
        """The keys as a subquery so deep writes them."""

        def outer(part: BoundScalar, inside: int) -> BoundScalar | None:
            if isinstance(part, Ref) and inside == 0:
                return Outer(level, part.index, part.type, part.nullable)
            if isinstance(part, Outer) and part.depth > inside:
                return replace(part, depth=part.depth + level)
            return None

        if level not in self.further_in:
            self.further_in[level] = {changed(key, outer, 0): index for key, index in self.keys.items()}
        return self.further_in[level]

    def _ungrouped(self, ref: Ref) -> BoundScalar:
        name, at = self.used.get(ref.index, (f"#{ref.index}", 0))
        raise GroupingError(
            f'column "{name}" must appear in the GROUP BY clause or be used in an aggregate function',
            position=at or None,
        )


def grouped(
    relation: Relation,
    keys: Sequence[BoundScalar],
    sets: Sequence[Sequence[int]],
    aggregates: tuple[AggregateCall, ...],
    groupings: Sequence[Sequence[int]],
    fresh: Callable[[], int],
) -> Relation:
    """The groups of each of the sets of keys, all over the same rows: the keys, NULL where the set is without one, the
    aggregates, and for each of `groupings` which of its keys the set is without, as bits.
    """
    shared, id_ = relation, None
    if len(sets) > 1:
        id_ = fresh()
        columns = Facts().columns(relation)
        shared = Local(id_, tuple(kind for kind, _ in columns), tuple(nullable for _, nullable in columns))
    branches: list[Relation] = []
    for chosen in sets:
        held = sorted(set(chosen))
        spans = [i for i in held if has_spans(keys[i].type)]
        firsts = tuple(first_of(keys[i], [keys[j] for j in spans]) for i in spans)
        rows, calls = once(shared, len(Facts().columns(shared)), [keys[i] for i in held], aggregates)
        made: Relation = Reduce(rows, tuple(as_key(keys[i]) for i in held), (*calls, *firsts), scalar=not held)
        width = len(held) + len(aggregates) + len(firsts)
        missing = [i for i in range(len(keys)) if i not in held]
        added: list[BoundScalar] = [null(keys[i].type) for i in missing]
        added += [Literal(mask(grouping, held), types.INTEGER) for grouping in groupings]
        if added:
            made = Map(made, tuple(added))
        place = {key: at for at, key in enumerate(held)} | {key: width + at for at, key in enumerate(missing)}
        place |= {key: width - len(firsts) + at for at, key in enumerate(spans)}
        columns = (
            *(place[key] for key in range(len(keys))),
            *range(len(held), width - len(firsts)),
            *range(width + len(missing), width + len(added)),
        )
        branches.append(made if columns == tuple(range(width + len(added))) else Project(made, columns))
    if id_ is None:
        return branches[0]
    return Let(id_, relation, Union(tuple(branches)))


def mask(grouping: Sequence[int], held: Sequence[int]) -> int:
    """A bit for each key of GROUPING(...), the last one's lowest, set where the grouping is without the key."""
    bits = 0
    for key in grouping:
        bits = bits << 1 | (key not in held)
    return bits
