"""What is raced: every case once, for all frameworks and contestants.

Plain values; data and weights are drawn by name.

Networks are in standard parametrization with biases, which is what every peer's layers compute, so
that no party pays for scales. The weights are ours in all frameworks.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np

from benchmarks.floor import multiply_adds, traffic
from harness.backends.operations import Outputs
from harness.networks import Network, Theta
from tests.verify.oracle.ours import network

Subject = Literal["empirical", "infinite", "solve"]
Architecture = dict[str, Any]
SCALES = {
    "activation": "relu",
    "parametrization": "standard",
    "sigma_w": 2**0.5,
    "sigma_b": 0.1,
}
SEED, TARGETS, RIDGE = 7, 10, 1e-3


@dataclass(frozen=True)
class Case:
    """One computation.

    Args:
        name: unique.
        architecture: name and arguments of a function of harness.networks, as in
            tests.verify.oracle.architectures.
        samples: N.
        outputs: "trace" or "full".
        dtype: "float32" or "float64".
        seeds: networks at once.
        subject: the empirical NTK, the NTK at infinite width, or regression with a kernel.
        quick: whether the reduced run has it.
        memory: whether its peak memory is measured too.
        ladder: (name, axis, value) if it is a rung on which a cost exponent is read; peers do not
            enter.
    """

    name: str
    architecture: Architecture
    samples: int
    outputs: Outputs = "trace"
    dtype: str = "float32"
    seeds: int = 1
    subject: Subject = "empirical"
    quick: bool = False
    memory: bool = False
    ladder: tuple[str, str, int] | None = None

    @cached_property
    def net(self) -> Network:
        """The network of the harness."""
        return network(self.architecture)

    @cached_property
    def x(self) -> np.ndarray:
        """Inputs, (N, n_0), in the case's dtype."""
        return (
            np.random.default_rng(SEED)
            .standard_normal((self.samples, self.net.inputs))
            .astype(self.dtype)
        )

    @cached_property
    def theta(self) -> Theta:
        """Weights in the case's dtype, with a seed axis if there are several seeds."""
        drawn = self.net.init(SEED if self.seeds == 1 else range(self.seeds))
        return {name: array.astype(self.dtype) for name, array in drawn.items()}

    @cached_property
    def y(self) -> np.ndarray:
        """Targets of a regression, (N, TARGETS) float64."""
        return np.random.default_rng(SEED + 1).standard_normal((self.samples, TARGETS))

    @property
    def itemsize(self) -> int:
        """Bytes of a number."""
        return np.dtype(self.dtype).itemsize

    @property
    def parameters(self) -> int:
        """Number of weights and biases."""
        return sum(math.prod(shape) for shape in self.net.shapes.values())

    @property
    def result_bytes(self) -> int:
        """Size of the kernel."""
        entries = self.net.outputs**2 if self.outputs == "full" else 1
        return self.seeds * self.samples**2 * entries * self.itemsize

    @property
    def floor_flops(self) -> float:
        """Floating-point operations of the structured form (benchmarks.floor); of a Cholesky solve
        for "solve".
        """
        if self.subject == "solve":
            return self.samples**3 / 3 + 2.0 * self.samples**2 * TARGETS
        return 2.0 * self.seeds * multiply_adds(self.net, self.samples, self.outputs)

    @property
    def floor_bytes(self) -> float:
        """Bytes that the structured form must move."""
        return (
            float(self.seeds * self.itemsize * traffic(self.net, self.samples))
            + self.result_bytes
        )


def perceptron(*widths: int) -> Architecture:
    """A multilayer perceptron."""
    return {"mlp": {"widths": list(widths), **SCALES}}


def convolutional(
    shape: tuple[int, ...], groups: tuple[int, ...], channels: int, outputs: int
) -> Architecture:
    """Groups of 3-convolutions with pooling by 2 between, global pooling and a readout."""
    parts: list[list[Any]] = []
    for index, count in enumerate(groups):
        last = index == len(groups) - 1
        parts += [["Conv", {"channels": channels}]] * count + [
            ["Pool", {"window": None if last else 2}]
        ]
    return {"cnn": {"shape": list(shape), "parts": parts, "outputs": outputs, **SCALES}}


def mlp3(outputs: int, width: int = 512, depth: int = 3) -> Architecture:
    """784 inputs and three hidden layers of 512, unless said otherwise."""
    return perceptron(784, *[width] * depth, outputs)


def mlp10(outputs: int) -> Architecture:
    """784 inputs and nine hidden layers of 1024."""
    return perceptron(784, *[1024] * 9, outputs)


