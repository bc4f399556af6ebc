"""PyTorch: what depends on the network, for any function, by automatic differentiation (torch.func).

The Jacobian of every sample is taken of a batch of that sample alone, so samples cannot mix in the kernel.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeAlias

import numpy as np
import torch
from torch.func import jacrev, vjp, vmap
from torch.nn.attention import SDPBackend, sdpa_kernel

from harness.backends.cost import jacobian_numbers
from harness.backends.operations import Outputs, Tensors
from harness.networks import Function

Tensor: TypeAlias = torch.Tensor

LONGEST_SUM = 2**14
"""Terms that a matrix product may sum: on a CPU PyTorch adds them one after another where there are few rows, and in
float32 loses three digits over millions of parameters (measured: 5e-4 at 4 million, 1e-6 in pieces of this length)."""


@contextmanager
def differentiable() -> Iterator[None]:
    """Attention as plain products, which can be mapped and differentiated twice; fused kernels cannot."""
    fast = torch.backends.mha.get_fastpath_enabled()
    try:
        torch.backends.mha.set_fastpath_enabled(False)
        with sdpa_kernel(SDPBackend.MATH):
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)


def over_seeds(function: Callable[..., Any], theta: Tensors, x: Tensor) -> Any:
    """function(theta, x) of every seed; x has a seed axis of its own, or one entry that all seeds share."""
    shared = len(x) == 1
    # "different": a function that draws random numbers is refused by the check of samples, with its reason.
    return vmap(function, in_dims=(0, None if shared else 0), randomness="different")(theta, x[0] if shared else x)


class TorchAutodiff:
    """The operations of a `networks.Function` that depend on it."""

    dtype: str

    def forward(self, net: Function, theta: Tensors, x: Tensor) -> Tensor:
        """f(x), (S, N, O)."""
        with differentiable():
            return over_seeds(net.of("torch"), theta, x)

    def factors(self, net: Function, theta: Tensors, x: Tensor) -> Tensors:
        """The Jacobian per parameter, name -> (S, N, O, size)."""
        f = net.of("torch")

        def jacobian(theta: Tensors, x: Tensor) -> Tensors:
            return jacrev(lambda t: f(t, x[None])[0])(theta)

        samples = vmap(jacobian, in_dims=(None, 0), randomness="different")
        with differentiable():
            found = over_seeds(samples, theta, x)
        return {name: array.reshape(*array.shape[:3], -1) for name, array in found.items()}

    def contract(self, net: Function, left: Tensors, right: Tensors, outputs: Outputs) -> Tensor:
        """The sum over parameters of J J'^T."""
        samples = 1 if outputs == "trace" else 2  # axes of the rows of J: samples, or samples and outputs
        ones, twos = ([j.flatten(1, samples).flatten(2) for j in side.values()] for side in (left, right))
        kernel = ones[0].new_zeros(len(ones[0]), ones[0].shape[1], twos[0].shape[1])
        for one, two in zip(ones, twos, strict=True):
            for part1, part2 in zip(one.split(LONGEST_SUM, 2), two.split(LONGEST_SUM, 2), strict=True):
                kernel.baddbmm_(part1, part2.mT)
        if outputs == "trace":
            return kernel
        many = [next(iter(side.values())).shape[1:3] for side in (left, right)]
        return kernel.unflatten(2, many[1]).unflatten(1, many[0]).transpose(2, 3)

    def sample_bytes(self, net: Function) -> int:
        """The Jacobian; what else the function needs while it is differentiated is not known, and not counted."""
        return jacobian_numbers(net) * np.dtype(self.dtype).itemsize

    def pullback(self, net: Function, theta: Tensors, x: Tensor, v: Tensor) -> Tensors:
        """J^T v, by reverse differentiation."""
        return vjp(lambda t: self.forward(net, t, x), theta)[1](v)[0]

    def gradient(self, net: Function, theta: Tensors, gradient: Tensors) -> Callable[[Tensor, Tensor], Tensor]:
        """Of x, y the mean squared errors, (S,); writes their gradient by theta into tensors like the weights."""

        def losses_and_gradient(x: Tensor, y: Tensor) -> Tensor:
            with torch.enable_grad():
                leaves = {name: tensor.detach().requires_grad_() for name, tensor in theta.items()}
                loss = ((self.forward(net, leaves, x) - y) ** 2).mean(dim=(1, 2))
                found = torch.autograd.grad(loss.sum(), list(leaves.values()), materialize_grads=True)
            for name, grad in zip(theta, found, strict=True):
                gradient[name].copy_(grad)
            return loss.detach()

        return losses_and_gradient

    def pushforward(self, net: Function, theta: Tensors, x: Tensor, tangent: Tensors) -> Tensor:
        """J u, as the transpose of v -> J^T v: forward differentiation lacks more operations than reverse does."""
        anywhere = x.new_zeros(len(next(iter(theta.values()))), x.shape[1], net.outputs)
        return vjp(lambda v: self.pullback(net, theta, x, v), anywhere)[1](tangent)[0]
