"""Networks outscale their initial kernels at every learning rate, batch size and optimiser tested.

Claim
    That networks scale better with the number of samples than their empirical NTK at initialisation
    is robust to the learning rate (in the range used in practice), the batch size and the
    optimiser.

Measured
    1-D digits, five classes against five; CNN of three convolutions (16 channels) and global
    pooling, NTK parametrization, squared loss, labels +-4.7, stopped where validation loss is
    lowest. Around Adam at rate 0.01 in batches of 32, one factor at a time: rates 0.003 and 0.03,
    batches of 256, full batch, and SGD with momentum 0.9 at a tenth of the edge 2 / lambda_max.
    Effect per seed: the network's exponent minus that of ridge regression with its NTK at
    initialisation (ridge chosen on the same validation samples), in test error rate, by a line in
    log-log through n = 256, 512 and 1024. It must exceed 0.1 in every cell.

Departs
    Data, architecture, width, sample sizes, grid and stopping are ours. 1-D digits test the
    mechanism, and were tuned so that convolutions do well on them. The grid is not the full product
    of the factors. The gap to the kernel at infinite width, which the paper claims too, is decided
    on beside it, cell by cell. So is, at full scale and where it is at hand, the gap on CIFAR-10
    (two rates, two optimisers): not explored, and under no gate. In exploration momentum at 0.3 of
    the edge left networks untrained: no cell.

Limits
    The verdict says nothing of the gap to the kernel at infinite width, nor of values between or
    beyond the cells. It rests on one architecture at 16 channels and one generated data set, from n
    = 256 (from 128 many networks learn nothing) to 1024. The initial kernel of so narrow a network
    is noisy: part of its gap is that noise, which the kernel at infinite width does not have.
"""

from claims.vyas2022 import exponents, figures, recipes
from claims.vyas2022.exponents import Trained, network_curve
from claims.vyas2022.paper import PAPER
from claims.vyas2022.settings import INFINITE, INITIAL, add_setting
from harness.claim import Claim, Terms, grid
from harness.statistics import curve_gates

claim = Claim(
    __doc__,
    id="vyas2022/gap_survives_hyperparameters",
    paper=PAPER,
    locus="introduction, contributions",
    seeds=(10, 10),
    stream="registered-4",
)

BASE = add_setting(claim, recipes.PLAIN, block=2)
RATE_LOW = add_setting(claim, recipes.RATE_LOW, BASE.kernels, block=2)
RATE_HIGH = add_setting(claim, recipes.RATE_HIGH, BASE.kernels, block=2)
BATCH_256 = add_setting(claim, recipes.BATCH_256, BASE.kernels, block=2)
FULL_BATCH = add_setting(claim, recipes.FULL_BATCH, BASE.kernels, block=2)
MOMENTUM = add_setting(claim, recipes.MOMENTUM, BASE.kernels, block=2)
ARMS = (RATE_LOW, BASE, RATE_HIGH, BATCH_256, FULL_BATCH, MOMENTUM)
LAZY = add_setting(claim, recipes.LAZY_MOMENTUM, BASE.kernels, block=2)
SIGNS = add_setting(claim, recipes.SIGNS_INITIAL, block=2)
CIFAR = [add_setting(claim, recipes.CIFAR_10[0], block=2)]
CIFAR += [
    add_setting(claim, recipe, CIFAR[0].kernels, block=2)
    for recipe in recipes.CIFAR_10[1:]
]

MARGIN = 0.1
# in float32 the backends part most there
AGREEMENT = {**dict.fromkeys(ARMS, 0.1), MOMENTUM: 0.15}
TRAINED = Trained(loss=0.1, gain=0.1, spare=0.2)
ROBUST = (
    "as for the gap: if it holds, the sign of the gap is robust and its size is not"
)
WHY = (
    "0.1 is 13 % of error over two doublings, "
    "and what the first run could not exclude where it is 0"
)
STEEPER = Terms(above=MARGIN, because=WHY)


