"""A process that is killed: no one else sees what becomes of what it was doing."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path


def killed(seconds: float, script: str, folder: Path) -> None:
    """Run a script of Python on a data directory; SIGKILL so long after it has said "ready"."""
    child = subprocess.Popen([sys.executable, "-c", script, str(folder)], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    assert child.stdout.readline() == "ready\n"
    time.sleep(seconds)
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    child.stdout.close()
