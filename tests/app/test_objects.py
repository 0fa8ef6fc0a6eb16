"""Sources, sinks, tables, views, indexes, connections and secrets as JSON: created, listed, shown, dropped."""

import gzip
from base64 import b64encode

import httpx
import pyarrow as pa
import pytest
from pyarrow import parquet


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
        {"type": "auction", "tick_interval_ms": 0, "as_of": 5, "up_to": 17, "max_cardinality": 300},
        {"type": "tpch", "scale_factor": 0.001},
        {"type": "nexmark", "batch_size": 5},
        {"type": "key value", "keys": 10, "value_size": 3, "partitions": 2, "upsert": True},
        {
            "type": "kafka", "brokers": ["127.0.0.1:1", "127.0.0.1:2"], "topic": "it's",
            "key_format": {"type": "text"}, "format": {"type": "avro", "schema": AVRO},
            "include": [{"what": "partition"}, {"what": "timestamp", "name": "at"}], "envelope": "upsert",
            "start_offsets": [3, 4], "isolation_level": "read_uncommitted", "inline_errors": "wh\"y",
            "topic_metadata_refresh_interval_ms": 777, "fetch_message_max_bytes": 12345, "client_id": "me",
        },
        {"type": "kafka", "connection": "ob_k", "topic": "t", "format": {"type": "regex", "pattern": "(?P<k>.)"},
          "start_timestamp_ms": -5000},
        {"type": "kafka", "brokers": ["127.0.0.1:1"], "topic": "t",
          "format": {"type": "avro", "schema": AVRO, "framed": False}},
        {"type": "webhook", "body": "text", "headers": True, "headers_only": ["x-a", "x-b"], "headers_but": ["x-c"]},
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


def test_a_source_of_debezium(server, http):
    """What it passes over, what comes together, who is told, and whose times its times are."""
    kafka = {"type": "kafka", "brokers": ["127.0.0.1:1"], "topic": "t", "format": {"type": "json"}}
    made(http, "sources", name="ob_tx", connector=kafka, timeline="it's")
    connector = kafka | {
        "envelope": "debezium", "deduplication": "full_in_range", "deduplication_start": "2022-05-01",
        "deduplication_end": "2022-05-02 12:30:00", "deduplication_pad_start": "2022-04-01",
        "enable_auto_commit": True, "group_id_prefix": "us-",
        "transactions": {"source": "ob_tx", "collection": "public.orders"},
    }  # fmt: skip
    body = {"name": "ob_dbz", "columns": [{"name": "id", "type": "int"}], "timeline": "it's"}
    sql = made(http, "sources", connector=connector, **body)["create_sql"]
    for said in ("DEDUPLICATION = 'full_in_range'", "DEDUPLICATION_START = '2022-05-01'", "= '2022-05-02 12:30:00'",
                 "DEDUPLICATION_PAD_START = '2022-04-01'", "ENABLE AUTO COMMIT", "'us-'", "'public.orders'",
                 "TIMELINE = 'it''s'"):  # fmt: skip
        assert said in sql, said
    for name, said in (("ob_none", "none"), ("ob_full", "full"), ("ob_ordered", "ordered")):
        body = {"name": name, "columns": [{"name": "id", "type": "int"}], "own_timeline": True}
        sql = made(http, "sources", connector=kafka | {"envelope": "debezium", "deduplication": said}, **body)
        assert f"DEDUPLICATION = '{said}'" in sql["create_sql"]
        assert "EPOCH_MS_TIMELINE = false" in sql["create_sql"]
    for wrong in ({"deduplication": "full"}, {"envelope": "debezium", "deduplication": "full_in_range"},
                  {"envelope": "debezium", "deduplication_start": "2022-05-01"},
                  {"transactions": {"source": "ob_tx", "collection": "c"}}):  # fmt: skip
        assert http.post("/api/sources", json={"name": "ob_no", "connector": kafka | wrong}).status_code == 400
    both = {"name": "ob_no", "connector": kafka, "timeline": "x", "own_timeline": True}
    assert http.post("/api/sources", json=both).status_code == 400
    for name in ("ob_dbz", "ob_none", "ob_full", "ob_ordered", "ob_tx"):
        assert http.delete(f"/api/sources/{name}").status_code == 204


def test_a_generator_that_ends(http):
    """Flat out, from one tick to before another."""
    connector = {"type": "counter", "tick_interval_ms": 0, "as_of": 40, "up_to": 100}
    source = made(http, "sources", name="ob_100", connector=connector)
    while source["status"] != "finished" or source["statistics"]["waiting"]:
        source = http.get("/api/sources/ob_100").json()
    assert (source["rows"], source["statistics"]["rows"]) == (100, 100)
    assert source["statistics"]["offsets"]["tick"] == 100


