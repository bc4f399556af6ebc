"""L3. The equivalence of a trained network and regression with its NTK does not hold well in practice; what fails."""

from math import log

import numpy as np

from harness.experiment import Experiment, Tier, grid
from harness.learning import equivalence
from harness.learning.equivalence import descent_by_theory, kernel_predictors, tuned
from harness.learning.problems import problem, relative
from harness.learning.regression import STATIONARY, distances
from harness.plots import Figure, Series
from harness.study import Control, Equivalence, Gate, Hypothesis, Paper, Statement, Study, Superiority

NEAR = 0.1  # of the target's standard deviation: nearer than this we would call two predictors equal
TARGETS = {"wave": "sin(2.5 u.x)", "rough": "sign(u.x)", "smooth": "cos(u.x) + sin(v.x)", "friedman": "Friedman"}
OTHERS = ("rough", "smooth", "friedman")
WIDTH, NARROW, DEPTHS, FITTED = 256, 64, (1, 2), 0.01
TINY = 1e-4  # label scale at which a network stays where it started
LENGTHS = (1.0, 2.0, 4.0)  # length scales, times the root of the number of inputs

SAMPLES = dict(inputs=5, noise=0.1, samples=100, validation=25)
DESCENT = dict(**SAMPLES, steps=400, depth=DEPTHS)
TRAINED = dict(**DESCENT, centred=True)


def trained_cells(widths, scales):
    """Widths with the labels as they are; smaller labels in narrow nets; other targets; and labels of other inputs."""
    ladder = grid(**TRAINED, target="wave", width=widths, label_scale=1.0, permuted=False)
    small = grid(**TRAINED, target="wave", width=NARROW, label_scale=scales, permuted=False)
    other = grid(**TRAINED, target=OTHERS, width=WIDTH, label_scale=1.0, permuted=False)
    return (*ladder, *small, *other, *grid(**TRAINED, target="wave", width=NARROW, label_scale=1.0, permuted=True))


def distance(name, what, effect, sd, role="secondary"):
    """The hypothesis that two predictors lie apart: mean over depths of ln(distance / 0.1), per seed."""
    statement = f"{what}: mean over 1 and 2 layers of ln(distance / 0.1) is positive"
    return Hypothesis(
        name, statement, APART, WHY, effect, sd, role, label=f"{what}: distance / 0.1", scale="ratio", agreement=0.05
    )


def rival(target, effect, sd):
    """The hypothesis that the best kernel of four, which knows no network, is at most 10 % worse than the NTK."""
    return Hypothesis(
        f"{target}_rival",
        f"{TARGETS[target]}, 2 layers: ln(E_NTK / E_other) > -ln 1.1; other: Laplace, Matern 3/2, 5/2 or RBF",
        Superiority(margin=-log(1.1)),
        "a tenth of the error is what the choice of a kernel may cost before one would call it worse",
        *(effect, sd, "secondary"),
        label=f"{TARGETS[target]}: E_NTK / E of another kernel",
        scale="ratio",
    )


APART, WHY = (
    Superiority(margin=log(1.1)),
    "a tenth of the deviation is what we would let pass, and a tenth above it is seen",
)
RIVALRY = (0.13, 0.25), (0.15, 0.1), (0.7, 0.3), (0.4, 0.2)  # expected effect and sd, by target
RATE = "slope of ln distance on ln width, mean over 1 and 2 layers, of "

