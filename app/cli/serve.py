"""tailrace serve: the server until SIGTERM or SIGINT. One line when it is ready; exit status 0 when told to stop."""

import argparse
import asyncio
import gc
import logging
import os
import signal
import sys
import threading
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


STOPS: Final = 2
"""Streams may take shutdown_seconds_max for their goodbye, then replies may take it."""


def stop_within(seconds: float) -> None:
    """End the process after so long whatever still computes: a tick is not given up half-way, and may take minutes. It
    is as after a crash: what was acknowledged is in the log, and what was not comes back as it was."""

    def give_up() -> None:
        logging.getLogger("tailrace").warning("what still ran after %g seconds of shutting down is given up", seconds)
        os._exit(0)

    timer = threading.Timer(seconds, give_up)
    timer.daemon = True
    timer.start()


async def serve(settings: Settings) -> None:
    configure(settings)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with running(settings) as server:
        gc.collect()  # what a start leaves stays: planning a long statement would have it searched again and again
        gc.freeze()
        kept = settings.data_directory or "memory"
        print(f"tailrace is ready: pgwire {server.pg}, http http://{server.http}, data in {kept}", flush=True)
        await stop.wait()
        stop_within(STOPS * settings.shutdown_seconds_max)


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
