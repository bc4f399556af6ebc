"""PyTorch: gradient descent with the gradient written out, and optimizers in as few passes over
memory as there can be.

Networks of a study are small and many seeds train at once, so on a CPU the time goes into calling
operations, and into memory that does not fit the cache. Autograd calls two to three times as many,
of which some are slow (the transpose of `unfold`). What a pass writes is in `torch_passes`.
"""

from collections.abc import Iterator, Mapping
from itertools import chain, repeat
from math import prod
from typing import TypeAlias

import torch

from harness.backends.batch import blocks
from harness.backends.operations import Adam, Loss, Optimizer, Tensors
from harness.backends.torch_passes import Pass
from harness.networks import Network
from harness.networks.layers import Convolution

Tensor: TypeAlias = torch.Tensor

CACHED = 2**22
"""Bytes of patches and features that a CPU works on at once, so that they stay in its cache."""

HELD = 3 * 2**21
"""Bytes of weights, gradients and moments of the seeds that a CPU takes through a run at once."""


def rows_of(tensors: Tensors) -> list[Tensor]:
    """Weights, momentum or moments as tensors (S, n), which optimizers go through one by one.

    On a CPU one per parameter, a view: products write a gradient straight into it only where the
    matrices of all seeds lie side by side. On a GPU all parameters of a seed in one row: there each
    call of an operation counts.
    """
    rows = [tensor.flatten(1) for tensor in tensors.values()]
    return [torch.cat(rows, dim=1)] if rows[0].is_cuda else rows


def by_name(rows: list[Tensor], shapes: Mapping[str, tuple[int, ...]]) -> Tensors:
    """Views of these rows, one per parameter, (S, *shape)."""
    seeds = len(rows[0])
    pieces = rows
    if len(rows) < len(shapes):
        pieces = rows[0].split([prod(shape) for shape in shapes.values()], dim=1)
    return {
        name: piece.view(seeds, *shape)
        for piece, (name, shape) in zip(pieces, shapes.items(), strict=True)
    }


def together(active: Tensor, rows: list[list[Tensor]]) -> list[Tensor | slice]:
    """The seeds that still train, as parts that a CPU takes through a run of steps one after
    another.

    A part holds as many seeds as fit HELD with their weights, gradients and moments: all at once,
    each step would fetch these from memory. Seeds that need few steps are done long before others
    (in continual learning half of the steps are theirs). A GPU takes all, since it would have to be
    asked who still trains.

    Args:
        active: (S,) bool, who still trains.
        rows: of weights and of each slot, see `rows_of`.
    """
    if active.is_cuda:
        return [slice(None)]
    size = sum(t[0].nbytes for t in (*rows[0], *chain.from_iterable(rows)))
    who = active.nonzero()[:, 0]
    if not len(who):
        return []
    count = -(-len(who) * size // HELD)
    parts = who.tensor_split(min(count, len(who)))
    if len(who) < len(active):
        return list(parts)
    # Slices are views, which need no copy.
    return [slice(int(part[0]), int(part[-1]) + 1) for part in parts]


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
        if seeds * samples <= at_once:
            return self._pass(x, y).accumulated(
                self._theta, x, y, self._gradient, count=count, first=True
            )
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
    theta: list[Tensor],
    grads: list[Tensor],
    *,
    slots: list[list[Tensor]],
    rate: Tensor,
) -> None:
    """One step in place of rows (S, n), at the rates of the seeds, (S,); none where that is zero,
    even if the direction is NaN.

    Args:
        optimizer: whose learning rate is not looked at.
        step: its number, from 1.
        theta, grads: see `rows_of`; gradients may be overwritten.
        slots: momentum, or first and second moments.
    """
    if isinstance(optimizer, Adam) and not rate.is_cuda:
        fused(optimizer, step, [theta, grads, *slots], rate.tolist())
        return
    backward = -rate[:, None]
    # To ask makes a GPU wait, and to choose between two tensors takes a CPU several times as long
    # as to multiply.
    everyone = not rate.is_cuda and min(rate.tolist()) > 0
    for weight, change in zip(
        theta, direct(optimizer, step, grads, slots), strict=True
    ):
        if everyone:
            weight.addcmul_(change, backward)
        else:
            weight.add_(torch.where(backward < 0, change * backward, 0))


def fused(
    optimizer: Adam, step: int, rows: list[list[Tensor]], rates: list[float]
) -> None:
    """A step of Adam in PyTorch's single pass over memory; seeds whose rate is zero are left out.

    On a CPU it takes a third of the time of the passes of `direct`: in float64 the square root
    alone, which PyTorch has MKL take, is slower.

    Args:
        optimizer, step: as for `descend`.
        rows: of weights, gradients, first and second moments.
        rates: of the seeds.
    """
    if rates[0] > 0 and len(set(rates)) == 1:
        updated(optimizer, step, rows, rates[0])
        return
    for s, rate in enumerate(rates):
        if rate > 0:
            own = [[tensor[s : s + 1] for tensor in each] for each in rows]
            updated(optimizer, step, own, rate)


def updated(optimizer: Adam, step: int, rows: list[list[Tensor]], rate: float) -> None:
    """The step of `fused` of seeds with one rate."""
    theta, grads, firsts, seconds = rows
    torch._fused_adam_(  # what torch.optim.Adam(fused=True) calls
        theta,
        grads,
        firsts,
        seconds,
        [],
        [torch.tensor(float(step))] * len(theta),
        lr=rate,
        beta1=optimizer.beta1,
        beta2=optimizer.beta2,
        weight_decay=0.0,
        eps=optimizer.epsilon,
        amsgrad=False,
        maximize=False,
    )


def direct(
    optimizer: Optimizer, step: int, grads: list[Tensor], slots: list[list[Tensor]]
) -> list[Tensor]:
    """The directions of a step; updates momentum and moments in place, may overwrite gradients."""
    if isinstance(optimizer, Adam):
        for grad, m, v in zip(grads, *slots, strict=True):
            m.lerp_(grad, 1 - optimizer.beta1)
            v.mul_(optimizer.beta2).addcmul_(grad, grad, value=1 - optimizer.beta2)
            torch.div(v, 1 - optimizer.beta2**step, out=grad)
            grad.sqrt_().add_(optimizer.epsilon)
            torch.div(m, grad, out=grad).div_(1 - optimizer.beta1**step)
        return grads
    if optimizer.momentum:
        for grad, velocity in zip(grads, *slots, strict=True):
            torch.add(grad, velocity, alpha=optimizer.momentum, out=velocity)
        return slots[0]
    return grads
