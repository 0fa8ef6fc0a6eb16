"""pgbench, pgcli, and dbt with its adapters for PostgreSQL and Materialize."""

import json
import os
import shutil
from operator import itemgetter
from pathlib import Path

import psycopg
import pytest
from pgcli.pgexecute import PGExecute

from app.main import Running
from tests.clients.conftest import HERE, ran


def test_pgbench(server: Running, tool, tmp_path: Path):
    script = tmp_path / "look_up.sql"
    script.write_text("\\set key random(1, 2)\nSELECT shop, amount FROM sales WHERE id = :key;\n")
    pgbench = tool("pgbench", "apt-get install postgresql")
    address = ("-h", server.pg.host, "-p", str(server.pg.port), "-U", "materialize")
    for mode in ("simple", "extended", "prepared"):
        found = ran(pgbench, *address, "-n", "-M", mode, "-f", str(script), "-c", "2", "-t", "50", "materialize")
        assert "number of transactions actually processed: 100/100" in found
        assert "number of failed transactions: 0" in found


def test_pgcli(url: str):
    """It asks the catalog for what it completes before it runs what it is given."""
    pgcli = Path(shutil.which("pgcli", path=str(Path(os.sys.executable).parent)) or "pgcli")
    found = ran(
        str(pgcli),
        url,
        "--no-password",
        "--less-chatty",
        script="\\dt sales\nSELECT id FROM sales WHERE id = 2;\n\\q\n",
    )
    assert "| public | sales | table | materialize |" in found
    assert "| 2  |" in found


def test_what_pgcli_completes(url: str):
    """Each of the lists that it fills in the background: a failure there ends only its completion."""
    made = PGExecute(dsn=url)
    tables = [("public", "sales"), ("other", "Odd name")]
    assert set(tables) <= set(made.tables())
    assert {("public", "big"), ("public", "totals")} <= set(made.views())
    assert ("public", "sales", "shop", "character varying", True, "'north'") in set(made.table_columns())
    assert ("public", "totals", "orders", "bigint", False, None) in set(made.view_columns())
    assert {"public", "other"} <= set(made.schemata())
    assert "materialize" in made.databases()
    assert ("public", "pair") in set(made.datatypes())
    assert list(made.foreignkeys()) == []
    padded = {(row.arg_types, row.return_type) for row in made.functions() if row.func_name == "lpad"}
    assert padded == {(("text", "integer"), "text"), (("text", "integer", "text"), "text")}
    assert made.view_definition("big").endswith("WHERE amount > 10;")
    assert made.search_path() == ["mz_catalog", "pg_catalog", "mz_internal", "public"]
    made.conn.close()


PROFILES = """
tailrace:
  outputs:
    postgres: {{type: postgres, host: {host}, port: {port}, user: materialize, password: none, dbname: materialize,
                schema: dbt_postgres, threads: 1}}
    materialize: {{type: materialize, host: {host}, port: {port}, user: materialize, pass: none, dbname: materialize,
                   schema: dbt_materialize, sslmode: disable, cluster: quickstart, threads: 1}}
config: {{send_anonymous_usage_stats: false}}
"""


@pytest.mark.parametrize("target", ["postgres", "materialize"])
def test_dbt(server: Running, url: str, tmp_path: Path, target: str):
    """A seed, views, materialized views, a table; a source or an incremental model; tests: built, and built again."""
    python = HERE / "dbt" / ".venv" / "bin" / "python"
    if not python.exists():
        pytest.fail("dbt is not installed: make clients", pytrace=False)
    (tmp_path / "profiles.yml").write_text(PROFILES.format(host=server.pg.host, port=server.pg.port))
    ran(str(python), "tour.py", target, str(tmp_path), cwd=HERE / "dbt")
    results = json.loads((tmp_path / "run_results.json").read_text())["results"]
    assert sorted(row["status"] for row in results) == ["pass"] * 6 + ["success"] * 5
    with psycopg.connect(url) as session:
        found = session.execute(f"SELECT city, total FROM dbt_{target}.cities ORDER BY city").fetchall()
        assert [(city, float(total)) for city, total in found] == [("Oslo", 12.5), ("Rome", 3.0)]
        query, answer = {
            "postgres": ("SELECT count(*) FROM dbt_postgres.history", 2),
            "materialize": ("SELECT type FROM mz_sources WHERE name = 'ticks'", "load-generator"),
        }[target]
        assert session.execute(query.encode()).fetchone() == (answer,)
    nodes = json.loads((tmp_path / "catalog.json").read_text())["nodes"]
    columns = nodes["model.tailrace.totals"]["columns"].values()  # the adapter's query has no ORDER BY
    assert [each["name"] for each in sorted(columns, key=itemgetter("index"))] == ["shop", "orders", "total"]
