"""Whatever is sent to the HTTP API: no 5xx, and every reply is one that the OpenAPI document describes."""

import json

import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis import GenerationMode
from schemathesis.checks import load_all_checks
from schemathesis.specs.openapi.checks import ignored_auth, positive_data_acceptance

from app.cli.openapi import document

EXAMPLES = 3
"""Requests an operation; each run draws others."""

NOT_HELD = [
    positive_data_acceptance,  # that text is SQL, or a name of something, is nothing that a schema can say
    ignored_auth,  # the server under test trusts everybody; tests/app/test_access.py holds the one that does not
]

load_all_checks()


@schemathesis.serializer("application/x-ndjson", "text/csv", "application/vnd.apache.arrow.stream")
def as_it_is(_, value):
    return value if isinstance(value, bytes) else str(value).encode(errors="surrogateescape")


schema = schemathesis.openapi.from_dict(json.loads(document()))
schema.config.generation.update(modes=[GenerationMode.POSITIVE, GenerationMode.NEGATIVE])


# follow_view answers without end where its view is there; tests/app/test_changes.py holds it.
@schema.exclude(operation_id="follow_view").parametrize()
@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
def test_every_reply_is_as_documented(case, server):
    case.call_and_validate(base_url=f"http://{server.http}", excluded_checks=NOT_HELD, timeout=20)
