"""What gradient descent and a network's kernel have to do with each other.

For the squared loss, averaged over N samples and O outputs, the Gauss-Newton matrix is 2 J^T J /
(N O). Its eigenvalues but zero are those of 2 Theta / (N O), so descent is stable at first up to
the learning rate N O / lambda_max(Theta), and a step of rate eta is flow for the time 2 eta / (N O)
on 1/2 |f - y|^2. For cross-entropy, averaged over samples, it is J^T S J / N, where S_n = diag(p_n)
- p_n p_n^T of sample n.
"""

from collections.abc import Callable

import numpy as np

from harness.backends.backend import Backend
from harness.backends.losses import checked_loss
from harness.backends.operations import SGD
from harness.errors import InvalidInput
from harness.kernels.prediction import gradient_flow, regression
from harness.networks import Function, Network, Theta

ITERATIONS = 100
"""Most products with the kernel of one power iteration."""
CLOSE = 1e-3
"""Relative change of the eigenvalue at which the iteration ends."""


def edge_of_stability(
    backend: Backend,
    net: Network | Function,
    theta: Theta,
    x: np.ndarray,
    *,
    loss: str = "squared",
) -> np.ndarray:
    """The learning rate 2 / lambda_max of the Gauss-Newton matrix at these weights, () or (S,).

    By power iteration on products with the kernel, which is never formed. It ends where the
    eigenvalue changes by less than 0.1 %; it approaches from below, so the rate may be slightly
    too large.

    Args:
        backend, net, theta, x: as in `Backend.ntk_vector_product`.
        loss: "squared" or "cross-entropy", as `Backend.train` averages it.

    >>> from harness import backends, networks, own
    >>> from harness.measurements import edge
    >>> numpy, net, x = backends.get("numpy"), networks.mlp((3, 16, 2)), np.eye(3)
    >>> theta = net.init(range(2))
    >>> exact = edge(numpy.empirical_ntk(net, theta, x, outputs="full"))
    >>> bool(np.allclose(edge_of_stability(numpy, net, theta, x), exact, rtol=0.01))
    True
    """
    outputs = backend.forward(net, theta, x)

    def product(v: np.ndarray) -> np.ndarray:
        return backend.ntk_vector_product(net, theta, x, v).astype(float)

    return edge_of_products(product, outputs, loss)


def edge_of_products(
    product: Callable[[np.ndarray], np.ndarray], f: np.ndarray, loss: str
) -> np.ndarray:
    """`edge_of_stability` of whatever multiplies by the kernel.

    Args:
        product: v -> Theta v, both like f.
        f: outputs on the training inputs, (N, O) or (S, N, O).
        loss: as there.
    """
    curvature = _curvature(checked_loss(loss), f)
    v = np.random.default_rng(0).standard_normal(f.shape)
    value = np.zeros(f.shape[:-2])
    for _ in range(ITERATIONS):
        v = v / np.linalg.norm(v, axis=(-2, -1), keepdims=True)
        pushed = curvature(v)
        after = product(pushed)
        before, value = value, _dot(pushed, after) / _dot(pushed, v)
        if np.all(np.abs(value - before) <= CLOSE * np.abs(value)):
            break
        v = after
    return np.asarray(2.0 / value)


def _dot(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.asarray((a * b).sum(axis=(-2, -1)))


def _curvature(loss: str, f: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """Products with the second derivative of the loss in the outputs, (..., N, O)."""
    samples, outputs = f.shape[-2:]
    if loss == "squared":
        return lambda v: 2 * v / (samples * outputs)
    p = softmax(f.astype(float))

    def product(v: np.ndarray) -> np.ndarray:
        mean = (p * v).sum(axis=-1, keepdims=True)
        return np.asarray(p * (v - mean) / samples)

    return product


def softmax(f: np.ndarray) -> np.ndarray:
    """Probabilities p_no = e^f_no / sum_k e^f_nk of outputs (..., N, O), in their dtype.

    The largest output is subtracted first, so that no exponential overflows.

    >>> softmax(np.array([[1000.0, 1000.0]])).tolist()
    [[0.5, 0.5]]
    """
    exponentials = np.exp(f - f.max(axis=-1, keepdims=True))
    totals = exponentials.sum(axis=-1, keepdims=True)
    return np.asarray(exponentials / totals)


def flow_time(
    optimizer: SGD, steps: int, *, samples: int, outputs: int, loss: str = "squared"
) -> float:
    """The time of gradient flow on the sum of losses that so many steps of descent stand for.

        squared         2 rate steps / (N O (1 - momentum)), of flow on 1/2 |f - y|^2
        cross-entropy   rate steps / (N (1 - momentum))

    It is what `kernels.gradient_flow` takes. With momentum it holds after the first 1 / (1 -
    momentum) steps or so.

    Raises:
        InvalidInput: for an optimizer other than SGD, or a learning rate per seed.

    >>> flow_time(SGD(0.5), steps=100, samples=20, outputs=5)
    1.0
    """
    if not isinstance(optimizer, SGD) or np.ndim(optimizer.learning_rate):
        raise InvalidInput(
            f"A flow time is that of SGD with one learning rate; got {optimizer!r}. Adam follows "
            "another flow."
        )
    each = samples * outputs / 2 if checked_loss(loss) == "squared" else samples
    rate = float(optimizer.learning_rate) / (1 - optimizer.momentum)
    return rate * steps / each


def flatten_outputs(kernel: np.ndarray) -> np.ndarray:
    """A kernel (..., N, M, O, O) of outputs="full" as a matrix, (..., N O, M O).

    >>> flatten_outputs(np.zeros((5, 3, 4, 2, 2))).shape
    (5, 6, 8)
    """
    *seeds, n, m, o, p = kernel.shape
    return np.swapaxes(kernel, -3, -2).reshape(*seeds, n * o, m * p)


def linearised_prediction(  # noqa: PLR0913 -- public; time has a default
    backend: Backend,
    net: Network | Function,
    theta: Theta,
    x: np.ndarray,
    *,
    y: np.ndarray,
    x_test: np.ndarray,
    time: float | None = None,
) -> np.ndarray:
    """What the linearised network predicts on x_test after training on (x, y), (T, O).

    f(x_test) + Theta(x_test, x) Theta^-1 (1 - exp(-time Theta)) (y - f(x)), from one set of
    Jacobians (Lee et al. 2019, eqs. 8, 10 and 11). In float64, but for the kernel.

    Args:
        theta: weights of one seed.
        x, y, x_test: (N, n_0), (N, O), (T, n_0).
        time: of gradient flow, see `flow_time`; None: to the end.
    """
    together = np.concatenate([x, x_test])
    kernel = backend.empirical_ntk(net, theta, together, outputs="full")
    if kernel.ndim != 4:
        raise InvalidInput(
            "A prediction is of weights of one seed; these have a seed axis. Call it seed by seed."
        )
    matrix = flatten_outputs(kernel)
    start = backend.forward(net, theta, together).astype(float)
    missing = (np.asarray(y, dtype=float) - start[: len(x)]).reshape(-1)
    trained = missing.size
    k_train, k_test = matrix[:trained, :trained], matrix[trained:, :trained]
    if time is None:
        change = regression(k_train, missing, k_test, 0.0)
    else:
        change = gradient_flow(k_train, missing, k_test, time)
    moved: np.ndarray = start[len(x) :] + change.reshape(-1, net.outputs)
    return moved
