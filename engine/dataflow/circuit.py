"""The running graph: one operator per distinct subplan, whoever asked for it, driven tick by tick.

    create(id, types, append_only)                    a collection fed from outside (table, source relation)
    stage(id, plan, keys) -> Staged                   a new view, private until it has caught up
    staged.hydrate(); adopt(staged)                   build it beside the running ticks; join at a tick boundary
    step(tick, deltas); delta(id); publish()          the two phases of a tick
    contents / lookup / error / run_once              reads of the last published tick
    drop(id)                                          forget a collection, a view or an index

Threads. `create`, `stage`, `adopt`, `drop`, `step` and `publish` belong to whoever holds the tick lock (the caller's; one
tick at a time). The reads may run in any thread: they hold `publish_lock` while they copy rows out, no longer. Compute
(`step`) changes nothing that a read can see. `Staged.hydrate` and `Staged.catch_up` run in a background thread and touch
nothing shared; from `stage` to `adopt` the caller holds `heap.pinned()`, because a sweep does not see private state.
"""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from engine.collection.batch import Batch, Words
from engine.collection.heap import Heap, Marks
from engine.dataflow.graph import Plan
from engine.types import SqlType


@dataclass(frozen=True, slots=True)
class NodeInfo:
    """What introspection shows of one node: `rows` and `bytes` are of its own state and the arrangements of its output."""

    id: int
    name: str
    inputs: tuple[int, ...]
    rows: int
    bytes: int


class Staged:
    """A plan being hydrated: private operators over a snapshot of what runs, until the circuit adopts them."""

    id: int

    @property
    def progress(self) -> tuple[int, int]:
        """(rows of the snapshot that went through, rows of the snapshot)."""
        ...

    def hydrate(self) -> None:
        """Run the snapshot through the private operators. Background thread; touches nothing shared."""
        ...

    def catch_up(self) -> int:
        """Replay what ticks have recorded since; the number of ticks that were replayed. Background thread.

        Call it until it returns a small number, then `adopt` (which replays the rest) holding the tick lock.
        """
        ...

    def output(self) -> Batch:
        """The view's rows as of what was replayed: a subscription's snapshot. Consolidated."""
        ...


class Circuit:
    """The graph of running operators and the arrangements that they share."""

    publish_lock: threading.Lock

    def __init__(self, heap: Heap) -> None: ...

    def create(self, id: int, types: tuple[SqlType, ...], append_only: bool = False, history_ms: int = 1000) -> None:
        """A collection fed by `step`. Its rows are kept: arranged by the whole row, or as a log if append-only."""
        ...

    def stage(self, id: int, plan: Plan, keys: Sequence[tuple[int, ...]] = (), history_ms: int = 1000) -> Staged:
        """Begin collection `id`: the output of `plan`, arranged by each of `keys`. At a tick boundary; O(contents) copy.

        An index `id` on collection `on` is `stage(id, Source(on, types), (key,))`. `Source(id)` in a plan names any
        collection created or adopted before.
        """
        ...

    def adopt(self, staged: Staged) -> None:
        """Replay what is left and splice the view into the graph. At a tick boundary."""
        ...

    def abandon(self, staged: Staged) -> None:
        """Forget a staged view that is not wanted any more (dropped or cancelled while it hydrated)."""
        ...

    def install(self, id: int, plan: Plan, keys: Sequence[tuple[int, ...]] = (), history_ms: int = 1000) -> Batch:
        """stage, hydrate and adopt in one go; the rows it starts with. For tests and for views over nothing yet."""
        ...

    def drop(self, id: int) -> None:
        """Forget collection or index `id`; operators and arrangements that nobody else uses are freed."""
        ...

    def step(self, tick: int, deltas: Mapping[int, Batch]) -> None:
        """Compute: push the deltas of fed collections through. O(touched operators), not of the graph."""
        ...

    def delta(self, id: int) -> Batch | None:
        """Between `step` and the next `step`: the change of collection `id` in this tick; None if there is none."""
        ...

    def publish(self) -> None:
        """Publish: every touched arrangement, error count and history takes the tick. Holds `publish_lock`."""
        ...

    def contents(self, id: int, as_of: int | None = None) -> Batch:
        """The rows of collection `id` after the last published tick, or as of an earlier one not before `since(id)`."""
        ...

    def lookup(self, id: int, key: tuple[int, ...], key_words: Words, as_of: int | None = None) -> Batch:
        """The rows of collection `id` whose columns `key` are `key_words` (uint64[null_words + k, n], n keys).

        `key` must be one of `arranged(id)`.
        """
        ...

    def arranged(self, id: int) -> tuple[tuple[int, ...], ...]:
        """The keys by which the collection is arranged (by whoever asked): look-ups by them are O(result)."""
        ...

    def since(self, id: int) -> int:
        """The earliest tick that `contents(id, as_of)` can show."""
        ...

    def error(self, id: int) -> int | None:
        """The heap code of an error among the operators upstream of collection `id`, or None: it may be read."""
        ...

    def run_once(self, plan: Plan, as_of: int | None = None) -> tuple[Batch, int | None]:
        """Evaluate `plan` over the present contents with private operators, dropped after; (rows, error code)."""
        ...

    def rows(self, id: int) -> int:
        """How many distinct rows the collection's state holds."""
        ...

    def bytes_held(self) -> int:
        """Memory of all states and arrangements."""
        ...

    def mark(self, marks: Marks) -> None:
        """Mark every heap code that states, arrangements, logs, histories and error counts hold. At a tick boundary."""
        ...

    def nodes(self) -> list[NodeInfo]:
        """Every node, in topological order."""
        ...
