"""Infinite-width kernels of convolutional networks against plain sums, multilayer perceptrons and
finite networks.
"""

import itertools
import re

import numpy as np
import pytest

from harness import backends, kernels
from harness.errors import InvalidInput
from harness.kernels import convolutional
from harness.networks import (
    Activate,
    AveragePool,
    Conv,
    Convolution,
    Hidden,
    Pool,
    cnn,
    mlp,
    myrtle,
)

NETS = {
    "flat": ((4, 3, 2), [Conv(5), Conv(6)]),
    "valid": (
        (5, 4, 1),
        [Conv(5, kernel=(2, 3), padding="valid"), Conv(4, kernel=2), Hidden(7)],
    ),
    "strided": (
        (5, 6, 1),
        [Conv(4, stride=2), Conv(3, kernel=2, stride=(1, 3)), Hidden(5), Hidden(4)],
    ),
    "gaps": ((5, 5, 2), [Conv(4, kernel=1, stride=2), Pool(3)]),
    "pool": ((4, 4, 1), [Conv(5), Pool(2), Conv(6), Hidden(4)]),
    "global": ((3, 4, 2), [Conv(5), Pool((1, 2)), Conv(6), Pool(None)]),
    "pool first": (
        (4, 4, 1),
        [Pool((2, 1)), Conv(6, stride=2), Pool(None), Conv(3), Pool(1)],
    ),
    "sequence": ((6, 2), [Conv(5, stride=2), Conv(5), Pool(None), Hidden(6)]),
    "sequence, flat": ((7, 1), [Conv(5, kernel=4), Conv(5, padding="valid")]),
    "dense first": ((3, 3, 1), [Hidden(4), Conv(5), Pool(None)]),
    "wide kernel": ((2, 2, 1), [Conv(3, kernel=7), Pool(None)]),
}


def inputs(n, dimension, seed=0):
    return np.random.default_rng(seed).standard_normal((n, dimension))


def dual(name, q1, q2, q12, same):
    """E[phi phi] and E[phi' phi'] of relu or erf by the formulas in the correlation and the
    covariance.
    """
    if name == "erf":
        d = (1 + 2 * q1) * (1 + 2 * q2)
        return 2 / np.pi * np.arcsin(2 * q12 / d**0.5), 4 / np.pi / (
            d - 4 * q12**2
        ) ** 0.5
    if q1 * q2 == 0:
        return 0.0, 0.0
    angle = 0.0 if same else np.arccos(q12 / (q1 * q2) ** 0.5)
    slope = (np.pi - angle) / (2 * np.pi)
    return (q1 * q2) ** 0.5 * np.sin(angle) / (2 * np.pi) + q12 * slope, slope


def slow_activation(name, states, first, second, both):
    """K and Theta of the pair `both` after the activation; `first` and `second`: each of its inputs
    with itself.
    """
    moment, theta = states[both]
    after, positions = (np.zeros_like(moment), np.zeros_like(theta)), range(len(moment))
    for p, q in itertools.product(positions, positions):
        variances = states[first][0][p, p], states[second][0][q, q]
        after[0][p, q], slope = dual(
            name, *variances, moment[p, q], first == second and p == q
        )
        after[1][p, q] = slope * theta[p, q]
    return after