def test_what_a_file_needs_beside_its_path(http, tmp_path):
    lines = tmp_path / "in"
    lines.write_bytes(gzip.compress(b"a=1\nb=2\n"))
    connector = {
        "type": "file", "path": str(lines), "compression": "gzip",
        "format": {"type": "regex", "pattern": "(?P<k>.)=(?P<v>.)"}, "file_column": "of",
        "tail": True, "discover_interval_ms": 50,
    }  # fmt: skip
    made(http, "sources", name="ob_gz", connector=connector)
    table = tmp_path / "t.parquet"
    parquet.write_table(pa.table({"k": [1, 2], "v": ["x", "y"]}), table)
    made(http, "sources", name="ob_pq", connector={"type": "file", "path": str(table), "format": {"type": "parquet"}})

    def rows(name):
        found = []
        while len(found) < 2:
            found = http.get(f"/api/views/{name}/rows", params={"order": "k"}).json()["rows"]
        return found

    assert rows("ob_gz") == [["a", "1", str(lines)], ["b", "2", str(lines)]]
    assert list(http.get("/api/sources/ob_gz").json()["statistics"]["offsets"]) == [str(lines)]
    assert rows("ob_pq") == [["1", "x"], ["2", "y"]]


SECRET = "correct-horse-battery"


def test_secrets_and_connections(http):
    secret = made(http, "secrets", name="ob_pw", value=SECRET)
    raw = made(http, "secrets", name="ob_raw", value=b64encode(b"\0\xff").decode(), base64=True)
    assert (secret["kind"], secret["status"], raw["columns"]) == ("secret", "present", [])
    connection = {
        "type": "kafka", "brokers": ["127.0.0.1:1"], "tls": {"authority": "PEM", "key": {"secret": "ob_raw"}},
        "sasl": {"mechanism": "SCRAM-SHA-512", "username": "it's me", "password": {"secret": "ob_pw"}},
    }  # fmt: skip
    made_one = made(http, "connections", name="ob_c1", connection=connection)
    assert made_one["depends_on"] == ["ob_pw", "ob_raw"]
    assert "SASL_SSL" in made_one["create_sql"]
    kerberos = {"principal": "me@R", "keytab": {"file": "my.keytab"}, "service": "broker"}
    sasl = {"mechanism": "GSSAPI", "kerberos": kerberos}
    made_one = made(http, "connections", name="ob_c6", connection=connection | {"tls": None, "sasl": sasl})
    assert "SASL KERBEROS KEYTAB = 'my.keytab'" in made_one["create_sql"]
    store = {"type": "aws", "access_key_id": "me", "secret_access_key": {"secret": "ob_pw"}, "region": "r",
             "endpoint": "http://127.0.0.1:1"}  # fmt: skip
    made(http, "connections", name="ob_c3", connection=store)
    made(http, "connections", name="ob_c4", connection={"type": "gcs", "access_token": {"secret": "ob_pw"}})
    registry = {"type": "confluent schema registry", "url": "http://127.0.0.1:1", "password": {"secret": "ob_pw"}}
    made(http, "connections", name="ob_c2", connection=registry)
    database = {
        "type": "postgres", "host": "127.0.0.1", "port": 1, "database": "it's", "user": "me",
        "password": {"secret": "ob_pw"}, "ssl_mode": "verify-ca", "tls": {"authority": "PEM"},
    }  # fmt: skip
    sql = made(http, "connections", name="ob_c5", connection=database)["create_sql"]
    assert all(said in sql for said in ("HOST = '127.0.0.1'", "PORT = 1", "'it''s'", "SSL MODE = 'verify-ca'", "'PEM'"))
    refused = http.post("/api/connections/ob_c5/validate")
    assert (refused.status_code, refused.json()["sqlstate"]) == (422, "58030")
    validated = http.post("/api/connections/ob_c2/validate")
    assert (validated.status_code, validated.json()["sqlstate"][:2]) == (422, "58")
    assert http.post("/api/connections/ob_pw/validate").status_code == 404
    assert http.delete("/api/secrets/ob_pw").status_code == 409
    said = [http.get(f"/api/{path}").text for path in ("objects", "secrets", "connections")]
    assert all("ob_" in text and SECRET not in text for text in said)
    for name in ("ob_c6", "ob_c5", "ob_c4", "ob_c3", "ob_c2"):
        assert http.delete(f"/api/connections/{name}").status_code == 204
    for path, name in (("connections", "ob_c1"), ("secrets", "ob_raw"), ("secrets", "ob_pw")):
        assert http.delete(f"/api/{path}/{name}").status_code == 204


