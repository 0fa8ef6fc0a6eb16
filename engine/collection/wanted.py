"""Whether what a thread computes is still wanted.

Rule  Whoever computes for a statement says how to find out (`asking`); what may take long asks between its pieces
      (`ask`), wherever it stands: a plan's nodes, an operator's kernels, rows that go through Python one by one.
Law   What changes something that others see asks nobody (`unasked`): a tick is whole or not at all.
Cost  0.1 us where nobody may change his mind, else what he takes to say.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

Check = Callable[[], None]
"""Raises when the answer is not wanted any more."""


class _Thread(threading.local):
    check: Check | None = None


_THREAD: Final = _Thread()


def ask() -> None:
    """Raises what `check` raises."""
    check = _THREAD.check
    if check is not None:
        check()


@contextmanager
def asking(check: Check | None) -> Iterator[None]:
    """While this thread computes for somebody who says by `check` whether he still wants it."""
    before, _THREAD.check = _THREAD.check, check
    try:
        yield
    finally:
        _THREAD.check = before


@contextmanager
def unasked() -> Iterator[None]:
    """While this thread does what is not to be given up half-way."""
    with asking(None):
        yield
