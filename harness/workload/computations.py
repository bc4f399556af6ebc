"""The work of the harness' computations, counted from a configuration and the number of replicates in a cell.

Each function takes (configuration, replicates) as the computation of that name takes them and follows it call by call.
Training is counted to its last step; where a rule may end it before, that is the most it can take (`stopping`).
A claim's own computations are counted beside the claims, in `claims/work.py`; one that is counted nowhere has no
estimate.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from math import prod
from typing import Any

from harness import networks
from harness.experiment import Configuration, Request, canonical
from harness.learning import equivalence, regression
from harness.learning.curves import OF_EDGE, network
from harness.learning.problems import TESTS
from harness.networks import Network, noise_sizes
from harness.workload import operations as ops
from harness.workload.operations import Work, total

Counted = Callable[[Configuration, int], Work]

PIXELS = {"digits": (8, 8, 1), "fashion-mnist": (28, 28, 1), "mnist": (28, 28, 1)}
COLOUR = (32, 32, 3)
PROBE, RUNGS = 64, 33
"""Images on which continual learning takes its edge of stability; ridges among which evidence chooses."""
SEQUENCE = (40, 1)
ARMS = {"wheel": (5, 15), "imbalanced": (7, 70), "fashion": (10, 200), "shuttle": (7, 70), "letter": (26, 442)}
"""Arms of a bandit, and inputs of its contexts."""


def stopping(configuration: Configuration) -> str:
    """The rule that may end training before its last step; "" if none does.

    >>> stopping({"stop": {"accuracy": 0.9}}), stopping({"stop": {"epochs": 5}}), stopping({"target_loss": 0.05})
    ('{"accuracy":0.9}', '', 'loss')
    """
    if "epochs" in (rule := configuration.get("stop", {"epochs": 0})):
        return "" if configuration.get("target_loss") is None else "loss"
    return canonical(rule)


def work(request: Request, own: Mapping[str, Counted]) -> Work | None:
    """The work of a cell, by the harness' table or a claim's own; None where neither counts its computation.

    In float64 a multiply-add counts as two, and so does a number.
    """
    counted = COUNTED.get(request.computation, own.get(request.computation))
    if counted is None:
        return None
    found, double = counted(request.configuration, len(request.replicates)), 1 + (request.dtype == "float64")
    return replace(found, macs=double * found.macs, numbers=double * found.numbers)


def shape_of(task: Mapping[str, Any]) -> tuple[int, ...]:
    """The shape of one input of a task of `harness.learning.tasks`."""
    if task["name"] == "images":
        rows, columns, channels = PIXELS.get(task["dataset"], COLOUR)
        return rows // task["shrink"], columns // task["shrink"], channels
    return SEQUENCE if task["name"] == "digits-1d" else (task["inputs"],)


def dispersion(c: Configuration, replicates: int) -> Work:
    """`ntk_dispersion`: the noise of each draw once, and a recursion over it in every phase."""
    net = networks.mlp((c["width"],) * (c["depth"] + 1) + (1,), sigma_b=0.0)
    drawn, phases = sum(noise_sizes(net).values()), len(c["phases"])
    numbers, calls = c["draws"] * phases * 12 * drawn, c["draws"] / 500 * phases * 30 * len(net.layers)
    return replicates * Work(draws=c["draws"] * drawn, numbers=numbers, calls=calls)


def kernel_error_at_init(c: Configuration, replicates: int) -> Work:
    """The kernels of every network, which are drawn, and their limit."""
    widths = (c["bottleneck"] or c["width"], *(c["width"],) * (c["depth"] - 1))
    net = networks.mlp((784, *widths, 1), sigma_b=0.1)
    one = (ops.init(net) + ops.empirical_ntk(net, c["samples"])).by_seed(c["ensemble"])
    return float(replicates * c["inits"]) * one


def _perceptron(c: Configuration, inputs: int) -> Network:
    outputs = 10 if c["labels"] == "one-hot" else 1
    return networks.mlp((inputs, *(c["width"],) * c["depth"], outputs), sigma_b=0.1)


def _descent(c: Configuration, steps: int, inputs: int, kernels: int, vectors: bool, seeds: int) -> Work:
    """Full-batch descent from weights that are drawn, with the full kernel's spectrum and so many kernels besides."""
    net, n, drawn = _perceptron(c, inputs), c["samples"], _perceptron(c, 784)
    spectrum = ops.eigenvectors(n * net.outputs) if vectors else ops.eigenvalues(n * net.outputs)
    full = ops.empirical_ntk(net, n, outputs="full") + spectrum
    own = kernels * ops.empirical_ntk(net, n) + ops.training(net, n, steps, "sgd")
    return total(ops.init(drawn), full, own).by_seed(seeds)