CLAIM = Statement(
    id="liu2025/equivalence_theorem_in_practice",
    paper=Paper(
        authors="Liu, Tai, Crandall, Huang",
        year=2025,
        title="Issues with Neural Tangent Kernel Approach to Neural Networks",
        locus="abstract",
        read="abstract and third-party summaries; no table and no number of the paper is known to us",
    ),
    title="A trained network is not regression with its NTK at practical width",
    statement=(
        "The theorem that a trained network is equivalent to kernel regression with its NTK does not hold well in "
        "practice. Other kernels rival the NTK (the latter by a third-party summary)."
    ),
    operationalised=(
        "Distance: root mean square difference of two predictors over 500 test points, over the target's standard "
        "deviation. The network is trained as the theorem asks (NTK parametrization, sigma_w^2 = 2, sigma_b = 0.3, "
        "ReLU, full batch, f - f_0) by 400 steps of heavy ball at 3/4 of the edge of stability, to a loss below 1 %; "
        "the predictor descends with the frozen NTK by the same steps. 100 samples, x ~ N(0, I_5), noise 0.1, target "
        "sin(2.5 u.x). Claim: at width 256 the distance exceeds 0.1 (by a tenth of it; mean over 1 and 2 hidden "
        "layers of ln(distance / 0.1), per seed)."
    ),
    departs=(
        "The paper's networks, data and training are not known to us, and what is 'well' is ours. A network that "
        "breaks the theorem's conditions would differ for that; so all but width and label scale are the theorem's "
        "own. The split into a kernel that is random at initialisation and one that moves in training is ours."
    ),
    family="liu2025",
    hypotheses=(
        distance("net_off", f"{TARGETS['wave']}, network to NTK, width {WIDTH}", 1.3, 0.15, "primary"),
        distance("rough_off", f"{TARGETS['rough']}, network to NTK, width {WIDTH}", 0.77, 0.13),
        distance("smooth_off", f"{TARGETS['smooth']}, network to NTK, width {WIDTH}", 0.26, 0.12),
        distance("friedman_off", f"{TARGETS['friedman']}, network to NTK, width {WIDTH}", 0.25, 0.1),
        distance("kernel_off", f"wave, eNTK at initialisation to NTK, width {WIDTH}, not trained", 1.25, 0.07),
        distance("movement_off", f"wave, network to its own eNTK, width {WIDTH}", 1.5, 0.12),
        Hypothesis(
            "kernel_rate",
            RATE + "the eNTK's predictor to the NTK's is -1/2; nothing is trained",
            Equivalence(margin=0.1),
            *("tells -1/2, the rate of independent fluctuations, from -1", 0.03, 0.02, "secondary"),
            label="eNTK to NTK: slope in width + 1/2",
        ),
        Hypothesis(
            "net_rate",
            RATE + "the trained network to the NTK's predictor, plus 1/2, is positive: slower than the kernel",
            Superiority(margin=0.05),
            *("half of what the kernel's rate may deviate", 0.16, 0.08, "secondary"),
            label="network to NTK: slope in width + 1/2",
        ),
        Hypothesis(
            "by_labels",
            f"width {NARROW}: slope of ln distance, network to its own eNTK, on ln label scale (1 to 0.01) is positive",
            Superiority(margin=0.2),
            *("a slope of 0.2 is a factor of 2.5 in two decades", 0.34, 0.05, "secondary"),
            label="network to own eNTK: slope in label scale",
        ),
        *(rival(target, *seen) for target, seen in zip(TARGETS, RIVALRY, strict=True)),
    ),
    controls=(
        Control("permuted", "net_off", "SUPPORTED", "a network that was taught the labels of other inputs"),
        Control("tiny_labels", "net_off", "not SUPPORTED", f"with labels x {TINY} a net is descent with its own eNTK"),
        Control("wrong_kernel", "kernel_rate", "not SUPPORTED", "the eNTK's predictor does not approach the NNGP's"),
    ),
    gates=(
        Gate("fitted", "every network ends at a mean loss below 1 % of the target's variance"),
        Gate("finite", "every error and distance is finite and positive", failure="BROKEN"),
    ),
    limits=(
        "The theorem is about infinite width: a distance at width 256 does not contradict it, and its two halves are "
        "decided apart beside it. A single network is compared; the scale of the labels against f_0 decides how far "
        "its kernel moves."
    ),
)


def stationary_kernels(backend, configuration, replicates, stream):
    """Test errors of regression with the NTK and with kernels that know no network; ridge and length by validation.

    Configuration: of `problem`; depth, of the NTK's network.
    Returns relative E per replicate: "ntk", "laplace", "matern_32", "matern_52", "rbf"; "best", that of the four with
    the least validation loss.
    """
    training, validation, test = problem(configuration, replicates, stream)
    others = np.concatenate([validation.x, test.x], axis=1)
    root, found = configuration["inputs"] ** 0.5, {}
    near, far = (np.array([*map(distances, xs, training.x)]) / root for xs in (training.x, others))
    for name, kernel in STATIONARY.items():
        fits = [tuned(kernel(near / s), kernel(far / s), training, validation) for s in LENGTHS]
        found[name] = least(fits)
    net = equivalence.network({**configuration, "width": 1}, "ntk")
    ntk = equivalence.ntk_regression(backend, net, training, validation, test)
    fits = {**found, "best": least(list(found.values())), "ntk": (ntk, None)}
    return {name: relative(prediction - test.y, test) for name, (prediction, _) in fits.items()}


