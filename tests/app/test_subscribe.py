"""ws /api/subscribe over a real server: many subscriptions on a socket, in every mode, and what is wrong is told."""

import io
import json
from contextlib import ExitStack

import httpx
import pyarrow as pa
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect
from websockets.typing import Origin


class Client:
    """A socket, and what it says one message at a time."""

    def __init__(self, socket):
        self.socket = socket

    def say(self, **message):
        self.socket.send(json.dumps(message))

    def subscribe(self, id, **more):
        self.say(type="subscribe", id=id, **more)

    def next(self):
        """The next message that is no sign of life."""
        while True:
            message = self.socket.recv(timeout=20)
            if isinstance(message, bytes):
                size = int.from_bytes(message[:4], "big")
                head = json.loads(message[4 : 4 + size])
                with pa.ipc.open_stream(io.BytesIO(message[4 + size :])) as stream:
                    return head | {"table": stream.read_all()}
            found = json.loads(message)
            if found["type"] not in ("progress", "heartbeat"):
                return found


@pytest.fixture
def client(server):
    with ExitStack() as opened:

        def opens(**more):
            address = f"ws://{server.http}/api/subscribe"
            return Client(opened.enter_context(connect(address, close_timeout=2, **more)))

        yield opens


def test_snapshot_then_changes(server, client):
    server.database.execute("CREATE TABLE ws_a (k bigint, v text); INSERT INTO ws_a VALUES (1, 'x')")
    live = client()
    live.subscribe("a", view="ws_a")
    begun = live.next()
    assert [column["name"] for column in begun["columns"]] == ["k", "v"]
    assert (begun["type"], begun["id"], begun["resumed"], begun["key"]) == ("subscribed", "a", None, None)
    first = live.next()
    assert (first["type"], first["snapshot"], first["more"]) == ("changes", True, False)
    assert first["changes"] == [{"diff": 1, "row": ["1", "x"]}]
    assert first["progress"] == first["timestamp"]
    server.database.execute("UPDATE ws_a SET v = 'y'")
    second = live.next()
    assert second["timestamp"] > first["timestamp"]
    assert not second["snapshot"]
    changes = sorted(second["changes"], key=lambda change: change["diff"])
    assert changes == [{"diff": -1, "row": ["1", "x"]}, {"diff": 1, "row": ["1", "y"]}]


def test_an_empty_view_has_an_empty_snapshot(server, client):
    server.database.execute("CREATE TABLE ws_e (k bigint)")
    live = client()
    live.subscribe("e", view="ws_e")
    assert live.next()["type"] == "subscribed"
    empty = live.next()
    assert (empty["snapshot"], empty["changes"], empty["more"]) == (True, [], False)
    assert empty["token"]


def test_many_on_one_socket(server, client):
    server.database.execute("CREATE TABLE ws_m (k bigint PRIMARY KEY, v bigint); INSERT INTO ws_m VALUES (1, 1)")
    live = client()
    for mode in ("diff", "upsert", "debezium"):
        live.subscribe(mode, view="ws_m", mode=mode)
        assert live.next()["key"] == ["k"]
        assert live.next()["id"] == mode
    server.database.execute("UPDATE ws_m SET v = 2; INSERT INTO ws_m VALUES (2, 0)")
    found = {message["id"]: message["changes"] for message in (live.next() for _ in range(3))}
    assert sorted(found["diff"], key=str) == [
        {"diff": -1, "row": ["1", "1"]},
        {"diff": 1, "row": ["1", "2"]},
        {"diff": 1, "row": ["2", "0"]},
    ]
    assert sorted(found["upsert"], key=str) == [
        {"state": "upsert", "key": ["1"], "row": ["1", "2"]},
        {"state": "upsert", "key": ["2"], "row": ["2", "0"]},
    ]
    assert sorted(found["debezium"], key=str) == [
        {"state": "insert", "key": ["2"], "before": None, "after": ["2", "0"]},
        {"state": "upsert", "key": ["1"], "before": ["1", "1"], "after": ["1", "2"]},
    ]
    live.say(type="unsubscribe", id="diff")
    assert live.next() == {"type": "end", "id": "diff"}
    server.database.execute("DELETE FROM ws_m WHERE k = 2")
    found = {message["id"]: message["changes"] for message in (live.next() for _ in range(2))}
    assert found == {
        "upsert": [{"state": "delete", "key": ["2"], "row": None}],
        "debezium": [{"state": "delete", "key": ["2"], "before": ["2", "0"], "after": None}],
    }


