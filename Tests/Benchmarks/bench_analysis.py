"""`make bench-analysis`: what snapshots cost, each figure beside what bounds it.

    python3 Tests/Benchmarks/bench_analysis.py [--rounds N] [--units N] [--events N]
        [--experiments N] [--parts snapshots,drain,many,mathematics]

A million exposed units and ten million events of one revenue metric in PostgreSQL; DuckDB holds the
same rows in memory and computes the same sums per variant. The snapshot is asked for over HTTP and
also writes what the next one continues from. Rounds are interleaved, medians are shown; of ratios,
that of each round's.
"""

import argparse
import contextlib
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile
import time

import benchmark

SNAPSHOTS_A_YEAR = 6 * 365
# As many as one transaction of the drain brings at most.
CHUNK_EVENTS = 5_000

# Units in an order that has nothing to do with their variants, exposed nine days ago.
EXPOSURES = """
    UPDATE experiments SET started_at = now() - interval '10 days' WHERE id = '{experiment}';
    INSERT INTO assignments (experiment_id, unit_id, assignment_id, variant_id, reason, generation,
      epoch, assigned_at, exposure_logged_at)
    SELECT '{experiment}', 'user-' || lpad((i * 7919 % {units})::text, 8, '0'), gen_random_uuid(),
      v.id, 'bucketed', 1, 1, now() - interval '9 days', now() - interval '9 days'
    FROM generate_series(1::bigint, {units}) i
    JOIN variants v ON v.experiment_id = '{experiment}' AND v.position = 1 + i % 2;
    INSERT INTO exposure_events (id, experiment_id, unit_id, generation, variant_id, exposed_at)
    SELECT assignment_id, experiment_id, unit_id, 1, variant_id, assigned_at
    FROM assignments WHERE experiment_id = '{experiment}'
    """

# Events as the drain stores them: in the order of their ids, many transactions.
EVENTS = """
    DO $$ BEGIN
      FOR part IN 0..{parts} - 1 LOOP
        INSERT INTO {table} (event_id, environment_id, event_key, unit_id, occurred_at, properties,
          late)
        SELECT (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0')
            || substr(md5(random()::text), 1, 20))::uuid,
          '{environment}', '{key}', 'user-' || lpad(floor(random() * {units})::bigint::text, 8, '0'),
          at, jsonb_build_object('value', round((random() * 100)::numeric, 2)), false
        FROM generate_series(part * {count}::bigint / {parts} + 1,
            (part + 1) * {count}::bigint / {parts}) i,
          LATERAL (SELECT now() - interval '{ago}' * (1 - i / {count}::float8) AS at) t;
        COMMIT;
      END LOOP;
    END $$
    """

# What `unit_values` and `unit_sums` come to. `value` is a column, or read from the JSON.
DUCKDB = """
    WITH unit AS (
      SELECT x.variant, e.unit, sum({value}) AS y
      FROM exposures x JOIN events e ON e.unit = x.unit AND e.at >= x.at
      GROUP BY x.variant, e.unit)
    SELECT n.variant, n.units, count(unit.y), sum(y), sum(y * y)
    FROM (SELECT variant, count(*) AS units FROM exposures GROUP BY variant) n
    JOIN unit USING (variant) GROUP BY n.variant, n.units ORDER BY n.variant
    """
FROM_JSON = "(e.properties ->> '$.value')::DECIMAL(18, 2)"


class DatabaseError(Exception):
    """What PostgreSQL refused."""


