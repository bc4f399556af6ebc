"""The pages below docs say what is so: the tutorial is executed, what is generated is fresh, links
lead to files.
"""

import ast
import doctest
import importlib
import json
import os
import re
import shlex
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from harness import backends, cli, papers, studies
from harness.claim import Claim, Paper, Published
from harness.cli import main
from harness.commands.readme import RECORDED
from harness.experiment import Measurements
from harness.judge import as_planted, judge
from harness.measurements import distance_to_limit
from harness.study import Difference, Equivalence, Superiority
from harness.verdict import Kind, decide

ROOT = Path(__file__).parents[2]
PAGES = [*sorted((ROOT / "docs").glob("*.md")), ROOT / "CONTRIBUTING.md"]
TUTORIAL = (ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8")
COMMANDS = next(
    action.choices
    for action in cli.parser()._actions
    if isinstance(action.choices, dict)
)


def blocks(text):
    """(language, content) of the fenced blocks of a page, in order."""
    return re.findall(r"^```(\w+)\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


def sessions(content):
    """(command, what the page says it prints) of a console block."""
    return [
        tuple(part.split("\n", 1))
        for part in re.split(r"^\$ ", content, flags=re.MULTILINE)[1:]
    ]


def printed(command, capsys):
    """What a command prints to its standard output; commands of ours run in this process, which is
    faster.
    """
    program, *arguments = shlex.split(command)
    if program == "ntk-claims":
        capsys.readouterr()
        main(arguments)
        return capsys.readouterr().out
    call = [sys.executable, "-m", program, *arguments]
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("PYTEST_")
    }
    return subprocess.run(
        call, env=environment, capture_output=True, text=True, check=False, timeout=120
    ).stdout


def files(text):
    """(path, content) of the files that the tutorial tells its reader to write."""
    return re.findall(
        r"`(claims/\S+\.py)`:\n\n```python\n(.*?)^```$", text, re.DOTALL | re.MULTILINE
    )


@pytest.fixture
def tutorial(tmp_path, monkeypatch):
    """A folder with the tutorial's files, as the current one; the claim's file."""
    monkeypatch.chdir(tmp_path)
    for name, content in files(TUTORIAL):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text(content, encoding="utf-8")
    (claim,) = Path("claims").glob("*/test_*.py")
    return claim


def changed(file, diff):
    """Does to a file what a diff of one line says."""
    before, after = (
        re.search(rf"^{sign}(.*)$", diff, re.MULTILINE)[1] for sign in ("-", r"\+")
    )
    text = file.read_text(encoding="utf-8")
    assert text.count(before) == 1
    file.write_text(text.replace(before, after), encoding="utf-8")


def test_the_tutorial_does_what_it_says(tutorial, capsys):
    commands = []
    for language, content in blocks(TUTORIAL):
        if language == "diff":
            changed(tutorial, content)
        for command, said in sessions(content) if language == "console" else ():
            commands.append(
                command.split()[1 if command.startswith("ntk-claims") else 0]
            )
            got = printed(command, capsys)
            same = doctest.OutputChecker().check_output(said, got, doctest.ELLIPSIS)
            assert same, f"$ {command}\n{got}\nwhere the tutorial has\n{said}"
    assert commands == [
        *(
            "list",
            "rehearse",
            "register",
            "plan",
            "pytest",
            "verdict",
            "pytest",
            "amend",
            "verdict",
            "withdraw",
            "list",
        )
    ]


def test_the_tutorials_claim_is_short(tutorial):
    assert len(tutorial.read_text(encoding="utf-8").splitlines()) <= 50


def rehearsed(claim, spoil):
    """Which controls of the tutorial's claim come out as planted, if `spoil` has changed what was
    measured.
    """
    study = studies.load(claim)
    cells = []
    for request in (
        request
        for experiment in study.experiments
        for request in experiment.requests("quick", "numpy")
    ):
        arrays = distance_to_limit(
            backends.get("numpy"),
            spoil(request.configuration),
            range(10),
            request.stream,
        )
        cells.append((replace(request, replicates=tuple(range(10))), arrays))
    verdict = judge(study, {"numpy": Measurements(cells)}, "quick", 10)
    return {
        control.name: as_planted(control, verdict.controls[control.name])
        for control in study.claim.controls
    }


SMALL = {"samples": 4, "inputs": 4}


def unspoilt(configuration):
    return configuration | SMALL


def other_width_for_the_second_draw(configuration):
    """The second draw of the weights is of a network 16 times as wide."""
    return unspoilt(configuration) | {
        "width": configuration["width"] * 16 ** configuration["initialisation"]
    }


def never_averaged(configuration):
    return unspoilt(configuration) | {"average": 1}


@pytest.mark.parametrize(
    ("spoil", "fails"),
    [
        (unspoilt, set()),
        (other_width_for_the_second_draw, {"one_over_another"}),
        (never_averaged, {"one_over_mean"}),
    ],
)
def test_the_tutorials_controls_can_fail(tutorial, spoil, fails):
    planted = rehearsed(tutorial, spoil)
    assert {name for name, passed in planted.items() if not passed} == fails


def test_a_computation_of_ones_own_measures(tutorial):
    measure = papers.imported(papers.locate("tutorial/diagonal")).diagonal
    arrays = measure(backends.get("numpy"), {"width": 2000}, range(3), "test")
    assert arrays["diagonal"].shape == (3,)
    np.testing.assert_allclose(arrays["diagonal"], arrays["diagonal"].mean(), rtol=0.1)
    assert len(set(arrays["diagonal"])) == 3


GUIDE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
RULES = {"above": Superiority, "within": Equivalence, "differs": Difference}
FORM = "The title.\n\nClaim\n    C.\n\nMeasured\n    M.\n\nDeparts\n    D.\n\nLimits\n    L.\n"
DECORATORS = re.findall(r"`@(claim\.effect\(.*\))` \|$", GUIDE, re.MULTILINE)
CALLS = re.findall(r"`return (\w+)\.(\w+)\(.*\)` \|$", GUIDE, re.MULTILINE)


def value(node):
    """What an argument of a decorator says; `Published(...)` is the one call among them."""
    if isinstance(node, ast.Call):
        assert ast.unparse(node.func) == "Published"
        return Published(*map(ast.literal_eval, node.args))
    return ast.literal_eval(node)


def test_the_guide_has_each_rule():
    assert {
        rule for rule in RULES if any(f"{rule}=" in text for text in DECORATORS)
    } == RULES.keys()


@pytest.mark.parametrize("text", DECORATORS)
def test_the_rules_of_the_guide_are_taken(text):
    terms = {
        keyword.arg: value(keyword.value)
        for keyword in ast.parse(text, mode="eval").body.keywords
    }
    claim = Claim(
        FORM,
        id="own/gap",
        paper=Paper("Roe", 2024, "On gaps", "in full"),
        locus="Figure 2",
    )

    def gap(m, low=0, high=0):
        """The gap is {}."""

    claim.effect(**terms)(gap)
    (rule,) = terms.keys() & RULES.keys()
    assert [type(hypothesis.rule) for hypothesis in claim.hypotheses] == [
        RULES[rule]
    ] * len(terms.get("each", "1"))


@pytest.mark.parametrize(("module", "function"), CALLS)
def test_the_estimators_of_the_guide_are_there(module, function):
    assert callable(
        getattr(importlib.import_module(f"harness.statistics.{module}"), function)
    )


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
    prose = re.sub(
        r"^```.*?^```$",
        "",
        page.read_text(encoding="utf-8"),
        flags=re.DOTALL | re.MULTILINE,
    )
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", prose)
    assert [link for link in links if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_to_a_heading_lead_to_one(page):
    for link, anchor in re.findall(
        r"\]\(([^)#: ]*)#([^) ]+)\)", page.read_text(encoding="utf-8")
    ):
        target = page.parent / link if link else page
        headings = re.findall(
            r"^#+ (.+)$", target.read_text(encoding="utf-8"), re.MULTILINE
        )
        anchors = {
            re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
            for heading in headings
        }
        assert anchor in anchors, f"{link}#{anchor}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_that_a_page_names_exist(page):
    named = set(re.findall(r"ntk-claims ([a-z]+)", page.read_text(encoding="utf-8")))
    assert named <= COMMANDS.keys()


def test_every_verdict_is_explained():
    text = (ROOT / "docs" / "reading-a-verdict.md").read_text(encoding="utf-8")
    assert [
        kind for kind in Kind if not re.search(rf"^### \S+ {kind}$", text, re.MULTILINE)
    ] == []


def test_an_example_must_be_in_the_report(tmp_path, capsys):
    page = tmp_path / "page.md"
    page.write_text("<!-- example of doe2020/none: made -->\n<!-- end of example -->\n")
    assert main(["readme", str(ROOT / RECORDED), "--readme", str(page)]) == 2
    assert (
        "The report has no claim 'doe2020/none' to be an example. It has: "
        in capsys.readouterr().err
    )


def test_rates_need_a_calibration(tmp_path, capsys):
    report = tmp_path / "report"
    report.mkdir()
    for name in ("verdicts.json", "run.json"):
        (report / name).write_bytes((ROOT / RECORDED / name).read_bytes())
    (tmp_path / "page.md").write_text(
        "<!-- calibration: made -->\n<!-- end of calibration -->\n"
    )
    assert main(["readme", str(report), "--readme", str(tmp_path / "page.md")]) == 2
    assert (
        "There is no calibration to show. Make one: ntk-claims calibrate."
        in capsys.readouterr().err
    )


def test_the_rates_are_those_of_the_calibration():
    content = json.loads(
        (ROOT / RECORDED / "calibration.json").read_text(encoding="utf-8")
    )
    worst = max(
        shapes["as measured"]["false_supported"]["rate"]
        for claim in content["claims"].values()
        for hypothesis in claim["hypotheses"].values()
        if "as measured" in (shapes := hypothesis["shapes"])
    )
    (row,) = re.findall(
        r"^\| as measured \|.*$",
        (ROOT / "docs" / "protocol.md").read_text("utf-8"),
        re.MULTILINE,
    )
    assert row.split(" | ")[2] == f"{worst:.3f}"


def test_the_rates_under_skew_are_those_that_the_decision_documents():
    rows = re.findall(
        r"^\| (Gaussian|Student t_3|- lognormal\S+) \| (\.\d+) \| (\.\d+) \| (\.\d+) \| (\.\d+) "
        r"\|$",
        (ROOT / "docs" / "protocol.md").read_text("utf-8"),
        re.MULTILINE,
    )
    documented = [
        tuple(line.rsplit(maxsplit=4)) for line in (decide.__doc__ or "").splitlines()
    ]
    assert len(rows) == 4
    assert {
        (name, alone, power, both, power_both)
        for name, alone, both, power, power_both in rows
    } <= {(line[0].strip(), *line[1:]) for line in documented if len(line) == 5}
