"""A schema registry that speaks Confluent's protocol: schemas by subject and by id.

Ids never change their meaning, so what was asked once is remembered. Calls block: they are made by readers' threads and
by CREATE SOURCE before it takes the tick lock.
"""

import base64
import json
import ssl
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass
from typing import Any, Final

from engine.catalog.connections import RegistryConnection
from engine.connectors import protobuf
from engine.connectors.feed import Resolve
from engine.connectors.tls import tls_context
from engine.errors import MalformedSource, SourceError

SECONDS_MAX: Final = 10
ACCEPT: Final = "application/vnd.schemaregistry.v1+json, application/json"


@dataclass(frozen=True, slots=True)
class RegisteredSchema:
    """`kind`: AVRO, PROTOBUF or JSON. `references` are (name, subject, version)."""

    text: str
    kind: str
    references: tuple[tuple[str, str, int], ...] = ()


class Unknown(MalformedSource):
    """The registry has no such thing."""


class Registry:
    """One registry. SourceError when it does not answer, MalformedSource when it does not know what is asked for."""

    def __init__(self, connection: RegistryConnection, resolve: Resolve) -> None:
        self._connection = connection
        self._resolve = resolve
        self._by_id: dict[int, RegisteredSchema] = {}

    def check(self) -> None:
        """SourceError when it cannot be asked."""
        self._get("/subjects")

    def latest(self, subject: str) -> RegisteredSchema:
        """The latest schema of a subject."""
        return _schema(self._get(f"/subjects/{urllib.parse.quote(subject, safe='')}/versions/latest"))

    def version(self, subject: str, version: int) -> RegisteredSchema:
        """That version of a subject's schema."""
        return _schema(self._get(f"/subjects/{urllib.parse.quote(subject, safe='')}/versions/{version}"))

    def latest_protobuf(self, subject: str, message: str) -> tuple[str, bytes]:
        """(message, its FileDescriptorSet): the message asked for, or the first one of the subject's file."""
        found = self.latest(subject)
        if found.kind != "PROTOBUF":
            raise MalformedSource(f'the schema of "{subject}" is {found.kind}, not Protobuf')
        imports: dict[str, str] = {}
        self._collect(found, imports)
        descriptors = protobuf.compiled("subject.proto", found.text, imports)
        return message or protobuf.first_message(descriptors), descriptors

    def _collect(self, schema: RegisteredSchema, into: dict[str, str]) -> None:
        """What a schema imports, by the names that it does so."""
        for name, subject, version in schema.references:
            if name not in into:
                imported = self.version(subject, version)
                into[name] = imported.text
                self._collect(imported, into)

    def by_id(self, id: int) -> RegisteredSchema:
        """The schema of that id."""
        found = self._by_id.get(id)
        if found is None:
            found = self._by_id[id] = _schema(self._get(f"/schemas/ids/{id}"))
        return found

    def register(self, subject: str, schema: str, compatibility: str | None = None) -> int:
        """The id of an Avro schema as the subject's latest. MalformedSource when the subject's rules forbid it.

        A level of compatibility is set before, for the schema is held to it; and after where the registry takes none of
        a subject that has no schema yet.
        """
        agreed = compatibility is None or self._agree(subject, compatibility)
        body = json.dumps({"schema": schema}).encode()
        reply = self._get(f"/subjects/{urllib.parse.quote(subject, safe='')}/versions", body)
        if compatibility is not None and not agreed and not self._agree(subject, compatibility):
            raise MalformedSource(f"schema registry {self._connection.url} keeps no compatibility level of {subject}")
        return int(reply["id"])

    def _agree(self, subject: str, compatibility: str) -> bool:
        """Set a subject's level of compatibility; False where the registry has no such subject."""
        body = json.dumps({"compatibility": compatibility}).encode()
        try:
            self._get(f"/config/{urllib.parse.quote(subject, safe='')}", body, "PUT")
        except Unknown:
            return False
        return True

    def _get(self, path: str, body: bytes | None = None, method: str | None = None) -> Any:  # noqa: ANN401 - JSON
        connection = self._connection
        headers = {"Accept": ACCEPT, "Content-Type": "application/vnd.schemaregistry.v1+json"}
        request = urllib.request.Request(connection.url + path, body, headers, method=method)
        if connection.username is not None:
            password = "" if connection.password is None else self._resolve(connection.password)
            pair = f"{self._resolve(connection.username)}:{password}".encode()
            request.add_header("Authorization", f"Basic {base64.b64encode(pair).decode()}")
        context: ssl.SSLContext | None = None
        if connection.tls is not None:
            context = tls_context(connection.tls, self._resolve)
        where = f"schema registry {connection.url}"
        try:
            with urllib.request.urlopen(request, timeout=SECONDS_MAX, context=context) as reply:
                return json.load(reply)
        except urllib.error.HTTPError as error:
            with error:
                if error.code in (409, 422) and body is not None:
                    said = error.read().decode(errors="replace")[:500]
                    raise MalformedSource(f"{where} refuses the schema of {path.split('/')[2]}", detail=said) from None
                if error.code == 404:
                    raise Unknown(f"{where} has no {path.removeprefix('/')}") from None
                raise SourceError(f"{where} answers {error.code} {error.reason}") from None
        except (OSError, ValueError) as error:
            reason = error.reason if isinstance(error, urllib.error.URLError) else error
            raise SourceError(f"{where} cannot be asked: {reason}") from None


def _schema(reply: Any) -> RegisteredSchema:  # noqa: ANN401 - JSON
    references = tuple((each["name"], each["subject"], int(each["version"])) for each in reply.get("references") or ())
    return RegisteredSchema(reply["schema"], reply.get("schemaType") or "AVRO", references)
