"""A socket that is cut at any moment, five hundred times: what is folded is the view at every time of a token."""

import json
import random
import socket
import threading
from collections import Counter

from websockets.sync.client import connect

CUTS = 500
KEYS = 12


class Writer(threading.Thread):
    """Changes a table for as long as it may, and keeps what its view was after each tick."""

    def __init__(self, database):
        super().__init__(name="writer")
        self.database = database
        self.ended = threading.Event()
        self.chance = random.Random(7)
        self.held = {}
        self.states = [(0, Counter())]

    def run(self):
        while not self.ended.wait(0.003):
            key, value = self.chance.randrange(KEYS), self.chance.randrange(100)
            rows, diffs = [], []
            if key in self.held:
                rows, diffs = [(key, self.held.pop(key))], [-1]
            if self.chance.random() < 0.8:
                rows, diffs = [*rows, (key, value)], [*diffs, 1]
                self.held[key] = value
            if rows:
                at = self.database.write("cut", rows, diffs)
                self.states.append((at, Counter({(str(k), str(v + 1)): 1 for k, v in self.held.items()})))


def cut(client):
    """The connection goes as if a cable were pulled: no goodbye, whatever is under way."""
    client.socket.shutdown(socket.SHUT_RDWR)
    client.close()


def test_the_fold_is_the_view_however_often_the_socket_is_cut(server):
    server.database.execute(
        "CREATE TABLE cut (k int, v int); CREATE MATERIALIZED VIEW cut_v AS SELECT k, v + 1 AS v FROM cut"
    )
    writer = Writer(server.database)
    writer.start()
    chance, state, checks = random.Random(5), Counter(), []
    token, begun = None, 0
    try:
        for number in range(CUTS + 1):
            with connect(f"ws://{server.http}/api/subscribe", close_timeout=0.001) as client:
                more = {} if token is None else {"resume": token}
                client.send(json.dumps({"type": "subscribe", "id": "c", "view": "cut_v", **more}))
                last = number == CUTS
                if last:
                    writer.ended.set()
                    writer.join()
                for _ in range(1_000 if last else chance.randrange(5)):
                    message = json.loads(client.recv(timeout=60))
                    assert message["type"] in ("subscribed", "changes", "progress", "heartbeat"), message
                    if message["type"] == "subscribed":
                        assert message["resumed"] is (None if token is None else True)
                    elif message["type"] == "changes":
                        begun += message["snapshot"]
                        for change in message["changes"]:
                            state[tuple(change["row"])] += change["diff"]
                        state = +state if min(state.values(), default=0) >= 0 else state
                    if "token" in message:
                        token = message["token"]
                        checks.append((message["timestamp"], Counter(state)))
                        if chance.random() < 0.3:
                            client.send(json.dumps({"type": "ack", "id": "c", "timestamp": message["timestamp"]}))
                        if last and message["timestamp"] >= writer.states[-1][0]:
                            break
                if not last:
                    cut(client)
    finally:
        writer.ended.set()
    assert begun == 1
    expected = iter(writer.states)
    at, then = next(expected)
    following = next(expected, None)
    assert [time for time, _ in checks] == sorted(time for time, _ in checks)
    for time, folded in checks:
        while following is not None and following[0] <= time:
            at, then = following
            following = next(expected, None)
        assert folded == then, (time, at)
    assert folded == Counter((str(k), str(v)) for k, v in server.database.execute("SELECT * FROM cut_v").rows())


def test_a_client_that_does_not_read_costs_its_view_and_misses_nothing(server):
    database = server.database
    database.execute("CREATE TABLE slow (k int, v text)")
    (before, keys), held, waiting = (set(database._coordinator.subscriptions), 140), {}, []
    with connect(f"ws://{server.http}/api/subscribe", max_queue=1, compression=None) as client:
        client.send(json.dumps({"type": "subscribe", "id": "s", "view": "slow"}))
        client.recv(timeout=60)
        (mine,) = set(database._coordinator.subscriptions) - before
        subscription = database._coordinator.subscriptions[mine]
        turn = 0
        while waiting[-50:] != [64] * 50:  # ticks that wait; more of them are merged
            changed = [(k, f"{turn} " + "x" * 2000) for k in range(turn % 7, keys, 7)]
            gone = [(k, held[k]) for k, _ in changed if k in held]
            held.update(changed)
            database.write("slow", [*changed, *gone], [1] * len(changed) + [-1] * len(gone))
            waiting.append(len(subscription._queue))
            turn += 1
        assert max(waiting) == 64
        state, timestamp, end = Counter(), 0, database.write("slow", [(-1, "")])
        while timestamp < end:
            message = json.loads(client.recv(timeout=60))
            for change in message.get("changes", ()):
                state[tuple(change["row"])] += change["diff"]
            timestamp = message.get("timestamp", 0) if not message.get("more") else timestamp
        assert +state == Counter([(str(k), v) for k, v in [*held.items(), (-1, "")]])
        assert min(state.values()) >= 0
