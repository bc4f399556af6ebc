"""The pages below docs say what is so: the tutorial is executed, what is generated is fresh, links lead to files."""

import doctest
import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from harness import cli
from harness.cli import main
from harness.commands.readme import RECORDED
from harness.verdict import Kind, decide

ROOT = Path(__file__).parents[2]
PAGES = sorted((ROOT / "docs").glob("*.md"))
TUTORIAL = (ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8")
COMMANDS = next(action.choices for action in cli.parser()._actions if isinstance(action.choices, dict))


def blocks(text):
    """(language, content) of the fenced blocks of a page, in order."""
    return re.findall(r"^```(\w+)\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


def sessions(content):
    """(command, what the page says it prints) of a console block."""
    return [tuple(part.split("\n", 1)) for part in re.split(r"^\$ ", content, flags=re.MULTILINE)[1:]]


def printed(command, capsys):
    """What a command prints to its standard output; commands of ours run in this process, which is faster."""
    program, *arguments = shlex.split(command)
    if program == "ntk-claims":
        capsys.readouterr()
        main(arguments)
        return capsys.readouterr().out
    call = [sys.executable, "-m", program, *arguments]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    return subprocess.run(call, env=environment, capture_output=True, text=True, check=False, timeout=120).stdout


def test_the_tutorial_does_what_it_says(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (file,) = re.findall(r"write `(claims/\S+\.py)`", TUTORIAL)
    Path(file).parent.mkdir(parents=True)
    commands = 0
    for language, content in blocks(TUTORIAL):
        if language == "python":
            Path(file).write_text(content, encoding="utf-8")
        elif language == "diff":
            before, after = (re.search(rf"^{sign}(.*)$", content, re.MULTILINE)[1] for sign in ("-", r"\+"))
            text = Path(file).read_text(encoding="utf-8")
            assert text.count(before) == 1
            Path(file).write_text(text.replace(before, after), encoding="utf-8")
        else:
            for command, said in sessions(content):
                got, commands = printed(command, capsys), commands + 1
                same = doctest.OutputChecker().check_output(said, got, doctest.ELLIPSIS)
                assert same, f"$ {command}\n{got}\nwhere the tutorial has\n{said}"
    assert commands == 8


def test_what_the_pages_show_of_the_recorded_run_is_fresh(monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    assert main(["readme", "--check"]) == 0, capsys.readouterr().err


@pytest.mark.parametrize("name", ["reading-a-verdict.md", "protocol.md"])
def test_a_stale_page_is_noticed(tmp_path, capsys, name):
    page = tmp_path / name
    text = (ROOT / "docs" / name).read_text(encoding="utf-8")
    found = re.search(r"(?<=-->\n)\n.*?\d\.\d+(?=.*<!-- end of)", text, re.DOTALL)
    page.write_text(text[: found.end()] + "9" + text[found.end() :], encoding="utf-8")
    assert main(["readme", str(ROOT / RECORDED), "--readme", str(page), "--check"]) == 1
    assert f"{page} is stale against " in capsys.readouterr().err


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_of_a_page_lead_to_files(page):
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_that_a_page_names_exist(page):
    named = set(re.findall(r"ntk-claims ([a-z]+)", page.read_text(encoding="utf-8")))
    assert named <= COMMANDS.keys()


def test_every_verdict_is_explained():
    text = (ROOT / "docs" / "reading-a-verdict.md").read_text(encoding="utf-8")
    assert [kind for kind in Kind if not re.search(rf"^### \S+ {kind}$", text, re.MULTILINE)] == []


def test_an_example_must_be_in_the_report(tmp_path, capsys):
    page = tmp_path / "page.md"
    page.write_text("<!-- example of doe2020/none: made -->\n<!-- end of example -->\n")
    assert main(["readme", str(ROOT / RECORDED), "--readme", str(page)]) == 2
    assert "The report has no claim 'doe2020/none' to be an example. It has: " in capsys.readouterr().err


def test_rates_need_a_calibration(tmp_path, capsys):
    report = tmp_path / "report"
    report.mkdir()
    for name in ("verdicts.json", "run.json"):
        (report / name).write_bytes((ROOT / RECORDED / name).read_bytes())
    (tmp_path / "page.md").write_text("<!-- calibration: made -->\n<!-- end of calibration -->\n")
    assert main(["readme", str(report), "--readme", str(tmp_path / "page.md")]) == 2
    assert "There is no calibration to show. Make one: ntk-claims calibrate." in capsys.readouterr().err


def test_the_rates_are_those_of_the_calibration():
    content = json.loads((ROOT / RECORDED / "calibration.json").read_text(encoding="utf-8"))
    worst = max(
        shapes["as measured"]["false_supported"]["rate"]
        for claim in content["claims"].values()
        for hypothesis in claim["hypotheses"].values()
        if "as measured" in (shapes := hypothesis["shapes"])
    )
    (row,) = re.findall(r"^\| as measured \|.*$", (ROOT / "docs" / "protocol.md").read_text("utf-8"), re.MULTILINE)
    assert row.split(" | ")[2] == f"{worst:.3f}"


def test_the_rates_under_skew_are_those_that_the_decision_documents():
    rows = re.findall(
        r"^\| (Gaussian|Student t_3|- lognormal\S+) \| (\.\d+) \| (\.\d+) \| (\.\d+) \| (\.\d+) \|$",
        (ROOT / "docs" / "protocol.md").read_text("utf-8"),
        re.MULTILINE,
    )
    documented = [tuple(line.rsplit(maxsplit=4)) for line in (decide.__doc__ or "").splitlines()]
    assert len(rows) == 4
    assert {(name, alone, power, both, power_both) for name, alone, both, power, power_both in rows} <= {
        (line[0].strip(), *line[1:]) for line in documented if len(line) == 5
    }
