"""PyTorch: gradient descent with the gradient written out, all weights of a seed in one row.

Networks of a study are small and many seeds train at once, so on a CPU the time goes into calling operations, and into
memory that does not fit the cache. Autograd calls two to three times as many, of which some are slow (the transpose of
`unfold`), and optimizers that go from tensor to tensor call theirs once for each.
"""

from collections.abc import Mapping
from math import prod
from typing import TypeAlias

import torch

from harness.backends.batch import blocks
from harness.backends.operations import Adam, Optimizer, Tensors
from harness.backends.torch_layers import apply, folded, patches, pulled_back
from harness.networks import Network
from harness.networks.layers import Convolution, Weighted

Tensor: TypeAlias = torch.Tensor

CACHED = 2**22
"""Bytes of patches and features that a CPU works on at once, so that they stay in its cache."""


def flattened(tensors: Tensors) -> Tensor:
    """Weights, momentum or moments of every seed in one row, (S, parameters)."""
    return torch.cat([tensor.flatten(1) for tensor in tensors.values()], dim=1)


def parts(flat: Tensor, shapes: Mapping[str, tuple[int, ...]]) -> Tensors:
    """Views of these rows, one per parameter, (S, *shape)."""
    pieces = flat.split([prod(shape) for shape in shapes.values()], dim=1)
    return {name: p.view(len(flat), *shape) for p, (name, shape) in zip(pieces, shapes.items(), strict=True)}


def minibatch(data: tuple[Tensor, Tensor], index: Tensor) -> tuple[Tensor, Tensor]:
    """The samples of one step, index (S, B)."""
    x, y = data
    places = index + y.shape[1] * torch.arange(len(index), device=index.device)[:, None]
    picked = places if len(x) > 1 else index
    rows_x, rows_y = (
        side.flatten(0, 1).index_select(0, at.flatten()).unflatten(0, index.shape)
        for side, at in ((x, picked), (y, places))
    )
    return rows_x, rows_y


def losses_and_gradient(net: Network, theta: Tensors, x: Tensor, y: Tensor, gradient: Tensors) -> Tensor:
    """The mean squared error of every seed, (S,), and its gradient, which is written into tensors like the weights.

    On a CPU a part of the seeds after another, or of one seed's samples, so that a part stays in the cache.
    """
    seeds, samples = y.shape[:2]
    at_once = max(1, CACHED // (features(net) * x.element_size())) if x.device.type == "cpu" else seeds * samples
    losses = y.new_zeros(seeds)
    for some in blocks(seeds, max(1, at_once // samples)):
        of, into = ({name: tensor[some] for name, tensor in each.items()} for each in (theta, gradient))
        for n in blocks(samples, at_once):
            own = x[some, n] if len(x) > 1 else x[:, n]
            losses[some] += accumulated(net, of, own, y[some, n], samples * net.outputs, into, first=n.start == 0)
    return losses


def features(net: Network) -> int:
    """Numbers that training keeps of one sample: all features, and the patches that layers see."""
    return sum(step.positions * step.fan_in if isinstance(step, Convolution) else step.size for step in net.steps)


def accumulated(
    net: Network, theta: Tensors, x: Tensor, y: Tensor, count: int, gradient: Tensors, first: bool
) -> Tensor:
    """What these samples add to the losses, (S,), and to the gradient: sums over them, divided by `count`.

    The first samples overwrite the gradient that was there.
    """
    seeds, samples = y.shape[:2]
    inputs: list[Tensor] = []
    for step in net.steps:
        if isinstance(step, Weighted):
            inputs.append(patches(step, x).flatten(1, 2).expand(seeds, -1, -1))
            x = affine(step, theta, inputs[-1]).view(seeds, samples, step.size)
        else:
            inputs.append(x)
            x = apply(step, theta, x)
    error = x - y
    delta = error * (2 / count)
    for index, (step, entered) in reversed(list(enumerate(zip(net.steps, inputs, strict=True)))):
        if isinstance(step, Weighted):
            delta = delta.reshape(seeds, -1, step.fan_out)
            weigh(step, delta, entered, gradient, first)
            delta = returned(step, theta, delta, samples) if index else delta
        else:
            delta = pulled_back(step, theta, entered, delta[:, :, None])[:, :, 0]
    return error.square_().sum(dim=(1, 2)).div_(count)


def affine(layer: Weighted, theta: Tensors, p: Tensor) -> Tensor:
    """w W p + s b for patches p (S, M, fan_in), (S, M, fan_out)."""
    weight = theta[layer.weight].mT
    if layer.bias is None:
        return torch.baddbmm(p.new_zeros(1), p, weight, beta=0, alpha=layer.weight_scale)
    bias = theta[layer.bias][:, None, :]
    return torch.baddbmm(bias, p, weight, beta=layer.bias_scale, alpha=layer.weight_scale)


def weigh(layer: Weighted, delta: Tensor, p: Tensor, gradient: Tensors, first: bool) -> None:
    """Writes the gradient of a layer from its signals (S, M, fan_out), or adds it to what is there."""
    found = {layer.weight: (delta.mT @ p, layer.weight_scale)}
    if layer.bias is not None:
        found[layer.bias] = delta.sum(dim=1), layer.bias_scale
    for name, (total, scale) in found.items():
        if first:
            torch.mul(total, scale, out=gradient[name])
        else:
            gradient[name].add_(total, alpha=scale)


def returned(layer: Weighted, theta: Tensors, delta: Tensor, samples: int) -> Tensor:
    """The signals before a layer, (S, samples, size), from those after it, (S, M, fan_out)."""
    p = torch.baddbmm(delta.new_zeros(1), delta, theta[layer.weight], beta=0, alpha=layer.weight_scale)
    return folded(layer, p.unflatten(1, (samples, -1))) if isinstance(layer, Convolution) else p


def descend(optimizer: Optimizer, step: int, theta: Tensor, grad: Tensor, slots: list[Tensor], rate: Tensor) -> None:
    """One step in place, at the rates of the seeds, (S,); none where that is zero, even if the direction is NaN."""
    change = direct(optimizer, step, grad, slots).mul_(rate[:, None])
    # To ask makes a GPU wait, and to choose between two tensors takes a CPU several times as long as to multiply.
    if change.is_cuda or not bool((rate > 0).all()):
        change = torch.where(rate[:, None] > 0, change, 0)
    theta.sub_(change)


def direct(optimizer: Optimizer, step: int, grad: Tensor, slots: list[Tensor]) -> Tensor:
    """The direction of a step; overwrites the gradient, and updates momentum and moments in place."""
    if isinstance(optimizer, Adam):
        m, v = slots
        m.lerp_(grad, 1 - optimizer.beta1)
        v.mul_(optimizer.beta2).addcmul_(grad, grad, value=1 - optimizer.beta2)
        unbiased = torch.div(v, 1 - optimizer.beta2**step, out=grad).sqrt_().add_(optimizer.epsilon)
        return torch.div(m, unbiased, out=grad).div_(1 - optimizer.beta1**step)
    if optimizer.momentum:
        return grad.copy_(slots[0].mul_(optimizer.momentum).add_(grad))
    return grad
