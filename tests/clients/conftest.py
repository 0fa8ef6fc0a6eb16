"""One server for all clients of this folder, and what every machine needs to run them.

Python's clients come with `pip install -e .[dev]`, dbt with `make clients`. What comes from elsewhere (npm, Maven) is
installed once, into folders that git ignores.
"""

import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from app.main import Running, in_background
from tests.serving import SETTINGS, no_internal_errors

__all__ = ["no_internal_errors"]

HERE = Path(__file__).parent
SHOP = """
CREATE TABLE sales (id bigint PRIMARY KEY, shop varchar(10) DEFAULT 'north', amount numeric(10,2) NOT NULL,
                    tags text[], at timestamptz);
CREATE VIEW big AS SELECT * FROM sales WHERE amount > 10;
CREATE MATERIALIZED VIEW totals AS SELECT shop, count(*) AS orders, sum(amount) AS total FROM sales GROUP BY shop;
CREATE INDEX totals_shop ON totals (shop);
CREATE SCHEMA other;
CREATE TABLE other."Odd name" (a int, UNIQUE (a));
COMMENT ON TABLE sales IS 'what was sold';
COMMENT ON COLUMN sales.shop IS 'where';
CREATE TYPE pair AS (a int, b text);
INSERT INTO sales VALUES (1, 'north', 12.50, ARRAY['new'], '2024-01-02 03:04:05+00'), (2, 'south', 3, NULL, NULL);
"""


@pytest.fixture(scope="session")
def server() -> Iterator[Running]:
    """One server; its shop is there for everyone to look at, and what a test writes has names of its own."""
    with in_background(SETTINGS) as running:
        with psycopg.connect(
            host=running.pg.host, port=running.pg.port, user="materialize", autocommit=True
        ) as session:
            session.execute(SHOP)
        yield running


@pytest.fixture(scope="session")
def url(server: Running) -> str:
    return f"postgresql://materialize@{server.pg.host}:{server.pg.port}/materialize"


@pytest.fixture(scope="session")
def tool() -> Callable[[str, str], str]:
    """The path of a program; the test fails with what gets it where it is not there."""

    def find(name: str, how: str) -> str:
        found = shutil.which(name)
        if found is None:
            pytest.fail(f"{name} is not installed: {how}", pytrace=False)
        return found

    return find


def ran(*command: str, cwd: Path = HERE, seconds: int = 110, script: str | None = None) -> str:
    """What a program prints; its errors fail the test."""
    done = subprocess.run(command, cwd=cwd, input=script, capture_output=True, text=True, timeout=seconds, check=False)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
    return done.stdout


@pytest.fixture(scope="session")
def jars(tool: Callable[[str, str], str]) -> str:
    """A class path with pgjdbc."""
    tool("java", "apt-get install default-jdk-headless")
    folder = HERE / "java" / "target" / "lib"
    if not folder.exists():
        mvn = tool("mvn", "apt-get install maven")
        ran(mvn, "-q", "-B", "dependency:copy-dependencies", "-DoutputDirectory=target/lib", cwd=HERE / "java")
    return f"{folder}/*"


@pytest.fixture(scope="session")
def modules(tool: Callable[[str, str], str]) -> Path:
    """The folder with node-postgres and postgres.js."""
    tool("node", "apt-get install nodejs npm")
    folder = HERE / "node"
    if not (folder / "node_modules" / "postgres").exists():
        npm = tool("npm", "apt-get install npm")
        ran(npm, "install", "--no-package-lock", "--no-audit", "--no-fund", "--silent", cwd=folder)
    return folder
