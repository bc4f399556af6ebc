"""Training in coordinates of the span of the inputs: what is measured is the same, at a part of the
cost.

N inputs in n_0 > N dimensions are x = c Q^T with orthonormal columns Q, (n_0, N). The first weights
act on them as W Q alone, and descent moves W along Q alone. So f, the kernel J J^T, every gradient
and every loss are those of the network that sees c and starts from W Q: 32 inputs in place of 784.
Images of a replicate, weights and seeds are unchanged.

In standard parametrization sigma_w and sigma_b are in the weights alone. The smaller network is
given neither, so that one compiled loop serves every phase.
"""

from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from harness import networks
from harness.backends import SGD, Backend, Trained
from harness.errors import InvalidInput
from harness.networks import Function, Network, Theta

Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class InSpan(Backend):
    """A backend whose `forward`, `empirical_ntk` and `train` work in the span of the inputs;
    results are in full.

    Gradient descent, with momentum or without; not Adam, which goes by coordinates.

    Raises:
        InvalidInput: for anything but multilayer perceptrons in standard parametrization, or
            another optimizer.
    """

    @staticmethod
    def of(backend: Backend) -> "InSpan":
        """The same backend, in the span of the inputs."""
        return InSpan(
            **{field.name: getattr(backend, field.name) for field in fields(backend)}
        )

    def forward(
        self, net: Network | Function, theta: Theta, x: np.ndarray
    ) -> np.ndarray:
        """f(x), as `Backend.forward`."""
        small, weights, c, _ = coordinates(net, theta, x)
        return super().forward(small, weights, c)

    def empirical_ntk(
        self,
        net: Network | Function,
        theta: Theta,
        x1: np.ndarray,
        *others: Any,
        **options: Any,
    ) -> np.ndarray:
        """Theta(x1, x1), as `Backend.empirical_ntk`; `outputs` is the only option."""
        if others or options.keys() - {"outputs"}:
            raise InvalidInput(
                f"In the span of x1 there is Theta(x1, x1) alone; got {others or sorted(options)} "
                "too."
            )
        small, weights, c, _ = coordinates(net, theta, x1)
        return super().empirical_ntk(small, weights, c, **options)

    def train(
        self,
        net: Network | Function,
        theta: Theta,
        x: np.ndarray,
        y: np.ndarray,
        **options: Any,
    ) -> Trained:
        """As `Backend.train`; the weights that it gives back are those of `net`."""
        if not isinstance(options["optimizer"], SGD):
            raise InvalidInput(
                "In the span of the inputs the optimizer must be SGD; got "
                f"{options['optimizer']!r}."
            )
        small, start, c, q = coordinates(net, theta, x)
        trained = super().train(small, start, c, y, **options)
        first = small.layers[0].weight

        def whole(weights: Theta) -> Theta:
            moved = (weights[first].astype(float) - start[first]) @ q.swapaxes(-1, -2)
            return {**weights, first: theta[first] + moved}

        kept = {step: whole(weights) for step, weights in trained.checkpoints.items()}
        return replace(trained, theta=whole(trained.theta), checkpoints=kept)


def coordinates(
    net: Network | Function, theta: Theta, x: np.ndarray
) -> tuple[Network, Theta, np.ndarray, np.ndarray]:
    """The smaller network, its weights, its inputs c and the directions Q, with x = c Q^T; x is
    (..., N, n_0).
    """
    if (
        not isinstance(net, Network)
        or not net.dense
        or net.parametrization != "standard"
    ):
        raise InvalidInput(
            "In the span of the inputs a net must be a multilayer perceptron in standard "
            "parametrization; "
            f"got {net!r:.120}."
        )
    q, r = np.linalg.qr(np.swapaxes(x, -1, -2).astype(float))
    sizes = (q.shape[-1], *[layer.fan_out for layer in net.layers])
    small = networks.mlp(
        sizes, net.activation, "standard", 1.0, None if net.sigma_b is None else 1.0
    )
    first = net.layers[0].weight
    return small, {**theta, first: theta[first] @ q}, r.swapaxes(-1, -2), q