def test_arrow_frames(server, client):
    server.database.execute("CREATE TABLE ws_w (k bigint, v text); INSERT INTO ws_w VALUES (1, 'x')")
    live = client()
    live.subscribe("diff", view="ws_w", format="arrow")
    assert live.next()["type"] == "subscribed"
    first = live.next()
    assert first["table"].to_pylist() == [{"mz_diff": 1, "k": 1, "v": "x"}]
    assert (first["id"], first["snapshot"], first["more"]) == ("diff", True, False)
    for mode in ("upsert", "debezium"):
        live.subscribe(mode, view="ws_w", format="arrow", mode=mode, key=["k"])
        live.next()
        live.next()
    server.database.execute("UPDATE ws_w SET v = 'y'")
    found = {message["id"]: message["table"].to_pylist() for message in (live.next() for _ in range(3))}
    assert found["upsert"] == [{"mz_state": "upsert", "k": 1, "v": "y"}]
    assert found["debezium"] == [{"mz_state": "upsert", "k": 1, "before_v": "x", "after_v": "y"}]


def test_a_token_goes_on_where_it_was(server, client):
    server.database.execute("CREATE TABLE ws_r (k bigint); INSERT INTO ws_r VALUES (1)")
    live = client()
    live.subscribe("r", view="ws_r")
    live.next()
    token = live.next()["token"]
    live.socket.close()
    server.database.execute("INSERT INTO ws_r VALUES (2)")
    again = client()
    again.subscribe("other", view="ws_r", resume=token)
    assert again.next()["resumed"] is True
    assert [change["row"] for change in again.next()["changes"]] == [["2"]]
    again.subscribe("third", query="SELECT k + 1 FROM ws_r", resume=token)
    assert again.next()["resumed"] is False
    assert again.next()["type"] == "reset"
    assert len(again.next()["changes"]) == 2


def test_a_subscribe_statement_says_how_it_begins_and_ends(server, client):
    database = server.database
    database.execute("CREATE TABLE ws_o (x int) WITH (RETAIN HISTORY FOR '1h')")
    first, second = database.write("ws_o", [(1,)]), database.write("ws_o", [(2,)])
    end = second + 10**6
    live = client()
    live.subscribe("none", query="SUBSCRIBE ws_o WITH (SNAPSHOT = false, PROGRESS)")
    assert live.next()["type"] == "subscribed"
    progress = json.loads(live.socket.recv(timeout=20))
    assert (progress["type"], progress["timestamp"] >= second) == ("progress", True)
    third = database.write("ws_o", [(3,)])
    found = live.next()
    assert (found["timestamp"], found["snapshot"], found["changes"]) == (third, False, [{"diff": 1, "row": ["3"]}])
    live.say(type="unsubscribe", id="none")
    assert live.next()["type"] == "end"
    live.subscribe("past", query=f"SUBSCRIBE ws_o AS OF {first} UP TO {third}")
    assert live.next()["type"] == "subscribed"
    told = [live.next() for _ in range(3)]
    assert [(each.get("timestamp"), each.get("snapshot")) for each in told[:2]] == [(first, True), (second, False)]
    assert [change["row"] for each in told[:2] for change in each["changes"]] == [["1"], ["2"]]
    assert told[2] == {"type": "end", "id": "past"}
    for query, code in (
        ("SUBSCRIBE ws_o ENVELOPE UPSERT (KEY (x))", "0A000"),
        ("SUBSCRIBE ws_o WITHIN TIMESTAMP ORDER BY x", "0A000"),
        ("SUBSCRIBE ws_o WITH (COLOUR)", "22023"),
        (f"SUBSCRIBE ws_o AS OF {end}", "22023"),
        ("SUBSCRIBE pg_settings", "0A000"),
    ):
        live.subscribe("x", query=query)
        assert live.next()["error"]["code"] == code, query


def test_a_relation_of_the_system(server, client):
    """The catalog is followed, and gone on with, like any view."""
    query = "SELECT name FROM mz_tables WHERE name LIKE 'ws_sys%'"
    live = client()
    live.subscribe("s", query=query)
    assert live.next()["type"] == "subscribed"
    empty = live.next()
    server.database.execute("CREATE TABLE ws_sys1 (x int)")
    assert (empty["changes"], live.next()["changes"]) == ([], [{"diff": 1, "row": ["ws_sys1"]}])
    live.socket.close()
    server.database.execute("CREATE TABLE ws_sys2 (x int)")
    again = client()
    again.subscribe("s", query=query, resume=empty["token"])
    assert again.next()["resumed"] is True
    rows = []
    while len(rows) < 2:
        rows += [change["row"] for change in again.next()["changes"]]
    assert rows == [["ws_sys1"], ["ws_sys2"]]


def test_heartbeats_bring_tokens(server, client):
    server.database.execute("CREATE TABLE ws_h (k bigint)")
    live = client()
    live.subscribe("h", view="ws_h")
    live.next()
    first = live.next()
    message = {}
    while message.get("type") != "progress":
        message = json.loads(live.socket.recv(timeout=20))
    assert message["id"] == "h"
    assert message["timestamp"] > first["timestamp"]
    live.say(type="ack", id="h", timestamp=message["timestamp"])
    live.socket.close()
    server.database.execute("INSERT INTO ws_h VALUES (2)")
    again = client()
    again.subscribe("h", view="ws_h", resume=message["token"])
    assert again.next()["resumed"] is True
    assert [change["row"] for change in again.next()["changes"]] == [["2"]]


