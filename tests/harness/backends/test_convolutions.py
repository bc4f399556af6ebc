"""Convolutional networks: what is built, what is refused, and every backend against the oracle and
other referees.

The oracle is held against finite differences and a plain loop, the forward passes against the
frameworks' own convolutions, the kernels against the oracle: relative in the Frobenius norm, 1e-10
in float64, 1e-5 in float32. Nets are tiny and of unequal sizes, so that no transposition goes
unseen.
"""

import importlib
import itertools
import weakref

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from harness import backends
from harness.errors import InvalidInput
from harness.networks import (
    AveragePool,
    Conv,
    Convolution,
    Dense,
    Hidden,
    Pool,
    cnn,
    mlp,
    myrtle,
)

IMAGE = cnn(
    (5, 4, 2),
    [Conv(3, 3, 2), Conv(4, (2, 2), 1, "valid"), Pool(None)],
    2,
    "tanh",
    "ntk",
    1.3,
    0.3,
)
NETS = {
    "image": IMAGE,
    "hidden": cnn(
        (6, 6, 1),
        [Conv(3), Pool(2), Conv(2, 3), Hidden(5)],
        1,
        "relu",
        "standard",
        1.3,
        0.0,
    ),
    "sequence": cnn(
        (8, 2), [Conv(3, 5, 2), Conv(4, 3), Pool(2)], 3, "erf", "ntk", 1.3, None
    ),
    "pooled-sequence": cnn(
        (7, 3),
        [Conv(4, 4, 3), Pool(None), Hidden(3)],
        2,
        "sigmoid",
        "standard",
        1.3,
        0.3,
    ),
    "leftover": cnn(
        (7, 5, 1), [Conv(2, (2, 3), (2, 1), "valid")], 2, "relu", "ntk", 1.3, None
    ),
    "wide": cnn(
        (4, 4, 1),
        [Pool((2, 1)), Conv(6), Pool((1, 2)), Conv(5), Pool(None)],
        outputs=2,
        sigma_w=1.3,
        sigma_b=0.0,
        train_zero_biases=True,
    ),
}
# Which terms a net has is settled in float64, on every net; float32 adds rounding, and JAX compiles
# each anew.
CASES = [
    pytest.param((name, dtype), net, id=f"{name}-{dtype}-{kind}")
    for name, dtype in itertools.product(
        (name for name in backends.available() if name != "numpy"), backends.DTYPES
    )
    for kind, net in NETS.items()
    if dtype == "float64" or kind in ("image", "wide")
]
each_net = pytest.mark.parametrize("net", NETS.values(), ids=NETS)


def normal(*shape, seed=0):
    return np.random.default_rng([seed, *shape]).standard_normal(shape)


def inputs(net, count, seed=0):
    """Normal, but the first sample is blank: where there are no biases, every h is exactly zero,
    and phi'(0) counts.
    """
    x = normal(count, net.inputs, seed=seed)
    x[0] = 0.0
    return x


def moved(net, seeds):
    """Weights away from initialisation, so that biases are not zero."""
    # kinks at zero belong to one case
    scale = 0.0 if net.sigma_b == 0.0 and net.activation == "relu" else 0.1
    return {
        name: array + scale * normal(*array.shape, seed=9)
        for name, array in net.init(seeds).items()
    }


def distance(result, reference):
    return np.linalg.norm(result.astype(float) - reference) / np.linalg.norm(reference)


def mirrored(kernel):
    """Samples swapped and, in a full kernel, outputs too; kernel has a seed axis."""
    return (
        kernel.swapaxes(1, 2) if kernel.ndim == 3 else kernel.transpose(0, 2, 1, 4, 3)
    )


def convolutions(net):
    return [step for step in net.steps if isinstance(step, Convolution)]


# What is built.


