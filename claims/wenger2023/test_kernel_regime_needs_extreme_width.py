"""W4. Convergence to the kernel regime is so slow in width that width must be orders of magnitude above depth."""

from math import log

import numpy as np

from harness import networks, seeds
from harness.experiment import Experiment, Tier, grid
from harness.measurements import images, kernel_change, kernel_error_at_init, relative_change
from harness.plots import Figure, Series
from harness.study import Control, Equivalence, Gate, Hypothesis, Paper, Statement, Study, Superiority

ORDERS = 100  # width / depth at which the claim is held to account: two orders of magnitude
TOLERANCE = 0.1  # relative error up to which we would say that a network is in its kernel regime
ENSEMBLE, BOTTLENECK = 64, 8

NET = dict(samples=20, activation="relu", sigma_w2=2.0, sigma_b2=0.1)
DESCENT = dict(centred=False, target_loss=0.05, edge_fraction=0.5, max_steps=5_000, lane=0)
TRAINING = dict(**NET, **DESCENT, parametrization="ntk", labels="sign", label_scale=1.0)


def init_cells(depths: tuple[int, ...], widths: tuple[int, ...]) -> tuple[dict, ...]:
    """Error at init: at width = 100 depth, over a ladder of widths, and the two controls."""
    plain = dict(NET, inits=4, ensemble=1, bottleneck=None)
    at_hundred = tuple(dict(plain, width=ORDERS * depth, depth=depth) for depth in depths)
    ladder = tuple(c for c in grid(**plain, width=widths, depth=depths) if c not in at_hundred)
    averaged = dict(plain, width=ORDERS, depth=1, inits=1, ensemble=ENSEMBLE)
    narrow = dict(plain, width=ORDERS * 2, depth=2, bottleneck=BOTTLENECK)
    return (*at_hundred, *ladder, averaged, narrow)


def training_cells(depths: tuple[int, ...], widths: tuple[int, ...]) -> tuple[dict, ...]:
    """Drift in training: at width = 100 depth, over a ladder of widths, and over that ladder in mean-field scaling."""
    at_hundred = tuple(dict(TRAINING, width=ORDERS * depth, depth=depth) for depth in depths)
    ladder = grid(**TRAINING, width=widths, depth=depths)
    # At a tenth of the edge, since its kernel, and with it lambda_max, grows in training.
    mean_field = (dict(c, **mean_field_scaling(c["width"]), edge_fraction=0.1) for c in ladder)
    return (*at_hundred, *(c for c in ladder if c not in at_hundred), *mean_field)


def mean_field_scaling(width: int) -> dict[str, float]:
    """Targets and loss with which an NTK-parametrized net f of width M trains as its mean-field (muP) version does.

    That is g = f / sqrt(M), at M times the rate. A step of gradient descent on |g - y|^2 at the rate M eta is
    2 M eta (g - y) dg = 2 eta (f - sqrt(M) y) df, the step on |f - sqrt(M) y|^2 = M |g - y|^2 at the rate eta; the edge
    2 / lambda_max scales likewise. Targets that grow with the width keep the kernel moving at every width.
    """
    return dict(label_scale=width**0.5, target_loss=TRAINING["target_loss"] * width)


def linear_error(backend, configuration, replicates, stream):
    """Kernel error at init of a linear net f = v . W x / sqrt(M), its entries N(0, 1), and its closed form.

    With K = X X^T the kernel is X W^T W X^T / M + (|v|^2 / M) K, and 2 K at infinite width. W^T W / M is Wishart, so
    E[error^2] = (tr(K)^2 + 3 |K|^2) / (4 M |K|^2), exactly. Our derivation. Since W is isotropic, the images may be
    given by their coordinates in the space that they span: X is the Cholesky factor of their Gram matrix over n_0.
    Returns: "linear_error", (replicates, inits), and "linear_law", (replicates,), the root of E[error^2].
    """
    samples, width, inits = (configuration[key] for key in ("samples", "width", "inits"))
    x, _ = images(replicates, stream, samples)
    gram, net, errors = x @ x.transpose(0, 2, 1) / x.shape[2], linear_net(samples, width), []
    for r, k in zip(replicates, gram, strict=True):
        theta = net.init(seeds.derive("linear", stream=stream, replicate=r, init=i) for i in range(inits))
        errors.append(relative_change(backend.empirical_ntk(net, theta, np.linalg.cholesky(k)), 2 * k))
    spread = np.trace(gram, axis1=1, axis2=2) ** 2 / (gram**2).sum(axis=(1, 2))
    return {"linear_error": np.array(errors), "linear_law": ((spread + 3) / (4 * width)) ** 0.5}


