"""Who may talk to the server, from where, and how much; and that no secret is told."""

import base64
import json
import logging
import socket
from contextlib import ExitStack, suppress
from dataclasses import replace

import httpx
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from app.main import in_background
from tests.serving import SETTINGS

PASSWORD = "correct horse"


@pytest.fixture(scope="module")
def guarded():
    """A server that wants to know who asks."""
    settings = replace(
        SETTINGS, auth="scram-sha-256", cors_origins=("https://app.example",), http_hosts=("db.example",)
    )
    with in_background(settings) as running:
        running.database.execute(f"CREATE ROLE ann LOGIN PASSWORD '{PASSWORD}'; CREATE ROLE nologin PASSWORD 'x'")
        yield running


@pytest.fixture
def http(guarded):
    with httpx.Client(base_url=f"http://{guarded.http}", timeout=20) as client:
        yield client


def test_basic_and_bearer(http):
    who = {"query": "SELECT current_user"}
    assert http.post("/api/sql", json=who).status_code == 401
    reply = http.post("/api/sql", json=who, auth=("ann", PASSWORD))
    assert reply.json()["results"][0]["rows"] == [["ann"]]
    token = http.post("/api/tokens", auth=("ann", PASSWORD)).json()
    assert token["role"] == "ann"
    bearer = {"Authorization": f"Bearer {token['token']}"}
    assert http.post("/api/sql", json=who, headers=bearer).json()["results"][0]["rows"] == [["ann"]]
    assert http.get("/health/live").status_code == 200


@pytest.mark.parametrize(
    "header",
    [
        "Basic " + base64.b64encode(b"ann:wrong").decode(),
        "Basic " + base64.b64encode(b"nobody:x").decode(),
        "Basic " + base64.b64encode(b"nologin:x").decode(),
        "Basic " + base64.b64encode(b"materialize:").decode(),
        "Basic " + base64.b64encode(b"no colon").decode(),
        "Basic ????",
        "Bearer x",
        "Bearer MTox.AAAA",
        "Digest x",
        "",
    ],
)
def test_who_does_not_show_it_is_nobody(http, header):
    reply = http.get("/api/objects", headers={"Authorization": header})
    assert reply.status_code == 401
    assert reply.headers["content-type"] == "application/problem+json"
    assert "Basic" in reply.headers["www-authenticate"]
    assert reply.json()["sqlstate"] == "28P01"


def test_a_token_ends_with_the_password(guarded, http):
    guarded.database.execute("CREATE ROLE bob LOGIN PASSWORD 'one'")
    token = http.post("/api/tokens", auth=("bob", "one")).json()["token"]
    headers = {"Authorization": f"Bearer {token}"}
    assert http.get("/api/objects", headers=headers).status_code == 200
    guarded.database.execute("ALTER ROLE bob PASSWORD 'two'")
    assert http.get("/api/objects", headers=headers).status_code == 401
    assert http.get("/api/objects", auth=("bob", "one")).status_code == 401
    assert http.get("/api/objects", auth=("bob", "two")).status_code == 200


def test_websockets_say_who_they_are(guarded, http):
    address = f"ws://{guarded.http}/api/subscribe"
    token = http.post("/api/tokens", auth=("ann", PASSWORD)).json()["token"]
    for first in ({"user": "ann", "password": PASSWORD}, {"token": token}):
        with connect(address) as client:
            client.send(json.dumps({"type": "auth", **first}))
            assert json.loads(client.recv(timeout=60)) == {"type": "authenticated", "user": "ann"}
            client.send(json.dumps({"type": "subscribe", "id": "x", "query": "SELECT 1 AS a"}))
            assert json.loads(client.recv(timeout=60))["type"] == "subscribed"
    for first in (
        {"type": "auth", "user": "ann", "password": "x"},
        {"type": "subscribe", "id": "x", "query": "SELECT 1"},
    ):
        with connect(address) as client:
            client.send(json.dumps(first))
            assert json.loads(client.recv(timeout=60))["type"] == "error"
            with pytest.raises(ConnectionClosed) as closed:
                client.recv(timeout=60)
            assert closed.value.rcvd.code == 1008
    header = {"Authorization": "Basic " + base64.b64encode(f"ann:{PASSWORD}".encode()).decode()}
    with connect(address, additional_headers=header) as client:
        client.send(json.dumps({"type": "subscribe", "id": "x", "query": "SELECT 1 AS a"}))
        assert json.loads(client.recv(timeout=60))["type"] == "subscribed"
    with pytest.raises(InvalidStatus):
        connect(address, additional_headers={"Authorization": "Bearer x"})


