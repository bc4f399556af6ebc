"""Every backend against the naive oracle, the oracle against finite differences, and what is
refused.

Tolerances are relative in the Frobenius norm: 1e-10 in float64, 1e-5 in float32
(tests/conftest.py). Nets are tiny, so that the oracle's loops are fast, and of unequal widths, so
that no transposition goes unseen.
"""

import itertools
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import erf, expit

from harness import backends
from harness.errors import BackendUnavailable, InvalidInput
from harness.networks import mlp, ntk_noise

ACTIVATIONS = {
    "relu": lambda h: np.maximum(h, 0.0),
    "tanh": np.tanh,
    "erf": erf,
    "sigmoid": expit,
}
NETS = list(itertools.product(ACTIVATIONS, ("ntk", "standard"), (None, 0.0, 0.3)))
# Every pair of an activation, a parametrisation and a bias; JAX compiles each net anew.
PAIRS = [
    net
    for number, net in enumerate(NETS)
    if sum(np.unravel_index(number, (4, 2, 3))) % 2 == 1
]
# Which terms a net has is settled in float64, on every net; float32 adds rounding, so one net of
# each kind will do.
CASES = [
    pytest.param((name, dtype), *net, id="-".join(map(str, (name, dtype, *net))))
    for name, dtype in itertools.product(
        (name for name in backends.available() if name != "numpy"), backends.DTYPES
    )
    for net in NETS
    if dtype == "float64" or net[2] == 0.3 or net[:2] == ("relu", "ntk")
    if name != "jax" or net in PAIRS
]
each_net = pytest.mark.parametrize(("activation", "parametrization", "sigma_b"), NETS)
each_case = pytest.mark.parametrize(
    ("precise", "activation", "parametrization", "sigma_b"), CASES, indirect=["precise"]
)
NET = mlp((3, 5, 4, 2), "tanh", sigma_b=0.3)


def small(activation, parametrization, sigma_b, outputs=2):
    return mlp((3, 5, 4, outputs), activation, parametrization, 1.3, sigma_b)


def normal(*shape, seed=0):
    return np.random.default_rng([seed, *shape]).standard_normal(shape)


def moved(net, seeds):
    """Weights away from initialisation, so that biases are not zero."""
    return {
        name: array + 0.1 * normal(*array.shape, seed=9)
        for name, array in net.init(seeds).items()
    }


def distance(result, reference):
    return np.linalg.norm(result.astype(float) - reference) / np.linalg.norm(reference)


def jacobian(net, theta, x, step=1e-5):
    """df/dtheta of one network by central differences of the oracle's forward, (N, O, P)."""
    oracle, columns = backends.get("numpy"), []
    for name in net.shapes:
        for index in np.ndindex(theta[name].shape):
            two = []
            for sign in (1, -1):
                shifted = {key: array.copy() for key, array in theta.items()}
                shifted[name][index] += sign * step
                two.append(oracle.forward(net, shifted, x))
            columns.append((two[0] - two[1]) / (2 * step))
    return np.stack(columns, axis=-1)


@each_net
def test_oracle_forward_is_the_formula(oracle, activation, parametrization, sigma_b):
    net = small(activation, parametrization, sigma_b)
    theta, x = moved(net, 1), normal(6, 3)
    a = x
    for layer in (1, 2, 3):
        w, s = (
            (1.3 / a.shape[1] ** 0.5, sigma_b)
            if parametrization == "ntk"
            else (1.0, 1.0)
        )
        h = w * np.einsum("oi,ni->no", theta[f"W{layer}"], a)
        h = h if sigma_b is None else h + s * theta[f"b{layer}"]
        a = ACTIVATIONS[activation](h)
    assert distance(oracle.forward(net, theta, x), h) < 1e-14


@each_net
def test_oracle_kernel_is_that_of_finite_differences(
    oracle, activation, parametrization, sigma_b
):
    net = small(activation, parametrization, sigma_b)
    theta, x = moved(net, 1), normal(4, 3)
    j = jacobian(net, theta, x)
    full = np.einsum("nop,mqp->nmoq", j, j)
    assert distance(oracle.empirical_ntk(net, theta, x, outputs="full"), full) < 1e-8
    assert (
        distance(oracle.empirical_ntk(net, theta, x), np.einsum("nmoo->nm", full))
        < 1e-8
    )
    v = normal(4, 2)
    assert (
        distance(
            oracle.ntk_vector_product(net, theta, x, v),
            np.einsum("nmoq,mq->no", full, v),
        )
        < 1e-8
    )


