"""pgjdbc, node-postgres and postgres.js: a program of each tours the server and says what it found."""

import json
from pathlib import Path

import psycopg

from tests.clients.conftest import HERE, ran


def test_jdbc(url: str, jars: str):
    with psycopg.connect(url, autocommit=True) as session:
        session.execute("CREATE SCHEMA jdbc")
        columns = "id bigint PRIMARY KEY, name varchar(10) DEFAULT 'x', price numeric(10,2) NOT NULL"
        session.execute(f"CREATE TABLE jdbc.items ({columns})")
        session.execute("COMMENT ON COLUMN jdbc.items.name IS 'its name'")
        session.execute(
            "CREATE MATERIALIZED VIEW jdbc.counts AS SELECT name, count(*) AS n FROM jdbc.items GROUP BY name"
        )
    address = "jdbc:" + url.replace("materialize@", "") + "?user=materialize"
    lines = ran("java", "-cp", jars, "Tour.java", address, cwd=HERE / "java").splitlines()
    found = dict(line.split(": ", 1) if ": " in line else (line.rstrip(": "), "") for line in lines)
    schemas = found.pop("schemas").split()
    assert schemas == sorted(schemas)
    own = {"information_schema", "mz_catalog", "mz_internal", "mz_introspection", "pg_catalog", "public"}
    assert {*own, "jdbc"} <= set(schemas)  # other clients have theirs
    assert found == {
        "product": "PostgreSQL 15",
        "catalogs": "materialize",
        "tables": "items_pkey,INDEX counts,MATERIALIZED VIEW items,TABLE",
        "columns": "id,-5,int8,19,NO,null,null name,12,varchar,10,YES,'x',its name price,2,numeric,10,NO,null,null",
        "key": "id,1,items_pkey",
        "indexes": "items_pkey,false,id",
        "imported": "",
        "best": "id",
        "types": "true",
        "functions": "initcap",
        "privileges": "true",
        "keywords": "true",
        "batch": "20",
        "prepared": "44",
        "cursor": "20",
        "copied": "2",
        "view": "copied,1 gone,1 n0,6 n1,6 n2,7 null,1",
        "values": '[1, 2] {"a":1} 2020-01-02 03:04:05.0',
        "error": "42703",
    }


def test_node(url: str, modules: Path):
    assert json.loads(ran("node", "tour.mjs", url, cwd=modules)) == {
        "row": [{"id": "1", "name": "a", "tags": ["x", "y"], "at": "1970-01-01T00:00:00.000Z"}],
        "named": 42,
        "cursor": [1, 2, 3, 4],
        "error": "42703",
        "pool": [2, 4, 6, 8, 10],
        "tagged": [{"id": "3", "name": "c"}, {"id": "4", "name": "d"}],
        "transaction": 2,
        "arrays": {"tags": ["x", "y"], "at": "1970-01-01T00:00:00.000Z"},
    }
