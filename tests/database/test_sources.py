"""Sources through SQL: files that are read, tailed and malformed, and generators with all their tables."""

from pathlib import Path

import pytest

from engine.database import Database, Options
from engine.errors import SqlError


def wait_for(db: Database, sql: str, rows: list[tuple]) -> None:
    """Wait, tick by tick, until the query has these rows."""
    with db.subscribe(f"SUBSCRIBE ({sql}) WITH (PROGRESS)") as changes:
        found: list[tuple] = []
        for _ in range(1000):
            found = sorted(db.execute(sql).rows(), key=repr)
            if found == rows:
                return
            assert changes.wait(10), f"still {found}"
            while changes.poll() is not None:
                pass
    raise AssertionError(f"{found} after a thousand ticks")


def sqlstate(db: Database, sql: str) -> str:
    with pytest.raises(SqlError) as failure:
        db.execute(sql)
    return failure.value.sqlstate


def test_json_lines_into_typed_columns_and_a_view(db: Database, tmp_path: Path) -> None:
    path = tmp_path / "orders.ndjson"
    path.write_text("".join(f'{{"id": {i}, "key": "k{i % 3}", "val": {i}}}\n' for i in range(100)))
    db.execute(f"CREATE SOURCE orders (id bigint, key text, val bigint) FROM FILE '{path}' FORMAT JSON")
    db.execute("CREATE MATERIALIZED VIEW s AS SELECT key, count(*), sum(val), max(val) FROM orders GROUP BY key")
    wait_for(db, "SELECT * FROM s", [("k0", 34, 1683, 99), ("k1", 33, 1617, 97), ("k2", 33, 1650, 98)])
    assert db.execute("SELECT count(*) FROM orders").rows() == [(100,)]
    assert db.execute("SELECT * FROM orders_errors").rows() == []
    assert db.execute("SHOW SOURCES").row_count >= 1


def test_a_bad_line_enters_the_error_relation(db: Database, tmp_path: Path) -> None:
    path = tmp_path / "lines.ndjson"
    path.write_bytes(b'{"a": 1}\nnot json\n{"a": "x"}\n{"a": 4}\n')
    db.execute(f"CREATE SOURCE s (a bigint) FROM FILE '{path}' FORMAT JSON")
    wait_for(db, "SELECT count(*) FROM s_errors", [(2,)])
    assert sorted(db.execute("SELECT position, convert_from(data, 'utf8') FROM s_errors").rows()) == [
        (2, "not json"),
        (3, '{"a": "x"}'),
    ]
    assert sorted(db.execute("SELECT a FROM s").rows()) == [(1,), (4,)]


def test_json_without_columns_is_one_document_a_line(db: Database, tmp_path: Path) -> None:
    path = tmp_path / "d.ndjson"
    path.write_text('{"b": 1, "a": [1, 2]}\n"text"\n')
    db.execute(f"CREATE SOURCE s FROM FILE '{path}' FORMAT JSON")
    wait_for(db, "SELECT data FROM s", [('"text"',), ('{"a":[1,2],"b":1}',)])
    assert db.execute("SELECT data->'a'->>1 FROM s WHERE data ? 'b'").rows() == [("2",)]


def test_csv_and_text(db: Database, tmp_path: Path) -> None:
    path = tmp_path / "f.csv"
    path.write_text('id,name\n1,"a, b"\n2,c\n3\n')
    db.execute(f"CREATE SOURCE c FROM FILE '{path}' FORMAT CSV WITH HEADER")
    wait_for(db, "SELECT id, name FROM c", [("1", "a, b"), ("2", "c")])
    wait_for(db, "SELECT position FROM c_errors", [(4,)])
    db.execute(f"CREATE SOURCE t FROM FILE '{path}' FORMAT TEXT")
    wait_for(db, "SELECT count(*) FROM t", [(4,)])


def test_a_tailed_file_is_followed(db: Database, tmp_path: Path) -> None:
    path = tmp_path / "log.txt"
    path.write_text("a\n")
    db.execute(f"CREATE SOURCE s FROM FILE '{path}' WITH (tail = true) FORMAT TEXT")
    db.execute("CREATE MATERIALIZED VIEW n AS SELECT count(*) AS n FROM s")
    wait_for(db, "SELECT n FROM n", [(1,)])
    for i in range(3):
        with path.open("a") as file:
            file.write("more\n")
        wait_for(db, "SELECT n FROM n", [(2 + i,)])
    db.execute("DROP SOURCE s CASCADE")
    assert sqlstate(db, "SELECT * FROM s_errors") == "42P01"


