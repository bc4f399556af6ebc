"""V5. The empirical NTK keeps evolving through most of training. That it moves and that it improves are held apart."""

from dataclasses import replace
from math import log

import numpy as np

from harness.claim import Claim, Control, Figure, Gate, Hypothesis, Paper, Series, Study, Superiority
from harness.experiment import Experiment, Tier
from harness.learning.evolution import kernel_evolution, told_kernel, unrelated_kernels

LATE, NEAR_END = 0.2, 0.8  # of the steps: what is late; and from where on movement is taken for noise
BATCH, FEW_EPOCHS = 32, 3
FITTED, LEARNT, LAZY_LEARNT = 0.05, 0.25, 0.42  # largest error rates: training samples; test samples of CNN, lazy CNN

CNN = dict(family="cnn", strides=(4, 2, 2), sigma_b=0.1, label_scale=4.7, centred=False)
ARMS = {  # name -> in words, network, and what differs from one pass over fresh samples, by Adam at a constant rate
    "one_pass": ("one pass", CNN, {}),
    "fixed": ("fixed", CNN, dict(regime="fixed")),
    "decayed": ("one pass, decayed rate", CNN, dict(schedule="cosine")),
    "fixed_decayed": ("fixed, decayed rate", CNN, dict(regime="fixed", schedule="cosine")),
    "mlp": ("MLP, one pass", dict(family="mlp", depth=2, sigma_b=0.1, label_scale=4.7, centred=False), {}),
    "lazy": ("lazy, one pass", dict(CNN, label_scale=0.01, centred=True), dict(optimizer="momentum", rate=0.1)),
}
OFTEN = ("one_pass", "fixed", "mlp")  # looked at before 20 % of the steps too


