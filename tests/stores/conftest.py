"""A server that speaks S3 over a socket, and a client of its protocol that is not ours."""

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import boto3
import pytest

KEYS = {"aws_access_key_id": "who", "aws_secret_access_key": "secret"}


class Bucket:
    """A bucket of its own for each test, by a client that everybody uses."""

    def __init__(self, endpoint: str, name: str) -> None:
        self.endpoint, self.name = endpoint, name
        self.client: Any = boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1", **KEYS)
        self.client.create_bucket(Bucket=name)

    def put(self, key: str, body: bytes) -> None:
        self.client.put_object(Bucket=self.name, Key=key, Body=body)

    def get(self, key: str) -> bytes:
        return self.client.get_object(Bucket=self.name, Key=key)["Body"].read()

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


@pytest.fixture(scope="session")
def endpoint() -> Iterator[str]:
    """The server's URL, on a port of the system's choice."""
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", "0"]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    assert server.stderr is not None
    try:
        for line in server.stderr:
            if "Running on http://" in line:
                yield line.split("Running on ")[1].split()[0]
                break
        else:
            raise AssertionError("the server of S3 ended")
    finally:
        server.kill()
        server.wait()
        server.stderr.close()


@pytest.fixture
def bucket(endpoint: str, request: pytest.FixtureRequest) -> Bucket:
    return Bucket(
        endpoint, "test-" + request.node.name.replace("_", "-").replace("[", "-").replace("]", "")[:50].strip("-")
    )
