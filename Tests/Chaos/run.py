"""Kills and pauses what a running Splitstream stands on, while clients send events, and counts.

    python3 Tests/Chaos/run.py [--seconds N] [--pause N] [scenario …]

Every event answered 202 must be in PostgreSQL exactly once, whatever was killed in between: lost 0, doubled 0.
"""

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from clients import Client, Tally
from stores import Clock, Postgres, Redis, RedisPair, Server, unprivileged


class World:
    """One set of stores and servers for one scenario."""

    def __init__(
            self, binary, servers=1, small_disk_megabytes=0, redis=Redis, own_clocks=False,
            **settings):
        self.folder = tempfile.mkdtemp(prefix="ss-chaos-", dir="/tmp")
        os.chmod(self.folder, 0o755)
        if unprivileged():
            shutil.chown(self.folder, "postgres", "postgres")
        self.clocks = [
            Clock(self.folder, f"program-{n}") if own_clocks else None for n in range(servers + 2)]
        self.postgres = Postgres(self.folder, self.clocks[0])
        self.redis = redis(self.folder, self.clocks[1])
        self.postgres.start()
        self.redis.start()
        self.servers = [
            Server(
                binary, self.folder, self.postgres, self.redis, 18080 + n, self.clocks[2 + n],
                **settings)
            for n in range(servers)]
        self.servers[0].run("migrate")
        self.small_disk = f"{self.folder}/small" if small_disk_megabytes else None
        if self.small_disk:
            self.put_events_on_small_disk(small_disk_megabytes)
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

    def put_events_on_small_disk(self, megabytes):
        """Of tables made from now on: the months of events."""
        os.mkdir(self.small_disk)
        subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", self.small_disk],
            check=True)
        if unprivileged():
            shutil.chown(self.small_disk, "postgres", "postgres")
        self.postgres.query(f"CREATE TABLESPACE small LOCATION '{self.small_disk}'")
        self.postgres.query("ALTER ROLE splitstream SET default_tablespace = small")

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
        if self.small_disk:
            subprocess.run(["umount", self.small_disk], check=True)
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
    time.sleep(world.outage)
    deadline = time.monotonic() + 120
    while not world.tally.statuses.get(429):
        assert time.monotonic() < deadline, "the backlog never filled"
        time.sleep(0.2)
    time.sleep(2)
    world.postgres.start()
    time.sleep(seconds / 4)


def drain_killed_at_every_step(world, seconds, pause):
    """The drain is made to wait at one step after the other, and its process killed there."""
    postgres, server = world.postgres, world.servers[0]
    steps = {
        "chunk taken": postgres.locked("drained_chunks"),
        "chunk begun": postgres.locked("unit_erasures"),
        "copy begun": postgres.locked("events"),
        "committed, not told": postgres.without_standby(),
    }
    waits = ("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'splitstream drain' "
             "AND wait_event IS NOT NULL AND state = 'active'")
    for step, frozen in steps.items():
        time.sleep(seconds / 8)
        with frozen:
            deadline = time.monotonic() + 30
            while postgres.query(waits) == "0":
                assert time.monotonic() < deadline, f"the drain does not wait: {step}"
                time.sleep(0.05)
            server.kill()
        server.start()
    for _ in range(2):
        # At a command of Redis.
        time.sleep(seconds / 8)
        world.redis.tell(signal.SIGSTOP)
        time.sleep(0.3)
        server.kill()
        world.redis.tell(signal.SIGCONT)
        server.start()


def three_servers_killed(world, seconds, pause):
    for number in (0, 1, 2, 0, 2):
        time.sleep(seconds / 6)
        world.restart(world.servers[number])


def disk_full(world, seconds, pause):
    """The events' own file system has no room left, then some again."""
    time.sleep(seconds / 4)
    with open(f"{world.small_disk}/filler", "wb") as filler:
        try:
            while True:
                filler.write(bytes(1 << 16))
                filler.flush()
        except OSError:
            pass
    deadline = time.monotonic() + 60
    while "No space left on device" not in open(f"{world.folder}/postgres.log").read():
        assert time.monotonic() < deadline, "the disk never filled"
        time.sleep(0.1)
    time.sleep(seconds / 4)
    os.unlink(f"{world.small_disk}/filler")


def redis_out_of_memory(world, seconds, pause):
    time.sleep(seconds / 4)
    used = int(next(
        line.split(":")[1] for line in world.redis.ask("INFO", "memory").splitlines()
        if line.startswith("used_memory:")))
    world.redis.ask("CONFIG", "SET", "maxmemory", str(used))
    time.sleep(seconds / 4)
    world.redis.ask("CONFIG", "SET", "maxmemory", "0")
    time.sleep(seconds / 4)


def primary_lost(world, seconds, pause):
    for _ in range(3):
        time.sleep(seconds / 4)
        world.redis.fail_over()


def clocks_stepped(world, seconds, pause):
    """Each program's clock goes ten minutes back, then ten minutes ahead, then right again."""
    for clock in world.clocks:
        for minutes in (-10, 10, 0):
            time.sleep(seconds / 12)
            clock.set(60 * minutes)


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
    "drain killed at every step": (drain_killed_at_every_step, {}),
    "three servers, each killed": (three_servers_killed, {"servers": 3}),
    "primary Redis lost": (primary_lost, {"redis": RedisPair, "REDIS_WAIT_REPLICAS": 1}),
    "clocks stepped": (clocks_stepped, {"servers": 2, "own_clocks": True}),
    "disk full": (disk_full, {"small_disk_megabytes": 64, "EVENTS_BACKLOG_MAX": 20000}),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("scenarios", nargs="*", metavar="scenario", help=", ".join(SCENARIOS))
    parser.add_argument("--binary", default=".build/release/splitstream-server")
    parser.add_argument("--seconds", type=float, default=12, help="length of each scenario")
    parser.add_argument("--pause", type=float, default=20, help="how long a paused process stands still")
    parser.add_argument("--outage", type=float, default=0, help="least time without PostgreSQL")
    options = parser.parse_args()
    columns = ["accepted", "stored", "lost", "doubled", "unanswered", "set aside"]
    print(f"| {'what happened':26} | " + " | ".join(columns) + " | answers |")
    print("| --- |" + " ---: |" * len(columns) + " --- |")
    failed = []
    for name in options.scenarios or SCENARIOS:
        body, settings = SCENARIOS[name]
        world = World(os.path.abspath(options.binary), **settings)
        world.outage = options.outage
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
