"""From a PostgreSQL on this machine to a copy of a table, beside psql that copies the same rows out to nowhere.

Rows of 110 bytes as text (two numbers, a price, a time, two texts): first all of them by the snapshot, then as many by
the stream, out of transactions of 1,000 rows. The peer is COPY (SELECT * FROM t) TO STDOUT of psql, best of three; of
the stream PostgreSQL's own client for slots, pg_recvlogical, which writes what pgoutput says to /dev/null.
"""

import os
import subprocess
import time

from benchmarks.measure import report
from engine.database import Database, Options
from tests.postgres.server import PASSWORD, Server

ROWS = 1_000_000
TRANSACTION = 1_000
INSERT = """INSERT INTO t SELECT i, i::bigint * 7919 % 1000, i / 4.0,
    '2024-01-01'::timestamptz + i * interval '1 second', 'customer number ' || i % 5000,
    repeat('x', 30) FROM generate_series({}, {}) i"""


def counted(db: Database, rows: int, begun: float) -> float:
    """Seconds until the copy has so many rows."""
    while db.execute("SELECT n FROM v").rows() != [(rows,)]:
        time.sleep(0.01)
    return time.perf_counter() - begun


def insert(connection, begin: int, rows: int) -> None:
    for first in range(begin, begin + rows, TRANSACTION):
        connection.execute(INSERT.format(first, first + TRANSACTION - 1))


def run(scale: float) -> None:
    rows = max(TRANSACTION, int(ROWS * scale) // TRANSACTION * TRANSACTION)
    server = Server()
    try:
        server.start()
        with server.connect() as connection:
            connection.execute(
                "CREATE TABLE t (id bigint PRIMARY KEY, k int, p numeric(12,2), at timestamptz, c text, n text)"
            )
            connection.execute("ALTER TABLE t REPLICA IDENTITY FULL")
            connection.execute("CREATE PUBLICATION p FOR TABLE t")
            insert(connection, 1, rows)
            environment = os.environ | {"PGPASSWORD": PASSWORD}
            at = ["-h", "127.0.0.1", "-p", str(server.port), "-U", "postgres", "-d", "postgres"]
            copying = ["psql", *at, "-q", "-c", "COPY (SELECT * FROM t) TO STDOUT"]
            by_psql = min(timed(copying, environment) for _ in range(3))
            with Database.in_memory(Options(inbox_rows_max=TRANSACTION)) as db:
                db.execute(f"CREATE SECRET s AS '{PASSWORD}'")
                db.execute(f"""CREATE CONNECTION c TO POSTGRES (HOST '127.0.0.1', PORT {server.port}, USER 'postgres',
                    DATABASE 'postgres', PASSWORD SECRET s)""")
                best = float("inf")
                for _ in range(3):
                    begun = time.perf_counter()
                    db.execute("CREATE SOURCE src FROM POSTGRES CONNECTION c (PUBLICATION 'p') FOR ALL TABLES")
                    db.execute("CREATE MATERIALIZED VIEW v AS SELECT count(*) AS n FROM t")
                    best = min(best, counted(db, rows, begun))
                    db.execute("DROP SOURCE src CASCADE")
                report("postgres", "snapshot", rows / best, "rows/s", peer="psql COPY", theirs=rows / by_psql)
                db.execute("CREATE SOURCE src FROM POSTGRES CONNECTION c (PUBLICATION 'p') FOR ALL TABLES")
                db.execute("CREATE MATERIALIZED VIEW v AS SELECT count(*) AS n FROM t")
                counted(db, rows, 0.0)
                connection.execute("SELECT pg_create_logical_replication_slot('peer', 'pgoutput')")
                with db._coordinator.ticks.lock:  # what is inserted waits, but for what an inbox holds
                    insert(connection, rows + 1, rows)
                    (end,) = connection.execute("SELECT pg_current_wal_lsn()").fetchone() or ("",)
                    begun = time.perf_counter()
                ours = counted(db, 2 * rows, begun)
                receiving = [
                    str(server.binary("pg_recvlogical")), *at, "-S", "peer", "--start", "-E", end, "-f", "/dev/null",
                    "-o", "proto_version=1", "-o", "publication_names=p",
                ]  # fmt: skip
                theirs = rows / timed(receiving, environment)
                report("postgres", "stream", rows / ours, "rows/s", peer="pg_recvlogical", theirs=theirs)
    finally:
        server.stop()


def timed(command: list[str], environment: dict[str, str]) -> float:
    begun = time.perf_counter()
    subprocess.run(command, check=True, env=environment, stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
    return time.perf_counter() - begun
