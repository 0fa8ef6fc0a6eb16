"""ws /api/experimental/sql: the dialogue of Materialize's websocket API, frame by frame."""

import json
from contextlib import contextmanager

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect


@contextmanager
def dialogue(server, **first):
    with connect(f"ws://{server.http}/api/experimental/sql", close_timeout=2) as socket:
        socket.send(json.dumps(first or {"user": "materialize", "password": ""}))
        yield socket


def frames(socket):
    """Up to and with ReadyForQuery."""
    found = []
    while not found or found[-1][0] != "ReadyForQuery":
        message = json.loads(socket.recv(timeout=20))
        assert set(message) == {"type", "payload"}
        found.append((message["type"], message["payload"]))
    return found


def test_it_begins_as_materializes(server):
    with dialogue(server, user="materialize", password="", options={"application_name": "me"}) as socket:
        *statuses, key, ready = frames(socket)
        assert ("ParameterStatus", {"name": "application_name", "value": "me"}) in statuses
        assert {kind for kind, _ in statuses} == {"ParameterStatus"}
        assert (key[0], set(key[1])) == ("BackendKeyData", {"conn_id", "secret_key"})
        assert ready == ("ReadyForQuery", "I")


def test_statements_and_their_frames(server):
    with dialogue(server) as socket:
        frames(socket)
        socket.send(json.dumps({"query": "CREATE TABLE wq (a int); INSERT INTO wq VALUES (1), (2); SELECT a FROM wq"}))
        column = {"name": "a", "type_oid": 23, "type_len": 4, "type_mod": -1}
        assert frames(socket) == [
            ("CommandStarting", {"has_rows": False, "is_streaming": False}),
            ("CommandComplete", "CREATE TABLE"),
            ("CommandStarting", {"has_rows": False, "is_streaming": False}),
            ("CommandComplete", "INSERT 0 2"),
            ("CommandStarting", {"has_rows": True, "is_streaming": False}),
            ("Rows", {"columns": [column]}),
            ("Row", ["1"]),
            ("Row", ["2"]),
            ("CommandComplete", "SELECT 2"),
            ("ReadyForQuery", "I"),
        ]


def test_pipelining_transactions_and_errors(server):
    with dialogue(server) as socket:
        frames(socket)
        for query in ("BEGIN", "SELECT nope", "SELECT 1", "ROLLBACK", "CREATE TABLE IF NOT EXISTS wn (a int)"):
            socket.send(json.dumps({"query": query}))
        socket.send(json.dumps({"queries": [{"query": "SELECT $1::int + 1 AS a", "params": ["41"]}]}))
        socket.send("rubbish")
        socket.send(json.dumps({"query": "SELECT 1 AS a"}))
        begin, error, refused, rollback, _, extended, rubbish, fine = (frames(socket) for _ in range(8))
        assert begin[-1] == ("ReadyForQuery", "T")
        assert (error[0][0], error[0][1]["code"], error[-1][1]) == ("Error", "42703", "E")
        assert (refused[0][1]["code"], refused[-1][1]) == ("25P02", "E")
        assert rollback[-1] == ("ReadyForQuery", "I")
        assert ("Row", ["42"]) in extended
        assert rubbish[0][0] == "Error"
        assert ("Row", ["1"]) in fine


def test_a_notice_comes_before_its_command(server):
    server.database.execute("CREATE TABLE wnotice (a int)")
    with dialogue(server) as socket:
        frames(socket)
        socket.send(json.dumps({"query": "CREATE TABLE IF NOT EXISTS wnotice (a int)"}))
        found = frames(socket)
        assert found[0][0] == "Notice"
        assert found[0][1]["severity"] == "NOTICE"


def test_a_subscription_streams(server):
    server.database.execute("CREATE TABLE ws_q (a int); INSERT INTO ws_q VALUES (1)")
    with dialogue(server) as socket:
        frames(socket)
        socket.send(json.dumps({"query": "SUBSCRIBE ws_q"}))

        def following():
            message = json.loads(socket.recv(timeout=20))
            return message["type"], message["payload"]

        assert following() == ("CommandStarting", {"has_rows": True, "is_streaming": True})
        kind, described = following()
        assert (kind, [column["name"] for column in described["columns"]]) == ("Rows", ["mz_timestamp", "mz_diff", "a"])
        kind, row = following()
        assert (kind, row[1:]) == ("Row", ["1", "1"])
        server.database.execute("UPDATE ws_q SET a = 2")
        assert sorted(following()[1][1:] for _ in range(2)) == [["-1", "1"], ["1", "2"]]


def test_a_subscriptions_options_are_honoured(server):
    server.database.execute("CREATE TABLE ws_p (a int) WITH (RETAIN HISTORY FOR '1h')")
    first, second = server.database.write("ws_p", [(1,)]), server.database.write("ws_p", [(2,)])
    with dialogue(server) as socket:
        frames(socket)

        def rows(query):
            socket.send(json.dumps({"query": query}))
            return [payload for kind, payload in frames(socket) if kind == "Row"]

        assert rows(f"SUBSCRIBE ws_p AS OF {first} UP TO {second + 1}") == [
            [str(first), "1", "1"], [str(second), "1", "2"],
        ]  # fmt: skip
        later = rows(f"SUBSCRIBE ws_p WITH (SNAPSHOT = false, PROGRESS) AS OF {first} UP TO {second + 1}")
        assert [str(second), False, "1", "2"] in later
        assert later[0] == [str(first), True, None, None]
        keyed = rows(f"SUBSCRIBE ws_p ENVELOPE UPSERT (KEY (a)) AS OF {second} UP TO {second + 1}")
        assert keyed == [[str(second), "upsert", "1"], [str(second), "upsert", "2"]]


def test_a_subscription_with_an_end_is_followed_by_what_waits(server):
    with dialogue(server) as socket:
        frames(socket)
        socket.send(json.dumps({"query": "SUBSCRIBE (SELECT 1 AS a) UP TO 1"}))
        socket.send(json.dumps({"query": "SELECT 2 AS a"}))
        first = frames(socket)
        assert first[-2] == ("CommandComplete", "SUBSCRIBE")
        assert ("Row", ["2"]) in frames(socket)


@pytest.mark.parametrize("first", [{"usr": "x"}, {"token": "x"}, {"user": "x", "options": {"nope": "1"}}])
def test_who_does_not_begin_well_is_cut(server, first):
    with dialogue(server, **first) as socket, pytest.raises(ConnectionClosed) as closed:
        socket.recv(timeout=20)
    assert closed.value.rcvd.code == 1008


def test_binary_rubbish_is_cut(server):
    with dialogue(server) as socket:
        frames(socket)
        socket.send(b"\x00\xff")
        with pytest.raises(ConnectionClosed) as closed:
            socket.recv(timeout=20)
    assert closed.value.rcvd.code == 1003
