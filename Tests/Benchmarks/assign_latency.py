"""Points 2 and 3 of `make bench-assign`: times under a constant rate, and new units per second."""

import json
import pathlib
import resource
import statistics
import sys

import benchmark
from generator import MARK, Generator, Run, median, pgbench, psql

NEW_UNITS_PER_SECOND = 2000
ROWS_PER_INSERT = 256


def assign_request(splitstream: benchmark.Splitstream, key: str, unit: bytes) -> bytes:
    body = json.dumps({"experiment_key": key, "unit_id": unit.decode()}).encode()
    return benchmark.request("POST", "/v1/assign", body, splitstream.authorization("CLIENT"))


class ProcessorTime:
    """Microseconds of each program's processor time that a row or a unit takes."""

    def __init__(self, splitstream: benchmark.Splitstream, folder: pathlib.Path):
        [mark] = folder.rglob("postmaster.pid")
        self.splitstream, self.data = splitstream, mark.parent

    def seconds(self) -> list[float]:
        clients = resource.getrusage(resource.RUSAGE_CHILDREN)
        return [self.splitstream.cpu_seconds(), benchmark.postgres_cpu_seconds(self.data),
                clients.ru_utime + clients.ru_stime]

    def of(self, run, rows: int = 1) -> tuple[Run, list[float]]:
        before = self.seconds()
        result = run()
        return result, [(after - earlier) / (result.count * rows) * 1e6
                        for earlier, after in zip(before, self.seconds())]


def measure(splitstream: benchmark.Splitstream, key: str, excluding: str, rounds: int,
            seconds: int, folder: pathlib.Path) -> None:
    """Prints both tables.

    `key` is an experiment that takes everybody, `excluding` one that takes nobody.
    """
    generator = Generator(folder)
    database = splitstream.settings["DATABASE_URL"]
    known = assign_request(splitstream, key, b"known-" + MARK)
    new = assign_request(splitstream, key, b"new-" + MARK)
    excluded = assign_request(splitstream, excluding, b"unit-" + MARK)
    port = splitstream.port
    generator.run(port, known, 32, 0, 2, count=1000)
    saturation = generator.run(port, known, 32, 0, seconds, count=1000).rate
    half = saturation / 2
    results: dict[str, list] = {name: [] for name in [
        "hits", "nginx", "new", "excluded", "commit", "new units", "unnest"]}
    answer = splitstream.call(
        "POST", "/v1/assign", {"experiment_key": key, "unit_id": "known-00000000"}, "CLIENT")
    same_size = json.dumps(answer, separators=(",", ":")).encode()
    # Before anything is written that PostgreSQL then works off beside them.
    with benchmark.nginx(folder, same_size, splitstream.certificate) as nginx:
        for number in range(rounds + 1):
            print(f"known units, round {number} of {rounds}", file=sys.stderr)
            pair = [generator.run(target, known, 32, half, seconds, count=1000)
                    for target in [port, nginx.port]]
            if number:
                for name, run in zip(["hits", "nginx"], pair):
                    results[name].append(run)
    # Tables like those that a first assignment writes, for one row and for many.
    psql(database, """
        DROP TABLE IF EXISTS bench_assignments, bench_exposure_events;
        CREATE TABLE bench_assignments (LIKE assignments INCLUDING ALL);
        CREATE TABLE bench_exposure_events (LIKE exposure_events INCLUDING ALL);
        CREATE SEQUENCE IF NOT EXISTS bench_units""")
    one_row = """
        INSERT INTO bench_exposure_events (id, experiment_id, unit_id, generation, variant_id)
        VALUES (gen_random_uuid(), gen_random_uuid(), 'unit', 1, gen_random_uuid());"""
    many_rows = f"""
        WITH unit AS (
          SELECT 'unit-' || n AS unit_id, lpad(to_hex(n), 32, '0')::uuid AS id
          FROM unnest(ARRAY(SELECT nextval('bench_units') FROM generate_series(1, {ROWS_PER_INSERT})))
            AS n),
        assigned AS (
          INSERT INTO bench_assignments (experiment_id, unit_id, assignment_id, variant_id, reason,
            generation, epoch, exposure_logged_at)
          SELECT '{"0" * 31}1', unit_id, id, id, 'bucketed', 1, 1, now() FROM unit)
        INSERT INTO bench_exposure_events (id, experiment_id, unit_id, generation, variant_id)
        SELECT id, '{"0" * 31}1', unit_id, 1, id FROM unit;"""
    processor = ProcessorTime(splitstream, folder)
    times: dict[str, list] = {"new units": [], "unnest": []}
    for number in range(rounds + 1):
        print(f"round {number} of {rounds}" if number else "warming up", file=sys.stderr)
        runs = {
            "commit": pgbench(folder, database, one_row, seconds),
            "new": generator.run(port, new, 64, NEW_UNITS_PER_SECOND, seconds),
            "excluded": generator.run(port, excluded, 64, NEW_UNITS_PER_SECOND, seconds),
        }
        runs["new units"], new_units_times = processor.of(
            lambda: generator.run(port, new, 512, 0, seconds))
        runs["unnest"], unnest_times = processor.of(
            lambda: pgbench(folder, database, many_rows, seconds), ROWS_PER_INSERT)
        if number:
            times["new units"].append(new_units_times)
            times["unnest"].append(unnest_times)
            for name, run in runs.items():
                results[name].append(run)
    medians = {name: median(runs) for name, runs in results.items()}

    print("| Case | Requests/s | p50 ms | p99 ms | p99.9 ms | Generator late, p99 ms "
          "| Aim for p99 |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | --- |")
    limit = medians["commit"].p99 + 10
    for name, title, aim in [
        ("hits", f"known units, half of {saturation:,.0f}/s", "< 1 ms"),
        ("nginx", "nginx, an answer of the same size, the same rate", ""),
        ("new", "new units", f"≤ {limit:.1f} ms: a commit's + 10"),
        ("excluded", "excluded units, one batched read each", ""),
        ("commit", "one row and its COMMIT, pgbench alone", ""),
    ]:
        run = medians[name]
        print(f"| {title} | {run.rate:,.0f} | {run.p50:.2f} | {run.p99:.2f} | {run.p999:.2f} "
              f"| {f'{run.late:.2f}' if name != 'commit' else ''} | {aim} |")
    print()
    ratios = [ours.rate / (theirs.rate * ROWS_PER_INSERT)
              for ours, theirs in zip(results["new units"], results["unnest"])]
    print("| New units per second, durable with their exposures | Per second | Ratio | Aim "
          "| Server µs each | PostgreSQL µs | Client µs |")
    print("| --- | ---: | ---: | --- | ---: | ---: | ---: |")
    rates = [medians["new units"].rate, medians["unnest"].rate * ROWS_PER_INSERT]
    for name, title, rate, ratio, aim in [
        ("new units", "`POST /v1/assign`, one unit each, 512 connections", rates[0],
         f"{statistics.median(ratios):.2f}", "≥ 0.5"),
        ("unnest", f"`INSERT … SELECT FROM unnest`, {ROWS_PER_INSERT} rows of both tables in a "
         "libpq loop", rates[1], "1", ""),
    ]:
        server, postgres, client = (statistics.median(column) for column in zip(*times[name]))
        print(f"| {title} | {rate:,.0f} | {ratio} | {aim} | {server:.1f} | {postgres:.1f} "
              f"| {client:.1f} |")
