"""Requests for webhook sources: one request is checked, becomes rows, and they are in one tick, or nothing is.

Law   what CHECK is not true of leaves no trace, and is told no more than that: a message of the expression may have a
      secret in it. What was acknowledged is in the log, as rows of tables are.
Cost  O(body); the condition is bound when the source is made and compiled for each request.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import numpy as np

from engine import types
from engine.catalog.catalog import Path
from engine.catalog.connections import SecretRef
from engine.catalog.items import Source
from engine.catalog.sources import Check, HeaderFilter, Part, WebhookBody, WebhookSource
from engine.collection.batch import Batch
from engine.collection.json import canonical
from engine.collection.value import Value
from engine.collection.vector import Vector
from engine.collection.words import vector_of
from engine.coordinator.coordinator import Coordinator
from engine.coordinator.load import array, blank, utf8
from engine.coordinator.ticks import Write
from engine.errors import InvalidAuthorization, InvalidParameter, InvalidText, UndefinedTable
from engine.expr.evaluate import Context as Evaluation
from engine.expr.evaluate import evaluate
from engine.plan.relation import Constant, Map
from engine.plan.scalars import is_plain
from engine.sql.binding.context import Context
from engine.sql.binding.session import settle

CLOSED = ("}", "]", '"')
"""What ends a JSON value by itself; behind any other there is white space."""


def receive(
    coordinator: Coordinator, name: Sequence[str], headers: Sequence[tuple[str, bytes]], body: bytes
) -> tuple[int, int]:
    """Commit what a request brings; (rows, the timestamp of their tick).

    UndefinedTable where there is no such webhook source, InvalidAuthorization for a header that comes twice (a check
    of one says nothing of the other), InvalidParameter for a body that is not of the format or a failed CHECK.
    """
    source = coordinator.catalog.resolve(name, Path())
    if not isinstance(source, Source) or not isinstance(source.description, WebhookSource):
        raise UndefinedTable(f'"{source.name.item}" is no webhook source')
    given = _once(headers)
    try:
        with coordinator.heap.pinned():
            if source.description.check is not None and not _passes(coordinator, source.description.check, given, body):
                raise InvalidParameter("the request does not pass the CHECK of the source")
            batch = _rows(coordinator, source, source.description, given, body)
            queued = coordinator.ticks.put(Write({source.id: batch}))
    except InvalidText as error:
        raise InvalidParameter(error.message, detail=error.detail, hint=error.hint) from None
    timestamp = coordinator.ticks.commit(queued)
    coordinator.ingest.received(source.id, len(batch))
    return len(batch), timestamp


def _once(headers: Sequence[tuple[str, bytes]]) -> dict[str, bytes]:
    """By name in lower case."""
    found: dict[str, bytes] = {}
    for name, value in headers:
        if name.lower() in found:
            raise InvalidAuthorization(f'header "{name.lower()}" comes twice')
        found[name.lower()] = value
    return found


def _passes(coordinator: Coordinator, check: Check, headers: Mapping[str, bytes], body: bytes) -> bool:
    """Whether the condition is true of the request. An error in it is no."""
    vectors: list[Vector] = []
    for what, binary in check.given:
        if what is Part.HEADERS:
            mapped: Value = {name: value if binary else _text(value, name) for name, value in headers.items()}
            kind = types.map_of(types.BYTEA if binary else types.TEXT)
        else:
            data = coordinator.secrets[what.id] if isinstance(what, SecretRef) else body
            named = "a secret" if isinstance(what, SecretRef) else "the body"
            mapped, kind = (data, types.BYTEA) if binary else (_text(data, named), types.TEXT)
        vectors.append(vector_of([mapped], kind, coordinator.heap))
    now = datetime.fromtimestamp(coordinator.oracle.wall_ms() / 1000, UTC)
    row = Map(Constant((), ()), (check.condition,))
    settled = settle(row, Context(coordinator.catalog, now=now))
    assert isinstance(settled, Map)
    (condition,) = settled.scalars
    assert is_plain(condition)
    answer = evaluate(condition, vectors, 1, Evaluation(coordinator.heap))
    failed = answer.errors is not None and bool(answer.errors.any())
    unknown = answer.nulls is not None and bool(answer.nulls.any())
    return not failed and not unknown and bool(answer.words[0])


def _rows(
    coordinator: Coordinator, source: Source, description: WebhookSource, headers: Mapping[str, bytes], body: bytes
) -> Batch:
    bodies = _bodies(description.body, body)
    n, heap = len(bodies), coordinator.heap
    same: list[Value] = []
    if description.headers is not None:
        same.append({name: _text(value, name) for name, value in headers.items() if _kept(description.headers, name)})
    for each in description.named:
        value = headers.get(each.header)
        same.append(value if value is None or each.binary else _text(value, each.header))
    vectors = [vector_of(bodies, source.columns[0].type, heap)]
    for value, column in zip(same, source.columns[1:], strict=True):
        one = vector_of([value], column.type, heap)
        vectors.append(Vector(np.repeat(one.words, n), None if one.nulls is None else np.repeat(one.nulls, n)))
    return Batch.from_vectors(vectors, np.ones(n, np.int64))


def _kept(filter: HeaderFilter, name: str) -> bool:
    return name not in filter.but and (filter.only is None or name in filter.only)


def _bodies(format: WebhookBody, body: bytes) -> list[Value]:
    match format:
        case WebhookBody.BYTES:
            return [body]
        case WebhookBody.TEXT:
            return [_text(body, "the body")]
        case WebhookBody.JSON | WebhookBody.JSON_ARRAY:
            return [_document(each, n) for n, each in enumerate(_values(body, format is WebhookBody.JSON_ARRAY), 1)]


def _document(text: bytes, number: int) -> str:
    try:
        return canonical(text).decode()
    except ValueError as error:
        raise InvalidText(f"value {number} is malformed JSON: {error}") from None


def _values(body: bytes, explode: bool) -> list[bytes]:
    """The JSON values of a body, one after the other; with `explode` the elements of an array instead of it."""
    text = utf8(body)
    found: list[bytes] = []
    at = blank(text, 0)
    if at == len(text):
        raise InvalidText("the body is empty, and no JSON")
    while at < len(text):
        if explode and text[at] == "[":
            elements, at = array(text, at)
            found += elements
        else:
            begin = at
            try:
                _, at = json.JSONDecoder().raw_decode(text, begin)
            except (ValueError, RecursionError) as error:
                raise InvalidText(f"value {len(found) + 1} is malformed JSON: {error}") from None
            found.append(text[begin:at].encode())
        after = blank(text, at)
        if after == at < len(text) and text[at - 1] not in CLOSED:
            raise InvalidText(f"value {len(found)} is malformed JSON: something follows it")
        at = after
    return found


def _text(data: bytes, what: str) -> str:
    try:
        text = data.decode()
    except UnicodeDecodeError:
        raise InvalidText(f"{what} is not UTF-8", hint="The source can take it as BYTES.") from None
    if "\0" in text:
        raise InvalidText(f"{what} has a NUL character", hint="The source can take it as BYTES.")
    return text