def cells(widths, steps, **sizes):
    """Trained networks; the kernel that is told the labels; initialisations, in place of the kernel at three times."""
    late = tuple(steps * tenths // 10 for tenths in (2, 4, 8, 10))
    early = (FEW_EPOCHS * (sizes["size"] // BATCH), steps // 10)
    common = dict(task={"name": "digits-1d"}, **sizes, steps=steps, batch_size=BATCH)
    plain = dict(common, regime="one-pass", schedule="constant", optimizer="adam", rate=0.01)

    def cell(base, arm, checkpoints, name=None):
        _, net, changes = ARMS[arm]
        sized = dict(net, width=widths[net["family"]])
        return {**base, **changes, "net": sized, "arm": name or arm, "checkpoints": checkpoints}

    trained = tuple(cell(plain, arm, (0, *(early if arm in OFTEN else ()), *late)) for arm in ARMS)
    ends = (late[0], late[2], late[3])
    apart = (cell(common, "one_pass", ends, "strangers"), cell(common, "mlp", ends, "mlp_strangers"))
    return trained, (cell(common, "one_pass", (0, *late), "told"),), apart


WHAT = {  # what is measured -> label, statement, margin, why that one
    "improves": (
        "late slope of error",
        "minus the slope of ln error on ln step over the last 80 % of the steps",
        *(0.1, "15 % fewer errors over a fivefold of steps; less would be read as a plateau"),
    ),
    "moves": (
        "late movement",
        "(D(20 %, end) - D(80 %, end)) / D(two initialisations), with D = 1 - CKA",
        *(0.1, "a tenth of what lies between unrelated initialisations; noise about a resting kernel is at 0"),
    ),
    "distance_late": (
        "part of the distance that is late",
        "the angle arccos CKA to the final kernel at 20 % of the steps, over that at the start",
        *(0.5, "half of all change, in the last 80 %, is the least that one would call most of training"),
    ),
    "improvement_late": (
        "part of the improvement that is late",
        "ln of the error over the final kernel's, at 20 % of the steps, over that at the start",
        *(0.5, "half of all change, in the last 80 %, is the least that one would call most of training"),
    ),
    "no_slower": (
        "late less early slope of error",
        "the late slope of 'improves' less that from 3 % to 20 % of the steps",
        *(-0.1, "a slope that falls by less than the least slope of interest is as good as steady"),
    ),
    "unsettled": (
        "distance to go after 3 epochs",
        "the angle arccos CKA to the final kernel after 3 epochs, over that at the start",
        *(0.5, "below one half a few epochs would have done most of it"),
    ),
    "fast_start": (
        "early / late speed",
        "ln of the angle moved per step in the first 3 epochs over that in the last 80 % of the steps",
        *(log(2), "a factor of two is the least that one would call a fast start"),
    ),
}


def hypothesis(what, arm, effect, sd, role="secondary"):
    """A row of the table; its effects are WHAT of an arm."""
    label, statement, margin, why = WHAT[what]
    words = ARMS[arm][0]
    return Hypothesis(
        name=f"{what}_{arm}",
        statement=f"{words}: {statement}, is above {margin:.3g}",
        rule=Superiority(margin),
        why_margin=why,
        expected_effect=effect,
        expected_sd=sd,
        role=role,
        agreement=0.05 if what != "fast_start" else 0.2,
        label=f"{words}: {label}",
        scale="ratio" if what == "fast_start" else "linear",
    )


def control(what, arm, expected, why):
    """A control of the first hypothesis on WHAT."""
    of = {"improves": "improves_one_pass", "moves": "moves_fixed"}[what]
    return Control(f"{what}_{arm}", of, expected, why)


TABLE = (  # what, arm, expected effect and sd, role
    ("improves", "one_pass", 0.4, 0.1, "primary"),
    ("moves", "one_pass", 0.7, 0.15, "primary"),
    ("moves", "fixed", 0.35, 0.1, "primary"),
    ("improves", "fixed", 0.07, 0.05),
    ("improves", "decayed", 0.22, 0.07),
    ("moves", "decayed", 0.5, 0.1),
    ("improves", "fixed_decayed", 0.08, 0.07),
    ("moves", "fixed_decayed", 0.3, 0.08),
    ("improves", "mlp", 0.27, 0.07),
    ("moves", "mlp", 1.0, 0.25),
    ("distance_late", "one_pass", 0.8, 0.06),
    ("distance_late", "fixed", 0.69, 0.06),
    ("improvement_late", "one_pass", 0.6, 0.12),
    ("no_slower", "one_pass", 0.2, 0.15),
    ("unsettled", "fixed", 0.94, 0.06),
    ("fast_start", "fixed", 2.75, 0.15),
)
CONTROLS = (
    ("improves", "told", "SUPPORTED", "a kernel that is told the labels, ever more clearly"),
    ("moves", "told", "SUPPORTED", "the same kernel: it turns to one that knows the labels"),
    ("improves", "lazy", "not SUPPORTED", "the CNN on labels x 0.01, f - f_0: it learns, and the kernel stays"),
    ("moves", "lazy", "not SUPPORTED", "the same network: its weights hardly move"),
    ("moves", "strangers", "not SUPPORTED", "three initialisations: far apart, and none on the way to another"),
)


CLAIM = Claim(
    id="vyas2022/kernel_keeps_evolving",
    paper=Paper(
        authors="Vyas, Bansal, Nakkiran",
        year=2022,
        title="Limitations of the NTK for Understanding Generalization in Deep Learning",
        locus="abstract",
        read="abstract and the start of the introduction; the body text was not found",
    ),
    title="The empirical NTK keeps evolving through most of training",
    statement=(
        "The empirical NTK goes on evolving through most of training, at odds with earlier work that found it to "
        "stabilise after a few epochs."
    ),
    operationalised=(
        "Moves: D(s, t) = 1 - CKA of the kernels at two times. The effect is D(20 %, end) less D(80 %, end), over the "
        "mean D between three initialisations: what steps jitter about a resting kernel cancels, and a kernel that "
        "hardly leaves its start counts for nothing. Improves: minus the slope of ln test error, of ridge regression "
        "with the kernel at time t, on ln t over the last 80 % of the steps; the ridge is chosen on validation samples "
        "at each t. Two regimes: one pass, where every step sees fresh samples and regression is from others; fixed, "
        "where the network is trained on the samples that are regressed on, for many epochs, until it fits them. CNN "
        "of three convolutions with 16 channels and global pooling, squared loss on 4.7 y, Adam at a constant rate."
    ),
    departs=(
        "The paper's data, networks, lengths and measure of evolution were not available to us. The 1-D digits are our "
        "own and suit convolutions: this tests the mechanism, not natural images. Which regime the paper means we do "
        "not know: the claim takes movement in both, and improvement where samples are fresh. Beside it are decided: "
        "improvement on fixed samples, a rate that decays to zero (cosine), an MLP, and how much is late."
    ),
    family="vyas2022",
    hypotheses=tuple(hypothesis(*row) for row in TABLE),
    controls=tuple(control(*row) for row in CONTROLS),
    gates=(
        Gate("fitted", "fixed samples, constant rate: every network ends with at most 5 % of its own samples wrong"),
        Gate(
            "learnt",
            "one pass, constant rate: every CNN ends with a test error of at most 0.25, every lazy one of 0.42",
        ),
        Gate("finite", "every CKA is a number, and every kernel has a test error above zero", failure="BROKEN"),
    ),
    limits=(
        "What 'most of training' is depends on where it ends: on fixed samples a kernel may move late because training "
        "goes on after the samples are fitted. An epoch here is a dozen steps, not the thousands of earlier work, so "
        "'after 3 epochs' means little by itself. CKA does not see the kernel grow. Few test samples: error rates are "
        "to about 0.02 per seed, though the same for all times."
    ),
)


QUICK = cells(dict(cnn=16, mlp=64), steps=1_000, size=384, validation=200, test=400)
FULL = cells(dict(cnn=64, mlp=512), steps=30_000, size=2_048, validation=1_000, test=4_000)
EXPERIMENTS = tuple(
    Experiment(measure, Tier(quick, replicates=10), Tier(full, replicates=20, block=2), stream="explore-3")
    for measure, quick, full in zip((kernel_evolution, told_kernel, unrelated_kernels), QUICK, FULL, strict=True)
)


def parts(m, arm):
    """The checkpoints of an arm as parts of its steps."""
    (found,) = (c for c in m.configurations("cka") if c["arm"] == arm)
    return np.array(found["checkpoints"]) / found["steps"]


def column(m, arm, part):
    """The index of the checkpoint at that part of the steps."""
    return int(np.argmin(abs(parts(m, arm) - part)))


def angle(m, arm, start=None, end=1.0):
    """arccos CKA of the kernel at one part of the steps, or at every checkpoint, and at another; radians, per seed."""
    row = slice(None) if start is None else column(m, arm, start)
    return np.arccos(np.clip(m("cka", arm=arm)[:, row, column(m, arm, end)], -1, 1))


def improves(m, arm, window=(LATE, 1.0)):
    """Minus the slope of ln error on ln step inside a window of parts."""
    inside = (parts(m, arm) >= window[0]) & (parts(m, arm) <= window[1])
    return -np.polyfit(np.log(parts(m, arm)[inside]), np.log(m("error", arm=arm)[:, inside]).T, 1)[0]


def moves(m, arm):
    """How much farther the end is from 20 % than from 80 % of the steps, over what is between initialisations."""
    cka, strangers = m("cka", arm=arm), m("cka", arm="mlp_strangers" if arm == "mlp" else "strangers")
    late, near = column(m, arm, LATE), column(m, arm, NEAR_END)
    return (cka[:, near, -1] - cka[:, late, -1]) / (1 - (strangers.sum(axis=(1, 2)) - 3) / 6)


def improvement_late(m, arm):
    """ln of the error over that at the end: at 20 % of the steps, over at the start."""
    error = np.log(m("error", arm=arm))
    return (error[:, column(m, arm, LATE)] - error[:, -1]) / (error[:, 0] - error[:, -1])


def early(m, arm):
    """The part of the steps that a few epochs are: the first checkpoint after the start."""
    return float(parts(m, arm)[1])


EFFECTS = {
    "improves": improves,
    "moves": moves,
    "distance_late": lambda m, arm: angle(m, arm, LATE) / angle(m, arm, 0),
    "improvement_late": improvement_late,
    "no_slower": lambda m, arm: improves(m, arm) - improves(m, arm, (early(m, arm), LATE)),
    "unsettled": lambda m, arm: angle(m, arm, early(m, arm)) / angle(m, arm, 0),
    "fast_start": lambda m, arm: np.log(
        angle(m, arm, 0, early(m, arm)) / early(m, arm) / (angle(m, arm, LATE) / (1 - LATE))
    ),
}


def effects(m):
    """Every effect of the table, and those of the controls; per seed."""
    named = [(*row[:2],) for row in TABLE] + [(what, arm) for what, arm, _, _ in CONTROLS]
    return {f"{what}_{arm}": EFFECTS[what](m, arm) for what, arm in named}


def gates(m):
    """Whether networks fitted fixed samples or learnt from fresh ones, and whether all effects can be had."""
    unfitted = (m("train_error", arm="fixed") > FITTED).sum()
    ends = {arm: m("network_error", arm=arm)[:, -1] for arm in ("one_pass", "lazy")}
    weak = [arm for arm, most in (("one_pass", LEARNT), ("lazy", LAZY_LEARNT)) if (ends[arm] > most).any()]
    known = [c["arm"] for c in m.configurations("cka") if np.isfinite(m("cka", arm=c["arm"])).all()]
    errors = [c["arm"] for c in m.configurations("error") if (m("error", arm=c["arm"]) > 0).all()]
    whole = len(known) == len(m.configurations("cka")) and len(errors) == len(m.configurations("error"))
    return {
        "fitted": f"{unfitted} networks on fixed samples end with more than 5 % of them wrong" if unfitted else "",
        "learnt": f"a test error above what was registered: {', '.join(weak)}" if weak else "",
        "finite": "" if whole else "an alignment is not finite, or an error is zero",
    }


def figures(by_backend):
    """Error and distance to the final kernel against time, and what part of all change is still to come."""
    backend, m = next(iter(by_backend.items()))

    def against_time(arm, values, log=False):
        """A line over the steps; the start is drawn at half of the first checkpoint after it."""
        (cell,) = (c for c in m.configurations("network_error") if c["arm"] == arm)
        steps = [step or cell["checkpoints"][1] / 2 for step in cell["checkpoints"]]
        return Series.of(ARMS[arm][0], steps, values.T, log=log)

    late = {arm: Series.of("", [0], [improves(m, arm)]) for arm in ARMS}
    slopes = "; ".join(f"{ARMS[a][0]} {s.y[0]:.2f} [{s.low[0]:.2f}, {s.high[0]:.2f}]" for a, s in late.items())
    errors = [against_time(arm, m("error", arm=arm), log=True) for arm in ARMS]
    networks = [against_time(arm, m("network_error", arm=arm), log=True) for arm in ("one_pass", "fixed")]
    networks = [replace(line, label=f"network, {line.label}") for line in networks]
    distances = [against_time(arm, 1 - m("cka", arm=arm)[:, :, -1]) for arm in ARMS]
    apart = 1 - m("cka", arm="strangers")[:, 0, 1].mean()
    moved, better = angle(m, "one_pass"), np.log(m("error", arm="one_pass"))
    better = (better - better[:, -1:]) / (better[:, :1] - better[:, -1:])
    fixed = angle(m, "fixed")
    to_come = [
        ("angle to the final kernel, one pass", "one_pass", moved / moved[:, :1]),
        ("angle to the final kernel, fixed", "fixed", fixed / fixed[:, :1]),
        ("ln error above the final kernel's, one pass", "one_pass", better),
    ]
    note = f"{backend}; the leftmost point is the start"
    steady = Series("steady change", (0.0, 1.0), (1.0, 0.0))
    return (
        Figure(
            "How well the kernel predicts",
            f"Kernel regression with the kernel at each time, geometric means; {note}. Late slopes, negated: {slopes}.",
            "step",
            "test error",
            (*errors, *networks),
            log_x=True,
            log_y=True,
        ),
        Figure(
            "How far the kernel is from the final one",
            f"{note}. The line is the mean distance of two initialisations of the CNN.",
            "step",
            "1 - CKA to the final kernel",
            tuple(distances),
            log_x=True,
            reference_y=float(apart),
        ),
        Figure(
            "What part of all change is still to come",
            f"{backend}. The jitter of single steps counts as change to come until the end.",
            "part of the steps",
            "part of the change still to come",
            (*(Series.of(label, parts(m, arm), part.T) for label, arm, part in to_come), steady),
        ),
    )


STUDY = Study(CLAIM, EXPERIMENTS, effects, gates, figures)


def test_kernel_keeps_evolving(verdict):
    """The kernel moves late in both regimes, and improves late where samples are fresh."""
    assert verdict.kind == "SUPPORTED", verdict.reason
