"""Options that several commands take, each written once."""

import argparse
from pathlib import Path

from harness.experiment import TIERS
from harness.session import STORE


def folder_option(command: argparse.ArgumentParser) -> None:
    """Where the claims are."""
    command.add_argument("--claims", type=Path, default=Path("claims"), help="folder of the claims (default: claims)")


def tier_option(command: argparse.ArgumentParser) -> None:
    """The tier."""
    command.add_argument("--tier", choices=TIERS, default="quick")


def claims_options(command: argparse.ArgumentParser) -> None:
    """Which claims a command is about, and at which tier."""
    command.add_argument("ids", nargs="*", metavar="id", help="only claims whose id contains one of these")
    folder_option(command)
    tier_option(command)


def cells_options(command: argparse.ArgumentParser) -> None:
    """Of which backends the cells are, and where."""
    command.add_argument("--backend", default="torch,jax", help="comma-separated (default: torch,jax)")
    command.add_argument("--store", type=Path, default=Path(STORE), help=f"where cells are kept (default: {STORE})")
