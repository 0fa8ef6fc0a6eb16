"""GET /api/views/{name}/changes: the same messages as events, resumed by the id of the last."""

import json

import httpx
import pytest


class Stream:
    """The events of one reply."""

    def __init__(self, reply):
        assert reply.status_code == 200, reply.read()
        assert reply.headers["content-type"].startswith("text/event-stream")
        self.lines = reply.iter_lines()
        self.id = None

    def next(self):
        """The next message that is no sign of life."""
        for line in self.lines:
            if line.startswith("id: "):
                self.id = line[4:]
            elif line.startswith("data: "):
                message = json.loads(line[6:])
                if message["type"] != "progress":
                    return message
        raise EOFError


@pytest.fixture
def http(server):
    with httpx.Client(base_url=f"http://{server.http}", timeout=20) as client:
        yield client


def test_events_and_going_on(server, http):
    server.database.execute("CREATE TABLE sse (k bigint PRIMARY KEY, v text); INSERT INTO sse VALUES (1, 'x')")
    with http.stream("GET", "/api/views/sse/changes") as reply:
        events = Stream(reply)
        assert events.next()["type"] == "subscribed"
        assert events.next()["changes"] == [{"diff": 1, "row": ["1", "x"]}]
        server.database.execute("INSERT INTO sse VALUES (2, 'y')")
        assert events.next()["changes"] == [{"diff": 1, "row": ["2", "y"]}]
    server.database.execute("INSERT INTO sse VALUES (3, 'z')")
    headers = {"Last-Event-ID": events.id}
    with http.stream("GET", "/api/views/materialize.public.sse/changes", headers=headers) as reply:
        events = Stream(reply)
        assert events.next()["resumed"] is True
        assert events.next()["changes"] == [{"diff": 1, "row": ["3", "z"]}]
    parameters = {"mode": "upsert", "resume": events.id}
    with http.stream("GET", "/api/views/sse/changes", params=parameters) as reply:
        events = Stream(reply)
        assert events.next()["key"] == ["k"]
        server.database.execute("DELETE FROM sse WHERE k = 1")
        assert events.next()["changes"] == [{"state": "delete", "key": ["1"], "row": None}]


@pytest.mark.parametrize(
    ("path", "parameters", "status"),
    [
        ("/api/views/nowhere/changes", {}, 404),
        ("/api/views/a.b.c.d/changes", {}, 400),
        ("/api/views/mz_catalog.mz_tables/changes", {"resume": "x"}, 400),
        ("/api/views/sse_e/changes", {"mode": "upsert"}, 400),
        ("/api/views/sse_e/changes", {"mode": "no"}, 400),
        ("/api/views/sse_e/changes", {"key": "no"}, 400),
        ("/api/views/sse_e/changes", {"resume": "x"}, 400),
    ],
)
def test_what_cannot_begin_is_a_problem(server, http, path, parameters, status):
    server.database.execute("CREATE TABLE IF NOT EXISTS sse_e (k bigint)")
    reply = http.get(path, params=parameters)
    assert reply.status_code == status, reply.text
    assert reply.headers["content-type"] == "application/problem+json"
    assert reply.json()["status"] == status
