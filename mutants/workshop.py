"""A copy of the sources in which defects are planted and tests are run; the sources themselves stay as they are."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mutants.mutant import ROOT, Mutant

PARTS = ("harness", "claims", "parity", "tests", "fixtures", "pyproject.toml")
TIME_LIMIT = 300.0
"""Seconds for the tests of one mutant; a mutant that hangs is not caught."""

BASELINE_LIMIT = 3600.0
"""Seconds for the tests of all mutants, without any."""

FAILED, USAGE = 1, (2, 3, 4, 5)
"""Exit codes of pytest: tests failed; nothing was tested (collection errors, no such test ...)."""

MEANINGS = {2: "collection failed", 3: "pytest broke", 4: "no such test", 5: "nothing was collected"}


class UnsoundBaseline(Exception):
    """The tests do not pass on the sources as they are, so their failing would say nothing about a mutant."""


@dataclass(frozen=True)
class Outcome:
    """What became of a mutant: whether it was caught, why not if not, and how long that took."""

    mutant: Mutant
    caught: bool
    note: str
    seconds: float


@dataclass(frozen=True)
class Workshop:
    """A folder with a copy of the sources, which is what Python imports there."""

    root: Path

    @classmethod
    def furnish(cls, root: Path) -> "Workshop":
        """Copies the sources, and proves that the copy is what is imported."""
        for part in PARTS:
            if (ROOT / part).is_dir():
                shutil.copytree(ROOT / part, root / part, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(ROOT / part, root / part)
        workshop = cls(root)
        imported = workshop._python("-c", "import harness; print(harness.__file__)").stdout.strip()
        if not Path(imported).resolve().is_relative_to(root.resolve()):
            raise UnsoundBaseline(f"The copy in {root} is not what Python imports there, but {imported}.")
        return workshop

    def check(self, tests: Iterable[str]) -> None:
        """Runs the tests on the sources as they are; raises UnsoundBaseline, with pytest's words, unless all pass.

        It leaves the bytecode of the sources in the copy, which spares each mutant a third of its time.
        """
        try:
            ran = self._pytest(*tests, time_limit=BASELINE_LIMIT, bytecode=True)
        except subprocess.TimeoutExpired:
            raise UnsoundBaseline(
                f"The tests without any mutant gave no answer within {BASELINE_LIMIT:.0f} s. Run fewer mutants (-k), "
                "or run them when the machine does less."
            ) from None
        if ran.returncode:
            raise UnsoundBaseline(f"Tests fail without any mutant:\n{ran.stdout[-4000:]}{ran.stderr[-2000:]}")

    def examine(self, mutant: Mutant) -> Outcome:
        """Plants the mutant, runs what must catch it, and mends the copy."""
        start = time.perf_counter()
        sound = mutant.plant(self.root)
        try:
            code = self._pytest("-x", *mutant.caught_by).returncode
        except subprocess.TimeoutExpired:
            code = None
        finally:
            (self.root / mutant.file).write_text(sound, encoding="utf-8")
        caught = code == FAILED or (mutant.at_import and code in USAGE[:1])
        note = "" if caught else _note(code)
        return Outcome(mutant, caught, note, time.perf_counter() - start)

    def _pytest(self, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
        return self._python("-m", "pytest", "-q", "--no-header", "-p", "no:cacheprovider", *arguments, **options)

    def _python(
        self, *arguments: str, time_limit: float = TIME_LIMIT, bytecode: bool = False
    ) -> subprocess.CompletedProcess[str]:
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "COV_"))},
            "PYTHONPATH": str(self.root),
            # Bytecode is matched by time and size, which a mutant of equal length planted at once would not change: it
            # is written of the sources only, which are older than any mutant.
            "PYTHONDONTWRITEBYTECODE": "" if bytecode else "1",
            "OMP_NUM_THREADS": "1",
        }
        return subprocess.run(
            [sys.executable, *arguments],
            cwd=self.root,
            env=environment,
            capture_output=True,
            text=True,
            timeout=time_limit,
            check=False,
            encoding="utf-8",
        )


def _note(code: int | None) -> str:
    if code is None:
        return f"no answer within {TIME_LIMIT:.0f} s"
    return "all of its tests pass" if code == 0 else MEANINGS.get(code, f"exit code {code}")
