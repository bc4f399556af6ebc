"""`pytest claims`: what each verdict comes to, what is computed, and how it refuses bad input."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from importlib.util import find_spec
from xml.etree import ElementTree

import pytest

from harness import plugin
from harness.errors import InvalidInput
from harness.sweep import Store, cell

BLOCKER = """
import sys


class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == "torch":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


sys.meta_path.insert(0, Blocker())
"""


@pytest.fixture
def verify(pytester):
    """Runs `pytest claims` in this process, in the numpy backend unless told otherwise; workers
    have processes of their own.
    """

    def run(*options, backend="numpy"):
        return pytester.runpytest_inprocess(
            "claims", "--backend", backend, "-p", "no:cacheprovider", *options
        )

    return run


@pytest.fixture
def refused(pytester, plant):
    """Runs `pytest claims` on one toy in this process: for calls that end before anything is
    computed.
    """
    plant("holds")

    def run(*options):
        result = pytester.runpytest_inprocess("claims", *options)
        assert result.ret == pytest.ExitCode.USAGE_ERROR
        assert not (pytester.path / "calls").exists()
        assert not list(pytester.path.rglob("*.cell"))
        return result.stderr.str().strip()

    return run


@pytest.fixture
def calls(pytester):
    """The calls of computations since this was last asked: claim, arm, backend, first replicate."""
    log, seen = pytester.path / "calls", []

    def fresh():
        lines = log.read_text().splitlines() if log.exists() else []
        new = lines[len(seen) :]
        seen.extend(new)
        return sorted(new)

    return fresh


def record(pytester, text=""):
    (pytester.path / "claims" / "verdicts.toml").write_text(text)


def recorded(claim, verdict):
    return f'["toy/{claim}"]\nquick = {{ verdict = "{verdict}", reason = "known of {claim}" }}\n'


def outcomes(junit):
    """Claim -> (outcome, verdict, message) of a JUnit file; a claim has its file's name."""
    found = {}
    for case in ElementTree.parse(junit).iter("testcase"):
        properties = {
            entry.get("name"): entry.get("value") for entry in case.iter("property")
        }
        assert properties.get("tier", "quick") == "quick"
        ends = [end for end in case if end.tag in ("failure", "error", "skipped")]
        outcome, message = (
            (ends[0].tag, ends[0].get("message")) if ends else ("passed", "")
        )
        found[case.get("classname").rpartition("test_")[2]] = (
            outcome,
            properties.get("verdict"),
            message,
        )
    return found


def told(junit):
    """How the tests of a JUnit file ended, and their properties, in order."""
    return [
        (
            [end.tag for end in case if end.tag != "properties"],
            {entry.get("name"): entry.get("value") for entry in case.iter("property")},
        )
        for case in ElementTree.parse(junit).iter("testcase")
    ]


def kept(pytester):
    """Claim and arm of each cell in the default store."""
    requests = [
        cell.read(path).request
        for path in pytester.path.glob(".ntk-claims/store/cells/*/*/*.cell")
    ]
    return sorted(
        f"{request.configuration['name']} {request.configuration['arm']}"
        for request in requests
    )


def documents(pytester, *reports):
    return [(pytester.path / name / "verdicts.json").read_bytes() for name in reports]