@each_case
def test_agrees_with_the_oracle(
    hold_against_the_oracle, precise, activation, parametrization, sigma_b
):
    net = small(activation, parametrization, sigma_b)
    hold_against_the_oracle(
        precise,
        net,
        moved(net, range(2)),
        normal(4, 3),
        normal(4, 3, seed=1),
        normal(4, 2),
    )


@each_case
def test_sampled_kernels_agree_with_the_oracles_explicit_weights(
    precise, oracle, activation, parametrization, sigma_b
):
    backend, tolerance = precise
    net = small(activation, parametrization, sigma_b, outputs=1)
    x, noise = normal(3), ntk_noise(net, seed=2, draws=20)
    samples = backend.ntk_samples(net, x, noise)
    assert (samples.dtype, samples.shape) == (backend.dtype, (20,))
    assert distance(samples, oracle.ntk_samples(net, x, noise)) < tolerance


@pytest.mark.parametrize(
    ("theta_seeds", "x_seeds", "x2_seeds"),
    [(0, 0, 0), (3, 0, 0), (0, 3, 0), (0, 0, 3), (3, 0, 3), (3, 3, 3)],
)
def test_seed_axes(backend, oracle, theta_seeds, x_seeds, x2_seeds):
    """Each seed alone, through the oracle, gives its slice; without any seed axis there is none in
    the result.
    """
    theta = moved(NET, range(3) if theta_seeds else 0)
    x, y, x2 = (
        normal(*[3] * bool(n), *s)
        for n, s in ((x_seeds, (4, 3)), (x_seeds, (4, 2)), (x2_seeds, (2, 3)))
    )
    results = [
        backend.forward(NET, theta, x),
        backend.ntk_vector_product(NET, theta, x, y),
        backend.empirical_ntk(NET, theta, x),
        backend.empirical_ntk(NET, theta, x, x2, outputs="full"),
    ]
    seeded = [theta_seeds or x_seeds] * 3 + [theta_seeds or x_seeds or x2_seeds]
    assert [r.ndim for r in results] == [
        n + bool(s) for n, s in zip((2, 2, 2, 4), seeded, strict=True)
    ]
    for s in range(3):
        weights = (
            {name: array[s] for name, array in theta.items()} if theta_seeds else theta
        )
        xs, ys, x2s = (
            x[s] if x_seeds else x,
            y[s] if x_seeds else y,
            x2[s] if x2_seeds else x2,
        )
        expected = [
            oracle.forward(NET, weights, xs),
            oracle.ntk_vector_product(NET, weights, xs, ys),
            oracle.empirical_ntk(NET, weights, xs),
            oracle.empirical_ntk(NET, weights, xs, x2s, outputs="full"),
        ]
        for result, reference, many in zip(results, expected, seeded, strict=True):
            assert distance(result[s] if many else result, reference) < 1e-10


@settings(max_examples=6, deadline=None)
@given(
    widths=st.lists(st.integers(1, 6), min_size=2, max_size=5),
    counts=st.tuples(st.integers(1, 4), st.integers(1, 5)),
    seeds=st.none() | st.integers(1, 3),
    sigma_b=st.sampled_from([None, 0.3]),
)
def test_any_shape_agrees_with_the_oracle(fast, oracle, widths, counts, seeds, sigma_b):
    net = mlp(widths, "tanh", sigma_b=sigma_b)
    theta = net.init(0 if seeds is None else range(seeds))
    x1, x2 = normal(counts[0], widths[0]), normal(counts[1], widths[0], seed=1)
    for outputs in ("trace", "full"):
        reference = oracle.empirical_ntk(net, theta, x1, x2, outputs)
        result = fast.empirical_ntk(net, theta, x1, x2, outputs)
        assert result.shape == reference.shape
        assert distance(result, reference) < 1e-10
    assert (
        distance(fast.forward(net, theta, x1), oracle.forward(net, theta, x1)) < 1e-10
    )


