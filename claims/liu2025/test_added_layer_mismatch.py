"""A second layer changes the errors of network and NTK differently.

Claim
    Adding a layer to the network, and updating the NTK to match, does not give matching changes of
    the predictors' errors.
Measured
    E is the mean squared error on 500 test points against the target without noise, over its
    variance. D is the change of the network's E by a second hidden layer minus that of its NTK's.
    |D| / E_NTK must exceed 0.1, in either direction, on each of three targets that the NTK learns:
    cos(u.x) + sin(v.x), sin(1.5 u.x), (u.x)(v.x); x ~ N(0, I_5), u and v random and orthogonal. 400
    samples, noise 0.1. Networks: ReLU, 64 wide, PyTorch's default weights, Adam at 0.003,
    minibatches of 32, 3000 steps, least loss on 100 validation samples. NTK: of this architecture
    at infinite width (standard parametrization), with the ridge of least loss on the same 100.
Departs
    Targets, sizes, training and kernel of the paper are not known to us. Exploration looked at
    eight settings. Not primary are a bump (-0.78 with 200 samples), a sign and Friedman's function
    (undecided), and sin(2.5 u.x): with 400 samples training was not flat (-0.19), with 100 the
    kernel learns next to nothing (0.13 in the claim as it was; at full scale here). The theorem's
    arm (100 samples, NTK parametrization, f - f_0, full batch) and the lazy one are ours.
Limits
    The sign depends on the target. In exploration the network's error rose with the layer on all
    three; the NTK's fell on the first two and rose more on the product. From 2 to 3 layers the
    mismatch is mostly gone; -0.13 was left on the product. Effects depend on the training budget:
    -0.43 on the product after 1500 steps. Trained as the theorem asks, the product showed none
    (0.06). Errors are small, 0.01 to 0.03 of networks and 0.03 to 0.09 of NTKs, and D is in units
    of the NTK's. A network of practical width does not contradict a limit theorem.
"""

from claims.liu2025 import expected, figures, settings
from claims.liu2025.added_layer import Errors, mismatch, of_layer
from claims.liu2025.conditions import mean_at_most
from claims.liu2025.equivalence import architecture_kernel as kernel
from claims.liu2025.equivalence import common_training, descent_by_theory
from claims.liu2025.paper import PAPER
from claims.liu2025.settings import LEARNT, LONG_WAVE, SMOOTH, WAVE, kernels_of
from harness import gates
from harness.claim import Claim, Terms, grid

claim = Claim(
    __doc__,
    id="liu2025/added_layer_mismatch",
    paper=PAPER,
    locus="abstract",
    seeds=(48, 300),
    stream="registered-4",
)

# minibatches amplify rounding, and backends are compared
DOUBLE = dict(dtype="float64", block=10)
LAYERS, MORE = settings.LAYERS, settings.FULL_LAYERS
FEW = settings.FEW_SAMPLES
common = claim.experiment(common_training, LAYERS, full=MORE, **DOUBLE)
ntk = claim.experiment(kernel, kernels_of(LAYERS), full=kernels_of(MORE), **DOUBLE)
permuted = claim.experiment(common_training, settings.PERMUTED_LAYERS, **DOUBLE)
theory = claim.experiment(descent_by_theory, settings.LAYERS_IN_THEORY, block=10)
small = claim.experiment(descent_by_theory, settings.SMALL_LABELS, block=10)
few = claim.experiment(common_training, (), full=FEW, **DOUBLE)
few_ntk = claim.experiment(kernel, (), full=kernels_of(FEW), **DOUBLE)

network, its_ntk = Errors(common, "error"), Errors(ntk, "kernel_error")
in_theory, limit = Errors(theory, "error"), Errors(theory, "limit_error")
A_TENTH = "a tenth of the error is the least that one would call a mismatch"
WITHIN = "the same tenth, from within"
APART = Terms(differs=0.1, because=A_TENTH)
HIGHER = Terms(above=0.1, because=A_TENTH)
ALIKE = Terms(within=0.1, because=WITHIN)
EVERY, BOTH = grid(target=LEARNT), grid(target=(SMOOTH, LONG_WAVE))


@claim.effect(primary=True, each=EVERY, expect=expected.SECOND_LAYER, **APART)
def second_layer(m, target):
    """On {target} a second layer raises the network's error by {} of the NTK's error more than the
    NTK's own (below 0: less).
    """
    return of_layer(m, network, its_ntk, target)


@claim.effect(each=BOTH, expect=expected.THIRD_LAYER, **ALIKE)
def third_layer(m, target):
    """On {target} a third layer raises the network's error by {} of the NTK's error more than the
    NTK's own.
    """
    return of_layer(m, network, its_ntk, target, depth=2)


@claim.effect(each=BOTH, expect=expected.AS_THE_THEOREM_ASKS, **HIGHER)
def theorem_arm(m, target):
    """Trained on {target} as the theorem asks, the network's error grows by {} of the NTK's more
    than the NTK's does.
    """
    return of_layer(m, in_theory, limit, target)


@claim.effect(expect=(0.042, 0.071), **ALIKE)
def lazy(m):
    """With labels x 0.01 the network's error on sin(2.5 u.x) grows by {} of the NTK's more than
    that of its own eNTK does.
    """
    trained = Errors(small, "error").around(m, WAVE)
    own = Errors(small, "own_error").around(m, WAVE)
    unit = Errors(small, "limit_error").at(m, WAVE, depth=1)
    return mismatch(trained, own, unit)


@claim.effect(expect=(0.134, 0.165), tiers=("full",), **APART)
def fewer_samples(m):
    """On sin(2.5 u.x) with 100 samples a second layer raises the network's error by {} of the
    NTK's error more than the NTK's own.
    """
    return of_layer(m, Errors(few, "error"), Errors(few_ntk, "kernel_error"), WAVE)


@claim.control("SUPPORTED", of=second_layer)
def permuted_labels(m):
    """With 2 layers the labels are those of other inputs, so the network's error must grow."""
    untaught = (network.at(m, SMOOTH, 1), m[permuted]("error"))
    return mismatch(untaught, its_ntk.around(m, SMOOTH))


@claim.control("not SUPPORTED", of=second_layer)
def lazy_net(m):
    """A network that hardly moves is descent with its own eNTK."""
    return lazy(m)


@claim.control("not SUPPORTED", of=lazy)
def permuted_lazy(m):
    """With 2 layers the labels are those of other inputs, so the errors must not change alike."""
    return permuted_labels(m)


@claim.gate()
def flat(m):
    """The last quarter of common training lowers the validation loss by at most 10 % on average."""
    return mean_at_most(m, "gain", 0.1, common)


@claim.gate()
def fitted(m):
    """Training by theory ends at a loss below 1 % of the target's variance on average."""
    return mean_at_most(m, "loss", 0.01, theory, small)


@claim.gate()
def learnt(m):
    """Every NTK leaves at most a fifth of its target's variance on average."""
    return mean_at_most(m, "kernel_error", 0.2, ntk)


@claim.gate("BROKEN")
def finite(m):
    """Every error is finite and positive."""
    trained = (common, permuted, theory, small)
    of_networks = gates.positive(m, ["error"], *trained)
    return of_networks or gates.positive(m, ["kernel_error"], ntk)


claim.figure(figures.mismatches(network, its_ntk))
claim.figure(figures.over_depth("as commonly trained", network, its_ntk))
claim.figure(figures.over_depth("as the theorem asks", in_theory, limit))


def test_added_layer_mismatch(verdict):
    assert verdict.kind == "SUPPORTED", verdict.reason
