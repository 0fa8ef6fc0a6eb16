"""Rows as JSON, CSV and Arrow: what INSERT of them would make, all or nothing, in one tick."""

import io

import pyarrow as pa
import pytest

from engine.database import Database, Form
from engine.errors import SqlError

TABLE = "CREATE TABLE t (k bigint NOT NULL, v text, n numeric, j jsonb, d int DEFAULT 7)"


@pytest.fixture
def filled(db: Database) -> Database:
    db.execute(TABLE)
    return db


def rows(db: Database) -> list[tuple]:
    return sorted(db.execute("SELECT k, v, n::text, j::text, d FROM t").rows())


def arrow(**columns: list) -> bytes:
    table = pa.table(columns)
    out = io.BytesIO()
    with pa.ipc.new_stream(out, table.schema) as stream:
        stream.write_table(table)
    return out.getvalue()


@pytest.mark.parametrize(
    ("form", "data"),
    [
        (Form.JSON, b' [ {"k": 1, "v": "a,\\n", "n": 1.10, "j": {"x": [1, 2]}} ,\n{"n": null, "k": 2, "d": null}] '),
        (Form.NDJSON, b'{"k": 1, "v": "a,\\n", "n": 1.10, "j": {"x": [1, 2]}}\n\n{"n": null, "k": 2, "d": null}'),
    ],
)
def test_json(filled: Database, form: Form, data: bytes) -> None:
    count, at = filled.load(["t"], data, form)
    assert count == 2
    assert at == filled.execute("SELECT * FROM t").timestamp
    assert rows(filled) == [(1, "a,\n", "1.1", '{"x":[1,2]}', 7), (2, None, None, None, None)]


def test_csv(filled: Database) -> None:
    assert filled.load(["public", "t"], b'v,k\r\n"a,""b",1\r\n,2\r\n', Form.CSV)[0] == 2
    assert rows(filled) == [(1, 'a,"b', None, None, 7), (2, "", None, None, 7)]


def test_arrow(filled: Database) -> None:
    data = arrow(n=[1, 2], k=pa.array([5, 6], pa.int32()), d=pa.array([None, 1], pa.int64()))
    assert filled.load(["materialize", "public", "t"], data, Form.ARROW)[0] == 2
    assert rows(filled) == [(5, None, "1", None, None), (6, None, "2", None, 1)]


def test_a_default_is_of_the_moment(db: Database) -> None:
    db.execute("CREATE TABLE t (k bigint, at timestamptz DEFAULT now())")
    db.load(["t"], b'[{"k": 1}, {}]', Form.JSON)
    (found,) = db.execute("SELECT count(*) FROM t WHERE at BETWEEN now() - '1h'::interval AND now()").rows()
    assert found == (2,)


@pytest.mark.parametrize(
    ("form", "data", "said"),
    [
        (Form.JSON, b"", "no JSON array"),
        (Form.JSON, b"{}", "no JSON array"),
        (Form.JSON, b"[", "element 1 is malformed"),
        (Form.JSON, b"[1]", "element 1 is no JSON object"),
        (Form.JSON, b'[{"k": 1}', "neither a comma"),
        (Form.JSON, b'[{"k": 1},]', "element 2 is malformed"),
        (Form.JSON, b'[{"k": 1}] 2', "follows"),
        (Form.JSON, b'[{"k": 1}, {"kk": 2}]', "kk"),
        (Form.JSON, b'[{"k": 1}, {"v": "x", "k": 1.5}, {"k": "x"}]', "element 2: column .k."),
        (Form.JSON, b'[{"v": "x"}]', "null value in column .k."),
        (Form.JSON, b"\xff", "UTF-8"),
        (Form.JSON, b"[" * 100_000, "malformed"),
        (Form.NDJSON, b'{"k": 1}\n{"k": 1', "line 2 is malformed"),
        (Form.NDJSON, b"\x00\x01", "line 1 is malformed"),
        (Form.CSV, b"", "header"),
        (Form.CSV, b"k,k\n1,2\n", "twice"),
        (Form.CSV, b"k,z\n1,2\n", ".z."),
        (Form.CSV, b"k,v\n1,2\n3\n", "line 3"),
        (Form.CSV, b"k\n1\nx\n", "line 3: column .k."),
        (Form.CSV, b"\xff\n", "UTF-8"),
        (Form.ARROW, b"rubbish", "Arrow"),
        (Form.ARROW, b"", "Arrow"),
        (Form.ARROW, arrow(z=[1]), ".z."),
        (Form.ARROW, arrow(k=["x"]), "bigint"),
    ],
)
def test_what_does_not_fit_inserts_nothing(filled: Database, form: Form, data: bytes, said: str) -> None:
    with pytest.raises(SqlError, match=said):
        filled.load(["t"], data, form)
    assert rows(filled) == []


def test_only_tables(db: Database) -> None:
    db.execute("CREATE VIEW v AS SELECT 1 AS x")
    with pytest.raises(SqlError, match="not a table"):
        db.load(["v"], b"[]", Form.JSON)
    with pytest.raises(SqlError, match="does not exist"):
        db.load(["nowhere"], b"[]", Form.JSON)
