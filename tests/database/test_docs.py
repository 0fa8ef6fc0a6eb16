"""The pages on variables, sources and SQL say what the code does."""

import re
from pathlib import Path

import pytest

from engine.coordinator.variables import VARIABLES
from engine.database import Database, Options, Subscription
from engine.errors import DuplicateObject, DuplicateRelation
from engine.sql.dialect import parse

DOCS = Path(__file__).parents[2] / "docs"


def rows(page: str) -> list[list[str]]:
    lines = (DOCS / page).read_text().splitlines()
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("| `")]


def test_variables() -> None:
    told = [(name.strip("`"), default, doc) for name, default, doc in rows("variables.md")]
    assert told == [(row.name, row.default or "(empty)", row.doc) for row in VARIABLES.values()]


@pytest.mark.parametrize("page", sorted(path.name for path in DOCS.glob("*.md")))
def test_statements_are_ones_that_the_grammar_reads(page: str) -> None:
    for block in re.findall(r"```sql\n(.*?)```", (DOCS / page).read_text(), re.DOTALL):
        assert parse(block), block


STAGE = """
CREATE SECRET hook AS 'x'; CREATE ROLE ann LOGIN; CREATE SCHEMA s;
CREATE TABLE t (k text CONSTRAINT t_pkey PRIMARY KEY, v bigint NOT NULL DEFAULT 0, note text, name text,
    a int, b int, CONSTRAINT t_k_v_key UNIQUE (k, v));
CREATE TABLE news (k text, v bigint, gone boolean); CREATE TABLE edges (a int, b int);
CREATE VIEW small AS SELECT k, sum(v) AS total FROM t GROUP BY k;
CREATE VIEW big AS SELECT k, sum(v) AS total FROM t GROUP BY k;
CREATE MATERIALIZED VIEW totals AS SELECT k, sum(v) AS total FROM t GROUP BY k;
CREATE REPLACEMENT MATERIALIZED VIEW better FOR totals AS SELECT k, sum(v) AS total FROM t WHERE v > 0 GROUP BY k;
CREATE DURABLE SUBSCRIPTION read ON edges;
"""
"""What the statements of sql.md are about."""


def test_statements_of_durable_subscriptions() -> None:
    """One after the other."""
    page = (DOCS / "durable-subscriptions.md").read_text()
    with Database.in_memory() as db, db.session() as session:
        db.execute("""CREATE TABLE orders (id int, total int); CREATE TABLE ledger (id int, total int);
            CREATE MATERIALIZED VIEW totals AS SELECT id, sum(total) AS total FROM orders GROUP BY id;
            INSERT INTO orders VALUES (1, 120)""")
        for block in re.findall(r"```sql\n(.*?)```", page, re.DOTALL):
            for statement in parse(block):
                (answer,) = session.run(statement.span.text)
                if isinstance(answer, Subscription):
                    answer.close()
        assert db.execute("SELECT count(*) FROM ledger").rows() == [(1,)]


def test_statements_of_sql(tmp_path: Path) -> None:
    """Each runs where what it is about is there, or says that this is there already."""
    (tmp_path / "events.ndjson").write_text('{"id": 1}\n')
    (tmp_path / "prices.csv").write_text("item,price\nx,1\n")
    (tmp_path / "syslog").write_text("a line\n")
    page = (DOCS / "sql.md").read_text().replace("/data/", f"{tmp_path}/").replace("/var/log/", f"{tmp_path}/")
    blocks = re.findall(r"```sql\n(.*?)```", page, re.DOTALL)
    ran = 0
    for statement in (each for block in blocks for each in parse(block)):
        with Database.in_memory(Options(roots=(tmp_path,))) as db:
            db.execute(STAGE)
            ran += 1
            try:
                assert len(list(db.session().run(statement.span.text))) == 1
            except (DuplicateRelation, DuplicateObject):
                continue
    assert ran > 40
