"""Lists of options in parentheses: NAME, NAME value, NAME = value, RETAIN HISTORY FOR 'value'."""

from engine.sql.grammar.groups import Groups
from engine.sql.grammar.tokens import Kind
from engine.sql.statements import Option


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
        """Words up to the value: NAME, NAME value, NAME = value, RETAIN HISTORY FOR 'value'."""
        at = self.here
        words = [self.label()]
        while self.next.kind in (Kind.WORD, Kind.QUOTED) and self.next.key not in ("true", "false"):
            words.append(self.advance().value.lower())
        words[0] = words[0].lower()
        if self.accept("="):
            self.accept("for")
        if words[-1] == "for":
            words.pop()
        name = " ".join(words).replace("_", " ")
        token = self.next
        if token.key in (",", ")"):
            return Option(name, None, at)
        value: str | int | float | bool
        if token.key in ("true", "false"):
            value = self.advance().key == "true"
        elif token.kind is Kind.NUMBER or token.key == "-":
            sign = -1 if self.accept("-") else 1
            text = self.next.value
            if self.next.kind is not Kind.NUMBER:
                self.fail()
            self.advance()
            value = sign * (int(text) if text.isdigit() else float(text))
        elif token.kind in (Kind.STRING, Kind.WORD, Kind.QUOTED):
            value = self.advance().value
        else:
            self.fail()
        return Option(name, value, at)