@pytest.mark.parametrize(
    ("shape", "conv", "out", "padding", "fan_in"),
    [
        ((5, 4, 2), Conv(3), (5, 4), ((1, 1), (1, 1)), 18),
        ((5, 4, 2), Conv(3, stride=2), (3, 2), ((1, 1), (0, 1)), 18),
        ((5, 4, 2), Conv(3, 2), (5, 4), ((0, 1), (0, 1)), 8),
        ((5, 4, 2), Conv(3, (1, 4), (3, 1)), (2, 4), ((0, 0), (1, 2)), 8),
        ((5, 4, 2), Conv(3, 3, 1, "valid"), (3, 2), ((0, 0), (0, 0)), 18),
        ((5, 4, 2), Conv(3, (2, 3), (2, 1), "valid"), (2, 2), ((0, 0), (0, 0)), 12),
        ((5, 4, 2), Conv(3, 9), (5, 4), ((4, 4), (4, 4)), 162),
        ((7, 3), Conv(4, 4, 3), (1, 3), ((0, 0), (1, 2)), 12),
        ((7, 3), Conv(4, (4,), (3,), "valid"), (1, 2), ((0, 0), (0, 0)), 12),
    ],
)
def test_grids_and_padding(shape, conv, out, padding, fan_in):
    net = cnn(shape, [conv])
    (layer,) = convolutions(net)
    assert (layer.out, layer.padding, layer.fan_in, layer.fan_out) == (
        out,
        padding,
        fan_in,
        conv.channels,
    )
    assert net.inputs == np.prod(shape)
    assert net.shapes["W2"] == (1, out[0] * out[1] * conv.channels)


