"""Nested values through the whole engine: maintained, failing and healing, written in bulk, kept over a restart."""

import random
from collections import defaultdict
from pathlib import Path

import pytest

from engine.database import Database
from engine.errors import DataError


def test_collected_groups_follow_their_rows(db: Database):
    db.execute("CREATE TABLE t (k int, v int)")
    db.execute(
        "CREATE MATERIALIZED VIEW w AS SELECT k, array_agg(v ORDER BY v DESC) AS a, list_agg(v ORDER BY v) AS l "
        "FROM t GROUP BY k"
    )
    rng = random.Random(3)
    alive: list[tuple[int, int | None]] = []
    for _ in range(12):
        added = [(rng.randrange(4), rng.choice([None, *range(5)])) for _ in range(6)]
        gone = [alive.pop(rng.randrange(len(alive))) for _ in range(min(len(alive), 4))]
        db.write("t", added + gone, [1] * len(added) + [-1] * len(gone))
        alive += added
        groups: dict[int, list[int | None]] = defaultdict(list)
        for k, v in alive:
            groups[k].append(v)
        expected = []
        for k, values in sorted(groups.items()):
            numbers, nulls = sorted(v for v in values if v is not None), [None] * values.count(None)
            expected.append((k, nulls + numbers[::-1], numbers + nulls))
        assert db.execute("SELECT * FROM w ORDER BY k").rows() == expected


def test_arrays_that_do_not_stack_fail_the_view_until_they_go(db: Database):
    db.execute("CREATE TABLE t (v int[])")
    db.execute("CREATE MATERIALIZED VIEW w AS SELECT array_agg(v) AS a FROM t")
    db.write("t", [([1, 2],), ([3, 4],)])
    assert db.execute("SELECT * FROM w").rows() == [([[1, 2], [3, 4]],)]
    db.write("t", [([5],)])
    with pytest.raises(DataError, match="different dimensionality"):
        db.execute("SELECT * FROM w")
    db.execute("DELETE FROM t WHERE v = '{5}'")
    assert db.execute("SELECT * FROM w").rows() == [([[1, 2], [3, 4]],)]


def test_nested_values_outlive_a_restart(tmp_path: Path):
    db = Database.open(tmp_path)
    db.execute("CREATE TABLE t (a numeric(5, 2)[], l int list list, m map[text=>timestamp])")
    db.execute("INSERT INTO t VALUES ('{{1.005,2}}', '{{1},{}}', '{x=>2026-01-01}'), (NULL, NULL, NULL)")
    before = db.execute("SELECT * FROM t")
    rows, text = before.rows(), [column.to_pylist() for column in before.text()]
    assert text == [["{{1.01,2}}", None], ["{{1},{}}", None], ['{x=>"2026-01-01 00:00:00"}', None]]
    db.close()
    again = Database.open(tmp_path)
    assert again.execute("SELECT * FROM t").rows() == rows
    again.close()


def test_arrow_has_lists_maps_and_structs(db: Database):
    table = db.execute(
        "SELECT ARRAY[1, NULL] AS a, LIST[LIST['x']] AS l, MAP['k' => 1.5] AS m, ROW(1, 'y') AS r"
    ).arrow()
    assert [str(kind).split("<")[0] for kind in table.schema.types] == ["list", "list", "map", "struct"]
    assert table.column("a").to_pylist() == [[1, None]]
    assert table.column("r").to_pylist() == [{"f1": 1, "f2": "y"}]
    db.execute("CREATE TABLE t (a int[], l text list list)")
    db.write("t", table.select(["a", "l"]))
    assert db.execute("SELECT * FROM t").rows() == [([1, None], [["x"]])]
