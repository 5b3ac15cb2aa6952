#!/usr/bin/env python3
"""What an idle connection costs: memory of the server, and time of the others.

Starts the server, without stores, and calls GET /v1/healthz on a few connections: first alone,
then while many others are open that have each made a request and stay silent. Prints the server's
memory per idle connection (growth of its resident set, from /proc) and the quantiles of the calls.
"""

import argparse
import os
import re
import resource
import secrets
import socket
import subprocess
import sys
import tempfile
import threading
import time

REQUEST = b"GET /v1/healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"


class Server:
    """The built program on a free port; its stores are not there, and nothing here needs them."""

    def __init__(self, program, connections):
        self.folder = tempfile.TemporaryDirectory(prefix="ss-bench-")
        limits = [f"connections_max = {2 * connections + 1000}"]
        # Programs from before this limit do not know its key.
        keys = subprocess.run([program, "check-config", "--keys"], capture_output=True, text=True)
        if "connections_per_address_max" in keys.stdout:
            limits.append("connections_per_address_max = 1000000")
        path = os.path.join(self.folder.name, "splitstream.toml")
        with open(path, "w", encoding="utf-8") as file:
            file.write("\n".join([
                "[server]", "port = 0", *limits,
                "[limits]", "idle_seconds_max = 3600",
                "[postgres]", 'url = "postgresql://nobody@%2Fnowhere/none"',
                "[redis]", 'url = "unix:///nowhere/redis.sock"',
                "[security]", f'pepper = "{secrets.token_urlsafe(48)}"',
            ]))
        self.log = os.path.join(self.folder.name, "log")
        with open(self.log, "w", encoding="utf-8") as log:
            self.process = subprocess.Popen([program, "--config", path], stderr=log)
        self.port = self._port()

    def _port(self):
        for _ in range(1000):
            with open(self.log, encoding="utf-8") as log:
                found = re.search(r'"serving".*"port":(\d+)', log.read())
            if found:
                return int(found.group(1))
            time.sleep(0.01)
        sys.exit(f"the server does not serve: {self.log}")

    def resident_bytes(self):
        with open(f"/proc/{self.process.pid}/status", encoding="utf-8") as status:
            return int(re.search(r"VmRSS:\s+(\d+) kB", status.read()).group(1)) * 1024

    def stop(self):
        self.process.terminate()
        self.process.wait()


def call(connection):
    connection.sendall(REQUEST)
    answer = connection.recv(4096)
    if not answer.startswith(b"HTTP/1.1 200"):
        raise RuntimeError(answer[:100])
    return b"Connection: close" not in answer


def load(port, seconds, threads):
    """Milliseconds of each call of a few busy connections."""
    times = []

    def work():
        connection = socket.create_connection(("127.0.0.1", port))
        end = time.perf_counter() + seconds
        own = []
        while (start := time.perf_counter()) < end:
            if not call(connection):
                connection = socket.create_connection(("127.0.0.1", port))
            own.append((time.perf_counter() - start) * 1000)
        times.extend(own)

    workers = [threading.Thread(target=work) for _ in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return sorted(times)


def report(name, times):
    def quantile(part):
        return times[min(len(times) - 1, int(part * len(times)))]

    print(f"{name:<28} {len(times):>8} calls   p50 {quantile(0.5):6.2f} ms   "
          f"p99 {quantile(0.99):6.2f} ms   most {times[-1]:6.2f} ms")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--server", default=".build/release/splitstream-server")
    parser.add_argument("--connections", type=int, default=10_000)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--threads", type=int, default=4)
    options = parser.parse_args()

    descriptors = options.connections + 1000
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if most != resource.RLIM_INFINITY and most < descriptors:
        sys.exit(f"needs {descriptors} descriptors, and may have {most}: raise ulimit -n")
    resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors, most))

    server = Server(options.server, options.connections)
    try:
        alone = load(server.port, options.seconds, options.threads)
        before = server.resident_bytes()
        idle = []
        for _ in range(options.connections):
            connection = socket.create_connection(("127.0.0.1", server.port))
            call(connection)
            idle.append(connection)
        # The server's sweep, once a second, gives back what only busy connections need.
        time.sleep(3)
        after = server.resident_bytes()
        beside = load(server.port, options.seconds, options.threads)
        for connection in idle:
            call(connection)
    finally:
        server.stop()

    report("alone", alone)
    report(f"beside {len(idle)} idle ones", beside)
    print(f"memory of an idle connection {(after - before) / len(idle):8.0f} bytes "
          f"({before / 1e6:.1f} MB before, {after / 1e6:.1f} MB with them; "
          "the kernel's own is not counted)")


if __name__ == "__main__":
    main()
