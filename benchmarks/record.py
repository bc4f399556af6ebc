"""The record of a race: one JSON document from those that pytest-benchmark wrote, one per
framework.

It holds every single time, so that the page, its medians and its ratios can be made again from it
alone. It names the processor and the versions, not the host and no path.
"""

import datetime
import json
import platform
import re
import subprocess
from pathlib import Path
from typing import Any

from benchmarks.cases import Case
from benchmarks.contestant import yardstick_bytes, yardstick_flops
from benchmarks.field import FRAMEWORKS

FORMAT = 1
FLAT_LIST = re.compile(r"\[[^\[\]{}\"]*\]")
Record = dict[str, Any]


def dumped(record: Record) -> str:
    """The JSON text, a list of numbers on a line."""
    return (
        FLAT_LIST.sub(
            lambda found: " ".join(found[0].split()), json.dumps(record, indent=1)
        )
        + "\n"
    )


def merged(
    parts: dict[str, dict[str, Any]],
    cases: dict[str, Case],
    memory: list[dict[str, Any]],
    *,
    device: str,
    quick: bool,
    code: str,
) -> Record:
    """The record.

    Args:
        parts: framework -> what pytest-benchmark wrote, with what benchmarks/conftest.py added.
        cases: by name.
        memory: {"framework", "contestant", "case", "peak_bytes"} each; peak_bytes None: the process
            died.
        device: "cpu" or "cuda".
        quick: whether it was the reduced run.
        code: the revision that ran.
    """
    every = (
        entry
        for name in FRAMEWORKS
        if name in parts
        for entry in timed(name, parts[name])
    )
    entries = [
        entry
        for entry in every
        if entry["status"] != "refused" or not cases[entry["case"]].ladder
    ]
    ran = {entry["case"] for entry in entries}
    any_part = next(iter(parts.values()))
    return {
        "format": FORMAT,
        "reduced": quick,
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "device": device,
        "clock": "process CPU time" if device == "cpu" else "wall clock, synchronised",
        "machine": machine(any_part, device),
        "revision": code,
        "versions": {"python": platform.python_version(), **any_part["versions"]},
        "yardstick": {
            "flops": yardstick_flops(device),
            "bytes": {
                dtype: yardstick_bytes(dtype, device)
                for dtype in ("float32", "float64")
            },
        },
        "cases": {name: facts(case) for name, case in cases.items() if name in ran},
        "entries": entries,
        "memory": memory,
    }


def timed(framework: str, part: dict[str, Any]) -> list[dict[str, Any]]:
    """Every entry of a framework with its times, in the order of the rounds."""
    times: dict[tuple[str, str], list[float]] = {}
    for benchmark in part["benchmarks"]:
        where = benchmark["extra_info"]
        times.setdefault((where["case"], where["contestant"]), []).extend(
            benchmark["stats"]["data"]
        )
    return [
        {
            "framework": framework,
            "case": case,
            **entry,
            "times": rounded(times.get((case, entry["contestant"]), [])),
        }
        for case, entries in part["fields"].items()
        for entry in entries
    ]


def rounded(times: list[float]) -> list[float]:
    """To a tenth of a microsecond."""
    return [round(time, 7) for time in times]


def facts(case: Case) -> dict[str, Any]:
    """What the page needs to know of a case."""
    (kind,) = case.architecture
    return {
        "subject": case.subject,
        "kind": kind,
        "architecture": case.architecture,
        "samples": case.samples,
        "outputs": case.net.outputs,
        "kernel": case.outputs,
        "dtype": case.dtype,
        "seeds": case.seeds,
        "ladder": case.ladder,
        "floor_flops": case.floor_flops,
        "floor_bytes": case.floor_bytes,
        "result_bytes": case.result_bytes,
    }


def revision() -> str:
    """Of this project, from git; "-dirty" if files differ from it."""
    command = ["git", "describe", "--always", "--dirty", "--exclude=*"]
    done = subprocess.run(
        command,
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        encoding="utf-8",
    )
    return done.stdout.strip() or "an unknown revision"


def machine(part: dict[str, Any], device: str) -> dict[str, Any]:
    """Processor or GPU by name, cores, system."""
    cpu = part["machine_info"]["cpu"]
    name = (
        part["gpu"] if device == "cuda" else cpu.get("brand_raw", "unknown processor")
    )
    return {
        "name": name,
        "processor": cpu.get("brand_raw"),
        "cores": cpu.get("count"),
        "system": platform.system(),
    }
