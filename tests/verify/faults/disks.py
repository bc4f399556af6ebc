"""A full disk, and one that is read-only: real mounts, in a mount namespace of their own."""

import os
import random
import re
import shutil
import subprocess

from tests.verify.faults.bench import LONGEST, Bench, environment, expect
from tests.verify.faults.fault import Fault, Skipped

NAMESPACE = (
    ["unshare", "--mount"]
    if hasattr(os, "geteuid") and os.geteuid() == 0
    else ["unshare", "-r", "--mount"]
)

FULL = """
mount -t tmpfs -o size=64k none store
code=0; "$@" > output 2>&1 || code=$?
echo $code > code
cp -a store kept
"""
READ_ONLY = """
mount --bind store store
mount -o remount,bind,ro store
code=0; "$@" > output 2>&1 || code=$?
echo $code > code
"""


def _in_namespace(bench: Bench, script: str) -> None:
    """Runs a script that mounts something at `store`; nobody else sees it, and it is gone when the
    script ends.
    """
    try:
        probe = subprocess.run(
            [*NAMESPACE, "mount", "-t", "tmpfs", "none", "/mnt"],
            capture_output=True,
            text=True,
            encoding="utf-8",
        )
    except FileNotFoundError:
        raise Skipped("it needs the command unshare of Linux") from None
    if probe.returncode:
        raise Skipped(
            f"this machine lets nobody mount in a namespace ({probe.stderr.strip()})"
        )
    (bench.folder / "store").mkdir(exist_ok=True)
    command = [*NAMESPACE, "sh", "-euc", script, "sh", *bench.command("sweep")]
    done = subprocess.run(
        command,
        cwd=bench.folder,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=LONGEST,
        check=False,
        encoding="utf-8",
    )
    expect(done.returncode == 0, f"the script failed: {done.stderr}")


def _code(bench: Bench, name: str) -> int:
    return int((bench.folder / name).read_text(encoding="utf-8"))


def _refused(bench: Bench, message: str) -> None:
    """The run ended with exit code 2 and this message, and without a traceback."""
    expect(
        _code(bench, "code") == 2,
        f"exit code {_code(bench, 'code')} instead of 2: {bench.output()[-1500:]}",
    )
    expect(
        re.search(message, bench.output()),
        f"not said: {message!r}, but {bench.output()[-1500:]}",
    )
    expect("Traceback" not in bench.output(), f"a traceback: {bench.output()[-1500:]}")


def fill_disk(bench: Bench, dice: random.Random) -> int:
    """A disk with room for some of the cells; what it holds goes on where there is room for all."""
    _in_namespace(bench, FULL)
    _refused(
        bench,
        "Cannot write the store at .*No space left on device. Free space on that disk or choose "
        "another",
    )
    shutil.rmtree(bench.folder / "store")
    (bench.folder / "kept").rename(bench.folder / "store")
    bench.take_stock()
    expect(
        0 < len(bench.finished) < len(bench.requests),
        f"{len(bench.finished)} cells fitted on the disk",
    )
    bench.finish()
    return 1


def protect_store(bench: Bench, dice: random.Random) -> int:
    """A store with some cells, mounted read-only: refused before anything is computed."""
    bench.end(bench.start("sweep", "--shard=1/3"))
    bench.take_stock()
    _in_namespace(bench, READ_ONLY)
    _refused(
        bench,
        "Cannot write the store at .*Read-only file system. It is read-only: choose a store in a "
        "writable",
    )
    expect(
        not bench.calls(), "something was computed for a store that cannot be written"
    )
    bench.take_stock()
    bench.finish()
    return 1


FAULTS = (
    Fault(
        "the disk is full",
        "a file system with room for some of the cells, mounted; the run ends with an error that "
        "says what to do",
        fill_disk,
    ),
    Fault(
        "the store is read-only",
        "a read-only mount of a store with a third of the cells; refused before anything is "
        "computed",
        protect_store,
    ),
)