@pytest.mark.parametrize(
    ("size", "kernel", "stride"),
    list(itertools.product((1, 4, 7, 8), (1, 2, 3, 5), (1, 2, 3))),
)
def test_same_is_that_of_jax(size, kernel, stride):
    jax = pytest.importorskip("jax")
    (layer,) = convolutions(cnn((size, 1), [Conv(1, kernel, stride)]))
    assert layer.out[1] == -(-size // stride)
    assert list(layer.padding[1:]) == jax.lax.padtype_to_pads(
        (size,), (kernel,), (stride,), "SAME"
    )


def test_parts_become_steps():
    net = cnn(
        (6, 4, 2),
        [Conv(3, 3, 2), Pool((3, 2)), Hidden(5), Pool(None)],
        outputs=2,
        activation="erf",
        sigma_b=0.1,
    )
    assert net.shapes == {
        "W1": (3, 18),
        "b1": (3,),
        "W2": (5, 3),
        "b2": (5,),
        "W3": (2, 5),
        "b3": (2,),
    }
    assert [step.size for step in net.steps] == [18, 18, 3, 5, 5, 5, 2]
    pool, last = (step for step in net.steps if isinstance(step, AveragePool))
    assert (pool.grid, pool.window, pool.out, last.out) == (
        (3, 2),
        (3, 2),
        (1, 1),
        (1, 1),
    )
    assert (net.outputs, net.activation, net.dense) == (2, "erf", False)


def test_without_convolutions_it_is_the_perceptron():
    assert cnn((2, 2, 3), [Hidden(5)], 2, "tanh", sigma_b=0.1) == mlp(
        (12, 5, 2), "tanh", sigma_b=0.1
    )
    assert cnn((2, 2, 3), []) == mlp((12, 1))


@pytest.mark.parametrize(
    ("depth", "groups"), [(5, (2, 1, 1)), (7, (2, 2, 2)), (10, (3, 3, 3))]
)
def test_myrtle(depth, groups):
    net = myrtle(depth, 4, (8, 8, 3))
    grids = [layer.grid for layer in convolutions(net)]
    assert grids == [(8, 8)] * groups[0] + [(4, 4)] * groups[1] + [(2, 2)] * groups[2]
    assert (net.inputs, net.outputs, net.activation, len(net.layers)) == (
        192,
        10,
        "relu",
        depth,
    )
    assert net.shapes[f"W{len(net.layers)}"] == (10, 4)


@each_net
def test_patches_are_what_a_plain_loop_finds(net):
    for layer in convolutions(net):
        flat = np.arange(1.0, 1 + layer.grid[0] * layer.grid[1] * layer.channels)
        image = np.pad(
            flat.reshape(*layer.grid, layer.channels), (*layer.padding, (0, 0))
        )
        starts = itertools.product(*(range(n) for n in layer.out))
        (height, width), (down, across) = layer.kernel, layer.stride
        loop = [
            image[r * down :, c * across :][:height, :width].ravel() for r, c in starts
        ]
        assert (np.append(flat, 0.0)[layer.patches] == np.array(loop)).all()


@each_net
def test_weights_are_reproducible_and_of_each_seed_alone(net):
    many = net.init([3, 8])
    assert {name: array.shape[1:] for name, array in many.items()} == net.shapes
    assert all((many[name][1] == array).all() for name, array in net.init(8).items())
    assert not (many["W1"][0] == many["W1"][1]).any()


@pytest.mark.parametrize("sigma_b", [None, 0.0, 0.3])
def test_both_parametrizations_are_the_same_function_at_the_start(oracle, sigma_b):
    parts = [Conv(3, 3, 2), Pool(None), Hidden(4)]
    ntk, standard = (
        cnn((5, 4, 2), parts, 2, "tanh", kind, 1.3, sigma_b)
        for kind in ("ntk", "standard")
    )
    f = oracle.forward(standard, standard.init(range(2)), normal(3, 40))
    np.testing.assert_allclose(
        oracle.forward(ntk, ntk.init(range(2)), normal(3, 40)), f, rtol=1e-12
    )


# What is refused.


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"parts": [mlp((2, 1))]},
            r"A part of a cnn must be Conv, Pool or Hidden; got Network\(",
        ),
        ({"parts": [3]}, r"A part of a cnn must be Conv, Pool or Hidden; got 3\."),
        (
            {"parts": [Conv(2, padding="full")]},
            r"Unknown padding 'full'\. Allowed: same, valid\.",
        ),
        (
            {"parts": [Conv(2, (2, 6), 1, "valid")]},
            r"A kernel of \(2, 6\) positions does not fit .* \(6, 4\) positions",
        ),
        (
            {"parts": [Pool((2, 3))]},
            r"Pooling windows must tile the \(6, 4\) positions that come in; got \(2, 3\)\.",
        ),
        (
            {"parts": [Pool(12)]},
            r"Pooling windows must tile the \(6, 4\) positions that come in; got \(12, 12\)\.",
        ),
        (
            {"parts": [Conv(0)]},
            r"The channels of a convolution must be a positive integer; got 0\.",
        ),
        (
            {"parts": [Conv(2.5)]},
            r"The channels of a convolution must be a positive integer; got 2\.5\.",
        ),
        (
            {"parts": [Hidden(-1)]},
            r"The width of a hidden layer must be a positive integer; got -1\.",
        ),
        (
            {"parts": [Conv(2, stride=0)]},
            r"Conv\(.*stride=0.*\) must have positive integers, one for both axes of an",
        ),
        (
            {"parts": [Conv(2, (3, 3, 3))]},
            r"Conv\(.*kernel=\(3, 3, 3\).*\) must have positive integers, one for both",
        ),
        (
            {"parts": [Conv(2, 2.5)]},
            r"Conv\(.*kernel=2\.5.*\) must have positive integers, one for both axes",
        ),
        (
            {"parts": [Conv(2, None)]},
            r"Conv\(.*kernel=None.*\) must have positive integers, one for both axes",
        ),
        (
            {"parts": [Conv(2, ())]},
            r"Conv\(.*kernel=\(\).*\) must have positive integers, one for both axes",
        ),
        (
            {"parts": [Pool((2, 0))]},
            r"Pool\(window=\(2, 0\)\) must have positive integers, one for both axes",
        ),
        (
            {"shape": (6, 2), "parts": [Conv(2, (2, 3))]},
            r"Conv\(.*kernel=\(2, 3\).*\) must have positive integers",
        ),
        (
            {"shape": (6, 2), "parts": [Conv(2, 7, 1, "valid")]},
            r"A kernel of \(1, 7\) .* does not fit .* \(1, 6\)",
        ),
        (
            {"shape": (6,)},
            r"shape must be \(rows, columns, channels\) or \(length, channels\), positive; got "
            r"\(6,\)\.",
        ),
        (
            {"shape": (6, 4, 0)},
            r"shape must be \(rows, .*, positive; got \(6, 4, 0\)\.",
        ),
        (
            {"shape": (6, 4.0, 1)},
            r"shape must be \(rows, .*, positive; got \(6, 4\.0, 1\)\.",
        ),
        ({"outputs": 0}, r"outputs must be a positive integer; got 0\."),
        ({"outputs": 1.0}, r"outputs must be a positive integer; got 1\.0\."),
        (
            {"activation": "gelu"},
            r"Unknown activation 'gelu'\. Allowed: relu, tanh, erf, sigmoid\.",
        ),
        (
            {"parametrization": "mup"},
            r"Unknown parametrization 'mup'\. Allowed: ntk, standard\.",
        ),
        ({"sigma_w": 0.0}, r"sigma_w must be finite and positive; got 0\.0\."),
        (
            {"sigma_b": -0.1},
            r"sigma_b must be None \(no biases\) or finite and >= 0; got -0\.1\.",
        ),
    ],
)
def test_wrong_arguments_are_named(arguments, message):
    with pytest.raises(InvalidInput, match=message):
        cnn(**{"shape": (6, 4, 1), "parts": [Conv(2)], **arguments})


