"""Every effect and figure of the claim on the theorem of equivalence finds its cells; rates are
exponents.
"""

from pathlib import Path

import numpy as np
import pytest

from harness import studies
from harness.experiment import Measurements

CLAIM = (
    Path(__file__).parents[3]
    / "claims"
    / "liu2025"
    / "test_equivalence_theorem_in_practice.py"
)


@pytest.fixture(scope="module")
def study():
    return studies.load(CLAIM)


def of_kernels(configuration, seeds):
    """The eNTK's predictor approaches the NTK's as width^-1/2, and not the NNGP's."""
    width, depth = configuration["width"], configuration["depth"]
    return {
        "own_to_limit": depth * seeds * width**-0.5,
        "own_to_nngp": depth * seeds * width**0.0,
        "nngp_to_limit": depth * seeds,
    }


def of_networks(configuration, seeds):
    """The network lies 2 off its NTK's predictor; the distance to its own grows as the root of the
    label scale.
    """
    scale, depth = configuration["label_scale"], configuration["depth"]
    to_limit = 4.0 if configuration["permuted"] else 2.0
    return {
        "net_to_limit": to_limit
        * seeds
        * 2.0 ** (2 * depth - 3),  # the mean over 1 and 2 layers is that without depth
        "net_to_own": seeds * scale**0.5,
        "error": seeds,
        "loss": 0.005 * seeds,
    }


def of_stationary(configuration, seeds):
    """The NTK has twice the error of the best other kernel."""
    names = ("laplace", "matern_32", "matern_52", "rbf", "best")
    return {**dict.fromkeys(names, seeds), "ntk": 2 * seeds}


MEASURED = {
    "kernel_predictors": of_kernels,
    "descent_by_theory": of_networks,
    "stationary_kernels": of_stationary,
}


def planted(study, tier="quick", **changed):
    cells = []
    for experiment in study.experiments:
        for request in experiment.requests(tier, "torch"):
            if 0 in request.replicates:
                seeds = 1 + 0.01 * np.array(request.replicates)
                arrays = MEASURED[experiment.measure.__name__](
                    request.configuration, seeds
                )
                constants = {
                    name: np.full(len(seeds), changed[name])
                    for name in changed
                    if name in arrays
                }
                cells.append((request, {**arrays, **constants}))
    return Measurements(cells)


@pytest.mark.parametrize(("tier", "seeds"), [("quick", 12), ("full", 10)])
def test_effects_are_distances_in_tenths_exponents_and_ratios(study, tier, seeds):
    m = planted(study, tier)
    factor = 1 + 0.01 * np.arange(seeds)
    effects = study.effects(m)
    off = np.log(20 * factor)
    expected = {
        "network_off": off,
        "network_off_on[rough]": off,
        "network_off_on[smooth]": off,
        "network_off_on[friedman]": off,
        "kernel_rate": 0 * factor,
        "by_labels": 0.5 + 0 * factor,
        "rival[wave]": np.log(2) + 0 * factor,
        "rival[rough]": np.log(2) + 0 * factor,
        "rival[smooth]": np.log(2) + 0 * factor,
        "rival[friedman]": np.log(2) + 0 * factor,
        "permuted_labels": np.log(40 * factor),
        "tiny_labels": np.log(0.1 * factor),
        "wrong_kernel": 0.5 + 0 * factor,
    }
    assert set(effects) == set(expected)
    for name, values in expected.items():
        np.testing.assert_allclose(effects[name], values, atol=1e-12, err_msg=name)
    assert set(study.gates(m).values()) == {""}


def test_figures_show_rates_scales_and_kernels(study):
    by_width, by_scale, kernels = study.figures({"torch": planted(study)})
    lines = {line.label: line for line in by_width.series}
    assert list(lines) == [
        "eNTK to NTK",
        "NNGP to NTK",
        "slope -1/2",
        "network to NTK",
        "network to its own eNTK",
    ]
    np.testing.assert_allclose(lines["slope -1/2"].y, lines["eNTK to NTK"].y, rtol=1e-9)
    assert lines["network to NTK"].x == (64, 128, 256)
    assert by_scale.series[0].x == (1e-4, 0.01, 0.1, 1.0)
    assert kernels.series[0].x == ("NTK", "Laplace", "Matern 3/2", "Matern 5/2", "RBF")
    assert len(kernels.series) == 4


@pytest.mark.parametrize(
    ("gate", "changed"),
    [
        ("fitted", {"loss": 0.02}),
        ("finite", {"net_to_own": np.nan}),
        ("finite", {"error": 0.0}),
    ],
)
def test_each_gate_closes_on_what_it_guards_against(study, gate, changed):
    failures = study.gates(planted(study, **changed))
    assert {name for name, failure in failures.items() if failure} == {gate}
