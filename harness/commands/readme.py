"""`ntk-claims readme`: what a Markdown file shows of a recorded report, written or checked."""

import argparse
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from harness import report
from harness.commands.options import added, write_text
from harness.errors import InvalidInput
from harness.report import readme

RECORDED = "reports/recorded/quick"


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds the command to those of `ntk-claims`."""
    command = added(
        commands,
        "readme",
        "Writes what README.md and the pages below docs show of a recorded report: the table of "
        "verdicts between the "
        "comments <!-- verdicts: ... --> and <!-- end of verdicts -->, and likewise the example of "
        "a claim and the "
        "rates of its calibration.",
        "ntk-claims readme --check",
        "ntk-claims readme reports/recorded/full --readme docs/full.md",
    )
    command.add_argument(
        "folder",
        type=Path,
        nargs="?",
        default=Path(RECORDED),
        help=f"folder of the report (default: {RECORDED})",
    )
    files = "the file (default: README.md, and those of docs/*.md that show something of a report)"
    command.add_argument("--readme", type=Path, metavar="FILE", help=files)
    command.add_argument(
        "--check",
        action="store_true",
        help="write nothing; exit code 1 if a file is stale",
    )
    picture = (
        "also draw the report's first screen, 1280 x 900, into this PNG (by Chromium)"
    )
    command.add_argument("--picture", type=Path, metavar="FILE", help=picture)
    command.set_defaults(run=write_readme)


def write_readme(options: argparse.Namespace) -> int:
    """Writes what is generated; with --check, 1 if that would change anything."""
    if options.picture:
        draw(options.folder / "report.html", options.picture)
    only = [options.readme] if options.readme else []
    return refresh(options.folder, only, check=options.check)


def refresh(folder: Path, only: Sequence[Path] = (), *, check: bool = False) -> int:
    """Writes what a report generates in README.md and docs, or in these files alone; with `check`
    nothing is written, and the answer is 1 if a file is stale.
    """
    verdicts, _ = report.load(folder)
    pages = [
        page
        for page in sorted(Path("docs").glob("*.md"))
        if readme.BLOCK.search(_text(page))
    ]
    stale = 0
    for file in only or [Path("README.md"), *pages]:
        old = _text(file)
        new = readme.updated(old, verdicts, folder, file)
        if check and new != old:
            print(
                f"{file} is stale against {folder}: run `ntk-claims readme`.",
                file=sys.stderr,
            )
            stale = 1
        elif new != old:
            write_text(file, new)
    return stale


def draw(page: Path, picture: Path) -> None:
    """Draws the first screen of a page, 1280 x 900, as PNG.

    Raises:
        InvalidInput: if there is no Chromium, or it draws nothing.
    """
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        raise InvalidInput(
            "The picture is drawn by Chromium, which is not on the PATH. Install it, or leave out "
            "--picture."
        )
    words = [program, "--headless", "--hide-scrollbars", "--window-size=1280,900"]
    # A container's only user is often root, for whom Chromium has no sandbox.
    words += ["--no-sandbox"] if getattr(os, "geteuid", lambda: 1)() == 0 else []
    words += [f"--screenshot={picture.resolve()}", page.resolve().as_uri()]
    subprocess.run(words, capture_output=True, check=False)
    if not picture.is_file():
        raise InvalidInput(f"{program} drew nothing of {page}. Is the page there?")


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise InvalidInput(
            f"{file} cannot be read: {error}. Name a Markdown file with --readme."
        ) from error