def kernel_change(c: Configuration, replicates: int) -> Work:
    """`measurements.kernel_change`, on images as they are."""
    return _descent(c, c["max_steps"], 784, 2, False, replicates)


def kernel_change_in_span(c: Configuration, replicates: int) -> Work:
    """`in_span.kernel_change`."""
    return _descent(c, c["max_steps"], c["samples"], 2, False, replicates)


def training_by_protocol(c: Configuration, replicates: int) -> Work:
    """`in_span.training_by_protocol`: nine kernels in the course of it, and a decomposition."""
    return _descent(c, c["steps"], c["samples"], 9, True, replicates)


def training_map(c: Configuration, replicates: int) -> Work:
    """`in_span.training_map`: all phases of the first replicates at once."""
    seeds = min(replicates, c["first"]) * len(c["sigma_w2"])
    return _descent(c, c["steps"], c["samples"], 1, False, seeds)


def common_training(c: Configuration, replicates: int) -> Work:
    """`equivalence.common_training`: all members at once; looks every 25 steps; regression with the NTK in NumPy."""
    net, looks = equivalence.network(c, "standard"), float(c["steps"] / equivalence.EVERY)
    held = looks * ops.forward(net, c["validation"]) + ops.forward(net, TESTS)
    trained = ops.init(net) + ops.training(net, equivalence.BATCH, c["steps"], "adam") + held
    return trained.by_seed(replicates * c["members"]) + ntk_regression(c, net, replicates)


def ntk_regression(c: Configuration, net: Network, replicates: int) -> Work:
    """Regression with a kernel of infinite width, its ridge chosen by validation."""
    n, others = c["samples"], c["validation"] + TESTS
    kernels = ops.infinite_ntk(net, n) + ops.infinite_ntk(net, others, n)
    return replicates * (kernels + ops.regression(n, others, len(equivalence.RIDGES)))


def kernel_predictors(c: Configuration, replicates: int) -> Work:
    """`equivalence.kernel_predictors`: own kernel, NTK and NNGP, and descent with each in its eigenbasis."""
    net, n = equivalence.network(c, "ntk"), c["samples"]
    own = ops.empirical_ntk(net, n) + ops.empirical_ntk(net, TESTS, n)
    limits = 2 * (ops.infinite_ntk(net, n) + ops.infinite_ntk(net, TESTS, n))
    flows = 3 * (ops.eigenvectors(n) + Work(host=4 * c["steps"] * n)) + ops.eigenvalues(n)
    return (ops.init(net) + own).by_seed(replicates) + replicates * (limits + flows)


def descent_by_theory(c: Configuration, replicates: int) -> Work:
    """`equivalence.descent_by_theory`: the predictors, networks in full batch, regression with the NTK."""
    net = equivalence.network(c, "ntk")
    trained = ops.training(net, c["samples"], c["steps"], "momentum") + 2 * ops.forward(net, TESTS)
    return kernel_predictors(c, replicates) + trained.by_seed(replicates) + ntk_regression(c, net, replicates)