@pytest.mark.skipif(
    not (find_spec("torch") and find_spec("jax")),
    reason="needs two backends to disagree",
)
def test_each_verdict_has_its_outcome(pytester, plant, verify):
    plant("a_supported")
    plant("b_refuted", EFFECT=0.0)
    plant("c_inconclusive", EFFECT=0.1)
    plant("d_disagree", JAX=0.2)
    plant("e_untrained", UNTRAINED="loss 0.3")
    plant("f_known", EFFECT=0.0)
    plant("g_known_but_supported")
    plant("h_known_but_refuted", EFFECT=0.0)
    plant("i_broken", NULL=0.3)
    plant("j_faulty", FAULT="effects")
    plant("k_failing", FAULT="computation")
    plant("l_supported_as_known")
    plant("m_known_but_broken", NULL=0.3)
    record(
        pytester,
        recorded("f_known", "REFUTED")
        + recorded("g_known_but_supported", "REFUTED")
        + recorded("h_known_but_refuted", "INCONCLUSIVE")
        + recorded("l_supported_as_known", "SUPPORTED")
        + recorded("m_known_but_broken", "REFUTED"),
    )
    result = verify(
        "--junitxml=junit.xml", "--report=here", "--tb=short", backend="torch, jax"
    )

    refuted = r"At quick scale: Refuted by the primary hypothesis\. The gap is .*; needs > 0\.1\)\."
    planted = (
        "BROKEN: At quick scale: Control 'false' must come out not SUPPORTED and "
        "came out SUPPORTED"
    )
    expected = {
        "a_supported": ("passed", "SUPPORTED", ""),
        "b_refuted": ("failure", "REFUTED", refuted),
        "c_inconclusive": (
            "failure",
            "INCONCLUSIVE",
            r"At quick scale: Not decided by the primary hypothesis\.",
        ),
        "d_disagree": (
            "failure",
            "DISAGREE",
            r"The backends do not agree on the primary hypothesis\. .*torch minus jax is -0\.2",
        ),
        "e_untrained": (
            "failure",
            "INCONCLUSIVE",
            r"Gate 'trained' failed in torch: loss 0\.3\. .* in jax",
        ),
        "f_known": ("skipped", "REFUTED", "recorded REFUTED: known of f_known"),
        "g_known_but_supported": (
            "failure",
            "SUPPORTED",
            r"XPASS\(strict\)\] recorded REFUTED: known of g_known",
        ),
        "h_known_but_refuted": ("failure", "REFUTED", refuted),
        "i_broken": ("error", "BROKEN", planted),
        "j_faulty": (
            "error",
            "BROKEN",
            "The claim's own code failed: RuntimeError: no effect today",
        ),
        "k_failing": (
            "error",
            "BROKEN",
            r"3 of 3 cells of backend 'torch' are missing(.|\n)*ArithmeticError: no such",
        ),
        "l_supported_as_known": ("passed", "SUPPORTED", ""),
        "m_known_but_broken": ("error", "BROKEN", planted),
    }
    found = outcomes(pytester.path / "junit.xml")
    assert {claim: ends[:2] for claim, ends in found.items()} == {
        claim: ends[:2] for claim, ends in expected.items()
    }
    for claim, (_, _, message) in expected.items():
        assert re.search(message, found[claim][2]), (claim, found[claim][2])
    result.assert_outcomes(passed=2, failed=6, xfailed=1, errors=4)

    output = result.stdout
    output.fnmatch_lines(
        [
            "ntk-claims: *, tier quick, engine local, device auto, store .ntk-claims/store, torch "
            "2*, jax *, jaxlib *",
            "cells: 72 of 78 done (0 cached), 6 failed",
            "*AssertionError: At quick scale: Refuted by the primary hypothesis. "
            "The gap is *; needs > 0.1).",
            "*= verdicts =*",
            "SUPPORTED           toy/a_supported (quick): *",
            "AGREEMENT NOT SHOWN toy/d_disagree (quick): *",
            "REFUTED             toy/f_known (quick): *",
            "SUPPORTED           toy/g_known_but_supported (quick): *, recorded REFUTED",
            "REFUTED             toy/h_known_but_refuted (quick): *, recorded INCONCLUSIVE",
            "BROKEN              toy/j_faulty (quick): *",
            f"report: {pytester.path}/here/report.html",
        ]
    )
    assert {path.name for path in (pytester.path / "here").iterdir()} >= {
        "report.html",
        "verdicts.json",
        "summary.md",
    }
    (document,) = (json.loads(text) for text in documents(pytester, "here"))
    assert document["counts"]["BROKEN"] == 4
    assert {claim["id"]: claim["recorded"] for claim in document["claims"]}[
        "toy/f_known"
    ] == "REFUTED"
    assert {"gap.margin", "gap.jax.interval", "p"} <= told(pytester.path / "junit.xml")[
        0
    ][1].keys()


