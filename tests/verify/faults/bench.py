"""A folder with a toy claim of thirty cells, runs of it, and the books: cells finished, lost,
computed twice.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from harness import sweep
from harness.experiment import Request
from harness.sweep import Store
from harness.sweep.cell import request_of

TOY = Path(__file__).parents[3] / "tests" / "toy_claim.py"
WORKERS = 2
SECONDS = 0.1
LONGEST = 240.0
"""Seconds that a run may take on a busy machine; beyond, it hangs."""

PROGRAMS = {
    "pytest": "pytest claims -q -p no:cacheprovider -p no:xdist --backend=numpy --device=cpu "
    "--store=store "
    f"--report=report --claim-workers={WORKERS}",
    "sweep": f"harness.sweep plan.json --device=cpu --store=store --workers={WORKERS}",
}
FURNISH = """
import json
from dataclasses import asdict
from pathlib import Path
from harness import registration, session, studies

study = studies.load(Path("claims/toy/test_toy.py"))
registration.register(study, Path("claims") / registration.FOLDER, "Planted.", results_seen=False)
plan = session.requests(study, session.Settings("quick", ("numpy",), Path("store")))
Path("plan.json").write_text(json.dumps([asdict(request) for request in plan]))
"""


class NotSurvived(Exception):
    """What a run came to, where it should have come to something else."""


def expect(condition: object, otherwise: str) -> None:
    """Raises NotSurvived unless the condition holds."""
    if not condition:
        raise NotSurvived(otherwise)


def environment(**more: str) -> dict[str, str]:
    """The caller's environment, one thread per process, without what belongs to the caller's own
    pytest.
    """
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PYTEST_", "COV_"))
    }
    # Bytecode is matched by time and size, which another version of equal length would not change.
    return {**kept, "OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1", **more}


def name_of(request: Request) -> str:
    """A cell as the toy claim logs it."""
    return (
        f"toy {request.configuration['arm']} {request.backend} {request.replicates[0]}"
    )


@dataclass
class Bench:
    """A run's folder, and what an undisturbed run's verdicts.json holds.

    `finished` are the cells that were seen in the store, verified; each belongs there until the
    end. `lost` counts those that did not stay, `twice` those whose computation began again, or in
    one run more often than its workers died.
    """

    folder: Path
    undisturbed: bytes = b""
    finished: set[str] = field(default_factory=set)
    lost: int = 0
    twice: int = 0
    logged: int = 0

    @cached_property
    def requests(self) -> list[Request]:
        """The plan."""
        return [
            request_of(record)
            for record in json.loads(
                (self.folder / "plan.json").read_text(encoding="utf-8")
            )
        ]

    @property
    def store(self) -> Store:
        """The runs' store."""
        return Store(self.folder / "store")

    def files(self) -> set[Path]:
        """The cells in the store, unread."""
        return set((self.folder / "store").glob("cells/*/*/*.cell"))

    def calls(self) -> list[str]:
        """The cells whose computation has begun, since the last stocktaking."""
        log = self.folder / "calls"
        return (
            log.read_text(encoding="utf-8").splitlines()[self.logged :]
            if log.exists()
            else []
        )

    def command(self, program: str, *options: str) -> list[str]:
        """How a run is started from the folder."""
        return [sys.executable, "-m", *PROGRAMS[program].split(), *options]

    def start(
        self, program: str, *options: str, **variables: str
    ) -> subprocess.Popen[bytes]:
        """Starts a run; what it says goes to the file `output`."""
        with (self.folder / "output").open("wb") as output:
            return subprocess.Popen(
                self.command(program, *options),
                cwd=self.folder,
                env=environment(**variables),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def output(self) -> str:
        """What the last run said."""
        return (self.folder / "output").read_text(errors="replace", encoding="utf-8")

    def end(self, process: "subprocess.Popen[bytes]", code: int = 0) -> str:
        """Waits for a run to end with that exit code; what it said."""
        try:
            found = process.wait(LONGEST)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise NotSurvived(
                f"a run hung for {LONGEST:.0f} s: {self.output()[-500:]}"
            ) from None
        expect(
            found == code,
            f"exit code {found} instead of {code}: {self.output()[-1500:]}",
        )
        return self.output()

    def take_stock(self, deaths: int = 0) -> None:
        """Brings the books up to date, after a run in which so many workers were killed and others
        took their place.
        """
        begun = Counter(self.calls())
        again = {name for name in begun if name in self.finished}
        surplus = begun.total() - len(begun) - deaths
        self.twice += max(len(again), surplus)
        found = sweep.recorded(self.requests, self.store)
        expect(
            not found.notices,
            f"a damaged cell is in the store: {' '.join(found.notices)}",
        )
        kept = {name_of(outcome.request) for outcome in found.outcomes if outcome.cell}
        self.lost += len(self.finished - kept)
        self.finished |= kept
        self.logged += begun.total()

    def finish(self, also: Callable[[str], object] = lambda output: None) -> None:
        """The rerun: it completes, and its verdicts are those of an undisturbed run.

        `also` is given what it says.
        """
        also(self.end(self.start("pytest")))
        self.take_stock()
        missing = {name_of(request) for request in self.requests} - self.finished
        expect(not missing, f"after the rerun {len(missing)} cells are missing")
        verdicts = (self.folder / "report" / "verdicts.json").read_bytes()
        expect(
            verdicts == self.undisturbed,
            "verdicts.json is not that of an undisturbed run",
        )


def wait_for(
    condition: Callable[[], object], what: str, seconds: float = LONGEST
) -> None:
    """Waits; raises NotSurvived if it does not come to pass."""
    until = time.monotonic() + seconds
    while not condition():
        expect(
            time.monotonic() < until,
            f"in {seconds:.0f} s it did not come to pass that {what}",
        )
        time.sleep(0.005)


def furnish(folder: Path, changes: Sequence[tuple[str, str]] = ()) -> Bench:
    """A bench in an empty folder: the toy claim, with changes of its text, registered; run once,
    undisturbed.
    """
    text = TOY.read_text(encoding="utf-8")
    for old, new in [("NAME", "toy"), ("SECONDS", SECONDS), ("BLOCK", 1)]:
        text = re.sub(rf"^{old} = .*", f"{old} = {new!r}", text, count=1, flags=re.M)
    for old, new in changes:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    claim = folder / "claims" / "toy" / "test_toy.py"
    claim.parent.mkdir(parents=True)
    claim.write_text(text, encoding="utf-8")
    (folder / "pytest.ini").write_text(
        "[pytest]\naddopts = --import-mode=importlib -p no:hypothesispytest\n",
        encoding="utf-8",
    )
    subprocess.run(
        [sys.executable, "-c", FURNISH], cwd=folder, env=environment(), check=True
    )
    bench = Bench(folder)
    bench.end(bench.start("pytest"))
    bench.undisturbed = (folder / "report" / "verdicts.json").read_bytes()
    return bench


def copy(template: Bench, folder: Path) -> Bench:
    """The same bench elsewhere, before any run."""
    ran = shutil.ignore_patterns("store", "report", "calls", "output", "__pycache__")
    shutil.copytree(template.folder, folder, ignore=ran)
    return Bench(folder, template.undisturbed)
