"""Object stores: the same formats, patterns and promises as files of the host."""

import gzip
import io
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from engine.database import Database
from engine.errors import SqlError
from tests.connectors.test_many_files import ocf
from tests.database.test_sources import wait_for
from tests.stores.conftest import Bucket


@pytest.fixture
def db(bucket: Bucket):
    with Database.in_memory() as database:
        database.execute(bucket.connection)
        yield database


def parquet(rows: int) -> bytes:
    out = io.BytesIO()
    pq.write_table(pa.table({"id": range(rows), "key": [f"k{i % 3}" for i in range(rows)]}), out, row_group_size=1000)
    return out.getvalue()


WITH = "WITH (AWS CONNECTION = store)"


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        ("/a1", "a1"),
        ("", "a1 a2 b1"),
        ("/", "a1 a2 b1"),
        ("/d", "a3"),
        ("/a?", "a1 a2"),
        ("/[!a]1", "b1"),
        ("/{a,b}1", "a1 b1"),
        ("/**/a*", "a1 a2 a3 a4"),
        ("/d/*/*", "a4"),
        ("/**", "a1 a2 a3 a4 b1"),
    ],
)
def test_patterns_mean_what_they_do_on_the_host(endpoint: str, path: str, wanted: str) -> None:
    bucket = Bucket(endpoint, "patterns")
    for name in ("a1", "a2", "b1", "d/a3", "d/e/a4", ".h", "d/.i"):
        bucket.put(name, name.rpartition("/")[2].encode())
    with Database.in_memory() as db:
        db.execute(bucket.connection)
        db.execute(f"CREATE SOURCE s FROM FILE '{bucket.url}{path}' {WITH} FORMAT TEXT")
        wait_for(db, "SELECT text FROM s", [(name,) for name in wanted.split()])


