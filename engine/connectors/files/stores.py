"""Where files are, and how they are packed: what the host (host.py) and object stores (objects.py) have in common."""

import gzip
import os
from dataclasses import dataclass
from io import BufferedReader
from typing import Any, BinaryIO, Final, Protocol

import pyarrow as pa

from engine.catalog.sources import Compression
from engine.connectors.files.streams import Growing, Stream
from engine.errors import SourceError

SCHEMES: Final = ("s3", "gs")
"""Of object stores; all else is a path of the host."""


@dataclass(frozen=True, slots=True)
class Found:
    """A file that is there. `id` (63 bits) is the same for as long as its bytes are, or only more: of the host it is
    the inode, unless the file is one that is written as a whole. `changed`: what differs when it is worth a look."""

    path: str
    id: int
    size: int
    changed: tuple[int, int]  # size and time


class Store(Protocol):
    """The files of one source. Errors are SourceErrors."""

    def list(self) -> tuple[Found, ...]:
        """The files that the source reads, by path. MissingFile when there is none."""
        ...

    @property
    def single(self) -> bool:
        """Whether the source is of one file, which another one may take the place of."""
        ...

    def growing(self, found: Found) -> tuple[Found, Growing] | None:
        """The file to be followed, as it is when it is opened; None: it is not of that kind."""
        ...

    def stream(self, found: Found) -> Stream:
        """Its bytes, decompressed, to the end."""
        ...

    def table(self, found: Found) -> Any:  # noqa: ANN401 - what pyarrow reads a table from
        """It, to be read anywhere."""
        ...

    def check(self, found: Found) -> None:
        """SourceError when it was replaced since it was found."""
        ...


def is_remote(path: str) -> bool:
    """Whether a path is a URL of an object store."""
    scheme, mark, _ = path.partition("://")
    return bool(mark) and scheme in SCHEMES


def compression_of(path: str, given: Compression) -> Compression:
    """What a file is compressed by."""
    if given is not Compression.BY_NAME:
        return given
    match os.path.splitext(path)[1]:
        case ".gz":
            return Compression.GZIP
        case ".zst":
            return Compression.ZSTD
        case _:
            return Compression.NONE


class _Unzipped(gzip.GzipFile):
    """A file through gzip; closing it closes the file too."""

    def __init__(self, file: BinaryIO) -> None:
        super().__init__(fileobj=file, mode="rb")
        self._file = file

    def close(self) -> None:
        super().close()
        self._file.close()


class _Unpacked(BufferedReader):
    """The same of zstd."""

    def __init__(self, file: BinaryIO) -> None:
        super().__init__(pa.CompressedInputStream(file, "zstd"))  # pyright: ignore[reportArgumentType] - it is a raw one
        self._file = file

    def close(self) -> None:
        super().close()
        self._file.close()


def decompressed(file: BinaryIO, compression: Compression) -> BinaryIO:
    match compression:
        case Compression.GZIP:
            return _Unzipped(file)  # pyright: ignore[reportReturnType] - it reads as a BinaryIO does
        case Compression.ZSTD:
            return _Unpacked(file)
        case _:
            return file


def replaced(found: Found) -> SourceError:
    return SourceError(
        f'file "{found.path}" was replaced while it was read',
        detail="Rows of both are in the source.",
        hint="Write files under another name, then rename them. Drop the source and create it again to be rid of it.",
    )
