"""`ntk-claims`: what each command does, teaches and refuses."""

import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import entry_points
from pathlib import Path

import numpy as np
import pytest

from harness import cli, console, report, studies, sweep
from harness.cli import main
from harness.commands.readme import RECORDED
from harness.experiment import Measurements, Request
from harness.judge import judge, not_run
from harness.sweep.__main__ import main as run_plan

ROOT = Path(__file__).parents[3]
MARKED = "# Toys\n\n<!-- verdicts: made by a command -->\nold\n<!-- end of verdicts -->\n\nMore.\n"


@pytest.fixture
def call(pytester, capsys):
    """Runs a command in the test's folder; its exit code, standard output and standard error."""

    def run(*arguments):
        capsys.readouterr()
        return main(arguments), *capsys.readouterr()

    return run


@pytest.fixture
def recorded_report(plant, pytester):
    """A report of three claims, one of which was not run, in the folder `recorded`; and a README
    with the comments.
    """
    spread = 0.02 * np.linspace(-1, 1, 10)
    toys = [studies.load(plant(name)) for name in ("linear", "ratio", "missing")]
    toys = [replace(toy, effects=lambda m: m.cells[0][1]) for toy in toys]
    (hypothesis,) = toys[1].claim.hypotheses
    shown = replace(hypothesis, scale="ratio", label="error | ratio")
    toys[1] = replace(
        toys[1], claim=replace(toys[1].claim, hypotheses=(shown,), title="The [ratio]")
    )

    def measured(backend, gap):
        arrays = {"gap": gap + spread, "true": 0.3 + spread, "false": 0.0 + spread}
        return Measurements(
            [
                (
                    Request(
                        "toy:toy", {}, tuple(range(10)), "test", backend, "float64"
                    ),
                    arrays,
                )
            ]
        )

    both = {"torch": measured("torch", 0.30), "jax": measured("jax", 0.31)}
    verdicts = [judge(toys[0], both, "quick", 10), judge(toys[1], both, "quick", 10)]
    verdicts.append(not_run(toys[2].claim, "quick", "This claim has no quick tier."))
    entries = [
        report.Entry(toy, verdict, "0" * 64, 10)
        for toy, verdict in zip(toys, verdicts, strict=True)
    ]
    environment = {
        "torch": {"torch": "2.13.0", "device": "cpu"},
        "jax": {"jax": "0.10.2", "device": "cuda"},
    }
    document = report.document(entries, "quick", ("torch", "jax"), environment)
    (pytester.path / "recorded").mkdir()
    (pytester.path / "recorded" / "verdicts.json").write_text(
        report.as_text(document), encoding="utf-8"
    )
    day = datetime(2026, 1, 1, tzinfo=UTC)
    run = report.run_record(
        started=day,
        finished=day,
        command=[],
        platform={},
        claims={},
        total=report.Cells(),
    )
    (pytester.path / "recorded" / "run.json").write_text(
        report.as_text(run), encoding="utf-8"
    )
    (pytester.path / "README.md").write_text(MARKED)


def test_it_is_installed_under_its_name():
    (script,) = entry_points(group="console_scripts", name="ntk-claims")
    assert script.load() is main


@pytest.mark.parametrize(
    ("command", "taught"),
    [
        ([], "To verify the claims and write a report: pytest claims --tier quick"),
        (
            ["list"],
            "Lists every claim below a folder: its id, its title, and per tier the recorded "
            "verdict.",
        ),
        (["list"], "Example: ntk-claims list -k vyas2022"),
        (
            ["plan"],
            "Counts the cells that a run needs and those that the store has. Cached: a run takes "
            "them as they",
        ),
        (
            ["plan"],
            "With --json FILE the plan goes to a file that a machine with numpy and one framework "
            "alone can",
        ),
        (["plan"], "Example: ntk-claims plan --tier full --backend torch"),
        (
            ["sweep"],
            "Computes the missing cells of a run. Killing it loses the cells in flight; start it "
            "again.",
        ),
        (
            ["report"],
            "Writes report.html and summary.md of a report again, from its verdicts.json and "
            "run.json.",
        ),
        (
            ["sweep"],
            "Example: ntk-claims sweep --tier full --backend torch --device cuda -k wenger2023",
        ),
        (["report"], "Example: ntk-claims report reports/recorded/quick"),
        (["readme"], "Example: ntk-claims readme --check"),
        (
            ["readme"],
            "the table of verdicts between the comments <!-- verdicts: ... --> and <!-- end of "
            "verdicts -->",
        ),
        (
            ["register"],
            "A run calls a claim BROKEN that differs from what is registered.",
        ),
        (["register"], "Example: ntk-claims register vyas2022/gap_across_width"),
        (["amend"], "stands in every report from then on."),
        (
            ["amend"],
            '--reason "20 seeds, the power was computed for the wrong sd" --results-seen no',
        ),
    ],
)
def test_help_teaches(capsys, command, taught):
    with pytest.raises(SystemExit) as ended:
        main([*command, "--help"])
    assert ended.value.code == 0
    assert taught in " ".join(capsys.readouterr().out.split())


