"""Object stores: the same formats, patterns and promises as files of the host."""

import gzip
import io
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

import botocore.auth
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from engine.catalog.connections import AwsConnection, GcsConnection, StoreConnection
from engine.catalog.sources import Compression
from engine.connectors.files.buckets import Object, S3Keys, signed
from engine.connectors.files.host import Host
from engine.connectors.files.objects import Objects, buckets_of
from engine.connectors.files.roots import ANYWHERE
from engine.connectors.files.stores import Store
from engine.database import Database
from engine.errors import MissingFile, SqlError
from tests.connectors.following import ocf
from tests.database.test_sources import wait_for
from tests.stores.conftest import Bucket, S3Bucket


@pytest.fixture
def db_alone() -> Iterator[Database]:
    with Database.in_memory() as database:
        yield database


@pytest.fixture
def db(bucket: Bucket, db_alone: Database) -> Database:
    db_alone.execute(bucket.connection)
    return db_alone


def parquet(table: pa.Table, row_group_size: int | None = None) -> bytes:
    out = io.BytesIO()
    pq.write_table(table, out, row_group_size=row_group_size)
    return out.getvalue()


NAMES = ("a1", "a2", "b1", "[x]", "a b+c%&=", "d/a3", "d/e/a4", "dd/a5", ".h", "d/.i", "d/.j/a6")
PATTERNS = {
    "/a1": "a1",
    "": "a1,a2,b1,[x],a b+c%&=",
    "/": "a1,a2,b1,[x],a b+c%&=",
    "/d": "d/a3",
    "/d/": "d/a3",
    "/*": "a1,a2,b1,[x],a b+c%&=",
    "/a?": "a1,a2",
    "/[!a]1": "b1",
    "/[ab]1": "a1,b1",
    "/[[]x]": "[x]",
    "/{a,b}1": "a1,b1",
    "/{a1,d/{a3,e/a4}}": "a1,d/a3,d/e/a4",
    "/a*": "a1,a2,a b+c%&=",
    "/d*/a?": "d/a3,dd/a5",
    "/.*": ".h",
    "/d/.*/*": "d/.j/a6",
    "/d/*/*": "d/e/a4",
    "/**": "a1,a2,b1,[x],a b+c%&=,d/a3,d/e/a4,dd/a5",
    "/**/a*": "a1,a2,a b+c%&=,d/a3,d/e/a4,dd/a5",
    "/d/**": "d/a3,d/e/a4",
    "/d*/**/a[3-5]": "d/a3,d/e/a4,dd/a5",
    "/**/e/**": "d/e/a4",
    "/no*": "",
    "/d/e/a4/": "",
}


def test_patterns_mean_what_they_do_on_the_host(store: Callable[[str], Bucket], tmp_path: Path) -> None:
    bucket = store("patterns")
    for name in NAMES:
        bucket.put(name, b"")
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    for pattern, wanted in PATTERNS.items():
        names = sorted(wanted.split(",")) if wanted else []
        objects = Objects(f"{bucket.url}{pattern}", Compression.NONE, described(bucket), str)
        assert listed(objects, f"{bucket.url}/") == names, pattern
        if pattern != "/d/e/a4/":  # of the host a slash behind a file means nothing
            assert listed(Host(f"{tmp_path}{pattern}", Compression.NONE, ANYWHERE, False), f"{tmp_path}/") == names


def described(bucket: Bucket) -> StoreConnection:
    """The connection to its store, as the catalog has it."""
    if bucket.url.startswith("s3"):
        return AwsConnection("who", "secret", region="us-east-1", endpoint=bucket.endpoint)
    return GcsConnection("token", bucket.endpoint)


def listed(store: Store, base: str) -> list[str]:
    try:
        return [each.path.removeprefix(base) for each in store.list()]
    except MissingFile:
        return []


ROWS = [(1, "a"), (2, "b")]
LINES = {
    "JSON": ("(id int, key text)", b'{"id": 1, "key": "a"}\n{"id": 2, "key": "b"}\n'),
    "CSV WITH HEADER": ("(id int, key text)", b"id,key\n1,a\n2,b"),
    "CSV WITH 2 COLUMNS": ("(id int, key text)", b"1,a\n2,b\n"),
    "REGEX '(?P<id>\\d) (?P<key>\\w)'": ("(id int, key text)", b"1 a\n2 b\n"),
    "TEXT": ("", b"1\n2"),
    "BYTES": ("", b"1\n2\n"),
}
PACKED: Mapping[str, Callable[[bytes], bytes]] = {
    "": bytes, ".gz": gzip.compress, ".zst": lambda data: pa.compress(data, "zstd", asbytes=True),
}  # fmt: skip
WHOLE = {
    "AVRO OCF": ocf([{"id": id, "key": key} for id, key in ROWS], codec="deflate"),
    "PARQUET": parquet(pa.table({"id": [1, 2], "key": ["a", "b"]})),
}
EXPECTED = {"TEXT": [("1",), ("2",)], "BYTES": [(b"1",), (b"2",)]}


