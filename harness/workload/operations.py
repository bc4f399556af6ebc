"""What the operations of a cell cost: multiply-adds, numbers touched, calls and random numbers, from shapes alone.

Counts are those of the dominant terms; a constant factor is left to the rates (see `harness.workload.rates`), which are
fitted to cells that ran. Nothing is computed here, and no framework is imported.
"""

from dataclasses import astuple, dataclass
from math import prod

from harness.backends.cost import cheaper_by_position, positions_of
from harness.backends.infinite_positions import pairs_of_positions
from harness.backends.operations import Outputs
from harness.networks import Convolution, Network

WEIGHT_PASSES = {"sgd": 6, "momentum": 8, "adam": 12}
"""Passes over all weights that a training step makes: forward, back, gradient, and what the optimizer keeps."""
PAIR_NUMBERS = 12
"""Passes over all pairs that a layer of an infinite-width kernel makes."""


@dataclass(frozen=True)
class Work:
    """What is asked of the machine; sums and multiples of it are formed as of a vector.

    Args:
        macs: multiply-adds on the backend's device, in products and factorisations; in float64 one counts as two.
        numbers: numbers that its elementwise operations read or write.
        calls: operations that it is asked for, one after another; all seeds of a cell share them.
        host: multiply-adds in NumPy, on a CPU wherever the device is, in float64.
        draws: normal numbers drawn in NumPy.

    >>> Work(macs=2.0) + 3 * Work(macs=1.0, calls=1.0)
    Work(macs=5.0, numbers=0.0, calls=3.0, host=0.0, draws=0.0)
    """

    macs: float = 0.0
    numbers: float = 0.0
    calls: float = 0.0
    host: float = 0.0
    draws: float = 0.0

    def __add__(self, other: "Work") -> "Work":
        return Work(*(a + b for a, b in zip(astuple(self), astuple(other), strict=True)))

    def __rmul__(self, factor: float) -> "Work":
        return Work(*(factor * a for a in astuple(self)))

    def by_seed(self, seeds: float) -> "Work":
        """That of so many seeds, which run together: their calls are the same."""
        return Work(seeds * self.macs, seeds * self.numbers, self.calls, seeds * self.host, seeds * self.draws)


def total(*parts: Work) -> Work:
    """The sum."""
    return sum(parts, Work())


def parameters(net: Network) -> int:
    """Number of weights and biases."""
    return sum(prod(shape) for shape in net.shapes.values())


def init(net: Network) -> Work:
    """The weights of one seed."""
    return Work(draws=parameters(net))


def forward(net: Network, samples: float) -> Work:
    """Outputs: P K C multiply-adds per sample in a layer with P positions, fan-in K and C channels."""
    macs = sum(positions_of(layer) * layer.fan_in * layer.fan_out for layer in net.layers)
    return Work(macs=samples * macs, numbers=samples * _features(net), calls=2 * len(net.steps))


def training(net: Network, samples: float, steps: float, optimizer: str) -> Work:
    """Steps on so many samples each: forward, and twice that back, less the first layer's signals to the inputs."""
    once, first = forward(net, samples), net.layers[0]
    back = samples * positions_of(first) * first.fan_in * first.fan_out
    numbers, calls = 3 * once.numbers + WEIGHT_PASSES[optimizer] * parameters(net), 4 * once.calls + 12
    return steps * Work(macs=3 * once.macs - back, numbers=numbers, calls=calls)


def empirical_ntk(net: Network, n1: float, n2: float | None = None, outputs: Outputs = "trace") -> Work:
    """The kernel layer by layer, in the cheaper of two forms (`harness.backends.cost`); n2 None: of n1 by itself."""
    sides, n2 = n1 + (n2 or 0), n2 or n1
    out = net.outputs
    entries = out if outputs == "trace" else out**2
    macs, numbers = 0.0, 0.0
    for layer in net.layers:
        p, k, c = positions_of(layer), layer.fan_in, layer.fan_out
        if cheaper_by_position(layer, int(n1), int(n2), out, outputs):
            macs += n1 * n2 * p**2 * (k + entries * c)
            numbers += n1 * n2 * p**2 * (2 + entries)
        else:
            macs += sides * out * p * k * c + n1 * n2 * entries * k * c
            numbers += sides * out * k * c + n1 * n2 * entries
    passes, first = (1 + out) * forward(net, sides), net.layers[0]
    unneeded = sides * out * positions_of(first) * first.fan_in * first.fan_out  # the inputs have no signals
    return passes + Work(macs=macs - unneeded, numbers=numbers, calls=6 * len(net.layers))


def infinite_ntk(net: Network, n1: float, n2: float | None = None) -> Work:
    """The NTK at infinite width: a product of the inputs, then a recursion over pairs of inputs and of positions."""
    pairs, first = n1 * (n2 or n1), net.layers[0]
    states = pairs * pairs_of_positions(net)
    opening = states * first.fan_in if isinstance(first, Convolution) else pairs * net.inputs
    return Work(macs=opening, numbers=PAIR_NUMBERS * states * len(net.layers), calls=PAIR_NUMBERS * len(net.layers))


def ladder(sizes: list[int], others: float) -> Work:
    """Kernel regression on the device at each size: Cholesky factors for all ridges and a probe, n^3 / 6 in float64."""
    rungs = 14
    return total(*(Work(2 * rungs * n**3 / 6, 4 * rungs * n**2, 4 * rungs, rungs * n * others) for n in sizes))


def eigenvectors(n: float) -> Work:
    """A symmetric eigendecomposition in NumPy, about 9 n^3 operations (Golub, Van Loan 2013, section 8.3)."""
    return Work(host=4.5 * n**3)


def eigenvalues(n: float) -> Work:
    """Its eigenvalues alone: 4 n^3 / 3 operations."""
    return Work(host=2 * n**3 / 3)


def regression(n: float, others: float, ridges: float) -> Work:
    """Kernel regression in NumPy: an eigendecomposition, and predictions for each ridge."""
    return eigenvectors(n) + Work(host=n * others * (n + ridges))


def _features(net: Network) -> float:
    """Numbers that a sample passes through: features, and the patches that convolutions see."""
    patches = sum(layer.positions * layer.fan_in for layer in net.layers if isinstance(layer, Convolution))
    return net.inputs + patches + sum(step.size for step in net.steps)
