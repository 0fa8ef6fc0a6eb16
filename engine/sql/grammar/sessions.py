"""Statements that read or that steer the session: SHOW, SET, EXPLAIN, SUBSCRIBE, COPY, transactions."""

from typing import Final

from engine.sql.grammar.tokens import Kind, words
from engine.sql.grammar.writes import Writes
from engine.sql.statements import (
    AsOf,
    Copy,
    CopyFrom,
    Discard,
    Explain,
    SelectStatement,
    SetVariable,
    ShowCreate,
    ShowObjects,
    ShowVariable,
    Stage,
    Subscribe,
    Transaction,
    TransactionVerb,
)  # fmt: skip
from engine.sql.syntax import Name, Query

SHOWN: Final = (
    ("databases",), ("schemas",), ("tables",), ("sources",), ("materialized", "sources"), ("materialized", "views"),
    ("views",), ("sinks",), ("indexes",), ("index",), ("keys",), ("columns",), ("objects",), ("types",),
)  # fmt: skip
"""What SHOW lists."""


class Sessions(Writes):
    """All the rest."""

    __slots__ = ()

    def select(self) -> SelectStatement:
        query = self.query()
        return SelectStatement(query, self.as_of(), self.span())

    def as_of(self) -> AsOf | None:
        """AS OF [AT LEAST] timestamp, if it comes next."""
        if not self.accept("as", "of"):
            return None
        at_least = self.accept("at", "least")
        return AsOf(self.expression(), at_least)

    def subscribe(self) -> Subscribe:
        if self.accept_any("subscribe", "tail") is None:
            self.fail()
        self.accept("to")
        target: Name | Query
        if self.next.key == "(":
            self.expect("(")
            target = self.query()
            self.expect(")")
        elif self.at_query():
            target = self.query()
        else:
            target = self.name()
        if self.next.key == "envelope":
            self.unsupported("SUBSCRIBE ... ENVELOPE")
        if self.at("within", "timestamp"):
            self.unsupported("WITHIN TIMESTAMP ORDER BY")
        options = self.with_options()
        as_of = self.as_of()
        up_to = self.expression() if self.accept("up", "to") else None
        if not options:
            options = self.with_options()
        return Subscribe(target, options, as_of, up_to, self.span())

    def explain(self) -> Explain:
        self.expect("explain")
        self.accept("typed")
        stage = Stage.OPTIMIZED
        if self.next.key in ("analyze", "analyse", "timestamp", "filter"):
            self.unsupported(f"EXPLAIN {self.next.key.upper()}")
        for candidate in Stage:
            if self.accept(candidate.value):
                stage = candidate
                break
        if self.accept("plan"):
            self.accept("as", "text")
            self.expect("for")
        if self.accept("materialized", "view") or self.accept("view"):
            return Explain(stage, self.name(), self.span())
        return Explain(stage, self.query(), self.span())

    def copy(self) -> Copy | CopyFrom:
        self.expect("copy")
        if self.next.key != "(":
            return self._copy_from()
        self.expect("(")
        began, self.began = self.began, self.here
        statement = self.subscribe() if self.next.key in ("subscribe", "tail") else self.select()
        self.began = began
        self.expect(")")
        self.expect("to")
        if not self.accept("stdout"):
            self.unsupported("COPY TO anything but STDOUT")
        form = "text"
        token = self.next
        for option in self.with_options() or (self.options() if self.next.key == "(" else ()):
            if option.name == "format" and isinstance(option.value, str):
                form = option.value
            elif option.name in ("format text", "format csv", "format binary"):
                form = option.name.removeprefix("format ")
            else:
                self.unsupported(f"COPY option {option.name}", token)
        return Copy(statement, form, self.span())

    def _copy_from(self) -> CopyFrom:
        table = self.name()
        columns = self.parenthesised(self.identifier) if self.next.key == "(" else ()
        if self.next.key == "to":
            self.unsupported("COPY table TO")
        self.expect("from")
        if not self.accept("stdin"):
            self.unsupported("COPY FROM anything but STDIN")
        options = self.with_options() or (self.options() if self.next.key == "(" else ())
        return CopyFrom(table, columns, options, self.span())

    def show(self) -> ShowObjects | ShowCreate | ShowVariable:
        self.expect("show")
        if self.accept("create"):
            kind = self.object_kind()
            return ShowCreate(kind, self.name(), self.span())
        self.accept_any("full", "extended")
        for keys in SHOWN:
            if self.accept(*keys):
                return self._show_objects(" ".join(keys))
        return ShowVariable(self._variable(), self.span())

    def _show_objects(self, what: str) -> ShowObjects:
        what = "indexes" if what in ("index", "keys") else what
        from_ = None
        if self.accept_any("from", "in", "on"):
            from_ = self.name()
        elif what == "columns":
            self.fail()
        like = where = None
        if self.accept("like"):
            like = self.string()
        elif self.accept("where"):
            where = self.expression()
        return ShowObjects(what, from_, like, where, self.span())

    def _variable(self) -> str:
        if self.accept("time", "zone"):
            return "timezone"
        if self.accept("transaction", "isolation", "level"):
            return "transaction_isolation"
        if self.accept("names"):
            return "client_encoding"
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
        if self.at("characteristics") or self.at_any("transaction"):
            while not self.ended:
                self.advance()  # isolation levels are accepted: all of them are strict serializable here
            return SetVariable("transaction_isolation", ("strict serializable",), local, self.span())
        name = self._variable()
        given = self.accept_any("to", "=")
        if given is None and name not in ("timezone", "client_encoding"):
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
        return SetVariable(self._variable(), None, False, self.span())

    def transaction(self) -> Transaction:
        word = self.advance().key
        if word == "start":
            self.expect("transaction")
        else:
            self.accept_any("work", "transaction")
        if word in ("begin", "start"):
            while not self.ended:
                if self.next.key not in TRANSACTION_MODES:
                    self.fail()
                self.advance()
            return Transaction(TransactionVerb.BEGIN, self.span())
        if self.at("to"):
            self.unsupported("SAVEPOINT")
        if self.accept("and"):
            self.accept("no")
            self.expect("chain")
        verb = TransactionVerb.COMMIT if word in ("commit", "end") else TransactionVerb.ROLLBACK
        return Transaction(verb, self.span())

    def discard(self) -> Discard:
        self.expect("discard")
        what = self.accept_any("all", "temp", "temporary", "plans", "sequences")
        if what is None:
            self.fail()
        return Discard(what, self.span())


TRANSACTION_MODES: Final = words(
    """isolation level read write only committed uncommitted repeatable serializable strict deferrable not ,"""
)
"""Words of BEGIN's modes: accepted, and all the same here."""
