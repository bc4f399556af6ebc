"""The variance of trained outputs over networks, with constant kernels:
Monte Carlo for Theorem 3.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from harness import kernels, networks, seeds
from harness.backends import Backend
from harness.measurements import Arrays
from harness.networks import Network


def architecture(
    width: int,
    depth: int,
    sigma_w2: float = 1.0,
    sigma_b2: float = 1.0,
) -> Network:
    """One output, n_0 = width, `depth` hidden ReLU layers, standard parametrization."""
    return networks.mlp(
        (width,) * (depth + 1) + (1,), "relu", "standard", sigma_w2**0.5, sigma_b2**0.5
    )


def inputs(width: int, count: int) -> np.ndarray:
    """(count, width): |x|^2 = width, every pair at correlation 1/2."""
    x = np.zeros((count, width))
    x[:, 0] = x[np.arange(count), 1 + np.arange(count)] = (width / 2) ** 0.5
    return x


def output_variance(
    backend: Backend,
    configuration: Mapping[str, Any],
    replicates: Sequence[int],
    stream: str,
) -> Arrays:
    """Variance over networks of f_inf(x) = f_0(x) + k(x, X) K^-1 (Y - f_0(X)), where a constant
    kernel K takes f.

    A replicate is a group of independent networks, the same in all phases but for sigma_w and
    sigma_b. Of samples + 1 points each is left out in turn, and the variances are averaged; Y is
    +1, -1, +1 ... over the others. Arms: the mean-field kernel for all networks, with S = samples
    and S = 1; each network's own kernel with Y, with Y = 0, with a ridge (times its mean diagonal),
    with Y in two other units (the standard deviation of f_0, and that of its differences, sqrt(q -
    q_sr)) and a hundredfold, and k K^-1 Y alone; and, planted, Gaussian f_0 with the mean-field
    covariance.

    Configuration: width, depth, samples, networks per group, at_once, phases, ridge. Returns,
    (replicates, phases): the variance of each arm; "condition" and "condition_ridge" (medians over
    networks), "largest_condition"; "share", the largest part of the mean-field arm's variance that
    one network contributes.
    """
    groups = [
        _group(backend, configuration, replicate, stream) for replicate in replicates
    ]
    names = groups[0][0]
    return {name: _of_groups(groups, name) for name in names}


def _of_groups(
    groups: list[list[dict[str, float]]],
    name: str,
) -> np.ndarray:
    """One quantity, (groups, phases)."""
    count = len(groups[0])
    flat = [phase[name] for group in groups for phase in group]
    return np.array(flat).reshape(len(groups), count)


def _group(
    backend: Backend,
    c: Mapping[str, Any],
    replicate: int,
    stream: str,
) -> list[dict[str, float]]:
    """What is measured in one group of networks, per phase."""
    x = inputs(c["width"], c["samples"] + 1)
    phases = [architecture(c["width"], c["depth"], *phase) for phase in c["phases"]]
    measured = []
    for number, (phase, (f, own)) in enumerate(
        zip(phases, _drawn(backend, c, replicate, stream), strict=True)
    ):
        rng = seeds.generator(
            "planted",
            stream=stream,
            replicate=replicate,
            depth=c["depth"],
            phase=number,
        )
        planted = (
            rng.standard_normal(f.shape) @ np.linalg.cholesky(kernels.nngp(phase, x)).T
        )
        (q, q_sr), *_ = kernels.nngp(phase, x[:2])
        units = dict(of_outputs=q**0.5, of_differences=(q - q_sr) ** 0.5)
        measured.append(
            summary(f, own, kernels.ntk(phase, x), planted, c["ridge"], units)
        )
    return measured


def _drawn(
    backend: Backend,
    c: Mapping[str, Any],
    replicate: int,
    stream: str,
) -> list[tuple[np.ndarray, np.ndarray]]:
    """f_0, (networks, points), and the kernels, (networks, points, points), of one group of
    networks, per phase.
    """
    net, x = architecture(c["width"], c["depth"]), inputs(c["width"], c["samples"] + 1)
    phases = [architecture(c["width"], c["depth"], *phase) for phase in c["phases"]]
    outputs: list[list[np.ndarray]] = [[] for _ in phases]
    theirs: list[list[np.ndarray]] = [[] for _ in phases]
    for start in range(0, c["networks"], c["at_once"]):
        members = range(start, min(start + c["at_once"], c["networks"]))
        unit = net.init(
            seeds.derive("init", stream=stream, replicate=replicate, network=n)
            for n in members
        )
        for number, phase in enumerate(phases):
            # All scales are in the weights: the unit network with its weights scaled is that of the
            # phase.
            theta = {
                name: (phase.sigma_w if name[0] == "W" else phase.sigma_b) * a
                for name, a in unit.items()
            }
            outputs[number].append(backend.forward(net, theta, x)[..., 0])
            theirs[number].append(backend.empirical_ntk(net, theta, x))
    return [
        (np.concatenate(f).astype(float), np.concatenate(own).astype(float))
        for f, own in zip(outputs, theirs, strict=True)
    ]


def summary(
    f: np.ndarray,
    own: np.ndarray,
    limit: np.ndarray,
    planted: np.ndarray,
    ridge: float,
    units: Mapping[str, float],
) -> dict[str, float]:
    """Variances of the arms, and conditioning.

    Args:
        f, planted: outputs at the start, (networks, points).
        own: the networks' kernels, (networks, points, points).
        limit: the mean-field kernel, (points, points).
        ridge: times the mean diagonal of a kernel.
        units: other sizes of Y, by name.
    """
    points = f.shape[1]
    y = np.array(
        [np.insert(np.resize([1.0, -1.0], points - 1), i, 0.0) for i in range(points)]
    )
    ridged = own + ridge * np.trace(own, axis1=1, axis2=2)[
        :, None, None
    ] / points * np.eye(points)
    arms = {
        "mean_field": trained(limit, f, y),
        "mean_field_pair": trained(
            limit[:2, :2], f[:, : points // 2 * 2].reshape(len(f), -1, 2)
        ),
        "planted": trained(limit, planted, y),
        "own_kernel": trained(own, f, y),
        "own_kernel_no_labels": trained(own, f),
        "own_kernel_ridge": trained(ridged, f, y),
        **{f"labels_{name}": trained(own, f, size * y) for name, size in units.items()},
        "labels_hundredfold": trained(own, f, 100 * y),
        "labels_alone": trained(own, np.zeros_like(f), y),
    }
    condition = np.linalg.cond(own)
    squares = (arms["mean_field"] - arms["mean_field"].mean(axis=0)) ** 2
    return {
        **{name: output.var(axis=0, ddof=1).mean() for name, output in arms.items()},
        "condition": np.median(condition),
        "condition_ridge": np.median(np.linalg.cond(ridged)),
        "largest_condition": condition.max(),
        "share": squares.sum(axis=1).max() / squares.sum(),
    }


def trained(
    kernel: np.ndarray,
    f: np.ndarray,
    y: np.ndarray | float = 0.0,
) -> np.ndarray:
    """f_inf at each point, trained on all others: f_i + sum_j (P_ij / P_ii) (f_j - y_ij) with P =
    K^-1, y_ii = 0.

    The leave-one-out form of kernel regression (Rasmussen, Williams 2006, section 5.4.2). A ridge
    is part of K.
    """
    inverse = np.linalg.inv(kernel)
    weights = inverse / np.diagonal(inverse, axis1=-2, axis2=-1)[..., None]
    return np.asarray((weights * (f[..., None, :] - y)).sum(axis=-1))
