"""What to do when a server does not let us in, or not at something.

Before a client is let in libpq has the server's words alone, without their SQLSTATE. They are looked for in English; of
a server that speaks another language the words are told as they are.
"""

from typing import Final

from engine.catalog.connections import PostgresConnection
from engine.connectors.postgres.quoting import quoted

AT_THE_DOOR: Final = (
    (
        "password authentication failed",
        "Its secret here is not the password of {user} there: ALTER SECRET ... AS '...' here, or there "
        "ALTER ROLE {user} PASSWORD '...';",
    ),
    (
        "pg_hba.conf",
        "There: a line of pg_hba.conf that lets {user} into database {database} from this host, then "
        "SELECT pg_reload_conf();",
    ),
    ("replication role", "There: ALTER ROLE {user} REPLICATION;"),
    ("start WAL sender", "There: ALTER ROLE {user} REPLICATION;"),
    ("not permitted to log in", "There: ALTER ROLE {user} LOGIN;"),
    ("permission denied for database", "There: GRANT CONNECT ON DATABASE {database} TO {user};"),
    ("max_wal_senders", "There: a larger max_wal_senders in postgresql.conf and a restart, or fewer that follow it."),
    ("connection slots", "There: a larger max_connections in postgresql.conf and a restart, or fewer clients."),
    ("too many connections", "There: a larger CONNECTION LIMIT of {user} or of database {database}, or fewer clients."),
)
"""What is in the words, and what to do. The first that fits."""

INSUFFICIENT_PRIVILEGE: Final = "42501"


def at_the_door(said: str, to: PostgresConnection, user: str) -> str | None:
    """What to do about the words with which a server did not let us in, if that is known."""
    found = next((hint for words, hint in AT_THE_DOOR if words in said), None)
    return None if found is None else found.format(user=quoted(user), database=quoted(to.database))


def inside(sqlstate: str, user: str) -> str | None:
    """What to do about an error of a statement that comes without a hint, if that is known."""
    if sqlstate != INSUFFICIENT_PRIVILEGE:
        return None
    return f"There: GRANT SELECT on the tables, and USAGE on their schemas, TO {quoted(user)};"
