"""`ntk-claims power` and `calibrate`: what they print, write and refuse; and the calibration in the
report.
"""

import json
import re
from pathlib import Path

import pytest
from statsmodels.stats.power import TTestPower

from harness import registration, report, studies
from harness.cli import main
from harness.errors import InvalidInput
from harness.report import calibration
from harness.session import Settings, verify
from harness.statistics.calibration import calibrate
from harness.statistics.decisions import Rate


@pytest.fixture
def call(pytester, capsys):
    """Runs a command in the test's folder; its exit code, standard output and standard error."""

    def run(*arguments):
        capsys.readouterr()
        return main([str(argument) for argument in arguments]), *capsys.readouterr()

    return run


def with_effects(folder: Path, claim: str, effects: dict) -> None:
    """A recorded report of which only what was measured is looked at."""
    folder.mkdir(exist_ok=True)
    document, run = report.load(
        Path(__file__).parents[3] / "reports" / "recorded" / "quick"
    )
    document["claims"] = [{**document["claims"][0], "id": claim, "effects": effects}]
    (folder / "verdicts.json").write_text(json.dumps(document), encoding="utf-8")
    (folder / "run.json").write_text(json.dumps(run), encoding="utf-8")


def test_power_of_every_hypothesis_is_printed(plant, call) -> None:
    plant("one")
    code, out, _ = call("power", "--seeds", "3")
    lines = [line.split("  ") for line in out.splitlines()]
    assert (code, lines[0]) == (0, ["toy/one (quick, 3 seeds)"])
    columns = [[cell.strip() for cell in line if cell.strip()] for line in lines[1:]]
    assert columns[0][:5] == ["hypothesis", "needs", "effect", "sd", "measured"]
    assert columns[1][:5] == ["gap", "> 0.1", "0.3", "0.05", "-"]
    expected = TTestPower().power(
        effect_size=(0.3 - 0.1) / 0.05, nobs=3, alpha=0.05, alternative="larger"
    )
    assert columns[1][5] == f"{expected:.3f}"
    assert float(columns[1][6]) == pytest.approx(expected, abs=0.01)
    assert columns[1][7] == "3"


def test_power_that_is_too_low_is_named(plant, call) -> None:
    plant("one")
    assert " LOW  3" in call("power", "--seeds", "2")[1]


def test_power_shows_the_scatter_that_was_measured(plant, call, pytester) -> None:
    plant("one")
    with_effects(
        pytester.path / "old",
        "toy/one",
        {"torch": {"gap": [0.1, 0.3]}, "jax": {"gap": [0.1, 0.5]}},
    )
    # the mean of 0.1414 and 0.2828
    assert "  0.212     " in call("power", "--from", "old")[1]


def test_power_is_drawn(plant, call, pytester) -> None:
    plant("one")
    _, out, _ = call("power", "--plot", "--out", "power.svg")
    (curve,) = [line for line in out.splitlines() if "|" in line]
    assert curve.split("|")[1].endswith("█████")
    picture = (pytester.path / "power.svg").read_text(encoding="utf-8")
    assert picture.startswith('<svg xmlns="http://www.w3.org/2000/svg"')
    assert "The gap is" in picture


def test_power_refuses(plant, call) -> None:
    plant("one")
    assert call("power", "--out", "no/power.svg")[0] == 2
    code, _, errors = call("power", "two")
    assert (code, "'two'" in errors) == (2, True)


def calibrated(study, trials=50):
    digest = registration.ClaimRecord.of(study).digest
    found = calibrate(study.claim, 10, {}, trials=trials)
    return digest, calibration.record(
        "quick", trials, 0, {"line": Rate(95, 100)}, {study.claim.id: (digest, found)}
    )