@pytest.mark.parametrize("activation", ["relu", "tanh"])
@pytest.mark.parametrize("sigma_b", [None, 0.5])
def test_sampled_kernels_have_the_moments_of_drawn_ones(oracle, activation, sigma_b):
    """Within four Monte-Carlo standard errors, in a net so narrow that its kernel varies wildly."""
    net, x, draws = (
        mlp((2, 3, 3, 1), activation, "standard", 1.5, sigma_b),
        np.array([0.6, -1.1]),
        3000,
    )
    sampled = oracle.ntk_samples(
        net, x, ntk_noise(net, seed=0, draws=draws, dtype=np.float64)
    )
    drawn = oracle.empirical_ntk(net, net.init(range(draws)), x[None]).ravel()
    for power in (1, 2):
        a, b = sampled**power, drawn**power
        assert abs(a.mean() - b.mean()) < 4 * ((a.var() + b.var()) / draws) ** 0.5


def test_sampled_kernel_of_a_silent_layer(backend):
    """All ReLUs off: nothing comes from below, the biases above still count."""
    net = mlp((2, 3, 3, 1), "relu", "ntk", 1.5, 0.5)
    noise = ntk_noise(net, seed=0, draws=1, dtype=np.float64)
    noise["uW1"], noise["b1"] = -np.ones((1, 3)), -np.ones((1, 3))
    h2 = 0.5 * noise["b2"][0]
    readout = 0.5**2 + 1.5**2 / 3 * (np.maximum(h2, 0) ** 2).sum()
    delta = 1.5 / 3**0.5 * signal(net, noise, h2) * (h2 > 0)
    assert backend.ntk_samples(net, np.ones(2), noise)[0] == pytest.approx(
        readout + 0.5**2 * (delta**2).sum()
    )


def signal(net, noise, h2):
    """W_3 of the silent net, read off its prescription: along the activation u, across it the rest
    of g.
    """
    a = np.maximum(h2, 0)
    a = a / np.linalg.norm(a)
    g = noise["gW3"][0]
    return a * noise["uW3"][0, 0] + g - a * (a @ g)


@pytest.mark.parametrize("outputs", ["trace", "full"])
def test_kernel_of_equal_inputs_is_symmetric_and_positive(precise, outputs):
    backend, tolerance = precise
    kernel = backend.empirical_ntk(
        NET, NET.init(range(2)), normal(7, 3), outputs=outputs
    )
    mirrored = (
        kernel.swapaxes(1, 2) if outputs == "trace" else kernel.transpose(0, 2, 1, 4, 3)
    )
    assert (kernel == mirrored).all()
    flat = (
        kernel
        if outputs == "trace"
        else kernel.transpose(0, 1, 3, 2, 4).reshape(2, 14, 14)
    )
    eigenvalues = np.linalg.eigvalsh(flat.astype(float))
    assert (eigenvalues > -tolerance * eigenvalues.max()).all()


@pytest.mark.parametrize("outputs", ["trace", "full"])
@pytest.mark.parametrize("budget", [1, 6000])
def test_blocks_stay_within_the_memory_budget_and_change_nothing(
    fast, monkeypatch, budget, outputs
):
    theta, x1, x2 = NET.init(range(2)), normal(9, 3), normal(7, 3, seed=1)
    ample, tight = fast, backends.get(fast.name, dtype="float64", memory_budget=budget)
    whole = [
        ample.empirical_ntk(NET, theta, x1, x2, outputs),
        ample.empirical_ntk(NET, theta, x1, outputs=outputs),
    ]
    sizes, factors, contract = [], tight.operations.factors, tight.operations.contract

    def recorded_factors(net, theta, x):
        sizes.append(x.shape[1])
        made = factors(net, theta, x)
        # two seeds
        assert nbytes(made) <= 2 * x.shape[1] * tight.operations.sample_bytes(net)
        return made

    def recorded_contract(net, left, right, outputs):
        block = contract(net, left, right, outputs)
        if max(block.shape[1:3]) > 1:  # fewer samples than one there are not
            assert 3 * nbytes(block) + nbytes(left) + nbytes(right) <= budget
        return block

    monkeypatch.setattr(tight.operations, "factors", recorded_factors)
    monkeypatch.setattr(tight.operations, "contract", recorded_contract)
    blocked = [
        tight.empirical_ntk(NET, theta, x1, x2, outputs),
        tight.empirical_ntk(NET, theta, x1, outputs=outputs),
    ]
    assert max(sizes) < 9
    assert budget > 1 or set(sizes) == {1}
    for result, reference in zip(blocked, whole, strict=True):
        assert distance(result, reference) < 1e-14
    mirrored = (
        blocked[1].swapaxes(1, 2)
        if outputs == "trace"
        else blocked[1].transpose(0, 2, 1, 4, 3)
    )
    assert (blocked[1] == mirrored).all()


