"""Defects of networks, kernels, kernel regression and of the backends' passes."""

from contextlib import nullcontext
from dataclasses import replace

import numpy as np

from tests.verify.mutants.defect import Defects

DEFECTS = Defects()
plant = DEFECTS.plant

AGREES = "tests/harness/backends/test_backends.py::test_agrees_with_the_oracle"
STRUCTURED = (
    "tests/harness/backends/test_convolutions.py::"
    "test_both_structured_forms_agree_with_the_oracle"
)
HALF = (
    "tests/harness/backends/test_backends.py::"
    "test_the_half_that_is_not_computed_is_that_of_the_other_side"
)
FLAT = (
    "tests/verify/test_planted_defects.py::test_relu_is_flat_at_zero_in_every_backend"
)
LADDER = "tests/harness/kernels/test_kernel_regression.py::test_ladder_equals_separate_solves"
DEVICE = (
    "tests/harness/backends/test_infinite_width.py::"
    "test_perceptrons_have_the_kernels_of_the_oracle"
)


# Networks


@plant(
    "harness.networks.builder:scales_of",
    "tests/harness/backends/test_backends.py::test_oracle_forward_is_the_formula",
)
def parametrizations_swapped(scales_of, activation, parametrization, sigma_w, sigma_b):
    """A network in "ntk" parametrization is the standard one, and the other way round."""
    _, *scales = scales_of(activation, parametrization, sigma_w, sigma_b)
    return "standard" if parametrization == "ntk" else "ntk", *scales


@plant(
    "harness.networks.builder:Builder._weights",
    "tests/harness/networks/test_networks.py::test_variance_at_the_start_is_the_predicted_one",
)
def fan_in_missing(weights, self, fan_in, fan_out):
    """The scale 1/sqrt(fan_in) of the weights is missing, so preactivations grow with the width."""
    *names_and_sizes, weight_scale, bias_scale, weight_std, bias_std = weights(
        self, fan_in, fan_out
    )
    root = fan_in**0.5
    if self.parametrization == "ntk":
        return *names_and_sizes, root * weight_scale, bias_scale, weight_std, bias_std
    return *names_and_sizes, weight_scale, bias_scale, root * weight_std, bias_std


# Empirical kernels


@plant("harness.backends.torch_layers:derivative", f"{FLAT}[torch]")
def torch_relu_slope_at_zero(derivative, name, h):
    """In PyTorch relu'(0) is 1, which shows wherever a preactivation is exactly zero."""
    return (h >= 0).to(h.dtype) if name == "relu" else derivative(name, h)


@plant(
    "harness.backends.jax_layers:derivative", f"{AGREES}[jax-float64-sigmoid-ntk-0.3]"
)
def jax_sigmoid_slope_doubled(derivative, name, h):
    """In JAX the derivative of the sigmoid is twice what it is."""
    slope = derivative(name, h)
    return 2 * slope if name == "sigmoid" else slope


@plant("harness.backends.torch_layers:affine", f"{AGREES}[torch-float64-relu-ntk-0.3]")
def torch_forward_without_bias(affine, layer, theta, x, bias=True):
    """In PyTorch a layer does not add its bias."""
    return affine(layer, theta, x, bias=False)


@plant(
    "harness.backends.numpy_layers:layer_gradient",
    "tests/harness/backends/test_backends.py::test_oracle_kernel_is_that_of_finite_differences",
)
def oracle_bias_gradient_missing(layer_gradient, layer, x, delta):
    """The oracle's kernel lacks the gradients of the biases."""
    gradients = layer_gradient(layer, x, delta)
    return {
        name: gradient if name == layer.weight else 0 * gradient
        for name, gradient in gradients.items()
    }


@plant("harness.backends.jax_layers:position_gram", f"{STRUCTURED}[jax-image-True]")
def jax_bias_dropped_by_position(position_gram, layer, outputs, left, right):
    """In JAX, Grams over positions leave the gradients of the biases out."""
    return position_gram(replace(layer, bias=None), outputs, left, right)


@plant(
    "harness.backends.backend:Backend.empirical_ntk",
    "tests/verify/test_planted_defects.py::test_the_kernel_of_two_sets_is_a_block_of_that_of_both[numpy]",
)
def second_set_ignored(
    empirical_ntk, self, net, theta, x1, x2=None, *arguments, **options
):
    """The kernel of x1 against x2 is that of x1 against itself."""
    other = None if x2 is None else np.resize(x1, np.shape(x2))
    return empirical_ntk(self, net, theta, x1, other, *arguments, **options)


@plant("harness.backends.kernel_blocks:mirror", f"{HALF}[torch-trace]")
def half_not_mirrored(mirror, block):
    """The half of a diagonal block that is not computed stays as it was."""


@plant(
    "harness.backends.torch_backend:TorchOperations.pushforward",
    f"{AGREES}[torch-float64-relu-ntk-0.3]",
)
def kernel_vector_product_doubled(pushforward, self, net, theta, x, tangent):
    """In PyTorch the product of the kernel and a vector is twice what it is."""
    return 2 * pushforward(self, net, theta, x, tangent)


