"""Networks outscale their initial kernels at every width tested (our statement).

Claim
    Ours, no sentence of the paper: trained as in practice, networks scale better with the number of
    samples than their empirical NTK at initialisation, at every width tested. The paper studies how
    that gap depends on width; what it states of it was cut off in the text that we have.

Measured
    1-D digits, five classes against five; CNN of three convolutions with 8, 16 and 32 channels and
    global pooling, NTK parametrization, squared loss, labels +-4.7, Adam at rate 0.01 in batches of
    32, stopped where validation loss is lowest. Effect per seed and width: the network's exponent
    minus that of ridge regression with the NTK of the same initial weights (ridge chosen on the
    same validation samples), in test error rate, by a line in log-log through n = 256, 512 and
    1024. It must exceed 0.1 at every width. Beside it stands the lazy limit that theory speaks of
    (SGD with momentum at a tenth of the edge 2 / lambda_max, f - f_0, labels +-0.1) at 16 and 32
    channels, where the gap must vanish; and the drift of the kernel in practice, 1 - <K_0, K_T> /
    (|K_0| |K_T|) on 256 test inputs.

Departs
    The statement, data, architecture, widths, sample sizes and stopping are ours. 1-D digits test
    the mechanism, and were tuned so that convolutions do well on them. Adam at one rate in NTK
    parametrization moves wide networks farther than gradient descent would, so the practical arm is
    no approach to the lazy limit. The gap to the kernel at infinite width, which the paper claims
    too, is decided on beside it, width by width. So is, at full scale and where it is at hand, the
    gap on CIFAR-10: not explored, and under no gate.

Limits
    The verdict says nothing of the gap to the kernel at infinite width. Three small widths over a
    factor of four are no limit. n begins at 256: from 128 samples up to seven of ten networks had
    learnt nothing, and in exploration two of six lazy ones of 8 channels from 256, so there is no
    such arm. Part of the gap to the initial kernel is that kernel's noise, which falls with width.
"""

from functools import partial

import numpy as np

from claims.vyas2022 import exponents, figures, recipes
from claims.vyas2022.exponents import Trained, kernel_curve, network_curve, width
from claims.vyas2022.figures import Widths, against_width, over_width
from claims.vyas2022.paper import PAPER
from claims.vyas2022.settings import BASE, INFINITE, INITIAL, add_kernels, add_setting
from harness.claim import Claim, Terms, grid
from harness.statistics import curve_gates
from harness.statistics.slopes import loglog_slopes

claim = Claim(
    __doc__,
    id="vyas2022/gap_across_width",
    paper=PAPER,
    locus="introduction, contributions; section 3 as the introduction names it",
    seeds=(10, 10),
    stream="registered-4",
)

# At 16 channels the kernels are those that other claims have too.
SHARED = add_kernels(claim, (INITIAL, INFINITE), [BASE], recipes.MIDDLE.full, block=2)
LIMIT = {INFINITE: SHARED[INFINITE]}
NARROW = add_setting(claim, recipes.NARROW, LIMIT, block=2)
MIDDLE = add_setting(claim, recipes.MIDDLE, SHARED, block=2)
WIDE = add_setting(claim, recipes.WIDER, LIMIT, block=2)
WIDTHS = (NARROW, MIDDLE, WIDE)
LAZY = {
    MIDDLE: add_setting(claim, recipes.LAZY_MIDDLE, MIDDLE.kernels, block=2),
    WIDE: add_setting(claim, recipes.LAZY_WIDER, WIDE.kernels, block=2),
}
SIGNS = add_setting(claim, recipes.SIGNS_INITIAL, block=2)
CIFAR = tuple(add_setting(claim, recipe, block=2) for recipe in recipes.CIFAR_10_WIDTHS)

MARGIN = 0.1
TRAINED = Trained(loss=0.1, gain=0.1, spare=0.2)
A_LAW = (
    "0.1 is 13 % of error over two doublings, "
    "and what the first run could not exclude where it is 0"
)
A_SLOPE = "0.1 per factor e changes a gap of 0.3 by half over the widths"
STEEPER = Terms(above=MARGIN, because=A_LAW)


@claim.effect(
    primary=True,
    each=grid(channels=WIDTHS),
    expect={NARROW: (0.31, 0.14), MIDDLE: (0.35, 0.15), WIDE: (0.33, 0.14)},
    agreement=0.05,
    **STEEPER,
)
def gap(m, channels):
    """With {channels} the exponent of the network is larger by {}
    than that of its initial kernel.
    """
    return exponents.gap(m, channels, INITIAL, "error")


