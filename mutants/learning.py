"""Defects of what networks learn: bandits, continual learning, kernel predictors, kernels that evolve."""

from mutants.mutant import Mutant

UCB = "claims/wenger2023/bandits.py"
POLICIES = "claims/wenger2023/policies.py"
POSTERIOR = "claims/wenger2023/posterior.py"
PROBLEMS = "claims/wenger2023/bandit_problems.py"
CONTINUAL = "claims/wenger2023/continual.py"
FORGETTING = "claims/wenger2023/forgetting.py"
EQUIVALENCE = "harness/learning/equivalence.py"
EVOLUTION = "harness/learning/evolution.py"
RIDGE = "harness/learning/ridge.py"
BANDITS = "tests/claims/wenger2023/test_bandits.py::"
TASKS = "tests/claims/wenger2023/test_continual.py::"
FORGOT = "tests/claims/wenger2023/test_forgetting.py::"
LAYER = "tests/test_added_layer.py::"
KERNELS = "tests/test_kernel_evolution.py::"
BY_HAND = (f"{BANDITS}test_regret_is_that_of_neural_ucb_with_its_matrix_z",)

MUTANTS = (
    Mutant(
        "regret-of-what-was-seen",
        "Regret is counted in the rewards that were drawn instead of those to be expected.",
        PROBLEMS,
        "np.asarray(self.means.max(axis=1, keepdims=True) - self.means)",
        "np.asarray(self.rewards.max(axis=1, keepdims=True) - self.rewards)",
        (f"{BANDITS}test_contexts_have_blocks_of_one_length_and_fewer_rounds_begin_more",),
    ),
    Mutant(
        "one-bandit-for-all-replicates",
        "Every replicate plays the same draw of a bandit.",
        PROBLEMS,
        'seeds.generator("bandit", bandit=base, stream=stream, replicate=replicate)',
        'seeds.generator("bandit", bandit=base, stream=stream, replicate=0)',
        (f"{BANDITS}test_contexts_have_blocks_of_one_length_and_fewer_rounds_begin_more",),
    ),
    Mutant(
        "one-network-for-all-replicates",
        "Every replicate of a bandit is played by a network of the same initial weights.",
        UCB,
        'seeds.derive("init", stream=stream, replicate=replicate)',
        'seeds.derive("init", stream=stream, replicate=0)',
        BY_HAND,
    ),
    Mutant(
        "bonus-not-rooted",
        "Exploration goes by the variance where it is meant to go by the deviation.",
        UCB,
        "np.sqrt(np.maximum(width, 0))",
        "np.maximum(width, 0)",
        BY_HAND,
    ),
    Mutant(
        "certain-before-the-next-block",
        "The posterior takes in rewards at the ends of blocks only, so an arm is explored again and again.",
        UCB,
        "        covariance -= column[:, :, None] * (column / spread[:, None])[:, None]\n",
        "",
        BY_HAND,
    ),
    Mutant(
        "confidence-not-doubled",
        "The confidence term of the theorem is ln(1/delta) instead of 2 ln(1/delta).",
        POLICIES,
        "np.sqrt(log_det - 2 * np.log(DELTA))",
        "np.sqrt(log_det - np.log(DELTA))",
        (f"{BANDITS}test_gamma_of_theory_is_the_formula_of_the_theorem",),
    ),
    Mutant(
        "norm-of-rewards-halved",
        "S lacks the factor 2 of the theorem.",
        UCB,
        "np.sqrt(2 * h @ np.linalg.solve(",
        "np.sqrt(h @ np.linalg.solve(",
        BY_HAND,
    ),
    Mutant(
        "evidence-without-determinant",
        "The evidence of a kernel lacks the term that keeps it from fitting everything.",
        POSTERIOR,
        "np.log(2 * np.pi * scale)) + np.log(spectrum).sum(axis=1)), scale",
        "np.log(2 * np.pi * scale))), scale",
        (f"{BANDITS}test_evidence_is_the_gaussian_likelihood_at_its_best_scale",),
    ),
    Mutant(
        "tuned-a-block-late",
        "Evidence tunes when there are more than twice the observations instead of twice.",
        UCB,
        "if 2 * self.tuned_at <= self.posterior.count",
        "if 2 * self.tuned_at < self.posterior.count",
        (f"{BANDITS}test_evidence_tunes_when_the_rounds_have_doubled",),
    ),
    Mutant(
        "tuned-beyond-the-longest",
        "Evidence tunes however many observations there are, which costs hours.",
        UCB,
        "<= self.posterior.count <= LONGEST_TUNED:",
        "<= self.posterior.count:",
        (f"{BANDITS}test_evidence_tunes_no_more_beyond_the_longest",),
    ),
    Mutant(
        "forgetting-of-what-was-never-learnt",
        "Forgetting counts from the best accuracy on a task at any time, before it was learnt too.",
        FORGETTING,
        "accuracy[:, i:, i].max(axis=1)",
        "accuracy[:, :, i].max(axis=1)",
        (f"{FORGOT}test_forgetting_counts_from_the_best_accuracy_since_a_task_was_learnt",),
    ),
    Mutant(
        "last-task-dilutes-forgetting",
        "The last task, which cannot be forgotten, counts among those that are.",
        FORGETTING,
        "for i in range(tasks - 1)]",
        "for i in range(tasks)]",
        (f"{FORGOT}test_forgetting_counts_from_the_best_accuracy_since_a_task_was_learnt",),
    ),
    Mutant(
        "learnt-at-the-end",
        "Learning accuracy is that on all tasks at the end, so it sees forgetting.",
        FORGETTING,
        "accuracy.diagonal(axis1=1, axis2=2).mean(axis=1)",
        "accuracy[:, -1].mean(axis=1)",
        (f"{FORGOT}test_forgetting_counts_from_the_best_accuracy_since_a_task_was_learnt",),
    ),
    Mutant(
        "trained-on-the-tests",
        "The first task is trained on the images that it is tested on.",
        CONTINUAL,
        "first, part = tests + task * samples,",
        "first, part = task * samples,",
        (f"{TASKS}test_tasks_train_on_images_of_their_own_and_are_tested_on_the_same_ones_turned",),
    ),
    Mutant(
        "tasks-share-images",
        "All tasks are trained on the same images, turned.",
        CONTINUAL,
        "first, part = tests + task * samples,",
        "first, part = tests + 0 * task,",
        (f"{TASKS}test_tasks_train_on_images_of_their_own_and_are_tested_on_the_same_ones_turned",),
    ),
    Mutant(
        "tasks-learnt-from-scratch",
        "Each task starts from the initial weights, so nothing can be forgotten.",
        CONTINUAL,
        "        theta = kept(trained.theta, start, diverged)\n",
        "",
        (f"{TASKS}test_tasks_are_learnt_one_after_the_other",),
    ),
    Mutant(
        "batches-shared-by-tasks",
        "Every task repeats the minibatches of the first.",
        CONTINUAL,
        'seeds.derive("batches", stream=stream, replicate=r, task=t)',
        'seeds.derive("batches", stream=stream, replicate=r, task=0)',
        (f"{TASKS}test_each_replicate_and_task_has_minibatches_of_its_own",),
    ),
    Mutant(
        "stopped-by-the-clock-counts",
        "A task that ran out of steps counts as one that reached its stopping rule.",
        CONTINUAL,
        'np.isin(trained.reason, list(rule) or ["steps"])',
        'np.isin(trained.reason, [*rule, "steps"])',
        (f"{TASKS}test_whether_a_stopping_rule_was_reached_is_told",),
    ),
    Mutant(
        "descent-without-the-mean",
        "Descent with a frozen kernel goes down the sum of the squared errors instead of their mean.",
        EQUIVALENCE,
        "2 / y.shape[1] * (eigenvalues * a - target)",
        "2 * (eigenvalues * a - target)",
        (f"{LAYER}test_heavy_ball_is_descent_on_the_weights_of_a_linear_model",),
    ),
    Mutant(
        "members-are-copies",
        "The networks of an ensemble are one and the same.",
        EQUIVALENCE,
        "stream=stream, replicate=r, lane=k) for r in replicates for k in range(members)]",
        "stream=stream, replicate=r, lane=0 * k) for r in replicates for k in range(members)]",
        (f"{LAYER}test_common_training_gives_the_first_network_and_the_mean_of_all",),
    ),
    Mutant(
        "gain-of-the-wrong-quarter",
        "Whether validation was flat is asked of the last three quarters of training instead of the last.",
        EQUIVALENCE,
        "-(-3 * losses.shape[1] // 4)",
        "-(-1 * losses.shape[1] // 4)",
        (f"{LAYER}test_gain_is_what_the_last_quarter_took_off",),
    ),
    Mutant(
        "label-scale-not-undone",
        "What a network learnt of scaled labels is held against labels that are not scaled.",
        EQUIVALENCE,
        "return f / scale, trained.loss / scale**2",
        "return f, trained.loss / scale**2",
        (f"{LAYER}test_the_network_of_theory_descends_as_written_out",),
    ),
    Mutant(
        "start-not-taken-off",
        "A centred network is trained to the labels alone, and its start is taken off all the same.",
        EQUIVALENCE,
        "y = scale * _labels(configuration, training) + start",
        "y = scale * _labels(configuration, training) + 0 * start",
        (f"{LAYER}test_the_network_of_theory_descends_as_written_out",),
    ),
    Mutant(
        "default-biases-not-scaled",
        "PyTorch's default weights have biases that are not divided by the root of the fan-in.",
        EQUIVALENCE,
        "for name in (layer.weight, layer.bias):",
        "for name in (layer.weight,):",
        (f"{LAYER}test_default_weights_are_uniform_within_the_root_of_the_fan_in",),
    ),
    Mutant(
        "alignment-half-centred",
        "Kernels are centred along one axis only before they are aligned.",
        EVOLUTION,
        "    kernels -= kernels.mean(axis=-2, keepdims=True)\n",
        "",
        (f"{KERNELS}test_alignment_is_that_of_kornblith_for_every_replicate",),
    ),
    Mutant(
        "one-pass-sees-the-regressed",
        "One pass over fresh samples begins with those that the kernel regresses on.",
        EVOLUTION,
        'training = drawn[configuration["size"] :] if one_pass else known',
        "training = drawn if one_pass else known",
        (f"{KERNELS}test_one_pass_sees_every_sample_once_and_none_that_is_regressed_on",),
    ),
    Mutant(
        "unrelated-kernels-are-related",
        "The kernels of independent networks are those of one network.",
        EVOLUTION,
        "_start(configuration, known, replicates, stream, m) for m in",
        "_start(configuration, known, replicates, stream, 0 * m) for m in",
        (f"{KERNELS}test_unrelated_kernels_begin_with_that_of_the_trained_network",),
    ),
    Mutant(
        "cosine-turns-back",
        "The cosine schedule falls to zero in the middle of training and rises again.",
        EVOLUTION,
        "np.cos(np.pi * np.arange(steps) / steps)",
        "np.cos(2 * np.pi * np.arange(steps) / steps)",
        (f"{KERNELS}test_a_cosine_takes_the_rate_to_zero",),
    ),
    Mutant(
        "ridge-that-failed-is-chosen",
        "A ridge with which the kernel is not positive definite wins the choice by validation.",
        RIDGE,
        "    missed = np.where(np.isnan(missed), np.inf, missed)\n",
        "",
        ("tests/test_learning_curves.py::test_a_ridge_that_gives_no_number_is_passed_over",),
    ),
)