def test_formats_and_compressions(db: Database, bucket: Bucket) -> None:
    bucket.put("a.csv.gz", gzip.compress(b"id,key\n1,a\n2\n"))
    bucket.put("a.ndjson.zst", pa.compress(b'{"id": 1, "key": "a"}\n', "zstd", asbytes=True))
    bucket.put("a.avro", ocf([{"id": 1, "key": "a"}], codec="deflate"))
    bucket.put("a.parquet", parquet(2500))
    db.execute(f"CREATE SOURCE c FROM FILE '{bucket.url}/*.csv.gz' {WITH} FORMAT CSV WITH HEADER INCLUDE FILE")
    db.execute(f"CREATE SOURCE j (id int, key text) FROM FILE '{bucket.url}/a.ndjson.zst' {WITH} FORMAT JSON")
    db.execute(f"CREATE SOURCE o FROM FILE '{bucket.url}/a.avro' {WITH} FORMAT AVRO OCF")
    db.execute(f"CREATE SOURCE p FROM FILE '{bucket.url}/a.parquet' {WITH} FORMAT PARQUET")
    wait_for(db, "SELECT * FROM c", [("1", "a", f"{bucket.url}/a.csv.gz")])
    wait_for(db, "SELECT file, position, data FROM c_errors", [(f"{bucket.url}/a.csv.gz", 3, b"2")])
    for name in "jo":
        wait_for(db, f"SELECT * FROM {name}", [(1, "a")])
    wait_for(db, "SELECT count(*), sum(id) FROM p", [(2500, 2500 * 2499 // 2)])
    statuses = "SELECT DISTINCT status FROM mz_internal.mz_source_statuses WHERE type = 'file'"
    wait_for(db, statuses, [("finished",)])


def test_objects_that_come_are_read_once_over_restarts(bucket: Bucket, tmp_path: Path) -> None:
    bucket.put("in/a", b"1\n2")
    with Database.open(tmp_path) as db:
        db.execute(bucket.connection)
        db.execute(
            f"CREATE SOURCE s FROM FILE '{bucket.url}/in/*' WITH (AWS CONNECTION = store, tail = true, "
            "DISCOVER INTERVAL = '10 ms') FORMAT TEXT"
        )
        wait_for(db, "SELECT text FROM s", [("1",), ("2",)])
        bucket.put("in/b", b"3\n")
        wait_for(db, "SELECT text FROM s", [("1",), ("2",), ("3",)])
    bucket.put("in/c", b"4")
    bucket.client.delete_object(Bucket=bucket.name, Key="in/a")
    with Database.open(tmp_path) as db:
        wait_for(db, "SELECT text FROM s", [("1",), ("2",), ("3",), ("4",)])
        bucket.put("in/a", b"5, for it is another object now")
        wait_for(db, "SELECT count(*) FROM s", [(5,)])


def test_s3_as_materialize_writes_it(db: Database, bucket: Bucket) -> None:
    bucket.put("x/a.txt.gz", gzip.compress(b"1\n"))
    bucket.put("x/y/b.txt.gz", gzip.compress(b"2\n"))
    bucket.put("x/c.log", b"3\n")
    keys = (
        f"access_key_id = 'who', secret_access_key = SECRET key, region = 'us-east-1', endpoint = '{bucket.endpoint}'"
    )
    db.execute(
        f"CREATE SOURCE s FROM S3 DISCOVER OBJECTS MATCHING 'x/**/*.gz' USING BUCKET SCAN '{bucket.name}' "
        f"COMPRESSION GZIP WITH ({keys}) FORMAT TEXT"
    )
    wait_for(db, "SELECT text FROM s", [("1",), ("2",)])


def test_what_is_wrong_is_told(db: Database, bucket: Bucket) -> None:
    db.execute("VALIDATE CONNECTION store")
    db.execute("CREATE CONNECTION away TO AWS (REGION 'us-east-1', ENDPOINT 'http://127.0.0.1:1')")
    for sql, state, words in (
        ("VALIDATE CONNECTION away", "58030", "asked"),
        (f"CREATE SOURCE s FROM FILE '{bucket.url}/no' {WITH} FORMAT TEXT", "58P01", "no object"),
        (f"CREATE SOURCE s FROM FILE 's3://no-such-bucket/no' {WITH} FORMAT TEXT", "58P01", "no object"),
        (f"CREATE SOURCE s FROM FILE 'gs://b/no' {WITH} FORMAT TEXT", "42809", "does not lead"),
        ("CREATE CONNECTION b TO AWS (ACCESS KEY ID = 'x')", "22023", "go together"),
        ("CREATE CONNECTION b TO AWS (ENDPOINT = 'x')", "22023", "no URL"),
        ("CREATE CONNECTION b TO AWS (REGON = 'x')", "22023", "regon"),
    ):
        with pytest.raises(SqlError) as failure:
            db.execute(sql)
        assert (failure.value.sqlstate, words in failure.value.message) == (state, True), failure.value.message
    assert "secret'" not in db.execute("SHOW CREATE CONNECTION store").rows()[0][1]


def test_copy_to_and_from_objects(db: Database, bucket: Bucket) -> None:
    db.execute("CREATE TABLE t (a bigint, b text); INSERT INTO t SELECT i, 'k' || i FROM generate_series(1, 1000) AS i")
    db.execute("CREATE TABLE back (a bigint, b text)")
    db.execute(f"COPY INTO t TO '{bucket.url}/out/' WITH (AWS CONNECTION = store, FORMAT = 'parquet')")
    db.execute(f"COPY (SELECT * FROM t) TO '{bucket.url}/t.csv.gz' WITH (AWS CONNECTION = store, FORMAT = 'csv')")
    (key,) = [key for key in bucket.listed() if key.startswith("out/")]
    assert pq.read_table(io.BytesIO(bucket.get(key))).num_rows == 1000
    assert gzip.decompress(bucket.get("t.csv.gz")).startswith(b"1,k1\n")
    for path, form in (("out/*", "parquet"), ("t.csv.gz", "csv")):
        db.execute(f"COPY INTO back FROM '{bucket.url}/{path}' WITH (AWS CONNECTION = store, FORMAT = '{form}')")
        rows = "SELECT count(*), sum(a), min(b), max(b) FROM "
        assert db.execute(rows + "back").rows() == db.execute(rows + "t").rows()
        db.execute("DELETE FROM back")
    with pytest.raises(SqlError, match="cannot be written"):
        db.execute("COPY t TO 's3://no-such-bucket/x' WITH (AWS CONNECTION = store, FORMAT = 'csv')")
