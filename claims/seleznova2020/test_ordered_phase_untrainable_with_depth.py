"""In the ordered phase networks lose their trainability with depth.

Claim
    Under full-batch gradient descent at one small rate, networks initialised in the ordered phase
    reach a low loss when they are shallow, and lose that rapidly with depth: with 20 layers most
    stay near the loss of a constant. The paper says so of ReLU and of "sigmoid" networks, for which
    it runs tanh.
Measured
    The least training loss within flow time 1 at the paper's width, M = 256, which is 4 at M = 64:
    one rate for all seeds, 600 steps in place of 10^5. 32 Fashion-MNIST images with |x|^2 = 784,
    one-hot targets; sigma_w^2 = 1 with sigma_b^2 = 1 for ReLU and 0.1 for tanh; 3, 10 and 20 hidden
    layers. Compared with the best constant's loss (about 0.09) and with 3 layers. Secondary effects
    ask whether the rate is to blame, at half of each network's edge 2 / lambda_max, and whether the
    kernel's conditioning is, by the loss that descent with the kernel frozen at the start would
    have after as many steps.
Departs
    The paper trains 128 MNIST digits at M = 256 for up to 10^5 steps at rate 10^-5 and stops sooner
    where the loss stalls; here nobody stops, which favours the networks. Steps are fewer and
    longer, below the edge. Half the edge and the frozen kernel are ours, and so is the scale of the
    inputs, |x|^2 = 784: how much depth costs at a fixed rate depends on it.
Limits
    Fashion-MNIST stands in for MNIST, and M = 64 for 256: this tests the mechanism. Plain gradient
    descent for as long as the paper trains; other optimisers or more steps may train these
    networks. The rate is to blame for tanh at sigma_b^2 = 0.1, whose 20 layers learn at half the
    edge, and not for ReLU, nor for tanh at sigma_b^2 = 1. Exploration saw so; at (0.5, 1), where 3
    layers of tanh hardly learn either, the loss with 10 layers was below twice theirs. Read off the
    paper (ReLU): about 0.09 up to sigma_w^2 = 0.9 with 10 layers and 1.2 with 20.
"""

from math import inf, log

from claims.seleznova2020 import phase_maps, settings
from claims.seleznova2020.figures import Arm, conditioning, course, of_arms
from claims.seleznova2020.paper import PAPER
from claims.seleznova2020.settings import BIASED, DEEP, DEEPEST, DEPTHS, RELU, TANH
from harness import gates
from harness.claim import Claim, Terms, grid
from harness.plots import Series

BOTH, ALL = (RELU, TANH), (RELU, TANH, BIASED)

claim = Claim(
    __doc__,
    id="seleznova2020/ordered_phase_untrainable_with_depth",
    paper=PAPER,
    locus="Experiment B, trainability maps beside Figures 3 and 4",
    seeds=(20, 20),
    stream="registered-5",
)

slow = {net: settings.at_fixed_rate(claim, DEPTHS, net=net) for net in BOTH}
faster = {net: settings.at_half_the_edge(claim, DEPTHS, net) for net in BOTH}
faster[BIASED] = settings.at_half_the_edge(claim, (DEEPEST,), BIASED)
more_ordered = settings.more_ordered(claim)
silent = settings.silent(claim)
again = settings.at_fixed_rate(claim, (3,), lane=1)

EDGES = dict(sigma_w2=[1.5, 2.0], depth=(3, 10))
DEEP_SLOW, DEEP_FASTER = (dict(sigma_w2=[s], depth=DEEPEST) for s in (1.5, 2.0))
map_slow = phase_maps.experiment(claim, "fixed rate", EDGES, DEEP_SLOW, centred=False)
map_faster = phase_maps.experiment(
    claim, "half the edge", EDGES, DEEP_FASTER, centred=False
)

RATIO = Terms(ratio=True, agreement=log(1.05))
TWICE, EACH = Terms(each=grid(net=BOTH)), Terms(each=grid(net=ALL))
AT_DEPTHS = Terms(each=grid(net=BOTH, depth=(DEEP, DEEPEST)))
PART = Terms(agreement=0.02, bounds=(0.0, inf))
LOSSES = {(RELU, DEEP): (4.48, 0.26), (RELU, DEEPEST): (4.95, 0.26)}
LOSSES |= {(TANH, DEEP): (5.26, 0.18), (TANH, DEEPEST): (8.94, 0.25)}
FROZEN = {(RELU, DEEP): (1.015, 0.035), (RELU, DEEPEST): (1.001, 0.002)}
FROZEN |= {(TANH, DEEP): (0.95, 0.057), (TANH, DEEPEST): (0.996, 0.01)}
LEFT = {RELU: (0.9995, 0.0005), TANH: (0.949, 0.036)}
LEFT_FASTER = {RELU: (0.999, 0.001), TANH: (0.228, 0.003), BIASED: (1.0, 0.001)}
LEARNT = {RELU: (0.5, 0.15), TANH: (0.77, 0.003)}
LOST = {RELU: (1.49, 0.25), TANH: (1.7, 0.09)}
TWOFOLD = "twice the loss is the least that one would call a loss of trainability"
STUCK = "who has learnt less than a tenth of the labels' variance has learnt next to nothing"
QUARTER = "a quarter of the labels' variance is the least that one would call learning"
TENTH = "10 %, against the factor of four or more that depth makes"


