"""Training changes the NTK more when chaotic, and then more with depth.

Claim
    Under full-batch gradient descent the NTK of networks initialised in the chaotic phase changes
    by a large part of its norm, more than in the ordered phase, and the change grows with depth.
    The paper says so of ReLU and of "sigmoid" networks, for which it runs tanh.
Measured
    Delta = |Theta_t - Theta_0| / |Theta_0| (Frobenius, kernel summed over outputs) when the
    training loss first falls to 0.05. 32 Fashion-MNIST images with |x|^2 = 784, one-hot targets,
    mean squared error over samples and outputs, 3 and 10 hidden layers; the learning rate is half
    the edge 2 / lambda_max at the start. ReLU: M = 64, sigma_b^2 = 1, sigma_w^2 = 2.5 (chaotic)
    against 1 (ordered). tanh: M = 256, sigma_b^2 = 0.1, sigma_w^2 = 3.5 against 1.
Departs
    The paper trains 128 MNIST digits at M = 256 with one fixed rate of 1e-5 and stops when the loss
    stalls, so its networks end at different losses. Here all end at the same loss. For ReLU the
    paper's protocol, as the same rate times steps, stands beside it; a chaotic tanh network is
    above the edge of stability by it. The centred arm trains f - f_0 from an output of zero and is
    not in the paper: it separates learning the labels from removing the large random output that a
    chaotic network starts with. The scale of the inputs is ours.
Limits
    Fashion-MNIST stands in for MNIST, and for ReLU M = 64 for 256: this tests the mechanism. The
    raw order says little of learning: from an output of zero it is reversed for ReLU; for tanh it
    is not, and the phases are within a factor of about 1.5. Exploration looked at five settings of
    tanh: the raw effects had the sign of ReLU's in all. At sigma_b^2 = 1 the paper's grid for tanh
    has no chaotic phase; (5, 1) is shown beside. Read off the paper's Figure 3 (ReLU): Delta about
    0.35 at 10 layers and 0.2 at 3.
"""

from claims.seleznova2020 import phase_maps, settings
from claims.seleznova2020.figures import against_depth, course
from claims.seleznova2020.paper import PAPER, read_off
from claims.seleznova2020.settings import BIASED, DEEP, RELU, SETTINGS, SHALLOW, TANH
from harness import gates
from harness.claim import Claim, grid

claim = Claim(
    __doc__,
    id="seleznova2020/kernel_change_in_chaotic_phase",
    paper=PAPER,
    locus="Experiment B, Figures 3, 4 and 8 to 11",
    seeds=(20, 20),
    stream="registered-5",
)

matched = {
    net: settings.at_matched_loss(claim, net, (setting.ordered, setting.chaotic))
    for net, setting in SETTINGS.items()
}
two_networks = settings.two_networks(claim)
scaled = settings.two_label_scales(claim)
chaotic = settings.chaotic_by_protocol(claim)
ordered = settings.at_fixed_rate(claim, (SHALLOW, DEEP), steps=(600, 2_000))
EDGES = dict(sigma_w2=[1.5, 2.0], depth=(SHALLOW, DEEP))
mapped = phase_maps.experiment(
    claim, "matched loss", EDGES, dict(sigma_w2=[1.0, 2.5], depth=6)
)


@claim.effect(
    primary=True,
    ratio=True,
    above=1.5,
    each=grid(net=(RELU, TANH)),
    expect={RELU: (3.86, 0.53), TANH: (8.85, 0.23)},
    because="half as much again is another regime",
)
def chaotic_over_ordered(m, net):
    """With 10 layers the kernel changes {} times as much when chaotic as when ordered ({net})."""
    return settings.chaotic_over_ordered(m[matched[net]], net, centred=False)


@claim.effect(
    primary=True,
    ratio=True,
    above=1.05,
    each=grid(net=(RELU, TANH)),
    expect={RELU: (2.12, 0.19), TANH: (1.72, 0.15)},
    agreement=0.1,
    because="less is no growth worth the name",
)
def grows_with_depth(m, net):
    """In the chaotic phase the kernel changes {} times as much with 10 layers as with 3 ({net})."""
    return settings.growth(m[matched[net]], SETTINGS[net].chaotic, centred=False)


