"""What the claim on after-kernels reads out of learning curves: planted power laws come back."""

from pathlib import Path

import numpy as np
import pytest

from harness import studies
from harness.experiment import Measurements

FILE = (
    Path(__file__).parents[3]
    / "claims/vyas2022/test_constant_sample_after_kernel_lags.py"
)
SEEDS = 10
# E = a n^-b of each curve, in error rate; squared errors are the roots of these.
NETWORK = (2.0, 0.5)
# after 256, after all n
ARMS = ((1.2, 0.3), (2.1, 0.49))
# network, kernel: rich, lazy
CONTROLS = {False: ((3.0, 1.0), (2.0, 0.4)), True: ((2.0, 0.7), (2.2, 0.7))}


@pytest.fixture(scope="module")
def study():
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(FILE.parents[2])
        yield studies.load(FILE)


def measured(study, tier, **changes):
    """Power laws at every size, NaN where a kernel has seen more than is regressed on; seeds differ
    by a factor.
    """
    cells = []
    for experiment in study.experiments:
        for request in experiment.requests(tier, "torch"):
            c, seeds = (
                request.configuration,
                1 + 0.01 * np.array(request.replicates)[:, None],
            )
            n = np.array(c["sizes"], dtype=float)

            def law(a, b, n=n, seeds=seeds):
                return seeds * a * n**-b

            pairs = c["task"]["name"] != "parity"
            laws = (NETWORK, *ARMS) if pairs else CONTROLS[c["net"]["centred"]]
            network, *arms = [law(*one) for one in laws]
            after = np.stack(arms[: len(c["after"])], axis=1)
            for a, arm in enumerate(c["after"]):
                seen = 0 if arm == "same" else arm
                after[:, a, n < seen] = np.nan
            arrays = {"network_error": network, "after_error": after}
            arrays |= {"network_loss": network**0.5, "after_loss": after**0.5}
            arrays |= {
                "train_loss": np.full(network.shape, 0.5),
                "gain": np.full(network.shape, 0.04),
            }
            cells.append(
                (
                    request,
                    arrays
                    | {
                        name: f(arrays[name])
                        for name, f in changes.items()
                        if name in arrays
                    },
                )
            )
    return Measurements(cells)


@pytest.mark.parametrize(
    ("tier", "largest", "last"), [("quick", 1024, 512), ("full", 4096, 512)]
)
def test_effects_are_differences_of_exponents_and_ratios_of_errors(
    study, tier, largest, last
):
    found = study.effects(measured(study, tier))

    def over(above, below, n):
        return np.log(above[0] / below[0]) - (above[1] - below[1]) * np.log(n).mean()

    reused, *_ = ARMS
    wanted = {
        "network_outscales": 0.2,
        "behind_at_largest": over(reused, NETWORK, largest),
        "outscales_in_squared_error": 0.1,
        "same_n_exponent": 0.01,
        "parity": 0.3,  # squared errors
        "parity_at_largest": over(CONTROLS[False][1], CONTROLS[False][0], last) / 2,
        "lazy": 0.0,
        "lazy_at_largest": over(CONTROLS[True][1], CONTROLS[True][0], last) / 2,
    }
    if tier == "full":
        wanted |= {"outscales_on_cifar10": 0.2}
    claim = study.claim.at(tier)
    assert (
        set(found)
        == {h.name for h in claim.hypotheses} | {c.name for c in claim.controls}
        == set(wanted)
    )
    for name, value in wanted.items():
        np.testing.assert_allclose(
            found[name], np.full(SEEDS, value), atol=1e-9, err_msg=name
        )


def test_gates_hold_where_networks_are_trained_and_laws_are_straight(study):
    assert set(study.gates(measured(study, "quick")).values()) == {""}


def test_a_network_that_still_improves_fails_the_gate(study):
    message = study.gates(measured(study, "quick", gain=lambda gain: gain + 0.02))[
        "trained"
    ]
    assert (
        "pairs of Fashion-MNIST images: 10 of 10 networks are not trained at n = 256"
        in message
    )
    fitted = measured(
        study,
        "quick",
        gain=lambda gain: gain + 0.02,
        train_loss=lambda loss: loss / 100,
    )
    assert study.gates(fitted)["trained"] == ""


def test_a_lead_that_one_size_carries_fails_the_gate(study):
    """The error at 512 is raised by 30 %: the line through all three keeps its slope, from 256 to
    512 it is flat.
    """
    bent = measured(study, "quick", network_error=lambda e: e * np.array([1, 1.3, 1]))
    assert study.effects(bent)["network_outscales"].mean() == pytest.approx(0.2)
    message = study.gates(bent)["one_size"]
    assert message.startswith(
        "without size 1024 the mean difference of exponents is -0.17"
    )


def test_an_error_of_zero_or_nan_breaks_the_claim(study):
    for name, bad in (
        ("network_error", 0.0),
        ("after_error", np.nan),
        ("network_loss", np.inf),
    ):
        spoilt = measured(
            study,
            "quick",
            **{name: lambda e, bad=bad: np.where(np.arange(e.shape[-1]) == 2, bad, e)},
        )
        with np.errstate(all="ignore"):
            assert study.gates(spoilt)["finite"] == "an error is zero or not finite", (
                name
            )


def test_figures_show_every_curve_with_its_exponent(study):
    curves, *controls = study.figures({"torch": measured(study, "quick")})
    for series, beta in zip(curves.series, ("0.50", "0.30", "0.49"), strict=True):
        assert f"({beta} [{beta}, {beta}])" in series.label
    np.testing.assert_allclose(
        curves.series[0].y, 2 * np.array([256, 512, 1024]) ** -0.5, rtol=0.1
    )
    for figure in controls:
        assert [s.x for s in figure.series] == [(128.0, 256.0, 512.0)] * 2


@pytest.mark.parametrize("tier", ["quick", "full"])
def test_networks_and_their_kernels_have_the_same_seeds_in_float64(study, tier):
    asked = [
        request
        for experiment in study.experiments
        for request in experiment.requests(tier, "torch")
    ]
    assert {(request.stream, request.dtype) for request in asked} == {
        ("registered-5", "float64")
    }
