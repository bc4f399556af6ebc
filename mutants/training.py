"""Defects of training: gradients, optimisers, minibatches, stopping."""

from mutants.mutant import Mutant

LOOP = "harness/backends/training.py"
PLAN = "harness/backends/plan.py"
TORCH = "harness/backends/torch_backend.py"
TORCH_DESCENT = "harness/backends/torch_descent.py"
TORCH_PASSES = "harness/backends/torch_passes.py"
JAX = "harness/backends/jax_descent.py"
TESTS = "tests/test_training.py::"
RULES = f"{TESTS}test_update_rules_agree_with_the_oracle"

MUTANTS = (
    Mutant(
        "torch-first-layer-frozen",
        "The first layer has no gradient and never trains.",
        TORCH_PASSES,
        "weigh(layer.weight_scale, torch.bmm(",
        'weigh(0.0 if layer.weight == "W1" else layer.weight_scale, torch.bmm(',
        (f"{RULES}[torch-sgd-full]",),
    ),
    Mutant(
        "jax-gradient-stopped",
        "The first layer is behind a stop_gradient and never trains.",
        JAX,
        "f = over_seeds(partial(network, net), len(x) == 1, theta, x)",
        'theta = {**theta, "W1": jax.lax.stop_gradient(theta["W1"])}\n'
        "        f = over_seeds(partial(network, net), len(x) == 1, theta, x)",
        (f"{RULES}[jax-sgd-full]",),
    ),
    Mutant(
        "loss-of-half-the-mean",
        "One backend minimises half the mean squared error, so its learning rate means something else.",
        JAX,
        "losses = jnp.mean((f - y) ** 2, axis=(1, 2))",
        "losses = jnp.mean((f - y) ** 2, axis=(1, 2)) / 2",
        (f"{RULES}[jax-sgd-full]",),
    ),
    Mutant(
        "torch-parts-overwrite",
        "Where samples do not fit the cache, the gradient is that of the last part of them alone.",
        TORCH_DESCENT,
        "into, first=n.start == 0)",
        "into, first=True)",
        ("tests/test_convolutions.py::test_torch_trains_as_the_oracle_does_in_parts[image-1]",),
    ),
    Mutant(
        "momentum-sign",
        "Momentum pushes backwards.",
        TORCH_DESCENT,
        "slots[0].mul_(optimizer.momentum).add_(grad)",
        "slots[0].mul_(-optimizer.momentum).add_(grad)",
        (f"{RULES}[torch-momentum-full]",),
    ),
    Mutant(
        "torch-adam-bias-correction",
        "Adam lacks the bias correction of its first moment.",
        TORCH_DESCENT,
        "return torch.div(m, unbiased, out=grad).div_(1 - optimizer.beta1**step)",
        "return torch.div(m, unbiased, out=grad)",
        (f"{TESTS}test_update_rules_in_float32[torch-adam]",),
    ),
    Mutant(
        "jax-adam-bias-correction",
        "Adam lacks the bias correction of its second moment.",
        JAX,
        "jnp.sqrt(v / bias2)",
        "jnp.sqrt(v)",
        (f"{RULES}[jax-adam-full]",),
    ),
    Mutant(
        "adam-cancellation",
        "Adam's 1 - beta^t cancels in float32, which costs two digits at the first steps.",
        JAX,
        "(-jnp.expm1(step.astype(m.dtype) * log) for log in logs)",
        "(1 - jnp.exp(step.astype(m.dtype) * log) for log in logs)",
        (f"{TESTS}test_update_rules_in_float32[jax-adam-long-memory]",),
    ),
    Mutant(
        "one-rate-for-all-seeds",
        "All seeds train with the learning rate of the first.",
        TORCH,
        "torch.where(own, device_rates[k], 0)",
        "torch.where(own, device_rates[k, 0], 0)",
        (f"{TESTS}test_each_seed_has_its_learning_rate[torch]",),
    ),
    Mutant(
        "schedule-one-step-late",
        "The schedule starts with its second factor.",
        PLAN,
        "rates = factors[:, None] * np.broadcast_to(rate, batch.seeds)",
        "rates = np.roll(factors, -1)[:, None] * np.broadcast_to(rate, batch.seeds)",
        (f"{TESTS}test_schedule_scales_the_rate_of_each_step[numpy]",),
    ),
    Mutant(
        "batches-shared-over-seeds",
        "All seeds see the same order of minibatches, so they are no independent replicates.",
        PLAN,
        'seeds.generator("batches", seed=seed, lane=lane, epoch=epoch)',
        'seeds.generator("batches", seed=seed, epoch=epoch)',
        (f"{TESTS}test_minibatches_belong_to_the_place_of_a_seed_not_to_its_weights[numpy]",),
    ),
    Mutant(
        "same-batches-every-epoch",
        "Every epoch repeats the order of the first.",
        PLAN,
        'seeds.generator("batches", seed=seed, lane=lane, epoch=epoch)',
        'seeds.generator("batches", seed=seed, lane=lane)',
        (f"{TESTS}test_epochs_are_permutations_each_of_its_own[numpy]",),
    ),
    Mutant(
        "batch-labels-not-permuted",
        "Inputs of a minibatch are permuted and their targets are not.",
        TORCH_DESCENT,
        "y.index_select(0, rows_y)",
        "y.index_select(0, rows_y.sort().values)",
        (f"{RULES}[torch-sgd-minibatch]",),
    ),
    Mutant(
        "early-stopping-keeps-the-last",
        "Early stopping returns the last weights instead of the best.",
        LOOP,
        "theta = {name: np.asarray(best, dtype=theta[name].dtype) for name, best in watch.best_theta.items()}",
        "theta = dict(theta)",
        (f"{TESTS}test_validation_returns_the_best_weights[numpy]",),
    ),
    Mutant(
        "early-stopping-on-training-data",
        "Early stopping watches the training loss instead of the validation loss.",
        LOOP,
        'done["validation"] = _validate(ops, net, descent, validation, stop, watch, running)',
        'shown = data[0], np.asarray(ops.fetch(data[1]))\n        done["validation"] = '
        "_validate(ops, net, descent, shown, stop, watch, running)",
        (f"{TESTS}test_validation_returns_the_best_weights[numpy]",),
    ),
    Mutant(
        "patience-off-by-one",
        "Training goes on for one check more than the patience allows.",
        LOOP,
        "watch.since_best >= patience",
        "watch.since_best > patience",
        (f"{TESTS}test_patience_stops_a_seed_after_checks_without_a_new_best[numpy]",),
    ),
    Mutant(
        "stopped-seeds-go-on",
        "Seeds that reached their loss keep training while others have not.",
        TORCH,
        "own = own & torch.isfinite(loss) & (loss > (-math.inf if target is None else target))",
        "own = own & torch.isfinite(loss)",
        (f"{TESTS}test_stops_at_the_very_step_at_which_the_loss_is_reached[torch-60]",),
    ),
    Mutant(
        "divergence-not-noticed",
        "A seed whose loss is NaN goes on and counts as trained to the last step.",
        LOOP,
        '"loss" if np.isfinite(losses[first[s], s]) else "diverged"',
        '"loss"',
        (f"{TESTS}test_a_seed_that_diverges_is_told_apart_and_leaves_the_others_alone[numpy-1000.0]",),
    ),
)
