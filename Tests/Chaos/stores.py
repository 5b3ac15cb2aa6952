"""A PostgreSQL, a Redis and servers of the chaos run's own: started, killed, paused, started again."""

import contextlib
import glob
import mmap
import os
import pwd
import signal
import socket
import struct
import subprocess
import time

POSTGRES = sorted(glob.glob("/usr/lib/postgresql/*/bin"))[-1]
PEPPER = "c7WmQ2xLr9ZtB4vKp6Yd3Hs8Ng5Jf1Ta"


def unprivileged():
    """PostgreSQL refuses root: what setpriv needs to leave it."""
    if os.geteuid() != 0:
        return []
    user = pwd.getpwnam("postgres")
    return ["setpriv", "--reuid", str(user.pw_uid), "--regid", str(user.pw_gid), "--clear-groups"]


def children(parent):
    listed = subprocess.run(["pgrep", "-P", str(parent)], check=False, capture_output=True, text=True)
    return [int(pid) for pid in listed.stdout.split()]


class Program:
    """One process that can be killed and started again."""

    def __init__(self, name, command, log, environment=None):
        self.name, self.command, self.log = name, command, log
        self.environment = {**os.environ, **(environment or {})}
        self.process = None

    def start(self):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                self.command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env=self.environment, start_new_session=True)
        self.wait_ready()

    def wait_ready(self):
        deadline = time.monotonic() + 60
        while not self.is_ready():
            if time.monotonic() > deadline:
                raise SystemExit(f"{self.name} is not ready after a minute; see {self.log}")
            time.sleep(0.05)

    def kill(self):
        """Ends it as a power cut would, with all its children."""
        self.tell(signal.SIGKILL)
        self.process.wait()

    def pause(self, seconds):
        self.tell(signal.SIGSTOP)
        time.sleep(seconds)
        self.tell(signal.SIGCONT)

    def tell(self, number):
        # PostgreSQL's children are leaders of groups of their own.
        for pid in [self.process.pid] + children(self.process.pid):
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                pass

    def stop(self, number=signal.SIGTERM):
        if self.process and self.process.poll() is None:
            self.process.send_signal(number)
            self.process.wait(timeout=60)


class Clock:
    """The wall clock of one program, which can be set."""

    SOURCE = r"""
        #define _GNU_SOURCE
        #include <dlfcn.h>
        #include <fcntl.h>
        #include <stdlib.h>
        #include <sys/mman.h>
        #include <sys/time.h>
        #include <time.h>
        static volatile long *offset;
        __attribute__((constructor)) static void open_clock(void) {
          int file = open(getenv("CHAOS_CLOCK"), O_RDONLY);
          if (file < 0) abort();
          offset = mmap(0, sizeof(long), PROT_READ, MAP_SHARED, file, 0);
        }
        int clock_gettime(clockid_t clock, struct timespec *time) {
          static int (*real)(clockid_t, struct timespec *);
          if (!real) real = dlsym(RTLD_NEXT, "clock_gettime");
          int result = real(clock, time);
          if (clock == CLOCK_REALTIME && offset) time->tv_sec += *offset;
          return result;
        }
        int gettimeofday(struct timeval *time, void *zone) {
          struct timespec now;
          clock_gettime(CLOCK_REALTIME, &now);
          time->tv_sec = now.tv_sec;
          time->tv_usec = now.tv_nsec / 1000;
          return 0;
        }
        time_t time(time_t *into) {
          struct timespec now;
          clock_gettime(CLOCK_REALTIME, &now);
          if (into) *into = now.tv_sec;
          return now.tv_sec;
        }
        """

    def __init__(self, folder, name):
        library = f"{folder}/clock.so"
        if not os.path.exists(library):
            subprocess.run(
                ["cc", "-shared", "-fPIC", "-O1", "-x", "c", "-", "-o", library, "-ldl"],
                input=self.SOURCE, text=True, check=True)
        path = f"{folder}/{name}.clock"
        with open(path, "wb") as file:
            file.write(bytes(8))
        os.chmod(path, 0o644)
        with open(path, "r+b") as file:
            self.memory = mmap.mmap(file.fileno(), 8)
        self.environment = {"LD_PRELOAD": library, "CHAOS_CLOCK": path}

    def set(self, seconds):
        """So far from the true time."""
        self.memory[:8] = struct.pack("=q", seconds)


