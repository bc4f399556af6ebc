"""W3. Wide networks forget less. Is that so only where tasks are stopped short of convergence?"""

import numpy as np
from harness.forgetting import continual, forgetting, learning_accuracy

from harness.errors import DatasetUnavailable
from harness.experiment import Experiment, Tier, measured
from harness.plots import Figure, Series
from harness.study import Control, Equivalence, Gate, Hypothesis, Paper, Statement, Study, Superiority

DIGITS, FASHION, SPLIT = BEDS = "rotated digits", "rotated Fashion-MNIST", "split Fashion-MNIST"
MNIST, CIFAR = LARGER_BEDS = "rotated MNIST", "split CIFAR-10"  # full tier, where these sets are at hand
EARLY, CONVERGED = "stopped early", "converged"
EARLY_LOSS, CONVERGED_LOSS, ONE_RATE, EPOCHS = "early, by loss", "converged, by loss", "early, one rate", "fixed epochs"
NO_TURNS, HALF_TURNS, LAST_IMAGE = "no turns", "half turns", "to the last image"
PAIRS = ((0, 1), (2, 3), (4, 5), (6, 7), (8, 9))
OTHERS = {"fashion": FASHION, "split": SPLIT, "mnist": MNIST, "cifar": CIFAR}
OF_DIGITS, OF_FASHION = dict(dataset="digits", shrink=1), dict(dataset="fashion-mnist", shrink=2)

# When a task ends, and the steps between two looks. The one rate is below the edge of stability up to a width of 2,048.
FIXED = {"fixed": 0.03}
RULES = {
    (DIGITS, EARLY): dict(stop={"accuracy": 0.9}, every=3),
    (DIGITS, CONVERGED): dict(stop={"accuracy": 0.99}, every=10),
    (DIGITS, EARLY_LOSS): dict(stop={"loss": 0.04}, every=3),
    (DIGITS, CONVERGED_LOSS): dict(stop={"loss": 0.018}, every=10),
    (DIGITS, ONE_RATE): dict(stop={"accuracy": 0.9}, every=3, rate=FIXED),
    (DIGITS, EPOCHS): dict(stop={"epochs": 5}, every=10, rate=FIXED),
    (FASHION, EARLY): dict(stop={"loss": 0.042}, every=3),
    (FASHION, CONVERGED): dict(stop={"loss": 0.022}, every=10),
    (SPLIT, EARLY): dict(stop={"accuracy": 0.95}, every=3),
    (SPLIT, CONVERGED): dict(stop={"accuracy": 0.99}, every=10),
}
WHOLE_LADDER = ((DIGITS, EARLY), (DIGITS, CONVERGED), (DIGITS, EPOCHS))  # at the quick tier; others have two widths
FULL_RULES = RULES | {
    **{(bed, EARLY): dict(stop={"accuracy": 0.9}, every=5) for bed in LARGER_BEDS},
    **{(bed, CONVERGED): dict(stop={"accuracy": 0.99}, every=50) for bed in LARGER_BEDS},
    **{(bed, LAST_IMAGE): dict(stop={"accuracy": 1.0}, every=50) for bed in (*BEDS, *LARGER_BEDS)},
    **{(DIGITS, f"{e} epochs"): dict(stop={"epochs": e}, every=10, rate=FIXED) for e in (1, 2, 10, 20)},
}


