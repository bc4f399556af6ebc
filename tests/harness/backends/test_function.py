"""Functions of your own: the numbers of the same network built in, modules against their Jacobian,
what is refused.
"""

import re
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from harness import backends
from harness.errors import InvalidInput
from harness.networks import from_callable, mlp

NET = mlp((3, 5, 4, 2), "tanh", sigma_w=1.3, sigma_b=0.3)
RNG = np.random.default_rng(0)
X1, X2, V = (
    RNG.standard_normal((7, 3)),
    RNG.standard_normal((4, 3)),
    RNG.standard_normal((7, 2)),
)
MANY = np.stack([X1, X1 + 1.0, -X1])


def distance(result, reference):
    return np.linalg.norm(result - reference) / np.linalg.norm(reference)


def perceptron(tanh):
    """NET as a callable."""

    def f(theta, x):
        for layer in (1, 2, 3):
            weight = theta[f"W{layer}"]
            x = 1.3 / weight.shape[1] ** 0.5 * (x @ weight.T) + 0.3 * theta[f"b{layer}"]
            x = x if layer == 3 else tanh(x)
        return x

    return f


@pytest.fixture(scope="module")
def function(backend):
    """NET as a function of the backend, made once, so that it is compiled once; its weights are
    drawn per seed.
    """
    arrays = {
        "numpy": np,
        "torch": sys.modules.get("torch"),
        "jax": getattr(sys.modules.get("jax"), "numpy", None),
    }
    return from_callable(
        {backend.name: perceptron(arrays[backend.name].tanh)},
        inputs=3,
        outputs=2,
        initial=lambda rng: {
            name: rng.standard_normal(shape) for name, shape in NET.shapes.items()
        },
    )