def slow_sums(step, moment, theta):
    """K and Theta after a step that is linear in them, from one loop over pairs of positions that
    come out.
    """
    if isinstance(step, AveragePool):
        index = np.arange(step.grid[0] * step.grid[1]).reshape(step.grid)
        (rows, columns), (height, width) = step.out, step.window
        corners = itertools.product(range(rows), range(columns))
        groups = [
            index[r * height : (r + 1) * height, c * width : (c + 1) * width].ravel()
            for r, c in corners
        ]
        return tuple(
            np.array([[k[np.ix_(a, b)].mean() for b in groups] for a in groups])
            for k in (moment, theta)
        )
    channels = step.fan_in // (
        len(moment)
        if not isinstance(step, Convolution)
        else step.kernel[0] * step.kernel[1]
    )
    patches = (
        step.patches[:, ::channels] // channels
        if isinstance(step, Convolution)
        else [np.arange(len(moment))]
    )
    bias, scale = (
        (step.bias_scale * step.bias_std, step.bias_scale) if step.bias else (0.0, 0.0)
    )
    after = (
        np.full((len(patches), len(patches)), bias**2),
        np.full((len(patches), len(patches)), scale**2),
    )
    for (r, a), (s, b) in itertools.product(enumerate(patches), enumerate(patches)):
        for p, q in zip(a, b, strict=True):
            if p < len(moment) and q < len(moment):
                covariance = step.weight_scale**2 * channels * moment[p, q]
                after[0][r, s] += step.weight_std**2 * covariance
                after[1][r, s] += (
                    covariance
                    + (step.weight_scale * step.weight_std) ** 2
                    * channels
                    * theta[p, q]
                )
    return after


def slow_kernels(net, x, y):
    """NNGP and NTK of two inputs."""
    first = net.steps[0]
    positions = (
        first.grid[0] * first.grid[1]
        if isinstance(first, Convolution | AveragePool)
        else 1
    )
    x, y = x.reshape(positions, -1), y.reshape(positions, -1)
    states = [
        (a @ b.T / x.shape[1], np.zeros((positions, positions)))
        for a, b in ((x, x), (y, y), (x, y))
    ]
    variances = [(0, 0), (1, 1), (0, 0) if (x == y).all() else (0, 1)]
    for step in net.steps:
        if isinstance(step, Activate):
            states = [
                slow_activation(step.name, states, *pair, both)
                for both, pair in enumerate(variances)
            ]
        else:
            states = [slow_sums(step, *state) for state in states]
    return states[2][0].item(), states[2][1].item()


@pytest.mark.parametrize("name", NETS)
@pytest.mark.parametrize(
    ("activation", "parametrization", "sigma_b"),
    [
        ("relu", "ntk", None),
        ("erf", "ntk", 0.3),
        ("relu", "standard", 0.0),
        ("erf", "standard", 0.3),
    ],
)
def test_kernels_equal_plain_sums_over_positions_and_offsets(
    name, activation, parametrization, sigma_b
):
    net = cnn(*NETS[name], 2, activation, parametrization, 1.3, sigma_b)
    x = inputs(2, net.inputs)
    slow = np.array([[slow_kernels(net, a, b) for b in x] for a in x])
    np.testing.assert_allclose(kernels.nngp(net, x), slow[..., 0], rtol=1e-10)
    np.testing.assert_allclose(kernels.ntk(net, x), slow[..., 1], rtol=1e-10)
    np.testing.assert_allclose(
        kernels.ntk(net, x[:1], x[1:]), slow[:1, 1:, 1], rtol=1e-10
    )


@pytest.mark.parametrize("sigma_b", [None, 0.0, 0.3])
@pytest.mark.parametrize("parametrization", ["ntk", "standard"])
@pytest.mark.parametrize("activation", ["relu", "erf", "tanh", "sigmoid"])
@pytest.mark.parametrize("pools", [[], [Pool(None)]])
def test_one_position_makes_a_multilayer_perceptron(
    pools, activation, parametrization, sigma_b
):
    scales = (1, activation, parametrization, 1.3, sigma_b)
    net = cnn((1, 1, 5), [Conv(9, 1), Conv(8, 1), *pools, Hidden(7)], *scales)
    perceptron, x = mlp((5, 9, 8, 7, 1), *scales[1:]), inputs(6, 5)
    for kernel in (kernels.ntk, kernels.nngp):
        np.testing.assert_allclose(kernel(net, x), kernel(perceptron, x), rtol=1e-12)
        np.testing.assert_allclose(
            kernel(net, x, x[::-1]), kernel(perceptron, x, x[::-1]), rtol=1e-12
        )


