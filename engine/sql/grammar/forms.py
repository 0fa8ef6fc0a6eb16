"""Expressions that begin with a word of their own: CASE, CAST, EXTRACT, TRIM, ARRAY, ...

What is mere notation becomes the function call that it stands for.
"""

from abc import abstractmethod
from typing import Final

from engine.sql.grammar.levels import MATCH, OR
from engine.sql.grammar.tokens import Kind, Token
from engine.sql.grammar.type_names import TypeNames
from engine.sql.syntax import (
    Array,
    ArrayQuery,
    Boolean,
    Case,
    Cast,
    Default,
    Exists,
    Expression,
    Function,
    Map,
    MapQuery,
    Name,
    Null,
    Number,
    Query,
    Row,
    String,
)

SPECIAL: Final = {
    "null": "null", "true": "boolean", "false": "boolean", "default": "default", "case": "case", "cast": "cast",
    "exists": "exists", "array": "array", "list": "array", "map": "map", "row": "row", "extract": "extract",
    "normalize": "normalize",
    "position": "position", "substring": "substring", "overlay": "overlay", "trim": "trim",
}  # fmt: skip
"""Words that begin an expression of a form of its own, and the method that reads it (None: not that form after all)."""


class Forms(TypeNames):
    """Reads each form; None where the word turns out to be a name after all."""

    __slots__ = ()

    @abstractmethod
    def expression(self, least: int = OR) -> Expression:
        """An expression of operators that bind at least as tightly as `least`: the layer above."""

    @abstractmethod
    def expressions(self) -> tuple[Expression, ...]:
        """One or more, parted by commas."""

    @abstractmethod
    def query(self) -> Query:
        """A query: a layer further up."""

    @abstractmethod
    def at_query(self) -> bool:
        """Whether a query starts here, or in the parentheses that start here."""

    def call(self, name: str, arguments: tuple[Expression, ...], token: Token) -> Function:
        return Function(Name((name,), token.at, token.end), arguments, token.at)

    def null(self) -> Expression:
        return Null(self.advance().at)

    def boolean(self) -> Expression:
        token = self.advance()
        return Boolean(token.key == "true", token.at)

    def default(self) -> Expression:
        return Default(self.advance().at)

    def case(self) -> Expression:
        at = self.expect("case").at
        operand = None if self.next.key == "when" else self.expression()
        branches: list[tuple[Expression, Expression]] = []
        while self.accept("when"):
            condition = self.expression()
            self.expect("then")
            branches.append((condition, self.expression()))
        if not branches:
            self.fail()
        otherwise = self.expression() if self.accept("else") else None
        self.expect("end")
        return Case(operand, tuple(branches), otherwise, at)

    def cast(self) -> Expression:
        at = self.expect("cast").at
        self.expect("(")
        operand = self.expression()
        self.expect("as")
        type_name = self.type_name()
        self.expect(")")
        return Cast(operand, type_name, at)

    def exists(self) -> Expression | None:
        if self.peek().key != "(":
            return None
        at = self.advance().at
        self.expect("(")
        query = self.query()
        self.expect(")")
        return Exists(query, at)

    def array(self) -> Expression | None:
        opener = self.peek().key
        if opener not in ("[", "("):
            return None
        token = self.next
        is_list = token.key == "list"
        if is_list and opener == "(" and self.peek(2).key not in ("select", "with", "values"):
            return None
        self.advance()
        if opener == "(":
            self.expect("(")
            query = self.query()
            self.expect(")")
            return ArrayQuery(query, is_list, token.at)
        return self._array_items(is_list)

    def _array_items(self, is_list: bool) -> Array:
        at = self.expect("[").at
        items: list[Expression] = []
        while self.next.key != "]":
            items.append(self._array_items(is_list) if self.next.key == "[" else self.expression())
            if not self.accept(","):
                break
        self.expect("]")
        return Array(tuple(items), is_list, at)

    def map(self) -> Expression | None:
        """MAP[key => value, ...] or MAP(query)"""
        opener = self.peek().key
        if opener == "(" and self.peek(2).key in ("select", "with", "values"):
            at = self.advance().at
            self.expect("(")
            query = self.query()
            self.expect(")")
            return MapQuery(query, at)
        return self._map_items(self.advance().at) if opener == "[" else None

    def _map_items(self, at: int) -> Map:
        self.expect("[")
        items: list[tuple[Expression, Expression]] = []
        while self.next.key != "]":
            key = self.expression()
            self.expect("=>")
            items.append((key, self._map_items(self.here) if self.next.key == "[" else self.expression()))
            if not self.accept(","):
                break
        self.expect("]")
        return Map(tuple(items), at)

    def row(self) -> Expression | None:
        if self.peek().key != "(":
            return None
        at = self.advance().at
        self.expect("(")
        items = () if self.next.key == ")" else self.expressions()
        self.expect(")")
        return Row(items, at)

    def normalize(self) -> Expression | None:
        """NORMALIZE(text [, NFC | NFD | NFKC | NFKD]): the form is a word; as a call it is a string."""
        if self.peek().key != "(":
            return None
        token = self.advance()
        self.expect("(")
        source = self.expression()
        form = String("nfc", token.at)
        if self.accept(","):
            word = self.next
            if word.key not in ("nfc", "nfd", "nfkc", "nfkd"):
                self.fail()
            form = String(self.advance().key, word.at)
        self.expect(")")
        return self.call("normalize", (source, form), token)

    def extract(self) -> Expression | None:
        """EXTRACT(field FROM source): a call of extract(field, source)."""
        if self.peek().key != "(" or self.peek(3).key != "from":
            return None
        token = self.advance()
        self.expect("(")
        field = self.advance()
        if field.kind not in (Kind.WORD, Kind.QUOTED, Kind.STRING):
            self.fail(field)
        self.expect("from")
        source = self.expression()
        self.expect(")")
        return self.call("extract", (String(field.value.lower(), field.at), source), token)

    def position(self) -> Expression | None:
        """POSITION(part IN whole): a call of position(whole, part), as PostgreSQL has it."""
        if self.peek().key != "(":
            return None
        token = self.advance()
        self.expect("(")
        part = self.expression(MATCH + 1)
        self.expect("in")
        whole = self.expression()
        self.expect(")")
        return self.call("position", (whole, part), token)

    def substring(self) -> Expression | None:
        """SUBSTRING(x FROM a [FOR b]), SUBSTRING(x FOR b [FROM a]) or SUBSTRING(x, a, b)."""
        if self.peek().key != "(":
            return None
        token = self.advance()
        self.expect("(")
        arguments = [self.expression()]
        if self.next.key in ("from", "for"):
            given: dict[str, Expression] = {}
            while self.next.key in ("from", "for") and self.next.key not in given:
                word = self.advance().key
                given[word] = self.expression()
            start = given.get("from", Number("1", token.at))
            arguments += [start, given["for"]] if "for" in given else [start]
        else:
            while self.accept(","):
                arguments.append(self.expression())
        self.expect(")")
        return self.call("substring", tuple(arguments), token)

    def overlay(self) -> Expression | None:
        """OVERLAY(x PLACING y FROM a [FOR b]): a call of overlay."""
        if self.peek().key != "(":
            return None
        token = self.advance()
        self.expect("(")
        arguments = [self.expression()]
        for word in ("placing", "from"):
            if not self.accept(word):
                self.expect(",")
            arguments.append(self.expression())
        if self.accept("for") or self.accept(","):
            arguments.append(self.expression())
        self.expect(")")
        return self.call("overlay", tuple(arguments), token)

    def trim(self) -> Expression | None:
        """TRIM([BOTH | LEADING | TRAILING] [characters] FROM x): a call of btrim, ltrim or rtrim."""
        if self.peek().key != "(":
            return None
        token = self.advance()
        self.expect("(")
        side = self.accept_any("both", "leading", "trailing") or "both"
        name = {"both": "btrim", "leading": "ltrim", "trailing": "rtrim"}[side]
        if self.accept("from"):
            arguments = list(self.expressions())
        else:
            arguments = [self.expression()]
            if self.accept("from"):
                arguments = [self.expression(), *arguments]
            elif self.accept(","):
                arguments += self.expressions()
        self.expect(")")
        return self.call(name, tuple(arguments), token)