def _run(c: Configuration, net: Network, count: int) -> Work:
    """`curves.train` on so many samples."""
    batch = min(c["batch_size"] or count, count)
    looks = float(c.get("checks", 0)) * ops.forward(net, c["validation"])
    trained = ops.training(net, batch, c["steps"], c["optimizer"]) + looks
    edge = Work() if c["optimizer"] == "adam" else ops.empirical_ntk(net, min(OF_EDGE, count))
    return ops.init(net) + trained + edge + ops.forward(net, c["test"])


def _pair(c: Configuration, net: Network, n: int) -> Work:
    """`curves.kernel_pair`."""
    return ops.empirical_ntk(net, n) + ops.empirical_ntk(net, c["validation"] + c["test"], n)


def network_curves(c: Configuration, replicates: int) -> Work:
    """`curves.network_curves`: a run per size, and for the arms after it runs, kernels and ridges of their own."""
    net, sizes, others = network(c["net"], shape_of(c["task"])), c["sizes"], c["validation"] + c["test"]
    found = total(*(_run(c, net, size) for size in sizes))
    ladders = Work()
    for same in {arm["pretrained"] == "same" for arm in c["after"]}:
        arms = [arm for arm in c["after"] if (arm["pretrained"] == "same") == same]
        runs = {(arm["pretrained"], arm["reused"]) for arm in arms}
        extra = [_run(c, net, m) for m, reused in runs if not same and not (reused and m in sizes)]
        pairs = [_pair(c, net, size) for size in sizes] if same else [_pair(c, net, max(sizes)) for _ in runs]
        found = total(found, *extra, *pairs)
        ladders = ladders + len(arms) * ops.ladder(sizes, others)
    return found.by_seed(replicates) + replicates * ladders


def kernel_curves(c: Configuration, replicates: int) -> Work:
    """`curves.kernel_curves`: kernels at the largest size, and the ridges at each."""
    net, n, others = network(c["net"], shape_of(c["task"])), max(c["sizes"]), c["validation"] + c["test"]
    if c["kernel"] == "infinite":
        kernel = ops.infinite_ntk(net, n) + ops.infinite_ntk(net, others, n)
    else:
        kernel = int(c["kernel"].partition("-")[2] or 1) * (ops.init(net) + _pair(c, net, n))
    return kernel.by_seed(replicates) + replicates * ops.ladder(c["sizes"], others)


def kernel_evolution(c: Configuration, replicates: int) -> Work:
    """`evolution.kernel_evolution`: one run, and at each checkpoint the kernel and its ridge."""
    net = network(c["net"], shape_of(c["task"]))
    ladder, times = ops.ladder([c["size"]], c["validation"] + c["test"]), len(c["checkpoints"])
    outputs = times * ops.forward(net, c["test"])
    run = _run(c, net, c["size"]) + times * _pair(c, net, c["size"]) + outputs
    return run.by_seed(replicates) + (times * replicates) * ladder


def told_kernel(c: Configuration, replicates: int) -> Work:
    """`evolution.told_kernel`: one kernel, told at each checkpoint."""
    net, ladder = network(c["net"], shape_of(c["task"])), ops.ladder([c["size"]], c["validation"] + c["test"])
    once = (ops.init(net) + _pair(c, net, c["size"])).by_seed(replicates)
    return once + (len(c["checkpoints"]) * replicates) * ladder


def unrelated_kernels(c: Configuration, replicates: int) -> Work:
    """`evolution.unrelated_kernels`: a kernel per checkpoint."""
    net = network(c["net"], shape_of(c["task"]))
    return (len(c["checkpoints"]) * (ops.init(net) + ops.empirical_ntk(net, c["size"]))).by_seed(replicates)


def tuned(n: int, others: int) -> Work:
    """`regression.tuned` with one kernel: five folds and the fit."""
    ridges = len(regression.RIDGES)
    return regression.FOLDS * ops.regression(0.8 * n, 0.2 * n, ridges) + ops.regression(n, others, 2)


