"""Networks outscale their initial kernels at every learning rate, batch size and optimiser tested.

Claim
    That networks scale better with the number of samples than their empirical NTK at initialisation is
    robust to the learning rate (in the range used in practice), the batch size and the optimiser.

Measured
    1-D digits, five classes against five; CNN of three convolutions (16 channels) and global pooling, NTK
    parametrization, squared loss, labels +-4.7, stopped where validation loss is lowest. Around Adam at
    rate 0.01 in batches of 32, one factor at a time: rates 0.003 and 0.03, batches of 256, full batch, and
    SGD with momentum 0.9 at a tenth of the edge 2 / lambda_max. Effect per seed: the network's exponent
    minus that of ridge regression with its NTK at initialisation (ridge chosen on the same validation
    samples), in test error rate, by a line in log-log through n = 256, 512 and 1024. It must exceed 0.1 in
    every cell.

Departs
    Data, architecture, width, sample sizes, grid and stopping are ours. 1-D digits test the mechanism, and
    were tuned so that convolutions do well on them. The grid is not the full product of the factors. The
    gap to the kernel at infinite width, which the paper claims too, is decided on beside it, cell by cell.
    So is, at full scale and where it is at hand, the gap on CIFAR-10 (two rates, two optimisers): not
    explored, and under no gate. In exploration momentum at 0.3 of the edge left networks untrained: no cell.

Limits
    The verdict says nothing of the gap to the kernel at infinite width, nor of values between or beyond the
    cells. It rests on one architecture at 16 channels and one generated data set, from n = 256 (from 128
    many networks learn nothing) to 1024. The initial kernel of so narrow a network is noisy: part of its gap
    is that noise, which the kernel at infinite width does not have.
"""

from claims.vyas2022 import exponents, figures
from claims.vyas2022.curves import kernel_curves, network_curves
from claims.vyas2022.exponents import Trained, network_curve
from claims.vyas2022.paper import PAPER
from claims.vyas2022.settings import (
    ADAM,
    BASE,
    CNN,
    DOUBLINGS,
    EDGE,
    INFINITE,
    INITIAL,
    LAZY,
    PARITY_CURVE,
    WINDOW,
    Setting,
    add_image_setting,
    kernel_cell,
    on_images,
)
from harness.claim import Claim, grid
from harness.statistics import curve_gates

claim = Claim(
    __doc__,
    id="vyas2022/gap_survives_hyperparameters",
    paper=PAPER,
    locus="introduction, contributions",
    seeds=(10, 10),
    stream="registered-4",
)

LONG = dict(steps=20_000, checks=100)
SAMPLES = dict(validation=2000, test=10_000)
LARGE = dict(SAMPLES, net=dict(CNN, width=64), **LONG)
FAR = [256, 1024, 4096]

initial = claim.experiment(
    kernel_curves,
    [kernel_cell([BASE], INITIAL)],
    full=dict(SAMPLES, sizes=DOUBLINGS[:6], net=dict(CNN, width=64)),
    block=2,
)
infinite = claim.experiment(
    kernel_curves, [kernel_cell([BASE], INFINITE)], full=dict(SAMPLES, sizes=DOUBLINGS[:6]), block=2
)


def arm(name, label, full, **changes):
    """The base with some changes, and what the full tier changes; exponents are read from where networks learn."""
    networks = claim.experiment(network_curves, [dict(BASE, **changes)], full=dict(LARGE, **full), block=2)
    return Setting(name, label, networks, {INITIAL: initial, INFINITE: infinite}, smallest=256)


# Steps follow what is changed, so that networks are trained.
SLOW = dict(sizes=FAR, steps=40_000, checks=200)
RATE_LOW = arm("rate_low", "Adam at rate 0.003", SLOW, sizes=WINDOW, rate=0.003)
ADAM_BASE = arm("base", "Adam at rate 0.01, batches of 32", dict(sizes=DOUBLINGS[:6]))
RATE_HIGH = arm("rate_high", "Adam at rate 0.03", dict(sizes=FAR), sizes=WINDOW, rate=0.03)
BATCH_256 = arm("batch_256", "batches of 256", dict(sizes=FAR), sizes=WINDOW, batch_size=256, steps=600)
FULL_BATCH = arm(
    "batch_full",
    "full batch",
    dict(sizes=WINDOW, steps=2000, checks=40),
    sizes=WINDOW,
    batch_size=None,
    steps=300,
)
MOMENTUM = arm("momentum", "SGD with momentum", dict(sizes=FAR), sizes=WINDOW, **EDGE)
ARMS = (RATE_LOW, ADAM_BASE, RATE_HIGH, BATCH_256, FULL_BATCH, MOMENTUM)

lazy_networks = claim.experiment(
    network_curves, [LAZY], full=dict(LARGE, sizes=FAR, net=dict(LAZY["net"], width=64)), block=2
)
LAZY_CNN = Setting("lazy", "lazy network", lazy_networks, {INITIAL: initial}, smallest=256)
SIGNS = Setting(
    "parity",
    "2-parity of 30 signs",
    claim.experiment(network_curves, [PARITY_CURVE], block=2),
    {INITIAL: claim.experiment(kernel_curves, [kernel_cell([PARITY_CURVE], INITIAL)], block=2)},
)


def on_cifar(name, label, training, kernel=None):
    """An arm of the full tier on CIFAR-10."""
    cell = on_images("cifar10", dict(CNN, width=64), {**ADAM, **LONG, **training})
    return add_image_setting(claim, name, f"CIFAR-10, {label}", cell, kernel)


