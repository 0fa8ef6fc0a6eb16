"""Roles: kept with a verifier and never a password, over a restart too; changed by those who may."""

import hashlib
import hmac

import pytest

from engine.database import Database
from engine.errors import (
    DuplicateObject,
    InsufficientPrivilege,
    InvalidParameter,
    SqlError,
    UndefinedObject,
    WrongObjectType,
)


def proves(password, verifier):
    """What a server does with the password of SCRAM: RFC 5802, section 3, written out again."""
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), verifier.salt, verifier.iterations)
    client_key = hmac.new(salted, b"Client Key", "sha256").digest()
    return hashlib.sha256(client_key).digest() == verifier.stored_key


def test_a_role_keeps_a_verifier_of_its_password():
    with Database.in_memory() as db:
        db.execute("CREATE USER ann WITH PASSWORD 'secret'")
        ann = db.credentials("ann")
        assert ann.login
        assert proves("secret", ann.verifier)
        assert not proves("Secret", ann.verifier)
        db.execute("ALTER ROLE ann PASSWORD 'other' NOLOGIN")
        assert proves("other", db.credentials("ann").verifier)
        assert not db.credentials("ann").login
        db.execute("ALTER ROLE ann PASSWORD NULL")
        assert db.credentials("ann").verifier is None
        assert db.credentials("nobody") is None
        assert db.credentials("materialize").login


def test_equal_passwords_have_different_verifiers():
    with Database.in_memory() as db:
        db.execute("CREATE USER a PASSWORD 'same'; CREATE USER b PASSWORD 'same'")
        assert db.credentials("a").verifier != db.credentials("b").verifier


def test_a_verifier_is_taken_as_it_is():
    with Database.in_memory() as db:
        db.execute("CREATE USER a PASSWORD 'same'")
        db.execute(f"CREATE USER b PASSWORD '{db.credentials('a').verifier}'")
        assert db.credentials("a").verifier == db.credentials("b").verifier


def test_no_file_of_the_data_directory_has_a_password(tmp_path):
    with Database.open(tmp_path) as db:
        db.execute("CREATE ROLE ann LOGIN PASSWORD 'a-secret-in-the-clear'; CREATE ROLE gone; DROP ROLE gone")
        db.execute("ALTER ROLE ann SET search_path = s; ALTER ROLE ann SUPERUSER")
        before = db.credentials("ann")
    for file in tmp_path.iterdir():
        assert b"in-the-clear" not in file.read_bytes()
    with Database.open(tmp_path) as db:
        assert db.credentials("ann") == before
        assert db.credentials("gone") is None
        assert db.session("ann").variables["search_path"] == "s"
        db.execute("ALTER ROLE ann RESET search_path")
        assert db.session("ann").variables["search_path"] == "public"


@pytest.mark.parametrize(
    ("sql", "error"),
    [
        ("CREATE ROLE ann", DuplicateObject),
        ("CREATE ROLE mz_own", WrongObjectType),
        ("CREATE ROLE bob PASSWORD ''", InvalidParameter),
        ("ALTER ROLE bob LOGIN", UndefinedObject),
        ("DROP ROLE bob", UndefinedObject),
        ("DROP ROLE materialize", WrongObjectType),
        ("ALTER ROLE materialize NOLOGIN", WrongObjectType),
        ("ALTER ROLE ann SET no_such = 1", UndefinedObject),
    ],
)
def test_what_cannot_be(sql, error):
    with Database.in_memory() as db:
        db.execute("CREATE ROLE ann; CREATE ROLE IF NOT EXISTS ann; DROP ROLE IF EXISTS bob")
        with pytest.raises(error):
            db.execute(sql)


def test_who_may_change_roles():
    with Database.in_memory() as db:
        db.execute("CREATE USER ann; CREATE USER chief CREATEROLE")
        ann = db.session("ann")
        ann.execute("ALTER ROLE current_user PASSWORD 'mine'")
        assert proves("mine", db.credentials("ann").verifier)
        for sql in ("ALTER ROLE ann SUPERUSER", "ALTER ROLE chief PASSWORD 'x'", "CREATE ROLE x", "DROP ROLE chief"):
            with pytest.raises(InsufficientPrivilege):
                ann.execute(sql)
        db.session("chief").execute("DROP ROLE ann")


def test_privileges_are_said_not_to_be_kept():
    with Database.in_memory() as db:
        db.execute("CREATE TABLE t (a int); CREATE ROLE ann")
        for sql in ("GRANT SELECT ON t TO ann", "REVOKE ALL ON t FROM ann", "DROP OWNED BY ann"):
            (notice,) = db.execute(sql).notices
            assert "not enforced" in notice.message


