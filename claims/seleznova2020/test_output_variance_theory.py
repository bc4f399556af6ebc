"""S6. The NTK formula for the variance of trained outputs, and where it breaks: the paper's Theorem 3."""

from math import log

import numpy as np

from harness import kernels, networks, seeds
from harness.experiment import Experiment, Tier
from harness.plots import Figure, Series
from harness.study import Control, Equivalence, Gate, Hypothesis, Paper, Statement, Study, Superiority

PHASES = {"ordered": (1.0, 1.0), "edge": (2.0, 1.0), "chaotic": (3.0, 1.0)}  # sigma_w^2, sigma_b^2; ReLU
SAMPLES, RIDGE, WIDTH, SHALLOW, DEEP = 8, 0.2, 64, 3, 10
LIMIT = 10_000  # a width at which bias gradients, left out of the paper's kappa, are 1e-4 of the kernel
WORST_CONDITION, LARGEST_SHARE = 1e8, 0.25


def cells(*sizes: tuple[int, int, int, int]) -> tuple[dict, ...]:
    """One configuration per (width, depth, networks per group, networks at once)."""
    plain = dict(samples=SAMPLES, ridge=RIDGE, phases=[list(phase) for phase in PHASES.values()])
    return tuple(dict(plain, width=m, depth=d, networks=n, at_once=block) for m, d, n, block in sizes)


def architecture(width, depth, sigma_w2=1.0, sigma_b2=1.0):
    """One output, n_0 = width, `depth` hidden ReLU layers, standard parametrization."""
    return networks.mlp((width,) * (depth + 1) + (1,), "relu", "standard", sigma_w2**0.5, sigma_b2**0.5)


def inputs(width, count):
    """(count, width): |x|^2 = width, every pair at correlation 1/2."""
    x = np.zeros((count, width))
    x[:, 0] = x[np.arange(count), 1 + np.arange(count)] = (width / 2) ** 0.5
    return x


def output_variance(backend, configuration, replicates, stream):
    """Variance over networks of f_inf(x) = f_0(x) + k(x, X) K^-1 (Y - f_0(X)), where a constant kernel K takes f.

    A replicate is a group of independent networks, the same in all phases but for sigma_w and sigma_b. Of samples + 1
    points each is left out in turn, and the variances are averaged; Y is +1, -1, +1 ... over the others. Arms: the
    mean-field kernel for all networks, with S = samples and S = 1; each network's own kernel with Y, with Y = 0, with a
    ridge (times its mean diagonal), with Y in two other units (the standard deviation of f_0, and that of its
    differences, sqrt(q - q_sr)) and a hundredfold, and k K^-1 Y alone; and, planted, Gaussian f_0 with the mean-field
    covariance.

    Configuration: width, depth, samples, networks per group, at_once, phases, ridge.
    Returns, (replicates, phases): the variance of each arm; "condition" and "condition_ridge" (medians over networks),
    "largest_condition"; "share", the largest part of the mean-field arm's variance that one network contributes.
    """
    groups = [group(backend, configuration, replicate, stream) for replicate in replicates]
    return {name: np.array([[phase[name] for phase in g] for g in groups]) for name in groups[0][0]}


def group(backend, c, replicate, stream):
    """What is measured in one group of networks, per phase."""
    net, x = architecture(c["width"], c["depth"]), inputs(c["width"], c["samples"] + 1)
    phases = [architecture(c["width"], c["depth"], *phase) for phase in c["phases"]]
    drawn = [[] for _ in phases]
    for start in range(0, c["networks"], c["at_once"]):
        members = range(start, min(start + c["at_once"], c["networks"]))
        unit = net.init(seeds.derive("init", stream=stream, replicate=replicate, network=n) for n in members)
        for phase, results in zip(phases, drawn, strict=True):
            # All scales are in the weights: the unit network with its weights scaled is that of the phase.
            theta = {name: (phase.sigma_w if name[0] == "W" else phase.sigma_b) * a for name, a in unit.items()}
            results.append((backend.forward(net, theta, x)[..., 0], backend.empirical_ntk(net, theta, x)))
    measured = []
    for number, (phase, results) in enumerate(zip(phases, drawn, strict=True)):
        f, own = (np.concatenate(parts).astype(float) for parts in zip(*results, strict=True))
        rng = seeds.generator("planted", stream=stream, replicate=replicate, depth=c["depth"], phase=number)
        planted = rng.standard_normal(f.shape) @ np.linalg.cholesky(kernels.nngp(phase, x)).T
        (q, q_sr), *_ = kernels.nngp(phase, x[:2])
        units = dict(of_outputs=q**0.5, of_differences=(q - q_sr) ** 0.5)
        measured.append(summary(f, own, kernels.ntk(phase, x), planted, c["ridge"], units))
    return measured


