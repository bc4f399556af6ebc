"""The work of the claims' own computations, for `ntk-claims plan`; the harness counts its own (`harness.workload`).

Each function takes (configuration, replicates) and gives the multiply-adds and so on that a cell asks for, from shapes
alone. A computation that is not named here, nor by the harness, is planned without an estimate.
"""

from harness import networks
from harness.workload import computations, operations
from harness.workload.operations import Work, total


def output_variance(c, replicates):
    """Every network in every phase, its kernel on all points, and inverses of that."""
    net, points = networks.mlp((c["width"],) * (c["depth"] + 1) + (1,), sigma_b=0.1), c["samples"] + 1
    one = operations.forward(net, points) + operations.empirical_ntk(net, points)
    parameters = operations.parameters(net)
    scaled = Work(host=40 * points**3, numbers=3 * parameters)
    phase = (one + scaled).by_seed(c["at_once"])
    batches = c["networks"] / c["at_once"]
    return replicates * (c["networks"] * operations.init(net) + (len(c["phases"]) * batches) * phase)


def curves_and_drift(c, replicates):
    """A run per size, and the kernel of each on the probe."""
    net = computations.network(c["net"], computations.shape_of(c["task"]))
    kernels = (len(c["sizes"]) + 1) * operations.empirical_ntk(net, c["probe"])
    return computations.network_curves({**c, "after": []}, replicates) + kernels.by_seed(replicates)


def linear_error(c, replicates):
    """Kernels of so many linear networks by their derivatives, one sample's with all others' at a time."""
    n, width = c["samples"], c["width"]
    one = Work(macs=n * n * width * (n + 1), numbers=n * width * (n + 1), calls=20, draws=width * (n + 1))
    return replicates * one.by_seed(c["inits"])


def natural_gradient(c, replicates):
    """At each step the kernel, a solution, a step along the gradient; at looks two kernels more."""
    net, n = _natural(c), c["samples"]
    kernel, passes = operations.empirical_ntk(net, n), 3 * operations.forward(net, n)
    step = kernel + passes + Work(host=2 * n**3, numbers=6 * operations.parameters(net))
    looks = (len(c["looks"]) + 1) * (2 * kernel + operations.eigenvalues(n))
    return total(operations.init(net), (c["steps"] + 1) * step, looks).by_seed(replicates)


def _natural(c):
    if c["family"] == "two-layer":
        return networks.mlp((10, c["width"], 1), sigma_b=None)
    if c["family"] == "mlp":
        return networks.mlp((784, *[c["width"]] * c["depth"], 1), sigma_b=0.3)
    parts = [networks.Pool(2), networks.Conv(c["width"])] * c["depth"]
    return networks.cnn((28, 28, 1), parts + [networks.Pool(None)] * (c["family"] == "pooled cnn"), sigma_b=0.3)


COUNTED = {
    "seleznova2020/phase_map": computations.dispersion,
    "seleznova2020/output_variance": output_variance,
    "vyas2022/curves_and_drift": curves_and_drift,
    "wenger2023/linear_error": linear_error,
    "wenger2023/natural_gradient": natural_gradient,
}
