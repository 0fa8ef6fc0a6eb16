"""Log lines: for people, or one JSON object a line. Each bears the id of the request that it belongs to.

No secret gets here: what is logged of a request is listed in guard.Requests, and errors name no value of a setting.
"""

import json
import logging
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from app.access.guard import REQUEST_ID
from app.settings import Settings
from engine.database import Metric

QUIET: Final = ("uvicorn", "uvicorn.access", "asyncio", "websockets", "numba", "httpx", "httpcore")
"""Libraries whose news below a warning is none of the operator's business."""


LEVELS: Final = ("error", "warning", "info")


class AsJson(logging.Formatter):
    """time (RFC 3339), level, logger, message, request_id; what a line is about as members; an exception's trace."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "time": self.formatTime(record, "%Y-%m-%dT%H:%M:%S") + f".{int(record.msecs):03}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        request_id = REQUEST_ID.get()
        if request_id is not None:
            line["request_id"] = request_id
        line |= getattr(record, "about", {})
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, default=str)


class ForPeople(logging.Formatter):
    """Time, level, message, and the request's id."""

    def format(self, record: logging.LogRecord) -> str:
        request_id = REQUEST_ID.get()
        about = "" if request_id is None else f" [{request_id}]"
        line = f"{self.formatTime(record, '%H:%M:%S')} {record.levelname.lower():7} {record.getMessage()}{about}"
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


class Lines(logging.Handler):
    """Counts lines by their level."""

    def __init__(self) -> None:
        super().__init__()
        self._counts: Counter[str] = Counter()

    def emit(self, record: logging.LogRecord) -> None:
        self._counts[record.levelname.lower()] += 1

    def metrics(self) -> list[Metric]:
        """mz_log_message_total of each level, 0 where nothing was said."""
        counts = {level: 0 for level in LEVELS} | self._counts
        return [("mz_log_message_total", {"severity": level}, float(count)) for level, count in counts.items()]


@contextmanager
def counted() -> Iterator[Lines]:
    """What is logged meanwhile is counted."""
    lines = Lines()
    root = logging.getLogger()
    root.addHandler(lines)
    try:
        yield lines
    finally:
        root.removeHandler(lines)


def configure(settings: Settings) -> None:
    """Log to stderr from here on, as the settings say."""
    handler = logging.StreamHandler(sys.stderr)
    formatter = AsJson() if settings.log_format == "json" else ForPeople()
    formatter.converter = time.gmtime
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(settings.log_level.upper())
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
