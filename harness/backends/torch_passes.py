"""PyTorch: one pass forward and back through a network, in buffers that are made once.

A training step of a small network is a few dozen operations that take about as long to call as to
do. So whatever does not depend on the numbers is done before the first step: buffers, views of
them, and where the activations of one step become the padded image of the next.

Features are images here, (S, N, rows, columns, channels); a dense layer's have one row and column.
"""

from typing import NamedTuple, Protocol, TypeAlias

import torch

from harness.backends.operations import Loss, Tensors
from harness.backends.torch_layers import ACTIVATIONS, derivative
from harness.networks import Network
from harness.networks.layers import (
    Activate,
    AveragePool,
    Convolution,
    Dense,
    Step,
    Weighted,
)

Tensor: TypeAlias = torch.Tensor


class Comparison(NamedTuple):
    """Outputs f and targets y, (S, N, O), and two buffers of their shape.

    `delta` is for the derivative of the loss by f, `terms` for what the loss is the sum of.
    """

    f: Tensor
    y: Tensor
    delta: Tensor
    terms: Tensor


def squared_error(compared: Comparison, count: int) -> Tensor:
    """The sums of (f - y)^2 over samples and outputs, divided by `count`, (S,); writes their
    derivative.
    """
    f, y, delta, terms = compared
    torch.sub(f, y, out=terms)
    torch.mul(terms, 2 / count, out=delta)
    return terms.square_().sum(dim=(1, 2)).div_(count)


def cross_entropy(compared: Comparison, count: int) -> Tensor:
    """The sums of - y log softmax(f), divided by `count`, (S,); writes their derivative, softmax(f)
    - y over `count`, where the targets of a sample have the sum 1.
    """
    f, y, delta, terms = compared
    logarithms = torch.log_softmax(f, dim=2)
    torch.exp(logarithms, out=delta).sub_(y).div_(count)
    return torch.mul(logarithms, y, out=terms).sum(dim=(1, 2)).div_(-count)


class Pass:
    """The buffers for the seeds and samples of x (S or 1, N, n_0) and y (S, N, O), and what is done
    in them.
    """

    def __init__(self, net: Network, x: Tensor, y: Tensor, loss: Loss) -> None:
        self._compare = squared_error if loss == "squared" else cross_entropy
        self._stages: list[Stage] = []
        for index, step in enumerate(net.steps):
            # Seeds may share their inputs; behind the first layer with weights each has its own.
            own = any(isinstance(before, Weighted) for before in net.steps[:index])
            self._stages.append(stage_of(step, y, len(y) if own else len(x)))
        self._terms, self._delta = torch.empty_like(y), torch.empty_like(y)

    def accumulated(
        self,
        theta: Tensors,
        x: Tensor,
        y: Tensor,
        gradient: Tensors,
        *,
        count: int,
        first: bool,
    ) -> Tensor:
        """What these samples add to the losses, (S,), and to the gradient: sums over them, divided
        by `count`.

        The first samples overwrite the gradient that was there.
        """
        following = [*(stage.entry for stage in self._stages[1:]), None]
        for stage, entry in zip(self._stages, following, strict=True):
            x = stage.forward(theta, x, entry)
        compared = Comparison(x.view_as(y), y, self._delta, self._terms)
        losses, delta = self._compare(compared, count), self._delta
        for index in range(len(self._stages) - 1, -1, -1):
            delta = self._stages[index].backward(
                theta, delta, gradient, first=first, needed=index > 0
            )
        return losses


class Stage(Protocol):
    """A step with its buffers.

    Attributes:
        entry: where the step before may write its features, so that they need not be copied; None:
            anywhere.
    """

    entry: Tensor | None

    def forward(self, theta: Tensors, x: Tensor, into: Tensor | None) -> Tensor:
        """The features after the step; written to `into`, if it writes any and there is one."""

    def backward(
        self,
        theta: Tensors,
        delta: Tensor,
        gradient: Tensors,
        *,
        first: bool,
        needed: bool,
    ) -> Tensor:
        """The signals before the step, if needed, from those after it; writes gradients of weights,
        or adds to them.
        """


def stage_of(step: Step, y: Tensor, inputs: int) -> Stage:
    """The step with buffers for the seeds and samples of y; `inputs`: as many seeds have features
    before it.
    """
    match step:
        case Convolution():
            return ConvolutionStage(step, y, inputs)
        case Dense():
            return DenseStage(step, y)
        case Activate():
            return ActivateStage(step)
        case AveragePool():
            return PoolStage(step)


