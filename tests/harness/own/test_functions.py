"""Modules and pairs as networks, linearised networks, and the edge of stability."""

import numpy as np
import pytest

from harness import backends, kernels, networks, own
from harness.backends import SGD, Adam
from harness.errors import InvalidInput
from harness.measurements import edge

torch = pytest.importorskip("torch")
jax = pytest.importorskip("jax")
nn = torch.nn

RNG = np.random.default_rng(1)
X, Y, X_TEST = (RNG.standard_normal(shape) for shape in ((6, 4), (6, 2), (3, 4)))


class Scaled(nn.Module):
    """A linear layer on images, times a buffer, beside a frozen parameter."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(4, 2)
        self.frozen = nn.Parameter(torch.ones(2), requires_grad=False)
        self.register_buffer("scale", torch.tensor(3.0))

    def forward(self, x):
        return self.scale * self.layer(x.flatten(1)) + self.frozen


def test_a_module_draws_as_its_factory_does_and_leaves_the_generator_alone():
    torch.manual_seed(7)
    before = torch.rand(3)
    torch.manual_seed(7)
    net = own.from_module(Scaled, inputs=(1, 2, 2))
    theta = net.init(range(2))
    assert torch.equal(torch.rand(3), before)
    assert (net.inputs, net.outputs) == (4, 2)
    assert list(net.shapes) == ["layer.weight", "layer.bias"]
    assert np.abs(theta["layer.weight"]).max() <= 0.5
    assert not np.array_equal(theta["layer.weight"][0], theta["layer.weight"][1])
    assert np.array_equal(net.init(1)["layer.bias"], theta["layer.bias"][1])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_module_has_its_kernel_in_either_precision(dtype):
    net = own.from_module(Scaled, inputs=(1, 2, 2))
    kernel = backends.get("torch", "cpu", dtype).empirical_ntk(net, net.init(0), X)
    np.testing.assert_allclose(kernel, 2 * 9 * (X @ X.T + 1), rtol=1e-5)


def stacked(*layers, training=True):
    return lambda: nn.Sequential(nn.Linear(4, 4), *layers).train(training)


@pytest.mark.parametrize(
    ("factory", "message"),
    [
        (stacked(nn.Dropout(0.5)), "Dropout is on: layer '1' has p = 0.5"),
        (stacked(nn.BatchNorm1d(4)), "batch norm '1' is in training mode"),
        (stacked(nn.LSTM(4, 4)), "returns a tuple of 2"),
        (stacked(nn.Unflatten(1, (2, 2))), r"must return shape \(2, outputs\)"),
        (lambda: 3, "must return a torch.nn.Module; got int"),
        (nn.Flatten, "no parameter that requires a gradient"),
        (lambda: nn.Linear(5, 1), "failed on two inputs: RuntimeError"),
    ],
)
def test_modules_that_are_no_functions_are_refused(factory, message):
    with pytest.raises(InvalidInput, match=message):
        own.from_module(factory, inputs=4)


def test_a_module_with_dropout_and_batch_norm_in_evaluation_mode_is_taken():
    factory = stacked(nn.BatchNorm1d(4), nn.Dropout(0.5), training=False)
    assert own.from_module(factory, inputs=4).outputs == 4


@pytest.mark.parametrize("inputs", [0, (), (3, 0), "4", 2.0])
def test_shapes_of_inputs_are_checked(inputs):
    with pytest.raises(InvalidInput, match="inputs must be a positive integer"):
        own.from_module(Scaled, inputs=inputs)


def init(key):
    w, b = (jax.random.normal(k, (4, 2)) for k in jax.random.split(key))
    return {"layers": [{"w": w}, {"w": b}], "depth": 2}


def apply(params, x):
    first, second = params["layers"]
    return x @ first["w"] + x @ second["w"]


def test_a_pair_has_a_tree_of_parameters():
    net = own.from_pair(init, apply, inputs=4)
    assert len(net.shapes) == 2
    assert net.outputs == 2
    kernel = backends.get("jax").empirical_ntk(net, net.init(3), X)
    np.testing.assert_allclose(kernel, 4 * X @ X.T, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("pair", "message"),
    [
        ((init, lambda params, x: (x, x)), "returns a tuple of 2"),
        ((lambda key: {"depth": 3}, apply), "no array of floating-point numbers"),
        ((3, apply), "got int and function"),
        ((lambda: None, apply), "init.key. failed: TypeError"),
        ((init, lambda params, x: x[:, 9999].foo), "apply failed on two inputs"),
    ],
)
def test_pairs_that_are_no_networks_are_refused(pair, message):
    with pytest.raises(InvalidInput, match=message):
        own.from_pair(*pair, inputs=4)


NETS = {
    "mlp": lambda: networks.mlp((4, 16, 2), "tanh", sigma_b=0.1),
    "cnn": lambda: networks.cnn((2, 2, 1), [networks.Conv(3, 2)], outputs=2),
}


@pytest.mark.parametrize("name", ["torch", "jax"])
@pytest.mark.parametrize("kind", NETS)
def test_a_linearised_network_keeps_its_kernel_and_is_tangent(name, kind):
    backend, net = backends.get(name, "cpu", "float64"), NETS[kind]()
    theta = net.init(0)
    line = own.linearised(backend, net, theta)
    away = {n: a + 0.5 for n, a in theta.items()}
    kernel = backend.empirical_ntk(net, theta, X)
    np.testing.assert_allclose(backend.empirical_ntk(line, away, X), kernel, rtol=1e-9)
    near = {n: a + 1e-6 for n, a in theta.items()}
    moved = backend.forward(net, near, X) - backend.forward(net, theta, X)
    linear = backend.forward(line, near, X) - backend.forward(line, theta, X)
    np.testing.assert_allclose(linear, moved, rtol=1e-4, atol=1e-11)


@pytest.mark.parametrize("name", ["torch", "jax"])
def test_a_linearised_network_trains_as_the_closed_form_says(name):
    backend, net = backends.get(name, "cpu", "float64"), NETS["mlp"]()
    theta = net.init(0)
    rate = 1e-3 * float(own.edge_of_stability(backend, net, theta, X))
    line = own.linearised(backend, net, theta)
    trained = backend.train(line, theta, X, Y, optimizer=SGD(rate), steps=400)
    found = backend.forward(line, trained.theta, X_TEST)
    time = own.flow_time(SGD(rate), 400, samples=6, outputs=2)
    predicted = own.linearised_prediction(
        backend, net, theta, X, y=Y, x_test=X_TEST, time=time
    )
    np.testing.assert_allclose(found, predicted, rtol=2e-3, atol=1e-4)


def test_a_linearised_prediction_to_the_end_is_kernel_regression():
    backend, net = backends.get("torch", "cpu", "float64"), NETS["mlp"]()
    theta = net.init(0)
    predicted = own.linearised_prediction(backend, net, theta, X, y=Y, x_test=X_TEST)
    k_train = own.flatten_outputs(backend.empirical_ntk(net, theta, X, outputs="full"))
    k_test = own.flatten_outputs(
        backend.empirical_ntk(net, theta, X_TEST, X, outputs="full")
    )
    start, start_test = (backend.forward(net, theta, x) for x in (X, X_TEST))
    change = kernels.regression(k_train, (Y - start).reshape(-1), k_test, 0.0)
    np.testing.assert_allclose(predicted, start_test + change.reshape(3, 2), rtol=1e-6)


def test_what_cannot_be_linearised_says_why():
    net = NETS["mlp"]()
    with pytest.raises(InvalidInput, match="Take torch or jax"):
        own.linearised(backends.get("numpy"), net, net.init(0))
    with pytest.raises(InvalidInput, match="weights of one seed; W1 must have shape"):
        own.linearised(backends.get("torch"), net, net.init(range(2)))


@pytest.mark.parametrize("loss", ["squared", "cross-entropy"])
def test_descent_is_stable_below_the_edge_and_not_above(loss):
    """For a linear model the edge is the true one, of the squared loss; of cross-entropy at the
    start.
    """
    backend = backends.get("torch", "cpu", "float64")
    net = networks.mlp((4, 3))
    theta = net.init(range(2))
    limit = own.edge_of_stability(backend, net, theta, X, loss=loss)
    f = backend.forward(net, theta, X)
    hessian = curvature(loss, f)
    jacobian = np.kron(X, np.eye(3)) / 2 * 2**0.5
    exact = [2 / np.linalg.eigvalsh(jacobian.T @ h @ jacobian)[-1] for h in hessian]
    np.testing.assert_allclose(limit, exact, rtol=0.02)


def curvature(loss, f):
    """Second derivatives of the loss in the outputs of each seed, block by block."""
    samples, outputs = f.shape[1:]
    if loss == "squared":
        return [2 * np.eye(samples * outputs) / (samples * outputs)] * len(f)
    found = []
    for logits in f:
        p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        block = np.zeros((samples * outputs,) * 2)
        for n, row in enumerate(p):
            own = slice(n * outputs, (n + 1) * outputs)
            block[own, own] = (np.diag(row) - np.outer(row, row)) / samples
        found.append(block)
    return found


def test_the_edge_needs_no_kernel_of_its_own():
    backend, net = backends.get("jax"), NETS["mlp"]()
    theta = net.init(range(3))
    exact = edge(backend.empirical_ntk(net, theta, X, outputs="full"))
    found = own.edge_of_stability(backend, net, theta, X)
    np.testing.assert_allclose(found, exact, rtol=0.01)


def test_flow_time_is_of_plain_descent():
    with pytest.raises(InvalidInput, match="SGD with one learning rate"):
        own.flow_time(Adam(0.1), 1, samples=1, outputs=1)
    found = own.flow_time(SGD(0.1, 0.9), 10, samples=4, outputs=5, loss="cross-entropy")
    assert found == pytest.approx(2.5)


@pytest.mark.parametrize("kind", ["frozen", "buffer"])
def test_what_is_drawn_but_not_trained_is_refused(kind):
    def factory():
        module = torch.nn.Linear(4, 2)
        if kind == "frozen":
            module.bias.requires_grad_(False)
        else:
            module.register_buffer("bump", torch.randn(3))
        return module

    name = {"frozen": "bias", "buffer": "bump"}[kind]
    with pytest.raises(
        InvalidInput, match=f"'{name}' is frozen, or a buffer, and drawn"
    ):
        own.from_module(factory, inputs=4)
