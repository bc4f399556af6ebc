"""S2. In the chaotic phase the NTK changes much in training, the more so with depth. Raw and centred arms."""

from math import log

import numpy as np

from harness.claim import Claim, Control, Figure, Gate, Hypothesis, Paper, Series, Study, Superiority
from harness.experiment import Experiment, Tier, grid
from harness.measurements import kernel_change

SHALLOW, DEEP = 3, 10
ORDERED, CHAOTIC, NEAR_EDGE = 1.0, 2.5, 1.5  # sigma_w^2 at sigma_b^2 = 1; the edge of chaos of ReLU is 2

COMMON = dict(
    samples=32,
    width=64,
    activation="relu",
    parametrization="standard",
    sigma_b2=1.0,
    labels="one-hot",
    edge_fraction=0.5,
    max_steps=6_000,
)


def arms(**common: object) -> tuple[dict, ...]:
    """The claim's arms, raw and centred; then the controls: large against small targets, one net against another."""
    plain = dict(common, label_scale=1.0, target_loss=0.05, lane=0)
    claim = grid(**plain, sigma_w2=(ORDERED, CHAOTIC), depth=(SHALLOW, DEEP), centred=(False, True))
    lane = grid(**dict(plain, lane=(0, 1)), sigma_w2=NEAR_EDGE, depth=SHALLOW, centred=False)
    scaled = tuple(
        configuration
        for scale in (0.25, 4.0)
        for configuration in grid(
            **dict(plain, label_scale=scale, target_loss=0.05 * scale**2),
            sigma_w2=NEAR_EDGE,
            depth=SHALLOW,
            centred=True,
        )
    )
    return (*claim, *lane, *scaled)


CLAIM = Claim(
    id="seleznova2020/kernel_change_in_chaotic_phase",
    paper=Paper(
        authors="Seleznova, Kutyniok",
        year=2020,
        title="Analyzing Finite Neural Networks: Can We Trust Neural Tangent Kernel Theory?",
        locus="Experiment B, Figures 3, 4 and 8 to 11",
        read="full text; values of figures read off by eye, within about 10 %",
    ),
    title="In the chaotic phase training changes the NTK much, and more with depth",
    statement=(
        "Under full-batch gradient descent the NTK of networks initialised in the chaotic phase changes by a large "
        "part of its norm, more than in the ordered phase, and the change grows with depth."
    ),
    operationalised=(
        "Delta = |Theta_t - Theta_0| / |Theta_0| (Frobenius, kernel summed over outputs) when the training loss first "
        "falls to 0.05. ReLU, M = 64, 32 Fashion-MNIST images with |x|^2 = 784, one-hot targets, mean squared error "
        "over samples and outputs, sigma_b^2 = 1; sigma_w^2 = 2.5 (chaotic) against 1 (ordered); 3 and 10 hidden "
        "layers. The learning rate is half the edge 2 / lambda_max at the start. Effects are differences of ln Delta "
        "per seed."
    ),
    departs=(
        "The paper trains 128 MNIST digits at M = 256 with one fixed learning rate of 1e-5 and stops when the loss "
        "stalls, so its networks end at different losses. Here every network is compared at the same loss. The centred "
        "arm, which trains f - f_0 from an output of zero, is not in the paper: it separates learning the labels from "
        "removing the large random output that a chaotic network starts with."
    ),
    family="seleznova2020",
    hypotheses=(
        Hypothesis(
            name="chaotic_over_ordered",
            label="10 layers: Delta chaotic / ordered",
            scale="ratio",
            statement="10 layers, raw: ln Delta chaotic minus ln Delta ordered is positive",
            rule=Superiority(margin=log(1.5)),
            why_margin="half as much again is the least that one would call a different regime",
            expected_effect=1.74,
            expected_sd=0.62,
        ),
        Hypothesis(
            name="grows_with_depth",
            label="chaotic: Delta at 10 / 3 layers",
            scale="ratio",
            statement="chaotic, raw: ln Delta at 10 layers minus at 3 layers is positive",
            rule=Superiority(margin=log(1.05)),
            why_margin="5 % over a threefold depth is the least growth worth the name",
            expected_effect=0.45,
            expected_sd=0.36,
            agreement=0.1,
        ),
        Hypothesis(
            name="centred_chaotic_over_ordered",
            label="centred, 10 layers: Delta chaotic / ordered",
            scale="ratio",
            statement="10 layers, centred: ln Delta chaotic minus ln Delta ordered is positive",
            rule=Superiority(margin=log(1.5)),
            why_margin="as in the raw arm",
            expected_effect=-1.24,
            expected_sd=0.55,
            role="secondary",
        ),
        Hypothesis(
            name="centred_reversed",
            label="centred, 10 layers: Delta ordered / chaotic",
            scale="ratio",
            statement="10 layers, centred: ln Delta ordered minus ln Delta chaotic is positive (the order is reversed)",
            rule=Superiority(margin=log(1.5)),
            why_margin="as in the raw arm",
            expected_effect=1.24,
            expected_sd=0.55,
            role="secondary",
        ),
        Hypothesis(
            name="centred_grows_with_depth",
            label="centred, chaotic: Delta at 10 / 3 layers",
            scale="ratio",
            statement="chaotic, centred: ln Delta at 10 layers minus at 3 layers is positive",
            rule=Superiority(margin=log(1.05)),
            why_margin="as in the raw arm",
            expected_effect=0.09,
            expected_sd=0.6,
            role="secondary",
            agreement=0.1,
        ),
    ),
    controls=(
        Control(
            name="large_targets_over_small",
            hypothesis="chaotic_over_ordered",
            expected="SUPPORTED",
            why="one and the same network, centred, must move its kernel further to fit targets 16 times as large",
        ),
        Control(
            name="one_net_over_another",
            hypothesis="chaotic_over_ordered",
            expected="not SUPPORTED",
            why="two independent initialisations of one and the same kind of network differ by nothing on average",
        ),
    ),
    gates=(
        Gate("trained", "every network of every arm reached its registered loss"),
        Gate("finite", "every kernel change is finite and positive", failure="BROKEN"),
    ),
    limits=(
        "Fashion-MNIST stands in for MNIST, and M = 64 for 256: this tests the mechanism. Read off the paper's Figure "
        "3 (M = 256): Delta about 0.35 at 10 layers and 0.2 at 3 layers for sigma_w^2 >= 2.1; between 2^-9 and 2^-4 "
        "for sigma_w^2 from 0.5 to 1."
    ),
)

