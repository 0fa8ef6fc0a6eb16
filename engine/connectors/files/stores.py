"""Where files are: on this host below the roots, or in an object store. Both tell what is there, and give its bytes.

A pattern is walked level by level: `*`, `?`, `[ab]`, `[!ab]` and `{a,b}` within a name, `**` for any depth; hidden ones
only where the pattern says the dot. An object never grows: written anew it is another, told by its size and time.
"""

import gzip
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fnmatch import translate
from io import BufferedReader
from pathlib import Path
from typing import Any, BinaryIO, Final, Protocol
from urllib.parse import urlsplit

import pyarrow as pa
from pyarrow import fs

from engine.catalog.connections import AwsConnection, GcsConnection, StoreConnection
from engine.catalog.sources import Compression
from engine.connectors.feed import Resolve
from engine.connectors.files.parts import digest
from engine.connectors.files.roots import WILD, Roots, alternatives
from engine.connectors.files.streams import Growing, Once, Stream
from engine.errors import MissingFile, SourceError

SCHEMES: Final = ("s3", "gs")
"""Of object stores; all else is a path of the host."""

CONNECT_SECONDS, REQUEST_SECONDS, ATTEMPTS = 5, 20, 3
"""What a store may take to answer before the source is stalled, and tries again."""

TOKEN_LIFE: Final = timedelta(days=1)
"""The store's client asks when a token ends. It does not say: whoever made it knows, and the store refuses it then."""

INODE_BITS: Final = (1 << 63) - 1


@dataclass(frozen=True, slots=True)
class Found:
    """A file that is there. `id` (63 bits) is the same for as long as its bytes are, or only more: of the host it is
    the inode, unless the file is one that is written as a whole. `changed`: what differs when it is worth a look."""

    path: str
    id: int
    size: int
    changed: tuple[int, int]  # size and time


class Store(Protocol):
    """See above. Errors are SourceErrors."""

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
    return urlsplit(path).scheme in SCHEMES


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
                raise _replaced(found)


