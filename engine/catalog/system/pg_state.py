"""What belongs to the server and the session: databases, roles, settings, activity."""

from collections.abc import Iterator
from typing import Final

from engine.catalog.catalog import Catalog
from engine.catalog.roles import Role
from engine.catalog.system.definition import Changes, Definition, Row, Runtime, SessionRows, Surroundings, define, shape
from engine.catalog.system.mz_internal import utc
from engine.catalog.system.oids import OWNER
from engine.collection.value import Interval

DEFAULT_TABLESPACE: Final = 1663


def _databases(catalog: Catalog, runtime: Runtime) -> Iterator[Row]:
    for name in sorted(catalog.databases):
        yield runtime.oids.database(name), name


def _tablespaces(_: Catalog, __: Runtime) -> Iterator[Row]:
    yield DEFAULT_TABLESPACE, "pg_default"
    yield 1664, "pg_global"


def roles(catalog: Catalog, runtime: Runtime) -> dict[str, Role]:
    """The roles; without authentication whoever is connected is one too, with every right. Whose role was dropped since
    is none any more."""
    guests = {state.user for state in runtime.sessions() if state.guest} - catalog.roles.keys()
    return {**catalog.roles, **{name: Role(name, True, True, True, True) for name in guests}}


def _rights(role: Role) -> Row:
    return role.superuser, role.inherit, role.create_role, role.create_database, role.login


def _authids(catalog: Catalog, runtime: Runtime) -> Iterator[Row]:
    for name, role in sorted(roles(catalog, runtime).items()):
        yield runtime.oids.role(name), name, *_rights(role), role.superuser


def _roles(catalog: Catalog, runtime: Runtime) -> Iterator[Row]:
    for name, role in sorted(roles(catalog, runtime).items()):
        settings = [f"{key}={value}" for key, value in role.settings.items()] or None
        yield name, *_rights(role), role.superuser, settings, runtime.oids.role(name)


def _users(catalog: Catalog, runtime: Runtime) -> Iterator[Row]:
    for name, role in sorted(roles(catalog, runtime).items()):
        if role.login:
            yield name, runtime.oids.role(name), role.create_database, role.superuser, role.superuser


def _groups(catalog: Catalog, runtime: Runtime) -> Iterator[Row]:
    for name, role in sorted(roles(catalog, runtime).items()):
        if not role.login:
            yield name, runtime.oids.role(name), []


def _locks(_: Catalog, runtime: Runtime) -> Iterator[Row]:
    for state in runtime.locks():
        database, *numbers = state.key
        mode = "ShareLock" if state.shared else "ExclusiveLock"
        yield runtime.oids.database(database), *numbers, state.session, mode, state.granted


IDLE: Final = {"I": "idle", "T": "idle in transaction", "E": "idle in transaction (aborted)"}


def _activity(catalog: Catalog, runtime: Runtime) -> Iterator[Row]:
    waiting = {lock.session for lock in runtime.locks() if not lock.granted}
    for state in runtime.sessions():
        database = runtime.oids.database(state.database) if state.database in catalog.databases else None
        last = state.last
        running = last is not None and last.finished is None
        yield (
            database, state.database, state.id, runtime.oids.role(state.user), state.user, state.application,
            utc(state.began), None if last is None else utc(last.began),
            None if last is None else utc(last.finished or last.began), "Lock" if state.id in waiting else None,
            "advisory" if state.id in waiting else None, "active" if running else IDLE[state.block],
            None if last is None else last.sql,
        )  # fmt: skip


def _database_statistics(catalog: Catalog, runtime: Runtime) -> Iterator[Row]:
    sessions = [state.database for state in runtime.sessions()]
    for name in sorted(catalog.databases):
        yield runtime.oids.database(name), name, sessions.count(name)


def _settings(around: Surroundings) -> Iterator[Row]:
    for name, value in sorted(around.variables.items(), key=lambda pair: pair[0].lower()):
        yield name, value, value, value


def _nothing(_: Surroundings) -> Iterator[Row]:
    return iter(())


def _zones(_: Catalog, __: Runtime) -> Iterator[Row]:
    for name in ("UTC", "Etc/UTC", "GMT"):
        yield name, "UTC" if name != "GMT" else "GMT", Interval(), False


def _abbreviations(_: Catalog, __: Runtime) -> Iterator[Row]:
    for name in ("UTC", "GMT", "Z"):
        yield name, Interval(), False


def _of_session(name: str, oid: int, text: str, doc: str, rows: SessionRows) -> Definition:
    columns, filled = shape(text)
    return Definition(
        "pg_catalog", name, oid, columns, doc, None, Changes.SESSION,
        of_session=lambda around: map(filled, rows(around)),
    )  # fmt: skip


RIGHTS: Final = "rolsuper bool!, rolinherit bool!, rolcreaterole bool!, rolcreatedb bool!, rolcanlogin bool!"
USERS: Final = """usename name!, usesysid oid!, usecreatedb bool!, usesuper bool!, userepl bool! = false,
    usebypassrls bool!, passwd text = '********', valuntil timestamptz = null, useconfig text[] = null"""