def test_every_command_is_in_the_overview(capsys):
    with pytest.raises(SystemExit):
        main(["--help"])
    overview = capsys.readouterr().out
    (commands,) = [
        action.choices
        for action in cli.parser()._actions
        if isinstance(action.choices, dict)
    ]
    assert {
        "list",
        "plan",
        "sweep",
        "report",
        "readme",
        "register",
        "amend",
        "withdraw",
        "rehearse",
    } <= commands.keys()
    assert re.findall(r"^    (\w+)(?:  |$)", overview, re.MULTILINE) == list(commands)


def test_claims_are_listed_with_their_recorded_verdicts(plant, pytester, call):
    plant("first", FULL=True)
    plant("second")
    (pytester.path / "claims" / "verdicts.toml").write_text(
        '["toy/first"]\nquick = { verdict = "REFUTED", reason = "so" }\nfull = '
        '{ verdict = "SUPPORTED", reason = "so" }'
    )
    assert call("list") == (
        0,
        "claim       quick           full\n"
        "toy/first   REFUTED         SUPPORTED\n"
        "    Toy first\n"
        "toy/second  unrecorded      -\n"
        "    Toy second\n",
        "",
    )
    code, out, _ = call("list", "-k", "sec")
    assert (code, out.splitlines()[1:]) == (
        0,
        ["toy/second  unrecorded      -", "    Toy second"],
    )


def test_a_plan_counts_what_is_needed_and_what_is_there(plant, pytester, call):
    plant("first", BLOCK=5)
    plant("second")
    assert call("sweep", "--backend", "numpy", "-k", "second") == (
        0,
        "planned 3, cached 0, done 3, failed 0, unfinished 0\n",
        "cells: 3 of 3 done (0 cached), 0 failed\n",
    )
    code, out, err = call("plan", "--backend", "torch, numpy")
    assert (code, err) == (0, "")
    assert re.sub(r" +(> )?[\d.e-]+ s$", "  SECONDS", out, flags=re.MULTILINE) == (
        "           cells  shared  cached  stale  to compute  estimate\n"
        "toy/first\n"
        "    torch      6       0       0      0           6   unknown\n"
        "    numpy      6       0       0      0           6   unknown\n"
        "toy/second\n"
        "    torch      3       0       0      0           3  SECONDS\n"
        "    numpy      3       0       3      0           0  SECONDS\n"
        "together, cells that claims share counted once\n"
        "    torch      9       0       0      0           9  SECONDS\n"
        "    numpy      9       0       3      0           6   unknown\n"
    )
    assert call("plan", "--tier", "full", "-k", "first")[1].splitlines()[1:] == [
        "toy/first: no full tier"
    ]
    assert not (pytester.path / "reports").exists()


def test_a_plan_says_which_cells_the_code_has_left_behind(plant, pytester, call):
    file = plant("first")
    call("sweep", "--backend", "numpy")
    text = file.read_text()
    assert text.count('"value": centre\n') == 1
    file.write_text(text.replace('"value": centre\n', '"value": 1.0 * centre\n'))
    assert call("plan", "--backend", "numpy")[1].splitlines()[2].split()[:6] == [
        "numpy",
        "3",
        "0",
        "0",
        "3",
        "3",
    ]
    file.write_text(text)
    assert call("plan", "--backend", "numpy")[1].splitlines()[2].split() == [
        "numpy",
        "3",
        "0",
        "3",
        "0",
        "0",
        "0",
        "s",
    ]


def test_a_plan_estimates_what_is_missing_from_what_like_cells_took(
    plant, pytester, call
):
    plant("slow", SECONDS=0.5)
    call("sweep", "--backend", "numpy")
    (line,) = [
        line
        for line in call("plan", "--backend", "torch")[1].splitlines()
        if "torch" in line
    ]
    assert line.split()[:6] == ["torch", "3", "0", "0", "0", "3"]
    # three cells of half a second each, and little more
    assert 1.5 <= float(line.split()[6]) < 4.0


@pytest.mark.parametrize("arguments", [["list"], ["plan", "--backend", "numpy"]])
def test_the_projects_claims_fit_a_hundred_columns(
    monkeypatch, call, pytester, arguments
):
    monkeypatch.chdir(ROOT)
    code, out, _ = call(
        *arguments, *(["--store", str(pytester.path)] if "plan" in arguments else [])
    )
    assert code == 0
    assert max(map(len, out.splitlines())) <= 100


