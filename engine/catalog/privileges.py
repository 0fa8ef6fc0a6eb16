"""Privileges: what may be granted on each kind of thing, and what is granted as long as nobody says.

kind         what PostgreSQL calls it in acldefault()
owner        has all of the kind's, and may grant them on
PUBLIC       everybody: may connect to databases and use types
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final

from engine.expr.acl import PUBLIC, AclItem


class Kind(Enum):
    """What privileges are on."""

    RELATION = "TABLE"
    SCHEMA = "SCHEMA"
    DATABASE = "DATABASE"
    CLUSTER = "CLUSTER"
    SECRET = "SECRET"
    CONNECTION = "CONNECTION"
    TYPE = "TYPE"
    SYSTEM = "SYSTEM"
    FUNCTION = "FUNCTION"


@dataclass(frozen=True, slots=True)
class Grants:
    """Letters: all that may be granted on a kind, and what PUBLIC has from the beginning."""

    all: str
    public: str = ""


GRANTS: Final[Mapping[Kind, Grants]] = {
    Kind.RELATION: Grants("arwdDxt"),
    Kind.SCHEMA: Grants("UC"),
    Kind.DATABASE: Grants("UCTc", "Tc"),
    Kind.CLUSTER: Grants("UC", "U"),
    Kind.SECRET: Grants("U"),
    Kind.CONNECTION: Grants("U"),
    Kind.TYPE: Grants("U", "U"),
    Kind.SYSTEM: Grants("RBNP"),
    Kind.FUNCTION: Grants("X", "X"),
}
OBJECT_TYPES: Final[Mapping[str, Kind]] = {
    "r": Kind.RELATION, "n": Kind.SCHEMA, "d": Kind.DATABASE, "T": Kind.TYPE, "f": Kind.FUNCTION,
}  # fmt: skip
"""The letters of acldefault()."""


def default(kind: Kind, owner: str) -> tuple[AclItem, ...]:
    """The access list of what belongs to `owner` before anybody grants or revokes."""
    grants = GRANTS[kind]
    everybody = (AclItem(PUBLIC, owner, grants.public),) if grants.public else ()
    return (*everybody, AclItem(owner, owner, grants.all))