def test_a_second_run_computes_nothing_and_a_third_what_was_lost(
    pytester, plant, verify, calls
):
    plant("holds")
    assert verify("--report=first", "-m", "claim").ret == 0
    assert calls() == [
        "holds effect numpy 0",
        "holds false numpy 0",
        "holds true numpy 0",
    ]

    result = verify("--report=second")
    result.stdout.fnmatch_lines(["cells: 3 of 3 done (3 cached), 0 failed"])
    assert calls() == []

    files = list(pytester.path.glob(".ntk-claims/store/cells/*/*/*.cell"))
    (truncated,) = (
        file for file in files if cell.read(file).request.configuration["arm"] == "true"
    )
    truncated.write_bytes(truncated.read_bytes()[:-5])
    result = verify("--report=third")
    result.stdout.fnmatch_lines(
        [
            "*It was set aside as *.corrupt. It counts as missing and will be computed again."
        ]
    )
    assert result.ret == 0
    assert calls() == ["holds true numpy 0"]

    first, second, third = documents(pytester, "first", "second", "third")
    assert first == second == third
    runs = [
        json.loads((pytester.path / name / "run.json").read_text())["cells"]
        for name in ("first", "second")
    ]
    assert [(run["computed"], run["cached"], run["failed"]) for run in runs] == [
        (3, 0, 0),
        (0, 3, 0),
    ]


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL")
def test_after_sigkill_only_what_is_missing_is_computed(
    pytester, plant, verify, calls, request
):
    plant("holds", SECONDS=0.2, BLOCK=4)  # three arms of three blocks
    pytest_claims = [
        sys.executable,
        "-m",
        "pytest",
        "claims",
        "--backend=numpy",
        "--claim-workers=1",
    ]
    process = pytester.popen(
        [*pytest_claims, "--report=first"], stdin=subprocess.DEVNULL
    )
    request.addfinalizer(process.kill)
    until, log = time.monotonic() + 30, pytester.path / "calls"
    while not log.exists() or len(log.read_text().splitlines()) < 4:
        assert time.monotonic() < until, "nothing is computed"
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    time.sleep(0.5)  # its worker outlives it by an instant
    assert not (pytester.path / "first").exists()
    begun, store = calls(), Store(pytester.path / ".ntk-claims" / "store")
    requests = [cell.read(path).request for path in store.path.glob("cells/*/*/*.cell")]
    kept = {f"holds {r.configuration['arm']} numpy {r.replicates[0]}" for r in requests}
    assert 3 <= len(kept) < 9
    assert kept <= set(begun)

    assert verify("--report=first").ret == 0
    every = {
        f"holds {arm} numpy {first}"
        for arm in ("effect", "true", "false")
        for first in (0, 4, 8)
    }
    assert calls() == sorted(every - kept)
    assert verify("--report=second", "--store=undisturbed").ret == 0
    assert set(calls()) == every
    first, second = documents(pytester, "first", "second")
    assert first == second


def test_only_the_selected_claims_are_computed_and_families_stay_whole(
    pytester, plant, verify, calls
):
    weak = {"EFFECT": 0.1452, "SPREAD": 0.1}  # p = 0.03
    plant("weak", **weak)
    plant("sister", **weak)
    plant("loner", FAMILY="loners", **weak)
    record(pytester)
    result = verify("-k", "weak or loner", "--report=here")
    assert {call.split()[0] for call in calls()} == {"weak", "loner"}
    result.assert_outcomes(passed=1, failed=1, deselected=1)
    claims = {
        claim["id"]: claim["verdict"]
        for claim in json.loads(documents(pytester, "here")[0])["claims"]
    }
    assert {name: (v["kind"], v["alone"]) for name, v in claims.items()} == {
        "toy/weak": ("INCONCLUSIVE", "SUPPORTED"),
        "loners/loner": ("SUPPORTED", "SUPPORTED"),
    }
    assert claims["toy/weak"]["p"] == pytest.approx(0.03, abs=0.002)
    assert claims["toy/weak"]["p_family"] == pytest.approx(2 * claims["toy/weak"]["p"])
    result.stdout.fnmatch_lines(
        [
            "*Alone SUPPORTED, p = 0.03?; over the family 'toy' of 2 claims, Holm p = 0.06?,*"
        ]
    )