def grid(widths, ends, angles, pairs, images, rules, whole):
    """Every rule on its bed, and the controls' tasks, turned by half or not at all. `bed` and `arm` name a cell."""
    fixed = dict(options={}, tests=800, momentum=0.7, batch_size=32, epochs=2000, rate={"edge": 0.3})
    rotated, split = [(angle, range(10)) for angle in angles], [(0.0, pair) for pair in pairs]

    def cell(bed, arm, width, rule, scale=1.0):
        tasks = rotated if bed.startswith("rotated") else split
        turned = [dict(angle=scale * angle, classes=list(classes)) for angle, classes in tasks]
        return {**fixed, **images[bed], **rule, "bed": bed, "arm": arm, "width": width, "tasks": turned}

    for (bed, arm), rule in rules.items():
        below_edge = [w for w in widths if rule.get("rate") != FIXED or w <= 2048]
        for width in below_edge if (bed, arm) in whole else ends:
            yield cell(bed, arm, width, rule)
    yield from (cell(DIGITS, NO_TURNS, width, RULES[DIGITS, EARLY], 0.0) for width in widths)
    yield cell(DIGITS, HALF_TURNS, widths[1], RULES[DIGITS, EARLY], 0.5)


# Margins of the backends' agreement; after thousands of steps in float32 a seed may stop some looks later.
ALIKE, LONG_ALIKE = 0.0025, 0.01
A_POINT = "0.0025 per doubling is one point of accuracy from width 32 to 512: less is no use of width"
FALLS, KEEPS, MATCHED = Superiority(margin=0.0025), Superiority(margin=-0.0025), Equivalence(margin=0.005)
NOT_POWERED = (
    "The expected effect lies on the other side of the margin: exploration saw forgetting fall with width at "
    "convergence too. The power to refute at that effect is above 0.99."
)


def falls(name, label, effect, sd, role="secondary", **more):
    """The hypothesis that forgetting falls with width."""
    statement = f"{label}: minus the slope of AF on log2(width) exceeds 0.0025"
    label = f"{label}: fall of AF per doubling"
    return Hypothesis(name, statement, FALLS, A_POINT, effect, sd, role, ALIKE, label, **more)


def keeps(name, label, effect, sd, role="secondary", **more):
    """The hypothesis that forgetting does not fall with width."""
    statement, note = f"{label}: the slope of AF on log2(width) is above -0.0025", NOT_POWERED * (role == "primary")
    label = f"{label}: slope of AF per doubling"
    return Hypothesis(name, statement, KEEPS, A_POINT, effect, sd, role, LONG_ALIKE, label, power_note=note, **more)


def learns_alike(name, label, effect, sd):
    """The hypothesis that all widths learn alike, so that forgetting compares like with like."""
    statement = f"{label}: the slope of LA on log2(width) is within 0.005"
    why = "two points of learning accuracy from width 32 to 512 would be a difference in learning, not in forgetting"
    label = f"{label}: slope of LA per doubling"
    return Hypothesis(name, statement, MATCHED, why, effect, sd, "secondary", ALIKE, label)


