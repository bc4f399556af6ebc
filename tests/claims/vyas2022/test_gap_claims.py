"""The gap between networks and their kernels, over hyperparameters and over width: what the two
claims compute.
"""

from pathlib import Path

import numpy as np
import pytest

from claims.vyas2022.curves import curves_and_drift, network_curves, train
from claims.vyas2022.tasks import samples
from harness import seeds, studies
from harness.experiment import Measurements, canonical

CLAIMS = Path(__file__).parents[3] / "claims" / "vyas2022"
HYPERPARAMETERS, WIDTH = (
    "test_gap_survives_hyperparameters.py",
    "test_gap_across_width.py",
)
SEEDS = 3
# E = a n^-b; squared errors are the roots of these
KERNELS = {"init": (1.0, 0.2), "infinite": (0.9, 0.3)}
RATES = {0.003: (2.0, 0.4), 0.01: (2.1, 0.5), 0.03: (2.2, 0.6), 0.1: (2.3, 0.7)}
BATCHES = {256: (2.4, 0.45), None: (2.5, 0.55)}
LAZY, PARITY = (1.1, 0.21), {"network": (3.0, 1.6), "init": (1.0, 0.4)}
EXPONENT_OF_WIDTH, DRIFT_OF_WIDTH = 0.05, 0.5


def loaded(name):
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(CLAIMS.parents[1])
        return studies.load(CLAIMS / name)


@pytest.fixture(scope="module")
def hyperparameters():
    return loaded(HYPERPARAMETERS)


@pytest.fixture(scope="module")
def width():
    return loaded(WIDTH)


def law(c):
    """Factor and exponent of a configuration's error rate."""
    if c["task"]["name"] == "parity":
        return PARITY[c.get("kernel", "network")]
    if "kernel" in c:
        return KERNELS[c["kernel"]]
    if "probe" in c:
        return 2.0, 0.4 + EXPONENT_OF_WIDTH * np.log(c["net"]["width"])
    if c["net"]["label_scale"] < 1:
        return LAZY
    return RATES[c["rate"]] if c["batch_size"] == 32 else BATCHES[c["batch_size"]]


def measured(study, tier, **changes):
    """Power laws in n at every size; seeds differ by a factor."""
    cells = []
    for experiment in study.experiments:
        for request in experiment.requests(tier, "torch"):
            c, factor = (
                request.configuration,
                1 + 0.01 * np.array(request.replicates)[:, None],
            )
            a, b = law(c)
            error = factor * a * np.array(c["sizes"], dtype=float) ** -b
            name = "kernel" if "kernel" in c else "width" if "probe" in c else "network"
            arrays = {f"{name}_error": error, f"{name}_loss": error**0.5}
            if name != "kernel":
                arrays |= {
                    "train_loss": np.full(error.shape, 0.5),
                    "gain": np.full(error.shape, 0.01),
                }
            if name == "width":
                arrays["drift"] = (
                    error * 0 + factor * c["net"]["width"] ** -DRIFT_OF_WIDTH
                )
            cells.append(
                (
                    request,
                    arrays
                    | {q: f(arrays[q]) for q, f in changes.items() if q in arrays},
                )
            )
    return Measurements(cells)


def close(found, expected):
    """Every effect is there, and the same for all seeds."""
    assert set(found) == set(expected)
    for name, value in expected.items():
        np.testing.assert_allclose(
            found[name], value, rtol=1e-9, atol=1e-9, err_msg=name
        )


@pytest.mark.parametrize("tier", ["quick", "full"])
def test_the_gap_of_each_cell_is_its_exponent_minus_the_kernels(hyperparameters, tier):
    cells = {
        "rate_low": 0.4,
        "base": 0.5,
        "rate_high": 0.6,
        "batch_256": 0.45,
        "batch_full": 0.55,
        "momentum": 0.7,
    }
    expected = {f"gap[{name}]": beta - 0.2 for name, beta in cells.items()}
    expected |= {f"gap_to_infinite[{name}]": beta - 0.3 for name, beta in cells.items()}
    expected |= {"momentum_over_adam": 0.2, "parity": (1.6 - 0.4) / 2, "lazy": 0.01}
    if tier == "full":
        expected |= {
            f"gap_on_cifar10[{name}]": cells[name] - 0.2
            for name in ("rate_low", "base", "momentum")
        }
    close(hyperparameters.effects(measured(hyperparameters, tier)), expected)


@pytest.mark.parametrize(
    ("tier", "widths"), [("quick", (8, 16, 32)), ("full", (16, 64, 128))]
)
def test_gaps_and_drifts_against_width(width, tier, widths):
    places = dict(zip(("narrow", "middle", "wide"), widths, strict=True))
    gaps = {place: 0.2 + 0.05 * np.log(w) for place, w in places.items()}
    expected = {
        **{f"gap[{place}]": gap for place, gap in gaps.items()},
        **{f"gap_to_infinite[{place}]": gap - 0.1 for place, gap in gaps.items()},
        "flat_in_width": 0.05,
        **{
            f"lazy_shrinks[{place}]": gaps[place] - 0.01 for place in ("middle", "wide")
        },
        "parity": (1.6 - 0.4) / 2,
        "lazy": 0.01,
    }
    if tier == "full":
        expected |= {
            f"gap_on_cifar10[{place}]": 0.5 - 0.2
            for place in ("narrow", "middle", "wide")
        }
    close(width.effects(measured(width, tier)), expected)