@claim.effect(
    each=grid(channels=WIDTHS),
    expect={NARROW: (0.03, 0.1), MIDDLE: (0.14, 0.17), WIDE: (0.16, 0.17)},
    agreement=0.05,
    **STEEPER,
)
def gap_to_infinite(m, channels):
    """With {channels} the exponent of the network is larger by {} than that of the kernel at
    infinite width.
    """
    return exponents.gap(m, channels, INFINITE, "error")


@claim.effect(within=0.1, expect=(0.02, 0.12), because=A_SLOPE)
def flat_in_width(m):
    """In practice the gap to the initial kernel grows by {}
    when the width grows by a factor of e.
    """
    gaps = np.array([gap(m, channels) for channels in WIDTHS])  # (widths, seeds)
    widths = [width(m, channels) for channels in WIDTHS]
    # the slope of the gap itself on ln width
    return loglog_slopes(widths, np.exp(gaps.T))


@claim.effect(each=grid(channels=tuple(LAZY)), expect=(0.33, 0.15), **STEEPER)
def lazy_shrinks(m, channels):
    """With {channels} the gap to the initial kernel is larger by {} in practice than near the lazy
    limit.
    """
    return gap(m, channels) - exponents.gap(m, LAZY[channels], INITIAL, "error")


@claim.effect(
    each=grid(setting=CIFAR),
    expect=(0.15, 0.1),
    agreement=0.05,
    tiers=("full",),
    **STEEPER,
)
def gap_on_cifar10(m, setting):
    """{setting}: the exponent of the network is larger by {} than that of its initial kernel."""
    return exponents.gap(m, setting, INITIAL, "error")


@claim.control("SUPPORTED", of=gap, at=dict(channels=WIDE))
def parity(m):
    """2-parity of 30 signs, squared error: a kernel cannot single out two of them."""
    return exponents.gap(m, SIGNS, INITIAL)


@claim.control("not SUPPORTED", of=gap, at=dict(channels=MIDDLE))
def lazy(m):
    """Labels +-0.1 and f - f_0: a lazy network is regression with its initial kernel."""
    return exponents.gap(m, LAZY[MIDDLE], INITIAL, "error")


@claim.gate()
def trained(m):
    """In every cell at most a fifth of the networks of one size neither reached training loss 0.1
    nor, with one below 0.9 of predicting 0, gained at most 10 % of validation loss in the last
    quarter of training."""
    return TRAINED.fails(
        m, {one.label: one.networks for one in (*WIDTHS, *LAZY.values(), SIGNS)}
    )


@claim.gate()
def null(m):
    """The lazy network's gap at the middle width, which is 0, lies below 0.1, by its one-sided 95 %
    t limit.
    """
    return "" if finite(m) else curve_gates.biased(lazy(m), MARGIN)


@claim.gate("BROKEN")
def finite(m):
    """Every error rate, and every drift at the largest n, is finite and positive."""
    curves = [
        network_curve(m, setting, "error") for setting in (*WIDTHS, *LAZY.values())
    ]
    curves += [kernel_curve(m, setting, INITIAL, "error") for setting in WIDTHS]
    curves += [kernel_curve(m, MIDDLE, INFINITE, "error")]
    curves += [exponents.drift(m, setting).largest() for setting in WIDTHS]
    return exponents.without_logarithm(curves)


LAZY_ONES = tuple(LAZY.values())
GAPS = {
    "in practice (Adam), initial kernel": Widths(WIDTHS, gap),
    "in practice (Adam), kernel at infinite width": Widths(WIDTHS, gap_to_infinite),
    "lazy, initial kernel": Widths(
        LAZY_ONES, partial(exponents.gap, kernel=INITIAL, metric="error")
    ),
    "lazy, initial kernel, squared error": Widths(
        LAZY_ONES, partial(exponents.gap, kernel=INITIAL)
    ),
}
ADVANTAGE = {"in practice (Adam)": Widths(WIDTHS, exponents.kernel_over_network)}
DRIFTS = {
    "in practice (Adam)": Widths(
        WIDTHS, lambda m, one: exponents.drift(m, one).values[:, -1]
    )
}
DIFFERENCE = over_width("difference of exponents", reference=MARGIN)
RATIO = over_width("ratio, at the largest n", log_y=True, reference=1.0)
DRIFT = over_width("1 - <K_0, K_T> / (|K_0| |K_T|), at the largest n", log_y=True)
claim.figure(
    against_width("Exponent of the network minus that of its kernel", DIFFERENCE, GAPS)
)
claim.figure(
    against_width(
        "Error of the initial kernel over that of the network", RATIO, ADVANTAGE
    )
)
claim.figure(against_width("Drift of the kernel in training", DRIFT, DRIFTS))
claim.figure(
    figures.image_curves("Learning curves on CIFAR-10", CIFAR, "error", TRAINED)
)


def test_gap_across_width(verdict):
    assert verdict.kind == "SUPPORTED", verdict.reason
