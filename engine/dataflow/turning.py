"""Collections that become what others are, at one tick, under whoever reads them.

    turn(target, other)   at a tick boundary; what reads `target` by its name then reads a node between, which holds
                          what the old one held, and says in the next tick what the difference is
    step, publish         as any tick: readers of `target` take the difference like any change
    settle()              they read the other's node, which holds the same by now; `other` is no name of it any more

Law    A tick after it the graph is what it would be had `target` been defined so from the beginning; before it, and for
       whoever reads its past, nothing has changed.
Law    Who reads a view by name follows it; who computes the same query for himself shares its node, and does not.
       That is what `identity` tells apart: it has the names of the collections that an operator reads.
Cost   O(contents of both), and what the difference costs below; nothing that reads `target` is built again, but for a
       min or max that had relied on it to grow only.
"""

from dataclasses import dataclass, replace

import numpy as np

from engine.collection.batch import Batch
from engine.collection.heap import Heap
from engine.collection.history import History
from engine.dataflow import graph
from engine.dataflow.circuit import Circuit
from engine.dataflow.holding import let_go, take_hold
from engine.dataflow.node import Node, identity, upstream_error
from engine.dataflow.operators.distinct import Distinct
from engine.dataflow.operators.join import Join
from engine.dataflow.operators.threshold import Threshold
from engine.dataflow.operators.turn import Turn
from engine.dataflow.render import demands, monotonic, render
from engine.dataflow.trace import Trace


@dataclass(frozen=True, slots=True, eq=False)
class Turned:
    """`between` stands for `names` in the tick at which they become `other`. `failed`: they could not be read."""

    between: Node
    target: int
    other: int
    names: tuple[int, ...]
    below: tuple[Node, ...]
    failed: bool


