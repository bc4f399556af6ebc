"""S4. In the ordered phase networks lose their trainability with depth: the rate, or the kernel's conditioning?"""

from math import inf, log

import numpy as np
from harness.in_span import training_by_protocol

from harness import phase_maps
from harness.experiment import Experiment, Tier, grid
from harness.plots import Figure, Series
from harness.study import Control, Equivalence, Gate, Hypothesis, Paper, Statement, Study, Superiority

DEPTHS = SHALLOW, DEEP, DEEPEST = 3, 10, 20
ORDERED, MORE_ORDERED, EDGE = 1.0, 0.5, 2.0  # sigma_w^2 at sigma_b^2 = 1; the edge of chaos of ReLU is 2
SILENT = 0.01  # sigma_w^2 at which a deep net does not pass its input on: its output is the same for all of them

NET = dict(width=64, activation="relu", parametrization="standard", sigma_b2=1.0)
COMMON = dict(NET, samples=32, labels="one-hot", label_scale=1.0, centred=False)


def protocol(flow_time: float, steps: int, fewer: int, scaled_steps: int, **common: object) -> tuple[dict, ...]:
    """One fixed rate; half the edge; the controls: a net that does not see its input, and another draw of the weights.

    What is trained at half the edge stops at loss 0.02.
    """
    plain = {**COMMON, **common, "flow_time": flow_time, "edge_fraction": None, "target_loss": None, "lane": 0}
    fixed, more_ordered = {**plain, "steps": steps}, {**plain, "steps": fewer}
    scaled = {**plain, "flow_time": None, "edge_fraction": 0.5, "target_loss": 0.02, "steps": scaled_steps}
    return (
        *grid(**fixed, sigma_w2=ORDERED, depth=DEPTHS),
        *grid(**more_ordered, sigma_w2=MORE_ORDERED, depth=DEPTHS),
        *grid(**scaled, sigma_w2=ORDERED, depth=DEPTHS),
        *grid(**scaled, sigma_w2=EDGE, depth=DEEPEST),
        *grid(**more_ordered, sigma_w2=SILENT, depth=DEEP),
        *grid(**{**fixed, "lane": 1}, sigma_w2=ORDERED, depth=SHALLOW),
    )


DOUBLE = (Superiority(margin=log(2)), "twice the loss is the least that one would call a loss of trainability")
STUCK = (Superiority(margin=0.9), "who has learnt less than a tenth of the labels' variance has learnt next to nothing")
LEARNT = (Superiority(margin=0.25), "a quarter of the labels' variance is the least that one would call learning")
BETTER = (Superiority(margin=log(1.25)), "a quarter more loss is the least that one would call worse")
SAME = (Equivalence(margin=log(1.1)), "10 %, against the factor of four or more that depth makes")
MORE = (Superiority(margin=log(1.1)), "what counts as the same loss in the fixed-rate arm")
IN_ORDER = (Superiority(margin=0.8), "a rank correlation below leaves a third of the order to something else")

# Name, label, rule, expected effect and sd; of ratios the effect is the logarithm.
RATIOS = {
    "primary": (
        ("deep_over_shallow", "fixed rate: least loss at 10 / 3 layers", DOUBLE, 1.5, 0.26),
        ("deepest_over_shallow", "fixed rate: least loss at 20 / 3 layers", DOUBLE, 1.6, 0.26),
    ),
    "secondary": (
        ("more_ordered", "fixed rate, sigma_w^2 = 0.5: least loss at 10 / 3 layers", BETTER, 0.6, 0.17),
        ("scaled_edge_of_chaos", "half the edge, 20 layers: least loss ordered / edge of chaos", BETTER, 0.37, 0.15),
        ("explained_deep", "fixed rate, 10 layers: loss / that of the frozen kernel", SAME, 0.015, 0.035),
        ("explained_deepest", "fixed rate, 20 layers: loss / that of the frozen kernel", SAME, 0.001, 0.002),
        ("beats_frozen_kernel", "half the edge, 10 layers: loss of the frozen kernel / loss", MORE, 0.4, 0.25),
    ),
}
PARTS = {
    "primary": (("stuck", "fixed rate, 20 layers: part of the labels' variance left", STUCK, 0.9995, 0.0005),),
    "secondary": (
        ("scaled_deep_learns", "half the edge, 10 layers: part of the labels' variance learnt", LEARNT, 0.5, 0.15),
        ("scaled_stuck", "half the edge, 20 layers: part of the labels' variance left", STUCK, 0.999, 0.001),
        ("ranks", "fixed rate: rank correlation of condition number and part left", IN_ORDER, 0.9, 0.07),
    ),
}


