"""PyTorch: what each step of a network does to features and signals, and each layer's term of the kernel."""

import math
from typing import TypeAlias

import torch

from harness.backends.operations import Outputs, Tensors
from harness.networks import Network
from harness.networks.layers import Activate, AveragePool, Convolution, Dense, Step, Weighted

Tensor: TypeAlias = torch.Tensor
Side = tuple[Tensor, Tensor]

ACTIVATIONS = {"relu": torch.relu, "tanh": torch.tanh, "erf": torch.erf, "sigmoid": torch.sigmoid}


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
    """The same from gradients per sample, G = sum_p delta_p x_p^T, and their Gram."""
    one = sample_gradients(layer, left)
    two = one if right is left else sample_gradients(layer, right)
    weights, *biases = (outputs_gram(g1, g2, outputs) for g1, g2 in zip(one, two, strict=True))
    gram = weights.mul_(layer.weight_scale**2)
    return gram.add_(biases[0], alpha=layer.bias_scale**2) if biases else gram


def outputs_gram(g1: Tensor, g2: Tensor, outputs: Outputs) -> Tensor:
    """<g, g'> of g (S, N, O, n): summed over outputs, or of all their pairs."""
    if outputs == "trace":
        return g1.flatten(2) @ g2.flatten(2).mT
    gram = (g1.flatten(1, 2) @ g2.flatten(1, 2).mT).unflatten(2, g2.shape[1:3]).unflatten(1, g1.shape[1:3])
    return gram.transpose(2, 3)


def sample_gradients(layer: Weighted, side: Side) -> list[Tensor]:
    """Gradients of weights, (S, N, O, fan_out fan_in), and of biases if any, (S, N, O, fan_out), without scales."""
    p, delta = side
    weights = delta.transpose(3, 4).flatten(2, 3) @ p  # (S, N, O fan_out, fan_in)
    weights = weights.unflatten(2, (delta.shape[2], layer.fan_out)).flatten(3)
    return [weights] if layer.bias is None else [weights, delta.sum(3)]
