"""Point 4 of `make bench-assign`: connections, loops, experiments, processes."""

import contextlib
import json
import pathlib
import resource
import time
import urllib.error
import urllib.request

import benchmark
from assign_latency import assign_request
from generator import MARK, Generator, psql, result

CONNECTIONS = [1, 10, 100, 1_000, 10_000]
EXPERIMENTS = [10, 1_000, 10_000, 100_000]


class Process(benchmark.Target):
    """One more server process on the stores of another."""

    @classmethod
    @contextlib.contextmanager
    def start(cls, stores: benchmark.Splitstream, folder: pathlib.Path, loops: int):
        port = benchmark.free_port()
        configuration = folder / f"{port}.toml"
        configuration.write_text(f"""
            [server]
            port = {port}
            loops = {loops}
            connections_per_address_max = 1000000
            [postgres]
            url = "{stores.settings["DATABASE_URL"]}"
            [redis]
            url = "{stores.settings["REDIS_URL"]}"
            [security]
            pepper_file = "{folder}/splitstream/pepper"
            [limits]
            requests_per_connection_max = 1000000000
            """)
        begin = time.monotonic()
        command = [benchmark.SERVER, "--config", configuration]
        with benchmark.started(
            command, folder / f"{port}.log", {}, lambda: is_ready(port)
        ) as process:
            started = cls(port, 0, process.pid)
            started.ready_seconds = time.monotonic() - begin
            yield started

    def resident_megabytes(self) -> float:
        status = pathlib.Path(f"/proc/{self.pid}/status").read_text()
        return int(status.split("VmRSS:")[1].split()[0]) / 1024


def is_ready(port: int) -> bool:
    with contextlib.suppress(urllib.error.URLError, ConnectionError):
        return urllib.request.urlopen(f"http://127.0.0.1:{port}/v1/readyz").status == 200
    return False


def add_experiments(database: str, key: str, count: int) -> None:
    """Running copies of an experiment, `bulk-00000000` and so on, until there are `count`."""
    psql(database, f"""
        CREATE FUNCTION pg_temp.ulid(id uuid) RETURNS text LANGUAGE sql IMMUTABLE RETURN (
          SELECT string_agg(
            substr('0123456789ABCDEFGHJKMNPQRSTVWXYZ',
              substring(bits FROM 5 * digit + 1 FOR 5)::bit(5)::int + 1, 1), '' ORDER BY digit)
          FROM generate_series(0, 25) AS digit,
            (VALUES (B'00' || ('x' || replace(id::text, '-', ''))::bit(128))) AS id (bits));
        CREATE TEMPORARY TABLE copy AS
        SELECT gen_random_uuid() AS id, 'bulk-' || lpad(n::text, 8, '0') AS copy_key
        FROM generate_series(0, {count - 1}) AS n;
        DELETE FROM copy USING experiments e WHERE e.key = copy_key;
        INSERT INTO experiments (id, workspace_id, environment_id, key, name, hypothesis, unit_type,
          assignment_mode, status, method, posterior_threshold, minimum_detectable_effect,
          min_sample_per_variant, max_duration_days, snapshot_cadence_minutes, started_at)
        SELECT copy.id, workspace_id, environment_id, copy_key, name, hypothesis, unit_type,
          assignment_mode, status, method, posterior_threshold, minimum_detectable_effect,
          min_sample_per_variant, max_duration_days, snapshot_cadence_minutes, started_at
        FROM experiments, copy WHERE key = '{key}';
        INSERT INTO variants (id, experiment_id, position, key, weight, description, is_control)
        SELECT gen_random_uuid(), copy.id, v.position, v.key, v.weight, v.description, v.is_control
        FROM copy, variants v JOIN experiments e ON e.id = v.experiment_id WHERE e.key = '{key}';
        INSERT INTO weight_epochs (experiment_id, epoch, allocation)
        SELECT copy.id, 1, jsonb_agg(jsonb_build_object(
          'variant', pg_temp.ulid(v.id), 'weight', v.weight,
          'slots', jsonb_build_array(jsonb_build_array(
            (v.position - 1) * 5000, v.position * 5000))) ORDER BY v.position)
        FROM copy JOIN variants v ON v.experiment_id = copy.id GROUP BY copy.id""")
    psql(database, "ANALYZE")


def connections_and_loops(
    stores: benchmark.Splitstream, known: bytes, seconds: int, folder: pathlib.Path
) -> None:
    # Of the generator and of the server, each.
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(CONNECTIONS) + 1000, most))
    generator = Generator(folder)
    titles = [f"{count:,} connection{'s' * (count > 1)}" for count in CONNECTIONS]
    print(f"| Known units | {' | '.join(titles)} |")
    print("| --- |" + " ---: |" * len(CONNECTIONS))
    for loops in [1, 2]:
        cells = []
        for count in CONNECTIONS:
            with Process.start(stores, folder, loops) as process:
                generator.run(process.port, known, min(count, 32), 0, 1, count=1000)
                run = generator.run(process.port, known, count, 0, seconds, count=1000)
                cells.append(f"{run.rate:,.0f}/s, {process.resident_megabytes():.0f} MB")
        print(f"| {loops} loop{'s' * (loops > 1)} | {' | '.join(cells)} |", flush=True)


def experiments(
    stores: benchmark.Splitstream, key: str, seconds: int, folder: pathlib.Path
) -> None:
    generator = Generator(folder)
    body = json.dumps({"experiment_key": "bulk-" + MARK.decode(), "unit_id": "unit"}).encode()
    request = benchmark.request("POST", "/v1/assign", body, stores.authorization("CLIENT"))
    print("| Running experiments | Ready after | Known units, 32 connections | Memory |")
    print("| ---: | ---: | ---: | ---: |")
    for count in EXPERIMENTS:
        add_experiments(stores.settings["DATABASE_URL"], key, count)
        asked = min(count, 10_000)
        with Process.start(stores, folder, 1) as process:
            # Each experiment is asked for at least once before it counts.
            generator.run(process.port, request, 32, 2000, 1 + asked / 2000, count=asked)
            run = generator.run(process.port, request, 32, 0, seconds, count=asked)
            print(f"| {count:,} | {process.ready_seconds:.2f} s | {run.rate:,.0f}/s "
                  f"| {process.resident_megabytes():.0f} MB |", flush=True)


def processes(
    stores: benchmark.Splitstream, known: bytes, new: bytes, seconds: int, folder: pathlib.Path
) -> None:
    generator = Generator(folder)
    print("| Processes of one loop | Known units | New units |")
    print("| ---: | ---: | ---: |")
    with Process.start(stores, folder, 1) as one, Process.start(stores, folder, 1) as other:
        for target in [one, other]:
            generator.run(target.port, known, 32, 0, 1, count=1000)
        for targets in [[one], [one, other]]:
            rates = []
            for request, connections, numbers in [(known, 32, 1000), (new, 256, None)]:
                running = [
                    generator.start(target.port, request, connections, 0, seconds, count=numbers)
                    for target in targets]
                rates.append(sum(result(process).rate for process in running))
            print(f"| {len(targets)} | {rates[0]:,.0f}/s | {rates[1]:,.0f}/s |", flush=True)


def measure(stores: benchmark.Splitstream, key: str, seconds: int, folder: pathlib.Path) -> None:
    known = assign_request(stores, key, b"known-" + MARK)
    new = assign_request(stores, key, b"fresh-" + MARK)
    connections_and_loops(stores, known, seconds, folder)
    print()
    processes(stores, known, new, seconds, folder)
    print()
    experiments(stores, key, seconds, folder)