@pytest.mark.parametrize(
    ("message", "code", "said"),
    [
        ({"type": "subscribe", "id": "x", "view": "nowhere"}, "42P01", "nowhere"),
        ({"type": "subscribe", "id": "x", "query": "SELEC"}, "42601", ""),
        ({"type": "subscribe", "id": "x", "query": "DROP TABLE t"}, "42809", ""),
        ({"type": "subscribe", "id": "x"}, "22023", "view or a query"),
        ({"type": "subscribe", "id": "x", "view": "v", "query": "SELECT 1"}, "22023", "view or a query"),
        ({"type": "subscribe", "id": "x", "view": "a.b.c.d"}, "22023", "no name"),
        ({"type": "subscribe", "id": "x", "query": "SELECT 1 AS a", "key": ["b"]}, "42703", "'b'"),
        (
            {"type": "subscribe", "id": "x", "query": "SELECT 1 AS a", "resume": "x"},
            "22023",
            "",
        ),
        ({"type": "subscribe", "id": "", "view": "v"}, "22023", "id"),
        ({"type": "subscribe", "id": "x", "view": "v", "mode": "all"}, "22023", "mode"),
        ({"type": "subscribe", "id": "x", "view": "v", "wiev": "v"}, "22023", "wiev"),
        ({"type": "unsubscribe", "id": "x"}, "22023", "no subscription"),
        ({"type": "ack", "id": "x", "timestamp": 1}, "22023", "no subscription"),
        ({"type": "ack", "id": "x", "timestamp": -1}, "22023", "timestamp"),
        ({"type": "dance"}, "22023", "type"),
        ([], "22023", ""),
        (7, "22023", ""),
    ],
)
def test_what_makes_no_sense_is_told_and_changes_nothing(client, message, code, said):
    live = client()
    for _ in range(2):
        live.socket.send(json.dumps(message))
        told = live.next()
        assert told["type"] == "error"
        assert told["error"]["code"] == code
        assert said in told["error"]["message"]
    live.subscribe("fine", query="SELECT 1 AS a")
    assert live.next()["type"] == "subscribed"


def test_an_id_is_used_once(client):
    live = client()
    live.subscribe("x", query="SELECT 1 AS a")
    live.next()
    live.next()
    live.subscribe("x", query="SELECT 1 AS a")
    assert "already" in live.next()["error"]["message"]


def test_text_that_is_no_json_is_told(client):
    live = client()
    live.socket.send("rubbish")
    assert live.next()["error"]["code"] == "22023"


def test_binary_rubbish_ends_the_conversation(client):
    live = client()
    live.socket.send(b"\x00\xff" * 100)
    with pytest.raises(ConnectionClosed) as closed:
        live.next()
    assert closed.value.rcvd.code == 1003


def test_a_huge_frame_ends_the_conversation(client):
    live = client()
    live.socket.send("x" * (5 << 20))
    with pytest.raises(ConnectionClosed) as closed:
        live.next()
    assert closed.value.rcvd.code == 1009


def test_a_large_snapshot_comes_in_parts(server, client):
    server.database.execute("CREATE TABLE ws_l (k bigint)")
    server.database.write("ws_l", [(n,) for n in range(25_000)])
    live = client()
    live.subscribe("l", view="ws_l")
    live.next()
    parts = [live.next() for _ in range(3)]
    assert [part["more"] for part in parts] == [True, True, False]
    assert ["token" in part for part in parts] == [False, False, True]
    assert sum(len(part["changes"]) for part in parts) == 25_000


def test_a_view_that_fails_says_so_and_heals(server, client):
    server.database.execute(
        "CREATE TABLE ws_z (k bigint); CREATE MATERIALIZED VIEW ws_zv AS SELECT 1 / k AS x FROM ws_z;"
        "INSERT INTO ws_z VALUES (1)"
    )
    live = client()
    live.subscribe("z", view="ws_zv")
    live.next()
    token = live.next()["token"]
    server.database.execute("INSERT INTO ws_z VALUES (0)")
    failed = live.next()
    assert (failed["type"], failed["id"], failed["error"]["code"]) == ("error", "z", "22012")
    server.database.execute("DELETE FROM ws_z WHERE k = 0; INSERT INTO ws_z VALUES (-1)")
    live.subscribe("z", view="ws_zv", resume=token)
    assert live.next()["resumed"] is True
    assert [change["row"] for change in live.next()["changes"]] == [["-1"]]


def test_a_page_of_another_site_is_refused(client):
    with pytest.raises(InvalidStatus):
        client(origin=Origin("http://evil.example"))


def test_a_subscriber_that_leaves_during_a_tick_holds_up_nobody(server, client):
    server.database.execute("CREATE TABLE ws_t (k bigint)")
    live = client()
    live.subscribe("t", view="ws_t")
    live.next()
    with server.database._coordinator.ticks.lock:
        live.socket.close()
        for _ in range(5):
            assert httpx.get(f"http://{server.http}/health/live", timeout=2).status_code == 200
