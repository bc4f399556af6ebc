"""Infinite-width kernels of a network and regression with a kernel, in NumPy and float64.

>>> import numpy as np
>>> from harness import kernels, networks
>>> net = networks.mlp((2, 64, 64, 1), sigma_w=2**0.5, sigma_b=None)
>>> train, test, y = np.eye(2), np.array([[1.0, 0.0]]), np.array([3.0, -1.0])
>>> kernels.regression(kernels.ntk(net, train), y, kernels.ntk(net, test, train), ridge=0).round(10)
array([3.])
"""

from harness.kernels.infinite_width import nngp, ntk
from harness.kernels.prediction import gradient_flow, regression

__all__ = ["gradient_flow", "nngp", "ntk", "regression"]
