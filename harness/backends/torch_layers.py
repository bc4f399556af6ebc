"""PyTorch: what a network's steps do to features and signals, and each layer's kernel term."""

import math
from typing import TypeAlias, TypeGuard

import torch

from harness.backends.batch import blocks
from harness.backends.cost import cheaper_by_position
from harness.backends.operations import Outputs, Tensors
from harness.networks import Network
from harness.networks.layers import (
    Activate,
    AveragePool,
    Convolution,
    Dense,
    Grid,
    Step,
    Weighted,
)

Tensor: TypeAlias = torch.Tensor
Side = tuple[Tensor, Tensor]

SMALLEST_CONVOLUTION = 2**19
"""Multiply-adds of one seed below which the call of a convolution costs more than what it saves."""

PANEL = 2**21
"""Bytes of patches that are made and used at once on a CPU, so that they stay in its cache."""

ACTIVATIONS = {
    "relu": torch.relu,
    "tanh": torch.tanh,
    "erf": torch.erf,
    "sigmoid": torch.sigmoid,
}


def derivative(name: str, h: Tensor) -> Tensor:
    """phi'(h)."""
    match name:
        case "relu":
            return torch.relu(h).sign_()
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
            return affine(step, theta, x)
        case Activate():
            return ACTIVATIONS[step.name](x)
        case AveragePool():
            (rows, columns), (height, width) = step.out, step.window
            return (
                x.unflatten(-1, (rows, height, columns, width, step.channels))
                .mean(dim=(-4, -2))
                .flatten(2)
            )


def affine(layer: Weighted, theta: Tensors, x: Tensor, bias: bool = True) -> Tensor:
    """w W x + s b at every position, (S, N, size), of features x (S or 1, N, size)."""
    weight = theta[layer.weight]
    h = (
        convolved(layer, weight, x)
        if by_convolution(layer, x)
        else layer.weight_scale * product(layer, weight, x)
    )
    if bias and layer.bias is not None:
        h = h + layer.bias_scale * theta[layer.bias][:, None, None, :]
    return h.flatten(2)


def product(layer: Weighted, weight: Tensor, x: Tensor) -> Tensor:
    """W p for every patch p, (S, N, P, fan_out)."""
    p = patches(layer, x)
    if p.shape[0] == 1 and len(weight) > 1:
        # Seeds that share their inputs share one product: (N P, n) times (n, S m), instead of S
        # small ones.
        h = p[0].flatten(0, 1) @ weight.flatten(0, 1).mT
        return (
            h.unflatten(1, weight.shape[:2]).transpose(0, 1).unflatten(1, p.shape[1:3])
        )
    return (p.flatten(1, 2) @ weight.mT).unflatten(1, p.shape[1:3])


def by_convolution(layer: Weighted, x: Tensor) -> TypeGuard[Convolution]:
    """Whether to call PyTorch's convolution, seed by seed, instead of one batched product of
    patches for all seeds.

    On a CPU it is 2 to 7 times faster (measured), but for work so small that the calls themselves
    cost more. On a GPU neither was measured, and its convolutions choose algorithms of their own:
    products there.
    """
    if not isinstance(layer, Convolution) or x.device.type != "cpu":
        return False
    return (
        x.shape[1] * layer.positions * layer.fan_in * layer.fan_out
        >= SMALLEST_CONVOLUTION
    )


def convolved(layer: Convolution, weight: Tensor, x: Tensor) -> Tensor:
    """w W p for every patch p, (S, N, P, fan_out), by PyTorch's convolution."""
    before, after = more_after(layer)
    images = torch.nn.functional.pad(
        x.unflatten(-1, (*layer.grid, layer.channels)), (0, 0, 0, after[1], 0, after[0])
    )
    images, kernels = (
        images.permute(0, 1, 4, 2, 3),
        layer.weight_scale * kernels_of(layer, weight),
    )
    h = [
        torch.nn.functional.conv2d(
            images[s % len(images)], kernel, stride=layer.stride, padding=before
        )
        for s, kernel in enumerate(kernels)
    ]
    return stacked(h).permute(0, 1, 3, 4, 2).flatten(2, 3)


