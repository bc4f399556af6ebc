"""In the ordered phase networks lose their trainability with depth.

Claim
    Under full-batch gradient descent at one small rate, networks in the ordered phase reach a low
    loss when shallow, and lose that rapidly with depth: with 20 layers most stay near the loss of a
    constant. The paper says so of ReLU and of "sigmoid" networks, for which it runs tanh.
Measured
    The least training loss within flow time 1 at the paper's width, M = 256, which is 4 at M = 64:
    one rate for all seeds, 600 steps in place of 10^5. 32 Fashion-MNIST images with |x|^2 = 784,
    one-hot targets; sigma_w^2 = 1 with sigma_b^2 = 1 for ReLU and 0.1 for tanh. Beside it: half of
    each network's edge 2 / lambda_max, and descent with the kernel frozen at the start.
Departs
    The paper trains 128 MNIST digits at M = 256 for up to 10^5 steps at rate 10^-5 and stops where
    the loss stalls; here nobody stops, which favours the networks. Steps are fewer and longer. Half
    the edge, the frozen kernel and |x|^2, on which the cost of depth at one rate hangs, are ours.
Limits
    Fashion-MNIST stands in for MNIST, M = 64 for 256: this tests the mechanism. Other optimisers or
    more steps may train these networks. The rate is to blame for tanh at sigma_b^2 = 0.1, not for
    ReLU, nor for tanh at sigma_b^2 = 1. In exploration at (0.5, 1), where 3 layers of tanh hardly
    learn either, the loss with 10 layers was below twice theirs.
"""

from math import inf, log

from claims.seleznova2020 import expected, figures, runs, settings
from claims.seleznova2020.paper import PAPER
from claims.seleznova2020.settings import BIASED, DEEP, DEEPEST, RELU, TANH
from harness import gates
from harness.claim import Claim, Terms, grid

claim = Claim(
    __doc__,
    id="seleznova2020/ordered_phase_untrainable_with_depth",
    paper=PAPER,
    locus="Experiment B, trainability maps beside Figures 3 and 4",
    seeds=(20, 20),
    stream="registered-5",
)
run = runs.add_trainability(claim)
TWOFOLD = "twice the loss is the least that one would call a loss of trainability"
STUCK = "who has learnt less than a tenth of the labels' variance has learnt next to nothing"
QUARTER = "a quarter of the labels' variance is the least that one would call learning"
TENTH = "10 %, against the factor of four or more that depth makes"
AS_SLOW = "as at the fixed rate"
RATIO = Terms(ratio=True, agreement=log(1.05))
PART = Terms(agreement=0.02, bounds=(0.0, inf))
AT_DEPTHS = grid(net=(RELU, TANH), depth=(DEEP, DEEPEST))
TWICE, EACH = grid(net=(RELU, TANH)), grid(net=(RELU, TANH, BIASED))
OVER = Terms(above=2, because=TWOFOLD, expect=expected.OVER_SHALLOW, **RATIO)
LEARNT = Terms(above=0.25, because=QUARTER, expect=expected.LEARNT_FASTER, **PART)
FROZEN = Terms(within=1.1, because=TENTH, expect=expected.OVER_FROZEN, **RATIO)
LOST = Terms(above=1.1, because=AS_SLOW, expect=expected.LOST_FASTER, **RATIO)
LEFT = Terms(above=0.9, because=STUCK, **PART)


@claim.effect(primary=True, each=AT_DEPTHS, **OVER)
def over_shallow(m, net, depth):
    """At the fixed rate the least loss with {depth} layers is {} times that with 3 ({net})."""
    return settings.loss_over_shallow(m[run.slow[net]], depth)


@claim.effect(primary=True, each=TWICE, expect=expected.LEFT, **LEFT)
def stuck(m, net):
    """At the fixed rate 20 layers leave {} of the labels' variance ({net})."""
    return settings.part_left(m[run.slow[net]], depth=DEEPEST)


@claim.effect(each=EACH, expect=expected.LEFT_FASTER, **LEFT)
def faster_stuck(m, net):
    """At half the edge 20 layers leave {} of the labels' variance ({net})."""
    return settings.part_left(m[run.faster[net]], depth=DEEPEST)


@claim.effect(each=TWICE, against_title=True, **LEARNT)
def faster_learns(m, net):
    """At half the edge 10 layers learn {} of the labels' variance ({net})."""
    return 1 - settings.part_left(m[run.faster[net]], depth=DEEP)


@claim.effect(each=AT_DEPTHS, **FROZEN)
def over_frozen_kernel(m, net, depth):
    """At the fixed rate {depth} layers reach {} times the loss of a frozen kernel ({net})."""
    return settings.loss_over_frozen(m[run.slow[net]], depth)


@claim.effect(each=TWICE, **LOST)
def frozen_kernel_over_faster(m, net):
    """At half the edge, with 10 layers, a frozen kernel leaves {} times the loss ({net})."""
    return 1 / settings.loss_over_frozen(m[run.faster[net]], DEEP)


@claim.control("SUPPORTED", of=over_shallow)
def silent_over_shallow(m):
    """At sigma_w^2 = 0.01 ten layers have one output for all inputs: a constant is all there is."""
    return m[run.silent]("min_loss") / m[run.slow[RELU]]("min_loss", depth=3)


@claim.control("not SUPPORTED", of=over_shallow)
def one_net_over_another(m):
    """Two independent initialisations of one kind of network differ by nothing on average."""
    return m[run.again]("min_loss") / m[run.slow[RELU]]("min_loss", depth=3)


@claim.gate()
def stable(m):
    """Every rate is below the edge 2 / lambda_max of every network."""
    return gates.below(m, "rate_over_edge", 1, *run.trained)


@claim.gate("BROKEN")
def finite(m):
    """Every loss is finite and positive."""
    return gates.positive(m, ["min_loss"], *run.trained)


claim.figure(*figures.of_trainability(run))


def test_ordered_phase_untrainable_with_depth(verdict):
    assert verdict.kind == "SUPPORTED", verdict.reason
