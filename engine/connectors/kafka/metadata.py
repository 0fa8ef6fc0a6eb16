# pyright: basic, reportIncompatibleMethodOverride=false, reportAssignmentType=false, reportArgumentType=false
# aiokafka's schemas are typed only as far as it uses them itself.
"""The metadata request in version 12: the first that tells the ids of topics, which aiokafka does not speak.

A topic that was deleted and made again bears its old name and another id; without it the new one's records would be
taken for the old one's next.
"""

from io import BytesIO

from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import Boolean, CompactArray, CompactString, Int16, Int32, Schema, TaggedFields


class _Id:
    """A topic's id on the wire: 16 bytes."""

    @classmethod
    def decode(cls, data: BytesIO) -> bytes:
        return data.read(16)

    @classmethod
    def encode(cls, value: bytes) -> bytes:
        return value

    @classmethod
    def repr(cls, value: bytes) -> str:
        return value.hex()


class _MetadataResponse(Response):
    API_KEY = 3
    API_VERSION = 12
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "brokers",
            CompactArray(
                ("node_id", Int32), ("host", CompactString("utf-8")), ("port", Int32), ("rack", CompactString("utf-8")),
                ("tags", TaggedFields),
            ),
        ),
        ("cluster_id", CompactString("utf-8")),
        ("controller_id", Int32),
        (
            "topics",
            CompactArray(
                ("error_code", Int16), ("topic", CompactString("utf-8")), ("topic_id", _Id), ("is_internal", Boolean),
                (
                    "partitions",
                    CompactArray(
                        ("error_code", Int16), ("partition", Int32), ("leader", Int32), ("leader_epoch", Int32),
                        ("replicas", CompactArray(Int32)), ("isr", CompactArray(Int32)),
                        ("offline_replicas", CompactArray(Int32)), ("tags", TaggedFields),
                    ),
                ),
                ("authorized_operations", Int32), ("tags", TaggedFields),
            ),
        ),
        ("tags", TaggedFields),
    )  # fmt: skip


class _MetadataStruct(RequestStruct):
    FLEXIBLE_VERSION = True
    API_KEY = 3
    API_VERSION = 12
    RESPONSE_TYPE = _MetadataResponse
    SCHEMA = Schema(
        ("topics", CompactArray(("topic_id", _Id), ("topic", CompactString("utf-8")), ("tags", TaggedFields))),
        ("allow_auto_topic_creation", Boolean),
        ("include_authorized_operations", Boolean),
        ("tags", TaggedFields),
    )


class MetadataRequest(Request[_MetadataStruct]):
    """One topic, never created by asking for it."""

    API_KEY = 3

    def __init__(self, topic: str | None) -> None:
        self._topics = [] if topic is None else [(bytes(16), topic, {})]

    def build(self, request_struct_class: type[_MetadataStruct]) -> _MetadataStruct:
        return request_struct_class(self._topics, False, False, {})
