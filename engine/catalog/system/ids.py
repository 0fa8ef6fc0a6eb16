"""Ids as mz_catalog shows them: `u1` for what users made, `s1` for what is there from the beginning."""

from typing import Final

from engine.catalog.catalog import FIRST_USER_ID, SYSTEM_DATABASE
from engine.catalog.items import Item
from engine.catalog.roles import SUPERUSER
from engine.catalog.system.oids import Oids

CLUSTER: Final = "s1"
"""The one cluster: dataflows of all objects run on the workers of this process."""
OWNER_ID: Final = "s10"
"""Objects belong to the role that is there from the beginning: ownership is not kept."""


def object_id(id: int) -> str:
    """The id of an item."""
    return f"{'u' if id >= FIRST_USER_ID else 's'}{id}"


def object_number(text: str) -> int | None:
    """The inverse of object_id; None for what is none."""
    return int(text[1:]) if text[:1] in ("s", "u") and text[1:].isdecimal() else None


def schema_id(oids: Oids, database: str, name: str) -> str:
    return f"{'s' if database == SYSTEM_DATABASE else 'u'}{oids.schema(database, name)}"


def schema_id_of(oids: Oids, item: Item) -> str:
    return schema_id(oids, item.name.database, item.name.schema)


def database_id(oids: Oids, name: str) -> str:
    return f"u{oids.database(name)}"


def role_id(oids: Oids, name: str) -> str:
    return OWNER_ID if name == SUPERUSER else f"u{oids.role(name)}"