def test_output_may_be_cut_short(plant, pytester):
    """`ntk-claims list | true` is no error to talk about."""
    plant("first")
    reader, writer = os.pipe()
    os.close(reader)
    code = "import sys; from harness.cli import main; sys.exit(main(sys.argv[1:]))"
    done = subprocess.run(
        [sys.executable, "-c", code, "list"],
        stdout=writer,
        stderr=subprocess.PIPE,
        check=False,
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, b"")


def test_a_plan_file_is_computed_elsewhere_and_judged_here(plant, pytester, call):
    plant("holds")
    assert call("plan", "--backend", "numpy", "--json", "plan.json") == (
        0,
        "3 cells in plan.json\n",
        "",
    )
    assert len(json.loads((pytester.path / "plan.json").read_text())) == 3
    assert run_plan(["plan.json", "--store", "there"]) == 0
    result = pytester.runpytest_inprocess(
        "claims", "--backend=numpy", "--replay", "--store=there"
    )
    result.assert_outcomes(passed=1)
    assert len((pytester.path / "calls").read_text().splitlines()) == 3


def test_failed_cells_make_the_exit_code_one_and_say_why(plant, call):
    plant("fails", FAULT="computation")
    code, out, err = call("sweep", "--backend", "numpy")
    assert (code, out) == (1, "planned 3, cached 0, done 0, failed 3, unfinished 0\n")
    assert err.count("Failed (error):\nTraceback") == 3
    assert "ArithmeticError: no such number" in err


