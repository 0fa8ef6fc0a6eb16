"""What system relations show of the worker, computed when a query reads them and not before."""

from collections.abc import Callable, Iterator, Mapping
from typing import TypeVar

from engine.catalog.system import Runtime
from engine.cluster.worker import Worker

T = TypeVar("T")


class Lazily(Mapping[int, T]):
    """A fact about each of some collections, by id."""

    def __init__(self, ids: Callable[[], frozenset[int]], fact: Callable[[int], T]) -> None:
        self._ids = ids
        self._fact = fact

    def __getitem__(self, id: int) -> T:
        if id not in self._ids():
            raise KeyError(id)
        return self._fact(id)

    def __iter__(self) -> Iterator[int]:
        return iter(sorted(self._ids()))

    def __len__(self) -> int:
        return len(self._ids())


def runtime(worker: Worker) -> Runtime:
    """The state of each collection and index that the worker has."""

    def rows(id: int) -> int:
        return worker.circuit.rows(id) if worker.is_live(id) else 0

    def bytes_of(id: int) -> int:
        return worker.circuit.bytes_of(id) if worker.is_live(id) else 0

    def progress(id: int) -> tuple[int, int]:
        return worker.progress(id) or (0, 0)

    return Runtime(
        Lazily(worker.known, worker.is_live), Lazily(worker.known, rows), Lazily(worker.known, bytes_of),
        Lazily(worker.unfinished, progress),
    )  # fmt: skip