def linear_net(inputs, width):
    """One hidden layer, no activation, no biases, NTK parametrization."""
    return networks.from_callable(
        lambda theta, x: x @ theta["W"].T @ theta["v"] / width**0.5,
        inputs=inputs,
        outputs=1,
        initial=lambda rng: {"W": rng.standard_normal((width, inputs)), "v": rng.standard_normal((width, 1))},
    )


OFF, ROOT = Superiority(margin=log(1.25)), Equivalence(margin=0.1)
AT_INIT = "at initialisation, width = 100 depth: mean over depths of ln(kernel error / 0.1) is positive"
SLOPE = "at initialisation: slope of ln error on ln width, mean over depths, is -1/2"
IN_TRAINING = "in training to loss 0.05, width = 100 depth: mean over depths of ln(change / 0.1) is positive"
FASTER = "in training: minus the slope of ln change on ln width exceeds 1/2 (faster than M^-1/2)"
ABOVE = "an error of 12.5 % is clearly above the 10 % that we would accept"
APART = "tells -1/2, the rate of independent fluctuations, from -1"
HALF = "half of what the rate at initialisation may deviate"
# Name, statement, rule, why this margin, expected effect and sd.
HYPOTHESES = (
    ("init_error_at_100_times_depth", AT_INIT, OFF, ABOVE, 0.64, 0.2),
    ("init_rate", SLOPE, ROOT, APART, 0.0, 0.08),
    ("drift_at_100_times_depth", IN_TRAINING, OFF, "as at initialisation", -0.8, 0.3),
    ("drift_rate", FASTER, Superiority(margin=0.05), HALF, 0.22, 0.1),
)
LABELS = (
    "initialisation, width = 100 depth: error / 10 %",
    "initialisation: slope in width + 1/2",
    "training, width = 100 depth: change / 10 %",
    "training: - slope in width - 1/2",
)
NARROW = f"a first layer of width {BOTTLENECK} keeps its kernel random, however wide the others are"
AVERAGE = f"the average of {ENSEMBLE} independent kernels has an eighth of the error, far below 10 %"
LINEAR = "the error of a linear net is known in closed form, and falls as the root of the width exactly"
MOVING = "in mean-field (muP) scaling the kernel changes in training however wide the network is"


def hypothesis(row: tuple, label: str) -> Hypothesis:
    """A row of the table: the error at initialisation makes the verdict; what is held against 10 % is a ratio."""
    role = "primary" if row[0].startswith("init_error") else "secondary"
    agreement, scale = (0.02, "ratio") if "at_100" in row[0] else (None, "linear")
    return Hypothesis(*row, role=role, agreement=agreement, label=label, scale=scale)


CLAIM = Statement(
    id="wenger2023/kernel_regime_needs_extreme_width",
    paper=Paper(
        authors="Wenger, Dangel, Kristiadi",
        year=2023,
        title="On the Disconnect Between Theory and Practice of Neural Networks: Limits of the NTK Perspective",
        locus="abstract",
        read="abstract, author's page and reviews; the body text was not found",
    ),
    title="The kernel regime needs widths orders of magnitude above depth",
    statement=(
        "Networks converge to their kernel regime so slowly in width that they are in it only at widths orders of "
        "magnitude larger than their depth."
    ),
    operationalised=(
        "Being in the kernel regime takes a kernel that is near its infinite-width limit at initialisation AND "
        "constant in training; we ask for 10 % in relative Frobenius norm. Held to account at width = 100 times depth, "
        "two orders of magnitude: is the kernel at initialisation still more than 10 % off? Mean over 1, 2, 4 and 8 "
        "hidden layers of ln(error / 0.1), per seed. ReLU, NTK parametrization, sigma_w^2 = 2, sigma_b^2 = 0.1, 20 "
        "Fashion-MNIST images. One condition failing is enough; training is decided apart, beside it."
    ),
    departs=(
        "The body of the paper was not available to us, so architecture, data, the 10 % and the factor 100 are ours. "
        "One output; the limit is the closed-form kernel of the same depth."
    ),
    family="wenger2023",
    hypotheses=tuple(hypothesis(row, label) for row, label in zip(HYPOTHESES, LABELS, strict=True)),
    controls=(
        Control("bottleneck", "init_error_at_100_times_depth", "SUPPORTED", NARROW),
        Control("ensemble", "init_error_at_100_times_depth", "not SUPPORTED", AVERAGE),
        Control("linear_rate", "init_rate", "SUPPORTED", LINEAR),
        Control("mean_field_drift", "drift_rate", "not SUPPORTED", MOVING),
    ),
    gates=(
        Gate("trained", "every network reached the registered loss"),
        Gate("finite", "every error and change is finite and positive", failure="BROKEN"),
    ),
    limits=(
        "The verdict is that of its threshold: with 14 % instead of 10 it would be another, and what it takes for 10 "
        "% is a width of some 300 to 400 times depth. More than 10 % off at 100 times depth says that two orders of "
        "magnitude do not suffice for this architecture on 20 images; it says nothing about how a network that is off "
        "performs. The drift depends on loss, labels and sample size: 20 images and a loss of 0.05 are mild."
    ),
)