@claim.effect(
    primary=True, above=2, expect=LOSSES, because=TWOFOLD, **RATIO, **AT_DEPTHS
)
def over_shallow(m, net, depth):
    """At the fixed rate the least loss with {depth} layers is {} times that with 3 ({net})."""
    loss = m[slow[net]].select("min_loss")
    return loss(depth=depth) / loss(depth=3)


@claim.effect(primary=True, above=0.9, expect=LEFT, because=STUCK, **PART, **TWICE)
def stuck(m, net):
    """At the fixed rate 20 layers leave {} of the labels' variance ({net})."""
    return settings.part_left(m[slow[net]], depth=DEEPEST)


@claim.effect(above=0.9, expect=LEFT_FASTER, because=STUCK, **PART, **EACH)
def faster_stuck(m, net):
    """At half the edge 20 layers leave {} of the labels' variance ({net})."""
    return settings.part_left(m[faster[net]], depth=DEEPEST)


@claim.effect(
    above=0.25, expect=LEARNT, because=QUARTER, against_title=True, **PART, **TWICE
)
def faster_learns(m, net):
    """At half the edge 10 layers learn {} of the labels' variance ({net})."""
    return 1 - settings.part_left(m[faster[net]], depth=DEEP)


@claim.effect(within=1.1, expect=FROZEN, because=TENTH, **RATIO, **AT_DEPTHS)
def over_frozen_kernel(m, net, depth):
    """At the fixed rate {depth} layers reach {} times the loss of a frozen kernel ({net})."""
    loss = m[slow[net]]("min_loss", depth=depth)
    return loss / m[slow[net]]("linearised_loss", depth=depth)


@claim.effect(above=1.1, expect=LOST, because="as at the fixed rate", **RATIO, **TWICE)
def frozen_kernel_over_faster(m, net):
    """At half the edge, with 10 layers, a frozen kernel leaves {} times the loss ({net})."""
    frozen = m[faster[net]]("linearised_loss", depth=DEEP)
    return frozen / m[faster[net]]("min_loss", depth=DEEP)


@claim.control("SUPPORTED", of=over_shallow)
def silent_over_shallow(m):
    """At sigma_w^2 = 0.01 ten layers have one output for all inputs: a constant is all there is."""
    return m[silent]("min_loss") / m[slow[RELU]]("min_loss", depth=3)


@claim.control("not SUPPORTED", of=over_shallow)
def one_net_over_another(m):
    """Two independent initialisations of one kind of network differ by nothing on average."""
    return m[again]("min_loss") / m[slow[RELU]]("min_loss", depth=3)


TRAINED = *slow.values(), *faster.values(), more_ordered, silent, again


@claim.gate()
def stable(m):
    """Every rate is below the edge 2 / lambda_max of every network."""
    return gates.below(m, "rate_over_edge", 1, *TRAINED)


@claim.gate("BROKEN")
def finite(m):
    """Every loss is finite and positive."""
    return gates.positive(m, ["min_loss"], *TRAINED)


ARMS = {f"{net}, fixed rate": Arm(slow[net]) for net in BOTH}
ARMS["ReLU, sigma_w^2 = 0.5, fixed rate"] = Arm(more_ordered)
ARMS |= {f"{net}, half the edge": Arm(faster[net]) for net in ALL}
READ = "paper, ReLU, sigma_w^2 = 0.5, M = 256, read off"
PAPERS = [Series(READ, (DEEP, DEEPEST), (0.09, 0.09))]
TITLE, COURSE = "Trainability against depth", "Loss during training at the fixed rate"
BEST, LOSS = settings.BEST_CONSTANT, phase_maps.LOSS
claim.figure(of_arms("min_loss", TITLE, ARMS, reference=BEST, paper=PAPERS))
claim.figure(conditioning(ARMS))
claim.figure(course("checkpoint_losses", COURSE, slow))
MAPS = {
    "fixed rate": (map_slow, [slow[RELU], more_ordered]),
    "half the edge": (map_faster, [faster[RELU]]),
}
for protocol, (mapped, own) in MAPS.items():
    claim.figure(
        phase_maps.figure(mapped, own, protocol, LOSS, centred=False, reference=BEST)
    )


def test_ordered_phase_untrainable_with_depth(verdict):
    assert verdict.kind == "SUPPORTED", verdict.reason
