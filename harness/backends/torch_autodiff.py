"""PyTorch: what depends on the network, for any function, by automatic differentiation.

Every mapped way of `torch_mapping` is held against plain autograd once per function and shape, and
is not taken where it fails or differs.
"""

import warnings
from collections.abc import Callable
from typing import TypeAlias
from weakref import WeakKeyDictionary

import numpy as np
import torch

from harness.backends.cost import jacobian_numbers
from harness.backends.operations import Loss, Outputs, Tensors
from harness.backends.probes import (
    difference,
    finite,
    moved,
    moved_rows,
    noise,
    tolerance,
)
from harness.backends.samplewise import first_line, out_of_memory
from harness.backends.torch_mapping import (
    Forward,
    differentiable,
    forward_by_seed,
    jacobian_by_sample,
    leaves_of,
    mapped_forward,
    mapped_jacobian,
    operations_of,
    pullback,
    pushforward,
)
from harness.networks import Function

Tensor: TypeAlias = torch.Tensor
Answer: TypeAlias = Callable[[Tensors, Tensor], Tensors]

LONGEST_SUM = 2**14
"""Terms that a matrix product may sum: on a CPU PyTorch adds them one after another where there are
few rows, and in float32 loses three digits over millions of parameters (measured: 5e-4 at 4
million, 1e-6 in pieces of this length)."""

TRUSTED: WeakKeyDictionary[Function, dict[tuple[object, ...], bool]] = (
    WeakKeyDictionary()
)
"""Per function: quantity, precision, device and shape -> whether the mapped way agreed with plain
autograd.
"""


