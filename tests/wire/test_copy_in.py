"""COPY ... FROM STDIN, by psycopg."""

import struct
from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from typing import Final
from uuid import UUID

import psycopg
import pytest
from psycopg import errors

from app.main import Running

HEAD: Final = b"PGCOPY\n\xff\r\n\0" + bytes(8)
ONE: Final = struct.pack(">hiii", 2, 4, 1, -1)
"""The row (1, NULL)."""
CENTS: Final = Decimal("12.35"), Decimal("-0.50")


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


@pytest.mark.parametrize(
    ("options", "data", "context"),
    [
        ("", "1\t2020-01-01\nx\ty\n", 'COPY c, line 2, column a: "x"'),
        ("", "1\t2020-01-01\n2\tno\\\\day\n", 'COPY c, line 2, column d: "no\\day"'),
        ("", "1\t\\N\n3\n", 'COPY c, line 2: "3"'),
        ("", "\\N\t\\N\n", 'COPY c, line 1: "\\N\t\\N"'),
        ("(FORMAT csv)", '1,2020-01-01\n"2\n2",\n', 'COPY c, line 3, column a: "2\n2"'),
        ("(FORMAT csv, HEADER)", 'a\n1,"2020-01-01', 'COPY c, line 2: "1,"2020-01-01"'),
        ("", "1\t\\N\r\n2\t\\N\n", 'COPY c, line 2: "2\t\\N"'),
    ],
)
def test_an_error_names_the_line_and_the_column(
    connection: psycopg.Connection, options: str, data: str, context: str
) -> None:
    with connection.cursor() as cursor:
        cursor.execute("CREATE TEMP TABLE c (a int NOT NULL, d date)")
        with pytest.raises(psycopg.Error) as raised, cursor.copy(f"COPY c FROM STDIN {options}") as copy:
            copy.write(data)
        assert raised.value.diag.context == context
        assert cursor.execute("SELECT count(*) FROM c").fetchone() == (0,)


def test_an_error_ends_a_copy_whose_client_goes_on_sending(connection: psycopg.Connection) -> None:
    with connection.cursor() as cursor:
        cursor.execute("CREATE TEMP TABLE c (a int)")

        def send() -> None:
            with cursor.copy("COPY c FROM STDIN") as copy:
                for number in range(200_000):
                    copy.write(f"{number}\n" if number != 70_000 else "x\n")

        with pytest.raises(errors.InvalidTextRepresentation):
            send()
        assert cursor.execute("SELECT count(*) FROM c").fetchone() == (0,)


def test_a_copy_is_one_tick_however_long_it_is(connection: psycopg.Connection) -> None:
    rows = [(n, f"text {n % 1000}" if n % 7 else None, datetime(2020, 1, 1, 0, 0, n % 60)) for n in range(100_000)]
    null = "\\N"
    with connection.cursor() as cursor:
        cursor.execute("CREATE TEMP TABLE c (a bigint, b text, c timestamp)")
        for options in ("", "(FORMAT csv)"):
            with cursor.copy(f"COPY c FROM STDIN {options}") as copy:
                for n, text, at in rows:
                    copy.write(f"{n},{text or ''},{at}\n" if options else f"{n}\t{text or null}\t{at}\n")
        with cursor.copy("COPY c FROM STDIN (FORMAT binary)") as copy:
            copy.set_types(["int8", "text", "timestamp"])
            for row in rows:
                copy.write_row(row)
        cursor.execute("SELECT a, b, c FROM c GROUP BY a, b, c HAVING count(*) = 3 ORDER BY a")
        assert cursor.fetchall() == rows


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


def test_a_copy_is_cancelled_while_it_waits_for_data(connection: psycopg.Connection) -> None:
    with connection.cursor() as cursor:
        cursor.execute("CREATE TEMP TABLE c (a int)")

        def send() -> None:
            with cursor.copy("COPY c FROM STDIN") as copy:
                copy.write("1\n")
                connection.cancel_safe()

        with pytest.raises(errors.QueryCanceled):
            send()
        assert cursor.execute("SELECT count(*) FROM c").fetchone() == (0,)


