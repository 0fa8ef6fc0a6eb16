"""Blocks of several sessions, interleaved at random, are as if one ran after the other: each that wrote at its commit,
each that only read at the tick that it read. Their answers, and what is there in the end, are held to that."""

from collections import Counter
from dataclasses import dataclass, field
from random import Random

import pytest

from engine.database import Database, Session
from engine.errors import SerializationFailure, SqlError

SCHEMA = """
CREATE TABLE t (k int PRIMARY KEY, n int);
CREATE TABLE u (k int, n int);
INSERT INTO t VALUES (1, 1), (2, 2);
INSERT INTO u VALUES (1, 10);
CREATE VIEW few AS SELECT k, n FROM t WHERE n < 5;
CREATE VIEW beside AS SELECT few.k, u.n FROM few LEFT JOIN u ON u.k = few.k;
CREATE MATERIALIZED VIEW many AS SELECT count(*) >= 4 AS yes FROM t;
CREATE MATERIALIZED VIEW summed AS SELECT sum(n) AS n FROM beside;
CREATE VIEW over_summed AS SELECT coalesce(n, 0) AS n FROM summed;
"""
READS = (
    "SELECT * FROM few", "SELECT * FROM beside", "SELECT yes FROM many", "SELECT n FROM over_summed",
    "SELECT sum(n) FROM u", "SELECT k FROM t WHERE k = {k}", "SELECT n FROM summed",
    "SELECT count(*) FROM u JOIN few ON u.n = few.n",
)  # fmt: skip
WRITES = (
    "INSERT INTO t VALUES ({k}, {n}) ON CONFLICT DO NOTHING", "INSERT INTO u VALUES ({k}, {n})",
    "INSERT INTO u SELECT * FROM few", "UPDATE t SET n = n + 1 WHERE k = {k}", "DELETE FROM u WHERE n > {n}",
    "INSERT INTO t VALUES ({k}, {n}) ON CONFLICT (k) DO UPDATE SET n = excluded.n + (SELECT n FROM over_summed)",
    "UPDATE u SET n = (SELECT count(*)::int FROM few) WHERE k = {k} RETURNING n",
    "DELETE FROM t WHERE k IN (SELECT k FROM u)", "INSERT INTO u SELECT {k}, n FROM summed WHERE n > {n}",
)  # fmt: skip
Answer = Counter[tuple[object, ...]] | str


@dataclass
class Block:
    """What a session did, what it was answered, and as of which tick it is."""

    session: Session
    done: list[tuple[str, Answer]] = field(default_factory=list)
    tick: int = 0


def answer(session: Session, sql: str) -> tuple[Answer, int | None]:
    try:
        result = session.execute(sql)
    except SqlError as error:
        return error.sqlstate, None
    return Counter(result.rows()), result.timestamp


@pytest.mark.parametrize("seed", range(12))
def test_blocks_are_as_if_one_ran_after_the_other(seed: int) -> None:
    random = Random(seed)
    with Database.in_memory() as db, Database.in_memory() as again:
        db.execute(SCHEMA)
        again.execute(SCHEMA)
        lived = live(db, random)
        assert len(lived) > 5
        for block in sorted(lived, key=lambda block: block.tick):
            block.session = again.session()
            block.session.execute("BEGIN")
            for sql, before in block.done:
                assert answer(block.session, sql)[0] == before, (sql, block.done)
            block.session.execute("COMMIT")
        for relation in ("t", "u", "beside", "many", "summed"):
            kept, asked = (Counter(of.execute(f"SELECT * FROM {relation}").rows()) for of in (db, again))
            assert kept == asked, relation


def live(db: Database, random: Random) -> list[Block]:
    """Three sessions live through blocks, a statement at a time; the blocks that committed, in their order."""
    committed: list[Block] = []
    blocks: list[Block | None] = [None] * 3
    for _ in range(120):
        i = random.randrange(3)
        block = blocks[i]
        if block is None:
            block = blocks[i] = Block(db.session())
            block.session.execute("BEGIN")
        elif len(block.done) < 5 and random.random() < 0.75:
            sql = random.choice(READS if random.random() < 0.5 else WRITES)
            sql = sql.format(k=random.randint(1, 4), n=random.randint(0, 7))
            found, tick = answer(block.session, sql)
            if isinstance(found, str):
                block.session.execute("ROLLBACK")
                blocks[i] = None
            else:
                block.tick = tick or block.tick
                block.done.append((sql, found))
        else:
            blocks[i] = None
            try:
                block.tick = block.session.execute("COMMIT").timestamp or block.tick
            except SerializationFailure:
                continue
            if block.tick:  # else it wrote nothing, and no answer tells as of when
                committed.append(block)
    return committed
