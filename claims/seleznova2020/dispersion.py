"""The spread of the NTK over networks at initialisation: the computation of Experiment A."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from harness import networks, seeds
from harness.backends import Backend
from harness.measurements import Arrays
from harness.networks import Network

DRAWS_AT_ONCE = 500


def ntk_dispersion(
    backend: Backend,
    configuration: Mapping[str, Any],
    replicates: Sequence[int],
    stream: str,
) -> Arrays:
    """Dispersion of the NTK at initialisation, R = E[Theta(x, x)^2] / E[Theta(x, x)]^2 >= 1, over
    fresh networks.

    |x| = 1 and n_0 = width, one output, standard parametrization (Hanin, Nica 2019; Seleznova,
    Kutyniok 2020, Fig. 2; x and n_0 are our reading, the paper does not state them).

    Configuration: width, depth (hidden layers), draws per replicate, phases: list of (activation,
    sigma_w^2, sigma_b^2 or None for no biases). All phases see the same noise.
    Returns: "mean" and "mean_square", each (replicates, phases).
    """
    nets = [_phase(configuration, *phase) for phase in configuration["phases"]]
    x = np.eye(configuration["width"])[0]
    draws = configuration["draws"]
    moments = np.zeros((2, len(replicates), len(nets)))
    for r, replicate in enumerate(replicates):
        for start in range(0, draws, DRAWS_AT_ONCE):
            seed = seeds.derive(
                "dispersion", stream=stream, replicate=replicate, start=start
            )
            # One network with biases draws the noise of all: those without leave the biases' part
            # unused.
            noise = networks.ntk_noise(
                _widest_noise(nets), seed, min(DRAWS_AT_ONCE, draws - start)
            )
            for p, net in enumerate(nets):
                theta = backend.ntk_samples(net, x, noise).astype(float)
                moments[:, r, p] += theta.sum(), (theta**2).sum()
    mean, mean_square = moments / draws
    return {"mean": mean, "mean_square": mean_square}


def phase_map(
    backend: Backend,
    configuration: Mapping[str, Any],
    replicates: Sequence[int],
    stream: str,
) -> Arrays:
    """`ntk_dispersion` for a map, on which nothing is decided.

    Returns: "map_mean" and "map_mean_square", each (replicates, phases).
    """
    moments = ntk_dispersion(backend, configuration, replicates, stream)
    return {f"map_{name}": array for name, array in moments.items()}


def _phase(
    configuration: Mapping[str, Any],
    activation: Any,
    sigma_w2: float,
    sigma_b2: float | None,
) -> Network:
    width, depth = configuration["width"], configuration["depth"]
    sigma_b = None if sigma_b2 is None else sigma_b2**0.5
    return networks.mlp(
        (width,) * (depth + 1) + (1,), activation, "standard", sigma_w2**0.5, sigma_b
    )


def _widest_noise(nets: Sequence[Network]) -> Network:
    return next((net for net in nets if net.sigma_b is not None), nets[0])
