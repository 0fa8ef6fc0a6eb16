"""Numbers for what has a name but no id of its own: databases, schemas and roles.

A name gets its number when it is first asked for and keeps it as long as the process runs, whoever drops and makes it
again. Those that every PostgreSQL has are PostgreSQL's.
"""

from collections.abc import Mapping
from threading import Lock
from typing import Final

from engine.catalog.catalog import DEFAULT_DATABASE, DEFAULT_SCHEMA, SYSTEM_DATABASE
from engine.catalog.items import Item
from engine.catalog.roles import SUPERUSER

OWNER: Final = 10
"""The role that owns everything: privileges and ownership are not kept."""

FIXED: Final[Mapping[tuple[str, ...], int]] = {
    ("database", DEFAULT_DATABASE): 16_384,
    ("schema", SYSTEM_DATABASE, "pg_catalog"): 11,
    ("schema", DEFAULT_DATABASE, DEFAULT_SCHEMA): 2200,
    ("schema", SYSTEM_DATABASE, "information_schema"): 13_000,
    ("schema", SYSTEM_DATABASE, "mz_catalog"): 13_001,
    ("schema", SYSTEM_DATABASE, "mz_internal"): 13_002,
    ("role", SUPERUSER): OWNER,
}
FIRST: Final = 16_385
"""Below it are the numbers of the system: clients tell its objects from the users' by that."""


class Oids:
    """The numbers given so far. Safe in any thread."""

    def __init__(self) -> None:
        self._given: dict[tuple[str, ...], int] = dict(FIXED)
        self._lock = Lock()

    def database(self, name: str) -> int:
        return self._of("database", name)

    def schema(self, database: str, name: str) -> int:
        return self._of("schema", database, name)

    def schema_of(self, item: Item) -> int:
        return self._of("schema", item.name.database, item.name.schema)

    def role(self, name: str) -> int:
        return self._of("role", name)

    def _of(self, *key: str) -> int:
        found = self._given.get(key)
        if found is None:
            with self._lock:
                found = self._given.setdefault(key, FIRST + len(self._given))
        return found
