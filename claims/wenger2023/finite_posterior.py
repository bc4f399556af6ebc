"""The posterior of a Gaussian process with the empirical NTK of a finite network at initialisation,
held against that with the NTK at infinite width.

Both have mean zero before they see data, and both kernels are divided by the mean of the infinite
one's diagonal on the training inputs, so that the noise counts against a prior variance of about 1.
With K the kernel of the training inputs, k that of a test input x with them, s^2 the noise variance
(Rasmussen, Williams 2006, equations 2.25 and 2.26):

    mean(x) = k^T (K + s^2 I)^-1 y,     sd(x)^2 = K(x, x) - k^T (K + s^2 I)^-1 k
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from claims.wenger2023.regression_problems import Problem, problem
from harness import networks, seeds
from harness.backends import Backend
from harness.networks import Network

Arrays = dict[str, np.ndarray]
IN_BAND = 1.959963984540054
"""Standard deviations to either end of a band that holds 95 %."""


@dataclass(frozen=True)
class Posterior:
    """Mean and standard deviation of the function, without noise, at T test inputs: (T,), or (P, T)
    for P kernels.
    """

    mean: np.ndarray
    sd: np.ndarray


def distances(
    backend: Backend,
    configuration: Mapping[str, Any],
    replicates: Sequence[int],
    stream: str,
) -> Arrays:
    """How far posteriors with finite networks' kernels lie from the one at infinite width.

    Configuration: of `problem`; depth (hidden layers), width, activation, sigma_b: of the networks,
    in NTK parametrization with sigma_w^2 = 2; posteriors, P, each with the mean of the kernels of
    so many networks of its own: averaged; permuted: finite posteriors see the labels of other
    training inputs.
    Returns per replicate and finite posterior, (R, P): "distance", the root mean square over test
    inputs of the difference of the means, over that of the infinite mean; "log_sd", the mean of
    |ln(sd / infinite sd)|, and "log_ratio", the same with its sign; "outside", the share of the
    test inputs at which the finite 95 % band excludes the infinite mean. Per replicate, (R,):
    "labels_over_mean", root mean square of the labels over that of the infinite mean.
    """
    found: dict[str, list[np.ndarray]] = {}
    for replicate in replicates:
        data = problem(configuration, replicate, stream)
        finite, infinite = posteriors(backend, configuration, replicate, stream)
        size = root_mean_square(infinite.mean)
        values = {
            **compared(finite, infinite),
            "labels_over_mean": root_mean_square(data.y) / size,
        }
        for name, value in values.items():
            found.setdefault(name, []).append(value)
    return {name: np.array(values) for name, values in found.items()}


def curves(
    backend: Backend,
    configuration: Mapping[str, Any],
    replicates: Sequence[int],
    stream: str,
) -> Arrays:
    """What a figure shows of the posteriors themselves.

    Configuration: as of `distances`, with inputs of one dimension.
    Returns per replicate: "x" and "y" of the training data, (R, N); "places", the test inputs,
    (R, T), and there mean and sd of the first "finite" posterior and of the "infinite" one,
    (R, 2, T).
    """
    found: dict[str, list[np.ndarray]] = {}
    for replicate in replicates:
        data = problem(configuration, replicate, stream)
        finite, infinite = posteriors(backend, configuration, replicate, stream)
        values = {
            "x": data.x[:, 0],
            "y": data.y,
            "places": data.test[:, 0],
            "finite": np.stack([finite.mean[0], finite.sd[0]]),
            "infinite": np.stack([infinite.mean, infinite.sd]),
        }
        for name, value in values.items():
            found.setdefault(name, []).append(value)
    return {name: np.array(values) for name, values in found.items()}


def posteriors(
    backend: Backend,
    configuration: Mapping[str, Any],
    replicate: int,
    stream: str,
) -> tuple[Posterior, Posterior]:
    """The finite posteriors of a replicate, (P, T), and the infinite one, (T,)."""
    data = problem(configuration, replicate, stream)
    net = network(configuration, data)
    count, averaged = configuration["posteriors"], configuration["averaged"]
    init = [
        seeds.derive("init", stream=stream, replicate=replicate, network=number)
        for number in range(count * averaged)
    ]
    inputs = np.concatenate([data.x, data.test])
    limit = backend.infinite_ntk(net, inputs)
    unit = limit.diagonal()[: len(data.x)].mean()
    empirical = backend.empirical_ntk(net, net.init(init), inputs)
    empirical = empirical.reshape(count, averaged, *limit.shape).mean(axis=1)
    y = data.y
    if configuration["permuted"]:
        y = seeds.generator("order", stream=stream, replicate=replicate).permutation(y)
    noise = configuration["noise"]
    finite = posterior(backend, empirical / unit, y, noise)
    infinite = posterior(backend, limit[None] / unit, data.y, noise)
    return finite, Posterior(infinite.mean[0], infinite.sd[0])


def network(
    configuration: Mapping[str, Any],
    data: Problem,
) -> Network:
    """The network of a configuration, with one output."""
    hidden = [configuration["width"]] * configuration["depth"]
    return networks.mlp(
        (data.x.shape[1], *hidden, 1),
        configuration["activation"],
        sigma_b=configuration["sigma_b"],
    )


def posterior(
    backend: Backend,
    kernel: np.ndarray,
    y: np.ndarray,
    noise: float,
) -> Posterior:
    """The posteriors of P Gaussian processes that see the same labels, (P, T).

    Both k^T (K + s^2 I)^-1 y and k^T (K + s^2 I)^-1 k are kernel regressions, the second of the
    test inputs' kernel. Where K + s^2 I has no Cholesky factor, all is NaN.

    Args:
        kernel: of N training and T test inputs with each other, (P, N + T, N + T).
        y: labels, (N,).
        noise: s, their standard deviation.
    """
    n = len(y)
    k_train, k_test = kernel[:, :n, :n], kernel[:, n:, :n]
    labels = np.broadcast_to(y[:, None], (len(kernel), n, 1))
    columns = np.concatenate([labels, k_test.transpose(0, 2, 1)], axis=2)
    solved = backend.kernel_regression(
        k_train, columns, k_test, noise**2
    )  # (P, T, 1 + T)
    prior = np.einsum("ptt->pt", kernel[:, n:, n:])
    explained = np.einsum("ptt->pt", solved[:, :, 1:])
    return Posterior(solved[:, :, 0], np.sqrt(prior - explained))


def compared(finite: Posterior, infinite: Posterior) -> Arrays:
    """Distances of P posteriors from one, (P,); see `distances`.

    >>> one = Posterior(np.array([3.0, 4.0]), np.ones(2))
    >>> other = Posterior(np.array([[3.0, 9.0]]), np.full((1, 2), 0.5))
    >>> {name: round(float(value[0]), 3) for name, value in compared(other, one).items()}
    {'distance': 1.0, 'log_sd': 0.693, 'log_ratio': -0.693, 'outside': 0.5}
    """
    apart = finite.mean - infinite.mean
    log_ratio = np.log(finite.sd / infinite.sd)
    outside = (np.abs(apart) > IN_BAND * finite.sd).mean(axis=1)
    # A comparison with NaN is False, which would count as inside.
    known = np.isfinite(apart).all(axis=1) & np.isfinite(finite.sd).all(axis=1)
    return {
        "distance": root_mean_square(apart) / root_mean_square(infinite.mean),
        "log_sd": np.abs(log_ratio).mean(axis=1),
        "log_ratio": log_ratio.mean(axis=1),
        "outside": np.where(known, outside, np.nan),
    }


def root_mean_square(values: np.ndarray) -> np.ndarray:
    """Over the last axis, (..., T) -> (...)."""
    return np.asarray(np.sqrt((values**2).mean(axis=-1)))
