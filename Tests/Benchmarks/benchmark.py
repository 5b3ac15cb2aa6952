"""What the benchmarks share: a private Splitstream, an nginx beside it, wrk, CPU times, a table.

A number by itself says little about a machine that others use, too. So both servers answer bodies
of one size to the same generator, one after the other within each round, and the ratio counts.
"""

import contextlib
import dataclasses
import http.client
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
SERVER = REPOSITORY / ".build/release/splitstream-server"
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid: int, with_ended_children: bool = False) -> float:
    """User and system time of all threads of a process; 0 when it has gone."""
    try:
        text = pathlib.Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return 0
    # proc(5): after the name in parentheses.
    fields = text.rpartition(")")[2].split()
    return sum(map(int, fields[11 : 15 if with_ended_children else 13])) / TICKS_PER_SECOND


def postgres_cpu_seconds(data: pathlib.Path) -> float:
    """The same of a PostgreSQL, with all its processes."""
    postmaster = int((data / "postmaster.pid").read_text().split()[0])
    children = pathlib.Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text().split()
    return cpu_seconds(postmaster, True) + sum(cpu_seconds(int(pid)) for pid in children)


@dataclasses.dataclass
class Case:
    """One load, for both servers: `payloads` are sent in turn on each connection."""

    name: str
    payloads: list[bytes]
    connections: int
    target: float | None = None
    """The most that the ratio of the CPU times may be."""
    is_secure: bool = False
    """Over TLS."""


@dataclasses.dataclass
class Target:
    """A server under load: its ports, and the process whose CPU time counts."""

    port: int
    tls_port: int
    pid: int

    def cpu_seconds(self) -> float:
        return cpu_seconds(self.pid)


def request(
    method: str, path: str, body: bytes = b"", fields: dict[str, str] | None = None
) -> bytes:
    """A request as a client of the API sends it."""
    head = {"Host": "127.0.0.1", **(fields or {})}
    if body:
        head |= {"Content-Type": "application/json", "Content-Length": str(len(body))}
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in head.items())]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def pipelined(requests: list[bytes], count: int) -> list[bytes]:
    """Payloads of `count` requests each, every request the first of one of them."""
    twice = requests + requests
    return [b"".join(twice[start : start + count]) for start in range(0, len(requests), count)]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def serves(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


@contextlib.contextmanager
def started(command: list, log: pathlib.Path, environment: dict[str, str], is_ready):
    """A server that runs within the block, once `is_ready()` is true."""
    with log.open("w") as output:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
            env={**os.environ, **environment})
    try:
        deadline = time.monotonic() + 60
        while not is_ready():
            if process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"{command[0]} does not serve:\n{log.read_text()}")
            time.sleep(0.05)
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


class Splitstream(Target):
    """A server of one loop with private stores, and a client of its API."""

    @classmethod
    @contextlib.contextmanager
    def start(
        cls, folder: pathlib.Path, server: pathlib.Path = SERVER,
        settings: dict[str, str] | None = None,
    ):
        if not server.exists():
            raise SystemExit(f"{server} is not built; make build")
        port, tls_port = free_port(), free_port()
        data = folder / "splitstream"
        data.mkdir(mode=0o755)
        command = [
            server, "dev", "--port", str(port), "--tls", "--tls-port", str(tls_port),
            "--data", data]
        limits = {"SPLITSTREAM_SERVER_LOOPS": "1", **(settings or {})}
        environment = data / "dev.env"  # written last, when it serves
        with started(command, folder / "splitstream.log", limits, environment.exists) as process:
            splitstream = cls(port, tls_port, process.pid)
            splitstream.certificate = data / "tls.crt", data / "tls.key"
            lines = environment.read_text().splitlines()
            splitstream.settings = dict(line.split("=", 1) for line in lines if "=" in line)
            yield splitstream

    def call(
        self, method: str, path: str, body: dict | None = None, key: str = "SERVER",
        timeout_seconds: int = 30,
    ):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout_seconds)
        connection.request(
            method, path, json.dumps(body) if body is not None else None,
            {"Content-Type": "application/json", **self.authorization(key)})
        response = connection.getresponse()
        answer = response.read()
        if response.status >= 300:
            raise SystemExit(f"{method} {path}: {response.status} {answer.decode()}")
        return json.loads(answer) if answer else None

    def authorization(self, key: str) -> dict[str, str]:
        secret = self.settings[f"SPLITSTREAM_{key}_KEY"].strip("'\"")
        return {"Authorization": f"Bearer {secret}"}