def ratio(role: str, name: str, label: str, rule: tuple, effect: float, sd: float) -> Hypothesis:
    """A hypothesis on a ratio; its effect is the logarithm."""
    statement = f"{label}; the effect is the natural logarithm of this ratio, per seed"
    return Hypothesis(name, statement, *rule, effect, sd, role, log(1.05), label, "ratio")


def part(role: str, name: str, label: str, rule: tuple, effect: float, sd: float) -> Hypothesis:
    """A hypothesis on a part or a correlation."""
    bounds = (-1.0, 1.0) if name == "ranks" else (0.0, inf)
    return Hypothesis(name, f"{label}, per seed", *rule, effect, sd, role, 0.02, label, bounds=bounds)


CLAIM = Statement(
    id="seleznova2020/ordered_phase_untrainable_with_depth",
    paper=Paper(
        authors="Seleznova, Kutyniok",
        year=2020,
        title="Analyzing Finite Neural Networks: Can We Trust Neural Tangent Kernel Theory?",
        locus="Experiment B, trainability maps beside Figures 3 and 4",
        read="full text; values of figures read off by eye, within about 10 %",
    ),
    title="In the ordered phase networks lose their trainability with depth",
    statement=(
        "Under full-batch gradient descent at one small rate, networks initialised in the ordered phase reach a low "
        "loss when they are shallow, and lose that rapidly with depth: with 20 layers most stay near the loss of "
        "a constant."
    ),
    operationalised=(
        "The least training loss within flow time 1 at the paper's width, M = 256, which is 4 at M = 64: one rate for "
        "all seeds, 600 steps in place of 10^5. ReLU, 32 Fashion-MNIST images with |x|^2 = 784, one-hot targets, "
        "(sigma_w^2, sigma_b^2) = (1, 1) and beside it (0.5, 1); 3, 10 and 20 hidden layers. Held against the best "
        "constant's loss (about 0.09) and against 3 layers. Whether the rate is to blame is decided at half of each "
        "network's edge 2 / lambda_max; whether the kernel's conditioning is, by the loss that gradient descent with "
        "the kernel frozen at the start would have after as many steps."
    ),
    departs=(
        "The paper trains 128 MNIST digits at M = 256 for up to 10^5 steps at rate 10^-5 and stops sooner where the "
        "loss stalls; here nobody stops, which favours the networks. Steps are fewer and longer, below the edge. The "
        "arms at half the edge and the frozen kernel are ours. The scale of the inputs, |x|^2 = 784, is ours (the "
        "paper's is not known), and with it the part of the kernel that does not grow with the width: flow time 256 / "
        "M times the paper's trains shallow networks longer than at M = 256, and deep ones shorter. How much depth "
        "costs at a fixed rate depends on both; at half the edge it does not."
    ),
    family="seleznova2020",
    hypotheses=(
        *(ratio(role, *row) for role, rows in RATIOS.items() for row in rows),
        *(part(role, *row) for role, rows in PARTS.items() for row in rows),
    ),
    controls=(
        Control(
            name="silent_over_shallow",
            hypothesis="deep_over_shallow",
            expected="SUPPORTED",
            why="at sigma_w^2 = 0.01 ten layers shrink what tells inputs apart to 10^-11: a constant is all there is",
        ),
        Control(
            name="one_net_over_another",
            hypothesis="deep_over_shallow",
            expected="not SUPPORTED",
            why="two independent initialisations of one and the same kind of network differ by nothing on average",
        ),
    ),
    gates=(
        Gate("stable", "every fixed rate is below the edge 2 / lambda_max of every network"),
        Gate("finite", "every loss is finite and positive", failure="BROKEN"),
    ),
    limits=(
        "Fashion-MNIST stands in for MNIST, and M = 64 for 256: this tests the mechanism. It speaks of plain gradient "
        "descent for as long as the paper trains; other optimisers, more data or more steps may train these networks. "
        "Read off the paper: least loss about 0.09 up to sigma_w^2 = 0.9 with 10 layers and 1.2 with 20."
    ),
)

