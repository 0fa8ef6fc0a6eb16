"""FROM WEBHOOK: the body's format, the headers to keep, and what a request must pass."""

from engine.catalog.sources import HeaderColumn, HeaderFilter, Part, WebhookBody
from engine.errors import SyntaxError_
from engine.sql.grammar.tables import Tables
from engine.sql.statement.connectors import FromWebhook, Given
from engine.sql.syntax import Expression

ALL_OF_A_REQUEST = tuple(Given(part, part.value, False, 0) for part in Part)
"""What a CHECK sees that does not say WITH."""


class Webhooks(Tables):
    """What requests bring."""

    __slots__ = ()

    def webhook(self, at: int) -> FromWebhook:
        """What comes after WEBHOOK."""
        self.expect("body")
        self.expect("format")
        word = self.accept_any("json", "text", "bytes")
        if word is None:
            self.fail()
        body = WebhookBody.JSON_ARRAY if word == "json" and self.accept("array") else WebhookBody(word)
        headers: HeaderFilter | None = None
        named: list[HeaderColumn] = []
        while self.accept("include"):
            while True:
                here = self.here
                if self.accept("header"):
                    named.append(self._header())
                else:
                    self.expect("headers")
                    if headers is not None:
                        raise SyntaxError_("INCLUDE HEADERS is given twice", position=here)
                    headers = self._filter()
                if not self.accept(","):
                    break
        given: tuple[Given, ...] = ()
        condition: Expression | None = None
        if self.accept("check"):
            self.expect("(")
            given = ALL_OF_A_REQUEST
            if self.accept("with"):
                given = self.parenthesised(self._given)
            condition = self.expression()
            self.expect(")")
        return FromWebhook(body, headers, tuple(named), given, condition, at)

    def _header(self) -> HeaderColumn:
        header = self.string().lower()
        self.expect("as")
        return HeaderColumn(header, self.identifier(), self.accept("bytes"))

    def _filter(self) -> HeaderFilter:
        """([NOT] 'name', ...): all but those with NOT, or the others alone."""
        only: set[str] = set()
        but: set[str] = set()
        if self.next.key == "(":
            for excluded, name in self.parenthesised(lambda: (self.accept("not"), self.string().lower())):
                (but if excluded else only).add(name)
        return HeaderFilter(frozenset(only) if only else None, frozenset(but))

    def _given(self) -> Given:
        at = self.here
        word = self.accept_any("headers", "body", "secret")
        if word is None:
            self.fail()
        what = self.name() if word == "secret" else Part(word)
        name = what.value if isinstance(what, Part) else what.parts[-1]
        if self.accept("as"):
            name = self.identifier()
        return Given(what, name, self.accept("bytes"), at)
