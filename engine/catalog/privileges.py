"""Privileges as long as nobody says: an owner has all that may be granted on a thing, and may grant them on; everybody
may connect to databases, and use types and functions.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from engine.expr.acl import PUBLIC, AclItem


@dataclass(frozen=True, slots=True)
class Grants:
    """Letters: all that may be granted on a kind of thing, and what PUBLIC has from the beginning."""

    all: str
    public: str = ""

    def default(self, owner: str) -> tuple[AclItem, ...]:
        """The access list of what belongs to `owner` before anybody grants or revokes."""
        everybody = (AclItem(PUBLIC, owner, self.public),) if self.public else ()
        return (*everybody, AclItem(owner, owner, self.all))


GRANTS: Final[Mapping[str, Grants]] = {
    "r": Grants("arwdDxt"), "n": Grants("UC"), "d": Grants("UCTc", "Tc"), "T": Grants("U", "U"), "f": Grants("X", "X"),
}  # fmt: skip
"""By the letters of acldefault(): relations, schemas, databases, types, functions."""
