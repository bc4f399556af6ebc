"""A network's error falls faster with data than that of its kernels.

Claim
    There are realistic settings in which a finite network has a significantly better exponent of
    test error in the number of samples than both its empirical NTK at initialisation and the NTK at
    infinite width; the gap is in the exponent, not only a constant factor.
Measured
    Effect per seed: the network's exponent minus that of ridge regression with the kernel.
    Exponents are beta of E ~ n^-beta, by a line in log-log; E is the squared error or the error
    rate on test samples. Two settings. Pairs: two Fashion-MNIST images side by side; are both, or
    neither, worn above the waist? MLP of 2 layers of 128, n = 256 to 2048, no image twice. Digits:
    five classes of generated 1-D digits against five; CNN of 32 channels, global pooling, n = 512
    to 2048. Both: NTK parametrization, labels +-4.7, Adam at 0.01, batches of 32, 3,000 steps at
    every n. Both kernels must lose, in both settings, in both errors. Stopping and ridge are
    chosen by squared error on the same validation samples.
Departs
    Data, architectures, widths, sizes and stopping are ours; 1-D digits are generated and suit
    convolutions. Exploration tried about ten tasks on Fashion-MNIST; the pairs were chosen among
    those, on other seeds, by their gaps. At full scale the left image of a pair and, where at hand,
    MNIST, SVHN, CIFAR-10 and CIFAR-5m stand beside, under no gate; the latter were not explored.
Limits
    For single images exploration saw no gap in error rate to the infinite kernel: existence, no
    law. The gap grew with what a task asks beyond a template. It depends on the training budget: on
    pairs it fell from 0.20 to 0.15 between 1,500 and 6,000 steps. Nor is it constant: from n = 1024
    to 2048 the network nears a floor of ambiguous images. On a draw from the NTK the initial kernel
    loses by its noise alone: a gap to it proves no learnt features.
"""

from claims.vyas2022 import expected, exponents, figures, recipes
from claims.vyas2022.exponents import Trained, kernel_curve, network_curve
from claims.vyas2022.paper import PAPER
from claims.vyas2022.settings import INFINITE, INITIAL, RATE, SQUARED, add_setting
from harness.claim import Claim, Terms, grid
from harness.statistics import curve_gates

claim = Claim(
    __doc__,
    id="vyas2022/network_outscales_its_kernels",
    paper=PAPER,
    locus="abstract; introduction, first contribution; section 3 as the introduction names it",
    stream="registered-5",
)

BOTH = (INITIAL, INFINITE)
PAIRS = add_setting(claim, recipes.PAIRS, *BOTH)
DIGITS = add_setting(claim, recipes.DIGITS, *BOTH)
LONGER = add_setting(claim, recipes.LONGER, shared=PAIRS.kernels)
PLAIN = add_setting(claim, recipes.PLAIN, INFINITE)
SIGNS = add_setting(claim, recipes.SIGNS, *BOTH)
DRAW = add_setting(claim, recipes.DRAW, INFINITE)
LAZY = add_setting(claim, recipes.LAZY, shared=PAIRS.kernels)
SETTINGS = (PAIRS, DIGITS, LONGER, PLAIN, DRAW, SIGNS, LAZY)
# at the full tier
OTHERS = tuple(add_setting(claim, recipe, INITIAL) for recipe in recipes.OTHERS)

MARGIN = 0.05
TRAINED = Trained(loss=0.01, gain=0.1, spare=0.1)
EIGHT = grid(setting=(PAIRS, DIGITS), kernel=BOTH, error=(SQUARED, RATE))
BESIDE = grid(setting=(LONGER, PLAIN), error=(SQUARED, RATE))
A_LAW = "0.05 in the exponent is 7 % of error over two doublings of n: less is no other scaling law"
STEEPER = Terms(above=MARGIN, because=A_LAW)
CHOICE = "5 % of squared error is the least that one would choose a predictor by"
LOWER = Terms(ratio=True, above=1.05, agreement=0.05, because=CHOICE)
RATIOS = {PAIRS: (1.55, 0.08), DIGITS: (1.3, 0.1)}
EXPECTED = expected.of_gaps((*EIGHT, *BESIDE))
AGREEMENT = {case: 0.025 if case[-1] is SQUARED else 0.05 for case in EXPECTED}


