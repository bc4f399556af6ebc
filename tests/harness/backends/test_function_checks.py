"""What is checked of a function: samples that mix behind equal rows, programs that are old, errors
raised inside.
"""

import numpy as np
import pytest

from harness import backends, kernels
from harness.errors import InvalidInput
from harness.networks import from_callable, mlp

W = {"w": np.array([[1.0], [0.5]])}
ROWS = np.random.default_rng(0).standard_normal((6, 2))
DATA = {
    "blank": np.concatenate([np.zeros((2, 2)), ROWS]),
    "all blank": np.zeros((3, 2)),
    "equal": ROWS[[0, 0, 1, 2]],
    "all ones": np.ones((4, 2)),
    "one row": ROWS[:1],
    "many blank": np.concatenate([np.zeros((500, 2)), ROWS[:1]]),
}


def centred(theta, x):
    """A normalisation by the batch."""
    return (x - x.mean(0)) @ theta["w"]


def shifted(theta, x):
    """Each sample gets a part of the one before it."""
    return (x + 0.1 * x[np.roll(np.arange(len(x)), -1)]) @ theta["w"]


def product(theta, x):
    """Nothing mixes in this one."""
    return (x @ theta["w"]) ** 2


@pytest.mark.parametrize("data", DATA)
@pytest.mark.parametrize("function", [centred, shifted])
def test_samples_that_mix_are_refused_whatever_the_first_rows_are(
    backend, function, data
):
    net = from_callable(function, inputs=2, outputs=1, initial=W)
    with pytest.raises(
        InvalidInput, match=r"other outputs for \d samples together than for each alone"
    ):
        backend.forward(net, net.init(0), DATA[data])


@pytest.mark.parametrize("data", ["blank", "all ones", "one row"])
def test_samples_that_do_not_mix_are_taken(backend, data):
    net = from_callable(product, inputs=2, outputs=1, initial=W)
    assert backend.forward(net, net.init(0), DATA[data]) == pytest.approx(
        product(W, DATA[data]), rel=1e-12, abs=1e-12
    )


def test_a_function_that_takes_indices_alone_is_taken():
    """A row near [0, 1] is none that it takes; two different rows are enough."""

    def chosen(theta, x):
        if (x != np.round(x)).any():
            raise ValueError("indices must be whole numbers")
        return theta["w"][x[:, 0].astype(int)]

    backend, net = (
        backends.get("numpy"),
        from_callable({"numpy": chosen}, inputs=1, outputs=1, initial=W),
    )
    assert (backend.forward(net, net.init(0), [[1], [0]]) == [[0.5], [1.0]]).all()
    with pytest.raises(InvalidInput, match="indices must be whole numbers"):
        backend.forward(net, net.init(0), [[1], [1]])


# What a function closes over.


@pytest.mark.parametrize("dtype", backends.DTYPES)
@pytest.mark.parametrize("change", ["a new array", "in place", "a number"])
def test_jax_takes_what_a_function_closes_over_as_it_is_now_or_refuses(dtype, change):
    pytest.importorskip("jax")
    state, backend = {"scale": np.ones(2)}, backends.get("jax", "cpu", dtype)
    if change == "a number":
        state["scale"] = 1.0

    def scaled(theta, x):
        return (x * state["scale"]) @ theta["w"]

    net, x = (
        from_callable(scaled, inputs=2, outputs=1, initial=W),
        np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]]),
    )
    backend.empirical_ntk(net, net.init(0), x)
    if change == "in place":
        state["scale"][:] = 2.0
    else:
        state["scale"] = 2.0 * state["scale"]
    refusal = ""
    try:
        kernel = backend.empirical_ntk(net, net.init(0), x)
    except InvalidInput as error:
        refusal = str(error)
    if (change, dtype) == (
        "in place",
        "float32",
    ) and refusal:  # there JAX itself keeps the array
        assert "put a new array in place of the old one" in refusal
        return
    assert not refusal
    assert kernel[1, 1] == pytest.approx(4.0)
    assert backend.forward(net, net.init(0), x)[1, 0] == pytest.approx(2.0)


def test_a_batching_rule_of_jax_that_is_wrong_is_refused():
    jax = pytest.importorskip("jax")

    @jax.custom_batching.custom_vmap
    def doubled(h):
        return 2.0 * h

    @doubled.def_vmap
    def _(size, batched, h):
        return 3.0 * h, batched[0]

    def f(theta, x):
        return x @ doubled(theta["w"])

    net = from_callable({"jax": f}, inputs=2, outputs=1, initial=W)
    with pytest.raises(InvalidInput):
        backends.get("jax", "cpu", "float64").empirical_ntk(net, net.init(0), ROWS)


# Errors and arrays of others.


def test_what_pytorch_raises_while_it_differentiates_is_ours():
    torch = pytest.importorskip("torch")
    net = from_callable(
        {"torch": lambda theta, x: x @ torch.from_numpy(theta["w"].numpy())},
        inputs=2,
        outputs=1,
        initial=W,
    )
    backend = backends.get("torch", "cpu", "float64")
    for call in (
        backend.empirical_ntk,
        lambda *a: backend.pullback(*a, np.ones((6, 1))),
    ):
        with pytest.raises(
            InvalidInput,
            match=r"The function failed .*: RuntimeError: Can't call numpy\(\) on Tensor",
        ):
            call(net, net.init(0), ROWS)


