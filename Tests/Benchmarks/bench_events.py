"""`make bench-events`: events from HTTP to PostgreSQL, each figure beside what bounds it.

    python3 Tests/Benchmarks/bench_events.py [--rounds N] [--seconds N] [--soak SECONDS]

Everything shares the machine: clients, server, Redis, PostgreSQL. Rounds are interleaved, medians
are shown; of ratios, that of each round's.
"""

import argparse
import contextlib
import http.client
import json
import os
import random
import signal
import socket
import statistics
import subprocess
import sys
import time

import benchmark
from generator import MARK, Generator, Run, median, result

COLUMNS = "event_id, environment_id, event_key, unit_id, occurred_at, properties, client_event_id, late"
# Accepted and not committed: below this the run counts as sustained.
BACKLOG_FLAT = 60_000


class Stores:
    """The PostgreSQL and the Redis of a development server, and what the benchmark asks them."""

    def __init__(self, splitstream: benchmark.Splitstream):
        self.database = splitstream.settings["DATABASE_URL"]
        self.socket = splitstream.settings["REDIS_URL"].removeprefix("unix://").split("?")[0]
        self.connection = None

    def sql(self, *commands: str) -> str:
        arguments = [part for command in commands for part in ("-c", command)]
        return subprocess.run(
            ["psql", self.database, "-XqAt", *arguments], check=True, capture_output=True,
            text=True).stdout.strip()

    def redis(self, *words: str) -> str:
        return subprocess.run(
            ["redis-cli", "-s", self.socket, *words], check=True, capture_output=True,
            text=True).stdout.strip()

    def info(self, section: str, name: str) -> int:
        lines = self.redis("INFO", section).splitlines()
        return int(next(line.split(":")[1] for line in lines if line.startswith(name + ":")))

    def backlog(self) -> int:
        """Asked often: on a connection of its own, without a process for each question."""
        if self.connection is None:
            self.connection = socket.socket(socket.AF_UNIX)
            self.connection.connect(self.socket)
            self.backlogs = self.redis("KEYS", "splitstream:*:backlog").split()
        total = 0
        for key in self.backlogs:
            self.connection.sendall(f"GET {key}\r\n".encode())
            lines = self.connection.recv(100).split()
            total += int(lines[1]) if len(lines) == 2 else 0
        return total

    def wait_drained(self, seconds: float = 120) -> None:
        deadline = time.monotonic() + seconds
        while self.backlog() > 0:
            if time.monotonic() > deadline:
                raise SystemExit(f"{self.backlog()} events are still not stored")
            time.sleep(0.01)

    @contextlib.contextmanager
    def no_drain(self):
        """Within the block a lock keeps chunks from being stored."""
        holder = subprocess.Popen(
            ["psql", self.database, "-Xq"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
            text=True)
        holder.stdin.write("BEGIN; LOCK TABLE drained_chunks IN ACCESS EXCLUSIVE MODE;\n")
        holder.stdin.flush()
        locked = "SELECT count(*) FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND granted"
        while self.sql(locked + " AND relation = 'drained_chunks'::regclass") == "0":
            time.sleep(0.01)
        try:
            yield
        finally:
            holder.communicate("ROLLBACK;\n")


class Bench:
    def __init__(self, splitstream, folder, seconds):
        self.splitstream, self.folder, self.seconds = splitstream, folder, seconds
        self.stores = Stores(splitstream)
        self.generator = Generator(folder)

    def request(self, size: int) -> bytes:
        """Of `size` events, each with an id of its own."""
        number = MARK.decode()
        events = [
            {"event_key": "purchase", "unit_id": f"user-{number}-{index}",
             "client_event_id": f"{number}-{index:03d}",
             "properties": {"amount": 12.5, "currency": "EUR"}}
            for index in range(size)]
        path, body = (
            ("/v1/events", events[0]) if size == 1 else ("/v1/events/batch", {"events": events}))
        body = json.dumps(body, separators=(",", ":"))
        fields = {
            "Host": "127.0.0.1", "Splitstream-Environment": "dev",
            **self.splitstream.authorization("CLIENT"), "Content-Type": "application/json",
            "Content-Length": str(len(body))}
        head = [f"POST {path} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items())]
        return ("\r\n".join(head) + "\r\n\r\n" + body).encode()

    def start(self, size: int, connections: int, seconds: float, rate: float = 0,
              events: int | None = None) -> subprocess.Popen:
        """Sends until the time is over or so many `events` are accepted."""
        return self.generator.start(
            self.splitstream.port, self.request(size), connections, rate, seconds,
            most=events and events // size)

    def load(self, *arguments, **options) -> Run:
        return result(self.start(*arguments, **options))

    def sustained(self) -> tuple[float, float]:
        """Events a second from HTTP to committed, and of a bare COPY of the same rows."""
        stores = self.stores
        stores.sql("TRUNCATE events")
        start = time.perf_counter()
        clients = self.start(100, 16, self.seconds)
        while clients.poll() is None:
            # A run counts as sustained only if what is accepted is also stored.
            is_flat = stores.backlog() < BACKLOG_FLAT
            clients.send_signal(signal.SIGCONT if is_flat else signal.SIGSTOP)
            time.sleep(0.1)
        accepted = 100 * int(result(clients).count)
        stores.wait_drained()
        rate = accepted / (time.perf_counter() - start)
        stored = int(stores.sql("SELECT count(*) FROM events"))
        if stored != accepted:
            raise SystemExit(f"accepted {accepted} events and stored {stored}")
        rows = self.folder / "rows"
        stores.sql(f"\\copy (SELECT {COLUMNS} FROM events) TO '{rows}' (FORMAT binary)")
        self.bytes_per_event = int(stores.sql(
            "SELECT sum(pg_total_relation_size(inhrelid)) FROM pg_inherits "
            "WHERE inhparent = 'events'::regclass")) / stored
        stores.sql("TRUNCATE events")
        start = time.perf_counter()
        stores.sql(f"\\copy events ({COLUMNS}) FROM '{rows}' (FORMAT binary)")
        return rate, stored / (time.perf_counter() - start)

    def accepting(self) -> tuple[float, float]:
        """Events a second accepted in batches of 100, and by redis-benchmark with the script alone."""
        with self.stores.no_drain():
            rate = 100 * self.load(100, 16, self.seconds).rate
        self.stores.wait_drained()
        return rate, self.script_rate()

    def script_rate(self) -> float:
        """The script that the server has loaded, with as many events of the same size."""
        tag = "bench:{9}:"
        table = 1 << 14  # As large as it grows with so many ids.
        self.stores.redis("HSET", tag + "seen", "buckets", str(table))
        keys = [tag + "events", tag + "backlog", tag + "seen"]
        keys += [f"{tag}seen:{random.randrange(table)}" for _ in range(100)]
        # Twelve random digits are as long as what stands for an id; their range is an int.
        arguments = ["1000000000", str(table), "0", "100", "size__rand_int__" * 100]
        arguments += ["e" * (100 * self.row_bytes)]
        count = max(1, int(400 * self.seconds))
        start = time.perf_counter()
        subprocess.run(
            ["redis-benchmark", "-s", self.stores.socket, "-c", "4", "-n", str(count), "-r",
             "2000000000", "-q", "EVALSHA", self.digest, str(len(keys)), *keys, *arguments],
            check=True, stdout=subprocess.DEVNULL)
        seconds = time.perf_counter() - start
        # redis-benchmark draws the same ids every time: what is remembered would be replays.
        self.stores.redis("DEL", *set(keys))
        return 100 * count / seconds

    def learn_script(self) -> None:
        """Looks at the script call of one event: its digest, and the size of the row."""
        monitor = subprocess.Popen(
            ["redis-cli", "-s", self.stores.socket, "MONITOR"], stdout=subprocess.PIPE, text=True)
        monitor.stdout.readline()
        with self.stores.no_drain():
            self.load(1, 1, 60, events=1)
            line = next(line for line in monitor.stdout if '"EVALSHA"' in line and "backlog" in line)
            monitor.terminate()
            monitor.wait()
            self.digest = line.split('"EVALSHA" "')[1].split('"')[0]
            lists = self.stores.redis("KEYS", "splitstream:*:events").split()
            lists += self.stores.redis("KEYS", "splitstream:*:chunk:*").split()
            script = "return #redis.call('LINDEX', KEYS[1], 0)"
            # After the page's version and the number of its events.
            self.row_bytes = int(self.stores.redis("EVAL", script, "1", lists[0])) - 5
        self.stores.wait_drained()

    def single(self) -> Run:
        """Single events at 5,000 a second."""
        run = self.load(1, 256, self.seconds, rate=5000)
        self.stores.wait_drained()
        return run

    def single_unsynced(self) -> Run:
        """The same while Redis answers before its disk does."""
        self.stores.redis("CONFIG", "SET", "appendfsync", "everysec")
        try:
            return self.single()
        finally:
            self.stores.redis("CONFIG", "SET", "appendfsync", "always")

    def script_alone(self) -> Run:
        """As many calls of the script a second, of one event each, by clients of Redis itself."""
        tag, buckets = "bench:{9}:", 1 << 14
        self.stores.redis("HSET", tag + "seen", "buckets", str(buckets))
        keys = [tag + "events", tag + "backlog", tag + "seen", tag + "seen:7"]
        head = self.row_bytes.to_bytes(4, "big") + MARK + b"size"
        words = [b"EVALSHA", self.digest, len(keys), *keys, 10**9, buckets, 0, 1, head,
                 b"e" * (5 + self.row_bytes)]
        words = [word if isinstance(word, bytes) else str(word).encode() for word in words]
        request = b"*%d\r\n" % len(words) + b"".join(
            b"$%d\r\n%s\r\n" % (len(word), word) for word in words)
        run = self.generator.run(self.stores.socket, request, 256, 5000, self.seconds)
        self.stores.redis("DEL", *keys)
        return run

    def disk(self) -> Run:
        """Appending to a file and waiting for its disk, one record after the other."""
        times = []
        with open(self.folder / "appended", "wb", buffering=0) as file:
            start = time.perf_counter()
            while time.perf_counter() - start < self.seconds:
                before = time.perf_counter()
                file.write(b"x" * 4096)
                os.fdatasync(file.fileno())
                times.append((time.perf_counter() - before) * 1e3)
        times.sort()
        quantiles = (times[int(len(times) * part)] for part in (0.5, 0.99, 0.999))
        return Run(len(times), len(times) / self.seconds, *quantiles, times[-1])

    def cpu(self, size: int) -> tuple[float, float]:
        """Microseconds of the server's and of Redis's CPU for each event of batches of `size`."""
        redis = self.stores.info("server", "process_id")
        before = self.splitstream.cpu_seconds(), benchmark.cpu_seconds(redis)
        run = self.load(size, 16, self.seconds / 2, events=200_000)
        self.stores.wait_drained()
        after = self.splitstream.cpu_seconds(), benchmark.cpu_seconds(redis)
        return tuple((b - a) / (run.count * size) * 1e6 for a, b in zip(before, after))

    def backlog(self) -> float:
        """Seconds from the moment the drain may work to the last of 100,000 events committed."""
        with self.stores.no_drain():
            self.load(500, 8, 60, events=100_000)
            start = time.perf_counter()
        self.stores.wait_drained()
        return time.perf_counter() - start

    def erasure(self, count: int = 1_000_000) -> float:
        """Seconds from the order to erase a unit until its events are gone, of so many in all."""
        self.stores.sql("TRUNCATE events", f"""
            INSERT INTO events (event_id, environment_id, event_key, unit_id, occurred_at,
              properties, client_event_id, late)
            SELECT (lpad(to_hex((extract(epoch FROM now()) * 1000)::bigint), 12, '0')
                || left(md5(n::text), 20))::uuid,
              (SELECT id FROM environments WHERE slug = 'dev'), 'purchase', 'user-' || n % 100000,
              now(), '{{"amount": 12.5, "currency": "EUR"}}', 'id-' || n, false
            FROM generate_series(1, {count}) AS n""", "CHECKPOINT")
        connection = http.client.HTTPConnection("127.0.0.1", self.splitstream.port, timeout=60)
        start = time.perf_counter()
        connection.request(
            "DELETE", "/v1/units/user-77",
            headers={"Splitstream-Environment": "dev", **self.splitstream.authorization("SERVER")})
        status = connection.getresponse().status
        if status != 202:
            raise SystemExit(f"the erasure is answered {status}")
        left = "SELECT count(*) FROM unit_erasures WHERE unit_id IS NOT NULL"
        while self.stores.sql(left) != "0":
            time.sleep(0.05)
        seconds = time.perf_counter() - start
        if self.stores.sql("SELECT count(*) FROM events WHERE unit_id = 'user-77'") != "0":
            raise SystemExit("the unit still has events")
        return seconds

    def memory_per_id(self) -> float:
        """Bytes of Redis's memory for each remembered client_event_id."""
        used, ids = self.stores.info("memory", "used_memory"), 0
        for key in self.stores.redis("KEYS", "splitstream:*:seen").split():
            ids += int(self.stores.redis("HGET", key, "ids") or 0)
        return used / ids

    def soak(self, seconds: int) -> None:
        """Resident memory of the server, once a minute, under 10,000 events a second."""
        print("\n| Minute | Server RSS MB | Events stored |")
        print("| ---: | ---: | ---: |")
        stored = 0
        for minute in range(seconds // 60 + 1):
            with open(f"/proc/{self.splitstream.pid}/status", encoding="ascii") as status:
                kilobytes = next(int(line.split()[1]) for line in status if "VmRSS" in line)
            print(f"| {minute} | {kilobytes / 1024:.1f} | {stored:,} |", flush=True)
            if minute < seconds // 60:
                stored += 100 * int(self.load(100, 32, 60, rate=100).count)


def row(name: str, ours: list[float], theirs: list[float], aim: str) -> str:
    ratio = statistics.median(mine / other for mine, other in zip(ours, theirs))
    return (f"| {name} | {statistics.median(ours):,.0f} | {statistics.median(theirs):,.0f} | "
            f"{ratio:.2f} | {aim} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=4, help="length of each run")
    parser.add_argument("--soak", type=int, default=0, help="then a soak of so many seconds")
    options = parser.parse_args()
    settings = {"SPLITSTREAM_EVENTS_BACKLOG_MAX": "10000000"}
    with benchmark.working_folder() as folder, benchmark.Splitstream.start(
        folder, settings=settings
    ) as splitstream:
        bench = Bench(splitstream, folder, options.seconds)
        bench.learn_script()
        sizes = [1, 10, 100, 500]
        sustained, accepting, backlog = [], [], []
        latencies = {"single events": [], "… by Redis with appendfsync everysec": [],
                     "the script alone, called by clients of Redis": [],
                     "an append to a file and its fdatasync, nothing beside it": []}
        cpu = {size: [] for size in sizes}
        # Before millions of events are written that PostgreSQL then works off beside them.
        for number in range(options.rounds + 1):
            print(f"single events, round {number}", file=sys.stderr)
            runs = (bench.single(), bench.single_unsynced(), bench.script_alone(), bench.disk())
            if number:
                for into, run in zip(latencies.values(), runs):
                    into.append(run)
        for number in range(options.rounds + 1):
            print(f"round {number} of {options.rounds}" if number else "warming up", file=sys.stderr)
            results = (bench.sustained(), bench.accepting(), bench.backlog())
            costs = {size: bench.cpu(size) for size in sizes}
            if number:
                for into, figure in zip((sustained, accepting, backlog), results):
                    into.append(figure)
                for size in sizes:
                    cpu[size].append(costs[size])
        print("| Events a second | Splitstream | Bound | Ratio | Aim |")
        print("| --- | ---: | ---: | ---: | --- |")
        print(row("batches of 100, HTTP to committed; bare COPY", *zip(*sustained), "≥ 0.4"))
        print(row("batches of 100, accepted; redis-benchmark", *zip(*accepting), "≥ 0.7"))
        print("\n| Case | A second | p50 ms | p99 ms | p99.9 ms | Aim for p99 |")
        print("| --- | ---: | ---: | ---: | ---: | --- |")
        for (name, runs), aim in zip(latencies.items(), ("< 5 ms", "", "", "")):
            run = median(runs)
            print(f"| {name} | {run.rate:,.0f} | {run.p50:.2f} | {run.p99:.2f} | {run.p999:.2f} "
                  f"| {aim} |")
        print("\n| Measured | Median | Aim |")
        print("| --- | ---: | --- |")
        print(f"| backlog of 100,000 drained | {statistics.median(backlog):.1f} s | < 5 s |")
        print(f"| PostgreSQL, an event | {bench.bytes_per_event:.0f} bytes | |")
        print(f"| Redis, a remembered id | {bench.memory_per_id():.0f} bytes | |")
        print(f"| a unit erased, of 1,000,000 events | {bench.erasure():.1f} s | < 60 s |")
        print("\n| Batch of | Server µs an event | Redis µs an event |")
        print("| ---: | ---: | ---: |")
        for size in sizes:
            server, redis = (statistics.median(column) for column in zip(*cpu[size]))
            print(f"| {size} | {server:.1f} | {redis:.1f} |")
        if options.soak:
            bench.soak(options.soak)


if __name__ == "__main__":
    main()
