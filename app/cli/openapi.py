"""tailrace openapi: the document that openapi/openapi.json keeps and a test compares."""

import argparse
import json

from app.main import application


def document() -> str:
    return json.dumps(application().openapi(), indent=2, sort_keys=True) + "\n"


def run(_: argparse.Namespace) -> int:
    print(document(), end="")
    return 0
