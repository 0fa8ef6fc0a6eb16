"""Reads: look-ups and scans agree, no more is read than is asked for, and every stage can be explained."""

from collections.abc import Callable

import pytest

from engine.collection.arrangement import Arrangement
from engine.collection.batch import Batch
from engine.database import Database, Options
from engine.errors import SqlError

LIST = ", ".join(f"('n{i % 10}', {i})" for i in range(80))
"""Rows of constants: so many are joined with."""


@pytest.fixture
def indexed(db: Database) -> Database:
    db.execute("CREATE TABLE t (k int, name text, v bigint)")
    db.execute("INSERT INTO t SELECT g % 100, 'n' || (g % 10)::text, g FROM generate_series(1, 1000) g")
    db.execute("INSERT INTO t VALUES (NULL, NULL, NULL), (5, NULL, 5)")
    db.execute("CREATE INDEX by_k ON t (k); CREATE INDEX by_both ON t (name, k)")
    return db


@pytest.mark.parametrize(
    "where",
    [
        "k = 5", "k = 5 AND v > 500", "k IN (5, 6, 5)", "k = 5 OR k = 7", "k = NULL", "k IS NULL",
        "name = 'n5' AND k = 5", "k = 5 AND k = 6", "k = 1000", "5 = k", "k = 5.0", "name = 'n5'", "k BETWEEN 5 AND 6",
        "k = ANY ('{5,6,NULL}')", "k = ANY (string_to_array('5,6', ',')::int[])", "k = ANY (NULL::int[])", "k = 5.5",
        "k IS NOT DISTINCT FROM 5", "k = 5::double precision", "k IN (1, 2, 3, 4, 5, 6, 7, 8, NULL)", "k = ANY ('{}')",
        "k NOT IN (1, 2, 3, 4, 5, 6, 7, 8, NULL)", "k NOT IN (1, 2, 3, 4, 5, 6, 7, 8)", "k <> ALL ('{5,6}')",
        f"(name, k) IN ({LIST}, ('n1', NULL))",
        f"(name, k) NOT IN ({LIST})",
        f"((name, k) IN ({LIST})) IS NULL",
    ],
)  # fmt: skip
def test_lookups_equal_scans(indexed: Database, where: str) -> None:
    with_index = indexed.execute(f"SELECT name, v + 1 FROM t WHERE {where}").rows()
    indexed.execute("DROP INDEX by_k; DROP INDEX by_both")
    assert sorted(with_index, key=repr) == sorted(
        indexed.execute(f"SELECT name, v + 1 FROM t WHERE {where}").rows(), key=repr
    )


@pytest.mark.parametrize(
    ("where", "given"),
    [
        ("k = $1", ["5"]), ("k = $1 + 1", ["4"]), ("k = $1 + 1", [None]), ("name = 'n' || $1", ["5"]),
        ("name = lower($1)", ["N5"]), ("k = ANY ($1)", ["{5,6,NULL,5}"]), ("k = ANY ($1)", [None]),
        ("k = ANY ($1)", ["{}"]), ("k IN ($1, $2 + 1)", ["5", "5"]), ("k = coalesce($1, 5)", [None]),
        ("(name, k) IN (($1, $2), ('n6', 6))", ["n5", "5"]), ("k = ANY ($1) AND name = ANY ($2)", ["{5,6}", "{n5,n6}"]),
        ("k = CASE WHEN $1 = 1 THEN 5 ELSE 6 END", ["1"]), ("k = length($1)", ["12345"]), ("k = $1 / 0", ["1"]),
    ],
)  # fmt: skip
def test_prepared_lookups_equal_scans(db: Database, where: str, given: list[str | None]) -> None:
    """What is computed of parameters is there before a row is looked for, or fails as it would for each row."""
    db.execute("CREATE TABLE t (k int, name varchar(9), v bigint)")
    db.execute("INSERT INTO t SELECT g % 100, 'n' || (g % 10)::text, g FROM generate_series(1, 1000) g")
    db.execute("INSERT INTO t VALUES (NULL, NULL, NULL), (5, NULL, 5)")

    def answer() -> tuple[bool, list[tuple[object, ...]] | str]:
        with db.session() as session:
            prepared = session.prepare("", f"SELECT v FROM t WHERE {where}")
            portal = session.bind("", prepared, given)
            try:
                found = session.look_up(portal, lambda result: sorted(result.rows(), key=repr))
                if found is not None:
                    return True, found
                answered = session.run_portal(portal, True)
                assert answered is not None
                return False, sorted(answered.rows(), key=repr)
            except SqlError as error:
                return False, error.sqlstate

    _, scanned = answer()
    db.execute("CREATE INDEX by_k ON t (k); CREATE INDEX by_name ON t (name); CREATE INDEX by_both ON t (name, k)")
    looked_up, found = answer()
    assert found == scanned
    assert looked_up or found == "22012"


