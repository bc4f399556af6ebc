"""With labels of size 1 the NTK variance formula fails when ordered.

Claim
    Trained to the end under a constant, well-conditioned kernel, a random network's output has
    variance (1 + A^2/S)(q - q_sr) + (A - 1)^2 q_sr, A = S / (kappa1/kappa2 + S - 1), for S training
    samples (Theorem 3). In the ordered phase the kernel is ill-conditioned and the estimate fails.
Measured
    Monte-Carlo variance over formula, q and kappa in closed form. ReLU, M = n_0 = 64, sigma_b^2 =
    1, sigma_w^2 = 1, 2, 3; S = 8, |x|^2 = n_0, inputs at correlation 1/2. The unit (seed) is a
    group of networks, 400 with 3 layers or 300 with 10. Premise: one mean-field kernel for all,
    with S = 1 too, where A counts. Consequence: each network has its own kernel at initialisation,
    labels +1 and -1 by turns, 10 layers: off by more than 2 in the ordered phase.
Departs
    The paper simulates nothing for Theorem 3: widths, S, labels, margins and own, random kernels
    are ours. f_inf is solved for. Kernels include bias gradients, which kappa leaves out as O(1/M).
    The paper names no size of labels, and states that this part of it does not explain deep
    networks at the edge or in the chaotic phase. Those phases, other labels, a ridge (condition
    number 45; at the edge 65) and wider networks are our ablations.
Limits
    The formula has no label term, so how far it is off depends on the size of the labels. Size 1 is
    60 times the standard deviation of the differences of f_0 when ordered, a fifth when chaotic. In
    units of f_0 the estimate may fail in every phase, in units of its differences in none. That
    conditioning is the reason is not shown: a ridge that repairs it does not repair the estimate.
    Tested to a factor of 2, at depth / width 0.16, for kernels at initialisation. With S = 8 the
    formula hardly depends on A. In exploration ln of the deep premise was 0.14 when chaotic.
"""

from claims.seleznova2020 import over_theorem
from claims.seleznova2020.over_theorem import DEEP, RIDGE, SHALLOW, by_phase, ratio
from claims.seleznova2020.paper import PAPER
from claims.seleznova2020.theory import mean_field, theorem3
from claims.seleznova2020.variance import output_variance
from harness import gates
from harness.claim import Claim, Terms, grid

claim = Claim(
    __doc__,
    id="seleznova2020/output_variance_theory",
    paper=PAPER,
    locus="Section 5, Theorem 3, Figures 5 and 6",
    seeds=(14, 14),
    stream="registered-6",
)

groups = claim.experiment(
    output_variance, over_theorem.QUICK, full=over_theorem.FULL, dtype="float64"
)

EACH = Terms(ratio=True, each=grid(phase=tuple(over_theorem.PHASES)))
OF_PAIRS = {"edge": (1.041, 0.06), "chaotic": (1.062, 0.06)}
PAIRS = Terms(ratio=True, each=grid(phase=tuple(OF_PAIRS)), expect=OF_PAIRS)
SMALL = "clear of the Monte-Carlo error of 2 %; depth / width is 0.05"
EIGHTH = (
    "an output's sd off by an eighth; left out are terms of order depth / width, 0.16"
)
CLEAR, NEAR = Terms(within=1.15, because=SMALL), Terms(within=1.25, because=EIGHTH)
WORSE = "an order of magnitude is the least that one would call ill-conditioned beside the other"
FAILS = "the paper calls an estimate failing or not, without a number; for us failing is off by 2"
RIDGED = "does a ridge that conditions own kernels as at the edge restore the estimate?"


@claim.effect(primary=True, expect=by_phase(1.0, 1.01, 1.02, 0.06), **CLEAR, **EACH)
def premise_shallow(m, phase):
    """With 3 layers and one mean-field kernel the variance is {} times Theorem 3's ({phase})."""
    return ratio(m[groups], "mean_field", phase, SHALLOW)


@claim.effect(primary=True, expect=by_phase(1.0, 1.062, 1.15, 0.06), **NEAR, **EACH)
def premise_deep(m, phase):
    """With 10 layers and one mean-field kernel the variance is {} times Theorem 3's ({phase})."""
    return ratio(m[groups], "mean_field", phase, DEEP)


