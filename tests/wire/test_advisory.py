"""Advisory locks and the end of sessions: what one client's functions do to another."""

import threading
from collections.abc import Callable, Iterator

import psycopg
import pytest
from psycopg import errors

from app.main import Running

Connect = Callable[[], psycopg.Connection]


@pytest.fixture
def connect(server: Running) -> Iterator[Connect]:
    opened: list[psycopg.Connection] = []

    def connect() -> psycopg.Connection:
        connection = psycopg.connect(
            host=server.pg.host, port=server.pg.port, user="materialize", dbname="materialize", autocommit=True
        )
        opened.append(connection)
        return connection

    yield connect
    for connection in opened:
        connection.close()


def one(connection: psycopg.Connection, query: str) -> object:
    row = connection.execute(query.encode()).fetchone()
    assert row is not None
    return row[0]


class Waiter:
    """A statement that waits, in a thread; `connection` is seen waiting by the others before anything goes on."""

    def __init__(self, connection: psycopg.Connection, query: str, seen_by: psycopg.Connection) -> None:
        self.error: psycopg.Error | None = None
        pid = connection.info.backend_pid
        self._thread = threading.Thread(target=self._run, args=(connection, query))
        self._thread.start()
        while not one(seen_by, f"SELECT count(*) FROM pg_locks WHERE pid = {pid} AND NOT granted"):
            assert self._thread.is_alive(), self.error

    def _run(self, connection: psycopg.Connection, query: str) -> None:
        try:
            connection.execute(query.encode())
        except psycopg.Error as error:
            self.error = error

    def ended(self) -> psycopg.Error | None:
        self._thread.join(30)
        assert not self._thread.is_alive()
        return self.error


def test_a_lock_is_one_sessions(connect: Connect):
    mine, other = connect(), connect()
    assert one(mine, "SELECT pg_advisory_lock(7)") == ""
    assert one(mine, "SELECT pg_try_advisory_lock(7)") is True  # counted
    assert one(other, "SELECT pg_try_advisory_lock(7)") is False
    assert one(other, "SELECT pg_try_advisory_lock(0, 7)") is True  # two integers are another key
    assert one(mine, "SELECT pg_advisory_unlock(7)") is True
    assert one(other, "SELECT pg_try_advisory_lock(7)") is False
    assert one(mine, "SELECT pg_advisory_unlock(7)") is True
    assert one(mine, "SELECT pg_advisory_unlock(7)") is False
    assert one(other, "SELECT pg_try_advisory_lock(7)") is True
    other.close()
    assert one(mine, "SELECT pg_try_advisory_lock(7)") is True
    one(mine, "SELECT pg_advisory_unlock_all()")
    assert one(mine, "SELECT count(*) FROM pg_locks") == 0


def test_what_is_shared_is_not_exclusive(connect: Connect):
    mine, other = connect(), connect()
    one(mine, "SELECT pg_advisory_lock_shared(-8)")
    assert one(other, "SELECT pg_try_advisory_lock_shared(-8)") is True
    assert one(other, "SELECT pg_try_advisory_lock(-8)") is False
    shown = mine.execute("SELECT classid, objid, objsubid, mode, granted FROM pg_locks ORDER BY pid").fetchall()
    assert shown == [((1 << 32) - 1, (1 << 32) - 8, 1, "ShareLock", True)] * 2
    one(other, "SELECT pg_advisory_unlock_shared(-8)")
    assert one(mine, "SELECT pg_try_advisory_lock(-8)") is True


def test_a_transactions_locks_end_with_it(connect: Connect):
    mine, other = connect(), connect()
    free = "SELECT pg_try_advisory_xact_lock(9)"
    one(mine, "SELECT pg_advisory_xact_lock(9)")  # a transaction of its own
    assert one(other, free) is True
    for end in ("COMMIT", "ROLLBACK"):
        mine.execute("BEGIN")
        one(mine, "SELECT pg_advisory_xact_lock(9)")
        assert one(mine, "SELECT pg_advisory_unlock(9)") is False
        assert one(other, free) is False
        mine.execute(end.encode())
        assert one(other, free) is True
    mine.execute("BEGIN")
    one(mine, "SELECT pg_advisory_xact_lock(10)")
    mine.execute("SAVEPOINT s")
    one(mine, "SELECT pg_advisory_xact_lock(9)")
    mine.execute("ROLLBACK TO s")
    assert one(other, free) is True
    assert one(other, "SELECT pg_try_advisory_xact_lock(10)") is False
    with pytest.raises(errors.DivisionByZero):
        mine.execute("SELECT 1 / 0")
    assert one(other, "SELECT pg_try_advisory_xact_lock(10)") is True
    mine.execute("ROLLBACK")


