"""Architectures, their parametrization, and initial weights, drawn in NumPy for every backend.

A multilayer perceptron with widths (n_0, ..., n_D) computes, for layers l = 1 ... D,

    h_l = w_l W_l x_{l-1} + s_l b_l,      x_l = phi(h_l) for l < D,      f(x) = h_D,

with one pair of scales per parametrization (both give the same distribution of f at
initialisation):

    "ntk":       w_l = sigma_w / sqrt(n_{l-1}),  s_l = sigma_b,   W, b ~ N(0, 1)
    "standard":  w_l = s_l = 1,                  W ~ N(0, sigma_w^2 / n_{l-1}),  b ~ N(0, sigma_b^2)

A convolution is such a layer at every position of its output, on a patch: n_{l-1} is the fan-in,
kernel positions times channels, also where the patch reaches into the padding. Average pooling
stands between layers.

Without biases (sigma_b = None, the default) the second term is absent. With sigma_b = 0 the
formulas hold as they stand. In "standard" biases then start at zero and are trained. In "ntk" they
are scaled by zero: they exist, and add nothing to f or to the kernel, as in neural-tangents. Biases
that start at zero and are trained in "ntk", as in Hanin, Nica 2019, are those of
`train_zero_biases=True`: s_l = 1 and b = 0 at the start, so each layer adds its own 1 to the NTK.

Any other function of weights and inputs becomes a network by `from_callable`; the backends
differentiate it.

Sources: Jacot, Gabriel, Hongler 2018 (ntk); Seleznova, Kutyniok 2020, section 2 (standard).
"""

from harness.networks.convolutional import Conv, Hidden, Pool, cnn, myrtle
from harness.networks.function import Function, from_callable
from harness.networks.initial import default_weights
from harness.networks.layers import (
    Activate,
    Activation,
    AveragePool,
    Convolution,
    Dense,
    Step,
    Weighted,
)
from harness.networks.network import Network, Theta
from harness.networks.noise import noise_sizes, ntk_noise
from harness.networks.perceptron import mlp

__all__ = [
    "Activate",
    "Activation",
    "AveragePool",
    "Conv",
    "Convolution",
    "Dense",
    "Function",
    "Hidden",
    "Network",
    "Pool",
    "Step",
    "Theta",
    "Weighted",
    "cnn",
    "default_weights",
    "from_callable",
    "mlp",
    "myrtle",
    "noise_sizes",
    "ntk_noise",
]
