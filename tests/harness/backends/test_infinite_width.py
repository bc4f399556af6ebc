"""Infinite-width kernels of the backends against the oracle in harness.kernels, and against
neural-tangents' numbers.

Measured, worst entry relative to the diagonal. float64: perceptrons 6e-15 at depth 10; convolutions
1e-15, but relu for patches within 1e-6 rad, which the oracle resolves to 1e-10 itself, 3e-10.
float32: relu, sigmoid 5e-7, erf, tanh 3e-6, convolutions 1e-6.
"""

import re
from pathlib import Path

import numpy as np
import pytest

from harness import backends, kernels
from harness.backends.jax_infinite import arcsine_coefficients
from harness.errors import InvalidInput
from harness.networks import Conv, Hidden, Pool, cnn, mlp
from tests.verify.oracle import ours
from tests.verify.oracle.architectures import architectures, closed_form
from tests.verify.oracle.comparison import compared

REFERENCE = Path(__file__).parents[3] / "fixtures" / "neural_tangents.npz"
KERNELS = {"infinite_ntk": kernels.ntk, "infinite_nngp": kernels.nngp}
each_kernel = pytest.mark.parametrize("name", KERNELS)


def inputs(n, dimension, seed=0):
    return np.random.default_rng(seed).standard_normal((n, dimension))


def hard(dimension):
    """Random rows, near-duplicates of the first at 1e-3, 1e-6, 1e-9 and 1e-18 rad, an opposite,
    zero, a duplicate.
    """
    x, v = inputs(6, dimension), inputs(1, dimension, seed=1)[0]
    v -= x[0] * (v @ x[0]) / (x[0] @ x[0])
    v *= np.linalg.norm(x[0]) / np.linalg.norm(v)
    near = [x[0] + angle * v for angle in (1e-3, 1e-6, 1e-9, 1e-18)]
    return np.vstack([x, near, -2 * x[1], 0 * x[0], x[3]])


def error(found, kernel, net, x1, x2=None):
    """The largest error, relative to the diagonal; where that is zero, entries are to be zero."""
    one, two = (
        np.sqrt(np.diag(kernel(net, x))) for x in (x1, x1 if x2 is None else x2)
    )
    assert np.isfinite(found).all()
    return (np.abs(found - kernel(net, x1, x2)) / (np.outer(one, two) + 1e-300)).max()


def agrees(backend, net, x1, x2, tolerance):
    for name, kernel in KERNELS.items():
        square, oblong = (
            getattr(backend, name)(net, x1),
            getattr(backend, name)(net, x1, x2),
        )
        assert square.dtype == oblong.dtype == backend.dtype
        assert error(square, kernel, net, x1) < tolerance
        assert error(oblong, kernel, net, x1, x2) < tolerance
        np.testing.assert_array_equal(square, square.T)
        if net.dense:
            np.testing.assert_array_equal(
                np.diag(square), np.diag(kernel(net, x1)).astype(backend.dtype)
            )


PERCEPTRONS = [
    ("relu", "ntk", None, 1),
    ("relu", "ntk", 0.0, 3),
    ("relu", "standard", 0.3, 3),
    ("relu", "ntk", 0.3, 10),
    ("erf", "ntk", None, 1),
    ("erf", "standard", 0.3, 10),
    ("tanh", "ntk", 0.3, 2),
    ("sigmoid", "ntk", 0.0, 1),
]


@pytest.mark.parametrize(
    ("activation", "parametrization", "sigma_b", "depth"), PERCEPTRONS
)
def test_perceptrons_have_the_kernels_of_the_oracle(
    fast, activation, parametrization, sigma_b, depth
):
    net = mlp(
        (5, *[7] * depth, 1), activation, parametrization, sigma_w=1.3, sigma_b=sigma_b
    )
    x = hard(5)
    agrees(fast, net, x, np.vstack([x[:3], -x[4:6], inputs(4, 5, seed=2)]), 1e-10)