CASES = {
    "forward": (range(3), "forward", (X1,), {}),
    "trace": (range(3), "empirical_ntk", (X1,), {}),
    "trace, x2": (range(3), "empirical_ntk", (X1, X2), {}),
    "full": (range(3), "empirical_ntk", (X1,), {"outputs": "full"}),
    "full, x2": (range(3), "empirical_ntk", (X1, X2), {"outputs": "full"}),
    "data per seed": (range(3), "empirical_ntk", (MANY,), {"outputs": "full"}),
    "product": (range(3), "ntk_vector_product", (X1, V), {}),
    "one seed": (0, "empirical_ntk", (X1, X2), {"outputs": "full"}),
    "one seed, product": (0, "ntk_vector_product", (X1, V), {}),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_function_is_the_same_network_built_in(backend, function, oracle, case):
    seeds, method, arguments, options = case
    theta = NET.init(seeds)
    result = getattr(backend, method)(function, theta, *arguments, **options)
    reference = getattr(oracle, method)(NET, theta, *arguments, **options)
    assert result.shape == reference.shape
    # The oracle differentiates a function by differences.
    assert distance(result, reference) < (1e-11 if backend.name == "numpy" else 1e-14)


def test_blocks_give_the_same_kernel_and_it_is_symmetric(backend, function):
    theta, sample = (
        NET.init(range(2)),
        8 * 2 * sum(array.size for array in NET.init(0).values()),
    )
    # Two sides of three samples of two seeds, less what the block itself takes: two samples at a
    # time.
    small = replace(backend, memory_budget=2 * 3 * 2 * sample)
    kernel = np.empty((2, 7, 7))
    assert small.empirical_ntk(function, theta, X1, out=kernel) is kernel
    assert (kernel == kernel.swapaxes(1, 2)).all()
    assert distance(kernel, backend.empirical_ntk(function, theta, X1)) < 1e-14


@pytest.mark.parametrize(
    "optimizer",
    [backends.SGD(0.1, momentum=0.9), backends.Adam(0.01)],
    ids=["SGD", "Adam"],
)
def test_training_is_as_of_the_same_network_built_in(
    backend, function, optimizer, oracle
):
    options = {"optimizer": optimizer, "steps": 4, "batch_size": 3, "checkpoints": (2,)}
    result = backend.train(function, NET.init(range(2)), X1, V, **options)
    reference = oracle.train(NET, NET.init(range(2)), X1, V, **options)
    assert distance(result.losses, reference.losses) < 1e-10
    for name in NET.shapes:
        assert distance(result.theta[name], reference.theta[name]) < 1e-10
        assert (
            distance(result.checkpoints[2][name], reference.checkpoints[2][name])
            < 1e-10
        )


# Modules, and functions of JAX, against an explicit Jacobian.


def jacobians(torch, module, theta, x):
    """df/dtheta of one sample after another, by torch.autograd on an unmapped module, (N, O, P)."""
    found = []
    for sample in torch.from_numpy(x):
        weights = {
            name: torch.tensor(array, requires_grad=True)
            for name, array in theta.items()
        }
        f = torch.func.functional_call(module, weights, (sample[None],))[0]
        rows = [
            torch.autograd.grad(entry, list(weights.values()), retain_graph=True)
            for entry in f
        ]
        found.append(
            [
                np.concatenate([gradient.numpy().ravel() for gradient in row])
                for row in rows
            ]
        )
    return np.array(found)


def of_module(torch, module, inputs, outputs):
    return from_callable(
        {"torch": lambda theta, x: torch.func.functional_call(module, theta, (x,))},
        inputs=inputs,
        outputs=outputs,
        initial={
            name: parameter.detach().numpy()
            for name, parameter in module.named_parameters()
        },
    )


def modules(torch):
    nn = torch.nn

    class Residual(nn.Module):
        """A convolution that its input goes around, a layer norm, an attention block, a readout."""

        def __init__(self):
            super().__init__()
            self.convolution, self.norm = nn.Conv2d(2, 2, 3, padding=1), nn.LayerNorm(8)
            self.attention, self.readout = (
                nn.MultiheadAttention(8, 2, batch_first=True),
                nn.Linear(8, 3),
            )
            self.gain = nn.Parameter(torch.tensor(1.5))

        def forward(self, x):
            image = x.reshape(len(x), 2, 4, 4)
            tokens = self.norm(
                (image + torch.relu(self.convolution(image))).reshape(len(x), 4, 8)
            )
            return self.gain * self.readout(
                (tokens + self.attention(tokens, tokens, tokens)[0]).mean(1)
            )

    encoder = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
    return {
        "convolution, residual, norms, attention": Residual(),
        "encoder layer": nn.Sequential(
            nn.Unflatten(1, (4, 8)), encoder, nn.Flatten(), nn.Linear(32, 3)
        ),
        "batch norm": nn.Sequential(
            nn.Linear(32, 5), nn.BatchNorm1d(5), nn.Tanh(), nn.Linear(5, 3)
        ),
    }


@pytest.mark.parametrize(
    "name", ["convolution, residual, norms, attention", "encoder layer", "batch norm"]
)
def test_a_module_of_pytorch_against_its_jacobian(name):
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    module = modules(torch)[name].double().eval()
    net, backend = (
        of_module(torch, module, 32, 3),
        backends.get("torch", "cpu", "float64"),
    )
    theta = {name: np.stack([array, array]) for name, array in net.init(0).items()}
    x, v = RNG.standard_normal((4, 32)), RNG.standard_normal((4, 3))
    theta = {
        name: array + 0.1 * RNG.standard_normal(array.shape)
        for name, array in theta.items()
    }
    kernel = backend.empirical_ntk(net, theta, x, outputs="full")
    product = backend.ntk_vector_product(net, theta, x, v)
    for seed in range(2):
        j = jacobians(
            torch, module, {name: array[seed] for name, array in theta.items()}, x
        )
        assert distance(kernel[seed], np.einsum("nop,mqp->nmoq", j, j)) < 1e-13
        assert distance(product[seed], np.einsum("nop,mqp,mq->no", j, j, v)) < 1e-13


def test_an_attention_block_of_jax_against_its_jacobian_and_the_oracle():
    jax = pytest.importorskip("jax")

    def block(arrays, softmax):
        def f(theta, x):
            tokens = x.reshape(x.shape[0], 3, 4)
            q, k, v = (tokens @ theta[name] for name in "qkv")
            mixed = tokens + softmax(q @ k.swapaxes(1, 2) / 2.0) @ v
            return theta["gain"] * mixed.mean(1) @ theta["out"]

        return f

    def softmax(scores):
        weights = np.exp(scores)
        return weights / weights.sum(-1, keepdims=True)

    functions = {
        "jax": block(jax.numpy, lambda scores: jax.nn.softmax(scores)),
        "numpy": block(np, softmax),
    }
    shapes = {"q": (4, 4), "k": (4, 4), "v": (4, 4), "gain": (), "out": (4, 2)}
    net = from_callable(
        functions,
        inputs=12,
        outputs=2,
        initial=lambda rng: {
            name: rng.standard_normal(shape) for name, shape in shapes.items()
        },
    )
    theta, x = net.init(range(2)), RNG.standard_normal((3, 12))
    kernel = backends.get("jax", "cpu", "float64").empirical_ntk(
        net, theta, x, outputs="full"
    )
    assert (
        distance(
            kernel, backends.get("numpy").empirical_ntk(net, theta, x, outputs="full")
        )
        < 1e-10
    )
    with jax.enable_x64(True):
        for seed in range(2):
            f, one = (
                functions["jax"],
                {name: jax.numpy.array(array[seed]) for name, array in theta.items()},
            )
            j = jax.jacfwd(lambda weights, f=f: f(weights, jax.numpy.array(x)))(one)
            grams = [
                np.einsum("nop,mqp->nmoq", *[np.asarray(part).reshape(3, 2, -1)] * 2)
                for part in j.values()
            ]
            assert distance(kernel[seed], sum(grams)) < 1e-13


def test_float32_stays_exact_over_a_quarter_of_a_million_parameters():
    """PyTorch's own products add one after another where there are few rows, and lose two digits
    here (1.5e-5).
    """
    torch = pytest.importorskip("torch")
    torch.set_num_threads(1)
    net = from_callable(
        lambda theta, x: x**2 @ theta["W"],
        inputs=2**18,
        outputs=1,
        initial={"W": np.zeros((2**18, 1))},
    )
    x = np.random.default_rng(0).standard_normal((2, 2**18)).astype(np.float32)
    kernel = backends.get("torch", "cpu", "float32").empirical_ntk(net, net.init(0), x)
    squares = x.astype(float) ** 2
    assert distance(kernel, squares @ squares.T) < 2e-6


# Initial weights.


def test_weights_are_drawn_per_seed_or_fixed_for_all():
    drawn = from_callable(
        lambda theta, x: x @ theta["w"],
        inputs=2,
        outputs=1,
        initial=lambda rng: {"w": rng.standard_normal((2, 1))},
    )
    many = drawn.init(range(4))
    assert many["w"].dtype == float
    assert len(np.unique(many["w"])) == 8
    assert (drawn.init([3, 2])["w"] == many["w"][[3, 2]]).all()
    weights = {"w": np.ones((2, 1), dtype=np.float32)}
    fixed = from_callable(
        lambda theta, x: x @ theta["w"], inputs=2, outputs=1, initial=weights
    )
    weights["w"][:] = 7.0
    assert (fixed.init(3)["w"] == np.ones((2, 1))).all()
    assert fixed.init([3])["w"].shape == (1, 2, 1)
    with pytest.raises(
        InvalidInput,
        match=r"weights of this function are fixed, so its 2 seeds would be one network",
    ):
        fixed.init(range(2))


def test_one_callable_serves_every_backend():
    net = from_callable(
        lambda theta, x: (x @ theta["w"]) ** 2,
        inputs=2,
        outputs=1,
        initial={"w": np.ones((2, 1))},
    )
    kernels = [
        backends.get(name, "cpu", "float64").empirical_ntk(
            net, net.init(0), [[1.0, 2.0], [0.5, -3.0]]
        )
        for name in backends.available()
    ]
    assert kernels[0] == pytest.approx(
        np.array([[180.0, 165.0], [165.0, 231.25]]), rel=1e-10
    )
    for kernel in kernels:
        assert kernel == pytest.approx(kernels[0], rel=1e-10)


def test_the_example_of_the_contributors_guide_runs():
    pytest.importorskip("torch")
    text = (Path(__file__).parents[3] / "CONTRIBUTING.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
    exec(block, names := {})
    assert names["kernel"].shape == (20, 20)
    assert np.linalg.eigvalsh(names["kernel"].astype(float))[0] > 0


# What is refused.

GOOD = {
    "functions": lambda theta, x: x @ theta["w"],
    "inputs": 2,
    "outputs": 1,
    "initial": {"w": np.ones((2, 1))},
}


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (
            {"functions": 3},
            "functions must be a callable f(theta, x), or backend name -> callable; got 3.",
        ),
        (
            {"functions": {}},
            "functions must be a callable f(theta, x), or backend name -> callable; got {}.",
        ),
        (
            {"functions": {"torch": 3}},
            "functions must be a callable f(theta, x), or backend name -> callable; got {",
        ),
        ({"inputs": 0}, "inputs must be a positive integer; got 0."),
        ({"outputs": 1.0}, "outputs must be a positive integer; got 1.0."),
        (
            {"initial": {}},
            "initial must give name -> array for at least one parameter; got {}.",
        ),
        (
            {"initial": None},
            "initial must give name -> array for at least one parameter; got None.",
        ),
        (
            {"initial": {1: np.ones(2)}},
            "initial must name its parameters by strings; got 1.",
        ),
        (
            {"initial": {"w": "abc"}},
            "initial 'w' must be a finite array of real numbers, not empty; got <U3 ().",
        ),
        (
            {"initial": {"w": np.ones((0, 1))}},
            "initial 'w' must be a finite array of real numbers, not empty; got float",
        ),
        (
            {"initial": {"w": [np.nan]}},
            "initial 'w' must be a finite array of real numbers",
        ),
        ({"initial": {"w": [[1.0], [1.0, 2.0]]}}, "initial 'w' is no NumPy array: "),
    ],
)
def test_wrong_arguments_are_named(wrong, message):
    with pytest.raises(InvalidInput, match=re.escape(message)):
        from_callable(**GOOD | wrong)