@contextlib.contextmanager
def run_nginx(folder: pathlib.Path, servers: str, port: int, tls_port: int = 0):
    """nginx of one worker with the given server blocks, which listen on these ports."""
    configuration = folder / "nginx.conf"
    configuration.write_text(f"""
        daemon off;
        worker_processes 1;
        worker_rlimit_nofile 8192;
        pid {folder}/nginx.pid;
        error_log {folder}/nginx.error.log;
        events {{ worker_connections 4096; }}
        http {{
          access_log off;
          keepalive_requests 1000000000;
          default_type application/json;
          {servers}
        }}""")
    program = shutil.which("nginx", path=os.environ["PATH"] + ":/usr/sbin")
    command = [program, "-p", folder, "-c", configuration, "-e", folder / "nginx.start.log"]
    with started(command, folder / "nginx.log", {}, lambda: serves(port)) as master:
        # The port is open before the worker is there.
        children = pathlib.Path(f"/proc/{master.pid}/task/{master.pid}/children")
        while not (workers := children.read_text().split()):
            time.sleep(0.01)
        yield Target(port, tls_port, int(workers[0]))


@contextlib.contextmanager
def nginx(folder: pathlib.Path, body: bytes, certificate: tuple[pathlib.Path, pathlib.Path]):
    """nginx that answers every request with `body`; TLS as Splitstream speaks it, with its own
    certificate and key."""
    port, tls_port = free_port(), free_port()
    text = body.decode()
    assert not set(text) & set("'\\$"), "nginx would read it otherwise"
    server = f"""
        server {{
          listen 127.0.0.1:{port} backlog=4096;
          listen 127.0.0.1:{tls_port} ssl backlog=4096;
          ssl_certificate {certificate[0]};
          ssl_certificate_key {certificate[1]};
          ssl_protocols TLSv1.3;
          ssl_conf_command Ciphersuites TLS_AES_128_GCM_SHA256;
          location / {{ return 200 '{text}'; }}
        }}"""
    with run_nginx(folder, server, port, tls_port) as target:
        yield target


@contextlib.contextmanager
def system_calls(folder: pathlib.Path, body: bytes):
    """A server that looks at no request: what the system calls cost that every server makes."""
    program, port = folder / "system_calls", free_port()
    source = pathlib.Path(__file__).with_name("system_calls.c")
    subprocess.run(["cc", "-O2", "-o", program, source], check=True)
    command = [program, str(port), str(len(body))]
    with started(command, folder / "system_calls.log", {}, lambda: serves(port)) as process:
        yield Target(port, 0, process.pid)


def load(target: Target, case: Case, seconds: int, folder: pathlib.Path) -> tuple[float, float]:
    """Runs wrk; returns the target's CPU microseconds per request and requests per second."""
    script = folder / "wrk.lua"
    payloads = ",\n".join(
        '"' + "".join(f"\\{byte:03d}" for byte in payload) + '"' for payload in case.payloads)
    script.write_text(f"""
        local payloads = {{ {payloads} }}
        local turn = 0
        function request()
          turn = turn % #payloads + 1
          return payloads[turn]
        end""")
    url = (f"https://127.0.0.1:{target.tls_port}" if case.is_secure
           else f"http://127.0.0.1:{target.port}")
    before = target.cpu_seconds()
    output = subprocess.run(
        ["wrk", "-t1", f"-c{case.connections}", f"-d{seconds}s", "-s", script, url],
        check=True, capture_output=True, text=True).stdout
    cpu = target.cpu_seconds() - before
    if "Non-2xx" in output or "Socket errors" in output:
        raise SystemExit(f"{case.name}: not every request was answered well\n{output}")
    count = int(re.search(r"(\d+) requests in", output)[1])
    rate = float(re.search(r"Requests/sec:\s+([\d.]+)", output)[1])
    return cpu / count * 1e6, rate


def compare(
    ours: Target, theirs: Target, cases: list[Case], rounds: int, seconds: int,
    folder: pathlib.Path, name: str = "Splitstream",
) -> None:
    """Prints the medians of the rounds as a Markdown table; of ratios, that of each round's."""
    results = {case.name: [] for case in cases}
    for number in range(rounds + 1):
        print(f"round {number} of {rounds}" if number else "warming up", file=sys.stderr)
        for case in cases:
            pair = (load(ours, case, seconds, folder), load(theirs, case, seconds, folder))
            if number:
                results[case.name].append(pair)
    print(f"| Case | {name} µs | nginx µs | Ratio | Aim | {name}/s | nginx/s |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: |")
    for case in cases:
        pairs = [mine + other for mine, other in results[case.name]]
        micros, rates, nginx_micros, nginx_rates = zip(*pairs)
        ratios = [mine / other for mine, other in zip(micros, nginx_micros)]
        aim = f"≤ {case.target}" if case.target else ""
        cells = [
            case.name, f"{statistics.median(micros):.2f}", f"{statistics.median(nginx_micros):.2f}",
            f"{statistics.median(ratios):.2f}", aim,
            f"{statistics.median(rates):,.0f}", f"{statistics.median(nginx_rates):,.0f}"]
        print(f"| {' | '.join(cells)} |")


@contextlib.contextmanager
def working_folder():
    """A folder that PostgreSQL's user may enter, too."""
    with tempfile.TemporaryDirectory(prefix="splitstream-benchmark-") as name:
        folder = pathlib.Path(name)
        folder.chmod(0o755)
        yield folder
