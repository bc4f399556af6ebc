"""A network's error falls faster with data than that of its kernels.

Claim
    There are realistic settings in which a finite network has a significantly better exponent of
    test error in the number of samples than both its empirical NTK at initialisation and the NTK at
    infinite width; the gap is in the exponent, not only a constant factor.

Measured
    Effect per seed: the network's exponent minus that of ridge regression with the kernel.
    Exponents are beta of E ~ n^-beta, by a line in log-log; E is the squared error on test samples:
    both predictors are trained on it, and no setting takes it to zero. Setting, chosen on other
    seeds among five: 1-D digits, five classes against five, CNN of three convolutions (64 channels)
    and global pooling, NTK parametrization, labels +-4.7, Adam, n = 128 to 1024 (full scale: 128
    channels, n to 16,384). Both kernels must lose.
    Picking a setting costs: every setting is held to alpha = 0.05 / 5. Stopping and ridge are
    chosen by squared error on the same validation samples.

Departs
    Data, architectures, widths, sample sizes and stopping are ours. 1-D digits test the mechanism,
    not the paper's data, and were tuned so that convolutions do well on them. The width was chosen
    because with 16 channels the initial kernel loses but that at infinite width does not. Error
    rates, the other settings and the factor at the largest n are decided on beside it. So are, at
    full scale and where they are at hand, MNIST, SVHN, CIFAR-10 and CIFAR-5m: not explored, and
    under no gate.

Limits
    Existence on one generated data set over three doublings, not a law. The window begins where all
    predictors are near chance: at n = 128 some networks learn nothing, and a run with many such
    decides nothing; the gap widens along the window. A network may outscale a kernel and still lie
    above it. On a draw from the NTK, which no network can beat, the initial kernel loses by its
    noise alone: a gap to that kernel is no evidence of learnt features. In exploration the average
    of 16 initial kernels of 16 channels was 12 % worse than the kernel at infinite width at n =
    512, so averages are no substitute for it.
"""

from claims.vyas2022 import exponents, figures, recipes
from claims.vyas2022.curves import kernel_curves
from claims.vyas2022.exponents import Trained, failures, kernel_curve, network_curve
from claims.vyas2022.paper import PAPER
from claims.vyas2022.settings import BASE, INFINITE, INITIAL, add_kernels, add_setting
from harness import gates
from harness.claim import Claim, Terms, grid
from harness.statistics import curve_gates

claim = Claim(
    __doc__,
    id="vyas2022/network_outscales_its_kernels",
    paper=PAPER,
    locus="abstract; introduction, first contribution; section 3 as the introduction names it",
    stream="registered-4",
)

NARROW = add_setting(claim, recipes.CNN_16)
LIMIT = {INFINITE: NARROW.kernels[INFINITE]}  # whatever the width
WIDE = add_setting(claim, recipes.CNN_64, LIMIT)
MLP = add_setting(claim, recipes.DIGITS_MLP)
FASHION_CNN = add_setting(claim, recipes.FASHION_CNN)
FASHION_MLP = add_setting(claim, recipes.FASHION_MLP)
SIGNS = add_setting(claim, recipes.SIGNS)
DRAW = add_setting(claim, recipes.NTK_DRAW)
LAZY = add_setting(claim, recipes.LAZY_CNN, add_kernels(claim, (INITIAL,), [BASE]))
SETTINGS = (WIDE, NARROW, MLP, FASHION_CNN, FASHION_MLP, DRAW, SIGNS, LAZY)
# at the full tier
IMAGES = tuple(add_setting(claim, recipe) for recipe in recipes.IMAGES)
averaged = claim.experiment(kernel_curves, [recipes.AVERAGE_OF_16], block=1)

TRAINED = Trained(loss=0.01, gain=0.1, spare=0.1)
BOTH = grid(kernel=(INITIAL, INFINITE))
A_LAW = "0.05 in the exponent is 7 % of error over two doublings of n: less is no other scaling law"
A_CHOICE = "5 % of squared error is the least that one would choose a predictor by"
# the setting was the best of five
STEEPER = Terms(above=0.05, alpha=0.05 / 5, because=A_LAW)
TESTED = {
    (NARROW, INITIAL): (0.2, 0.05),
    (NARROW, INFINITE): (0.01, 0.04),
    (MLP, INITIAL): (0.15, 0.04),
    (MLP, INFINITE): (0.03, 0.04),
    (FASHION_CNN, INITIAL): (0.08, 0.07),
    (FASHION_MLP, INITIAL): (0.03, 0.04),
    (FASHION_MLP, INFINITE): (-0.01, 0.03),
}
PAIRS = [dict(setting=setting, kernel=kernel) for setting, kernel in TESTED]


