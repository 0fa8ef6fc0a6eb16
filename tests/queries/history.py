"""One history of small tables lived through by Tailrace and by a peer, with queries kept as views from the start."""

from collections import Counter
from random import Random
from typing import Protocol, TypeVar

from engine.database import Database, Options
from engine.errors import SqlError

Rows = Counter[tuple[object, ...]]
Query = TypeVar("Query")


class Peer(Protocol[Query]):
    """Another database, which is told the same."""

    name: str

    def create(self, db: Database, random: Random) -> None:
        """The tables in both, with indexes in ours or without."""
        ...

    def query(self, seed: int) -> Query:
        """One over these tables."""
        ...

    def sql(self, query: Query) -> str:
        """Its text."""
        ...

    def change(self, db: Database, random: Random) -> None:
        """Rows come and go in both."""
        ...

    def ours(self, db: Database, view: str | None, query: Query) -> Rows:
        """What Tailrace's view of the query has, or (None) what the query gives, in the form that `answer` has."""
        ...

    def answer(self, query: Query) -> Rows | None:
        """What the query gives here; None where this database cannot say."""
        ...


def history(
    peer: Peer[Query], seed: int, queries: int, batches: int, *, optimize: bool = True
) -> tuple[int, list[str]]:  # fmt: skip
    """How many answers were compared, and what was wrong with which query."""
    random = Random(seed)
    wrong: list[str] = []
    compared = 0
    with Database.in_memory(Options(optimize=optimize)) as db:
        peer.create(db, random)
        views: dict[str, Query] = {}
        for i in range(queries):
            query = peer.query(seed * 1000 + i)
            try:
                db.execute(f"CREATE MATERIALIZED VIEW m{i} AS {peer.sql(query)}")
                views[f"m{i}"] = query
            except SqlError as error:
                if peer.answer(query) is not None:
                    wrong.append(f"{peer.sql(query)}\n  refused: {error}")
        for _ in range(batches):
            peer.change(db, random)
            for name, query in list(views.items()):
                compared += 1
                problem = _differs(db, peer, name, query)
                if problem:
                    wrong.append(f"{peer.sql(query)}\n  {problem}")
                    del views[name]
    return compared, wrong


def _differs(db: Database, peer: Peer[Query], view: str, query: Query) -> str:
    """What is wrong with a view, if anything."""
    try:
        kept, again = peer.ours(db, view, query), peer.ours(db, None, query)
    except SqlError as error:
        return f"failed: {error}" if peer.answer(query) is not None else ""
    if kept != again:
        return f"the view has {kept - again} more and {again - kept} less than the query"
    theirs = peer.answer(query)
    if theirs is not None and kept != theirs:
        return f"{kept - theirs} more and {theirs - kept} less than {peer.name}"
    return ""
