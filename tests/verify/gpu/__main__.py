"""`python -m tests.verify.gpu`: what a borrowed GPU is asked in a quarter of an hour."""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from harness.backends import DEVICES
from harness.console import DONE, FOUND, guarded
from harness.errors import InvalidInput
from harness.papers import CLAIMS
from harness.sweep import environment

QUICK, FULL, RUN = "quick.json", "full.json", "run.json"
DESCRIPTION = """\
prepare   here, where the project is installed: writes the plans into a folder.
run       on the GPU machine, with numpy, torch and jax alone, in this order, each saved as it ends:
    parity   GPU against CPU, in both frameworks               OUT/parity/*.json
    quick    the quick tier, the shortest claims first          OUT/store
    races    our kernels against the device's matrix product    OUT/races.jsonl
    full     one block of the smallest and of the largest       OUT/full-*.jsonl
             configuration of each computation of the full tier
What a step printed is in OUT/<step>.log, how it ended in OUT/run.json. Here again, judge what
OUT/store has: pytest claims --tier quick --replay --store OUT/store"""
CODES = """\
Exit code: 0 every step ended well or at its time; 1 a step found something or failed, see run.json;
2 the plans are not there; 70 an error of this program's own."""
ENDS = {"parity": 0.2, "quick": 0.6, "races": 0.7, "full": 1.0}
"""The part of the whole time at which each step has ended; what is not used is the next one's."""
ENDING = 5.0
"""Seconds that a step may take to end by itself after its time."""
AS_PLANNED = (0, 3)
"""Exit codes of a step that did all, or what it could in its time."""


@dataclass(frozen=True)
class Ended:
    """How a step ended.

    Args:
        step: its name.
        backend: its framework; several, comma-separated.
        code: exit code; None if it was stopped at its time.
        seconds: that it took.
    """

    step: str
    backend: str
    code: int | None
    seconds: float

    @property
    def well(self) -> bool:
        """Whether it did all, or what it could in its time."""
        return self.code in AS_PLANNED or (self.code is None and self.step != "parity")


def command(
    step: str, backend: str, seconds: float, *, options: argparse.Namespace
) -> list[str]:
    """What is run in a step, after `python -m`, so that it ends within so many seconds."""
    out, device = options.out, ["--device", options.device]
    asked = ["--backend", backend]
    cells = [*asked, *device, "--claims", str(options.claims)]
    if step == "parity":
        return ["tests.verify.parity", *asked, "--json", str(out / "parity")]
    if step == "races":
        file = str(out / "races.jsonl")
        return ["tests.verify.gpu.races", *asked, *device, "--out", file]
    if step == "full":
        file, limit = str(out / f"full-{backend}.jsonl"), ["--seconds", str(seconds)]
        plan = str(options.plans / FULL)
        return ["tests.verify.gpu.measure", plan, *cells, *limit, "--out", file]
    workers = ["--workers", str(len(backend.split(",")))]
    limit = ["--minutes", str(seconds / 60), "--store", str(out / "store")]
    return ["harness.sweep", str(options.plans / QUICK), *cells, *workers, *limit]


def ended(step: str, backend: str, end: float, options: argparse.Namespace) -> Ended:
    """Runs a step until it ends, at the latest at a time of the monotonic clock."""
    start = time.monotonic()
    seconds = max(1.0, end - start)
    asked = command(step, backend, seconds, options=options)
    settings = os.environ | environment.variables(options.device, threads=1)
    with (options.out / f"{step}.log").open("a", encoding="utf-8") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", *asked],
            stdout=log,
            stderr=subprocess.STDOUT,
            env=settings,
        )
        try:
            code = process.wait(seconds + ENDING)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            code = None
    return Ended(step, backend, code, round(time.monotonic() - start, 1))


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit code."""
    return guarded(
        lambda: _run(_parser().parse_args(arguments)),
        kept="What was saved so far stays; start again to go on.",
    )


def _run(options: argparse.Namespace) -> int:
    return _prepared(options) if options.work == "prepare" else _measured(options)


def _prepared(options: argparse.Namespace) -> int:
    # the GPU machine has none of what these need
    from harness.commands.options import discovered
    from harness.commands.times import prior
    from harness.shipped import RECORDED
    from tests.verify.gpu import plans

    studies = list(discovered(options).values())
    counts = plans.write(options.plans, studies, prior(RECORDED / "quick"))
    for name, count in counts.items():
        print(f"{options.plans / name}: {count} requests")
    return DONE


def _measured(options: argparse.Namespace) -> int:
    for name in (QUICK, FULL):
        if not (options.plans / name).is_file():
            raise InvalidInput(
                f"{options.plans / name} is not there. Write it where the project is installed: "
                f"python -m tests.verify.gpu prepare {options.plans}"
            )
    options.out.mkdir(parents=True, exist_ok=True)
    start, known = time.monotonic(), list[Ended]()
    for step in options.steps.split(","):
        wanted = options.backend.split(",")
        shares = [options.backend] if step == "quick" else wanted
        for place, backend in enumerate(shares):
            now = time.monotonic()
            rest = start + ENDS[step] * options.seconds - now
            found = ended(step, backend, now + rest / (len(shares) - place), options)
            known.append(found)
            _save(options.out / RUN, options, known)
            print(f"{step} {backend}: {_said(found)}", flush=True)
    return DONE if all(found.well for found in known) else FOUND


def _said(found: Ended) -> str:
    end = "stopped at its time" if found.code is None else f"exit code {found.code}"
    return f"{end}, {found.seconds:.0f} s"


def _save(file: Path, options: argparse.Namespace, known: Sequence[Ended]) -> None:
    record = {
        "device": options.device,
        "seconds": options.seconds,
        "steps": [asdict(found) for found in known],
    }
    new = file.with_suffix(".new")
    new.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    os.replace(new, file)


def _steps(text: str) -> str:
    unknown = [step for step in text.split(",") if step not in ENDS]
    if unknown:
        raise argparse.ArgumentTypeError(
            f"unknown step {unknown[0]!r}; allowed: {', '.join(ENDS)}"
        )
    return text


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.verify.gpu",
        description=DESCRIPTION,
        epilog=CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    works = parser.add_subparsers(dest="work", required=True)
    prepare, run = works.add_parser("prepare"), works.add_parser("run")
    for work in (prepare, run):
        work.add_argument("plans", type=Path, help="folder of the plans")
        work.add_argument("--claims", type=Path, default=CLAIMS)
    run.add_argument("--out", type=Path, required=True, help="folder of the results")
    run.add_argument("--seconds", type=float, default=800.0, help="default: 800")
    run.add_argument("--device", default="cuda", choices=DEVICES)
    run.add_argument("--backend", default="torch,jax", help="default: torch,jax")
    run.add_argument(
        "--steps", type=_steps, default=",".join(ENDS), help="default: all"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
