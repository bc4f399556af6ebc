"""Defects of training: update rules, minibatches, schedules, stopping rules."""

from dataclasses import replace

import numpy as np

from tests.verify.mutants.defect import Defects

DEFECTS = Defects()
plant = DEFECTS.plant

TESTS = "tests/harness/backends/test_training.py::"
RULES = f"{TESTS}test_update_rules_agree_with_the_oracle"
LONG_AGO = 10**6
"""A step at which Adam's correction of its moments is over."""


@plant("harness.backends.torch_descent:direct", f"{RULES}[torch-momentum-full]")
def torch_momentum_of_one_step(direct, optimizer, step, grad, slots):
    """In PyTorch momentum forgets all steps but the last."""
    for slot in slots[:1]:
        slot.zero_()
    return direct(optimizer, step, grad, slots)


@plant("harness.backends.jax_descent:direct", f"{RULES}[jax-adam-full]")
def jax_adam_without_bias_correction(direct, optimizer, step, grads, slots):
    """In JAX Adam does not correct the bias of its moments."""
    return direct(optimizer, step * 0 + LONG_AGO, grads, slots)


@plant("harness.backends.jax_descent:minibatch", f"{RULES}[jax-sgd-minibatch]")
def jax_labels_not_permuted(minibatch, data, index):
    """In JAX the inputs of a minibatch are permuted, and their targets are not."""
    x, _ = minibatch(data, index)
    return x, data[1][:, : index.shape[1]]


@plant(
    "harness.backends.plan:Plan.of",
    f"{TESTS}test_schedule_scales_the_rate_of_each_step[numpy]",
)
def schedule_one_step_late(of, *arguments, **options):
    """The schedule of learning rates begins with its second factor."""
    plan = of(*arguments, **options)
    return replace(plan, rates=np.roll(plan.rates, -1, axis=0))


@plant(
    "harness.backends.plan:_lanes",
    f"{TESTS}test_minibatches_belong_to_the_place_of_a_seed_not_to_its_weights[numpy]",
)
def minibatches_shared_by_seeds(lanes, batch_seed, count):
    """All seeds see the same order of minibatches, so they are no independent replicates."""
    return lanes(batch_seed, count)[:1] * count


@plant(
    "harness.backends.plan:Plan._epoch",
    f"{TESTS}test_epochs_are_permutations_each_of_its_own[numpy]",
)
def every_epoch_is_the_first(epoch_order, self, epoch, per_epoch):
    """Every epoch repeats the order of the first."""
    return epoch_order(self, 0, per_epoch)


@plant(
    "harness.backends.training:_outcome",
    f"{TESTS}test_validation_returns_the_best_weights[numpy]",
)
def early_stopping_keeps_the_last_weights(outcome, training, descent, watch):
    """Early stopping returns the last weights instead of the best."""
    stop = replace(training.stop, validation=None, patience=None)
    return outcome(replace(training, stop=stop), descent, watch)


@plant(
    "harness.backends.training:_validate",
    f"{TESTS}test_patience_stops_a_seed_after_checks_without_a_new_best[numpy]",
)
def patience_of_one_check_more(validate, training, descent, watch, running):
    """Training goes on for one check more than the patience allows."""
    patient = replace(training.stop, patience=training.stop.patience + 1)
    return validate(replace(training, stop=patient), descent, watch, running)


@plant(
    "harness.backends.training:_record",
    f"{TESTS}test_a_seed_that_diverges_is_told_apart_and_leaves_the_others_alone[numpy-1000.0]",
)
def divergence_not_noticed(record, losses, target, watch):
    """A seed whose loss is not finite goes on."""
    return record(np.nan_to_num(losses), target, watch)


@plant(
    "harness.backends.training:_record",
    f"{TESTS}test_stops_at_the_very_step_at_which_the_loss_is_reached[numpy-0]",
    f"{TESTS}test_stops_at_the_very_step_at_which_the_loss_is_reached",
)
def reached_loss_not_noticed(record, losses, target, watch):
    """The record does not see that a seed reached its loss."""
    return record(losses, None, watch)


@plant(
    "harness.backends.training:accuracy",
    f"{TESTS}test_stops_at_the_first_check_with_the_accuracy",
)
def accuracy_of_the_first_output(accuracy, f, y):
    """Accuracy looks at the sign of the first output, whatever the number of outputs."""
    return accuracy(f[..., :1], y[..., :1])
