"""Learning a degree-4 polynomial, a network outscales both of its kernels.

Claim
    There are settings in which a finite network has a significantly better exponent of test error
    in the number of samples than both its empirical NTK at initialisation and the NTK at infinite
    width. Here this is asked of a setting that others published: Atanasov et al. 2022.
Measured
    Effect per seed: the network's exponent minus the kernel's, of E ~ P^-beta, by a line in log-log
    through the squared test errors at P = 400, 800, 1600. Target: a Gegenbauer polynomial of degree
    4 of one direction, on the sphere in 10 dimensions, without noise. Two hidden ReLU layers of
    N = 74, no biases, NTK parametrization, sigma_w = alpha^(1/3), alpha = 0.1. f - f_0 is trained
    by full-batch gradient descent at their rate to a loss of 0.002. Kernels: ridge 1e-12.
Departs
    Vyas et al. do not use this setting. Atanasov et al. train to a loss of 1e-6 and show N = 1000
    at degree 4. Exploration compared N = 74 and 177, two windows and five ways of stopping, with
    both gaps above the margin in all; here networks have begun to learn and the backends agree.
Limits
    At degree 2 the infinite-width kernel outscales the network, as published: no law. At degree 4
    that kernel is no better than predicting 0 at P = 400, so its exponent belongs to this window,
    and the published curves tie over P = 1000 to 20,000. At N = 74 the initial kernel overfits: see
    the arm with a chosen ridge. A target of one direction suits networks that learn features.
"""

from claims.vyas2022 import expected, sphere_curves
from claims.vyas2022.exponents import exponents, lead
from claims.vyas2022.paper import PAPER
from claims.vyas2022.sphere import INFINITE, INITIAL
from claims.vyas2022.sphere_curves import NETWORK, error_curve, gap_to, predictor_curve
from harness import gates
from harness.claim import Claim, Terms, grid

claim = Claim(
    __doc__,
    id="vyas2022/gap_on_a_published_setting",
    paper=PAPER,
    locus="abstract; introduction, first contribution; in the setting of Atanasov et al. 2022",
    seeds=(12, 20),
    stream="registered-5",
)
at_4 = sphere_curves.add_predictors(claim, sphere_curves.DEGREE_4)
at_2 = sphere_curves.add_predictors(claim, sphere_curves.DEGREE_2)
lazily = sphere_curves.add_predictors(claim, sphere_curves.LAZY)
shuffled = sphere_curves.add_shuffled_kernel(claim, sphere_curves.DEGREE_4)
A_LAW = "0.1 in the exponent is 13 % of error over two doublings of P: less is no other scaling law"
PLATEAU = "13 % over two doublings of P; less is a plateau"
BOTH = grid(kernel=(INITIAL, INFINITE))
PREDICTORS = grid(predictor=(NETWORK, INITIAL, INFINITE))
GAP = Terms(above=0.1, agreement=0.05, because=A_LAW)
FALLS = Terms(above=0.1, agreement=0.05, because=PLATEAU)
AT_4 = Terms(expect=expected.AT_4, published=sphere_curves.published_gaps(4))
AT_2 = Terms(expect=expected.AT_2, published=sphere_curves.published_gaps(2))
OF_ONE = Terms(expect=expected.OF_ONE, published=sphere_curves.published_exponents(4))


@claim.effect(primary=True, each=BOTH, **AT_4, **GAP)
def gap(m, kernel):
    """At degree 4 the exponent of the network is larger by {} than that of its {kernel}."""
    return gap_to(m, at_4, kernel)


@claim.effect(each=BOTH, expect=expected.WITH_CHOSEN_RIDGE, **GAP)
def gap_with_chosen_ridge(m, kernel):
    """At degree 4 the gap to the {kernel} with a ridge chosen on held-out samples is {}."""
    return gap_to(m, at_4, kernel, "chosen_error")


@claim.effect(each=BOTH, **AT_2, **GAP)
def gap_at_degree_2(m, kernel):
    """At degree 2 the exponent of the network minus that of its {kernel} is {}."""
    return gap_to(m, at_2, kernel)


@claim.effect(each=PREDICTORS, **OF_ONE, **FALLS)
def exponent(m, predictor):
    """At degree 4 the exponent of the {predictor} is {}."""
    return exponents(predictor_curve(m, at_4, predictor))


@claim.control("SUPPORTED", of=gap, at=dict(kernel=INFINITE))
def permuted(m):
    """The targets of the kernel's samples are permuted: there is nothing for it to learn."""
    return lead(predictor_curve(m, at_4, NETWORK), error_curve(m, shuffled))


@claim.control("not SUPPORTED", of=gap, at=dict(kernel=INITIAL))
def lazy(m):
    """alpha = 200, degree 2: the network is regression with its initial kernel."""
    return gap_to(m, lazily, INITIAL)


@claim.gate()
def reached(m):
    """Every network reached the training loss at which it stops."""
    return sphere_curves.stopped_short(m, (at_4, at_2, lazily))


@claim.gate()
def begun(m):
    """At degree 4 every network has a test error below 0.9; predicting 0 has 1."""
    return gates.below(m, "error", 0.9, at_4.networks)


@claim.gate()
def halves(m):
    """At degree 4 the mean gap to each kernel is above 0.1 in each half of the window."""
    return sphere_curves.carried_by_one_half(m, at_4, least=0.1)


@claim.gate("BROKEN")
def finite(m):
    """Every squared error is finite and positive."""
    return sphere_curves.not_positive(m, (at_4, at_2, lazily), shuffled)


claim.figure(sphere_curves.learning_curves(at_4, 4, chosen=INITIAL))
claim.figure(sphere_curves.learning_curves(at_2, 2))


def test_gap_on_a_published_setting(verdict):
    assert verdict.kind == "SUPPORTED", verdict.reason