DEFINITIONS: Final = (
    define(
        "pg_catalog", "pg_database", 1262,
        f"""oid oid!, datname name!, datdba oid! = {OWNER}, encoding int4! = 6, datlocprovider char! = 'c',
        datistemplate bool! = false, datallowconn bool! = true, datconnlimit int4! = -1, datfrozenxid xid! = 0,
        datminmxid xid! = 1, dattablespace oid! = {DEFAULT_TABLESPACE}, datcollate text! = 'C', datctype text! = 'C',
        daticulocale text = null, datcollversion text = null, datacl aclitem[] = null""",
        "all databases", _databases,
    ),
    define(
        "pg_catalog", "pg_tablespace", 1213,
        f"oid oid!, spcname name!, spcowner oid! = {OWNER}, spcacl aclitem[] = null, spcoptions text[] = null",
        "where data are: in one place", _tablespaces,
    ),
    define(
        "pg_catalog", "pg_authid", 1260,
        f"""oid oid!, rolname name!, {RIGHTS}, rolreplication bool! = false, rolbypassrls bool!,
        rolconnlimit int4! = -1, rolpassword text = null, rolvaliduntil timestamptz = null""",
        "the roles, their passwords left out", _authids, changes=Changes.RUNTIME,
    ),
    define(
        "pg_catalog", "pg_roles", 12000,
        f"""rolname name!, {RIGHTS}, rolreplication bool! = false, rolconnlimit int4! = -1,
        rolpassword text = '********', rolvaliduntil timestamptz = null, rolbypassrls bool!, rolconfig text[],
        oid oid!""",
        "the roles", _roles, changes=Changes.RUNTIME,
    ),
    define("pg_catalog", "pg_user", 12014, USERS, "the roles that may log in", _users, changes=Changes.RUNTIME),
    define("pg_catalog", "pg_shadow", 12005, USERS, "the same", _users, changes=Changes.RUNTIME),
    define("pg_catalog", "pg_group", 12010, "groname name!, grosysid oid!, grolist oid[]!",
           "the roles that may not log in", _groups, changes=Changes.RUNTIME),
    define(
        "pg_catalog", "pg_stat_activity", 12222,
        """datid oid, datname name, pid int4!, leader_pid int4 = null, usesysid oid!, usename name!,
        application_name text!, client_addr text = null, client_hostname text = null, client_port int4 = null,
        backend_start timestamptz!, xact_start timestamptz = null, query_start timestamptz,
        state_change timestamptz, wait_event_type text, wait_event text, state text!,
        backend_xid xid = null, backend_xmin xid = null, query_id int8 = null, query text,
        backend_type text! = 'client backend'""",
        "the open sessions, and the statement that each runs or ran last", _activity, changes=Changes.RUNTIME,
    ),
    define("pg_catalog", "pg_stat_database", 12266,
           """datid oid!, datname name!, numbackends int4!, xact_commit int8! = 0, xact_rollback int8! = 0,
           blks_read int8! = 0, blks_hit int8! = 0, tup_returned int8! = 0, tup_fetched int8! = 0,
           tup_inserted int8! = 0, tup_updated int8! = 0, tup_deleted int8! = 0, conflicts int8! = 0,
           temp_files int8! = 0, temp_bytes int8! = 0, deadlocks int8! = 0, checksum_failures int8 = null,
           checksum_last_failure timestamptz = null, blk_read_time double = null, blk_write_time double = null,
           session_time double = null, active_time double = null, idle_in_transaction_time double = null,
           sessions int8 = null, sessions_abandoned int8 = null, sessions_fatal int8 = null,
           sessions_killed int8 = null, stats_reset timestamptz = null""",
           "sessions by database", _database_statistics, changes=Changes.RUNTIME),
    define("pg_catalog", "pg_locks", 12073,
           """locktype text! = 'advisory', database oid!, relation oid = null, page int4 = null, tuple int2 = null,
           virtualxid text = null, transactionid xid = null, classid oid!, objid oid!, objsubid int2!,
           virtualtransaction text = null, pid int4!, mode text!, granted bool!, fastpath bool! = false,
           waitstart timestamptz = null""",
           "the advisory locks that sessions hold or wait for: there are no others", _locks, changes=Changes.RUNTIME),
    define("pg_catalog", "pg_timezone_names", 12126,
           "name text!, abbrev text!, utc_offset interval!, is_dst bool!", "the zones that TimeZone may be", _zones),
    define("pg_catalog", "pg_timezone_abbrevs", 12122, "abbrev text!, utc_offset interval!, is_dst bool!",
           "their abbreviations", _abbreviations),
    _of_session(
        "pg_settings", 12104,
        """name text!, setting text!, unit text = null, category text! = 'Session', short_desc text! = '',
        extra_desc text = null, context text! = 'user', vartype text! = 'string', source text! = 'session',
        min_val text = null, max_val text = null, enumvals text[] = null, boot_val text, reset_val text,
        sourcefile text = null, sourceline int4 = null, pending_restart bool! = false""",
        "the session's variables", _settings,
    ),
    _of_session("pg_prepared_statements", 12095,
                """name text!, statement text!, prepare_time timestamptz!, parameter_types text[]!, from_sql bool!,
                generic_plans int8!, custom_plans int8!""", "prepared statements: not listed", _nothing),
    _of_session("pg_cursors", 12077,
                """name text!, statement text!, is_holdable bool!, is_binary bool!, is_scrollable bool!,
                creation_time timestamptz!""", "open cursors: not listed", _nothing),
)  # fmt: skip