NETS = {
    "strided": (
        (5, 6, 1),
        [Conv(4, stride=2), Conv(3, kernel=2, stride=(1, 3)), Hidden(5)],
    ),
    "global": ((3, 4, 2), [Conv(5), Pool((1, 2)), Conv(6), Pool(None)]),
    "sequence": (
        (6, 2),
        [Conv(5, stride=2), Conv(5, kernel=2, padding="valid"), Pool(None), Hidden(6)],
    ),
    "pool first": (
        (4, 4, 1),
        [Pool((2, 1)), Conv(6, stride=2), Pool(None), Conv(3), Pool(1)],
    ),
    "dense first": ((3, 3, 1), [Hidden(4), Conv(5), Pool(None)]),
    "wide kernel": ((2, 2, 1), [Conv(3, kernel=7), Pool(None)]),
}


CONVOLUTIONS = [("strided", "relu"), ("global", "relu"), ("sequence", "erf")]
ENTRIES = [("pool first", "relu"), ("dense first", "relu"), ("wide kernel", "relu")]


@pytest.mark.parametrize(("name", "activation"), CONVOLUTIONS + ENTRIES)
def test_convolutions_have_the_kernels_of_the_oracle(fast, name, activation):
    net = cnn(*NETS[name], 1, activation, "standard", 1.3, 0.3)
    x = np.vstack([inputs(3, net.inputs), np.zeros(net.inputs)])
    x = np.vstack([x, -x[1], x[0] + 1e-4 * inputs(1, net.inputs, seed=1)[0]])
    agrees(fast, net, x, np.vstack([x[:2], inputs(2, net.inputs, seed=2)]), 1e-10)


@pytest.mark.parametrize("activation", ["relu", "erf"])
@pytest.mark.parametrize("backend", ["torch", "jax"])
def test_float32_keeps_the_angles_of_near_duplicates(backend, activation):
    """1 - cosine in float32 would be off by 10 % at 1e-3 rad, and the kernel of relu by 6e-6."""
    net, x = mlp((5, 8, 8, 8, 1), activation, sigma_w=1.3, sigma_b=0.3), hard(5)
    agrees(
        backends.get(backend, dtype="float32"),
        net,
        x,
        x[:4],
        {"relu": 4e-7, "erf": 4e-6}[activation],
    )


@pytest.mark.parametrize(
    "net", [mlp((5, 8, 1)), cnn((3, 4, 2), [Conv(5), Pool(None)])], ids=["mlp", "cnn"]
)
def test_a_small_budget_makes_blocks_and_the_same_kernel(fast, net):
    """Three rows of a perceptron fit, and one of a convolutional network, which needs more than
    there is.
    """
    small = backends.get(fast.name, dtype="float64", memory_budget=16 * 8 * 9)
    x1, x2 = inputs(10, net.inputs), inputs(7, net.inputs, seed=1)
    for pair in ((x1,), (x1, x2), (x2, x1)):
        assert error(small.infinite_ntk(net, *pair), kernels.ntk, net, *pair) < 1e-12


@each_kernel
def test_a_mapped_file_holds_the_kernel(backend, name, tmp_path):
    net, x = mlp((5, 8, 1)), inputs(300, 5)
    path = tmp_path / "kernel.npy"
    out = np.lib.format.open_memmap(path, "w+", backend.dtype, (300, 300))
    assert getattr(backend, name)(net, x, out=out) is out
    np.testing.assert_array_equal(
        np.load(path, allow_pickle=False), getattr(backend, name)(net, x)
    )


def test_kernels_take_an_array_to_write_into():
    net, x, out = mlp((5, 8, 1)), inputs(4, 5), np.empty((4, 3))
    for kernel in KERNELS.values():
        assert kernel(net, x, x[:3], out=out) is out
        np.testing.assert_array_equal(out, kernel(net, x, x[:3]))


@each_kernel
def test_the_numpy_backend_is_the_oracle(oracle, name):
    net, x = cnn(*NETS["global"]), inputs(3, 24)
    np.testing.assert_array_equal(
        getattr(oracle, name)(net, x, x[:2]), KERNELS[name](net, x, x[:2])
    )


READ_ONLY = np.empty((4, 4))
READ_ONLY.flags.writeable = False


