"""Natural gradient descent and the drift of the Jacobian (claim W1), against explicit Jacobians and
planted numbers.
"""

from math import log
from pathlib import Path

import numpy as np
import pytest

from claims.wenger2023.natural_gradient import DIVERGED, natural_gradient, problem
from harness import backends, seeds, studies
from harness.experiment import Measurements
from harness.kernels import ntk

ROOT = Path(__file__).parents[3]
PATH = "claims/wenger2023/test_ngd_conditions_at_practical_width.py"
TINY = dict(
    depth=1,
    samples=5,
    width=32,
    label_scale=1.0,
    centred=False,
    eta=0.3,
    steps=3,
    looks=(1, 3),
)
REPLICATES = range(2)


@pytest.fixture(scope="module")
def study():
    return studies.load(ROOT / PATH)


@pytest.fixture
def torch():
    pytest.importorskip("torch")
    return backends.get("torch", dtype="float64")


@pytest.fixture(params=["numpy", "torch"])
def backend(request):
    return (
        backends.get("numpy")
        if request.param == "numpy"
        else request.getfixturevalue("torch")
    )


def two_layer(w, x):
    """f and J of sqrt(2 / m) a .

    relu(sqrt(2 / 10) W x), from the definition; w is (W, a) in one vector.
    """
    m = len(w) // 11
    hidden, readout = w[: 10 * m].reshape(m, 10), w[10 * m :]
    h = 0.2**0.5 * x @ hidden.T
    of_hidden = (
        (2 / m) ** 0.5 * 0.2**0.5 * ((h > 0) * readout)[:, :, None] * x[:, None, :]
    )
    of_readout = (2 / m) ** 0.5 * np.maximum(h, 0)
    return of_readout @ readout, np.concatenate(
        [of_hidden.reshape(len(x), -1), of_readout], axis=1
    )


def by_hand(w, x, y, eta, steps):
    """The claim's quantities from explicit Jacobians: the pseudoinverse is the natural-gradient
    step.
    """
    start, (f, first) = w, two_layer(w, x)
    smallest = np.linalg.svd(first, compute_uv=False)[-1]
    radius = 3 * np.linalg.norm(f - y) / smallest
    step = np.linalg.pinv(first) @ (f - y)
    _, at_edge = two_layer(start - radius * step / np.linalg.norm(step), x)
    residuals, drifts, reach = [np.sum((f - y) ** 2)], [], []
    for _ in range(steps):
        f, jacobian = two_layer(w, x)
        w = w - eta * np.linalg.pinv(jacobian) @ (f - y)
        f, jacobian = two_layer(w, x)
        residuals.append(np.sum((f - y) ** 2))
        drifts.append(3 * np.linalg.norm(jacobian - first, 2) / smallest)
        reach.append(np.linalg.norm(w - start) / radius)
    return (
        residuals,
        drifts,
        reach,
        3 * np.linalg.norm(at_edge - first, 2) / smallest,
        smallest**2,
    )


@pytest.mark.parametrize("centred", [False, True])
def test_run_and_drift_are_those_of_explicit_jacobians(backend, centred):
    configuration = dict(TINY, family="two-layer", label_scale=2.0, centred=centred)
    found = natural_gradient(backend, configuration, REPLICATES, "test")
    net, x, y = problem(configuration, REPLICATES, "test")
    assert np.linalg.norm(x, axis=2) == pytest.approx(10**0.5)
    assert set(np.unique(y)) == {-1.0, 1.0}
    for r in REPLICATES:
        seed = seeds.derive("init", stream="test", replicate=r)
        theta = net.init(seed)
        w = np.concatenate([theta["W1"].ravel(), theta["W2"].ravel()])
        target = 2 * y[r, :, 0] + (two_layer(w, x[r])[0] if centred else 0)
        residuals, drifts, reach, ball, smallest = by_hand(
            w, x[r], target, eta=0.3, steps=3
        )
        assert found["residuals"][r] == pytest.approx(residuals, rel=1e-8)
        assert found["drift"][r] == pytest.approx([drifts[0], drifts[2]], rel=1e-6)
        assert found["reach"][r] == pytest.approx(max(reach[0], reach[2]), rel=1e-8)
        assert found["ball"][r] == pytest.approx(ball, rel=1e-6)
        assert found["eigenvalues"][r, 0] == pytest.approx(smallest, rel=1e-8)


