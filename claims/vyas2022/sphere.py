"""Learning curves on the setting of Atanasov, Bordelon, Sainathan, Pehlevan 2022 (2212.12147).

Inputs are uniform on the unit sphere. The target is a Gegenbauer polynomial of one direction with
unit root mean square, without noise. A network without biases is trained, and regression with the
kernels of its architecture stands beside it. All predictors of a replicate see the same samples;
fewer samples are the first ones of more.

Source: Scripts/pn_sweeps.py of the repository Pehlevan-Group/onset-of-variance.
"""

from collections.abc import Mapping, Sequence
from math import comb
from typing import Any

import numpy as np

from harness import networks, seeds
from harness.backends import SGD, Backend, Stop
from harness.measurements import Samples, kept
from harness.networks import Network, Theta
from harness.networks.builder import choice
from harness.ridge import least

Arrays = dict[str, np.ndarray]

INITIAL, INFINITE = "initial kernel", "infinite-width kernel"
SHUFFLED = "kernel on permuted targets"
HIDDEN_LAYERS = 2
RIDGE = 1e-12
"""Of regression that interpolates; added to the kernel's diagonal as it is."""
RIDGES = 10.0 ** np.arange(-6, 2)
"""Those that held-out samples choose from, relative to the mean of the kernel's diagonal."""


def gegenbauer(
    degree: int,
    inputs: int,
    z: np.ndarray,
) -> np.ndarray:
    """The Gegenbauer polynomial of a degree, with unit root mean square over the sphere.

    Args:
        degree: k >= 0.
        inputs: D >= 2, the dimension of the inputs.
        z: x . direction for unit vectors x and direction; any shape.

    With P_k the one that is 1 at z = 1,

        (k + D - 2) P_{k+1} = (2 k + D - 2) z P_k - k P_{k-1},    P_0 = 1, P_1 = z,

    and E[P_k^2] is one over the number of spherical harmonics of degree k (Atkinson, Han 2012).

    >>> gegenbauer(2, 3, np.array([1.0, 0.0])).round(4)  # sqrt(5) (3 z^2 - 1) / 2
    array([ 2.2361, -1.118 ])
    """
    values = [np.ones_like(z), z]
    for k in range(1, degree):
        rising = (2 * k + inputs - 2) * z * values[k]
        values.append((rising - k * values[k - 1]) / (k + inputs - 2))
    return np.asarray(harmonics(degree, inputs) ** 0.5 * values[degree])


def harmonics(degree: int, inputs: int) -> int:
    """How many spherical harmonics of a degree are linearly independent.

    >>> [harmonics(degree, 3) for degree in range(4)]
    [1, 3, 5, 7]
    """
    homogeneous = comb(degree + inputs - 1, degree)
    multiples_of_the_norm = comb(degree + inputs - 3, degree - 2) if degree > 1 else 0
    return homogeneous - multiples_of_the_norm


def polynomial_samples(
    configuration: Mapping[str, Any],
    replicates: Sequence[int],
    stream: str,
) -> tuple[Samples, Samples, Samples]:
    """Training, held-out and test samples; inputs and direction are drawn anew per replicate.

    Configuration: degree; inputs, their dimension; sizes, the largest of which is drawn; held_out
    and test, counts.
    """
    inputs = configuration["inputs"]
    counts = {
        "training": max(configuration["sizes"]),
        "held-out": configuration["held_out"],
        "test": configuration["test"],
    }
    direction = _on_sphere("direction", (1, inputs), replicates, stream)

    def drawn(role: str) -> Samples:
        x = _on_sphere(role, (counts[role], inputs), replicates, stream)
        # (R, N, D) times (R, D, 1)
        z = x @ direction.transpose(0, 2, 1)
        return Samples(x, gegenbauer(configuration["degree"], inputs, z), (inputs,))

    return drawn("training"), drawn("held-out"), drawn("test")


def _on_sphere(
    role: str,
    shape: tuple[int, int],
    replicates: Sequence[int],
    stream: str,
) -> np.ndarray:
    """Points that are uniform on the unit sphere, (R, *shape)."""
    generators = [
        seeds.generator("sphere", role=role, stream=stream, replicate=r)
        for r in replicates
    ]
    x = np.array([generator.standard_normal(shape) for generator in generators])
    return np.asarray(x / np.linalg.norm(x, axis=2, keepdims=True))


def sphere_network(configuration: Mapping[str, Any]) -> Network:
    """Two hidden ReLU layers, no biases, NTK parametrization, sigma_w = alpha^(1/3).

    Configuration: inputs; width, N; alpha, which multiplies the outputs and makes training lazy
    where it is large.
    """
    hidden = [configuration["width"]] * HIDDEN_LAYERS
    sigma_w = configuration["alpha"] ** (1 / (HIDDEN_LAYERS + 1))
    widths = (configuration["inputs"], *hidden, 1)
    return networks.mlp(widths, sigma_w=sigma_w, sigma_b=None)


def published_rate(width: int, alpha: float) -> float:
    """The learning rate of the script for two hidden layers, sqrt(N) / (0.3^2 + alpha^2)."""
    return float(width**0.5 / (0.3**2 + alpha**2))


def _initial(
    net: Network,
    replicates: Sequence[int],
    stream: str,
) -> Theta:
    return net.init(
        seeds.derive("init", stream=stream, replicate=r) for r in replicates
    )