@claim.effect(primary=True, **NEAR, **PAIRS)
def premise_pair(m, phase):
    """With 10 layers, one kernel and S = 1 the variance is {} times Theorem 3's ({phase})."""
    return ratio(m[groups], "mean_field_pair", phase, DEEP, samples=1)


@claim.effect(primary=True, ratio=True, above=10, expect=(90, 0.1), because=WORSE)
def ill_conditioned(m):
    """When ordered, own kernels' condition number is {} times that at the edge (10 layers)."""
    ordered = over_theorem.of_phase(m[groups], "condition", "ordered", DEEP)
    return ordered / over_theorem.of_phase(m[groups], "condition", "edge", DEEP)


@claim.effect(primary=True, ratio=True, above=2, expect=(1636, 0.1), because=FAILS)
def breaks_ordered(m):
    """When ordered, with own kernels and labels +1 and -1, the variance is {} times Theorem 3's."""
    return ratio(m[groups], "own_kernel", "ordered", DEEP)


@claim.effect(above=2, expect=by_phase(3294, 7.39, 2.72, 0.1), because=FAILS, **EACH)
def labels_as_large_as_outputs(m, phase):
    """With own kernels and labels as large as f_0 variance is {} times Theorem 3's ({phase})."""
    return ratio(m[groups], "labels_of_outputs", phase, DEEP)


@claim.effect(
    within=2, expect=by_phase(1.35, 0.905, 0.741, 0.08), because=FAILS, **EACH
)
def labels_as_large_as_differences(m, phase):
    """With labels as large as differences of f_0 instead it is {} times Theorem 3's ({phase})."""
    return ratio(m[groups], "labels_of_differences", phase, DEEP)


@claim.effect(expect=by_phase(0.779, 0.748, 0.741, 0.035), **CLEAR, **EACH)
def own_kernels_shallow(m, phase):
    """With 3 layers, own kernels and no labels the variance is {} times Theorem 3's ({phase})."""
    return ratio(m[groups], "own_kernel_no_labels", phase, SHALLOW)


@claim.effect(ratio=True, within=2, expect=(4.48, 0.07), because=RIDGED)
def ordered_reconditioned(m):
    """When ordered, a ridge that repairs the conditioning leaves it {} times Theorem 3's."""
    return ratio(m[groups], "own_kernel_ridge", "ordered", DEEP, ridge=RIDGE)


@claim.control("SUPPORTED", of=premise_deep)
def planted_gaussian(m):
    """Gaussian f_0 and the mean-field kernel, chaotic: the theorem itself."""
    return ratio(m[groups], "planted", "chaotic", DEEP)


@claim.control("not SUPPORTED", of=breaks_ordered)
def planted_not_broken(m):
    """The same, ordered: labels add no variance."""
    return ratio(m[groups], "planted", "ordered", DEEP)


@claim.control("SUPPORTED", of=breaks_ordered)
def large_labels(m):
    """At the edge, labels of +100 and -100: their term must be seen."""
    return ratio(m[groups], "labels_hundredfold", "edge", DEEP)


@claim.control("not SUPPORTED", of=premise_pair)
def kappas_swapped(m):
    """A wrong theorem, with kappa2 / kappa1 in A."""
    q, q_sr, kappa_ratio = mean_field(over_theorem.PHASES["chaotic"], DEEP)
    wrong = theorem3(q, q_sr, 1 / kappa_ratio, samples=1)
    return over_theorem.of_phase(m[groups], "mean_field_pair", "chaotic", DEEP) / wrong


@claim.gate("BROKEN")
def finite(m):
    """Every variance is finite and positive."""
    return gates.positive(m, ["mean_field", "own_kernel", "own_kernel_ridge"], groups)


@claim.gate()
def solved(m):
    """No kernel has a condition number of 1e8 or more, so float64 solves it."""
    return gates.below(m, "largest_condition", 1e8, groups)


@claim.gate()
def tails(m):
    """With one kernel for all, no network makes 25 % or more of its group's variance."""
    return gates.below(m, "share", 0.25, groups)


claim.figure(*over_theorem.figures(groups))


def test_output_variance_theory(verdict):
    assert verdict.kind == "SUPPORTED", verdict.reason
