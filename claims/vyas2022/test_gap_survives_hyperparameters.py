"""V2. That networks outscale their initial kernels survives changes of learning rate, batch size and optimiser."""

import numpy as np
from harness.beds import drawn, line, of_tier, on_images, unique
from harness.beds import gap as gap_of

from harness.experiment import Experiment, Tier
from harness.learning import kernel_curves, network_curves
from harness.plots import Figure, Series
from harness.study import Control, Gate, Hypothesis, Paper, Statement, Study, Superiority

STREAM = "registered-4"

# The learning curve that the claims on the gap share, down to the cell; effects are read from where networks learn.
SMALLEST, WINDOW = {"digits-1d": 256}, (256, 512, 1024)
DIGITS = dict(task=dict(name="digits-1d"), sizes=(128, 256, 512, 1024), validation=300, test=1000)
CNN = dict(family="cnn", width=16, sigma_b=0.1, strides=(4, 2, 2), label_scale=4.7, centred=False)
ADAM = dict(optimizer="adam", rate=0.01, batch_size=32, steps=1500, checks=30)
BASE = dict(DIGITS, net=CNN, **dict(ADAM, steps=2000, checks=40), after=())

EDGE = dict(optimizer="momentum", rate=0.1)  # of 2 / lambda_max at the start
CELLS = {  # what each changes of the base; steps follow, so that its networks are trained
    "rate_low": dict(BASE, sizes=WINDOW, rate=0.003),
    "base": BASE,
    "rate_high": dict(BASE, sizes=WINDOW, rate=0.03),
    "batch_256": dict(BASE, sizes=WINDOW, batch_size=256, steps=600),
    "batch_full": dict(BASE, sizes=WINDOW, batch_size=None, steps=300),
    "momentum": dict(BASE, sizes=WINDOW, **EDGE),
}
LAZY = dict({**DIGITS, **ADAM, **EDGE, "sizes": WINDOW}, net=dict(CNN, label_scale=0.1, centred=True), after=())
PARITY = dict(task=dict(name="parity", inputs=30, order=2), sizes=(128, 256, 512), validation=300, test=1000)
MLP = dict(family="mlp", width=64, depth=1, sigma_b=0.1, label_scale=4.7, centred=False)
RICH = dict(PARITY, net=MLP, **dict(ADAM, steps=800), after=())
INIT, INFINITE = (dict(DIGITS, net=CNN, kernel=kernel) for kernel in ("init", "infinite"))
PARITY_INIT = dict(PARITY, net=MLP, kernel="init")

STEEPER = Superiority(margin=0.1)
# Name, what it is, and effect and sd from exploration: against the kernel at initialisation, and at infinite width.
ARMS = (
    ("rate_low", "Adam at rate 0.003", 0.24, 0.1, 0.0, 0.15),
    ("base", "Adam at rate 0.01, batches of 32", 0.35, 0.15, 0.13, 0.18),
    ("rate_high", "Adam at rate 0.03", 0.55, 0.13, 0.33, 0.12),
    ("batch_256", "batches of 256", 0.35, 0.14, 0.13, 0.18),
    ("batch_full", "full batch", 0.35, 0.13, 0.13, 0.16),
    ("momentum", "SGD with momentum", 0.47, 0.2, 0.22, 0.21),
)
LABELS = {name: label for name, label, *_ in ARMS}


def gap(name, label, kernel, effect, sd, role, tiers=("quick", "full")):
    """The hypothesis that the network of a cell has a larger exponent than a kernel."""
    return Hypothesis(
        name,
        f"{label}: beta of the network minus beta of the {kernel} kernel, test error rate, is positive",
        STEEPER,
        "0.1 is 13 % of error over two doublings, and what the first run could not exclude where the truth is 0 (lazy)",
        effect,
        sd,
        role,
        agreement=0.15 if name.startswith("momentum") else 0.1,  # in float32 the backends part most there
        label=f"{label}: exponent, network minus {kernel} kernel",
        tiers=tiers,
    )


# The full tier, on images too where they are at hand: what was not explored.
DOUBLINGS, LONG = (128, 256, 512, 1024, 2048, 4096), dict(steps=20_000, checks=100)
CHANGES = {"rate_low": dict(rate=0.003), "base": {}, "momentum": EDGE}
IMAGES = {
    f"cifar10_{name}": on_images("cifar10", LABELS[name], dict(CNN, width=64), {**ADAM, **LONG, **change})
    for name, change in CHANGES.items()
}