def nbytes(tree):
    """Bytes of all arrays in nested tuples and lists."""
    return sum(map(nbytes, tree)) if isinstance(tree, list | tuple) else tree.nbytes


def test_vector_products_are_made_in_blocks_too(fast, monkeypatch):
    theta, x, v = NET.init(range(2)), normal(9, 3), normal(9, 2)
    tight = backends.get(fast.name, dtype="float64", memory_budget=6000)
    sizes, pullback = [], tight.operations.pullback

    def recorded(net, theta, x, v):
        sizes.append(x.shape[1])
        return pullback(net, theta, x, v)

    monkeypatch.setattr(tight.operations, "pullback", recorded)
    blocked = tight.ntk_vector_product(NET, theta, x, v)
    assert max(sizes) < 9 == sum(sizes)
    assert distance(blocked, fast.ntk_vector_product(NET, theta, x, v)) < 1e-14


def everything(backend):
    """Calls every method once: the results, and the arrays that went in, write-protected."""
    theta, x, y = NET.init(range(2)), normal(4, 3), normal(2, 4, 2)
    single = mlp((3, 4, 1), "relu", sigma_b=0.1)
    noise = ntk_noise(single, 0, 3)
    entered = [*theta.values(), x, y, *noise.values()]
    for array in entered:
        array.setflags(write=False)
    before = [array.copy() for array in entered]
    optimizer = backends.Adam(np.array([0.1, 0.2]))
    results = [
        backend.forward(NET, theta, x),
        backend.empirical_ntk(NET, theta, x),
        backend.ntk_vector_product(NET, theta, x, y),
        backend.ntk_samples(single, x[0], noise),
        backend.train(NET, theta, x, y, optimizer=optimizer, steps=3).theta["W1"],
        backend.train(NET, theta, x, y, optimizer=backends.SGD(0.1), steps=0).theta[
            "W1"
        ],
    ]
    assert all(
        (array == copy).all() for array, copy in zip(entered, before, strict=True)
    )
    return results, entered


def test_arguments_are_never_modified_and_results_are_the_callers(backend):
    results, entered = everything(backend)
    for result in results:
        assert not any(np.shares_memory(result, array) for array in entered)
        result += 1.0  # raises if it were read-only


@pytest.mark.parametrize("dtype", backends.DTYPES)
def test_state_of_jax_is_left_as_it_was(dtype):
    jax = pytest.importorskip("jax")

    def state():
        return (
            jax.config.jax_enable_x64,
            jax.config.jax_default_matmul_precision,
            jax.config.jax_default_device,
        )

    with jax.default_matmul_precision("bfloat16"):
        before = state()
        everything(backends.get("jax", dtype=dtype))
        assert state() == before


@pytest.mark.parametrize("dtype", backends.DTYPES)
def test_state_of_torch_is_left_as_it_was(dtype):
    torch = pytest.importorskip("torch")
    cpu, gpu = torch.backends.mkldnn, torch.backends.cudnn
    matmul = torch.backends.cuda.matmul, gpu.conv, cpu.matmul, cpu.conv
    settings = [product.fp32_precision for product in matmul]

    def state():
        return (
            torch.is_grad_enabled(),
            torch.get_default_dtype(),
            *(product.fp32_precision for product in matmul),
        )

    for precision in ("none", "tf32"):
        try:
            for product in matmul:
                product.fp32_precision = precision
            before = state()
            everything(backends.get("torch", dtype=dtype))
            assert state() == before
        finally:
            for product, setting in zip(matmul, settings, strict=True):
                product.fp32_precision = setting