def test_wrong_myrtle_networks_are_named():
    with pytest.raises(
        InvalidInput, match=r"depth of a Myrtle network must be 5, 7 or 10; got 6\."
    ):
        myrtle(6, 4)
    with pytest.raises(
        InvalidInput,
        match=r"Pooling windows must tile the \(3, 3\) positions that come in; got \(2, 2\)",
    ):
        myrtle(5, 4, (6, 6, 3))


def test_sampled_kernels_are_for_perceptrons(backend):
    with pytest.raises(
        InvalidInput,
        match=r"ntk_samples needs a multilayer perceptron; this network has other steps\.",
    ):
        backend.ntk_samples(IMAGE, np.ones(IMAGE.inputs), {})


def test_images_of_the_wrong_size_are_named(backend):
    with pytest.raises(
        InvalidInput,
        match=r"x must have shape \(N, 40\) or \(S, N, 40\), .*; got \(2, 5, 4, 2\)\.",
    ):
        backend.forward(IMAGE, IMAGE.init(0), normal(2, 5, 4, 2))


# What is computed.


@each_net
def test_oracle_kernel_is_that_of_finite_differences(oracle, net):
    theta, x, step, columns = moved(net, 1), normal(3, net.inputs), 1e-5, []
    for name in net.shapes:
        for index in np.ndindex(theta[name].shape):
            two = []
            for sign in (1, -1):
                shifted = {key: array.copy() for key, array in theta.items()}
                shifted[name][index] += sign * step
                two.append(oracle.forward(net, shifted, x))
            columns.append((two[0] - two[1]) / (2 * step))
    j = np.stack(columns, axis=-1)
    full = np.einsum("nop,mqp->nmoq", j, j)
    assert distance(oracle.empirical_ntk(net, theta, x, outputs="full"), full) < 1e-8
    assert (
        distance(oracle.empirical_ntk(net, theta, x), np.einsum("nmoo->nm", full))
        < 1e-8
    )
    v = normal(3, net.outputs)
    assert (
        distance(
            oracle.ntk_vector_product(net, theta, x, v),
            np.einsum("nmoq,mq->no", full, v),
        )
        < 1e-8
    )


def refereed(net, theta, x, *, convolve, pool, activation):
    """f(x) with a framework's own convolution and pooling; x (N, rows, columns, channels), one
    network.
    """
    for step in net.steps:
        if isinstance(step, Dense | Convolution):
            x = (
                x.reshape(len(x), -1)
                if isinstance(step, Dense)
                else x.reshape(len(x), *step.grid, step.channels)
            )
            h = (
                x @ theta[step.weight].T
                if isinstance(step, Dense)
                else convolve(step, x)
            )
            x = step.weight_scale * h + (
                0 if step.bias is None else step.bias_scale * theta[step.bias]
            )
        else:
            x = (
                pool(step, x.reshape(len(x), *step.grid, -1))
                if isinstance(step, AveragePool)
                else activation(x)
            )
    return np.asarray(x)


