"""psycopg 3, the driver that Python programs have."""

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from uuid import UUID

import psycopg
import pytest
from psycopg.types.range import Range

from app.main import Running


@pytest.fixture
def connection(server: Running):
    with psycopg.connect(host=server.pg.host, port=server.pg.port, user="materialize", autocommit=True) as opened:
        yield opened


def test_rows_and_types(connection):
    row = connection.execute("SELECT 1, 1::bigint, 1.50::numeric, 'x', true, NULL, 1.5::double precision").fetchone()
    assert row == (1, 1, Decimal("1.5"), "x", True, None, 1.5)


def test_parameters(connection):
    connection.execute("CREATE TABLE params (k bigint, v text)")
    connection.execute("INSERT INTO params VALUES (%s, %s), (%s, %s)", (1, "o'clock $1", -2, None))
    rows = connection.execute("SELECT v FROM params WHERE k = %s", (1,)).fetchall()
    assert rows == [("o'clock $1",)]
    assert connection.execute("SELECT count(*) FROM params WHERE v IS NULL").fetchone() == (1,)


@pytest.mark.parametrize("binary", [False, True])
def test_ranges_and_infinite_numerics(connection, binary):
    with connection.cursor(binary=binary) as cursor:
        given = (Range(1, 5), Range(None, Decimal("2.5"), "(]"), Range(empty=True), Decimal("-Infinity"))
        row = cursor.execute("SELECT %b::int4range, %b::numrange, %b::numrange, %b::numeric", given).fetchone()
        assert row == given
        row = cursor.execute("SELECT tsrange('2020-01-01', '2020-01-02', '[]'), array[int4range(1, 3)]").fetchone()
        assert row == (Range(datetime(2020, 1, 1), datetime(2020, 1, 2), "[]"), [Range(1, 3)])


def test_the_same_statement_many_times_is_prepared(connection):
    """psycopg prepares from the sixth execution on."""
    for number in range(8):
        assert connection.execute("SELECT %s::bigint + 1", (number,)).fetchone() == (number + 1,)


def test_errors_carry_sqlstate_and_position(connection):
    with pytest.raises(psycopg.errors.UndefinedTable) as caught:
        connection.execute("SELECT * FROM nowhere")
    assert caught.value.diag.statement_position == "15"
    with pytest.raises(psycopg.errors.UndefinedTable):
        connection.execute("SELECT * FROM nowhere WHERE 1 = %s", (1,))
    assert connection.execute("SELECT 1").fetchone() == (1,)


def test_status_and_row_count(connection):
    connection.execute("CREATE TABLE counted (k bigint)")
    cursor = connection.execute("INSERT INTO counted VALUES (1), (2)")
    assert cursor.statusmessage == "INSERT 0 2"
    assert cursor.rowcount == 2


def test_a_large_answer_comes_in_pieces(connection):
    rows = connection.execute("SELECT * FROM generate_series(1, 150000)").fetchall()
    assert len(rows) == 150_000
    assert sum(row[0] for row in rows) == 150_000 * 150_001 // 2


def test_copy_out(connection):
    with connection.cursor().copy("COPY (SELECT * FROM generate_series(1, 3)) TO STDOUT") as copy:
        assert b"".join(copy).decode().split() == ["1", "2", "3"]


def test_subscribe_through_copy(server, connection):
    connection.execute("CREATE TABLE watched (k text)")
    connection.execute("INSERT INTO watched VALUES ('before')")
    with connection.cursor().copy("COPY (SUBSCRIBE watched) TO STDOUT") as copy:
        timestamp, diff, value = copy.read_row()
        assert (diff, value) == ("1", "before")
        server.database.execute("INSERT INTO watched VALUES ('after')")
        later, diff, value = copy.read_row()
        assert (diff, value) == ("1", "after")
        assert int(later) > int(timestamp)
        server.database.execute("DELETE FROM watched WHERE k = 'before'")
        _, diff, value = copy.read_row()
        assert (diff, value) == ("-1", "before")
        connection.cancel_safe()  # cancel() would hold the interpreter lock, which the server in this process needs
        with pytest.raises(psycopg.errors.QueryCanceled):
            copy.read_row()
    assert connection.execute("SELECT count(*) FROM watched").fetchone() == (1,)


def test_a_stream_of_a_subscription(server, connection):
    connection.execute("CREATE TABLE streamed (k text)")
    connection.execute("INSERT INTO streamed VALUES ('x')")
    stream = connection.cursor().stream("SUBSCRIBE streamed")
    assert next(stream)[1:] == (1, "x")
    server.database.execute("INSERT INTO streamed VALUES ('y')")
    assert next(stream)[1:] == (1, "y")
    connection.cancel_safe()  # cancel() would hold the interpreter lock, which the server in this process needs
    with pytest.raises(psycopg.errors.QueryCanceled):
        next(stream)


def test_transactions_report_their_state(connection):
    status = psycopg.pq.TransactionStatus
    connection.execute("BEGIN")
    assert connection.info.transaction_status == status.INTRANS
    with pytest.raises(psycopg.errors.UndefinedTable):
        connection.execute("SELECT * FROM nowhere")
    assert connection.info.transaction_status == status.INERROR
    connection.execute("ROLLBACK")
    assert connection.info.transaction_status == status.IDLE


def test_parameter_status(connection):
    assert connection.info.parameter_status("client_encoding") == "UTF8"
    assert connection.info.parameter_status("standard_conforming_strings") == "on"
    connection.execute("SET application_name = 'tests'")
    assert connection.info.parameter_status("application_name") == "tests"
    connection.execute("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY")
    assert connection.info.parameter_status("default_transaction_read_only") == "on"
    connection.execute("RESET ALL")
    assert connection.info.parameter_status("default_transaction_read_only") == "off"


@pytest.mark.parametrize("form", ["%b", "%t", "%s"])
@pytest.mark.parametrize(
    "value",
    [
        7, -70_000, 1 << 40, 1.5, Decimal("-1234567.89"),
        Decimal("0.00012"), Decimal(10_000), True, "text", b"\x00\xff",
        date(1999, 12, 31), datetime(2026, 2, 3, 4, 5, 6, 789),
        time(1, 2, 3), UUID(int=5), timedelta(days=3, seconds=4),
        datetime(1970, 1, 1, tzinfo=UTC), None,
    ],
)  # fmt: skip
def test_parameters_of_every_type_come_back(connection, form, value):
    assert connection.execute(f"SELECT {form}", (value,)).fetchone() == (value,)


def test_a_user_who_names_no_database_gets_the_default(server):
    address = {"host": server.pg.host, "port": server.pg.port, "autocommit": True}
    with psycopg.connect(user="ada", **address) as connection:
        assert connection.execute("SHOW database").fetchone() == ("materialize",)
        connection.execute("CREATE TABLE of_ada (k bigint)")
        connection.execute("CREATE DATABASE ada")
    with psycopg.connect(user="ada", **address) as connection:
        assert connection.execute("SHOW database").fetchone() == ("ada",)