CLAIM = Statement(
    id="wenger2023/forgetting_against_width",
    paper=Paper(
        authors="Wenger, Dangel, Kristiadi",
        year=2023,
        title="On the Disconnect Between Theory and Practice of Neural Networks: Limits of the NTK Perspective",
        locus="abstract; section 3.3 as reviews describe it",
        read="abstract, author's page and reviews; the body text was not found",
    ),
    title="From width 32 to 512 width reduces forgetting only where tasks are not trained to convergence",
    statement=(
        "Wider networks forget less of earlier tasks only if each task is stopped short of high accuracy; trained to "
        "convergence, width does not reduce forgetting."
    ),
    operationalised=(
        "Three tasks one after the other in one network with a single head: 8x8 digits turned by 0, 45 and 90 degrees, "
        "300 training images of its own for each task, 800 test images. One hidden ReLU layer of 32, 128 and 512, "
        "PyTorch's default weights, SGD with momentum. Short of convergence: a task ends at training accuracy 0.9; "
        "converged: at 0.99. AF is the mean over earlier tasks of best accuracy after learning the task minus final "
        "accuracy; effect: its slope on log2(width) per seed. Both halves must hold: the slope is below -0.0025 where "
        "stopped early, and above -0.0025 at convergence. Beside them stopping by loss, learning accuracy LA (mean "
        "accuracy right after learning a task), Fashion-MNIST turned and split into pairs of classes, one rate for "
        "all widths, and a fixed number of epochs, which tells nothing: width sets how fast a network learns."
    ),
    departs=(
        "The paper's networks, data, tasks and stopping were not available to us; all are ours. Squared loss on "
        "one-hot targets, not cross-entropy. The rate is 0.3 of the edge of stability 2 / lambda_max of each network "
        "at the start, since one rate for all widths is above the edge of wide networks before it is useful to narrow "
        "ones (in exploration a rate above it lowered forgetting); one small rate stands beside. Each task has images "
        "of its own, where rotated MNIST turns the same ones. Small images, three tasks, widths up to 512."
    ),
    family="wenger2023",
    hypotheses=(
        falls("early_falls", "digits, to accuracy 0.9", 0.018, 0.0165, "primary"),
        keeps("converged_keeps", "digits, to accuracy 0.99", -0.041, 0.02, "primary"),
        Hypothesis(
            "fades",
            "digits: the slope of AF on log2(width) at convergence minus that stopped early exceeds 0.0025",
            *(FALLS, A_POINT, -0.02, 0.022, "secondary"),
            agreement=LONG_ALIKE,
            label="digits: slope of AF, converged - early",
        ),
        falls("early_falls_beyond", "digits, to 0.9, from width 128 on", 0.003, 0.03),
        keeps("converged_keeps_beyond", "digits, to 0.99, from width 128 on", 0.003, 0.033),
        falls("early_loss_falls", "digits, to loss 0.04", 0.012, 0.018),
        keeps("converged_loss_keeps", "digits, to loss 0.018", -0.023, 0.021),
        falls("one_rate_falls", "digits, to accuracy 0.9, one rate", 0.016, 0.019),
        falls("epochs_fall", "digits, fixed epochs", -0.05, 0.017),
        Hypothesis(
            "epochs_learn",
            "digits, 5 epochs: the slope of LA on log2(width) exceeds 0.01",
            Superiority(margin=0.01),
            *("four points from width 32 to 512 make accuracies after equal epochs incomparable", 0.092, 0.011),
            role="secondary",
            agreement=ALIKE,
            label="digits, fixed epochs: slope of LA per doubling",
        ),
        learns_alike("early_learns_alike", "digits, to accuracy 0.9", 0.0015, 0.003),
        learns_alike("converged_learns_alike", "digits, to accuracy 0.99", 0.001, 0.002),
        falls("fashion_early_falls", "turned Fashion-MNIST, to loss 0.042", 0.016, 0.01),
        keeps("fashion_converged_keeps", "turned Fashion-MNIST, to loss 0.022", -0.019, 0.01),
        falls("split_early_falls", "split Fashion-MNIST, to 0.95", 0.0065, 0.014),
        keeps("split_converged_keeps", "split Fashion-MNIST, to 0.99", -0.001, 0.035),
        falls("mnist_early_falls", "turned MNIST, to 0.9", 0.01, 0.01, tiers=("full",)),
        keeps("mnist_converged_keeps", "turned MNIST, to 0.99", 0.0, 0.01, tiers=("full",)),
        falls("cifar_early_falls", "split CIFAR-10, to 0.9", 0.01, 0.01, tiers=("full",)),
        keeps("cifar_converged_keeps", "split CIFAR-10, to 0.99", 0.0, 0.01, tiers=("full",)),
    ),
    controls=(
        Control(
            "shrinking_turns", "early_falls", "SUPPORTED", "tasks turn by less the wider the network, by 0 at last"
        ),
        Control("same_tasks", "early_falls", "not SUPPORTED", "tasks that do not turn leave nothing to forget"),
        Control(
            "growing_turns", "converged_keeps", "SUPPORTED", "tasks turn by more the wider the network, by 0 at first"
        ),
        Control("turns_that_shrink", "converged_keeps", "not SUPPORTED", "a planted fall of forgetting with width"),
    ),
    gates=(
        Gate("stopped", "every network reached its stopping rule in every task, in the arms that hypotheses speak of"),
        Gate("stable", "every rate is below the edge of stability of its network at the start"),
        Gate("finite", "every accuracy is a number from 0 to 1", failure="BROKEN"),
    ),
    limits=(
        "Shallow networks, small images and widths up to 512 are no refutation at the paper's scale, which we do not "
        "know: that takes its convolutional networks, trained for long on images in colour, of widths to 2,048 and "
        "more. In exploration the fall was that from width 32 to 128, stopped early and converged; from 128 on seeds "
        "scatter too much to tell. Converged is training accuracy 0.99, not zero loss."
    ),
)