def test_hosts_and_origins(http, guarded):
    auth = ("ann", PASSWORD)
    query = {"query": "SELECT 1"}

    def status(**headers):
        return http.post("/api/sql", json=query, auth=auth, headers=headers).status_code

    assert status(Host="evil.example") == 403
    assert status(Host="db.example") == 200
    assert status(Host="[::1") == 403
    assert status(Origin="https://evil.example") == 403
    assert status(Origin="https://app.example") == 200
    assert status(Origin=f"http://{guarded.http}") == 200
    allowed = http.get("/api/objects", auth=auth, headers={"Origin": "https://app.example"})
    assert allowed.headers["access-control-allow-origin"] == "https://app.example"
    other = http.get("/api/objects", auth=auth, headers={"Origin": "https://evil.example"})
    assert "access-control-allow-origin" not in other.headers


def test_no_secret_is_told(guarded, http, caplog):
    caplog.set_level(logging.DEBUG)
    auth = ("ann", "a secret that is wrong")
    replies = [
        http.get("/api/objects", auth=auth, params={"password": "query secret"}),
        http.post("/api/tokens", auth=("ann", PASSWORD)),
        http.post("/api/sql", json={"query": "SHOW ROLES"}, auth=("ann", PASSWORD)),
    ]
    with connect(f"ws://{guarded.http}/api/subscribe") as client:
        client.send(json.dumps({"type": "auth", "user": "ann", "password": "a secret that is wrong"}))
        said = client.recv(timeout=60)
    logged = "\n".join(
        record.getMessage() + str(vars(record)) for record in caplog.records if "tailrace" in record.name
    )
    assert "/api/objects" in logged
    told = said + "".join(reply.text for reply in replies)
    for secret in ("a secret that is wrong", PASSWORD, "query secret", replies[1].json()["token"]):
        assert secret not in logged
    for secret in ("a secret that is wrong", PASSWORD, "SCRAM-SHA-256$"):
        assert secret not in told


def test_limits_of_a_client():
    settings = replace(SETTINGS, requests_per_second_max=1)
    with in_background(settings) as running, httpx.Client(base_url=f"http://{running.http}") as client:
        replies = [client.get("/health/live") for _ in range(20)]
        assert [reply.status_code for reply in replies[:2]] == [200, 200]
        limited = next(reply for reply in replies if reply.status_code != 200)
        assert limited.status_code == limited.json()["status"] == 429
        assert limited.headers["retry-after"] == "1"


def test_streams_count_as_running():
    settings = replace(SETTINGS, requests_per_client_max=2)
    with in_background(settings) as running:
        address = f"ws://{running.http}/api/subscribe"
        with connect(address), connect(address):
            with pytest.raises(InvalidStatus):
                connect(address)
            assert httpx.get(f"http://{running.http}/health/live").status_code == 429


def test_a_shutdown_says_goodbye():
    with ExitStack() as clients:
        with in_background(SETTINGS) as running:
            running.database.execute("CREATE TABLE bye (k int)")
            client = clients.enter_context(connect(f"ws://{running.http}/api/subscribe"))
            client.send(json.dumps({"type": "subscribe", "id": "x", "view": "bye"}))
            reply = clients.enter_context(httpx.stream("GET", f"http://{running.http}/api/views/bye/changes"))
            events = reply.iter_lines()
            next(events)
        heard = []
        with suppress(ConnectionClosed):
            heard.extend(map(json.loads, client))
        assert heard[-1] == {"type": "goodbye", "reconnect_ms": 1000}
        assert client.close_code == 1012
        assert any('"goodbye"' in line for line in events)


def test_request_ids(http):
    assert http.get("/health/live", headers={"X-Request-Id": "mine-1"}).headers["x-request-id"] == "mine-1"
    assert len(http.get("/health/live", headers={"X-Request-Id": "no id\t{}"}).headers["x-request-id"]) == 16


@pytest.mark.parametrize(
    "bytes_",
    [
        b"\x00\xff" * 100,
        b"GET / HTTP/9.9\r\n\r\n",
        b"POST /api/sql HTTP/1.1\r\nhost: localhost\r\ncontent-length: x\r\n\r\n",
    ],
)
def test_rubbish_on_the_wire_is_answered_or_cut(guarded, bytes_):
    with socket.create_connection((guarded.http.host, guarded.http.port), timeout=60) as client:
        client.sendall(bytes_)
        assert client.recv(1 << 16)[:10] in (b"", b"HTTP/1.1 4")
