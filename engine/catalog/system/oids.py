"""Numbers for what has a name but no id of its own: databases, schemas and roles.

A name gets its number when it is first asked for, the same for all sessions, and keeps it as long as the process runs,
whoever drops and makes it again. What is in the catalog keeps it for ever: the log has it, as a fact by the name. Those
that every PostgreSQL has are PostgreSQL's.
"""

import json
from collections.abc import Mapping
from threading import Lock
from typing import Final

from engine.catalog.catalog import DEFAULT_DATABASE, DEFAULT_SCHEMA, SYSTEM_DATABASE, Catalog
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
    ("schema", SYSTEM_DATABASE, "mz_introspection"): 13_003,
    ("role", SUPERUSER): OWNER,
}
FIRST: Final = 16_385
"""Below it are the numbers of the system: clients tell its objects from the users' by that."""


OID: Final = "oid"
"""The kind of the log's facts: a number, by what has it as a JSON list."""


class Oids:
    """The numbers given so far. Safe in any thread; what the log is told changes under the tick lock."""

    def __init__(self) -> None:
        self._given: dict[tuple[str, ...], int] = dict(FIXED)
        self._told: set[tuple[str, ...]] = set()
        self._lock = Lock()

    def restore(self, facts: Mapping[str, str]) -> None:
        """The numbers that the log has. Before any other is given."""
        kept = {tuple(json.loads(key)): int(number) for key, number in facts.items()}
        taken = set(kept.values())
        self._given = {key: number for key, number in FIXED.items() if number not in taken} | kept
        self._told.update(kept)

    def facts(self, catalog: Catalog) -> dict[tuple[str, str], str | None]:
        """What the log has to hear: the numbers of what this catalog has and it was not told, and what is no more."""
        named = {("database", name) for name in catalog.databases}
        named |= {("schema", *pair) for pair in catalog.schemas}
        named |= {("role", name) for name in catalog.roles}
        named = {key for key in named if FIXED.get(key) != self._of(*key)}
        found: dict[tuple[str, str], str | None] = {}
        for key in sorted(named - self._told):
            found[OID, json.dumps(key)] = str(self._of(*key))
        for key in self._told - named:
            found[OID, json.dumps(key)] = None
        self._told = named
        return found

    def renamed(self, before: Catalog, after: Catalog) -> None:
        """A database or a schema has another name, and the number that it had."""
        for kind, gone, new in (
            ("schema", before.schemas - after.schemas, after.schemas - before.schemas),
            ("database", {(name,) for name in before.databases - after.databases},
             {(name,) for name in after.databases - before.databases}),
        ):  # fmt: skip
            with self._lock:
                for old, name in zip(sorted(gone), sorted(new), strict=True):
                    self._given[kind, *name] = self._given.pop((kind, *old), None) or self._next()

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
                found = self._given.setdefault(key, self._next())
        return found

    def _next(self) -> int:
        return max(FIRST, 1 + max(self._given.values()))
