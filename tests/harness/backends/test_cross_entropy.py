"""Cross-entropy: values and gradients of every backend against formulas written out, and what is
refused.
"""

import numpy as np
import pytest

from harness import backends
from harness.backends import SGD, Adam, Stop
from harness.backends.losses import cross_entropy
from harness.errors import InvalidInput
from harness.networks import Conv, Pool, cnn, from_callable, mlp

NET = mlp((3, 5, 4), "tanh", sigma_b=0.3)
SEEDS = range(3)
THETA = NET.init(SEEDS)


def normal(*shape):
    return np.random.default_rng(shape).standard_normal(shape)


X = normal(6, 3)
LABELS = np.array([0, 3, 1, 1, 2, 0])
ONE_HOT = np.eye(4)[LABELS]
SOFT = np.abs(normal(6, 4)) / np.abs(normal(6, 4)).sum(axis=1, keepdims=True)


def train(backend, net=NET, theta=THETA, x=X, y=ONE_HOT, **options):
    terms = {"optimizer": SGD(0.2), "steps": 1, **options}
    return backend.train(net, theta, x, y, loss="cross-entropy", **terms)


def naive(f, y):
    """Mean over samples of - sum_o y_o log p_o, one sample after another."""
    total = 0.0
    for outputs, targets in zip(f, y, strict=True):
        p = np.exp(outputs) / np.exp(outputs).sum()
        total -= (targets * np.log(p)).sum()
    return total / len(f)


def moved(theta, name, index, step):
    """The weights of the first seed with one entry moved."""
    weights = {key: array[0].copy() for key, array in theta.items()}
    weights[name][index] += step
    return weights


@pytest.mark.parametrize("y", [ONE_HOT, SOFT], ids=["one-hot", "soft"])
def test_the_loss_before_a_step_is_the_formula_s(backend, y):
    trained = train(backend, y=y)
    for seed in SEEDS:
        f = backend.forward(NET, {key: a[seed] for key, a in THETA.items()}, X)
        assert trained.losses[seed, 0] == pytest.approx(naive(f, y), rel=1e-10)
        after = backend.forward(NET, {k: a[seed] for k, a in trained.theta.items()}, X)
        assert trained.loss[seed] == pytest.approx(naive(after, y), rel=1e-10)


@pytest.mark.parametrize("y", [ONE_HOT, SOFT], ids=["one-hot", "soft"])
def test_a_step_goes_down_the_slope_of_the_formula(backend, oracle, y):
    """Slopes by central differences of the loss written out."""
    trained = train(backend, y=y)
    h = 1e-5
    for name, array in THETA.items():
        for index in np.ndindex(array.shape[1:]):
            up, down = (
                naive(oracle.forward(NET, moved(THETA, name, index, step), X), y)
                for step in (h, -h)
            )
            step = trained.theta[name][0][index] - array[0][index]
            assert step == pytest.approx(-0.2 * (up - down) / (2 * h), abs=1e-9)


OPTIONS = [
    pytest.param({"optimizer": SGD(0.2, 0.9)}, id="momentum"),
    pytest.param({"optimizer": Adam(0.05)}, id="adam"),
    pytest.param({"batch_size": 4, "batch_seed": 5}, id="minibatches"),
    pytest.param({"samples": 5, "stop": Stop(loss=1.2)}, id="to a loss"),
    pytest.param({"stop": Stop(accuracy=0.8, every=3)}, id="to an accuracy"),
    pytest.param({"stop": Stop(validation=(X, SOFT), every=2)}, id="validation"),
]


@pytest.mark.parametrize("options", OPTIONS)
def test_training_agrees_with_the_oracle(fast, oracle, options):
    one, other = (train(b, steps=20, **options) for b in (fast, oracle))
    np.testing.assert_array_equal(one.steps, other.steps)
    np.testing.assert_array_equal(one.reason, other.reason)
    np.testing.assert_allclose(one.losses, other.losses, rtol=1e-9)
    np.testing.assert_allclose(one.loss, other.loss, rtol=1e-9)
    np.testing.assert_allclose(one.validation, other.validation, rtol=1e-9)
    for name, weights in other.theta.items():
        np.testing.assert_allclose(one.theta[name], weights, rtol=1e-8, atol=1e-10)


def test_convolutions_and_functions_train_on_it_too(fast, oracle):
    images = cnn((4, 4, 1), [Conv(2), Pool(2)], outputs=3)
    theta, x = images.init(SEEDS), normal(5, 16)
    y = np.eye(3)[[0, 1, 2, 2, 1]]
    linear = from_callable(
        lambda theta, x: x @ theta["W"],
        inputs=3,
        outputs=4,
        initial=lambda rng: {"W": rng.standard_normal((3, 4))},
    )
    for net, weights, inputs, targets in (
        (images, theta, x, y),
        (linear, linear.init(SEEDS), X, ONE_HOT),
    ):
        one, other = (
            train(b, net, weights, inputs, targets, steps=4) for b in (fast, oracle)
        )
        np.testing.assert_allclose(one.losses, other.losses, rtol=1e-8)


def test_samples_in_several_parts_give_the_loss_of_all(monkeypatch):
    """PyTorch on a CPU adds up what a part of the samples gives after another."""
    pytest.importorskip("torch")
    from harness.backends import torch_descent

    backend = backends.get("torch", device="cpu", dtype="float64")
    whole = train(backend, steps=3)
    monkeypatch.setattr(torch_descent, "CACHED", 2 * 8 * torch_descent.features(NET))
    parts = train(backend, steps=3)
    np.testing.assert_allclose(parts.losses, whole.losses, rtol=1e-12)
    for name, weights in whole.theta.items():
        np.testing.assert_allclose(parts.theta[name], weights, rtol=1e-12)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_large_outputs_do_not_overflow(backend, dtype):
    """Outputs of +-400: exp(800) is above the largest number of float64."""
    if backend.name != "numpy":
        backend = backends.get(backend.name, dtype=dtype)
    net = mlp((1, 2, 2), parametrization="standard", sigma_b=0.0)
    theta = {
        "W1": np.ones((2, 1)),
        "b1": np.zeros(2),
        "W2": 200.0 * np.array([[1.0, 1.0], [-1.0, -1.0]]),
        "b2": np.zeros(2),
    }
    x, y = np.ones((1, 1)), np.array([[0.0, 1.0]])
    trained = train(backend, net, theta, x, y, optimizer=SGD(0.01))
    assert trained.losses[0] == pytest.approx(800.0, rel=1e-6)
    # d loss / d b2 = softmax - y = (1, -1)
    np.testing.assert_allclose(trained.theta["b2"], [-0.01, 0.01], rtol=1e-5)
    assert trained.reason == "steps"


def test_a_network_that_diverged_has_no_cross_entropy():
    f = np.array([[[np.nan, 0.0]], [[np.inf, 0.0]], [[0.0, 0.0]]])
    found = cross_entropy(f, np.array([[[1.0, 0.0]]]))
    assert np.isnan(found[:2]).all()
    assert found[2] == pytest.approx(np.log(2))


def test_one_output_has_no_classes(backend):
    net = mlp((3, 5, 1))
    with pytest.raises(
        InvalidInput,
        match=r"at least 2 outputs; y has 1 column\. Take loss=\"squared\" with targets",
    ):
        train(backend, net, net.init(SEEDS), X, np.ones((6, 1)))
