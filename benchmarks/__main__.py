"""Commands: `python -m benchmarks` races and writes record and page; `python -m benchmarks page
FILE.json` the page.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks import page
from benchmarks.cases import cases
from benchmarks.contestant import YARDSTICKS
from benchmarks.field import FRAMEWORKS
from benchmarks.memory import MALLOC
from benchmarks.record import Record, dumped, merged, revision
from harness.console import CODES, DONE, guarded
from harness.sweep.environment import variables

ROOT = Path(__file__).parents[1]
RECORDS, PAGES = ROOT / "reports" / "benchmarks", ROOT / "docs"
PYTEST = (
    "-p",
    "no:ntk_claims",
    "-p",
    "no:xdist",
    "-p",
    "no:cacheprovider",
    "-o",
    "addopts=",
    "-o",
    "filterwarnings=ignore",
)


class RaceFailed(RuntimeError):
    """A framework's race did not come to its end."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Races, or writes the page of a record; the exit code."""
    return guarded(lambda: _run(arguments), kept="No record is written.")


def _run(arguments: Sequence[str] | None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description=__doc__, epilog=CODES
    )
    parser.add_argument(
        "--quick",
        action="store_true",
        help="few cases, three rounds, no ladders: some minutes",
    )
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    commands = parser.add_subparsers(dest="command")
    commands.add_parser(
        "page", help="write docs/performance.md from a record"
    ).add_argument("record", type=Path)
    options = parser.parse_args(arguments)
    record = (
        options.record
        if options.command == "page"
        else measured(options.device, options.quick)
    )
    PAGES.mkdir(exist_ok=True)
    print(page.write(record, PAGES).relative_to(ROOT))
    return DONE


def measured(device: str, quick: bool) -> Path:
    """Runs everything; returns the file of the record."""
    environment, code = os.environ | variables(device, threads=1), revision()
    parts = {
        framework: raced(framework, device, quick, environment)
        for framework in FRAMEWORKS
    }
    memory = [
        peak
        for framework, part in parts.items()
        for peak in peaks(framework, part, device, environment)
    ]
    record = merged(parts, cases(quick), memory, device=device, quick=quick, code=code)
    RECORDS.mkdir(parents=True, exist_ok=True)
    path = RECORDS / f"{slug(record)}.json"
    path.write_text(dumped(record), encoding="utf-8")
    return path


def raced(
    framework: str, device: str, quick: bool, environment: dict[str, str]
) -> dict[str, Any]:
    """One process; what pytest-benchmark wrote."""
    timer = "time.process_time" if device == "cpu" else "time.perf_counter"
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "benchmark.json"
        options = [
            f"--framework={framework}",
            f"--race-device={device}",
            f"--rounds={3 if quick else 7}",
        ]
        options += [
            f"--benchmark-timer={timer}",
            f"--benchmark-json={file}",
            "--benchmark-disable-gc",
            "--benchmark-quiet",
        ]
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "benchmarks/test_ntk.py",
            *PYTEST,
            *options,
        ]
        done = subprocess.run(command + ["--quick"] * quick, cwd=ROOT, env=environment)
        if done.returncode or not file.exists():
            raise RaceFailed(
                f"The race of {framework} failed with exit code {done.returncode}; see above. No "
                "record is written."
            )
        return json.loads(file.read_text(encoding="utf-8"))


def peaks(
    framework: str, part: dict[str, Any], device: str, environment: dict[str, str]
) -> list[dict[str, Any]]:
    """Peak memory of everybody who raced in the cases chosen for it, each in a fresh process."""
    found = []
    for case, entries in part["fields"].items():
        for entry in entries if cases()[case].memory else []:
            if entry["status"] == "raced" and entry["contestant"] not in YARDSTICKS:
                where = {
                    "framework": framework,
                    "contestant": entry["contestant"],
                    "case": case,
                }
                command = [
                    sys.executable,
                    "-W",
                    "ignore",
                    "-m",
                    "benchmarks.memory",
                    *where.values(),
                ]
                command.append(f"--device={device}")
                done = subprocess.run(
                    command,
                    cwd=ROOT,
                    env=environment | MALLOC,
                    stdout=subprocess.PIPE,
                    text=True,
                    encoding="utf-8",
                )
                found.append(
                    where
                    | (
                        json.loads(done.stdout)
                        if done.returncode == 0
                        else {"peak_bytes": None}
                    )
                )
    return found


def slug(record: Record) -> str:
    """Machine and date, fit for a file name."""
    machine = re.sub(r"[^a-z0-9]+", "-", record["machine"]["name"].lower()).strip("-")
    return f"{machine}-{record['date']}" + "-quick" * record["reduced"]


if __name__ == "__main__":
    sys.exit(main())