def test_binary_rows_are_the_rows_that_were_sent(connection: psycopg.Connection) -> None:
    rows = [
        (1, "tab\there", Decimal("12.345"), datetime(2024, 5, 6, 7, 8, 9), UUID(int=7), [1, None, 3], True, b"\0\xff"),
        (-2, "", Decimal("-0.5"), datetime(1970, 1, 1), UUID(int=0), [], False, b""),
        (3, None, None, None, None, None, None, None),
    ]
    kinds = ["int4", "text", "numeric", "timestamp", "uuid", "int8[]", "bool", "bytea"]
    table = "a int, b text, c numeric(10,2), d timestamp, e uuid, f bigint[], g boolean, h bytea"
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE TEMP TABLE c ({table}, i date DEFAULT '2020-01-01')")
        for statement in ("COPY c (a, b, c, d, e, f, g, h) FROM STDIN (FORMAT binary)", "COPY BINARY c (a) FROM STDIN"):
            width = 8 if "h" in statement.partition("FROM")[0] else 1
            with cursor.copy(statement) as copy:
                copy.set_types(kinds[:width])
                for row in rows:
                    copy.write_row(row[:width])
            assert cursor.statusmessage == "COPY 3"
        cursor.execute("SELECT * FROM c WHERE g IS NOT NULL ORDER BY a")
        stored = [(*row[:2], cents, *row[3:], date(2020, 1, 1)) for row, cents in zip(rows, CENTS, strict=False)]
        assert cursor.fetchall() == stored[::-1]
        assert cursor.execute("SELECT a, count(*) FROM c GROUP BY a ORDER BY a").fetchall() == [(-2, 2), (1, 2), (3, 2)]


def test_what_is_copied_out_in_binary_comes_in_again(connection: psycopg.Connection) -> None:
    with connection.cursor() as cursor:
        cursor.execute("CREATE TEMP TABLE c (a double precision, b interval, c jsonb, d time, e varchar(5))")
        cursor.execute(
            "INSERT INTO c VALUES (1.5, '1 month', '{\"a\": [1]}', '01:02:03', 'abc'), (NULL, NULL, NULL, NULL, NULL)"
        )
        with cursor.copy("COPY c TO STDOUT (FORMAT binary)") as out:
            data = b"".join(bytes(piece) for piece in out)
        with cursor.copy("COPY c FROM STDIN (FORMAT binary)") as copy:
            for at in range(0, len(data), 7):
                copy.write(data[at : at + 7])
        assert cursor.execute("SELECT count(*) FROM c GROUP BY a, b, c, d, e").fetchall() == [(2,), (2,)]


@pytest.mark.parametrize(
    ("data", "error", "said"),
    [
        (b"1\tx\n", errors.BadCopyFileFormat, "signature"),
        (HEAD[:11] + struct.pack(">II", 1 << 16, 0), errors.BadCopyFileFormat, "critical flags"),
        (HEAD + ONE + ONE[:5], errors.BadCopyFileFormat, "unexpected EOF"),
        (HEAD + ONE + struct.pack(">hi", 2, 99), errors.BadCopyFileFormat, "line 2, column a"),
        (HEAD + struct.pack(">h", 3), errors.BadCopyFileFormat, "field count is 3, expected 2"),
        (HEAD + ONE + struct.pack(">hihi", 2, 2, 1, -1), errors.InvalidBinaryRepresentation, "line 2, column a"),
        (HEAD + struct.pack(">hiii", 2, 4, 1, 4) + b"long", errors.StringDataRightTruncation, "too long"),
        (HEAD + struct.pack(">hii", 2, -1, -1), errors.NotNullViolation, "null"),
        (HEAD + ONE + b"\xff\xff!", errors.BadCopyFileFormat, "after EOF marker"),
    ],
)
def test_bad_binary_data_fails_whole(
    connection: psycopg.Connection, data: bytes, error: type[Exception], said: str
) -> None:
    with connection.cursor() as cursor:
        cursor.execute("CREATE TEMP TABLE c (a int NOT NULL, b varchar(3))")
        with pytest.raises(error, match=said), cursor.copy("COPY c FROM STDIN (FORMAT binary)") as copy:
            copy.write(data)
        assert cursor.execute("SELECT count(*) FROM c").fetchone() == (0,)


def test_a_text_too_long_for_its_column_is_an_error(connection: psycopg.Connection) -> None:
    with connection.cursor() as cursor:
        cursor.execute("CREATE TEMP TABLE c (a varchar(3))")
        with pytest.raises(errors.StringDataRightTruncation), cursor.copy("COPY c FROM STDIN") as copy:
            copy.write("long\n")
        with pytest.raises(errors.InvalidParameterValue):
            cursor.execute("COPY c FROM STDIN (FORMAT binary, HEADER)")
