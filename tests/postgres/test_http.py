"""A source from a typed body: the tables, names and columns that it says."""

import httpx

from tests.kafka.waiting import until
from tests.postgres.server import PASSWORD
from tests.serving import server as tailrace  # a fixture

__all__ = ["tailrace"]


def test_a_source_from_a_body(tailrace, upstream, server):
    """The connection, the source with its options, and what is wrong with one."""

    upstream.run("CREATE SCHEMA other", "CREATE TYPE mood AS ENUM ('sad')")
    upstream.table("a", "id int PRIMARY KEY, m mood, hidden text")
    upstream.table("other.b", "id int")
    upstream.run("CREATE PUBLICATION p FOR ALL TABLES", "INSERT INTO a VALUES (1, 'sad', 'x')",
                 "INSERT INTO other.b VALUES (2)")  # fmt: skip
    with httpx.Client(base_url=f"http://{tailrace.http}", timeout=30) as http:

        def made(path: str, **body: object) -> dict:
            reply = http.post(f"/api/{path}", json=body)
            assert reply.status_code == 201, reply.text
            return reply.json()

        made("secrets", name="ht_pw", value=PASSWORD)
        to = {"type": "postgres", "host": "127.0.0.1", "port": server.port, "database": upstream.name,
              "user": "postgres", "password": {"secret": "ht_pw"}}  # fmt: skip
        made("connections", name="ht_pg", connection=to)
        assert http.post("/api/connections/ht_pg/validate").status_code < 300
        connector = {"type": "postgres", "connection": "ht_pg", "publication": "p"}
        refused = http.post("/api/sources", json={"name": "ht_s", "connector": connector})
        assert refused.status_code == 400
        assert "TEXT COLUMNS (public.a.m)" in refused.text
        both = {**connector, "tables": [{"table": "a"}], "schemas": ["other"]}
        assert http.post("/api/sources", json={"name": "ht_s", "connector": both}).status_code == 400
        connector |= {
            "tables": [{"table": "a", "schema": "public", "name": "ht a"}, {"table": "b", "name": "ht_b"}],
            "text_columns": [{"table": "a", "column": "m"}],
            "exclude_columns": [{"schema": "public", "table": "a", "column": "hidden"}],
        }
        source = made("sources", name="ht_s", connector=connector)
        assert source["kind"] == "source"
        until(tailrace.database, 'SELECT a.id, m, b.id FROM "ht a" a, ht_b b', [(1, "sad", 2)])
        assert {"ht a", "ht_b", "ht_s"} <= {item["item"] for item in http.get("/api/sources").json()["items"]}
        assert http.get("/api/sources/ht_b").json()["status"] == "running"
        assert http.delete("/api/sources/ht_s").status_code == 204
        made("sources", name="ht_s", connector={"type": "postgres", "connection": "ht_pg", "publication": "p",
                                                "schemas": ["other"]})  # fmt: skip
        until(tailrace.database, "SELECT * FROM b", [(2,)])
        assert http.delete("/api/sources/ht_s").status_code == 204
        assert http.delete("/api/connections/ht_pg").status_code == 204
        assert http.delete("/api/secrets/ht_pw").status_code == 204
    assert upstream.slots() == []
