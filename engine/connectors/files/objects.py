"""Files of an object store: names from buckets.py, bytes through pyarrow.fs.

A pattern is walked level by level, or, where it has `**`, over all that begins as it does: `*`, `?`, `[ab]`, `[!ab]`
and `{a,b}` within a name; hidden ones only where the pattern says the dot. An object never grows: with other bytes it
is another one. Put again with the same bytes it is the same.
"""

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from fnmatch import translate
from typing import Any, BinaryIO, Final
from urllib.parse import urlsplit

from pyarrow import fs

from engine.catalog.connections import AwsConnection, GcsConnection, Setting, StoreConnection
from engine.catalog.sources import Compression
from engine.connectors.feed import Resolve
from engine.connectors.files.buckets import (
    ATTEMPTS,
    REQUEST_SECONDS,
    Buckets,
    Folder,
    GoogleBuckets,
    Object,
    S3Buckets,
    S3Keys,
)
from engine.connectors.files.parts import digest
from engine.connectors.files.roots import WILD, alternatives
from engine.connectors.files.stores import Found, compression_of, decompressed, replaced
from engine.connectors.files.streams import Once, Stream
from engine.errors import MissingFile, SourceError

CONNECT_SECONDS: Final = 5
REGION: Final = "us-east-1"
"""Where S3 is unless a connection says so."""

TOKEN_LIFE: Final = timedelta(days=1)
"""The store's client asks when a token ends. It does not say: whoever made it knows, and the store refuses it then."""


class Objects:
    """The objects that a URL means; see stores.Store."""

    def __init__(
        self, url: str, compression: Compression, connection: StoreConnection | None, resolve: Resolve
    ) -> None:
        self._scheme, _, path = url.partition("://")
        self._bucket, _, self._pattern = path.partition("/")
        self._url = url
        self._compression = compression
        self._connection = connection
        self._resolve = resolve
        self._filesystem: fs.FileSystem | None = None

    @property
    def _buckets(self) -> Buckets:
        return buckets_of(self._scheme, self._connection, self._resolve)

    @property
    def _files(self) -> fs.FileSystem:
        if self._filesystem is None:
            self._filesystem = filesystem(self._scheme, self._connection, self._resolve)
        return self._filesystem

    def list(self) -> tuple[Found, ...]:
        if WILD.search(self._bucket):
            raise SourceError(f'the bucket of "{self._url}" has to be named: a pattern is of what is in it')
        store = self._buckets
        found = {each.key: each for pattern in alternatives(self._pattern) for each in self._matching(store, pattern)}
        if not found:
            raise MissingFile(f'no object is at or matches "{self._url}"')
        return tuple(self._found(found[key]) for key in sorted(found))

    def _matching(self, store: Buckets, pattern: str) -> Iterator[Object]:
        parts = [part for part in pattern.split("/") if part]
        wild = next((i for i, part in enumerate(parts) if WILD.search(part)), len(parts))
        base = "".join(part + "/" for part in parts[:wild])
        if wild < len(parts):
            yield from self._walk(store, base, parts[wild:])
            return
        itself = None if pattern.endswith("/") else self._at(store, base[:-1])
        if itself is not None:
            yield itself
        else:
            yield from self._walk(store, base, ["*"])

    def _at(self, store: Buckets, key: str) -> Object | None:
        """The object of that key: none that begins with it comes before it."""
        first = next(store.objects(self._bucket, key, deep=True, most=1), None) if key else None
        return first if isinstance(first, Object) and first.key == key else None

    def _walk(self, store: Buckets, base: str, parts: Sequence[str]) -> Iterator[Object]:
        """The objects below `base` that match what is left of the pattern."""
        part, rest = parts[0], parts[1:]
        prefix = base + WILD.split(part, maxsplit=1)[0]
        if "**" in parts:
            for each in store.objects(self._bucket, prefix, deep=True):
                if isinstance(each, Object) and fits(each.key[len(base) :].split("/"), parts):
                    yield each
            return
        for each in store.objects(self._bucket, prefix, deep=False):
            if isinstance(each, Folder):
                if rest and fits([each.prefix[len(base) : -1]], [part]):
                    yield from self._walk(store, each.prefix, rest)
            elif not rest and fits([each.key[len(base) :]], [part]):
                yield each

    def _found(self, object: Object) -> Found:
        path = f"{self._scheme}://{self._bucket}/{object.key}"
        id = digest(f"{path} {object.size} {object.content}".encode())
        return Found(path, id, object.size, (object.size, 0))

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

    def table(self, found: Found) -> Any:  # noqa: ANN401 - as stores.Store says
        try:
            return self._files.open_input_file(found.path.partition("://")[2])
        except OSError as error:
            self._filesystem = None
            raise SourceError(f'"{found.path}" cannot be opened: {error}') from None

    def check(self, found: Found) -> None:
        now = self._at(self._buckets, found.path.partition("://")[2].partition("/")[2])
        if now is not None and self._found(now) != found:
            raise replaced(found)