def test_calibration_is_written_and_read_back(
    plant, call, pytester, monkeypatch
) -> None:
    monkeypatch.setattr(
        "harness.commands.calibrate.exponent_coverage",
        lambda *_, **__: {"line": Rate(95, 100)},
    )
    study = studies.load(plant("one"))
    plant("two")
    with_effects(
        pytester.path / "old",
        "toy/one",
        {"torch": {"gap": [0.1, 0.3, 0.4]}, "jax": {"gap": [0.1, 0.3, 0.4]}},
    )
    code, out, errors = call("calibrate", "--from", "old", "--trials", "100")
    assert code == 0, errors
    assert "toy/one: false SUPPORTED 0." in out
    assert "sd 0.153 measured" in out
    assert "sd 0.05 registered" in out  # toy/two, which was not measured
    content = calibration.read(pytester.path / "old")
    assert content is not None
    assert (content["tier"], content["trials"], list(content["claims"])) == (
        "quick",
        100,
        ["toy/one", "toy/two"],
    )
    of_claim, of_hypotheses = calibration.found(
        content, "toy/one", registration.ClaimRecord.of(study).digest, 10
    )
    assert of_claim is not None
    assert of_claim.simulations == 100
    assert set(of_hypotheses["gap"].shapes) == {"normal", "heavy-tailed", "as measured"}
    for rates in of_hypotheses["gap"].shapes.values():
        assert all(
            rate["low"] <= rate["rate"] <= rate["high"] for rate in rates.values()
        )
    before = content["claims"]["toy/two"]
    call("calibrate", "one", "--from", "old", "--trials", "100")
    assert (calibration.read(pytester.path / "old") or {})["claims"][
        "toy/two"
    ] == before  # not selected: kept


def test_calibration_of_another_record_is_not_shown(plant) -> None:
    study = studies.load(plant("one"))
    digest, content = calibrated(study)
    assert calibration.found(content, study.claim.id, digest, 10)[0] is not None
    for claim, of, seeds in (
        (study.claim.id, "0" * 64, 10),
        (study.claim.id, digest, 11),
        ("toy/other", digest, 10),
    ):
        assert calibration.found(content, claim, of, seeds) == (None, {})
    assert calibration.found(None, study.claim.id, digest, 10) == (None, {})


@pytest.mark.parametrize("text", ["{", '{"version": 0}', "[]"])
def test_a_file_of_another_kind_is_refused(tmp_path, text) -> None:
    (tmp_path / "calibration.json").write_text(text, encoding="utf-8")
    with pytest.raises(
        InvalidInput, match=r"calibration\.json .*Write it again: ntk-claims calibrate"
    ):
        calibration.read(tmp_path)


def test_some_claims_are_not_calibrated_otherwise_than_the_rest(
    plant, call, pytester
) -> None:
    _, content = calibrated(studies.load(plant("one")))
    (pytester.path / "old").mkdir()
    (pytester.path / "old" / "calibration.json").write_text(
        json.dumps(content), encoding="utf-8"
    )
    code, _, errors = call("calibrate", "one", "--from", "old", "--trials", "100")
    assert code == 2
    assert re.search(
        r"calibration\.json is of the quick tier with 50 trials.*Give --tier quick --trials 50",
        errors,
    )
    assert calibration.read(pytester.path / "old") == content


def test_calibrate_refuses(plant, call) -> None:
    plant("one")
    code, _, errors = call("calibrate", "--from", "nowhere")
    assert (code, "no folder nowhere" in errors) == (2, True)


def test_the_report_shows_the_calibration_or_that_there_is_none(
    plant, pytester
) -> None:
    study = studies.load(plant("one"))
    _, content = calibrated(study)
    settings = Settings("quick", ("torch", "jax"), pytester.path / "store", replay=True)
    (pytester.path / "store").mkdir()

    def page(calibrations):
        session = verify(
            [study], settings, calibrations=calibrations, progress=lambda status: None
        )
        return report.render(session.document, session.run)

    shown = page(content)
    assert "at the registered effect (50 simulations)" in shown
    assert "not calibrated for this registration" not in shown
    assert "not calibrated for this registration" in page(None)


def test_the_power_of_the_claim_stands_below_its_hypotheses(plant, call) -> None:
    plant("one")
    plant("two")
    _, out, _ = call("power", "-k", "toy/one")
    (whole,) = [line for line in out.splitlines() if "as a whole" in line]
    assert whole.startswith("  as a whole: SUPPORTED with probability 1.000 (Holm over")
    assert "(Holm over 2 claims); weakest: gap; seeds for 0.9: 3" in whole
    assert " LOW (Holm" in call("power", "-k", "toy/one", "--seeds", "2")[1]