@claim.effect(primary=True, each=EIGHT, expect=EXPECTED, agreement=AGREEMENT, **STEEPER)
def gap(m, setting, kernel, error):
    """On {setting} the exponent of the network's {error} is larger by {}
    than that of its {kernel} kernel.
    """
    return exponents.gap(m, setting, kernel, error)


@claim.effect(each=BESIDE, expect=EXPECTED, agreement=AGREEMENT, **STEEPER)
def gap_elsewhere(m, setting, error):
    """On {setting} the exponent of the network's {error} is larger by {}
    than that of its kernel at infinite width.
    """
    return exponents.gap(m, setting, INFINITE, error)


@claim.effect(each=grid(setting=OTHERS), expect=(0.1, 0.1), tiers=("full",), **STEEPER)
def gap_at_full_scale(m, setting):
    """{setting}: the exponent of the network is larger by {} than that of its initial kernel."""
    return exponents.gap(m, setting, INITIAL)


@claim.effect(each=grid(setting=tuple(RATIOS)), expect=RATIOS, **LOWER)
def infinite_over_network(m, setting):
    """On {setting}, at the largest n, the squared error of the infinite-width kernel
    is {} times that of the network.
    """
    network, kernel = network_curve(m, setting), kernel_curve(m, setting, INFINITE)
    return exponents.last_ratio(kernel, network)


@claim.control("SUPPORTED", of=gap, each=grid(kernel=BOTH))
def parity(m, kernel):
    """Two of 30 signs: a network finds them; the {kernel} kernel cannot."""
    return exponents.gap(m, SIGNS, kernel)


@claim.control("not SUPPORTED", of=gap)
def draw(m):
    """A draw from the NTK: nothing predicts better than that kernel."""
    return exponents.gap(m, DRAW, INFINITE)


@claim.control("not SUPPORTED", of=gap)
def lazy(m):
    """Pairs, small labels, f - f_0: a lazy network is regression with its initial kernel."""
    return exponents.gap(m, LAZY, INITIAL)


@claim.gate()
def trained(m):
    """Nine in ten networks per size reached training loss 0.01, or, with one below 0.9 of
    predicting 0, gained at most 10 % of validation loss in the last quarter of steps."""
    return TRAINED.fails(m, SETTINGS)


@claim.gate()
def one_size(m):
    """Without any one size every mean gap stays above its margin."""
    return exponents.gap_of_one_size(m, EIGHT, MARGIN)


@claim.gate()
def floor(m):
    """No floor under the networks' squared error takes more than 0.1 off an exponent."""
    return exponents.floor_of_networks(m, (PAIRS, DIGITS), 0.1)


@claim.gate()
def null(m):
    """The lazy network's gap, which is 0, lies below 0.05, by its one-sided 95 % t limit."""
    return "" if finite(m) else curve_gates.biased(lazy(m), MARGIN)


@claim.gate("BROKEN")
def finite(m):
    """Every squared error, and every error rate of the pairs and digits, is finite and positive."""
    rates = exponents.lacks_logarithm(m, (PAIRS, DIGITS, LONGER, PLAIN), RATE)
    return rates or exponents.lacks_logarithm(m, SETTINGS, SQUARED)


for error in (SQUARED, RATE):
    claim.figure(figures.setting_curves(f"Pairs: {error}", (PAIRS, LONGER), error))
    claim.figure(figures.setting_curves(f"1-D digits: {error}", (DIGITS,), error))
claim.figure(figures.setting_curves("Single images: error rate", (PLAIN,), RATE))
claim.figure(figures.gaps(SETTINGS, BOTH, (SQUARED,), MARGIN))
claim.figure(figures.setting_curves("Other settings", OTHERS, SQUARED, TRAINED))


def test_network_outscales_its_kernels(verdict):
    assert verdict.kind == "SUPPORTED", verdict.reason
