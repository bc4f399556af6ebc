"""Regression by networks, and by the kernel predictors that theory equates them with, on the same
samples.

At infinite width, in the NTK parametrization, a network that descends on the squared error and
starts at f = 0 is the predictor of descent with its NTK (Jacot, Gabriel, Hongler 2018). Between a
network as it is commonly trained and that predictor stand: how it was initialised, the optimizer
and when it stops, its f_0, a kernel that moves in training, a kernel at initialisation that is
random since the width is finite, and a descent that ends, where a ridge is chosen.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from claims.liu2025.problems import problem, relative
from harness import kernels, networks, seeds
from harness.backends import SGD, Adam, Backend, Stop
from harness.measurements import Samples, edge, kept
from harness.networks import Network, Step, Theta, Weighted
from harness.networks.network import Parametrization
from harness.ridge import by_validation

Arrays = dict[str, np.ndarray]
SIGMA_W, SIGMA_B = 2**0.5, 0.3
RIDGES = 10.0 ** np.arange(-6, 1.5, 0.5)
"""Of kernel regression, relative to the mean of the kernel's diagonal."""
OF_EDGE, MOMENTUM = 0.75, 0.9
"""Of descent: rate over 2 / lambda_max of the Gauss-Newton matrix at the start.

With this momentum 1.9 is stable.
"""
RATE, BATCH, EVERY = 3e-3, 32, 25
"""Of common training: Adam's rate, size of minibatches, steps between two looks at the validation
loss.
"""


