"""psycopg 3 (sync, async, pipelines, binary, COPY, server-side cursors) and psycopg2."""

import asyncio
import threading
from datetime import UTC, datetime
from decimal import Decimal

import psycopg
import psycopg2
import psycopg2.extras
import pytest
from psycopg.rows import dict_row
from psycopg.types import TypeInfo
from psycopg.types.composite import CompositeInfo
from psycopg.types.json import Jsonb

AT = datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.mark.parametrize("binary", [False, True], ids=["text", "binary"])
def test_values(url: str, binary: bool):
    with psycopg.connect(url) as session:
        cursor = session.cursor(binary=binary)
        given = (1, 2.5, Decimal("1.25"), "é", True, None, AT, [1, 2, None], b"\x00\xff")
        row = cursor.execute(
            "SELECT %s::bigint, %s::float8, %s::numeric, %s::text, %s::bool, %s::int, %s::timestamptz, %s::int[],"
            " %s::bytea",
            given,
        ).fetchone()
        assert row == given
        assert cursor.execute("SELECT %s::jsonb", [Jsonb({"a": [1]})]).fetchone() == ({"a": [1]},)
        assert cursor.execute("SELECT * FROM sales WHERE id = 1").fetchone() == (
            1, "north", Decimal("12.5"), ["new"], AT,
        )  # fmt: skip


def test_rows_as_dictionaries_and_prepared(url: str):
    with psycopg.connect(url, row_factory=dict_row, prepare_threshold=0) as session:
        for key in (1, 2, 3):
            found = session.execute("SELECT id, shop FROM sales WHERE id = %s", [key]).fetchall()
            assert found == [
                row for row in ({"id": 1, "shop": "north"}, {"id": 2, "shop": "south"}) if row["id"] == key
            ]


def test_transactions_and_savepoints(url: str):
    with psycopg.connect(url, autocommit=True) as session:
        session.execute("CREATE TABLE psy_t (a int)")
        with session.transaction():
            session.execute("INSERT INTO psy_t VALUES (1)")
            for failing in ("INSERT INTO psy_t VALUES (2 / 0)", "INSERT INTO psy_t VALUES (3); SELECT nope"):
                with pytest.raises(psycopg.Error), session.transaction():
                    session.execute(failing)
            session.execute("INSERT INTO psy_t VALUES (4)")
        assert session.execute("SELECT a FROM psy_t ORDER BY a").fetchall() == [(1,), (4,)]
        with session.transaction(force_rollback=True):
            session.execute("DELETE FROM psy_t")
        assert session.execute("SELECT count(*) FROM psy_t").fetchone() == (2,)


def test_pipeline_executemany_and_copy(url: str):
    with psycopg.connect(url) as session:
        session.execute("CREATE TABLE psy_many (a int PRIMARY KEY, b text)")
        with session.pipeline():
            session.cursor().executemany("INSERT INTO psy_many VALUES (%s, %s)", [(i, f"b{i}") for i in range(50)])
            count = session.execute("SELECT count(*) FROM psy_many")
        assert count.fetchone() == (50,)
        with session.cursor().copy("COPY psy_many FROM STDIN") as copy:
            for row in [(100, "tab\t"), (101, None)]:
                copy.write_row(row)
        with session.cursor().copy("COPY (SELECT a, b FROM psy_many WHERE a >= 100 ORDER BY a) TO STDOUT") as copy:
            copy.set_types(["int4", "text"])
            assert list(copy.rows()) == [(100, "tab\t"), (101, None)]
        with session.cursor().copy("COPY psy_many FROM STDIN (FORMAT binary)") as copy:
            copy.set_types(["int4", "text"])
            copy.write_row((102, "é"))
        binary = "COPY (SELECT a, b FROM psy_many WHERE a > 100 ORDER BY a) TO STDOUT (FORMAT binary)"
        with session.cursor().copy(binary) as copy:
            copy.set_types(["int4", "text"])
            assert list(copy.rows()) == [(101, None), (102, "é")]


def test_server_side_cursor(url: str):
    with psycopg.connect(url) as session, session.cursor(name="many") as cursor:
        cursor.itersize = 7
        cursor.execute("SELECT generate_series(1, 30)")
        assert [n for (n,) in cursor] == list(range(1, 31))


def test_type_lookup(url: str):
    with psycopg.connect(url) as session:
        found = TypeInfo.fetch(session, "timestamptz")
        assert found is not None
        assert (found.oid, found.array_oid) == (1184, 1185)
        assert TypeInfo.fetch(session, "nothing") is None