@each_kernel
@pytest.mark.parametrize(
    ("out", "message"),
    [
        (
            [[0.0] * 4] * 4,
            "out must be a NumPy array, such as numpy.lib.format.open_memmap; got list.",
        ),
        (
            np.empty((4, 3)),
            "out must have shape (4, 4) and dtype float64; got (4, 3) and float64.",
        ),
        (
            np.empty((4, 4), "float32"),
            "out must have shape (4, 4) and dtype float64; got (4, 4) and float32.",
        ),
        (
            READ_ONLY,
            "out must be writable, and it is read-only. Open a mapped file with mode 'w+' or 'r+'.",
        ),
    ],
)
def test_an_array_that_does_not_fit_is_named(backend, name, out, message):
    net, x = mlp((5, 8, 1)), inputs(4, 5)
    for kernel in (getattr(backend, name), KERNELS[name]):
        with pytest.raises(InvalidInput, match=re.escape(message)):
            kernel(net, x, out=out)


@each_kernel
@pytest.mark.parametrize(
    ("net", "x1", "x2", "message"),
    [
        (
            {"widths": (5, 1)},
            np.ones((1, 5)),
            None,
            "need a harness.networks.Network; got dict.",
        ),
        (
            mlp((5, 1)),
            np.ones((4, 3)),
            None,
            "x1 must have shape (N, 5), one row per input of the net; got (4, 3).",
        ),
        (
            mlp((5, 1)),
            np.ones((4, 5)),
            np.full((2, 5), np.nan),
            "x2 must be finite, and so must the squared lengths",
        ),
    ],
)
def test_bad_inputs_are_named(backend, name, net, x1, x2, message):
    with pytest.raises(InvalidInput, match=re.escape(message)):
        getattr(backend, name)(net, x1, x2)


@pytest.mark.parametrize("eps", [2.0**-23, 2.0**-52])
def test_the_polynomial_is_the_arcsine_to_rounding(eps):
    t = np.concatenate([np.linspace(0, 0.5, 10_001)[1:], 10.0 ** -np.arange(1, 40)])
    series = np.polynomial.Polynomial(arcsine_coefficients(eps))(t - 0.25)
    np.testing.assert_allclose(np.sqrt(t) * series, np.arcsin(np.sqrt(t)), rtol=4 * eps)


# JAX compiles for a second or so per network, so it gets every eleventh.
CLOSED_FORMS = [
    name for name, architecture in architectures().items() if closed_form(architecture)
]
CASES = [("torch", name) for name in CLOSED_FORMS] + [
    ("jax", name) for name in CLOSED_FORMS[::11]
]


@pytest.fixture(scope="module")
def frozen():
    with np.load(REFERENCE, allow_pickle=False) as file:
        return {
            key: file[key]
            for key in file
            if key.rpartition("/")[2] in ("x", "ntk", "nngp")
        }


@pytest.mark.parametrize(("backend", "name"), CASES, indirect=["backend"])
def test_neural_tangents_has_the_same_kernels(backend, frozen, name):
    net, x = ours.network(architectures()[name]), frozen[f"{name}/x"]
    found = {"ntk": backend.infinite_ntk(net, x), "nngp": backend.infinite_nngp(net, x)}
    assert (
        list(
            compared(name, found, {entry: frozen[f"{name}/{entry}"] for entry in found})
        )
        == []
    )


IN_RANGE = {
    "float32": (1e-14, 1e-9, 1e9, 1.7e12, 1e17),
    "float64": (1e-140, 1e-100, 1e-20, 1e20, 1e80, 1e150),
}


@pytest.mark.parametrize("activation", ["relu", "erf", "tanh", "sigmoid"])
@pytest.mark.parametrize("sigma_b", [None, 0.3])
def test_large_and_small_inputs_have_the_kernels_of_the_oracle(
    precise, activation, sigma_b
):
    backend, _ = precise
    net = mlp((4, 8, 8, 1), activation, sigma_w=1.3, sigma_b=sigma_b)
    x = inputs(5, 4)
    for scale in IN_RANGE[backend.dtype]:
        mixed = np.vstack([scale * x, x[:2], 0 * x[:1]])
        for name, kernel in KERNELS.items():
            found = getattr(backend, name)(net, mixed)
            assert (
                error(found, kernel, net, mixed)
                < {"float32": 1e-5, "float64": 1e-12}[backend.dtype]
            )