class Postgres(Program):
    def __init__(self, folder, clock=None):
        data = f"{folder}/postgres"
        subprocess.run(
            unprivileged() + [f"{POSTGRES}/initdb", "-D", data, "-U", "splitstream", "-A", "trust",
                              "-E", "UTF8", "--locale=C"],
            check=True, stdout=subprocess.DEVNULL)
        self.url = f"postgresql://splitstream@/postgres?host={folder}"
        self.folder = folder
        super().__init__(
            "PostgreSQL",
            unprivileged() + [f"{POSTGRES}/postgres", "-D", data, "-c", "listen_addresses=",
                              "-c", f"unix_socket_directories={folder}"],
            f"{folder}/postgres.log", clock and clock.environment)

    def start(self):
        # A killed postmaster leaves its mark; nobody runs any more.
        for name in ("postgres/postmaster.pid", ".s.PGSQL.5432.lock"):
            if os.path.exists(f"{self.folder}/{name}"):
                os.unlink(f"{self.folder}/{name}")
        super().start()

    def is_ready(self):
        if self.process.poll() is not None:
            # A child that was just being made when the others were killed holds the shared memory
            # until it has seen that its parent is gone.
            self.start()
        return subprocess.run(
            [f"{POSTGRES}/pg_isready", "-q", "-h", self.folder], check=False).returncode == 0

    @contextlib.contextmanager
    def locked(self, table):
        """Within the block nobody else reads or writes the table."""
        holder = subprocess.Popen(
            [f"{POSTGRES}/psql", self.url, "-Xq"], stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL, text=True)
        holder.stdin.write(f"BEGIN; LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE;\n")
        holder.stdin.flush()
        try:
            yield
        finally:
            holder.communicate("ROLLBACK;\n")

    @contextlib.contextmanager
    def without_standby(self):
        """Within the block commits are done, and nobody is told: they wait for a standby."""
        self.set_standbys("nobody")
        try:
            yield
        finally:
            self.set_standbys("")

    def set_standbys(self, names):
        for sql in (f"ALTER SYSTEM SET synchronous_standby_names = '{names}'",
                    "SELECT pg_reload_conf()"):
            # The command itself must not wait for them.
            self.query(f"SET synchronous_commit = local; {sql}" if "reload" in sql else sql)

    def query(self, sql):
        """The first column of the first row, as text."""
        return subprocess.run(
            [f"{POSTGRES}/psql", self.url, "-XAtc", sql],
            check=True, capture_output=True, text=True).stdout.strip()


def durable_redis(folder, name, port=0):
    """The command of a Redis that keeps what it has acknowledged."""
    os.makedirs(f"{folder}/{name}", mode=0o777, exist_ok=True)
    os.chmod(f"{folder}/{name}", 0o777)
    return unprivileged() + [
        "redis-server", "--port", str(port), "--bind", "127.0.0.1",
        "--unixsocket", f"{folder}/{name}.sock", "--unixsocketperm", "777",
        "--dir", f"{folder}/{name}", "--appendonly", "yes", "--appendfsync", "always",
        "--maxmemory-policy", "noeviction", "--save", ""]


class Redis(Program):
    def __init__(self, folder, clock=None):
        self.socket = f"{folder}/redis.sock"
        self.url = f"unix://{self.socket}"
        super().__init__(
            "Redis", durable_redis(folder, "redis"), f"{folder}/redis.log",
            clock and clock.environment)

    def is_ready(self):
        return self.ask("PING") == "PONG"

    def ask(self, *words):
        return subprocess.run(
            ["redis-cli", "-s", self.socket, *words],
            check=False, capture_output=True, text=True).stdout.strip()


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


class RedisNode(Redis):
    """One of two that replicate each other over TCP."""

    def __init__(self, folder, name):
        self.port = free_port()
        self.socket = f"{folder}/{name}.sock"
        Program.__init__(
            self, name, durable_redis(folder, name, self.port), f"{folder}/{name}.log")


