"""In the ordered phase networks lose their trainability with depth.

Claim
    Under full-batch gradient descent at one small rate, networks initialised in the ordered phase
    reach a low loss when they are shallow, and lose that rapidly with depth: with 20 layers most
    stay near the loss of a constant.

Measured
    The least training loss within flow time 1 at the paper's width, M = 256, which is 4 at M = 64:
    one rate for all seeds, 600 steps in place of 10^5. ReLU, 32 Fashion-MNIST images with |x|^2 =
    784, one-hot targets, (sigma_w^2, sigma_b^2) = (1, 1); 3, 10 and 20 hidden layers. Compared with
    the best constant's loss (about 0.09) and with 3 layers. Two secondary effects ask whether the
    rate is to blame, at half of each network's edge 2 / lambda_max. Two ask whether the kernel's
    conditioning is, by the loss that descent with the kernel frozen at the start would have after
    as many steps.

Departs
    The paper trains 128 MNIST digits at M = 256 for up to 10^5 steps at rate 10^-5 and stops sooner
    where the loss stalls; here nobody stops, which favours the networks. Steps are fewer and
    longer, below the edge. The arms at half the edge and the frozen kernel are ours. The scale of
    the inputs, |x|^2 = 784, is ours (the paper's is not known), and with it the part of the kernel
    that does not grow with the width: flow time 256 / M times the paper's trains shallow networks
    longer than at M = 256, and deep ones shorter. How much depth costs at a fixed rate depends on
    both; at half the edge it does not.

Limits
    Fashion-MNIST stands in for MNIST, and M = 64 for 256: this tests the mechanism. It is plain
    gradient descent for as long as the paper trains; other optimisers, more data or more steps may
    train these networks. Read off the paper: least loss about 0.09 up to sigma_w^2 = 0.9 with 10
    layers and 1.2 with 20. At (0.5, 1) and at the edge of chaos the loss is shown, not decided on.
"""

from math import inf, log

from claims.seleznova2020 import ordered_phase, phase_maps
from claims.seleznova2020.figures import Arm, conditioning, course, of_arms
from claims.seleznova2020.ordered_phase import (
    DEEP,
    DEEPEST,
    DEPTHS,
    EDGE,
    SHALLOW,
    at_fixed_rate,
    part_left,
)
from claims.seleznova2020.paper import PAPER
from harness import gates
from harness.claim import Claim, grid
from harness.plots import Series

# sigma_w^2 at which a deep net does not pass its input on: its output is the same for all of them
SILENT = 0.01
BEST = ordered_phase.BEST_CONSTANT
AGREEMENT = log(1.05)

claim = Claim(
    __doc__,
    id="seleznova2020/ordered_phase_untrainable_with_depth",
    paper=PAPER,
    locus="Experiment B, trainability maps beside Figures 3 and 4",
    stream="registered-1",
)

ordered = at_fixed_rate(claim, DEPTHS, steps=(600, 2_000))
more_ordered = at_fixed_rate(
    claim, DEPTHS, steps=(100, 500), sigma_w2=ordered_phase.MORE_ORDERED
)
faster = ordered_phase.at_half_the_edge(claim, DEPTHS)
edge_of_chaos = ordered_phase.at_half_the_edge(claim, (DEEPEST,), sigma_w2=EDGE)
silent = at_fixed_rate(claim, (DEEP,), steps=(100, 500), sigma_w2=SILENT)
again = at_fixed_rate(claim, (SHALLOW,), steps=(600, 2_000), lane=1)

BETWEEN = dict(sigma_w2=[1.5, EDGE], depth=(SHALLOW, DEEP))
map_fixed = phase_maps.experiment(
    claim, "fixed rate", BETWEEN, dict(sigma_w2=[1.5], depth=DEEPEST), centred=False
)
map_faster = phase_maps.experiment(claim, "half the edge", BETWEEN, centred=False)

STUCK = "who has learnt less than a tenth of the labels' variance has learnt next to nothing"


@claim.effect(
    primary=True,
    ratio=True,
    above=2,
    each=grid(depth=(DEEP, DEEPEST)),
    expect={DEEP: (4.48, 0.26), DEEPEST: (4.95, 0.26)},
    agreement=AGREEMENT,
    because="twice the loss is the least that one would call a loss of trainability",
)
def over_shallow(m, depth):
    """At the fixed rate the least loss with {depth} layers is {} times that with 3."""
    return m[ordered]("min_loss", depth=depth) / m[ordered]("min_loss", depth=SHALLOW)


