"""Any statement, by its first word."""

from typing import Final

from engine.expr.keywords import words
from engine.sql.grammar.cursors import Cursors
from engine.sql.statements import Statement

METHODS: Final = {
    "select": "select", "values": "select", "with": "select", "table": "select", "(": "select",
    "insert": "insert", "update": "update", "delete": "delete", "truncate": "truncate",
    "create": "create", "drop": "drop", "subscribe": "subscribe",
    "tail": "subscribe", "explain": "explain", "copy": "copy", "show": "show",
    "set": "set", "reset": "reset", "discard": "discard", "begin": "transaction", "start": "transaction",
    "prepare": "prepare", "execute": "execute", "deallocate": "deallocate", "declare": "declare", "fetch": "fetch",
    "grant": "grant", "revoke": "revoke", "reassign": "reassign", "alter": "alter", "comment": "comment",
    "close": "close", "commit": "transaction", "end": "transaction", "rollback": "transaction", "abort": "transaction",
    "savepoint": "savepoint", "release": "release", "unlisten": "unlisten",
    "validate": "validate",
}  # fmt: skip
"""The first word of a statement and the method that reads it."""

REFUSED: Final = words(
    """vacuum analyze lock cluster reindex listen notify
    call do merge refresh checkpoint load move security"""
)
"""Statements of PostgreSQL that are known, and not run."""


class Commands(Cursors):
    """The whole grammar."""

    __slots__ = ()

    def statements(self) -> list[Statement]:
        """All of the text. Empty statements are none."""
        found: list[Statement] = []
        while True:
            while self.accept(";"):
                pass
            if self.ended:
                return found
            found.append(self.statement())
            if not self.ended:
                self.fail()

    def statement(self) -> Statement:
        """The statement that starts here."""
        token = self.next
        self.began = token.at
        method = METHODS.get(token.key)
        if method is None:
            if token.key in REFUSED:
                self.unsupported(token.key.upper())
            self.fail()
        return getattr(self, method)()
