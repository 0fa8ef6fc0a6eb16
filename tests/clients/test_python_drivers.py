"""asyncpg and pg8000: two drivers that speak the protocol themselves."""

import asyncio
from datetime import UTC, datetime
from decimal import Decimal

import asyncpg
import pg8000.dbapi
import pg8000.native
import pytest

from app.main import Running


def test_asyncpg(url: str):
    async def conversation() -> None:
        session = await asyncpg.connect(url, timeout=10, command_timeout=20)
        row = await session.fetchrow("SELECT * FROM sales WHERE id = $1", 1)
        assert tuple(row) == (1, "north", Decimal("12.5"), ["new"], datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC))
        await session.execute("CREATE TABLE apg (a int PRIMARY KEY, b text)")
        await session.executemany("INSERT INTO apg VALUES ($1, $2)", [(i, str(i)) for i in range(20)])
        async with session.transaction():
            async for n in session.cursor("SELECT a FROM apg ORDER BY a", prefetch=5):
                assert n["a"] < 20
            inner = session.transaction()
            await inner.start()
            await session.execute("DELETE FROM apg")
            await inner.rollback()
        statement = await session.prepare("SELECT b FROM apg WHERE a = ANY($1::int[])")
        assert [row["b"] for row in await statement.fetch([3, 4])] == ["3", "4"]
        assert [attribute.type.name for attribute in statement.get_attributes()] == ["text"]
        assert await session.fetchval("SELECT count(*) FROM apg") == 20
        with pytest.raises(asyncpg.UndefinedColumnError):
            await session.fetch("SELECT nope")
        await session.close()

    asyncio.run(conversation())


def test_asyncpg_pool(url: str):
    async def conversation() -> list[int]:
        async with asyncpg.create_pool(url, min_size=2, max_size=3) as pool:
            return await asyncio.gather(*(pool.fetchval("SELECT $1::int * 2", n) for n in range(6)))

    assert asyncio.run(conversation()) == [0, 2, 4, 6, 8, 10]


def test_pg8000(server: Running):
    address = {"host": server.pg.host, "port": server.pg.port, "user": "materialize", "database": "materialize"}
    native = pg8000.native.Connection(**address)
    assert native.run("SELECT id, shop FROM sales WHERE id = :key", key=2) == [[2, "south"]]
    assert native.run("SELECT ARRAY[1, 2], :x::numeric", x=Decimal("1.5")) == [[[1, 2], Decimal("1.5")]]
    native.close()
    session = pg8000.dbapi.connect(**address)
    cursor = session.cursor()
    cursor.execute("CREATE TABLE pg8 (a int)")
    cursor.executemany("INSERT INTO pg8 VALUES (%s)", [(1,), (2,)])
    session.commit()
    cursor.execute("SELECT sum(a) FROM pg8")
    assert tuple(cursor.fetchone()) == (3,)
    session.close()
