"""Runs the tests that must catch a defect, with the defect planted in every process that they
start.
"""

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tests.verify.mutants.defect import Defect

ROOT = Path(__file__).resolve().parents[3]
FAILED = 1
"""Pytest's exit code if tests ran and some failed; but also Python's, if pytest itself did not
start.
"""
SUMMARY = re.compile(r"^\d+ failed\b.* in [\d.]+s", re.MULTILINE)
"""Pytest's last line if tests ran and some failed."""

TIME_LIMIT = 600.0


class UnsoundError(Exception):
    """Tests fail though nothing is planted."""


@dataclass(frozen=True)
class Outcome:
    """Whether the tests of a defect caught it; if not, pytest's last words.

    Seconds that they took.
    """

    defect: Defect
    caught: bool
    said: str
    seconds: float


def examine(defect: Defect) -> Outcome:
    """Plants the defect and runs its tests."""
    start = time.perf_counter()
    code, said = _pytest(defect.caught_by, planted=defect.name)
    caught = code == FAILED and SUMMARY.search(said) is not None
    return Outcome(defect, caught, "" if caught else said, time.perf_counter() - start)


def check_soundness(tests: Iterable[str]) -> None:
    """Runs the tests without a defect; raises UnsoundError, in pytest's words, unless all pass."""
    code, said = _pytest(sorted(tests), planted="", time_limit=6 * TIME_LIMIT)
    if code:
        raise UnsoundError(f"Tests fail without any defect:\n{said}")


def _pytest(
    tests: Iterable[str], planted: str, time_limit: float = TIME_LIMIT
) -> tuple[int | None, str]:
    """Pytest's exit code, None if it took too long, and its last lines."""
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PYTEST_", "COV_"))
    }
    environment = {
        **inherited,
        "PYTHONPATH": os.pathsep.join(
            [str(ROOT / "tests" / "verify" / "mutants" / "site"), str(ROOT)]
        ),
        "NTK_CLAIMS_MUTANT": planted,
        "OMP_NUM_THREADS": "1",
    }
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "--no-header",
        "-p",
        "no:cacheprovider",
        *tests,
    ]
    try:
        ran = subprocess.run(
            command + (["-x"] if planted else []),
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            timeout=time_limit,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return None, f"no answer within {time_limit:.0f} s"
    return ran.returncode, (ran.stdout[-3000:] + ran.stderr[-1000:]).strip()