@each_net
def test_torch_forward_is_that_of_its_own_convolution(net):
    torch = pytest.importorskip("torch")
    theta, x = moved(net, 1), inputs(net, 3)
    tensors = {name: torch.from_numpy(array) for name, array in theta.items()}

    def convolve(step, x):
        weight = (
            tensors[step.weight]
            .reshape(step.fan_out, *step.kernel, step.channels)
            .permute(0, 3, 1, 2)
        )
        image = torch.nn.functional.pad(
            x.permute(0, 3, 1, 2), (*step.padding[1], *step.padding[0])
        )
        return torch.nn.functional.conv2d(image, weight, stride=step.stride).permute(
            0, 2, 3, 1
        )

    def pool(step, x):
        return torch.nn.functional.avg_pool2d(
            x.permute(0, 3, 1, 2), step.window
        ).permute(0, 2, 3, 1)

    activation = {"erf": torch.erf}.get(net.activation) or getattr(
        torch, net.activation
    )
    f = refereed(
        net,
        tensors,
        torch.from_numpy(x),
        convolve=convolve,
        pool=pool,
        activation=activation,
    )
    assert (
        distance(backends.get("torch", dtype="float64").forward(net, theta, x), f)
        < 1e-13
    )


@each_net
def test_jax_forward_is_that_of_its_own_convolution(net):
    jax = pytest.importorskip("jax")
    theta, x = moved(net, 1), inputs(net, 3)

    def convolve(step, x):
        weight = (
            theta[step.weight]
            .reshape(step.fan_out, *step.kernel, step.channels)
            .transpose(1, 2, 3, 0)
        )
        layout = ("NHWC", "HWIO", "NHWC")
        return jax.lax.conv_general_dilated(
            x, weight, step.stride, step.padding, dimension_numbers=layout
        )

    def pool(step, x):
        window = (1, *step.window, 1)
        return jax.lax.reduce_window(
            x, 0.0, jax.lax.add, window, window, "VALID"
        ) / np.prod(step.window)

    activation = {"erf": jax.scipy.special.erf, "tanh": jax.numpy.tanh}.get(
        net.activation
    )
    with jax.enable_x64(True):
        entering = jax.numpy.asarray(x)
        f = refereed(
            net,
            theta,
            entering,
            convolve=convolve,
            pool=pool,
            activation=activation or getattr(jax.nn, net.activation),
        )
    assert (
        distance(backends.get("jax", dtype="float64").forward(net, theta, x), f) < 1e-13
    )


@pytest.mark.parametrize(("precise", "net"), CASES, indirect=["precise"])
def test_agrees_with_the_oracle(hold_against_the_oracle, precise, net):
    x1, x2, v = inputs(net, 4), inputs(net, 3, seed=1), normal(4, net.outputs)
    hold_against_the_oracle(precise, net, moved(net, range(2)), x1, x2, v)


@pytest.mark.parametrize("by_position", [True, False])
@each_net
def test_both_structured_forms_agree_with_the_oracle(
    fast, oracle, monkeypatch, net, by_position
):
    monkeypatch.setattr(
        f"harness.backends.{fast.name}_layers.cheaper_by_position",
        lambda *_, **__: by_position,
    )
    theta, x1, x2 = moved(net, range(2)), inputs(net, 4), inputs(net, 3, seed=1)
    compiled = (
        importlib.import_module("harness.backends.jax_backend").contract
        if fast.name == "jax"
        else None
    )
    try:
        for outputs in ("trace", "full"):
            if compiled:
                compiled.clear_cache()
            result = fast.empirical_ntk(net, theta, x1, x2, outputs)
            assert (
                distance(result, oracle.empirical_ntk(net, theta, x1, x2, outputs))
                < 1e-10
            )
    finally:
        if compiled:
            compiled.clear_cache()


