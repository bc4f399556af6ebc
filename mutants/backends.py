"""Defects of the backends: forward pass, empirical NTK, precision."""

from mutants.mutant import Mutant

BACKEND = "harness/backends/backend.py"
BLOCKS = "harness/backends/kernel_blocks.py"
TORCH = "harness/backends/torch_backend.py"
TORCH_LAYERS = "harness/backends/torch_layers.py"
JAX = "harness/backends/jax_backend.py"
JAX_LAYERS = "harness/backends/jax_layers.py"
TESTS = "tests/test_backends.py::"
AGREES_TORCH = (
    f"{TESTS}test_agrees_with_the_oracle[torch-float64-relu-ntk-0.3]",
    f"{TESTS}test_the_half_that_is_not_computed_is_that_of_the_other_side[torch-trace]",
)
AGREES_JAX = (f"{TESTS}test_agrees_with_the_oracle[jax-float64-relu-ntk-0.3]",)
BOTH_FORMS = "tests/test_convolutions.py::test_both_structured_forms_agree_with_the_oracle"

MUTANTS = (
    Mutant(
        "torch-bias-dropped-by-position",
        "The gradients of biases are missing from the empirical NTK where it is made of Grams over positions.",
        TORCH_LAYERS,
        "bias = 0.0 if layer.bias is None else layer.bias_scale**2",
        "bias = 0.0",
        (BOTH_FORMS,),
    ),
    Mutant(
        "jax-bias-dropped-by-position",
        "The same in JAX.",
        JAX_LAYERS,
        "gram = gram + (0.0 if layer.bias is None else layer.bias_scale**2)",
        "gram = gram + 0.0",
        (BOTH_FORMS,),
    ),
    Mutant(
        "torch-bias-dropped-by-gradient",
        "The gradients of biases are missing where the empirical NTK is made of gradients per sample.",
        TORCH_LAYERS,
        "return gram.add_(biases[0], alpha=layer.bias_scale**2) if biases else gram",
        "return gram",
        (BOTH_FORMS,),
    ),
    Mutant(
        "weight-scale-not-squared",
        "The kernel of a layer is scaled by w instead of w^2.",
        TORCH_LAYERS,
        "gram = weights.mul_(layer.weight_scale**2)",
        "gram = weights.mul_(layer.weight_scale)",
        (BOTH_FORMS,),
    ),
    Mutant(
        "forward-bias-dropped",
        "A layer forgets to add its bias.",
        TORCH_LAYERS,
        "if bias and layer.bias is not None:",
        "if False:",
        AGREES_TORCH,
    ),
    Mutant(
        "torch-relu-slope-at-zero",
        "relu'(0) is 1 in PyTorch and 0 elsewhere, which shows wherever a preactivation is exactly zero.",
        TORCH_LAYERS,
        "return (h > 0).to(h.dtype)",
        "return (h >= 0).to(h.dtype)",
        ("tests/test_planted_defects.py::test_relu_is_flat_at_zero_in_every_backend",),
    ),
    Mutant(
        "oracle-relu-slope-at-zero",
        "relu'(0) is 1 in the oracle.",
        "harness/backends/numpy_layers.py",
        '"relu": lambda h: (h > 0.0).astype(float)',
        '"relu": lambda h: (h >= 0.0).astype(float)',
        ("tests/test_planted_defects.py::test_relu_is_flat_at_zero_in_every_backend",),
    ),
    Mutant(
        "sigmoid-slope-wrong",
        "The derivative of the sigmoid lacks a factor.",
        TORCH_LAYERS,
        "return s * (1 - s)",
        "return s",
        (f"{TESTS}test_agrees_with_the_oracle[torch-float64-sigmoid-ntk-0.3]",),
    ),
    Mutant(
        "x2-ignored",
        "The kernel of x1 against x2 is that of x1 against itself.",
        BACKEND,
        "x2=x1 if x2 is None else x2)",
        "x2=x1)",
        AGREES_TORCH,
    ),
    Mutant(
        "half-not-mirrored",
        "The half of a diagonal block that is not computed stays zero.",
        BLOCKS,
        "                mirror(kernel[:, i, i])\n",
        "",
        (f"{TESTS}test_the_half_that_is_not_computed_is_that_of_the_other_side[torch-trace]",),
    ),
    Mutant(
        "outputs-not-swapped",
        "The lower half of the full kernel has its two outputs in the wrong order.",
        BLOCKS,
        "block.transpose(0, 2, 1, 4, 3)",
        "block.transpose(0, 2, 1, 3, 4)",
        (f"{TESTS}test_the_half_that_is_not_computed_is_that_of_the_other_side[torch-full]",),
    ),
    Mutant(
        "block-offset",
        "Every block of columns is made of the first samples.",
        BLOCKS,
        "ops.put(x2[:, j])",
        "ops.put(x2[:, : j.stop - j.start])",
        (f"{TESTS}test_blocks_stay_within_the_memory_budget_and_change_nothing",),
    ),
    Mutant(
        "last-block-lost-in-products",
        "Kernel-vector products leave the gradient of all blocks but the last out.",
        BACKEND,
        "total[name] = total[name] + term if name in total else term",
        "total[name] = term",
        (f"{TESTS}test_vector_products_are_made_in_blocks_too",),
    ),
    Mutant(
        "seed-axis-shared",
        "All seeds see the weights of the first one where they share their inputs.",
        TORCH_LAYERS,
        "h = p[0].flatten(0, 1) @ weight.flatten(0, 1).mT",
        "h = p[0].flatten(0, 1) @ weight[:1].expand_as(weight).flatten(0, 1).mT",
        (f"{TESTS}test_seed_axes",),
    ),
    Mutant(
        "data-of-the-first-seed",
        "Data with a seed axis is read as if all seeds shared that of the first.",
        "harness/backends/numpy_layers.py",
        "return x[seed if x.shape[0] > 1 else 0, n]",
        "return x[0, n]",
        (f"{TESTS}test_seed_axes",),
    ),
    Mutant(
        "tf32-in-torch",
        "PyTorch may use TF32 in float32 matrix products.",
        TORCH,
        'product.fp32_precision = "ieee"',
        'product.fp32_precision = "tf32"',
        ("tests/test_planted_defects.py::test_no_reduced_precision_inside_a_session_of_torch",),
    ),
    Mutant(
        "tf32-in-jax",
        "JAX may use TF32 or bfloat16 in float32 matrix products.",
        JAX,
        'jax.default_matmul_precision("highest")',
        'jax.default_matmul_precision("default")',
        ("tests/test_planted_defects.py::test_no_reduced_precision_inside_a_session_of_jax",),
    ),
    Mutant(
        "autocast-not-switched-off",
        "An autocast to bfloat16 around a call reaches the kernel.",
        TORCH,
        "with torch.no_grad(), torch.autocast(self.device, enabled=False):",
        "with torch.no_grad():",
        (f"{TESTS}test_reduced_precision_asked_of_torch_does_not_reach_the_results",),
    ),
    Mutant(
        "float16-products",
        "Grams of gradients are multiplied in float16.",
        TORCH_LAYERS,
        "total = a[..., first] @ b[..., first].mT",
        "total = (a[..., first].half() @ b[..., first].mT.half()).to(a.dtype)",
        (f"{TESTS}test_torch_keeps_its_digits_in_long_products_of_few_rows",),
    ),
    Mutant(
        "long-products-at-once",
        "Long float32 products are added up in one go, which costs three digits.",
        TORCH_LAYERS,
        "blocks(a.shape[2], 2**15)",
        "blocks(a.shape[2], 2**40)",
        (f"{TESTS}test_torch_keeps_its_digits_in_long_products_of_few_rows",),
    ),
    Mutant(
        "float64-not-honoured-in-torch",
        "PyTorch computes in float32 though float64 was asked for.",
        TORCH,
        "dtype=self.dtype if floating else array.dtype",
        'dtype="float32" if floating else array.dtype',
        AGREES_TORCH,
    ),
    Mutant(
        "float64-not-honoured-in-jax",
        "JAX stays at 32 bits though float64 was asked for.",
        JAX,
        'jax.enable_x64(self.dtype == "float64")',
        "jax.enable_x64(False)",
        AGREES_JAX,
    ),
    Mutant(
        "jax-is-torch",
        'The backend "jax" is PyTorch under another name, so the two always agree.',
        "harness/backends/__init__.py",
        'importlib.import_module(f"harness.backends.{name}_backend")',
        "importlib.import_module(f\"harness.backends.{dict(jax='torch').get(name, name)}_backend\")",
        (f"{TESTS}test_a_framework_that_is_not_installed_is_named_with_its_extra[jax]",),
    ),
    Mutant(
        "falls-back-to-numpy",
        "A framework that is not installed is silently replaced by NumPy.",
        "harness/backends/__init__.py",
        '    module = importlib.import_module(f"harness.backends.{name}_backend")\n',
        '    try:\n        module = importlib.import_module(f"harness.backends.{name}_backend")\n'
        '    except ImportError:\n        module = importlib.import_module("harness.backends.numpy_backend")\n',
        (f"{TESTS}test_a_framework_that_is_not_installed_is_named_with_its_extra",),
    ),
    Mutant(
        "falls-back-to-the-cpu",
        "A GPU that is asked for and not there is silently replaced by the CPU.",
        TORCH,
        'if device == "cuda" and not torch.cuda.is_available():',
        'if device == "cuda" and not torch.cuda.is_available() and not (device := "cpu"):',
        (f"{TESTS}test_a_gpu_that_is_not_there_is_named_with_what_to_do",),
    ),
    Mutant(
        "sampled-kernel-not-projected",
        "Kernels sampled without weight matrices count the part of W^T delta along the input twice.",
        TORCH,
        "along = (u * delta).sum(-1, keepdim=True) - size.sqrt() * (a * g).sum(-1, keepdim=True)",
        "along = (u * delta).sum(-1, keepdim=True)",
        (f"{TESTS}test_sampled_kernels_agree_with_the_oracles_explicit_weights[torch-float64-relu-ntk-0.3]",),
    ),
)