def test_reduced_precision_asked_of_torch_does_not_reach_the_results(oracle):
    torch = pytest.importorskip("torch")
    backend, theta, x = (
        backends.get("torch", dtype="float32"),
        NET.init(range(2)),
        normal(4, 3),
    )
    with torch.autocast(backend.device, dtype=torch.bfloat16):
        kernel = backend.empirical_ntk(NET, theta, x)
    assert distance(kernel, oracle.empirical_ntk(NET, theta, x)) < 1e-5


@pytest.mark.parametrize("outputs", ["trace", "full"])
@pytest.mark.parametrize("name", ["jax", "torch"])
def test_the_half_that_is_not_computed_is_that_of_the_other_side(name, outputs):
    """Enough samples for several panels or tiles; given twice, all of the kernel is computed."""
    pytest.importorskip(name)
    backend, net = backends.get(name, dtype="float64"), mlp((3, 5, 4, 2), sigma_b=0.3)
    theta, x = net.init(range(2)), normal(700, 3)
    half, whole = (
        backend.empirical_ntk(net, theta, x, x2, outputs) for x2 in (None, x.copy())
    )
    assert distance(half, whole) < 1e-14
    assert (
        half
        == (
            half.swapaxes(1, 2) if outputs == "trace" else half.transpose(0, 2, 1, 4, 3)
        )
    ).all()


@pytest.mark.parametrize("outputs", ["trace", "full"])
@pytest.mark.parametrize("name", ["jax", "numpy", "torch"])
def test_kernels_between_two_times_give_the_gram_of_the_change(name, outputs, oracle):
    """(J_t - J_0)(J_t - J_0)^T, here from explicit Jacobians: J^T of every unit vector."""
    backend, net = backends.get(name, dtype="float64"), mlp((3, 5, 2), sigma_b=0.3)
    x, start, moved = normal(4, 3), net.init(range(2)), net.init(range(5, 7))

    def jacobian(theta):
        units = np.eye(8).reshape(8, 4, 2)
        rows = [
            np.hstack(
                [g.reshape(2, -1) for g in backend.pullback(net, theta, x, v).values()]
            )
            for v in units
        ]
        return np.stack(rows, axis=1).reshape(2, 4, 2, -1)

    change = jacobian(moved) - jacobian(start)
    subscripts = "snop,smop->snm" if outputs == "trace" else "snop,smqp->snmoq"
    later, now = (
        backend.empirical_ntk(net, theta, x, outputs=outputs)
        for theta in (moved, start)
    )
    cross = backend.empirical_ntk(net, moved, x, outputs=outputs, theta2=start)
    back = backend.empirical_ntk(net, start, x, x, outputs=outputs, theta2=moved)
    assert (
        distance(later + now - cross - back, np.einsum(subscripts, change, change))
        < 1e-12
    )


def test_other_weights_of_another_shape_are_refused():
    net = mlp((3, 5, 2))
    with pytest.raises(
        InvalidInput,
        match=r"theta2 must have the shapes of theta, W1 \(5, 3\).*got W1 \(2, 5, 3\)",
    ):
        backends.get("numpy").empirical_ntk(
            net, net.init(0), normal(4, 3), theta2=net.init(range(2))
        )


def test_torch_keeps_its_digits_in_long_products_of_few_rows():
    """The Gram of gradients with many entries; PyTorch alone loses 1e-4 here."""
    torch = pytest.importorskip("torch")
    from harness.backends.torch_layers import long_product

    g = torch.from_numpy(normal(1, 5, 2**20) + 0.5)
    exact = g @ g.mT
    assert distance(long_product(g.float(), g.float()).numpy(), exact.numpy()) < 1e-6


@pytest.mark.parametrize("name", ["jax", "torch"])
def test_a_framework_that_is_not_installed_is_named_with_its_extra(name, monkeypatch):
    monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.delitem(sys.modules, f"harness.backends.{name}_backend", raising=False)
    with pytest.raises(
        BackendUnavailable,
        match=rf"The {name} backend .* not installed.*'ntk-claims\[{name}\]'",
    ):
        backends.get(name)
    assert name in backends.available()