def unlearnt(array):
    """Over four sizes, networks that learnt nothing from the least; else the array as it is."""
    return np.where(
        (np.arange(array.shape[1]) == 0) & (array.shape[1] == 4), 1.0, array
    )


def test_no_effect_and_no_gate_reads_the_networks_on_128_samples(hyperparameters):
    """The base curve has them, since another claim does; some of them learn nothing."""
    fine = measured(hyperparameters, "quick")
    other = measured(
        hyperparameters, "quick", network_error=unlearnt, train_loss=unlearnt
    )
    base = {
        canonical(r.configuration): a
        for r, a in other.cells
        if "network_error" in a and len(a["gain"][0]) == 4
    }
    assert [(arrays["train_loss"][:, 0] == 1).all() for arrays in base.values()] == [
        True
    ]
    close(hyperparameters.effects(other), hyperparameters.effects(fine))
    assert set(hyperparameters.gates(other).values()) == {""}


@pytest.mark.parametrize("name", [HYPERPARAMETERS, WIDTH])
def test_a_lazy_network_that_outscales_its_kernel_is_an_instrument_that_errs(name):
    study = loaded(name)

    def steeper(error):
        """By 0.2 and more in the exponent, where the window's sizes were measured; seeds a little
        apart.
        """
        if error.shape[1] != 3:
            return error
        return error * np.array([256.0, 512.0, 1024.0]) ** -(
            0.2 + 0.01 * np.arange(len(error))[:, None]
        )

    gates = study.gates(measured(study, "quick", network_error=steeper))
    assert "Where the truth is 0, the difference of exponents is 0.2" in gates["null"]


@pytest.mark.parametrize("name", [HYPERPARAMETERS, WIDTH])
def test_every_hypothesis_and_control_has_effects_and_gates_fail_where_they_should(
    name,
):
    study = loaded(name)
    fine = measured(study, "quick")
    names = [h.name for h in study.claim.at("quick").hypotheses] + [
        c.name for c in study.claim.controls
    ]
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
        gain=lambda gain: gain + 0.2 * (np.arange(len(gain)) < len(gain) // 5)[:, None],
    )
    assert study.gates(few)["trained"] == ""
    wrong = measured(
        study,
        "quick",
        kernel_error=lambda error: error * np.where(error == error.min(), 0, 1),
    )
    assert study.gates(wrong)["finite"] == "an error is zero or not finite"
    assert len(study.figures({"torch": fine})) == 3


TINY = dict(
    task=dict(name="digits-1d"),
    sizes=(6, 10),
    validation=8,
    test=9,
    net=dict(
        family="cnn",
        width=2,
        sigma_b=0.1,
        strides=(4, 2),
        label_scale=2.0,
        centred=True,
    ),
    **dict(optimizer="momentum", rate=0.3, batch_size=4, steps=12, checks=4),
)


def test_drift_is_one_minus_the_cosine_of_the_kernels_before_and_after_training(oracle):
    """The kernels as sums over parameters of products of gradients, the gradients by pulling back
    unit vectors.
    """
    measure = curves_and_drift
    found = measure(oracle, dict(TINY, probe=5), (0, 1, 2), "test")
    training, validation, test = samples(TINY["task"], (0, 1, 2), "test", (10, 8, 9))
    for k, size in enumerate(TINY["sizes"]):
        run = train(oracle, TINY, (0, 1, 2), "test", training, validation, (0, size))
        for r in range(3):
            start = run.net.init(
                seeds.derive("init", stream="test", replicate=r, member=0)
            )
            kernels = [
                gram(oracle, run.net, theta, test.x[r, :5])
                for theta in (start, at(run.theta, r))
            ]
            norms = [np.linalg.norm(kernel) for kernel in kernels]
            assert found["drift"][r, k] == pytest.approx(
                1 - (kernels[0] * kernels[1]).sum() / np.prod(norms), abs=1e-9
            )
    assert (found["drift"] > 0.1).sum() > 2


def test_every_backend_finds_the_same_curves_and_drifts(fast, oracle):
    measure, cell = curves_and_drift, dict(TINY, probe=5)
    found, expected = (
        measure(backend, cell, (0, 1), "test") for backend in (fast, oracle)
    )
    for quantity in ("width_error", "width_loss", "drift"):
        np.testing.assert_allclose(
            found[quantity], expected[quantity], rtol=1e-6, atol=1e-9
        )


def at(theta, replicate):
    """The weights of one replicate."""
    return {name: array[replicate] for name, array in theta.items()}


def gram(backend, net, theta, x):
    """J J^T, row by row."""
    rows = [backend.pullback(net, theta, x, unit[:, None]) for unit in np.eye(len(x))]
    jacobian = np.array(
        [np.concatenate([row[name].ravel() for name in net.shapes]) for row in rows]
    )
    return jacobian @ jacobian.T


def test_its_errors_are_those_of_the_shared_learning_curves(oracle):
    found = curves_and_drift(oracle, dict(TINY, probe=5), (0, 1), "test")
    shared = network_curves(oracle, dict(TINY, after=()), (0, 1), "test")
    names = {
        "width_error": "network_error",
        "width_loss": "network_loss",
        "gain": "gain",
        "train_loss": "train_loss",
    }
    for own, other in names.items():
        np.testing.assert_array_equal(found[own], shared[other])