CLAIM = Statement(
    id="vyas2022/gap_survives_hyperparameters",
    paper=Paper(
        authors="Vyas, Bansal, Nakkiran",
        year=2022,
        title="Limitations of the NTK for Understanding Generalization in Deep Learning",
        locus="introduction, contributions",
        read="abstract and the start of the introduction; the body text was not found, and no number of it is known",
    ),
    title="Networks' better exponent than their initial kernels' survives learning rate, batch size and optimiser",
    statement=(
        "That networks scale better with the number of samples than their empirical NTK at initialisation is robust "
        "to the learning rate (in the range used in practice), the batch size and the optimiser."
    ),
    operationalised=(
        "1-D digits, five classes against five; CNN of three convolutions (16 channels) and global pooling, NTK "
        "parametrization, squared loss, labels +-4.7, stopped where validation loss is lowest. Around Adam at rate "
        "0.01 in batches of 32, one factor at a time: rates 0.003 and 0.03, batches of 256, full batch, and SGD with "
        "momentum 0.9 at a tenth of the edge 2 / lambda_max. Effect per seed: the network's exponent minus that of "
        "ridge regression with its NTK at initialisation (ridge chosen on the same validation samples), in test error "
        "rate, a line in log-log through n = 256, 512 and 1024. It must exceed 0.1 in every cell."
    ),
    departs=(
        "Data, architecture, width, sample sizes, grid and stopping are ours, not the paper's; 1-D digits test the "
        "mechanism, and were tuned so that convolutions do well on them. Not the full product of the factors. The "
        "paper claims the gap to the kernel at infinite width as well: that is V1's to decide, and beside this claim "
        "it is told cell by cell; so is, at full scale and where it is at hand, the gap on CIFAR-10 (two rates, two "
        "optimisers): not explored, and under no gate. In exploration momentum at 0.3 of the edge left networks "
        "untrained: no cell."
    ),
    family="vyas2022",
    hypotheses=(
        *(gap(n, label, "initial", effect, sd, "primary") for n, label, effect, sd, *_ in ARMS),
        *(gap(f"{n}_infinite", label, "infinite-width", *rest, "secondary") for n, label, _, _, *rest in ARMS),
        Hypothesis(
            "momentum_over_adam",
            "beta of the network, SGD with momentum minus Adam at rate 0.01, n = 256 to 1024, is positive",
            STEEPER,
            "as for the gap: if it holds, the sign of the gap is robust and its size is not",
            0.15,
            0.15,
            "secondary",
            agreement=0.15,
            label="exponent, SGD with momentum minus Adam",
        ),
        *(gap(n, one.label, "initial", 0.15, 0.1, "secondary", ("full",)) for n, one in IMAGES.items()),
    ),
    controls=(
        Control(
            "parity",
            "rate_high",
            "SUPPORTED",
            "squared error, 2-parity of 30 signs: a rich network finds the two, the kernel must learn all 435 products",
        ),
        Control(
            "lazy",
            "momentum",
            "not SUPPORTED",
            "SGD with momentum, labels +-0.1 and f - f_0: a lazy network is regression with its initial kernel",
        ),
    ),
    gates=(
        Gate(
            "trained",
            "in every cell, and the lazy control, at most a fifth of the networks of one size neither reached training "
            "loss 0.1 nor, with a training loss below 0.9 of predicting 0, gained at most 10 % of validation loss in "
            "the last quarter of training",
        ),
        Gate("null", "the lazy network's gap, which is 0, lies below 0.1, by its one-sided 95 % t limit"),
        Gate("finite", "every error rate of the claim is finite and positive", failure="BROKEN"),
    ),
    limits=(
        "The verdict is on the kernel at initialisation, and says nothing of the gap to that at infinite width. "
        "A cell says nothing of values between or beyond it, and one architecture at 16 channels on one generated "
        "data set from n = 256 (from 128 many networks learn nothing) to 1024 nothing of others. The kernel at "
        "initialisation of so narrow a network is noisy: part of its gap is that noise, which the kernel at infinite "
        "width does not have."
    ),
)


def larger(cell, **more):
    """The cell at the scale of the full tier."""
    return dict(cell, **{"net": dict(cell["net"], width=64), "validation": 2000, "test": 10_000, **more})


FULL = (
    larger(BASE, sizes=DOUBLINGS, **LONG),
    larger(CELLS["rate_low"], sizes=(256, 1024, 4096), steps=40_000, checks=200),
    *(larger(CELLS[name], sizes=(256, 1024, 4096), **LONG) for name in ("rate_high", "batch_256", "momentum")),
    larger(CELLS["batch_full"], sizes=WINDOW, steps=2000),
    larger(LAZY, sizes=(256, 1024, 4096), **LONG),
    RICH,
    *(cell for one in IMAGES.values() for cell in one.nets),
)
FULL_KERNELS = (
    *(larger(INIT, sizes=DOUBLINGS), dict(INFINITE, sizes=DOUBLINGS, validation=2000, test=10_000), PARITY_INIT),
    *unique([one.init for one in IMAGES.values()]),
)
EXPERIMENTS = (
    Experiment(
        network_curves,
        quick=Tier((*CELLS.values(), LAZY, RICH), replicates=10),
        full=Tier(FULL, replicates=10, block=2),
        stream=STREAM,
    ),
    Experiment(
        kernel_curves,
        quick=Tier((INIT, INFINITE, PARITY_INIT), replicates=10),
        full=Tier(FULL_KERNELS, replicates=10, block=2),
        stream=STREAM,
    ),
)


