"""`make bench-assign`: CPU time per cached `POST /v1/assign`, against nginx answering as much.

1,000 units of one experiment, each assigned once before the measurement, so that every answer comes
from memory.
"""

import argparse
import json

import benchmark

UNITS = 1000


def experiment(splitstream: benchmark.Splitstream) -> str:
    """Starts an experiment and returns its key."""
    environments = splitstream.call("GET", "/v1/environments")["data"]
    metric = splitstream.call("POST", "/v1/metrics", {
        "key": "purchase", "name": "Purchase", "event_key": "purchase", "kind": "binary"})
    created = splitstream.call("POST", "/v1/experiments", {
        "environment_id": next(item["id"] for item in environments if item["slug"] == "dev"),
        "key": "checkout-button", "name": "Checkout button", "hypothesis": "Green sells more",
        "unit_type": "user", "primary_metric_id": metric["id"],
        "variants": [
            {"key": "grey", "weight": 50, "is_control": True}, {"key": "green", "weight": 50}]})
    splitstream.call("POST", f"/v1/experiments/{created['id']}/start")
    return created["key"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=3, help="length of each run")
    options = parser.parse_args()
    with benchmark.working_folder() as folder, benchmark.Splitstream.start(folder) as splitstream:
        key = experiment(splitstream)
        bodies = [
            {"experiment_key": key, "unit_id": f"user-{number:06d}"} for number in range(UNITS)]
        answers = [splitstream.call("POST", "/v1/assign", body, "CLIENT") for body in bodies]
        secret = splitstream.authorization("CLIENT")
        requests = [
            benchmark.request("POST", "/v1/assign", json.dumps(body).encode(), secret)
            for body in bodies]
        cases = [
            benchmark.Case("keep-alive, 32 connections", requests, 32, target=1.0),
            benchmark.Case("pipelined ×16", benchmark.pipelined(requests, 16), 32, target=0.35),
        ]
        same_size = json.dumps(answers[0], separators=(",", ":")).encode()
        with benchmark.nginx(folder, same_size) as nginx:
            benchmark.compare(splitstream, nginx, cases, options.rounds, options.seconds, folder)


if __name__ == "__main__":
    main()
