"""tailrace openapi [--messages]: the documents that openapi/ keeps and a test compares."""

import argparse
import json

from app.cli.asyncapi import asyncapi
from app.main import application


def document() -> str:
    """OpenAPI: the HTTP routes."""
    return json.dumps(application().openapi(), indent=2, sort_keys=True) + "\n"


def run(asked: argparse.Namespace) -> int:
    print(asyncapi() if asked.messages else document(), end="")
    return 0
