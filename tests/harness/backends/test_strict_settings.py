"""Settings of other projects, under which the same numbers must come out: JAX's strict modes,
NumPy's traps.
"""

import jax
import numpy as np
import pytest

from harness import backends, kernels
from harness.backends import SGD, Adam
from harness.networks import Conv, Pool, cnn, from_callable, mlp, ntk_noise

STRICT = [
    ("jax_numpy_rank_promotion", "raise"),
    ("jax_numpy_dtype_promotion", "strict"),
    ("jax_debug_nans", True),
    ("jax_debug_infs", True),
    ("jax_transfer_guard", "disallow"),
]
NETS = {
    "erf": mlp((4, 6, 2), "erf", sigma_b=0.1),
    "tanh": mlp((4, 6, 1), "tanh", "standard", sigma_b=0.1),
    "images": cnn((2, 2, 1), [Conv(3), Pool(2)], activation="relu", outputs=2),
    "own": from_callable(
        {
            "jax": lambda t, x: jax.numpy.tanh(x) @ t["w"],
            "torch": lambda t, x: x.tanh() @ t["w"],
        },
        inputs=4,
        outputs=2,
        initial={"w": np.ones((4, 2))},
    ),
}


@pytest.fixture
def strict():
    """Sets all of these options of JAX, for the test; returns a function that takes them back."""
    before = {option: getattr(jax.config, option) for option, _ in STRICT}

    def back():
        for option, value in before.items():
            jax.config.update(option, value)

    for option, value in STRICT:
        jax.config.update(option, value)
    yield back
    back()


def everything(backend, net, x):
    """All that a backend computes with a network; two steps of each optimiser, one that diverges
    among them.
    """
    theta = net.init([0, 1] if net is not NETS["own"] else 0)
    y = np.zeros((len(x), net.outputs))
    results = [backend.forward(net, theta, x)]
    results += [
        backend.empirical_ntk(net, theta, x, outputs=outputs)
        for outputs in ("trace", "full")
    ]
    results.append(backend.empirical_ntk(net, theta, x, x[:2]))
    results.append(backend.ntk_vector_product(net, theta, x, np.ones_like(results[0])))
    for optimizer in (SGD(0.1), SGD(0.1, 0.9), SGD(1e20), Adam(0.1)):
        results.append(
            backend.train(net, theta, x, y, optimizer=optimizer, steps=2).loss
        )
    if net is NETS["own"]:
        return results
    if net.dense and net.outputs == 1:
        results.append(backend.ntk_samples(net, x[0], ntk_noise(net, seed=0, draws=2)))
    return [
        *results,
        backend.infinite_ntk(net, x),
        backend.infinite_nngp(net, x, x[:2]),
    ]


def regressions(backend, x):
    k = kernels.ntk(NETS["erf"], x)
    return [
        backend.kernel_regression(k, x, k, ridges) for ridges in (0.1, (1e-30, 0.1), ())
    ]


@pytest.mark.parametrize("name", NETS)
@pytest.mark.parametrize("dtype", backends.DTYPES)
def test_strict_modes_of_jax_change_nothing(strict, name, dtype):
    backend = backends.get("jax", dtype=dtype)
    x = np.random.default_rng(0).standard_normal((4, 4))
    found = everything(backend, NETS[name], x)
    strict()
    plain = everything(backend, NETS[name], x)
    for one, other in zip(found, plain, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


def test_strict_modes_of_jax_let_regression_pass(strict):
    x = np.random.default_rng(0).standard_normal((4, 4))
    one, ladder, none = regressions(backends.get("jax"), x)
    np.testing.assert_array_equal(one, ladder[1])
    assert none.shape == (0, 4, 4)


def test_no_ridges_give_no_predictions(backend):
    x = np.random.default_rng(0).standard_normal((4, 4))
    assert regressions(backend, x)[2].shape == (0, 4, 4)
    assert kernels.regression(np.eye(4), x, np.eye(4), ()).shape == (0, 4, 4)


@pytest.mark.parametrize("activation", ["relu", "erf", "tanh", "sigmoid"])
def test_infinite_kernels_under_traps(fast, activation):
    net, x = (
        mlp((3, 8, 8, 1), activation),
        np.random.default_rng(0).standard_normal((5, 3)),
    )
    with np.errstate(all="raise"):
        for found in (
            kernels.ntk(net, x),
            kernels.nngp(net, x),
            fast.infinite_ntk(net, x),
            fast.infinite_nngp(net, x),
        ):
            assert np.isfinite(found).all()


def test_prediction_under_traps():
    k, y = np.diag([1.0, 1e-30, 0.0]), np.ones(3)
    with np.errstate(all="raise"):
        kernels.regression(k, y, k, [0.0, 1e-300, 1e-20, 1.0])
        kernels.gradient_flow(k, y, k, [0.0, 1e-300, 1.0, 1e20, 1e300])
