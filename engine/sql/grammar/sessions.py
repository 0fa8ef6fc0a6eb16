"""Statements that read or that steer the session: SHOW, SET, transactions."""

from typing import Final

from engine.expr.keywords import words
from engine.sql.grammar.explains import Explains
from engine.sql.grammar.tokens import Kind
from engine.sql.statement.definitions import Inert, Reason
from engine.sql.statement.session import (
    Discard,
    Raise,
    SetVariable,
    ShowCreate,
    ShowObjects,
    ShowVariable,
    Transaction,
    TransactionVerb,
)

LEVELS: Final = {
    "debug": "DEBUG1", "log": "LOG", "info": "INFO", "notice": "NOTICE", "warning": "WARNING", "exception": "ERROR",
    "error": "ERROR",
}  # fmt: skip
"""What RAISE may say, and the severity that it is of."""


class Sessions(Explains):
    """All the rest."""

    __slots__ = ()

    def show(self) -> ShowObjects | ShowCreate | ShowVariable:
        if self.at_listing():
            return ShowObjects(self.query(), self.span())
        self.expect("show")
        self.accept("redacted")  # nothing that is shown has a secret in it
        if self.accept("create"):
            kind = self.object_kind()
            return ShowCreate(kind, self.name(), self.span())
        return ShowVariable(self._variable(), self.span())

    def raise_(self) -> Raise:
        self.expect("raise")
        word = self.accept_any(*LEVELS) or "exception"
        level = LEVELS[word]
        message = self.string() if self.next.kind is Kind.STRING else f"raised a test {level.lower()}"
        return Raise(level, message, self.span())

    def _variable(self) -> str:
        if self.accept("time", "zone"):
            return "timezone"
        if self.accept("transaction", "isolation", "level"):
            return "transaction_isolation"
        if self.accept("names"):
            return "client_encoding"
        if self.accept("session", "authorization") or self.accept("authorization"):
            return "session_authorization"
        if self.accept("all"):
            return "all"
        parts = [self.label()]
        while self.accept("."):
            parts.append(self.label())
        return ".".join(parts).lower()

    def set(self) -> SetVariable | Transaction:
        self.expect("set")
        local = self.accept("local")
        if not local:
            self.accept("session")
        if self.accept("characteristics", "as", "transaction"):
            read_only = self._modes()
            if read_only is None:
                return SetVariable("default_transaction_isolation", ("strict serializable",), local, self.span())
            return SetVariable("default_transaction_read_only", (on_off(read_only),), local, self.span())
        if self.accept("transaction"):
            read_only = self._modes()
            if read_only is None:
                return SetVariable("transaction_isolation", ("strict serializable",), local, self.span())
            return SetVariable("transaction_read_only", (on_off(read_only),), local, self.span())
        name = self._variable()
        given = self.accept_any("to", "=")
        if given is None and name not in WITHOUT_TO:
            self.fail()
        if self.accept("default"):
            return SetVariable(name, None, local, self.span())
        return SetVariable(name, self.list_of(self._setting), local, self.span())

    def _setting(self) -> str:
        token = self.next
        if token.key == "-":
            self.advance()
            if self.next.kind is not Kind.NUMBER:
                self.fail()
            return "-" + self.advance().value
        if token.kind in (Kind.STRING, Kind.NUMBER, Kind.WORD, Kind.QUOTED):
            return self.advance().value
        self.fail()

    def reset(self) -> SetVariable:
        self.expect("reset")
        return SetVariable(self._variable(), None, False, self.span(), resets=True)

    def transaction(self) -> Transaction:
        word = self.advance().key
        if word == "start":
            self.expect("transaction")
        else:
            self.accept_any("work", "transaction")
        if word in ("begin", "start"):
            read_only = self._modes()
            return Transaction(TransactionVerb.BEGIN, self.span(), read_only=read_only)
        if word == "rollback" and self.accept("to"):
            self.accept("savepoint")
            name = self.identifier()
            return Transaction(TransactionVerb.ROLLBACK_TO, self.span(), name)
        if self.accept("and"):
            if not self.accept("no"):
                self.unsupported("AND CHAIN")
            self.expect("chain")
        verb = TransactionVerb.COMMIT if word in ("commit", "end") else TransactionVerb.ROLLBACK
        return Transaction(verb, self.span())

    def _modes(self) -> bool | None:
        """The modes of a transaction: whether it only reads, None where that is not said. Isolation levels are
        accepted: all of them are strict serializable here."""
        read_only = None
        while not self.ended:
            if self.accept("read", "only"):
                read_only = True
            elif self.accept("read", "write"):
                read_only = False
            elif self.next.key not in TRANSACTION_MODES:
                self.fail()
            else:
                self.advance()
        return read_only

    def unlisten(self) -> Inert:
        self.expect("unlisten")
        if not self.accept("*"):
            self.identifier()
        return Inert("UNLISTEN", Reason.CHANNELS, self.span())

    def savepoint(self) -> Transaction:
        self.expect("savepoint")
        name = self.identifier()
        return Transaction(TransactionVerb.SAVEPOINT, self.span(), name)

    def release(self) -> Transaction:
        self.expect("release")
        self.accept("savepoint")
        name = self.identifier()
        return Transaction(TransactionVerb.RELEASE, self.span(), name)

    def discard(self) -> Discard:
        self.expect("discard")
        what = self.accept_any("all", "temp", "temporary", "plans", "sequences")
        if what is None:
            self.fail()
        return Discard(what, self.span())


WITHOUT_TO: Final = frozenset({"timezone", "client_encoding", "session_authorization", "role", "schema"})
"""Variables that have forms of SET of their own: SET TIME ZONE, SET NAMES, SET SESSION AUTHORIZATION, SET ROLE, SET
SCHEMA."""
TRANSACTION_MODES: Final = words(
    """isolation level read committed uncommitted repeatable serializable strict deferrable not ,"""
)
"""Words of a transaction's other modes: accepted, and all the same here."""


def on_off(value: bool) -> str:
    return "on" if value else "off"
