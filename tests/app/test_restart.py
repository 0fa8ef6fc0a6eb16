"""A server that is killed at any moment and started again: subscribers go on where they were, none begins anew."""

import json
import random
import signal
import subprocess
import sys
import threading
from collections import Counter

import httpx
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from tests.app.test_command import ENVIRONMENT, READY, ROOT

KILLS = 2
WATCHED = {
    "table": {"view": "kept"},
    "view": {"view": "sums"},
    "query": {"query": "SELECT s.k, s.total, k.v FROM sums s JOIN kept k ON s.k = k.k WHERE k.v > 2"},
}


class Follower:
    """One subscription over as many sockets as it takes, and what it folded at each time that it has a token for."""

    def __init__(self, about):
        self.about = about
        self.token, self.at = None, 0
        self.state, self.states = Counter(), []
        self.begun = 0

    def follow(self, http, until=None):
        """Fold what comes, until the connection is lost or, with `until`, what happened up to then was told."""
        more = {} if self.token is None else {"resume": self.token}
        try:
            with connect(f"ws://{http}/api/subscribe") as socket:
                socket.send(json.dumps({"type": "subscribe", "id": "f", **self.about, **more}))
                while until is None or self.at < until:
                    self._take(json.loads(socket.recv(timeout=60)))
        except ConnectionClosed:
            pass

    def _take(self, message):
        assert message["type"] in ("subscribed", "changes", "progress", "heartbeat"), message
        if message["type"] == "subscribed":
            assert message["resumed"] is (None if self.token is None else True)
        for change in message.get("changes", ()):
            self.state[tuple(change["row"])] += change["diff"]
        self.begun += bool(message.get("snapshot")) and "token" in message
        if "token" in message:
            self.token, self.at = message["token"], message["timestamp"]
            assert min(self.state.values(), default=0) >= 0
            self.states.append((self.at, +self.state))


def write(http, ended, chance):
    """One change after another, until the server is gone or somebody says so."""
    with httpx.Client(base_url=f"http://{http}", timeout=30) as client:
        while not ended.is_set():
            k, v = chance.randrange(8), chance.randrange(6)
            sql = f"DELETE FROM kept WHERE k = {k}; INSERT INTO kept VALUES ({k}, {v})"
            try:
                client.post("/api/sql", json={"query": sql}).raise_for_status()
            except httpx.TransportError:
                return


def test_no_kill_makes_a_subscriber_begin_anew(tmp_path):
    chance = random.Random(3)
    followers = {name: Follower(about) for name, about in WATCHED.items()}
    command = [sys.executable, "-m", "app.cli", "serve", "--data-directory", str(tmp_path)]
    for life in range(KILLS + 1):
        with subprocess.Popen(command, cwd=ROOT, env=ENVIRONMENT, stdout=subprocess.PIPE, text=True) as process:
            try:
                http = f"127.0.0.1:{READY.fullmatch(process.stdout.readline().rstrip())[2]}"
                if life == 0:
                    sql = "CREATE TABLE kept (k int, v int); CREATE MATERIALIZED VIEW sums AS "
                    sql += "SELECT k, sum(v) AS total, count(*) AS n FROM kept GROUP BY k"
                    httpx.post(f"http://{http}/api/sql", json={"query": sql}).raise_for_status()
                if life == KILLS:
                    break_at = last(http)
                    for follower in followers.values():
                        follower.follow(http, break_at)
                    check(http, followers)
                    return
                ended = threading.Event()
                threads = [threading.Thread(target=write, args=(http, ended, random.Random(life)))]
                threads += [threading.Thread(target=each.follow, args=(http,)) for each in followers.values()]
                for thread in threads:
                    thread.start()
                ended.wait(0.3 + chance.random())  # as a machine that loses power: nobody knows when
                process.send_signal(signal.SIGKILL)
                process.wait()
                for thread in threads:
                    thread.join()
            finally:
                process.kill()


def last(http):
    """A write, and its time."""
    reply = httpx.post(f"http://{http}/api/tables/kept/rows", json=[{"k": 99, "v": 5}])
    return reply.json()["timestamp"]


def check(http, followers):
    """What each folded is what the server answers, and all of them were told the same at the same times."""
    for name, about in WATCHED.items():
        read = about.get("query") or f"SELECT * FROM {about['view']}"
        answer = httpx.post(f"http://{http}/api/sql", json={"query": read}).json()["results"][0]["rows"]
        assert followers[name].state == Counter(map(tuple, answer)), name
        assert followers[name].begun == 1
    table, sums = dict(followers["table"].states), dict(followers["view"].states)
    for at in table.keys() & sums.keys():
        totals = Counter()
        for k, v in table[at].elements():
            totals[k] += int(v)
        assert {k: int(total) for k, total, _ in sums[at]} == dict(totals), at