def common_training(
    backend: Backend,
    configuration: Mapping[str, Any],
    replicates: Sequence[int],
    stream: str,
) -> Arrays:
    """Test error of networks as they are commonly trained.

    Standard parametrization, biases, PyTorch's initial weights, Adam on minibatches; the weights
    are those of the least validation loss.

    Configuration: target, inputs, samples, validation, noise (see `problem`); depth, width; steps;
    permuted: with the labels of other inputs, so that nothing can be learnt.
    Returns per replicate: "error", relative to the target's variance; the "stopped" step; and
    "gain", the share of the least validation loss that the last quarter of the checks took off (NaN
    if training diverged).
    """
    training, validation, test = problem(configuration, replicates, stream)
    net = network(configuration, "standard")
    init = _derived("init", replicates, stream)
    batches = _derived("batches", replicates, stream)
    trained = backend.train(
        net,
        networks.default_weights(net, init),
        training.x,
        _labels(configuration, training),
        optimizer=Adam(RATE),
        steps=configuration["steps"],
        batch_size=BATCH,
        batch_seed=batches,
        stop=Stop(validation=(validation.x, validation.y), every=EVERY),
    )
    f = backend.forward(net, trained.theta, test.x).astype(float)
    # After a seed has diverged its losses are NaN, of which arg min would make the least.
    losses = np.where(np.isnan(trained.validation), np.inf, trained.validation)
    earlier = losses[:, : -(-3 * losses.shape[1] // 4)]
    gain = 1 - losses.min(axis=1) / earlier.min(axis=1)
    return {
        "error": relative(f - test.y, test),
        "stopped": trained.validation_steps[losses.argmin(axis=1)].astype(float),
        "gain": np.where(trained.reason == "diverged", np.nan, gain),
    }


def architecture_kernel(
    backend: Backend,
    configuration: Mapping[str, Any],
    replicates: Sequence[int],
    stream: str,
) -> Arrays:
    """Test error of regression with the NTK of the networks of `common_training`, at infinite
    width.

    Standard parametrization: the width stands in the kernel, as the weight of each layer's
    gradients.

    Configuration: target, inputs, samples, validation, noise (see `problem`); depth, width.
    Returns per replicate "kernel_error", relative to the target's variance.
    """
    training, validation, test = problem(configuration, replicates, stream)
    predicted = ntk_regression(
        backend, trained_architecture(configuration), training, validation, test
    )
    return {"kernel_error": relative(predicted - test.y, test)}


def trained_architecture(configuration: Mapping[str, Any]) -> Network:
    """The network with the variances of PyTorch's default: of every layer's weights and biases, 1 /
    (3 fan-in).
    """
    net = network(configuration, "standard")
    return replace(
        net, steps=tuple(_with_default_variances(step) for step in net.steps)
    )


def _with_default_variances(step: Step) -> Step:
    if not isinstance(step, Weighted):
        return step
    std = (3 * step.fan_in) ** -0.5
    return replace(step, weight_std=std, bias_std=std)


def descent_by_theory(
    backend: Backend,
    configuration: Mapping[str, Any],
    replicates: Sequence[int],
    stream: str,
) -> Arrays:
    """Test errors of networks trained as the theorem asks, and of the kernel predictors of the same
    descent.

    NTK parametrization, full batch, heavy ball, at 3/4 of the edge of stability, for a number of
    steps. The labels are multiplied by the label scale and what is learnt is divided by it: a small
    one keeps the kernel constant.

    Configuration: as of `kernel_predictors`; label_scale, permuted (the network's labels, see
    `common_training`), and centred: f - f_0 is trained (descent starts at an output of zero)
    instead of f. Returns what `kernel_predictors` does, and per replicate: "error" of the network;
    the distances "net_to_own" and "net_to_limit" to both predictors; and "loss", of training. What
    comes from a network whose training diverged is NaN.
    """
    training, _, test = problem(configuration, replicates, stream)
    net, theta = _start(configuration, replicates, stream)
    rate, predictors = _predictors(backend, net, theta, configuration, (training, test))
    f, loss = _descend(backend, net, theta, rate, configuration, (training, test))
    return {
        **_compared(predictors, test),
        "error": relative(f - test.y, test),
        "net_to_own": relative(f - predictors["own"], test) ** 0.5,
        "net_to_limit": relative(f - predictors["limit"], test) ** 0.5,
        "loss": loss,
    }


def kernel_predictors(
    backend: Backend,
    configuration: Mapping[str, Any],
    replicates: Sequence[int],
    stream: str,
) -> Arrays:
    """What the descent of `descent_by_theory` would predict with three kernels kept as they are;
    nothing is trained.

    Configuration: of `problem`; depth, width, steps.
    Returns per replicate: "own_error" with the network's own eNTK at initialisation and
    "limit_error" with the NTK of infinite width, relative to the target's variance; root mean
    square distances over the tests, relative to the target's standard deviation: "own_to_limit";
    and with the NNGP kernel instead of the NTK, "nngp_to_limit" and "own_to_nngp". All descend at
    the same rate, by as many steps.
    """
    training, _, test = problem(configuration, replicates, stream)
    net, theta = _start(configuration, replicates, stream)
    _, predictors = _predictors(backend, net, theta, configuration, (training, test))
    return _compared(predictors, test)


def network(
    configuration: Mapping[str, Any], parametrization: Parametrization
) -> Network:
    """The network of a configuration: inputs, depth (hidden layers), width; ReLU, one output."""
    hidden = [configuration["width"]] * configuration["depth"]
    widths = (configuration["inputs"], *hidden, 1)
    return networks.mlp(widths, "relu", parametrization, SIGMA_W, SIGMA_B)


def _start(
    configuration: Mapping[str, Any],
    replicates: Sequence[int],
    stream: str,
) -> tuple[Network, Theta]:
    net = network(configuration, "ntk")
    return net, net.init(_derived("init", replicates, stream))


def _derived(
    name: str,
    replicates: Sequence[int],
    stream: str,
) -> list[int]:
    """The seed of each replicate's one network."""
    return [
        seeds.derive(name, stream=stream, replicate=replicate, lane=0)
        for replicate in replicates
    ]


def _predictors(
    backend: Backend,
    net: Network,
    theta: Theta,
    configuration: Mapping[str, Any],
    samples: tuple[Samples, Samples],
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """The rate of descent, (R,), and what each kernel predicts with it, (R, T, 1)."""
    training, test = samples
    own = backend.empirical_ntk(net, theta, training.x)
    kernel_pairs = {
        "own": (own, backend.empirical_ntk(net, theta, test.x, training.x)),
        "limit": _stacked(backend.infinite_ntk, net, training.x, test.x),
        "nngp": _stacked(backend.infinite_nngp, net, training.x, test.x),
    }
    rate = OF_EDGE * edge(own[..., None, None])
    predictors = {}
    for name, (k_train, k_test) in kernel_pairs.items():
        predictors[name] = heavy_ball(
            k_train, k_test, training.y, rate, configuration["steps"]
        )
    return rate, predictors


def _compared(
    predictors: Mapping[str, np.ndarray],
    test: Samples,
) -> Arrays:
    """Errors of two predictors, and the distances of all three."""
    own, limit, nngp = (predictors[name] for name in ("own", "limit", "nngp"))
    return {
        "own_error": relative(own - test.y, test),
        "limit_error": relative(limit - test.y, test),
        "own_to_limit": relative(own - limit, test) ** 0.5,
        "nngp_to_limit": relative(nngp - limit, test) ** 0.5,
        "own_to_nngp": relative(own - nngp, test) ** 0.5,
    }


def _descend(
    backend: Backend,
    net: Network,
    theta: Theta,
    rate: np.ndarray,
    configuration: Mapping[str, Any],
    samples: tuple[Samples, Samples],
) -> tuple[np.ndarray, np.ndarray]:
    """What the networks have learnt about the tests, (R, T, 1), in units of the target; and their
    training loss.
    """
    training, test = samples
    scale, centred = configuration["label_scale"], float(configuration["centred"])
    start = centred * backend.forward(net, theta, training.x).astype(float)
    start_test = centred * backend.forward(net, theta, test.x).astype(float)
    y = scale * _labels(configuration, training) + start
    optimizer, steps = SGD(rate, MOMENTUM), configuration["steps"]
    trained = backend.train(net, theta, training.x, y, optimizer=optimizer, steps=steps)
    diverged = trained.reason == "diverged"
    f = backend.forward(net, kept(trained.theta, theta, diverged), test.x) - start_test
    f = np.where(diverged[:, None, None], np.nan, f / scale)
    return f, np.where(diverged, np.nan, trained.loss / scale**2)


def heavy_ball(
    k_train: np.ndarray,
    k_test: np.ndarray,
    y: np.ndarray,
    rate: np.ndarray,
    steps: int,
    momentum: float = MOMENTUM,
) -> np.ndarray:
    """Predictions of descent with a frozen kernel on the mean squared error, from f = 0, with
    momentum, (S, T, 1).

    The weights stay theta_0 + J^T a; with g = 2 (K a - y) / N descent is v <- momentum v + g, a <-
    a - rate v, which is done in the eigenbasis of K. (S, N, N), (S, T, N), y (S, N, 1) and the rate
    (S,); in float64.

    Two samples that the kernel keeps apart are learnt each by itself; without momentum the residual
    falls by 1 - 2 rate / N per step:

    >>> heavy_ball(
    ...     np.eye(2)[None],
    ...     np.eye(2)[None],
    ...     np.ones((1, 2, 1)),
    ...     np.array([0.5]),
    ...     steps=2,
    ...     momentum=0.0,
    ... ).ravel()
    array([0.75, 0.75])
    """
    eigenvalues, modes = np.linalg.eigh(k_train.astype(float))
    target = np.einsum("snk,sno->sk", modes, y)
    a = np.zeros_like(target)
    v = np.zeros_like(target)
    for _ in range(steps):
        v = momentum * v + 2 / y.shape[1] * (eigenvalues * a - target)
        a = a - rate[:, None] * v
    coefficients = modes @ a[..., None]  # (S, N, 1)
    return np.asarray(k_test.astype(float) @ coefficients)


def ntk_regression(
    backend: Backend,
    net: Network,
    training: Samples,
    validation: Samples,
    test: Samples,
) -> np.ndarray:
    """Regression with the NTK of infinite width, the ridge of least validation loss, (R, T, 1)."""
    others = np.concatenate([validation.x, test.x], axis=1)
    k_train, k_other = _stacked(backend.infinite_ntk, net, training.x, others)
    predictions, _ = tuned(k_train, k_other, training, validation)
    return predictions


def tuned(
    k_train: np.ndarray,
    k_other: np.ndarray,
    training: Samples,
    validation: Samples,
) -> tuple[np.ndarray, np.ndarray]:
    """Kernel regression with the ridge of least validation loss: on the tests, (R, T, O), and that
    loss, (R,).

    k_train is (R, N, N), k_other (R, V + T, N) of the V validation and then the T test samples.
    """
    predictions = []
    losses = []
    for k, k_out, y, y_held in zip(
        k_train, k_other, training.y, validation.y, strict=True
    ):
        ridges = RIDGES * np.trace(k) / len(k)
        prediction, loss = by_validation(
            kernels.regression, k, y, k_out, y_held, ridges
        )
        predictions.append(prediction)
        losses.append(loss)
    return np.array(predictions), np.array(losses)


def _stacked(
    kernel: Callable[..., np.ndarray],
    net: Network,
    x: np.ndarray,
    others: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """The kernel of the samples x, (R, N, N), and of others by them, (R, T, N)."""
    k_train = [kernel(net, own) for own in x]
    k_other = [kernel(net, other, own) for own, other in zip(x, others, strict=True)]
    return np.array(k_train), np.array(k_other)


def _labels(configuration: Mapping[str, Any], training: Samples) -> np.ndarray:
    """The training labels, or those in the reversed order, which belong to other inputs."""
    return training.y[:, ::-1] if configuration["permuted"] else training.y