@claim.effect(
    primary=True,
    each=grid(arm=ARMS),
    expect={
        RATE_LOW: (0.24, 0.1),
        BASE: (0.35, 0.15),
        RATE_HIGH: (0.55, 0.13),
        BATCH_256: (0.35, 0.14),
        FULL_BATCH: (0.35, 0.13),
        MOMENTUM: (0.47, 0.2),
    },
    agreement=AGREEMENT,
    **STEEPER,
)
def gap(m, arm):
    """{arm}: the exponent of the network is larger by {} than that of its initial kernel."""
    return exponents.gap(m, arm, INITIAL, "error")


@claim.effect(
    each=grid(arm=ARMS),
    expect={
        RATE_LOW: (0.0, 0.15),
        BASE: (0.13, 0.18),
        RATE_HIGH: (0.33, 0.12),
        BATCH_256: (0.13, 0.18),
        FULL_BATCH: (0.13, 0.16),
        MOMENTUM: (0.22, 0.21),
    },
    agreement=AGREEMENT,
    **STEEPER,
)
def gap_to_infinite(m, arm):
    """{arm}: the exponent of the network is larger by {}
    than that of the kernel at infinite width.
    """
    return exponents.gap(m, arm, INFINITE, "error")


@claim.effect(above=MARGIN, expect=(0.15, 0.15), agreement=0.15, because=ROBUST)
def momentum_over_adam(m):
    """The exponent of networks trained by SGD with momentum is larger by {} than by Adam at rate
    0.01.
    """
    return exponents.lead(
        network_curve(m, MOMENTUM, "error"), network_curve(m, BASE, "error")
    )


@claim.effect(
    each=grid(arm=tuple(CIFAR)),
    expect=(0.15, 0.1),
    agreement=0.1,
    tiers=("full",),
    **STEEPER,
)
def gap_on_cifar10(m, arm):
    """{arm}: the exponent of the network is larger by {} than that of its initial kernel."""
    return exponents.gap(m, arm, INITIAL, "error")


@claim.control("SUPPORTED", of=gap, at=dict(arm=RATE_HIGH))
def parity(m):
    """Squared error, 2-parity of 30 signs: a rich network finds the two, the kernel must learn all
    435 products.
    """
    return exponents.gap(m, SIGNS, INITIAL)


@claim.control("not SUPPORTED", of=gap, at=dict(arm=MOMENTUM))
def lazy(m):
    """SGD with momentum, labels +-0.1 and f - f_0: a lazy network is regression with its initial
    kernel.
    """
    return exponents.gap(m, LAZY, INITIAL, "error")


@claim.gate()
def trained(m):
    """In every cell and the lazy control at most a fifth of the networks of one size neither
    reached training loss 0.1 nor, with one below 0.9 of predicting 0, gained at most 10 % of
    validation loss in the last quarter of steps."""
    return TRAINED.fails(
        m, {arm.label: arm.networks for arm in (*ARMS, LAZY)}, smallest=256
    )


@claim.gate()
def null(m):
    """The lazy network's gap, which is 0, lies below 0.1, by its one-sided 95 % t limit."""
    return "" if finite(m) else curve_gates.biased(lazy(m), MARGIN)


@claim.gate("BROKEN")
def finite(m):
    """Every error rate of the claim is finite and positive."""
    curves = [network_curve(m, arm, "error") for arm in (*ARMS, LAZY)]
    curves += [
        exponents.curve(m, experiment, "kernel_error")
        for experiment in BASE.kernels.values()
    ]
    return exponents.without_logarithm(curves)


claim.figure(figures.gaps(ARMS, (INITIAL, INFINITE), ("error", "loss"), MARGIN))
CELLS = {arm.label: figures.network(arm, "error") for arm in ARMS}
REFERENCES = {
    "kernel at initialisation": figures.kernel(BASE, INITIAL, "error"),
    "kernel at infinite width": figures.kernel(BASE, INFINITE, "error"),
    "lazy network": figures.network(LAZY, "error"),
}
claim.figure(figures.curves("Learning curves of the cells", CELLS, "error"))
claim.figure(
    figures.curves("Learning curves of kernels and lazy networks", REFERENCES, "error")
)
claim.figure(
    figures.image_curves("Learning curves on CIFAR-10", CIFAR, "error", TRAINED)
)


def test_gap_survives_hyperparameters(verdict):
    assert verdict.kind == "SUPPORTED", verdict.reason
