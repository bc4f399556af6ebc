"""PyTorch: gradient descent with the gradient written out, all weights of a seed in one row.

Networks of a study are small and many seeds train at once, so on a CPU the time goes into calling
operations, and into memory that does not fit the cache. Autograd calls two to three times as many,
of which some are slow (the transpose of `unfold`), and optimizers that go from tensor to tensor
call theirs once for each. What a pass writes is in `torch_passes`.
"""

from collections.abc import Iterator, Mapping
from itertools import repeat
from math import prod
from typing import TypeAlias

import torch
from torch.optim.adam import adam

from harness.backends.batch import blocks
from harness.backends.operations import Adam, Loss, Optimizer, Tensors
from harness.backends.torch_passes import Pass
from harness.networks import Network
from harness.networks.layers import Convolution

Tensor: TypeAlias = torch.Tensor

CACHED = 2**22
"""Bytes of patches and features that a CPU works on at once, so that they stay in its cache."""


def flattened(tensors: Tensors) -> Tensor:
    """Weights, momentum or moments of every seed in one row, (S, parameters)."""
    return torch.cat([tensor.flatten(1) for tensor in tensors.values()], dim=1)


def parts(flat: Tensor, shapes: Mapping[str, tuple[int, ...]]) -> Tensors:
    """Views of these rows, one per parameter, (S, *shape)."""
    pieces = flat.split([prod(shape) for shape in shapes.values()], dim=1)
    return {
        name: p.view(len(flat), *shape)
        for p, (name, shape) in zip(pieces, shapes.items(), strict=True)
    }


def running(active: Tensor) -> Tensor | slice:
    """The seeds that a run of steps is for: on a CPU those that still train; a GPU would have to be
    asked who they are.

    Seeds that need few steps are done long before others (in continual learning half of the steps
    are theirs).
    """
    return (
        slice(None) if active.is_cuda or bool(active.all()) else active.nonzero()[:, 0]
    )


def samples_of(
    data: tuple[Tensor, Tensor],
    batches: Tensor | None,
    some: Tensor | slice,
    steps: int,
) -> Iterator[tuple[Tensor, Tensor]]:
    """What these seeds see at each step, x (S or 1, B, n_0) and y (S, B, O): all, or batches
    (steps, all seeds, B).
    """
    x, y = data
    if batches is None:
        return repeat((x[some] if len(x) > 1 else x, y[some]), steps)
    batches, first = (
        batches[:, some],
        y.shape[1] * torch.arange(len(y), device=y.device)[some, None],
    )
    return minibatches(
        x.flatten(0, 1),
        y.flatten(0, 1),
        batches + first if len(x) > 1 else batches,
        batches + first,
    )


def minibatches(
    x: Tensor, y: Tensor, of_x: Tensor, of_y: Tensor
) -> Iterator[tuple[Tensor, Tensor]]:
    """Those of rows x (N, n_0) and y (N, O) that are told, (steps, S, B) of each."""
    shape = *of_y.shape[1:], -1
    for rows_x, rows_y in zip(of_x.flatten(1), of_y.flatten(1), strict=True):
        yield (
            x.index_select(0, rows_x).view(shape),
            y.index_select(0, rows_y).view(shape),
        )


