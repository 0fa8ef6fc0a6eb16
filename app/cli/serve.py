"""tailrace serve: the server until SIGTERM or SIGINT. One line when it is ready; exit status 0 when told to stop."""

import argparse
import asyncio
import signal
import sys
from typing import Final

import uvloop

from app.cli.compiling import progress
from app.settings import Settings

with progress():
    from app.access.logs import configure
    from app.main import AddressInUse, running
    from engine.errors import SqlError


TURN_SECONDS: Final = 0.001
"""How long a thread that runs Python may keep the others waiting: the event loop waits for its turn behind decoders and
ticks. Python's own 5 ms made the slowest look-ups beside a source take 18 ms, this 6; a third of it gains no more."""


async def serve(settings: Settings) -> None:
    configure(settings)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with running(settings) as server:
        kept = settings.data_directory or "memory"
        print(f"tailrace is ready: pgwire {server.pg}, http http://{server.http}, data in {kept}", flush=True)
        await stop.wait()


def run(asked: argparse.Namespace) -> int:
    sys.setswitchinterval(TURN_SECONDS)
    try:
        uvloop.run(serve(Settings.read(flags=vars(asked))))
    except AddressInUse as error:
        print(f"tailrace: {error}", file=sys.stderr)
        return 1
    except SqlError as error:
        print(f"tailrace: {error.message}", file=sys.stderr)
        return 1
    return 0
