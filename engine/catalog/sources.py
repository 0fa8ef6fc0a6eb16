"""What a source reads and how its bytes become rows: the description that CREATE SOURCE leaves in the catalog."""

from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias

from engine.catalog.connections import (
    AwsConnection,
    GcsConnection,
    KafkaConnection,
    PostgresConnection,
    RegistryConnection,
    SecretRef,
)
from engine.catalog.upstream import NOTHING_SELECTED, Selected
from engine.plan.relation import BoundScalar


class Compression(Enum):
    """Of a file. BY_NAME, where the statement says none: .gz is GZIP, .zst is ZSTD, all else NONE."""

    BY_NAME = "by name"
    NONE = "none"
    GZIP = "gzip"
    ZSTD = "zstd"


@dataclass(frozen=True, slots=True)
class JsonFormat:
    """One JSON value a line: its members by column name, or the whole as one column `data`."""


@dataclass(frozen=True, slots=True)
class TextFormat:
    """One line, one row: column `text`."""


@dataclass(frozen=True, slots=True)
class BytesFormat:
    """One line, one row: column `data`, undecoded."""


@dataclass(frozen=True, slots=True)
class CsvFormat:
    """One of `header` (the first line names the columns; `names` must then agree) and `width` is given."""

    header: bool
    names: tuple[str, ...]
    width: int | None
    delimiter: str = ","


@dataclass(frozen=True, slots=True)
class RegexFormat:
    """The groups of a match are columns, named ones by their names; what does not match is an error."""

    pattern: str


@dataclass(frozen=True, slots=True)
class AvroFormat:
    """`schema` is the reader's: given with USING SCHEMA, or what the file at `path` or the registry had when the source
    was made ("" until then), under the id `schema_id` or else as the subject's latest. `framed`: each datum begins with
    the registry's header, which tells its writer's schema."""

    schema: str
    registry: RegistryConnection | None = None
    framed: bool = True
    schema_id: int | None = None
    path: str | None = None


@dataclass(frozen=True, slots=True)
class ProtobufFormat:
    """`descriptors` is a serialised FileDescriptorSet; `message` the full name of a message in it. They are empty until
    the registry was asked, or the file at `path` was read."""

    message: str
    descriptors: bytes
    registry: RegistryConnection | None = None
    path: str | None = None


@dataclass(frozen=True, slots=True)
class OcfFormat:
    """Avro object container files. `schema` is the reader's: given, or that of the first file when the source was made
    ("" until then)."""

    schema: str = ""


@dataclass(frozen=True, slots=True)
class ParquetFormat:
    """The columns of the files, or those that the source lists, by name."""


Format: TypeAlias = JsonFormat | TextFormat | BytesFormat | CsvFormat | RegexFormat | AvroFormat | ProtobufFormat
"""What one datum can be in."""
LineFormat: TypeAlias = JsonFormat | TextFormat | BytesFormat | CsvFormat | RegexFormat
FileFormat: TypeAlias = LineFormat | OcfFormat | ParquetFormat
"""What a file can be in."""

DISCOVER_MS = 10_000
"""Between two listings of an object store, by default: each is a request that costs money."""


@dataclass(frozen=True, slots=True)
class FileSource:
    """`path` is one file, a directory or a pattern, of the host or (`s3://`, `gs://`) of an object store, which
    `connection` says how to reach. Without `tail` the source is complete at the end of the files that there are; with
    it what is appended is read, and files that come later or take the place of one. `discover_ms`: how often to
    look for other files; None: as often as it costs little. `file_column` has each row's file."""

    path: str
    compression: Compression
    format: FileFormat
    tail: bool
    connection: AwsConnection | GcsConnection | None = None
    discover_ms: int | None = None
    file_column: str | None = None


@dataclass(frozen=True, slots=True)
class GeneratorSource:
    """`kind` in lower case. One tick of the generator every `tick_ms` (0: as fast as they are taken), those before
    `as_of` at once, none from `up_to` on. What a kind has no use for keeps its default."""

    kind: str
    tick_ms: int
    max_cardinality: int | None = None
    as_of: int = 0
    up_to: int | None = None
    scale_factor: float = 0.01
    batch_size: int = 1
    keys: int = 0
    partitions: int = 1
    snapshot_rounds: int = 1
    value_size: int = 0
    seed: int = 0
    upsert: bool = False


class Metadata(Enum):
    """What INCLUDE adds to a record's own columns."""

    KEY = "key"
    PARTITION = "partition"
    OFFSET = "offset"
    TIMESTAMP = "timestamp"
    HEADERS = "headers"
    FILE = "file"  # of files alone, which have none of the others


@dataclass(frozen=True, slots=True)
class Included:
    """INCLUDE what [AS name]; without a name the key keeps the names of its own columns."""

    what: Metadata
    name: str | None


@dataclass(frozen=True, slots=True)
class Append:
    """ENVELOPE NONE: every record is a row."""