EXPERIMENTS = (
    Experiment(
        training_by_protocol,
        quick=Tier(protocol(4.0, steps=600, fewer=100, scaled_steps=800), replicates=10),
        full=Tier(
            protocol(1.0, steps=2_000, fewer=500, scaled_steps=4_000, width=256, samples=128), replicates=20, block=10
        ),
        dtype="float64",
        stream="registered-1",
    ),
    phase_maps.experiment(
        "fixed rate",
        {"sigma_w2": [1.5, EDGE], "depth": (SHALLOW, DEEP)},
        {"sigma_w2": [1.5], "depth": DEEPEST},
        centred=False,
    ),
    phase_maps.experiment("half the edge", {"sigma_w2": [1.5, EDGE], "depth": (SHALLOW, DEEP)}, centred=False),
)


def least(m, quantity="min_loss", **where):
    """Least loss per seed, or another quantity, in the ordered phase at the fixed rate unless told otherwise."""
    return m(quantity, **{"sigma_w2": ORDERED, "lane": 0, "edge_fraction": None, **where})


def left(m, **where):
    """The part of the labels' variance that is left: least loss / loss of the best constant."""
    return least(m, **where) / least(m, "constant_loss", **where)


def effects(m):
    """Logarithms of ratios of least losses, parts left, and rank correlations, per seed."""

    from scipy.stats import spearmanr  # here: a worker that loads this file has NumPy alone

    def log_ratio(above, below, quantity="min_loss"):
        return np.log(least(m, **above)) - np.log(least(m, quantity, **below))

    shallow, deep, deepest = ({"depth": depth} for depth in DEPTHS)
    scaled = {"edge_fraction": 0.5}
    cells = [{"depth": depth, "sigma_w2": s} for s in (ORDERED, MORE_ORDERED) for depth in DEPTHS]
    by_seed = [np.transpose([least(m, "condition", **c) for c in cells]), np.transpose([left(m, **c) for c in cells])]
    silent, again = {"depth": DEEP, "sigma_w2": SILENT}, {"depth": SHALLOW, "lane": 1}
    return {
        "deep_over_shallow": log_ratio(deep, shallow),
        "deepest_over_shallow": log_ratio(deepest, shallow),
        "stuck": left(m, **deepest),
        "more_ordered": log_ratio({**deep, "sigma_w2": MORE_ORDERED}, {**shallow, "sigma_w2": MORE_ORDERED}),
        "scaled_stuck": left(m, **deepest, **scaled),
        "scaled_deep_learns": 1 - left(m, **deep, **scaled),
        "scaled_edge_of_chaos": log_ratio({**deepest, **scaled}, {**deepest, **scaled, "sigma_w2": EDGE}),
        "explained_deep": log_ratio(deep, deep, "linearised_loss"),
        "explained_deepest": log_ratio(deepest, deepest, "linearised_loss"),
        "beats_frozen_kernel": -log_ratio({**deep, **scaled}, {**deep, **scaled}, "linearised_loss"),
        "ranks": np.array([spearmanr(*seed).statistic for seed in zip(*by_seed, strict=True)]),
        "silent_over_shallow": log_ratio(silent, shallow),
        "one_net_over_another": log_ratio(again, shallow),
    }


