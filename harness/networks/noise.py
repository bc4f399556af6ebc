"""The normals from which the NTK of a random network is sampled without its weight matrices."""

import numpy as np

from harness import seeds
from harness.networks.network import Network, Theta


def ntk_noise(net: Network, seed: int, draws: int, dtype: type = np.float32) -> Theta:
    """Standard normals from which `Backend.ntk_samples` makes `draws` networks: name -> (draws, n).

    "uW1" ... (fan_out) stand for W x / |x|, "gW2" ... (fan_in) for the rest of W^T delta / |delta|,
    "b1" ... for the biases. They depend on the widths alone, so every activation, sigma_w and
    sigma_b can share them.

    >>> from harness.networks import mlp
    >>> {
    ...     name: array.shape
    ...     for name, array in ntk_noise(mlp((5, 4, 1), sigma_b=0.0), seed=0, draws=2).items()
    ... }
    {'uW1': (2, 4), 'b1': (2, 4), 'uW2': (2, 1), 'gW2': (2, 4), 'b2': (2, 1)}
    """
    return {
        name: seeds.generator("ntk_noise", seed=seed, name=name).standard_normal(
            (draws, size), dtype=dtype
        )
        for name, size in noise_sizes(net).items()
    }


def noise_sizes(net: Network) -> dict[str, int]:
    """Names and sizes of the normals that one draw of `ntk_noise` takes."""
    sizes: dict[str, int] = {}
    for layer in net.layers:
        sizes[f"u{layer.weight}"] = layer.fan_out
        if layer is not net.layers[0]:
            sizes[f"g{layer.weight}"] = layer.fan_in
        if layer.bias is not None:
            sizes[layer.bias] = layer.fan_out
    return sizes
