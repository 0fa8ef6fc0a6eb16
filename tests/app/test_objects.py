"""Sources, tables, views and indexes as JSON: created, listed, shown, dropped."""

import httpx
import pytest


@pytest.fixture(scope="module")
def http(server):
    with httpx.Client(base_url=f"http://{server.http}", timeout=30) as client:
        yield client


def made(http, path, **body):
    reply = http.post(f"/api/{path}", json=body)
    assert reply.status_code == 201, reply.text
    return reply.json()


def test_a_table_its_view_and_its_index(http):
    columns = [
        {"name": "k", "type": "bigint", "nullable": False},
        {"name": "V", "type": "numeric(10, 2)"},
        {"name": "at", "type": "timestamptz", "default": "now()"},
    ]
    table = made(http, "tables", name="ob_t", columns=columns, primary_key=["k"])
    assert (table["kind"], table["status"], table["keys"]) == ("table", "running", [["k"]])
    assert table["types"] == ["bigint", "numeric(10,2)", "timestamp with time zone"]
    view = made(http, "views", name="ob_v", query='SELECT "V", count(*) AS n FROM ob_t GROUP BY "V"')
    assert (view["kind"], view["depends_on"], view["keys"]) == ("materialized view", ["ob_t"], [["V"]])
    plain = made(http, "views", name="public.ob_p", query="SELECT k FROM ob_t", materialized=False)
    assert (plain["kind"], plain["status"], plain["rows"]) == ("view", "virtual", None)
    index = made(http, "indexes", on="ob_p")
    assert (index["kind"], index["on"], index["key"]) == ("index", "ob_p", ["k"])
    named = made(http, "indexes", on="ob_t", name="ob_by_v", key=['"V"'])
    assert (named["item"], named["key"]) == ("ob_by_v", ["V"])
    http.post("/api/tables/ob_t/rows", json=[{"k": 1, "V": 2}]).raise_for_status()
    shown = http.get("/api/tables/ob_t").json()
    assert shown["rows"] == 1
    assert shown["bytes"] > 0
    assert shown["frontier"] >= shown["changed"] > shown["since"] - 2000
    assert {"ob_v", "ob_p"} <= set(shown["used_by"])
    operators = http.get("/api/views/ob_v/dataflow").json()["operators"]
    assert operators[0]["text"] == "Source ob_t"
    assert set(operators[0]["used_by"]) == {"ob_t", "ob_v", "ob_p"}
    assert operators[-1]["used_by"] == ["ob_v"]
    assert all(set(each["inputs"]) <= {other["id"] for other in operators} for each in operators)
    assert operators[-1]["changes"] >= 1
    assert http.get("/api/views/mz_catalog.mz_tables/dataflow").json() == {"operators": []}
    for path in ("tables", "views", "indexes", "objects"):
        names = [item["item"] for item in http.get(f"/api/{path}").json()["items"]]
        assert names == sorted(names)
        assert any(name.startswith("ob_") for name in names)
    assert http.delete("/api/tables/ob_t").status_code == 409
    assert http.delete("/api/views/ob_t").status_code == 404
    assert http.delete("/api/indexes/ob_by_v").status_code == 204
    assert http.delete("/api/tables/ob_t", params={"cascade": True}).status_code == 204
    assert http.get("/api/views/ob_v").status_code == 404


def test_sources(http, tmp_path):
    lines = tmp_path / "in.ndjson"
    lines.write_text('{"k": 1}\n{"k": 2}\n')
    connector = {"type": "file", "path": str(lines), "format": {"type": "json"}}
    source = made(http, "sources", name="ob_f", connector=connector, columns=[{"name": "k", "type": "bigint"}])
    assert source["kind"] == "source"
    assert source["statistics"]["rows"] in (0, 2)
    table = tmp_path / "in.csv"
    table.write_text("a;b\n1;x\n")
    form = {"type": "csv", "header": True, "delimiter": ";"}
    made(http, "sources", name="ob_c", connector={"type": "file", "path": str(table), "format": form, "tail": True})
    made(http, "sources", name="ob_n", connector={"type": "counter", "tick_interval_ms": 5, "max_cardinality": 3})
    assert {"ob_f", "ob_c", "ob_n"} <= {item["item"] for item in http.get("/api/sources").json()["items"]}
    reply = http.post(
        "/api/sources",
        json={"name": "ob_x", "connector": {"type": "file", "path": f"{tmp_path}/nowhere", "format": {"type": "text"}}},
    )
    assert (reply.status_code, reply.json()["sqlstate"]) == (422, "58P01")
    for name in ("ob_f", "ob_c", "ob_n"):
        assert http.delete(f"/api/sources/{name}").status_code == 204


AVRO = '{"type": "record", "name": "r", "fields": [{"name": "a", "type": "long"}]}'


