"""Run the workloads, each in a process of its own, and print one table."""

import argparse
import importlib
import json
import subprocess
import sys

from rich.console import Console
from rich.table import Table

WORKLOADS = (
    "aggregate", "join", "latency", "growth", "views", "memory", "windows", "recursion", "planning", "tpch",
    "nexmark", "subscribers", "kafka", "sinks", "postgres", "files", "lookups", "bulk", "cancel",
)  # fmt: skip


def number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("workload", nargs="*", help=f"of {', '.join(WORKLOADS)}; all when none is named")
    parser.add_argument("--scale", type=float, default=1.0, help="fraction of the full sizes (default 1)")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if unknown := set(options.workload) - set(WORKLOADS):
        parser.error(f"no such workload: {', '.join(sorted(unknown))}; there are {', '.join(WORKLOADS)}")
    if options.child:
        importlib.import_module(f"benchmarks.{options.workload[0]}").run(options.scale)
        return
    table = Table("workload", "metric", "Tailrace", "unit", "bar", "peer", "peer's", "ratio", title="Benchmarks")
    failed = False
    for workload in options.workload or WORKLOADS:
        command = [sys.executable, "-m", "benchmarks", workload, "--child", "--scale", str(options.scale)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
            assert child.stdout is not None
            for line in child.stdout:
                if not line.startswith("{"):
                    print(line, end="", file=sys.stderr)
                    continue
                f = json.loads(line)
                table.add_row(
                    f["workload"], f["metric"], number(f["ours"]), f["unit"], f["bar"], f["peer"], number(f["theirs"]),
                    number(f["ratio"]),
                )  # fmt: skip
                print(f"{f['workload']:10} {f['metric']}: {number(f['ours'])} {f['unit']}", file=sys.stderr, flush=True)
        failed |= child.returncode != 0
    Console(width=None if sys.stdout.isatty() else 160).print(table)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
