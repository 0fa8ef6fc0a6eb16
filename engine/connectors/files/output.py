"""A file to be written: all of it is there, under its name, or nothing is.

On the host it is written beside its place under another name and then renamed; a crash leaves that other file at most.
For an object store it is written to a temporary file of the host first, since an upload that was begun is ended by
closing it, whole or not.
"""

import gzip
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa

from engine.catalog.connections import StoreConnection
from engine.catalog.sources import Compression
from engine.connectors.feed import Resolve
from engine.connectors.files.objects import filesystem
from engine.connectors.files.roots import Roots
from engine.connectors.files.stores import compression_of, is_remote
from engine.connectors.files.streams import BLOCK_BYTES
from engine.errors import SourceError


@contextmanager
def output(
    path: str, compression: Compression, connection: StoreConnection | None, roots: Roots, resolve: Resolve
) -> Iterator[BinaryIO]:
    """What is written to it is the file when the block ends, unless it fails. ForbiddenFile, SourceError."""
    try:
        if is_remote(path):
            with tempfile.TemporaryFile() as file:
                with _packed(file, compression_of(path, compression)) as packed:
                    yield packed
                file.seek(0)
                _upload(file, path, connection, resolve)
            return
        place = roots.place(path)
        beside = place.with_name(f".{place.name}.{secrets.token_hex(8)}.part")
        try:
            with beside.open("xb") as file:
                with _packed(file, compression_of(path, compression)) as packed:
                    yield packed
                file.flush()
                os.fsync(file.fileno())
            beside.replace(place)
            _settle(place.parent)
        finally:
            beside.unlink(missing_ok=True)
    except (OSError, pa.ArrowException) as error:
        raise SourceError(f'file "{path}" cannot be written: {error}') from None


class _Open:
    """A file that others may write to but not close."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.closed = False

    def write(self, data: bytes) -> int:
        return self._file.write(data)

    def flush(self) -> None:
        self._file.flush()

    def close(self) -> None:
        self.closed = True


@contextmanager
def _packed(file: BinaryIO, compression: Compression) -> Iterator[BinaryIO]:
    """The file behind a compression; ending it leaves the file open."""
    match compression:
        case Compression.GZIP:
            with gzip.GzipFile(fileobj=file, mode="wb", filename="", mtime=0) as packed:
                yield packed  # pyright: ignore[reportReturnType] - it writes as a BinaryIO does
        case Compression.ZSTD:
            with pa.CompressedOutputStream(pa.PythonFile(_Open(file), mode="w"), "zstd") as packed:
                yield packed
        case _:
            yield file


def _settle(folder: Path) -> None:
    """Have the rename outlive a crash of the machine."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _upload(file: BinaryIO, path: str, connection: StoreConnection | None, resolve: Resolve) -> None:
    scheme, _, place = path.partition("://")
    with filesystem(scheme, connection, resolve).open_output_stream(place, compression=None) as sink:
        shutil.copyfileobj(file, sink, BLOCK_BYTES)