@claim.effect(
    primary=True,
    each=BOTH,
    expect={INITIAL: (0.25, 0.05), INFINITE: (0.11, 0.036)},
    **STEEPER,
)
def gap(m, kernel):
    """On 1-D digits a CNN of 64 channels has an exponent larger by {} than its {kernel} kernel."""
    return exponents.gap(m, WIDE, kernel)


@claim.effect(
    each=BOTH, expect={INITIAL: (0.33, 0.1), INFINITE: (0.17, 0.1)}, **STEEPER
)
def gap_in_error_rate(m, kernel):
    """In error rate the exponent of that CNN is larger by {} than that of its {kernel} kernel."""
    return exponents.gap(m, WIDE, kernel, "error")


@claim.effect(each=PAIRS, expect=TESTED, **STEEPER)
def gap_elsewhere(m, setting, kernel):
    """{setting}: the exponent of the network is larger by {} than that of its {kernel} kernel."""
    return exponents.gap(m, setting, kernel)


@claim.effect(each=grid(setting=IMAGES), expect=(0.1, 0.1), tiers=("full",), **STEEPER)
def gap_on_images(m, setting):
    """{setting}: the exponent of the network is larger by {} than that of its initial kernel."""
    return exponents.gap(m, setting, INITIAL)


@claim.effect(ratio=True, above=1.05, expect=(1.197, 0.06), because=A_CHOICE)
def infinite_over_network(m):
    """At the largest n the squared error of its infinite-width kernel
    is {} times that of that CNN.
    """
    return exponents.last_ratio(kernel_curve(m, WIDE, INFINITE), network_curve(m, WIDE))


@claim.control("SUPPORTED", of=gap, each=BOTH)
def parity(m, kernel):
    """Two of 30 signs: a network finds them; the {kernel} kernel cannot."""
    return exponents.gap(m, SIGNS, kernel)


@claim.control("not SUPPORTED", of=gap)
def draw(m):
    """A draw from the NTK: nothing predicts better than that kernel."""
    return exponents.gap(m, DRAW, INFINITE)


@claim.control("not SUPPORTED", of=gap)
def lazy(m):
    """Small labels, f - f_0 trained: the network is regression with its initial kernel."""
    return exponents.gap(m, LAZY, INITIAL)


@claim.gate()
def trained(m):
    """Nine in ten networks per size reached training loss 0.01, or, with one below 0.9 of
    predicting 0, gained at most 10 % of validation loss in the last quarter of steps."""
    return TRAINED.fails(m, {setting.label: setting.networks for setting in SETTINGS})


@claim.gate()
def one_size(m):
    """CNN of 64 channels: without any one size the mean gap to a kernel changes by at most 0.1."""
    return failures(m, WIDE, curve_gates.leave_one_size_out, tolerance=0.1)


@claim.gate()
def halves(m):
    """CNN of 64 channels: the mean gap to a kernel changes by at most 0.3 from the lower to the
    upper sizes.
    """
    return failures(m, WIDE, curve_gates.half_window, tolerance=0.3)


@claim.gate()
def floor(m):
    """CNN of 64 channels: no floor under the network's curve takes more
    than 0.1 off its exponent.
    """
    errors = network_curve(m, WIDE)
    return (
        ""
        if exponents.without_logarithm([errors])
        else curve_gates.floor(errors.sizes, errors.values, 0.1)
    )


@claim.gate("BROKEN")
def finite(m):
    """Every squared error is finite and positive."""
    kernels = [kernel for setting in SETTINGS for kernel in setting.kernels.values()]
    networks = [setting.networks for setting in SETTINGS]
    wrong = gates.positive(m, ["network_loss"], *networks)
    return wrong or gates.positive(m, ["kernel_loss"], averaged, *kernels)


AVERAGED = {
    "16 initial kernels of 16 channels averaged": figures.measured(
        averaged, "kernel_loss"
    )
}
claim.figure(
    figures.setting_curves("Learning curves on 1-D digits", (WIDE, NARROW), AVERAGED)
)
claim.figure(
    figures.setting_curves(
        "Learning curves on Fashion-MNIST", (FASHION_CNN, FASHION_MLP)
    )
)
claim.figure(
    figures.gaps((*SETTINGS, *IMAGES), (INITIAL, INFINITE), ("loss",), margin=0.05)
)
claim.figure(
    figures.image_curves(
        "Learning curves on MNIST and SVHN", IMAGES[:2], "loss", TRAINED
    )
)
claim.figure(
    figures.image_curves(
        "Learning curves on CIFAR-10 and CIFAR-5m", IMAGES[2:], "loss", TRAINED
    )
)


def test_network_outscales_its_kernels(verdict):
    assert verdict.kind == "SUPPORTED", verdict.reason
