"""Two hundred websockets follow one view that changes twenty times a second: what a tick then costs, how late changes
come, and the memory of it. The clients are a process of their own; all have to end with the state of the view."""

import asyncio
import json
import resource
import subprocess
import sys
import time
from collections import Counter

import numpy as np
from websockets.asyncio.client import connect

from app.main import in_background
from app.settings import Address, Settings
from benchmarks.measure import report

VIEW = "CREATE TABLE t (k int, v int, at bigint); CREATE MATERIALIZED VIEW live AS SELECT k, v, at FROM t"
KEYS, ROWS_A_TICK, TICKS_A_SECOND = 1_000, 10, 20


def run(scale: float) -> None:
    clients, seconds = max(2, int(200 * scale)), max(1.0, 10 * scale)
    anywhere = Address("127.0.0.1", 0)
    with in_background(Settings(pg_listen=anywhere, http_listen=anywhere, log_level="warning")) as server:
        database = server.database
        database.execute(VIEW)
        held = {k: (k, 0, 0) for k in range(KEYS)}
        database.write("t", list(held.values()))
        random = np.random.Generator(np.random.PCG64(3))

        def changes(ticks: int) -> list[float]:
            taken: list[float] = []
            for _ in range(ticks):
                begin = time.perf_counter()
                keys = random.choice(KEYS, ROWS_A_TICK, replace=False).tolist()
                gone = [held[k] for k in keys]
                now = time.time_ns() // 1000
                held.update((k, (k, int(random.integers(1 << 30)), now)) for k in keys)
                database.write("t", [*gone, *(held[k] for k in keys)], [-1] * len(keys) + [1] * len(keys))
                taken.append(time.perf_counter() - begin)
                time.sleep(max(0.0, 1 / TICKS_A_SECOND - taken[-1]))
            return taken

        ticks = int(seconds * TICKS_A_SECOND)
        alone = float(np.median(changes(ticks)))
        before = resource.getrusage(resource.RUSAGE_SELF)
        command = [sys.executable, "-m", "benchmarks.subscribers", str(server.http), str(clients)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
            assert child.stdin is not None
            assert child.stdout is not None
            child.stdout.readline()  # all have their snapshot
            cpu = time.process_time()
            followed = changes(ticks)
            cpu = time.process_time() - cpu
            end = database.write("t", [(-1, -1, 0)])
            child.stdin.write(f"{end}\n")
            child.stdin.close()
            found = json.loads(child.stdout.readline())
        after = resource.getrusage(resource.RUSAGE_SELF)
        rows = [[None if v is None else str(v) for v in row] for row in [*held.values(), (-1, -1, 0)]]
        assert found["states"] == [sorted(rows)], "every client has the view"
        name = f"{clients} subscribers"
        report("subscribe", f"{name}, a tick", float(np.median(followed)) * 1e3, "ms", peer="without them",
               theirs=alone * 1e3)  # fmt: skip
        report("subscribe", f"{name}, change seen, p50", found["p50"], "ms")
        report("subscribe", f"{name}, change seen, p99", found["p99"], "ms")
        report("subscribe", f"{name}, one core busy", 100 * cpu / seconds, "%")
        kilobytes = max(0, after.ru_maxrss - before.ru_maxrss) / clients
        report("subscribe", f"{name}, memory of one", kilobytes, "kB")


async def follow(address: str, ready: asyncio.Barrier, end: asyncio.Future[int], late: list[float]) -> list[list[str]]:
    """One client's final state."""
    state: Counter[tuple[str, ...]] = Counter()
    async with connect(f"ws://{address}/api/subscribe", compression=None) as socket:
        await socket.send(json.dumps({"type": "subscribe", "id": "s", "view": "live"}))
        first, timestamp = True, 0
        while not end.done() or timestamp < end.result():
            message = json.loads(await socket.recv())
            now = time.time_ns() // 1000
            for change in message.get("changes", ()):
                state[tuple(change["row"])] += change["diff"]
                at = int(change["row"][2])
                if not first and change["diff"] > 0 and at:
                    late.append((now - at) / 1000)
            if message["type"] in ("changes", "progress") and not message.get("more"):
                timestamp = message["timestamp"]
                if first:
                    first = False
                    await ready.wait()
    return sorted(list(row) for row in (+state).elements())


async def clients(address: str, count: int) -> None:
    ready, late = asyncio.Barrier(count + 1), list[float]()
    end: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    following = [asyncio.ensure_future(follow(address, ready, end, late)) for _ in range(count)]
    await ready.wait()
    print("ready", flush=True)
    end.set_result(int(await asyncio.to_thread(sys.stdin.readline)))
    states = {json.dumps(await each) for each in following}
    p50, p99 = np.quantile(late, [0.5, 0.99])
    print(json.dumps({"states": [json.loads(state) for state in states], "p50": p50, "p99": p99}), flush=True)


if __name__ == "__main__":
    asyncio.run(clients(sys.argv[1], int(sys.argv[2])))