def test_parameters_that_pytorch_still_tracks_are_named():
    torch = pytest.importorskip("torch")
    with pytest.raises(InvalidInput, match=r"initial 'w' is no NumPy array: .*detach"):
        from_callable(**GOOD | {"initial": {"w": torch.nn.Parameter(torch.ones(2, 1))}})


def test_draws_of_changing_shape_are_named():
    sizes = iter((2, 3))
    net = from_callable(
        **GOOD | {"initial": lambda rng: {"w": np.ones((next(sizes), 1))}}
    )
    with pytest.raises(
        InvalidInput,
        match=r"initial must draw the same shapes for every seed, .*\(2, 1\).*; seed 5: .*\(3, 1\)",
    ):
        net.init(5)
    with pytest.raises(
        InvalidInput, match=r"init needs at least one seed; got an empty sequence\."
    ):
        net.init([])


def refused(backend, net, message, x=((1.0, 2.0), (3.0, 5.0))):
    """Every method that takes a network refuses it."""
    theta, x, y = net.init(0), np.array(x), np.ones((2, net.outputs))
    calls = [
        lambda: backend.forward(net, theta, x),
        lambda: backend.empirical_ntk(net, theta, x),
        lambda: backend.ntk_vector_product(net, theta, x, y),
        lambda: backend.train(net, theta, x, y, optimizer=backends.SGD(0.1), steps=1),
    ]
    for call in calls:
        with pytest.raises(InvalidInput, match=message):
            call()


