"""A real server for tests: real sockets on ports of the system's choice, a real engine, and no error goes unseen."""

import logging
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.main import Running, in_background
from app.settings import Address, Settings

ANYWHERE = Address("127.0.0.1", 0)
SETTINGS = Settings(
    pg_listen=ANYWHERE, http_listen=ANYWHERE, shutdown_seconds_max=2, heartbeat_ms=200,
    file_roots=(Path(tempfile.gettempdir()),), file_write_roots=(Path(tempfile.gettempdir()),),
)  # fmt: skip


@pytest.fixture(scope="module")
def server() -> Iterator[Running]:
    """One server for a module; tests use names of their own."""
    with in_background(SETTINGS) as running:
        yield running


@pytest.fixture(autouse=True)
def no_internal_errors(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """XX000 is our bug: its log line fails the test that caused it."""
    yield
    logged = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert not logged, logged
