"""ALTER: what changes an object that is there."""

from typing import TypeAlias

from engine.sql.grammar.definitions import Definitions
from engine.sql.statements import AlterRole, Grant

Alteration: TypeAlias = AlterRole | Grant


class Alters(Definitions):
    """ALTER."""

    __slots__ = ()

    def alter(self) -> Alteration:
        self.expect("alter")
        if self.at_any("role", "user"):
            return self.alter_role()
        if self.at("default", "privileges"):
            while not self.ended:
                self.advance()
            return Grant("ALTER DEFAULT PRIVILEGES", self.span())
        self.unsupported(f"ALTER {self.next.key.upper()}")