@pytest.mark.parametrize("name", ["jax", "torch"])
def test_a_gpu_that_is_not_there_is_named_with_what_to_do(name):
    framework = pytest.importorskip(name)
    if (
        framework.cuda.is_available()
        if name == "torch"
        else framework.default_backend() == "gpu"
    ):
        pytest.skip("there is a GPU")
    with pytest.raises(
        BackendUnavailable,
        match=rf"The {name} backend .* device 'cuda', .*Use device='cpu', .*ntk-claims\[cuda\]",
    ):
        backends.get(name, device="cuda")


def test_the_oracle_has_the_cpu_only():
    with pytest.raises(
        BackendUnavailable,
        match=r"The numpy backend runs on the cpu; device 'cuda' is not available",
    ):
        backends.get("numpy", device="cuda")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"name": "mlx"},
            r"Unknown backend 'mlx'\. Available: jax, numpy, torch\. Add "
            r"harness/backends/mlx_backend\.py",
        ),
        ({"device": "tpu"}, r"Unknown device 'tpu'\. Allowed: auto, cpu, cuda\."),
        (
            {"dtype": "float16"},
            r"Unknown dtype 'float16'\. Allowed: float32, float64\.",
        ),
        (
            {"dtype": np.float64},
            r"Unknown dtype <class 'numpy\.float64'>\. Allowed: float32, float64\.",
        ),
        (
            {"dtype": "float32"},
            r"The numpy backend, the oracle, computes in float64; got dtype 'float32'\.",
        ),
        (
            {"memory_budget": 0},
            r"memory_budget must be a positive number of bytes; got 0\.",
        ),
    ],
)
def test_wrong_backends_are_named(arguments, message):
    with pytest.raises(InvalidInput, match=message):
        backends.get(**{"name": "numpy", **arguments})


def test_defaults(fast):
    assert (backends.get("numpy").dtype, backends.get("numpy").device) == (
        "float64",
        "cpu",
    )
    assert backends.get(fast.name).dtype == "float32"
    assert backends.get(fast.name, device="cpu").device == "cpu"


X, Y, THETA = normal(4, 3), normal(4, 2), NET.init(range(2))
NAN = np.where(np.arange(12).reshape(4, 3) == 7, np.nan, X)


def changed(name, array):
    return {**THETA, name: array}


