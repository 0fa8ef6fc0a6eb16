"""What every route is given: the database, the threads to wait for it in, the settings, and what routes share."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import Annotated, TypeVar

from fastapi import Depends
from fastapi.requests import HTTPConnection

from app.access.identity import Identity
from app.settings import Settings
from engine.database import Database, Metric
from engine.errors import LimitExceeded

T = TypeVar("T")

AT_LEAST_SECONDS_MAX = 30
"""How long a request waits for the timestamp that it asks for: a clock that is ahead by more is wrong."""


WEBHOOKS_RUNNING_MAX = 500
"""Requests for webhook sources at once; each may hold a body of 2 MB."""


class Gate:
    """Lets in so many at once, and refuses more: LimitExceeded."""

    def __init__(self, running_max: int) -> None:
        self._running = 0
        self._running_max = running_max

    def __enter__(self) -> None:
        if self._running >= self._running_max:
            raise LimitExceeded(f"{self._running_max} webhook requests are under way", hint="Send it again later.")
        self._running += 1

    def __exit__(self, *_: object) -> None:
        self._running -= 1


@dataclass(frozen=True, slots=True)
class Front:
    """One a server. `closing` is set when it begins to shut down."""

    database: Database
    threads: Executor
    settings: Settings
    identity: Identity
    metrics: Callable[[], list[Metric]] = list
    """What the front ends count."""
    webhooks: Gate = field(default_factory=lambda: Gate(WEBHOOKS_RUNNING_MAX))
    closing: asyncio.Event = field(default_factory=asyncio.Event)

    async def in_thread(self, work: Callable[[], T]) -> T:
        """The event loop never waits for the engine."""
        return await asyncio.get_running_loop().run_in_executor(self.threads, work)

    async def reach(self, timestamp: int | None) -> None:
        """Wait until answers are of `timestamp` or later. LimitExceeded if that would take too long."""
        while timestamp is not None:
            ms = await self.in_thread(lambda: self.database.reach(timestamp))
            if ms == 0:
                return
            if ms > 1000 * AT_LEAST_SECONDS_MAX:
                raise LimitExceeded(
                    f"timestamp {timestamp} lies {ms} ms in the future",
                    hint=f"at_least waits for {AT_LEAST_SECONDS_MAX} s at most; give a timestamp of a reply.",
                )
            await asyncio.sleep(ms / 1000)


def front_of(connection: HTTPConnection) -> Front:
    return connection.app.state.front


TheFront = Annotated[Front, Depends(front_of)]
