"""Adding a layer changes the errors of the network and of its NTK differently.

Claim
    Adding a layer to the network, and updating the NTK to match, does not give matching changes of the
    predictors' errors.

Measured
    E is the mean squared error on 500 test points against the target without noise, over its variance.
    D = [E_net(H + 1) - E_net(H)] - [E_NTK(H + 1) - E_NTK(H)] per seed, for H hidden layers; D / E is over
    E_NTK(H). Networks as commonly trained: ReLU, 64 wide, PyTorch's default initial weights, Adam at 0.003,
    minibatches of 32, 1500 steps, the weights of least loss on 25 validation samples. Their NTK: that of
    this architecture in the limit of infinite width, in closed form (variances 1 / (3 fan-in) of weights
    and biases, gradients as in the standard parametrization at width 64), with the ridge of least loss on
    the same 25. 100 training samples, x ~ N(0, I_5), target sin(2.5 u.x), u random, noise 0.1. From 1 to 2
    hidden layers D / E must exceed 0.1. Explored seeds gave the direction: the network gets worse, the
    kernel better.

Departs
    Targets, sample sizes, depths, widths, training and kernel of the paper are not known to us. The target
    is one on which explored seeds had power; other targets may show no mismatch and are decided beside it.
    Until an audit the kernel was the NTK with sigma_w^2 = 2 and sigma_b = 0.3, which is not that of the
    networks trained. A figure keeps it; the claim was decided anew on fresh seeds. The theorem's arm (NTK
    parametrization, f - f_0, full batch), the lazy arm and the split of D into causes are ours.

Limits
    One target, 100 samples. The NTK learns next to nothing of them: on 24 explored seeds E was 0.90 with 1
    layer and 0.89 with 2, the network's 0.47 and 0.60. So D is the change of the network's error, and a
    tenth of the kernel's error is a fifth of the network's. On other targets, where kernels learn most, the
    two changed about alike in exploration. A finite network that is trained otherwise does not contradict a
    limit theorem.
"""

from claims.liu2025 import figures
from claims.liu2025.added_layer import Errors, mismatch
from claims.liu2025.conditions import mean_at_most
from claims.liu2025.equivalence import architecture_kernel, common_training, descent_by_theory, kernel_predictors
from claims.liu2025.paper import PAPER
from claims.liu2025.settings import OTHERS, SAMPLES, TARGETS, by_theory, commonly, of_architecture, untrained
from harness import gates
from harness.claim import Claim, grid

MANY, LAZY = 200, 0.01  # training samples; label scale at which a network hardly moves
TO_FIVE = (1, 2, 3, 4, 5)
FLAT, FITTED = 0.1, 0.01  # gain of validation loss in the last quarter; training loss over the target's variance

claim = Claim(
    __doc__,
    id="liu2025/added_layer_mismatch",
    paper=PAPER,
    locus="abstract",
    seeds=(72, 300),
    stream="registered-3",
)

# In float64: minibatches amplify rounding, and seeds are compared between backends.
COMMON = (
    *commonly(target="wave", depth=(1, 2)),
    *commonly(target="wave", depth=(2, 3), samples=MANY),
    *commonly(target=OTHERS, depth=(1, 2)),
)
FULL = (
    *commonly(target="wave", depth=(1, 2), members=20),
    *commonly(target="wave", depth=(3, 4, 5)),
    *commonly(target="wave", depth=TO_FIVE, samples=MANY),
    *commonly(target="wave", depth=TO_FIVE, samples=400),
    *commonly(target="wave", depth=TO_FIVE, samples=800),
    *commonly(target=OTHERS, depth=TO_FIVE),
)
common = claim.experiment(common_training, COMMON, full=FULL, dtype="float64", block=10)
OF_OTHERS = commonly(target="wave", depth=2, permuted=True)
permuted = claim.experiment(common_training, OF_OTHERS, dtype="float64", block=10)
HE = commonly(target="wave", depth=(1, 2), weights="he")
he_weights = claim.experiment(common_training, HE, dtype="float64", block=10)
ntk = claim.experiment(
    architecture_kernel, of_architecture(COMMON), full=of_architecture(FULL), dtype="float64", block=10
)

THEORY = by_theory(target="wave", depth=(1, 2), label_scale=(1.0, LAZY))
theory = claim.experiment(descent_by_theory, THEORY, full=dict(depth=TO_FIVE), block=10)
with_f0 = claim.experiment(descent_by_theory, by_theory(target="wave", depth=(1, 2), centred=False), block=10)
WIDTHS = (64, 256, 1024, 4096)
predictors = claim.experiment(
    kernel_predictors, untrained(depth=(1, 2), width=(64, 256)), full=dict(width=WIDTHS), block=10
)

