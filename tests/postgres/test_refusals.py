"""A server that refuses something: the status says why and what to do there, and once it is done the source goes on by
itself, with nothing lost."""

import time
from collections.abc import Callable, Iterator
from contextlib import suppress

import psycopg
import pytest

from engine.database import Database
from engine.errors import SourceError
from tests.kafka.waiting import until
from tests.postgres.conftest import Upstream
from tests.postgres.server import PASSWORD

ROLE = "follower"
STATUS = "SELECT status, error, hint FROM mz_internal.mz_source_statuses WHERE name = 's'"


class Followed:
    """A source over table t, which is read as a role that may do no more than docs/sources.md says."""

    def __init__(self, db: Database, upstream: Upstream) -> None:
        self.db, self.upstream = db, upstream
        upstream.table("t", "n int")
        with suppress(psycopg.errors.UndefinedObject):
            upstream.run(f"DROP OWNED BY {ROLE}", f"DROP ROLE {ROLE}")
        upstream.run("CREATE PUBLICATION p FOR TABLE t", f"CREATE ROLE {ROLE} LOGIN REPLICATION PASSWORD '{PASSWORD}'",
                     f"GRANT SELECT ON t TO {ROLE}", "INSERT INTO t VALUES (0)")  # fmt: skip
        db.execute(f"CREATE SECRET pass AS '{PASSWORD}'")
        db.execute(f"""CREATE CONNECTION pg TO POSTGRES (HOST '127.0.0.1', PORT {upstream.server.port},
            DATABASE '{upstream.name}', USER '{ROLE}', PASSWORD SECRET pass)""")

    def create(self) -> None:
        self.db.execute("CREATE SOURCE s FROM POSTGRES CONNECTION pg (PUBLICATION 'p') FOR ALL TABLES")

    def away(self) -> None:
        """Our connections end."""
        self.upstream.run(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{ROLE}'")

    def without_slot(self) -> None:
        """Our slot is dropped, as soon as nobody reads it."""
        deadline = time.monotonic() + 20
        while slots := self.upstream.slots():
            self.away()
            with suppress(psycopg.errors.ObjectInUse, psycopg.errors.UndefinedObject):
                self.upstream.run(f"SELECT pg_drop_replication_slot('{slots[0]}')")
            assert time.monotonic() < deadline


@pytest.fixture
def followed(db: Database, upstream: Upstream) -> Iterator[Followed]:
    followed = Followed(db, upstream)
    yield followed
    db.close()
    upstream.run(f"DROP OWNED BY {ROLE}", f"DROP ROLE {ROLE}")


Undo = Callable[[], object]


def password(it: Followed) -> Undo:
    it.upstream.run(f"ALTER ROLE {ROLE} PASSWORD 'another'")
    it.away()
    return lambda: it.db.execute("ALTER SECRET pass AS 'another'")


def no_replication(it: Followed) -> Undo:
    it.upstream.run(f"ALTER ROLE {ROLE} NOREPLICATION")
    it.away()
    return lambda: it.upstream.run(f"ALTER ROLE {ROLE} REPLICATION")


def no_login(it: Followed) -> Undo:
    it.upstream.run(f"ALTER ROLE {ROLE} NOLOGIN")
    it.away()
    return lambda: it.upstream.run(f"ALTER ROLE {ROLE} LOGIN")


def hba(it: Followed) -> Undo:
    entries = it.upstream.server.data / "pg_hba.conf"
    before = entries.read_text()

    def become(text: str) -> None:
        entries.write_text(text)
        it.upstream.run("SELECT pg_reload_conf()")

    become(f"host all {ROLE} 127.0.0.1/32 reject\n{before}")
    it.away()
    return lambda: become(before)


def no_connect(it: Followed) -> Undo:
    it.upstream.run(f"REVOKE CONNECT ON DATABASE {it.upstream.name} FROM PUBLIC")
    it.away()
    return lambda: it.upstream.run(f"GRANT CONNECT ON DATABASE {it.upstream.name} TO {ROLE}")


def no_select(it: Followed) -> Undo:
    """It is asked for again when the tables are copied anew."""
    it.upstream.run(f"REVOKE SELECT ON t FROM {ROLE}")
    it.without_slot()
    return lambda: it.upstream.run(f"GRANT SELECT ON t TO {ROLE}")


def no_slots(it: Followed) -> Undo:
    it.upstream.run(f"ALTER ROLE {ROLE} NOLOGIN")
    it.without_slot()
    others: list[str] = []
    with suppress(psycopg.errors.ConfigurationLimitExceeded):
        while True:
            others.append(f"filler_{len(others)}")
            it.upstream.run(f"SELECT pg_create_physical_replication_slot('{others[-1]}')")
    others.pop()
    it.upstream.run(f"ALTER ROLE {ROLE} LOGIN")
    return lambda: [it.upstream.run(f"SELECT pg_drop_replication_slot('{name}')") for name in others]


def no_publication(it: Followed) -> Undo:
    it.upstream.run("DROP PUBLICATION p")
    it.away()
    return lambda: it.upstream.run("CREATE PUBLICATION p FOR TABLE t")


def level(it: Followed) -> Undo:
    """It takes a restart of the server, which refuses one as long as there are logical slots."""
    server, upstream = it.upstream.server, it.upstream

    def become(level: str) -> None:
        upstream.run(f"ALTER SYSTEM SET wal_level = '{level}'")
        server.kill()
        server.start()
        upstream.again()

    upstream.run(f"ALTER ROLE {ROLE} NOLOGIN")
    it.without_slot()
    become("replica")
    upstream.run(f"ALTER ROLE {ROLE} LOGIN")
    return lambda: become("logical")


@pytest.mark.parametrize(
    ("spoil", "said", "hint"),
    [
        (password, "password authentication failed", "ALTER SECRET"),
        (no_replication, "", f'ALTER ROLE "{ROLE}" REPLICATION'),
        (no_login, "not permitted to log in", f'ALTER ROLE "{ROLE}" LOGIN'),
        (hba, "pg_hba.conf", "pg_reload_conf()"),
        (no_connect, "permission denied for database", "GRANT CONNECT"),
        (no_select, "permission denied for table t", "GRANT SELECT"),
        (no_slots, "all replication slots are in use", "max_replication_slots"),
        (no_publication, 'publication "p" does not exist', "CREATE PUBLICATION"),
        (level, "wal_level is replica", "wal_level = logical"),
    ],
)
def test_it_is_said_and_mends_itself(followed, spoil, said, hint):
    """What was committed meanwhile comes then; what was there before stays readable."""
    followed.create()
    until(followed.db, "SELECT * FROM t", [(0,)])
    undo = spoil(followed)
    try:
        deadline = time.monotonic() + 30
        while True:
            ((status, error, advice),) = followed.db.execute(STATUS).rows()
            if status == "stalled" and said in error and hint in (advice or ""):
                break
            assert time.monotonic() < deadline, (status, error, advice)
            time.sleep(0.02)
        assert followed.db.execute("SELECT * FROM t").rows() == [(0,)]
        followed.upstream.run("INSERT INTO t VALUES (1)")
    finally:
        undo()
    until(followed.db, "SELECT * FROM t", [(0,), (1,)])
    until(followed.db, STATUS, [("running", None, None)])


@pytest.mark.parametrize("spoil", [password, no_replication, hba, no_publication, level])
def test_a_statement_that_asks_the_server_says_it_too(followed, spoil):
    """And makes nothing."""
    undo = spoil(followed)
    try:
        with pytest.raises(SourceError) as refused:
            followed.create()
        assert refused.value.hint
    finally:
        undo()
    assert followed.db.execute("SHOW SOURCES").rows() == []
    followed.create()
    until(followed.db, "SELECT * FROM t", [(0,)])
