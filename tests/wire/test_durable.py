"""Durable subscriptions through real clients: read by one connection, acknowledged by any."""

import json
import shutil
import subprocess
import time

import psycopg
import pytest
from websockets.sync.client import connect


def connected(server):
    return psycopg.connect(host=server.pg.host, port=server.pg.port, user="materialize", autocommit=True)


@pytest.fixture
def connection(server):
    with connected(server) as opened:
        yield opened


def test_copy_goes_on_from_what_another_connection_acknowledged(server, connection):
    connection.execute("CREATE TABLE watched (k text)")
    connection.execute("CREATE DURABLE SUBSCRIPTION d ON watched WITH (ACKNOWLEDGE WITHIN '1 h')")
    for k in "abc":
        connection.execute("INSERT INTO watched VALUES (%s)", (k,))
    using = "COPY (SUBSCRIBE USING DURABLE SUBSCRIPTION d) TO STDOUT"
    with connected(server) as reader, reader.cursor().copy(using) as copy:
        told = [copy.read_row() for _ in range(3)]
        assert [row[1:] for row in told] == [("1", "a"), ("1", "b"), ("1", "c")]
        second = int(told[1][0])
        connection.execute("ACKNOWLEDGE DURABLE SUBSCRIPTION d UP TO %s", (second,))
        with connection.cursor().copy(using) as other:
            assert [other.read_row() for _ in range(2)] == told[1:]
            with pytest.raises(psycopg.errors.ObjectInUse, match="another reader took over"):
                copy.read_row()
            connection.cancel_safe()
            with pytest.raises(psycopg.errors.QueryCanceled):
                other.read_row()


def test_a_cursor_reads_and_acknowledges_in_its_transaction(connection):
    connection.execute("CREATE TABLE moved (k int, v int)")
    connection.execute("CREATE DURABLE SUBSCRIPTION m AS SELECT * FROM moved ENVELOPE UPSERT (KEY (k))")
    connection.execute("INSERT INTO moved VALUES (1, 10)")
    connection.execute("UPDATE moved SET v = 11")

    def take(commits):
        connection.execute("BEGIN")
        connection.execute("DECLARE c CURSOR FOR SUBSCRIBE USING DURABLE SUBSCRIPTION m")
        cursor = connection.execute("FETCH 1 c WITH (timeout = '20s')")
        assert [column.name for column in cursor.description] == ["mz_timestamp", "mz_state", "k", "v"]
        (row,) = cursor.fetchall()
        connection.execute("ACKNOWLEDGE DURABLE SUBSCRIPTION m UP TO %s", (int(row[0]) + 1,))
        connection.execute("COMMIT" if commits else "ROLLBACK")
        return row[1:]

    assert [take(False), take(True), take(True)] == [("upsert", 1, 10), ("upsert", 1, 10), ("upsert", 1, 11)]
    stream = connection.cursor().stream("SUBSCRIBE USING DURABLE SUBSCRIPTION m WITH (PROGRESS)")
    assert next(stream)[1:] == (True, None, None, None)
    connection.cancel_safe()
    with pytest.raises(psycopg.errors.QueryCanceled):
        list(stream)


def test_a_followed_one_is_acknowledged_along_the_way(server, connection):
    connection.execute("CREATE TABLE followed (k text)")
    connection.execute("CREATE DURABLE SUBSCRIPTION f ON followed")
    connection.execute("INSERT INTO followed VALUES ('x')")
    connection.execute("INSERT INTO followed VALUES ('y')")

    def follow(acknowledges, **more):
        with connect(f"ws://{server.http}/api/subscribe", close_timeout=2) as socket:

            def next_of(*kinds):
                while (message := json.loads(socket.recv(timeout=20)))["type"] not in kinds:
                    pass
                return message

            said = {"type": "subscribe", "id": "a", "query": "SUBSCRIBE USING DURABLE SUBSCRIPTION f"}
            socket.send(json.dumps(said | more))
            begun = next_of("subscribed", "error")
            if begun["type"] == "error":
                return begun["error"]["code"]
            told, last = [], 0
            while not told or told[-1] != "y":
                message = next_of("changes")
                told += [change["row"][0] for change in message["changes"]]
                if acknowledges and told and not last:
                    last = message["timestamp"]
                    socket.send(json.dumps({"type": "ack", "id": "a", "timestamp": last}))
            rows = "SELECT acknowledged_up_to::bigint FROM mz_internal.mz_durable_subscriptions WHERE name = 'f'"
            while connection.execute(rows).fetchone()[0] <= last:
                time.sleep(0.01)
            return begun["resumed"], told

    assert follow(False) == (None, ["x", "y"])
    assert follow(True, resume="x.1.1.x.x") == "22023"
    assert follow(True) == (None, ["x", "y"])
    assert follow(False) == (True, ["y"])


def test_psql_and_the_websocket(server, connection):
    connection.execute("CREATE TABLE both_ways (k text)")
    connection.execute("CREATE DURABLE SUBSCRIPTION b ON both_ways")
    connection.execute("INSERT INTO both_ways VALUES ('x')")
    found = shutil.which("psql")
    assert found, "psql is not installed: apt-get install postgresql-client"
    script = (
        "BEGIN; DECLARE c CURSOR FOR SUBSCRIBE USING DURABLE SUBSCRIPTION b; FETCH 1 c WITH (timeout = '20s'); ABORT"
    )
    address = ["-h", server.pg.host, "-p", str(server.pg.port), "-U", "materialize"]
    done = subprocess.run([found, *address, "-AtX"], input=script, capture_output=True, text=True, timeout=60)
    at, diff, value = done.stdout.strip().splitlines()[-2].split("|")
    assert (diff, value) == ("1", "x"), done
    with connect(f"ws://{server.http}/api/experimental/sql", close_timeout=2) as socket:
        socket.send(json.dumps({"user": "materialize", "password": ""}))
        socket.send(json.dumps({"query": "SUBSCRIBE USING DURABLE SUBSCRIPTION b"}))
        while (message := json.loads(socket.recv(timeout=20)))["type"] != "Row":
            assert message["type"] != "Error", message
        assert message["payload"] == [at, 1, "x"] or list(map(str, message["payload"])) == [at, "1", "x"]