@pytest.mark.parametrize(
    ("method", "arguments", "message"),
    [
        (
            "forward",
            (THETA, X[:, :2]),
            r"x must have shape \(N, 3\) or \(S, N, 3\), .*; got \(4, 2\)\.",
        ),
        (
            "forward",
            (THETA, X[0]),
            r"x must have shape \(N, 3\) or \(S, N, 3\), .*; got \(3,\)\.",
        ),
        (
            "forward",
            (THETA, X[:0]),
            r"x must have shape .*, with N and S at least 1; got \(0, 3\)\.",
        ),
        (
            "forward",
            (THETA, NAN),
            r"x must be finite; entry \(2, 1\) is nan\. Clean the data first\.",
        ),
        (
            "forward",
            (THETA, X + 0j),
            r"x must be an array of real numbers; its dtype is complex128\.",
        ),
        (
            "forward",
            (THETA, X.astype(str)),
            r"x must be an array of real numbers; its dtype is <U",
        ),
        (
            "forward",
            (THETA, X > 0),
            r"x must be an array of real numbers; its dtype is bool\.",
        ),
        (
            "forward",
            (THETA, normal(3, 4, 3)),
            r"equally many seeds; got \{'data x': 3, 'weights': 2\}\.",
        ),
        ("forward", ({}, X), r"theta must hold W1, b1, W2, b2, W3, b3; got nothing\."),
        (
            "forward",
            (changed("W4", X), X),
            r"theta must hold W1, .*; got W1, b1, W2, b2, W3, b3, W4\.",
        ),
        (
            "forward",
            (changed("W1", normal(2, 3, 5)), X),
            r"theta must have shapes W1 \(5, 3\), .*; got W1 \(2, 3, 5\),",
        ),
        (
            "forward",
            (changed("b1", normal(5)), X),
            r"or one leading seed axis on each; got .*b1 \(5,\)",
        ),
        (
            "forward",
            (NET.init(range(1, 3)) | {"b3": normal(0, 2)}, X),
            r"theta must have shapes .*b3 \(0, 2\)",
        ),
        (
            "forward",
            (changed("W2", THETA["W2"] * np.nan), X),
            r"theta must be finite; W2 is not\. Did training diverge",
        ),
        (
            "forward",
            (changed("W2", THETA["W2"] + 0j), X),
            r"theta W2 must be an array of real .* complex128\.",
        ),
        (
            "forward",
            (changed("b2", THETA["b2"].astype(str)), X),
            r"theta b2 must be an array of real .* <U",
        ),
        (
            "empirical_ntk",
            (THETA, X, X[:, :1]),
            r"x2 must have shape \(N, 3\) .*; got \(4, 1\)\.",
        ),
        ("empirical_ntk", (THETA, NAN), r"x1 must be finite; entry \(2, 1\) is nan"),
        ("empirical_ntk", (THETA, X, NAN), r"x2 must be finite"),
        (
            "empirical_ntk",
            (THETA, X, normal(3, 4, 3)),
            r"got \{'data x2': 3, 'weights': 2\}",
        ),
        (
            "empirical_ntk",
            (THETA, X, None, "diagonal"),
            r"Unknown outputs 'diagonal'\. Allowed: trace, full\.",
        ),
        (
            "ntk_vector_product",
            (THETA, X, Y[:, :1]),
            r"v must have shape \(N, 2\) .*; got \(4, 1\)\.",
        ),
        (
            "ntk_vector_product",
            (THETA, X, Y[:3]),
            r"equally many samples; x has 4, v has 3\.",
        ),
        (
            "ntk_vector_product",
            (THETA, X, Y * np.inf),
            r"v must be finite; entry \(0, 0\) is -?inf",
        ),
        (
            "ntk_samples",
            (X[0], {}),
            r"ntk_samples needs a network with one output; this one has 2\.",
        ),
    ],
)
def test_wrong_arguments_are_named(backend, method, arguments, message):
    with pytest.raises(InvalidInput, match=message):
        getattr(backend, method)(NET, *arguments)


@pytest.mark.parametrize(
    ("x", "noise", "message"),
    [
        (np.ones((1, 3)), {}, r"x must have shape \(3,\), .*; got \(1, 3\)\."),
        (np.full(3, np.nan), {}, r"x must be finite; entry \(0,\) is nan"),
        (
            np.ones(3),
            {"uW1": np.ones((2, 4))},
            r"noise lacks b1, uW2, gW2, b2\. Draw it with networks\.ntk_noise",
        ),
        (
            np.ones(3),
            ntk_noise(mlp((3, 5, 1), sigma_b=0.1), 0, 2),
            r"noise must have shapes uW1 \(draws, 4\), .*; got uW1 \(2, 5\)",
        ),
    ],
)
def test_wrong_noise_is_named(backend, x, noise, message):
    with pytest.raises(InvalidInput, match=message):
        backend.ntk_samples(mlp((3, 4, 1), sigma_b=0.1), x, noise)


def test_integers_are_numbers(backend):
    theta, x = (
        {name: np.ones(shape, dtype=int) for name, shape in NET.shapes.items()},
        np.ones((2, 3), dtype=int),
    )
    as_floats = {name: array.astype(float) for name, array in theta.items()}
    assert (
        backend.forward(NET, theta, x)
        == backend.forward(NET, as_floats, x.astype(float))
    ).all()


@pytest.mark.parametrize("samples", [255, 256, 257, 600, 768])
def test_jax_passes_many_samples_forward_by_one_program(monkeypatch, oracle, samples):
    module = pytest.importorskip("harness.backends.jax_backend")
    shapes, forward = set(), module.forward
    monkeypatch.setattr(
        module,
        "forward",
        lambda net, theta, x: shapes.add(x.shape) or forward(net, theta, x),
    )
    theta, x = NET.init(range(2)), normal(2, samples, 3)
    backend = backends.get("jax", device="cpu", dtype="float64")
    assert (
        distance(backend.forward(NET, theta, x), oracle.forward(NET, theta, x)) < 1e-10
    )
    assert shapes == {(2, min(samples, 256), 3)}