@pytest.mark.parametrize("tail", [False, True])
def test_every_format_in_every_compression_once_or_followed(db: Database, bucket: Bucket, tail: bool) -> None:
    cases = [(format, suffix) for format in LINES for suffix in PACKED] + [(format, "") for format in WHOLE]
    for n, (format, suffix) in enumerate(cases):
        columns, data = LINES[format] if format in LINES else ("", WHOLE[format])
        bucket.put(f"{n}/x{suffix}", PACKED[suffix](data))
        db.execute(
            f"CREATE SOURCE s{n} {columns} FROM FILE '{bucket.url}/{n}/*' WITH ({bucket.with_store}, tail = {tail}) "
            f"FORMAT {format} INCLUDE FILE"
        )
    for n, (format, suffix) in enumerate(cases):
        wanted = [(*row, f"{bucket.url}/{n}/x{suffix}") for row in EXPECTED.get(format, ROWS)]
        wait_for(db, f"SELECT * FROM s{n} ORDER BY 1", wanted)
        assert db.execute(f"SELECT * FROM s{n}_errors").rows() == []
    status = "running" if tail else "finished"
    wait_for(db, "SELECT DISTINCT status FROM mz_internal.mz_source_statuses WHERE type = 'file'", [(status,)])


def test_rows_that_are_none_are_told_with_their_object_and_line(db: Database, bucket: Bucket) -> None:
    bucket.put("a.csv.gz", gzip.compress(b"id,key\n1,a\n2\n3,\xff\n"))
    db.execute(f"CREATE SOURCE c FROM FILE '{bucket.url}/*' WITH ({bucket.with_store}) FORMAT CSV WITH HEADER")
    wait_for(db, "SELECT * FROM c", [("1", "a")])
    found = db.execute("SELECT file, position, data FROM c_errors ORDER BY position").rows()
    assert found == [(f"{bucket.url}/a.csv.gz", 3, b"2"), (f"{bucket.url}/a.csv.gz", 4, b"3,\xff")]


