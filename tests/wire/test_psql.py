"""psql, the client that people have, runs the slice."""

import shutil
import subprocess

import pytest

from app.main import Running


@pytest.fixture(scope="module")
def psql(server: Running):
    found = shutil.which("psql")
    assert found, "psql is not installed: apt-get install postgresql-client"

    def run(*arguments: str, script: str | None = None) -> subprocess.CompletedProcess[str]:
        address = ["-h", server.pg.host, "-p", str(server.pg.port), "-U", "materialize", "-X"]
        return subprocess.run([found, *address, *arguments], input=script, capture_output=True, text=True, timeout=60)

    return run


def test_select_one(psql):
    answer = psql("-c", "SELECT 1 AS one, 'x' AS x, NULL AS nothing")
    assert answer.stdout.splitlines()[:3] == [" one | x | nothing ", "-----+---+---------", "   1 | x | "]
    assert answer.returncode == 0


def test_the_slice(psql):
    script = """
CREATE TABLE sales (shop text, amount bigint);
INSERT INTO sales VALUES ('a', 1), ('a', 2), ('b', 10);
CREATE MATERIALIZED VIEW totals AS SELECT shop, sum(amount) AS total FROM sales GROUP BY shop;
SELECT * FROM totals ORDER BY shop;
DELETE FROM sales WHERE shop = 'b';
UPDATE sales SET amount = amount + 1 WHERE amount = 1;
SELECT * FROM totals ORDER BY shop;
"""
    answer = psql("-At", "-v", "ON_ERROR_STOP=1", script=script)
    assert answer.stderr == ""
    assert answer.stdout.split() == [
        *("CREATE", "TABLE", "INSERT", "0", "3", "CREATE", "MATERIALIZED", "VIEW", "a|3", "b|10"),
        *("DELETE", "1", "UPDATE", "1", "a|4"),
    ]


def test_errors_have_their_code_and_a_caret_at_their_position(psql):
    answer = psql("-v", "VERBOSITY=verbose", "-c", "SELECT nope FROM pg_missing")
    assert "42P01" in answer.stderr
    assert "LINE 1: SELECT nope FROM pg_missing" in answer.stderr
    caret = next(line for line in answer.stderr.splitlines() if line.strip() == "^")
    assert caret.index("^") == len("LINE 1: SELECT nope FROM ")


def test_several_statements_stop_at_the_first_error(psql):
    answer = psql("-At", "-c", "SELECT 1; SELECT 1/0; SELECT 2")
    assert answer.stdout.split() == ["1"]
    assert "division by zero" in answer.stderr


def test_an_empty_query_is_answered(psql):
    assert psql("-c", ";").returncode == 0


def test_copy_of_a_select(psql):
    answer = psql("-c", r"COPY (SELECT 1, NULL, E'a\tb') TO STDOUT")
    assert answer.stdout == "1\t\\N\ta\\tb\n"