def test_nothing_is_computed_when_tests_are_only_collected(pytester, plant, calls):
    plant("holds")
    result = pytester.runpytest_inprocess("claims", "--collect-only", "-q")
    result.stdout.fnmatch_lines(["claims/toy/test_holds.py::test_toy"])
    assert calls() == []
    assert not (pytester.path / "reports").exists()


def test_a_claim_without_the_tier_is_skipped_or_fails_on_demand(
    pytester, plant, verify, calls
):
    plant("small")
    result = verify("--tier=full", "-rs", "--report=here")
    result.assert_outcomes(skipped=1)
    assert result.ret == 0
    result.stdout.fnmatch_lines(
        ["NOT*RUN* toy/small (full)*", "SKIPPED*This claim has no full tier."]
    )
    result = verify("--tier=full", "--require-all", "--report=here")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["E*AssertionError: This claim has no full tier."])
    assert calls() == []


def test_recorded_cells_are_judged_again_without_computing(
    pytester, plant, verify, calls
):
    plant("holds")
    (pytester.path / "empty").mkdir()
    result = verify("--replay", "--store=empty", "-rs")
    result.assert_outcomes(skipped=1)
    result.stdout.fnmatch_lines(
        [
            "cells: 0 of 3 done (0 cached), 0 failed, 3 unfinished",
            "SKIPPED*No cell of this claim is recorded in the st*",
        ]
    )
    assert calls() == []
    assert verify("--report=first").ret == 0
    assert len(calls()) == 3
    assert verify("--replay", "--report=second").ret == 0
    assert calls() == []
    first, second = documents(pytester, "first", "second")
    assert first == second


def test_claims_cannot_be_distributed_by_xdist(plant, verify, calls):
    pytest.importorskip("xdist")
    plant("holds")
    result = verify("-n2")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(
        [
            "*Claims share one sweep with workers of its own; run them without pytest-xdist (-n 0)."
        ]
    )
    result.stdout.no_fnmatch_line("*INTERNALERROR*")
    assert calls() == []


def test_a_backend_that_is_not_installed_is_a_usage_error(
    pytester, plant, verify, monkeypatch, calls
):
    plant("holds")
    (pytester.path / "hidden").mkdir()
    (pytester.path / "hidden" / "sitecustomize.py").write_text(BLOCKER)
    monkeypatch.setenv("PYTHONPATH", str(pytester.path / "hidden"), prepend=os.pathsep)
    result = verify(backend="numpy,torch")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: *torch*install*"])
    assert calls() == []


def test_a_full_disk_is_a_usage_error_and_loses_nothing(pytester, plant, verify, calls):
    plant("holds")
    plant("last", FAULT="disk")
    result = verify("--claim-workers=1")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        [
            "ERROR: Cannot write the store at *: No space left on device. Free space on that disk "
            "or choose another *"
        ]
    )
    assert len(calls()) == 4, (
        "the three cells of the first claim, and one that could not be written"
    )
    assert kept(pytester) == ["holds effect", "holds false", "holds true"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ["--backend=unknown"],
            "Unknown backend 'unknown'. Available: jax, numpy, torch.",
        ),
        (
            ["--backend=,"],
            "Name at least one backend, and each once, with --backend; got none. Available: jax, "
            "numpy, torch.",
        ),
        (
            ["--backend=numpy,numpy"],
            "Name at least one backend, and each once, with --backend; got numpy, numpy.",
        ),
        (["--backend=numpy", "--engine=warp"], "Unknown engine 'warp'. Available: "),
        (
            ["--backend=numpy", "--claim-workers=0"],
            "workers must be None or at least 1; got 0.",
        ),
        (
            ["--tier=huge"],
            "argument --ntk-tier/--tier: invalid choice: 'huge' (choose from ",
        ),
        (
            ["--device=tpu"],
            "argument --ntk-device/--device: invalid choice: 'tpu' (choose from ",
        ),
        (
            ["--backend=numpy", "--replay"],
            "There is no store at {path}/.ntk-claims/store, so there is nothing to replay.",
        ),
        (
            ["--backend=numpy", "--replay", "--store=file"],
            "There is no store at {path}/file, so there is nothing",
        ),
        (
            ["--backend=numpy", "--store=file/store"],
            "Cannot {verb} the store at {path}/file/store",
        ),
    ],
)
def test_bad_options_are_usage_errors(refused, pytester, options, message):
    (pytester.path / "file").touch()
    said = refused(*options)
    assert re.search(
        re.escape(message)
        .replace(r"\{path\}", re.escape(str(pytester.path)))
        .replace(r"\{verb\}", ".*"),
        said,
    )
    assert "Traceback" not in said


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        ("verdicts.toml", "= no", "verdicts.toml cannot be read as TOML: "),
        (
            "verdicts.toml",
            '["toy/holds"]\nquick = { verdict = "WRONG", reason = "?" }',
            "got {'verdict': 'WRONG', 'reas",
        ),
        (
            "toy/test_other.py",
            "1 / 0",
            "test_other.py cannot be loaded: ZeroDivisionError: division by zero",
        ),
    ],
)
def test_what_lies_beside_the_selected_claim_must_be_readable(
    refused, pytester, file, text, message
):
    record(pytester)
    (pytester.path / "claims" / file).write_text(text)
    assert message in refused(
        "-k", "holds", "--backend=numpy", "--ignore=claims/toy/test_other.py"
    )


