"""Learning curves on the sphere against their definitions; effects and gates of the claim on
planted curves.
"""

from pathlib import Path

import numpy as np
import pytest
from scipy.special import eval_gegenbauer, roots_gegenbauer

from claims.vyas2022.sphere import (
    INFINITE,
    INITIAL,
    RIDGES,
    SHUFFLED,
    gegenbauer,
    polynomial_samples,
    published_rate,
    sphere_kernels,
    sphere_network,
    sphere_networks,
)
from claims.vyas2022.sphere_curves import NETWORK, published_exponent
from harness import backends, kernels, seeds, studies
from harness.errors import InvalidInput
from harness.experiment import Measurements

FILE = "test_gap_on_a_published_setting.py"
CLAIM = Path(__file__).parents[3] / "claims" / "vyas2022" / FILE
REPLICATES = (0, 3)
DATA = {
    "degree": 2,
    "inputs": 4,
    "sizes": [5, 9],
    "held_out": 6,
    "test": 20,
    "width": 7,
    "alpha": 0.5,
}
NETWORKS = {
    **DATA,
    "rate": 0.1,
    "momentum": 0.5,
    "target_loss": 0.05,
    "most_steps": 400,
}


@pytest.fixture(params=["numpy", "torch"])
def backend(request):
    if request.param == "torch":
        pytest.importorskip("torch")
    return backends.get(request.param, dtype="float64")


def start():
    return sphere_network(DATA).init(
        seeds.derive("init", stream="test", replicate=r) for r in REPLICATES
    )


@pytest.mark.parametrize("inputs", [3, 10])
def test_gegenbauer_polynomials_are_orthonormal_on_the_sphere(inputs):
    # One coordinate of the sphere has the density (1 - z^2)^((D - 3) / 2).
    z, weights = roots_gegenbauer(20, (inputs - 2) / 2)
    values = np.array([gegenbauer(degree, inputs, z) for degree in range(6)])
    inner = values * (weights / weights.sum()) @ values.T
    np.testing.assert_allclose(inner, np.eye(6), atol=1e-12)


def test_a_gegenbauer_polynomial_is_that_of_scipy_up_to_a_factor():
    z = np.linspace(-1, 1, 9)
    reference = eval_gegenbauer(4, 4.0, z)
    ours = gegenbauer(4, 10, z)
    np.testing.assert_allclose(ours / ours[-1], reference / reference[-1], rtol=1e-12)


def test_inputs_lie_on_the_sphere_and_the_target_is_of_one_direction():
    drawn = polynomial_samples({**DATA, "degree": 1}, REPLICATES, "test")
    for samples in drawn:
        np.testing.assert_allclose(np.linalg.norm(samples.x, axis=2), 1)
    for r in range(2):
        x = np.concatenate([samples.x[r] for samples in drawn])
        y = np.concatenate([samples.y[r] for samples in drawn])
        # of degree 1 the target is sqrt(D) x . direction
        direction, residual, _, _ = np.linalg.lstsq(x, y, rcond=None)
        assert residual == pytest.approx(0, abs=1e-20)
        assert np.linalg.norm(direction) == pytest.approx(2)


def test_fewer_samples_are_the_first_ones_of_more():
    many = polynomial_samples(DATA, REPLICATES, "test")
    few = polynomial_samples(
        {**DATA, "sizes": [5], "held_out": 0, "test": 8}, REPLICATES, "test"
    )
    for samples, count, more in zip(few, (5, 0, 8), many, strict=True):
        np.testing.assert_array_equal(samples.x, more.x[:, :count])
        np.testing.assert_array_equal(samples.y, more.y[:, :count])
    assert len(np.unique(np.concatenate([part.x for part in many], axis=1))) == 2 * 140


def outputs(weights, x):
    """A network of two hidden layers in NTK parametrization, layer by layer, with what each saw."""
    sigma = DATA["alpha"] ** (1 / 3)
    seen = [x]
    for k, weight in enumerate(weights):
        h = sigma / weight.shape[1] ** 0.5 * seen[-1] @ weight.T
        seen.append(np.maximum(h, 0) if k < 2 else h)
    return seen