@pytest.mark.parametrize("smallest", [0, 2**60])
@each_net
def test_torch_by_its_convolutions_and_by_products_agrees_with_the_oracle(
    oracle, monkeypatch, net, smallest
):
    layers = pytest.importorskip("harness.backends.torch_layers")
    monkeypatch.setattr(layers, "SMALLEST_CONVOLUTION", smallest)
    torch, theta, x = (
        backends.get("torch", dtype="float64"),
        moved(net, range(2)),
        inputs(net, 4),
    )
    v, y, shared = (
        normal(4, net.outputs),
        normal(4, net.outputs, seed=1),
        {"optimizer": backends.SGD(0.05), "steps": 2},
    )
    assert distance(torch.forward(net, theta, x), oracle.forward(net, theta, x)) < 1e-10
    product = torch.ntk_vector_product(net, theta, x, v)
    assert distance(product, oracle.ntk_vector_product(net, theta, x, v)) < 1e-10
    assert (
        distance(
            torch.empirical_ntk(net, theta, x), oracle.empirical_ntk(net, theta, x)
        )
        < 1e-10
    )
    trained = torch.train(net, theta, x, y, **shared).theta
    assert all(
        distance(trained[name], array) < 1e-10
        for name, array in oracle.train(net, theta, x, y, **shared).theta.items()
    )


@pytest.mark.parametrize("outputs", ["trace", "full"])
@pytest.mark.parametrize("by_position", [True, False])
def test_the_half_that_is_not_computed_is_that_of_the_other_side(
    fast, monkeypatch, outputs, by_position
):
    """Enough samples for several panels of rows; given twice, they are computed in full."""
    monkeypatch.setattr(
        f"harness.backends.{fast.name}_layers.cheaper_by_position",
        lambda *_, **__: by_position,
    )
    net = cnn((6, 2), [Conv(3)], outputs=2, sigma_b=0.1)
    theta, x = net.init(range(2)), normal(150, 12)
    half, whole = (
        fast.empirical_ntk(net, theta, x, x2, outputs) for x2 in (None, x.copy())
    )
    assert distance(half, whole) < 1e-14
    assert (
        half
        == (
            half.swapaxes(1, 2) if outputs == "trace" else half.transpose(0, 2, 1, 4, 3)
        )
    ).all()


@pytest.mark.parametrize(
    ("theta_seeds", "x_seeds", "x2_seeds"),
    [(0, 0, 0), (3, 0, 0), (0, 3, 0), (0, 0, 3), (3, 0, 3), (3, 3, 3)],
)
def test_seed_axes(fast, oracle, theta_seeds, x_seeds, x2_seeds):
    """Each seed alone, through the oracle, gives its slice; without any seed axis there is none in
    the result.
    """
    theta, sizes = (
        moved(IMAGE, range(3) if theta_seeds else 0),
        ((x_seeds, 4, 40), (x_seeds, 4, 2), (x2_seeds, 2, 40)),
    )
    x, y, x2 = (normal(*[3] * bool(n), *shape) for n, *shape in sizes)

    def results(backend, theta, x, y, x2):
        return [
            backend.forward(IMAGE, theta, x),
            backend.ntk_vector_product(IMAGE, theta, x, y),
            backend.empirical_ntk(IMAGE, theta, x),
            backend.empirical_ntk(IMAGE, theta, x, x2, outputs="full"),
        ]

    found = results(fast, theta, x, y, x2)
    seeded = [theta_seeds or x_seeds] * 3 + [theta_seeds or x_seeds or x2_seeds]
    assert [r.ndim for r in found] == [
        n + bool(s) for n, s in zip((2, 2, 2, 4), seeded, strict=True)
    ]
    for s in range(3):
        own = (
            {name: array[s] for name, array in theta.items()} if theta_seeds else theta
        )
        one = (
            a[s] if n else a for a, n in ((x, x_seeds), (y, x_seeds), (x2, x2_seeds))
        )
        for result, reference, many in zip(
            found, results(oracle, own, *one), seeded, strict=True
        ):
            assert distance(result[s] if many else result, reference) < 1e-10


MOMENTUM = backends.SGD(0.1, momentum=0.9)