def summary(f, own, limit, planted, ridge, units):
    """Variances of the arms, and conditioning; f and planted are (networks, points), units are other sizes of Y."""
    points = f.shape[1]
    y = np.array([np.insert(np.resize([1.0, -1.0], points - 1), i, 0.0) for i in range(points)])
    ridged = own + ridge * np.trace(own, axis1=1, axis2=2)[:, None, None] / points * np.eye(points)
    arms = {
        "mean_field": trained(limit, f, y),
        "mean_field_pair": trained(limit[:2, :2], f[:, : points // 2 * 2].reshape(len(f), -1, 2)),
        "planted": trained(limit, planted, y),
        "own_kernel": trained(own, f, y),
        "own_kernel_no_labels": trained(own, f),
        "own_kernel_ridge": trained(ridged, f, y),
        **{f"labels_{name}": trained(own, f, size * y) for name, size in units.items()},
        "labels_hundredfold": trained(own, f, 100 * y),
        "labels_alone": trained(own, np.zeros_like(f), y),
    }
    condition, squares = np.linalg.cond(own), (arms["mean_field"] - arms["mean_field"].mean(axis=0)) ** 2
    return {
        **{name: output.var(axis=0, ddof=1).mean() for name, output in arms.items()},
        "condition": np.median(condition),
        "condition_ridge": np.median(np.linalg.cond(ridged)),
        "largest_condition": condition.max(),
        "share": squares.sum(axis=1).max() / squares.sum(),
    }


def trained(kernel, f, y=0.0):
    """f_inf at each point, trained on all others: f_i + sum_j (P_ij / P_ii) (f_j - y_ij) with P = K^-1, y_ii = 0.

    The leave-one-out form of kernel regression (Rasmussen, Williams 2006, section 5.4.2). A ridge is part of K.
    """
    inverse = np.linalg.inv(kernel)
    weights = inverse / np.diagonal(inverse, axis1=-2, axis2=-1)[..., None]
    return (weights * (f[..., None, :] - y)).sum(axis=-1)


def mean_field(phase, depth):
    """q and q_sr, variance and covariance of f_0, and kappa1 / kappa2, in the limit of infinite width."""
    net, x = architecture(LIMIT, depth, *PHASES[phase]), inputs(LIMIT, 2)
    (q, q_sr), (kappa1, kappa2) = kernels.nngp(net, x)[0], kernels.ntk(net, x)[0]
    return q, q_sr, kappa1 / kappa2


def theorem3(q, q_sr, kappa_ratio, samples=SAMPLES):
    """Var f_inf ~ (1 + A^2/S) (q - q_sr) + (A - 1)^2 q_sr with A = S / (kappa1/kappa2 + S - 1)."""
    a = samples / (kappa_ratio + samples - 1)
    return (1 + a**2 / samples) * (q - q_sr) + (a - 1) ** 2 * q_sr


def ratio(name, label, standard, effect, sd, role="secondary"):
    """A hypothesis on the logarithm of a ratio; a standard is a rule and why its margin is what it is."""
    return Hypothesis(name, f"natural logarithm of: {label}", *standard, effect, sd, role, label=label, scale="ratio")


ONE, OWN, OVER = "one mean-field kernel", "own kernels", "variance / Theorem 3"
CLEAR = Equivalence(log(1.15)), "clear of the Monte-Carlo error of 2 %; depth / width is 0.05"
EIGHTH = (
    Equivalence(log(1.25)),
    "an output's standard deviation off by an eighth; the theorem leaves out terms of order depth / width, here 0.16 "
    "(exploration showed 0.14 in the chaotic phase, which is a hypothesis of its own)",
)
WORKS = Equivalence(log(2)), "the paper calls an estimate failing or not, without a number; for us failing is off by 2"
FAILS = Superiority(log(2)), WORKS[1]
ABOVE = Superiority(log(1.05)), "clear of the Monte-Carlo error of 2 %"
RESTORED = Equivalence(log(2)), "does a ridge that conditions these kernels as at the edge (45; there 65) restore it?"
WORSE = Superiority(log(10)), "an order of magnitude is the least that one would call ill-conditioned beside the other"
CLOSES = Superiority(log(1.1)), "a third of what is missing at M = 64"
ALIKE = Equivalence(log(5)), "small beside the factor of 10^5 by which the formula differs between these phases"

UNITS = {"of_outputs": "f_0", "of_differences": "differences of f_0"}
IN_OTHER_UNITS = (
    *((p, "of_outputs", FAILS, effect, 0.1) for p, effect in (("ordered", 8.1), ("edge", 2.0), ("chaotic", 1.0))),
    *((p, "of_differences", WORKS, e, 0.08) for p, e in (("ordered", 0.3), ("edge", -0.1), ("chaotic", -0.3))),
)

HYPOTHESES = (
    *(
        ratio(f"premise_{p}_{depth}", f"{p}, {depth} layers, {ONE}: {OVER}", standard, effect, 0.06, "primary")
        for depth, standard, expected in ((3, CLEAR, (0.0, 0.01, 0.02)), (10, EIGHTH, (0.0, 0.06, 0.14)))
        for p, effect in zip(PHASES, expected, strict=True)
    ),
    ratio("premise_pair_edge", f"edge, 10 layers, S = 1, {ONE}: {OVER}", EIGHTH, 0.04, 0.06, "primary"),
    ratio("premise_pair_chaotic", f"chaotic, 10 layers, S = 1, {ONE}: {OVER}", EIGHTH, 0.06, 0.06, "primary"),
    ratio("ill_conditioned", f"10 layers, {OWN}, condition number: ordered / edge", WORSE, 4.5, 0.1, "primary"),
    ratio("breaks_ordered", f"ordered, 10 layers, {OWN}, labels +-1: {OVER}", FAILS, 7.4, 0.1, "primary"),
    ratio("holds_edge", f"edge, 10 layers, {OWN}, labels +-1: {OVER}", WORKS, 0.25, 0.06),
    ratio("holds_chaotic", f"chaotic, 10 layers, {OWN}, labels +-1: {OVER}", WORKS, -0.45, 0.06),
    *(
        ratio(f"{p}_{unit}", f"{p}, 10 layers, {OWN}, labels of the size of {UNITS[unit]}: {OVER}", *told)
        for p, unit, *told in IN_OTHER_UNITS
    ),
    *(
        ratio(f"own_kernel_{p}", f"{p}, 3 layers, {OWN}, Y = 0: {OVER}", CLEAR, effect, 0.035)
        for p, effect in zip(PHASES, (-0.25, -0.29, -0.3), strict=True)
    ),
    ratio("shortfall_closes", f"3 layers, Y = 0, {OWN} / {ONE}: wide / M = 64", CLOSES, 0.2, 0.035),
    ratio("deep_chaotic_above", f"chaotic, 10 layers, {ONE}, above: {OVER}", ABOVE, 0.14, 0.06),
    ratio("ordered_without_labels", f"ordered, 10 layers, {OWN}, Y = 0: {OVER}", WORKS, -0.15, 0.1),
    ratio("ordered_reconditioned", f"ordered, 10 layers, {OWN} + ridge, labels: {OVER}", RESTORED, 1.5, 0.07),
    ratio("label_term_by_phase", "10 layers, variance of k K^-1 Y: ordered / chaotic", ALIKE, 1.13, 0.05),
)

CLAIM = Statement(
    id="seleznova2020/output_variance_theory",
    paper=Paper(
        authors="Seleznova, Kutyniok",
        year=2020,
        title="Analyzing Finite Neural Networks: Can We Trust Neural Tangent Kernel Theory?",
        locus="Section 5, Theorem 3, Figures 5 and 6",
        read="full text; values of figures read off by eye, within about 10 %",
    ),
    title="With labels of size one the NTK formula for the variance of trained outputs fails in the ordered phase",
    statement=(
        "Trained to the end under a constant, well-conditioned kernel, a random network's output has variance "
        "(1 + A^2/S)(q - q_sr) + (A - 1)^2 q_sr, A = S / (kappa1/kappa2 + S - 1), for S training samples (Theorem 3). "
        "In the ordered phase the kernel is ill-conditioned and the estimate fails."
    ),
    operationalised=(
        "ln(Monte-Carlo variance / formula), q and kappa in closed form. ReLU, M = n_0 = 64, sigma_b^2 = 1, sigma_w^2 "
        "= 1, 2, 3; S = 8, |x|^2 = n_0, every pair at correlation 1/2. The unit (seed) is a group of independent "
        "networks, 400 with 3 layers or 300 with 10. Premise: one mean-field kernel for all; S = 1 too, where A "
        "counts. Consequence: each network has its own kernel at initialisation, labels +1 and -1 by turns, 10 layers: "
        "off by more than 2 in the ordered phase."
    ),
    departs=(
        "The paper simulates nothing for Theorem 3: widths, S, labels and margins are ours, and so is holding its "
        "consequences against networks with their own, random kernels. Nothing is trained by steps: f_inf is solved "
        "for. Kernels include bias gradients, which kappa leaves out as O(1/M). The paper names no size of labels, and "
        "states that this part of it does not explain deep networks at the edge or in the chaotic phase; those phases, "
        "labels in other units, own kernels without labels, with a ridge, and wider networks are our ablations."
    ),
    family="seleznova2020",
    hypotheses=HYPOTHESES,
    controls=(
        Control("planted_gaussian", "premise_chaotic_10", "SUPPORTED", "Gaussian f_0, mean-field kernel: the theorem"),
        Control("planted_not_broken", "breaks_ordered", "not SUPPORTED", "the same, ordered: labels add no variance"),
        Control("large_labels", "breaks_ordered", "SUPPORTED", "at the edge, labels x 100: their term must be seen"),
        Control("kappas_swapped", "premise_pair_chaotic", "not SUPPORTED", "a wrong theorem, kappa2 / kappa1 in A"),
    ),
    gates=(
        Gate("finite", "every variance is finite and positive", failure="BROKEN"),
        Gate("solved", f"no kernel has a condition number above {WORST_CONDITION:.0e}, so float64 solves it"),
        Gate("tails", f"one kernel for all: no network makes over {LARGEST_SHARE:.0%} of its group's variance"),
    ),
    limits=(
        "The formula has no label term, so how far it is off depends on the size of the labels: 1 is 60 times the "
        "standard deviation of the differences of f_0 in the ordered phase, and a fifth of it in the chaotic. In units "
        "of f_0 the estimate may fail in every phase, in units of its differences in none; read what stands beside. "
        "That conditioning is the reason is not shown: a ridge that repairs it does not repair the estimate. Said to "
        "a factor of 2, at depth / width 0.16, for kernels at initialisation. With S = 8 the formula hardly depends "
        "on A."
    ),
)

QUICK = cells((64, 3, 400, 100), (64, 6, 150, 50), (64, 10, 300, 50), (256, 3, 40, 20))
FULL = cells((64, 3, 4000, 500), (64, 6, 4000, 250), (64, 10, 4000, 250), (64, 20, 4000, 100), (1024, 3, 100, 20))
EXPERIMENTS = (Experiment(output_variance, Tier(QUICK), Tier(FULL), dtype="float64", stream="registered-2"),)


def log_of(m, arm, phase, depth, width=WIDTH):
    """ln of what was measured of an arm, per group."""
    return np.log(m(arm, width=width, depth=depth)[:, list(PHASES).index(phase)])


def log_ratio(m, arm, phase, depth, samples=SAMPLES, ridge=0.0):
    """ln(variance of an arm / Theorem 3), per group; a ridge adds to kappa1."""
    q, q_sr, kappa_ratio = mean_field(phase, depth)
    return log_of(m, arm, phase, depth) - log(theorem3(q, q_sr, kappa_ratio * (1 + ridge), samples))


def log_shortfall(m, phase, width):
    """ln(variance with own kernels / one for all), no labels, 3 layers, per group."""
    return np.subtract(*(log_of(m, a, phase, SHALLOW, width) for a in ("own_kernel_no_labels", "mean_field")))


def effects(m):
    """ln(variance / Theorem 3) and its differences, per group."""
    q, q_sr, kappa_ratio = mean_field("chaotic", DEEP)
    swapped = log(theorem3(q, q_sr, 1 / kappa_ratio, samples=1))
    widest = max(c["width"] for c in m.configurations("mean_field"))
    return {
        **{f"premise_{p}_{d}": log_ratio(m, "mean_field", p, d) for d in (SHALLOW, DEEP) for p in PHASES},
        **{f"premise_pair_{p}": log_ratio(m, "mean_field_pair", p, DEEP, samples=1) for p in ("edge", "chaotic")},
        "ill_conditioned": np.subtract(*(log_of(m, "condition", p, DEEP) for p in ("ordered", "edge"))),
        "breaks_ordered": log_ratio(m, "own_kernel", "ordered", DEEP),
        **{f"holds_{p}": log_ratio(m, "own_kernel", p, DEEP) for p in ("edge", "chaotic")},
        **{f"{p}_{unit}": log_ratio(m, f"labels_{unit}", p, DEEP) for p in PHASES for unit in UNITS},
        **{f"own_kernel_{p}": log_ratio(m, "own_kernel_no_labels", p, SHALLOW) for p in PHASES},
        "shortfall_closes": np.mean([log_shortfall(m, p, widest) - log_shortfall(m, p, WIDTH) for p in PHASES], axis=0),
        "deep_chaotic_above": log_ratio(m, "mean_field", "chaotic", DEEP),
        "ordered_without_labels": log_ratio(m, "own_kernel_no_labels", "ordered", DEEP),
        "ordered_reconditioned": log_ratio(m, "own_kernel_ridge", "ordered", DEEP, ridge=RIDGE),
        "label_term_by_phase": np.subtract(*(log_of(m, "labels_alone", p, DEEP) for p in ("ordered", "chaotic"))),
        "planted_gaussian": log_ratio(m, "planted", "chaotic", DEEP),
        "planted_not_broken": log_ratio(m, "planted", "ordered", DEEP),
        "large_labels": log_ratio(m, "labels_hundredfold", "edge", DEEP),
        "kappas_swapped": log_of(m, "mean_field_pair", "chaotic", DEEP) - swapped,
    }


def gates(m):
    """Finite variances, solvable kernels, no variance that hangs on one network."""
    found = m.configurations("mean_field")
    variances = np.array([m(arm, **c) for arm in ("mean_field", "own_kernel", "own_kernel_ridge") for c in found])
    condition, share = (np.max([m(name, **c).max() for c in found]) for name in ("largest_condition", "share"))
    return {
        "finite": "" if (np.isfinite(variances) & (variances > 0)).all() else "a variance is zero or not finite",
        "solved": "" if condition <= WORST_CONDITION else f"a kernel has condition number {condition:.1e}",
        "tails": "" if share <= LARGEST_SHARE else f"one network makes {share:.0%} of its group's variance",
    }


def figures(by_backend):
    """Variance over Theorem 3 against depth, from the first backend; kappa1 / kappa2 beside the paper's."""
    backend, m = next(iter(by_backend.items()))
    depths = sorted(c["depth"] for c in m.configurations("mean_field") if c["width"] == WIDTH)

    def line(label, arm, phase, ridge=0.0):
        return Series.of(label, depths, [np.exp(log_ratio(m, arm, phase, d, ridge=ridge)) for d in depths], log=True)

    arms = {"one mean-field kernel": "mean_field", "own kernels, Y = 0": "own_kernel_no_labels"}
    unlabelled = [line(f"{p}, {label}", arm, p) for label, arm in arms.items() for p in PHASES]
    labelled = [line(p, "own_kernel", p) for p in PHASES]
    labelled += [line("ordered, with a ridge", "own_kernel_ridge", "ordered", RIDGE)]
    in_units = [line(f"{p}, {told}", f"labels_{unit}", p) for unit, told in UNITS.items() for p in PHASES]
    ladder, read = (1, 2, 3, 5, 8, 10, 15, 20, 30, 47), zip(PHASES, (1.0, 1.45, 2.7), (1.0, 1.63, 3.2), strict=True)
    theory = [Series(p, ladder, tuple(mean_field(p, depth)[2] for depth in ladder)) for p in PHASES]
    paper = [Series(f"paper, read off: {p}", (47.0, 47.0), (a, b)) for p, a, b in read]
    note = f"ReLU, M = {WIDTH}, S = {SAMPLES}, {backend}, geometric mean over groups of networks."
    ranges = "Closed form at input correlation 1/2; 1 is singular. The paper's ranges: correlations 0 to 1."
    return (
        figure("Trained outputs, no labels or one kernel for all", note, OVER, unlabelled, log_y=True, reference_y=1.0),
        figure("Trained outputs, own kernels, labels +1 and -1", note, OVER, labelled, log_y=True, reference_y=1.0),
        figure("The same, labels in units of the outputs", note, OVER, in_units, log_y=True, reference_y=1.0),
        figure("Conditioning of the mean-field kernel", ranges, "kappa1 / kappa2", theory + paper),
    )


def figure(title, description, y_label, series, **axes):
    """A figure against depth."""
    return Figure(title, description, "hidden layers", y_label, tuple(series), **axes)


STUDY = Study(CLAIM, EXPERIMENTS, effects, gates, figures)


def test_output_variance_theory(verdict):
    """Theorem 3 under its premise in every phase; with own kernels and labels +-1 it fails in the ordered phase."""
    assert verdict.kind == "SUPPORTED", verdict.reason