class Database:
    """The private PostgreSQL of a server."""

    def __init__(self, splitstream: benchmark.Splitstream) -> None:
        self.command = ["psql", splitstream.settings["DATABASE_URL"], "-XqAt",
                        "-v", "ON_ERROR_STOP=1"]

    def run(self, sql: str) -> str:
        done = subprocess.run(self.command, input=sql, capture_output=True, text=True)
        if done.returncode:
            raise DatabaseError(done.stderr)
        return done.stdout.strip()

    def number(self, sql: str) -> int:
        return int(self.run(sql))

    def copy_out(self, query: str, path: pathlib.Path, form: str = "csv") -> None:
        with path.open("wb") as out:
            command = f"COPY ({query}) TO STDOUT (FORMAT {form})"
            subprocess.run([*self.command, "-c", command], stdout=out, check=True)

    def add_events(self, count: int, environment: str, units: int, **values) -> None:
        values = {"ago": "1 second", "key": "purchase", "table": "events", **values}
        parts = max(1, count // CHUNK_EVENTS)
        self.run(EVENTS.format(
            count=count, parts=parts, environment=environment, units=units, **values))

    def forget_state(self) -> None:
        """The next snapshot begins from nothing."""
        tables = "analysis_series, sample_units, unit_values, unit_sums"
        while True:
            try:
                self.run(f"TRUNCATE {tables}")
                return
            except DatabaseError as error:
                # The server looks into the same tables every second.
                if "deadlock" not in str(error):
                    raise

    def settle(self) -> None:
        """What autovacuum and the checkpointer would do meanwhile is done before the clock runs."""
        self.run("VACUUM ANALYZE")
        self.run("CHECKPOINT")


class DuckDB:
    """The same rows in DuckDB, which uses as many threads as there are cores."""

    def __init__(self, database: Database, folder: pathlib.Path) -> None:
        import duckdb

        self.database, self.folder = database, folder
        self.connection = duckdb.connect()

    def load(self, experiment: str, environment: str) -> None:
        exposures, events = self.folder / "exposures.csv", self.folder / "events.csv"
        self.database.copy_out(f"""
            SELECT unit_id, variant_id, extract(epoch FROM exposed_at) FROM exposure_events
            WHERE experiment_id = '{experiment}'""", exposures)
        self.database.copy_out(f"""
            SELECT unit_id, extract(epoch FROM occurred_at), properties, properties ->> 'value'
            FROM events WHERE environment_id = '{environment}' AND event_key = 'purchase'
            """, events)
        self.connection.execute(f"""
            CREATE OR REPLACE TABLE exposures AS SELECT * FROM read_csv('{exposures}',
              header = false, columns = {{'unit': 'VARCHAR', 'variant': 'VARCHAR', 'at': 'DOUBLE'}});
            CREATE OR REPLACE TABLE events AS SELECT * FROM read_csv('{events}', header = false,
              columns = {{'unit': 'VARCHAR', 'at': 'DOUBLE', 'properties': 'JSON',
                'value': 'DECIMAL(18, 2)'}})""")
        exposures.unlink()
        events.unlink()

    def compute(self, value: str) -> tuple[list[tuple], float]:
        began = time.perf_counter()
        rows = self.connection.execute(DUCKDB.format(value=value)).fetchall()
        return rows, time.perf_counter() - began


def experiment(splitstream: benchmark.Splitstream, key: str, metric: str) -> tuple[str, str]:
    """Starts an experiment; its id and its environment's."""
    environments = splitstream.call("GET", "/v1/environments")["data"]
    environment = next(item["id"] for item in environments if item["slug"] == "dev")
    created = splitstream.call("POST", "/v1/experiments", {
        "environment_id": environment, "key": key, "name": key, "hypothesis": "It helps",
        "unit_type": "user", "primary_metric_id": metric,
        "decision_rule": {"snapshot_cadence_minutes": 1440},
        "variants": [
            {"key": "a", "weight": 50, "is_control": True}, {"key": "b", "weight": 50}]})
    splitstream.call("POST", f"/v1/experiments/{created['id']}/start")
    return created["id"], environment


def uuid(ulid: str) -> str:
    """A ULID as PostgreSQL writes it."""
    number = 0
    for letter in ulid:
        number = number * 32 + "0123456789ABCDEFGHJKMNPQRSTVWXYZ".index(letter)
    digits = f"{number:032x}"
    return "-".join([digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]])


def snapshot(splitstream: benchmark.Splitstream, identifier: str) -> tuple[dict, float]:
    """A snapshot on demand and its seconds, the call included."""
    began = time.perf_counter()
    answer = splitstream.call(
        "POST", f"/v1/experiments/{identifier}/snapshots", timeout_seconds=900)
    return answer, time.perf_counter() - began


