"""The AsyncAPI document: what goes over the websockets, made from the schemas that the server reads and writes by."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import orjson
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from app.main import VERSION
from app.schemas import live, sql

WORD: Final = re.compile(r"[A-Za-z_]\w*", re.ASCII)
OTHER_THAN_TEXT: Final = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n"})
"""Words that YAML takes for something else: they stay in quotes."""
REFERENCE: Final = "#/components/schemas/{model}"

CHANNELS: Final[Mapping[str, tuple[str, str, Sequence[type[BaseModel]], Sequence[type[BaseModel]]]]] = {
    "subscribe": (
        "/api/subscribe",
        "Live views: any number of subscriptions on one socket. In binary frames (format arrow) a message is its "
        "length as u32 big-endian, the message as JSON with no changes in it, and the changes as an Arrow IPC stream. "
        "GET /api/views/{name}/changes sends the same messages as server-sent events.",
        (live.Subscribe, live.Unsubscribe, live.Acknowledge, live.Authenticate),
        (
            live.Subscribed, live.Reset, live.Changes, live.Progress, live.Heartbeat, live.Authenticated, live.Failed,
            live.Ended, live.Goodbye,
        ),
    ),
    "sql": (
        "/api/experimental/sql",
        "Statements and their answers, in the frames of Materialize's websocket API.",
        (sql.Credentials, sql.SimpleRequest, sql.ExtendedRequest),
        (
            sql.ParameterStatus, sql.BackendKeyData, sql.ReadyForQuery, sql.NoticeFrame, sql.CommandStarting,
            sql.RowsFrame, sql.RowFrame, sql.CommandComplete, sql.ErrorFrame,
        ),
    ),
}  # fmt: skip
"""By name: the path, what it is for, what the client says, what the server says."""


def asyncapi() -> str:
    """The document as YAML."""
    every = [model for _, _, said, heard in CHANNELS.values() for model in (*said, *heard)]
    _, definitions = models_json_schema([(model, "validation") for model in every], ref_template=REFERENCE)
    channels: dict[str, Any] = {}
    operations: dict[str, Any] = {}
    for name, (address, about, said, heard) in CHANNELS.items():
        messages = {model.__name__: {"$ref": f"#/components/messages/{model.__name__}"} for model in (*said, *heard)}
        channels[name] = {"address": address, "description": about, "messages": messages}
        for action, verb, models in (("receive", "hears", said), ("send", "says", heard)):
            operations[f"{name}_{verb}"] = {
                "action": action,
                "channel": {"$ref": f"#/channels/{name}"},
                "summary": f"What the server {verb}",
                "messages": [{"$ref": f"#/channels/{name}/messages/{model.__name__}"} for model in models],
            }
    document = {
        "asyncapi": "3.0.0",
        "info": {"title": "Tailrace", "version": VERSION, "description": "What goes over Tailrace's websockets"},
        "servers": {"local": {"host": "127.0.0.1:6876", "protocol": "ws"}},
        "channels": channels,
        "operations": operations,
        "components": {
            "messages": {
                model.__name__: {
                    "name": model.__name__,
                    "summary": " ".join((model.__doc__ or model.__name__).split()),
                    "payload": {"$ref": REFERENCE.format(model=model.__name__)},
                }
                for model in every
            },
            "schemas": definitions["$defs"],
        },
    }
    return "\n".join(lines(document, 0)) + "\n"


def lines(value: object, depth: int) -> Iterator[str]:
    """A document as YAML: maps and lists by indentation, scalars as JSON, which YAML reads too."""
    pad = "  " * depth
    match value:
        case dict() if value:
            for key, inner in value.items():
                if isinstance(inner, dict | list) and inner:
                    yield f"{pad}{scalar(key)}:"
                    yield from lines(inner, depth + 1)
                else:
                    yield f"{pad}{scalar(key)}: {scalar(inner)}"
        case list() if value:
            for inner in value:
                if isinstance(inner, dict | list) and inner:
                    first, *rest = lines(inner, depth + 1)
                    yield f"{pad}- {first.lstrip()}"
                    yield from rest
                else:
                    yield f"{pad}- {scalar(inner)}"
        case _:
            yield pad + scalar(value)


def scalar(value: object) -> str:
    if isinstance(value, str) and WORD.fullmatch(value) and value.lower() not in OTHER_THAN_TEXT:
        return value
    return orjson.dumps(value).decode()