@pytest.mark.parametrize(
    "query",
    [
        "SELECT v FROM t WHERE k = 7",
        "SELECT count(*) FROM t WHERE k IN (7, 8) GROUP BY name",
        "SELECT t.v FROM t JOIN u ON t.k = u.k",
        "SELECT t.v FROM u LEFT JOIN t ON t.k = u.k AND t.v > 500",
        "SELECT * FROM u WHERE EXISTS (SELECT 1 FROM t WHERE t.k = u.k AND v > 500)",
        "SELECT *, (SELECT max(v) FROM t WHERE t.k = u.k) FROM u",
        "SELECT * FROM u, LATERAL (SELECT v FROM t WHERE t.k = u.k ORDER BY v DESC LIMIT 2) AS x",
        "SELECT a.v FROM t a JOIN t b ON b.k = a.v WHERE a.name = 'n5' AND a.k = 15",
        "SELECT v FROM t WHERE k = 7 UNION ALL SELECT v FROM t WHERE k IN (SELECT max(k) FROM u)",
        "SELECT sum(v) FROM t WHERE k = ANY (ARRAY[1, 2, 3])",
        "SELECT sum(v) FROM t WHERE k = ANY ('{1,2,3}')",
        "SELECT sum(v) FROM t WHERE k = 7.0",
        "SELECT sum(v) FROM t WHERE (name, k) IN (VALUES ('n1', 1), ('n2', 2))",
    ],
)
def test_few_rows_are_looked_up(indexed: Database, monkeypatch: pytest.MonkeyPatch, query: str) -> None:
    """By literals, or by what a join has so far: no more is read of a large collection, and the answer is the same."""
    indexed.execute("CREATE TABLE u (k int); INSERT INTO u VALUES (7), (9), (9), (NULL)")
    copied = counting(monkeypatch)
    found = indexed.execute(query).rows()
    assert copied() < 100
    indexed.execute("DROP INDEX by_k; DROP INDEX by_both")
    assert sorted(found, key=repr) == sorted(indexed.execute(query).rows(), key=repr)
    assert copied() > 1000


def counting(monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """How many rows were read of whole arrangements since."""
    count = 0
    rows = Arrangement.rows

    def counted(self: Arrangement) -> Batch:
        nonlocal count
        count += len(self)
        return rows(self)

    monkeypatch.setattr(Arrangement, "rows", counted)
    return lambda: count


def test_updates_and_deletes_use_indexes(indexed: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    copied = counting(monkeypatch)
    assert indexed.execute("UPDATE t SET v = 0 WHERE k = 7").row_count == 10
    assert indexed.execute("DELETE FROM t WHERE k = 7").row_count == 10
    assert copied() == 0
    assert indexed.execute("SELECT count(*) FROM t").rows() == [(992,)]


def test_order_of_every_kind_of_value(db: Database) -> None:
    db.execute("CREATE TABLE t (n numeric, d double precision, t text, i interval, b boolean)")
    db.execute(
        "INSERT INTO t VALUES (1.10, 'NaN', 'b', '1 month', true), (-3, '-Infinity', 'B', '29 days', false),"
        " (99999999999999999999999999999999.5, 0, '', '31 days', NULL), ('NaN', '1e300', 'ba', '-1 day', true),"
        " (99999999999999999999999999999999.25, -1, 'é', '1 hour', false), (NULL, NULL, NULL, NULL, NULL)"
    )

    def column(name: str, order: str = "") -> list[str | None]:
        (texts,) = db.execute(f"SELECT {name} FROM t ORDER BY {name} {order}").text()
        return texts.to_pylist()

    big = "99999999999999999999999999999999"
    assert column("n") == ["-3", "1.1", f"{big}.25", f"{big}.5", "NaN", None]
    assert column("n", "DESC") == [None, "NaN", f"{big}.5", f"{big}.25", "1.1", "-3"]
    assert column("d", "NULLS FIRST") == [None, "-Infinity", "-1", "0", "1e+300", "NaN"]
    assert column("t") == ["", "B", "b", "ba", "é", None]
    assert column("i") == ["-1 days", "01:00:00", "29 days", "1 mon", "31 days", None]
    assert column("b", "DESC NULLS LAST") == ["t", "t", "f", "f", None, None]


def test_every_stage_is_explained(indexed: Database) -> None:
    query = "SELECT name, count(*) FROM t WHERE v > (SELECT avg(v) FROM t) GROUP BY name ORDER BY 2 LIMIT 3"
    texts = [
        indexed.execute(f"EXPLAIN {stage} PLAN FOR {query}").rows()[0][0]
        for stage in ("RAW", "DECORRELATED", "OPTIMIZED", "PHYSICAL")
    ]
    assert all(isinstance(text, str) and text for text in texts)
    assert len(set(texts)) == 4


def test_answers_do_not_depend_on_the_optimiser() -> None:
    query = (
        "SELECT a.k, count(*), max(b.v) FROM t a LEFT JOIN t b ON a.k = b.v AND b.v > 2 WHERE a.v < 9 OR EXISTS"
        " (SELECT 1 FROM t c WHERE c.k = a.k + 1) GROUP BY a.k HAVING count(*) > 0"
    )
    answers = []
    for optimize in (True, False):
        with Database.in_memory(Options(optimize=optimize)) as db:
            db.execute("CREATE TABLE t (k int, v int)")
            db.execute("INSERT INTO t SELECT g % 7, g FROM generate_series(1, 20) g; INSERT INTO t VALUES (NULL, 3)")
            db.execute(f"CREATE MATERIALIZED VIEW m AS {query}")
            answers.append(sorted(db.execute("SELECT * FROM m").rows(), key=repr))
            assert answers[-1] == sorted(db.execute(query).rows(), key=repr)
    assert answers[0] == answers[1]
