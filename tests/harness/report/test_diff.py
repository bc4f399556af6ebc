"""`ntk-claims diff`: what changed from one run to another, in a terminal, in Markdown and as a
page.
"""

import json
import math
import re
import sys
from copy import deepcopy

import pytest

from harness import report
from harness.cli import main
from harness.report.diff import compare
from harness.report.diff_text import as_lines, as_markdown, as_page
from harness.report.runs import read


@pytest.fixture
def save(tmp_path, build_document, build_run):
    """Writes a run, its document changed by a function, into a folder; that folder."""

    def write(name, change=lambda document: None, dated=True):
        document = deepcopy(json.loads(report.as_text(build_document())))
        change(document)
        folder = tmp_path / name
        folder.mkdir(parents=True)
        (folder / "verdicts.json").write_text(json.dumps(document), encoding="utf-8")
        if dated:
            (folder / "run.json").write_text(json.dumps(build_run()), encoding="utf-8")
        return folder

    return write


def later(document):
    """Another run: a verdict, an effect, a margin, a registration and a version changed; one claim
    went, one came.
    """
    first, second, *_, last = document["claims"]
    first["verdict"]["kind"] = "INCONCLUSIVE"
    first["registration"] = "f" * 64
    (hypothesis, *_) = first["hypotheses"]
    hypothesis["verdict"]["kind"] = "INCONCLUSIVE"
    hypothesis["rule"]["margin"] = 0.07
    for backend, shift in (("torch", 5.0), ("jax", 0.001)):
        for end in ("mean", "low", "high"):
            hypothesis["verdict"]["backends"][backend][end] += shift
    second["hypotheses"][0]["verdict"]["backends"]["jax"]["high"] = None
    last["id"] = "doe2020/new"
    document["environment"]["torch"]["torch"] = "2.14.0"


def difference(save, change=later):
    return compare(read(save("a")), read(save("b", change) / "verdicts.json"))


def test_a_run_held_against_itself_has_not_changed(save, capsys):
    folder = save("a")
    assert main(["diff", str(folder), str(folder / "verdicts.json")]) == 0
    out = capsys.readouterr().out
    assert "Verdicts: 0 of 6 changed." in out
    assert "Registrations: 0 of 6 changed." in out
    assert "Versions and devices: 0 changed." in out
    assert "CHANGED" not in out
    assert "->" not in out
    assert re.search(r"Effects: \d+ identical\.", out)


def test_what_changed_is_said(save, capsys):
    assert main(["diff", str(save("a")), str(save("b", later))]) == 1
    out = capsys.readouterr().out
    assert "quick tier, torch and jax, finished 2026-11-21 14:30 UTC" in out
    assert "Verdicts: 1 of 5 changed." in out
    (changed,) = re.findall(r"^  CHANGED .*", out, re.MULTILINE)
    assert changed.split() == [
        "CHANGED",
        "vyas2022/network-outscales-its-kernels",
        "SUPPORTED",
        "INCONCLUSIVE",
    ]
    assert re.search(
        r"^  only in A  vyas2022/label-noise +BROKEN +–$", out, re.MULTILINE
    )
    assert re.search(r"^  only in B  doe2020/new +– +BROKEN$", out, re.MULTILINE)
    assert "(primary; needs > 0.05 -> needs > 0.07): SUPPORTED -> INCONCLUSIVE" in out
    assert re.search(r"^      torch  .* -> .*  APART$", out, re.MULTILINE)
    assert re.search(r"^      jax    .* -> .*  overlap$", out, re.MULTILINE)
    assert re.search(r"^      jax    .* -> .*, –\]  not comparable$", out, re.MULTILINE)
    assert "1 overlap, 1 APART, 1 not comparable" in out
    assert "Registrations: 1 of 5 changed." in out
    assert re.search(
        r"^  vyas2022/network-outscales-its-kernels  [0-9a-f]{12} -> ffffffffffff$",
        out,
        re.MULTILINE,
    )
    assert out.endswith(
        "Versions and devices: 1 changed.\n  torch: torch  2.13.0 -> 2.14.0\n"
    )