def _opened(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except FileNotFoundError:
        raise MissingFile(f'file "{path}" does not exist', hint="Paths are the server's.") from None
    except OSError as error:
        raise SourceError(f'file "{path}" cannot be opened: {error.strerror}') from None


def _replaced(found: Found) -> SourceError:
    return SourceError(
        f'file "{found.path}" was replaced while it was read',
        detail="Rows of both are in the source.",
        hint="Write files under another name, then rename them. Drop the source and create it again to be rid of it.",
    )


class Objects:
    """Files of an object store."""

    def __init__(
        self, url: str, compression: Compression, connection: StoreConnection | None, resolve: Resolve
    ) -> None:
        self._scheme, _, self._path = url.partition("://")
        self._url = url
        self._compression = compression
        self._connection = connection
        self._resolve = resolve
        self._filesystem: fs.FileSystem | None = None

    @property
    def _files(self) -> fs.FileSystem:
        if self._filesystem is None:
            self._filesystem = filesystem(self._scheme, self._connection, self._resolve)
        return self._filesystem

    def list(self) -> tuple[Found, ...]:
        try:
            infos = {info.path: info for pattern in alternatives(self._path) for info in self._matching(pattern)}
        except OSError as error:
            self._filesystem = None
            raise SourceError(f'"{self._url}" cannot be listed: {error}') from None
        if not infos:
            raise MissingFile(f'no object is at or matches "{self._url}"')
        return tuple(self._found(infos[path]) for path in sorted(infos))

    def _matching(self, pattern: str) -> Iterator[fs.FileInfo]:
        parts = [part for part in pattern.split("/") if part]
        wild = next((i for i, part in enumerate(parts) if WILD.search(part)), len(parts))
        base = "/".join(parts[:wild])
        if wild < len(parts):
            yield from self._walk(base, parts[wild:])
            return
        info = self._files.get_file_info(base)
        if info.type is fs.FileType.File:
            yield info
        elif info.type is fs.FileType.Directory:
            yield from self._walk(base, ["*"])

    def _walk(self, base: str, parts: Sequence[str]) -> Iterator[fs.FileInfo]:
        """The files below `base` that match what is left of the pattern."""
        part, rest = parts[0], parts[1:]
        if part == "**":
            yield from self._walk(base, rest or ["*"])
        fits = re.compile(translate(part)).match if part != "**" else re.compile("").match
        for info in self._files.get_file_info(fs.FileSelector(base, allow_not_found=True)):
            if not fits(info.base_name) or (info.base_name.startswith(".") and not part.startswith(".")):
                continue
            if info.type is fs.FileType.Directory and (rest or part == "**"):
                yield from self._walk(info.path, parts if part == "**" else rest)
            elif info.type is fs.FileType.File and not rest and part != "**":
                yield info

    def _found(self, info: fs.FileInfo) -> Found:
        path = f"{self._scheme}://{info.path}"
        changed = info.size or 0, info.mtime_ns or 0
        return Found(path, digest(f"{path} {changed}".encode()), changed[0], changed)

    @property
    def single(self) -> bool:
        return False

    def growing(self, found: Found) -> None:
        return None

    def stream(self, found: Found) -> Stream:
        compression = compression_of(found.path, self._compression)

        def reopen() -> BinaryIO:
            return decompressed(self.table(found), compression)

        return Once(reopen, seeks=compression is Compression.NONE)

    def table(self, found: Found) -> Any:  # noqa: ANN401 - as above
        try:
            return self._files.open_input_file(found.path.partition("://")[2])
        except OSError as error:
            self._filesystem = None
            raise SourceError(f'"{found.path}" cannot be opened: {error}') from None

    def check(self, found: Found) -> None:
        try:
            info = self._files.get_file_info(found.path.partition("://")[2])
        except OSError as error:
            raise SourceError(f'"{found.path}" cannot be asked for: {error}') from None
        if info.type is fs.FileType.File and self._found(info) != found:
            raise _replaced(found)


def filesystem(scheme: str, connection: StoreConnection | None, resolve: Resolve) -> fs.FileSystem:
    """The object store of a URL's scheme."""

    def value(setting: Any) -> str | None:  # noqa: ANN401 - a Setting or None
        return None if setting is None else resolve(setting)

    if scheme == "s3":
        aws = connection if isinstance(connection, AwsConnection) else AwsConnection()
        endpoint = urlsplit(aws.endpoint or "")
        return fs.S3FileSystem(
            access_key=value(aws.access_key), secret_key=value(aws.secret_key), session_token=value(aws.token),
            anonymous=aws.access_key is None, region=aws.region or "us-east-1",
            scheme=endpoint.scheme or "https", endpoint_override=endpoint.netloc or None,
            connect_timeout=CONNECT_SECONDS, request_timeout=REQUEST_SECONDS,
            retry_strategy=fs.AwsStandardS3RetryStrategy(max_attempts=ATTEMPTS),
        )  # fmt: skip
    gcs = connection if isinstance(connection, GcsConnection) else GcsConnection()
    endpoint = urlsplit(gcs.endpoint or "")
    token = value(gcs.token)
    return fs.GcsFileSystem(
        anonymous=token is None, access_token=token,
        credential_token_expiration=None if token is None else datetime.now(UTC) + TOKEN_LIFE,
        scheme=endpoint.scheme or "https", endpoint_override=endpoint.netloc or None,
        retry_time_limit=timedelta(seconds=REQUEST_SECONDS),
    )  # fmt: skip


def check_store(connection: StoreConnection, resolve: Resolve) -> None:
    """SourceError when the store cannot be reached, or refuses to say which buckets there are."""
    scheme = "s3" if isinstance(connection, AwsConnection) else "gs"
    try:
        filesystem(scheme, connection, resolve).get_file_info(fs.FileSelector("", allow_not_found=True))
    except (OSError, pa.ArrowException) as error:
        raise SourceError(f"the object store cannot be asked for its buckets: {error}") from None
