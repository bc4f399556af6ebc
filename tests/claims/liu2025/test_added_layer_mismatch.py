"""Every effect and figure of the claim on an added layer finds its cells, and takes from them what
it says.
"""

from pathlib import Path

import numpy as np
import pytest

from harness import studies
from harness.experiment import Measurements

CLAIM = (
    Path(__file__).parents[3] / "claims" / "liu2025" / "test_added_layer_mismatch.py"
)
MEASURED = {
    "common_training": ("error", "ensemble_error", "ridge_error", "gain"),
    "architecture_kernel": ("kernel_error",),
    "descent_by_theory": ("error", "ridge_error", "own_error", "limit_error", "loss"),
    "kernel_predictors": ("own_error", "limit_error"),
}
OF_DEPTH = {
    "error": 1.0,
    "ensemble_error": 0.5,
    "ridge_error": 0.2,
    "own_error": 0.1,
    "limit_error": 0.3,
    "kernel_error": 0.4,
}


@pytest.fixture(scope="module")
def study():
    return studies.load(CLAIM)


def in_proportion(name, configuration, seeds):
    """Errors in proportion to depth, each its own; seeds differ by a factor."""
    error = OF_DEPTH[name] * configuration["depth"] * seeds
    if name == "error":
        error = (
            error * configuration.get("label_scale", 1.0)
            + 0.5 * configuration.get("permuted", False) * seeds
        )
    return error


def planted(study, tier="quick", error=in_proportion, **means):
    """Measurements of a tier, of each configuration the first block."""
    means = {"gain": 0.05, "loss": 0.005, **means}
    cells = []
    for experiment in study.experiments:
        for request in experiment.requests(tier, "torch"):
            if 0 not in request.replicates:
                continue
            seeds = 1 + 0.01 * np.array(request.replicates)
            arrays = {}
            for name in MEASURED[experiment.measure.__name__]:
                constant = np.full(len(seeds), means.get(name))
                arrays[name] = (
                    constant
                    if name in means
                    else error(name, request.configuration, seeds)
                )
            cells.append((request, arrays))
    return Measurements(cells)


@pytest.mark.parametrize(
    ("tier", "seeds", "deepest"), [("quick", 72, (2, 2, 3)), ("full", 10, (5, 5, 5))]
)
def test_every_effect_and_curve_finds_its_cells(study, tier, seeds, deepest):
    m = planted(study, tier)
    others = (
        "second_layer_of[rough]",
        "second_layer_of[smooth]",
        "second_layer_of[friedman]",
    )
    expected = {
        **dict.fromkeys(("second_layer", *others), (1 - 0.4) / 0.4),
        "third_layer_of_more_samples": -(1 - 0.4) / 0.8,
        "theorem_arm": (1 - 0.3) / 0.3,
        **dict.fromkeys(("lazy", "lazy_net"), (0.01 - 0.1) / 0.3),
        **dict.fromkeys(("permuted_labels", "permuted_lazy"), (1.5 - 0.4) / 0.4),
    }
    effects = study.effects(m)
    assert set(effects) == set(expected)
    for name, value in expected.items():
        np.testing.assert_allclose(effects[name], np.full(seeds, value), err_msg=name)
    assert set(study.gates(m).values()) == {""}
    few, more, _, targets, random_kernel = study.figures({"torch": m})
    depths = (few.series[0].x[-1], few.series[4].x[-1], more.series[0].x[-1])
    assert depths == deepest
    np.testing.assert_allclose(
        np.array(more.series[0].y) / more.series[0].x, 1 + 0.01 * (seeds - 1) / 2
    )
    assert len(targets.series) == 6
    assert random_kernel.series[0].y == pytest.approx(
        [(0.1 - 0.3) / 0.3] * len(random_kernel.series[0].x)
    )


def test_causes_add_up_to_the_mismatch(study):
    rng = np.random.default_rng(0)
    m = planted(
        study,
        error=lambda name, configuration, seeds: rng.uniform(0.5, 1.5, len(seeds)),
    )
    (by_cause,) = [
        figure
        for figure in study.figures({"torch": m})
        if figure.title == "D / E by cause"
    ]
    (parts,) = by_cause.series
    assert parts.x[0] == "all"
    assert len(parts.x) == 7
    assert parts.y[0] == pytest.approx(sum(parts.y[1:]), rel=1e-9)


@pytest.mark.parametrize(
    ("gate", "changed", "says"),
    [
        (
            "flat",
            {"gain": 0.2},
            "gain is 0.2 on average at samples 100, target wave, depth 1; 0.2 on average at",
        ),
        ("flat", {"gain": np.nan}, "gain is nan on average"),
        (
            "fitted",
            {"loss": 0.02},
            "loss is 0.02 on average at label_scale 1.0, depth 1; 0.02 on average at",
        ),
        (
            "finite",
            {"kernel_error": np.inf},
            "zero, negative or not finite: kernel_error at samples 100, target wave",
        ),
        (
            "finite",
            {"ridge_error": 0.0},
            "zero, negative or not finite: ridge_error at",
        ),
    ],
)
def test_each_gate_closes_on_what_it_guards_against(study, gate, changed, says):
    failures = study.gates(planted(study, **changed))
    assert {name for name, failure in failures.items() if failure} == {gate}
    assert says in failures[gate].replace(", validation 25", "")
    assert "\n" not in failures[gate]