@claim.effect(
    primary=True,
    above=0.9,
    expect=(0.9995, 0.0005),
    agreement=0.02,
    bounds=(0.0, inf),
    because=STUCK,
)
def stuck(m):
    """At the fixed rate 20 layers leave {} of the labels' variance."""
    return part_left(m[ordered], depth=DEEPEST)


@claim.effect(
    above=0.9, expect=(0.999, 0.001), agreement=0.02, bounds=(0.0, inf), because=STUCK
)
def faster_stuck(m):
    """At half the edge too 20 layers leave {} of the labels' variance."""
    return part_left(m[faster], depth=DEEPEST)


@claim.effect(
    above=0.25,
    expect=(0.5, 0.15),
    agreement=0.02,
    bounds=(0.0, inf),
    because="a quarter of the labels' variance is the least that one would call learning",
)
def faster_learns(m):
    """At half the edge 10 layers learn {} of the labels' variance."""
    return 1 - part_left(m[faster], depth=DEEP)


@claim.effect(
    ratio=True,
    within=1.1,
    each=grid(depth=(DEEP, DEEPEST)),
    expect={DEEP: (1.015, 0.035), DEEPEST: (1.001, 0.002)},
    agreement=AGREEMENT,
    because="10 %, against the factor of four or more that depth makes",
)
def over_frozen_kernel(m, depth):
    """At the fixed rate, with {depth} layers, the least loss is {} times that with the kernel
    frozen.
    """
    return m[ordered]("min_loss", depth=depth) / m[ordered](
        "linearised_loss", depth=depth
    )


@claim.effect(
    ratio=True,
    above=1.1,
    expect=(1.49, 0.25),
    agreement=AGREEMENT,
    because="as at the fixed rate",
)
def frozen_kernel_over_faster(m):
    """At half the edge, with 10 layers, the loss with the kernel frozen
    is {} times the least loss.
    """
    return m[faster]("linearised_loss", depth=DEEP) / m[faster]("min_loss", depth=DEEP)


@claim.control("SUPPORTED", of=over_shallow)
def silent_over_shallow(m):
    """At sigma_w^2 = 0.01 ten layers shrink what tells inputs apart to 10^-11: a constant is all
    there is.
    """
    return m[silent]("min_loss") / m[ordered]("min_loss", depth=SHALLOW)


@claim.control("not SUPPORTED", of=over_shallow)
def one_net_over_another(m):
    """Two independent initialisations of one and the same kind of network differ by nothing on
    average.
    """
    return m[again]("min_loss") / m[ordered]("min_loss", depth=SHALLOW)


TRAINED = ordered, more_ordered, faster, edge_of_chaos, silent, again


@claim.gate()
def stable(m):
    """Every rate is below the edge 2 / lambda_max of every network."""
    return gates.below(m, "rate_over_edge", 1, *TRAINED)


@claim.gate("BROKEN")
def finite(m):
    """Every loss is finite and positive."""
    return gates.positive(m, ["min_loss"], *TRAINED)


ARMS = {
    "sigma_w^2 = 1, fixed rate": Arm(ordered),
    "sigma_w^2 = 1, half the edge": Arm(faster),
    "sigma_w^2 = 0.5, fixed rate": Arm(more_ordered),
}
MORE = {
    "sigma_w^2 = 1, fixed rate, frozen kernel": Arm(
        ordered, quantity="linearised_loss"
    ),
    "sigma_w^2 = 2, half the edge": Arm(edge_of_chaos),
}
PAPERS = [
    Series("paper, sigma_w^2 = 0.5, M = 256, read off", (DEEP, DEEPEST), (0.09, 0.09))
]
claim.figure(
    of_arms(
        "min_loss",
        "Trainability against depth",
        ARMS | MORE,
        reference=BEST,
        paper=PAPERS,
    )
)
claim.figure(conditioning(ARMS))
claim.figure(
    course(
        "checkpoint_losses",
        "Loss during training at the fixed rate",
        {"sigma_w^2 = 1": ordered},
    )
)
FIXED, FASTER, LOSS = [ordered, more_ordered], [faster, edge_of_chaos], phase_maps.LOSS
claim.figure(
    phase_maps.figure(
        map_fixed, FIXED, "fixed rate", LOSS, centred=False, reference=BEST
    )
)
claim.figure(
    phase_maps.figure(
        map_faster, FASTER, "half the edge", LOSS, centred=False, reference=BEST
    )
)


def test_ordered_phase_untrainable_with_depth(verdict):
    assert verdict.kind == "SUPPORTED", verdict.reason