# gradients do not depend on the rule that uses them
@pytest.mark.parametrize(
    ("net", "optimizer"),
    [(IMAGE, backends.Adam(0.01)), *((net, MOMENTUM) for net in NETS.values())],
    ids=["Adam", *NETS],
)
def test_trains_as_the_oracle_does(fast, oracle, net, optimizer):
    theta, x, y = moved(net, range(2)), inputs(net, 5), normal(5, net.outputs)
    options = {"optimizer": optimizer, "steps": 4, "batch_size": 2, "checkpoints": (2,)}
    result, reference = (b.train(net, theta, x, y, **options) for b in (fast, oracle))
    assert distance(result.losses, reference.losses) < 1e-10
    for found, expected in (
        (result.theta, reference.theta),
        (result.checkpoints[2], reference.checkpoints[2]),
    ):
        assert all(distance(found[name], expected[name]) < 1e-10 for name in net.shapes)


@pytest.mark.parametrize("cached", [1, 10_000])
@each_net
def test_torch_trains_as_the_oracle_does_in_parts(oracle, monkeypatch, net, cached):
    """One sample of one seed after another, and some of them at once."""
    monkeypatch.setattr(
        pytest.importorskip("harness.backends.torch_descent"), "CACHED", cached
    )
    theta, x, y = moved(net, range(3)), inputs(net, 7), normal(3, 7, net.outputs)
    options = {"optimizer": MOMENTUM, "steps": 3}
    torch = backends.get("torch", device="cpu", dtype="float64")
    result, reference = (b.train(net, theta, x, y, **options) for b in (torch, oracle))
    assert distance(result.losses, reference.losses) < 1e-10
    assert all(
        distance(result.theta[name], reference.theta[name]) < 1e-10
        for name in net.shapes
    )


def test_trains_as_the_oracle_does_in_float32(precise, oracle):
    backend, tolerance = precise
    theta, x, y = moved(IMAGE, range(2)), inputs(IMAGE, 5), normal(5, 2)
    options = {"optimizer": MOMENTUM, "steps": 4}
    result, reference = (
        b.train(IMAGE, theta, x, y, **options) for b in (backend, oracle)
    )
    assert all(
        distance(result.theta[name], reference.theta[name]) < tolerance
        for name in IMAGE.shapes
    )


@pytest.mark.parametrize("outputs", ["trace", "full"])
def test_kernel_of_equal_inputs_is_symmetric_and_positive(precise, outputs):
    backend, tolerance = precise
    kernel = backend.empirical_ntk(
        IMAGE, IMAGE.init(range(2)), normal(7, 40), outputs=outputs
    )
    assert (kernel == mirrored(kernel)).all()
    flat = (
        kernel
        if outputs == "trace"
        else kernel.transpose(0, 1, 3, 2, 4).reshape(2, 14, 14)
    )
    eigenvalues = np.linalg.eigvalsh(flat.astype(float))
    assert (eigenvalues > -tolerance * eigenvalues.max()).all()


@pytest.mark.parametrize("outputs", ["trace", "full"])
@pytest.mark.parametrize("budget", [1, 40_000])
def test_blocks_change_nothing(fast, monkeypatch, budget, outputs):
    theta, x1, x2, v = (
        IMAGE.init(range(2)),
        normal(9, 40),
        normal(7, 40, seed=1),
        normal(9, 2),
    )
    tight, sizes = backends.get(fast.name, dtype="float64", memory_budget=budget), []
    factors = tight.operations.factors
    monkeypatch.setattr(
        tight.operations,
        "factors",
        lambda *a: sizes.append(a[2].shape[1]) or factors(*a),
    )

    def results(backend):
        kernels = [
            backend.empirical_ntk(IMAGE, theta, x1, other, outputs)
            for other in (None, x2)
        ]
        return [*kernels, backend.ntk_vector_product(IMAGE, theta, x1, v)]

    blocked = results(tight)
    assert 1 <= max(sizes) < 9
    assert budget > 1 or set(sizes) == {1}
    for result, reference in zip(blocked, results(fast), strict=True):
        assert distance(result, reference) < 1e-13
    assert (blocked[0] == mirrored(blocked[0])).all()


