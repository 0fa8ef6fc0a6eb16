"""Look-ups beside ticks: never ahead of what was acknowledged, never behind what somebody has seen, never held up by
a tick that touches something else."""

from threading import Event, Thread

import psycopg
import pytest

from app.main import Running


@pytest.fixture
def connect(server: Running):
    opened = []

    def made():
        client = psycopg.connect(
            host=server.pg.host, port=server.pg.port, user="materialize", autocommit=True, prepare_threshold=0
        )
        opened.append(client)
        return client

    yield made
    for client in opened:
        client.close()


def test_what_one_has_seen_the_next_sees_in_every_relation(connect):
    """Each tick gives both tables, and the view of one, the same number; keys are text that nobody has seen before."""
    writer = connect()
    for sql in (
        "CREATE TABLE seen_a (k text, n int)", "CREATE TABLE seen_b (k text, n int)",
        "CREATE INDEX seen_a_k ON seen_a (k)", "CREATE INDEX seen_b_k ON seen_b (k)",
        "CREATE MATERIALIZED VIEW seen_v AS SELECT k, max(n) AS n FROM seen_a GROUP BY k",
        "CREATE INDEX seen_v_k ON seen_v (k)",
    ):  # fmt: skip
        writer.execute(sql)
    over, acknowledged, wrong = Event(), [0], []

    def look() -> None:
        clients = [connect() for _ in range(2)]
        last = 0
        while not over.is_set():
            for at, table in enumerate(("seen_a", "seen_b", "seen_v", "seen_a")):
                known = acknowledged[0]
                row = clients[at % 2].execute(f"SELECT n FROM {table} WHERE k = %b", ["all"]).fetchone()
                number = 0 if row is None else row[0]
                own = clients[at % 2].execute(f"SELECT n FROM {table} WHERE k = %b", [f"key {known}"]).fetchone()
                if number < max(last, known) or (known and own != (known,)):
                    wrong.append((table, known, last, number, own))
                last = max(last, number)

    readers = [Thread(target=look) for _ in range(2)]
    for reader in readers:
        reader.start()
    for n in range(1, 60):
        with writer.transaction():
            for table in ("seen_a", "seen_b"):
                writer.execute(f"DELETE FROM {table} WHERE k = 'all'")
                writer.execute(f"INSERT INTO {table} VALUES ('all', {n}), ('key {n}', {n})")
        acknowledged[0] = n
    over.set()
    for reader in readers:
        reader.join()
    assert not wrong


def test_a_look_up_waits_for_what_it_reads_to_be_published_and_for_nothing_else(server, connect):
    client, other = connect(), connect()
    for sql in ("CREATE TABLE moved (k int, v text)", "CREATE TABLE unmoved (k int, v text)"):
        client.execute(sql)
    for table in ("moved", "unmoved"):
        client.execute(f"CREATE INDEX {table}_k ON {table} (k)")
        client.execute(f"INSERT INTO {table} VALUES (1, '{table}')")
    circuit = server.database._coordinator.cluster.worker.circuit
    moved = server.database._coordinator.named("moved").id
    node = circuit.enter(moved, wait=True)
    circuit.gate.leave(node)
    answers = []

    def look() -> None:
        answers.append(client.execute("SELECT v FROM moved WHERE k = %b", [1]).fetchone())
        answers.append(client.execute("SELECT v FROM moved WHERE k = 1", prepare=False).fetchone())

    thread = Thread(target=look)
    client.execute("SELECT v FROM moved WHERE k = %b", [2])
    with circuit.changing({node}):
        thread.start()
        for k, answer in ((1, ("unmoved",)), (2, None)):
            assert other.execute("SELECT v FROM unmoved WHERE k = %b", [k]).fetchone() == answer
        assert not answers
    thread.join()
    assert answers == [("moved",)] * 2
