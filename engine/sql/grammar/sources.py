"""CREATE SOURCE, CREATE SECRET, CREATE CONNECTION: where rows come from, and the formats and options of that."""

from typing import Final

from engine.catalog.sources import (
    Append,
    BytesFormat,
    Compression,
    CsvFormat,
    Debezium,
    Envelope,
    Included,
    JsonFormat,
    Metadata,
    OpenCdc,
    ParquetFormat,
    RegexFormat,
    TextFormat,
    Upsert,
)  # fmt: skip
from engine.errors import InvalidParameter
from engine.expr.keywords import words
from engine.sql.grammar.tokens import Kind
from engine.sql.grammar.webhooks import Webhooks
from engine.sql.statement.connectors import (
    AvroClause,
    CreateConnection,
    CreateCopy,
    CreateSecret,
    CreateSource,
    CreateViews,
    FormatClause,
    FromFile,
    FromGenerator,
    FromKafka,
    FromPostgres,
    FromWebhook,
    OcfClause,
    ProtobufClause,
    RegistryClause,
    SchemaFile,
    Strategy,
    TransactionClause,
    ValidateConnection,
)
from engine.sql.statement.parts import ColumnDefinition, KeyConstraint, Option
from engine.sql.syntax import Name

CONNECTORS: Final = words("kinesis pubnub mysql")
"""Connectors that other systems know: refused by name instead of as a syntax error."""

CONNECTIONS: Final = words("mysql ssh sql iceberg")
"""The same of connections."""


OF_SOURCE: Final = ("retain", "retain_history", "timeline", "epoch", "epoch_ms_timeline")
"""How options begin that every source has and no format."""