EXPERIMENTS = (
    Experiment(
        kernel_change,
        quick=Tier(arms(**COMMON), replicates=10),
        full=Tier(arms(**dict(COMMON, width=256, samples=128, max_steps=100_000)), replicates=20, block=10),
        stream="registered-1",
    ),
)


def log_change(m, **where):
    """ln Delta per seed; the claim's own arms unless told otherwise."""
    return np.log(m("kernel_change", **{"lane": 0, "label_scale": 1.0, **where}))


def effects(m):
    """Differences of ln Delta, paired by seed."""

    def phases(centred):
        chaotic, ordered = (log_change(m, sigma_w2=s, depth=DEEP, centred=centred) for s in (CHAOTIC, ORDERED))
        return chaotic - ordered

    def depths(centred):
        deep, shallow = (log_change(m, sigma_w2=CHAOTIC, depth=d, centred=centred) for d in (DEEP, SHALLOW))
        return deep - shallow

    near = dict(sigma_w2=NEAR_EDGE, depth=SHALLOW)
    return {
        "chaotic_over_ordered": phases(centred=False),
        "grows_with_depth": depths(centred=False),
        "centred_chaotic_over_ordered": phases(centred=True),
        "centred_reversed": -phases(centred=True),
        "centred_grows_with_depth": depths(centred=True),
        "large_targets_over_small": log_change(m, **near, centred=True, label_scale=4.0)
        - log_change(m, **near, centred=True, label_scale=0.25),
        "one_net_over_another": log_change(m, **near, centred=False, lane=1)
        - log_change(m, **near, centred=False, lane=0),
    }


def gates(m):
    """Whether all were trained, and all kernels are finite."""
    cells = m.configurations("reached")
    short = [c for c in cells if not m("reached", **c).all()]
    changes = np.array([m("kernel_change", **c) for c in cells])
    names = ", ".join(f"sigma_w^2 {c['sigma_w2']}, {c['depth']} layers, centred {c['centred']}" for c in short)
    return {
        "trained": f"the target loss was not reached by every seed at: {names}" if short else "",
        "finite": "" if (np.isfinite(changes) & (changes > 0)).all() else "a kernel change is zero or not finite",
    }


def figures(by_backend):
    """Delta against depth, and loss curves, from the first backend."""
    backend, m = next(iter(by_backend.items()))
    phases = (("ordered", ORDERED), ("chaotic", CHAOTIC))
    arms = [(f"{label}, {arm}", s, arm == "centred") for label, s in phases for arm in ("raw", "centred")]
    return (
        Figure(
            title="Kernel change at matched loss",
            description=f"Delta against depth at training loss 0.05, {backend}, geometric mean over seeds.",
            x_label="hidden layers",
            y_label="kernel change Delta",
            series=tuple(
                Series.of(
                    label,
                    (SHALLOW, DEEP),
                    [np.exp(log_change(m, sigma_w2=s, depth=depth, centred=centred)) for depth in (SHALLOW, DEEP)],
                    log=True,
                )
                for label, s, centred in arms
            ),
            log_y=True,
        ),
        Figure(
            title="What training has to remove",
            description=f"Loss at the start, {backend}: a raw chaotic network starts from a large random output.",
            x_label="hidden layers",
            y_label="mean squared error at the start",
            series=tuple(
                Series.of(
                    label,
                    (SHALLOW, DEEP),
                    [
                        m("initial_loss", sigma_w2=s, depth=depth, centred=centred, lane=0, label_scale=1.0)
                        for depth in (SHALLOW, DEEP)
                    ],
                    log=True,
                )
                for label, s, centred in arms
                if not centred
            ),
            log_y=True,
        ),
    )


STUDY = Study(CLAIM, EXPERIMENTS, effects, gates, figures)


def test_kernel_change_in_chaotic_phase(verdict):
    """Raw arm: the chaotic phase changes its kernel more than the ordered one, and more with depth."""
    assert verdict.kind == "SUPPORTED", verdict.reason
