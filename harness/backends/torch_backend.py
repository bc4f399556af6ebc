"""PyTorch.

Dense layers as batched matrix products over seeds; kernels as products of Grams; gradients written
out.

Tolerances against the oracle, relative in the Frobenius norm: float64 1e-10 and float32 1e-5.
Measured: 8e-16 and 3e-7; the structured form adds no error to that of the matrix products (TF32
stays off).
"""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any, TypeAlias

import numpy as np

from harness.backends.cost import structured_bytes
from harness.backends.infinite_steps import Kernel
from harness.backends.infinite_width import fill, keep_freed_memory
from harness.backends.operations import Descent, Loss, Outputs, Steps, Tensors
from harness.errors import BackendUnavailable
from harness.networks import Network
from harness.networks.layers import Activate, Weighted

try:
    import torch
except ImportError as error:
    raise BackendUnavailable(
        "The torch backend was asked for, but PyTorch is not installed. Install it: pip install "
        "'ntk-claims[torch]'."
    ) from error

from harness.backends.torch_autodiff import TorchAutodiff
from harness.backends.torch_descent import (
    Gradient,
    descend,
    flattened,
    parts,
    running,
    samples_of,
)
from harness.backends.torch_determinism import deterministic
from harness.backends.torch_infinite import TorchArrays
from harness.backends.torch_layers import (
    ACTIVATIONS,
    Side,
    activations,
    affine,
    apply,
    derivative,
    kernel_block,
    patches,
    signals,
    weighted_inputs,
)
from harness.backends.torch_ridge import solve_ridges

Tensor: TypeAlias = torch.Tensor


def operations(device: str, dtype: str | None) -> "TorchOperations":
    """The operations on "cpu", "cuda", or, for "auto", a GPU if there is one."""
    if device == "cuda" and not torch.cuda.is_available():
        raise BackendUnavailable(
            f"The torch backend was asked for device 'cuda', but PyTorch {torch.__version__} sees "
            f"no GPU. {absence()} "
            "Use device='cpu', or install the CUDA build: pip install 'ntk-claims[cuda]'."
        )
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    if device == "cpu":
        keep_freed_memory()
    return TorchOperations(device, dtype or "float32")


def absence() -> str:
    """Why PyTorch may see no GPU."""
    if torch.version.cuda is None:
        return "It was built for the CPU alone."
    return (
        f"It was built for CUDA {torch.version.cuda}: "
        "is a driver there (nvidia-smi) and CUDA_VISIBLE_DEVICES right?"
    )


