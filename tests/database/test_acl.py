"""Access lists: what is put into one comes out of it, by name in PostgreSQL's form and by role id in Materialize's."""

import pytest

from engine.database import Database
from engine.errors import DataError


@pytest.fixture(scope="module")
def session():
    with Database.in_memory() as database, database.session() as session:
        session.execute("CREATE ROLE ann")
        session.execute('CREATE ROLE "o\'neil, ""x"""')
        yield session


def test_an_item_is_its_canonical_text(session):
    for written, kept in (
        ("ann=dwr/materialize", "ann=rwd/materialize"),
        ("=rr*r/ann", "=r*/ann"),
        ('"o\'neil, ""x"""=U/ann', '"o\'neil, ""x"""=U/ann'),
        ("group ann=C/ann", "ann=C/ann"),
    ):
        assert session.execute(f"SELECT CAST($${written}$$ AS aclitem)").rows() == [(kept,)]
        assert session.execute(f"SELECT $${written}$$::aclitem = $${kept}$$::aclitem").rows() == [(True,)]


@pytest.mark.parametrize("grantee", ["ann", 'o\'neil, "x"'])
@pytest.mark.parametrize("privileges", ["SELECT", "insert, Select", "UPDATE,USAGE,TEMP"])
@pytest.mark.parametrize("grantable", [False, True])
def test_what_is_made_is_exploded(session, grantee, privileges, grantable):
    quoted = grantee.replace("'", "''").replace('"', '""')
    oid = f"'\"{quoted}\"'::regrole::oid"
    made = f"makeaclitem({oid}, 'materialize'::regrole::oid, '{privileges}', {grantable})"
    found = session.execute(
        f"SELECT grantor, grantee = {oid}, privilege_type, is_grantable FROM aclexplode(ARRAY[{made}])"
    )
    wanted = {word.strip().upper().replace("TEMP", "TEMPORARY") for word in privileges.split(",")}
    assert {tuple(row) for row in found.rows()} == {(10, True, word, grantable) for word in wanted}


def test_by_role_id(session):
    made = "make_mz_aclitem('p', 's10', 'SELECT, CREATEROLE')"
    parts = f"mz_aclitem_grantee({made}), mz_aclitem_grantor({made}), mz_aclitem_privileges({made})"
    assert session.execute(f"SELECT {made}, {parts}").rows() == [("=rR/s10", "p", "s10", "rR")]
    assert session.execute(f"SELECT * FROM mz_aclexplode(ARRAY[{made}])").rows() == [
        ("s10", "p", "SELECT", False), ("s10", "p", "CREATEROLE", False),
    ]  # fmt: skip
    assert session.execute(
        f"SELECT mz_acl_item_contains_privilege({made}, 'select'), mz_acl_item_contains_privilege({made}, 'DELETE'), "
        "mz_format_privileges('rU'), mz_validate_privileges('SELECT, usage'), mz_validate_role_privilege('member')"
    ).rows() == [(True, False, ["SELECT", "USAGE"], True, True)]


def test_lists_are_kept_in_tables_and_views(session):
    session.execute("CREATE TABLE lists (id int, acl aclitem[], place pg_lsn, who xid, mz mz_aclitem)")
    session.execute(
        "CREATE MATERIALIZED VIEW places AS SELECT who, max(place) AS top, count(*) FROM lists GROUP BY who"
    )
    session.execute(
        "INSERT INTO lists VALUES (1, '{ann=r/ann,=U/ann}', '0/FF', '7', 'u1=r/s10'), (2, NULL, '1/0', '7', NULL)"
    )
    assert session.execute("SELECT who = 7, top::text, count FROM places").rows() == [(True, "1/0", 2)]
    assert session.execute(
        "SELECT id, array_to_string(acl, ' '), aclcontains(acl, '=U/ann'), aclcontains(acl, 'ann=w/ann') FROM lists "
        "WHERE acl IS NOT NULL"
    ).rows() == [(1, "ann=r/ann =U/ann", True, False)]


@pytest.mark.parametrize(
    "expression",
    ["'ann'::aclitem", "'ann=q/ann'::aclitem", "'ann=r/'::aclitem", "'ann=r/s10'::mz_aclitem",
     "make_mz_aclitem('p', 's10', 'FLY')", "mz_validate_privileges('FLY')", "mz_format_privileges('?')",
     "acldefault('?', 10)", "(SELECT count(*) FROM aclexplode(ARRAY['nobody=r/ann'::aclitem]))"],
)  # fmt: skip
def test_what_is_none_is_refused(session, expression):
    with pytest.raises(DataError):
        session.execute(f"SELECT {expression}")