def least(fits):
    """Of several fits, predictions and validation losses, per replicate those of least loss."""
    predictions, losses = (np.array(side) for side in zip(*fits, strict=True))
    chosen = losses.argmin(axis=0), np.arange(losses.shape[1])
    return predictions[chosen], losses[chosen]


STREAM = "registered-1"
EXPERIMENTS = (
    Experiment(
        kernel_predictors,
        quick=Tier(grid(**DESCENT, target="wave", width=(64, 128, 256, 512, 1024)), replicates=12),
        full=Tier(grid(**DESCENT, target="wave", width=(64, 256, 1024, 4096, 16384)), replicates=100, block=10),
        stream=STREAM,
    ),
    Experiment(
        descent_by_theory,
        quick=Tier(trained_cells((64, 128, 256), (0.1, 0.01, TINY)), replicates=12),
        full=Tier(trained_cells((64, 256, 1024, 4096), (0.1, 0.01, 1e-3, TINY)), replicates=100, block=10),
        stream=STREAM,
    ),
    Experiment(
        stationary_kernels,
        quick=Tier(grid(**SAMPLES, target=tuple(TARGETS), depth=2), replicates=12),
        full=Tier(grid(**SAMPLES, target=tuple(TARGETS), depth=(1, 2, 3, 4, 5)), replicates=100, block=10),
        dtype="float64",
        stream=STREAM,
    ),
)


def trained(m, quantity, depth, **where):
    """A quantity of trained networks, per seed; the wave and its labels as they are unless told otherwise."""
    plain = dict(target="wave", width=WIDTH, label_scale=1.0, permuted=False)
    return m(quantity, **{**plain, "depth": depth, **where})


def untrained(m, quantity, depth, width):
    """A quantity of the predictors of kernels at initialisation, per seed."""
    return m(quantity, depth=depth, width=width, label_scale=None)


def apart(m, quantity, **where):
    """ln(distance / 0.1), mean over depths, per seed."""
    return np.mean([np.log(trained(m, quantity, d, **where) / NEAR) for d in DEPTHS], axis=0)


def slope(sizes, value):
    """Least-squares slope of ln value(size, depth) on ln size, mean over depths, per seed."""
    x = np.log(sizes) - np.mean(np.log(sizes))
    return np.mean([x @ np.log([value(size, d) for size in sizes]) / (x @ x) for d in DEPTHS], axis=0)


def ladders(m):
    """Widths of the kernels' predictors, widths of trained networks, and label scales, of the claim's cells."""
    kernel = sorted({c["width"] for c in m.configurations("own_to_limit") if "label_scale" not in c})
    cells = [c for c in m.configurations("net_to_own") if c["target"] == "wave" and not c["permuted"]]
    scales = sorted({c["label_scale"] for c in cells if c["width"] == NARROW and c["label_scale"] >= 0.01})
    return kernel, sorted({c["width"] for c in cells}), scales


def effects(m):
    """ln of distances and of ratios of errors, and rates, per seed."""
    kernel_widths, widths, scales = ladders(m)

    def rivalry(target):
        return np.log(m("ntk", target=target, depth=2) / m("best", target=target, depth=2))

    return {
        "net_off": apart(m, "net_to_limit"),
        **{f"{target}_off": apart(m, "net_to_limit", target=target) for target in OTHERS},
        "kernel_off": np.mean([np.log(untrained(m, "own_to_limit", d, WIDTH) / NEAR) for d in DEPTHS], axis=0),
        "movement_off": apart(m, "net_to_own"),
        "kernel_rate": slope(kernel_widths, lambda w, d: untrained(m, "own_to_limit", d, w)) + 0.5,
        "net_rate": slope(widths, lambda w, d: trained(m, "net_to_limit", d, width=w)) + 0.5,
        "by_labels": slope(scales, lambda s, d: trained(m, "net_to_own", d, width=NARROW, label_scale=s)),
        **{f"{target}_rival": rivalry(target) for target in TARGETS},
        "permuted": apart(m, "net_to_limit", width=NARROW, permuted=True),
        "tiny_labels": apart(m, "net_to_own", width=NARROW, label_scale=TINY),
        "wrong_kernel": slope(kernel_widths, lambda w, d: untrained(m, "own_to_nngp", d, w)) + 0.5,
    }


