"""The kernel regime needs widths orders of magnitude above depth.

Claim
    Networks converge to their kernel regime so slowly in width that they are in it only at widths
    orders of magnitude larger than their depth.

Measured
    A network in the kernel regime has a kernel near its infinite-width limit at initialisation AND
    constant in training; we ask for 10 % in relative Frobenius norm. Held to account at width = 100
    times depth, two orders of magnitude: is the kernel at initialisation still more than 10 % off?
    Geometric mean over 1, 2, 4 and 8 hidden layers of error / 0.1, per seed. ReLU, NTK
    parametrization, sigma_w^2 = 2, sigma_b^2 = 0.1, 20 Fashion-MNIST images. One condition that
    fails is enough; training stands beside it.

Departs
    The body of the paper was not available to us: architecture, data, the 10 % and the factor 100
    are ours. One output; the limit is the closed-form kernel of the same depth.

Limits
    The verdict hangs on its threshold: with 14 % in place of 10 it would be another, and 10 % takes
    a width of some 300 to 400 times depth. More than 10 % off at 100 times depth says that two
    orders of magnitude do not suffice for this architecture on 20 images; it says nothing about how
    well a network performs that is off. The drift depends on loss, labels and sample size: 20
    images and a loss of 0.05 are mild.
"""

from claims.wenger2023 import kernel_regime as regime
from claims.wenger2023 import width_figures, widths
from claims.wenger2023.kernel_regime import AT_INIT, ORDERS, TRAINING
from claims.wenger2023.paper import PAPER
from harness import gates
from harness.claim import Claim, grid
from harness.measurements import kernel_change

TOLERANCE = 0.1  # relative error up to which we would say that a network is in its kernel regime
LADDER, WIDER = (32, 128, 512), (32, 128, 512, 2048)
FAR_OFF = dict(ratio=True, above=1.25, agreement=0.02)
ABOVE = "an error of 12.5 % is clearly above the 10 % that we would accept"
ROOT = "tells -1/2, the rate of independent fluctuations, from -1"
FASTER = "half of what the rate at initialisation may deviate"

claim = Claim(
    __doc__,
    id="wenger2023/kernel_regime_needs_extreme_width",
    paper=PAPER,
    locus="abstract",
    stream="registered-1",
)

at_init = claim.experiment(
    regime.kernel_error_at_init,
    regime.ladder(AT_INIT, LADDER, (1, 2, 4, 8)),
    full=regime.ladder(AT_INIT, WIDER, (1, 2, 4, 8, 16, 32)),
    block=5,
)
training = claim.experiment(
    kernel_change,
    regime.ladder(TRAINING, (64, 256), (1, 3)),
    full=regime.ladder(TRAINING, (64, 256, 1024, 4096), (1, 3, 8)),
    block=5,
)
mean_field = claim.experiment(
    kernel_change,
    regime.in_mean_field((64, 256), (1, 3)),
    full=regime.in_mean_field((64, 256, 1024, 4096), (1, 3, 8)),
    block=5,
)
averaging = grid(**dict(AT_INIT, inits=1, ensemble=64), width=ORDERS, depth=1)
averaged = claim.experiment(regime.kernel_error_at_init, averaging, block=5)
narrowed = grid(**dict(AT_INIT, bottleneck=8), width=2 * ORDERS, depth=2)
narrow = claim.experiment(regime.kernel_error_at_init, narrowed, block=5)
nets, many = grid(samples=20, width=LADDER, inits=16), dict(width=WIDER, inits=64)
linear = claim.experiment(regime.linear_error, nets, full=many, block=5)


@claim.effect(primary=True, **FAR_OFF, expect=(1.9, 0.2), because=ABOVE)
def init_error_at_100_times_depth(m):
    """At initialisation, at width = 100 depth, the kernel is off by {} times 10 %."""
    errors = widths.at_width_over_depth(m[at_init], "kernel_error", ORDERS)
    return errors / TOLERANCE


@claim.effect(within=0.1, expect=(0.0, 0.08), because=ROOT)
def init_rate(m):
    """At initialisation the slope of ln error on ln width differs from -1/2 by {}."""
    return widths.rate(m[at_init], "kernel_error") + 0.5


@claim.effect(**FAR_OFF, expect=(0.45, 0.3), because="as at initialisation")
def drift_at_100_times_depth(m):
    """In training to loss 0.05, at width = 100 depth, the kernel changes by {} times 10 %."""
    changes = widths.at_width_over_depth(m[training], "kernel_change", ORDERS)
    return changes / TOLERANCE


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


INIT, CHANGE = (at_init, "kernel_error"), (training, "kernel_change")
IN_TRAINING = {"": CHANGE, ", mean-field": (mean_field, "kernel_change")}
NEEDED = {"at initialisation": INIT, "in training": CHANGE}
claim.figure(width_figures.from_limit({"": INIT}, TOLERANCE))
claim.figure(width_figures.changes(IN_TRAINING, TOLERANCE))
claim.figure(width_figures.linear_nets(linear))
claim.figure(width_figures.width_needed(NEEDED, TOLERANCE, ORDERS))


def test_kernel_regime_needs_extreme_width(verdict):
    assert verdict.kind == "SUPPORTED", verdict.reason
