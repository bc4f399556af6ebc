"""Learning curves: test error against the number of training samples, of networks and of kernel
regression.

Both arms see the same samples, choose on the same validation samples by the same criterion, the
squared error (the network when to stop, the kernel its ridge), and are judged on the same test
samples. Error rates count wrong signs.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from claims.vyas2022.regression import mistakes, ridge_errors
from claims.vyas2022.tasks import samples
from harness import networks, seeds
from harness.backends import SGD, Adam, Backend, Stop
from harness.errors import InvalidInput
from harness.measurements import Samples, edge
from harness.networks import Conv, Network, Pool, Theta

Arrays = dict[str, np.ndarray]
MOMENTUM = 0.9
OF_EDGE = 256
"""Samples from which the edge of stability is estimated; lambda_max of Theta / N hardly depends on
N.
"""


def network(
    net: Mapping[str, Any],
    shape: tuple[int, ...],
) -> Network:
    """The network of a configuration for inputs of that shape: ReLU, NTK parametrization, sigma_w^2
    = 2, one output.

    Keys: family "mlp" or "cnn", width (or channels), sigma_b (None: no biases); depth, hidden
    layers of an MLP; strides of a CNN's convolutions (kernel 5 for sequences, 3 for images), global
    average pooling behind them.
    """
    if net["family"] == "mlp":
        return networks.mlp(
            (int(np.prod(shape)), *[net["width"]] * net["depth"], 1),
            sigma_b=net["sigma_b"],
        )
    if net["family"] == "cnn":
        kernel = 5 if len(shape) == 2 else 3
        convolutions = [Conv(net["width"], kernel, stride) for stride in net["strides"]]
        return networks.cnn(shape, [*convolutions, Pool(None)], sigma_b=net["sigma_b"])
    raise InvalidInput(
        f"Unknown family of networks {net['family']!r}. Allowed: mlp, cnn."
    )


def initial(
    net: Network,
    replicates: Sequence[int],
    stream: str,
    member: int = 0,
) -> Theta:
    """Weights at initialisation, one set per replicate; networks are trained from member 0, others
    are beside it.
    """
    return net.init(
        seeds.derive("init", stream=stream, replicate=r, member=member)
        for r in replicates
    )


@dataclass(frozen=True)
class Run:
    """Trained networks, one per replicate; losses are in units of the labels.

    Args:
        theta: weights at the lowest validation loss.
        start: weights before training, if f - f_0 is trained, else None: f is.
        scale: the labels were multiplied by it.
        loss: training loss of `theta`, (R,).
        gain: share of the lowest validation loss that the last quarter of the checks took off,
            (R,); NaN if training diverged.
        steps: steps up to `theta`, (R,).
    """

    net: Network
    theta: Theta
    start: Theta | None
    scale: float
    loss: np.ndarray
    gain: np.ndarray
    steps: np.ndarray

    def predict(
        self,
        backend: Backend,
        x: np.ndarray,
    ) -> np.ndarray:
        """What the trained networks say, (R, N, 1) float64, in units of the labels."""
        f = backend.forward(self.net, self.theta, x).astype(float)
        if self.start is not None:
            f -= backend.forward(self.net, self.start, x)
        return np.asarray(f / self.scale)


def train(
    backend: Backend,
    configuration: Mapping[str, Any],
    replicates: Sequence[int],
    stream: str,
    training: Samples,
    validation: Samples,
    size: int | None = None,
) -> Run:
    """Trains the configuration's network on the first `size` samples; None: on all.

    The weights with the lowest validation loss are kept. All sizes of a curve pass the same samples
    and different numbers of them: with minibatches that is one program to compile.

    Configuration: net (see `network`; also label_scale, by which the labels are multiplied: to
    train f towards scale * y is to train f / scale towards y, so a large one makes the network
    leave the lazy regime, Chizat, Oyallon, Bach 2019; and centred: train f - f_0), optimizer "adam"
    with its rate, or "momentum" (0.9) or "sgd" with a rate that is a fraction of the edge 2 /
    lambda_max; batch_size (null, or too many samples: full batch); steps; checks (how often
    validation is looked at).
    """
    net, scale = (
        network(configuration["net"], training.shape),
        configuration["net"]["label_scale"],
    )
    start = initial(net, replicates, stream)
    centred = configuration["net"]["centred"]
    y, y_validation = (
        scale * data.y
        + (backend.forward(net, start, data.x).astype(float) if centred else 0.0)
        for data in (training, validation)
    )
    count, batch = size or training.x.shape[1], configuration["batch_size"]
    every = max(configuration["steps"] // configuration["checks"], 1)
    trained = backend.train(
        net,
        start,
        training.x,
        y,
        optimizer=optimizer_of(
            backend, configuration, net, start, training.x[:, :count]
        ),
        steps=configuration["steps"],
        batch_size=None if batch is None or batch >= count else batch,
        samples=count,
        batch_seed=[
            seeds.derive("batches", stream=stream, replicate=r) for r in replicates
        ],
        stop=Stop(validation=(validation.x, y_validation), every=every),
    )
    # A validation loss that is no longer finite is not flat: of a seed that diverged the gain is
    # not known.
    diverged = trained.reason == "diverged"
    looks = np.fmin.accumulate(
        np.where(np.isfinite(trained.validation), trained.validation, np.inf), axis=1
    )
    return Run(
        net=net,
        theta=trained.theta,
        start=start if centred else None,
        scale=scale,
        loss=trained.loss / scale**2,
        gain=np.where(
            diverged, np.nan, 1 - looks[:, -1] / looks[:, -1 - looks.shape[1] // 4]
        ),
        steps=trained.validation_steps[(looks == looks[:, -1:]).argmax(axis=1)],
    )


def optimizer_of(
    backend: Backend,
    configuration: Mapping[str, Any],
    net: Network,
    theta: Theta,
    x: np.ndarray,
) -> SGD | Adam:
    """The configuration's optimizer; rates of SGD are fractions of the edge 2 / lambda_max on these
    inputs.
    """
    name, rate = configuration["optimizer"], configuration["rate"]
    if name == "adam":
        return Adam(rate)
    if name in ("momentum", "sgd"):
        limit = edge(backend.empirical_ntk(net, theta, x[:, :OF_EDGE], outputs="full"))
        return SGD(rate * limit, MOMENTUM if name == "momentum" else 0.0)
    raise InvalidInput(f"Unknown optimizer {name!r}. Allowed: adam, momentum, sgd.")


def network_curves(
    backend: Backend,
    configuration: Mapping[str, Any],
    replicates: Sequence[int],
    stream: str,
) -> Arrays:
    """Learning curves of networks, and of kernel regression with the kernels that they end with.

    Configuration: task (see `tasks.samples`), sizes, validation, test (counts), that of `train`,
    and after: a list of arms, each the number of samples that the kernel's network was trained on,
    which are the first of those that are regressed on; or "same", as many as are regressed on.
    Returns, per replicate and size: "network_error", "network_loss" (squared, on test samples),
    "train_loss", "gain", "steps" (see `Run`); "after_error", "after_loss", (R, arms, sizes), NaN
    where a kernel has seen more samples than are regressed on.
    """
    sizes, arms = configuration["sizes"], configuration["after"]
    counts = max(sizes), configuration["validation"], configuration["test"]
    data = samples(configuration["task"], replicates, stream, counts)
    training, validation, test = data
    runs = {
        size: train(
            backend, configuration, replicates, stream, training, validation, size
        )
        for size in sorted({*sizes, *arms} - {"same"})
    }
    curve = [runs[size] for size in sizes]
    errors = np.array([mistakes(run.predict(backend, test.x), test.y) for run in curve])
    after = np.full((2, len(replicates), len(arms), len(sizes)), np.nan)
    for a, arm in enumerate(arms):
        for k, size in enumerate(sizes):
            if arm == "same":
                after[:, :, a, [k]] = after_curve(backend, runs[size], [size], *data)
        if arm != "same":
            used = [k for k, size in enumerate(sizes) if size >= arm]
            later = [sizes[k] for k in used]
            after[:, :, a, used] = after_curve(backend, runs[arm], later, *data)
    return {
        "network_error": errors[:, 0].T,
        "network_loss": errors[:, 1].T,
        "train_loss": np.array([run.loss for run in curve]).T,
        "gain": np.array([run.gain for run in curve]).T,
        "steps": np.array([run.steps for run in curve], dtype=float).T,
        "after_error": after[0],
        "after_loss": after[1],
    }


def after_curve(
    backend: Backend,
    run: Run,
    sizes: Sequence[int],
    training: Samples,
    validation: Samples,
    test: Samples,
) -> np.ndarray:
    """Error rate and squared error of regression with the kernel of trained networks, (2, R,
    sizes).
    """
    known = training[: max(sizes)]
    gram, cross = kernel_pair(backend, run.net, run.theta, known, validation, test)
    return ridge_errors(backend, gram, cross, sizes, known, validation, test)


def kernel_pair(
    backend: Backend,
    net: Network,
    theta: Theta,
    training: Samples,
    validation: Samples,
    test: Samples,
) -> tuple[np.ndarray, np.ndarray]:
    """The empirical NTK among training samples, (R, N, N), and of validation and test with them,
    (R, V + T, N).
    """
    x = np.concatenate([validation.x, test.x], axis=1)
    return backend.empirical_ntk(net, theta, training.x), backend.empirical_ntk(
        net, theta, x, training.x
    )


def kernel_curves(
    backend: Backend,
    configuration: Mapping[str, Any],
    replicates: Sequence[int],
    stream: str,
) -> Arrays:
    """Learning curves of kernel regression with kernels that no training has touched.

    Configuration: task, sizes, validation, test and net as in `network_curves` (label_scale and
    centred are moot), and kernel: "init", the empirical NTK of the weights that the network of the
    same replicate starts from; "infinite", the NTK at infinite width, in closed form (then the
    net's width is moot).
    Returns, per replicate and size: "kernel_error", "kernel_loss".
    """
    kernel, sizes = configuration["kernel"], configuration["sizes"]
    if kernel not in ("init", "infinite"):
        raise InvalidInput(f"Unknown kernel {kernel!r}. Allowed: init, infinite.")
    counts = max(sizes), configuration["validation"], configuration["test"]
    data = samples(configuration["task"], replicates, stream, counts)
    net = network(configuration["net"], data[0].shape)
    if kernel == "init":
        gram, cross = kernel_pair(backend, net, initial(net, replicates, stream), *data)
    else:
        gram, cross = infinite_pair(backend, net, *data)
    error, loss = ridge_errors(backend, gram, cross, sizes, *data)
    return {"kernel_error": error, "kernel_loss": loss}


def infinite_pair(
    backend: Backend,
    net: Network,
    training: Samples,
    validation: Samples,
    test: Samples,
) -> tuple[np.ndarray, np.ndarray]:
    """As `kernel_pair`, of the NTK at infinite width."""
    x = np.concatenate([validation.x, test.x], axis=1)
    gram = [backend.infinite_ntk(net, one) for one in training.x]
    cross = [
        backend.infinite_ntk(net, held_out, one)
        for held_out, one in zip(x, training.x, strict=True)
    ]
    return np.array(gram), np.array(cross)
