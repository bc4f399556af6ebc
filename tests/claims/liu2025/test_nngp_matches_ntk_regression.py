"""The effects, gates and figures of the claim that compares NNGP and NTK regression."""

import re
from math import log
from pathlib import Path

import numpy as np
import pytest

from claims.liu2025.stationary import STATIONARY
from harness import studies
from harness.experiment import Measurements

CLAIM = (
    Path(__file__).parents[3]
    / "claims"
    / "liu2025"
    / "test_nngp_matches_ntk_regression.py"
)
TARGETS = ("rough", "smooth", "friedman", "tops")


@pytest.fixture(scope="module")
def study():
    return studies.load(CLAIM)


def planted(study, tier="quick", **changed):
    """Measurements in which E_NTK = 1 / samples, and E_NNGP twice that, ridgeless three times."""
    cells = []
    for experiment in study.experiments:
        for request in experiment.requests(tier, "torch"):
            if 0 not in request.replicates:
                continue
            ones = np.ones((len(request.replicates), 2))
            error = ones / request.configuration["samples"]
            others = dict.fromkeys(
                (*STATIONARY, "best", "short_rbf"), error[:, 0] * 1.5
            )
            by_name = {
                "network_kernels": dict(
                    nngp=error * (2, 3),
                    ntk=error,
                    distance=ones * (0.07, 0.2),
                    ridges=ones * 0.1,
                ),
                "other_kernels": {**others, "linear": error[:, 0] * 4},
                "same_kernel": dict(same=error * (1, 5)),
            }[experiment.measure.__name__]
            cells.append(
                (
                    request,
                    {
                        **by_name,
                        **{name: changed[name] for name in changed if name in by_name},
                    },
                )
            )
    return Measurements(cells)


@pytest.mark.parametrize("tier", ["quick", "full"])
def test_effects_of_planted_errors(study, tier):
    effects = study.effects(planted(study, tier))
    for target in TARGETS:
        assert effects[f"errors[{target}]"] == pytest.approx(log(2))
        assert effects[f"ridgeless[{target}]"] == pytest.approx(log(3))
        assert effects[f"functions[{target}]"] == pytest.approx(0.07)
        assert effects[f"rival[{target}]"] == pytest.approx(-log(1.5))
    assert effects["linear"] == pytest.approx(log(4))
    assert effects["short_rbf"] == pytest.approx(log(1.5))
    assert effects["rescaled_ntk"] == pytest.approx(log(5))
    assert effects["half_the_samples"] == pytest.approx(log(2))
    assert set(effects) == {
        one.name for one in (*study.claim.hypotheses, *study.claim.controls)
    }


def test_the_linear_kernel_is_held_against_the_rule_of_the_cosine(study):
    assert {c.name: c.hypothesis for c in study.claim.controls}[
        "linear"
    ] == "errors[smooth]"


@pytest.mark.parametrize(
    ("gate", "changed", "says"),
    [
        (
            "useful",
            dict(ntk=np.full((20, 2), 0.51), linear=np.ones(20)),
            r"the NTK learns too little.*: sign\(u.x\); cos\(u.x\)",
        ),
        (
            "useful",
            dict(ntk=np.full((20, 2), 0.3), linear=np.full(20, 0.36)),
            r"a linear kernel nearly as much: sign\(u.x\)",
        ),
        (
            "ladder",
            dict(ridges=np.array([[0.1, 10.0]] * 20)),
            r"the largest ridge of the ladder was chosen: sign\(u.x\); ",
        ),
        (
            "finite",
            dict(nngp=np.array([[np.nan, 1.0]] * 20)),
            "zero, negative or not finite: nngp at",
        ),
        ("finite", dict(rbf=np.zeros(20)), "zero, negative or not finite: rbf at"),
        (
            "finite",
            dict(same=np.full((20, 2), np.inf)),
            "zero, negative or not finite: same at",
        ),
    ],
)
def test_each_gate_closes_on_what_it_guards_against(study, gate, changed, says):
    failures = study.gates(planted(study, **changed))
    assert {name for name, failure in failures.items() if failure} == {gate}
    assert re.search(says, failures[gate])
    assert "\n" not in failures[gate]


def test_the_gates_are_open_for_what_is_sound(study):
    assert set(study.gates(planted(study)).values()) == {""}


def test_figures_show_every_target_and_the_band(study):
    figures = {
        figure.title: figure for figure in study.figures({"torch": planted(study)})
    }
    depth = figures["E_NNGP / E_NTK against hidden layers"]
    assert [series.label for series in depth.series] == [
        "sign(u.x)",
        "cos(u.x) + sin(v.x)",
        "Friedman's function",
        "clothes of Fashion-MNIST",
        "within 10 %",
    ]
    assert (depth.series[0].x, depth.series[0].y) == (
        (1, 2, 3),
        pytest.approx((2, 2, 2)),
    )
    samples = figures["E_NNGP / E_NTK against training samples"]
    assert samples.series[0].x == (50, 100, 200)
    kernels = {
        series.label: series for series in figures["Errors of all kernels"].series
    }
    assert kernels["the diabetes data"].x[-1] == "linear"
    assert [line.y[-1] for line in kernels.values()] == pytest.approx([4 / 200] * 5)
    assert "E_NNGP / E_NTK against noise deviation" not in figures, (
        "no ladder of noise at quick scale"
    )
    full = {figure.title for figure in study.figures({"torch": planted(study, "full")})}
    assert {
        "E_NNGP / E_NTK against noise deviation",
        "E_NNGP / E_NTK against inputs",
    } <= full
