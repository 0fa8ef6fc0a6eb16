"""EXPLAIN in the forms of Materialize, and PostgreSQL's list of options before the query."""

from typing import Final, NoReturn

from engine.errors import Unsupported
from engine.sql.grammar.copies import Copies
from engine.sql.statement.data import Using
from engine.sql.statement.definitions import CreateIndex, CreateView
from engine.sql.statement.parts import ObjectKind, Option
from engine.sql.statement.session import Explain, ExplainAnalyze, ExplainTimestamp, Form, Stage
from engine.sql.syntax import Name, Query

STAGES: Final = (
    (("raw",), Stage.RAW), (("decorrelated",), Stage.DECORRELATED), (("locally", "optimized"), Stage.OPTIMIZED),
    (("optimized",), Stage.OPTIMIZED), (("physical",), Stage.PHYSICAL),
)  # fmt: skip
"""Views are part of the query that reads them before anything is optimised: optimising one alone is no stage."""

ANALYZED: Final = ("cpu", "memory", "hints")


class Explains(Copies):
    """EXPLAIN."""

    __slots__ = ()

    def explain(self) -> Explain | ExplainAnalyze | ExplainTimestamp:
        self.expect("explain")
        if self.next.key == "(" and self.peek().key in POSTGRESQL:
            return self._as_postgresql()
        if self.accept("analyze") or self.accept("analyse"):
            return self._analyze()
        if self.accept("timestamp"):
            form = self._form()
            self.expect("for")
            return ExplainTimestamp(self.query(), self.as_of(), self.span(), form)
        if self.at("filter", "pushdown"):
            raise Unsupported(
                "EXPLAIN FILTER PUSHDOWN is not supported", position=self.here,
                hint="Collections are in memory: there are no parts of storage that a filter could leave out.",
            )  # fmt: skip
        if self.at("query", "graph") or self.at("optimized", "query", "graph"):
            hint = "EXPLAIN OPTIMIZED PLAN AS JSON FOR gives the plan to whoever draws it."
            raise Unsupported("EXPLAIN QUERY GRAPH is not supported", hint=hint, position=self.here)
        typed = (Option("types", None, self.here),) if self.accept("typed") else ()
        verbose = Form.VERBOSE_TEXT if self.accept("verbose") else Form.TEXT
        stage, said = Stage.OPTIMIZED, False
        for words, candidate in STAGES:
            if self.accept(*words):
                stage, said = candidate, True
                break
        planned = self.accept("plan")
        options = (*typed, *self.with_options())
        form = self._form() if self.next.key == "as" else verbose
        if planned:
            self.expect("for")
        elif said or options or form is not Form.TEXT:
            self.accept("for")
        return self._explained(stage, options, form)

    def _form(self) -> Form:
        """AS {TEXT | VERBOSE TEXT | JSON}, if it comes next."""
        if not self.accept("as"):
            return Form.TEXT
        if self.accept("verbose", "text"):
            return Form.VERBOSE_TEXT
        word = self.accept_any("text", "json")
        if word is None:
            self.fail()
        return Form(word)

    def _as_postgresql(self) -> Explain:
        """EXPLAIN (FORMAT JSON, VERBOSE, ...) query. What estimates costs or runs the query is refused or left out."""
        self.expect("(")
        form, options = Form.TEXT, ()
        while True:
            at = self.here
            word = self.accept_any(*POSTGRESQL)
            if word is None:
                self.fail()
            if word == "format":
                given = self.accept_any("text", "json")
                if given is None:
                    raise Unsupported("EXPLAIN tells its plan as TEXT or as JSON", position=self.here)
                form = Form(given)
            else:
                on = self.accept_any("on", "off", "true", "false") not in ("off", "false")
                if word == "analyze" and on:
                    self._refuse_analyze(at)
                if word == "verbose" and on:
                    options = tuple(Option(name, None, at) for name in VERBOSE)
            if not self.accept(","):
                break
        self.expect(")")
        return self._explained(Stage.OPTIMIZED, options, form)

    def _refuse_analyze(self, at: int) -> NoReturn:
        raise Unsupported(
            "EXPLAIN ANALYZE of a query is not supported", position=at,
            hint="EXPLAIN ANALYZE {CPU | MEMORY | HINTS} FOR {INDEX | MATERIALIZED VIEW} name tells what the operators "
            "of what is maintained took.",
        )  # fmt: skip

    def _explained(self, stage: Stage, options: tuple[Option, ...], form: Form) -> Explain:
        replan = self.accept("replan")
        return Explain(stage, self._subject(replan), self.span(), form, options, replan)

    def _subject(self, named: bool) -> Query | Name | CreateView:
        """What is explained. A plan is of no time: AS OF may stand there, and means nothing."""
        if self.accept("materialized", "view") or self.accept("view") or self.accept("index"):
            return self.name()
        if named:
            self.fail()
        if self.at("create"):  # what making it would run
            made = self.create()
            if isinstance(made, CreateView):
                return made
            if isinstance(made, CreateIndex):
                return made.on
            self.unsupported("EXPLAIN of this CREATE")
        if self.next.key in ("subscribe", "tail"):
            target = self.subscribe().target
            if isinstance(target, Using):
                self.unsupported("EXPLAIN of a durable subscription", hint="EXPLAIN the query that it tells.")
            return target
        query = self.query()
        self.as_of()
        return query

    def _analyze(self) -> ExplainAnalyze:
        what: list[str] = []
        while not what or self.accept(","):
            word = self.accept_any(*ANALYZED)
            if word is None:
                self._refuse_analyze(self.here)
            what.append(word)
        skew = self.accept("with", "skew")
        self.expect("for")
        if self.accept("index"):
            kind = ObjectKind.INDEX
        else:
            self.expect("materialized", "view")
            kind = ObjectKind.MATERIALIZED_VIEW
        name = self.name()
        return ExplainAnalyze(tuple(what), skew, kind, name, self.accept("as", "sql"), self.span())


VERBOSE: Final = ("types", "keys", "humanized expressions")
"""What PostgreSQL's VERBOSE asks for."""

POSTGRESQL: Final = frozenset(
    {"analyze", "verbose", "costs", "settings", "generic_plan", "buffers", "wal", "timing", "summary", "memory",
     "serialize", "format"}
)  # fmt: skip
"""The options of PostgreSQL's EXPLAIN (option, ...)."""
