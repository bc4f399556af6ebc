"""The least that the structured form of the empirical NTK costs: multiply-adds, and numbers that
must be moved.

One forward pass, one backward pass per output, and per layer the cheaper of two forms of its term,
in which the exact half of a symmetric kernel is computed. With N samples, O outputs, P positions,
fan-in K, C channels out, and pairs(n) = n (n + 1) / 2:

                           for the trace               for the full kernel
    Grams over positions   pairs(N P) (K + O C)        pairs(N P) K + pairs(N O P) C
    gradients per sample   N O P K C + pairs(N) O K C  N O P K C + pairs(N O) K C

Whatever is done entry by entry is not counted. Nobody reaches the floor; it makes machines and
cases comparable.
"""

from harness.backends.cost import positions_of
from harness.backends.operations import Outputs
from harness.networks import Network
from harness.networks.layers import Weighted


def pairs(n: int) -> int:
    """Entries of the lower half of a symmetric matrix, diagonal included.

    >>> pairs(3)
    6
    """
    return n * (n + 1) // 2


def layer_term(layer: Weighted, samples: int, outputs: int, kind: Outputs) -> int:
    """Multiply-adds of one layer's term."""
    p, k, c = positions_of(layer), layer.fan_in, layer.fan_out
    if kind == "trace":
        by_position = pairs(samples * p) * (k + outputs * c)
        by_gradient = samples * outputs * p * k * c + pairs(samples) * outputs * k * c
    else:
        by_position = pairs(samples * p) * k + pairs(samples * outputs * p) * c
        by_gradient = samples * outputs * p * k * c + pairs(samples * outputs) * k * c
    return min(by_position, by_gradient)


def multiply_adds(net: Network, samples: int, kind: Outputs) -> int:
    """Multiply-adds of the kernel of one network on N samples.

    >>> from harness.networks import mlp
    >>> multiply_adds(mlp((3, 2)), 1, "trace")  # forward 6; the term: inputs 3, signals 2 x 2
    13
    """
    passes = [
        positions_of(layer) * layer.fan_in * layer.fan_out for layer in net.layers
    ]
    forward, backward = samples * sum(passes), samples * net.outputs * sum(passes[1:])
    return (
        forward
        + backward
        + sum(layer_term(layer, samples, net.outputs, kind) for layer in net.layers)
    )


def traffic(net: Network, samples: int) -> int:
    """Numbers that must be moved besides the result: weights and inputs in; features and signals
    out and in again.
    """
    weights = sum(layer.fan_in * layer.fan_out for layer in net.layers)
    features = sum(step.size for step in net.steps)
    return weights + samples * (net.inputs + 2 * features * (1 + net.outputs))
