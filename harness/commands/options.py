"""Options that several commands take, each written once."""

import argparse
import os
import sys
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness import registration, shipped, studies
from harness.backends import DEVICES
from harness.errors import InvalidInput
from harness.experiment import TIERS
from harness.session import STORE, Settings, backend_names
from harness.shipped import RECORDED
from harness.study import Study
from harness.sweep import engines


def added(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]",
    name: str,
    description: str,
    *examples: str,
) -> argparse.ArgumentParser:
    """A command among those of `ntk-claims`, with calls as one would type them below its help."""
    return commands.add_parser(
        name,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description=textwrap.fill(description, 100),
        epilog="Example: " + "\n         ".join(examples) if examples else "",
    )


def report_option(command: argparse.ArgumentParser) -> None:
    """The report whose measured effects a command takes."""
    command.add_argument(
        "--from",
        dest="folder",
        type=Path,
        help=f"folder of the report (default: {RECORDED.as_posix()}/<tier>)",
    )


def report_folder(options: argparse.Namespace) -> Path:
    """The folder that `report_option` chose."""
    return options.folder or RECORDED / options.tier


def store_option(
    command: argparse.ArgumentParser, what: str = "where cells are kept"
) -> None:
    """The store."""
    command.add_argument(
        "--store", type=Path, default=Path(STORE), help=f"{what} (default: {STORE})"
    )


