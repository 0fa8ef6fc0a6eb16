"""A place among the tokens of a text, and the errors that are raised there."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, NoReturn, TypeVar

from engine.collection.wanted import ask
from engine.errors import LimitExceeded, SyntaxError_, Unsupported
from engine.expr import absent
from engine.expr.keywords import JOIN_WORDS, RESERVED, words
from engine.sql.grammar.tokens import Kind, Token, tokenize
from engine.sql.syntax import Name

NOT_BARE_LABELS: Final = RESERVED | words(
    """char character day filter hour minute month over precision second varying within without year isnull notnull
    overlaps is like ilike similar between in qualify"""
)
"""Words that name an output column only after AS."""

KEY_WORDS: Final = NOT_BARE_LABELS | JOIN_WORDS
"""Words that may not stand everywhere where a name may."""

NESTING_MAX: Final = 1_000
"""Levels of parentheses, subqueries and operators in a statement: what the recursive passes below can stand, each of
which takes up to some twenty Python frames a level, and at four times as many has not filled a stack of 8 MB."""

SET_OPERATIONS_MAX: Final = 5_000
"""In a row: each is a level of the tree that is made of them."""

JOINS_MAX: Final = 250
"""In one FROM: finding their order takes the square of it at best, and 100 take a second."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Into:
    """SELECT ... INTO [TEMPORARY] name: `at` is where the SELECT stands, `token` the word INTO."""

    name: Name
    temporary: bool
    at: int
    token: Token


class Cursor:
    """The tokens of a text and the index of the next one."""

    __slots__ = ("depth", "index", "into", "listed", "next", "text", "tokens")

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens: list[Token] = tokenize(text)
        self.index = 0
        self.depth = 0
        self.into: Into | None = None  # the INTO of a SELECT, which its statement has yet to take
        self.listed = 0  # where the last SHOW within a query stands; 0: there is none
        self.next = self.tokens[0]

    def advance(self) -> Token:
        """The next token, passed over. END is never passed."""
        token = self.next
        if token.kind is not Kind.END:
            self.index += 1
            self.next = self.tokens[self.index]
        return token

    def peek(self, ahead: int = 1) -> Token:
        """The token `ahead` of the next one."""
        return self.tokens[min(self.index + ahead, len(self.tokens) - 1)]

    def at(self, *keys: str) -> bool:
        """Whether these words or symbols come next, in this order."""
        if self.next.key != keys[0]:
            return False
        return all(self.peek(i).key == key for i, key in enumerate(keys) if i)

    def at_any(self, *keys: str) -> bool:
        """Whether one of these comes next."""
        return self.next.key in keys

    def accept(self, *keys: str) -> bool:
        """Pass over these words or symbols if they come next, in this order."""
        if not self.at(*keys):
            return False
        for _ in keys:
            self.advance()
        return True

    def accept_any(self, *keys: str) -> str | None:
        """Pass over one of these if it comes next; which one."""
        return self.advance().key if self.next.key in keys else None

    def expect(self, *keys: str) -> Token:
        """Pass over these, which must come next; the last one."""
        token = self.next
        for key in keys:
            if self.next.key != key:
                self.fail()
            token = self.advance()
        return token

    def fail(self, token: Token | None = None) -> NoReturn:
        """A syntax error at `token` (the next one by default), worded as PostgreSQL does."""
        token = token or self.next
        if token.kind is Kind.END:
            raise SyntaxError_("syntax error at end of input", position=token.at)
        shown = self.text[token.at - 1 : token.end - 1]
        raise SyntaxError_(f'syntax error at or near "{shown}"', position=token.at)

    def unsupported(self, what: str, token: Token | None = None, hint: str | None = None) -> NoReturn:
        token = token or self.next
        hint = hint or absent.STATEMENTS.get(token.key)
        raise Unsupported(f"{what} is not supported", position=token.at, hint=hint)

    def deeper(self) -> None:
        """One level down; every caller comes up again with `self.depth -= 1`."""
        ask()
        self.depth += 1
        if self.depth > NESTING_MAX:
            raise LimitExceeded(
                f"statement is nested deeper than {NESTING_MAX} levels",
                hint="Bind parts of it to names with WITH or CREATE VIEW.",
                position=self.next.at,
            )

    def chained(self, count: int, most: int, what: str) -> None:
        """So many in a row."""
        if count > most:
            raise LimitExceeded(
                f"statement has more than {most} {what} in a row",
                hint="Bind parts of it to names with WITH or CREATE VIEW.",
                position=self.next.at,
            )

    @property
    def here(self) -> int:
        """The position of the next token."""
        return self.next.at

    @property
    def before(self) -> int:
        """The position after the last token passed."""
        return self.tokens[self.index - 1].end if self.index else 1

    @property
    def ended(self) -> bool:
        """Whether the statement ends here."""
        return self.next.kind is Kind.END or self.next.key == ";"

    def identifier(self) -> str:
        """A name of a column, table or schema."""
        token = self.next
        if token.kind is Kind.QUOTED or (
            token.kind is Kind.WORD and token.key not in RESERVED and token.key not in JOIN_WORDS
        ):
            return self.advance().value
        self.fail()

    def at_identifier(self) -> bool:
        """Whether an identifier comes next."""
        token = self.next
        return token.kind is Kind.QUOTED or (
            token.kind is Kind.WORD and token.key not in RESERVED and token.key not in JOIN_WORDS
        )

    def label(self) -> str:
        """A name after AS or a dot: any word."""
        if self.next.kind in (Kind.WORD, Kind.QUOTED):
            return self.advance().value
        self.fail()

    def close_angle(self) -> None:
        """Pass over a `>` that closes what `<` opened, the first of `>>` too."""
        token = self.next
        if token.kind is Kind.SYMBOL and len(token.key) > 1 and token.key.strip(">") == "":
            rest = token.key[1:]
            self.next = self.tokens[self.index] = Token(Kind.SYMBOL, rest, rest, token.at + 1, token.end)
        else:
            self.expect(">")

    def name(self) -> Name:
        """A possibly qualified name."""
        at = self.here
        parts = [self.identifier()]
        while self.accept("."):
            parts.append(self.label())
        return Name(tuple(parts), at, self.before)

    def string(self) -> str:
        if self.next.kind is not Kind.STRING:
            self.fail()
        return self.advance().value

    def integer(self) -> int:
        """An unsigned integer constant."""
        if self.next.kind is not Kind.NUMBER or not self.next.value.isdigit():
            self.fail()
        return int(self.advance().value)

    def list_of(self, item: Callable[[], T]) -> tuple[T, ...]:
        """One or more, parted by commas."""
        found = [item()]
        while self.accept(","):
            found.append(item())
        return tuple(found)

    def parenthesised(self, item: Callable[[], T]) -> tuple[T, ...]:
        """One or more in parentheses."""
        self.expect("(")
        found = self.list_of(item)
        self.expect(")")
        return found
