"""The session and the server: settings, schemas, numbers, encodings."""

from collections.abc import Mapping
from typing import Final
from uuid import NAMESPACE_OID, uuid5

from engine import types
from engine.catalog.catalog import IMPLICIT_SCHEMAS, SYSTEM_DATABASE
from engine.catalog.items import MaterializedView, SourceRelation, Table
from engine.catalog.system.answers.names import Answer, MakeNow, Moment, constant
from engine.catalog.system.ids import object_number
from engine.collection.words import raw_of
from engine.errors import UnknownName
from engine.expr.text_forms import RawValue

ENCODINGS: Final[Mapping[int, str]] = {0: "SQL_ASCII", 6: "UTF8", 8: "LATIN1"}

ENVIRONMENT: Final = "tailrace-local-0"
MZ_VERSION_NUMBER: Final = 13_000
"""Of the version that mz_version() names: 0.130.0 as major * 10^6 + minor * 10^2 + patch."""

MICROSECONDS: Final = 1_000_000
XID_FIRST: Final = 3
"""The first number that PostgreSQL gives a transaction."""
XID_AGE_MAX: Final = (1 << 31) - 1


def _current_schemas(names: Moment) -> Answer:
    def answer(implicit: bool) -> RawValue:
        known = set(names.schemas.values())
        path = names.path
        found = [name for name in path.schemas if {(path.database, name), (SYSTEM_DATABASE, name)} & known]
        before = [name for name in IMPLICIT_SCHEMAS if name not in found] if implicit else []
        return raw_of([*before, *found], types.array_of(types.TEXT))

    return answer


def _temporary(names: Moment) -> Answer:
    def answer() -> RawValue:
        pair = (SYSTEM_DATABASE, names.path.temporary)
        return names.oids.schema(*pair) if pair in names.schemas.values() else 0

    return answer


def _other_temporary(names: Moment) -> Answer:
    def answer(oid: int) -> RawValue:
        _, name = names.schemas.get(oid, ("", ""))
        return name.startswith("mz_temp") and name != names.path.temporary

    return answer


def _setting(names: Moment) -> Answer:
    values = {name.lower(): value for name, value in names.around.variables.items()}

    def answer(name: str, missing_ok: bool = False) -> RawValue:
        found = values.get(name.lower())
        if found is None and not missing_ok:
            raise UnknownName(
                f'unrecognized configuration parameter "{name}"', hint="With true behind it, it is NULL instead."
            )
        return found

    return answer


def _assignment(names: Moment) -> Answer:
    """The variable is assigned by the statement that runs: see Context.assigned."""

    def answer(name: str, value: str, local: bool) -> RawValue:
        names.around.assigned.append((name, value, local))
        return value

    return answer


def _pause(names: Moment) -> Answer:
    """The statement waits before it runs: see Context.pauses."""

    def answer(seconds: float) -> RawValue:
        names.around.pauses.append(max(0.0, float(seconds)))
        return None

    return answer


def _began(names: Moment) -> Answer:
    began = names.around.runtime.began
    return lambda: round(began.timestamp() * MICROSECONDS)


def _session_uuid(names: Moment) -> bytes:
    """The session's number and when the process began: no two sessions have one."""
    began = f"{names.around.runtime.began.timestamp()} {names.around.session}"
    return uuid5(NAMESPACE_OID, began).bytes


def _materialized(names: Moment) -> Answer:
    """Of an object by its id, or else by its name: whether its rows are held, as a whole or by an index."""

    def answer(on: str) -> RawValue:
        catalog = names.catalog
        number = object_number(on)
        item = names.relation(on) if number is None else catalog.items.get(number)
        if item is None:
            return False
        return isinstance(item, MaterializedView | Table | SourceRelation) or bool(catalog.indexes(item.id))

    return answer


def _encoding(names: Moment) -> Answer:
    return lambda number: ENCODINGS.get(number, "")


def _encoding_number(names: Moment) -> Answer:
    numbers = {name.lower().replace("_", ""): number for number, name in ENCODINGS.items()}
    return lambda name: numbers.get(name.lower().replace("-", "").replace("_", ""), -1)


def _age(names: Moment) -> Answer:
    """Numbers below the first that a transaction can have are of what is always there, for which PostgreSQL says so."""
    now = names.around.transaction
    return lambda number: XID_AGE_MAX if number < XID_FIRST else (now() - number + (1 << 31)) % (1 << 32) - (1 << 31)


NOW: Final[Mapping[str, MakeNow]] = {
    "current_schemas": _current_schemas,
    "pg_my_temp_schema": _temporary,
    "pg_is_other_temp_schema": _other_temporary,
    "current_setting": _setting,
    "set_config": _assignment,
    "mz_sleep": _pause,
    "pg_sleep": _pause,
    "mz_environment_id": constant(ENVIRONMENT),
    "mz_cluster_id": lambda names: lambda: uuid5(NAMESPACE_OID, names.around.runtime.identity).bytes,
    "mz_is_materialized": _materialized,
    "mz_version_num": constant(MZ_VERSION_NUMBER),
    "mz_session_id": lambda names: lambda: _session_uuid(names),
    "connection_id": lambda names: lambda: names.around.session,
    "pg_postmaster_start_time": _began,
    "pg_conf_load_time": _began,
    "pg_backend_pid": lambda names: lambda: names.around.session,
    "pg_blocking_pids": lambda names: lambda pid: raw_of(
        [*names.around.runtime.blocking(pid)], types.array_of(types.INTEGER)
    ),
    "pg_is_in_recovery": constant(False),
    "pg_cancel_backend": lambda names: names.around.runtime.cancel,
    "pg_terminate_backend": lambda names: lambda pid, *_: names.around.runtime.terminate(pid),
    **{
        name: lambda names: names.around.transaction
        for name in ("txid_current", "pg_current_xact_id", "txid_current_if_assigned", "pg_current_xact_id_if_assigned")
    },
    "age": _age,
    "pg_encoding_max_length": lambda names: lambda number: {6: 4}.get(number, 1 if number in ENCODINGS else None),
    "pg_jit_available": constant(False),
    "pg_is_wal_replay_paused": constant(False),
    "pg_encoding_to_char": _encoding,
    "pg_char_to_encoding": _encoding_number,
    "pg_client_encoding": constant("UTF8"),
    "getdatabaseencoding": constant("UTF8"),
    **{
        name: constant(None)
        for name in ("inet_server_addr", "inet_server_port", "inet_client_addr",
                     "inet_client_port", "pg_stat_clear_snapshot", "pg_last_xact_replay_timestamp",
                     "pg_last_wal_receive_lsn", "pg_last_wal_replay_lsn")
    },
}  # fmt: skip