def test_the_auction_generator_has_its_tables(db: Database) -> None:
    db.execute("CREATE SOURCE a FROM LOAD GENERATOR AUCTION (TICK INTERVAL '1ms') FOR ALL TABLES")
    for table in ("organizations", "users", "accounts", "auctions", "bids"):
        db.execute(f"SELECT count(*) FROM {table}")
    db.execute("CREATE MATERIALIZED VIEW top AS SELECT auction_id, max(amount) AS best FROM bids GROUP BY auction_id")
    with db.subscribe("SUBSCRIBE top") as changes:
        seen = 0
        while seen < 20:
            assert changes.wait(30)
            batch = changes.poll()
            seen += 0 if batch is None else batch.row_count
    assert sqlstate(db, "DROP SOURCE a") == "2BP01"
    db.execute("DROP SOURCE a CASCADE")
    assert sqlstate(db, "SELECT * FROM bids") == "42P01"


def test_the_counter_generator_stops_at_its_limit(db: Database) -> None:
    db.execute("CREATE SOURCE c FROM LOAD GENERATOR COUNTER (TICK INTERVAL '1ms', MAX CARDINALITY 5)")
    wait_for(db, "SELECT count(*) FROM c", [(5,)])


def test_errors_of_creation(db: Database, tmp_path: Path) -> None:
    assert sqlstate(db, "CREATE SOURCE s FROM FILE '/nowhere/at/all' FORMAT TEXT") == "58P01"
    (tmp_path / "empty.csv").write_text("")
    assert sqlstate(db, f"CREATE SOURCE s FROM FILE '{tmp_path}/empty.csv' FORMAT CSV WITH HEADER") == "22P04"
    assert sqlstate(db, "SELECT * FROM s") == "42P01"
    (tmp_path / "f.txt").write_text("a\n")
    db.execute(f"CREATE SOURCE s FROM FILE '{tmp_path}/f.txt' FORMAT TEXT")
    assert sqlstate(db, "INSERT INTO s VALUES ('x')") in ("42809", "0A000")
    assert sqlstate(db, f"CREATE SOURCE s FROM FILE '{tmp_path}/f.txt' FORMAT TEXT") == "42P07"


def test_back_pressure_and_budget_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "many.txt"
    path.write_text("".join(f"{i}\n" for i in range(200_000)))
    with Database.in_memory(Options(inbox_rows_max=1000, tick_rows_max=5000)) as db:
        db.execute(f"CREATE SOURCE s FROM FILE '{path}' FORMAT TEXT")
        db.execute("CREATE MATERIALIZED VIEW n AS SELECT count(*) AS n, sum(text::bigint) AS s FROM s")
        wait_for(db, "SELECT n, s FROM n", [(200_000, 199_999 * 100_000)])


def test_the_latest_errors_are_kept(tmp_path: Path) -> None:
    """Of a source over restarts; a smaller bound holds from the next error on. Rows of the source depend on none."""
    path = tmp_path / "lines.json"
    data, sql = tmp_path / "data", "SELECT array_agg(position ORDER BY position) FROM s_errors"
    let_go = "SELECT errors_let_go FROM mz_internal.mz_source_statistics"

    def append(first: int, last: int) -> None:
        with path.open("a") as file:
            file.writelines(f'{{"n": {i}}}\n' if i % 2 else "bad\n" for i in range(first, last + 1))

    append(1, 40)
    with Database.open(data, Options(source_errors_max=5)) as db:
        db.execute(f"CREATE SOURCE s (n bigint) FROM FILE '{path}' WITH (tail = true) FORMAT JSON")
        db.execute("CREATE MATERIALIZED VIEW m AS SELECT count(*) AS n FROM s_errors")
        wait_for(db, sql, [([32, 34, 36, 38, 40],)])
        append(41, 43)
        wait_for(db, sql, [([34, 36, 38, 40, 42],)])
        assert db.execute("SELECT n FROM m").rows() == [(5,)]
        assert db.execute(let_go).rows() == [(16,)]
    with Database.open(data, Options(source_errors_max=3)) as db:
        wait_for(db, sql, [([34, 36, 38, 40, 42],)])
        append(44, 45)
        wait_for(db, sql, [([40, 42, 44],)])
        assert db.execute("SELECT n FROM m").rows() == [(3,)]
        assert db.execute(let_go).rows() == [(19,)]
        wait_for(db, "SELECT count(*), sum(n) FROM s", [(23, 23 * 23)])
