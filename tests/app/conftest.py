"""The fixtures of tests/serving.py."""

from tests.serving import no_internal_errors, server

__all__ = ["no_internal_errors", "server"]
