"""PyTorch. Dense layers as batched matrix products over seeds; kernels as products of Grams; descent by autograd.

Tolerances against the oracle, relative in the Frobenius norm: float64 1e-10 and float32 1e-5. Measured: 1e-15 and 2e-7;
the structured form adds no error to that of the matrix products (TF32 stays off).
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeAlias

import numpy as np

from harness.backends.cost import cheaper_by_position, structured_bytes
from harness.backends.operations import Adam, Descent, Optimizer, Outputs, Tensors
from harness.errors import BackendUnavailable
from harness.networks import Network
from harness.networks.layers import Activate, AveragePool, Convolution, Dense, Step, Weighted

try:
    import torch
except ImportError as error:
    raise BackendUnavailable(
        "The torch backend was asked for, but PyTorch is not installed. Install it: pip install 'ntk-claims[torch]'."
    ) from error

Tensor: TypeAlias = torch.Tensor

CHANNEL_SLICES = 4  # gradients per sample are formed for a quarter of the output channels at a time
ACTIVATIONS = {"relu": torch.relu, "tanh": torch.tanh, "erf": torch.erf, "sigmoid": torch.sigmoid}


def operations(device: str, dtype: str | None) -> "TorchOperations":
    """The operations on "cpu", "cuda", or, for "auto", a GPU if there is one."""
    if device == "cuda" and not torch.cuda.is_available():
        raise BackendUnavailable(
            f"The torch backend was asked for device 'cuda', but PyTorch {torch.__version__} sees no GPU. "
            "Use device='cpu', or install the CUDA build: pip install 'ntk-claims[cuda]'."
        )
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    return TorchOperations(device, dtype or "float32")


def derivative(name: str, h: Tensor) -> Tensor:
    """phi'(h)."""
    match name:
        case "relu":
            return (h > 0).to(h.dtype)
        case "tanh":
            return 1 - torch.tanh(h) ** 2
        case "erf":
            return 2 / math.sqrt(math.pi) * torch.exp(-(h**2))
        case _:
            s = torch.sigmoid(h)
            return s * (1 - s)


def apply(step: Step, theta: Tensors, x: Tensor) -> Tensor:
    """One step on features (S or 1, N, size)."""
    match step:
        case Dense() | Convolution():
            return affine(step, theta, patches(step, x)).flatten(2)
        case Activate():
            return ACTIVATIONS[step.name](x)
        case AveragePool():
            (rows, columns), (height, width) = step.out, step.window
            return x.unflatten(-1, (rows, height, columns, width, step.channels)).mean(dim=(-4, -2)).flatten(2)


def affine(layer: Weighted, theta: Tensors, p: Tensor, bias: bool = True) -> Tensor:
    """w W p + s b for patches (S or 1, N, P, fan_in): (S, N, P, fan_out)."""
    weight = theta[layer.weight]
    if p.shape[0] == 1 and len(weight) > 1:
        # Seeds that share their inputs share one product: (N P, n) times (n, S m), instead of S small ones.
        h = p[0].flatten(0, 1) @ weight.flatten(0, 1).mT
        h = h.unflatten(1, weight.shape[:2]).transpose(0, 1).unflatten(1, p.shape[1:3])
    else:
        h = (p.flatten(1, 2) @ weight.mT).unflatten(1, p.shape[1:3])
    h = layer.weight_scale * h
    return h + layer.bias_scale * theta[layer.bias][:, None, None, :] if bias and layer.bias is not None else h


def patches(layer: Weighted, x: Tensor) -> Tensor:
    """What the layer's weights see, (S or 1, N, P, fan_in): im2col, channels last; a dense layer has one position."""
    if isinstance(layer, Dense):
        return x[:, :, None, :]
    (top, bottom), (left, right) = layer.padding
    image = x.unflatten(-1, (*layer.grid, layer.channels))
    image = torch.nn.functional.pad(image, (0, 0, left, right, top, bottom))
    windows = image.unfold(2, layer.kernel[0], layer.stride[0]).unfold(3, layer.kernel[1], layer.stride[1])
    return windows.permute(0, 1, 2, 3, 5, 6, 4).flatten(4).flatten(2, 3)


