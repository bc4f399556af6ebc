"""Every effect and figure of the claim on an added layer finds its cells, and takes from them what
it says.
"""

from pathlib import Path

import numpy as np
import pytest

from claims.liu2025.settings import LEARNT
from harness import studies
from harness.experiment import Measurements
from harness.study import Difference

CLAIM = (
    Path(__file__).parents[3] / "claims" / "liu2025" / "test_added_layer_mismatch.py"
)
MEASURED = {
    "common_training": ("error", "gain"),
    "architecture_kernel": ("kernel_error",),
    "descent_by_theory": ("error", "own_error", "limit_error", "loss"),
}
OF_DEPTH = {
    "error": 0.1,
    "own_error": 0.01,
    "limit_error": 0.03,
    "kernel_error": 0.04,
}


@pytest.fixture(scope="module")
def study():
    return studies.load(CLAIM)


def in_proportion(name, configuration, seeds):
    """Errors in proportion to depth, each its own; on the product the network's falls with depth.

    Seeds differ by a factor.
    """
    depth = configuration["depth"]
    if name == "error" and configuration["target"] == "product":
        depth = 10 - depth
    error = OF_DEPTH[name] * depth * seeds
    if name == "error":
        error = error * configuration.get("label_scale", 1.0)
        error = error + 0.5 * configuration["permuted"] * seeds
    return error


def planted(study, tier="quick", **means):
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
                arrays[name] = (
                    np.full(len(seeds), means[name])
                    if name in means
                    else in_proportion(name, request.configuration, seeds)
                )
            cells.append((request, arrays))
    return Measurements(cells)


@pytest.mark.parametrize(
    ("tier", "seeds", "of_full"),
    [("quick", 48, {}), ("full", 10, {"fewer_samples": 1.5})],
)
def test_every_effect_finds_its_cells(study, tier, seeds, of_full):
    expected = {
        "second_layer[smooth]": (0.1 - 0.04) / 0.04,
        "second_layer[long_wave]": (0.1 - 0.04) / 0.04,
        "second_layer[product]": (-0.1 - 0.04) / 0.04,
        "third_layer[smooth]": (0.1 - 0.04) / 0.08,
        "third_layer[long_wave]": (0.1 - 0.04) / 0.08,
        "theorem_arm[smooth]": (0.1 - 0.03) / 0.03,
        "theorem_arm[long_wave]": (0.1 - 0.03) / 0.03,
        **dict.fromkeys(("lazy", "lazy_net"), (0.001 - 0.01) / 0.03),
        **dict.fromkeys(("permuted_labels", "permuted_lazy"), (0.6 - 0.04) / 0.04),
        **of_full,
    }
    m = planted(study, tier)
    effects = study.effects(m)
    assert set(effects) == set(expected)
    for name, value in expected.items():
        np.testing.assert_allclose(effects[name], np.full(seeds, value), err_msg=name)
    # deeper kernels leave more than a fifth of the planted variance, as at the full tier
    assert study.gates(m)["flat"] == study.gates(m)["fitted"] == ""


def test_the_claim_may_fall_on_either_side(study):
    rules = {h.name: h.rule for h in study.claim.primary}
    assert rules == {
        f"second_layer[{target.name}]": Difference(0.1) for target in LEARNT
    }


def test_figures_show_the_sign_of_every_target_and_all_depths(study):
    mismatches, common, theory = study.figures({"torch": planted(study)})
    second, third = mismatches.series
    names = tuple(str(target) for target in LEARNT)
    assert (second.label, second.x) == ("from 1 to 2 layers", names)
    assert second.y == pytest.approx((1.5, 1.5, -3.5))
    # the product has no third layer at quick scale
    assert (third.label, third.x) == ("from 2 to 3 layers", names[:2])
    assert third.y == pytest.approx((0.75, 0.75))
    depths = [series.x[-1] for series in common.series]
    assert depths == [3, 3, 3, 3, 2, 2]
    assert [series.x for series in theory.series] == [(1, 2)] * 6
    full, *_ = study.figures({"torch": planted(study, "full")})
    assert [line.x for line in full.series] == [names] * 4


@pytest.mark.parametrize(
    ("gate", "changed", "says"),
    [
        (
            "flat",
            {"gain": 0.2},
            "gain is 0.2 on average at target smooth, depth 1; 0.2 on average at",
        ),
        ("flat", {"gain": np.nan}, "gain is nan on average"),
        (
            "fitted",
            {"loss": 0.02},
            "loss is 0.02 on average at target smooth, depth 1; 0.02 on average at",
        ),
        ("learnt", {"kernel_error": 0.3}, "kernel_error is 0.3 on average at"),
        (
            "finite",
            {"kernel_error": 0.0},
            "zero, negative or not finite: kernel_error at target smooth, depth 1",
        ),
        ("finite", {"error": np.inf}, "zero, negative or not finite: error at"),
    ],
)
def test_each_gate_closes_on_what_it_guards_against(study, gate, changed, says):
    failures = study.gates(planted(study, **changed))
    assert {name for name, failure in failures.items() if failure} == {gate}
    assert says in failures[gate]
    assert "\n" not in failures[gate]


def test_the_gates_are_open_for_what_is_sound(study):
    assert set(study.gates(planted(study)).values()) == {""}
