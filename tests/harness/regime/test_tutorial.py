"""docs/regime.md is executed: its files, its commands, and the answers that it shows."""

import re
import runpy
import shlex
from dataclasses import asdict
from pathlib import Path

import pytest

from harness import cli, sweep
from harness.sweep import code
from harness.sweep.worker import Worker

pytest.importorskip("torch")

TEXT = (Path(__file__).parents[3] / "docs" / "regime.md").read_text(encoding="utf-8")
FILES = re.findall(
    r"`(\w+\.py)`[^`]*?:\n\n```python\n(.*?)^```", TEXT, re.DOTALL | re.M
)
SESSIONS = [
    (command, shown.strip().splitlines())
    for block in re.findall(r"^```console\n(.*?)^```", TEXT, re.DOTALL | re.M)
    for command, shown in re.findall(
        r"^\$ (ntk-claims .*)\n((?:(?!\$).*\n)*)", block, re.M
    )
]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The files of the page, with the data that they make; cells are computed in this process."""
    monkeypatch.chdir(tmp_path)
    for name, content in FILES:
        Path(name).write_text(content, encoding="utf-8")
    runpy.run_path("make_data.py")
    monkeypatch.setattr(sweep, "run", in_this_process)


def in_this_process(requests, store, **_):
    """`sweep.run` without other processes, each of which takes seconds to import PyTorch."""
    workers = {}
    for request in requests:
        worker = workers.setdefault(
            request.backend, Worker(request.backend, "cpu", 1, store)
        )
        circumstances = code.circumstances(request.computation, request.backend, "cpu")
        task = {"request": asdict(request), "circumstances": asdict(circumstances)}
        assert worker.serve(task)["event"] == "done"
    return sweep.recorded(requests, store)


def parts(line):
    """A line's words, and its numbers."""
    number = r"\d+(?:\.\d+)?"
    return re.sub(number, "#", line), [float(n) for n in re.findall(number, line)]


def test_the_page_has_files_and_commands():
    assert [name for name, _ in FILES] == ["make_data.py", "net.py", "cnn.py"]
    assert len(SESSIONS) == 5


@pytest.mark.parametrize(("command", "shown"), SESSIONS, ids=range(len(SESSIONS)))
def test_a_command_says_what_the_page_shows(folder, capsys, command, shown):
    """Word for word, and its numbers to a quarter: they depend on the machine's rounding."""
    assert cli.main(shlex.split(command)[1:]) == 0
    printed = [parts(line.strip()) for line in capsys.readouterr().out.splitlines()]
    assert shown
    for line in shown:
        words, numbers = parts(line.strip())
        found = [values for said, values in printed if said == words]
        assert found, line
        assert numbers == pytest.approx(found[0], rel=0.25, abs=0.06), line