def trials_option(command: argparse.ArgumentParser, default: int) -> None:
    """Simulated experiments per rate."""
    command.add_argument(
        "--trials",
        type=int,
        default=default,
        help=f"of the calibration, per rate (default: {default})",
    )


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """A line for each row, in columns that line up."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]


def folder_option(command: argparse.ArgumentParser) -> None:
    """Where the claims are."""
    command.add_argument(
        "--claims",
        type=Path,
        default=Path("claims"),
        help="folder of the claims (default: claims)",
    )


def tier_option(command: argparse.ArgumentParser) -> None:
    """The tier."""
    command.add_argument(
        "--tier",
        choices=TIERS,
        default="quick",
        help="scale of the experiments (default: quick)",
    )


def claims_options(
    command: argparse.ArgumentParser,
    which: str = "only claims whose id contains one of these",
) -> None:
    """Which claims a command is about (`parts_options`), and where the claims are."""
    parts_options(command, which)
    folder_option(command)


def parts_options(
    command: argparse.ArgumentParser,
    which: str = "only claims whose id contains one of these",
) -> None:
    """Parts of claims' ids, each alone or after -k; an id in full means that claim alone, if it is
    a part of others.
    """
    command.add_argument("ids", nargs="*", metavar="id", help=which)
    command.add_argument(
        "-k",
        dest="keywords",
        action="append",
        default=[],
        metavar="id",
        help="the same",
    )


def asked(options: argparse.Namespace) -> tuple[str, ...]:
    """The parts of ids that a call names, by whichever spelling."""
    return *options.ids, *options.keywords


def matching(ids: Iterable[str], part: str) -> list[str]:
    """The ids that a part of one means: the id that it is, else all that contain it.

    >>> (
    ...     matching(["a/gap", "a/gap_grows", "b/gap"], "gap"),
    ...     matching(["a/gap", "a/gap_grows"], "a/gap"),
    ... )
    (['a/gap', 'a/gap_grows', 'b/gap'], ['a/gap'])
    """
    known = list(ids)
    return [part] if part in known else [name for name in known if part in name]


def chosen_ids(
    options: argparse.Namespace, known: Sequence[str], place: str = ""
) -> list[str]:
    """The ids, of those that are known, that a call names; all of them where it names none.

    Args:
        options: with what `parts_options` read.
        known: ids.
        place: where they are, as "in either run"; below the folder of the call unless given.

    Raises:
        InvalidInput: if there is none, or a part is in none.
    """
    place, hint = (
        (place, "")
        if place
        else (f"below {options.claims}", " Name another folder with --claims DIR.")
    )
    if not known:
        raise InvalidInput(f"There is no claim {place}.{hint}")
    parts = asked(options)
    for part in parts:
        if not matching(known, part):
            raise InvalidInput(
                f"No claim {place} has an id that contains {part!r}. There: {_all(known)}.{hint}"
            )
    wanted = {name for part in parts for name in matching(known, part)}
    return [name for name in known if name in wanted or not parts]


def chosen_id(options: argparse.Namespace, known: Sequence[str], what: str) -> str:
    """The one id that a call names; raises InvalidInput, as `chosen_ids` does, or if that is not
    one.

    Args:
        known: ids.
        what: what is done with one claim, as "A rehearsal".
    """
    if not asked(options):
        raise InvalidInput(
            f"{what} is of one claim: name it, or a part of its id that no other has. There: "
            f"{_all(known)}."
        )
    found = chosen_ids(options, known)
    if len(found) > 1:
        raise InvalidInput(
            f"{what} is of one claim, and {_all(asked(options))} names {_all(found)}. Name one in "
            "full."
        )
    return found[0]


def _all(names: Sequence[str]) -> str:
    return ", ".join(names) or "none"


def selected(options: argparse.Namespace) -> list[Study]:
    """The claims that `claims_options` chose; raises InvalidInput as `chosen_ids` does."""
    claims = discovered(options)
    return [claims[name] for name in chosen_ids(options, list(claims))]


def selected_one(options: argparse.Namespace, what: str) -> Study:
    """The one claim that `claims_options` chose; raises InvalidInput as `chosen_id` does."""
    claims = discovered(options)
    return claims[chosen_id(options, list(claims), what)]


def discovered(options: argparse.Namespace) -> dict[str, Study]:
    """Every claim below the folder of a call, by its id."""
    return {
        study.claim.id: study for study in studies.discover(options.claims).values()
    }


def family_sizes(options: argparse.Namespace) -> Mapping[str, int]:
    """Family -> number of its claims, below the folder of a call."""
    known = discovered(options)
    without_file = registration.unclaimed(
        options.claims / registration.FOLDER, list(known)
    )
    return registration.family_sizes(known.values(), without_file)


def cells_options(command: argparse.ArgumentParser) -> None:
    """Of which backends the cells are, and where."""
    backend_option(command)
    store_option(command)


def backend_option(command: argparse.ArgumentParser) -> None:
    """The backends."""
    command.add_argument(
        "--backend", default="torch,jax", help="comma-separated (default: torch,jax)"
    )


def recorded_cells(options: argparse.Namespace) -> AbstractContextManager[Path]:
    """The store of a call; where none is named and there is none, the cells of the recorded run."""
    return shipped.cells_of(
        options.store,
        RECORDED / options.tier,
        asked=options.store != Path(STORE),
    )


def computing_options(
    command: argparse.ArgumentParser, auto: str = "a GPU where there is one"
) -> None:
    """What computes cells, and where; `auto` says what the device is by default."""
    names = ", ".join(engines.available())
    command.add_argument(
        "--device", default="auto", choices=DEVICES, help=f"default: auto, {auto}"
    )
    command.add_argument(
        "--engine",
        default="local",
        metavar="NAME",
        help=f"one of: {names} (default: local)",
    )
    command.add_argument(
        "--workers",
        type=int,
        metavar="N",
        help="cells at a time (default: the engine chooses)",
    )
    command.add_argument("--ray-address", metavar="HOST:PORT", help=engines.RAY_ADDRESS)
    command.add_argument(
        "--gpus-per-cell", type=float, metavar="SHARE", help=engines.GPUS_PER_CELL
    )


def computing(options: argparse.Namespace) -> dict[str, Any]:
    """What `computing_options` chose, but the device, as arguments of `sweep.run`."""
    return {
        name: getattr(options, name)
        for name in ("engine", "workers", "ray_address", "gpus_per_cell")
    }


@dataclass(frozen=True)
class Chosen:
    """The claims of a call that may be computed, and how many were left out."""

    studies: Sequence[Study]
    left_out: int


def as_registered(options: argparse.Namespace) -> Chosen:
    """Of the claims that `claims_options` chose, those that are as registered; why the others are
    not, on stderr.

    Raises:
        InvalidInput: as `selected` does.
    """
    folder = options.claims / registration.FOLDER
    kept, left_out = [], 0
    for study in selected(options):
        claim, said = study.claim.id, registration.check(study, folder)
        if said:
            left_out += 1
            print(
                f"Left out: {claim}, {said} To try it: ntk-claims rehearse {claim}",
                file=sys.stderr,
            )
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
    """Proves before anything is computed that a file can be written; an existing one keeps its
    content.

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
    return InvalidInput(
        f"{file} cannot be written: {error.strerror or error}. Name another file."
    )


def write_text(file: Path, text: str) -> None:
    """Writes what a command makes; raises InvalidInput if the file cannot be written."""
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise _unwritable(file, error) from error
