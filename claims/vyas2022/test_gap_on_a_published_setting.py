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
    at degree 4. Exploration compared N = 74 and 177, P = 200 to 800 and 400 to 1600, and five ways
    of stopping; both gaps lay above the margin in all. Window and loss were chosen because there
    the networks have begun to learn and the backends agree.
Limits
    It is no law. At degree 2 the infinite-width kernel outscales the network, as published; at
    degree 4 the published curves tie over P = 1000 to 20,000. At P = 400 the infinite-width kernel
    is no better than predicting 0, so its exponent belongs to this window. At N = 74 the initial
    kernel overfits and its error rises: see the arm with a chosen ridge. A target of one direction
    suits networks that learn features.
"""

from claims.vyas2022 import sphere_curves
from claims.vyas2022.exponents import exponents, lead
from claims.vyas2022.paper import PAPER
from claims.vyas2022.sphere import INFINITE, INITIAL
from claims.vyas2022.sphere_curves import NETWORK, gap_to, predictor_curve
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

SPHERE = dict(inputs=10, test=1000, width=74, alpha=0.1)
DEGREE_4 = dict(SPHERE, degree=4, sizes=[400, 800, 1600], held_out=500)
DEGREE_2 = dict(SPHERE, degree=2, sizes=[100, 300, 1000], held_out=0)
LAZY = dict(DEGREE_2, alpha=200.0, sizes=[50, 100, 200])
TO_2E3 = dict(rate=1.0, momentum=0.0, target_loss=2e-3, most_steps=10_000)
TO_3E4 = dict(TO_2E3, target_loss=3e-4)
TO_1E6 = dict(rate=5.0, momentum=0.9, target_loss=1e-6, most_steps=3_000)
WIDER_4 = dict(width=1000, sizes=[400, 1000, 1800, 4000])
WIDER_2 = dict(width=1000, sizes=[100, 180, 400, 1000])

at_4 = sphere_curves.add_predictors(claim, "degree 4", DEGREE_4, TO_2E3, WIDER_4)
at_2 = sphere_curves.add_predictors(claim, "degree 2", DEGREE_2, TO_3E4, WIDER_2)
lazily = sphere_curves.add_predictors(claim, "degree 2, lazy", LAZY, TO_1E6)
shuffled = sphere_curves.add_shuffled_kernel(claim, DEGREE_4, WIDER_4)

BOTH = grid(kernel=(INITIAL, INFINITE))
PREDICTORS = grid(predictor=(NETWORK, INITIAL, INFINITE))
A_LAW = "0.1 in the exponent is 13 % of error over two doublings of P: less is no other scaling law"
GAP = Terms(above=0.1, agreement=0.05, because=A_LAW)
FALLS = Terms(
    above=0.1, agreement=0.05, because="13 % over two doublings of P; less is a plateau"
)
OF_ONE = {NETWORK: (1.18, 0.18), INITIAL: (-0.18, 0.14), INFINITE: (0.54, 0.1)}
AT_4 = {INITIAL: (1.38, 0.28), INFINITE: (0.66, 0.18)}
CHOSEN = {INITIAL: (1.14, 0.2), INFINITE: (0.66, 0.21)}
AT_2 = {INITIAL: (0.85, 0.13), INFINITE: (-0.68, 0.14)}


@claim.effect(
    primary=True,
    each=BOTH,
    expect=AT_4,
    published=sphere_curves.published_gaps(4),
    **GAP,
)
def gap(m, kernel):
    """At degree 4 the exponent of the network is larger by {} than that of its {kernel}."""
    return gap_to(m, at_4, kernel)


@claim.effect(each=BOTH, expect=CHOSEN, **GAP)
def gap_with_chosen_ridge(m, kernel):
    """At degree 4 the gap to the {kernel} with a ridge chosen on held-out samples is {}."""
    return gap_to(m, at_4, kernel, "chosen_error")


@claim.effect(each=BOTH, expect=AT_2, published=sphere_curves.published_gaps(2), **GAP)
def gap_at_degree_2(m, kernel):
    """At degree 2 the exponent of the network minus that of its {kernel} is {}."""
    return gap_to(m, at_2, kernel)


@claim.effect(
    each=PREDICTORS,
    expect=OF_ONE,
    published=sphere_curves.published_exponents(4),
    **FALLS,
)
def exponent(m, predictor):
    """At degree 4 the exponent of the {predictor} is {}."""
    return exponents(predictor_curve(m, at_4, predictor))


@claim.control("SUPPORTED", of=gap, at=dict(kernel=INFINITE))
def permuted(m):
    """The targets of the kernel's samples are permuted: there is nothing for it to learn."""
    network = predictor_curve(m, at_4, NETWORK)
    return lead(network, sphere_curves.error_curve(m, shuffled))


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
    settings = at_4, at_2, lazily
    networks = [setting.networks for setting in settings]
    kernels = [setting.kernels for setting in settings]
    return gates.positive(m, ["error"], *networks, *kernels, shuffled)


claim.figure(sphere_curves.learning_curves(at_4, 4, chosen=INITIAL))
claim.figure(sphere_curves.learning_curves(at_2, 2))


def test_gap_on_a_published_setting(verdict):
    assert verdict.kind == "SUPPORTED", verdict.reason