def test_two_claims_with_one_id_are_refused(refused, pytester, plant):
    text = plant("holds").read_text(encoding="utf-8")
    again = text.replace("draw_holds", "draw_again")
    (pytester.path / "claims" / "toy" / "test_again.py").write_text(again, "utf-8")
    assert re.search(
        r"Two .* the id toy/holds\. Each claim has its own", refused("--backend=numpy")
    )


@pytest.mark.parametrize(
    ("options", "place", "cause"),
    [
        (["--report=file/report"], "file/report", "Not a directory"),
        (["--report=file"], "file", "Not a directory"),
        (["--report=taken"], "taken", "Is a directory"),
    ],
)
def test_a_report_that_cannot_be_written_is_named_before_anything_is_computed(
    refused, pytester, options, place, cause
):
    (pytester.path / "file").touch()
    (pytester.path / "taken" / "report.html").mkdir(parents=True)
    message = (
        f"ERROR: The report cannot be written to {pytester.path}/{place}: {cause}."
    )
    assert refused("--backend=numpy", *options).startswith(message)


def test_the_folder_of_pytests_own_report_must_be_writable_too(pytester, plant):
    plant("holds")
    (pytester.path / "file").touch()
    config = pytester.parseconfig("claims", "--junitxml=file/junit.xml")
    with pytest.raises(
        InvalidInput,
        match=r"/file: Not a directory\. Name a folder that can be written",
    ):
        plugin._prove_writable(config, pytester.path / "new" / "here")
    assert not (pytester.path / "new").exists(), "the proof leaves nothing behind"


def test_a_default_report_folder_with_a_file_in_its_way_is_named_before_anything_is_computed(
    refused, pytester
):
    (pytester.path / "reports").touch()
    assert re.match(
        r"ERROR: The report cannot be written to .*/reports/quick-\w+: ",
        refused("--backend=numpy"),
    )


@pytest.mark.parametrize(
    "option", ["--setup-plan", "--setup-only", "--collect-only", "--fixtures"]
)
def test_nothing_is_computed_for_tests_that_pytest_only_shows(
    pytester, plant, calls, option
):
    plant("holds")
    result = pytester.runpytest_inprocess("claims", "--backend=numpy", option)
    assert result.ret == 0
    assert calls() == []
    assert not (pytester.path / "reports").exists()


NOT_RUN = {
    "skipped": "@pytest.mark.skip('too dear here')",
    "skipped_if": "@pytest.mark.skipif(True, reason='too dear here')",
    "skipped_if_text": "@pytest.mark.skipif('sys.maxsize > 0', reason='too dear here')",
    "expected": "@pytest.mark.xfail(run=False)",
    "expected_if": "@pytest.mark.xfail(True, run=False, reason='too dear here')",
    "wrong": "@pytest.mark.skipif('no_such_name', reason='?')",
}