@dataclass(frozen=True, slots=True)
class Upsert:
    """ENVELOPE UPSERT: the last record of a key is its row, and none once a record without value came.

    `inline`: the column that says why a value did not decode; None: such a key has no row but one of the errors.
    """

    inline: str | None = None


class Deduplication(Enum):
    """By what a change of Debezium's is known that was sent again."""

    NONE = "none"
    ORDERED = "ordered"  # its place in the upstream's log is not beyond the greatest one
    FULL = "full"  # it is among all that were seen


@dataclass(frozen=True, slots=True)
class Between:
    """Times of records, in ms: from `start_ms` to `end_ms` changes are told by all that were seen since `pad_start_ms`,
    before and after by their place."""

    start_ms: int
    end_ms: int
    pad_start_ms: int


@dataclass(frozen=True, slots=True)
class TransactionTopic:
    """Where Debezium says which transactions of the upstream there are; `collection` is what it calls the table."""

    connection: KafkaConnection
    topic: str
    format: Format
    collection: str


@dataclass(frozen=True, slots=True)
class Debezium:
    """ENVELOPE DEBEZIUM: records tell a row before and after. `upsert`: by key alone, for compacted topics. `between`:
    when deduplication is FULL; None: always. `transactions`: by which changes come together."""

    upsert: bool = False
    deduplication: Deduplication = Deduplication.ORDERED
    between: Between | None = None
    transactions: TransactionTopic | None = None


@dataclass(frozen=True, slots=True)
class OpenCdc:
    """ENVELOPE MATERIALIZE: records tell updates of rows at times, and how many updates there are at each time; they
    may come twice and in any order."""


Envelope: TypeAlias = Append | Upsert | Debezium | OpenCdc


REFRESH_MS = 10_000
"""Between two looks at a topic's partitions, which is how long a new one waits to be read. Java's clients wait five
minutes; a look costs a broker some 0.1 ms."""

REFRESH_MS_MAX = 3_600_000

FETCH_BYTES_MAX = 16 << 20
"""Of one answer: some 100,000 records, decoded in some 50 ms."""


@dataclass(frozen=True, slots=True)
class KafkaSource:
    """`start_offsets` by partition (fewer than partitions: the rest start at 0) or `start_ms` (a time, negative:
    before the source is made) say where reading begins, once and for all: the log keeps what that came to.
    `group_prefix`: how the group of consumers begins that is told how far the source is; None: none is."""

    connection: KafkaConnection
    topic: str
    key_format: Format | None
    value_format: Format
    included: tuple[Included, ...] = ()
    envelope: Envelope = Append()
    start_offsets: tuple[int, ...] = ()
    start_ms: int | None = None
    read_committed: bool = True
    refresh_ms: int = REFRESH_MS
    fetch_bytes_max: int = FETCH_BYTES_MAX
    client_id: str = "tailrace"
    group_prefix: str | None = None


class WebhookBody(Enum):
    """How the body of a request becomes rows of column `body`."""

    JSON = "json"  # one JSON value, or several one after the other
    JSON_ARRAY = "json array"  # the same, and the elements of an array are rows
    TEXT = "text"
    BYTES = "bytes"


@dataclass(frozen=True, slots=True)
class HeaderColumn:
    """INCLUDE HEADER 'x' AS column [BYTES]: `header` in lower case; NULL where a request has none."""

    header: str
    column: str
    binary: bool


@dataclass(frozen=True, slots=True)
class HeaderFilter:
    """INCLUDE HEADERS: column `headers` has those in `only` (None: every one) but for those in `but`."""

    only: frozenset[str] | None
    but: frozenset[str]


class Part(Enum):
    """What CHECK sees of a request."""

    HEADERS = "headers"
    BODY = "body"


@dataclass(frozen=True, slots=True)
class Check:
    """CHECK: a condition over one row of what it was given; a request that it is not true of is refused. `given` are
    parts of the request and secrets, as bytes or else as text."""

    given: tuple[tuple[Part | SecretRef, bool], ...]
    condition: BoundScalar


@dataclass(frozen=True, slots=True)
class WebhookSource:
    """Rows come in requests of HTTP. Column `body`, then `headers` if `headers` is not None, then those of `named`."""

    body: WebhookBody
    headers: HeaderFilter | None = None
    named: tuple[HeaderColumn, ...] = ()
    check: Check | None = None


@dataclass(frozen=True, slots=True)
class PostgresSource:
    """Tables of a publication. `slot` and `system` (the server's identifier) are "" until the server was asked; the
    tables that it copies are SourceRelations by then, `selected` is which those were to be."""

    connection: PostgresConnection
    publication: str
    selected: Selected = NOTHING_SELECTED
    slot: str = ""
    system: str = ""


Description: TypeAlias = FileSource | GeneratorSource | KafkaSource | WebhookSource | PostgresSource


def is_kept(description: Description) -> bool:
    """Whether the log keeps the rows of such a source, so that it goes on where it stood; a generator's come again."""
    return not isinstance(description, GeneratorSource)
