"""The operator protocol: what every delta rule in `operators/` obeys.

A tick has two phases (engine/dataflow/circuit.py drives them). In **compute** every operator with a delta steps once,
in topological order; it may change its private state, but whatever others read (arrangements, error counts) still
holds the previous tick. In **publish** those take the tick's changes.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Protocol

from engine.collection.batch import Batch
from engine.collection.heap import Marks
from engine.dataflow.errors import ErrorCounts


class Operator(Protocol):
    """One node of the running graph. Held to "incremental equals batch at every tick" by tests/laws/.

    `errors` counts the rows of this operator's own error stream; a view fails on read while an operator upstream of it
    has any.
    """

    errors: ErrorCounts

    def step(self, tick: int, deltas: Sequence[Batch]) -> Batch:
        """One delta per input in, the delta of the ok stream out. Not called when all deltas are empty."""
        ...

    def publish(self) -> None:
        """Make this tick's changes visible to readers."""
        ...

    def contents(self) -> Batch | None:
        """All rows of the output as of the last published tick, if the state holds them; None: derive from inputs."""
        ...

    def rows(self) -> int:
        """How many distinct rows of the output the state holds; 0 where `contents` is None."""
        ...

    def bytes_held(self) -> int:
        """Memory of the private state, by its arrays."""
        ...

    def mark(self, marks: Marks) -> None:
        """Mark every heap code that the private state holds."""
        ...


class Stateless(ABC):
    """What operators that keep nothing but their error counts have in common: delta out is a function of delta in.

    `apply` is that function; it also derives a view's contents from its inputs' contents, where failed rows do not
    count again.
    """

    errors: ErrorCounts

    def __init__(self) -> None:
        self.errors = ErrorCounts()

    @abstractmethod
    def apply(self, deltas: Sequence[Batch], errors: ErrorCounts) -> Batch:
        """The change of the ok stream; failed rows go to `errors`."""

    def step(self, tick: int, deltas: Sequence[Batch]) -> Batch:
        return self.apply(deltas, self.errors)

    def publish(self) -> None:
        self.errors.publish()

    def contents(self) -> Batch | None:
        return None

    def rows(self) -> int:
        return 0

    def bytes_held(self) -> int:
        return 0

    def mark(self, marks: Marks) -> None:
        self.errors.mark(marks)