class Sentinel(Program):
    """Decides alone who is the primary, and promotes a replica half a second after it is gone."""

    def __init__(self, folder, primary):
        self.port = free_port()
        file = f"{folder}/sentinel.conf"
        with open(file, "w", encoding="ascii") as settings:
            settings.write(
                f"bind 127.0.0.1\nport {self.port}\n"
                f"sentinel monitor main 127.0.0.1 {primary.port} 1\n"
                "sentinel down-after-milliseconds main 500\n"
                "sentinel failover-timeout main 2000\n")
        # It keeps there what it learns.
        os.chmod(file, 0o666)
        super().__init__(
            "Sentinel", unprivileged() + ["redis-server", file, "--sentinel"],
            f"{folder}/sentinel.log")

    def is_ready(self):
        return self.ask("PING") == "PONG"

    def ask(self, *words):
        return subprocess.run(
            ["redis-cli", "-p", str(self.port), *words],
            check=False, capture_output=True, text=True).stdout.strip()

    def primary_port(self):
        return int(self.ask("SENTINEL", "GET-MASTER-ADDR-BY-NAME", "main").split()[1])


class RedisPair:
    """A primary and its replica, watched by a Sentinel, who alone knows which is which."""

    def __init__(self, folder, clock=None):
        self.primary, self.replica = RedisNode(folder, "redis-a"), RedisNode(folder, "redis-b")
        self.sentinel = Sentinel(folder, self.primary)
        self.url = f"sentinel://127.0.0.1:{self.sentinel.port}/main"

    def start(self):
        self.primary.start()
        self.replica.start()
        self.replica.ask("REPLICAOF", "127.0.0.1", str(self.primary.port))
        self.wait_for_replica()
        self.sentinel.start()
        self.wait("the Sentinel does not know the replica",
                  lambda: "num-slaves\n1\n" in self.sentinel.ask("SENTINEL", "MASTER", "main"))

    def fail_over(self):
        """The primary is gone; some time later it comes back and is made a replica."""
        self.primary.kill()
        self.primary, self.replica = self.replica, self.primary
        self.wait("the Sentinel promotes nobody",
                  lambda: self.sentinel.primary_port() == self.primary.port)
        time.sleep(1)
        self.replica.start()
        self.wait_for_replica()

    def wait_for_replica(self):
        self.wait(f"{self.replica.name} does not follow {self.primary.name}",
                  lambda: "master_link_status:up" in self.replica.ask("INFO", "replication"))

    @staticmethod
    def wait(failure, is_done):
        deadline = time.monotonic() + 60
        while not is_done():
            if time.monotonic() > deadline:
                raise SystemExit(failure)
            time.sleep(0.05)

    def ask(self, *words):
        return self.primary.ask(*words)

    def stop(self):
        self.sentinel.stop()
        self.replica.stop()
        self.primary.stop()


class Server(Program):
    def __init__(self, binary, folder, postgres, redis, port, clock=None, **settings):
        self.binary, self.port = binary, port
        values = {
            "SERVER_PORT": port, "POSTGRES_URL": postgres.url, "REDIS_URL": redis.url,
            "SECURITY_PEPPER": PEPPER, "EVENTS_CHUNK_LEASE_SECONDS": 5,
            "EVENTS_DRAIN_INTERVAL_MILLISECONDS": 100, "POSTGRES_TIMEOUT_SECONDS": 2,
            "REDIS_TIMEOUT_SECONDS": 2, **settings}
        super().__init__(
            f"server {port}", [binary, "serve"], f"{folder}/server-{port}.log",
            {f"SPLITSTREAM_{name}": str(value) for name, value in values.items()}
            | (clock.environment if clock else {}))

    def run(self, *arguments):
        """What one of the binary's other commands prints."""
        return subprocess.run(
            [self.binary, *arguments], env=self.environment, check=True, capture_output=True,
            text=True).stdout

    def is_ready(self):
        import http.client
        try:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=1)
            connection.request("GET", "/v1/healthz")
            return connection.getresponse().status == 200
        except OSError:
            return False
