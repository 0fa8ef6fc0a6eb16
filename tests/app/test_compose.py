"""docker-compose.yml and the image: what can be held to without a container engine."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import httpx
import pytest

ROOT = Path(__file__).parents[2]


def test_compose_takes_its_file():
    command = shutil.which("docker-compose")
    assert command is not None, "this test asks Compose about its file: install Debian's package docker-compose"
    found = subprocess.run([command, "-f", "docker-compose.yml", "config"], cwd=ROOT, capture_output=True, text=True)
    assert found.returncode == 0, found.stderr
    for service in ("tailrace:", "broker:", "registry:", "shop:", "views:", "prometheus:", "grafana:"):
        assert f"  {service}" in found.stdout


@pytest.mark.parametrize("line", (ROOT / "docker-compose.yml").read_text().splitlines())
def test_what_compose_mounts_is_there(line: str):
    path = line.strip().removeprefix("- ").split(":")[0]
    if path.startswith("./"):
        assert (ROOT / path).exists()


def test_what_grafana_draws_is_measured(server):
    """Each metric of a panel is one that the server shows; what panels ask in SQL is asked by tests/kafka/test_shop."""
    with httpx.Client(base_url=f"http://{server.http}") as http:
        shown = {line.split("{")[0].split(" ")[0] for line in http.get("/metrics").text.splitlines()}
    asked: set[str] = set()
    for dashboard in (ROOT / "examples" / "shop" / "grafana" / "dashboards").glob("*.json"):
        for panel in json.loads(dashboard.read_text())["panels"]:
            for target in panel["targets"]:
                asked |= set(re.findall(r"\b(?:tailrace|mz)_\w+", target.get("expr", "")))
    assert len(asked) >= 3
    assert asked <= shown