def bring_forward(database: Database, experiment: str, events: int) -> float:
    """Tells the server that the drain has stored events, and waits until it has brought their units
    forward; how many seconds that took it."""
    mark = f"FROM analysis_series WHERE experiment_id = '{experiment}' AND subject_id = experiment_id"
    run = database.number(f"SELECT run {mark}")
    database.run(f"""
        INSERT INTO drained_chunks (chunk_id, event_count) VALUES (ulid_floor(now()), {events})""")
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        seconds = database.run(
            f"SELECT extract(epoch FROM clock_timestamp() - as_of) {mark} AND run > {run}")
        if seconds:
            return float(seconds)
        time.sleep(0.005)
    raise TimeoutError("nothing was brought forward")


def check_same(answer: dict, rows: list[tuple]) -> None:
    """Both counted the same."""
    ours = sorted((v["sample_size"], v["conversions"], v["observed_rate"])
                  for v in answer["metrics"][0]["per_variant"])
    theirs = sorted((units, converted, float(total) / units)
                    for _, units, converted, total, _ in rows)
    for mine, other in zip(ours, theirs, strict=True):
        assert mine[:2] == other[:2] and abs(mine[2] - other[2]) < 1e-9, (ours, theirs)


def forget_peak(process: int) -> None:
    """proc(5): the peak of memory begins anew; making the keys at the start took more than most."""
    pathlib.Path(f"/proc/{process}/clear_refs").write_text("5")


def resident_megabytes(process: int, name: str = "VmHWM") -> float:
    """The peak so far, or what is resident now (`VmRSS`)."""
    status = pathlib.Path(f"/proc/{process}/status").read_text()
    return int(re.search(rf"{name}:\s+(\d+)", status)[1]) / 1024


def table(head: list[str], rows: list[list]) -> None:
    print(f"\n| {' | '.join(head)} |")
    print("| --- |" + " ---: |" * (len(head) - 1))
    for row in rows:
        print(f"| {' | '.join(str(cell) for cell in row)} |")


