"""Pages of rows in every media type, and rows that are written in each."""

import io
from collections import Counter

import httpx
import pyarrow as pa
import pyarrow.csv
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st


@pytest.fixture(scope="module")
def http(server):
    with httpx.Client(base_url=f"http://{server.http}", timeout=30) as client:
        yield client


@pytest.fixture(scope="module")
def filled(server):
    server.database.execute(
        """CREATE TABLE rw (k bigint, v text, x double precision, j jsonb, "a b" boolean);
        INSERT INTO rw VALUES (1, 'a', 0.1, '{"n": 1}', true), (2, NULL, NULL, NULL, NULL),
        (2, '', '1e300', '[]', false),
        (3, 'c,"d', 'NaN', 'null', true), (3, 'c,"d', 'NaN', 'null', true)"""
    )


def read(http, name="rw", **parameters):
    reply = http.get(f"/api/views/{name}/rows", params=parameters)
    assert reply.status_code == 200, reply.text
    return reply


def test_json(http, filled):
    reply = read(http, columns=["k", "a b"], where=["k:ge:2", "a b:is:not_null"], order="k:desc")
    found = reply.json()
    assert found["rows"] == [["3", True], ["3", True], ["2", False]]
    assert [column["name"] for column in found["columns"]] == ["k", "a b"]
    assert found["timestamp"] == int(reply.headers["tailrace-timestamp"])
    assert found["next"] is None


@pytest.mark.parametrize(
    ("where", "count"),
    [
        ("v:eq:a", 1), ("v:ne:a", 3), ("v:is:null", 1), ("v:in:a,", 2), ("v:like:c%", 2), ("x:lt:1", 1),
        ('"a b":is:true', 3), ("v:eq:c,\"d", 2), ("k:gt:2", 2), ("k:le:1", 1),
    ],
)  # fmt: skip
def test_filters(http, filled, where, count):
    assert len(read(http, where=where).json()["rows"]) == count


def test_every_media_type(http, filled):
    lines = read(http, order="v", where="k:lt:3", format="ndjson")
    assert lines.headers["content-type"] == "application/x-ndjson"
    first = '{"k":"2","v":"","x":"1e+300","j":[],"a b":false}'
    assert lines.text.splitlines()[0] == first
    reply = http.get("/api/views/rw/rows", headers={"accept": "text/csv;q=0.9, application/json;q=0.5"})
    assert reply.headers["content-type"].startswith("text/csv")
    table = pa.csv.read_csv(
        io.BytesIO(reply.content),
        convert_options=pa.csv.ConvertOptions(strings_can_be_null=True, quoted_strings_can_be_null=False),
    )
    assert Counter(table["v"].to_pylist()) == Counter(["a", None, "", 'c,"d', 'c,"d'])
    reply = http.get("/api/views/rw/rows", headers={"accept": "application/vnd.apache.arrow.stream"})
    with pa.ipc.open_stream(io.BytesIO(reply.content)) as stream:
        table = stream.read_all()
    assert Counter(table["k"].to_pylist()) == Counter([1, 2, 2, 3, 3])
    assert table.schema.field("x").type == pa.float64()
    assert http.get("/api/views/rw/rows", headers={"accept": "image/png"}).status_code == 406


ROWS = st.lists(
    st.tuples(st.sampled_from([None, 1, 2]), st.sampled_from([None, "", "a"]), st.sampled_from([None, "{}", "[1]"])),
    max_size=9,
)


@settings(max_examples=20, deadline=None)
@given(ROWS, st.integers(1, 4), st.lists(st.sampled_from(["k", "k:desc", "v", "v:desc", "j"]), max_size=2, unique=True))
def test_pages_are_the_rows(server, http, rows, limit, order):
    server.database.execute("CREATE TABLE IF NOT EXISTS rw_p (k int, v text, j jsonb); DELETE FROM rw_p")
    server.database.write("rw_p", rows)
    whole = read(http, "rw_p", order=order).json()["rows"]
    assert len(whole) == len(rows)
    paged, after = [], {}
    while True:
        found = read(http, "rw_p", order=order, limit=limit, **after).json()
        paged += found["rows"]
        assert len(found["rows"]) == limit or found["next"] is None
        if found["next"] is None:
            break
        after = {"after": found["next"]}
    assert paged == whole


def test_pages_of_a_relation_that_changes(server, http):
    server.database.execute("CREATE TABLE rw_c (k int PRIMARY KEY)")
    server.database.write("rw_c", [(k,) for k in range(10)])
    first = read(http, "rw_c", limit=4).json()
    server.database.execute("DELETE FROM rw_c WHERE k IN (1, 3, 5); INSERT INTO rw_c VALUES (-1), (99)")
    rest = read(http, "rw_c", after=first["next"]).json()
    assert [row[0] for row in first["rows"]] == ["0", "1", "2", "3"]
    assert [row[0] for row in rest["rows"]] == ["4", "6", "7", "8", "9", "99"]