def test_identical_effects_are_listed_on_demand(save, capsys):
    folder = str(save("a"))
    main(["diff", folder, folder, "--all"])
    assert capsys.readouterr().out.count("  identical\n") > 10


def test_what_differs_in_the_last_digit_is_not_identical(save, capsys):
    def rounded(document):
        values = document["claims"][0]["hypotheses"][0]["verdict"]["backends"]["jax"]
        values["mean"] = math.nextafter(values["mean"], 1.0)

    a, b = str(save("a")), str(save("b", rounded))
    main(["diff", a, b])
    out = capsys.readouterr().out
    assert re.search(
        r"^Effects: \d+ identical, 1 same as printed\. Those that changed",
        out,
        re.MULTILINE,
    )
    assert "->" not in out  # what agrees to the printed digits is not listed
    main(["diff", a, b, "--all"])
    ((before, after),) = re.findall(
        r"^      jax    (.*) -> (.*)  same as printed$",
        capsys.readouterr().out,
        re.MULTILINE,
    )
    assert before == after


def test_of_a_hypothesis_that_changed_only_the_changed_effects_are_listed(save):
    def shifted(document):
        for end in ("mean", "low", "high"):
            document["claims"][0]["hypotheses"][0]["verdict"]["backends"]["torch"][
                end
            ] += 5.0

    made = difference(save, shifted)
    (line,) = [line for line in as_lines(made) if "->" in line]
    assert re.search(r"^      torch  .* -> .*  APART$", line)
    rows = [
        row
        for row in as_markdown(made).splitlines()
        if row.endswith((" APART |", " printed |", " identical |"))
    ]
    assert len(rows) == 1


def test_effects_on_another_scale_are_listed_though_they_print_the_same(save):
    def ratio(document):
        hypothesis = document["claims"][0]["hypotheses"][0]
        for values in hypothesis["verdict"]["backends"].values():
            values.update(mean=1.0, low=None, high=None)

    def same_digits(document):
        ratio(document)
        hypothesis = document["claims"][0]["hypotheses"][0]
        hypothesis["scale"] = "ratio"
        for values in hypothesis["verdict"]["backends"].values():
            values.update(mean=0.0, low=None, high=None)

    lines = as_lines(compare(read(save("a", ratio)), read(save("b", same_digits))))
    assert len([line for line in lines if line.endswith("  not comparable")]) == 2


def test_a_changed_margin_is_said_though_nothing_else_changed(save):
    def moved(document):
        document["claims"][0]["hypotheses"][0]["rule"]["margin"] = 0.07

    made = difference(save, moved)
    assert any("needs > 0.05 -> needs > 0.07" in line for line in as_lines(made))
    assert "| all | | | same as printed |" in as_markdown(made)


def test_effects_of_ratios_are_shown_as_ratios(save):
    def ratio(document):
        (hypothesis, *_) = document["claims"][0]["hypotheses"]
        hypothesis["scale"] = "ratio"
        for values in hypothesis["verdict"]["backends"].values():
            values.update(mean=0.0, low=-0.6931471805599453, high=0.6931471805599453)

    (line,) = [
        line
        for line in as_lines(difference(save, ratio))
        if "torch " in line and "->" in line
    ]
    # the scale changed: no telling whether they overlap
    assert line.endswith("-> 1.00 [0.50, 2.00]  not comparable")


def test_different_tiers_are_compared_and_said(save, capsys):
    def full(document):
        document["tier"] = "full"

    assert main(["diff", str(save("a")), str(save("b", full, dated=False))]) == 0
    out = capsys.readouterr().out
    assert (
        "The tiers differ: A is at quick scale, B at full scale. A change may be one of scale"
        in out
    )
    assert "full tier, torch and jax, of unknown date (no run.json)" in out


def version_2(document):
    """As the version before wrote it: what decided and what stands beside in one text."""
    document["version"] = 2
    for claim in document["claims"]:
        del claim["verdict"]["beside"]


