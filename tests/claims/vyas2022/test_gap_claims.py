"""The gap between networks and their kernels: what three claims read out of planted learning
curves.
"""

from pathlib import Path

import numpy as np
import pytest

from harness import studies
from harness.experiment import Measurements

CLAIMS = Path(__file__).parents[3] / "claims" / "vyas2022"
KERNELS_LOSE = "test_network_outscales_its_kernels.py"
HYPERPARAMETERS = "test_gap_survives_hyperparameters.py"
WIDTH = "test_gap_across_width.py"
ALL = (KERNELS_LOSE, HYPERPARAMETERS, WIDTH)
# E = a n^-b; squared errors are the roots of these
KERNELS = {"init": (1.0, 0.2), "infinite": (0.9, 0.3)}
RATES = {0.003: (2.0, 0.4), 0.01: (2.1, 0.5), 0.03: (2.2, 0.6), 0.1: (2.3, 0.7)}
BATCHES = {8: (2.5, 0.55), 256: (2.4, 0.45)}
LAZY, PARITY = (1.1, 0.21), {"network": (3.0, 1.6), "init": (1.0, 0.4)}
OF_TASK = {"digits-1d": (2.0, 0.8), "ntk-draw": (1.0, 0.3), "images": (2.0, 0.32)}
LONGER = (2.0, 0.44)
EXPONENT_OF_WIDTH = 0.05
TOWARDS_128 = np.log(128) * EXPONENT_OF_WIDTH


def loaded(name):
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(CLAIMS.parents[1])
        return studies.load(CLAIMS / name)


@pytest.fixture(scope="module", params=ALL)
def study(request):
    return loaded(request.param)


def law(c):
    """Factor and exponent of a configuration's error rate."""
    name = c["task"]["name"]
    if name == "parity":
        return PARITY[c.get("kernel", "network").replace("infinite", "init")]
    if "kernel" in c:
        return KERNELS[c["kernel"]]
    if name in OF_TASK and "dataset" not in c["task"]:
        return OF_TASK[name]
    if c["task"].get("dataset") == "fashion-mnist" and name == "images":
        return OF_TASK[name]
    if c["net"]["label_scale"] < 1:
        return LAZY
    if c["steps"] in (6000, 60_000):
        return LONGER
    if c["batch_size"] != 32:
        return BATCHES[c["batch_size"]]
    a, b = RATES[c["rate"]]
    wider = c["net"]["width"] in (32, 256)
    return a, b + EXPONENT_OF_WIDTH * np.log(c["net"]["width"] / 128) * wider


def measured(study, tier, **changes):
    """Power laws in n at every size; seeds differ by a factor."""
    cells = []
    for experiment in study.experiments:
        for request in experiment.requests(tier, "torch"):
            c = request.configuration
            factor = 1 + 0.01 * np.array(request.replicates)[:, None]
            a, b = law(c)
            error = factor * a * np.array(c["sizes"], dtype=float) ** -b
            name = "kernel" if "kernel" in c else "network"
            arrays = {f"{name}_error": error, f"{name}_loss": error**0.5}
            if name == "network":
                arrays["train_loss"] = np.full(error.shape, 0.5)
                arrays["gain"] = np.full(error.shape, 0.01)
            arrays |= {q: f(arrays[q]) for q, f in changes.items() if q in arrays}
            cells.append((request, arrays))
    return Measurements(cells)


def close(found, expected):
    """These effects are there, and the same for all seeds."""
    assert set(found) == set(expected)
    for name, value in expected.items():
        np.testing.assert_allclose(
            found[name], value, rtol=1e-9, atol=1e-9, err_msg=name
        )


@pytest.mark.parametrize("tier", ["quick", "full"])
def test_both_kernels_are_held_against_both_errors_in_both_settings(tier):
    study = loaded(KERNELS_LOSE)
    found = study.effects(measured(study, tier))
    expected = {}
    for place, beta in (("pairs", 0.5), ("digits", 0.8)):
        for kernel, other in (("initial", 0.2), ("infinite-width", 0.3)):
            expected[f"gap[{place}-{kernel}-rate]"] = beta - other
            expected[f"gap[{place}-{kernel}-squared]"] = (beta - other) / 2
    for place, beta in (("longer", 0.44), ("plain", 0.32)):
        expected[f"gap_elsewhere[{place}-rate]"] = beta - 0.3
        expected[f"gap_elsewhere[{place}-squared]"] = (beta - 0.3) / 2
    last = {"pairs": 2048, "digits": 2048}
    if tier == "full":
        last = {"pairs": 2**14, "digits": 2**14}
        for name in ("left", "mnist", "svhn", "cifar10", "cifar5m"):
            expected[f"gap_at_full_scale[{name}]"] = (0.5 - 0.2) / 2
    over = {"pairs": (2.1, 0.2), "digits": (2.0, 0.5)}
    for place, (a, b) in over.items():
        ratio = 0.9 / a * last[place] ** b
        expected[f"infinite_over_network[{place}]"] = np.log(ratio) / 2
    expected |= {"parity[initial]": 0.6, "parity[infinite-width]": 0.6}
    expected |= {"draw": 0.0, "lazy": 0.005}
    close(found, expected)