def folded(layer: Convolution, p: Tensor) -> Tensor:
    """The transpose of `patches`: entries of p (S, M, P, fan_in) are added to where they came from, (S, M, size)."""
    (rows, columns), (height, width), (down, across) = layer.out, layer.kernel, layer.stride
    (top, bottom), (left, right) = layer.padding
    p = p.unflatten(3, (height, width, layer.channels)).unflatten(2, (rows, columns))
    size = layer.grid[0] + top + bottom, layer.grid[1] + left + right
    image = p.new_zeros(*p.shape[:2], *size, layer.channels)
    for i in range(height):
        for j in range(width):
            image[:, :, i : i + down * rows : down, j : j + across * columns : across] += p[:, :, :, :, i, j]
    return image[:, :, top : size[0] - bottom, left : size[1] - right].flatten(2)


def activations(net: Network, theta: Tensors, x: Tensor) -> tuple[list[Tensor], Tensor]:
    """What goes into each step, and f(x)."""
    inputs = []
    for step in net.steps:
        inputs.append(x)
        x = apply(step, theta, x)
    return inputs, x


def pulled_back(step: Step, theta: Tensors, x: Tensor, delta: Tensor) -> Tensor:
    """The signals before a step, (S, N, K, size), from those after it: its Jacobian, transposed, times delta."""
    many = delta.shape[1:3]
    match step:
        case Dense():
            return step.weight_scale * (delta.flatten(1, 2) @ theta[step.weight]).unflatten(1, many)
        case Convolution():
            at = delta.unflatten(3, (step.positions, step.fan_out)).flatten(1, 3) @ theta[step.weight]
            at = at.unflatten(1, (many[0] * many[1], step.positions))
            return step.weight_scale * folded(step, at).unflatten(1, many)
        case Activate():
            return delta * derivative(step.name, x)[:, :, None, :]
        case AveragePool():
            (rows, columns), (height, width) = step.out, step.window
            spread = delta.unflatten(3, (rows, 1, columns, 1, step.channels)) / (height * width)
            return spread.expand(-1, -1, -1, -1, height, -1, width, -1).flatten(3)


def signals(net: Network, theta: Tensors, inputs: list[Tensor], delta: Tensor) -> list[Tensor]:
    """Per step with weights, the signal after it, (S, N, K, P, fan_out), from delta, (S, N, K, O), at the output."""
    found = []
    for index, (step, x) in reversed(list(enumerate(zip(net.steps, inputs, strict=True)))):
        if isinstance(step, Weighted):
            found.append(delta.unflatten(3, (-1, step.fan_out)))
        if index:
            delta = pulled_back(step, theta, x, delta)
    return found[::-1]


def weighted_inputs(net: Network, inputs: list[Tensor]) -> list[Tensor]:
    """Of what goes into each step, what goes into those with weights."""
    return [x for step, x in zip(net.steps, inputs, strict=True) if isinstance(step, Weighted)]


Side = tuple[Tensor, Tensor]


def position_gram(layer: Weighted, left: Side, right: Side, outputs: Outputs) -> Tensor:
    """sum over positions p, p' of (w^2 <x_p, x'_p'> + s^2) <delta_p, delta'_p'>: two Grams, multiplied."""
    (p1, d1), (p2, d2) = left, right
    bias = 0.0 if layer.bias is None else layer.bias_scale**2
    gram = layer.weight_scale**2 * (p1.flatten(1, 2) @ p2.flatten(1, 2).mT) + bias
    gram = gram.unflatten(2, p2.shape[1:3]).unflatten(1, p1.shape[1:3])  # (S, N1, P1, N2, P2)
    if outputs == "trace":
        d1, d2 = d1.transpose(2, 3).flatten(3), d2.transpose(2, 3).flatten(3)  # (S, N, P, O fan_out)
        signal = (d1.flatten(1, 2) @ d2.flatten(1, 2).mT).unflatten(2, d2.shape[1:3]).unflatten(1, d1.shape[1:3])
        return signal[:, :, 0, :, 0] * gram[:, :, 0, :, 0] if gram.shape[2] == 1 else (signal * gram).sum(dim=(2, 4))
    signal = d1.flatten(1, 3) @ d2.flatten(1, 3).mT
    signal = signal.unflatten(2, d2.shape[1:4]).unflatten(1, d1.shape[1:4])  # (S, N1, O, P1, N2, O, P2)
    return (signal * gram[:, :, None, :, :, None, :]).sum(dim=(3, 6)).transpose(2, 3)


