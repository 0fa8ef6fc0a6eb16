"""psql's backslash commands: each runs, and those about users' objects show what is there."""

import re
from collections.abc import Callable

import pytest

from app.main import Running
from tests.clients.conftest import ran

Psql = Callable[..., str]


@pytest.fixture(scope="module")
def psql(server: Running, tool) -> Psql:
    found = tool("psql", "apt-get install postgresql-client")
    address = ("-h", server.pg.host, "-p", str(server.pg.port), "-U", "materialize", "-X")
    return lambda *arguments: ran(found, *address, *arguments)


def table(text: str) -> list[list[str]]:
    """The cells of what psql prints, without the rule and the count of rows."""
    lines = [line for line in text.splitlines() if "|" in line]
    return [[cell.strip() for cell in line.split("|")] for line in lines]


EVERY = (
    r"\d", r"\d+", r"\dS", r"\dt", r"\dt+", r"\dtS", r"\dv", r"\dv+", r"\dm", r"\dm+", r"\di", r"\di+", r"\ds",
    r"\dE", r"\dn", r"\dn+", r"\dnS", r"\df", r"\df+", r"\dfS", r"\da", r"\do", r"\dT", r"\dT+", r"\dTS", r"\du",
    r"\du+", r"\dg", r"\l", r"\l+", r"\dp", r"\z", r"\dd", r"\dC", r"\dO", r"\dx", r"\dy", r"\db", r"\dL",
    r"\dRp", r"\dRs", r"\det", r"\des", r"\dew", r"\ddp", r"\dF", r"\dFd", r"\dFp", r"\dFt", r"\dX", r"\dconfig",
    r"\drds", r"\dA", r"\dA+", r"\dAc", r"\dAf", r"\dD", r"\dl", r"\dP", r"\dc", r"\conninfo", r"\encoding",
)  # fmt: skip


def test_every_command_runs(psql: Psql):
    commands = [part for command in EVERY for part in ("-c", command, "-c", r"\echo -- done")]
    assert psql("-v", "ON_ERROR_STOP=1", *commands).count("-- done") == len(EVERY)


def test_list_of_relations(psql: Psql):
    assert table(psql("-c", r"\dt sales")) == [
        ["Schema", "Name", "Type", "Owner"], ["public", "sales", "table", "materialize"],
    ]  # fmt: skip
    assert [row[1:3] for row in table(psql("-c", r"\dm tot*"))[1:]] == [["totals", "materialized view"]]
    assert [row[1:3] for row in table(psql("-c", r"\dv b?g"))[1:]] == [["big", "view"]]
    assert [row[1:5] for row in table(psql("-c", r"\di totals*"))[1:]] == [
        ["totals_shop", "index", "materialize", "totals"]
    ]
    assert [row[:2] for row in table(psql("-c", r"\dt other.*"))[1:]] == [["other", "Odd name"]]
    assert [row[5] for row in table(psql("-c", r"\di+ totals*"))[1:]] == ["permanent"]
    assert ["other", "materialize"] in table(psql("-c", r"\dn o*|p*"))
    assert ["public", "sales", "table", "", "", ""] in table(psql("-c", r"\dp"))
    assert not [row for row in table(psql("-c", r"\d")) if row[0].startswith(("mz_", "pg_"))]


def test_a_table(psql: Psql):
    shown = psql("-c", r"\d+ sales")
    rows = {row[0]: row[1:] for row in table(shown)}
    assert rows["id"][:4] == ["bigint", "", "not null", ""]
    assert rows["shop"][:4] == ["character varying(10)", "", "", "'north'"]
    assert rows["shop"][-1] == "where"
    assert [rows[name][0] for name in ("amount", "tags", "at")] == [
        "numeric(10,2)", "text[]", "timestamp with time zone",
    ]  # fmt: skip
    assert re.search(r'"sales_pkey" PRIMARY KEY, \w+ \(id\)', shown)
    assert "what was sold" in psql("-c", r"\dt+ sales")
    assert 'Table "other.Odd name"' in psql("-c", r'\d other."Odd name"')
    assert psql("-c", r"\d s*").count('"public.sales') == 3  # the table, and its key's index, which names it


def test_views_and_indexes(psql: Psql):
    assert "SELECT * FROM materialize.public.sales WHERE amount > 10;" in psql("-c", r"\d+ big")
    assert '"totals_shop" ' in psql("-c", r"\d totals")
    assert re.search(r'for table "public.totals"', psql("-c", r"\d totals_shop"))
    assert "CREATE OR REPLACE VIEW public.big AS" in psql("-c", r"\sv big")


def test_types_and_operators(psql: Psql):
    shown = psql("-c", r"\d pair")
    assert 'Composite type "public.pair"' in shown
    assert [row[:2] for row in table(shown)[1:]] == [["a", "integer"], ["b", "text"]]
    assert [row[1] for row in table(psql("-c", r"\dT"))[1:]] == ["pair"]
    assert [row[1:6] for row in table(psql("-c", r"\do - interval"))[1:]] == [
        ["-", "", "interval", "interval", "negation, field by field"]
    ]
    assert ["pg_catalog", "sum", "bigint", "integer"] in [row[:4] for row in table(psql("-c", r"\da sum"))]
    assert ["arrangement", "text_ops", "=(text,text)", "1", "search"] in table(psql("-c", r"\dAo"))
    assert ["arrangement", "integer", "", "int4_ops", "yes"] in table(psql("-c", r"\dAc"))


def test_functions_roles_and_databases(psql: Psql):
    assert table(psql("-c", r"\df initcap"))[1][1:4] == ["initcap", "text", "text"]
    assert "CREATE OR REPLACE FUNCTION pg_catalog.lower(text)" in psql("-c", r"\sf lower(text)")
    assert [row[0] for row in table(psql("-c", r"\l"))[1:]] == ["materialize"]
    assert "Superuser" in psql("-c", r"\du materialize")
