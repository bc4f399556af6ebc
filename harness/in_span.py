"""Training in coordinates of the span of the inputs: what is measured is the same, at a part of the cost.

N inputs in n_0 > N dimensions are x = c Q^T with orthonormal columns Q, (n_0, N). The first weights act on them as W Q
alone, and descent moves W along Q alone. So f, the kernel J J^T, every gradient and every loss are those of the network
that sees c and starts from W Q: 32 inputs in place of 784. Images of a replicate, weights and seeds are unchanged.

In standard parametrization sigma_w and sigma_b are in the weights alone. The smaller network is given neither, so that
one compiled loop serves every phase.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from harness import measurements, networks, seeds
from harness.backends import SGD, Backend, Stop, Trained
from harness.errors import InvalidInput
from harness.measurements import edge, images, kept, relative_change, targets
from harness.networks import Function, Network, Theta

Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class InSpan(Backend):
    """A backend whose `forward`, `empirical_ntk` and `train` work in the span of the inputs; results are in full.

    Gradient descent, with momentum or without; not Adam, which goes by coordinates.

    Raises:
        InvalidInput: for anything but multilayer perceptrons in standard parametrization, or another optimizer.
    """

    @staticmethod
    def of(backend: Backend) -> "InSpan":
        """The same backend, in the span of the inputs."""
        return InSpan(**{field.name: getattr(backend, field.name) for field in fields(backend)})

    def forward(self, net: Network | Function, theta: Theta, x: np.ndarray) -> np.ndarray:
        """f(x), as `Backend.forward`."""
        small, weights, c, _ = coordinates(net, theta, x)
        return super().forward(small, weights, c)

    def empirical_ntk(
        self, net: Network | Function, theta: Theta, x1: np.ndarray, *others: Any, **options: Any
    ) -> np.ndarray:
        """Theta(x1, x1), as `Backend.empirical_ntk`; `outputs` is the only option."""
        if others or options.keys() - {"outputs"}:
            raise InvalidInput(f"In the span of x1 there is Theta(x1, x1) alone; got {others or sorted(options)} too.")
        small, weights, c, _ = coordinates(net, theta, x1)
        return super().empirical_ntk(small, weights, c, **options)

    def train(self, net: Network | Function, theta: Theta, x: np.ndarray, y: np.ndarray, **options: Any) -> Trained:
        """As `Backend.train`; the weights that it gives back are those of `net`."""
        if not isinstance(options["optimizer"], SGD):
            raise InvalidInput(f"In the span of the inputs the optimizer must be SGD; got {options['optimizer']!r}.")
        small, start, c, q = coordinates(net, theta, x)
        trained = super().train(small, start, c, y, **options)
        first = small.layers[0].weight

        def whole(weights: Theta) -> Theta:
            moved = (weights[first].astype(float) - start[first]) @ q.swapaxes(-1, -2)
            return {**weights, first: theta[first] + moved}

        kept = {step: whole(weights) for step, weights in trained.checkpoints.items()}
        return replace(trained, theta=whole(trained.theta), checkpoints=kept)


def coordinates(net: Network | Function, theta: Theta, x: np.ndarray) -> tuple[Network, Theta, np.ndarray, np.ndarray]:
    """The smaller network, its weights, its inputs c and the directions Q, with x = c Q^T; x is (..., N, n_0)."""
    if not isinstance(net, Network) or not net.dense or net.parametrization != "standard":
        raise InvalidInput(
            "In the span of the inputs a net must be a multilayer perceptron in standard parametrization; "
            f"got {net!r:.120}."
        )
    q, r = np.linalg.qr(np.swapaxes(x, -1, -2).astype(float))
    sizes = (q.shape[-1], *[layer.fan_out for layer in net.layers])
    small = networks.mlp(sizes, net.activation, "standard", 1.0, None if net.sigma_b is None else 1.0)
    first = net.layers[0].weight
    return small, {**theta, first: theta[first] @ q}, r.swapaxes(-1, -2), q


def kernel_change(backend: Backend, configuration: Mapping[str, Any], replicates: Sequence[int], stream: str) -> Arrays:
    """`harness.measurements.kernel_change`, in the span of the images."""
    return measurements.kernel_change(InSpan.of(backend), configuration, replicates, stream)


def training_by_protocol(
    backend: Backend, configuration: Mapping[str, Any], replicates: Sequence[int], stream: str
) -> Arrays:
    """`harness.measurements.training_by_protocol`, in the span of the images."""
    return measurements.training_by_protocol(InSpan.of(backend), configuration, replicates, stream)


def training_map(backend: Backend, configuration: Mapping[str, Any], replicates: Sequence[int], stream: str) -> Arrays:
    """Training of one architecture from several phases, for a map: the end of it alone, under names of its own.

    The same images, weights and descent as `kernel_change` and `training_by_protocol`, whose names stay theirs.

    Configuration: as of `kernel_change`, with a list of values for sigma_w2, `steps` for max_steps, and flow_time: if
    given, the rate is flow_time / steps where that is no more than edge_fraction of the edge 2 / lambda_max, and
    otherwise that fraction, so that the steps may not last; first: only replicates numbered below it are trained.
    Returns, each (replicates, sigma_w2), NaN for replicates that are not trained: "map_change", Delta at the end, and
    "map_loss", the least, both NaN if training diverged; "map_reached", 1.0 if the target loss was; "map_lasted", 1.0
    if it was or, without divergence, the flow time went by.
    """
    phases, steps = configuration["sigma_w2"], configuration["steps"]
    chosen = [replicate for replicate in replicates if replicate < configuration["first"]]
    net, theta, x, y = _phases(configuration, chosen, stream)
    spanned = InSpan.of(backend)
    if configuration["centred"]:
        y = y + spanned.forward(net, theta, x).astype(float)
    full = spanned.empirical_ntk(net, theta, x, outputs="full").astype(float)
    flow_time = configuration["flow_time"] or 0.0
    rate = configuration["edge_fraction"] * edge(full)
    rate = np.minimum(rate, flow_time / steps) if flow_time else rate
    stop = Stop(loss=configuration["target_loss"])
    trained = spanned.train(net, theta, x, y, optimizer=SGD(rate), steps=steps, stop=stop)
    diverged, reached = trained.reason == "diverged", trained.reason == "loss"
    change = relative_change(
        spanned.empirical_ntk(net, kept(trained.theta, theta, diverged), x), full.trace(axis1=3, axis2=4)
    )
    least = np.fmin(np.fmin.reduce(trained.losses, axis=1), trained.loss)
    found = {
        "map_change": np.where(diverged, np.nan, change),
        "map_loss": np.where(diverged, np.nan, least),
        "map_reached": reached.astype(float),
        "map_lasted": (reached | ~diverged & (rate * steps > 0.999 * flow_time)).astype(float),
    }
    arrays = {name: np.full((len(replicates), len(phases)), np.nan) for name in found}
    for name, array in found.items():
        arrays[name][np.isin(replicates, chosen)] = array.reshape(len(phases), len(chosen)).T
    return arrays


def _phases(
    configuration: Mapping[str, Any], replicates: Sequence[int], stream: str
) -> tuple[Network, Theta, np.ndarray, np.ndarray]:
    """The network, the weights of every phase and replicate in it, one phase after another, images and labels."""
    x, classes = images(replicates, stream, configuration["samples"])
    y = configuration["label_scale"] * targets(classes, configuration["labels"])
    sizes = (x.shape[2], *[configuration["width"]] * configuration["depth"], y.shape[2])
    kind = configuration["activation"], configuration["parametrization"]
    nets = [networks.mlp(sizes, *kind, s**0.5, configuration["sigma_b2"] ** 0.5) for s in configuration["sigma_w2"]]
    own = [seeds.derive("init", stream=stream, replicate=r, lane=configuration["lane"]) for r in replicates]
    drawn = [net.init(own) for net in nets]
    theta = {name: np.concatenate([weights[name] for weights in drawn]) for name in drawn[0]}
    # Which phase it is, is in the weights alone: any of the nets is the one that all are trained in.
    return nets[0], theta, np.concatenate([x] * len(nets)), np.concatenate([y] * len(nets))
