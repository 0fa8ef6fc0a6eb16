"""Scalar expressions by operator precedence: PostgreSQL's table (manual 4.1.6), lowest first.

OR · AND · NOT · IS · comparison · BETWEEN IN LIKE · any other operator · + - · * / % · ^ · AT TIME ZONE · COLLATE
· unary + - · [] · :: · .
"""

from dataclasses import replace
from typing import Final

from engine.errors import SyntaxError_, UndefinedFunction
from engine.expr.keywords import JOIN_WORDS, RESERVED, words
from engine.sql.grammar.forms import SPECIAL
from engine.sql.grammar.levels import (
    AND,
    COLLATE,
    COMPARE,
    IS,
    LEVELS,
    MATCH,
    NOT,
    OPERATOR_CHARACTERS,
    OR,
    OTHER,
    SIGN,
    ZONE,
)
from engine.sql.grammar.tokens import Kind, Token
from engine.sql.grammar.windows import Windows
from engine.sql.syntax import (
    LIKE,
    Between,
    Binary,
    Cast,
    ColumnName,
    Expression,
    Field,
    Function,
    InList,
    Is,
    IsDistinct,
    Like,
    Logic,
    Name,
    Not,
    Number,
    OrderItem,
    Parameter,
    Quantified,
    QuantifiedArray,
    Row,
    Star,
    String,
    Subquery,
    Subscript,
    Test,
    Unary,
)  # fmt: skip

AFTER_QUERY: Final = words(") union except intersect order limit offset fetch")
"""What may follow a parenthesised query that is the beginning of a query itself."""

TYPE_WORDS: Final = words(
    """boolean bool smallint int2 integer int int4 bigint int8 real float4 float float8 double numeric decimal dec text
    varchar character char bpchar bytea date time timestamp timestamptz uuid json jsonb oid interval bytes string
    regclass regtype regproc"""
)
"""Types that may stand before a string as a typed literal: date '2020-01-01'."""

NO_PARENTHESES: Final = words(
    """current_date current_timestamp current_time localtime localtimestamp current_user current_role session_user user
    current_catalog current_schema"""
)
"""Functions that are called without parentheses."""


