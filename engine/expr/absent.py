"""What PostgreSQL has and Tailrace has not, by name, with what there is to do instead."""

from collections.abc import Mapping
from typing import Final

NO_SEQUENCES: Final = "There are no sequences: number rows where they are made, or make keys with gen_random_uuid()."
NO_CHANNELS: Final = "There are no channels: SUBSCRIBE tells a client of changes."

FUNCTIONS: Final[Mapping[str, str]] = {
    **dict.fromkeys(("nextval", "currval", "lastval", "setval"), NO_SEQUENCES),
    **dict.fromkeys(("pg_notify", "pg_listening_channels"), NO_CHANNELS),
}
TYPES: Final[Mapping[str, str]] = dict.fromkeys(
    ("serial", "serial2", "serial4", "serial8", "smallserial", "bigserial"), NO_SEQUENCES
)
STATEMENTS: Final[Mapping[str, str]] = {
    "sequence": NO_SEQUENCES, "generated": NO_SEQUENCES, "listen": NO_CHANNELS, "notify": NO_CHANNELS,
    "trigger": "A view is kept up to date, and SUBSCRIBE tells of its changes.",
    "function": "Write the expression where it is used, or in a view.",
    "procedure": "Send the statements one after the other.",
    "extension": "There is nothing to load: docs/functions.md lists the functions that there are.",
    "domain": "Write the type itself.",
}  # fmt: skip
"""By the word that follows CREATE, or that is the statement's."""

ANEW: Final = "DROP it and CREATE it anew: in a block, at COMMIT, nobody sees it missing."
IN_MEMORY: Final = "Leave it out: there is nothing to do, for what is kept is kept up to date in memory."
NO_POLICIES: Final = "Give each role a view of the rows that it may see."
ONE_PHASE: Final = "Leave it out: a transaction commits by COMMIT alone."
ELSEWHERE: Final = "Read what is elsewhere with CREATE SOURCE."

FORMS: Final[Mapping[tuple[str, ...], str]] = {
    **{("create", "or", "replace", what): ANEW for what in ("table", "source", "index", "sink", "schema", "type",
                                                           "connection", "secret", "cluster", "role")},
    ("create", "or", "replace", "function"): "Write the expression where it is used, or in a view.",
    ("create", "or", "replace", "procedure"): "Send the statements one after the other.",
    ("create", "or", "replace", "trigger"): STATEMENTS["trigger"],
    ("create", "or", "replace", "rule"): STATEMENTS["trigger"],
    ("create", "rule"): STATEMENTS["trigger"],
    ("create", "unique"): "Give the table the constraint UNIQUE: CREATE TABLE, or ALTER TABLE ... ADD UNIQUE (...).",
    ("create", "aggregate"): "Write the expression where it is used, or in a view.",
    ("create", "operator"): "Write the expression where it is used, or in a view.",
    ("create", "cast"): "Write the expression where it is used, or in a view.",
    ("create", "collation"): "Text is ordered by its bytes: leave it out.",
    ("create", "publication"): "CREATE SINK tells a topic of the changes, SUBSCRIBE a client.",
    ("create", "subscription"): ELSEWHERE,
    ("create", "server"): ELSEWHERE,
    ("create", "foreign"): ELSEWHERE,
    ("import", "foreign"): ELSEWHERE,
    ("create", "statistics"): IN_MEMORY,
    ("create", "policy"): NO_POLICIES,
    ("create", "network", "policy"): "Let the server listen where only those who may can reach it: docs/settings.md.",
    ("alter", "network", "policy"): "There are none.",
    ("drop", "network", "policy"): "There are none.",
    ("create", "unlogged"): "Leave UNLOGGED out, or CREATE TEMPORARY TABLE.",
    ("create", "tablespace"): "The server's --data-directory is where everything is.",
    ("create", "query", "policy"): "EXPLAIN shows what a query reads; statement_timeout and max_result_size bound it.",
    ("create", "branch"): "Make a schema, and in it views over the tables of this one.",
    ("create", "api"): "GET /api/... reads relations as they are: docs/http.md.",
    ("create", "metric"): "/metrics has those of docs/metrics.md; GET /api/... reads views.",
    ("inspect",): "mz_internal shows what is held: docs/system-relations.md.",
    ("prepare", "transaction"): ONE_PHASE,
    ("commit", "prepared"): ONE_PHASE,
    ("rollback", "prepared"): ONE_PHASE,
    ("set", "constraints"): "Constraints hold after each write: leave it out.",
    ("lock",): "Leave it out: a transaction fails with 40001 where others changed what it read; run it again.",
    ("vacuum",): IN_MEMORY,
    ("analyze",): IN_MEMORY,
    ("cluster",): IN_MEMORY,
    ("reindex",): IN_MEMORY,
    ("checkpoint",): "Leave it out: a write is on disk when it is acknowledged.",
    ("refresh",): "Leave it out: a materialized view is as of the last commit.",
    ("call",): "Send the statements one after the other.",
    ("do",): "Send the statements one after the other.",
    ("load",): "There is nothing to load: docs/functions.md lists the functions that there are.",
    ("security",): "COMMENT ON keeps a text.",
    ("listen",): NO_CHANNELS,
    ("notify",): NO_CHANNELS,
    **{("create", word): hint for word, hint in STATEMENTS.items() if word not in ("generated", "listen", "notify")},
}  # fmt: skip
"""Statements by their first words."""
FIRST_WORDS_MAX: Final = max(map(len, FORMS))

NO_ROW_LOCKS: Final = (
    "Leave it out: a block that writes fails with 40001 when what it has read has changed, and is run again. "
    "pg_advisory_xact_lock() waits."
)
ALTERATIONS: Final[Mapping[tuple[str, ...], str]] = {
    ("set", "logged"): IN_MEMORY,
    ("set", "unlogged"): IN_MEMORY,
    ("set", "tablespace"): "The server's --data-directory is where everything is.",
    ("enable",): NO_POLICIES,
    ("disable",): NO_POLICIES,
    ("force",): NO_POLICIES,
    ("inherit",): "A view unites several tables with UNION ALL.",
    ("no", "inherit"): "A view unites several tables with UNION ALL.",
    ("attach",): "A view unites several tables with UNION ALL.",
    ("detach",): "A view unites several tables with UNION ALL.",
    ("validate",): "Constraints hold from the moment they are there: leave it out.",
    ("cluster", "on"): IN_MEMORY,
    ("replica",): "Changes are told whole: leave it out.",
}
"""What ALTER does to a kind of object elsewhere, by its first words."""