def snapshots(splitstream, database, folder, options) -> None:
    """Full and continued snapshots beside DuckDB, then a year of history."""
    metric = splitstream.call("POST", "/v1/metrics", {
        "key": "revenue", "name": "Revenue", "event_key": "purchase", "kind": "revenue",
        "aggregation": "sum"})["id"]
    identifier, environment = experiment(splitstream, "large", metric)
    values = {"environment": uuid(environment), "units": options.units}
    print("filling the tables", file=sys.stderr)
    database.run(EXPOSURES.format(experiment=uuid(identifier), units=options.units))
    database.add_events(options.events, ago="8 days", **values)
    database.settle()
    duck = DuckDB(database, folder)
    duck.load(uuid(identifier), values["environment"])
    resident = resident_megabytes(splitstream.pid, "VmRSS")
    forget_peak(splitstream.pid)

    full, continued, brought, together = [], [], [], []
    for number in range(options.rounds):
        print(f"full, round {number + 1} of {options.rounds}", file=sys.stderr)
        database.forget_state()
        answer, seconds = snapshot(splitstream, identifier)
        rows, json_seconds = duck.compute(FROM_JSON)
        _, column_seconds = duck.compute("e.value")
        check_same(answer, rows)
        full.append((seconds, json_seconds, column_seconds))
    for number in range(options.rounds):
        print(f"continued, round {number + 1} of {options.rounds}", file=sys.stderr)
        database.add_events(options.events // 100, **values)
        answer, seconds = snapshot(splitstream, identifier)
        continued.append((seconds, *(duck.compute(value)[1] for value in (FROM_JSON, "e.value"))))
    for number in range(options.rounds):
        print(f"brought forward, round {number + 1} of {options.rounds}", file=sys.stderr)
        database.add_events(options.events // 100, **values)
        bringing = bring_forward(database, uuid(identifier), options.events // 100)
        answer, seconds = snapshot(splitstream, identifier)
        duck_seconds = [duck.compute(value)[1] for value in (FROM_JSON, "e.value")]
        brought.append((seconds, *duck_seconds))
        together.append((bringing + seconds, *duck_seconds))
    duck.load(uuid(identifier), values["environment"])
    check_same(answer, duck.compute(FROM_JSON)[0])

    rows = []
    for name, results, aim in [
            ("from nothing, its state written", full, ""),
            ("after 1 % new events, its state written", continued, "≤ 0.5"),
            ("the same when they were brought forward before it", brought, "≤ 0.1"),
            ("… bringing them forward included", together, "")]:
        ours, of_json, of_columns = ([*map(float, column)] for column in zip(*results))
        rows.append([
            name, f"{statistics.median(ours):.2f}", f"{statistics.median(of_json):.2f}",
            f"{statistics.median(a / b for a, b in zip(ours, of_json)):.2f}", aim,
            f"{statistics.median(of_columns):.2f}",
            f"{statistics.median(a / b for a, b in zip(ours, of_columns)):.2f}"])
    table(["Snapshot", "Seconds", "DuckDB, all of it, seconds", "Ratio", "Aim",
           "DuckDB, amounts in a column, seconds", "Ratio"], rows)
    print(f"\nAn event costs {statistics.median(row[0] for row in continued) * 1e8 / options.events:.1f} µs "
          "when the snapshot brings it forward, and "
          f"{statistics.median(row[0] for row in together) * 1e8 / options.events:.1f} µs when that was "
          "done before it, both with a snapshot for each hundredth of all events.")
    state = database.number(
        "SELECT sum(pg_total_relation_size(t)) FROM unnest("
        "ARRAY['sample_units', 'unit_values', 'unit_sums']::regclass[]) t")
    print(f"\nThe server's memory: {resident:.0f} MB before, "
          f"{resident_megabytes(splitstream.pid):.0f} MB at its peak. What is kept of a unit: "
          f"{state / options.units:.0f} bytes.")
    history(splitstream, database, identifier)


def history(splitstream, database, identifier: str) -> None:
    """A year of snapshots, made of copies of the last one, by one page and by pages of 200."""
    database.run(f"""
        INSERT INTO analysis_snapshots
          (id, experiment_id, computed_at, on_demand, sequential_srm_p, inputs, result)
        SELECT (left(ulid_floor(computed_at - i * interval '4 hours')::text, 13)
            || right(gen_random_uuid()::text, 23))::uuid, experiment_id,
          computed_at - i * interval '4 hours', false, sequential_srm_p, inputs, result
        FROM (SELECT * FROM analysis_snapshots WHERE experiment_id = '{uuid(identifier)}'
          ORDER BY id DESC LIMIT 1) s, generate_series(1, {SNAPSHOTS_A_YEAR}) i""")
    path = f"/v1/experiments/{identifier}/results/history?limit="

    def read(limit: int) -> list[float]:
        times, count, cursor = [], 0, None
        while True:
            began = time.perf_counter()
            page = splitstream.call("GET", f"{path}{limit}" + (f"&cursor={cursor}" if cursor else ""))
            times.append((time.perf_counter() - began) * 1000)
            count += len(page["snapshots"])
            cursor = page["next_cursor"]
            if not cursor:
                break
        assert count > SNAPSHOTS_A_YEAR, count
        return times

    forget_peak(splitstream.pid)
    small, whole = read(200), [read(2500)[0] for _ in range(5)]
    print(f"\nA year of snapshots, {SNAPSHOTS_A_YEAR:,}: on one page {statistics.median(whole):.0f} ms; "
          f"by pages of 200 {sum(small):.0f} ms, a page {statistics.median(small):.1f} ms. The "
          f"server's memory was {resident_megabytes(splitstream.pid):.0f} MB at most.")


def drain(database, folder, options) -> None:
    """What the index by transaction, which only snapshots read, costs those who store events."""
    environment = "00000000-0000-0000-0000-000000000001"
    count = 40 * CHUNK_EVENTS
    database.run("""
        CREATE TABLE bench_plain (LIKE events INCLUDING DEFAULTS INCLUDING INDEXES);
        CREATE TABLE bench_indexed (LIKE events INCLUDING DEFAULTS INCLUDING INDEXES);
        DO $$ DECLARE name text; BEGIN
          SELECT indexrelid::regclass INTO STRICT name FROM pg_index
          WHERE indrelid = 'bench_plain'::regclass AND pg_get_indexdef(indexrelid) LIKE '%committed_in)';
          EXECUTE 'DROP INDEX ' || name;
        END $$""")
    database.add_events(count, environment, options.units, table="bench_plain")
    columns = "event_id, environment_id, event_key, unit_id, occurred_at, properties, late"
    files = []
    for number in range(40):
        files.append(folder / f"chunk-{number}")
        database.copy_out(f"""
            SELECT {columns} FROM bench_plain ORDER BY event_id
            OFFSET {number * CHUNK_EVENTS} LIMIT {CHUNK_EVENTS}""", files[-1], "binary")
    commands = {
        name: "\n".join(f"\\copy {name} ({columns}) FROM '{path}' (FORMAT binary)" for path in files)
        for name in ("bench_plain", "bench_indexed")}
    times = []
    for number in range(options.rounds + 1):
        print(f"drain, round {number} of {options.rounds}", file=sys.stderr)
        pair = []
        for name in commands:
            # As large as the tables of a running server: the indexes have their depth.
            database.run(f"TRUNCATE {name}")
            database.add_events(count, environment, options.units, table=name, ago="1 hour")
            began = time.perf_counter()
            database.run(commands[name])
            pair.append(time.perf_counter() - began)
        if number:
            times.append(pair)
    size = database.number("""
        SELECT pg_relation_size(indexrelid) FROM pg_index WHERE indrelid = 'bench_indexed'::regclass
          AND pg_get_indexdef(indexrelid) LIKE '%committed_in)'""") / (2 * count)
    database.run("DROP TABLE bench_plain, bench_indexed")
    plain, indexed = (statistics.median(column) / count * 1e6 for column in zip(*times))
    ratio = statistics.median(b / a for a, b in times)
    print(f"\nStoring an event by COPY, {CHUNK_EVENTS:,} in a transaction: {plain:.1f} µs without "
          f"the index by transaction, {indexed:.1f} µs with it (ratio {ratio:.2f}); "
          f"it takes {size:.1f} bytes an event.")


def many(splitstream, database, options) -> None:
    """A round of snapshots of many experiments that have little new."""
    count = options.experiments
    metric = splitstream.call("POST", "/v1/metrics", {
        "key": "click", "name": "Click", "event_key": "click", "kind": "binary"})["id"]
    print(f"starting {count} experiments", file=sys.stderr)
    pairs = [experiment(splitstream, f"small-{number}", metric) for number in range(count)]
    environment = uuid(pairs[0][1])
    small = "experiment_id IN (SELECT id FROM experiments WHERE key LIKE 'small-%')"
    database.run("""
        UPDATE experiments SET started_at = now() - interval '3 hours' WHERE key LIKE 'small-%';
        INSERT INTO assignments (experiment_id, unit_id, assignment_id, variant_id, reason,
          generation, epoch, assigned_at, exposure_logged_at)
        SELECT e.id, 'user-' || lpad(i::text, 8, '0'), gen_random_uuid(), v.id, 'bucketed', 1, 1,
          now() - interval '2 hours', now() - interval '2 hours'
        FROM experiments e JOIN variants v ON v.experiment_id = e.id, generate_series(1, 100) i
        WHERE e.key LIKE 'small-%' AND v.position = 1 + i % 2;
        INSERT INTO exposure_events (id, experiment_id, unit_id, generation, variant_id, exposed_at)
        SELECT assignment_id, experiment_id, unit_id, 1, variant_id, assigned_at FROM assignments
        WHERE """ + small)
    rounds, answers = [], []
    for number in range(options.rounds + 1):
        print(f"many experiments, round {number} of {options.rounds}", file=sys.stderr)
        database.add_events(1000, environment, 100, key="click")
        database.settle()
        known = database.number(f"SELECT count(*) FROM analysis_snapshots WHERE {small}")
        due = f"""
            UPDATE experiments SET started_at = started_at - interval '2 days'
            WHERE key LIKE 'small-%';
            UPDATE analysis_snapshots SET computed_at = computed_at - interval '2 days'
            WHERE {small}"""
        database.run(due)
        slowest = 0.0
        while database.number(
                f"SELECT count(*) FROM analysis_snapshots WHERE {small}") < known + count:
            if number:
                began = time.perf_counter()
                splitstream.call("GET", f"/v1/experiments/{pairs[number][0]}/results")
                slowest = max(slowest, time.perf_counter() - began)
            time.sleep(0.05)
        rounds.append(float(database.run(f"""
            SELECT extract(epoch FROM clock_timestamp() - min(computed_at)) FROM analysis_snapshots
            WHERE computed_at > now() - interval '1 day' AND {small}""")))
        answers.append(slowest)
    print(f"\n{count:,} running experiments, 100 units and 1,000 new events each: their first "
          f"snapshots took {rounds[0]:.1f} s, a round later {statistics.median(rounds[1:]):.1f} s "
          f"(aim: 10 s). Meanwhile `GET …/results` took {max(answers[1:]) * 1000:.0f} ms at most.")


def scipy_seconds(arms: int) -> float:
    """Each arm's probability to be the best and its expected loss by scipy's adaptive quadrature,
    with the settings that reach 1e-9 here: the mathematics of a snapshot at its heart."""
    import numpy
    import scipy.integrate
    import scipy.stats

    began = time.perf_counter()
    posteriors = [scipy.stats.beta(1 + 1000 + 5 * i, 1 + 9000 - 5 * i) for i in range(arms)]

    def density(x: float, best: int) -> float:
        others = numpy.prod([p.cdf(x) for i, p in enumerate(posteriors) if i != best])
        return posteriors[best].pdf(x) * others

    def loss(x: float, of: int) -> float:
        others = numpy.prod([p.cdf(x) for i, p in enumerate(posteriors) if i != of])
        return posteriors[of].cdf(x) * (1 - others)

    points = [0.08, 0.09, 0.1, 0.11, 0.12]
    total = 0.0
    for arm in range(arms):
        total += scipy.integrate.quad(density, 0, 1, (arm,), points=points, epsabs=1e-10, limit=200)[0]
        scipy.integrate.quad(loss, 0, 1, (arm,), points=points, epsabs=1e-10, limit=200)
        posteriors[arm].ppf([0.025, 0.975])
    assert abs(total - 1) < 1e-8, total
    return time.perf_counter() - began


def mathematics(options) -> None:
    """One snapshot's mathematics, the product's own code compiled alone, beside scipy."""
    sources = benchmark.REPOSITORY / "Sources"
    pure = [path for name in ("Analysis", "Domain", "JSON", "Security")
            for path in (sources / "SplitstreamServer" / name).glob("*.swift")]
    with tempfile.TemporaryDirectory() as folder:
        program = pathlib.Path(folder) / "mathematics"
        subprocess.run(
            ["swiftc", "-O", "-wmo", "-parse-as-library", "-swift-version", "6",
             "-enable-upcoming-feature", "NonisolatedNonsendingByDefault",
             "-enable-upcoming-feature", "MemberImportVisibility", "-I", sources / "CSodium",
             "-o", program, *pure, pathlib.Path(__file__).with_name("SnapshotMathematics.swift")],
            check=True)
        output = subprocess.run([program], check=True, capture_output=True, text=True).stdout
    measured = {
        int(arms): int(micros) / 1000
        for arms, micros in (line.split() for line in output.splitlines())}
    rows = []
    for arms, aim in [(2, 1), (10, 20)]:
        theirs = statistics.median(scipy_seconds(arms) for _ in range(options.rounds)) * 1000
        rows.append([arms, f"{measured[arms]:.2f}", f"< {aim}", f"{theirs:.1f}"])
    table(["Arms, rates, all of a snapshot's mathematics", "Milliseconds", "Aim",
           "scipy, best arm, loss and intervals alone"], rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--units", type=int, default=1_000_000)
    parser.add_argument("--events", type=int, default=10_000_000)
    parser.add_argument("--experiments", type=int, default=1000)
    parser.add_argument("--parts", default="snapshots,drain,many,mathematics")
    parser.add_argument("--server", type=pathlib.Path, default=benchmark.SERVER)
    options = parser.parse_args()
    parts = options.parts.split(",")
    settings = {"SPLITSTREAM_ANALYSIS_ON_DEMAND_WAIT_SECONDS": "600"}
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(benchmark.working_folder())
        splitstream = stack.enter_context(
            benchmark.Splitstream.start(folder, options.server, settings))
        database = Database(splitstream)
        if "snapshots" in parts:
            snapshots(splitstream, database, folder, options)
        if "drain" in parts:
            drain(database, folder, options)
        if "many" in parts:
            many(splitstream, database, options)
    if "mathematics" in parts:
        mathematics(options)


if __name__ == "__main__":
    main()