class Expressions(Windows):
    """The scalar part of the grammar."""

    __slots__ = ()

    def expression(self, least: int = OR) -> Expression:
        """An expression of operators that bind at least as tightly as `least`."""
        self.deeper()
        left = self._prefix(least)
        chain = 0
        while True:
            token = self.next
            level = LEVELS.get(token.key, 0)
            if not level:
                named = token.key == "operator" and self.peek().key == "("
                is_symbol = token.kind is Kind.SYMBOL and token.key[0] in OPERATOR_CHARACTERS
                if not named and (not is_symbol or token.key == "=>"):
                    break
                level = OTHER
            if level < least or (level == ZONE and not self.at("at", "time", "zone")):
                break
            if token.key == "not" and LEVELS.get(self.peek().key) != MATCH:
                break
            if level > AND:
                self.deeper()  # a chain makes the tree as deep as it is long
                chain += 1
            left = self._infix(left, token, level)
            if level == COMPARE and LEVELS.get(self.next.key) == COMPARE:
                self.fail()  # comparisons do not associate
        self.depth -= 1 + chain
        return left

    def expressions(self) -> tuple[Expression, ...]:
        return self.list_of(self.expression)

    def _prefix(self, least: int) -> Expression:
        token = self.next
        if token.kind is Kind.SYMBOL and token.key[0] in OPERATOR_CHARACTERS:
            self.advance()
            if token.key in ("+", "-"):
                operand = self.expression(SIGN)
                if token.key == "-" and isinstance(operand, Number) and not operand.text.startswith("-"):
                    return Number("-" + operand.text, token.at)
                return Unary(token.key, operand, token.at)
            if token.key == "*":
                self.fail(token)
            return Unary(token.key, self.expression(OTHER + 1), token.at)
        if token.key == "operator" and self.peek().key == "(":
            self.advance()
            return Unary(self._named_operator(), self.expression(OTHER + 1), token.at)
        if token.key == "not":
            if least > NOT:
                self.fail()
            self.advance()
            return Not(self.expression(NOT), token.at)
        return self._postfix(self._primary())

    def _infix(self, left: Expression, token: Token, level: int) -> Expression:
        key = token.key
        if key == "isnull" or key == "notnull":
            self.advance()
            return Is(left, Test.NULL, key == "notnull", token.at)
        if level == IS:
            return self._is(left)
        if level == MATCH:
            return self._match(left)
        self.advance()
        if level <= AND:
            arguments = [left, self.expression(level + 1)]
            while self.accept(key):
                arguments.append(self.expression(level + 1))
            return Logic(level == AND, tuple(arguments), token.at)
        if level == ZONE:
            self.expect("time", "zone")
            zone = self.expression(ZONE + 1)
            return self.call("timezone", (zone, left), token)
        if level == COLLATE:
            self.name()
            return left
        if key == "operator":
            key = self._named_operator()
        symbol = "<>" if key == "!=" else key
        if self.at_any("any", "some", "all") and self.peek().key == "(":
            return self._quantified(left, symbol, token)
        return Binary(symbol, left, self.expression(level + 1), token.at)

    def _named_operator(self) -> str:
        """What stands in OPERATOR(schema.+), the word itself passed over: every operator is built in."""
        self.expect("(")
        while self.next.kind in (Kind.WORD, Kind.QUOTED):
            token = self.advance()
            if token.value not in ("pg_catalog", "mz_catalog"):
                raise UndefinedFunction(f"operator schema {token.value} does not exist", position=token.at)
            self.expect(".")
        token = self.next
        if token.kind is not Kind.SYMBOL or token.key[0] not in OPERATOR_CHARACTERS:
            self.fail()
        self.advance()
        self.expect(")")
        return token.key

    def _quantified(self, left: Expression, symbol: str, token: Token) -> Expression:
        every = self.advance().key == "all"
        self.expect("(")
        if self.at_query() and self._is_subquery():
            node: Expression = Quantified(left, symbol, every, self.query(), token.at)
        else:
            node = QuantifiedArray(left, symbol, every, self.expression(), token.at)
        self.expect(")")
        return node

    def _is(self, left: Expression) -> Expression:
        at = self.expect("is").at
        negated = self.accept("not")
        if self.accept("distinct", "from"):
            return IsDistinct(left, self.expression(IS + 1), negated, at)
        for test in Test:
            if self.accept(test.value):
                return Is(left, test, negated, at)
        self.fail()

    def _match(self, left: Expression) -> Expression:
        at = self.here
        negated = self.accept("not")
        token = self.advance()
        if token.key == "between":
            symmetric = self.accept("symmetric")
            if not symmetric:
                self.accept("asymmetric")
            low = self.expression(MATCH + 1)
            self.expect("and")
            return Between(left, low, self.expression(MATCH + 1), negated, symmetric, at)
        if token.key == "in":
            self.expect("(")
            if self.at_query() and self._is_subquery():
                node: Expression = Quantified(left, "<>" if negated else "=", negated, self.query(), at)
            else:
                node = InList(left, self.expressions(), negated, at)
            self.expect(")")
            return node
        if token.key == "similar":
            self.expect("to")
            arguments = [self.expression(MATCH + 1)]
            if self.accept("escape"):
                arguments.append(self.expression(MATCH + 1))
            pattern = Function(Name(("similar_to_escape",), at, at), tuple(arguments), at)
            return Binary("!~" if negated else "~", left, pattern, at)
        if self.at_any("any", "some", "all") and self.peek().key == "(":
            return self._quantified(left, LIKE[token.key == "ilike", negated], token)
        pattern = self.expression(MATCH + 1)
        escape = self.expression(MATCH + 1) if self.accept("escape") else None
        return Like(left, pattern, escape, token.key == "ilike", negated, at)

    def _postfix(self, operand: Expression) -> Expression:
        chain = 0
        while True:
            token = self.next
            if token.key not in ("::", "[", "."):
                self.depth -= chain
                return operand
            self.deeper()
            chain += 1
            self.advance()
            if token.key == "::":
                operand = Cast(operand, self.type_name(), token.at)
            elif token.key == "[":
                operand = self._subscript(operand, chain > 1 and isinstance(operand, Subscript), token.at)
                self.expect("]")
            else:  # after a bare name only in parentheses: (t).a
                operand = Field(operand, "*" if self.accept("*") else self.label(), token.at)

    def _subscript(self, operand: Expression, chained: bool, at: int) -> Expression:
        lower = None if self.next.key == ":" else self.expression()
        if not self.accept(":"):
            return Subscript(operand, lower, None, False, chained, at)
        upper = None if self.next.key == "]" else self.expression()
        return Subscript(operand, lower, upper, True, chained, at)

    def _primary(self) -> Expression:
        token = self.next
        match token.kind:
            case Kind.NUMBER:
                self.advance()
                return Number(token.value, token.at)
            case Kind.STRING:
                self.advance()
                return String(token.value, token.at)
            case Kind.PARAMETER:
                self.advance()
                return Parameter(int(token.value), token.at)
            case Kind.WORD:
                return self._word(token)
            case Kind.QUOTED:
                return self._named()
            case _:
                if token.key == "(":
                    return self._parenthesis()
                self.fail()

    def _parenthesis(self) -> Expression:
        at = self.expect("(").at
        if self.at_query() and self._is_subquery():
            node: Expression = Subquery(self.query(), at)
        else:
            items = self.expressions()
            node = items[0] if len(items) == 1 else Row(items, at)
        self.expect(")")
        return node

    def _is_subquery(self) -> bool:
        """Whether the parenthesis just passed, in which others may come first, holds one query and not a scalar that
        begins with one: ((SELECT 1) + 1). Behind each of those goes on what goes on with a query."""
        if self.next.key != "(":
            return True
        leading = 0
        while self.peek(leading).key == "(":
            leading += 1
        ahead = depth = leading
        while depth:
            token = self.peek(ahead)
            if token.kind is Kind.END:
                return True
            depth += (token.key == "(") - (token.key == ")")
            ahead += 1
            if token.key == ")" and depth < leading:
                leading = depth
                if self.peek(ahead).key not in AFTER_QUERY:
                    return False
        return True

    def _word(self, token: Token) -> Expression:
        key = token.key
        special = getattr(self, SPECIAL.get(key, ""), None)
        if special is not None:
            node: Expression | None = special()
            if node is not None:
                return node
        if key in TYPE_WORDS:
            typed = self._typed_literal()
            if typed is not None:
                return typed
        if key in NO_PARENTHESES:
            return self._no_parentheses()
        if key in RESERVED or (key in JOIN_WORDS and self.peek().key != "("):
            self.fail()
        return self._named()

    def _typed_literal(self) -> Expression | None:
        """`type 'string'`, if that is what stands here."""
        follower = self.peek()
        if follower.kind is not Kind.STRING and follower.key not in ("precision", "varying", "(", "with", "without"):
            return None
        index, token = self.index, self.next
        try:
            type_name = self.type_name()
        except SyntaxError_:
            type_name = None
        if type_name is None or self.next.kind is not Kind.STRING:
            self.index, self.next = index, token
            return None
        value = self.advance()
        fields, modifier = type_name.fields, type_name.modifier
        if type_name.name == "interval" and not fields:
            fields = self.interval_fields()
            if fields.endswith("second") and self.next.key == "(":
                modifier = self.parenthesised(self.integer)
        named = replace(type_name, at=token.at, fields=fields, modifier=modifier)
        return Cast(String(value.value, value.at), named, token.at)

    def _no_parentheses(self) -> Expression:
        token = self.advance()
        if self.at("(", ")"):
            self.advance()
            self.advance()
        elif self.next.key == "(":
            self.advance()
            precision = self.integer()
            self.expect(")")
            return self.call(token.key, (Number(str(precision), token.at),), token)
        return self.call(token.key, (), token)

    def _named(self) -> Expression:
        """A column, a star or a call."""
        at = self.here
        parts = [self.advance().value]
        until = self.before
        while self.next.key == ".":
            until = self.before
            if self.peek().key == "*":
                self.advance()
                self.advance()
                return Star(tuple(parts), at, until)
            self.advance()
            parts.append(self.label())
        if parts == ["aggregate"] and self.next.key == ":":
            return self._of_array()
        if self.next.key != "(":
            return ColumnName(tuple(parts), at, until)
        return self._arguments(Name(tuple(parts), at, self.before))

    def _of_array(self) -> Function:
        """aggregate:f(x, y ORDER BY z): a function of an array as an aggregate, f(array_agg(x ORDER BY z), y)."""
        self.expect(":")
        name = self.name()
        given = self._arguments(name)
        values = replace(given, name=replace(name, parts=("array_agg",)), arguments=given.arguments[:1])
        return Function(name, (values, *given.arguments[1:]), name.at)

    def _arguments(self, name: Name) -> Function:
        self.expect("(")
        arguments: list[Expression] = []
        order: tuple[OrderItem, ...] = ()
        star = distinct = ignore_nulls = False
        if self.accept("*"):
            star = True
        elif self.next.key != ")":
            distinct = self.accept("distinct")
            if not distinct:
                self.accept("all")
            if self.next.key == "variadic":
                self.unsupported("VARIADIC")
            arguments.extend(self.expressions())
            order = self.order_by()
            ignore_nulls = self._null_treatment()
        self.expect(")")
        within: tuple[OrderItem, ...] = ()
        if self.accept("within", "group"):
            self.expect("(")
            within = self.order_by()
            if not within:
                self.fail()
            self.expect(")")
        condition = None
        if self.at("filter", "("):
            self.advance()
            self.expect("(", "where")
            condition = self.expression()
            self.expect(")")
        ignore_nulls = self._null_treatment() or ignore_nulls
        over = self.over()
        return Function(name, tuple(arguments), name.at, star, distinct, order, condition, over, ignore_nulls, within)

    def _null_treatment(self) -> bool:
        """IGNORE NULLS, if it or RESPECT NULLS comes next: after the arguments or behind their parenthesis."""
        word = self.next.key
        return self.accept(word, "nulls") and word == "ignore" if word in ("ignore", "respect") else False