class DenseStage:
    """Patches are the features themselves."""

    entry: Tensor | None = None

    def __init__(self, layer: Weighted, y: Tensor) -> None:
        """`patches`, (S, M, fan_in), are what the weights see, M = samples times positions."""
        self.layer, (self.seeds, self.samples) = layer, y.shape[:2]
        positions = layer.positions if isinstance(layer, Convolution) else 1
        self.out = y.new_empty(self.seeds, self.samples * positions, layer.fan_out)
        self.returned = y.new_empty(self.seeds, self.samples * positions, layer.fan_in)
        self.product = y.new_empty(self.seeds, layer.fan_out, layer.fan_in)
        self.none = y.new_zeros(1)
        self.shape: torch.Size = y.shape  # of the features that came in
        self.patches = self.returned

    def forward(self, theta: Tensors, x: Tensor, into: Tensor | None) -> Tensor:
        """w W x + s b."""
        self.shape, self.patches = x.shape, x.flatten(2).expand(self.seeds, -1, -1)
        return self.weighed(theta).view(self.seeds, self.samples, 1, 1, -1)

    def weighed(self, theta: Tensors) -> Tensor:
        """w W p + s b for the patches, (S, M, fan_out)."""
        layer, weight = self.layer, theta[self.layer.weight].mT
        bias, beta = (
            (self.none, 0.0)
            if layer.bias is None
            else (theta[layer.bias][:, None, :], layer.bias_scale)
        )
        return torch.baddbmm(
            bias,
            self.patches,
            weight,
            beta=beta,
            alpha=layer.weight_scale,
            out=self.out,
        )

    def backward(
        self,
        theta: Tensors,
        delta: Tensor,
        gradient: Tensors,
        *,
        first: bool,
        needed: bool,
    ) -> Tensor:
        """W^T delta."""
        pulled = self.pulled(theta, delta, gradient, first=first, needed=needed)
        return pulled.view(self.shape) if needed else pulled

    def pulled(
        self,
        theta: Tensors,
        delta: Tensor,
        gradient: Tensors,
        *,
        first: bool,
        needed: bool,
    ) -> Tensor:
        """The signals of every patch, (S, M, fan_in), if needed; writes the gradients of weights
        and biases.
        """
        layer, delta = self.layer, delta.reshape(self.out.shape)
        weigh(
            layer.weight_scale,
            torch.bmm(delta.mT, self.patches, out=self.product),
            gradient[layer.weight],
            first,
        )
        if layer.bias is not None:
            weigh(layer.bias_scale, delta.sum(dim=1), gradient[layer.bias], first)
        if not needed:
            return delta
        weight = theta[layer.weight]
        return torch.baddbmm(
            self.none,
            delta,
            weight,
            beta=0,
            alpha=layer.weight_scale,
            out=self.returned,
        )


def weigh(scale: float, total: Tensor, gradient: Tensor, first: bool) -> None:
    """Writes a gradient, or adds it to what is there."""
    if first:
        torch.mul(total, scale, out=gradient)
    else:
        gradient.add_(total, alpha=scale)


