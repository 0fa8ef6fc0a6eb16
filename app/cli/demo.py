"""tailrace demo: a server, two sources, three views, and the views changing live in the terminal.

The server is the embedded default: no broker, no container, nothing kept. It listens where `tailrace serve` would, or,
if that is taken, where the system lets it. DEMO_SECONDS ends it by itself.
"""

import argparse
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic
from typing import Final

from rich.console import Console
from rich.live import Live

from app.cli.compiling import progress
from app.cli.live.feed import Feed
from app.cli.live.views import statements
from app.settings import Address, SettingError, Settings

with progress():
    from app.cli.live.screen import invitation, picture, print_plain, status
    from app.cli.live.watch import Watch
    from app.main import AddressInUse, Running, in_background
    from engine.errors import SqlError

SEED: Final = Path(__file__).parents[2] / "examples" / "orders.ndjson"

FRAME_SECONDS: Final = 0.25
LINE_SECONDS: Final = 1.0


def duration() -> float:
    """How long to run, in seconds, by DEMO_SECONDS; for ever if it is not set."""
    text = os.environ.get("DEMO_SECONDS", "inf")
    try:
        return float(text)
    except ValueError:
        raise SettingError(f"DEMO_SECONDS: {text!r} is not a number of seconds") from None


@contextmanager
def served(directory: Path) -> Iterator[Running]:
    settings = replace(Settings.read(), data_directory=None, file_roots=(directory,))
    try:
        with in_background(settings) as server:
            yield server
    except AddressInUse:
        anywhere = Address("127.0.0.1", 0)
        with in_background(replace(settings, pg_listen=anywhere, http_listen=anywhere)) as server:
            yield server


def show(watch: Watch, server: Running, until: float, ended: threading.Event) -> None:
    """Draw until the time is up or `ended` is set: live tables in a terminal, a line a second elsewhere."""
    console = Console()
    if not console.is_terminal:
        for line in invitation(server.pg, server.http):
            console.print(line, soft_wrap=True)
    live = Live(console=console, auto_refresh=False, screen=False) if console.is_terminal else None
    if live is not None:
        live.start()
    try:
        while not ended.is_set() and (left := until - monotonic()) > 0:
            watch.look()
            if live is not None:
                live.update(picture(watch, server.pg, server.http), refresh=True)
            else:
                console.print(status(watch), soft_wrap=True)
            watch.wait(min(left, LINE_SECONDS if live is None else FRAME_SECONDS))
    finally:
        if live is not None:
            live.stop()
    watch.look()
    if live is None:
        print_plain(watch, console)
    console.print(status(watch), soft_wrap=True)


def run(_: argparse.Namespace) -> int:
    seconds = duration()
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    try:
        with TemporaryDirectory(prefix="tailrace-demo-") as directory, served(Path(directory)) as server:
            orders = Path(directory) / "orders.ndjson"
            with Feed(SEED, orders):
                for statement in statements(orders):
                    server.database.execute(statement)
                with closing(Watch(server.database)) as watch:
                    show(watch, server, monotonic() + seconds, ended)
    except SqlError as error:
        print(f"tailrace: {error.message}", file=sys.stderr)
        return 1
    return 0
