"""A network: its steps, the shapes of its parameters, and their initial values."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from harness import seeds
from harness.errors import InvalidInput
from harness.networks.layers import Activate, Activation, Dense, Step, Weighted

Parametrization = Literal["ntk", "standard"]
Theta = dict[str, np.ndarray]


@dataclass(frozen=True)
class Network:
    """A feed-forward network; build it with `mlp` or `cnn`, which check their arguments.

    Attributes:
        inputs: n_0; x is (N, n_0), images flat with channels last.
        steps: what is done to x, in order; the last step is a dense layer.
    """

    inputs: int
    steps: tuple[Step, ...]
    parametrization: Parametrization
    sigma_w: float
    sigma_b: float | None

    @cached_property
    def layers(self) -> tuple[Weighted, ...]:
        """The steps that have weights, from input to readout."""
        return tuple(step for step in self.steps if isinstance(step, Weighted))

    @property
    def outputs(self) -> int:
        """Number of outputs O."""
        return self.steps[-1].size

    @property
    def activation(self) -> Activation:
        """The activation; "relu", which is then never used, if there is none."""
        return next(
            (step.name for step in self.steps if isinstance(step, Activate)), "relu"
        )

    @cached_property
    def dense_layers(self) -> tuple[Dense, ...]:
        """The dense layers from input to readout."""
        return tuple(step for step in self.steps if isinstance(step, Dense))

    @property
    def dense(self) -> bool:
        """Whether it is a multilayer perceptron."""
        return all(isinstance(step, Dense | Activate) for step in self.steps)

    @cached_property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Parameter name -> shape, in layer order, without a seed axis."""
        shapes: dict[str, tuple[int, ...]] = {}
        for layer in self.layers:
            shapes[layer.weight] = (layer.fan_out, layer.fan_in)
            if layer.bias is not None:
                shapes[layer.bias] = (layer.fan_out,)
        return shapes

    def init(self, seed: int | Iterable[int]) -> Theta:
        """Initial weights: name -> float64 array, with a leading seed axis if `seed` is a sequence.

        Every array has a stream of its own, derived from (seed, name): nets that share a seed and a
        shape share the normals behind it, whatever their sigma_w, sigma_b or parametrization, so
        arms can be paired.

        >>> from harness.networks import mlp
        >>> net = mlp((3, 4, 2))
        >>> many, one = net.init(range(5)), net.init(2)
        >>> bool((many["W1"][2] == one["W1"]).all())
        True
        """
        if isinstance(seed, (int, np.integer)):
            return {name: array[0] for name, array in self.init([seed]).items()}
        chosen = [int(s) for s in seed]
        if not chosen:
            raise InvalidInput("init needs at least one seed; got an empty sequence.")
        normals = self._normals(chosen)
        return {name: std * normals[name] for name, std in self._stds().items()}

    def _normals(self, chosen: Sequence[int]) -> Theta:
        """Standard normals for each seed: name -> (S, *shape)."""
        derived = [
            seeds.derive("weights", seed=seed, name=name)
            for name in self.shapes
            for seed in chosen
        ]
        streams = seeds.generators(derived)
        normals = {
            name: np.empty((len(chosen), *shape)) for name, shape in self.shapes.items()
        }
        for array in normals.values():
            for own in array:
                next(streams).standard_normal(out=own)
        return normals

    def _stds(self) -> dict[str, float]:
        stds: dict[str, float] = {}
        for layer in self.layers:
            stds[layer.weight] = layer.weight_std
            if layer.bias is not None:
                stds[layer.bias] = layer.bias_std
        return stds