def test_ctrl_c_is_no_traceback(plant, call, monkeypatch):
    plant("holds")

    def interrupted(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(sweep, "run", interrupted)
    code, _, err = call("sweep", "--backend", "numpy")
    assert (code, err) == (
        130,
        "\nInterrupted. Cells done so far are kept; start again to go on.\n",
    )


def test_an_error_of_our_own_is_neither_a_finding_nor_a_bad_call(
    plant, call, monkeypatch
):
    plant("holds")

    def faulty(*arguments, **options):
        raise ZeroDivisionError("our fault")

    monkeypatch.setattr(sweep, "run", faulty)
    code, _, err = call("sweep", "--backend", "numpy")
    assert code == console.CRASHED
    assert err.startswith("Traceback")
    *_, error, told = err.strip().splitlines()
    assert error == "ZeroDivisionError: our fault"
    assert told.startswith(
        "ntk-claims ended with an error of its own, ZeroDivisionError, so nothing was found"
    )


@pytest.mark.parametrize(
    "command",
    [
        ["verdict", "--json=file/out"],
        ["audit", "--json=file/out"],
        ["power", "--out=file/out"],
    ],
    ids=" ".join,
)
def test_a_file_that_cannot_be_written_is_named_before_anything_else(
    plant, pytester, call, command
):
    plant("holds")
    (pytester.path / "file").touch()
    assert call(*command) == (
        2,
        "",
        "ntk-claims: file/out cannot be written: Not a directory. Name another file.\n",
    )


def test_a_file_that_will_be_written_is_left_as_it_was_if_the_command_fails(
    plant, pytester, call
):
    plant("holds")
    (pytester.path / "old").write_text("of old", encoding="utf-8")
    for name in ("old", "new"):
        assert call("audit", f"--json={name}")[0] == 2, "there is no store"
    assert (pytester.path / "old").read_text(encoding="utf-8") == "of old"
    assert not (pytester.path / "new").exists()


def test_a_report_is_written_again(recorded_report, pytester, call):
    document, _ = report.load("recorded")
    cells = report.Cells()
    now = datetime(2026, 11, 21, tzinfo=UTC)
    run = {"started": now, "finished": now, "command": ["pytest"], "platform": {}}
    report.write("recorded", document, report.run_record(**run, claims={}, total=cells))
    written = (pytester.path / "recorded" / "report.html").read_bytes()
    (pytester.path / "recorded" / "report.html").unlink()
    assert call("report", "recorded") == (0, "recorded/report.html\n", "")
    assert (pytester.path / "recorded" / "report.html").read_bytes() == written


def test_the_table_of_verdicts_is_written_and_checked(recorded_report, pytester, call):
    readme = pytester.path / "README.md"
    stale = "README.md is stale against recorded: run `ntk-claims readme`.\n"
    assert call("readme", "recorded", "--check") == (1, "", stale)
    assert readme.read_text() == MARKED
    assert call("readme", "recorded") == (0, "", "")
    written = readme.read_text(encoding="utf-8")
    start, end = MARKED.split("old\n")
    assert written.startswith(start)
    assert written.endswith(end)
    assert "**3 claims: 1 NOT RUN, 2 SUPPORTED.**" in written
    assert "torch 2.13.0 on cpu, jax 0.10.2 on cuda" in written
    rows = [line for line in written.splitlines() if line.startswith("| ")]
    assert len(rows) == 1 + 3
    assert len({row.count(" | ") for row in rows}) == 1
    said = "\n".join(rows)
    section = "report.html#claim-2-toy-ratio"
    assert f"{section})<br>Doe 2020 ([check](claims/toy/test_ratio.py))" in said
    assert "1.357 \\[1.339, 1.374\\]" in said
    assert "This claim has no quick tier." in said
    assert call("readme", "recorded", "--check") == (0, "", "")
    before = readme.stat().st_mtime_ns
    assert call("readme", "recorded") == (0, "", "")
    assert readme.stat().st_mtime_ns == before


def test_the_link_leads_from_the_readme_to_the_report(recorded_report, pytester, call):
    (pytester.path / "docs").mkdir()
    (pytester.path / "docs" / "verdicts.md").write_text(MARKED)
    assert (
        call("readme", str(pytester.path / "recorded"), "--readme", "docs/verdicts.md")[
            0
        ]
        == 0
    )
    assert (
        "[full report](../recorded/report.html)"
        in (pytester.path / "docs" / "verdicts.md").read_text()
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["list", "--claims", "nowhere"],
            "There is no folder nowhere. Name the folder that holds the claims with --claims DIR.",
        ),
        (
            ["list", "-k", "dog"],
            "No claim below claims has an id that contains 'dog'. There: toy/linear, toy/missing, ",
        ),
        (
            ["list", "--claims", "recorded"],
            "There is no claim below recorded. Name another folder with --claims DIR.",
        ),
        (
            ["list", "--claims", "bad"],
            "The claim file bad/test_bad.py cannot be loaded: NameError: name 'x' is not d",
        ),
        (
            ["plan", "--backend", "dog"],
            "Unknown backend 'dog'. Available: jax, numpy, torch.",
        ),
        (
            ["plan", "--backend", ""],
            "Name at least one backend, and each once, with --backend; got none.",
        ),
        (
            ["plan", "--json", "nowhere/plan.json"],
            "nowhere/plan.json cannot be written: No such file or directory. N",
        ),
        (
            ["sweep", "--backend", "numpy", "--engine", "dog"],
            "Unknown engine 'dog'. Available: ",
        ),
        (
            ["sweep", "--backend", "numpy", "--workers", "0"],
            "workers must be None or at least 1; got 0.",
        ),
        (
            ["sweep", "--backend", "numpy", "--store", "README.md/store"],
            "Cannot read the store at README.md/store/",
        ),
        (
            ["report", "nowhere"],
            "nowhere/verdicts.json cannot be read as part of a report: ",
        ),
        (
            ["readme", "nowhere"],
            "nowhere/verdicts.json cannot be read as part of a report: ",
        ),
        (["readme", "recorded", "--readme", "no.md"], "no.md cannot be read: "),
        (
            ["readme", "recorded", "--readme", "plain.md"],
            "plain.md must have the lines <!-- NAME: ... --> and <!-- end",
        ),
        (
            ["readme", "recorded", "--readme", "twice.md"],
            "twice.md must have the lines <!-- NAME: ... --> and <!-- end",
        ),
    ],
)
def test_a_bad_call_is_one_line_and_exit_code_two(
    recorded_report, pytester, call, arguments, message
):
    (pytester.path / "plain.md").touch()
    (pytester.path / "twice.md").write_text(MARKED + MARKED)
    (pytester.path / "bad").mkdir()
    (pytester.path / "bad" / "test_bad.py").write_text("x")
    code, out, err = call(*arguments)
    assert (code, out) == (2, "")
    assert err.startswith(f"ntk-claims: {message}")
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    "arguments",
    [[], ["dance"], ["plan", "--tier", "huge"], ["sweep", "--device", "tpu"]],
)
def test_what_the_parser_refuses_is_exit_code_two(capsys, arguments):
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert "usage: ntk-claims" in capsys.readouterr().err


def test_the_projects_readme_shows_the_recorded_verdicts(capsys):
    folder, readme = ROOT / RECORDED, ROOT / "README.md"
    if folder.exists():
        assert main(["readme", str(folder), "--readme", str(readme), "--check"]) == 0, (
            capsys.readouterr().err
        )
    else:
        (table,) = re.findall(
            r"<!-- verdicts:[^>]*-->(.*?)<!-- end of verdicts -->",
            readme.read_text(),
            re.DOTALL,
        )
        assert not table.strip(), (
            f"the README has a table of verdicts, and {RECORDED} is not there"
        )
