"""Lists of options in parentheses: NAME, NAME value, NAME = value, RETAIN HISTORY FOR 'value', NAME SECRET name, X
CONNECTION name."""

from typing import Final

from engine.sql.grammar.groups import Groups
from engine.sql.grammar.tokens import Kind
from engine.sql.statement.parts import Option, OptionValue
from engine.sql.syntax import Name

NAMING: Final = frozenset({"tx_metadata"})
"""Names behind which the name of a relation is the value."""

WHOLE: Final = frozenset({"security protocol"})
"""Names behind which a word is the value, with or without =."""


class Options(Groups):
    """Reads options."""

    __slots__ = ()

    def with_options(self) -> tuple[Option, ...]:
        """WITH (options), if it comes next."""
        if not self.at("with", "("):
            return ()
        self.advance()
        return self.options()

    def options(self) -> tuple[Option, ...]:
        """(name [=] value, ...); () may be empty."""
        if self.accept("(", ")"):
            return ()
        return self.parenthesised(self.option)

    def option(self) -> Option:
        """Words up to the value, or to the end. Several values stand in parentheses or brackets."""
        at = self.here
        if self.accept("assert", "not", "null"):
            self.accept("=")
            names = self.parenthesised(self.identifier) if self.next.key == "(" else (self.identifier(),)
            return Option("assert not null", names, at)
        if self.accept("refresh"):
            return self._refresh(at)
        words = [self.label()]
        while self._is_word() and not self._names(words) and not self._is_secret():
            if self.next.key in ("true", "false") or " ".join(words).lower() in WHOLE:
                break
            words.append(self.advance().value.lower())
        words[0] = words[0].lower()
        if self.accept("="):
            self.accept("for")
        if words[-1] == "for":
            words.pop()
        name = " ".join(words).replace("_", " ")
        if self.next.key in (",", ")"):
            return Option(name, None, at)
        if self._is_secret():
            self.advance()
            return Option(name, self.name(), at)
        if self._names(words) and self._is_word():
            return Option(name, self.name(), at)
        if self.next.key in ("(", "["):
            closing = ")" if self.advance().key == "(" else "]"
            values = self.list_of(self._value)
            self.expect(closing)
            return Option(name, values, at)
        return Option(name, self._value(), at)

    def _refresh(self, at: int) -> Option:
        """[=] ON COMMIT, AT CREATION, AT 'time', EVERY 'interval' [ALIGNED TO 'time'], after REFRESH."""
        self.accept("=")
        if self.accept("on", "commit"):
            return Option("refresh on commit", None, at)
        if self.accept("at", "creation"):
            return Option("refresh at creation", None, at)
        if self.accept("at"):
            return Option("refresh at", self._text(), at)
        self.expect("every")
        step = self._text()
        aligned = (self._text(),) if self.accept("aligned", "to") else ()
        return Option("refresh every", (step, *aligned), at)

    def _text(self) -> str:
        if self.next.kind is not Kind.STRING:
            self.fail()
        return self.advance().value

    def _names(self, words: list[str]) -> bool:
        """Whether the value is the name of a connection or another object."""
        return (len(words) > 1 and words[-1].lower() == "connection") or words[-1].lower() in NAMING

    def _is_word(self) -> bool:
        return self.next.kind in (Kind.WORD, Kind.QUOTED)

    def _is_secret(self) -> bool:
        """SECRET before a name."""
        return self.next.key == "secret" and self.peek().kind in (Kind.WORD, Kind.QUOTED)

    def _value(self) -> OptionValue | Name:
        token = self.next
        if token.key in ("true", "false"):
            return self.advance().key == "true"
        if token.kind is Kind.NUMBER or token.key == "-":
            sign = -1 if self.accept("-") else 1
            text = self.next.value
            if self.next.kind is not Kind.NUMBER:
                self.fail()
            self.advance()
            return sign * (int(text) if text.isdigit() else float(text))
        if token.kind in (Kind.WORD, Kind.QUOTED) and self.peek().key == ".":
            return self.name()
        if token.kind in (Kind.STRING, Kind.WORD, Kind.QUOTED):
            return self.advance().value
        self.fail()