def configuration(cells, wanted):
    """The one of the cells that is the wanted one but for the scale of the tier: sizes, steps, width ..."""
    free = ("sizes", "validation", "test", "steps", "checks")

    def key(cell):
        return {k: {**v, "width": 0} if k == "net" else v for k, v in cell.items() if k not in free}

    (found,) = (cell for cell in cells if key(cell) == key(wanted))
    return found


def network(m, wanted, quantity="network_error"):
    """The sizes that effects are read from, and a quantity of the networks there, (seeds, sizes)."""
    found = configuration(m.configurations("network_error"), wanted)
    n = np.array(found["sizes"])
    used = n >= SMALLEST.get(found["task"]["name"], 0)
    return n[used], m(quantity, **found)[:, used]


def kernel(m, wanted, sizes, quantity="error"):
    """The kernel's test errors at those of its sizes that are among `sizes`, and these sizes."""
    found = configuration(m.configurations("kernel_error"), wanted)
    used = np.isin(found["sizes"], sizes)
    return np.array(found["sizes"])[used], m(f"kernel_{quantity}", **found)[:, used]


def exponent(sizes, errors):
    """beta of E ~ n^-beta per seed: a line through ln E against ln n."""
    return -np.polyfit(np.log(sizes), np.log(errors).T, 1)[0]


def difference(m, cell, reference, quantity="error"):
    """Exponent of a cell's network minus that of a kernel, per seed, at the sizes that both have."""
    sizes, errors = network(m, cell, f"network_{quantity}")
    shared, kernel_errors = kernel(m, reference, sizes, quantity)
    return exponent(shared, errors[:, np.isin(sizes, shared)]) - exponent(shared, kernel_errors)


def effects(m):
    """Differences of exponents, per seed."""
    n, fast = network(m, CELLS["momentum"])
    every, slow = network(m, CELLS["base"])
    return {
        **{name: difference(m, cell, INIT) for name, cell in CELLS.items()},
        **{f"{name}_infinite": difference(m, cell, INFINITE) for name, cell in CELLS.items()},
        "momentum_over_adam": exponent(n, fast) - exponent(n, slow[:, np.isin(every, n)]),
        "parity": difference(m, RICH, PARITY_INIT, "loss"),
        "lazy": difference(m, LAZY, INIT),
        **{name: gap_of(m, one, "init", "error") for name, one in of_tier(m, IMAGES).items()},
    }


def gates(m):
    """Whether networks were trained, the null is below the margin, and all errors are numbers with a logarithm."""
    from harness.statistics.curve_gates import biased, untrained  # here: a worker that loads this file has NumPy alone

    said = {}
    for name, cell in {**CELLS, "lazy": LAZY}.items():
        (sizes, loss), (_, gain) = (network(m, cell, quantity) for quantity in ("train_loss", "gain"))
        said[name] = untrained(sizes, loss, gain, 0.1, 0.1, spare=0.2)
    values = [network(m, cell)[1] for cell in (*CELLS.values(), LAZY)]
    values += [m("kernel_error", **configuration(m.configurations("kernel_error"), c)) for c in (INIT, INFINITE)]
    fine = all((np.isfinite(v) & (v > 0)).all() for v in values)
    return {
        "trained": " ".join(f"{name}: {text}" for name, text in said.items() if text),
        "null": biased(difference(m, LAZY, INIT), STEEPER.margin) if fine else "",
        "finite": "" if fine else "an error rate is zero or no number",
    }


def figures(by_backend):
    """Differences of exponents by cell, in error rate and in squared error; learning curves of the cells."""
    backend, m = next(iter(by_backend.items()))
    note = f"{backend}, means over seeds with 95 % t intervals."
    cells = ", ".join(f"{i} {label}" for i, label in enumerate(LABELS.values(), start=1))
    places = np.arange(1, len(ARMS) + 1)
    kinds = {"kernel at initialisation": INIT, "kernel at infinite width": INFINITE}
    gaps = [
        Series.of(f"{label}, {error}", places, [difference(m, CELLS[name], reference, quantity) for name in LABELS])
        for label, reference in kinds.items()
        for error, quantity in (("error rate", "error"), ("squared error", "loss"))
    ]
    curves = [line(LABELS[name], *network(m, cell)) for name, cell in CELLS.items()]
    curves += [line(label, *kernel(m, reference, WINDOW)) for label, reference in kinds.items()]
    curves.append(line("lazy network", *network(m, LAZY)))
    return (
        Figure(
            "Exponent of the network minus that of its kernel",
            f"{note} Cells: {cells}. The line: the margin.",
            "cell",
            "difference of exponents",
            tuple(gaps),
            reference_y=STEEPER.margin,
        ),
        Figure(
            "Learning curves of the cells",
            f"{note} In brackets the exponent, its mean and interval.",
            "training samples n",
            "test error rate",
            tuple(curves),
            log_x=True,
            log_y=True,
        ),
        *drawn(m, IMAGES, "error", note, (0.1, 0.1, 0.2)),
    )


STUDY = Study(CLAIM, EXPERIMENTS, effects, gates, figures)


def test_gap_survives_hyperparameters(verdict):
    """In every cell of the sweep the network's error falls faster with n than that of its kernel."""
    assert verdict.kind == "SUPPORTED", verdict.reason