def mark(file, *lines):
    """Puts lines above the test of a claim's file."""
    text = file.read_text(encoding="utf-8")
    assert text.count("def test_toy") == 1
    marked = "\n".join(["import pytest", *lines, "def test_toy"])
    file.write_text(text.replace("def test_toy", marked), encoding="utf-8")


def test_nothing_is_computed_for_tests_that_are_marked_not_to_run(
    pytester, plant, calls, verify
):
    for name, line in NOT_RUN.items():
        mark(plant(name), line)
    mark(
        plant("run_in_any_case"),
        "@pytest.mark.skipif(False, reason='?')",
        "@pytest.mark.xfail(False, reason='?')",
    )
    result = verify("--report=here")
    result.assert_outcomes(passed=1, skipped=3, xfailed=2, errors=1)
    assert {call.split()[0] for call in calls()} == {"run_in_any_case"}
    (document,) = (json.loads(text) for text in documents(pytester, "here"))
    assert [claim["id"] for claim in document["claims"]] == ["toy/run_in_any_case"]


def test_a_terminal_that_lacks_the_minus_sign_gets_a_hyphen(
    pytester, plant, monkeypatch
):
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    file = plant("minus", EFFECT=-0.3)
    text = file.read_text(encoding="utf-8")
    assert text.count("verdict.reason") == 1
    sign = '"\N{MINUS SIGN}0.25 " + verdict.reason'
    file.write_text(text.replace("verdict.reason", sign), encoding="utf-8")
    result = pytester.runpytest_subprocess(
        "claims", "--backend", "numpy", "--report=here", "--tb=short"
    )
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(
        ["E*-0.25 At quick scale: In numpy alone. Refuted by the primary hypothesis.*"]
    )
    assert "\\n" not in result.stdout.str()


def test_runxfail_computes_what_is_marked_not_to_run(plant, calls, verify):
    mark(plant("expected"), "@pytest.mark.xfail(run=False)")
    verify("--runxfail").assert_outcomes(passed=1)
    assert {call.split()[0] for call in calls()} == {"expected"}


def test_of_claims_that_failed_last_only_those_are_verified(pytester, plant, calls):
    plant("first", EFFECT=0.0)
    plant("second", EFFECT=0.0)
    plant("third")
    run = ["claims", "--backend=numpy", "--report=here"]
    pytester.runpytest_inprocess(*run, "--exitfirst").assert_outcomes(failed=1)
    calls()
    result = pytester.runpytest_inprocess(*run, "--last-failed", "--store=fresh")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["run-last-failure: rerun previous 1 failure*"])
    assert {call.split()[0] for call in calls()} == {"first"}


def test_a_file_that_takes_the_verdict_without_a_claim_fails(pytester, plant):
    file = plant("bare")
    file.write_text("def test_toy(verdict): ...\n")
    result = pytester.runpytest_inprocess("claims", "--backend=numpy")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(
        [
            f"{file} takes the fixture 'verdict' but defines no claim = harness.claim.Claim(...)."
        ]
    )


def test_other_claims_are_verified_beside_a_file_that_cannot_be_collected(
    pytester, plant, verify
):
    plant("holds")
    (pytester.path / "others").mkdir()
    (pytester.path / "others" / "test_other.py").write_text("1 / 0")
    result = verify("others", "--continue-on-collection-errors")
    result.assert_outcomes(passed=1, errors=1)


def test_paths_start_from_the_current_folder_and_defaults_from_the_projects_root(
    pytester, plant, monkeypatch
):
    plant("holds")
    (pytester.path / "elsewhere").mkdir()
    monkeypatch.chdir(pytester.path / "elsewhere")
    given = plugin.settings(
        pytester.parseconfig("../claims", "--backend=numpy", "--store=mine")
    )
    assert given.store == pytester.path / "elsewhere" / "mine"
    default = plugin.settings(pytester.parseconfig("../claims", "--backend=numpy"))
    assert default.store == pytester.path / ".ntk-claims" / "store"
