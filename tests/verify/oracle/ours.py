"""Our half of the comparison with neural-tangents: inputs, weights and our numbers, as arrays that
need no harness.

    python -m tests.verify.oracle.ours FILE.npz

Entries of an architecture, where O counts outputs and the first TRAIN of the SAMPLES inputs are
trained on:

    x (SAMPLES, n_0), y (TRAIN, O), theta/W1 ...    what both sides compute from
    outputs (SAMPLES, O)                            the network, by the NumPy oracle
    empirical (SAMPLES, SAMPLES, O, O)              its empirical NTK, by the same
    ntk, nngp (SAMPLES, SAMPLES)                    infinite width, where neural-tangents has a
                                                    closed form
    flow_empirical, flow_ntk (times, SAMPLES, O)    f after gradient flow with these kernels; the
                                                    second from f = 0
    times_empirical, times_ntk (times,)             their times, for the loss 1/2 |f - y|^2 summed
                                                    over TRAIN and O
    trained (SAMPLES, O)                            without a hidden layer: f after full-batch
                                                    training to the end
"""

import argparse
import json

import numpy as np

from harness import backends, kernels, networks
from harness.networks import Network, Theta
from tests.verify.oracle.architectures import Architecture, architectures, closed_form

SAMPLES, TRAIN = 5, 3
PROGRESS = np.array([0.1, 1.0, 10.0])  # times, in units of one over the mean eigenvalue

Arrays = dict[str, np.ndarray]


def main() -> None:
    """Writes the file named on the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("file")
    arrays: Arrays = {"architectures": np.array(json.dumps(architectures()))}
    for name, architecture in architectures().items():
        net = network(architecture)
        inputs = drawn(name, net)
        entries = inputs | computed(net, inputs, closed_form(architecture))
        arrays |= {f"{name}/{entry}": array for entry, array in entries.items()}
    np.savez_compressed(parser.parse_args().file, **arrays)


def network(architecture: Architecture) -> Network:
    """The network of the harness that an architecture stands for."""
    ((kind, arguments),) = architecture.items()
    parts = [
        getattr(networks, part)(**options)
        for part, options in arguments.get("parts", [])
    ]
    return getattr(networks, kind)(**arguments | ({"parts": parts} if parts else {}))


def drawn(name: str, net: Network) -> Arrays:
    """Inputs, targets and weights, drawn from the name."""
    rng = np.random.default_rng(list(name.encode()))
    x, y = (
        rng.standard_normal((SAMPLES, net.inputs)),
        rng.standard_normal((TRAIN, net.outputs)),
    )
    return {"x": x, "y": y} | {
        f"theta/{key}": array for key, array in net.init(seed=1).items()
    }


def weights(arrays: Arrays) -> Theta:
    """The weights among the arrays of an architecture."""
    return {
        name.removeprefix("theta/"): array
        for name, array in arrays.items()
        if name.startswith("theta/")
    }


def computed(net: Network, inputs: Arrays, closed: bool) -> Arrays:
    """Our numbers for one network."""
    oracle, x, y, theta = (
        backends.get("numpy"),
        inputs["x"],
        inputs["y"],
        weights(inputs),
    )
    start, empirical = (
        oracle.forward(net, theta, x),
        oracle.empirical_ntk(net, theta, x, outputs="full"),
    )
    found = {"outputs": start, "empirical": empirical} | flow(
        "empirical", empirical, start, y
    )
    if closed:
        found |= infinite(net, x, y)
    if len(net.layers) == 1:
        found["trained"] = trained(net, inputs)
    return found


def infinite(net: Network, x: np.ndarray, y: np.ndarray) -> Arrays:
    """Kernels at infinite width and what gradient flow with the NTK leads to."""
    ntk, nngp = kernels.ntk(net, x), kernels.nngp(net, x)
    blocks = np.einsum("ij,op->ijop", ntk, np.eye(net.outputs))
    return {"ntk": ntk, "nngp": nngp} | flow(
        "ntk", blocks, np.zeros((len(x), net.outputs)), y
    )


def flow(kind: str, kernel: np.ndarray, start: np.ndarray, y: np.ndarray) -> Arrays:
    """Gradient flow with a kernel (SAMPLES, SAMPLES, O, O), from f = start (SAMPLES, O), at three
    times.
    """
    times = PROGRESS / np.einsum("iioo->io", kernel).mean()
    return {f"times_{kind}": times, f"flow_{kind}": flowed(kernel, start, y, times)}


def flowed(
    kernel: np.ndarray, start: np.ndarray, y: np.ndarray, times: np.ndarray
) -> np.ndarray:
    """f after gradient flow, (times, SAMPLES, O)."""
    size = start.size
    square = kernel.transpose(0, 2, 1, 3).reshape(size, size)[:, : y.size]
    change = kernels.gradient_flow(
        square[: y.size], (y - start[:TRAIN]).ravel(), square, times
    )
    return start + change.reshape(len(times), *start.shape)


def trained(net: Network, inputs: Arrays, backend: str = "numpy") -> np.ndarray:
    """f of a network without a hidden layer after full-batch gradient descent until nothing moves,
    (SAMPLES, O).
    """
    b, theta, x, y = (
        backends.get(backend, dtype="float64"),
        weights(inputs),
        inputs["x"],
        inputs["y"],
    )
    kernel = b.empirical_ntk(net, theta, x[:TRAIN])
    # The largest rate is 2 / (2 lambda / (N O)); the trace is O lambda. Half of it, until e^-50 of
    # the slowest is left.
    values = np.linalg.eigvalsh(kernel) / net.outputs
    rate, steps = y.size / (2 * values[-1]), int(50 * 2 * values[-1] / values[0])
    result = b.train(
        net, theta, x[:TRAIN], y, optimizer=backends.SGD(rate), steps=steps
    )
    return b.forward(net, result.theta, x)


if __name__ == "__main__":
    main()