def test_outputs_that_autograd_does_not_follow_are_refused():
    torch = pytest.importorskip("torch")
    net = from_callable(
        {"torch": torch.no_grad()(product)}, inputs=2, outputs=1, initial=W
    )
    backend = backends.get("torch", "cpu", "float64")
    for call in (
        backend.empirical_ntk,
        lambda *a: backend.ntk_vector_product(*a, np.ones((6, 1))),
    ):
        with pytest.raises(
            InvalidInput, match="do not depend on theta as far as autograd sees"
        ):
            call(net, net.init(0), ROWS)


def test_a_lack_of_memory_is_no_fault_of_the_function(backend):
    def hungry(theta, x):
        raise MemoryError("no more")

    net = from_callable(hungry, inputs=2, outputs=1, initial=W)
    with pytest.raises(MemoryError, match="no more"):
        backend.forward(net, net.init(0), ROWS)


def test_a_function_may_change_its_arguments(oracle):
    def f(theta, x):
        x *= 2.0
        theta["w"] *= 3.0
        return x @ theta["w"]

    net = from_callable(f, inputs=2, outputs=1, initial=W)
    for name in {"numpy", "torch"} & set(backends.available()):
        backend = backends.get(name, "cpu", "float64")
        for seeds in ([0], 0):
            theta = net.init(seeds)
            kernel = backend.empirical_ntk(net, theta, ROWS)
            assert kernel.reshape(6, 6) == pytest.approx(
                36.0 * ROWS @ ROWS.T, rel=1e-9, abs=1e-9
            )
            assert backend.forward(net, theta, ROWS).reshape(6, 1) == pytest.approx(
                6.0 * ROWS @ W["w"]
            )


def test_tensors_that_pytorch_tracks_are_named(backend):
    torch = pytest.importorskip("torch")
    net, tracked = mlp((2, 3, 1)), torch.ones((2, 2), requires_grad=True)
    theta = {
        name: torch.tensor(array, requires_grad=True)
        for name, array in net.init(0).items()
    }
    with pytest.raises(InvalidInput, match=r"x1 is no NumPy array: .*detach"):
        backend.empirical_ntk(net, net.init(0), tracked)
    with pytest.raises(InvalidInput, match=r"theta W1 is no NumPy array: .*detach"):
        backend.empirical_ntk(net, theta, ROWS)
    with pytest.raises(InvalidInput, match=r"x1 is no NumPy array: .*detach"):
        kernels.ntk(net, tracked)


def test_masked_arrays_are_refused(backend):
    net, x = mlp((2, 3, 1)), np.ma.masked_array(ROWS, mask=ROWS > 1.0)
    theta, k = net.init(0), np.eye(6)
    masked = {name: np.ma.masked_array(array) for name, array in theta.items()}
    y = np.ma.masked_array(np.ones((6, 1)))
    calls = {
        "x": lambda: backend.forward(net, theta, x),
        "x2": lambda: backend.empirical_ntk(net, theta, ROWS, x),
        "theta W1": lambda: backend.forward(net, masked, ROWS),
        "y": lambda: backend.train(
            net, theta, ROWS, y, optimizer=backends.SGD(0.1), steps=1
        ),
        "x1": lambda: kernels.ntk(net, x),
        "k_train": lambda: kernels.regression(
            np.ma.masked_array(k), np.ones(6), k, ridge=1.0
        ),
        "initial 'w'": lambda: from_callable(
            product,
            inputs=2,
            outputs=1,
            initial={"w": np.ma.masked_array(np.ones((2, 1)))},
        ),
    }
    for name, call in calls.items():
        with pytest.raises(
            InvalidInput,
            match=f"^{name} is a masked array, and a mask would be ignored",
        ):
            call()


def test_what_initial_leaves_out_is_frozen():
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    module = torch.nn.Sequential(
        torch.nn.Linear(2, 3), torch.nn.Tanh(), torch.nn.Linear(3, 1)
    ).double()
    module[0].requires_grad_(False)
    parameters = dict(module.named_parameters())
    free = {
        name: p.detach().numpy() for name, p in parameters.items() if p.requires_grad
    }
    every = {name: p.detach().numpy() for name, p in parameters.items()}
    computed = []
    for initial in (free, every):
        net = from_callable(
            {"torch": lambda theta, x: torch.func.functional_call(module, theta, (x,))},
            inputs=2,
            outputs=1,
            initial=initial,
        )
        computed.append(
            backends.get("torch", "cpu", "float64").empirical_ntk(
                net, net.init(0), ROWS
            )
        )
    hidden = np.tanh(ROWS @ every["0.weight"].T + every["0.bias"])
    assert computed[0] == pytest.approx(hidden @ hidden.T + 1.0)
    assert np.abs(computed[1] - computed[0]).max() > 0.01
