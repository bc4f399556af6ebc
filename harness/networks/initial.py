"""Initial weights of other libraries, beside those of `Network.init`."""

from collections.abc import Sequence

import numpy as np

from harness import seeds
from harness.networks.network import Network, Theta


def default_weights(net: Network, init: Sequence[int]) -> Theta:
    """PyTorch's default for dense layers: weights and biases uniform in +-1 / fan_in^1/2; one seed
    axis.
    """
    theta = {
        name: np.array(
            [
                seeds.generator("default weights", seed=seed, name=name).uniform(
                    -1, 1, shape
                )
                for seed in init
            ]
        )
        for name, shape in net.shapes.items()
    }
    for layer in net.layers:
        for name in (layer.weight, layer.bias):
            if name is not None:
                theta[name] /= layer.fan_in**0.5
    return theta
