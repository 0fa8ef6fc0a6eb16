"""Cancellation and limits: what takes too long or is too large ends with an error that names the setting."""

import threading

import psycopg
import pytest

from tests.wire.test_corners import Raw, query, tags


@pytest.fixture
def connection(server):
    with psycopg.connect(host=server.pg.host, port=server.pg.port, user="materialize", autocommit=True) as opened:
        yield opened


LONG = "SELECT count(*) FROM generate_series(1, 30000) AS a, generate_series(1, 30000) AS b WHERE a + b = -1"
"""900 million pairs."""


def test_a_statement_has_its_time(connection):
    connection.execute("SET statement_timeout = '100ms'")
    with pytest.raises(psycopg.errors.QueryCanceled, match="statement timeout") as caught:
        connection.execute(LONG)
    assert "statement_timeout" in caught.value.diag.message_hint
    connection.execute("RESET statement_timeout")
    assert connection.execute("SELECT 1").fetchone() == (1,)
    with pytest.raises(psycopg.errors.InvalidParameterValue):
        connection.execute("SET statement_timeout = 'soon'")


def test_a_long_join_is_cancelled(connection):
    canceller = threading.Timer(0.3, connection.cancel_safe)
    canceller.start()
    with pytest.raises(psycopg.errors.QueryCanceled, match="user request"):
        connection.execute(LONG)
    canceller.join()
    assert connection.execute("SELECT 1").fetchone() == (1,)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM much ORDER BY s, v",
        "SELECT k, string_agg(s, ',' ORDER BY v) FROM much GROUP BY k",
        "SELECT DISTINCT s, v FROM much",
        "SELECT v, sum(v) OVER (PARTITION BY k ORDER BY s) FROM much",
        "SELECT max(regexp_replace(s, '[0-9]+', upper(s))) FROM much",
        "WITH RECURSIVE c (n) AS (SELECT 1 UNION SELECT n + 1 FROM c WHERE n < 9000) SELECT count(*) FROM c",
        "SELECT count(*) FROM generate_series(1, 9000000)",
        "INSERT INTO much SELECT k, v, upper(s) FROM much",
    ],
)
def test_a_statement_ends_inside_a_long_step_and_leaves_nothing(server, connection, sql):
    if not connection.execute("SHOW TABLES LIKE 'much'").fetchall():
        connection.execute("CREATE TABLE much (k int, v bigint, s text)")
        connection.execute("INSERT INTO much SELECT g % 10, g, 'value ' || g FROM generate_series(1, 300000) AS g")
    connection.execute("SET statement_timeout = 2")
    with pytest.raises(psycopg.errors.QueryCanceled):
        connection.execute(sql)
    connection.execute("RESET statement_timeout")
    assert connection.execute("SELECT count(*), sum(v) FROM much").fetchone() == (300_000, 45_000_150_000)


def test_a_client_may_not_keep_a_transaction_open_for_ever(server):
    with Raw(server) as raw:
        raw.start()
        raw.send(query("SET idle_in_transaction_session_timeout = 50"))
        raw.until(b"Z")
        raw.send(query("BEGIN"))
        raw.until(b"Z")
        reply = raw.ended()
        assert b"25P03" in reply
        assert b"idle_in_transaction_session_timeout" in reply


def test_a_result_that_is_too_large_is_refused(connection):
    connection.execute("SET max_result_size = '100kB'")
    with pytest.raises(psycopg.errors.ConfigurationLimitExceeded, match="max_result_size"):
        connection.execute("SELECT repeat('x', 100) || g FROM generate_series(1, 2000) AS g")
    assert connection.execute("SELECT count(*) FROM generate_series(1, 200000)").fetchone() == (200_000,)


def test_500_connections_opened_and_dropped_leave_nothing(server):
    clients = [Raw(server) for _ in range(100)]
    for _ in range(4):
        for client in clients:
            client.socket.close()
        clients = [Raw(server) for _ in range(100)]
    for client in clients[:20]:
        client.start()
    for client in clients:
        client.socket.close()
    with Raw(server) as raw:
        raw.start()
        raw.send(query("SELECT 1"))
        assert tags(raw.until(b"Z")) == b"TDCZ"
    sessions = dict((name, value) for name, _, value in server.database.metrics())["tailrace_sessions"]
    assert sessions <= 25
