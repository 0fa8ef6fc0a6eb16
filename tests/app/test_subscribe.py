"""ws /api/subscribe over a real server."""

import json
from contextlib import ExitStack

import httpx
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect
from websockets.typing import Origin


@pytest.fixture
def ask(server):
    """Open a socket, send the query, and read messages one by one."""
    with ExitStack() as opened:

        def subscribe(query):
            socket = opened.enter_context(connect(f"ws://{server.http}/api/subscribe", close_timeout=2))
            socket.send(json.dumps({"query": query}))
            return lambda: json.loads(socket.recv(timeout=20))

        yield subscribe


def test_snapshot_then_changes(server, ask):
    server.database.execute("CREATE TABLE ws_a (k bigint, v text); INSERT INTO ws_a VALUES (1, 'x')")
    following = ask("SUBSCRIBE ws_a")
    assert [column["name"] for column in following()["columns"]] == ["k", "v"]
    first = following()
    assert (first["type"], first["snapshot"], first["more"]) == ("changes", True, False)
    assert first["changes"] == [{"diff": 1, "row": ["1", "x"]}]
    server.database.execute("UPDATE ws_a SET v = 'y'")
    second = following()
    assert second["timestamp"] > first["timestamp"]
    assert not second["snapshot"]
    changes = sorted(second["changes"], key=lambda change: change["diff"])
    assert changes == [{"diff": -1, "row": ["1", "x"]}, {"diff": 1, "row": ["1", "y"]}]


def test_progress(server, ask):
    server.database.execute("CREATE TABLE ws_p (k bigint)")
    following = ask("SUBSCRIBE ws_p WITH (PROGRESS)")
    assert following()["type"] == "columns"
    assert following()["type"] == "progress"


def test_a_bad_query_is_told(ask):
    message = ask("SUBSCRIBE nowhere")()
    assert message["type"] == "error"
    assert message["error"]["code"] == "42P01"


def test_a_bad_message_is_told(server):
    with connect(f"ws://{server.http}/api/subscribe", close_timeout=2) as socket:
        socket.send("rubbish")
        assert json.loads(socket.recv(timeout=10))["error"]["code"] == "22023"
        with pytest.raises(ConnectionClosed):
            socket.recv(timeout=10)


def test_a_large_snapshot_comes_in_parts(server, ask):
    server.database.execute("CREATE TABLE ws_l (k bigint)")
    server.database.write("ws_l", [(n,) for n in range(25_000)])
    following = ask("SUBSCRIBE ws_l")
    following()
    parts = [following() for _ in range(3)]
    assert [part["more"] for part in parts] == [True, True, False]
    assert sum(len(part["changes"]) for part in parts) == 25_000


def test_a_page_of_another_site_is_refused(server):
    address = f"ws://{server.http}/api/subscribe"
    with pytest.raises(InvalidStatus), connect(address, origin=Origin("http://evil.example")):
        pass


def test_a_subscriber_that_leaves_during_a_tick_holds_up_nobody(server):
    server.database.execute("CREATE TABLE ws_t (k bigint)")
    with connect(f"ws://{server.http}/api/subscribe", close_timeout=0.1) as socket:
        socket.send(json.dumps({"query": "SUBSCRIBE ws_t"}))
        socket.recv(timeout=10)
        with server.database._coordinator.ticks.lock:
            socket.close()
            for _ in range(5):
                assert httpx.get(f"http://{server.http}/health/live", timeout=2).status_code == 200