def other_kernels(c: Configuration, replicates: int) -> Work:
    """`regression.other_kernels`: ten kernels."""
    kernels = len(regression.STATIONARY) * len(regression.SCALES) + 2
    return (replicates * kernels) * tuned(c["samples"], regression.TESTS)


def continual(c: Configuration, replicates: int) -> Work:
    """`wenger2023/continual`: every task with its looks, and the tests of all tasks after each."""
    rows, columns, channels = PIXELS.get(c["dataset"], COLOUR)
    pixels, tasks = rows * columns * channels // c["shrink"] ** 2, len(c["tasks"])
    net = networks.mlp((pixels, c["width"], len(c["tasks"][0]["classes"])), sigma_b=0.1)
    epochs = c["stop"].get("epochs", c["epochs"])
    steps = epochs * (c["samples"] // c["batch_size"])
    looks = Work() if "epochs" in c["stop"] else steps / c["every"] * ops.forward(net, c["samples"])
    task = ops.training(net, c["batch_size"], steps, "momentum") + looks + tasks * ops.forward(net, c["tests"])
    edge = ops.empirical_ntk(net, PROBE, outputs="full") + ops.eigenvalues(PROBE * net.outputs)
    turned = Work(host=tasks * (c["samples"] + c["tests"]) * (rows * columns // c["shrink"] ** 2) ** 2 * channels)
    return total(ops.init(net), edge, turned, tasks * task).by_seed(replicates)


def regrets(c: Configuration, replicates: int) -> Work:
    """`wenger2023/regrets`: the kernel of all contexts, panel by panel; posteriors of all policies, in NumPy."""
    arms, inputs = ARMS[c["bandit"].removeprefix("shuffled ")]
    contexts, seen, policies = arms * c["rounds"], c["rounds"], len(c["policies"])
    infinite = c["width"] == "infinite"
    net = networks.mlp((inputs, 1 if infinite else c["width"], 1), sigma_b=None)
    kernel = ops.infinite_ntk if infinite else ops.empirical_ntk
    panels = [(c["panel"] * arms, (k + 1) * c["panel"] * arms) for k in range(seen // c["panel"])]
    block = c["block"]
    posterior = Work(host=policies * seen**3 / block / 3 * (block * arms + 2 * block))  # predict and extend
    covariance = Work(host=policies * seen**2 / 2 * block * arms**2 + policies * seen * (block * arms) ** 2)
    names = c["policies"]
    diagonal = sum(name.endswith("diagonal Z") for name in names)
    tuned_often = sum(name.startswith("evidence") for name in names)
    squares = diagonal * (arms + 4) * seen * prod((inputs, net.layers[0].fan_out))
    evidence = tuned_often * min(seen, 2048) ** 3 * 8 + RUNGS * seen
    one = total(ops.init(net), *(kernel(net, *panel) for panel in panels), posterior, covariance)
    return replicates * (one + Work(host=squares + evidence, calls=contexts / arms * 30))


COUNTED: Mapping[str, Counted] = {
    "harness.measurements:ntk_dispersion": dispersion,
    "wenger2023/kernel_error_at_init": kernel_error_at_init,
    "harness.measurements:kernel_change": kernel_change,
    "harness.in_span:kernel_change": kernel_change_in_span,
    "harness.in_span:training_by_protocol": training_by_protocol,
    "harness.in_span:training_map": training_map,
    "harness.learning.equivalence:common_training": common_training,
    "harness.learning.equivalence:descent_by_theory": descent_by_theory,
    "harness.learning.equivalence:kernel_predictors": kernel_predictors,
    "harness.learning.curves:network_curves": network_curves,
    "harness.learning.curves:kernel_curves": kernel_curves,
    "harness.learning.evolution:kernel_evolution": kernel_evolution,
    "harness.learning.evolution:told_kernel": told_kernel,
    "harness.learning.evolution:unrelated_kernels": unrelated_kernels,
    "harness.learning.regression:other_kernels": other_kernels,
    "wenger2023/continual": continual,
    "wenger2023/regrets": regrets,
}