class TorchOperations:
    """The operations of harness.backends.operations.Operations, in PyTorch."""

    foreign = False
    """Whether the network is a function of someone else's."""

    def __init__(self, device: str, dtype: str) -> None:
        """Remembers where and in which precision."""
        self.device, self.dtype = device, dtype

    @contextmanager
    def session(self) -> Iterator[None]:
        """No autograd but where asked, no autocast; full float32 in matrix products (no TF32, no
        bfloat16).

        Whatever mode the caller is in (torch.inference_mode). On a GPU deterministic kernels alone.
        """
        blas, gpu, cpu = (
            torch.backends.cuda.matmul,
            torch.backends.cudnn,
            torch.backends.mkldnn,
        )
        products: tuple[Any, ...] = blas, gpu.conv, gpu.rnn, cpu.matmul, cpu.conv  # type: ignore[attr-defined]
        precisions = [product.fp32_precision for product in products]
        repeatable = (
            nullcontext()
            if self.device == "cpu"
            else deterministic(warn_only=self.foreign)
        )
        try:
            for product in products:
                product.fp32_precision = "ieee"
            with (
                torch.inference_mode(False),
                torch.no_grad(),
                torch.autocast(self.device, enabled=False),
                repeatable,
            ):
                yield
        finally:
            for product, precision in zip(products, precisions, strict=True):
                product.fp32_precision = precision

    def put(self, array: np.ndarray) -> Tensor:
        """To the device; floating arrays in this dtype."""
        floating = np.issubdtype(array.dtype, np.floating)
        array = np.array(array, dtype=self.dtype if floating else array.dtype)
        return torch.from_numpy(array).to(self.device)

    def fetch(self, tensor: Tensor) -> np.ndarray:
        """Back to NumPy."""
        return tensor.detach().cpu().numpy()

    def autodiff(self) -> "TorchFunctionOperations":
        """The same for a `networks.Function`."""
        return TorchFunctionOperations(self.device, self.dtype)

    def forward(self, net: Network, theta: Tensors, x: Tensor) -> Tensor:
        """f(x), (S, N, O)."""
        return activations(net, theta, x)[1]

    def factors(
        self, net: Network, theta: Tensors, x: Tensor
    ) -> list[tuple[Tensor, Tensor]]:
        """Per layer with weights its inputs (S or 1, N, size) and the signals of all outputs (S, N,
        O, P, fan_out).
        """
        inputs, f = activations(net, theta, x)
        one = torch.eye(net.outputs, dtype=x.dtype, device=x.device).expand(
            *f.shape, net.outputs
        )
        return list(
            zip(
                weighted_inputs(net, inputs),
                signals(net, theta, inputs, one),
                strict=True,
            )
        )

    def contract(
        self, net: Network, left: list[Side], right: list[Side], outputs: Outputs
    ) -> Tensor:
        """The kernel block."""
        return kernel_block(net, left, right, outputs)

    def sample_bytes(self, net: Network) -> int:
        """What `factors` keeps, and the patches and gradients of the largest layer beside it."""
        return structured_bytes(net) * np.dtype(self.dtype).itemsize

    def pullback(self, net: Network, theta: Tensors, x: Tensor, v: Tensor) -> Tensors:
        """J^T v."""
        inputs, _ = activations(net, theta, x)
        deltas = signals(net, theta, inputs, v[:, :, None, :])
        gradient: Tensors = {}
        for layer, a, delta in zip(
            net.layers, weighted_inputs(net, inputs), deltas, strict=True
        ):
            d = delta[:, :, 0].flatten(1, 2)
            gradient[layer.weight] = layer.weight_scale * (
                d.mT @ patches(layer, a).flatten(1, 2)
            )
            if layer.bias is not None:
                gradient[layer.bias] = layer.bias_scale * d.sum(1)
        return gradient

    def pushforward(
        self, net: Network, theta: Tensors, x: Tensor, tangent: Tensors
    ) -> Tensor:
        """J u, by the forward tangent: a layer adds its own u on x_{l-1} to w W dx_{l-1}."""
        inputs, _ = activations(net, theta, x)
        dx: Tensor | None = None
        for step, entering in zip(net.steps, inputs, strict=True):
            if isinstance(step, Weighted):
                own = apply(step, tangent, entering)
                dx = own if dx is None else own + affine(step, theta, dx, bias=False)
            elif isinstance(step, Activate):
                dx = None if dx is None else derivative(step.name, entering) * dx
            else:
                dx = None if dx is None else apply(step, theta, dx)
        assert dx is not None
        return dx

    def ntk_samples(self, net: Network, x: Tensor, noise: Tensors) -> Tensor:
        """The recursion of Backend.ntk_samples, all draws at once."""
        norms: list[Tensor] = []
        directions: list[Tensor] = []
        hs: list[Tensor] = []
        for layer in net.layers:
            x = ACTIVATIONS[net.activation](hs[-1]) if hs else x
            norm = torch.linalg.vector_norm(x, dim=-1, keepdim=True)
            # A silent layer (all ReLUs off) has no direction; its signal is zero as well.
            norms.append(norm)
            directions.append(x / torch.where(norm > 0, norm, 1))
            h = layer.weight_scale * layer.weight_std * norm * noise[f"u{layer.weight}"]
            hs.append(
                h
                if layer.bias is None
                else h + layer.bias_scale * layer.bias_std * noise[layer.bias]
            )
        delta = torch.ones_like(hs[-1])
        kernel = torch.zeros_like(hs[-1])
        for index in range(len(net.layers) - 1, -1, -1):
            layer, size = net.layers[index], (delta**2).sum(-1, keepdim=True)
            bias = 0.0 if layer.bias is None else layer.bias_scale**2
            kernel += size * (layer.weight_scale**2 * norms[index] ** 2 + bias)
            if index:
                a, u, g = (
                    directions[index],
                    noise[f"u{layer.weight}"],
                    noise[f"g{layer.weight}"],
                )
                along = (u * delta).sum(-1, keepdim=True) - size.sqrt() * (a * g).sum(
                    -1, keepdim=True
                )
                upstream = (
                    layer.weight_scale
                    * layer.weight_std
                    * (a * along + size.sqrt() * g)
                )
                delta = upstream * derivative(net.activation, hs[index - 1])
        return kernel[:, 0]

    def fill_infinite(
        self,
        net: Network,
        x1: np.ndarray,
        x2: np.ndarray | None,
        *,
        tangent: bool,
        memory: int,
        out: np.ndarray,
    ) -> None:
        """Blocks of the shared recursion."""
        fill(
            self, TorchArrays(), Kernel(net, tangent), (x1, x2), memory=memory, out=out
        )

    def solve_ridges(
        self, gram: np.ndarray, y: np.ndarray, ridges: np.ndarray
    ) -> np.ndarray:
        """By Cholesky factorisation."""
        return solve_ridges(gram, y, ridges, self.device)

    def advance(
        self, net: Network, descent: Descent, steps: Steps
    ) -> tuple[Descent, Tensor]:
        """Steps with weights updated in place, all of a seed in one row; on a CPU of the seeds that
        still train.
        """
        everyone = [flattened(tensors) for tensors in (descent.theta, *descent.slots)]
        some = running(descent.active)
        theta, *slots = (rows[some] for rows in everyone)
        gradient, device_rates = torch.empty_like(theta), self.put(steps.rates)[:, some]
        losses_and_gradient = self.gradient(
            net, parts(theta, net.shapes), parts(gradient, net.shapes), steps.loss
        )
        active, losses = (
            descent.active.clone(),
            theta.new_full(steps.rates.shape, math.nan),
        )
        own, target = active[some], -math.inf if steps.target is None else steps.target
        for k, (x, y) in enumerate(
            samples_of(steps.data, steps.batches, some, len(steps.rates))
        ):
            loss = losses_and_gradient(x, y)
            own = own & torch.isfinite(loss) & (loss > target)
            rate = torch.where(own, device_rates[k], 0)
            descend(
                steps.optimizer,
                descent.step + k + 1,
                theta,
                gradient,
                slots=slots,
                rate=rate,
            )
            losses[k, some] = loss
        active[some] = own
        for rows, moved in zip(everyone, (theta, *slots), strict=True):
            rows[some] = moved
        weights, *kept = (parts(rows, net.shapes) for rows in everyone)
        return Descent(
            weights, tuple(kept), active, descent.step + len(steps.rates)
        ), losses

    def gradient(
        self, net: Network, theta: Tensors, gradient: Tensors, loss: Loss
    ) -> Callable[[Tensor, Tensor], Tensor]:
        """Of x, y the losses, (S,); writes their gradient into tensors like the weights."""
        return Gradient(net, theta, gradient, loss)


class TorchFunctionOperations(TorchAutodiff, TorchOperations):  # type: ignore[misc]  # of another kind of network
    """Those of a `networks.Function`: what depends on it by torch.func, the rest as above."""

    foreign = True