def test_a_function_of_another_backend_is_refused(backend):
    net = from_callable(**GOOD | {"functions": {"mine": GOOD["functions"]}})
    refused(
        backend,
        net,
        rf"is given for mine, not for the {backend.name} backend\. Add "
        rf"functions={{'{backend.name}': ",
    )


def test_samples_that_mix_are_refused(backend):
    """A batch norm; its readout starts at zero, so that its outputs alone would not tell."""

    def normed(theta, x):
        return (x - x.mean(0)) @ theta["w"]

    net = from_callable(
        **GOOD | {"functions": normed, "initial": {"w": np.zeros((2, 1))}}
    )
    refused(
        backend,
        net,
        r"other outputs for 4 samples together than for each alone: .* \(a batch norm in training "
        r"mode\)",
    )


def test_a_start_that_is_subtracted_is_no_mixing(precise):
    """f - f(start) is rounding alone at the start, which must not count as a difference."""
    backend, _ = precise
    start = np.ones((64, 1)) / 3.0

    def centred(theta, x):
        return x @ theta["w"] - (x * start[:, 0].tolist()[0]).sum(1)[:, None]

    net = from_callable(centred, inputs=64, outputs=1, initial={"w": start})
    x = np.random.default_rng(0).standard_normal((5, 64))
    assert distance(backend.empirical_ntk(net, net.init(0), x), x @ x.T) < 1e-5


def test_modules_in_training_mode_are_refused():
    torch = pytest.importorskip("torch")
    nn, backend = torch.nn, backends.get("torch", "cpu", "float64")
    torch.manual_seed(0)
    x = np.random.default_rng(0).standard_normal((3, 8))
    for layer, message in {
        nn.Dropout(): r"draw random numbers \(dropout\)\? Put the module into evaluation mode\.",
        nn.BatchNorm1d(
            8, track_running_stats=False
        ): r"failed on x of shape \(1, 8\): ValueError: .* evaluation mode",
        nn.BatchNorm1d(
            8
        ): r"failed on x of shape \(1, 8\): ValueError: .* evaluation mode",
    }.items():
        net = of_module(torch, nn.Sequential(layer, nn.Linear(8, 1)).double(), 8, 1)
        with pytest.raises(InvalidInput, match=message):
            backend.empirical_ntk(net, net.init(0), x)


def test_a_result_of_another_shape_is_refused(backend):
    net = from_callable(**GOOD | {"functions": lambda theta, x: (x @ theta["w"])[:, 0]})
    refused(
        backend,
        net,
        r"The function must return shape \(1, 1\) for x of \(1, 2\); got \(1,\)\.",
    )


def test_an_error_of_the_function_is_told(backend):
    net = from_callable(**GOOD | {"functions": lambda theta, x: x @ theta["V"]})
    refused(
        backend,
        net,
        r"The function failed on x of shape \(1, 2\): KeyError: 'V'\. It is called with",
    )


def test_random_networks_and_other_things_are_refused(backend, function):
    with pytest.raises(
        InvalidInput,
        match=r"ntk_samples needs a multilayer perceptron; this network has other steps\.",
    ):
        backend.ntk_samples(function, X1[0], {})
    with pytest.raises(
        InvalidInput,
        match=r"net must be a Network, .* networks\.from_callable; got function\.",
    ):
        backend.forward(lambda theta, x: x, {}, X1)
