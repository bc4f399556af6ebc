"""The kernel regime needs widths orders of magnitude above depth.

Claim
    Networks converge to their kernel regime so slowly in width that they are in it only at widths
    orders of magnitude larger than their depth.
Measured
    Of a network in its kernel regime we ask a kernel within 10 % (relative Frobenius norm) of its
    infinite-width limit at initialisation AND constant in training. One condition that fails is
    enough: initialisation decides, training stands beside it. Effect per seed: error / 0.1 at width
    = 100 times depth, two orders of magnitude; geometric mean over 1, 2, 4 and 8 hidden layers.
    ReLU, NTK parametrization, sigma_w^2 = 2, sigma_b^2 = 0.1, one output, 20 Fashion-MNIST images.
Departs
    The body of the paper was not available to us: architecture, data, the 10 % and the factor 100
    are ours. The limit is the closed-form kernel of the same depth.
Limits
    The verdict hangs on its threshold: with 14 % in place of 10 it would be another, and 10 % takes
    a width of some 300 to 400 times depth. It speaks of this architecture on 20 images, not of how
    well networks perform that are off. Drift depends on loss, labels and sample size; here mild.
"""

from claims.wenger2023 import kernel_regime, width_figures, widths
from claims.wenger2023.paper import PAPER
from harness import gates
from harness.claim import Claim
from harness.measurements import kernel_change

claim = Claim(
    __doc__,
    id="wenger2023/kernel_regime_needs_extreme_width",
    paper=PAPER,
    locus="abstract",
    stream="registered-1",
)


def measure(computation, quick, full):
    """A computation at the configurations of either tier."""
    return claim.experiment(computation, quick, full=full, block=5)


at_init = measure(kernel_regime.kernel_error_at_init, *kernel_regime.AT_INIT)
training = measure(kernel_change, *kernel_regime.TRAINING)
mean_field = measure(kernel_change, *kernel_regime.MEAN_FIELD)
averaged = measure(kernel_regime.kernel_error_at_init, *kernel_regime.AVERAGED)
narrow = measure(kernel_regime.kernel_error_at_init, *kernel_regime.NARROW)
linear = measure(kernel_regime.linear_error, *kernel_regime.LINEAR)
TIMES = kernel_regime.ORDERS  # width / depth at which the claim is held to account: 100
TOLERANCE = 0.1  # relative error up to which we would say that a network is in its kernel regime
FAR_OFF = dict(ratio=True, above=1.25, agreement=0.02)
ABOVE = "an error of 12.5 % is clearly above the 10 % that we would accept"
ROOT = "tells -1/2, the rate of independent fluctuations, from -1"
FASTER = "half of what the rate at initialisation may deviate"


@claim.effect(primary=True, **FAR_OFF, expect=(1.9, 0.2), because=ABOVE)
def init_error_at_100_times_depth(m):
    """At initialisation, at width = 100 depth, the kernel is off by {} times 10 %."""
    return widths.at_width_over_depth(m[at_init], "kernel_error", TIMES) / TOLERANCE


@claim.effect(within=0.1, expect=(0.0, 0.08), because=ROOT)
def init_rate(m):
    """At initialisation the slope of ln error on ln width differs from -1/2 by {}."""
    return widths.rate(m[at_init], "kernel_error") + 0.5


@claim.effect(**FAR_OFF, expect=(0.45, 0.3), because="as at initialisation")
def drift_at_100_times_depth(m):
    """In training to loss 0.05, at width = 100 depth, the kernel changes by {} times 10 %."""
    return widths.at_width_over_depth(m[training], "kernel_change", TIMES) / TOLERANCE


@claim.effect(above=0.05, expect=(0.22, 0.1), because=FASTER)
def drift_rate(m):
    """In training the change falls with width faster than M^-1/2: its exponent is larger by {}."""
    return -widths.rate(m[training], "kernel_change") - 0.5


@claim.control("SUPPORTED", of=init_error_at_100_times_depth)
def bottleneck(m):
    """A first layer of width 8 keeps its kernel random, however wide the others are."""
    return widths.geometric_mean(m[narrow]("kernel_error")) / TOLERANCE


@claim.control("not SUPPORTED", of=init_error_at_100_times_depth)
def ensemble(m):
    """The average of 64 independent kernels has an eighth of the error, far below 10 %."""
    return widths.geometric_mean(m[averaged]("kernel_error")) / TOLERANCE


@claim.control("SUPPORTED", of=init_rate)
def linear_rate(m):
    """The error of a linear net, known in closed form, falls as the root of the width exactly."""
    return widths.root_mean_square_rate(m[linear], "linear_error") + 0.5


@claim.control("not SUPPORTED", of=drift_rate)
def mean_field_drift(m):
    """In mean-field (muP) scaling the kernel changes in training however wide the network is."""
    return -widths.rate(m[mean_field], "kernel_change") - 0.5


@claim.gate()
def trained(m):
    """Every network reached the registered loss."""
    return gates.every(m, "reached", training, mean_field)


@claim.gate("BROKEN")
def finite(m):
    """Every error and change is finite and positive."""
    errors = gates.positive(m, ["kernel_error"], at_init, averaged, narrow)
    return errors or gates.positive(m, ["kernel_change"], training, mean_field)


claim.figure(*width_figures.of_regime(at_init, training, mean_field, linear, TOLERANCE))


def test_kernel_regime_needs_extreme_width(verdict):
    assert verdict.kind == "SUPPORTED", verdict.reason
