"""What CONSISTENCY writes: where each transaction of a sink begins and ends, and how many records it has.

The records have Debezium's form of transaction marks. `id` is the tick in ms, which is the time of all the records too.
"""

import json
import struct
from dataclasses import dataclass
from typing import Any, Final

from engine.connectors.encode import varint
from engine.connectors.kafka.outgoing import Outgoing, absent
from engine.connectors.records import Spans

SCHEMA: Final[dict[str, Any]] = {
    "type": "record", "name": "envelope",
    "fields": [
        {"name": "id", "type": "string"},
        {"name": "status", "type": "string"},
        {"name": "event_count", "type": ["null", "long"], "default": None},
        {"name": "data_collections", "type": ["null", {"type": "array", "items": {
            "type": "record", "name": "data_collection",
            "fields": [{"name": "data_collection", "type": "string"}, {"name": "event_count", "type": "long"}],
        }}], "default": None},
    ],
}  # fmt: skip
NONE, SOME = varint(0), varint(1)


@dataclass(frozen=True, slots=True)
class Marks:
    """Those of one sink's topics: `topic` takes them, `of` has the records. `schema_id` of Avro; None: JSON."""

    topic: str
    of: str
    schema_id: int | None

    def begin(self, timestamp: int) -> Outgoing:
        """Before the first record of a transaction."""
        return self._record(timestamp, "BEGIN", None)

    def end(self, timestamp: int, records: int) -> Outgoing:
        """Behind the last."""
        return self._record(timestamp, "END", records)

    def _record(self, timestamp: int, status: str, records: int | None) -> Outgoing:
        if self.schema_id is None:
            counts = None if records is None else [{"data_collection": self.of, "event_count": records}]
            mark = {"id": str(timestamp), "status": status, "event_count": records, "data_collections": counts}
            data = json.dumps(mark, separators=(",", ":")).encode()
        else:
            parts = [b"\x00", struct.pack(">I", self.schema_id), _text(str(timestamp)), _text(status)]
            if records is None:
                parts += [NONE, NONE]
            else:
                parts += [SOME, varint(records), SOME, varint(1), _text(self.of), varint(records), varint(0)]
            data = b"".join(parts)
        return Outgoing(absent(1), Spans.of([data]), absent(1), None)


def _text(text: str) -> bytes:
    data = text.encode()
    return varint(len(data)) + data
