"""Defects of networks and of their initial weights."""

from mutants.mutant import Mutant

BUILDER = "harness/networks/builder.py"
NETWORK = "harness/networks/network.py"
TESTS = "tests/test_networks.py::"

MUTANTS = (
    Mutant(
        "fan-in-missing",
        "The 1/sqrt(fan_in) is missing, so preactivations grow with the width.",
        BUILDER,
        "self.sigma_w / fan_in**0.5",
        "self.sigma_w",
        (f"{TESTS}test_variance_at_the_start_is_the_predicted_one",),
    ),
    Mutant(
        "fan-in-not-rooted",
        "Weights have standard deviation sigma_w/fan_in where that is meant to be the variance.",
        BUILDER,
        "self.sigma_w / fan_in**0.5",
        "self.sigma_w / fan_in",
        (f"{TESTS}test_variance_at_the_start_is_the_predicted_one",),
    ),
    Mutant(
        "bias-scale-ignored",
        "sigma_b does not reach the biases of a net in NTK parametrization.",
        BUILDER,
        "return (self.sigma_b, 1.0) if self.ntk",
        "return (1.0, 1.0) if self.ntk",
        (f"{TESTS}test_both_parametrizations_are_the_same_function_at_the_start",),
    ),
    Mutant(
        "parametrizations-swapped",
        'A net asked for in "ntk" parametrization gets the standard one, and the other way round.',
        BUILDER,
        'self.parametrization == "ntk"',
        'self.parametrization != "ntk"',
        ("tests/test_backends.py::test_oracle_forward_is_the_formula",),
    ),
    Mutant(
        "depth-off-by-one",
        "A perceptron has one hidden layer less than asked for.",
        "harness/networks/perceptron.py",
        "for width in widths[1:-1]:",
        "for width in widths[1:-2]:",
        (f"{TESTS}test_inputs_outputs_and_layers",),
    ),
    Mutant(
        "padding-before-after",
        'The odd one of "same" padding comes before instead of after, as no framework does it.',
        BUILDER,
        "return total // 2, total - total // 2",
        "return total - total // 2, total // 2",
        ("tests/test_convolutions.py::test_same_is_that_of_jax",),
    ),
    Mutant(
        "one-stream-for-all-layers",
        "Every layer draws from the same stream, so weights of different layers are correlated.",
        NETWORK,
        'seeds.generator("weights", seed=seed, name=name)',
        'seeds.generator("weights", seed=seed)',
        (f"{TESTS}test_seeds_and_arrays_have_streams_of_their_own",),
    ),
    Mutant(
        "seed-ignored",
        "Every seed gives the same initial weights, so replicates are copies.",
        NETWORK,
        'seeds.generator("weights", seed=seed, name=name)',
        'seeds.generator("weights", seed=0, name=name)',
        (f"{TESTS}test_seeds_and_arrays_have_streams_of_their_own",),
    ),
    Mutant(
        "seeds-offset-in-a-batch",
        "Seed s of many is not seed s alone, so blocks of replicates cannot be joined.",
        NETWORK,
        "thetas = [self.init(int(s)) for s in seed]",
        "thetas = [self.init(s) for s, _ in enumerate(seed)]",
        (f"{TESTS}test_many_seeds_are_stacked_single_ones",),
    ),
)
