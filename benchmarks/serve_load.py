"""`hone serve` under load: wrk with 64 connections, with and without batches; latency, throughput, errors, memory.

wrk (Debian's package of that name) runs in one thread on the same machine, so what it takes of the cores counts
against the server. Each connection sends its next text when it has the answer to the last one.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import psutil

from benchmarks.machine import describe
from tasks.records import read_examples, write_json

ROOT = Path(__file__).resolve().parent.parent
SIDES = {"batches": [], "no batches": ["--max-batch", "1", "--max-wait-ms", "0"]}
ERRORS = ("connect_errors", "read_errors", "write_errors", "status_errors", "timeouts")
GROWTH = 0.02  # share of its memory by which the server may be larger in the last quarter than in the second


def main() -> int:
    """Measure and say it; 1 if a request failed or memory grew."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, default=ROOT / "data/export")
    parser.add_argument("--examples", type=Path, default=ROOT / "data/prepared/validation.jsonl", help="with words")
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--warm-up", type=int, default=5, help="seconds of load before those that count")
    parser.add_argument("--threads", type=int, default=0, help="of the model; 0 means one per core")
    parser.add_argument("--output", type=Path, required=True, help="folder for serve_load.json and serve_load.md")
    given = parser.parse_args()
    if shutil.which("wrk") is None:
        parser.error("wrk is not installed; on Debian: apt-get install wrk")
    machine = describe("cpu", given.threads or len(os.sched_getaffinity(0)))
    results = {}
    with tempfile.TemporaryDirectory() as folder:
        texts = Path(folder) / "texts"
        lines = [json.dumps({"text": " ".join(example.inputs["words"])}) for example in read_examples(given.examples)]
        texts.write_text("\n".join(lines) + "\n")
        for name, options in SIDES.items():
            command = ["--model", str(given.model.resolve()), "--threads", str(given.threads), *options]
            with _server(command) as (url, process):
                _load(url, given.connections, given.warm_up, texts)
                results[name] = _measure(url, process, given.connections, given.seconds, texts)
    failed = [name for name, found in results.items() if found["errors"] or found["growth"] > GROWTH]
    report = _report(results, given.connections, given.seconds, machine.line())
    write_json(
        given.output / "serve_load.json",
        {"machine": machine.plain(), "connections": given.connections, "seconds": given.seconds, "sides": results},
    )
    (given.output / "serve_load.md").write_text(report, encoding="utf-8")
    sys.stdout.write(report)
    return int(bool(failed))


@contextmanager
def _server(options: list[str]) -> Iterator[tuple[str, psutil.Process]]:
    """`hone serve` on a free port of loopback, ended with the context."""
    command = [sys.executable, "-m", "hone", "serve", "--port", "0", *options]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None  # noqa: S101
            line = process.stdout.readline()
            if "http://" not in line:
                raise SystemExit("the server did not start")
            yield "http://" + line.partition("http://")[2].split(",")[0], psutil.Process(process.pid)
        finally:
            process.terminate()


def _load(url: str, connections: int, seconds: int, texts: Path) -> dict[str, Any]:
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "10s", "-s", _script(), url]
    environment = {**os.environ, "HONE_TEXTS": str(texts)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def _script() -> str:
    return str(Path(__file__).with_suffix(".lua"))


def _measure(url: str, process: psutil.Process, connections: int, seconds: int, texts: Path) -> dict[str, Any]:
    sizes: list[int] = []
    over = threading.Event()

    def watch() -> None:
        while not over.wait(0.25):
            sizes.append(process.memory_info().rss)

    before = _texts_and_batches(url)
    watching = threading.Thread(target=watch)
    watching.start()
    try:
        found = _load(url, connections, seconds, texts)
    finally:
        over.set()
        watching.join()
    answered, batches = (after - first for after, first in zip(_texts_and_batches(url), before, strict=True))
    quarter = len(sizes) // 4
    early, late = sizes[quarter : 2 * quarter], sizes[-quarter:]
    return found | {
        "requests_per_second": found["requests"] / found["seconds"],
        "errors": sum(found[kind] for kind in ERRORS),
        "texts_per_batch": answered / batches,
        "memory_mb": max(sizes) / 1e6,
        "growth": (sum(late) / len(late)) / (sum(early) / len(early)) - 1,
    }


def _texts_and_batches(url: str) -> tuple[float, float]:
    with urlopen(f"{url}/metrics") as response:
        values = dict(line.rsplit(" ", 1) for line in response.read().decode().splitlines() if line[0] != "#")
    return float(values["hone_batch_texts_sum"]), float(values["hone_batch_texts_count"])


def _report(results: dict[str, dict[str, Any]], connections: int, seconds: int, machine: str) -> str:
    rows = [
        f"| {name} | {found['requests_per_second']:.0f} | {found['p50_ms']:.0f} | {found['p95_ms']:.0f} | "
        f"{found['p99_ms']:.0f} | {found['errors']} of {found['requests']:,} | {found['texts_per_batch']:.1f} | "
        f"{found['memory_mb']:.0f} | {100 * found['growth']:+.1f} % |"
        for name, found in results.items()
    ]
    return "\n".join(
        [
            f"{connections} connections for {seconds} seconds, one text a request, wrk on the same machine.",
            "",
            "| | requests/s | p50 ms | p95 ms | p99 ms | errors | texts a batch | memory MB | growth |",
            "|---|---|---|---|---|---|---|---|---|",
            *rows,
            "",
            f"Growth: mean memory of the last quarter against the second. {machine}",
            "",
        ]
    )


if __name__ == "__main__":
    raise SystemExit(main())