def test_composite_types(url: str):
    with psycopg.connect(url) as session:
        found = CompositeInfo.fetch(session, "pair")
        assert found is not None
        assert (list(found.field_names), list(found.field_types)) == (["a", "b"], [23, 25])


def test_transactions_have_numbers_and_sessions_are_cancelled_by_theirs(url: str):
    with psycopg.connect(url) as session, psycopg.connect(url, autocommit=True) as other:
        numbers = [session.execute("SELECT txid_current(), pg_current_xact_id()").fetchone() for _ in range(2)]
        assert numbers[0] == numbers[1]
        session.commit()
        assert session.execute("SELECT txid_current(), 1").fetchone() > numbers[0]
        session.rollback()

        def cancel() -> None:
            active = "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE pid = %s"
            while sleeping.is_set() and other.execute(active, [session.info.backend_pid]).fetchone() == (True,):
                continue

        sleeping = threading.Event()
        sleeping.set()
        canceller = threading.Thread(target=cancel)
        canceller.start()
        with pytest.raises(psycopg.errors.QueryCanceled):
            session.execute("SELECT pg_sleep(60)")
        sleeping.clear()
        canceller.join()
        assert other.execute("SELECT pg_cancel_backend(0)").fetchone() == (False,)


def test_async(url: str):
    async def conversation() -> list[tuple[int, str]]:
        async with await psycopg.AsyncConnection.connect(url) as session, session.cursor() as cursor:
            async with session.pipeline():
                counted = await session.execute("SELECT count(*) FROM sales")
                await cursor.execute("SELECT id, shop FROM sales WHERE id = ANY(%s) ORDER BY id", [[1, 2]])
            assert await counted.fetchone() == (2,)
            async with session.cursor().copy("COPY (SELECT id FROM sales ORDER BY id) TO STDOUT") as copy:
                assert b"".join([bytes(block) async for block in copy]) == b"1\n2\n"
            return await cursor.fetchall()

    assert asyncio.run(conversation()) == [(1, "north"), (2, "south")]


def test_psycopg2(url: str):
    session = psycopg2.connect(url)
    try:
        with session, session.cursor(cursor_factory=psycopg2.extras.RealDictCursor) as cursor:
            cursor.execute("SELECT id, tags, at FROM sales WHERE id = ANY(%s) ORDER BY id", ([1, 2],))
            assert [dict(row) for row in cursor] == [
                {"id": 1, "tags": ["new"], "at": AT}, {"id": 2, "tags": None, "at": None},
            ]  # fmt: skip
            cursor.execute("CREATE TABLE psy2 (a int, b text)")
            psycopg2.extras.execute_values(cursor, "INSERT INTO psy2 VALUES %s", [(i, "x") for i in range(10)])
        with session, session.cursor("named") as cursor:
            cursor.execute("SELECT a FROM psy2 ORDER BY a")
            assert cursor.fetchmany(3) == [(0,), (1,), (2,)]
        with pytest.raises(psycopg2.errors.UndefinedTable), session, session.cursor() as cursor:
            cursor.execute("SELECT * FROM nope")
    finally:
        session.close()


def test_what_the_system_shows_is_subscribed_to(url: str):
    """By COPY and by a cursor: a new table is told of, joined with its schema; the subscription finds itself."""
    joined = "SELECT s.name, o.name FROM mz_objects o JOIN mz_schemas s ON s.id = o.schema_id WHERE o.name = 'psy_told'"
    with psycopg.connect(url, autocommit=True) as session, psycopg.connect(url, autocommit=True) as other:
        session.execute("CREATE TABLE psy_told (a int)")
        with other.cursor().copy(f"COPY (SUBSCRIBE ({joined})) TO STDOUT") as copy:
            copy.set_types(["numeric", "int8", "text", "text"])
            assert next(copy.rows())[1:] == (1, "public", "psy_told")
            session.execute("DROP TABLE psy_told")
            assert next(copy.rows())[1:] == (-1, "public", "psy_told")
            other.cancel_safe()
            with pytest.raises(psycopg.errors.QueryCanceled):
                next(copy.rows())
        session.execute("BEGIN; DECLARE c CURSOR FOR SUBSCRIBE mz_internal.mz_subscriptions")
        holders: list[int | None] = []
        while session.info.backend_pid not in holders:
            holders += [row[3] for row in session.execute("FETCH ALL c WITH (timeout = '5s')").fetchall()]
        assert session.execute("SELECT pg_backend_pid()").fetchone() == (session.info.backend_pid,)
