"""A conversation with a database in this process: the same pieces as from a server, without a socket."""

from collections.abc import Iterator

from app.cli.compiling import progress
from app.cli.display import NUMERIC_OIDS, Done, Failure, Header, Notice, Pause, Piece, Rows

with progress():
    from engine.database import CopyOut, Database, Result, Subscription, SubscriptionBatch
    from engine.errors import QueryCanceled, SqlError

PAUSE_SECONDS = 0.2


class Embedded:
    """One session of one database in memory."""

    def __init__(self) -> None:
        self._database = Database.in_memory()
        self._session = self._database.session()
        self._cancelled = False

    def run(self, sql: str) -> Iterator[Piece]:
        self._cancelled = False
        try:
            for answer in self._session.run(sql):
                source = answer.source if isinstance(answer, CopyOut) else answer
                yield from self._changes(source) if isinstance(source, Subscription) else self._result(source)
        except SqlError as error:
            yield Failure(error.message, error.sqlstate, "ERROR", error.detail, error.hint, error.position)

    def cancel(self) -> None:
        self._cancelled = True
        self._session.cancel()

    def close(self) -> None:
        self._session.close()
        self._database.close()

    def _result(self, result: Result) -> Iterator[Piece]:
        for notice in result.notices:
            yield Notice(notice.severity, notice.message, notice.hint)
        if result.batch is not None:
            yield Header([c.name for c in result.columns], [c.type.oid in NUMERIC_OIDS for c in result.columns])
            yield Rows(rows_of(result))
        yield Done(result.tag)

    def _changes(self, subscription: Subscription) -> Iterator[Piece]:
        columns = subscription.columns
        with subscription:
            yield Header([c.name for c in columns], [c.type.oid in NUMERIC_OIDS for c in columns])
            count = 0
            while True:
                subscription.wait(PAUSE_SECONDS)
                if self._cancelled:
                    raise QueryCanceled("canceling statement due to user request")
                batch = subscription.poll()
                if batch is not None:
                    count += batch.row_count
                    yield Rows(rows_of(batch))
                elif subscription.ended:
                    break
                else:
                    yield Pause()
            yield Done(f"SUBSCRIBE {count}")


def rows_of(result: Result | SubscriptionBatch) -> list[list[str | None]]:
    columns = [column.to_pylist() for column in result.text()]
    return [list(row) for row in zip(*columns, strict=True)] if columns else [[] for _ in range(result.row_count)]