SMALL = {DIGITS: dict(samples=300, **OF_DIGITS)} | {bed: dict(samples=200, **OF_FASHION) for bed in (FASHION, SPLIT)}
LARGE = {
    DIGITS: dict(samples=200, tests=700, **OF_DIGITS),
    FASHION: dict(samples=1000, tests=2000, **OF_FASHION),
    SPLIT: dict(samples=200, **OF_FASHION),
    MNIST: dict(samples=1000, tests=5000, dataset="mnist", shrink=2, options={"part": "train"}),
    CIFAR: dict(samples=1000, tests=2000, dataset="cifar10", shrink=2),
}
QUICK = grid((32, 128, 512), (32, 256), (0, 45, 90), PAIRS[:3], SMALL, RULES, WHOLE_LADDER)
FULL = grid((32, 256, 2048, 16384, 65536), (), (0, 22.5, 45, 67.5, 90), PAIRS, LARGE, FULL_RULES, FULL_RULES)
QUICK, FULL = Tier(tuple(QUICK), replicates=14), Tier(tuple(FULL), replicates=20, block=4)
EXPERIMENTS = (Experiment(continual, QUICK, FULL, stream="registered-1"),)


def ladder(m, bed, arm):
    """The widths at which an arm was measured; raises DatasetUnavailable where its data are not there."""
    widths = sorted(c["width"] for c in m.configurations("accuracy") if (c["bed"], c["arm"]) == (bed, arm))
    if not widths:
        raise DatasetUnavailable(m.lacks(bed=bed, arm=arm))
    return widths


def at(m, measure, bed, arm):
    """AF or LA at every width of an arm, (widths, seeds)."""
    return np.array([measure(m("accuracy", bed=bed, arm=arm, width=w)) for w in ladder(m, bed, arm)])


def slope(m, bed, arm, measure=forgetting, first=0):
    """Slope of AF or LA on log2(width), per seed, from the `first` width on."""
    return np.polyfit(np.log2(ladder(m, bed, arm)[first:]), at(m, measure, bed, arm)[first:], 1)[0]


def fall(m, bed, arm, first=0):
    """Minus the slope of AF."""
    return -slope(m, bed, arm, first=first)


def planted(m, arms):
    """Slope of AF where narrow, middle and wide networks have the tasks of different arms, per seed."""
    places = [ladder(m, DIGITS, NO_TURNS)[place] for place in (0, 1, -1)]
    values = [forgetting(m("accuracy", bed=DIGITS, arm=arm, width=w)) for arm, w in zip(arms, places, strict=True)]
    return np.polyfit(np.log2(places), values, 1)[0]


