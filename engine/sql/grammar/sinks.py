"""CREATE SINK: what is written, where, and how."""

from dataclasses import replace

from engine.catalog.sinks import OutputEnvelope
from engine.sql.grammar.sources import Sources
from engine.sql.statement.connectors import AvroClause, ConsistencyClause, CreateSink, FormatClause, IntoKafka
from engine.sql.statement.parts import Option
from engine.sql.syntax import Expression, Name


class Sinks(Sources):
    """Sinks take the formats and the options of sources."""

    __slots__ = ()

    def create_sink(self) -> CreateSink:
        self.expect("sink")
        if_not_exists = self.if_not_exists()
        name = self.name()
        self.in_cluster()
        self.expect("from")
        on = self.name()
        self.expect("into")
        into = self._into()
        key: tuple[str, ...] | None = None
        enforced = True
        if self.at("key", "("):
            self.advance()
            key = self.parenthesised(self.identifier)
            enforced = not self.accept("not", "enforced")
        consistency = self._consistency() if self.accept("consistency") else None
        headers = self.identifier() if self.accept("headers") else None
        options = self.with_options()
        key_format: FormatClause | None = None
        if self.accept("key", "format"):
            key_format = self._output()
            self.expect("value")
        self.expect("format")
        format_ = self._output()
        envelope = "debezium"
        if self.accept("envelope"):
            word = self.accept_any(*(each.value for each in OutputEnvelope))
            if word is None:
                self.unsupported(f"ENVELOPE {self.next.value.upper()} of a sink")
            envelope = word
        options += self.with_options()
        at = self.here
        if self.accept("with", "snapshot"):
            options += (Option("snapshot", True, at),)
        elif self.accept("without", "snapshot"):
            options += (Option("snapshot", False, at),)
        return CreateSink(
            name,
            on,
            into,
            key,
            enforced,
            headers,
            key_format,
            format_,
            envelope,
            if_not_exists,
            options,
            consistency,
            self.span(),
        )

    def _consistency(self) -> ConsistencyClause:
        """TOPIC 't' [FORMAT f], in parentheses or not."""
        within = self.accept("(")
        self.expect("topic")
        self.accept("=")
        topic = self.string()
        format_ = self._output() if self.accept("format") else None
        if within:
            self.expect(")")
        return ConsistencyClause(topic, format_)

    def _output(self) -> FormatClause:
        """A format; behind AVRO USING CONFLUENT SCHEMA REGISTRY ... perhaps (options)."""
        found = self.format()
        if not isinstance(found, AvroClause) or found.registry is None or not self.at("("):
            return found
        return replace(found, written=self.parenthesised(self._avro_option))

    def _avro_option(self) -> Option:
        """An option, or [KEY | VALUE] DOC ON {TYPE name | COLUMN name.column} [=] 'text'."""
        at = self.here
        if not (self.at("doc", "on") or self.at("key", "doc", "on") or self.at("value", "doc", "on")):
            return self.option()
        of = self.accept_any("key", "value")
        self.expect("doc", "on")
        what = self.accept_any("type", "column")
        if what is None:
            self.fail()
        begin, parts, ends = self.here, [self.identifier()], [self.before]
        while self.accept("."):
            parts.append(self.label())
            ends.append(self.before)
        named = ".".join(parts)
        column = parts.pop() if what == "column" and len(parts) > 1 else ""
        name = Name(tuple(parts), begin, ends[len(parts) - 1])
        self.accept("=")
        return Option(f"{'' if of is None else of + ' '}doc on {what} {named}", (name, column, self.string()), at)

    def _into(self) -> IntoKafka:
        at = self.here
        if not self.accept("kafka"):
            self.unsupported(f"sink INTO {self.next.value.upper()}")
        if self.accept_any("broker", "brokers"):
            brokers = self.string()
            self.expect("topic")
            split = tuple(part.strip() for part in brokers.split(","))
            return IntoKafka(None, split, self.string(), (), None, (), at)
        self.expect("connection")
        connection = self.name()
        options: list[Option] = []
        partition_by: Expression | None = None
        config: tuple[tuple[str, str], ...] = ()
        self.expect("(")
        while True:
            if partition_by is None and self.at("partition", "by"):
                self.advance()
                self.advance()
                self.accept("=")
                partition_by = self.expression()
            elif not config and self.at("topic", "config"):
                self.advance()
                self.advance()
                self.accept("=")
                config = self._pairs()
            else:
                options.append(self.option())
            if not self.accept(","):
                break
        self.expect(")")
        return IntoKafka(connection, (), None, tuple(options), partition_by, config, at)

    def _pairs(self) -> tuple[tuple[str, str], ...]:
        """MAP['name' => 'value', ...]."""
        self.expect("map")
        self.expect("[")
        pairs = self.list_of(self._pair)
        self.expect("]")
        return pairs

    def _pair(self) -> tuple[str, str]:
        name = self.string()
        self.expect("=>")
        return name, self.string()