def ntk_and_covariance(net, wide, x, seeds):
    """Mean and standard error over seeds of net's empirical NTK and of f f^T, averaged over the
    outputs of `wide`.
    """
    b = backends.get("torch", dtype="float64")
    f = np.asarray(b.forward(wide, wide.init(range(seeds)), x))
    ntk = np.asarray(b.empirical_ntk(net, net.init(range(seeds)), x)).reshape(
        seeds, len(x), len(x)
    )
    drawn = np.stack([ntk, f @ f.transpose(0, 2, 1) / wide.outputs])
    return drawn.mean(axis=1), drawn.std(axis=1, ddof=1) / seeds**0.5


@pytest.mark.parametrize(
    ("activation", "parametrization", "sigma_b"),
    [
        ("relu", "standard", None),
        ("relu", "ntk", 0.0),
        ("erf", "standard", 0.3),
        ("tanh", "ntk", 0.3),
    ],
)
@pytest.mark.parametrize(
    ("shape", "parts"),
    [
        ((4, 4, 2), [Conv(96), Pool(2), Conv(96), Pool(None)]),
        (
            (4, 3, 1),
            [Conv(96, stride=(1, 2)), Conv(96, kernel=2, padding="valid"), Hidden(96)],
        ),
        ((5, 2), [Conv(96), Conv(96, stride=2), Pool(None), Hidden(96)]),
        ((4, 2), [Conv(96), Conv(96)]),
    ],
)
def test_wide_nets_have_these_kernels_on_average(
    shape, parts, activation, parametrization, sigma_b
):
    net, wide = (
        cnn(shape, parts, outputs, activation, parametrization, 1.3, sigma_b)
        for outputs in (1, 16)
    )
    x = inputs(3, net.inputs)
    mean, error = ntk_and_covariance(net, wide, x, seeds=200)
    exact = np.array([kernels.ntk(net, x), kernels.nngp(net, x)])
    assert np.abs((mean - exact) / error).max() < 4.5
    scale = np.array([np.diag(kernel).max() for kernel in exact])
    # so that a missing or wrong term would be seen
    assert (error.max(axis=(1, 2)) / scale < (0.02, 0.04)).all()


def test_kernels_of_outputs_beyond_the_first_are_the_same():
    one, ten = (cnn((3, 3, 1), [Conv(4), Pool(3)], outputs) for outputs in (1, 10))
    np.testing.assert_array_equal(
        kernels.ntk(one, inputs(3, 9)), kernels.ntk(ten, inputs(3, 9))
    )


def test_a_myrtle_kernel_is_that_of_its_parts():
    parts = [Conv(3), Conv(3), Pool(2), Conv(3), Pool(2), Conv(3), Pool(None)]
    net, x = myrtle(5, 8, (8, 8, 2)), inputs(2, 128)
    np.testing.assert_allclose(
        kernels.ntk(net, x), kernels.ntk(cnn((8, 8, 2), parts), x), rtol=1e-14
    )


@pytest.mark.parametrize("activation", ["relu", "tanh"])
@pytest.mark.parametrize("name", NETS)
def test_kernels_are_symmetric_psd_and_the_same_with_x2_spelt_out(name, activation):
    net = cnn(*NETS[name], 1, activation, "ntk", 1.4, 0.1)
    x = inputs(7, net.inputs)
    x = np.concatenate([x, x[:2], np.zeros((1, net.inputs)), np.ones((1, net.inputs))])
    for kernel in (kernels.ntk, kernels.nngp):
        k = kernel(net, x)
        assert k.dtype == np.float64
        assert (k == k.T).all()
        assert np.linalg.eigvalsh(k)[0] >= -1e-12 * np.trace(k)
        np.testing.assert_allclose(
            kernel(net, x, x.copy()), k, rtol=0, atol=1e-13 * np.diag(k).max()
        )