def effects(m):
    """Slopes of forgetting (AF) and of learning accuracy (LA) on log2(width), per seed."""
    shrinking, growing = planted(m, (EARLY, HALF_TURNS, NO_TURNS)), planted(m, (NO_TURNS, HALF_TURNS, EARLY))
    found = {c["bed"] for c in m.configurations("accuracy")}
    here = {name: bed for name, bed in OTHERS.items() if bed in found or m.lacks(bed=bed)}
    return {
        "early_falls": fall(m, DIGITS, EARLY),
        "converged_keeps": slope(m, DIGITS, CONVERGED),
        "fades": slope(m, DIGITS, CONVERGED) - slope(m, DIGITS, EARLY),
        "early_falls_beyond": fall(m, DIGITS, EARLY, first=1),
        "converged_keeps_beyond": slope(m, DIGITS, CONVERGED, first=1),
        "early_loss_falls": fall(m, DIGITS, EARLY_LOSS),
        "converged_loss_keeps": slope(m, DIGITS, CONVERGED_LOSS),
        "one_rate_falls": fall(m, DIGITS, ONE_RATE),
        "epochs_fall": fall(m, DIGITS, EPOCHS),
        "epochs_learn": slope(m, DIGITS, EPOCHS, learning_accuracy),
        "early_learns_alike": slope(m, DIGITS, EARLY, learning_accuracy),
        "converged_learns_alike": slope(m, DIGITS, CONVERGED, learning_accuracy),
        **{f"{name}_early_falls": measured(fall, m, bed, EARLY) for name, bed in here.items()},
        **{f"{name}_converged_keeps": measured(slope, m, bed, CONVERGED) for name, bed in here.items()},
        "shrinking_turns": -shrinking,
        "same_tasks": fall(m, DIGITS, NO_TURNS),
        "growing_turns": growing,
        "turns_that_shrink": shrinking,
    }


def gates(m):
    """Whether networks reached their stopping rule at a stable rate, and accuracies are numbers."""
    cells = m.configurations("accuracy")
    going = [c for c in cells if c["arm"] != LAST_IMAGE and not m("reached", **c).all()]
    wild = [c for c in cells if not (m("rate_over_edge", **c) < 1).all()]
    good = all(((m("accuracy", **c) >= 0) & (m("accuracy", **c) <= 1)).all() for c in cells)
    return {
        "stopped": f"the stopping rule was not reached at: {named(going)}" if going else "",
        "stable": f"the rate is above the edge of stability at: {named(wild)}" if wild else "",
        "finite": "" if good else "an accuracy is no number from 0 to 1",
    }


def named(configurations):
    """Configurations in words."""
    return "; ".join(f"{c['bed']}, {c['arm']}, width {c['width']}" for c in configurations)


def figures(by_backend):
    """Forgetting and learning accuracy against width, one line per stopping rule, from the first backend."""
    backend, m = next(iter(by_backend.items()))
    arms = dict.fromkeys((c["bed"], c["arm"]) for c in m.configurations("accuracy") if c["arm"] != HALF_TURNS)
    digits = {arm: (bed, arm) for bed, arm in arms if bed == DIGITS}
    others = {f"{bed}, {arm}": (bed, arm) for bed, arm in arms if bed != DIGITS}
    note = f"{backend}, mean over seeds."
    trap = f"{note} After equal epochs wide networks have learnt more, so that there is more to forget."
    forgot, learnt = ("forgetting AF", forgetting), ("learning accuracy LA", learning_accuracy)
    return (
        against_width(m, "Forgetting of rotated digits", trap, *forgot, digits),
        against_width(m, "Learning of rotated digits", trap, *learnt, digits),
        against_width(m, "Forgetting of larger images", note, *forgot, others),
        against_width(m, "Learning of larger images", note, *learnt, others),
    )


def against_width(m, title, note, what, measure, lines):
    """One line per arm."""
    series = tuple(Series.of(label, ladder(m, *arm), at(m, measure, *arm)) for label, arm in lines.items())
    return Figure(f"{title} against width", note, "width", what, series, log_x=True)


STUDY = Study(CLAIM, EXPERIMENTS, effects, gates, figures)


def test_forgetting_against_width(verdict):
    """On rotated digits forgetting falls with width where tasks are stopped early, and not at convergence."""
    assert verdict.kind == "SUPPORTED", verdict.reason
