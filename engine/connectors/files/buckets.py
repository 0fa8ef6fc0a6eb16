"""What object stores say of their objects, asked by their own protocols: S3's ListObjectsV2 and Google's JSON API.

The bytes go through pyarrow.fs; names do not, for it leaves out what tells two contents of the same size and time apart
(S3's ETag, Google's MD5), and of Google's folders it says nothing. Each call is one page after another, to its end.
"""

import hashlib
import hmac
import http.client
import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Protocol
from urllib.parse import quote, unquote, urlencode, urlsplit
from xml.etree import ElementTree

from engine.errors import MissingFile, SourceError

REQUEST_SECONDS, ATTEMPTS = 20, 3
"""What a store may take to answer, and how often it is asked when it is busy or away, before the source is stalled."""

BUSY: Final = frozenset({429, 500, 502, 503, 504})
"""Answers that mean: not now."""

EMPTY: Final = hashlib.sha256(b"").hexdigest()


@dataclass(frozen=True, slots=True)
class Object:
    """`content` is another one when the bytes are."""

    key: str
    size: int
    content: str


@dataclass(frozen=True, slots=True)
class Folder:
    """What keys have in common up to a slash, with it."""

    prefix: str


class Refused(SourceError):
    """The store answered, and that it will not. `said`: its own words."""

    def __init__(self, what: str, where: str, status: int, said: str) -> None:
        super().__init__(f"{where} refuses {what}: {said or status}")
        self.status = status
        self.said = said


class Buckets(Protocol):
    """One store. SourceError when it cannot be asked, Refused when it does not want to; MissingFile: no such bucket."""

    def objects(self, bucket: str, prefix: str, deep: bool, most: int = 1000) -> Iterator[Object | Folder]:
        """Whose keys begin with the prefix: all of them, or only up to the next slash, and then what is behind it as
        folders. `most`: how many a page has."""
        ...

    def check(self) -> None:
        """SourceError when it does not take us for who we say we are."""
        ...


@dataclass(frozen=True, slots=True)
class S3Keys:
    """Who asks."""

    access: str
    secret: str
    token: str | None


def _asked(url: str, headers: Callable[[], Mapping[str, str]], what: str, said: Callable[[bytes], str]) -> bytes:
    """What the store answers to a GET."""
    where, reason = urlsplit(url).netloc, ""
    for attempt in range(ATTEMPTS):
        time.sleep(0 if attempt == 0 else 0.1 * 2**attempt)
        try:
            with urllib.request.urlopen(
                urllib.request.Request(url, headers=dict(headers())), timeout=REQUEST_SECONDS
            ) as reply:
                return reply.read()
        except urllib.error.HTTPError as error:
            with error:
                words = said(error.read())
            if error.code == 404:
                raise MissingFile(f"{what} does not exist at {where}") from None
            if error.code not in BUSY:
                raise Refused(what, where, error.code, words) from None
            reason = words or f"{error.code} {error.reason}"
        except (OSError, http.client.HTTPException) as error:
            reason = str(error.reason if isinstance(error, urllib.error.URLError) else error)
    raise SourceError(f"{where} cannot be asked for {what}: {reason}")


class S3Buckets:
    """S3, and what speaks its protocol."""

    def __init__(self, endpoint: str | None, region: str, keys: S3Keys | None) -> None:
        self._endpoint: Final = (endpoint or f"https://s3.{region}.amazonaws.com").rstrip("/")
        self._region: Final = region
        self._keys: Final = keys

    def objects(self, bucket: str, prefix: str, deep: bool, most: int = 1000) -> Iterator[Object | Folder]:
        asked = {"list-type": "2", "prefix": prefix, "encoding-type": "url", "max-keys": str(most)}
        if not deep:
            asked["delimiter"] = "/"
        while True:
            page = self._get(f"/{quote(bucket)}", asked, f'bucket "{bucket}"')
            for each in page.iterfind("{*}Contents"):
                key, size, tag = (each.findtext("{*}" + name) or "" for name in ("Key", "Size", "ETag"))
                yield Object(unquote(key), int(size), tag)
            for each in page.iterfind("{*}CommonPrefixes"):
                yield Folder(unquote(each.findtext("{*}Prefix") or ""))
            following = page.findtext("{*}NextContinuationToken")
            if not following:
                return
            asked["continuation-token"] = following

    def check(self) -> None:
        try:
            self._get("/", {}, "the list of buckets")
        except Refused as refused:
            if not refused.said.startswith("AccessDenied"):  # whoever may not see them all is known all the same
                raise

    def _get(self, path: str, query: Mapping[str, str], what: str) -> ElementTree.Element:
        url = f"{self._endpoint}{path}" + (f"?{urlencode(sorted(query.items()), quote_via=quote)}" if query else "")

        def headers() -> dict[str, str]:
            return {} if self._keys is None else signed(url, self._region, self._keys, datetime.now(UTC))

        data = _asked(url, headers, what, _said_in_xml)
        try:
            return ElementTree.fromstring(data)
        except ElementTree.ParseError as error:
            raise SourceError(f"{self._endpoint} does not speak S3's protocol: {error}") from None