def test_waiting(connect: Connect):
    mine, other, watcher = connect(), connect(), connect()
    one(mine, "SELECT pg_advisory_lock(11)")
    waiter = Waiter(other, "SELECT pg_advisory_lock(11)", watcher)
    assert one(watcher, f"SELECT pg_blocking_pids({other.info.backend_pid})") == [mine.info.backend_pid]
    one(mine, "SELECT pg_advisory_unlock(11)")
    assert waiter.ended() is None
    assert one(mine, "SELECT pg_try_advisory_lock(11)") is False
    waiter = Waiter(mine, "SELECT pg_advisory_lock(11)", watcher)
    assert one(watcher, f"SELECT pg_cancel_backend({mine.info.backend_pid})") is True
    assert isinstance(waiter.ended(), errors.QueryCanceled)
    mine.execute("SET lock_timeout = '30ms'")
    with pytest.raises(errors.LockNotAvailable):
        mine.execute("SELECT pg_advisory_lock(11)")


def test_who_would_wait_for_a_waiter_is_refused(connect: Connect):
    mine, other, watcher = connect(), connect(), connect()
    one(mine, "SELECT pg_advisory_lock(12)")
    one(other, "SELECT pg_advisory_lock(13)")
    waiter = Waiter(mine, "SELECT pg_advisory_lock(13)", watcher)
    with pytest.raises(errors.DeadlockDetected):
        other.execute("SELECT pg_advisory_lock(12)")
    one(other, "SELECT pg_advisory_unlock_all()")
    assert waiter.ended() is None


def test_keys_are_constants(connect: Connect):
    mine = connect()
    with pytest.raises(errors.InvalidParameterValue, match="must be constants"):
        mine.execute("SELECT pg_advisory_lock(n) FROM generate_series(1, 3) AS n")
    with pytest.raises(errors.FeatureNotSupported):
        mine.execute("CREATE TABLE made AS SELECT pg_advisory_lock(1)")


def test_a_session_is_terminated(connect: Connect):
    mine, other, watcher = connect(), connect(), connect()
    pid = other.info.backend_pid
    one(other, "SELECT pg_advisory_lock(14)")
    assert one(mine, f"SELECT pg_terminate_backend({pid})") is True
    with pytest.raises(errors.AdminShutdown):
        other.execute("SELECT 1")
    one(mine, "SELECT pg_advisory_lock(14)")  # which it had
    assert one(mine, f"SELECT pg_terminate_backend({pid})") is False
    third = connect()
    waiter = Waiter(third, "SELECT pg_advisory_lock(14)", watcher)
    one(mine, f"SELECT pg_terminate_backend({third.info.backend_pid})")
    assert isinstance(waiter.ended(), errors.AdminShutdown)


def test_settings_of_the_clients_own(connect: Connect):
    mine = connect()
    assert one(mine, "SELECT current_setting('app.user', true)") is None
    with pytest.raises(errors.UndefinedObject):
        mine.execute("SELECT current_setting('app.user')")
    with pytest.raises(errors.UndefinedObject):
        mine.execute("SHOW app.user")
    mine.execute("SET app.user = 'ann'")
    assert one(mine, "SELECT current_setting('App.User')") == "ann"
    assert one(mine, "SHOW app.user") == "ann"
    mine.execute("BEGIN")
    one(mine, "SELECT set_config('app.user', 'bob', true)")
    assert one(mine, "SHOW app.user") == "bob"
    mine.execute("COMMIT")
    assert one(mine, "SHOW app.user") == "ann"
    mine.execute("RESET ALL")
    assert one(mine, "SHOW app.user") == ""