def cnn14(outputs: int) -> Architecture:
    """14 x 14 x 1, two convolutions of 64 channels, pooling, two more, global pooling."""
    return convolutional((14, 14, 1), (2, 2), 64, outputs)


def cnn32(outputs: int) -> Architecture:
    """32 x 32 x 3, two convolutions of 64 channels, pooling, one, pooling, one, global pooling."""
    return convolutional((32, 32, 3), (2, 1, 1), 64, outputs)


def line(outputs: int) -> Architecture:
    """A sequence of 40 with one channel, two convolutions of 64 channels, pooling, two more, global
    pooling.
    """
    return convolutional((40, 1), (2, 2), 64, outputs)


EMPIRICAL = (
    Case("mlp3 O1 N256 f32", mlp3(1), 256),
    Case("mlp3 O1 N1024 f32", mlp3(1), 1024, quick=True, memory=True),
    Case("mlp3 O1 N2048 f32", mlp3(1), 2048),
    Case("mlp3 O1 N1024 f64", mlp3(1), 1024, dtype="float64", quick=True),
    Case("mlp3 O10 full N128 f32", mlp3(10), 128, "full", quick=True),
    Case("mlp10 O10 trace N256 f32", mlp10(10), 256),
    Case("mlp10 O10 full N256 f32", mlp10(10), 256, "full", memory=True),
    Case("cnn14 O1 N64 f32", cnn14(1), 64, quick=True),
    Case("cnn14 O1 N256 f32", cnn14(1), 256, memory=True),
    Case("cnn14 O10 trace N64 f32", cnn14(10), 64),
    Case("cnn14 O10 full N24 f32", cnn14(10), 24, "full"),
    Case("cnn32 O1 N32 f32", cnn32(1), 32),
    Case("line O1 N256 f32", line(1), 256, quick=True),
)
# In standard parametrization the limit depends on the widths, and neural-tangents has another
# convention for it.
LIMIT = {"mlp": mlp3(1)["mlp"] | {"parametrization": "ntk"}}
INFINITE = tuple(
    Case(
        f"infinite mlp3 N{n} {short}",
        LIMIT,
        n,
        dtype=dtype,
        subject="infinite",
        quick=n == 1024,
    )
    for n in (1024, 2048)
    for short, dtype in (("f32", "float32"), ("f64", "float64"))
)
SOLVE = tuple(
    Case(f"solve N{n} f64", LIMIT, n, dtype="float64", subject="solve", quick=n == 1024)
    for n in (1024, 2048)
)


def rungs() -> tuple[Case, ...]:
    """The ladders on which the cost exponents of our backends are read."""

    def rung(
        ladder: str,
        axis: str,
        value: int,
        *,
        architecture: Architecture,
        samples: int,
        **rest: Any,
    ) -> Case:
        return Case(
            f"{ladder}: {value}",
            architecture,
            samples,
            ladder=(ladder, axis, value),
            **rest,
        )

    def ladder(
        name: str,
        axis: str,
        values: tuple[int, ...],
        at: Callable[[int], dict[str, Any]],
    ) -> list[Case]:
        return [rung(name, axis, value, **at(value)) for value in values]

    return (
        *ladder(
            "mlp3",
            "samples",
            (256, 512, 1024, 2048),
            lambda n: {"architecture": mlp3(1), "samples": n},
        ),
        *ladder(
            "mlp3, N 512",
            "width",
            (256, 512, 1024),
            lambda w: {"architecture": mlp3(1, w), "samples": 512},
        ),
        *ladder(
            "width 512, N 256",
            "depth",
            (2, 4, 8),
            lambda d: {"architecture": mlp3(1, depth=d), "samples": 256},
        ),
        *ladder(
            "mlp3 trace, N 256",
            "outputs",
            (2, 5, 10),
            lambda o: {"architecture": mlp3(o), "samples": 256},
        ),
        *ladder(
            "mlp3 full, N 128",
            "outputs",
            (2, 5, 10),
            lambda o: {"architecture": mlp3(o), "samples": 128, "outputs": "full"},
        ),
        *ladder(
            "mlp3, N 128",
            "seeds",
            (2, 4, 8),
            lambda s: {"architecture": mlp3(1), "samples": 128, "seeds": s},
        ),
        *ladder(
            "cnn14",
            "samples",
            (64, 128, 256),
            lambda n: {"architecture": cnn14(1), "samples": n},
        ),
    )


def cases(quick: bool = False) -> dict[str, Case]:
    """All cases by name, or those of the reduced run."""
    every = (*EMPIRICAL, *INFINITE, *SOLVE, *rungs())
    return {case.name: case for case in every if case.quick or not quick}