def test_a_reply_that_has_not_changed_is_not_sent_again(server, http):
    server.database.execute(
        "CREATE TABLE rw_e (k int); CREATE MATERIALIZED VIEW rw_ev AS SELECT k FROM rw_e WHERE k > 0"
    )
    etag = read(http, "rw_ev").headers["etag"]
    again = {"if-none-match": etag}
    server.database.execute("INSERT INTO rw_e VALUES (-1)")
    assert http.get("/api/views/rw_ev/rows", headers=again).status_code == 304
    assert http.get("/api/views/rw_ev/rows", headers=again, params={"limit": 5}).status_code == 200
    server.database.execute("INSERT INTO rw_e VALUES (1)")
    reply = http.get("/api/views/rw_ev/rows", headers=again)
    assert reply.status_code == 200
    assert reply.headers["etag"] != etag


def test_time(server, http):
    server.database.execute("CREATE TABLE rw_t (k int)")
    at = server.database.write("rw_t", [(1,)])
    server.database.execute("INSERT INTO rw_t VALUES (2)")
    assert len(read(http, "rw_t", as_of=at).json()["rows"]) == 1
    wanted = read(http, "rw_t").json()["timestamp"] + 100
    assert read(http, "rw_t", at_least=wanted).json()["timestamp"] >= wanted
    assert http.get("/api/views/rw_t/rows", params={"at_least": wanted + 1_000_000}).status_code == 429
    assert http.get("/api/views/rw_t/rows", params={"as_of": 1}).status_code == 400
    assert http.get("/api/views/rw_t/rows", params={"as_of": 2**53}).status_code == 400


def test_writing_in_every_media_type(http):
    columns = [{"name": "k", "type": "bigint"}, {"name": "v", "type": "text"}]
    http.post("/api/tables", json={"name": "rw_w", "columns": columns}).raise_for_status()
    out = io.BytesIO()
    table = pa.table({"k": [4], "v": ["d"]})
    with pa.ipc.new_stream(out, table.schema) as stream:
        stream.write_table(table)
    bodies = {
        "application/json": b'[{"k": 1, "v": "a"}]',
        "application/x-ndjson; charset=utf-8": b'{"k": 2, "v": "b"}\n{"k": 3}',
        "text/csv; header=present": b"v,k\nc,5\n",
        "application/vnd.apache.arrow.stream": out.getvalue(),
    }
    for kind, body in bodies.items():
        reply = http.post("/api/tables/rw_w/rows", content=body, headers={"content-type": kind})
        assert reply.status_code == 201, reply.text
        written = reply.json()
        assert read(http, "rw_w", at_least=written["timestamp"]).json()["timestamp"] >= written["timestamp"]
    rows = read(http, "rw_w").json()["rows"]
    assert rows == [["1", "a"], ["2", "b"], ["3", None], ["4", "d"], ["5", "c"]]
    for kind, body, status in [
        ("application/json", b'[{"k": 9}, {"k": "x"}]', 422),
        ("application/json", b'[{"kk": 9}]', 400),
        ("application/json", b"\xff\xfe", 422),
        ("image/png", b"", 415),
        ("text/csv", b"", 422),
    ]:
        reply = http.post("/api/tables/rw_w/rows", content=body, headers={"content-type": kind})
        assert (reply.status_code, reply.headers["content-type"]) == (status, "application/problem+json")
    assert http.post("/api/tables/nowhere/rows", json=[]).status_code == 404
    assert read(http, "rw_w").json()["rows"] == rows


def test_a_large_reply_is_streamed_in_every_media_type(server, http):
    server.database.execute("CREATE TABLE rw_l (k int)")
    server.database.write("rw_l", [(k,) for k in range(70_000)])
    for form in ("json", "ndjson", "csv", "arrow"):
        with http.stream("GET", "/api/views/rw_l/rows", params={"limit": 1_000_000, "format": form}) as reply:
            pieces = [len(piece) for piece in reply.iter_raw()]
        assert len(pieces) >= 2
    assert len(read(http, "rw_l", limit=1_000_000).json()["rows"]) == 70_000


@pytest.mark.parametrize(
    ("parameters", "status"),
    [
        ({"columns": "z"}, 400),
        ({"where": "z:eq:1"}, 400),
        ({"where": "k:approximately:1"}, 400),
        ({"where": "k"}, 400),
        ({"where": ":"}, 400),
        ({"where": "k:eq:x"}, 422),
        ({"where": "x:like:a"}, 400),
        ({"order": "z"}, 400),
        ({"order": "k:sideways"}, 400),
        ({"limit": 0}, 400),
        ({"limit": "x"}, 400),
        ({"after": "x"}, 400),
        ({"after": "W10"}, 400),
        ({"format": "xml"}, 400),
    ],
)
def test_what_makes_no_sense_is_a_problem(http, filled, parameters, status):
    reply = http.get("/api/views/rw/rows", params=parameters)
    assert reply.status_code == status, reply.text
    assert reply.json()["status"] == status


def test_a_cursor_is_of_its_query(http, filled):
    after = read(http, limit=1).json()["next"]
    assert http.get("/api/views/rw/rows", params={"after": after, "order": "v"}).status_code == 400
