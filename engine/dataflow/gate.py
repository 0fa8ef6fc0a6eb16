"""Look-ups beside changes: who reads a node keeps it as it is, who changes nodes keeps look-ups of them out.

Law   A look-up runs while neither its node nor any above it changes. So it sees one complete tick: what a tick does not
      touch is the same before and after it, and what it touches is not looked up until all of the tick is there.
Law   Nobody starves: a change waits for the look-ups that are there, and for none that comes after; one that waits is
      let in by the change that it waited for, before the next.
Cost  two acquisitions of a lock a look-up; O(nodes above it) where something changes.
"""

from collections.abc import Callable, Iterator, Set
from contextlib import contextmanager
from threading import Condition, Event
from typing import Final

from engine.dataflow.node import Node

NOTHING: Final[frozenset[Node]] = frozenset()


class Gate:
    """Of one circuit. Before it leaves, a look-up waits for nothing that somebody holds who changes something."""

    def __init__(self) -> None:
        self._moved: Final = Condition()
        self._readers: Final[dict[Node, int]] = {}
        self._changing: Set[Node] | None = NOTHING  # None: the graph itself
        self._turns: list[tuple[Node, Event]] = []
        self._wakes: list[Callable[[], None]] = []

    def enter(self, node: Node) -> bool:
        """Begin to look a node up; False: it changes at the moment."""
        with self._moved:
            free = self._keeps(node)
            if free:
                self._count(node)
            return free

    def wait(self, node: Node) -> None:
        """Begin to look a node up, as soon as it does not change."""
        with self._moved:
            if self._keeps(node):
                self._count(node)
                return
            turn = Event()
            self._turns.append((node, turn))
        turn.wait()

    def leave(self, node: Node) -> None:
        """End what `enter` or `wait` began."""
        with self._moved:
            left = self._readers[node] - 1
            if left:
                self._readers[node] = left
            else:
                del self._readers[node]
            self._moved.notify()

    def when_free(self, wake: Callable[[], None]) -> None:
        """Call `wake` once, when the change under way has ended, from the thread that made it; or now."""
        with self._moved:
            if self._changing is None or self._changing:
                self._wakes.append(wake)
                return
        wake()

    @contextmanager
    def changing(self, nodes: Set[Node] | None) -> Iterator[None]:
        """While these nodes change; None: the graph itself does, and nothing is looked up. One at a time."""
        with self._moved:
            self._changing = nodes
            self._moved.wait_for(lambda: all(map(self._keeps, self._readers)))
        try:
            yield
        finally:
            with self._moved:
                self._changing = NOTHING
                turns, self._turns = self._turns, []
                wakes, self._wakes = self._wakes, []
                for node, _ in turns:
                    self._count(node)
            for _, turn in turns:
                turn.set()
            for wake in wakes:
                wake()

    def _keeps(self, node: Node) -> bool:
        """Whether the node, and what is above it, stay as they are."""
        changing = self._changing
        return changing is not None and (not changing or changing.isdisjoint(node.above()))

    def _count(self, node: Node) -> None:
        self._readers[node] = self._readers.get(node, 0) + 1
