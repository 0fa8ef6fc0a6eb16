"""Files of this host: one, those of a directory, or those that match a pattern."""

import os
from pathlib import Path
from typing import Any, BinaryIO, Final

import pyarrow as pa

from engine.catalog.sources import Compression
from engine.connectors.files.parts import digest
from engine.connectors.files.roots import WILD, Roots
from engine.connectors.files.stores import Found, compression_of, decompressed, replaced
from engine.connectors.files.streams import Growing, Once, Stream
from engine.errors import MissingFile, SourceError

INODE_BITS: Final = (1 << 63) - 1


class Host:
    """Files of this host. `whole`: they are of a format that nothing is appended to."""

    def __init__(self, path: str, compression: Compression, roots: Roots, whole: bool) -> None:
        self._path = path
        self._compression = compression
        self._roots = roots
        self._whole = whole

    def list(self) -> tuple[Found, ...]:
        found: list[Found] = []
        for path in self._roots.find_all(self._path):
            try:
                found.append(self._found(path, path.stat()))
            except FileNotFoundError:
                continue  # gone since
        if not found:
            raise MissingFile(f'file "{self._path}" does not exist', hint="Paths are the server's.")
        return tuple(found)

    def _found(self, path: Path, at: os.stat_result) -> Found:
        id = at.st_ino & INODE_BITS
        if self._whole:
            id = digest(f"{at.st_dev} {at.st_ino} {at.st_size} {at.st_mtime_ns}".encode())
        return Found(str(path), id, at.st_size, (at.st_size, at.st_mtime_ns))

    @property
    def single(self) -> bool:
        return Path(self._path).is_file() or not (WILD.search(self._path) or Path(self._path).is_dir())

    def growing(self, found: Found) -> tuple[Found, Growing] | None:
        if self._whole or compression_of(found.path, self._compression) is not Compression.NONE:
            return None
        path = self._roots.find(found.path)
        file = _opened(path)
        return self._found(path, os.fstat(file.fileno())), Growing(file)

    def stream(self, found: Found) -> Stream:
        compression = compression_of(found.path, self._compression)

        def reopen() -> BinaryIO:
            return decompressed(_opened(self._roots.find(found.path)), compression)

        return Once(reopen, seeks=compression is Compression.NONE)

    def table(self, found: Found) -> Any:  # noqa: ANN401 - as above
        return pa.OSFile(str(self._roots.find(found.path)))

    def check(self, found: Found) -> None:
        if self._whole:
            path = self._roots.find(found.path)
            if self._found(path, path.stat()) != found:
                raise replaced(found)


def _opened(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except FileNotFoundError:
        raise MissingFile(f'file "{path}" does not exist', hint="Paths are the server's.") from None
    except OSError as error:
        raise SourceError(f'file "{path}" cannot be opened: {error.strerror}') from None
