"""Two hundred websockets that follow one view, which changes twenty times a second: all fold to the same states."""

import asyncio
import json
import threading
from collections import Counter

from websockets.asyncio.client import connect

CLIENTS, TICKS, TICK_SECONDS, KEYS = 200, 60, 0.05, 50


async def follow(address, begun, states, end):
    """Fold until the end is told; what stood at each time."""
    state, at = Counter(), 0
    async with connect(f"ws://{address}/api/subscribe", compression=None) as socket:
        await socket.send(json.dumps({"type": "subscribe", "id": "s", "view": "many_v"}))
        while not end.done() or at < end.result():
            message = json.loads(await socket.recv())
            for change in message.get("changes", ()):
                state[tuple(change["row"])] += change["diff"]
            if "token" in message:
                at = message["timestamp"]
                states.setdefault(at, set()).add(frozenset((+state).items()))
                begun.release()
    return +state


async def everybody(server, states):
    begun, end = threading.Semaphore(0), asyncio.get_running_loop().create_future()
    following = [asyncio.ensure_future(follow(server.http, begun, states, end)) for _ in range(CLIENTS)]

    def write():
        for _ in range(CLIENTS):
            begun.acquire()
        held = {}
        for tick in range(TICKS):
            gone = [(k, held[k]) for k in range(tick % 5, KEYS, 5) if k in held]
            held.update((k, tick) for k in range(tick % 5, KEYS, 5))
            rows = [(k, tick) for k in range(tick % 5, KEYS, 5)]
            last = server.database.write("many", [*rows, *gone], [1] * len(rows) + [-1] * len(gone))
            threading.Event().wait(TICK_SECONDS)
        return last

    end.set_result(await asyncio.to_thread(write))
    return await asyncio.gather(*following)


def test_all_see_the_same(server):
    server.database.execute("CREATE TABLE many (k int, v int)")
    server.database.execute("CREATE MATERIALIZED VIEW many_v AS SELECT k % 10 AS g, sum(v) AS s FROM many GROUP BY 1")
    states = {}
    folded = asyncio.run(everybody(server, states))
    expected = Counter((str(g), str(s)) for g, s in server.database.execute("SELECT * FROM many_v").rows())
    assert len(folded) == CLIENTS
    assert all(state == expected for state in folded)
    assert all(len(seen) == 1 for seen in states.values()), "two clients saw different states at one time"
    assert len(states) > TICKS // 2
