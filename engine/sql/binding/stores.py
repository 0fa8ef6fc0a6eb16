"""Object stores: how their URLs and options say which one it is, and as whom."""

from typing import Final
from urllib.parse import urlsplit

from engine.catalog.connections import AwsConnection, GcsConnection, StoreConnection
from engine.errors import InvalidParameter, WrongObjectType
from engine.sql.binding.source_options import Options, Reads

STORES: Final = {"s3": AwsConnection, "gs": GcsConnection}
"""Object stores by the scheme of their URLs, and what connections reach them."""


def aws(options: Options, at: int) -> AwsConnection:
    """TO AWS (ACCESS KEY ID, SECRET ACCESS KEY = SECRET s, TOKEN, REGION, ENDPOINT)."""
    found = AwsConnection(
        options.setting("access key id"), options.hidden("secret access key"), options.hidden("token"),
        options.text("region"), endpoint(options, at),
    )  # fmt: skip
    if (found.access_key is None) != (found.secret_key is None):
        raise InvalidParameter("ACCESS KEY ID and SECRET ACCESS KEY go together", position=at)
    return found


def endpoint(options: Options, at: int) -> str | None:
    url = options.url("endpoint")
    if url is not None and (urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).netloc):
        raise InvalidParameter(f'ENDPOINT "{url}" is no URL', hint="ENDPOINT 'https://host:port'", position=at)
    return url


def store_connection(path: str, options: Options, reads: Reads, at: int) -> StoreConnection | None:
    """What the options say of how to reach the store of a URL: a connection, or for S3 the same in the open."""
    scheme = urlsplit(path).scheme
    name = options.name("aws connection", "gcs connection")
    if name is not None:
        found, kind = reads.connection(name), STORES.get(scheme)
        if kind is None or not isinstance(found, AwsConnection | GcsConnection) or not isinstance(found, kind):
            raise WrongObjectType(f'connection "{name}" does not lead to "{path}"', position=name.at)
        return found
    if scheme == "s3":
        found = aws(options, at)
        return None if found == AwsConnection() else found
    return None
