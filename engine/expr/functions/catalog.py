"""Functions that read the catalog of the moment: what their arguments and results are.

Their answers are in engine/catalog/system/functions.py, which has the catalog: each statement puts them in place.
Nothing that is kept up to date can call them, since their answers change without a change of any input.
"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

import numpy as np

from engine import types
from engine.collection.vector import Vector
from engine.expr.functions.array import items_of
from engine.expr.functions.table import expand
from engine.expr.registry import Function, OnNull
from engine.expr.table import Expanded, TableFunction
from engine.expr.text_forms import RawValue
from engine.types import Column, SqlType

if TYPE_CHECKING:
    from engine.expr.evaluate import Context

T, OID, INT, B, N, C = types.TEXT, types.OID, types.INTEGER, types.BOOLEAN, types.BIGINT, types.REGCLASS
SMALL: Final = types.SMALLINT
OPTIONS_TEXT: Final = types.array_of(T)
ACLS: Final = types.array_of(types.ACLITEM)
OPTIONS: Final = (Column("option_name", T, False), Column("option_value", T))
IDENTITY: Final = types.record_of((("type", T), ("schema", T), ("name", T), ("identity", T)))
Rows = tuple[tuple[str, tuple[tuple[SqlType, ...], ...], SqlType, str], ...]

TEXTS: Final[Rows] = (
    ("pg_get_viewdef", ((OID,), (OID, B), (OID, INT), (T,), (T, B)), T, "the query of a view"),
    ("pg_get_indexdef", ((OID,), (OID, INT, B)), T, "the statement that makes an index, or one column of its key"),
    ("pg_get_constraintdef", ((OID,), (OID, B)), T, "a constraint as CREATE TABLE has it"),
    ("pg_get_expr", ((T, OID), (T, OID, B)), T, "an expression that the catalog keeps, as SQL"),
    ("pg_get_functiondef", ((OID,),), T, "the statement that would make a function"),
    ("pg_get_function_arguments", ((OID,),), T, "a function's arguments"),
    ("pg_get_function_identity_arguments", ((OID,),), T, "a function's arguments"),
    ("pg_get_function_result", ((OID,),), T, "a function's result"),
    ("pg_get_function_arg_default", ((OID, INT),), T, "the default of a function's argument: none"),
    ("pg_get_function_sqlbody", ((OID,),), T, "the body of a function written in SQL: NULL"),
    ("pg_get_ruledef", ((OID,), (OID, B)), T, "the rule that a view is"),
    ("pg_get_triggerdef", ((OID,), (OID, B)), T, "a trigger: none"),
    ("pg_get_partkeydef", ((OID,),), T, "how a table is partitioned: NULL"),
    ("pg_get_partition_constraintdef", ((OID,),), T, "what a partition holds: NULL"),
    ("pg_get_statisticsobjdef", ((OID,),), T, "extended statistics: NULL"),
    ("pg_get_statisticsobjdef_columns", ((OID,),), T, "extended statistics: NULL"),
    ("pg_get_serial_sequence", ((T, T),), T, "the sequence of a column: NULL"),
    ("pg_get_userbyid", ((OID,),), T, "the name of a role"),
    ("obj_description", ((OID, T), (OID,)), T, "the comment on an object"),
    ("shobj_description", ((OID, T),), T, "the comment on a database or role"),
    ("col_description", ((OID, INT),), T, "the comment on a column"),
    ("pg_encoding_to_char", ((INT,),), T, "the name of an encoding"),
    ("pg_client_encoding", ((),), T, "the encoding of the session"),
    ("getdatabaseencoding", ((),), T, "the encoding of the database"),
    ("pretty_sql", ((T,), (T, INT)), T, "SQL laid out in lines of at most y characters"),
    ("redact_sql", ((T,),), T, "SQL with '<REDACTED>' in the place of its constants"),
    ("pg_tablespace_location", ((OID,),), T, "where a tablespace is"),
    ("pg_relation_filepath", ((C,),), T, "the file of a relation: NULL, as each is in memory"),
    *(
        (name, ((),), types.PG_LSN, "how far a replica is: NULL")
        for name in ("pg_last_wal_receive_lsn", "pg_last_wal_replay_lsn")
    ),
    ("pg_stat_clear_snapshot", ((),), T, "forgets statistics that were read: none are kept for a transaction"),
    ("pg_describe_object", ((OID, OID, INT),), T, "an object in words"),
    (
        "pg_identify_object",
        ((OID, OID, INT),),
        IDENTITY,
        "an object's kind, its schema and name, and both as SQL has them",
    ),
)
NUMBERS: Final[Rows] = (
    ("pg_char_to_encoding", ((T,),), INT, "the number of an encoding; -1 for one that there is not"),
    ("pg_relation_size", ((C,), (C, T)), N, "bytes of a relation in memory"),
    ("pg_stat_get_numscans", ((OID,),), N, "scans of a relation: 0, as none is counted"),
    ("pg_table_size", ((C,),), N, "bytes of a relation in memory"),
    ("pg_indexes_size", ((C,),), N, "bytes of a relation's indexes in memory"),
    ("pg_total_relation_size", ((C,),), N, "bytes of a relation and its indexes in memory"),
    ("pg_database_size", ((OID,), (T,)), N, "bytes of a database's relations in memory"),
    ("pg_tablespace_size", ((OID,), (T,)), N, "bytes of all relations in memory"),
    ("pg_relation_filenode", ((C,),), OID, "what a relation is kept under"),
    ("pg_sequence_last_value", ((C,),), N, "the last value of a sequence: NULL, as there are none"),
    ("pg_encoding_max_length", ((INT,),), INT, "the most bytes of a letter in an encoding"),
    *(
        (name, ((),), kind, "the number of the transaction")
        for name, kind in (
            ("txid_current", N),
            ("txid_current_if_assigned", N),
            ("pg_current_xact_id", types.XID8),
            ("pg_current_xact_id_if_assigned", types.XID8),
        )
    ),
    ("age", ((types.XID,),), INT, "how many transactions ago that one was; of one that is always there the most"),
    ("pg_my_temp_schema", ((),), OID, "the session's temporary schema; 0 before it has one"),
    ("pg_get_replica_identity_index", ((C,),), C, "the index that tells rows apart: the primary key's"),
    ("to_regclass", ((T,),), C, "the relation of that name; NULL when there is none"),
    ("to_regtype", ((T,),), types.REGTYPE, "the type of that name; NULL when there is none"),
    ("to_regproc", ((T,),), types.REGPROC, "the function of that name; NULL when there is not just one"),
    ("to_regprocedure", ((T,),), types.REGPROCEDURE, "the function with those arguments; NULL when there is none"),
    ("to_regnamespace", ((T,),), types.REGNAMESPACE, "the schema of that name; NULL when there is none"),
    ("to_regoper", ((T,),), types.REGOPER, "the operator of that name; NULL when there is not just one"),
    ("to_regoperator", ((T,),), types.REGOPERATOR, "the operator with those arguments; NULL when there is none"),
    ("to_regrole", ((T,),), types.REGROLE, "the role of that name; NULL when there is none"),
)
TESTS: Final[Rows] = (
    *(
        (f"pg_{what}_is_visible", ((OID,),), B, f"whether the name of a {what.replace('_', ' ')} finds it")
        for what in ("table", "type", "function", "operator", "opclass", "opfamily", "collation", "conversion",
                     "statistics_obj", "ts_config", "ts_dict", "ts_parser", "ts_template")
    ),
    *(
        (f"has_{what}_privilege", tuple(
            (*user, *on, T) for user in ((), (T,), (OID,)) for on in ((T,), (OID,))
        ), B, f"whether a role (the session's) may do that with a {what.replace('_', ' ')}")
        for what in ("table", "schema", "database", "function", "sequence", "type", "tablespace", "language",
                     "foreign_data_wrapper", "server", "any_column", "cluster", "connection", "secret", "parameter")
    ),
    ("has_system_privilege", ((T,), (T, T), (OID, T)), B, "whether a role (the session's) may do that with the system"),
    ("has_column_privilege", tuple(
        (*user, *on, *column, T) for user in ((), (T,), (OID,)) for on in ((T,), (OID,)) for column in ((T,), (SMALL,))
    ), B, "whether a role (the session's) may do that with a column"),
    *((name, ((T, T), (OID, T), (T, T, T), (T, OID, T), (OID, T, T), (OID, OID, T)), B,
       "whether a role (the session's) is in another") for name in ("pg_has_role", "has_role")),
    ("pg_is_in_recovery", ((),), B, "whether this is a replica"),
    ("pg_cancel_backend", ((INT,),), B, "cancels what a session runs; whether there is that session"),
    ("pg_terminate_backend", ((INT,), (INT, N)), B, "ends a session; whether there is that session"),
    ("pg_jit_available", ((),), B, "whether queries can be compiled: no"),
    ("pg_is_wal_replay_paused", ((),), B, "whether a replica waits: no"),
    ("pg_is_other_temp_schema", ((OID,),), B, "whether a schema is another session's temporary one"),
    ("pg_relation_is_publishable", ((C,),), B, "whether a relation can be published: no"),
    ("pg_relation_is_updatable", ((C, B),), INT, "what may be done with a relation's rows, as bits"),
    ("pg_column_is_updatable", ((C, SMALL, B),), B, "whether a column may be written to"),
    ("row_security_active", ((T,), (OID,)), B, "whether row security holds: no"),
    ("mz_is_superuser", ((),), B, "whether the session's role may do everything"),
)  # fmt: skip
OTHERS: Final[Rows] = (
    (
        "makeaclitem",
        ((OID, OID, T, B),),
        types.ACLITEM,
        "an item of an access list: grantee (0: everybody), grantor, privileges, whether they may be granted on",
    ),
    (
        "acldefault",
        ((types.INTERNAL_CHAR, OID),),
        ACLS,
        "the access list of what a role owns and nobody granted: r relations, n schemas, d databases, T types",
    ),
    ("acl_numbers", ((ACLS,),), types.array_of(T), "an access list with the numbers of its roles for their names"),
    ("current_schemas", ((B,),), types.array_of(T), "the schemas of the search path that exist, the system's if asked"),
    ("set_config", ((T, T, B),), T, "assigns a variable of the session, and gives it; of constants only"),
    (
        "mz_sleep",
        ((INT,), (types.NUMERIC,)),
        types.TIMESTAMPTZ,
        "waits so many seconds before the statement runs, once; NULL; of constants only",
    ),
    ("mz_environment_id", ((),), T, "the name of this environment"),
    ("mz_cluster_id", ((),), types.UUID, "the identifier of this database, for as long as it is"),
    ("mz_is_materialized", ((T,),), B, "whether the rows of an object (by its id or name) are held"),
    ("mz_version_num", ((),), INT, "the version of Materialize that clients go by, as one number"),
    ("mz_session_id", ((),), types.UUID, "the session's identifier"),
    ("connection_id", ((),), N, "the number of the session"),
    ("current_setting", ((T,), (T, B)), T, "a variable of the session; with true NULL for one that there is not"),
    *(
        (
            f"pg_advisory_{'xact_' if of_transaction else ''}lock{'_shared' if shared else ''}",
            ((N,), (INT, INT)),
            T,
            f"takes {'a share of ' if shared else ''}an advisory lock for {of}, and waits for it; of constants only",
        )
        for of_transaction, of in ((False, "the session"), (True, "the transaction"))
        for shared in (False, True)
    ),
    *(
        (
            f"pg_try_advisory_{'xact_' if of_transaction else ''}lock{'_shared' if shared else ''}",
            ((N,), (INT, INT)),
            B,
            f"takes {'a share of ' if shared else ''}an advisory lock for {of} if it is free; whether it was; of "
            "constants only",
        )
        for of_transaction, of in ((False, "the session"), (True, "the transaction"))
        for shared in (False, True)
    ),
    (
        "pg_advisory_unlock",
        ((N,), (INT, INT)),
        B,
        "gives one advisory lock of the session back; whether it had it; of constants only",
    ),
    (
        "pg_advisory_unlock_shared",
        ((N,), (INT, INT)),
        B,
        "gives one share of an advisory lock back; whether the session had it; of constants only",
    ),
    ("pg_advisory_unlock_all", ((),), T, "gives back all advisory locks that the session has for itself"),
    ("pg_sleep", ((types.DOUBLE,),), T, "waits so many seconds before the statement runs, once; of constants only"),
    ("pg_last_xact_replay_timestamp", ((),), types.TIMESTAMPTZ, "how far a replica is: NULL"),
    ("pg_postmaster_start_time", ((),), types.TIMESTAMPTZ, "when this process began"),
    ("pg_conf_load_time", ((),), types.TIMESTAMPTZ, "when this process began"),
    (
        "pg_blocking_pids",
        ((INT,),),
        types.array_of(INT),
        "the sessions that hold the advisory lock that a session waits for",
    ),
    ("pg_backend_pid", ((),), INT, "the number of the session"),
    ("inet_server_addr", ((),), T, "the server's address: NULL"),
    ("inet_server_port", ((),), INT, "the server's port: NULL"),
    ("inet_client_addr", ((),), T, "the client's address: NULL"),
    ("inet_client_port", ((),), INT, "the client's port: NULL"),
)
ON_NULL: Final = (
    ("format_type", ((OID, INT),), T, "a type with its modifier, by their numbers"),
)  # fmt: skip
"""Functions that see NULL arguments."""


WORDS: Final = frozenset((
    "all", "analyse", "analyze", "and", "any", "array", "as", "asc", "asymmetric", "authorization", "binary",
    "both", "case", "cast", "check", "collate", "collation", "column", "concurrently", "constraint", "create",
    "cross", "current_catalog", "current_date", "current_role", "current_schema", "current_time",
    "current_timestamp", "current_user", "default", "deferrable", "desc", "distinct", "do", "else", "end", "except",
    "false", "fetch", "for", "foreign", "freeze", "from", "full", "grant", "group", "having", "ilike", "in",
    "initially", "inner", "intersect", "into", "is", "isnull", "join", "lateral", "leading", "left", "like",
    "limit", "localtime", "localtimestamp", "natural", "not", "notnull", "null", "offset", "on", "only", "or",
    "order", "outer", "overlaps", "placing", "primary", "references", "returning", "right", "select",
    "session_user", "similar", "some", "symmetric", "table", "tablesample", "then", "to", "trailing", "true",
    "union", "unique", "user", "using", "variadic", "verbose", "when", "where", "window", "with",
))  # fmt: skip
"""PostgreSQL's reserved words: names that have to be quoted."""