def fits(names: Sequence[str], parts: Sequence[str]) -> bool:
    """Whether a path, name by name, is one that a pattern means. O(names * parts) but for several `**`."""
    if not parts:
        return not names
    if parts[0] == "**":
        if len(parts) == 1:
            return bool(names) and all(name and not name.startswith(".") for name in names)
        return fits(names, parts[1:]) or (bool(names and names[0]) and names[0][0] != "." and fits(names[1:], parts))
    if not names or not names[0] or (names[0].startswith(".") and not parts[0].startswith(".")):
        return False
    return re.match(translate(parts[0]), names[0]) is not None and fits(names[1:], parts[1:])


def buckets_of(scheme: str, connection: StoreConnection | None, resolve: Resolve) -> Buckets:
    """What the object store of a URL's scheme has."""
    if scheme == "s3":
        aws = connection if isinstance(connection, AwsConnection) else AwsConnection()
        keys = None
        if aws.access_key is not None and aws.secret_key is not None:
            keys = S3Keys(resolve(aws.access_key), resolve(aws.secret_key), _value(aws.token, resolve))
        return S3Buckets(aws.endpoint, aws.region or REGION, keys)
    gcs = connection if isinstance(connection, GcsConnection) else GcsConnection()
    return GoogleBuckets(gcs.endpoint, _value(gcs.token, resolve))


def filesystem(scheme: str, connection: StoreConnection | None, resolve: Resolve) -> fs.FileSystem:
    """The bytes of the object store of a URL's scheme."""
    if scheme == "s3":
        aws = connection if isinstance(connection, AwsConnection) else AwsConnection()
        endpoint = urlsplit(aws.endpoint or "")
        return fs.S3FileSystem(
            access_key=_value(aws.access_key, resolve), secret_key=_value(aws.secret_key, resolve),
            session_token=_value(aws.token, resolve), anonymous=aws.access_key is None, region=aws.region or REGION,
            scheme=endpoint.scheme or "https", endpoint_override=endpoint.netloc or None,
            connect_timeout=CONNECT_SECONDS, request_timeout=REQUEST_SECONDS,
            retry_strategy=fs.AwsStandardS3RetryStrategy(max_attempts=ATTEMPTS),
        )  # fmt: skip
    gcs = connection if isinstance(connection, GcsConnection) else GcsConnection()
    endpoint = urlsplit(gcs.endpoint or "")
    token = _value(gcs.token, resolve)
    return fs.GcsFileSystem(
        anonymous=token is None, access_token=token,
        credential_token_expiration=None if token is None else datetime.now(UTC) + TOKEN_LIFE,
        scheme=endpoint.scheme or "https", endpoint_override=endpoint.netloc or None,
        retry_time_limit=timedelta(seconds=REQUEST_SECONDS),
    )  # fmt: skip


def _value(setting: Setting | None, resolve: Resolve) -> str | None:
    return None if setting is None else resolve(setting)


def check_store(connection: StoreConnection, resolve: Resolve) -> None:
    """SourceError when the store cannot be reached, or does not take us for who we say we are."""
    buckets_of("s3" if isinstance(connection, AwsConnection) else "gs", connection, resolve).check()