CIFAR_BASE = on_cifar("base", "Adam at rate 0.01, batches of 32", {})
CIFAR = (
    on_cifar("rate_low", "Adam at rate 0.003", dict(rate=0.003), CIFAR_BASE.kernels[INITIAL]),
    CIFAR_BASE,
    on_cifar("momentum", "SGD with momentum", EDGE, CIFAR_BASE.kernels[INITIAL]),
)

MARGIN = 0.1
TRAINED = Trained(loss=0.1, gain=0.1, spare=0.2)
WHY = "0.1 is 13 % of error over two doublings, and what the first run could not exclude where the truth is 0 (lazy)"


@claim.effect(
    primary=True,
    above=MARGIN,
    each=grid(arm=ARMS),
    expect={
        RATE_LOW: (0.24, 0.1),
        ADAM_BASE: (0.35, 0.15),
        RATE_HIGH: (0.55, 0.13),
        BATCH_256: (0.35, 0.14),
        FULL_BATCH: (0.35, 0.13),
        MOMENTUM: (0.47, 0.2),
    },
    agreement={**dict.fromkeys(ARMS, 0.1), MOMENTUM: 0.15},  # in float32 the backends part most there
    because=WHY,
)
def gap(m, arm):
    """{arm}: the exponent of the network is larger by {} than that of its initial kernel."""
    return exponents.gap(m, arm, INITIAL, "error")


@claim.effect(
    above=MARGIN,
    each=grid(arm=ARMS),
    expect={
        RATE_LOW: (0.0, 0.15),
        ADAM_BASE: (0.13, 0.18),
        RATE_HIGH: (0.33, 0.12),
        BATCH_256: (0.13, 0.18),
        FULL_BATCH: (0.13, 0.16),
        MOMENTUM: (0.22, 0.21),
    },
    agreement={**dict.fromkeys(ARMS, 0.1), MOMENTUM: 0.15},
    because=WHY,
)
def gap_to_infinite(m, arm):
    """{arm}: the exponent of the network is larger by {} than that of the kernel at infinite width."""
    return exponents.gap(m, arm, INFINITE, "error")


@claim.effect(
    above=MARGIN,
    expect=(0.15, 0.15),
    agreement=0.15,
    because="as for the gap: if it holds, the sign of the gap is robust and its size is not",
)
def momentum_over_adam(m):
    """The exponent of networks trained by SGD with momentum is larger by {} than by Adam at rate 0.01."""
    return exponents.lead(network_curve(m, MOMENTUM, "error"), network_curve(m, ADAM_BASE, "error"))


@claim.effect(above=MARGIN, each=grid(arm=CIFAR), expect=(0.15, 0.1), agreement=0.1, because=WHY, tiers=("full",))
def gap_on_cifar10(m, arm):
    """{arm}: the exponent of the network is larger by {} than that of its initial kernel."""
    return exponents.gap(m, arm, INITIAL, "error")


@claim.control("SUPPORTED", of=gap, at=dict(arm=RATE_HIGH))
def parity(m):
    """Squared error, 2-parity of 30 signs: a rich network finds the two, the kernel must learn all 435 products."""
    return exponents.gap(m, SIGNS, INITIAL)


@claim.control("not SUPPORTED", of=gap, at=dict(arm=MOMENTUM))
def lazy(m):
    """SGD with momentum, labels +-0.1 and f - f_0: a lazy network is regression with its initial kernel."""
    return exponents.gap(m, LAZY_CNN, INITIAL, "error")


@claim.gate()
def trained(m):
    """In every cell and the lazy control at most a fifth of the networks of one size neither reached training loss
    0.1 nor, with one below 0.9 of predicting 0, gained at most 10 % of validation loss in the last quarter of steps."""
    return TRAINED.fails(m, {arm.label: arm.networks for arm in (*ARMS, LAZY_CNN)}, smallest=256)


@claim.gate()
def null(m):
    """The lazy network's gap, which is 0, lies below 0.1, by its one-sided 95 % t limit."""
    return "" if finite(m) else curve_gates.biased(lazy(m), MARGIN)


@claim.gate("BROKEN")
def finite(m):
    """Every error rate of the claim is finite and positive."""
    curves = [network_curve(m, arm, "error") for arm in (*ARMS, LAZY_CNN)]
    curves += [exponents.curve(m, experiment, "kernel_error") for experiment in (initial, infinite)]
    return exponents.without_logarithm(curves)


claim.figure(figures.gaps(ARMS, (INITIAL, INFINITE), ("error", "loss"), MARGIN))
claim.figure(
    figures.curves("Learning curves of the cells", {arm.label: figures.network(arm, "error") for arm in ARMS}, "error")
)
claim.figure(
    figures.curves(
        "Learning curves of the kernels, and of the lazy network",
        {
            "kernel at initialisation": figures.kernel(ADAM_BASE, INITIAL, "error"),
            "kernel at infinite width": figures.kernel(ADAM_BASE, INFINITE, "error"),
            "lazy network": figures.network(LAZY_CNN, "error"),
        },
        "error",
    )
)
claim.figure(figures.image_curves("Learning curves on CIFAR-10", CIFAR, "error", TRAINED))


def test_gap_survives_hyperparameters(verdict):
    assert verdict.kind == "SUPPORTED", verdict.reason
