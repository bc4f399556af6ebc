"""JAX: how many programs are compiled, and descent of some seeds after others, whose weights a CPU
keeps at hand.
"""

import numpy as np
import pytest

from harness import backends
from harness.backends import SGD, Adam, Stop
from harness.networks import mlp

jax = pytest.importorskip("jax")

NET = mlp((3, 5, 2), "tanh", sigma_b=0.3)
SEEDS = 6


def normal(*shape):
    return np.random.default_rng(shape).standard_normal(shape)


@pytest.fixture(scope="module")
def jax_descent():
    backends.get("jax")
    return pytest.importorskip("harness.backends.jax_descent")


@pytest.fixture(scope="module")
def backend():
    return backends.get("jax", device="cpu", dtype="float64")


def train(backend, **options):
    theta, x, y = NET.init(range(SEEDS)), normal(8, 3), normal(8, 2)
    return backend.train(
        NET, theta, x, y, **{"optimizer": Adam(0.05), "steps": 40, **options}
    )


@pytest.mark.parametrize("batch_size", [None, 3])
def test_every_length_of_a_run_is_the_same_program(backend, batch_size):
    """Checkpoints and the end cut runs of 1, 2, 7, 40, 50 and 10 steps; rates of their own compile
    nothing either.
    """
    train(backend, batch_size=batch_size)
    with jax.no_tracing():
        cut = train(
            backend,
            steps=110,
            checkpoints=(1, 3, 10, 50),
            optimizer=Adam(0.03),
            batch_size=batch_size,
        )
    assert cut.losses.shape == (SEEDS, 110)


def test_arrays_are_put_on_the_device_without_a_program(backend):
    """What its owner writes into them afterwards is not seen there."""
    array, order = normal(5, 7), np.arange(11).reshape(11, 1)
    kept = array.astype(np.float32)
    ops = backends.get("jax", device="cpu", dtype="float32").operations
    with ops.session(), jax.no_tracing():
        there = ops.put(array), ops.put(order)
    array[:], order[:] = 0.0, 0
    assert np.array_equal(ops.fetch(there[0]), kept)
    assert ops.fetch(there[1]).ravel().tolist() == list(range(11))


@pytest.mark.parametrize(
    ("moments", "cache", "together"),
    [(0, 480, 6), (0, 479, 3), (2, 480, 2), (2, 239, 1)],
    ids=["all", "a divisor", "moments count", "one that is too large"],
)
def test_seeds_taken_together_fit_the_cache(
    jax_descent, monkeypatch, moments, cache, together
):
    """Ten weights take 80 bytes per seed, and each moment as many again."""
    weights = {"W1": np.zeros((SEEDS, 10))}
    monkeypatch.setattr(jax_descent, "CACHE", cache)
    assert jax_descent.seeds_together(weights, (weights,) * moments) == together


@pytest.mark.parametrize("own_data", [False, True])
@pytest.mark.parametrize(
    "options",
    [
        {"optimizer": SGD(np.linspace(0.05, 0.3, SEEDS))},
        {"batch_size": 3, "batch_seed": range(SEEDS), "checkpoints": (7,)},
        {"stop": Stop(loss=0.5), "optimizer": SGD(0.2, 0.9), "steps": 90},
    ],
    ids=["rates", "minibatches", "stopped"],
)
def test_seeds_after_one_another_train_as_seeds_at_once(
    backend, jax_descent, monkeypatch, options, own_data
):
    data = (
        {"x": normal(SEEDS, 8, 3), "y": normal(SEEDS, 8, 2)}
        if own_data
        else {"x": normal(8, 3), "y": normal(8, 2)}
    )
    theta, options = (
        NET.init(range(SEEDS)),
        {"optimizer": Adam(0.05), "steps": 40, **options},
    )
    at_once = backend.train(NET, theta, *data.values(), **options)
    monkeypatch.setattr(jax_descent, "CACHE", 1)
    in_parts = backend.train(NET, theta, *data.values(), **options)
    assert np.array_equal(in_parts.steps, at_once.steps)
    assert np.array_equal(in_parts.reason, at_once.reason)
    np.testing.assert_allclose(in_parts.losses, at_once.losses, rtol=1e-11)
    for name, weights in at_once.theta.items():
        np.testing.assert_allclose(in_parts.theta[name], weights, rtol=1e-9, atol=1e-11)
    for step, kept in at_once.checkpoints.items():
        np.testing.assert_allclose(
            in_parts.checkpoints[step]["W1"], kept["W1"], rtol=1e-9, atol=1e-11
        )
