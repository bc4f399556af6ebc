"""Networks outscale their initial kernels at every width tested (our statement).

Claim
    Ours, no sentence of the paper: trained as in practice, networks scale better with the number of
    samples than their empirical NTK at initialisation, at every width tested. The paper studies how
    that gap depends on width; what it states of it was cut off in the text that we have.
Measured
    Two Fashion-MNIST images side by side: are both, or neither, worn above the waist? MLP of 2
    layers of 32, 128 and 256, NTK parametrization, squared loss, labels +-4.7, Adam at rate 0.01 in
    batches of 32, 3,000 steps, stopped where validation loss is lowest. Effect per seed and width:
    exponent of the network's test error rate minus that of regression with the NTK of the same
    initial weights (ridge by the same validation samples), in log-log through n = 256, 512, 1024.
Departs
    The statement, data, architecture, widths, sample sizes and stopping are ours. Adam at one rate
    in NTK parametrization moves wide networks farther than gradient descent would, so the practical
    arm is no approach to the lazy limit. The pairs were chosen among about ten explored tasks, by
    their gap at width 128. At full scale CIFAR-10 stands beside: not explored, and under no gate.
Limits
    The verdict says nothing of the gap to the kernel at infinite width. Three widths over a factor
    of eight are no limit. Part of the gap to the initial kernel is that kernel's noise, which falls
    with width. In exploration the gap fell from 0.40 at width 32 to 0.27 at 256; six other seeds
    did not repeat this. One task, two doublings of n; the gap depends on the training budget.
"""

from claims.vyas2022 import expected, exponents, figures, recipes, settings
from claims.vyas2022.paper import PAPER
from claims.vyas2022.settings import INFINITE, INITIAL, RATE
from harness.claim import Claim, Terms, grid
from harness.statistics import curve_gates

claim = Claim(
    __doc__,
    id="vyas2022/gap_across_width",
    paper=PAPER,
    locus="introduction, contributions; section 3 as the introduction names it",
    seeds=(10, 10),
    stream="registered-5",
)

SHARED = settings.add_kernels(claim, recipes.PAIRS, INITIAL, INFINITE)
NARROW = settings.add_setting(claim, recipes.NARROW, INITIAL, shared=SHARED)
MIDDLE = settings.add_setting(claim, recipes.MIDDLE, shared=SHARED)
WIDE = settings.add_setting(claim, recipes.WIDER, INITIAL, shared=SHARED)
WIDTHS = (NARROW, MIDDLE, WIDE)
LAZY = settings.add_setting(claim, recipes.LAZY, shared=SHARED)
SIGNS = settings.add_setting(claim, recipes.SIGNS, INITIAL)
CIFAR = [settings.add_setting(claim, each, INITIAL) for each in recipes.CIFAR_WIDTHS]
MARGIN = 0.1
STEEPER = Terms(above=MARGIN, because=settings.OF_A_TENTH)
A_SLOPE = "0.1 per factor e changes a gap of 0.4 by half over the widths"
TRAINED = exponents.Trained(loss=0.1, gain=0.1, spare=0.2)
EACH = grid(width=WIDTHS)
IMAGES = Terms(each=grid(setting=tuple(CIFAR)), expect=(0.15, 0.1), tiers=("full",))


@claim.effect(primary=True, each=EACH, expect=expected.to_initial(WIDTHS), **STEEPER)
def gap(m, width):
    """With {width} the exponent of the network is larger by {} than that of its initial kernel."""
    return exponents.gap(m, width, INITIAL, RATE)


@claim.effect(each=EACH, expect=expected.to_infinite(WIDTHS), **STEEPER)
def gap_to_infinite(m, width):
    """With {width} the network's exponent is larger by {} than the infinite-width kernel's."""
    return exponents.gap(m, width, INFINITE, RATE)


@claim.effect(within=0.1, expect=(-0.04, 0.05), because=A_SLOPE)
def flat_in_width(m):
    """The gap to the initial kernel grows by {} when the width grows by a factor of e."""
    return exponents.slope_of_gap(m, WIDTHS, INITIAL, RATE)


@claim.effect(**IMAGES, **STEEPER)
def gap_on_cifar10(m, setting):
    """{setting}: the exponent of the network is larger by {} than that of its initial kernel."""
    return exponents.gap(m, setting, INITIAL, RATE)


@claim.control("SUPPORTED", of=gap, at=dict(width=WIDE))
def parity(m):
    """2-parity of 30 signs, squared error: a kernel cannot single out two of them."""
    return exponents.gap(m, SIGNS, INITIAL)


@claim.control("not SUPPORTED", of=gap, at=dict(width=MIDDLE))
def lazy(m):
    """Labels +-0.1 and f - f_0: a lazy network is regression with its initial kernel."""
    return exponents.gap(m, LAZY, INITIAL, RATE)


@claim.gate()
def trained(m):
    """In every cell at most a fifth of the networks of one size neither reached training loss 0.1
    nor, with one below 0.9 of predicting 0, gained at most 10 % of validation loss in the last
    quarter of training."""
    return TRAINED.fails(m, (*WIDTHS, LAZY, SIGNS))


@claim.gate()
def null(m):
    """The lazy network's gap, which is 0, lies below 0.1, by its one-sided 95 % t limit."""
    return "" if finite(m) else curve_gates.biased(lazy(m), MARGIN)


@claim.gate("BROKEN")
def finite(m):
    """Every error rate of the claim is finite and positive."""
    return exponents.lacks_logarithm(m, (*WIDTHS, LAZY), RATE)


claim.figure(
    figures.against_width(WIDTHS, RATE, MARGIN),
    figures.setting_curves("Learning curves", (*WIDTHS, LAZY), RATE),
    figures.setting_curves("Learning curves on CIFAR-10", CIFAR, RATE, TRAINED),
)


def test_gap_across_width(verdict):
    assert verdict.kind == "SUPPORTED", verdict.reason
