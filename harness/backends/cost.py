"""What a layer's term of the kernel costs by either of its forms, in multiply-adds and memory."""

from math import prod

from harness.backends.operations import Outputs
from harness.networks import Function, Network
from harness.networks.layers import Convolution, Weighted


def positions_of(layer: Weighted) -> int:
    """Output positions that share the layer's weights; 1 for a dense layer."""
    return layer.positions if isinstance(layer, Convolution) else 1


def cheaper_by_position(
    layer: Weighted, n1: int, n2: int, outputs: int, *, kind: Outputs
) -> bool:
    """Whether Grams over positions cost fewer multiply-adds than gradients per sample and their
    Gram.

    With P positions, fan-in K, C channels out, O outputs, and O' = O for the trace, O^2 for the
    full kernel:

        positions:  N1 N2 P^2 (K + O' C)          gradients:  (N1 + N2) O P K C + N1 N2 O' K C
    """
    p, k, c = positions_of(layer), layer.fan_in, layer.fan_out
    entries = outputs if kind == "trace" else outputs**2
    return (
        n1 * n2 * p**2 * (k + entries * c)
        <= (n1 + n2) * outputs * p * k * c + n1 * n2 * entries * k * c
    )


def pair_numbers(net: Network | Function, kind: Outputs) -> int:
    """Numbers that a pair of samples of one seed needs beside its sides: the sum, a term, and Grams
    over positions.

    Of these there are three, of activations, of signals and their product, with P^2 entries each.
    Layers that will be done by gradients in any but a small block are left out: there n P^2 is at
    most four times the signals of a sample.
    """
    entries = 1 if kind == "trace" else net.outputs**2
    if isinstance(net, Function):
        return 2 * entries
    largest = 1
    for layer in net.layers:
        p, k = positions_of(layer), layer.fan_in
        signals = layer.fan_out * (net.outputs if kind == "trace" else entries)
        if p**2 * (k + signals) <= 2 * k * signals:
            largest = max(largest, p**2)
    return entries * (2 + 3 * largest)


def jacobian_numbers(net: Function) -> int:
    """Numbers that the Jacobian of one sample of one seed has: outputs times parameters."""
    return net.outputs * sum(prod(shape) for shape in net.shapes.values())


def structured_bytes(net: Network) -> int:
    """Numbers that one sample of one seed needs: all features and signals, and one layer's patches
    and gradients.
    """
    features = net.inputs + sum(step.size for step in net.steps)
    signals = net.outputs * sum(step.size for step in net.steps)
    largest = max(
        positions_of(layer) * layer.fan_in
        + net.outputs * layer.fan_out * (layer.fan_in + 1)
        for layer in net.layers
    )
    return (
        features
        + signals
        + (largest if any(positions_of(layer) > 1 for layer in net.layers) else 0)
    )
