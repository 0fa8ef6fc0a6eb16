"""Advisory locks: keys that sessions hold, which mean what their clients agree on.

Law     A key is held by one session, or by any number that share it; nobody waits for itself.
Counts  What a session takes for itself it has to give back as often; what a transaction takes ends with it.
Waiting A session is deaf for WAIT_SECONDS at most: it can be cancelled, and lock_timeout ends its wait. One that would
        wait for somebody who waits for it is refused instead (40P01).
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from threading import Condition
from typing import Final

from engine.catalog.system.definition import LockKey, LockState
from engine.errors import DeadlockDetected, LockNotAvailable

WAIT_SECONDS: Final = 0.02
Check = Callable[[], None]
"""Raises what ends the statement that waits."""
Taken = tuple[LockKey, bool, bool]
"""A key, whether it is shared, and whether it is the transaction's."""


@dataclass(frozen=True, slots=True)
class Wait:
    """What a session waits for."""

    key: LockKey
    shared: bool


class AdvisoryLocks:
    """Who holds what, and who waits for it. Safe in any thread."""

    def __init__(self) -> None:
        self._changed = Condition()
        self._held: dict[int, dict[Taken, int]] = {}  # by session: how often
        self._waiting: dict[int, Wait] = {}  # by session

    def take(self, session: int, taken: Taken, limit: float | None, check: Check) -> bool:
        """Hold a key once more; whether it is held. `limit` is how many seconds to wait, 0 for not at all and None for
        as long as it takes. Raises LockNotAvailable, DeadlockDetected, or what `check` does."""
        key, shared, _ = taken
        until = None if limit is None else time.monotonic() + limit
        with self._changed:
            try:
                while self._in_the_way(session, key, shared):
                    if limit == 0:
                        return False
                    self._waiting[session] = Wait(key, shared)
                    if session in self._reached(session):
                        raise DeadlockDetected("deadlock detected", hint="Take locks in one order everywhere.")
                    if until is not None and time.monotonic() > until:
                        raise LockNotAvailable("canceling statement due to lock timeout", hint="Raise lock_timeout.")
                    self._changed.wait(WAIT_SECONDS)
                    check()
            finally:
                self._waiting.pop(session, None)
            mine = self._held.setdefault(session, {})
            mine[taken] = mine.get(taken, 0) + 1
            return True

    def give(self, session: int, taken: Taken) -> bool:
        """Hold a key once less; whether it was held."""
        with self._changed:
            mine = self._held.get(session, {})
            count = mine.pop(taken, 0)
            if count > 1:
                mine[taken] = count - 1
            self._changed.notify_all()
            return count > 0

    def end(self, session: int, *, transaction: bool) -> None:
        """Let go of all that the session's transaction holds, or of all that it holds itself."""
        if session not in self._held:
            return
        with self._changed:
            left = {taken: n for taken, n in self._held.pop(session, {}).items() if taken[2] != transaction}
            if left:
                self._held[session] = left
            self._changed.notify_all()

    def of_transaction(self, session: int) -> dict[Taken, int]:
        """What a savepoint keeps."""
        return {taken: count for taken, count in self._held.get(session, {}).items() if taken[2]}

    def return_to(self, session: int, kept: dict[Taken, int]) -> None:
        """The transaction holds what it held at a savepoint."""
        with self._changed:
            own = {taken: count for taken, count in self._held.get(session, {}).items() if not taken[2]}
            self._held[session] = own | kept
            self._changed.notify_all()

    def blocking(self, session: int) -> list[int]:
        """The sessions that one waits for."""
        with self._changed:
            return self._blocking(session)

    def states(self) -> Iterator[LockState]:
        """Each key that a session holds or waits for."""
        with self._changed:
            held = {(session, *taken[:2]) for session, mine in self._held.items() for taken in mine}
            waiting = {(session, wait.key, wait.shared) for session, wait in self._waiting.items()}
        for granted, found in ((True, held), (False, waiting)):
            for session, key, shared in sorted(found):
                yield LockState(session, key, shared, granted)

    def _in_the_way(self, session: int, key: LockKey, shared: bool) -> list[int]:
        return sorted(
            other
            for other, mine in self._held.items()
            if other != session and any(held == key and not (shared and as_shared) for held, as_shared, _ in mine)
        )

    def _blocking(self, session: int) -> list[int]:
        wait = self._waiting.get(session)
        return [] if wait is None else self._in_the_way(session, wait.key, wait.shared)

    def _reached(self, session: int) -> set[int]:
        """Whom it waits for, and whom they wait for, and so on."""
        reached, ahead = set[int](), [session]
        while ahead:
            for other in self._blocking(ahead.pop()):
                if other not in reached:
                    reached.add(other)
                    ahead.append(other)
        return reached


class Holder:
    """The locks of one session, as functions ask for them."""

    def __init__(self, locks: AdvisoryLocks, session: int, limit: Callable[[], float | None], check: Check) -> None:
        self._locks: Final = locks
        self._session: Final = session
        self._limit: Final = limit
        self._check: Final = check

    def take(self, key: LockKey, *, shared: bool, of_transaction: bool, wait: bool) -> bool:
        limit = self._limit() if wait else 0
        return self._locks.take(self._session, (key, shared, of_transaction), limit, self._check)

    def give(self, key: LockKey, *, shared: bool) -> bool:
        """Once less of what the session took for itself."""
        return self._locks.give(self._session, (key, shared, False))

    def end(self) -> None:
        """Let go of all that the session took for itself."""
        self._locks.end(self._session, transaction=False)

    def end_transaction(self) -> None:
        self._locks.end(self._session, transaction=True)

    @property
    def state(self) -> dict[Taken, int]:
        """What a savepoint keeps."""
        return self._locks.of_transaction(self._session)

    def return_to(self, state: dict[Taken, int]) -> None:
        self._locks.return_to(self._session, state)