@plant(
    "harness.backends.backend:Backend._parts",
    "tests/harness/backends/test_backends.py::test_vector_products_are_made_in_blocks_too",
)
def blocks_of_products_lost(parts, self, ops, net, batch):
    """Where a kernel-vector product is made in blocks of samples, only the last block counts."""
    return parts(self, ops, net, batch)[-1:]


@plant(
    "harness.backends.torch_layers:long_product",
    "tests/harness/backends/test_backends.py::test_torch_keeps_its_digits_in_long_products_of_few_rows",
)
def long_products_at_once(long_product, a, b):
    """Long float32 products are added up in float16, which costs digits."""
    return (a.half() @ b.half().mT).to(a.dtype)


@plant(
    "harness.backends.torch_backend:TorchOperations.session",
    "tests/verify/test_planted_defects.py::test_no_reduced_precision_inside_a_session_of_torch",
)
def reduced_precision_in_torch(session, self):
    """PyTorch may use TF32 or bfloat16 in float32 matrix products."""
    return nullcontext()


@plant(
    "harness.backends.jax_backend:JaxOperations.session",
    "tests/verify/test_planted_defects.py::test_no_reduced_precision_inside_a_session_of_jax",
)
def reduced_precision_in_jax(session, self):
    """JAX may use TF32 or bfloat16 in float32 matrix products."""
    return nullcontext()


@plant(
    "harness.backends:get",
    "tests/harness/backends/test_backends.py::test_a_framework_that_is_not_installed_is_named_with_its_extra[jax]",
)
def falls_back_to_numpy(get, name, *arguments, **options):
    """A framework that is not installed is silently replaced by NumPy."""
    from harness.errors import BackendUnavailable

    try:
        return get(name, *arguments, **options)
    except BackendUnavailable:
        return get("numpy")


# Infinite width


@plant(
    "harness.kernels.gaussian_pairs:Relu.pairs",
    "tests/harness/kernels/test_kernels.py::test_one_relu_layer_at_known_angles",
)
def arc_cosine_factor(pairs, self, *arguments):
    """The arc-cosine kernel of degree 0 lacks its 1/2."""
    after, slopes = pairs(self, *arguments)
    return after, 2 * slopes


@plant(
    "harness.kernels.perceptron:_propagate",
    "tests/harness/kernels/test_kernels.py::test_one_relu_layer_against_monte_carlo",
)
def tangent_kernel_is_that_of_the_last_layer(propagate, *arguments):
    """What the layers below the last one add to the NTK is left out."""
    nngp, _ = propagate(*arguments)
    return nngp, nngp


@plant(
    "harness.kernels.gaussian_pairs:gains",
    "tests/harness/kernels/test_kernels.py::test_wide_nets_have_these_kernels_on_average",
)
def infinite_biases_missing(gains, layer):
    """In the limit of infinite width biases add nothing to the variance."""
    gain, _ = gains(layer)
    return gain, 0.0


@plant(
    "harness.kernels.convolutional:crossed_steps",
    "tests/harness/kernels/test_kernels_convolutional.py::test_kernels_equal_plain_sums_over_positions_and_offsets",
)
def pooling_without_pairs_of_positions(crossed_steps, net):
    """Average pooling of a kernel leaves out the covariances of different positions."""
    return 0


@plant(
    "harness.backends.torch_infinite:TorchArrays.relu",
    f"{DEVICE}[torch-relu-ntk-0.3-10]",
)
def device_kernel_differs(relu, self, s):
    """In PyTorch the infinite-width ReLU kernels are those of other angles."""
    return relu(self, 0.99 * s)


# Kernel regression


@plant("harness.kernels.prediction:regression", LADDER)
def ridge_not_added(regression, k_train, y, k_test, ridge):
    """The ridge is never added, whatever it is."""
    return regression(k_train, y, k_test, np.zeros_like(ridge))


@plant(
    "harness.kernels.prediction:_decompose",
    "tests/harness/kernels/test_kernel_regression.py::test_without_ridge_a_singular_kernel_gives_the_minimum_norm_solution",
)
def no_eigenvalue_cut(decompose, *arguments):
    """Without a ridge, eigenvalues that are rounding are inverted."""
    return replace(decompose(*arguments), cut=0.0)


@plant(
    "harness.kernels.prediction:gradient_flow",
    "tests/harness/kernels/test_kernel_regression.py::test_gradient_flow_is_the_limit_of_small_steps_of_gradient_descent",
)
def gradient_flow_of_twice_the_time(gradient_flow, k_train, y, k_test, time):
    """Gradient flow runs for twice the time asked for."""
    return gradient_flow(k_train, y, k_test, 2 * np.asarray(time))


@plant(
    "harness.backends.jax_ridge:solve_ridges",
    "tests/harness/backends/test_kernel_regression_backends.py::"
    "test_a_ladder_is_that_of_the_eigendecomposition_up_to_rounding_times_condition[jax]",
)
def jax_solves_rounded_kernels(solve_ridges, gram, y, ridges):
    """In JAX kernels are rounded to float32 before kernel regression."""
    return solve_ridges(gram.astype(np.float32).astype(np.float64), y, ridges)
