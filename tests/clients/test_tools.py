"""pgbench and pgcli."""

import os
import shutil
from pathlib import Path

from app.main import Running
from tests.clients.conftest import ran


def test_pgbench(server: Running, tool, tmp_path: Path):
    script = tmp_path / "look_up.sql"
    script.write_text("\\set key random(1, 2)\nSELECT shop, amount FROM sales WHERE id = :key;\n")
    pgbench = tool("pgbench", "apt-get install postgresql")
    address = ("-h", server.pg.host, "-p", str(server.pg.port), "-U", "materialize")
    for mode in ("simple", "extended", "prepared"):
        found = ran(pgbench, *address, "-n", "-M", mode, "-f", str(script), "-c", "2", "-t", "50", "materialize")
        assert "number of transactions actually processed: 100/100" in found
        assert "number of failed transactions: 0" in found


def test_pgcli(url: str):
    """It asks the catalog for what it completes before it runs what it is given."""
    pgcli = Path(shutil.which("pgcli", path=str(Path(os.sys.executable).parent)) or "pgcli")
    found = ran(
        str(pgcli),
        url,
        "--no-password",
        "--less-chatty",
        script="\\dt sales\nSELECT id FROM sales WHERE id = 2;\n\\q\n",
    )
    assert "materialize" in found