class Sources(Webhooks):
    """What sources read, and through what. `header_end`: where the last CSV WITH HEADER ended."""

    __slots__ = ("header_end",)

    def create_secret(self) -> CreateSecret:
        self.expect("secret")
        if_not_exists = self.if_not_exists()
        name = self.name()
        self.expect("as")
        return CreateSecret(name, self.expression(), if_not_exists, self.span())

    def create_connection(self) -> CreateConnection:
        self.expect("connection")
        if_not_exists = self.if_not_exists()
        name = self.name()
        self.expect("to")
        token = self.next
        if self.accept("kafka"):
            kind = "kafka"
        elif self.accept("confluent", "schema", "registry"):
            kind = "confluent schema registry"
        elif (word := self.accept_any("aws", "gcs", "postgres")) is not None:
            kind = word
        elif token.key in CONNECTIONS:
            self.unsupported(f"CREATE CONNECTION TO {token.key.upper()}")
        else:
            self.fail()
        return CreateConnection(name, kind, self.options(), self.with_options(), if_not_exists, self.span())

    def validate(self) -> ValidateConnection:
        self.expect("validate")
        self.expect("connection")
        return ValidateConnection(self.name(), self.span())

    def create_source(self, materialized: bool) -> CreateSource:
        self.expect("source")
        if_not_exists = self.if_not_exists()
        name = self.name()
        self.in_cluster()
        columns, key = self._source_columns() if self.next.key == "(" else ((), None)
        self.expect("from")
        is_ocf = self.at("avro", "ocf")
        connector = self._connector()
        options = self.with_options()
        key_format: FormatClause | None = None
        format_: FormatClause | None = None
        infer: tuple[int, int] | None = None
        if self.accept("key", "format"):
            key_format = self.format()
            self.expect("value")
            self.expect("format")
            format_ = self.format()
        elif self.accept("format"):
            format_ = self.format()
        elif is_ocf:
            format_ = OcfClause(self._reader_schema(), self.here)
        elif not isinstance(connector, FromGenerator | FromWebhook | FromPostgres):
            self.fail()
        says_no = self._says_no(format_) if isinstance(connector, FromFile) else None
        if isinstance(format_, JsonFormat) and self.next.key == "infer":
            before = self.before
            self.advance()
            infer = before, self.before
        included = self.list_of(self._included) if self.accept("include") else ()
        envelope = self._source_envelope() if self.accept("envelope") else Append()
        transactions = self._transactions() if isinstance(envelope, Debezium) and self.next.key == "(" else None
        while self.at("with", "("):
            options += self.with_options()
        return CreateSource(
            name, columns, key, connector, key_format, format_, included, envelope, materialized, if_not_exists,
            options, infer, says_no, transactions, self.span(),
        )  # fmt: skip

    def _source_columns(self) -> tuple[tuple[ColumnDefinition, ...], KeyConstraint | None]:
        """(name type, ..., PRIMARY KEY (names) NOT ENFORCED): the key is a promise of whoever writes."""
        self.expect("(")
        columns: list[ColumnDefinition] = []
        key: KeyConstraint | None = None
        while True:
            if self.at("primary", "key", "("):
                if key is not None:
                    self.fail()
                at = self.here
                self.expect("primary")
                self.expect("key")
                key = KeyConstraint(None, self.parenthesised(self.identifier), True, at)
                self.expect("not")
                self.expect("enforced")
            else:
                columns.append(self.column())
            if not self.accept(","):
                break
        self.expect(")")
        return tuple(columns), key

    def _connector(self) -> FromFile | FromGenerator | FromKafka | FromWebhook | FromPostgres:
        token = self.next
        if self.accept("file"):
            return FromFile(self.string(), self._compression(), token.at)
        if self.accept("avro", "ocf"):
            return FromFile(self.string(), Compression.BY_NAME, token.at)
        if self.accept("s3"):
            return self._s3(token.at)
        if self.accept("load", "generator"):
            at = self.here
            kind = self.identifier()
            if kind == "key" and self.accept("value"):
                kind = "key value"
            options = self.options() if self.next.key == "(" else ()
            return FromGenerator(kind, options, self.accept("for", "all", "tables"), at)
        if self.accept("kafka"):
            return self._kafka(token.at)
        if self.accept("webhook"):
            return self.webhook(token.at)
        if self.accept("postgres"):
            return self._postgres(token.at)
        if token.key in CONNECTORS:
            self.unsupported(f"source FROM {token.key.upper()}")
        self.fail()

    def _compression(self) -> Compression:
        if not self.accept("compression"):
            return Compression.BY_NAME
        word = self.accept_any("none", "gzip", "zstd")
        if word is None:
            self.fail()
        return Compression(word)

    def _s3(self, at: int) -> FromFile:
        """DISCOVER OBJECTS [MATCHING 'pattern'] USING BUCKET SCAN 'bucket', ... [COMPRESSION c]."""
        self.expect("discover")
        self.expect("objects")
        pattern = self.string() if self.accept("matching") else "**"
        self.expect("using")
        buckets = self.list_of(self._bucket)
        bucket = buckets[0] if len(buckets) == 1 else "{" + ",".join(buckets) + "}"
        return FromFile(f"s3://{bucket}/{pattern}", self._compression(), at)

    def _bucket(self) -> str:
        if self.next.key == "sqs":
            self.unsupported("S3 with SQS NOTIFICATIONS")
        self.expect("bucket")
        self.expect("scan")
        return self.string()

    def _kafka(self, at: int) -> FromKafka:
        """BROKER 'h:p' TOPIC 't' | CONNECTION name (TOPIC 't', ...)."""
        if self.accept_any("broker", "brokers"):
            brokers = self.string()
            self.expect("topic")
            return FromKafka(None, tuple(part.strip() for part in brokers.split(",")), self.string(), (), at)
        self.expect("connection")
        return FromKafka(self.name(), (), None, self.options(), at)

    def _postgres(self, at: int) -> FromPostgres:
        """CONNECTION {name | 'key=value ..'} {(PUBLICATION 'p', ...) [FOR ...] | PUBLICATION 'p'}."""
        self.expect("connection")
        connection = self.string() if self.next.kind is Kind.STRING else self.name()
        here = self.here
        if self.accept("publication"):
            return FromPostgres(connection, (Option("publication", self.string(), here),), (), True, (), True, at)
        options = self.options()
        tables: tuple[tuple[Name, str | None], ...] = ()
        schemas: tuple[str, ...] = ()
        every = False
        if self.accept("for", "tables"):
            tables = self.parenthesised(self.upstream_table)
        elif self.accept("for", "schemas"):
            every, schemas = True, self.parenthesised(self.identifier)
        elif self.accept("for"):
            self.expect("all", "tables")
            every = True
        return FromPostgres(connection, options, tables, every, schemas, False, at)

    def upstream_table(self) -> tuple[Name, str | None]:
        """name [AS alias]."""
        return self.name(), self.identifier() if self.accept("as") else None

    def create_views(self, materialized: bool) -> CreateViews:
        """VIEWS [IF NOT EXISTS] FROM SOURCE name [(upstream [AS name], ...)]."""
        self.expect("views")
        if_not_exists = self.if_not_exists()
        self.expect("from", "source")
        source = self.name()
        tables = self.parenthesised(self._viewed) if self.next.key == "(" else ()
        return CreateViews(source, tables, materialized, if_not_exists, self.span())

    def _viewed(self) -> tuple[Name, Name | None]:
        return self.name(), self.name() if self.accept("as") else None

    def create_copy(self, name: Name, is_table: bool, if_not_exists: bool) -> CreateCopy:
        """SOURCE name (REFERENCE upstream [, DETAILS 'details']) [WITH (options)]."""
        self.expect("source")
        source = self.name()
        self.expect("(", "reference")
        self.accept("=")
        reference = self.name()
        details: str | None = None
        if self.accept(",", "details"):
            details = self.string()
        self.expect(")")
        options = self.with_options()
        return CreateCopy(name, source, reference, details, options, is_table, if_not_exists, self.span())

    def create_subsource(self) -> CreateCopy:
        """CREATE SUBSOURCE name OF SOURCE ...: what the log has of a table that CREATE SOURCE listed."""
        self.expect("subsource")
        if_not_exists = self.if_not_exists()
        name = self.name()
        self.expect("of")
        return self.create_copy(name, False, if_not_exists)

    def format(self) -> FormatClause:
        """What comes after FORMAT."""
        token = self.next
        if self.accept("json"):
            return JsonFormat()
        if self.accept("text"):
            return TextFormat()
        if self.accept("bytes"):
            return BytesFormat()
        if self.accept("csv"):
            return self._csv()
        if self.accept("regex"):
            return RegexFormat(self.string())
        if self.accept("parquet"):
            return ParquetFormat()
        if self.accept("avro", "ocf"):
            return OcfClause(self._reader_schema(), token.at)
        if self.accept("avro"):
            self.expect("using")
            if self.accept("schema"):
                schema = self._schema()
                framed = self._framed(self._format_options())
                return AvroClause(schema, None, framed, token.at)
            return AvroClause(None, self._registry(), True, token.at)
        if self.accept("protobuf"):
            message = self.string() if self.accept("message") else None
            self.expect("using")
            if self.accept("schema"):
                return ProtobufClause(message, self._schema(), None, token.at)
            return ProtobufClause(message, None, self._registry(), token.at)
        self.fail()

    def _schema(self) -> str | SchemaFile:
        at = self.here
        return SchemaFile(self.string(), at, self.before) if self.accept("file") else self.string()

    def _reader_schema(self) -> str | None:
        return self.string() if self.accept("using", "schema") else None

    def _says_no(self, format: FormatClause | None) -> int | None:
        """The place behind a format that leaves something to its first file."""
        match format:
            case OcfClause(schema=None):
                return self.before
            case CsvFormat(header=True, names=()):
                return self.header_end
            case _:
                return None

    def _format_options(self) -> tuple[Option, ...]:
        """WITH (options) of a format; a list that begins with one of OF_SOURCE is the source's."""
        of_source = any(self.at("with", "(", name) for name in OF_SOURCE)
        return () if of_source else self.with_options()

    def _framed(self, options: tuple[Option, ...]) -> bool:
        """Whether data with an inline schema begin with the registry's header all the same."""
        framed = True
        for option in options:
            if option.name != "confluent wire format" or not isinstance(option.value, bool):
                raise InvalidParameter(f'unrecognized format option "{option.name}"', position=option.at)
            framed = option.value
        return framed

    def _registry(self) -> RegistryClause:
        """CONFLUENT SCHEMA REGISTRY {'url' | CONNECTION name} [WITH (...)] [KEY STRATEGY ..] [VALUE ..] [SEED ...]."""
        self.expect("confluent")
        self.expect("schema")
        self.expect("registry")
        at = self.here
        connection = self.name() if self.accept("connection") else None
        url = None if connection is not None else self.string()
        options = self._format_options()
        key, value = (self._strategy() if self.accept(part, "strategy") else Strategy() for part in ("key", "value"))
        end = self.before
        seeds: dict[str, tuple[str, str]] = {}
        if self.accept("seed"):
            while (part := self.accept_any("key", "value")) is not None:
                message = self.string() if self.accept("message") else ""
                self.expect("schema")
                seeds[part] = message, self.string()
        return RegistryClause(connection, url, options, key, value, seeds.get("key"), seeds.get("value"), at, end)

    def _strategy(self) -> Strategy:
        if self.accept("id"):
            return Strategy(id=self.integer())
        if self.accept("inline"):
            return Strategy(inline=self.string())
        self.expect("latest")
        return Strategy()

    def _csv(self) -> CsvFormat:
        header, names, width = True, (), None
        if self.accept("with"):
            if self.accept_any("header", "headers"):
                self.header_end = self.before
                names = self.parenthesised(self.identifier) if self.next.key == "(" else ()
            else:
                header, width = False, self.integer()
                self.expect("columns")
        else:
            header = False
        delimiter = ","
        if self.accept("delimited", "by"):
            at = self.here
            delimiter = self.string()
            if len(delimiter) != 1 or not delimiter.isascii():
                raise InvalidParameter("CSV delimiter must be one ASCII character", position=at)
        return CsvFormat(header, names, width, delimiter)

    def _included(self) -> Included:
        word = self.accept_any(*(each.value for each in Metadata))
        if word is None:
            self.fail()
        what = Metadata(word)
        name = self.identifier() if self.accept("as") else None
        return Included(what, name if name is not None or what is Metadata.KEY else what.value)

    def _source_envelope(self) -> Envelope:
        if self.accept("none"):
            return Append()
        if self.accept("upsert"):
            return Upsert(self._inline_errors() if self.next.key == "(" else None)
        if self.accept("debezium"):
            return Debezium(upsert=self.accept("upsert"))
        if self.accept("materialize"):
            return OpenCdc()
        self.unsupported(f"ENVELOPE {self.next.value.upper()}")

    def _transactions(self) -> TransactionClause:
        """(TRANSACTION METADATA (SOURCE name, COLLECTION 'name')), in either order."""
        source: Name | None = None
        collection: str | None = None
        self.expect("(", "transaction", "metadata", "(")
        while True:
            if source is None and self.accept("source"):
                self.accept("=")
                source = self.name()
            elif collection is None and self.accept("collection"):
                self.accept("=")
                collection = self.string()
            else:
                self.fail()
            if not self.accept(","):
                break
        if source is None or collection is None:
            self.fail()
        self.expect(")", ")")
        return TransactionClause(source, collection)

    def _inline_errors(self) -> str:
        """(VALUE DECODING ERRORS = INLINE [AS name]), the choice in parentheses or not: the column's name."""
        self.expect("(")
        self.expect("value")
        self.expect("decoding")
        self.expect("errors")
        self.accept("=")
        inner = self.accept("(")
        self.expect("inline")
        name = self.identifier() if self.accept("as") else "error"
        if inner:
            self.expect(")")
        self.expect(")")
        return name
