"""S3. In the ordered phase the NTK is nearly constant in training, at every depth. Is it because nothing is learnt?"""

from math import inf, log

import numpy as np
from harness.in_span import kernel_change, training_by_protocol

from harness import phase_maps
from harness.experiment import Experiment, Tier, grid
from harness.plots import Figure, Series
from harness.study import Control, Equivalence, Gate, Hypothesis, Paper, Statement, Study, Superiority

DEPTHS = SHALLOW, DEEP, DEEPEST = 3, 10, 20
ORDERED, MORE_ORDERED = 1.0, 0.5  # sigma_w^2 at sigma_b^2 = 1; the edge of chaos of ReLU is 2
SMALL, LARGE = 0.05, 8.0  # factors on the targets of the controls
CONSTANT = 0.25  # a kernel that changes by less is called nearly constant

COMMON, FULL = dict(phase_maps.NET, width=64, samples=32, centred=False), dict(width=256, samples=128)


def protocol(flow_time: float, steps: int, fewer: int, scaled_steps: int, **common: object) -> tuple[dict, ...]:
    """Training by the paper's protocol, raw and centred; at twice the rate; at half the edge; and the controls."""
    plain = {**COMMON, **common, "flow_time": flow_time, "edge_fraction": None, "target_loss": None, "steps": steps}
    scaled = {**plain, "flow_time": None, "edge_fraction": 0.5, "target_loss": 0.02, "steps": scaled_steps}
    centred = {**plain, "centred": True, "sigma_w2": ORDERED}
    return (
        *grid(**plain, sigma_w2=ORDERED, depth=DEPTHS),
        *grid(**{**plain, "steps": fewer}, sigma_w2=MORE_ORDERED, depth=DEPTHS),
        *grid(**scaled, sigma_w2=ORDERED, depth=DEEP),
        *grid(**centred, depth=(SHALLOW, DEEP)),
        *grid(**{**plain, "steps": steps // 2}, sigma_w2=ORDERED, depth=DEEP),
        *grid(**{**centred, "label_scale": (SMALL, LARGE), "steps": steps // 2}, depth=SHALLOW),
    )


def matched(max_steps: int, **common: object) -> tuple[dict, ...]:
    """Training to one loss, raw and centred, as in the claim on the chaotic phase."""
    plain = {**COMMON, **common, "centred": (False, True), "sigma_w2": ORDERED, "depth": (SHALLOW, DEEP)}
    return grid(**plain, edge_fraction=0.5, target_loss=0.05, max_steps=max_steps)


WHY_A_QUARTER = (
    "2^-4 is the most that we read off the paper's ordered phase from sigma_w^2 = 0.5 on, at four times this width; "
    "the change in training falls at most as 1 / width"
)
A_QUARTER = (Superiority(margin=-log(CONSTANT)), WHY_A_QUARTER)
NO_DOUBLING = (
    Superiority(margin=-log(2)),
    ("read off the paper, Delta grows fourfold from 3 to 20 layers in the chaotic phase; half of that"),
)
GROWTH = Superiority(margin=log(1.5)), "half as much again is the least that one would call growth"
SAME = Equivalence(margin=log(1.5)), "a quarter of what separates the phases at 10 layers, in logarithms"

# Name, ratio whose logarithm is the effect, rule, expected effect and sd.
PRIMARY = (
    ("constant_3", "3 layers, raw, by protocol: 1 / Delta", A_QUARTER, 1.97, 0.35),
    ("constant_10", "10 layers, raw, by protocol: 1 / Delta", A_QUARTER, 2.35, 0.85),
    ("constant_20", "20 layers, raw, by protocol: 1 / Delta", A_QUARTER, 2.35, 0.8),
    ("no_growth", "raw, by protocol: Delta at 3 / 20 layers", NO_DOUBLING, 0.35, 0.85),
)
SECONDARY = (
    ("more_ordered_constant", "sigma_w^2 = 0.5, 3 layers, raw, by protocol: 1 / Delta", A_QUARTER, 1.7, 0.5),
    ("grows_per_learning", "centred, by protocol: Delta per part learnt, 10 / 3 layers", GROWTH, 0.95, 0.4),
    ("moves_once_trained", "10 layers, raw: Delta at half the edge / by protocol", GROWTH, 0.85, 0.7),
    ("matched_no_growth", "raw, at loss 0.05: Delta at 3 / 10 layers", NO_DOUBLING, -0.5, 0.7),
    ("centred_grows", "centred, at loss 0.05: Delta at 10 / 3 layers", GROWTH, 1.33, 0.25),
    ("rate_does_not_matter", "10 layers, raw, by protocol: Delta at the rate / at twice the rate", SAME, 0.0, 0.32),
)


def ratio(name: str, label: str, rule: tuple, effect: float, sd: float, role: str) -> Hypothesis:
    """A hypothesis on a ratio; its effect is the logarithm."""
    statement = f"{label}; the effect is its natural logarithm, per seed"
    return Hypothesis(name, statement, *rule, effect, sd, role, log(1.1), label, "ratio")


CLAIM = Statement(
    id="seleznova2020/kernel_constancy_in_ordered_phase",
    paper=Paper(
        authors="Seleznova, Kutyniok",
        year=2020,
        title="Analyzing Finite Neural Networks: Can We Trust Neural Tangent Kernel Theory?",
        locus="Experiment B, Figures 3, 4 and 8 to 11",
        read="full text; values of figures read off by eye, within about 10 %",
    ),
    title="In the ordered phase training hardly changes the NTK, at any depth",
    statement=(
        "Under full-batch gradient descent at one small rate the NTK of networks initialised in the ordered phase "
        "changes by a small part of its norm, and the change does not grow with depth."
    ),
    operationalised=(
        "Delta = |Theta_t - Theta_0| / |Theta_0| (Frobenius, kernel summed over outputs) after flow time 1 at the "
        "paper's width, M = 256, which is 4 at M = 64: one rate for all seeds, 600 steps in place of 10^5. ReLU, 32 "
        "Fashion-MNIST images with |x|^2 = 784, one-hot targets, mean squared error over samples and outputs, "
        "(sigma_w^2, sigma_b^2) = (1, 1), 3, 10 and 20 hidden layers. Whether the kernel is constant because nothing "
        "was learnt is decided beside it: the part of the labels' variance that is learnt, Delta per such part, and "
        "Delta where all networks are trained to one loss, raw and centred (f - f_0)."
    ),
    departs=(
        "The paper trains 128 MNIST digits at M = 256 for up to 10^5 steps at rate 10^-5 and stops sooner where the "
        "loss stalls; here nobody stops. Steps are fewer and longer, below the edge 2 / lambda_max; halving them is "
        "an arm. Everything but the raw arm by protocol is ours. The cells at one loss are those of the claim on the "
        "chaotic phase, recorded before; margins were set on other seeds. The scale of the inputs, |x|^2 = 784, is "
        "ours (the paper's is not known), and with it the part of the kernel that does not grow with the width: flow "
        "time 256 / M times the paper's trains shallow networks longer than at M = 256, and deep ones shorter."
    ),
    family="seleznova2020",
    hypotheses=(
        *(ratio(*row, role="primary") for row in PRIMARY),
        *(ratio(*row, role="secondary") for row in SECONDARY),
        Hypothesis(
            "nothing_learnt",
            statement="20 layers, raw, by protocol: least loss over that of the best constant is above 0.9",
            rule=Superiority(margin=0.9),
            why_margin="who has learnt less than a tenth of what there is has learnt next to nothing",
            expected_effect=0.999,
            expected_sd=0.001,
            role="secondary",
            agreement=0.01,
            label="20 layers: part of the labels' variance left",
            bounds=(0.0, inf),
        ),
    ),
    controls=(
        Control(
            name="small_targets_constant",
            hypothesis="constant_3",
            expected="SUPPORTED",
            why="a net that starts at zero hardly moves to fit targets of 1/20",
        ),
        Control(
            name="large_targets_constant",
            hypothesis="constant_3",
            expected="not SUPPORTED",
            why="the same net must move far to fit targets of 8",
        ),
        Control(
            name="large_after_small",
            hypothesis="no_growth",
            expected="not SUPPORTED",
            why="from small to large targets the change of one and the same net grows",
        ),
    ),
    gates=(
        Gate("stable", "every fixed rate is below the edge 2 / lambda_max of every network"),
        Gate("matched", "every network that is trained to one loss reached it"),
        Gate("finite", "every kernel change is finite and positive", failure="BROKEN"),
    ),
    limits=(
        "Fashion-MNIST stands in for MNIST, and M = 64 for 256: this tests the mechanism. A kernel that is constant by "
        "this protocol is not shown to be constant for a network that learns."
    ),
)

EXPERIMENTS = (
    Experiment(
        training_by_protocol,
        quick=Tier(protocol(4.0, steps=600, fewer=100, scaled_steps=800), replicates=10),
        full=Tier(protocol(1.0, steps=2_000, fewer=500, scaled_steps=4_000, **FULL), replicates=20, block=10),
        dtype="float64",
        stream="registered-1",
    ),
    # The cells of the claim on the chaotic phase, to the letter: they are computed once for both.
    Experiment(
        kernel_change,
        quick=Tier(matched(20_000), replicates=10),
        full=Tier(matched(100_000, **FULL), replicates=20, block=10),
        stream="registered-1",
    ),
    phase_maps.experiment(
        "fixed rate",
        {"sigma_w2": [1.5, 2.0], "depth": (SHALLOW, DEEP)},
        {"sigma_w2": [1.5], "depth": DEEPEST, "centred": False},
    ),
)


def by_protocol(m, quantity, **where):
    """A quantity per seed at the claim's fixed rate; where two rates were run, at the smaller, of more steps."""
    where = {"lane": 0, "label_scale": 1.0, "centred": False, "sigma_w2": ORDERED, "edge_fraction": None, **where}
    steps = [c["steps"] for c in m.configurations("drift") if all(c[key] == value for key, value in where.items())]
    return m(quantity, **{"steps": max(steps), **where})


def log_change(m, **where):
    """ln Delta per seed at the claim's fixed rate."""
    return np.log(by_protocol(m, "kernel_change", **where))


def log_matched(m, depth, centred):
    """ln Delta per seed at loss 0.05."""
    return np.log(m("kernel_change", depth=depth, centred=centred, target_loss=0.05))


def learnt(m, **where):
    """The part of the labels' variance that is learnt: 1 - least loss / loss of the best constant."""
    return 1 - by_protocol(m, "min_loss", **where) / by_protocol(m, "constant_loss", **where)


def effects(m):
    """Differences of ln Delta, paired by seed."""
    small, large = (log_change(m, depth=SHALLOW, centred=True, label_scale=scale) for scale in (SMALL, LARGE))
    per_learning = {
        d: log_change(m, depth=d, centred=True) - np.log(learnt(m, depth=d, centred=True)) for d in DEPTHS[:2]
    }
    coarse = min(c["steps"] for c in m.configurations("drift") if c["depth"] == DEEP and c["sigma_w2"] == ORDERED)
    return {
        **{f"constant_{depth}": -log_change(m, depth=depth) for depth in DEPTHS},
        "no_growth": log_change(m, depth=SHALLOW) - log_change(m, depth=DEEPEST),
        "more_ordered_constant": -log_change(m, depth=SHALLOW, sigma_w2=MORE_ORDERED),
        "nothing_learnt": 1 - learnt(m, depth=DEEPEST),
        "grows_per_learning": per_learning[DEEP] - per_learning[SHALLOW],
        "moves_once_trained": log_change(m, depth=DEEP, edge_fraction=0.5) - log_change(m, depth=DEEP),
        "matched_no_growth": log_matched(m, SHALLOW, centred=False) - log_matched(m, DEEP, centred=False),
        "centred_grows": log_matched(m, DEEP, centred=True) - log_matched(m, SHALLOW, centred=True),
        "rate_does_not_matter": log_change(m, depth=DEEP) - log_change(m, depth=DEEP, steps=coarse),
        "small_targets_constant": -small,
        "large_targets_constant": -large,
        "large_after_small": small - large,
    }


def gates(m):
    """Whether rates were stable, losses were reached, and all kernels are finite."""
    protocol, cells = m.configurations("drift"), m.configurations("reached")
    wild = [c for c in protocol if not (m("rate_over_edge", **c) < 1).all()]
    short = [c for c in cells if not m("reached", **c).all()]
    changes = np.concatenate([m("kernel_change", **c) for c in (*protocol, *cells)])
    return {
        "stable": f"the rate is above the edge at: {named(wild)}" if wild else "",
        "matched": f"loss 0.05 was not reached by every seed at: {named(short)}" if short else "",
        "finite": "" if (np.isfinite(changes) & (changes > 0)).all() else "a kernel change is zero or not finite",
    }


def named(configurations):
    """Configurations in words."""
    return ", ".join(f"sigma_w^2 {c['sigma_w2']}, {c['depth']} layers, centred {c['centred']}" for c in configurations)


def figures(by_backend):
    """Drift curves, Delta against depth, and Delta against what was learnt, from the first backend."""
    backend, m = next(iter(by_backend.items()))
    arms = [(depth, centred) for centred in (False, True) for depth in DEPTHS[: 2 if centred else 3]]
    ordered = {f"sigma_w^2 = {s}, by protocol": dict(sigma_w2=s) for s in (ORDERED, MORE_ORDERED)}
    return (
        Figure(
            title="Drift of the kernel during training",
            description=f"Delta during training by protocol, {backend}, geometric mean over seeds. A raw network "
            "first learns away the output that it started with; a centred one has only the labels to learn.",
            x_label="steps (the last stands for the paper's 10^5)",
            y_label="kernel change Delta",
            series=tuple(drift(m, f"{d} layers, {'centred' if c else 'raw'}", depth=d, centred=c) for d, c in arms),
            log_x=True,
            log_y=True,
        ),
        Figure(
            title="Kernel change against depth",
            description=f"Delta in the ordered phase, {backend}, geometric mean over seeds.",
            x_label="hidden layers",
            y_label="kernel change Delta",
            series=(
                *(
                    Series.of(label, DEPTHS, [np.exp(log_change(m, depth=d, **where)) for d in DEPTHS], log=True)
                    for label, where in ordered.items()
                ),
                *(
                    Series.of(label, DEPTHS[:2], [np.exp(log_matched(m, d, centred)) for d in DEPTHS[:2]], log=True)
                    for label, centred in (("at loss 0.05, raw", False), ("at loss 0.05, centred", True))
                ),
                Series("paper, M = 256, read off: most", DEPTHS, (2**-4,) * 3),
            ),
            log_y=True,
            reference_y=CONSTANT,
        ),
        Figure(
            title="What was learnt by the end of the protocol",
            description=f"Part of the labels' variance learnt, {backend}, mean over seeds, (1, 1). No more than "
            "what is learnt can have moved the kernel for the labels' sake.",
            x_label="hidden layers",
            y_label="part learnt",
            series=(
                Series.of("raw", DEPTHS, [learnt(m, depth=d) for d in DEPTHS]),
                Series.of("centred", DEPTHS[:2], [learnt(m, depth=d, centred=True) for d in DEPTHS[:2]]),
            ),
        ),
        *(phase_maps.figure(m, backend, "fixed rate", centred, phase_maps.CHANGE) for centred in (False, True)),
    )


def drift(m, label, **where):
    """Delta over the protocol for one arm."""
    steps = by_protocol(m, "checkpoint_steps", **where)[0]
    return Series.of(label, steps, by_protocol(m, "drift", **where).T, log=True)


STUDY = Study(CLAIM, EXPERIMENTS, effects, gates, figures)


def test_kernel_constancy_in_ordered_phase(verdict):
    """By the paper's protocol, raw: a change below a quarter at every depth, and no growth with depth."""
    assert verdict.kind == "SUPPORTED", verdict.reason