@pytest.mark.parametrize("family", ["mlp", "cnn", "pooled cnn"])
def test_drift_of_deep_networks_is_that_of_their_jacobians(torch, family):
    configuration = dict(
        TINY, family=family, depth=2, width=4, samples=3, steps=1, looks=(1,)
    )
    found = natural_gradient(torch, configuration, REPLICATES, "test")
    net, x, y = problem(configuration, REPLICATES, "test")
    theta = net.init(
        seeds.derive("init", stream="test", replicate=r) for r in REPLICATES
    )

    def jacobian(theta):
        """(R, N, P), row by row."""
        rows = [torch.pullback(net, theta, x, np.eye(3)[n][:, None]) for n in range(3)]
        return np.stack(
            [
                np.concatenate([row[k].reshape(2, -1) for k in net.shapes], axis=1)
                for row in rows
            ],
            axis=1,
        )

    first = jacobian(theta)
    step = np.linalg.pinv(first) @ (torch.forward(net, theta, x) - y)
    ends, start = np.cumsum([np.prod(shape) for shape in net.shapes.values()]), 0
    for name, end in zip(net.shapes, ends, strict=True):
        theta[name] = theta[name] - 0.3 * step[:, start:end].reshape(theta[name].shape)
        start = end
    drift = np.linalg.norm(jacobian(theta) - first, 2, axis=(1, 2))
    smallest = np.linalg.svd(first, compute_uv=False)[:, -1]
    assert found["drift"][:, 0] == pytest.approx(3 * drift / smallest, rel=1e-6)


def test_drift_vanishes_as_the_targets_approach_the_outputs(backend):
    near = dict(TINY, family="two-layer", centred=True, label_scale=1e-3)
    far = dict(near, label_scale=1.0)
    small, large = (
        natural_gradient(backend, c, REPLICATES, "test")["drift"] for c in (near, far)
    )
    assert (small < large / 10).all()


def test_a_run_without_an_inverse_stays_where_it_is(backend):
    """11 parameters cannot fit 12 samples: J J^T is singular from the start."""
    configuration = dict(TINY, family="two-layer", width=1, samples=12)
    found = natural_gradient(backend, configuration, REPLICATES, "test")
    assert (found["residuals"] == found["residuals"][:, :1]).all()
    assert all(np.isfinite(values).all() for values in found.values())


def test_a_run_that_diverged_stays_where_it_is(backend):
    configuration = dict(TINY, family="two-layer", eta=-5.0, steps=30)
    residuals = natural_gradient(backend, configuration, REPLICATES, "test")[
        "residuals"
    ]
    assert np.isfinite(residuals).all()
    assert (residuals[:, -1] > DIVERGED * residuals[:, 0]).all()
    assert (residuals[:, -1] == residuals[:, -2]).all()


@pytest.mark.parametrize(
    ("family", "features"), [("cnn", 7 * 7 * 4), ("pooled cnn", 4)]
)
def test_convolutions_are_as_many_as_the_depth_says(family, features):
    net, _, _ = problem(dict(TINY, family=family, depth=2, width=4), [0], "test")
    weights = [shape for name, shape in net.shapes.items() if name.startswith("W")]
    assert weights == [(4, 9), (4, 36), (1, features)]


def test_global_pooling_leaves_a_kernel_far_smaller_in_its_smallest_eigenvalue():
    def smallest(family):
        net, x, _ = problem(dict(TINY, family=family, depth=2), [0], "test")
        return np.linalg.eigvalsh(ntk(net, x[0]))[0]

    assert smallest("pooled cnn") < smallest("cnn") / 10


STEPS = 8


