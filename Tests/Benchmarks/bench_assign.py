"""`make bench-assign`: what `POST /v1/assign` costs.

1. CPU time per known unit, against nginx answering as much: 1,000 units of one experiment, each
   assigned once before the measurement, so that every answer comes from memory.
2. Times under a constant rate. 3. New units per second, against PostgreSQL alone.
4. How it goes with connections, loops, experiments and processes.
"""

import argparse
import json
import pathlib

import assign_latency
import assign_scale
import benchmark

UNITS = 1000


def experiment(splitstream: benchmark.Splitstream, key: str = "checkout-button", **members) -> str:
    """Starts an experiment and returns its key."""
    environments = splitstream.call("GET", "/v1/environments")["data"]
    created = splitstream.call("POST", "/v1/experiments", {
        "environment_id": next(item["id"] for item in environments if item["slug"] == "dev"),
        "key": key, "name": "Checkout button", "hypothesis": "Green sells more",
        "unit_type": "user",
        "variants": [
            {"key": "grey", "weight": 50, "is_control": True}, {"key": "green", "weight": 50}],
        **members})
    splitstream.call("POST", f"/v1/experiments/{created['id']}/start")
    return created["key"]


def beside_nginx(
    splitstream: benchmark.Splitstream, key: str, rounds: int, seconds: int, folder: pathlib.Path
) -> None:
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
    with benchmark.nginx(folder, same_size, splitstream.certificate) as nginx:
        benchmark.compare(splitstream, nginx, cases, rounds, seconds, folder)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=3, help="length of each run")
    parser.add_argument("--points", default="1,2,4", help="of 1, 2 (with 3) and 4")
    options = parser.parse_args()
    points = options.points.split(",")
    with benchmark.working_folder() as folder, benchmark.Splitstream.start(folder) as splitstream:
        key = experiment(splitstream)
        nobody = {"attribute": "nobody", "op": "eq", "value": True}
        excluding = experiment(splitstream, "nobody", audience=nobody)
        if "1" in points:
            beside_nginx(splitstream, key, options.rounds, options.seconds, folder)
            print()
        if "2" in points:
            assign_latency.measure(
                splitstream, key, excluding, options.rounds, options.seconds, folder)
            print()
        if "4" in points:
            assign_scale.measure(splitstream, key, options.seconds, folder)


if __name__ == "__main__":
    main()