def test_a_run_of_the_version_before_is_compared(save, capsys):
    assert main(["diff", str(save("old", version_2)), str(save("new"))]) == 0
    out = capsys.readouterr().out
    assert "Verdicts: 0 of 6 changed." in out
    assert re.search(r"Effects: \d+ identical\.", out)


@pytest.mark.parametrize(("setting", "bold"), [("", True), ("1", False)])
def test_bold_is_for_terminals_that_allow_it(save, capsys, monkeypatch, setting, bold):
    monkeypatch.setenv("NO_COLOR", setting)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    main(["diff", str(save("a")), str(save("b", later))])
    assert ("\x1b[1m  CHANGED" in capsys.readouterr().out) == bold


def test_a_log_gets_no_escape_sequences(save, capsys, monkeypatch):
    monkeypatch.delenv("NO_COLOR", raising=False)

    def hostile(document):
        later(document)
        document["claims"][0]["id"] = "a\x1b[2Jb\nc"

    main(["diff", str(save("a")), str(save("b", hostile))])
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert "a�[2Jb�c" in out


def test_markdown_shows_the_changes(save, tmp_path):
    assert (
        main(
            [
                "diff",
                str(save("a")),
                str(save("b", later)),
                "--markdown",
                str(tmp_path / "diff.md"),
            ]
        )
        == 1
    )
    text = (tmp_path / "diff.md").read_text(encoding="utf-8")
    assert text.startswith("# 1 of 5 verdicts changed\n")
    assert re.search(
        r"^\| \*\*CHANGED\*\* \| .* \| ✅ SUPPORTED \| ◐ INCONCLUSIVE \| \w+ → ffffffffffff \|$",
        text,
        re.M,
    )
    assert len(re.findall(r"\| APART \|$", text, re.MULTILINE)) == 1
    assert "- torch: torch: 2.13.0 → 2.14.0" in text


def test_the_page_shows_every_effect_and_runs_nothing(save, tmp_path):
    assert (
        main(
            [
                "diff",
                str(save("a")),
                str(save("b", later)),
                "--html",
                str(tmp_path / "diff.html"),
            ]
        )
        == 1
    )
    page = (tmp_path / "diff.html").read_text(encoding="utf-8")
    assert "<h1>1 of 5 verdicts changed</h1>" in page
    assert "<script" not in page
    assert re.search(
        r"default-src 'none'; style-src 'sha256-[\w+/=]+';", page.replace("&#39;", "'")
    )
    assert page.count("<strong>apart</strong>") == 1
    assert page.count("<td>identical</td>") > 10


def test_nothing_that_a_run_says_is_markup(save, tmp_path, hostile_document):
    def hostile(document):
        document.update(deepcopy(dict(hostile_document)))

    made = difference(save, hostile)
    page, text = as_page(made), as_markdown(made)
    assert "alert(1)" in page
    assert "alert(1)" in text
    assert not re.search("<(script|img)", page + text)
    assert page.count("</style>") == page.count("</title>") == 1


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            '{"version": 1}',
            "has version 1 of the format; this program reads versions 2 and 3, and compares no "
            "others.",
        ),
        ("[]", "has version None of the format"),
        (
            '{"version": 3}',
            r"is not what verdicts.schema.json asks for \(KeyError: 'tier'\). Write that report "
            r"again",
        ),
        (
            "{",
            "cannot be read as the verdicts of a run: .* Name the folder of a report, or its "
            "verdicts.json.",
        ),
        (None, "cannot be read as the verdicts of a run: .*No such file"),
    ],
)
def test_what_is_no_run_is_refused(save, tmp_path, capsys, content, message):
    folder = tmp_path / "other"
    folder.mkdir()
    if content is not None:
        (folder / "verdicts.json").write_text(content)
    assert main(["diff", str(save("a")), str(folder)]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert re.match(f"ntk-claims: .*other/verdicts.json {message}", captured.err)


def test_help_shows_how(capsys):
    with pytest.raises(SystemExit):
        main(["diff", "--help"])
    assert (
        "Example: ntk-claims diff reports/recorded/quick reports/quick --markdown"
        in capsys.readouterr().out
    )
