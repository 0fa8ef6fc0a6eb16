"""What `tailrace sql` makes of what was typed and of what was answered."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.cli.display import Display, Done, Failure, Header, Lines, Notice, Pause, Rows, explained
from app.cli.statements import split


@pytest.mark.parametrize(
    ("text", "statements", "rest"),
    [
        ("SELECT 1;", ["SELECT 1;"], ""),
        ("SELECT 1; SELECT\n2;\n", ["SELECT 1;", "SELECT\n2;"], "\n"),
        ("SELECT ';'", [], "SELECT ';'"),
        ("SELECT 'it''s; not'; x", ["SELECT 'it''s; not';"], " x"),
        (r"SELECT E'\';'; ", [r"SELECT E'\';';"], " "),
        ('SELECT ";";', ['SELECT ";";'], ""),
        ("SELECT $$;$$;", ["SELECT $$;$$;"], ""),
        ("SELECT $a$;$$;$a$;", ["SELECT $a$;$$;$a$;"], ""),
        ("SELECT 1 -- ;\n;", ["SELECT 1 -- ;\n;"], ""),
        ("/* ; */ SELECT 1;", ["/* ; */ SELECT 1;"], ""),
        ("SELECT 'open;", [], "SELECT 'open;"),
        ("SELECT $$open;", [], "SELECT $$open;"),
        ("/* open;", [], "/* open;"),
        (";;", [], ""),
    ],
)
def test_statements_end_at_semicolons_outside_of_quotes(text, statements, rest):
    assert split(text) == (statements, rest)


@given(st.text("a';\"$-\n/*; ", max_size=30))
def test_nothing_typed_is_lost(text):
    statements, rest = split(text)
    kept = "".join(statements) + rest
    assert [sign for sign in kept if sign not in " \n;"] == [sign for sign in text if sign not in " \n;"]


def shown(*pieces, sql=""):
    out, err = io.StringIO(), io.StringIO()
    display = Display(out, err)
    for piece in pieces:
        display.show(piece, sql)
    return out.getvalue(), err.getvalue()


HEADER = Header(["k", "total"], [False, True])


def test_columns_are_aligned_and_counted():
    out, _ = shown(HEADER, Rows([["a", "1"], ["longer", None]]), Rows([["b", "-20"]]), Done("SELECT 3"))
    assert out.splitlines() == [
        "   k    | total",
        "--------+-------",
        " a      |     1",
        " longer |",
        " b      |   -20",
        "(3 rows)",
        "",
    ]


def test_no_rows_and_no_columns():
    assert shown(HEADER, Done("SELECT 0"))[0].splitlines()[-2:] == ["(0 rows)", ""]
    assert shown(Done("CREATE TABLE"))[0] == "CREATE TABLE\n"
    assert "(2 rows)" in shown(Header([], []), Rows([[], []]), Done("SELECT 2"))[0]


def test_values_of_several_lines():
    out, _ = shown(Header(["a", "b"], [False, False]), Rows([["x\ny", "1"]]), Done("SELECT 1"))
    assert out.splitlines()[2:4] == [" x+| 1", " y |"]


def test_a_subscription_is_shown_while_it_runs():
    out, _ = shown(HEADER, Pause(), Rows([["a", "1"]]), Pause(), Rows([["b", "2"]]), Pause())
    assert out.splitlines()[2:] == [" a |     1", " b |     2"]


def test_copied_lines_are_as_they_are():
    assert shown(Lines(b"a\t\\N\n"), Done("COPY 1"))[0] == "a\t\\N\nCOPY 1\n"


def test_notices_go_to_the_other_stream():
    assert shown(Notice("NOTICE", "so", "do"), Done("OK")) == ("OK\n", "NOTICE:  so\nHINT:  do\n")


def test_an_error_shows_its_place():
    sql = "SELECT a,\n  nope\nFROM t"
    failure = Failure(
        'column "nope" does not exist', "42703", hint="Perhaps you meant nape.", position=sql.index("nope") + 1
    )
    assert explained(failure, sql) == [
        'ERROR:  column "nope" does not exist',
        "LINE 2:   nope",
        "          ^",
        "HINT:  Perhaps you meant nape.",
    ]
    assert explained(Failure("m", "XX000"), sql) == ["ERROR:  m"]
    assert explained(Failure("m", "XX000", position=99), sql) == ["ERROR:  m"]
    assert explained(Failure("m", "42601", position=len(sql) + 1), sql)[1] == "LINE 3: FROM t"
