"""The work of the claims' own computations, for `ntk-claims plan`; the harness counts its own (`harness.workload`).

Each function takes (configuration, replicates) and gives the multiply-adds and so on that a cell asks for, from shapes
alone. A computation that is not named here, nor by the harness, is planned without an estimate.
"""

from harness import networks
from harness.learning.regression import TESTS
from harness.workload import computations, operations
from harness.workload.operations import Work, total


def stationary_kernels(c, replicates):
    """Four kernels at each length, and the NTK, by an eigendecomposition each."""
    n, others, net = c["samples"], c["validation"] + 500, networks.mlp((c["inputs"], *[1] * c["depth"], 1), sigma_b=0.3)
    kernels = operations.infinite_ntk(net, n) + operations.infinite_ntk(net, others, n)
    return replicates * (kernels + (4 * LENGTHS + 1) * operations.regression(n, others, 15))


def network_kernels(c, replicates):
    """NNGP and NTK, each tuned by cross-validation."""
    return (2 * replicates) * (limit(c) + computations.tuned(c["samples"], TESTS))


def same_kernel(c, replicates):
    """The NTK, tuned twice."""
    return replicates * (limit(c) + 2 * computations.tuned(c["samples"], TESTS))


def limit(c):
    """A kernel at infinite width, among training samples and of tests with them."""
    net = networks.mlp((c["inputs"], *[1] * c["depth"], 1), sigma_b=0.3)
    return operations.infinite_ntk(net, c["samples"]) + operations.infinite_ntk(net, TESTS, c["samples"])


def output_variance(c, replicates):
    """Every network in every phase, its kernel on all points, and inverses of that."""
    net, points = networks.mlp((c["width"],) * (c["depth"] + 1) + (1,), sigma_b=0.1), c["samples"] + 1
    one = operations.forward(net, points) + operations.empirical_ntk(net, points)
    parameters = operations.parameters(net)
    scaled = Work(host=40 * points**3, numbers=3 * parameters)
    phase = (one + scaled).by_seed(c["at_once"])
    batches = c["networks"] / c["at_once"]
    return replicates * (c["networks"] * operations.init(net) + (len(c["phases"]) * batches) * phase)


def dispersion(c, replicates):
    """The noise of each draw once, and a recursion over it in every phase."""
    net = networks.mlp((c["width"],) * (c["depth"] + 1) + (1,), sigma_b=0.0)
    drawn, phases = sum(networks.noise_sizes(net).values()), len(c["phases"])
    numbers, calls = c["draws"] * phases * 12 * drawn, c["draws"] / 500 * phases * 30 * len(net.layers)
    return replicates * Work(draws=c["draws"] * drawn, numbers=numbers, calls=calls)


def kernel_change_in_span(c, replicates):
    """Descent in the span of the images: as many inputs as there are images."""
    return computations.descent(c, c["max_steps"], c["samples"], 2, False, replicates)


def training_by_protocol(c, replicates):
    """Nine kernels in the course of it, and a decomposition."""
    return computations.descent(c, c["steps"], c["samples"], 9, True, replicates)


def training_map(c, replicates):
    """All phases of the first replicates at once."""
    seeds = min(replicates, c["first"]) * len(c["sigma_w2"])
    return computations.descent(c, c["steps"], c["samples"], 1, False, seeds)


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


def architecture_kernel(c, replicates):
    """Regression with the kernel of the architecture that is trained."""
    net = networks.mlp((c["inputs"], *[c["width"]] * c["depth"], 1), sigma_b=0.3)
    return computations.ntk_regression(c, net, replicates)


LENGTHS = 3

COUNTED = {
    "liu2025/architecture_kernel": architecture_kernel,
    "liu2025/stationary_kernels": stationary_kernels,
    "liu2025/network_kernels": network_kernels,
    "liu2025/same_kernel": same_kernel,
    "seleznova2020/kernel_change": kernel_change_in_span,
    "seleznova2020/ntk_dispersion": dispersion,
    "seleznova2020/phase_map": dispersion,
    "seleznova2020/training_by_protocol": training_by_protocol,
    "seleznova2020/training_map": training_map,
    "seleznova2020/output_variance": output_variance,
    "vyas2022/curves_and_drift": curves_and_drift,
    "wenger2023/linear_error": linear_error,
    "wenger2023/natural_gradient": natural_gradient,
}
