"""What the engine knows of an item -> its JSON."""

import re
from collections.abc import Sequence
from typing import Any, Final

from app.data.datums import description
from engine.database import Description, Operator, QualifiedName

PLAIN: Final = re.compile(r'[^".]+')


def name_of(parts: Sequence[str]) -> str:
    """What paths call an item: without the default database and schema."""
    rest = list(parts)
    for default in ("materialize", "public"):
        if len(rest) > 1 and rest[0] == default:
            del rest[0]
        else:
            break
    return ".".join(part if PLAIN.fullmatch(part) else '"' + part.replace('"', '""') + '"' for part in rest)


def object_of(found: Description) -> dict[str, Any]:
    """schemas.objects.Object."""
    source, sink = found.source, found.sink
    waits = next((each.error for each in (source, sink) if each is not None), None)
    return {
        "id": found.id,
        "name": name_of(parts(found.name)),
        "database": found.name.database,
        "schema": found.name.schema,
        "item": found.name.item,
        "kind": found.kind,
        "status": status_of(found),
        "error": waits if found.error is None else found.error,
        "columns": description(found.columns),
        "types": [str(column.type) for column in found.columns],
        "keys": [list(key) for key in found.keys],
        "create_sql": found.create_sql,
        "hydration": None
        if found.hydration is None
        else {"rows_done": found.hydration[0], "rows_total": found.hydration[1]},
        "frontier": found.frontier,
        "since": found.since,
        "changed": found.changed,
        "rows": found.rows,
        "bytes": found.bytes,
        "depends_on": [name_of(parts(name)) for name in found.depends_on],
        "used_by": [name_of(parts(name)) for name in found.used_by],
        "on": None if found.on is None else name_of(parts(found.on)),
        "key": list(found.key) if found.kind == "index" else None,
        "statistics": statistics_of(found),
    }


def statistics_of(found: Description) -> dict[str, Any] | None:
    """One of schemas.objects' three kinds."""
    source, sink = found.source, found.sink
    if source is not None:
        return {
            "rows": source.rows,
            "bytes": source.bytes,
            "waiting": source.waiting,
            "finished": source.finished,
            "error": source.error,
            "offsets": dict(source.offsets),
        }
    if sink is not None:
        return {
            "transactions": sink.transactions,
            "records": sink.records,
            "bytes": sink.bytes,
            "timestamp": sink.timestamp or None,
        }
    return None if found.changes is None else {"changes": found.changes}


def operator_of(found: Operator) -> dict[str, Any]:
    """schemas.objects.Operator."""
    return {
        "id": found.id,
        "name": found.name,
        "text": found.text,
        "inputs": list(found.inputs),
        "rows": found.rows,
        "bytes": found.bytes,
        "changes": found.changes,
        "used_by": [name_of(parts(name)) for name in found.used_by],
    }


def parts(name: QualifiedName) -> tuple[str, str, str]:
    return name.database, name.schema, name.item


def status_of(found: Description) -> str:
    """One word for how it is."""
    if found.error is not None:
        return "failed"
    if found.hydration is not None:
        return "hydrating"
    if found.kind in ("connection", "secret"):
        return "present"
    for worked in (found.source, found.sink):
        if worked is not None:
            return worked.state
    if found.kind == "view" and not found.maintained:
        return "virtual"
    return "running"
