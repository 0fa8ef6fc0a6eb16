"""Statements about a session's own names: prepared statements and cursors."""

from engine.sql.grammar.sessions import Sessions
from engine.sql.grammar.tokens import Kind
from engine.sql.statement.session import CloseCursor, Deallocate, Declare, Execute, Fetch, Prepare


class Cursors(Sessions):
    """PREPARE, EXECUTE, DEALLOCATE; DECLARE, FETCH, MOVE, CLOSE."""

    __slots__ = ()

    def prepare(self) -> Prepare:
        self.expect("prepare")
        name = self.identifier()
        types = self.parenthesised(self._type_text) if self.next.key == "(" else ()
        self.expect("as")
        begin = self.here
        if self.ended or self.next.key == ";":
            self.fail()
        while not self.ended and self.next.key != ";":
            self.advance()
        return Prepare(name, types, self.text[begin - 1 : self.before - 1], self.span())

    def _type_text(self) -> str:
        begin = self.here
        self.type_name()
        return self.text[begin - 1 : self.before - 1]

    def execute(self) -> Execute:
        self.expect("execute")
        name = self.identifier()
        arguments: tuple[str, ...] = ()
        if not self.accept("(", ")") and self.next.key == "(":
            arguments = self.parenthesised(self._expression_text)
        return Execute(name, arguments, self.span())

    def _expression_text(self) -> str:
        begin = self.here
        self.expression()
        return self.text[begin - 1 : self.before - 1]

    def deallocate(self) -> Deallocate:
        self.expect("deallocate")
        self.accept("prepare")
        return Deallocate(None if self.accept("all") else self.identifier(), self.span())

    def declare(self) -> Declare:
        self.expect("declare")
        name = self.identifier()
        binary = False
        while not self.accept("cursor"):
            if self.accept("binary"):
                binary = True
            elif self.accept_any("insensitive", "asensitive") is None and not self.accept("no", "scroll"):
                if self.next.key == "scroll":
                    self.unsupported("a SCROLL cursor")
                self.fail()
        hold = self.accept("with", "hold")
        if not hold:
            self.accept("without", "hold")
        self.expect("for")
        began, self.began = self.began, self.here
        statement = self.subscribe() if self.next.key in ("subscribe", "tail") else self.select()
        self.began = began
        return Declare(name, statement, self.span(), binary, hold)

    def move(self) -> Fetch:
        return self._over("move")

    def fetch(self) -> Fetch:
        return self._over("fetch")

    def _over(self, verb: str) -> Fetch:
        self.expect(verb)
        count: int | None = 1
        if self.at_any("backward", "prior", "first", "last", "absolute", "relative"):
            self.unsupported(f"{verb.upper()} {self.next.key.upper()}")
        stepped = self.accept_any("forward", "next")
        if self.accept("all"):
            count = None
        elif self.next.kind is Kind.NUMBER and stepped != "next":
            count = self.integer()
        if self.accept_any("from", "in") is None and self.next.kind not in (Kind.WORD, Kind.QUOTED):
            self.fail()
        return Fetch(self.identifier(), count, self.with_options(), self.span(), verb == "move")

    def close(self) -> CloseCursor:
        self.expect("close")
        return CloseCursor(None if self.accept("all") else self.identifier(), self.span())
