"""The commands `pack` and `unpack`, as `ntk-claims` and `python -m harness.sweep.pack` have them."""

import argparse
import sys
from pathlib import Path

from harness.sweep import plans
from harness.sweep.pack.archive import Limits
from harness.sweep.pack.transfer import pack, unpack
from harness.sweep.store import Store

PACK = """\
Writes the valid cells and the recorded failures of a store into one file, for the way to another machine. Equal
cells make equal bytes. The store is only read; what is damaged in it is left out, and named."""
UNPACK = """\
Takes what a pack holds over into a store. Everything is verified before it lies there; a valid cell that the store has
stays as it is. It may be stopped at any moment and started again."""
CODES = """\
Exit code: 0 done; 1 done, but something was left out or kept, see above; 2 refused, and why; 70 an error of this
program's own, with its traceback; 130 interrupted; 141 what read the output went away."""


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds both commands."""
    packing = _command(commands, "pack", "the cells of a store as one file, to be carried to another machine", PACK)
    packing.add_argument("store", type=Path, help="folder of the cells")
    packing.add_argument("file", type=Path, help="the pack; made, or replaced")
    packing.add_argument("--plan", type=Path, metavar="FILE", help="only what answers this plan (default: everything)")
    packing.set_defaults(run=_pack)
    unpacking = _command(commands, "unpack", "take a packed store over into a store", UNPACK)
    unpacking.add_argument("file", type=Path, help="the pack")
    unpacking.add_argument("store", type=Path, help="folder of the cells; made if it is not there")
    most = Limits()
    unpacking.add_argument("--max-members", type=int, default=most.members, help="files (default: %(default)s)")
    unpacking.add_argument(
        "--max-member-bytes", type=int, default=most.member_bytes, help="bytes of one file (default: %(default)s)"
    )
    unpacking.add_argument(
        "--max-bytes", type=int, default=most.total_bytes, help="bytes of all files (default: %(default)s)"
    )
    unpacking.set_defaults(run=_unpack)


def _command(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]", name: str, line: str, description: str
) -> argparse.ArgumentParser:
    return commands.add_parser(
        name,
        help=line,
        description=description,
        epilog=CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def _pack(options: argparse.Namespace) -> int:
    requests = None if options.plan is None else plans.read(options.plan)
    packed = pack(Store(options.store), options.file, requests)
    for reason in packed.left_out:
        print(f"Left out: {reason}", file=sys.stderr)
    contents = f"{packed.cells} cells and {packed.failures} failures, {packed.size} bytes"
    print(f"{contents} in {options.file}\nSHA-256 of the list of its files: {packed.sha256}")
    return 1 if packed.left_out else 0


def _unpack(options: argparse.Namespace) -> int:
    store = Store(options.store, notify=lambda notice: print(notice, file=sys.stderr))
    limits = Limits(options.max_members, options.max_member_bytes, options.max_bytes)
    unpacked = unpack(options.file, store, limits)
    for name in unpacked.kept:
        print(f"Kept: {name}; the store had a valid answer of its own, with other bytes.", file=sys.stderr)
    there = f"{unpacked.same} there already, {len(unpacked.kept)} kept as they were"
    print(f"{unpacked.new} new in {options.store}, {there}")
    return 1 if unpacked.kept else 0