@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_convolutions_of_large_and_small_inputs_have_the_kernels_of_the_oracle(
    precise, activation
):
    backend, _ = precise
    net = cnn(
        (4, 4, 1), [Conv(4), Pool(2), Conv(4)], activation=activation, sigma_b=0.3
    )
    for scale in {"float32": (1e-9, 1e10, 1e15), "float64": (1e-20, 1e20, 1e80)}[
        backend.dtype
    ]:
        images = scale * inputs(3, 16)
        for name, kernel in KERNELS.items():
            found = getattr(backend, name)(net, images)
            assert (
                error(found, kernel, net, images)
                < {"float32": 1e-5, "float64": 1e-9}[backend.dtype]
            )


def test_two_erf_layers_of_very_large_inputs_depend_on_the_angle_alone():
    """Where erf has saturated, E[phi phi] = 1 - 2 a / pi at angle a: the kernel in closed form, for
    any size.
    """
    net, angle = (
        mlp((2, 8, 1), "erf", sigma_w=1.0, sigma_b=None),
        np.array([0.1, 1.0, 2.0]),
    )
    x = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    right = 1 - 2 / np.pi * np.abs(angle[:, None] - angle)
    for scale in (1e40, 1e100, 1e150):
        np.testing.assert_allclose(
            kernels.nngp(net, scale * x), right, rtol=0, atol=1e-12
        )


@pytest.mark.parametrize("activation", ["relu", "erf", "tanh", "sigmoid"])
@pytest.mark.parametrize("name", ["torch", "jax"])
@pytest.mark.parametrize("scale", [1e-25, 1e20, 1e100])
def test_inputs_out_of_the_range_of_float32_are_refused_with_the_range(
    activation, name, scale
):
    pytest.importorskip(name)
    backend = backends.get(name, dtype="float32")
    x = np.vstack([inputs(2, 16), scale * inputs(1, 16, seed=1)])
    message = (
        re.escape("1 of 3 inputs are out of the range of float32 (first: row 2)")
        + ".* allowed are 0 and 1e-15 "
    )
    for net in (
        mlp((16, 8, 1), activation, sigma_b=None),
        cnn((4, 4, 1), [Conv(4)], activation=activation),
    ):
        with pytest.raises(InvalidInput, match=message):
            backend.infinite_nngp(net, x)
        with pytest.raises(InvalidInput, match=message):
            backend.infinite_nngp(
                net, x[:2], x
            ) if scale < 1 else backend.infinite_nngp(net, x, x[:2])


def test_kernels_that_leave_the_range_on_the_way_are_refused(fast):
    """Inputs of usual size, but weights that make the kernel overflow or vanish with depth."""
    for sigma_w in (1e-80, 1e80):
        for net in (
            mlp((16, 8, 8, 1), sigma_w=sigma_w, sigma_b=None),
            cnn((4, 4, 1), [Conv(4), Conv(4)], sigma_w=sigma_w, sigma_b=None),
        ):
            with pytest.raises(
                InvalidInput, match="3 of 3 inputs are out of the range of float64"
            ):
                fast.infinite_ntk(net, inputs(3, 16))


def test_tiny_inputs_beside_a_bias_count_as_zero(precise):
    backend, _ = precise
    net = mlp((4, 8, 1), "erf", sigma_b=0.3)
    tiny = 10.0 ** {"float32": -30, "float64": -145}[backend.dtype] * inputs(3, 4)
    np.testing.assert_allclose(
        backend.infinite_ntk(net, tiny), kernels.ntk(net, 0 * tiny), rtol=1e-6
    )


def test_rows_whose_squares_vanish_are_refused():
    net = mlp((4, 8, 1))
    with pytest.raises(
        InvalidInput, match=re.escape("rows that are 0 or longer than 1e-150")
    ):
        kernels.ntk(net, np.vstack([np.zeros(4), np.full(4, 1e-160)]))
