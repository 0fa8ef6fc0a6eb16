"""Writes that answer, and transactions, by psycopg."""

from collections.abc import Iterator

import psycopg
import pytest
from psycopg import errors

from app.main import Running


@pytest.fixture
def connection(server: Running) -> Iterator[psycopg.Connection]:
    with psycopg.connect(host=server.pg.host, port=server.pg.port, user="materialize") as opened:
        yield opened


def test_writes_answer(connection: psycopg.Connection) -> None:
    connection.autocommit = True
    connection.execute("CREATE TEMP TABLE r (a int PRIMARY KEY, b text)")
    put = "INSERT INTO r VALUES (%s, %s) ON CONFLICT (a) DO UPDATE SET b = r.b || excluded.b RETURNING a, b"
    assert connection.execute(put, (1, "x")).fetchall() == [(1, "x")]
    assert connection.execute(put, (1, "y")).fetchall() == [(1, "xy")]
    with pytest.raises(errors.UniqueViolation) as caught:
        connection.execute("INSERT INTO r VALUES (1, 'z')")
    assert caught.value.diag.message_detail == "Key (a)=(1) already exists."
    assert connection.execute("DELETE FROM r RETURNING *").fetchall() == [(1, "xy")]


def test_a_lost_race_is_a_serialization_failure(server: Running, connection: psycopg.Connection) -> None:
    with psycopg.connect(host=server.pg.host, port=server.pg.port, user="materialize", autocommit=True) as other:
        other.execute("CREATE TABLE race (n int); INSERT INTO race VALUES (1)")
        assert connection.execute("UPDATE race SET n = n + 1 RETURNING n").fetchall() == [(2,)]
        assert connection.execute("SELECT n FROM race").fetchall() == [(2,)]
        other.execute("UPDATE race SET n = 10")
        with pytest.raises(errors.SerializationFailure):
            connection.commit()
        assert connection.execute("SELECT n FROM race").fetchall() == [(10,)]