WAVE, WAVE_MANY = dict(target="wave", samples=SAMPLES), dict(target="wave", samples=MANY)
SMALL = dict(label_scale=LAZY)
network, its_ntk = Errors(common, "error", WAVE), Errors(ntk, "kernel_error", WAVE)
by_many, ntk_by_many = Errors(common, "error", WAVE_MANY), Errors(ntk, "kernel_error", WAVE_MANY)
he_ntk = Errors(common, "ridge_error", WAVE)  # sigma_w^2 = 2
in_theory, its_entk, limit = (
    Errors(theory, quantity, dict(label_scale=1.0)) for quantity in ("error", "own_error", "limit_error")
)
WHY = "a tenth of the error is the least that one would call a mismatch"


@claim.effect(
    primary=True,
    above=0.1,
    expect=(0.147, 0.17),
    agreement=0.05,
    because=WHY,
    power_note="0.9 takes 120 seeds, too many for a laptop beside the other claims; undecided is a likely outcome",
)
def second_layer(m):
    """On the wave a second layer adds {} of the NTK's error more to the network's error than to its NTK's."""
    return mismatch(network.around(m), its_ntk.around(m))


@claim.effect(above=0.1, expect=(0.133, 0.13), because=WHY)
def reversed_with_more_samples(m):
    """With 200 samples a third layer adds {} of the NTK's error more to the NTK's error than to the network's."""
    return -mismatch(by_many.around(m, depth=2), ntk_by_many.around(m, depth=2))


@claim.effect(
    within=0.1,
    each=grid(target=OTHERS),
    expect={"rough": (0.035, 0.09), "smooth": (0.02, 0.21), "friedman": (-0.14, 0.35)},
    because="the same tenth, from within",
)
def other_target(m, target):
    """On the target {target} a second layer adds {} of the NTK's error more to the network's than to its NTK's."""
    where = dict(target=target)
    return mismatch(Errors(common, "error", where).around(m), Errors(ntk, "kernel_error", where).around(m))


@claim.effect(above=0.1, expect=(0.34, 0.2), because=WHY)
def theorem_arm(m):
    """Trained as the theorem asks, the network gains {} of the NTK's error more than descent with the NTK."""
    return mismatch(in_theory.around(m), limit.around(m))


@claim.effect(within=0.1, expect=(0.03, 0.05), because="the same tenth, from within")
def lazy(m):
    """With labels x 0.01 it gains {} of the NTK's error more than descent with its own eNTK."""
    trained, own = Errors(theory, "error", SMALL), Errors(theory, "own_error", SMALL)
    return mismatch(trained.around(m), own.around(m), unit=Errors(theory, "limit_error", SMALL).at(m, 1))


@claim.control("SUPPORTED", of=second_layer)
def permuted_labels(m):
    """With 2 layers the network is taught the labels of other inputs, so its error must rise."""
    return mismatch((network.at(m, 1), m[permuted]("error", depth=2)), its_ntk.around(m))


@claim.control("not SUPPORTED", of=second_layer)
def lazy_net(m):
    """A network that hardly moves is descent with its own eNTK."""
    return lazy(m)


@claim.control("not SUPPORTED", of=lazy)
def permuted_lazy(m):
    """With 2 layers the network is taught the labels of other inputs, so the errors must not change alike."""
    return permuted_labels(m)


@claim.gate()
def flat(m):
    """The last quarter of common training lowers the validation loss by at most 10 % on average."""
    return mean_at_most(m, "gain", FLAT, common, he_weights)


@claim.gate()
def fitted(m):
    """Training by theory ends at a loss below 1 % of the target's variance on average."""
    return mean_at_most(m, "loss", FITTED, theory, with_f0)


@claim.gate("BROKEN")
def finite(m):
    """Every error is finite and positive."""
    networks = gates.positive(m, ["error", "ridge_error"], common, permuted, he_weights, theory, with_f0)
    return networks or gates.positive(m, ["kernel_error"], ntk)


claim.figure(
    figures.against_depth(
        f"Errors against depth, {TARGETS['wave']}",
        {
            "network, as commonly trained": network,
            "its NTK": its_ntk,
            "NTK of sigma_w^2 = 2": he_ntk,
            "network, as the theorem asks": in_theory,
            "its own eNTK at initialisation": its_entk,
        },
    )
)
MORE = {"network, as commonly trained": by_many, "its NTK": ntk_by_many}
claim.figure(figures.against_depth("Errors against depth with 200 samples", MORE))
CHAIN = {
    "as commonly trained": network,
    "PyTorch's initial weights": Errors(he_weights, "error"),
    "Adam, stopping, parametrization": Errors(with_f0, "error"),
    "the network's f_0": in_theory,
    "kernel moves in training": its_entk,
    "kernel random at width 64": limit,
    "finite time and ridge": Errors(theory, "ridge_error", dict(label_scale=1.0)),
}
claim.figure(figures.by_cause(CHAIN, unit=he_ntk))
claim.figure(figures.other_targets(common, ntk))
claim.figure(figures.random_kernel(predictors))


def test_added_layer_mismatch(verdict):
    assert verdict.kind == "SUPPORTED", verdict.reason