def unconvolved(layer: Convolution, weight: Tensor, delta: Tensor) -> Tensor:
    """The transpose of `convolved`: (S, M, P, fan_out) to (S, M, size of the layer's input)."""
    before, after = more_after(layer)
    sizes = zip(
        layer.grid, after, layer.out, layer.stride, before, layer.kernel, strict=True
    )
    # What the last stride leaves over: rows and columns that no patch reaches.
    over = [
        n + extra - ((out - 1) * stride - 2 * pad + kernel)
        for n, extra, out, stride, pad, kernel in sizes
    ]
    images, kernels = (
        delta.unflatten(2, layer.out).permute(0, 1, 4, 2, 3),
        layer.weight_scale * kernels_of(layer, weight),
    )
    back = [
        torch.nn.functional.conv_transpose2d(
            image, kernel, stride=layer.stride, padding=before, output_padding=over
        )
        for image, kernel in zip(images, kernels, strict=True)
    ]
    return (
        stacked(back)[..., : layer.grid[0], : layer.grid[1]]
        .permute(0, 1, 3, 4, 2)
        .flatten(2)
    )


def more_after(layer: Convolution) -> tuple[Grid, Grid]:
    """The padding before rows and columns, and how much more there is after them."""
    (top, bottom), (left, right) = layer.padding
    return (top, left), (bottom - top, right - left)


def kernels_of(layer: Convolution, weight: Tensor) -> Tensor:
    """(S, fan_out, fan_in) as PyTorch's convolutions want it, (S, fan_out, channels, height,
    width).
    """
    return weight.unflatten(2, (*layer.kernel, layer.channels)).permute(0, 1, 4, 2, 3)


def stacked(tensors: list[Tensor]) -> Tensor:
    """Along a new seed axis; one seed is not copied."""
    return tensors[0][None] if len(tensors) == 1 else torch.stack(tensors)


def patches(layer: Weighted, x: Tensor) -> Tensor:
    """What the layer's weights see, (S or 1, N, P, fan_in): im2col, channels last; a dense layer
    has one position.
    """
    if isinstance(layer, Dense):
        return x[:, :, None, :]
    (top, bottom), (left, right) = layer.padding
    image = x.unflatten(-1, (*layer.grid, layer.channels))
    image = torch.nn.functional.pad(image, (0, 0, left, right, top, bottom))
    windows = image.unfold(2, layer.kernel[0], layer.stride[0]).unfold(
        3, layer.kernel[1], layer.stride[1]
    )
    return windows.permute(0, 1, 2, 3, 5, 6, 4).flatten(4).flatten(2, 3)


