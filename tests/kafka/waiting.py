"""Until an answer is what it has to be."""

import time
from threading import Event

from engine.database import Database

SECONDS_MAX = 40.0
NEVER = Event()


def until(db: Database, sql: str, wanted: object) -> None:
    """The rows of `sql`, sorted where the order is free; they have to become `wanted` and no error may come."""
    deadline = time.monotonic() + SECONDS_MAX
    while True:
        rows = db.execute(sql).rows()
        if rows == wanted or (isinstance(wanted, list) and "ORDER BY" not in sql and sorted(rows) == sorted(wanted)):
            return
        if time.monotonic() > deadline:
            states = db.execute("SELECT name, status, error FROM mz_internal.mz_source_statuses").rows()
            assert rows == wanted, states
        NEVER.wait(0.02)


def caught_up(db: Database, source: str, records: int) -> None:
    """Ticks have taken all of so many records of a source."""
    sql = f"""SELECT coalesce(sum(offset_committed), 0)::bigint FROM mz_internal.mz_source_partitions p
              JOIN mz_internal.mz_source_statuses s ON s.id = p.id WHERE s.name = '{source}'"""
    until(db, sql, [(records,)])