class Turning(Circuit):
    """A circuit whose collections may turn."""

    def __init__(self, heap: Heap) -> None:
        super().__init__(heap)
        self._turned: list[Turned] = []

    def turn(self, target: int, other: int) -> None:
        """From the next tick on `target` is what `other` is, whose name ends with it. Both have the same columns."""
        if target not in self._exports:
            self._exports[target] = self._exports.pop(other)
            return
        old, new = self._exports[target].node, self._exports[other].node
        if old is new:
            self.drop(other)
            return
        held = self.contents(target).consolidate()
        difference = Batch.concat([self.contents(other), held.negate()]).consolidate()
        grows = old.grows and new.grows and not np.any(difference.diffs < 0)
        between = Node(graph.Source(target, old.types), old.types, [new], Turn(difference), grows)
        names = self.names(target)
        readers = {node: places for node in old.dependents if (places := _places(node, old, names))}
        below = _below(list(readers))
        failed = upstream_error([old]) is not None
        own = Trace(len(old.types))
        with self.changing():
            between.seen_as(old)
            for node in below:
                node.above()
            whole = tuple(range(len(old.types)))
            for key in (whole, *self._keys(names), *(key for node in readers for key in _keys(node, readers[node]))):
                own.arranged(key)
            own.arrangement.apply(held)
            take_hold(between, whole, own)
            self._enter(between, ("turn", target))
            self._timed[between] = None
            new.dependents[between] = 1
            new.references += 1
            between.history = None if old.history is None else old.history.copy()
            held_by = self._keys(names)
            self._rename(names, old, between, own)
            for key in held_by:
                let_go(old, key)
            for node, places in readers.items():
                self._read_instead(node, places, old, between, own)
                for key in _keys(node, places):
                    let_go(old, key)
            self._retain_for_all(old)
            for node in below:
                del self._by_identity[node.identity]
            for node in below:
                self._enter(node, identity(node.plan, node.inputs))
            self._stale = (*self._stale, between, *below)
            if old.grows and not grows:
                self._shrinking(below, {between: True, **{node: node.grows for node in below}})
            self._turned.append(Turned(between, target, other, names, below, failed))

    def settle(self) -> None:
        """Behind the tick: what was turned is the other."""
        turned, self._turned = self._turned, []
        for each in turned:
            with self.changing():
                self._settle(each)

    def _settle(self, turned: Turned) -> None:
        between, own = turned.between, turned.between.trace
        (new,) = between.inputs
        # Of another view by the same query the past is another.
        shared = any(export.node is new and id != turned.other for id, export in self._exports.items())
        new.history = History(self._tick, 0) if shared or turned.failed else between.history
        if turned.failed:
            for node in turned.below:
                if node.history is not None:
                    node.history = History(self._tick, node.history.retain)
        for node in list(between.dependents):
            del self._by_identity[node.identity]
            self._read_instead(node, _places(node, between, None), between, new, own)
            node.identity = identity(node.plan, node.inputs)
            self._by_identity[node.identity] = node
        other = self._exports.pop(turned.other)
        self._exports[turned.target] = replace(self._exports[turned.target], keys=other.keys)
        self._rename(turned.names, between, new, own)
        for node in turned.below:
            node.reconsider()
        for key in other.keys:
            let_go(new, key)
        self._release(new)
        self._retain_for_all(new)
        if new.trace is not None:
            for key in set(new.trace.arrangement.keys()) - new.trace.references.keys():
                new.trace.arrangement.remove(key)

    def reached(self, target: int) -> set[int]:
        """The collections that a change of `target` may change, itself among them."""
        if target not in self._exports:
            return set()
        node, names = self._exports[target].node, self.names(target)
        below = set(_below([each for each in node.dependents if _places(each, node, names)]))
        return {*names, *(id for id, export in self._exports.items() if export.node in below)}

    def names(self, target: int) -> tuple[int, ...]:
        """The collection and what is nothing but it by another name: its indexes, a view of all of it."""
        found = [target]
        for name in found:
            found += [id for id, export in self._exports.items() if export.of == name]
        return tuple(found)

    def _keys(self, names: tuple[int, ...]) -> list[tuple[int, ...]]:
        return [key for id in names for key in self._exports[id].keys]

    def _rename(self, names: tuple[int, ...], before: Node, after: Node, own: Trace | None) -> None:
        """These collections are the output of another node."""
        for id in names:
            export = self._exports[id]
            for key in export.keys:
                take_hold(after, key, own)
            after.references += 1
            self._exports[id] = replace(export, node=after)
            self._release(before)

    def _read_instead(self, node: Node, places: list[int], before: Node, after: Node, own: Trace | None) -> None:
        """An operator reads another node at some of its inputs."""
        inputs = list(node.inputs)
        for place in places:
            inputs[place] = after
            after.dependents[node] = after.dependents.get(node, 0) + 1
            after.references += 1
        for at, (place, key) in enumerate(demands(node.plan, node.types)):
            if place in places:
                assert isinstance(node.operator, Join | Distinct | Threshold)
                node.operator.traces[at] = take_hold(after, key, own)
        node.inputs = inputs
        for _ in places:
            before.dependents[node] -= 1
            if not before.dependents[node]:
                del before.dependents[node]
            self._release(before)

    def _shrinking(self, below: tuple[Node, ...], grew: dict[Node, bool]) -> None:
        """What was only to grow may lose rows: what kept no more than it needed for that is filled anew."""
        for node in below:
            node.grows = monotonic(node.plan, [child.grows for child in node.inputs])
            relied = all(grew.get(child, child.grows) for child in node.inputs)
            relies = all(child.grows for child in node.inputs)
            if isinstance(node.plan, graph.Reduce) and relied and not relies:
                operator = render(node.plan, [node.inputs[0].types], False, (), self._heap)
                operator.step(self._tick, [self.run_once(node.plan.input)[0]])
                operator.publish()
                node.operator = operator


def _places(node: Node, child: Node, names: tuple[int, ...] | None) -> list[int]:
    """The inputs at which a node reads `child`, by one of the names if some are given."""
    return [
        place
        for place, (read, plan) in enumerate(zip(node.inputs, graph.inputs(node.plan), strict=True))
        if read is child and (names is None or (isinstance(plan, graph.Source) and plan.id in names))
    ]


def _keys(node: Node, places: list[int]) -> list[tuple[int, ...]]:
    return [key for place, key in demands(node.plan, node.types) if place in places]


def _below(readers: list[Node]) -> tuple[Node, ...]:
    """These and all that reads them, inputs first."""
    found = dict.fromkeys(readers)
    waiting = readers
    while waiting:
        node = waiting.pop()
        new = [each for each in node.dependents if each not in found]
        found |= dict.fromkeys(new)
        waiting += new
    return tuple(sorted(found, key=lambda node: node.rank))