def planted(study, factor=0.3, **changed):
    """Measurements of the quick tier in which C' = 3 width^-0.4 (the controls' too) and |r|^2 falls
    by a factor.
    """
    ones, cells = np.ones(10), []
    for experiment in study.experiments:
        for request in experiment.requests("quick", "torch"):
            drift = (
                np.outer(ones, [1.0, 3.0, 2.0, 2.5])
                * request.configuration["width"] ** -0.4
            )
            arrays = dict(
                residuals=7 * factor ** np.outer(ones, np.arange(STEPS + 1)),
                drift=drift,
                ball=drift[:, 1] * 2,
                reach=np.full(10, 0.3),
                eigenvalues=np.outer(ones, [1.0, 9.0]),
            )
            cells.append((request, {**arrays, **changed}))
    return Measurements(cells)


def test_effects_of_planted_powers_of_width(study):
    effects = study.effects(planted(study))
    expected = {
        "not_certified[MLP]": log(2 * 3 * 512**-0.4),
        "not_certified[CNN]": log(2 * 3 * 16**-0.4),
        "keeps_bound[MLP]": log(0.5 / 0.3),
        "keeps_bound[CNN]": log(0.5 / 0.3),
        "exceeds[CNN with global pooling-bound]": log(0.3 / 0.5),
        "exceeds[narrow MLP-bound]": log(0.3 / 0.5),
        "exceeds[MLP-linear pace]": log(0.3 / 0.25) * STEPS,
        "exceeds[CNN-linear pace]": log(0.3 / 0.25) * STEPS,
        "widest_has_room[path]": -log(2 * 3 * 2 ** (-16 * 0.4)),
        "widest_has_room[ball]": -log(4 * 3 * 2 ** (-16 * 0.4)),
        "large_targets": log(6 * 2 ** (-12 * 0.4)),
        "small_targets": log(6 * 2 ** (-12 * 0.4)),
        "widest": log(6 * 2 ** (-16 * 0.4)),
    }
    assert effects.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_allclose(effects[name], [value] * 10, rtol=1e-9, err_msg=name)


def test_a_bound_broken_once_is_broken(study):
    """The residual doubles in the first step and falls to nothing in the second."""
    residuals = np.outer(np.ones(10), [1.0, 2.0, *[1e-9] * (STEPS - 1)])
    effects = study.effects(planted(study, residuals=residuals))
    assert effects["keeps_bound[MLP]"] == pytest.approx(-log(4))
    assert effects["exceeds[narrow MLP-bound]"] == pytest.approx(log(4))
    assert effects["exceeds[CNN with global pooling-bound]"] == pytest.approx(log(4))
    assert effects["exceeds[MLP-linear pace]"] == pytest.approx(log(8))


@pytest.mark.parametrize(
    ("gate", "changed", "says"),
    [
        (
            "regular",
            dict(eigenvalues=np.outer(np.ones(10), [1e-11, 1.0])),
            "a Gram matrix is singular at: ",
        ),
        (
            "inside",
            dict(reach=np.array([1.01] + [0.3] * 9)),
            "left the ball at: two-layer 1 x 256; ",
        ),
        (
            "finite",
            dict(ball=np.array([np.inf] + [1.0] * 9)),
            "a value is zero or not finite at: ",
        ),
    ],
)
def test_each_gate_closes_on_what_it_guards_against(study, gate, changed, says):
    failures = study.gates(planted(study, **changed))
    assert {name for name, failure in failures.items() if failure} == {gate}
    assert failures[gate].startswith(says)
    assert "mlp 16 x 16;" not in failures[gate]  # no wider than deep
    assert not any(study.gates(planted(study)).values())


def test_residuals_must_be_numbers_in_the_narrow_network_too(study):
    m = planted(study)
    (narrow,) = [
        arrays
        for request, arrays in m.cells
        if request.configuration["width"] == 16 and is_deep(request)
    ]
    narrow["residuals"] = narrow["residuals"] * np.nan
    assert study.gates(m)["finite"] == "a value is zero or not finite at: mlp 16 x 16"


def is_deep(request):
    return request.configuration["depth"] == 16


def test_no_gate_holds_of_what_is_no_number(study):
    """A comparison with NaN is False, which is not to hold."""
    no_numbers = dict(
        eigenvalues=np.full((10, 2), np.nan),
        reach=np.full(10, np.nan),
        drift=np.full((10, 4), np.nan),
    )
    assert all(study.gates(planted(study, **no_numbers)).values())
