"""`python -m tests.verify.parity`: compares a GPU with the CPU, in each framework; one process for
each, as in a sweep.
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from harness import backends
from harness.console import CRASHED, REFUSED, guarded
from harness.sweep import environment
from tests.verify.parity.comparison import compare

DIFFERS = 1
DESCRIPTION = """\
Computes the same networks, kernels and training steps on the CPU and on a GPU, in each framework,
in float32 and float64, and holds the differences against tolerances with reasons
(parity/quantities.py). What the GPU computes twice has to be the same to the last bit; digests in
--json say whether two runs agree so. No claim, no store."""
CODES = """\
Exit code: 0 both devices agree; 1 they differ; 2 a framework or the GPU is not there, and nothing
was shown; 70 an error of this program's own, with its traceback; 130 interrupted."""


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit code; the worst over the frameworks."""
    return guarded(
        lambda: _run(_parser().parse_args(arguments)),
        kept="What was compared so far stands above.",
    )


def _run(options: argparse.Namespace) -> int:
    if options.alone:
        return _alone(options.backend, options.json)
    # harness.session would split them too, and needs SciPy, which a bare machine lacks
    names = [backends.known(name.strip()) for name in options.backend.split(",")]
    return max((_process(name, options.json) for name in names), default=REFUSED)


def _process(name: str, folder: Path | None) -> int:
    """One framework in a process of its own, with the environment that a sweep's worker gets."""
    command = [
        sys.executable,
        "-m",
        "tests.verify.parity",
        "--alone",
        "--backend",
        name,
    ]
    command += [] if folder is None else ["--json", str(folder)]
    code = subprocess.run(
        command, env=os.environ | environment.variables("cuda", threads=1), check=False
    ).returncode
    return code if code in (0, DIFFERS, REFUSED) else CRASHED


def _alone(name: str, folder: Path | None) -> int:
    compared = []
    for dtype in backends.DTYPES:
        pair = backends.get(name, "cpu", dtype), backends.get(name, "cuda", dtype)
        for one in compare(*pair):
            compared.append(one)
            print(one.line(), flush=True)
    with pair[1].operations.session():
        settings = environment.recorded(os.environ) | environment.in_force(
            pair[1].device
        )
    print(
        f"{name}: {sum(one.agrees for one in compared)} of {len(compared)} agree. Settings: "
        f"{json.dumps(settings)}"
    )
    if folder is not None:
        record = {
            "backend": name,
            "settings": settings,
            "compared": [asdict(one) for one in compared],
        }
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"parity-{name}.json").write_text(
            json.dumps(record, indent=1) + "\n", encoding="utf-8"
        )
    return 0 if all(one.agrees for one in compared) else DIFFERS


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.verify.parity",
        description=DESCRIPTION,
        epilog=CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--backend", default="torch,jax", help="comma-separated (default: torch,jax)"
    )
    parser.add_argument(
        "--json",
        type=Path,
        metavar="FOLDER",
        help="write what was found there, a file per framework",
    )
    parser.add_argument("--alone", action="store_true", help=argparse.SUPPRESS)
    return parser


if __name__ == "__main__":
    sys.exit(main())
