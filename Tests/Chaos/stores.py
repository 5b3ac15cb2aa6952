"""A PostgreSQL, a Redis and servers of the chaos run's own: started, killed, paused, started again."""

import contextlib
import glob
import os
import pwd
import signal
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


class Postgres(Program):
    def __init__(self, folder):
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
            f"{folder}/postgres.log")

    def start(self):
        # A killed postmaster leaves its mark; nobody runs any more.
        for name in ("postgres/postmaster.pid", ".s.PGSQL.5432.lock"):
            if os.path.exists(f"{self.folder}/{name}"):
                os.unlink(f"{self.folder}/{name}")
        super().start()

    def is_ready(self):
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


class Redis(Program):
    def __init__(self, folder):
        self.socket = f"{folder}/redis.sock"
        self.url = f"unix://{self.socket}"
        super().__init__(
            "Redis",
            unprivileged() + [
                "redis-server", "--port", "0", "--unixsocket", self.socket, "--unixsocketperm",
                "700", "--dir", folder, "--appendonly", "yes", "--appendfsync", "always",
                "--maxmemory-policy", "noeviction", "--save", ""],
            f"{folder}/redis.log")

    def is_ready(self):
        return self.ask("PING") == "PONG"

    def ask(self, *words):
        return subprocess.run(
            ["redis-cli", "-s", self.socket, *words],
            check=False, capture_output=True, text=True).stdout.strip()


class Server(Program):
    def __init__(self, binary, folder, postgres, redis, port, **settings):
        self.binary, self.port = binary, port
        values = {
            "SERVER_PORT": port, "POSTGRES_URL": postgres.url, "REDIS_URL": redis.url,
            "SECURITY_PEPPER": PEPPER, "EVENTS_CHUNK_LEASE_SECONDS": 5,
            "EVENTS_DRAIN_INTERVAL_MILLISECONDS": 100, "POSTGRES_TIMEOUT_SECONDS": 2,
            "REDIS_TIMEOUT_SECONDS": 2, **settings}
        super().__init__(
            f"server {port}", [binary, "serve"], f"{folder}/server-{port}.log",
            {f"SPLITSTREAM_{name}": str(value) for name, value in values.items()})

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