class TorchAutodiff:
    """The operations of a `networks.Function` that depend on it."""

    device: str
    dtype: str
    put: Callable[[np.ndarray], Tensor]
    fetch: Callable[[Tensor], np.ndarray]

    def outdated(self, net: Function, theta: Tensors, x: Tensor, f: np.ndarray) -> bool:
        """Never: nothing is compiled."""
        return False

    def forward(self, net: Function, theta: Tensors, x: Tensor) -> Tensor:
        """f(x), (S, N, O)."""
        with differentiable():
            return self._way_forward(net, "outputs", theta, x)(
                net.of("torch"), theta, x
            )

    def factors(self, net: Function, theta: Tensors, x: Tensor) -> Tensors:
        """The Jacobian per parameter, name -> (S, N, O, size)."""
        f = net.of("torch")

        def mapped(theta: Tensors, x: Tensor) -> Tensors:
            v = self._noise("v", len(first(theta)), x.shape[1], net.outputs)
            return {
                name: torch.einsum("snop,sno->sp", j, v)
                for name, j in mapped_jacobian(f, theta, x).items()
            }

        with differentiable():
            if self._trusted(
                net,
                "Jacobian",
                theta,
                x,
                mapped=mapped,
                plain=self._plain_gradient(net),
            ):
                return mapped_jacobian(f, theta, x)
            return jacobian_by_sample(f, theta, x)

    def contract(
        self, net: Function, left: Tensors, right: Tensors, outputs: Outputs
    ) -> Tensor:
        """The sum over parameters of J J'^T."""
        # axes of the rows of J: samples, or samples and outputs
        samples = 1 if outputs == "trace" else 2
        ones, twos = (
            [j.flatten(1, samples).flatten(2) for j in side.values()]
            for side in (left, right)
        )
        kernel = ones[0].new_zeros(len(ones[0]), ones[0].shape[1], twos[0].shape[1])
        for one, two in zip(ones, twos, strict=True):
            for part1, part2 in zip(
                one.split(LONGEST_SUM, 2), two.split(LONGEST_SUM, 2), strict=True
            ):
                kernel.baddbmm_(part1, part2.mT)
        if outputs == "trace":
            return kernel
        many = [next(iter(side.values())).shape[1:3] for side in (left, right)]
        return kernel.unflatten(2, many[1]).unflatten(1, many[0]).transpose(2, 3)

    def sample_bytes(self, net: Function) -> int:
        """The Jacobian; what else the function needs while it is differentiated is not known, and
        not counted.
        """
        return jacobian_numbers(net) * np.dtype(self.dtype).itemsize

    def pullback(self, net: Function, theta: Tensors, x: Tensor, v: Tensor) -> Tensors:
        """J^T v, by reverse differentiation."""
        with differentiable():
            return pullback(
                self._way_forward(net, "gradient", theta, x),
                net.of("torch"),
                theta,
                x,
                v=v,
            )

    def gradient(
        self, net: Function, theta: Tensors, gradient: Tensors, loss: Loss
    ) -> Callable[[Tensor, Tensor], Tensor]:
        """Of x, y the losses, (S,); writes their gradient into tensors like the weights."""
        f = net.of("torch")

        def losses_and_gradient(x: Tensor, y: Tensor) -> Tensor:
            with torch.enable_grad(), differentiable():
                forward = self._way_forward(net, "gradient", theta, x)
                leaves = leaves_of(theta)
                losses = mean_losses(loss, forward(f, leaves, x), y)
                grads = torch.autograd.grad(
                    losses.sum(), list(leaves.values()), materialize_grads=True
                )
            for name, grad in zip(theta, grads, strict=True):
                gradient[name].copy_(grad)
            return losses.detach()

        return losses_and_gradient

    def pushforward(
        self, net: Function, theta: Tensors, x: Tensor, tangent: Tensors
    ) -> Tensor:
        """J u, by reverse differentiation twice; where that fails, from the Jacobian."""
        f, forward = (
            net.of("torch"),
            forward_by_seed if len(first(theta)) == 1 else mapped_forward,
        )

        def product(theta: Tensors, x: Tensor) -> Tensors:  # <v, J u>
            v = self._noise("v", len(first(theta)), x.shape[1], net.outputs)
            u = {
                name: self._noise(f"u {name}", *tensor.shape)
                for name, tensor in theta.items()
            }
            return {
                "product": (v * pushforward(forward, f, theta, x, tangent=u)).sum(
                    (1, 2)
                )
            }

        def plain(theta: Tensors, x: Tensor) -> Tensors:  # <J^T v, u>
            gradient = self._plain_gradient(net)(theta, x)
            u = by_seed(
                {
                    name: self._noise(f"u {name}", *tensor.shape)
                    for name, tensor in theta.items()
                }
            )
            terms = [g * u[name] for name, g in gradient.items()]
            return {"product": torch.cat(terms, 1).sum(1)}

        with differentiable():
            if self._trusted(
                net, "product with the Jacobian", theta, x, mapped=product, plain=plain
            ):
                return pushforward(forward, f, theta, x, tangent=tangent)
        jacobian = self.factors(net, theta, x)
        along = by_seed(tangent)
        terms = [
            torch.einsum("snop,sp->sno", j, along[name]) for name, j in jacobian.items()
        ]
        return torch.stack(terms).sum(0)

    def _way_forward(
        self, net: Function, quantity: str, theta: Tensors, x: Tensor
    ) -> Forward:
        """All seeds at once, or one after another: for one seed, and where PyTorch cannot map this
        function.
        """
        if len(first(theta)) == 1:
            return forward_by_seed
        f = net.of("torch")

        def outputs(forward: Forward) -> Answer:
            return lambda theta, x: {"f": forward(f, theta, x)}

        def gradient(theta: Tensors, x: Tensor) -> Tensors:
            v = self._noise("v", len(first(theta)), x.shape[1], net.outputs)
            return by_seed(pullback(mapped_forward, f, theta, x, v=v))

        ways = {
            "outputs": (outputs(mapped_forward), outputs(forward_by_seed)),
            "gradient": (gradient, self._plain_gradient(net)),
        }
        mapped, plain = ways[quantity]
        trusted = self._trusted(net, quantity, theta, x, mapped=mapped, plain=plain)
        return mapped_forward if trusted else forward_by_seed

    def _plain_gradient(self, net: Function) -> Answer:
        """J^T v of random v by plain autograd, one seed after another, name -> (S, size)."""

        def gradient(theta: Tensors, x: Tensor) -> Tensors:
            v = self._noise("v", len(first(theta)), x.shape[1], net.outputs)
            return by_seed(pullback(forward_by_seed, net.of("torch"), theta, x, v=v))

        return gradient

    def _noise(self, name: str, *shape: int) -> Tensor:
        return self.put(noise(name, shape))

    def _trusted(
        self,
        net: Function,
        quantity: str,
        theta: Tensors,
        x: Tensor,
        *,
        mapped: Answer,
        plain: Answer,
    ) -> bool:
        """Whether the mapped way gives what plain autograd gives, near these weights and inputs;
        warns if not.
        """
        verdicts = TRUSTED.setdefault(net, {})
        key = (quantity, self.dtype, self.device, len(first(theta)), tuple(x.shape))
        if key not in verdicts:
            near = {name: self._moved(name, tensor) for name, tensor in theta.items()}
            inputs, right = self._right(plain, near, x)
            if not finite(right):  # of weights that diverged, say; it tells nothing
                return False
            reason = self._reason(mapped, near, inputs, right)
            if reason:
                names = self._operations(net, near, inputs)
                warnings.warn(
                    f"PyTorch's batched {quantity} of this function {reason}. It is computed by "
                    "plain autograd, one "
                    "seed and sample after another, which is right but slower. The cause is one "
                    "of the operations of "
                    f"the function: {names}.",
                    stacklevel=2,
                )
            verdicts[key] = not reason
        return verdicts[key]

    def _moved(self, name: str, tensor: Tensor) -> Tensor:
        return self.put(moved(name, self.fetch(tensor)))

    def _right(
        self, plain: Answer, theta: Tensors, x: Tensor
    ) -> tuple[Tensor, dict[str, np.ndarray]]:
        """Inputs near x, or x itself if the function takes no others, and what plain autograd gives
        there.
        """
        near = self.put(moved_rows(self.fetch(x)))
        try:
            return near, self._fetched(plain(theta, near))
        except Exception as error:  # whatever a function of someone else raises
            if out_of_memory(error):
                raise
            return x, self._fetched(plain(theta, x))

    def _reason(
        self, mapped: Answer, theta: Tensors, x: Tensor, right: dict[str, np.ndarray]
    ) -> str:
        """Why the mapped way is not to be taken; "" if it is."""
        try:
            apart = difference(self._fetched(mapped(theta, x)), right, self.dtype)
        except Exception as error:  # what PyTorch cannot map
            if out_of_memory(error):
                raise
            return f"fails ({first_line(error)})"
        return (
            ""
            if apart <= tolerance(self.dtype)
            else f"differs from plain autograd by {100 * apart:.2g} %"
        )

    def _fetched(self, tensors: Tensors) -> dict[str, np.ndarray]:
        return {name: self.fetch(tensor) for name, tensor in tensors.items()}

    def _operations(self, net: Function, theta: Tensors, x: Tensor) -> str:
        with torch.enable_grad():
            outputs = forward_by_seed(net.of("torch"), leaves_of(theta), x[:, :1])
        return ", ".join(operations_of(outputs)) or "unknown"


def mean_losses(loss: Loss, f: Tensor, y: Tensor) -> Tensor:
    """The loss of every seed, (S,), of outputs and targets (S, N, O)."""
    if loss == "squared":
        return ((f - y) ** 2).mean(dim=(1, 2))
    return -(y * torch.log_softmax(f, dim=2)).sum(dim=2).mean(dim=1)


def first(theta: Tensors) -> Tensor:
    """One of the weights; its first axis is seeds."""
    return next(iter(theta.values()))


def by_seed(gradient: Tensors) -> Tensors:
    """Shaped (S, size)."""
    return {
        name: tensor.flatten(1) if tensor.ndim > 1 else tensor[:, None]
        for name, tensor in gradient.items()
    }
