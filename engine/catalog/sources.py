"""What a source reads and how its bytes become rows: the description that CREATE SOURCE leaves in the catalog."""

from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias


class Compression(Enum):
    NONE = "none"
    GZIP = "gzip"


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


Format: TypeAlias = JsonFormat | TextFormat | BytesFormat | CsvFormat


@dataclass(frozen=True, slots=True)
class FileSource:
    """`tail`: keep reading what is appended; without it the source is complete at the end of the file."""

    path: str
    compression: Compression
    format: Format
    tail: bool


@dataclass(frozen=True, slots=True)
class GeneratorSource:
    """`kind` in lower case: counter, auction. One tick of the generator every `tick_ms`."""

    kind: str
    tick_ms: int
    max_cardinality: int | None


Description: TypeAlias = FileSource | GeneratorSource