@pytest.mark.parametrize(
    "parts", [[Conv(4), Pool(2), Conv(4), Pool(None)], [Conv(4), Conv(4, stride=2)]]
)
def test_blocks_do_not_show(parts, monkeypatch):
    net, x = cnn((4, 4, 1), parts, sigma_b=0.2), inputs(11, 16)
    whole, others = kernels.ntk(net, x), kernels.nngp(net, x[:3], x)
    for pairs in (
        1,
        2**10,
    ):  # one pair of inputs at once, and blocks of 2 x 2 (pooling) or 8 x 8
        monkeypatch.setattr(convolutional, "_BLOCK", pairs)
        np.testing.assert_allclose(kernels.ntk(net, x), whole, rtol=1e-13)
        np.testing.assert_allclose(kernels.nngp(net, x[:3], x), others, rtol=1e-13)


@pytest.mark.parametrize("activation", ["relu", "erf", "tanh"])
@pytest.mark.parametrize("sigma_b", [None, 0.3])
def test_near_duplicates_are_as_accurate_as_documented(activation, sigma_b):
    scales = (1, activation, "ntk", 2**0.5, sigma_b)
    gaps = 10.0 ** np.arange(-12, 0)
    x, y = np.array([[1.0, 0.0]]), np.stack([np.cos(gaps), np.sin(gaps)], axis=1)
    net, perceptron = (
        cnn((1, 1, 2), [Conv(3, 1)] * 3, *scales),
        mlp((2, 3, 3, 3, 1), *scales[1:]),
    )
    for kernel, tolerance in (
        (kernels.ntk, 3e-8 if activation == "relu" else 1e-13),
        (kernels.nngp, 1e-13),
    ):  # 3 layers
        exact = kernel(perceptron, x, y)
        np.testing.assert_allclose(
            kernel(net, x, y) / exact, 1.0, rtol=0, atol=tolerance
        )


def test_zero_patches_follow_finite_nets_where_relu_is_flat_at_zero():
    x = np.zeros((2, 36))
    x[1, 0] = 1.0  # most patches see nothing but zeros
    net = cnn((6, 6, 1), [Conv(4), Pool(2), Conv(4), Pool(None)], sigma_b=None)
    k = kernels.ntk(net, x)
    assert (k[0] == 0).all()
    assert k[1, 1] == pytest.approx(slow_kernels(net, x[1], x[1])[1], rel=1e-12)


def test_no_inputs_give_an_empty_kernel():
    net = cnn((3, 3, 1), [Conv(4), Pool(None)])
    assert kernels.ntk(net, np.ones((0, 9))).shape == (0, 0)
    assert kernels.nngp(net, np.ones((3, 9)), np.ones((0, 9))).shape == (3, 0)


@pytest.mark.parametrize("kernel", [kernels.ntk, kernels.nngp])
@pytest.mark.parametrize(
    ("x1", "x2", "message"),
    [
        (
            np.ones((4, 3, 3)),
            None,
            "x1 must have shape (N, 9), one row per input of the net; got (4, 3, 3).",
        ),
        (
            np.ones((4, 9)),
            np.ones((1, 4)),
            "x2 must have shape (N, 9), one row per input of the net; got (1, 4).",
        ),
        (
            np.full((2, 9), np.nan),
            None,
            "x1 must be finite, and so must the squared lengths of its "
            "rows; 2 of 2 rows",
        ),
        (
            np.ones((1, 9), dtype=complex),
            None,
            "x1 must be real: booleans, integers or floats; got dtype complex128.",
        ),
    ],
)
def test_bad_inputs_are_named(kernel, x1, x2, message):
    with pytest.raises(InvalidInput, match=re.escape(message)):
        kernel(cnn((3, 3, 1), [Conv(4)]), x1, x2)
