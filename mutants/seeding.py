"""Defects of seeding: replicates that share what they draw, and registered runs that repeat explored ones."""

from mutants.mutant import Mutant

RULE = "tests/test_architecture.py::test_whatever_is_drawn_depends_on_the_stream_and_the_replicate"

MUTANTS = (
    Mutant(
        "registered-bandits-are-the-explored-ones",
        "The stream of seeds does not reach the draw of a bandit.",
        "claims/wenger2023/bandit_problems.py",
        'seeds.generator("bandit", bandit=base, stream=stream, replicate=replicate)',
        'seeds.generator("bandit", bandit=base, stream="", replicate=replicate)',
        (RULE,),
    ),
    Mutant(
        "registered-tasks-are-the-explored-ones",
        "The stream of seeds does not reach the images of continual learning.",
        "claims/wenger2023/continual.py",
        'seeds.generator("data", stream=stream, replicate=r).permutation(part)',
        'seeds.generator("data", stream="", replicate=r).permutation(part)',
        (RULE,),
    ),
    Mutant(
        "registered-folds-are-the-explored-ones",
        "The stream of seeds does not reach the folds of a cross-validation.",
        "harness/learning/regression.py",
        'seeds.generator("folds", stream=stream, replicate=replicate, lane=lane)',
        'seeds.generator("folds", stream="", replicate=replicate, lane=lane)',
        (RULE,),
    ),
    Mutant(
        "one-regression-for-all-replicates",
        "Every replicate regresses on the same samples of the same target.",
        "harness/learning/problems.py",
        "axes = dict(stream=stream, replicate=replicate, inputs=inputs,",
        "axes = dict(stream=stream, replicate=0, inputs=inputs,",
        (RULE,),
    ),
    Mutant(
        "one-noise-for-all-replicates",
        "The noise on a draw from a Gaussian process is the same in every replicate.",
        "harness/learning/tasks.py",
        'seeds.generator("noise", stream=stream, replicate=replicate)',
        'seeds.generator("noise", stream=stream, replicate=0)',
        (RULE,),
    ),
    Mutant(
        "one-ensemble-for-all-replicates",
        "The ensembles of all replicates have the same initial weights and minibatches.",
        "harness/learning/equivalence.py",
        "stream=stream, replicate=r, lane=k) for r in replicates for k in range(members)]",
        "stream=stream, replicate=0, lane=k) for r in replicates for k in range(members)]",
        ("tests/test_added_layer.py::test_every_network_of_an_ensemble_has_weights_and_minibatches_of_its_own",),
    ),
)
