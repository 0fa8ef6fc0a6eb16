"""A source that is faster than its views waits where it is: resident memory stays, however much there is to read."""

import subprocess
import sys

import pytest

ROWS = 400_000
PAD = "x" * 200
GROWTH_MIB_MAX = 128
"""Of resident memory while the flood goes on: four ticks ahead, a tick, and what allocators keep. All of the topic or
the file decoded are 270 MiB and more."""
POISON = 50_000
"""Records that are none, of 5 kB: 250 MiB if they were kept."""

CHILD = """
import sys, threading
from pathlib import Path
from engine.coordinator.options import Options
from engine.database import Database

def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 >> 20

never, connector, rows = threading.Event(), sys.argv[1], int(sys.argv[2])
with Database.in_memory(Options(tick_ms_max=10, history_ms=0)) as db:
    db.execute(f"CREATE SOURCE s (id bigint, pad text) FROM {connector} FORMAT JSON")
    db.execute('''CREATE MATERIALIZED VIEW m AS
        SELECT (id + x) % 100 AS k, count(*) AS n FROM s CROSS JOIN generate_series(1, 1000) AS x GROUP BY 1''')
    ticks, ingest = db._coordinator.ticks, db._coordinator.ingest
    while ticks.count < 8:
        never.wait(0.05)
    begin, most, until = resident(), 0, ticks.seconds + 1.5
    while ticks.seconds < until:
        never.wait(0.05)
        most = max(most, resident())
    (status,) = ingest.status().values()
    assert status.rows < rows, "the view was not slow enough to be flooded"
    print(most - begin, status.rows, ticks.rows)
"""

POISONED = """
import sys, threading
from pathlib import Path
from engine.coordinator.options import Options
from engine.database import Database

def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 >> 20

never, connector, rows = threading.Event(), sys.argv[1], int(sys.argv[2])
with Database.in_memory(Options(history_ms=0, source_errors_max=1000, heap_sweep_bytes_min=1 << 24)) as db:
    db.execute(f"CREATE SOURCE s (id bigint, pad text) FROM {connector} FORMAT JSON")
    db.execute("CREATE MATERIALIZED VIEW m AS SELECT count(*) AS n, max(length(data)) AS size FROM s_errors")
    ingest, begin, most, let_go = db._coordinator.ingest, None, 0, 0
    while let_go < rows - 1000:
        never.wait(0.02)
        (status,) = ingest.status().values()
        let_go, most = status.errors_let_go, max(most, resident())
        begin = resident() if begin is None and let_go > rows // 10 else begin
    assert db.execute("SELECT n FROM m").rows() == [(1000,)], db.execute("SELECT * FROM m").rows()
    print(most - begin)
"""


def test_memory_stays_flat_under_records_that_are_none(tmp_path):
    """Each has bytes of its own, which nobody keeps once its row has gone for later ones."""
    path = tmp_path / "poison.json"
    with path.open("wb") as file:
        file.writelines(b"%s%d is no JSON\n" % (PAD.encode() * 25, i) for i in range(POISON))
    child = subprocess.run([sys.executable, "-c", POISONED, f"FILE '{path}'", str(POISON)], capture_output=True,
                           text=True, check=False, timeout=100)  # fmt: skip
    assert child.returncode == 0, child.stderr
    assert int(child.stdout) < GROWTH_MIB_MAX


@pytest.mark.parametrize("kind", ["file", "kafka"])
def test_memory_stays_flat(kind, topic, broker, tmp_path):
    lines = [b'{"id": %d, "pad": "%s%d"}\n' % (i, PAD.encode(), i) for i in range(ROWS)]
    if kind == "file":
        path = tmp_path / "flood.json"
        with path.open("wb") as file:
            file.writelines(lines)
        connector = f"FILE '{path}'"
    else:
        flood = topic()
        for at in range(0, ROWS, 50_000):
            flood.send(*lines[at : at + 50_000])
        connector = f"KAFKA BROKER '{broker.address}' TOPIC '{flood.name}'"
    child = subprocess.run([sys.executable, "-c", CHILD, connector, str(ROWS)], capture_output=True, text=True,
                           check=False, timeout=100)  # fmt: skip
    assert child.returncode == 0, child.stderr
    growth, read, taken = map(int, child.stdout.split())
    assert growth < GROWTH_MIB_MAX, (growth, read, taken)
