"""openapi/ is what the app serves, and what it serves is a document that tells all."""

import json
import re
from pathlib import Path

import httpx
import yaml

from app.cli.asyncapi import asyncapi
from app.cli.openapi import document

KEPT = Path(__file__).parents[2] / "openapi"


def test_the_documents_are_the_apps():
    assert (KEPT / "openapi.json").read_text() == document(), "run `make openapi`"
    assert (KEPT / "asyncapi.yaml").read_text() == asyncapi(), "run `make openapi`"


def operations():
    for path, methods in json.loads(document())["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


def test_every_operation_is_told_whole():
    ids = [operation["operationId"] for _, _, operation in operations()]
    assert len(set(ids)) == len(ids)
    for path, method, operation in operations():
        assert re.fullmatch(r"[a-z_]+", operation["operationId"])
        assert operation["summary"]
        assert operation["tags"]
        if not path.startswith("/health") and path != "/metrics":
            problem = operation["responses"]["400"]["content"]["application/problem+json"]["schema"]
            assert problem == {"$ref": "#/components/schemas/Problem"}, (path, method)
            assert operation["security"], (path, method)


def test_asyncapi_is_yaml_whose_references_lead_somewhere():
    found = yaml.safe_load(asyncapi())

    def references(value):
        if isinstance(value, dict):
            if isinstance(value.get("$ref"), str):
                yield value["$ref"]
            for inner in value.values():
                yield from references(inner)
        elif isinstance(value, list):
            for inner in value:
                yield from references(inner)

    for reference in set(references(found)):
        at = found
        for part in reference.removeprefix("#/").split("/"):
            at = at[part]
    assert set(found["channels"]) == {"subscribe", "sql"}


def test_the_page_needs_no_network(server):
    with httpx.Client(base_url=f"http://{server.http}") as http:
        page = http.get("/docs").text
        fetched = re.findall(r'(?:src|href)="([^"]+)"', page)
        assert fetched
        for url in fetched:
            assert url.startswith("/"), url
            assert http.get(url).status_code == 200, url
        assert http.get("/openapi.json").json() == json.loads(document())
