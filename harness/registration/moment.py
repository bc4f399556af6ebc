"""When and on which git commit something was done, and what git says of the order of commits."""

import os
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

NO_GIT = "git is not installed"
NO_REPOSITORY = "the folder lies in no git repository, or in one without a commit"
SECONDS = 30.0


@dataclass(frozen=True)
class Moment:
    """When and where something was done.

    Args:
        time: UTC, ISO 8601, in seconds.
        commit: the git commit that was checked out, 40 hex digits or more; None where that is not
            known.
        no_commit: why the commit is not known; "" where it is.
        clean: whether the tracked files were those of the commit; None where that is not known.
    """

    time: str
    commit: str | None
    no_commit: str
    clean: bool | None


def now(folder: Path) -> Moment:
    """This moment, in the repository that holds a folder."""
    time = datetime.now(UTC).isoformat(timespec="seconds")
    commit, reason = _answer(folder, "rev-parse", "--verify", "HEAD")
    if commit is None:
        return Moment(time, None, reason, None)
    changed, _ = _answer(folder, "status", "--porcelain", "--untracked-files=no")
    return Moment(time, commit, "", None if changed is None else not changed)


def is_ancestor(folder: Path, earlier: str, later: str) -> bool | None:
    """Whether one commit is another's ancestor, or the same; None where git cannot tell (a shallow
    clone, no git).
    """
    code = _run(folder, "merge-base", "--is-ancestor", earlier, later).returncode
    return {0: True, 1: False}.get(code)


def committed_at(folder: Path, commit: str) -> datetime | None:
    """When a commit was made, as it says itself; None where git does not know it."""
    found, _ = _answer(folder, "show", "--no-patch", "--format=%cI", commit)
    return datetime.fromisoformat(found) if found else None


def cut(folder: Path, name: str) -> str:
    """Which commit took lines away from a file that only grows; "" if none did, or git cannot tell.

    Followed is the first parent of every merge: a branch may be brought up to date by writing its
    lines anew.

    Args:
        folder: that holds the file.
        name: of the file.
    """
    place = _place(folder)  # another than the folder, where that was deleted
    path = str((folder.absolute() / name).relative_to(place))
    listed, _ = _answer(
        place, "log", "--first-parent", "--format=commit %H", "--numstat", "--", path
    )
    commit = ""
    for line in (listed or "").splitlines():
        if line.startswith("commit "):
            commit = line.removeprefix("commit ")
        elif line and line.split("\t")[1] != "0":
            return commit
    changed, _ = _answer(place, "diff", "--numstat", "HEAD", "--", path)
    return "the working tree" if changed and changed.split("\t")[1] != "0" else ""


def _answer(folder: Path, *arguments: str) -> tuple[str | None, str]:
    """What git prints, and ""; or None, and why."""
    found = _run(folder, *arguments)
    if found.returncode == 0:
        return found.stdout.strip(), ""
    return None, NO_GIT if found.returncode == 127 else NO_REPOSITORY


def _run(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Runs git there; return code 127 where there is no git, or it does not end."""
    command = ["git", "-C", str(_place(folder)), *arguments]
    environment = {**os.environ, "GIT_OPTIONAL_LOCKS": "0"}
    try:
        return subprocess.run(
            command,
            capture_output=True,
            text=True,
            check=False,
            timeout=SECONDS,
            env=environment,
        )
    except (OSError, subprocess.TimeoutExpired):
        return subprocess.CompletedProcess(command, 127, "", "")


def _place(folder: Path) -> Path:
    """The folder, or the nearest above it that exists."""
    above = (folder.absolute(), *folder.absolute().parents)
    return next(place for place in above if place.is_dir())