def _keywords(context: "Context", vectors: Sequence[Vector]) -> Expanded:
    """The reserved words, for clients that ask which names they have to quote."""
    words = sorted(WORDS)
    texts = [context.heap.intern(word.encode()) for word in words]
    letter, true, reserved = (context.heap.intern(text) for text in (b"R", b"can be bare label", b"reserved"))
    n = len(words)
    columns = [texts, [letter] * n, [1] * n, [reserved] * n, [true] * n]
    return Expanded(np.zeros(n, np.int64), tuple(Vector(np.array(column, np.uint64)) for column in columns))


def _options(options: RawValue) -> list[RawValue]:
    parts = (text.partition("=") for text in items_of(options) if text is not None)
    return [(name, value if given else None) for name, given, value in parts]


def _options_to_table(context: "Context", vectors: Sequence[Vector]) -> Expanded:
    return expand(_options, vectors, (OPTIONS_TEXT,), [column.type for column in OPTIONS], context)


def _never(context: "Context", vectors: Sequence[Vector], type: SqlType) -> Vector:
    raise AssertionError("a statement puts the answers of catalog functions in place before it evaluates them")


def _functions() -> Iterator[Function]:
    for rows, on_null in (
        (TEXTS, OnNull.STRICT), (NUMBERS, OnNull.STRICT), (TESTS, OnNull.STRICT), (OTHERS, OnNull.STRICT),
        (ON_NULL, OnNull.OWN),
    ):  # fmt: skip
        for name, overloads, result, doc in rows:
            for parameters in overloads:
                yield Function(
                    name, parameters, result, _never, on_null, can_fail=True, gives_null=True, volatile=True, doc=doc
                )


FUNCTIONS: Final[tuple[Function, ...]] = tuple(_functions())
TABLE_FUNCTIONS: Final = (
    TableFunction(
        "pg_options_to_table",
        (OPTIONS_TEXT,),
        OPTIONS,
        _options_to_table,
        doc="options that were written name=value",
    ),
    TableFunction(
        "pg_get_keywords",
        (),
        (
            Column("word", T, False), Column("catcode", types.INTERNAL_CHAR, False), Column("barelabel", B, False),
            Column("catdesc", T, False), Column("baredesc", T, False),
        ),
        _keywords,
        doc="the reserved words",
    ),
)  # fmt: skip
NAMES: Final = frozenset(function.name for function in FUNCTIONS)