def gates(m):
    """Whether fixed rates were stable, and all losses are finite."""
    cells = m.configurations("min_loss")
    wild = [c for c in cells if not (m("rate_over_edge", **c) < 1).all()]
    names = ", ".join(f"sigma_w^2 {c['sigma_w2']}, {c['depth']} layers" for c in wild)
    losses = np.array([m("min_loss", **c) for c in cells])
    return {
        "stable": f"the rate is above the edge at: {names}" if wild else "",
        "finite": "" if (np.isfinite(losses) & (losses > 0)).all() else "a loss is zero or not finite",
    }


def figures(by_backend):
    """Least loss against depth and against the condition number, and loss curves, from the first backend."""
    backend, m = next(iter(by_backend.items()))
    arms = {
        "sigma_w^2 = 1, fixed rate": {},
        "sigma_w^2 = 1, half the edge": {"edge_fraction": 0.5},
        "sigma_w^2 = 0.5, fixed rate": {"sigma_w2": MORE_ORDERED},
    }
    frozen = [least(m, "linearised_loss", depth=depth) for depth in DEPTHS]
    constant = float(least(m, "constant_loss", depth=DEEP).mean())
    return (
        Figure(
            title="Trainability against depth",
            description=f"Least training loss, {backend}, geometric mean over seeds; the line is the loss of the best "
            "constant. At half the edge training stops at 0.02.",
            x_label="hidden layers",
            y_label="least mean squared error",
            series=(
                *(
                    Series.of(label, DEPTHS, [least(m, depth=depth, **where) for depth in DEPTHS], log=True)
                    for label, where in arms.items()
                ),
                Series.of("sigma_w^2 = 1, fixed rate, frozen kernel", DEPTHS, frozen, log=True),
                Series("paper, sigma_w^2 = 0.5, M = 256, read off", (DEEP, DEEPEST), (0.09, 0.09)),
            ),
            log_y=True,
            reference_y=constant,
        ),
        Figure(
            title="Conditioning and what is left to learn",
            description=f"Part of the labels' variance left against lambda_max over the median eigenvalue of Theta_0, "
            f"{backend}, geometric means over seeds.",
            x_label="log10 of the condition number of Theta_0",
            y_label="part left",
            series=tuple(
                Series.of(
                    label,
                    [np.log10(least(m, "condition", depth=depth, **where)).mean().round(1) for depth in DEPTHS],
                    [left(m, depth=depth, **where) for depth in DEPTHS],
                    log=True,
                )
                for label, where in arms.items()
            ),
        ),
        Figure(
            title="Loss during training at the fixed rate",
            description=f"sigma_w^2 = 1, {backend}, geometric mean over seeds.",
            x_label="steps (the last stands for the paper's 10^5)",
            y_label="mean squared error",
            series=tuple(
                Series.of(
                    f"{depth} layers",
                    least(m, "checkpoint_steps", depth=depth)[0],
                    least(m, "checkpoint_losses", depth=depth).T,
                    log=True,
                )
                for depth in DEPTHS
            ),
            log_x=True,
            log_y=True,
        ),
        *(
            phase_maps.figure(m, backend, protocol, False, phase_maps.LOSS, constant)
            for protocol in ("fixed rate", "half the edge")
        ),
    )


STUDY = Study(CLAIM, EXPERIMENTS, effects, gates, figures)


def test_ordered_phase_untrainable_with_depth(verdict):
    """At the paper's rate, ordered: 20 layers stay at the loss of a constant, and 10 and 20 far above 3."""
    assert verdict.kind == "SUPPORTED", verdict.reason