def gradient(weights, x, error):
    """Of sum(error f) with respect to every weight matrix."""
    sigma = DATA["alpha"] ** (1 / 3)
    seen = outputs(weights, x)
    delta, gradients = error, []
    for k in (2, 1, 0):
        scale = sigma / weights[k].shape[1] ** 0.5
        gradients.insert(0, scale * delta.T @ seen[k])
        delta = scale * delta @ weights[k] * (seen[k] > 0)
    return gradients


def weights_of(theta, r):
    return [array[r] for array in theta.values()]


def test_networks_train_what_they_add_to_their_start_to_the_target_loss(backend):
    training, _, test = polynomial_samples(NETWORKS, REPLICATES, "test")
    found = sphere_networks(backend, NETWORKS, REPLICATES, "test")
    rate = 0.1 * published_rate(7, 0.5)
    assert rate == pytest.approx(0.1 * 7**0.5 / 0.34)
    theta = start()
    for r in range(2):
        for k, size in enumerate(NETWORKS["sizes"]):
            x, y = training.x[r, :size], training.y[r, :size]
            weights = weights_of(theta, r)
            origin = outputs(weights, x)[-1], outputs(weights, test.x[r])[-1]
            velocity, steps = [np.zeros_like(weight) for weight in weights], 0
            residual = -y
            while (residual**2).mean() > 0.05 and steps < 400:
                gradients = gradient(weights, x, 2 * residual / size)
                for layer in range(3):
                    velocity[layer] = 0.5 * velocity[layer] + gradients[layer]
                    weights[layer] = weights[layer] - rate * velocity[layer]
                residual, steps = outputs(weights, x)[-1] - origin[0] - y, steps + 1
            f = outputs(weights, test.x[r])[-1] - origin[1]
            assert found["steps"][r, k] == steps
            assert found["reached"][r, k] == (steps < 400)
            assert found["error"][r, k] == pytest.approx(((f - test.y[r]) ** 2).mean())
            assert found["train_loss"][r, k] == pytest.approx((residual**2).mean())
    assert found["reached"].any()


def test_networks_that_diverge_have_no_error(backend):
    wild = {**NETWORKS, "rate": 1e300}
    assert np.isnan(sphere_networks(backend, wild, REPLICATES, "test")["error"]).all()


def kernel_of(name, r):
    """The kernel among training samples, and of held-out and test samples with them."""
    training, held_out, test = polynomial_samples(DATA, REPLICATES, "test")
    x = np.concatenate([training.x[r], held_out.x[r], test.x[r]])
    whole = kernels.ntk(sphere_network(DATA), x)
    if name == INITIAL:
        weights = weights_of(start(), r)
        rows = [
            np.concatenate([g.ravel() for g in gradient(weights, one, np.ones((1, 1)))])
            for one in x[:, None]
        ]
        jacobian = np.array(rows)
        whole = jacobian @ jacobian.T
    return whole[:9, :9], whole[9:, :9]


@pytest.mark.parametrize("name", [INITIAL, INFINITE, SHUFFLED])
def test_kernels_interpolate_or_take_the_ridge_that_held_out_samples_choose(
    backend, name
):
    found = sphere_kernels(backend, {**DATA, "kernel": name}, REPLICATES, "test")
    training, held_out, test = polynomial_samples(DATA, REPLICATES, "test")
    for r, replicate in enumerate(REPLICATES):
        gram, cross = kernel_of(name, r)
        y = training.y[r]
        if name == SHUFFLED:
            shuffle = seeds.generator("shuffle", stream="test", replicate=replicate)
            y = y[shuffle.permutation(9)]
        for k, size in enumerate(DATA["sizes"]):
            square = gram[:size, :size]
            errors = []
            for ridge in (1e-12, *RIDGES * np.trace(square) / size):
                dual = np.linalg.solve(square + ridge * np.eye(size), y[:size])
                f = cross[:, :size] @ dual
                held = ((f[:6] - held_out.y[r]) ** 2).mean()
                errors.append((held, ((f[6:] - test.y[r]) ** 2).mean()))
            assert found["error"][r, k] == pytest.approx(errors[0][1], rel=1e-6)
            chosen = min(errors[1:])[1]
            assert found["chosen_error"][r, k] == pytest.approx(chosen, rel=1e-6)


def test_without_held_out_samples_no_ridge_is_chosen(backend):
    cell = {**DATA, "held_out": 0, "kernel": INFINITE}
    found = sphere_kernels(backend, cell, REPLICATES, "test")
    assert found.keys() == {"error"}
    whole = sphere_kernels(backend, {**DATA, "kernel": INFINITE}, REPLICATES, "test")
    np.testing.assert_allclose(found["error"], whole["error"], rtol=1e-9)