def test_blocks_of_a_side_are_of_one_size(oracle, monkeypatch):
    """Each further size is one more program for JAX to compile; the last block reaches back."""
    monkeypatch.setattr("harness.backends.kernel_blocks.block_rows", lambda *_, **__: 5)
    theta, x1, x2, sizes = (
        IMAGE.init(range(2)),
        normal(9, 40),
        normal(7, 40, seed=1),
        [],
    )
    torch = backends.get("torch", device="cpu", dtype="float64")
    factors = torch.operations.factors
    monkeypatch.setattr(
        torch.operations,
        "factors",
        lambda *a: sizes.append(a[2].shape[1]) or factors(*a),
    )
    own, other = (
        torch.empirical_ntk(IMAGE, theta, x1),
        torch.empirical_ntk(IMAGE, theta, x1, x2),
    )
    assert set(sizes) == {5, 4}
    assert (own == mirrored(own)).all()
    monkeypatch.undo()
    assert distance(own, oracle.empirical_ntk(IMAGE, theta, x1)) < 1e-10
    assert distance(other, oracle.empirical_ntk(IMAGE, theta, x1, x2)) < 1e-10


class Peak:
    """Bytes that PyTorch holds at most in what it makes inside, operation by operation."""

    def __init__(self, torch):
        self.now = self.most = 0
        self.seen = set()
        peak = self

        class Mode(torch.utils._python_dispatch.TorchDispatchMode):
            def __torch_dispatch__(self, function, types, args=(), kwargs=None):
                made = function(*args, **(kwargs or {}))
                for tensor in made if isinstance(made, list | tuple) else [made]:
                    peak.count(tensor.untyped_storage())
                return made

        self.mode = Mode()

    def count(self, storage):
        if (key := storage._cdata) not in self.seen:
            self.seen.add(key)
            self.now += storage.nbytes()
            self.most = max(self.most, self.now)
            weakref.finalize(storage, self.freed, key, storage.nbytes())

    def freed(self, key, size):
        self.seen.discard(key)
        self.now -= size


@pytest.mark.parametrize("outputs", ["trace", "full"])
def test_grams_over_positions_stay_within_the_memory_budget(outputs):
    """Four positions, many samples: the Grams of a block, not its sides, fill the memory."""
    torch = pytest.importorskip("torch")
    budget, net = 2**23, cnn((2, 2, 32), [Conv(32, 1)], 1, sigma_b=None)
    tight, peak = (
        backends.get("torch", dtype="float64", memory_budget=budget),
        Peak(torch),
    )
    with peak.mode:
        tight.empirical_ntk(
            net, net.init(0), normal(250, 128), normal(250, 128, seed=1), outputs
        )
    assert budget / 4 < peak.most <= budget


@st.composite
def shapes_and_convolutions(draw):
    """The shape of an image or of a series, and a convolution that fits it."""
    first = draw(st.sampled_from([0, 1]))  # of the axes: a series lacks one
    shape = draw(st.tuples(st.integers(1, 5), st.integers(1, 5), st.integers(1, 2)))[
        first:
    ]
    kernel = draw(st.tuples(st.integers(1, 4), st.integers(1, 4)))[first:]
    stride = draw(st.tuples(st.integers(1, 3), st.integers(1, 3)))[first:]
    padding = draw(st.sampled_from(["same", "valid"]))
    assume(
        padding == "same"
        or all(n >= k for n, k in zip(shape[:-1], kernel, strict=True))
    )
    return shape, Conv(2, kernel, stride, padding)


@settings(max_examples=4, deadline=None)
@given(
    shape_and_convolution=shapes_and_convolutions(),
    last=st.sampled_from([[], [Pool(None)], [Hidden(2)]]),
    sigma_b=st.sampled_from([None, 0.3]),
)
def test_any_shape_agrees_with_the_oracle(
    fast, oracle, shape_and_convolution, last, sigma_b
):
    shape, convolution = shape_and_convolution
    net = cnn(shape, [convolution, Conv(3, 2), *last], 2, "tanh", sigma_b=sigma_b)
    theta, x = net.init(0), normal(3, net.inputs)
    assert distance(fast.forward(net, theta, x), oracle.forward(net, theta, x)) < 1e-10
    assert (
        distance(fast.empirical_ntk(net, theta, x), oracle.empirical_ntk(net, theta, x))
        < 1e-10
    )
