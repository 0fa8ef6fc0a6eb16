"""openapi/openapi.json is what the app serves."""

from pathlib import Path

from app.cli.openapi import document


def test_the_document_is_the_apps():
    kept = Path(__file__).parents[2] / "openapi" / "openapi.json"
    assert kept.read_text() == document(), "run `make openapi`"
