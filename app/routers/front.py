"""What every route is given: the database, the threads to wait for it in, and the settings."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Annotated, TypeVar

from fastapi import Depends
from fastapi.requests import HTTPConnection

from app.settings import Settings
from engine.database import Database

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Front:
    database: Database
    threads: Executor
    settings: Settings

    async def in_thread(self, work: Callable[[], T]) -> T:
        """The event loop never waits for the engine."""
        return await asyncio.get_running_loop().run_in_executor(self.threads, work)


def front_of(connection: HTTPConnection) -> Front:
    return connection.app.state.front


TheFront = Annotated[Front, Depends(front_of)]
