"""Parses .slt files (README.md beside this says what is in them)."""

import re
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Statement:
    line: int
    sql: str
    error: str | None  # a regex that the message must match
    count: int | None


@dataclass(frozen=True, slots=True)
class Query:
    line: int
    sql: str
    columns: int
    sort: bool
    view: bool
    rows: tuple[tuple[str, ...], ...]


def read(path: Path) -> list[Statement | Query]:
    """The records of a file, in order."""
    records: list[Statement | Query] = []
    lines = path.read_text().splitlines()
    at = 0
    while at < len(lines):
        head, line = lines[at].strip(), at + 1
        at += 1
        if not head or head.startswith("#"):
            continue
        end = at
        while end < len(lines) and lines[end].strip():
            end += 1
        body, at = lines[at:end], end
        words = head.split()
        if words[0] == "statement":
            error = head.split(None, 2)[2] if words[1] == "error" else None
            count = int(words[2]) if words[1] == "count" else None
            records.append(Statement(line, "\n".join(body), error, count))
        elif words[0] == "query":
            cut = body.index("----")
            rows = tuple(tuple(re.split(r"\t|\s{2,}", row.strip())) for row in body[cut + 1 :])
            flags = set(words[2:])
            assert flags <= {"rowsort", "noview"}, f"{path.name}:{line}: unknown flag in {head!r}"
            records.append(
                Query(line, "\n".join(body[:cut]), len(words[1]), "rowsort" in flags, "noview" not in flags, rows)
            )
        else:
            raise ValueError(f"{path.name}:{line}: {head!r} is no record")
    return records
