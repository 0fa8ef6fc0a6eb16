"""WITH MUTUALLY RECURSIVE and WITH RECURSIVE: variables that are what their bodies say of them, from empty on.

Rule   The variables start empty; a pass sets each, in order, to its body over all of them as they stand; passes go on
       until one changes nothing. All within the tick.
       *Monotone* bodies (map, filter, flat_map, join, union, distinct) have one least fixed point, however it is
       reached. The operators stay as they are between ticks; a tick sends the change of the inputs round until nothing
       moves. Retractions go first: a row of a Distinct that loses a derivation is taken out, with all that follows
       from it; then come the insertions, and whatever still has a derivation comes back (delete and rederive). Rows
       that hold each other up in a circle are gone that way, and without a Distinct derivations are counted, which a
       terminating loop makes exact.
       *Any other* body (aggregates, differences, TopK; or a stated recursion limit, where the number of passes decides)
       is kept pass by pass (iterated.py): a change of the inputs changes what each pass changes. If that history would
       be too long, as of a loop that changes every row in every pass, the loop is **computed anew from the inputs'
       contents in each tick that changes them**, and the difference to what came out before goes downstream.
State  monotone: every operator's own, the inputs arranged, and members and derivation counts at each Distinct.
       Otherwise: the changes of each pass, or the inputs' contents; and the result's.
Cost   monotone: the derivations touched (of an insertion what follows from it; of a retraction what followed from it,
       twice), and O(operators) a round. Otherwise: the touched groups in all passes, and what follows from them; or
       the whole loop.
From   Gupta, Mumick, Subrahmanian, "Maintaining Views Incrementally", SIGMOD 1993 (DRed); McSherry et al.,
       "Differential Dataflow", CIDR 2013, for the second case.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engine.collection.arrangement import Arrangement
from engine.collection.batch import Batch
from engine.collection.heap import Heap, Marks
from engine.collection.wanted import ask
from engine.dataflow import graph
from engine.dataflow.errors import ErrorCounts
from engine.dataflow.operators.iterated import Iterated, TooLong
from engine.dataflow.operators.loop import Loop, Making, Types

PASSES_MAX: Final = 10_000
"""Passes in one tick for a recursion that states no limit: what never ends has to fail, as ticks wait for it."""


class LoopErrors(ErrorCounts):
    """The errors of a recursion: its own, and those of rows inside, as of the last publish."""

    __slots__ = ("inside",)

    def __init__(self) -> None:
        super().__init__()
        self.inside: int | None = None

    def first(self) -> int | None:
        own = super().first()
        return self.inside if own is None else own

    def counts(self) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
        codes, counts = super().counts()
        inside = [] if self.inside is None else [self.inside]
        return np.append(codes, np.array(inside, np.uint64)), np.append(counts, np.ones(len(inside), np.int64))

    def __len__(self) -> int:
        return super().__len__() + (self.inside is not None)


class LetRec:
    def __init__(self, plan: graph.LetRec, inputs: Sequence[Types], making: Making, heap: Heap) -> None:
        self.errors: ErrorCounts = LoopErrors()
        self._plan = plan
        self._leaves = [*inputs, *plan.variables]
        self._making = making
        self._heap = heap
        self._monotone = graph.is_monotone(plan)
        self._limit = PASSES_MAX if plan.limit is None else plan.limit
        self._failed = 0  # the code of the error that the passes ran out; the result then stands still
        # The inputs, of a loop that is computed anew; of a monotone one while it fails, and those it had before.
        self._before: list[Batch] | None = None
        self._inputs: list[Arrangement] = []
        self._nothing = Batch.empty(len(graph.output_types(plan.result)))
        self._out = Arrangement(self._nothing.columns)  # what is out, unless the loop is monotone
        self._iterated: Iterated | None = None
        if self._monotone:
            self._loop = self._fresh()
        else:
            self._iterated = Iterated(self._leaves, plan.bodies, self._limit, making)
            self._loop = Loop(self._leaves, (), plan.result, False, making)
        # What the variables and inputs changed while it failed.
        self._withheld = [Batch.empty(len(types)) for types in self._leaves]

    def _fresh(self) -> Loop:
        plan = self._plan
        return Loop(self._leaves, plan.bodies, plan.result, self._monotone, self._making)

    def step(self, tick: int, deltas: Sequence[Batch]) -> Batch:
        failed, self._failed = self._failed, 0
        if self._iterated is not None:
            out = self._by_pass(tick, deltas, self._iterated)
        elif not self._monotone:
            for held, delta in zip(self._inputs, deltas, strict=True):
                held.apply(delta.consolidate())
            out = self._anew(tick)
        elif failed:
            out = self._retried(tick, deltas)
        else:
            out = self._maintained(tick, deltas)
        if failed:
            self.errors.add(np.array([failed], np.uint64), np.array([-1]))
        if self._failed:
            self.errors.add(np.array([self._failed], np.uint64), np.array([1]))
        return out

    def _maintained(self, tick: int, deltas: Sequence[Batch]) -> Batch:
        out = settled(self._loop, tick, deltas, len(self._plan.variables))
        if out is not None:
            return out
        rows = [leaf.rows() for leaf in self._loop.leaves[: len(deltas)]]
        self._before = [
            Batch.concat([new, delta.negate()]).consolidate() for new, delta in zip(rows, deltas, strict=True)
        ]
        self._inputs = [Arrangement(batch.columns, range(batch.columns)) for batch in rows]
        for held, batch in zip(self._inputs, rows, strict=True):
            held.apply(batch)
        self._loop = self._fresh()
        self._fail(PASSES_MAX)
        return self._nothing

    def _retried(self, tick: int, deltas: Sequence[Batch]) -> Batch:
        """From empty over what the inputs are by now; against the result of what they were when it last settled."""
        assert self._before is not None
        variables = len(self._plan.variables)
        for held, delta in zip(self._inputs, deltas, strict=True):
            held.apply(delta.consolidate())
        loop = self._fresh()
        after = settled(loop, tick, [held.rows() for held in self._inputs], variables)
        if after is None:
            self._fail(PASSES_MAX)
            return self._nothing
        before = settled(self._fresh(), tick, self._before, variables)
        assert before is not None, "it settled once"
        self._loop, self._before, self._inputs = loop, None, []
        return Batch.concat([after, before.negate()]).consolidate()

    def _by_pass(self, tick: int, deltas: Sequence[Batch], iterated: Iterated) -> Batch:
        """What the change of the inputs changes in each pass; the result is of what the variables come to."""
        try:
            changes = iterated.run(tick, deltas)
        except TooLong:
            self._forget(iterated.inputs())
            return self._anew(tick)
        both = [Batch.concat([a, b]).consolidate() for a, b in zip(self._withheld, changes, strict=True)]
        if not self._plan.returns_at_limit and any(map(len, iterated.beyond)):
            self._withheld = both
            self._fail(self._limit)
            return self._nothing
        self._withheld = [Batch.empty(batch.columns) for batch in both]
        self._loop.push(tick, dict(zip(self._loop.leaves, both, strict=True)))
        out = self._loop.result()
        self._out.apply(out)
        return out

    def once(self) -> None:
        """It is asked but once: no pass is remembered."""
        if self._iterated is not None:
            self._forget(self._iterated.inputs())

    def _forget(self, inputs: Sequence[Batch]) -> None:
        """Compute the loop anew from now on, whose inputs are these."""
        self._inputs = [Arrangement(rows.columns) for rows in inputs]
        for held, rows in zip(self._inputs, inputs, strict=True):
            held.apply(rows)
        self._iterated, self._withheld = None, []

    def _anew(self, tick: int) -> Batch:
        """The loop from empty, over the inputs as they are."""
        loop = self._loop = self._fresh()
        variables = loop.leaves[len(self._inputs) :]
        loop.push(tick, {leaf: held.rows() for leaf, held in zip(loop.leaves, self._inputs, strict=False)})
        passes, changed = 0, True
        while changed and not (passes == self._limit and self._plan.returns_at_limit):
            ask()
            changed = False
            for k, variable in enumerate(variables):
                delta = loop.taken(k)
                if len(delta):
                    changed = True
                    loop.push(tick, {variable: delta})
            passes += changed
            if passes > self._limit:
                self._fail(self._limit)
                return self._nothing
        out = Batch.concat([loop.result(), self._out.rows().negate()]).consolidate()
        self._out.apply(out)
        return out

    def _fail(self, limit: int) -> None:
        text = f"22000 Recursive query exceeded the recursion limit {limit}. (Use RETURN AT RECURSION LIMIT to get it.)"
        self._failed = self._heap.intern(text.encode())

    def publish(self) -> None:
        assert isinstance(self.errors, LoopErrors)
        passing = None if self._iterated is None else self._iterated.error()
        self.errors.inside = self._loop.error() if passing is None else passing
        self.errors.publish()

    def contents(self) -> Batch | None:
        return None

    def rows(self) -> int:
        return 0

    def bytes_held(self) -> int:
        batches = [*self._withheld, *(self._before or ())]
        held = sum(batch.words.nbytes + batch.diffs.nbytes for batch in batches)
        held += self._out.bytes_held() + (0 if self._iterated is None else self._iterated.bytes_held())
        return held + self._loop.bytes_held() + sum(rows.bytes_held() for rows in self._inputs)

    def mark(self, marks: Marks) -> None:
        self._loop.mark(marks)
        if self._iterated is not None:
            self._iterated.mark(marks)
        self._out.mark(marks, [type.physical for type in graph.output_types(self._plan.result)])
        for rows, types in zip(self._inputs, self._leaves, strict=False):
            rows.mark(marks, [type.physical for type in types])
        for batch, types in zip(self._withheld, self._leaves, strict=False):
            batch.mark(marks, types)
        for batch, types in zip(self._before or (), self._leaves, strict=False):
            batch.mark(marks, types)


def settled(loop: Loop, tick: int, deltas: Sequence[Batch], variables: int) -> Batch | None:
    """Changes of the inputs sent round a gated loop until nothing moves; the change of the result, None if the passes
    run out.

    The retractions to their end, then the insertions with what is derived anew: together, a derivation that is lost and
    one that rests on the very row that lost it would cancel out.
    """
    changes = [delta.consolidate() for delta in deltas]
    inputs = loop.leaves[: len(deltas)]
    fed = {leaf: delta.take(delta.diffs < 0) for leaf, delta in zip(inputs, changes, strict=True)}
    coming = {leaf: delta.take(delta.diffs > 0) for leaf, delta in zip(inputs, changes, strict=True)}
    for _ in range(PASSES_MAX):
        ask()
        if any(map(len, fed.values())):
            loop.push(tick, fed)
        fed = {loop.leaves[len(deltas) + k]: loop.taken(k) for k in range(variables)}
        for gate in loop.gates:
            lost = fed[gate.out] = gate.lost()
            assert coming or not len(lost), "an insertion took a derivation away"
        if any(map(len, fed.values())) and coming:
            continue
        fed |= coming
        coming = {}
        for gate in loop.gates:
            fed[gate.out] = gate.derived()
        if not any(map(len, fed.values())):
            return loop.result()
    return None