def test_a_sink_of_every_option(server, http):
    """The topic's broker is not there: the sink is, and says so."""
    made(http, "connections", name="ob_k2", connection={"type": "kafka", "brokers": ["127.0.0.1:1"]})
    url = "http://127.0.0.1:1"
    made(http, "connections", name="ob_r", connection={"type": "confluent schema registry", "url": url})
    types = {"k": "int", "v": "text", "h": "map[text=>text]"}
    columns = [{"name": name, "type": type} for name, type in types.items()]
    made(http, "tables", name="ob_st", columns=columns, primary_key=["k"])
    connector = {
        "type": "kafka", "connection": "ob_k2", "topic": "it's", "progress_topic": "pro", "compression": "zstd",
        "partition_by": "k % 7", "partitions": 5, "replication": 2, "config": {"cleanup.policy": "compact"},
        "client_id": "me", "transactional_id_prefix": "ours",
        "consistency": {"topic": "marks", "format": {"type": "avro", "registry": "ob_r"}},
    }  # fmt: skip
    body = {
        "name": "ob_sink", "from": "ob_st", "connector": connector, "key": ["k"], "enforced": False, "headers": "h",
        "envelope": "upsert", "format": {
            "type": "avro", "registry": "ob_r", "fullname": "shop.Order", "compatibility": "FULL", "doc": "it's one",
            "null_defaults": True, "column_docs": {"v": "what"},
        },
        "key_format": {"type": "json"}, "snapshot": False,
    }  # fmt: skip
    sink = made(http, "sinks", **body)
    assert (sink["kind"], sink["on"]) == ("sink", "ob_st")
    assert set(sink["depends_on"]) == {"ob_st", "ob_k2", "ob_r"}
    avro = (
        "NULL DEFAULTS, VALUE COMPATIBILITY LEVEL = 'FULL'", "= 'it''s one'", """."v" = 'what')""",
    )  # fmt: skip
    marks = "CONSISTENCY (TOPIC 'marks' FORMAT AVRO USING CONFLUENT SCHEMA REGISTRY CONNECTION"
    for said in (
        marks,
        "= 'ours'",
        "it''s",
        "pro",
        "zstd",
        "k % 7",
        "= 5",
        "= 2",
        "compact",
        "shop.Order",
        "WITHOUT SNAPSHOT",
        *avro,
    ):
        assert said in sink["create_sql"], said
    open_ = {"type": "kafka", "brokers": ["127.0.0.1:1", "127.0.0.1:2"], "topic": "t", "partitions": 3,
             "consistency": {"topic": "open-marks"}}  # fmt: skip
    made(http, "sinks", name="ob_open", connector=open_, format={"type": "json"}, **{"from": "ob_st"})
    while sink["status"] != "stalled":
        sink = http.get("/api/sinks/ob_sink").json()
    assert sink["error"]
    assert sink["statistics"] == {"transactions": 0, "records": 0, "bytes": 0, "timestamp": None}
    assert [item["item"] for item in http.get("/api/sinks").json()["items"]] == ["ob_open", "ob_sink"]
    assert http.post("/api/sinks", json=body).status_code == 409
    assert http.post("/api/sinks", json=body | {"if_not_exists": True}).status_code == 200
    for name in ("ob_sink", "ob_open"):
        assert http.delete(f"/api/sinks/{name}").status_code == 204
    server.database.execute("DROP TABLE ob_st CASCADE")


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
        ("sources", {"name": "x", "connector": {"type": "counter", "tick_interval_ms": -1}}, 400),
        ("sources", {"name": "x", "connector": {"type": "counter", "max_cardinality": 0}}, 400),
        ("secrets", {"name": "x", "value": {"a": SECRET}}, 400),
        ("secrets", {"name": "x", "value": SECRET, "base64": True}, 400),
        ("connections", {"name": "x", "connection": {"type": "kafka", "brokers": [SECRET]}}, 400),
        ("connections", {"name": "x", "connection": {"type": "pigeon"}}, 400),
        (
            "sinks",
            {
                "name": "x",
                "from": "nowhere",
                "connector": {"type": "kafka", "brokers": ["b:1"], "topic": "t"},
                "format": {"type": "json"},
            },
            404,
        ),
        (
            "sinks",
            {
                "name": "x",
                "from": "mz_tables",
                "connector": {"type": "kafka", "topic": "t"},
                "format": {"type": "json"},
            },
            400,
        ),
        ("sources", {"name": "x", "connector": {"type": "file", "path": "a\x00b", "format": {"type": "text"}}}, 400),
    ],
)
def test_what_makes_no_sense_is_a_problem(http, path, body, status):
    reply = http.post(f"/api/{path}", json=body)
    assert reply.status_code == status, reply.text
    assert reply.headers["content-type"] == "application/problem+json"
    problem = reply.json()
    assert (problem["status"], problem["request_id"]) == (status, reply.headers["x-request-id"])