def gradient_gram(layer: Weighted, left: Side, right: Side, outputs: Outputs) -> Tensor:
    """The same from gradients per sample, G = sum_p delta_p x_p^T: their Gram, a slice of channels at a time."""
    total = None
    for channels in torch.arange(layer.fan_out).split(max(1, layer.fan_out // CHANNEL_SLICES)):
        g1, g2 = (sample_gradient(layer, side, slice(channels[0], channels[-1] + 1)) for side in (left, right))
        if outputs == "trace":
            term = g1.flatten(2) @ g2.flatten(2).mT
        else:
            term = (g1.flatten(1, 2) @ g2.flatten(1, 2).mT).unflatten(2, g2.shape[1:3]).unflatten(1, g1.shape[1:3])
            term = term.transpose(2, 3)
        total = term if total is None else total.add_(term)
    assert total is not None
    return total


def sample_gradient(layer: Weighted, side: Side, channels: slice) -> Tensor:
    """Gradients of a slice of output channels, weights and bias together, (S, N, O, channels (fan_in + 1))."""
    p, delta = side
    d = delta[..., channels].transpose(3, 4)  # (S, N, O, c, P)
    weights = layer.weight_scale * (d.flatten(2, 3) @ p)
    if layer.bias is not None:
        weights = torch.cat([weights, layer.bias_scale * d.flatten(2, 3).sum(-1, keepdim=True)], dim=-1)
    return weights.unflatten(2, d.shape[2:4]).flatten(3)


class TorchOperations:
    """The operations of harness.backends.operations.Operations, in PyTorch."""

    def __init__(self, device: str, dtype: str) -> None:
        """Remembers where and in which precision."""
        self.device, self.dtype = device, dtype

    @contextmanager
    def session(self) -> Iterator[None]:
        """No autograd but where asked, no autocast; full float32 in matrix products (no TF32, no bfloat16)."""
        products = torch.backends.cuda.matmul, torch.backends.mkldnn.matmul  # type: ignore[attr-defined]
        precisions = [product.fp32_precision for product in products]
        try:
            for product in products:
                product.fp32_precision = "ieee"
            with torch.no_grad(), torch.autocast(self.device, enabled=False):
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

    def forward(self, net: Network, theta: Tensors, x: Tensor) -> Tensor:
        """f(x), (S, N, O)."""
        return activations(net, theta, x)[1]

    def factors(self, net: Network, theta: Tensors, x: Tensor) -> list[tuple[Tensor, Tensor]]:
        """Per layer with weights its inputs (S or 1, N, size) and the signals of all outputs (S, N, O, P, fan_out)."""
        inputs, f = activations(net, theta, x)
        one = torch.eye(net.outputs, dtype=x.dtype, device=x.device).expand(*f.shape, net.outputs)
        return list(zip(weighted_inputs(net, inputs), signals(net, theta, inputs, one), strict=True))

    def contract(self, net: Network, left: list[Side], right: list[Side], outputs: Outputs) -> Tensor:
        """The sum over layers, each by Grams over positions or of gradients per sample, whichever costs less."""
        kernel: Tensor | None = None
        for layer, (x1, d1), (x2, d2) in zip(net.layers, left, right, strict=True):
            by_position = cheaper_by_position(layer, x1.shape[1], x2.shape[1], net.outputs, outputs)
            gram = position_gram if by_position else gradient_gram
            term = gram(layer, (patches(layer, x1), d1), (patches(layer, x2), d2), outputs)
            kernel = term if kernel is None else kernel.add_(term)
        assert kernel is not None
        return kernel

    def sample_bytes(self, net: Network) -> int:
        """What `factors` keeps, and the patches and gradients of the largest layer beside it."""
        return structured_bytes(net) * np.dtype(self.dtype).itemsize

    def pullback(self, net: Network, theta: Tensors, x: Tensor, v: Tensor) -> Tensors:
        """J^T v."""
        inputs, _ = activations(net, theta, x)
        deltas = signals(net, theta, inputs, v[:, :, None, :])
        gradient: Tensors = {}
        for layer, a, delta in zip(net.layers, weighted_inputs(net, inputs), deltas, strict=True):
            d = delta[:, :, 0].flatten(1, 2)
            gradient[layer.weight] = layer.weight_scale * (d.mT @ patches(layer, a).flatten(1, 2))
            if layer.bias is not None:
                gradient[layer.bias] = layer.bias_scale * d.sum(1)
        return gradient

    def pushforward(self, net: Network, theta: Tensors, x: Tensor, tangent: Tensors) -> Tensor:
        """J u, by the forward tangent: a layer adds its own u on x_{l-1} to w W dx_{l-1}."""
        inputs, _ = activations(net, theta, x)
        dx: Tensor | None = None
        for step, entering in zip(net.steps, inputs, strict=True):
            if isinstance(step, Weighted):
                own = apply(step, tangent, entering)
                dx = own if dx is None else own + affine(step, theta, patches(step, dx), bias=False).flatten(2)
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
            hs.append(h if layer.bias is None else h + layer.bias_scale * layer.bias_std * noise[layer.bias])
        delta = torch.ones_like(hs[-1])
        kernel = torch.zeros_like(hs[-1])
        for index in range(len(net.layers) - 1, -1, -1):
            layer, size = net.layers[index], (delta**2).sum(-1, keepdim=True)
            bias = 0.0 if layer.bias is None else layer.bias_scale**2
            kernel += size * (layer.weight_scale**2 * norms[index] ** 2 + bias)
            if index:
                a, u, g = directions[index], noise[f"u{layer.weight}"], noise[f"g{layer.weight}"]
                along = (u * delta).sum(-1, keepdim=True) - size.sqrt() * (a * g).sum(-1, keepdim=True)
                upstream = layer.weight_scale * layer.weight_std * (a * along + size.sqrt() * g)
                delta = upstream * derivative(net.activation, hs[index - 1])
        return kernel[:, 0]

    def advance(
        self,
        net: Network,
        descent: Descent,
        optimizer: Optimizer,
        data: tuple[Tensor, Tensor],
        batches: Tensor | None,
        rates: np.ndarray,
        target: float | None,
    ) -> tuple[Descent, Tensor]:
        """Steps with weights updated in place; the device is not waited for."""
        theta = {name: tensor.requires_grad_() for name, tensor in descent.theta.items()}
        device_rates, losses, active, step = self.put(rates), [], descent.active, descent.step
        for k in range(len(rates)):
            with torch.enable_grad():
                x, y = data if batches is None else minibatch(data, batches[k])
                loss = ((self.forward(net, theta, x) - y) ** 2).mean(dim=(1, 2))
                grads = dict(zip(theta, torch.autograd.grad(loss.sum(), list(theta.values())), strict=True))
            active = active & torch.isfinite(loss) & (loss > (-math.inf if target is None else target))
            rate, step = torch.where(active, device_rates[k], 0), step + 1
            for name, tensor in theta.items():
                slots = [slot[name] for slot in descent.slots]
                direction = direct(optimizer, step, grads[name], slots)
                # A stopped seed takes no step at all: zero times a diverged direction would still be NaN.
                scale = rate.reshape(-1, *[1] * (tensor.ndim - 1))
                tensor.sub_(torch.where(scale > 0, scale * direction, 0))
            losses.append(loss.detach())
        theta = {name: tensor.detach() for name, tensor in theta.items()}
        return Descent(theta, descent.slots, active, step), torch.stack(losses)


def minibatch(data: tuple[Tensor, Tensor], index: Tensor) -> tuple[Tensor, Tensor]:
    """The samples of one step, index (S, B)."""
    x, y = data
    rows = torch.arange(len(index), device=index.device)[:, None]
    return x[rows if x.shape[0] > 1 else 0, index], y[rows, index]


def direct(optimizer: Optimizer, step: int, grad: Tensor, slots: list[Tensor]) -> Tensor:
    """The direction of a step; momentum and moments are updated in place."""
    if isinstance(optimizer, Adam):
        m, v = slots
        m.lerp_(grad, 1 - optimizer.beta1)
        v.lerp_(grad**2, 1 - optimizer.beta2)
        unbiased = (v / (1 - optimizer.beta2**step)).sqrt() + optimizer.epsilon
        return m / (1 - optimizer.beta1**step) / unbiased
    if optimizer.momentum:
        return slots[0].mul_(optimizer.momentum).add_(grad)
    return grad
