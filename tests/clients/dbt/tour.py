"""Builds the project twice, as the second run replaces what the first has made, and the catalog of its docs.

One process for all of it, since most of a run's time is dbt's own start. Run by dbt's own environment:
tour.py TARGET FOLDER, where the folder has profiles.yml and takes what dbt writes.
"""

import sys
from pathlib import Path

from dbt.cli.main import dbtRunner

target, folder = sys.argv[1:]
where = ["--target", target, "--profiles-dir", folder, "--log-path", folder, "--target-path", folder]
where += ["--project-dir", str(Path(__file__).parent)]
for command in (["build"], ["docs", "generate"], ["build"]):
    done = dbtRunner().invoke([*command, *where])
    if not done.success:
        raise SystemExit(f"dbt {' '.join(command)} failed: {done.exception or 'see above'}")