class Gradient:
    """The loss of every seed and its gradient, from weights and into tensors that stay where they
    are.

    On a CPU a part of the seeds after another, or of one seed's samples, so that a part stays in
    the cache. What a part writes on its way lies in buffers that are made once and serve all parts
    of its shape.
    """

    def __init__(
        self, net: Network, theta: Tensors, gradient: Tensors, loss: Loss
    ) -> None:
        self._net, self._theta, self._gradient = net, theta, gradient
        self._loss = loss
        self._passes: dict[tuple[int, int, int], Pass] = {}
        self._views: dict[tuple[int, int], tuple[Tensors, Tensors]] = {}

    def __call__(self, x: Tensor, y: Tensor) -> Tensor:
        """The losses on x (S or 1, N, n_0) and y (S, N, O), (S,); the gradient is written."""
        seeds, samples = y.shape[:2]
        numbers = features(self._net) * x.element_size()
        at_once = (
            max(1, CACHED // numbers) if x.device.type == "cpu" else seeds * samples
        )
        # What the loss is a mean over.
        count = samples * (self._net.outputs if self._loss == "squared" else 1)
        losses = y.new_zeros(seeds)
        for some in blocks(seeds, max(1, at_once // samples)):
            of, into = self._part(some)
            for n in blocks(samples, at_once):
                own, aims = (x[some, n] if len(x) > 1 else x[:, n]), y[some, n]
                losses[some] += self._pass(own, aims).accumulated(
                    of, own, aims, into, count=count, first=n.start == 0
                )
        return losses

    def _part(self, some: slice) -> tuple[Tensors, Tensors]:
        key = some.start, some.stop
        if key not in self._views:
            of, into = (
                {name: t[some] for name, t in each.items()}
                for each in (self._theta, self._gradient)
            )
            self._views[key] = of, into
        return self._views[key]

    def _pass(self, x: Tensor, y: Tensor) -> Pass:
        key = len(x), len(y), y.shape[1]
        if key not in self._passes:
            self._passes[key] = Pass(self._net, x, y, self._loss)
        return self._passes[key]


def features(net: Network) -> int:
    """Numbers that training keeps of one sample: all features, and the patches that layers see."""
    return sum(
        step.positions * step.fan_in if isinstance(step, Convolution) else step.size
        for step in net.steps
    )


def descend(
    optimizer: Optimizer,
    step: int,
    theta: Tensor,
    grad: Tensor,
    *,
    slots: list[Tensor],
    rate: Tensor,
) -> None:
    """One step in place, at the rates of the seeds, (S,); none where that is zero, even if the
    direction is NaN.
    """
    if (
        isinstance(optimizer, Adam)
        and theta.dtype == torch.float64
        and not theta.is_cuda
    ):
        fused(optimizer, step, theta, grad, slots=slots, rates=rate.tolist())
        return
    change = direct(optimizer, step, grad, slots).mul_(rate[:, None])
    # To ask makes a GPU wait, and to choose between two tensors takes a CPU several times as long
    # as to multiply.
    if change.is_cuda or not bool((rate > 0).all()):
        change = torch.where(rate[:, None] > 0, change, 0)
    theta.sub_(change)


def fused(
    optimizer: Adam,
    step: int,
    theta: Tensor,
    grad: Tensor,
    *,
    slots: list[Tensor],
    rates: list[float],
) -> None:
    """A step of Adam in PyTorch's single pass over memory; seeds whose rate is zero are left out.

    On a CPU in float64 it takes a third of the time of the passes of `direct`: the square root
    alone, which PyTorch has MKL take, is slower. In float32 a step of training gains a few per
    cent.
    """
    together = rates[0] > 0 and len(set(rates)) == 1
    rows = (
        [slice(None)]
        if together
        else [slice(s, s + 1) for s, rate in enumerate(rates) if rate > 0]
    )
    for some in rows:
        params, grads, firsts, seconds = (
            [tensor[some]] for tensor in (theta, grad, *slots)
        )
        adam(
            params,
            grads,
            firsts,
            seconds,
            max_exp_avg_sqs=[],
            state_steps=[torch.tensor(step - 1.0)],
            fused=True,
            amsgrad=False,
            beta1=optimizer.beta1,
            beta2=optimizer.beta2,
            lr=rates[some.start or 0],
            weight_decay=0.0,
            eps=optimizer.epsilon,
            maximize=False,
        )


def direct(
    optimizer: Optimizer, step: int, grad: Tensor, slots: list[Tensor]
) -> Tensor:
    """The direction of a step; overwrites the gradient, updates momentum and moments in place."""
    if isinstance(optimizer, Adam):
        m, v = slots
        m.lerp_(grad, 1 - optimizer.beta1)
        v.mul_(optimizer.beta2).addcmul_(grad, grad, value=1 - optimizer.beta2)
        unbiased = (
            torch.div(v, 1 - optimizer.beta2**step, out=grad)
            .sqrt_()
            .add_(optimizer.epsilon)
        )
        return torch.div(m, unbiased, out=grad).div_(1 - optimizer.beta1**step)
    if optimizer.momentum:
        return grad.copy_(slots[0].mul_(optimizer.momentum).add_(grad))
    return grad