def sphere_networks(
    backend: Backend,
    configuration: Mapping[str, Any],
    replicates: Sequence[int],
    stream: str,
) -> Arrays:
    """Learning curves of networks: f - f_0 is trained by full-batch gradient descent on the MSE.

    Configuration: that of `polynomial_samples` and of `sphere_network`; rate, in units of
    `published_rate`; momentum; target_loss, the training loss at which a network stops; most_steps.
    Returns, per replicate and size: "error", the mean squared error on test samples, NaN where
    training diverged; "train_loss"; "steps"; "reached", 1 where the target loss was reached or 0.
    """
    training, _, test = polynomial_samples(configuration, replicates, stream)
    net = sphere_network(configuration)
    start = _initial(net, replicates, stream)
    rate = configuration["rate"] * published_rate(
        configuration["width"], configuration["alpha"]
    )
    # To train f - f_0 towards y is to train f towards y + f_0.
    y = training.y + backend.forward(net, start, training.x).astype(float)
    before = backend.forward(net, start, test.x).astype(float)
    found: dict[str, list[np.ndarray]] = {
        "error": [],
        "train_loss": [],
        "steps": [],
        "reached": [],
    }
    for size in configuration["sizes"]:
        trained = backend.train(
            net,
            start,
            training.x[:, :size],
            y[:, :size],
            optimizer=SGD(rate, configuration["momentum"]),
            steps=configuration["most_steps"],
            stop=Stop(loss=configuration["target_loss"]),
        )
        diverged = trained.reason == "diverged"
        theta = kept(trained.theta, start, diverged)
        f = backend.forward(net, theta, test.x) - before
        error = ((f - test.y) ** 2).mean(axis=(1, 2))
        found["error"].append(np.where(diverged, np.nan, error))
        found["train_loss"].append(trained.loss)
        found["steps"].append(trained.steps.astype(float))
        found["reached"].append((trained.reason == "loss").astype(float))
    return {quantity: np.array(values).T for quantity, values in found.items()}


def sphere_kernels(
    backend: Backend,
    configuration: Mapping[str, Any],
    replicates: Sequence[int],
    stream: str,
) -> Arrays:
    """Learning curves of regression with kernels of the network's architecture.

    Configuration: that of `polynomial_samples` and of `sphere_network`; kernel: INITIAL, the
    empirical NTK of the weights that the network of the same replicate starts from; INFINITE, the
    NTK at infinite width; SHUFFLED, the latter on training targets in random order, from which
    there is nothing to be learnt.
    Returns, per replicate and size: "error", the mean squared error on test samples with RIDGE;
    where samples are held out also "chosen_error", with that of RIDGES whose squared error on
    held-out samples is least.

    Raises:
        InvalidInput: for an unknown kernel.
    """
    choice("kernel", configuration["kernel"], (INITIAL, INFINITE, SHUFFLED))
    training, held_out, test = polynomial_samples(configuration, replicates, stream)
    x = np.concatenate([held_out.x, test.x], axis=1)
    if configuration["kernel"] == INITIAL:
        net = sphere_network(configuration)
        start = _initial(net, replicates, stream)
        gram = backend.empirical_ntk(net, start, training.x)
        cross = backend.empirical_ntk(net, start, x, training.x)
    else:
        gram, cross = _infinite(backend, configuration, training.x, x)
    if configuration["kernel"] == SHUFFLED:
        training = _shuffled(training, replicates, stream)
    return _regression(
        backend, gram, cross, configuration["sizes"], (training, held_out, test)
    )


def _regression(
    backend: Backend,
    gram: np.ndarray,
    cross: np.ndarray,
    sizes: Sequence[int],
    samples: tuple[Samples, Samples, Samples],
) -> Arrays:
    """Squared test errors, as `sphere_kernels` returns them; gram (R, N, N), cross (R, M, N)."""
    training, held_out, test = samples
    count = held_out.y.shape[1]
    found = np.full((2, len(gram), len(sizes)), np.nan)
    for r, k in np.ndindex(found.shape[1:]):
        square = gram[r, : sizes[k], : sizes[k]]
        relative = RIDGES * float(np.diag(square).mean())
        ridges = [RIDGE, *relative] if count else [RIDGE]
        ladder = backend.kernel_regression(
            square, training.y[r, : sizes[k]], cross[r, :, : sizes[k]], ridges
        )
        found[0, r, k] = ((ladder[0, count:] - test.y[r]) ** 2).mean()
        if count:
            chosen, _ = least(ladder[1:], held_out.y[r])
            found[1, r, k] = ((chosen - test.y[r]) ** 2).mean()
    interpolating, chosen_by_held_out = found
    if not count:
        return {"error": interpolating}
    return {"error": interpolating, "chosen_error": chosen_by_held_out}


def _shuffled(
    training: Samples,
    replicates: Sequence[int],
    stream: str,
) -> Samples:
    """The same inputs, with the targets of each replicate in random order."""
    targets = [
        seeds.generator("shuffle", stream=stream, replicate=r).permutation(y)
        for r, y in zip(replicates, training.y, strict=True)
    ]
    return Samples(training.x, np.array(targets), training.shape)


def _infinite(
    backend: Backend,
    configuration: Mapping[str, Any],
    x: np.ndarray,
    other: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """The NTK at infinite width among x, (R, N, N), and of the other inputs with x, (R, M, N)."""
    net = sphere_network(configuration)
    gram = [backend.infinite_ntk(net, inputs) for inputs in x]
    cross = [backend.infinite_ntk(net, *pair) for pair in zip(other, x, strict=True)]
    return np.array(gram), np.array(cross)
