"""Defects of infinite-width kernels and of prediction with kernels."""

from mutants.mutant import Mutant

PAIRS = "harness/kernels/gaussian_pairs.py"
PERCEPTRON = "harness/kernels/perceptron.py"
PREDICTION = "harness/kernels/prediction.py"
TESTS = "tests/test_kernels.py::"
REGRESSION = "tests/test_kernel_regression.py::"
SUMS = (
    "tests/test_kernels_convolutional.py::test_kernels_equal_plain_sums_over_positions_and_offsets[relu-ntk-None-pool]",
)

MUTANTS = (
    Mutant(
        "arc-cosine-factor",
        "The arc-cosine kernel of degree 0 lacks its 1/2.",
        PAIRS,
        "(0.5 - angle / (2 * np.pi)) * ~zero",
        "(1.0 - angle / np.pi) * ~zero",
        (f"{TESTS}test_one_relu_layer_at_known_angles",),
    ),
    Mutant(
        "relu-keeps-the-variance",
        "ReLU is taken to pass on all of the variance instead of half of it.",
        PAIRS,
        "return std / 2**0.5",
        "return std",
        (f"{TESTS}test_one_relu_layer_at_known_angles",),
    ),
    Mutant(
        "erf-noise-missing",
        "The arcsine of the erf kernel lacks the 1/2 beside the variances.",
        PAIRS,
        "return ErfMixture(np.array([1.0]), np.array([0.5]))",
        "return ErfMixture(np.array([1.0]), np.array([1.0]))",
        (f"{TESTS}test_two_erf_layers_follow_the_arcsine_recursion",),
    ),
    Mutant(
        "tangent-term-missing",
        "The NTK is that of the last layer alone: what comes from the layers below is left out.",
        PERCEPTRON,
        "theta = gain * theta + layer.weight_scale**2",
        "theta = layer.weight_scale**2",
        (f"{TESTS}test_one_relu_layer_against_monte_carlo", f"{TESTS}test_linear_net"),
    ),
    Mutant(
        "slope-not-applied",
        "The NTK of the layers below is not multiplied by E[phi' phi'].",
        PERCEPTRON,
        "theta = theta * slopes",
        "theta = theta * 1.0",
        (f"{TESTS}test_two_erf_layers_follow_the_arcsine_recursion",),
    ),
    Mutant(
        "infinite-bias-gradient-missing",
        "The infinite-width NTK lacks the gradients of the biases.",
        PERCEPTRON,
        "            theta += layer.bias_scale**2\n",
        "            theta += 0.0\n",
        (f"{TESTS}test_wide_nets_have_these_kernels_on_average[relu-ntk-0.5]",),
    ),
    Mutant(
        "pooling-without-cross-positions",
        "Average pooling of a convolutional kernel leaves out the covariances of different positions.",
        "harness/kernels/convolutional.py",
        "return max(pools, default=0)",
        "return 0",
        SUMS,
    ),
    Mutant(
        "device-kernel-differs",
        "The infinite-width kernels on the device leave out what biases add to the angle.",
        "harness/backends/infinite_width.py",
        "np.cos(beta), np.sin(beta / 2)",
        "np.ones_like(beta), np.sin(beta / 2)",
        ("tests/test_infinite_width.py::test_perceptrons_have_the_kernels_of_the_oracle[torch-relu-ntk-0.3-10]",),
    ),
    Mutant(
        "ridge-not-added",
        "The ridge is never added, whatever it is.",
        PREDICTION,
        "shifted = spectrum.eigenvalues + ridges",
        "shifted = spectrum.eigenvalues + 0.0 * ridges",
        (f"{REGRESSION}test_ladder_equals_separate_solves",),
    ),
    Mutant(
        "ridge-added-twice",
        "The ridge is added twice.",
        PREDICTION,
        "shifted = spectrum.eigenvalues + ridges",
        "shifted = spectrum.eigenvalues + 2 * ridges",
        (f"{REGRESSION}test_ladder_equals_separate_solves",),
    ),
    Mutant(
        "no-eigenvalue-cut",
        "Without a ridge, eigenvalues that are rounding are inverted.",
        PREDICTION,
        "cut=max(len(eigenvalues) * problem.eps * highest, -lowest)",
        "cut=0.0",
        (f"{REGRESSION}test_without_ridge_a_singular_kernel_gives_the_minimum_norm_solution",),
    ),
    Mutant(
        "gradient-flow-time",
        "Gradient flow runs for twice the time asked for.",
        PREDICTION,
        "-np.expm1(-limit * spectrum.eigenvalues)",
        "-np.expm1(-2 * limit * spectrum.eigenvalues)",
        (f"{REGRESSION}test_gradient_flow_is_the_limit_of_small_steps_of_gradient_descent",),
    ),
    Mutant(
        "not-a-kernel-accepted",
        "A matrix that is not positive semi-definite is inverted all the same.",
        PREDICTION,
        "if lowest < -(problem.eps**0.5) * abs(highest):",
        "if False:",
        (f"{REGRESSION}test_bad_arguments_are_named",),
    ),
)