EXPERIMENTS = (
    Experiment(
        kernel_error_at_init,
        quick=Tier(init_cells(depths=(1, 2, 4, 8), widths=(32, 128, 512)), replicates=10),
        full=Tier(init_cells(depths=(1, 2, 4, 8, 16, 32), widths=(32, 128, 512, 2048)), replicates=20, block=5),
        stream="registered-1",
    ),
    Experiment(
        kernel_change,
        quick=Tier(training_cells(depths=(1, 3), widths=(64, 256)), replicates=10),
        full=Tier(training_cells(depths=(1, 3, 8), widths=(64, 256, 1024, 4096)), replicates=20, block=5),
        stream="registered-1",
    ),
    Experiment(
        linear_error,
        quick=Tier(grid(width=(32, 128, 512), samples=NET["samples"], inits=16), replicates=10),
        full=Tier(grid(width=(32, 128, 512, 2048), samples=NET["samples"], inits=64), replicates=20, block=5),
        stream="registered-1",
    ),
)


def log_error(m, width, depth, ensemble=1, bottleneck=None):
    """ln of the error at init, mean over the inits of a seed."""
    return np.log(m("kernel_error", width=width, depth=depth, ensemble=ensemble, bottleneck=bottleneck)).mean(axis=1)


def log_drift(m, width, depth, scaling=None):
    """ln of the kernel change in training, per seed."""
    return np.log(m("kernel_change", width=width, depth=depth, **(scaling or {"label_scale": 1.0})))


def log_mean_field_drift(m, width, depth):
    """The same in mean-field scaling."""
    return log_drift(m, width, depth, mean_field_scaling(width))


def log_linear_error(m, width):
    """ln of the root mean square error of the linear net at init, per seed."""
    return np.log((m("linear_error", width=width) ** 2).mean(axis=1)) / 2


def ladders(m, quantity, mean_field=False):
    """depth -> widths, of the claim's own cells, or of those in mean-field scaling."""
    own = [c for c in m.configurations(quantity) if c.get("ensemble", 1) == 1 and c.get("bottleneck") is None]
    own = [c for c in own if (c.get("label_scale", 1.0) != 1.0) == mean_field]
    return {d: sorted({c["width"] for c in own if c["depth"] == d}) for d in sorted({c["depth"] for c in own})}


def slope(widths, log_values):
    """Least-squares slope on ln width, one per seed; log_values is (widths, seeds)."""
    x = np.log(widths) - np.mean(np.log(widths))
    return x @ np.array(log_values) / (x @ x)


def width_needed(widths, log_values):
    """The width at which the least-squares line of ln error on ln width comes to the tolerance, one per seed."""
    excess = np.mean(log_values, axis=0) - np.log(TOLERANCE)
    return np.exp(np.mean(np.log(widths)) - excess / slope(widths, log_values))


