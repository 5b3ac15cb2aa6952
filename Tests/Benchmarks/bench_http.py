"""`make bench-http`: CPU time per `GET /v1/healthz`, against nginx answering as many bytes."""

import argparse
import http.client

import benchmark


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=3, help="length of each run")
    options = parser.parse_args()
    with benchmark.working_folder() as folder, benchmark.Splitstream.start(folder) as splitstream:
        connection = http.client.HTTPConnection("127.0.0.1", splitstream.port, timeout=10)
        connection.request("GET", "/v1/healthz")
        body = connection.getresponse().read()
        health = [benchmark.request("GET", "/v1/healthz")]
        cases = [
            benchmark.Case("keep-alive, 32 connections", health, 32, target=0.8),
            benchmark.Case(
                "TLS 1.3, keep-alive, 32 connections", health, 32, target=1.1, is_secure=True),
            benchmark.Case("pipelined ×16", benchmark.pipelined(health * 16, 16), 32),
            benchmark.Case("keep-alive, 1,000 connections", health, 1000),
        ]
        with benchmark.nginx(folder, body, splitstream.certificate) as nginx:
            benchmark.compare(splitstream, nginx, cases, options.rounds, options.seconds, folder)
            # How far down any server can come that waits with epoll, receives and sends.
            with benchmark.system_calls(folder, body) as floor:
                floors = [benchmark.Case(cases[0].name, health, 32)]
                benchmark.compare(
                    floor, nginx, floors, options.rounds, options.seconds, folder,
                    name="system calls")


if __name__ == "__main__":
    main()