def test_an_unknown_kernel_is_refused():
    cell = {**DATA, "kernel": "final"}
    with pytest.raises(InvalidInput, match="Unknown kernel 'final'"):
        sphere_kernels(backends.get("numpy"), cell, REPLICATES, "test")


@pytest.mark.parametrize(
    ("degree", "predictor", "exponent"),
    [
        (4, NETWORK, 1.50),
        (4, INITIAL, 0.43),
        (4, INFINITE, 0.57),
        (2, NETWORK, 1.68),
        (2, INITIAL, 1.31),
        (2, INFINITE, 2.09),
    ],
)
def test_published_exponents_are_those_of_the_window(degree, predictor, exponent):
    # as noted when the figure was read, to its two digits
    assert published_exponent(degree, predictor) == pytest.approx(exponent, abs=0.006)


@pytest.fixture(scope="module")
def study():
    return studies.load(CLAIM)


EXPONENTS = {
    (4, NETWORK): 1.2,
    (4, INITIAL): -0.1,
    (4, INFINITE): 0.5,
    (4, SHUFFLED): 0.0,
    (2, NETWORK): 1.4,
    (2, INITIAL): 0.6,
    (2, INFINITE): 2.1,
}
LAZY = 0.5


def planted(study, bend=0.0, reached=1.0):
    """Power laws in P, of networks with a bend, with a chosen ridge steeper by 0.2."""
    cells = []
    for experiment in study.experiments:
        for request in experiment.requests("quick", "torch"):
            c, count = request.configuration, len(request.replicates)
            sizes = np.array(c["sizes"], dtype=float)
            beta = EXPONENTS[c["degree"], c.get("kernel", NETWORK)]
            if c["alpha"] > 1:
                beta = LAZY
            errors = 0.5 * (sizes / sizes[0]) ** -beta * np.ones((count, 1))
            arrays = {"error": errors}
            if c["held_out"]:
                arrays["chosen_error"] = errors * sizes**-0.2
            if "kernel" not in c:
                # the middle is above or below the line
                arrays["error"] = errors * np.exp(bend * (sizes == sizes[1]))
                arrays["reached"] = np.full(errors.shape, reached)
            cells.append((request, arrays))
    return Measurements(cells)


def test_effects_are_differences_of_exponents(study):
    found = study.effects(planted(study))
    expected = {
        f"gap[{INITIAL}]": 1.3,
        f"gap[{INFINITE}]": 0.7,
        f"gap_with_chosen_ridge[{INITIAL}]": 1.1,
        f"gap_with_chosen_ridge[{INFINITE}]": 0.5,
        f"gap_at_degree_2[{INITIAL}]": 0.8,
        f"gap_at_degree_2[{INFINITE}]": -0.7,
        f"exponent[{NETWORK}]": 1.2,
        f"exponent[{INITIAL}]": -0.1,
        f"exponent[{INFINITE}]": 0.5,
        "permuted": 1.2,
        "lazy": 0.0,
    }
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value, atol=1e-12, err_msg=name)


def test_gates_hold_on_power_laws(study):
    assert not any(study.gates(planted(study)).values())


def test_a_gap_that_one_half_of_the_window_makes_is_told(study):
    # the first half falls by 2 ln 2 less, which leaves a local gap of 0.7 - 1
    said = study.gates(planted(study, bend=np.log(2)))["halves"]
    assert said == f"gap not above 0.1: -0.3 to the {INFINITE} over P = 400 to 800"


def test_networks_that_stopped_short_are_counted_by_size(study):
    said = study.gates(planted(study, reached=0.0))["reached"]
    assert said.startswith(
        "short of their training loss: 12 of 12 networks at degree 4,"
    )
    assert said.endswith("at degree 2, lazy, P = 200")


def test_figures_show_the_published_curves_beside_ours(study):
    first, second = study.figures({"torch": planted(study)})
    assert first.title == "Learning curves at degree 4"
    (line,) = (
        series
        for series in first.series
        if series.label == "published: network, N = 1000"
    )
    assert dict(zip(line.x, line.y, strict=True))[1800] == 0.046
    assert any("network (1.40" in series.label for series in second.series)