def effects(m):
    """ln(error / 10 %) at 100 times depth, and rates in width, per seed."""
    arms = (("init", ladders(m, "kernel_error"), log_error), ("drift", ladders(m, "kernel_change"), log_drift))
    mean_field = ("mean_field", ladders(m, "kernel_change", mean_field=True), log_mean_field_drift)
    rates = {
        name: np.mean([slope(widths, [value(m, w, depth) for w in widths]) for depth, widths in steps.items()], axis=0)
        for name, steps, value in (*arms, mean_field)
    }
    at_hundred = {
        name: np.mean([value(m, ORDERS * depth, depth) for depth in steps], axis=0) - np.log(TOLERANCE)
        for name, steps, value in arms
    }
    linear = sorted(c["width"] for c in m.configurations("linear_error"))
    return {
        "init_error_at_100_times_depth": at_hundred["init"],
        "init_rate": rates["init"] + 0.5,
        "drift_at_100_times_depth": at_hundred["drift"],
        "drift_rate": -rates["drift"] - 0.5,
        "bottleneck": log_error(m, 2 * ORDERS, 2, bottleneck=BOTTLENECK) - np.log(TOLERANCE),
        "ensemble": log_error(m, ORDERS, 1, ensemble=ENSEMBLE) - np.log(TOLERANCE),
        "linear_rate": slope(linear, [log_linear_error(m, width) for width in linear]) + 0.5,
        "mean_field_drift": -rates["mean_field"] - 0.5,
    }


def gates(m):
    """Whether all were trained, and all errors are finite."""
    short = [c for c in m.configurations("reached") if not m("reached", **c).all()]
    values = [m(q, **c) for q in ("kernel_error", "kernel_change") for c in m.configurations(q)]
    names = ", ".join(f"width {c['width']}, {c['depth']} layers" for c in short)
    return {
        "trained": f"the target loss was not reached by every seed at: {names}" if short else "",
        "finite": "" if all((np.isfinite(v) & (v > 0)).all() for v in values) else "a value is zero or not finite",
    }


def figures(by_backend):
    """Error at init and drift in training against width / depth, and the width that 10 % needs, by depth."""
    backend, m = next(iter(by_backend.items()))
    init, training = ladders(m, "kernel_error"), ladders(m, "kernel_change")
    mean_field = lines(m, ladders(m, "kernel_change", mean_field=True), log_mean_field_drift, ", mean-field")
    linear = sorted(c["width"] for c in m.configurations("linear_error"))
    references = (
        Series("1.9 / sqrt(width / depth)", (10.0, 1000.0), (0.601, 0.0601)),
        Series.of("linear net, 1 layer", linear, [np.exp(log_linear_error(m, w)) for w in linear], log=True),
        Series.of("linear net, closed form", linear, [m("linear_law", width=w) for w in linear], log=True),
    )
    over, note = "width / depth", f"{backend}, geometric mean over seeds; the line is at"
    at_init = f"Relative kernel error against {over}, {note} 10 %. The factor 1.9 is from exploration."
    drift = f"Relative change against {over}, {note} 10 %. In mean-field (muP) scaling it must not fall with width."
    ends = f"Where each seed's line through ln error on ln width comes to 10 %, {note} 100 times depth."
    errors, changes = (*lines(m, init, log_error), *references), (*lines(m, training, log_drift), *mean_field)
    needs = (needed(m, "at initialisation", init, log_error), needed(m, "in training", training, log_drift))
    axes = dict(log_x=True, log_y=True, reference_y=TOLERANCE)
    return (
        Figure(
            "Distance to the infinite-width kernel at initialisation", at_init, over, "kernel error", errors, **axes
        ),
        Figure("Kernel change in training to loss 0.05", drift, over, "relative kernel change", changes, **axes),
        Figure("Width that 10 % needs", ends, "hidden layers", over, needs, False, True, float(ORDERS)),
    )


def lines(m, steps, value, note=""):
    """One line per depth."""
    for depth, widths in steps.items():
        label = f"{depth} hidden layer{'s' if depth > 1 else ''}{note}"
        yield Series.of(
            label, np.round(np.array(widths) / depth, 1), [np.exp(value(m, w, depth)) for w in widths], log=True
        )


def needed(m, label, steps, value):
    """Width / depth that 10 % needs, over depth."""
    found = [width_needed(widths, [value(m, w, depth) for w in widths]) / depth for depth, widths in steps.items()]
    return Series.of(label, list(steps), found, log=True)


STUDY = Study(CLAIM, EXPERIMENTS, effects, gates, figures)


def test_kernel_regime_needs_extreme_width(verdict):
    """At 100 times depth the kernel at initialisation is still more than 10 % off."""
    assert verdict.kind == "SUPPORTED", verdict.reason
