"""Options that several commands take, each written once."""

import argparse
import os
import sys
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness import registration, studies
from harness.backends import DEVICES
from harness.errors import InvalidInput
from harness.experiment import TIERS
from harness.session import STORE, Settings, backend_names
from harness.study import Study
from harness.sweep import engines


def examples(command: argparse.ArgumentParser, *lines: str) -> None:
    """Ends a command's help with calls as one would type them, each on a line of its own."""
    command.formatter_class = argparse.RawDescriptionHelpFormatter
    command.description = textwrap.fill(command.description or "", 100)
    command.epilog = "\n".join(f"{'Example:' if not at else '        '} {line}" for at, line in enumerate(lines))


def folder_option(command: argparse.ArgumentParser) -> None:
    """Where the claims are."""
    command.add_argument("--claims", type=Path, default=Path("claims"), help="folder of the claims (default: claims)")


def tier_option(command: argparse.ArgumentParser) -> None:
    """The tier."""
    command.add_argument("--tier", choices=TIERS, default="quick", help="scale of the experiments (default: quick)")


def claims_options(command: argparse.ArgumentParser) -> None:
    """Which claims a command is about, and at which tier."""
    command.add_argument("ids", nargs="*", metavar="id", help="only claims whose id contains one of these")
    folder_option(command)
    tier_option(command)


def cells_options(command: argparse.ArgumentParser) -> None:
    """Of which backends the cells are, and where."""
    command.add_argument("--backend", default="torch,jax", help="comma-separated (default: torch,jax)")
    command.add_argument("--store", type=Path, default=Path(STORE), help=f"where cells are kept (default: {STORE})")


def computing_options(command: argparse.ArgumentParser, auto: str = "a GPU where there is one") -> None:
    """What computes cells, and where; `auto` says what the device is by default."""
    names = ", ".join(engines.available())
    command.add_argument("--device", default="auto", choices=DEVICES, help=f"default: auto, {auto}")
    command.add_argument("--engine", default="local", metavar="NAME", help=f"one of: {names} (default: local)")
    command.add_argument("--workers", type=int, metavar="N", help="cells at a time (default: the engine chooses)")
    command.add_argument("--ray-address", metavar="HOST:PORT", help=engines.RAY_ADDRESS)
    command.add_argument("--gpus-per-cell", type=float, metavar="SHARE", help=engines.GPUS_PER_CELL)


def computing(options: argparse.Namespace) -> dict[str, Any]:
    """What `computing_options` chose, but the device, as arguments of `sweep.run`."""
    return {name: getattr(options, name) for name in ("engine", "workers", "ray_address", "gpus_per_cell")}


def keyword_options(command: argparse.ArgumentParser) -> None:
    """Which claims a command is about, by a word in their ids."""
    folder_option(command)
    command.add_argument("-k", dest="keyword", default="", help="only claims whose id contains this")


def selected_by_keyword(options: argparse.Namespace) -> list[Study]:
    """The claims that `keyword_options` chose; raises InvalidInput where there is none."""
    claims = list(studies.discover(options.claims).values())
    selected = [study for study in claims if options.keyword in study.claim.id]
    if not selected:
        known = ", ".join(study.claim.id for study in claims) or "none"
        raise InvalidInput(
            f"No claim below {options.claims} has an id that contains {options.keyword!r}. There: {known}."
        )
    return selected


@dataclass(frozen=True)
class Chosen:
    """The claims of a call that may be computed, and how many were left out."""

    studies: Sequence[Study]
    left_out: int


def as_registered(options: argparse.Namespace) -> Chosen:
    """Of the claims that `keyword_options` chose, those that are as registered; why the others are not, on stderr.

    Raises:
        InvalidInput: as `selected_by_keyword` does.
    """
    folder = options.claims / registration.FOLDER
    kept, left_out = [], 0
    for study in selected_by_keyword(options):
        claim, said = study.claim.id, registration.check(study, folder)
        if said:
            left_out += 1
            print(f"Left out: {claim}, {said} To try it: ntk-claims rehearse {claim}", file=sys.stderr)
        else:
            kept.append(study)
    return Chosen(kept, left_out)


def settings(options: argparse.Namespace) -> Settings:
    """Tier, backends and store of a call."""
    return Settings(options.tier, backend_names(options.backend), options.store)


def papers_folder(options: argparse.Namespace) -> Path:
    """The folder that holds the papers' folders of all claims of a call."""
    return studies.claims_folder(studies.discover(options.claims))


def prove_writable(file: Path | None) -> None:
    """Proves before anything is computed that a file can be written; an existing one keeps its content.

    Raises:
        InvalidInput: if it cannot be.
    """
    if file is None:
        return
    new = not os.path.lexists(file)
    try:
        with file.open("ab"):
            pass
        if new:
            file.unlink()
    except OSError as error:
        raise _unwritable(file, error) from error


def _unwritable(file: Path, error: OSError) -> InvalidInput:
    return InvalidInput(f"{file} cannot be written: {error.strerror or error}. Name another file.")


def write_text(file: Path, text: str) -> None:
    """Writes what a command makes; raises InvalidInput if the file cannot be written."""
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise _unwritable(file, error) from error