class ConvolutionStage(DenseStage):
    """Features come into a padded image, whose patches, im2col, are copied out, and whose signals
    are added up.
    """

    def __init__(self, layer: Convolution, y: Tensor, inputs: int) -> None:
        super().__init__(layer, y)
        (top, bottom), (left, right) = layer.padding
        (height, width), (down, across), (rows, columns) = (
            layer.kernel,
            layer.stride,
            layer.grid,
        )
        image = y.new_zeros(
            inputs,
            self.samples,
            rows + top + bottom,
            columns + left + right,
            layer.channels,
        )
        inside = (..., slice(top, top + rows), slice(left, left + columns), slice(None))
        self.entry = image[inside]
        windows = image.unfold(2, height, down).unfold(3, width, across)
        # (S, N, *out, height, width, channels)
        self.windows = windows.permute(0, 1, 2, 3, 5, 6, 4)
        self.copied = y.new_empty(self.windows.shape)
        self.patches = self.copied.view(inputs, -1, layer.fan_in).expand(
            self.seeds, -1, -1
        )
        # Whole strides, so that offsets less than a stride apart, which reach different places, are
        # added at once.
        tall, wide = -(-image.shape[2] // down), -(-image.shape[3] // across)
        self.sums = y.new_empty(
            self.seeds, self.samples, tall, down, wide, across, layer.channels
        )
        self.added = list(overlaps(layer, self.returned, self.sums))
        self.before = self.sums.flatten(4, 5).flatten(2, 3)[inside]

    def forward(self, theta: Tensors, x: Tensor, into: Tensor | None) -> Tensor:
        """w W p + s b for every patch p."""
        assert self.entry is not None
        if x is not self.entry:
            self.entry.copy_(x.view(self.entry.shape))
        self.copied.copy_(self.windows)
        assert isinstance(self.layer, Convolution)
        return self.weighed(theta).view(self.seeds, self.samples, *self.layer.out, -1)

    def backward(
        self,
        theta: Tensors,
        delta: Tensor,
        gradient: Tensors,
        *,
        first: bool,
        needed: bool,
    ) -> Tensor:
        """The signals of the patches, added to where these came from."""
        pulled = self.pulled(theta, delta, gradient, first=first, needed=needed)
        if not needed:
            return pulled
        self.sums.zero_()
        for place, piece in self.added:
            place.add_(piece)
        return self.before


def overlaps(
    layer: Convolution, patches: Tensor, sums: Tensor
) -> list[tuple[Tensor, Tensor]]:
    """Parts of `sums`, images in whole strides, and what of the patches (S, M, fan_in) is added to
    each of them.
    """
    (rows, columns), (height, width), (down, across) = (
        layer.out,
        layer.kernel,
        layer.stride,
    )
    p = patches.view(*sums.shape[:2], rows, columns, height, width, layer.channels)
    found = []
    for i in range(0, height, down):
        for j in range(0, width, across):
            piece = p[:, :, :, :, i : i + down, j : j + across].transpose(3, 4)
            to = sums[
                :, :, i // down :, : piece.shape[3], j // across :, : piece.shape[5]
            ]
            found.append((to[:, :, :rows, :, :columns], piece))
    return found


class ActivateStage:
    """The activation, entry by entry."""

    entry: Tensor | None = None

    def __init__(self, step: Activate) -> None:
        self.name = step.name
        self.h = self.features = self.signals = torch.empty(0)

    def forward(self, theta: Tensors, x: Tensor, into: Tensor | None) -> Tensor:
        """phi(h); what came in is kept."""
        if self.h.shape != x.shape:
            self.features, self.signals = (
                torch.empty_like(x) if into is None else into,
                torch.empty_like(x),
            )
        self.h, out = x, self.features
        if self.name == "relu":
            return torch.clamp_min(x, 0, out=out)
        return out.copy_(ACTIVATIONS[self.name](x))

    def backward(
        self,
        theta: Tensors,
        delta: Tensor,
        gradient: Tensors,
        *,
        first: bool,
        needed: bool,
    ) -> Tensor:
        """phi'(h) delta."""
        if self.name == "relu":
            return torch.ops.aten.threshold_backward.grad_input(
                delta, self.h, 0, grad_input=self.signals
            )
        return torch.mul(delta, derivative(self.name, self.h), out=self.signals)


class PoolStage:
    """Means over windows that do not overlap."""

    entry: Tensor | None = None

    def __init__(self, step: AveragePool) -> None:
        self.step = step

    def forward(self, theta: Tensors, x: Tensor, into: Tensor | None) -> Tensor:
        """The mean of every window."""
        (rows, columns), (height, width) = self.step.out, self.step.window
        windows = x.reshape(
            *x.shape[:2], rows, height, columns, width, self.step.channels
        )
        return (
            windows.mean(dim=(3, 5))
            if into is None
            else torch.mean(windows, dim=(3, 5), out=into)
        )

    def backward(
        self,
        theta: Tensors,
        delta: Tensor,
        gradient: Tensors,
        *,
        first: bool,
        needed: bool,
    ) -> Tensor:
        """Spread evenly."""
        (rows, columns), (height, width) = self.step.out, self.step.window
        spread = delta.view(
            *delta.shape[:2], rows, 1, columns, 1, self.step.channels
        ) / (height * width)
        spread = spread.expand(-1, -1, -1, height, -1, width, -1)
        return spread.reshape(
            *delta.shape[:2], rows * height, columns * width, self.step.channels
        )