@claim.effect(
    ratio=True,
    above=1.5,
    against_title=True,
    each=grid(net=tuple(SETTINGS)),
    expect={RELU: (4.26, 0.56), TANH: (0.7, 0.21), BIASED: (0.88, 0.31)},
    because="as in the raw arm",
)
def centred_reversed(m, net):
    """From an output of zero the ordered phase changes {} times as much as the chaotic ({net})."""
    return 1 / settings.chaotic_over_ordered(m[matched[net]], net, centred=True)


@claim.effect(
    ratio=True,
    above=1.05,
    each=grid(net=tuple(SETTINGS)),
    expect={RELU: (1.35, 0.45), TANH: (3.39, 0.16), BIASED: (3.71, 0.38)},
    agreement=0.1,
    because="as in the raw arm",
)
def centred_grows_with_depth(m, net):
    """From an output of zero, when chaotic, 10 layers change {} times as much as 3 ({net})."""
    return settings.growth(m[matched[net]], SETTINGS[net].chaotic, centred=True)


@claim.effect(ratio=True, above=1.5, expect=(6.7, 0.9), because="as at a matched loss")
def protocol_chaotic_over_ordered(m):
    """By the paper's protocol 10 layers change {} times as much when chaotic as when ordered."""
    delta = m[chaotic]("kernel_change", depth=DEEP)
    return delta / m[ordered]("kernel_change", depth=DEEP)


@claim.effect(
    ratio=True,
    above=1.05,
    expect=(2.05, 0.2),
    agreement=0.1,
    because="as at a matched loss",
    published=read_off(0.35 / 0.2, "Figure 3, M = 256, 10 and 3 layers"),
)
def protocol_grows_with_depth(m):
    """By the paper's protocol, when chaotic, 10 layers of ReLU change {} times as much as 3."""
    delta = m[chaotic].select("kernel_change")
    return delta(depth=DEEP) / delta(depth=SHALLOW)


@claim.control("SUPPORTED", of=chaotic_over_ordered)
def large_targets_over_small(m):
    """A centred network must move its kernel further to fit targets 16 times as large."""
    delta = m[scaled].select("kernel_change")
    return delta(label_scale=4.0) / delta(label_scale=0.25)


@claim.control("not SUPPORTED", of=chaotic_over_ordered)
def one_net_over_another(m):
    """Two independent initialisations of one kind of network differ by nothing on average."""
    delta = m[two_networks].select("kernel_change")
    return delta(lane=1) / delta(lane=0)


@claim.gate()
def trained(m):
    """Every network of every arm reached its registered loss."""
    return gates.every(m, "reached", *matched.values(), two_networks, scaled)


@claim.gate("BROKEN")
def finite(m):
    """Every kernel change is finite and positive."""
    arms = *matched.values(), two_networks, scaled
    return gates.positive(m, ["kernel_change"], *arms)


for net, experiment in matched.items():
    title = f"Kernel change at training loss 0.05, {net}"
    claim.figure(against_depth(experiment, "kernel_change", title, net))
FAR_OFF = "A raw chaotic network starts far off, ReLU"
claim.figure(against_depth(matched[RELU], "initial_loss", FAR_OFF, RELU))
PROTOCOL = "Drift of the kernel by the paper's protocol, ReLU"
claim.figure(course("drift", PROTOCOL, {"ordered": ordered, "chaotic": chaotic}))
OWN, CHANGE = [matched[RELU]], phase_maps.CHANGE
for centred in (False, True):
    claim.figure(
        phase_maps.figure(mapped, OWN, "matched loss", CHANGE, centred=centred)
    )


def test_kernel_change_in_chaotic_phase(verdict):
    assert verdict.kind == "SUPPORTED", verdict.reason
