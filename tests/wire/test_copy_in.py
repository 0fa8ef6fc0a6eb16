"""COPY ... FROM STDIN, by psycopg."""

from collections.abc import Iterator

import psycopg
import pytest
from psycopg import errors

from app.main import Running


@pytest.fixture
def connection(server: Running) -> Iterator[psycopg.Connection]:
    with psycopg.connect(host=server.pg.host, port=server.pg.port, user="materialize", autocommit=True) as opened:
        yield opened


def test_rows_come_in_both_formats(connection: psycopg.Connection) -> None:
    with connection.cursor() as cursor:
        cursor.execute("CREATE TEMP TABLE c (a int PRIMARY KEY, b text, d date DEFAULT '2020-01-01')")
        with cursor.copy("COPY c (a, b) FROM STDIN") as copy:
            copy.write_row((1, "tab\there"))
            copy.write_row((2, None))
            copy.write_row((3, "back\\slash\nline"))
        assert cursor.statusmessage == "COPY 3"
        with cursor.copy("COPY c FROM STDIN (FORMAT csv, HEADER, DELIMITER ';', NULL 'none')") as copy:
            copy.write('a;b;d\n4;"q""uo;ted\nline";2021-02-03\n5;none;none\n6;"none";2022-01-01')
        cursor.execute("SELECT a, b, d::text FROM c ORDER BY a")
        assert cursor.fetchall() == [
            (1, "tab\there", "2020-01-01"), (2, None, "2020-01-01"), (3, "back\\slash\nline", "2020-01-01"),
            (4, 'q"uo;ted\nline', "2021-02-03"), (5, None, None), (6, "none", "2022-01-01"),
        ]  # fmt: skip


@pytest.mark.parametrize(
    ("data", "error"),
    [
        ("1\n", errors.BadCopyFileFormat),
        ("1\tx\ty\n", errors.BadCopyFileFormat),
        ("one\tx\n", errors.InvalidTextRepresentation),
        ("1\tx\n1\ty\n", errors.UniqueViolation),
        ("\\N\ty\n", errors.NotNullViolation),
    ],
)
def test_bad_data_fails_whole(connection: psycopg.Connection, data: str, error: type[Exception]) -> None:
    with connection.cursor() as cursor:
        cursor.execute("CREATE TEMP TABLE c (a int PRIMARY KEY, b text)")
        with pytest.raises(error), cursor.copy("COPY c FROM STDIN") as copy:
            copy.write("7\tgood\n" + data)
        assert cursor.execute("SELECT count(*) FROM c").fetchone() == (0,)


def test_a_client_may_give_up(connection: psycopg.Connection) -> None:
    with connection.cursor() as cursor:
        cursor.execute("CREATE TEMP TABLE c (a int)")

        def give_up() -> None:
            with cursor.copy("COPY c FROM STDIN") as copy:
                copy.write("1\n")
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            give_up()
        assert cursor.execute("SELECT count(*) FROM c").fetchone() == (0,)
