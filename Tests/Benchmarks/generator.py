"""The constant-rate generator (`constant_rate.c`) and PostgreSQL's own pgbench, as functions."""

import dataclasses
import pathlib
import statistics
import subprocess

MARK = b"########"
"""In a request: where the generator writes a number of eight digits."""


@dataclasses.dataclass
class Run:
    """What the generator saw; latencies in milliseconds."""

    count: float
    rate: float
    p50: float
    p99: float
    p999: float
    longest: float
    late: float = 0
    """p99 of what the generator itself was late."""


class Generator:
    """Sends requests at fixed times, or (rate 0) as fast as they are answered."""

    def __init__(self, folder: pathlib.Path):
        self.folder = folder
        self.program = folder / "constant_rate"
        source = pathlib.Path(__file__).with_name("constant_rate.c")
        subprocess.run(["cc", "-O2", "-o", self.program, source], check=True)
        self.first = 0
        """The number after the last one that was sent."""

    def start(self, port: int | str, request: bytes, connections: int, rate: float,
              seconds: float, count: int | None = None, most: int | None = None
              ) -> subprocess.Popen:
        """`port`: or the path of Redis's socket.

        `count`: so many numbers from 0 on, in turn; without it every request has a new one.

        `most`: at rate 0 it ends after so many requests.
        """
        file = self.folder / "request"
        file.write_bytes(request)
        first = self.first if count is None else 0
        if count is None:
            # More than can be sent.
            self.first += most or int(max(rate, 100_000) * seconds)
        return subprocess.Popen(
            [self.program, str(port), str(connections), str(rate), str(seconds), str(first),
             str(count or 100_000_000), file, *([str(most)] if most else [])],
            stdout=subprocess.PIPE, text=True)

    def run(self, *arguments, **options) -> Run:
        return result(self.start(*arguments, **options))


def result(process: subprocess.Popen) -> Run:
    output = process.communicate()[0]
    if process.returncode != 0:
        raise SystemExit("the generator failed")
    sent, good, seconds, *micros = (float(word) for word in output.split())
    if sent != good:
        raise SystemExit(f"{sent - good:.0f} of {sent:.0f} requests were not answered 2xx")
    return Run(good, good / seconds, *(micro / 1000 for micro in micros))


def median(runs: list[Run]) -> Run:
    """The median of each figure."""
    return Run(*(statistics.median(getattr(run, field.name) for run in runs)
                 for field in dataclasses.fields(Run)))


def pgbench(folder: pathlib.Path, database: str, script: str, seconds: int) -> Run:
    """A libpq loop of one connection over `script`."""
    (folder / "script.sql").write_text(script)
    for old in folder.glob("pgbench_log*"):
        old.unlink()
    subprocess.run(
        ["pgbench", "--no-vacuum", "--protocol=prepared", "--client=1", "--log",
         f"--time={seconds}", "--file=script.sql", database],
        cwd=folder, check=True, capture_output=True)
    [log] = folder.glob("pgbench_log*")
    times = sorted(int(line.split()[2]) / 1000 for line in log.read_text().splitlines())

    def quantile(part: float) -> float:
        return times[min(len(times) - 1, int(part * len(times)))]

    return Run(len(times), len(times) / seconds, quantile(0.5), quantile(0.99), quantile(0.999), times[-1])


def psql(database: str, sql: str) -> str:
    return subprocess.run(
        ["psql", "--no-psqlrc", "--quiet", "--tuples-only", "--no-align",
         "--set=ON_ERROR_STOP=1", f"--command={sql}", database],
        check=True, capture_output=True, text=True).stdout.strip()
