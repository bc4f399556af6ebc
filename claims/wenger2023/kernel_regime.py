"""How far the kernel at initialisation is from that of infinite width, and scalings in which it
never comes near.

Wenger, Dangel, Kristiadi 2023 study this convergence; the measure is ours.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from harness import kernels, networks, seeds
from harness.backends import Backend
from harness.experiment import Configuration, grid
from harness.measurements import images, relative_change
from harness.networks import Function

Arrays = dict[str, np.ndarray]
ORDERS = 100
"""Width / depth at which the claim is held to account: two orders of magnitude."""

NET = dict(samples=20, activation="relu", sigma_w2=2.0, sigma_b2=0.1)
UNTRAINED = dict(NET, inits=4, ensemble=1, bottleneck=None)
DESCENT = dict(
    parametrization="ntk", centred=False, labels="sign", max_steps=5_000, lane=0
)
TARGET_LOSS = 0.05
TRAINED = dict(
    NET, **DESCENT, edge_fraction=0.5, label_scale=1.0, target_loss=TARGET_LOSS
)


def ladder(
    net: Configuration,
    widths: tuple[int, ...],
    depths: tuple[int, ...],
) -> tuple[Configuration, ...]:
    """A network at width = 100 depth, and at these widths, at every depth."""
    held = tuple(dict(net, width=ORDERS * depth, depth=depth) for depth in depths)
    return held + grid(**net, width=widths, depth=depths)


def in_mean_field(
    widths: tuple[int, ...], depths: tuple[int, ...]
) -> tuple[Configuration, ...]:
    """Training in mean-field scaling; at a tenth of the edge, since its kernel, and so lambda_max,
    grows.
    """
    cells = grid(**dict(TRAINED, edge_fraction=0.1), width=widths, depth=depths)
    return tuple(dict(cell, **mean_field_scaling(cell["width"])) for cell in cells)


def mean_field_scaling(width: int) -> dict[str, float]:
    """Targets and loss with which an NTK-parametrized net f of width M trains as its mean-field
    (muP) version does.

    That is g = f / sqrt(M), at M times the rate. A step of gradient descent on |g - y|^2 at the
    rate M eta is 2 M eta (g - y) dg = 2 eta (f - sqrt(M) y) df, the step on |f - sqrt(M) y|^2 = M
    |g - y|^2 at the rate eta; the edge 2 / lambda_max scales likewise. Targets that grow with the
    width keep the kernel moving at every width.
    """
    return dict(label_scale=width**0.5, target_loss=TARGET_LOSS * width)


LADDER, WIDER = (32, 128, 512), (32, 128, 512, 2048)
WIDTHS, MORE_WIDTHS = (64, 256), (64, 256, 1024, 4096)
DEPTHS, MORE_DEPTHS = (1, 3), (1, 3, 8)

AT_INIT = (
    ladder(UNTRAINED, LADDER, (1, 2, 4, 8)),
    ladder(UNTRAINED, WIDER, (1, 2, 4, 8, 16, 32)),
)
TRAINING = (
    ladder(TRAINED, WIDTHS, DEPTHS),
    ladder(TRAINED, MORE_WIDTHS, MORE_DEPTHS),
)
MEAN_FIELD = (
    in_mean_field(WIDTHS, DEPTHS),
    in_mean_field(MORE_WIDTHS, MORE_DEPTHS),
)
AVERAGED = grid(**dict(UNTRAINED, inits=1, ensemble=64), width=ORDERS, depth=1), ()
"""The average of 64 independent kernels; both tiers are the same."""
NARROW = grid(**dict(UNTRAINED, bottleneck=8), width=2 * ORDERS, depth=2), ()
"""A first layer of width 8; both tiers are the same."""
LINEAR = grid(samples=20, width=LADDER, inits=16), dict(width=WIDER, inits=64)
"""Each: configurations of the quick tier, and those of the full tier or what it changes."""


def kernel_error_at_init(
    backend: Backend,
    configuration: Mapping[str, Any],
    replicates: Sequence[int],
    stream: str,
) -> Arrays:
    """Relative distance of the empirical NTK at initialisation to the infinite-width one, |Theta_0
    - Theta| / |Theta|.

    Frobenius norm over images, NTK parametrization, one output.

    Configuration: width, depth, samples, activation, sigma_w2, sigma_b2, inits per replicate,
    ensemble: average this many kernels before comparing (1: none), bottleneck: width of the first
    hidden layer (null: like the others).
    Returns: "kernel_error", (replicates, inits).
    """
    first = configuration["bottleneck"] or configuration["width"]
    widths = (first,) + (configuration["width"],) * (configuration["depth"] - 1)
    x, _ = images(replicates, stream, configuration["samples"])
    net = networks.mlp(
        (x.shape[2], *widths, 1),
        configuration["activation"],
        "ntk",
        configuration["sigma_w2"] ** 0.5,
        configuration["sigma_b2"] ** 0.5,
    )
    errors = np.empty((len(replicates), configuration["inits"]))
    for r, replicate in enumerate(replicates):
        limit = kernels.ntk(net, x[r])
        for i in range(configuration["inits"]):
            members = [
                seeds.derive(
                    "init", stream=stream, replicate=replicate, init=i, member=m
                )
                for m in range(configuration["ensemble"])
            ]
            empirical = backend.empirical_ntk(net, net.init(members), x[r]).mean(axis=0)
            errors[r, i] = relative_change(empirical, limit)
    return {"kernel_error": errors}


def linear_error(
    backend: Backend,
    configuration: Mapping[str, Any],
    replicates: Sequence[int],
    stream: str,
) -> Arrays:
    """Kernel error at init of a linear net f = v .

    W x / sqrt(M), its entries N(0, 1), and its closed form.

    With K = X X^T the kernel is X W^T W X^T / M + (|v|^2 / M) K, and 2 K at infinite width. W^T W /
    M is Wishart, so E[error^2] = (tr(K)^2 + 3 |K|^2) / (4 M |K|^2), exactly. Our derivation. Since
    W is isotropic, the images may be given by their coordinates in the space that they span: X is
    the Cholesky factor of their Gram matrix over n_0. Returns: "linear_error", (replicates, inits),
    and "linear_law", (replicates,), the root of E[error^2].
    """
    samples, width, inits = (
        configuration[key] for key in ("samples", "width", "inits")
    )
    x, _ = images(replicates, stream, samples)
    gram = x @ x.transpose(0, 2, 1) / x.shape[2]
    net = linear_net(samples, width)
    errors = []
    for r, k in zip(replicates, gram, strict=True):
        theta = net.init(
            seeds.derive("linear", stream=stream, replicate=r, init=i)
            for i in range(inits)
        )
        errors.append(
            relative_change(
                backend.empirical_ntk(net, theta, np.linalg.cholesky(k)), 2 * k
            )
        )
    spread = np.trace(gram, axis1=1, axis2=2) ** 2 / (gram**2).sum(axis=(1, 2))
    return {
        "linear_error": np.array(errors),
        "linear_law": ((spread + 3) / (4 * width)) ** 0.5,
    }


def linear_net(inputs: int, width: int) -> Function:
    """One hidden layer, no activation, no biases, NTK parametrization."""
    return networks.from_callable(
        lambda theta, x: x @ theta["W"].T @ theta["v"] / width**0.5,
        inputs=inputs,
        outputs=1,
        initial=lambda rng: {
            "W": rng.standard_normal((width, inputs)),
            "v": rng.standard_normal((width, 1)),
        },
    )
