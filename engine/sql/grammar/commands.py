"""Any statement, by its first word."""

from typing import Final

from engine.expr import absent
from engine.sql.grammar.cursors import Cursors
from engine.sql.statements import Statement

METHODS: Final = {
    **dict.fromkeys(("select", "values", "with", "table", "("), "select_or_into"),
    "insert": "insert", "update": "update", "delete": "delete", "merge": "merge", "truncate": "truncate",
    "create": "create", "drop": "drop", "subscribe": "subscribe",
    "tail": "subscribe", "explain": "explain", "copy": "copy", "show": "show",
    "set": "set", "reset": "reset", "discard": "discard", "begin": "transaction", "start": "transaction",
    "prepare": "prepare", "execute": "execute", "deallocate": "deallocate", "declare": "declare", "fetch": "fetch",
    "move": "move", "raise": "raise_",
    "grant": "grant", "revoke": "revoke", "reassign": "reassign", "alter": "alter", "comment": "comment",
    "close": "close", "commit": "transaction", "end": "transaction", "rollback": "transaction", "abort": "transaction",
    "savepoint": "savepoint", "release": "release", "unlisten": "unlisten",
    "validate": "validate", "acknowledge": "acknowledge",
}  # fmt: skip
"""The first word of a statement and the method that reads it."""


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
        self.refuse_absent()
        if method is None:
            self.fail()
        self.into = None
        made = getattr(self, method)()
        if self.into is not None:
            self.unsupported(
                "SELECT INTO within a statement", self.into.token, "It stands at the top of a statement only."
            )
        return made

    def refuse_absent(self) -> None:
        """An error for a statement that is known elsewhere, which says what to do instead."""
        words = tuple(self.peek(ahead).key for ahead in range(absent.FIRST_WORDS_MAX))
        for length in range(absent.FIRST_WORDS_MAX, 0, -1):
            hint = absent.FORMS.get(words[:length])
            if hint is not None:
                self.unsupported(" ".join(words[:length]).upper(), hint=hint)