def test_a_session_acts_as_another_role(db: Database) -> None:
    db.execute("CREATE ROLE joe LOGIN; CREATE ROLE ann LOGIN")
    who = "SELECT session_user, current_user, current_role, current_setting('is_superuser')"
    with db.session() as session:
        for sql, expected in [
            ("SET ROLE joe", ("materialize", "joe", "joe", "off")),
            ("RESET ALL", ("materialize", "joe", "joe", "off")),
            ("SET ROLE NONE", ("materialize", "materialize", "materialize", "on")),
            ("SET SESSION AUTHORIZATION ann", ("ann", "ann", "ann", "off")),
            ("SET SESSION AUTHORIZATION 'joe'", ("joe", "joe", "joe", "off")),
            ("RESET SESSION AUTHORIZATION", ("materialize", "materialize", "materialize", "on")),
            ("BEGIN; SET LOCAL ROLE ann", ("materialize", "ann", "ann", "off")),
            ("ROLLBACK", ("materialize", "materialize", "materialize", "on")),
            ("SET ROLE ann; SET SESSION AUTHORIZATION DEFAULT", ("materialize", "materialize", "materialize", "on")),
        ]:
            session.execute(sql)
            assert session.execute(who).rows() == [expected], sql
        session.execute("SET ROLE joe")
        with pytest.raises(InsufficientPrivilege):
            session.execute("CREATE ROLE other")
        session.execute("DISCARD ALL")
        assert session.execute(who).rows() == [("materialize", "materialize", "materialize", "on")]
        with pytest.raises(SqlError, match="nobody"):
            session.execute("SET ROLE nobody")


def test_who_is_no_superuser_may_only_be_itself(db: Database) -> None:
    db.execute("CREATE ROLE joe LOGIN; CREATE ROLE ann LOGIN")
    with db.session("joe") as session:
        for sql in ("SET ROLE ann", "SET ROLE materialize", "SET SESSION AUTHORIZATION ann"):
            with pytest.raises(InsufficientPrivilege):
                session.execute(sql)
        session.execute("SET ROLE joe; SET SESSION AUTHORIZATION joe; RESET ROLE")
        db.execute("DROP ROLE joe")
        assert session.execute("SELECT mz_is_superuser()").rows() == [(False,)]
        for sql in ("SET ROLE materialize", "CREATE ROLE eve SUPERUSER", "ALTER ROLE ann SUPERUSER", "DROP ROLE ann"):
            with pytest.raises(InsufficientPrivilege):
                session.execute(sql)
    with db.session("guest") as session:  # let in without being a role
        session.execute("CREATE ROLE eve; ALTER ROLE eve CREATEROLE; SET ROLE eve")
        db.execute("DROP ROLE eve")
        for sql in ("CREATE ROLE eve SUPERUSER", "ALTER ROLE ann SUPERUSER"):
            with pytest.raises(InsufficientPrivilege):
                session.execute(sql)
        session.execute("RESET ROLE; ALTER ROLE ann NOLOGIN")
        assert session.execute("SELECT mz_is_superuser()").rows() == [(True,)]
    db.execute("ALTER ROLE ann SET role = materialize")
    with pytest.raises(InsufficientPrivilege):
        db.session("ann")


def test_privileges_are_listed_by_kind_and_role(db: Database) -> None:
    db.execute("CREATE ROLE joe")
    kinds = ("TABLES", "MATERIALIZED VIEWS FOR joe", "CLUSTERS LIKE 'x'", "INDEX FOR joe")
    for sql in (*(f"PRIVILEGES ON {kind}" for kind in kinds), "DEFAULT PRIVILEGES ON TABLE FOR joe",
                "DEFAULT PRIVILEGES FOR joe", "ROLE MEMBERSHIP FOR joe"):  # fmt: skip
        assert db.execute(f"SHOW {sql}").rows() == []
    everything = db.execute("SHOW PRIVILEGES ON DATABASES").rows()
    assert [row[0] for row in everything] == ["materialize"] * 2  # the grantor, as SHOW DATABASES names the owner
    for sql in ("PRIVILEGES ON NOTHING", "ROLE MEMBERSHIP ON TABLES"):
        with pytest.raises(SqlError):
            db.execute(f"SHOW {sql}")


def test_the_default_is_set_or_reset(db: Database) -> None:
    """The tag says which of the two was written."""
    with db.session() as session:
        tags = [session.execute(sql).tag for sql in ("SET timezone TO DEFAULT", "RESET timezone", "RESET ALL")]
    assert tags == ["SET", "RESET", "RESET"]


def test_whose_role_was_dropped_is_no_role_any_more():
    with Database.in_memory() as database, database.session(user="materialize") as owner:
        owner.execute("CREATE USER ann SUPERUSER")
        with database.session(user="ann") as ann, database.session(user="guest"):
            owner.execute("DROP ROLE ann")
            listed = "SELECT rolname, rolsuper FROM pg_roles ORDER BY 1"
            assert owner.execute(listed).rows() == [("guest", True), ("materialize", True)]
            assert ann.execute("SELECT mz_is_superuser()").rows() == [(False,)]
