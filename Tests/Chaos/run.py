"""Kills and pauses what a running Splitstream stands on, while clients send events, and counts.

    python3 Tests/Chaos/run.py [--seconds N] [--pause N] [scenario …]

Every event answered 202 must be in PostgreSQL exactly once, whatever was killed in between: lost 0, doubled 0.
"""

import argparse
import os
import shutil
import sys
import tempfile
import time

from clients import Client, Tally
from stores import Postgres, Redis, Server, unprivileged


class World:
    """One set of stores and servers for one scenario."""

    def __init__(self, binary, servers=1, **settings):
        self.folder = tempfile.mkdtemp(prefix="ss-chaos-", dir="/tmp")
        os.chmod(self.folder, 0o755)
        if unprivileged():
            shutil.chown(self.folder, "postgres", "postgres")
        self.postgres, self.redis = Postgres(self.folder), Redis(self.folder)
        self.postgres.start()
        self.redis.start()
        self.servers = [
            Server(binary, self.folder, self.postgres, self.redis, 18080 + n, **settings)
            for n in range(servers)]
        self.servers[0].run("migrate")
        printed = self.servers[0].run("bootstrap")
        self.key = next(line.split()[-1] for line in printed.splitlines() if "server key" in line)
        for server in self.servers:
            server.start()
        self.tally = Tally()
        self.clients = [
            Client(number, [server.port for server in self.servers], self.key, self.tally)
            for number in range(4)]
        for client in self.clients:
            client.start()

    def restart(self, *programs):
        """Kills all of them at once, then starts them in order."""
        for program in programs:
            program.kill()
        for program in programs:
            program.start()

    def settle(self):
        """Clients finish what they have begun, and the drain what was accepted."""
        for client in self.clients:
            client.is_ending.set()
        for client in self.clients:
            client.join(timeout=120)
            assert not client.is_alive(), "a client could not deliver within two minutes"
        deadline = time.monotonic() + 120
        while self.backlog() > 0:
            assert time.monotonic() < deadline, f"{self.backlog()} events are still not stored"
            time.sleep(0.2)

    def backlog(self):
        keys = self.redis.ask("KEYS", "*backlog").split()
        return sum(int(self.redis.ask("GET", key) or 0) for key in keys)

    def verdict(self):
        stored = int(self.postgres.query("SELECT count(*) FROM events"))
        rows = self.postgres.query("SELECT string_agg(DISTINCT client_event_id, ',') FROM events")
        distinct = set(rows.split(",")) if rows else set()
        set_aside = int(self.postgres.query("SELECT count(*) FROM rejected_events"))
        accepted = self.tally.accepted
        return {
            "accepted": len(accepted), "stored": stored, "lost": len(accepted - distinct),
            "doubled": stored - len(distinct),
            # Stored without a 202: the answer was lost on its way, and nobody asked again.
            "unanswered": len(distinct - accepted - self.tally.abandoned), "set aside": set_aside,
        }

    def end(self):
        for server in self.servers:
            server.stop()
        self.redis.stop()
        self.postgres.stop(2)
        shutil.rmtree(self.folder, ignore_errors=True)


def server_killed(world, seconds, pause):
    for _ in range(3):
        time.sleep(seconds / 4)
        world.restart(world.servers[0])


def redis_killed(world, seconds, pause):
    for _ in range(3):
        time.sleep(seconds / 4)
        world.restart(world.redis)


def postgres_killed(world, seconds, pause):
    for _ in range(3):
        time.sleep(seconds / 4)
        world.restart(world.postgres)


def all_killed(world, seconds, pause):
    for _ in range(2):
        time.sleep(seconds / 3)
        world.restart(world.postgres, world.redis, world.servers[0])


def server_paused(world, seconds, pause):
    time.sleep(seconds / 4)
    world.servers[0].pause(pause)
    time.sleep(seconds / 4)


def redis_paused(world, seconds, pause):
    time.sleep(seconds / 4)
    world.redis.pause(pause)
    time.sleep(seconds / 4)


def postgres_paused(world, seconds, pause):
    time.sleep(seconds / 4)
    world.postgres.pause(pause)
    time.sleep(seconds / 4)


def two_servers_one_killed(world, seconds, pause):
    for number in (0, 1, 0):
        time.sleep(seconds / 4)
        world.restart(world.servers[number])


def postgres_gone_until_full(world, seconds, pause):
    world.postgres.kill()
    deadline = time.monotonic() + 120
    while not world.tally.statuses.get(429):
        assert time.monotonic() < deadline, "the backlog never filled"
        time.sleep(0.2)
    time.sleep(2)
    world.postgres.start()
    time.sleep(seconds / 4)


def redis_out_of_memory(world, seconds, pause):
    time.sleep(seconds / 4)
    used = int(next(
        line.split(":")[1] for line in world.redis.ask("INFO", "memory").splitlines()
        if line.startswith("used_memory:")))
    world.redis.ask("CONFIG", "SET", "maxmemory", str(used))
    time.sleep(seconds / 4)
    world.redis.ask("CONFIG", "SET", "maxmemory", "0")
    time.sleep(seconds / 4)


# In the order they run: what happens, and how the world differs from the usual one.
SCENARIOS = {
    "server killed": (server_killed, {}),
    "Redis killed": (redis_killed, {}),
    "PostgreSQL killed": (postgres_killed, {}),
    "all three killed": (all_killed, {}),
    "server paused": (server_paused, {}),
    "Redis paused": (redis_paused, {}),
    "PostgreSQL paused": (postgres_paused, {}),
    "two servers, one killed": (two_servers_one_killed, {"servers": 2}),
    "PostgreSQL gone until 429": (postgres_gone_until_full, {"EVENTS_BACKLOG_MAX": 20000}),
    "Redis out of memory": (redis_out_of_memory, {}),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("scenarios", nargs="*", metavar="scenario", help=", ".join(SCENARIOS))
    parser.add_argument("--binary", default=".build/release/splitstream-server")
    parser.add_argument("--seconds", type=float, default=12, help="length of each scenario")
    parser.add_argument("--pause", type=float, default=20, help="how long a paused process stands still")
    options = parser.parse_args()
    columns = ["accepted", "stored", "lost", "doubled", "unanswered", "set aside"]
    print(f"| {'what happened':26} | " + " | ".join(columns) + " | answers |")
    print("| --- |" + " ---: |" * len(columns) + " --- |")
    failed = []
    for name in options.scenarios or SCENARIOS:
        body, settings = SCENARIOS[name]
        world = World(os.path.abspath(options.binary), **settings)
        try:
            body(world, options.seconds, options.pause)
            world.settle()
            verdict = world.verdict()
        finally:
            world.end()
        answers = ", ".join(f"{status or 'none'}: {n}" for status, n in sorted(world.tally.statuses.items()))
        print(f"| {name:26} | " + " | ".join(str(verdict[c]) for c in columns) + f" | {answers} |", flush=True)
        if verdict["lost"] or verdict["doubled"] or verdict["set aside"] or not verdict["accepted"]:
            failed.append(name)
    if failed:
        sys.exit(f"lost or doubled events: {', '.join(failed)}")


if __name__ == "__main__":
    main()
