"""ALTER SYSTEM: what sessions begin with, under what their role and their client say; in the log, and in drafts."""

from pathlib import Path

import pytest

from engine.database import Database
from engine.errors import InsufficientPrivilege, InvalidParameter, SqlError, UndefinedObject


def begins(database: Database, variable: str = "statement_timeout", **given: str) -> str:
    with database.session(user="ann", variables=given) as session:
        return session.execute(f"SHOW {variable}").rows()[0][0]


def test_it_is_under_what_the_role_and_the_client_say(tmp_path: Path):
    with Database.open(tmp_path / "data") as database, database.session() as session:
        session.execute("CREATE USER ann")
        session.execute("ALTER SYSTEM SET statement_timeout = '7s'; ALTER SYSTEM SET search_path TO a, public")
        assert session.execute("SHOW statement_timeout").rows() == [("0",)]
        assert (begins(database), begins(database, "search_path")) == ("7s", "a, public")
    with Database.open(tmp_path / "data") as database, database.session() as session:
        assert begins(database) == "7s"
        assert begins(database, statement_timeout="3s") == "3s"
        session.execute("ALTER ROLE ann SET statement_timeout = '5s'")
        assert begins(database) == "5s"
        session.execute("ALTER ROLE ann RESET statement_timeout; ALTER SYSTEM RESET statement_timeout")
        assert (begins(database), begins(database, "search_path")) == ("0", "a, public")
        session.execute("ALTER SYSTEM SET extra_float_digits = 1; ALTER SYSTEM RESET ALL")
    with Database.open(tmp_path / "data") as database:
        assert (begins(database), begins(database, "search_path")) == ("0", "public")


def test_a_session_goes_back_to_what_it_began_with():
    with Database.in_memory() as database:
        database.execute("ALTER SYSTEM SET statement_timeout = '7s'")
        with database.session() as session:
            session.execute("SET statement_timeout = '1s'; RESET statement_timeout")
            assert session.execute("SHOW statement_timeout").rows() == [("7s",)]


def test_a_block_that_is_rolled_back_changes_nothing():
    with Database.in_memory() as database, database.session() as session:
        session.execute("BEGIN; ALTER SYSTEM SET statement_timeout = '7s'; ROLLBACK")
        assert begins(database) == "0"
        session.execute("BEGIN; ALTER SYSTEM SET statement_timeout = '7s'")
        assert begins(database) == "0"
        session.execute("COMMIT")
        assert begins(database) == "7s"


@pytest.mark.parametrize(
    ("sql", "error"),
    [("SET statement_timeout = 'soon'", InvalidParameter), ("SET nothing = 1", UndefinedObject),
     ("SET server_version = '9'", InvalidParameter), ("SET role = 'ann'", InvalidParameter),
     ("SET transaction_read_only = on", InvalidParameter), ('SET "app.name" = 1', InvalidParameter),
     ("RESET nothing", UndefinedObject), ("SET statement_timeout", SqlError), ("FLUSH", SqlError)],
)  # fmt: skip
def test_what_is_no_setting_of_the_system_is_refused(sql: str, error: type[SqlError]):
    with Database.in_memory() as database:
        with pytest.raises(error):
            database.execute(f"ALTER SYSTEM {sql}")
        assert begins(database) == "0"


def test_only_superusers_may():
    with Database.in_memory() as database:
        database.execute("CREATE USER ann CREATEROLE")
        with database.session(user="ann") as ann, pytest.raises(InsufficientPrivilege):
            ann.execute("ALTER SYSTEM SET statement_timeout = '7s'")
