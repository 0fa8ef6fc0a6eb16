"""Indexes by expressions: a look-up by one answers what the scan would, over all changes, and shows as one."""

import pytest

from engine.database import Database
from engine.errors import SqlError, UndefinedColumn, UndefinedTable, Unsupported

MADE = """
    CREATE TABLE t (id int, name text, a int, b int);
    INSERT INTO t SELECT g, chr(65 + g % 26) || g, g % 7, g % 5 FROM generate_series(1, 500) AS g;
    CREATE INDEX by_name ON t (lower(name)); CREATE INDEX ON t (a + b, id);
    CREATE MATERIALIZED VIEW m AS SELECT name, count(*) AS n FROM t GROUP BY name;
    CREATE INDEX by_length ON m (length(name))
"""

QUERIES = [
    "SELECT id FROM t WHERE lower(name) = 'b27'",
    "SELECT id, upper(name) AS u, a * 2 FROM t WHERE lower(name) IN ('b1', 'c2', 'nope') AND id > 1",
    "SELECT * FROM t WHERE a + b = 4 AND id = 2",
    "SELECT name FROM m WHERE length(name) = 2 AND n > 0",
    "SELECT count(*) FROM t WHERE lower(name) = lower('B27')",
]


def answers(db):
    return [sorted(map(str, db.execute(query).rows())) for query in QUERIES]


def plan(db, query):
    return db.execute(f"EXPLAIN PHYSICAL PLAN FOR {query}").rows()[0][0]


def test_look_ups_answer_what_scans_do(tmp_path):
    with Database.open(tmp_path) as db:
        db.execute(MADE.split("CREATE INDEX")[0])
        db.execute("CREATE MATERIALIZED VIEW m AS SELECT name, count(*) AS n FROM t GROUP BY name")
        changes = ["INSERT INTO t VALUES (9, 'B27', 4, 0), (8, NULL, NULL, 1)", "DELETE FROM t WHERE id = 27",
                   "UPDATE t SET name = 'zZ', a = 4, b = 0 WHERE id = 2"]  # fmt: skip
        without = [answers(db)]
        for change in changes:
            db.execute(change)
            without.append(answers(db))
    with Database.in_memory() as db:
        db.execute(MADE)
        found = [answers(db)]
        for change in changes:
            db.execute(change)
            found.append(answers(db))
        assert found == without
        assert all("Lookup" in plan(db, query) for query in QUERIES[:4])
        with db.session() as session:
            prepared = session.prepare("p", "SELECT id FROM t WHERE lower(name) = $1")
            for name, ids in (("b27", [9]), ("nope", []), ("c54", [54])):
                portal = session.bind("", prepared, [name])
                assert [row[0] for row in session.run_portal(portal, True).rows()] == ids
            assert prepared.keyed is not None


def test_what_it_is_survives_and_shows(tmp_path):
    with Database.open(tmp_path) as db:
        db.execute(MADE)
        expected = answers(db)
    with Database.open(tmp_path) as db:
        assert answers(db) == expected
        assert "Lookup by_name" in plan(db, QUERIES[0])
        shown = db.execute("SHOW CREATE INDEX by_name").rows()[0][1]
        assert shown == "CREATE INDEX by_name ON materialize.public.t (lower(name))"
        keys = db.execute("SELECT name, key FROM (SHOW INDEXES ON t) AS x ORDER BY name").rows()
        assert keys == [("by_name", "lower(name)"), ("t_expr_id_idx", "(a + b), id")]
        columns = "SELECT on_position, on_expression FROM mz_index_columns WHERE index_id = (SELECT id FROM mz_indexes"
        found = db.execute(f"{columns} WHERE name = 't_expr_id_idx') ORDER BY index_position").rows()
        assert found == [(None, "(a + b)"), (1, None)]
        definition = db.execute("SELECT pg_get_indexdef(oid) FROM mz_indexes WHERE name = 't_expr_id_idx'").rows()
        assert definition == [("CREATE INDEX t_expr_id_idx ON public.t USING arrangement ((a + b), id)",)]
        db.execute("DROP INDEX by_name")
        assert answers(db) == expected


def test_an_expression_that_fails_leaves_the_relation_readable(db):
    db.execute("CREATE TABLE t (a int, b int); INSERT INTO t VALUES (4, 2), (6, 3); CREATE INDEX i ON t (a / b)")
    query = "SELECT a FROM t WHERE b <> 0 AND a / b = 2 ORDER BY a"
    assert db.execute(query).rows() == [(4,), (6,)]
    db.execute("INSERT INTO t VALUES (1, 0)")
    assert db.execute(query).rows() == [(4,), (6,)]
    with pytest.raises(SqlError, match="division by zero"):
        db.execute("SELECT a FROM t WHERE a / b = 2")
    db.execute("DELETE FROM t WHERE b = 0")
    assert db.execute("SELECT count(*) FROM t WHERE a / b = 2").rows() == [(2,)]


@pytest.mark.parametrize(
    ("keys", "error"),
    [
        ("lower(nope)", UndefinedColumn),
        ("(SELECT 1)", Unsupported),
        ("a + (SELECT max(a) FROM t)", Unsupported),
        ("now()", Unsupported),
        ("random()", Unsupported),
        ("count(a)", SqlError),
    ],
)
def test_what_cannot_be_kept_is_refused(db, keys, error):
    db.execute("CREATE TABLE t (a int, name text)")
    with pytest.raises(error):
        db.execute(f"CREATE INDEX i ON t ({keys})")
    with pytest.raises(UndefinedTable):
        db.execute("DROP INDEX i")


def test_it_follows_its_table(db):
    db.execute(MADE)
    expected = answers(db)
    db.execute("ALTER TABLE t ADD COLUMN c int DEFAULT 1; ALTER TABLE t DROP COLUMN c; ALTER TABLE t RENAME TO u")
    db.execute("ALTER TABLE u RENAME TO t")
    assert answers(db) == expected
    assert "Lookup by_name" in plan(db, QUERIES[0])
    db.execute('ALTER TABLE t RENAME name TO "the title"')
    renamed = QUERIES[0].replace("name", '"the title"')
    assert sorted(map(str, db.execute(renamed).rows())) == expected[0]
    assert "Lookup by_name" in plan(db, renamed)
    assert '(lower("the title"))' in db.execute("SHOW CREATE INDEX by_name").rows()[0][1]
    db.execute("ALTER TABLE t DROP COLUMN b")  # and the index by a + b with it, as in PostgreSQL
    assert [name for name, *_ in db.execute("SHOW INDEXES ON t").rows()] == ["by_name"]


def test_explain_in_a_block_names_what_the_block_made(db):
    with db.session() as session:
        session.execute("BEGIN; CREATE TABLE made (a int); INSERT INTO made VALUES (1)")
        text = session.execute("EXPLAIN PHYSICAL PLAN FOR SELECT a FROM made").rows()[0][0]
        assert "Source made" in text
        text = session.execute("EXPLAIN TIMESTAMP FOR SELECT a FROM made").rows()[0][0]
        assert "materialize.public.made" in text
        session.execute("ROLLBACK")