@pytest.mark.parametrize("tier", ["quick", "full"])
def test_the_gap_of_each_cell_is_its_exponent_minus_the_kernels(tier):
    study = loaded(HYPERPARAMETERS)
    cells = dict(rate_low=0.4, base=0.5, rate_high=0.6)
    if tier == "quick":
        cells |= dict(batch_8=0.55, batch_256=0.45)
    expected = {f"gap[{name}]": beta - 0.2 for name, beta in cells.items()}
    expected |= {f"gap_to_infinite[{name}]": beta - 0.3 for name, beta in cells.items()}
    found = study.effects(measured(study, tier))
    close({name: found[name] for name in expected}, expected)
    assert found["gap[momentum]"] == pytest.approx(0.7 - 0.2)
    assert found["lazy"] == pytest.approx(0.01)
    assert ("gap_on_cifar10[momentum]" in found) == (tier == "full")


def test_gaps_against_width():
    study = loaded(WIDTH)
    found = study.effects(measured(study, "quick"))
    gaps = {n: 0.3 + EXPONENT_OF_WIDTH * np.log(n / 128) for n in (32, 128, 256)}
    expected = {f"gap[width_{n}]": gap for n, gap in gaps.items()}
    expected |= {f"gap_to_infinite[width_{n}]": gap - 0.1 for n, gap in gaps.items()}
    expected |= {"flat_in_width": 0.05, "parity": 0.6, "lazy": 0.01}
    close(found, expected)
    (over_width, *_) = study.figures({"torch": measured(study, "quick")})
    assert over_width.series[0].x == (32.0, 128.0, 256.0)
    np.testing.assert_allclose(over_width.series[0].y, list(gaps.values()))


def test_the_claims_share_the_curve_of_the_pairs_its_kernels_and_the_controls():
    """Cells of one configuration on one stream are computed once; the networks of the claim on
    hyperparameters are in float64, on a stream of their own.
    """
    digests = {}
    for name in ALL:
        requests = [e.requests("quick", "torch") for e in loaded(name).experiments]
        digests[name] = {request.digest for few in requests for request in few}
    both, alone = digests[KERNELS_LOSE] & digests[WIDTH], digests[HYPERPARAMETERS]
    assert len(both) == 6
    assert not alone & (digests[KERNELS_LOSE] | digests[WIDTH])


def test_a_lazy_network_that_outscales_its_kernel_is_an_instrument_that_errs(study):
    def steeper(error):
        """By 0.2 and more in the exponent, where the window's sizes were measured; seeds a little
        apart.
        """
        if error.shape[1] != 3:
            return error
        n = np.array([256.0, 512.0, 1024.0])
        return error * n ** -(0.2 + 0.01 * np.arange(len(error))[:, None])

    wrong = dict(network_error=steeper, network_loss=steeper)
    said = study.gates(measured(study, "quick", **wrong))["null"]
    assert "Where the truth is 0, the difference of exponents is 0.2" in said


def test_a_gap_that_one_size_carries_decides_nothing():
    """Networks on pairs fall no faster than their kernels up to n = 1024, and all at once then."""
    study = loaded(KERNELS_LOSE)

    def flat(error):
        """As slow as the kernels', up to 1024."""
        if error.shape[1] != 3:
            return error
        return error * np.array([256.0, 512.0, 1024.0]) ** 0.3

    fine = measured(study, "quick")
    assert study.gates(fine)["one_size"] == ""
    said = study.gates(measured(study, "quick", network_error=flat))["one_size"]
    assert "pairs of Fashion-MNIST images, initial kernel, error rate: without" in said


def test_every_hypothesis_and_control_has_effects_and_gates_fail_where_they_should(
    study,
):
    fine = measured(study, "quick")
    names = [h.name for h in study.claim.at("quick").hypotheses]
    names += [control.name for control in study.claim.controls]
    assert sorted(study.effects(fine)) == sorted(names)
    assert set(study.gates(fine).values()) == {""}
    assert set(study.gates(fine)) == {gate.name for gate in study.claim.gates}
    short = measured(study, "quick", gain=lambda gain: gain + 0.2)
    assert (
        "10 of 10 networks are not trained at n = 512" in study.gates(short)["trained"]
    )
    kept = measured(study, "quick", train_loss=lambda loss: 2 * loss)
    assert (
        "10 of 10 networks are not trained at n = 512 (10 learnt nothing)"
        in study.gates(kept)["trained"]
    )
    few = measured(
        study,
        "quick",
        gain=lambda gain: gain + 0.2 * (np.arange(len(gain)) < 1)[:, None],
    )
    assert study.gates(few)["trained"] == ""
    wrong = measured(
        study,
        "quick",
        kernel_error=lambda error: error * np.where(error == error.min(), 0, 1),
    )
    assert study.gates(wrong)["finite"] == "an error is zero or not finite"


def test_figures_are_there_at_each_tier(study):
    quick = study.figures({"torch": measured(study, "quick")})
    full = study.figures({"torch": measured(study, "full")})
    assert len(full) == len(quick) + 1
    assert all(figure.series for figure in (*quick, *full))