def test_a_table_of_many_pieces_is_read_whole(db: Database, bucket: Bucket) -> None:
    table = pa.table({"id": range(2500), "key": [f"k{i % 3}" for i in range(2500)]})
    bucket.put("a.parquet", parquet(table, row_group_size=1000))
    db.execute(f"CREATE SOURCE p FROM FILE '{bucket.url}/a.parquet' WITH ({bucket.with_store}) FORMAT PARQUET")
    wait_for(db, "SELECT count(*), sum(id) FROM p", [(2500, 2500 * 2499 // 2)])


def test_objects_that_come_are_read_once_over_restarts(bucket: Bucket, tmp_path: Path) -> None:
    bucket.put("in/a", b"1\n2")
    with Database.open(tmp_path) as db:
        db.execute(bucket.connection)
        db.execute(
            f"CREATE SOURCE s FROM FILE '{bucket.url}/in/*' WITH ({bucket.with_store}, tail = true, "
            "DISCOVER INTERVAL = '10 ms') FORMAT TEXT"
        )
        wait_for(db, "SELECT text FROM s", [("1",), ("2",)])
        bucket.put("in/b", b"3\n")
        wait_for(db, "SELECT text FROM s", [("1",), ("2",), ("3",)])
    bucket.put("in/c", b"4")
    bucket.delete("in/a")
    with Database.open(tmp_path) as db:
        wait_for(db, "SELECT text FROM s", [("1",), ("2",), ("3",), ("4",)])
        bucket.put("in/a", b"5, for it is another object now")
        wait_for(db, "SELECT count(*) FROM s", [(5,)])


def test_an_object_is_what_it_holds(db: Database, bucket: Bucket) -> None:
    """Within the same second too, and at the same size; put again as it was it is not read again."""
    for each in (b"1", b"2"):
        bucket.put("a", each)
        if each == b"1":
            db.execute(
                f"CREATE SOURCE s FROM FILE '{bucket.url}/*' WITH ({bucket.with_store}, tail = true, "
                "DISCOVER INTERVAL = '10 ms') FORMAT TEXT"
            )
            wait_for(db, "SELECT text FROM s", [("1",)])
    wait_for(db, "SELECT text FROM s", [("1",), ("2",)])
    bucket.put("a", b"2")
    bucket.put("b", b"3")
    wait_for(db, "SELECT text FROM s", [("1",), ("2",), ("3",)])


def test_s3_as_materialize_writes_it(s3_endpoint: str, db_alone: Database) -> None:
    db, bucket = db_alone, S3Bucket(s3_endpoint, "materialize")
    bucket.put("x/a.txt.gz", gzip.compress(b"1\n"))
    bucket.put("x/y/b.txt.gz", gzip.compress(b"2\n"))
    bucket.put("x/c.log", b"3\n")
    db.execute(bucket.connection)
    keys = f"access_key_id = 'who', secret_access_key = SECRET key, region = 'us-east-1', endpoint = '{s3_endpoint}'"
    db.execute(
        f"CREATE SOURCE s FROM S3 DISCOVER OBJECTS MATCHING 'x/**/*.gz' USING BUCKET SCAN '{bucket.name}' "
        f"COMPRESSION GZIP WITH ({keys}) FORMAT TEXT"
    )
    wait_for(db, "SELECT text FROM s", [("1",), ("2",)])


def test_what_is_wrong_is_told(db: Database, bucket: Bucket) -> None:
    db.execute("VALIDATE CONNECTION store")
    kind = "AWS" if bucket.url.startswith("s3") else "GCS"
    other = "gs" if kind == "AWS" else "s3"
    db.execute(f"CREATE CONNECTION away TO {kind} (ENDPOINT 'http://127.0.0.1:1')")
    source = f"CREATE SOURCE s FROM FILE '{{}}' WITH ({bucket.with_store}) FORMAT TEXT"
    nowhere = f"{kind.replace('AWS', 's3').replace('GCS', 'gs')}://no-such-bucket/no"
    for sql, state, words in (
        ("VALIDATE CONNECTION away", "58030", "cannot be asked"),
        (source.format(f"{bucket.url}/no"), "58P01", "no object"),
        (source.format(f"{bucket.url}/no*"), "58P01", "no object"),
        (source.format(nowhere), "58P01", 'bucket "no-such-bucket" does not exist'),
        (source.format(f"{bucket.url}*/x"), "58030", "has to be named"),
        (source.format(f"{other}://b/no"), "42809", "does not lead"),
        ("CREATE CONNECTION b TO AWS (ACCESS KEY ID = 'x')", "22023", "go together"),
        (f"CREATE CONNECTION b TO {kind} (ENDPOINT = 'x')", "22023", "no URL"),
        (f"CREATE CONNECTION b TO {kind} (REGON = 'x')", "22023", "regon"),
        ("CREATE CONNECTION b TO GCS (ACCESS TOKEN = 'x')", "22023", "for all to read"),
        (f"COPY (SELECT 1) TO '{nowhere}' WITH ({bucket.with_store}, FORMAT = 'csv')", "58030", "cannot be written"),
    ):
        with pytest.raises(SqlError) as failure:
            db.execute(sql)
        assert (failure.value.sqlstate, words in failure.value.message) == (state, True), failure.value.message
    assert "secret'" not in str(db.execute("SHOW CREATE CONNECTION store").rows())


COPIES = [(form, suffix) for form in ("csv", "text", "json", "binary") for suffix in PACKED] + [("parquet", "")]


def test_copy_to_and_from_objects(db: Database, bucket: Bucket) -> None:
    db.execute("CREATE TABLE t (a bigint, b text); INSERT INTO t SELECT i, 'k' || i FROM generate_series(1, 1000) AS i")
    db.execute("CREATE TABLE back (a bigint, b text)")
    for form, suffix in COPIES:
        options = f"WITH ({bucket.with_store}, FORMAT = '{form}')"
        db.execute(f"COPY (SELECT * FROM t) TO '{bucket.url}/{form}{suffix}' {options}")
        db.execute(f"COPY INTO back FROM '{bucket.url}/{form}{suffix}' {options}")
        assert db.execute("SELECT * FROM back EXCEPT ALL SELECT * FROM t").rows() == []
        assert db.execute("DELETE FROM back").tag == "DELETE 1000", (form, suffix)
    assert gzip.decompress(bucket.get("csv.gz")).startswith(b"1,k1\n")
    assert pq.read_table(io.BytesIO(bucket.get("parquet"))).num_rows == 1000


def test_a_copy_into_a_folder_is_called_by_the_time(db: Database, bucket: Bucket) -> None:
    db.execute(f"COPY (SELECT 1 AS a) TO '{bucket.url}/out/' WITH ({bucket.with_store}, FORMAT = 'parquet')")
    (key,) = bucket.listed()
    assert key.startswith("out/")
    assert key.endswith(".parquet")


@pytest.mark.parametrize("token", [None, "token"])
def test_requests_are_signed_as_amazons_own_client_does(token: str | None) -> None:
    url, now = "https://host:9/b%20x/?list-type=2&prefix=a%2F%C3%A4%20%2B", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    request = AWSRequest("GET", url)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(botocore.auth, "get_current_datetime", lambda **_: now.replace(tzinfo=None))
        botocore.auth.S3SigV4Auth(Credentials("who", "secret", token), "s3", "eu-north-1").add_auth(request)
    ours = signed(url, "eu-north-1", S3Keys("who", "secret", token), now)
    assert {**{name.lower(): value for name, value in request.headers.items()}, "host": "host:9"} == ours


def test_names_come_page_by_page(bucket: Bucket) -> None:
    for i in range(7):
        bucket.put(f"d/{i}", b"x")
    found = list(buckets_of(bucket.url[:2], described(bucket), str).objects(bucket.name, "d/", deep=True, most=2))
    assert [each.key for each in found if isinstance(each, Object)] == [f"d/{i}" for i in range(7)]