@pytest.mark.parametrize(
    "connector",
    [
        {"type": "marketing", "tick_interval_ms": 1000},
        {"type": "tpch", "scale_factor": 0.001},
        {"type": "nexmark", "batch_size": 5},
        {"type": "key value", "keys": 10, "value_size": 3, "partitions": 2, "upsert": True},
        {
            "type": "kafka", "brokers": ["127.0.0.1:1", "127.0.0.1:2"], "topic": "it's",
            "key_format": {"type": "text"}, "format": {"type": "avro", "schema": AVRO},
            "include": [{"what": "partition"}, {"what": "timestamp", "name": "at"}], "envelope": "upsert",
            "start_offsets": [3, 4], "isolation_level": "read_uncommitted",
        },
        {"type": "kafka", "connection": "ob_k", "topic": "t", "format": {"type": "regex", "pattern": "(?P<k>.)"},
          "start_timestamp_ms": -5000},
        {"type": "webhook", "body": "json array", "headers": True, "headers_but": ["authorization"],
          "named": [{"header": "x-kind", "column": "ki'nd"}], "check": "WITH (BODY AS b) b <> ''"},
    ],
)  # fmt: skip
def test_sources_of_every_connector(server, http, connector):
    """A body makes the source whose every option it says."""
    server.database.execute("CREATE CONNECTION IF NOT EXISTS ob_k TO KAFKA (BROKER '127.0.0.1:1')")
    server.database.execute("CREATE SCHEMA IF NOT EXISTS ob_gs")
    source = made(http, "sources", name="ob_gs.g", connector=connector)
    assert source["kind"] == "source"
    for value in connector.values():
        if isinstance(value, int) and not isinstance(value, bool):
            assert str(value) in source["create_sql"]
    server.database.execute("DROP SCHEMA ob_gs CASCADE")


def test_a_webhook_from_a_body_takes_requests(http):
    made(http, "sources", name="ob_w", connector={"type": "webhook", "body": "json", "check": "body <> '0'"})
    assert http.post("/api/webhook/materialize/public/ob_w", content="[1]").json()["rows"] == 1
    assert http.post("/api/webhook/materialize/public/ob_w", content="0").status_code == 400
    assert http.get("/api/views/ob_w/rows").json()["rows"] == [[["1"]]]


def test_names_are_exact(http):
    name = 'Od"d.name; DROP TABLE x'
    quoted = '"' + name.replace('"', '""') + '"'
    table = made(http, "tables", name=quoted, columns=[{"name": 'A b"c', "type": "text"}])
    assert (table["item"], table["name"]) == (name, quoted)
    assert http.get(f"/api/tables/{quoted}").json()["id"] == table["id"]
    assert http.get(f"/api/views/{quoted}/rows").json()["columns"][0]["name"] == 'A b"c'
    assert http.delete(f"/api/tables/{quoted}").status_code == 204


def test_positions_are_those_in_the_clients_text(http):
    query = "SELECT 1 AS a, nope FROM mz_tables"
    problem = http.post("/api/views", json={"name": "ob_bad", "query": query}).json()
    assert (problem["status"], problem["sqlstate"]) == (400, "42703")
    assert problem["position"] == query.index("nope") + 1


def test_there_once_and_no_more(http):
    body = {"name": "ob_once", "columns": [{"name": "k", "type": "int"}]}
    assert http.post("/api/tables", json=body).status_code == 201
    assert http.post("/api/tables", json=body).status_code == 409
    assert http.post("/api/tables", json=body | {"if_not_exists": True}).status_code == 200


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("tables", {"name": "x"}, 400),
        ("tables", {"name": "x", "columns": []}, 400),
        ("tables", {"name": "", "columns": [{"name": "k", "type": "int"}]}, 400),
        ("tables", {"name": "nowhere.x", "columns": [{"name": "k", "type": "int"}]}, 404),
        ("tables", {"name": "x", "columns": [{"name": "k", "type": "no such type"}]}, 400),
        ("tables", {"name": "x", "columns": [{"name": "k", "type": "int); CREATE TABLE y (k int"}]}, 400),
        ("tables", {"name": "x", "columns": [{"name": "k", "type": "int"}, {"name": "k", "type": "int"}]}, 400),
        ("views", {"name": "x", "query": "SELECT 1; SELECT 2"}, 400),
        ("views", {"name": "x", "query": "DROP TABLE x"}, 400),
        ("views", {"name": "x", "query": "SELECT * FROM nowhere"}, 404),
        ("views", {"name": "x", "query": "SELECT 1", "colour": "red"}, 400),
        ("indexes", {"on": "nowhere"}, 404),
        ("sources", {"name": "x", "connector": {"type": "pigeon"}}, 400),
        ("sources", {"name": "x", "connector": {"type": "kafka", "topic": "t", "format": {"type": "text"}}}, 400),
        (
            "sources",
            {"name": "x", "connector": {"type": "webhook", "body": "json", "check": "true); DROP TABLE x"}},
            400,
        ),
        ("sources", {"name": "x", "connector": {"type": "counter", "tick_interval_ms": 0}}, 400),
        ("sources", {"name": "x", "connector": {"type": "file", "path": "a\x00b", "format": {"type": "text"}}}, 400),
    ],
)
def test_what_makes_no_sense_is_a_problem(http, path, body, status):
    reply = http.post(f"/api/{path}", json=body)
    assert reply.status_code == status, reply.text
    assert reply.headers["content-type"] == "application/problem+json"
    problem = reply.json()
    assert (problem["status"], problem["request_id"]) == (status, reply.headers["x-request-id"])
