"""One server for the whole run; a database of its own for each test."""

import itertools
import time
from collections.abc import Iterator

import psycopg
import pytest

from engine.database import Database
from tests.kafka.broker import in_ci
from tests.postgres.server import MISSING, PASSWORD, Server, binaries

NUMBERS = itertools.count()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if binaries() is not None:
        return
    if in_ci():
        pytest.exit(f"tests/postgres cannot run: {MISSING}", returncode=1)
    for item in items:
        if "tests/postgres" in str(item.path):
            item.add_marker(pytest.mark.skip(reason=MISSING))


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    server = Server()
    try:
        server.start()
        yield server
    finally:
        server.stop()


class Upstream:
    """A database of the server, and a connection to it."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.name = f"d{next(NUMBERS)}"
        with server.connect() as postgres:
            postgres.execute(f"CREATE DATABASE {self.name} TEMPLATE template0")
        self.connection = server.connect(self.name)

    def run(self, *statements: str) -> list[tuple]:
        """Run statements, each a transaction; the rows of the last."""
        rows: list[tuple] = []
        for sql in statements:
            cursor = self.connection.execute(sql)
            rows = cursor.fetchall() if cursor.description else []
        return rows

    def again(self) -> None:
        """Connect anew: the server was another process."""
        self.connection.close()
        self.connection = self.server.connect(self.name)

    def connect(self) -> psycopg.Connection:
        return self.server.connect(self.name)

    def table(self, name: str, columns: str) -> None:
        """A table that can be followed."""
        self.run(f"CREATE TABLE {name} ({columns})", f"ALTER TABLE {name} REPLICA IDENTITY FULL")

    def follow(self, db: Database, which: str = "FOR ALL TABLES", options: str = "") -> None:
        """Source `s` of publication p, which has all tables unless there is one already."""
        if not self.run("SELECT 1 FROM pg_publication"):
            self.run("CREATE PUBLICATION p FOR ALL TABLES")
        self.connection_of(db)
        db.execute(f"CREATE SOURCE s FROM POSTGRES CONNECTION pg (PUBLICATION 'p'{options}) {which}")

    def connection_of(self, db: Database) -> None:
        """Connection `pg` to this database."""
        db.execute(f"CREATE SECRET IF NOT EXISTS pgpass AS '{PASSWORD}'")
        db.execute(f"""CREATE CONNECTION IF NOT EXISTS pg TO POSTGRES (HOST '127.0.0.1', PORT {self.server.port},
            DATABASE '{self.name}', USER 'postgres', PASSWORD SECRET pgpass)""")

    def slots(self) -> list[str]:
        rows = self.run("SELECT slot_name FROM pg_replication_slots WHERE database = current_database()")
        return [name for (name,) in rows]

    def close(self) -> None:
        """Leave no slot: the server would keep its log for it."""
        self.again()
        deadline = time.monotonic() + 10
        while slots := self.slots():
            for slot in slots:
                try:
                    self.run(f"SELECT pg_drop_replication_slot('{slot}')")
                except psycopg.errors.ObjectInUse:
                    assert time.monotonic() < deadline
                    time.sleep(0.05)
        self.connection.close()


@pytest.fixture
def upstream(server: Server) -> Iterator[Upstream]:
    upstream = Upstream(server)
    yield upstream
    upstream.close()


@pytest.fixture
def db(upstream: Upstream) -> Iterator[Database]:
    """Closed before the upstream is, which leaves no slot that is in use."""
    with Database.in_memory() as database:
        yield database
