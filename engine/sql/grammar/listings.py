"""SHOW of objects: a statement, and a query wherever one may stand."""

from typing import Final

from engine.sql.grammar.options import Options
from engine.sql.syntax import Name, Show

SHOWN: Final = (
    ("databases",), ("schemas",), ("tables",), ("sources",), ("subsources",), ("materialized", "sources"),
    ("materialized", "views"), ("views",), ("sinks",), ("indexes",), ("index",), ("indices",), ("keys",), ("columns",),
    ("objects",), ("types",), ("secrets",), ("connections",), ("clusters",), ("cluster", "replicas"), ("roles",),
    ("users",), ("role", "membership"), ("default", "privileges"), ("privileges",), ("network", "policies"),
    ("durable", "subscriptions"),
)  # fmt: skip
"""What SHOW lists."""

SAME: Final = {"index": "indexes", "indices": "indexes", "keys": "indexes", "users": "roles"}
"""Other words for the same."""


GRANTED: Final = ("privileges", "default privileges")
"""Of which ON says of what kind of object."""


class Listings(Options):
    """SHOW [FULL] [EXTENDED] objects [FROM name] [ON name] [IN CLUSTER name] [LIKE pattern | WHERE condition]."""

    __slots__ = ()

    def at_listing(self, ahead: int = 0) -> bool:
        """Whether SHOW and something that it lists come next; `ahead` tokens are passed over."""
        if self.peek(ahead).key != "show":
            return False
        ahead += 1
        while self.peek(ahead).key in ("full", "extended"):
            ahead += 1
        return any(all(self.peek(ahead + i).key == key for i, key in enumerate(keys)) for keys in SHOWN)

    def listing(self) -> Show:
        at = self.expect("show").at
        full = extended = False
        while (word := self.accept_any("full", "extended")) is not None:
            full, extended = full or word == "full", extended or word == "extended"
        keys = next((keys for keys in SHOWN if self.accept(*keys)), None)
        if keys is None:
            self.fail()
        what = " ".join(keys)
        what = SAME.get(what, what)
        from_: Name | None = None
        on: Name | None = None
        of: str | None = None
        cluster: str | None = None
        while True:
            if cluster is None and self.accept("in", "cluster"):
                cluster = self.identifier()
            elif from_ is None and self.accept_any("from", "in"):
                from_ = self.name()
            elif of is None and what in GRANTED and self.accept("on"):
                of = self._granted_on()
            elif on is None and self.accept_any("on", "for"):
                on = self.name()
            else:
                break
        if what == "columns" and from_ is None and on is None:
            self.fail()
        like = where = None
        if self.accept("like"):
            like = self.string()
        elif self.accept("where"):
            where = self.expression()
        return Show(what, full, extended, from_, on, cluster, like, where, at, of)

    def _granted_on(self) -> str:
        """The kind of object whose privileges are listed: {TABLES | MATERIALIZED VIEWS | ...}, or its singular."""
        for keys in SHOWN:
            kind = keys[-1].removesuffix("s") if keys[-1] != "indexes" else "index"
            if self.accept(*keys) or self.accept(*keys[:-1], kind):
                return " ".join((*keys[:-1], kind))
        if self.accept("system"):
            return "system"
        self.fail()