def signed(url: str, region: str, keys: S3Keys, now: datetime) -> dict[str, str]:
    """The headers of a GET that prove who asks: AWS Signature Version 4. The query is sorted and quoted."""
    parts = urlsplit(url)
    at = now.strftime("%Y%m%dT%H%M%SZ")
    headers = {"host": parts.netloc, "x-amz-content-sha256": EMPTY, "x-amz-date": at}
    if keys.token is not None:
        headers["x-amz-security-token"] = keys.token
    names = ";".join(sorted(headers))
    lines = "".join(f"{name}:{headers[name]}\n" for name in sorted(headers))
    request = f"GET\n{parts.path or '/'}\n{parts.query}\n{lines}\n{names}\n{EMPTY}"
    scope = f"{at[:8]}/{region}/s3/aws4_request"
    key = f"AWS4{keys.secret}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    to_sign = f"AWS4-HMAC-SHA256\n{at}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
    signature = hmac.digest(key, to_sign.encode(), "sha256").hex()
    headers["authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={keys.access}/{scope}, SignedHeaders={names}, Signature={signature}"
    )
    return headers


def _said_in_xml(body: bytes) -> str:
    try:
        found = ElementTree.fromstring(body)
    except ElementTree.ParseError:
        return ""
    return ": ".join(text for name in ("Code", "Message") if (text := found.findtext("{*}" + name)))


class GoogleBuckets:
    """Google Cloud Storage."""

    def __init__(self, endpoint: str | None, token: str | None) -> None:
        self._endpoint: Final = (endpoint or "https://storage.googleapis.com").rstrip("/")
        self._token: Final = token

    def objects(self, bucket: str, prefix: str, deep: bool, most: int = 1000) -> Iterator[Object | Folder]:
        asked = {"prefix": prefix, "maxResults": str(most)}
        if not deep:
            asked["delimiter"] = "/"
        while True:
            page = self._get(f"/storage/v1/b/{quote(bucket, safe='')}/o", asked, f'bucket "{bucket}"')
            for each in page.get("items", ()):
                yield Object(each["name"], int(each["size"]), each.get("md5Hash") or each["generation"])
            for each in page.get("prefixes", ()):
                yield Folder(each)
            if not page.get("nextPageToken"):
                return
            asked["pageToken"] = page["nextPageToken"]

    def check(self) -> None:
        try:
            self._get("/storage/v1/b/tailrace", {}, "a bucket")
        except MissingFile:
            pass  # which ones there are only those are told who name a project
        except Refused as refused:
            if refused.status == 401 and self._token is not None:
                raise

    def _get(self, path: str, query: Mapping[str, str], what: str) -> Any:  # noqa: ANN401 - JSON
        headers = {} if self._token is None else {"Authorization": f"Bearer {self._token}"}
        data = _asked(f"{self._endpoint}{path}?{urlencode(query)}", lambda: headers, what, _said_in_json)
        try:
            return json.loads(data)
        except ValueError:
            raise SourceError(f"{self._endpoint} does not speak the protocol of Google Cloud Storage") from None


def _said_in_json(body: bytes) -> str:
    try:
        return str(json.loads(body)["error"]["message"])
    except (ValueError, KeyError, TypeError):
        return ""