def folded(layer: Convolution, p: Tensor) -> Tensor:
    """The transpose of `patches`: entries of p (S, M, P, fan_in) are added to where they came from,
    (S, M, size).
    """
    (rows, columns), (height, width), (down, across) = (
        layer.out,
        layer.kernel,
        layer.stride,
    )
    (top, bottom), (left, right) = layer.padding
    p = p.unflatten(3, (height, width, layer.channels)).unflatten(2, (rows, columns))
    size = layer.grid[0] + top + bottom, layer.grid[1] + left + right
    # Whole strides, so that offsets less than a stride apart, which reach different places, are
    # added at once.
    tall, wide = -(-size[0] // down), -(-size[1] // across)
    image = p.new_zeros(*p.shape[:2], tall, down, wide, across, layer.channels)
    for i in range(0, height, down):
        for j in range(0, width, across):
            piece = p[:, :, :, :, i : i + down, j : j + across].transpose(3, 4)
            to = image[
                :, :, i // down :, : piece.shape[3], j // across :, : piece.shape[5]
            ]
            to[:, :, :rows, :, :columns] += piece
    return (
        image.flatten(4, 5)
        .flatten(2, 3)[:, :, top : size[0] - bottom, left : size[1] - right]
        .flatten(2)
    )


def activations(net: Network, theta: Tensors, x: Tensor) -> tuple[list[Tensor], Tensor]:
    """What goes into each step, and f(x)."""
    inputs = []
    for step in net.steps:
        inputs.append(x)
        x = apply(step, theta, x)
    return inputs, x


def pulled_back(step: Step, theta: Tensors, x: Tensor, delta: Tensor) -> Tensor:
    """The signals before a step, (S, N, K, size), from those after it: its Jacobian, transposed,
    times delta.
    """
    many = delta.shape[1:3]
    match step:
        case Dense():
            return step.weight_scale * (
                delta.flatten(1, 2) @ theta[step.weight]
            ).unflatten(1, many)
        case Convolution():
            delta = delta.unflatten(3, (step.positions, step.fan_out))
            if by_convolution(step, x):
                return unconvolved(
                    step, theta[step.weight], delta.flatten(1, 2)
                ).unflatten(1, many)
            at = delta.flatten(1, 3) @ theta[step.weight]
            at = at.unflatten(1, (many[0] * many[1], step.positions))
            return step.weight_scale * folded(step, at).unflatten(1, many)
        case Activate():
            return delta * derivative(step.name, x)[:, :, None, :]
        case AveragePool():
            (rows, columns), (height, width) = step.out, step.window
            spread = delta.unflatten(3, (rows, 1, columns, 1, step.channels)) / (
                height * width
            )
            return spread.expand(-1, -1, -1, -1, height, -1, width, -1).flatten(3)


def signals(
    net: Network, theta: Tensors, inputs: list[Tensor], delta: Tensor
) -> list[Tensor]:
    """Per step with weights, the signal after it, (S, N, K, P, fan_out), from delta, (S, N, K, O),
    at the output.
    """
    found = []
    for index, (step, x) in reversed(
        list(enumerate(zip(net.steps, inputs, strict=True)))
    ):
        if isinstance(step, Weighted):
            found.append(delta.unflatten(3, (-1, step.fan_out)))
        if index:
            delta = pulled_back(step, theta, x, delta)
    return found[::-1]


def weighted_inputs(net: Network, inputs: list[Tensor]) -> list[Tensor]:
    """Of what goes into each step, what goes into those with weights."""
    return [
        x
        for step, x in zip(net.steps, inputs, strict=True)
        if isinstance(step, Weighted)
    ]


def kernel_block(
    net: Network, left: list[Side], right: list[Side], outputs: Outputs
) -> Tensor:
    """The sum over layers, each by Grams over positions or of gradients per sample, whichever costs
    less.

    Where right is left, every panel of rows starts at its own diagonal, which saves half of the
    work.
    """
    same, delta, n2 = right is left, left[0][1], right[0][1].shape[1]
    seeds, n1 = delta.shape[:2]
    by_position = [
        cheaper_by_position(layer, n1, n2, net.outputs, kind=outputs)
        for layer in net.layers
    ]
    numbers = [
        d[:, :, :, 0].numel() * layer.fan_in
        for layer, (_, d) in zip(net.layers, left, strict=True)
    ]
    # One for all layers: to map as much fresh memory for each of them takes as long as the
    # gradients themselves.
    space = (
        max(
            (n for n, cheaper in zip(numbers, by_position, strict=True) if not cheaper),
            default=0,
        )
        // n1
    )
    spaces = [delta.new_empty(space * n1), delta.new_empty(0 if same else space * n2)]
    kernel = delta.new_zeros(
        seeds, n1, n2, *(net.outputs,) * (2 if outputs == "full" else 0)
    )
    panels = list(blocks(n1, max(64, n1 // 8)))
    for layer, cheaper, one, two in zip(
        net.layers, by_position, left, right, strict=True
    ):
        factors, gram = (
            (position_factors, position_gram)
            if cheaper
            else (gradient_factors, gradient_gram)
        )
        first = factors(layer, one, spaces[0])
        second = first if same else factors(layer, two, spaces[1])
        for i in panels:
            j = slice(i.start if same else 0, n2)
            kernel[:, i, j] += gram(
                layer, [a[:, i] for a in first], [a[:, j] for a in second], outputs
            )
    return kernel


def position_factors(layer: Weighted, side: Side, space: Tensor) -> list[Tensor]:
    """Patches and signals; needs no space."""
    return [patches(layer, side[0]), side[1]]


def position_gram(
    layer: Weighted, left: list[Tensor], right: list[Tensor], outputs: Outputs
) -> Tensor:
    """sum over positions p, p' of (w^2 <x_p, x'_p'> + s^2) <delta_p, delta'_p'>: two Grams,
    multiplied.
    """
    (p1, d1), (p2, d2) = left, right
    bias = 0.0 if layer.bias is None else layer.bias_scale**2
    # In place: of large matrices, new memory costs more than the arithmetic.
    gram = (
        (p1.flatten(1, 2) @ p2.flatten(1, 2).mT).mul_(layer.weight_scale**2).add_(bias)
    )
    # (S, N1, P1, N2, P2)
    gram = gram.unflatten(2, p2.shape[1:3]).unflatten(1, p1.shape[1:3])
    if outputs == "trace":
        # (S, N, P, O fan_out)
        d1, d2 = (d1.transpose(2, 3).flatten(3), d2.transpose(2, 3).flatten(3))
        signal = (
            (d1.flatten(1, 2) @ d2.flatten(1, 2).mT)
            .unflatten(2, d2.shape[1:3])
            .unflatten(1, d1.shape[1:3])
        )
        signal = signal.mul_(gram)
        return signal[:, :, 0, :, 0] if gram.shape[2] == 1 else signal.sum(dim=(2, 4))
    signal = d1.flatten(1, 3) @ d2.flatten(1, 3).mT
    # (S, N1, O, P1, N2, O, P2)
    signal = signal.unflatten(2, d2.shape[1:4]).unflatten(1, d1.shape[1:4])
    return signal.mul_(gram[:, :, None, :, :, None, :]).sum(dim=(3, 6)).transpose(2, 3)


def gradient_factors(layer: Weighted, side: Side, space: Tensor) -> list[Tensor]:
    """Gradients of weights, (S, N, O, fan_out fan_in), and of biases if any, (S, N, O, fan_out),
    without scales.

    A panel of samples at a time, whose patches fit into a CPU's cache; the weights' go where there
    is space.
    """
    x, delta = side
    seeds, samples, outputs, positions, channels = delta.shape
    weights = space[: seeds * samples * outputs * channels * layer.fan_in]
    weights = weights.view(seeds, samples, outputs * channels, layer.fan_in)
    biases, ones = (
        delta.new_empty(seeds, samples, outputs, channels),
        delta.new_ones(1, positions),
    )
    patch = positions * layer.fan_in * x.element_size() * len(x)
    for i in blocks(
        samples, max(1, PANEL // patch) if x.device.type == "cpu" else samples
    ):
        weights[:, i] = delta[:, i].transpose(3, 4).flatten(2, 3) @ patches(
            layer, x[:, i]
        )
        biases[:, i] = (ones @ delta[:, i])[:, :, :, 0]
    weights = weights.unflatten(2, (outputs, channels)).flatten(3)
    return [weights] if layer.bias is None else [weights, biases]


def gradient_gram(
    layer: Weighted, left: list[Tensor], right: list[Tensor], outputs: Outputs
) -> Tensor:
    """The same from gradients per sample, G = sum_p delta_p x_p^T, and their Gram."""
    weights, *biases = (
        outputs_gram(g1, g2, outputs) for g1, g2 in zip(left, right, strict=True)
    )
    gram = weights.mul_(layer.weight_scale**2)
    return gram.add_(biases[0], alpha=layer.bias_scale**2) if biases else gram


def outputs_gram(g1: Tensor, g2: Tensor, outputs: Outputs) -> Tensor:
    """<g, g'> of g (S, N, O, n): summed over outputs, or of all their pairs."""
    if outputs == "trace":
        return long_product(g1.flatten(2), g2.flatten(2))
    gram = long_product(g1.flatten(1, 2), g2.flatten(1, 2))
    return gram.unflatten(2, g2.shape[1:3]).unflatten(1, g1.shape[1:3]).transpose(2, 3)


def long_product(a: Tensor, b: Tensor) -> Tensor:
    """a b^T of (S, n, K) and (S, m, K), in pieces of K: with few rows PyTorch adds up K terms one
    after another.

    In float32 that costs 1e-5 at K of 400,000 and 4e-4 at 4 million (measured, on a CPU).
    """
    first, *more = blocks(a.shape[2], 2**15)
    total = a[..., first] @ b[..., first].mT
    for piece in more:
        total.baddbmm_(a[..., piece], b[..., piece].mT)
    return total