def gates(m):
    """Whether all were trained, and all distances are finite."""
    cells = [c for c in m.configurations("loss") if not c["permuted"]]
    losses = {f"{c['target']}, width {c['width']}, {c['depth']} layers, labels x {c['label_scale']}": c for c in cells}
    means = {name: m("loss", **c).mean() for name, c in losses.items()}
    short = [f"{name}: {mean:.2g}" for name, mean in means.items() if not mean <= FITTED]
    values = [m(q, **c) for q in ("net_to_own", "net_to_limit", "error") for c in cells]
    return {
        "fitted": f"the training loss is too large at: {'; '.join(short)}" if short else "",
        "finite": "" if (np.isfinite(values) & (np.array(values) > 0)).all() else "a value is not finite and positive",
    }


def figures(by_backend):
    """Distances against width and against label scale; errors of the kernels on every target."""
    backend, m = next(iter(by_backend.items()))
    kernel_widths, widths, scales = ladders(m)
    note = f"{backend}, geometric mean over seeds with 95 % intervals; the line is at 0.1."
    start = np.exp(np.log(untrained(m, "own_to_limit", 1, NARROW)).mean())
    ends, by_scale = np.array([NARROW, kernel_widths[-1]], dtype=float), []
    by_width = [Series("slope -1/2", tuple(ends), tuple(float(y) for y in start * (ends / NARROW) ** -0.5))]
    for d in DEPTHS:
        kernel = {q: [untrained(m, q, d, w) for w in kernel_widths] for q in ("own_to_limit", "nngp_to_limit")}
        net = [trained(m, "net_to_limit", d, width=w) for w in widths]
        for label, x, y in (
            ("eNTK to NTK", kernel_widths, kernel["own_to_limit"]),
            ("NNGP to NTK", kernel_widths, kernel["nngp_to_limit"]),
            ("network to NTK", widths, net),
        ):
            by_width.append(Series.of(f"{label}, layers: {d}", x, y, log=True))
        for label, q in (("own eNTK", "net_to_own"), ("NTK", "net_to_limit")):
            y = [trained(m, q, d, width=NARROW, label_scale=s) for s in scales]
            by_scale.append(Series.of(f"network to {label}, layers: {d}", scales, y, log=True))
    axes, y = dict(log_x=True, log_y=True, reference_y=NEAR), "distance, over the target's deviation"
    at = f"{TARGETS['wave']}; {note}"
    return (
        Figure("Distance of predictors against width", at, "width", y, tuple(by_width), **axes),
        Figure("Distance against label scale", f"Width {NARROW}; {at}", "label scale", y, tuple(by_scale), **axes),
        rivals(m, backend),
    )


def rivals(m, backend):
    """Errors of the NTK and of kernels that know no network, by target."""
    names = dict(ntk="NTK, 2 layers", laplace="Laplace", matern_32="Matern 3/2", matern_52="Matern 5/2", rbf="RBF")
    targets = range(len(TARGETS))
    found = tuple(
        Series.of(label, targets, [m(name, target=t, depth=2) for t in TARGETS], log=True)
        for name, label in names.items()
    )
    order = ", ".join(f"{k}: {text}" for k, text in enumerate(TARGETS.values()))
    note = f"Ridge and length scale by validation; {backend}, geometric mean over seeds. Targets {order}."
    return Figure("Errors of kernels", note, "target", "E, over the target's variance", found, log_y=True)


STUDY = Study(CLAIM, EXPERIMENTS, effects, gates, figures)


def test_equivalence_theorem_in_practice(verdict):
    """At width 256 a network trained as the theorem asks is not its NTK predictor, within a tenth of the target."""
    assert verdict.kind == "SUPPORTED", verdict.reason
