"""Defects of data sets and of what is measured on them."""

from mutants.mutant import Mutant

FASHION = "harness/datasets/fashion_mnist.py"
DIGITS = "harness/datasets/digits_1d.py"
MEASUREMENTS = "harness/measurements.py"
TESTS = "tests/test_measurements.py::"
PLANTED = "tests/test_planted_defects.py::"

MUTANTS = (
    Mutant(
        "test-set-is-the-training-set",
        "Data of another seed are the same data, so what a network is tested on it has been trained on.",
        DIGITS,
        'seeds.generator("digits-1d", seed=seed, chunk=chunk)',
        'seeds.generator("digits-1d", seed=0, chunk=chunk)',
        ("tests/test_digits_1d.py::test_same_seed_same_data_other_seed_other_data",),
    ),
    Mutant(
        "test-samples-among-training-samples",
        "The generator repeats itself after 1024 samples, so a large training set contains the test set.",
        DIGITS,
        'seeds.generator("digits-1d", seed=seed, chunk=chunk)',
        'seeds.generator("digits-1d", seed=seed, chunk=0)',
        (f"{PLANTED}test_no_sample_of_a_data_set_comes_twice",),
    ),
    Mutant(
        "test-part-is-the-training-part",
        'The part "train" of Fashion-MNIST is its test part.',
        FASHION,
        "files=idx_files(part, SHA256[part])",
        'files=idx_files("t10k", SHA256["t10k"])',
        ("tests/test_datasets.py::test_given_folder_is_the_only_place[train]",),
    ),
    Mutant(
        "labels-shuffled",
        "Labels are not those of their images.",
        FASHION,
        "idx(labels, label_file, dimensions=1)",
        "idx(labels, label_file, dimensions=1)[::-1]",
        ("tests/test_datasets.py::test_embedded_part_as_arrays",),
    ),
    Mutant(
        "pixels-not-scaled",
        "Pixels lie in [0, 255] instead of [0, 1].",
        FASHION,
        ".astype(np.float32) / np.float32(255)",
        ".astype(np.float32)",
        ("tests/test_datasets.py::test_embedded_part_as_arrays",),
    ),
    Mutant(
        "checksum-not-checked",
        "The checksum of a data file is computed and not looked at.",
        "harness/datasets/_files.py",
        "if digest != file.sha256:",
        "if not digest:",
        ("tests/test_datasets.py::test_wrong_bytes_are_corrupted_and_no_other_place_is_tried",),
    ),
    Mutant(
        "images-not-normalised",
        "Images keep their lengths, so bright ones dominate the kernel.",
        MEASUREMENTS,
        "return x * (x.shape[2] ** 0.5 / np.linalg.norm(x, axis=2, keepdims=True)), data",
        "return x, data",
        (f"{TESTS}test_images_are_nested_and_normalised",),
    ),
    Mutant(
        "same-images-for-every-replicate",
        "Every replicate sees the same images, so the spread over seeds is too small.",
        MEASUREMENTS,
        'seeds.generator("data", stream=stream, replicate=r)',
        'seeds.generator("data", stream=stream, replicate=0)',
        (f"{TESTS}test_images_of_replicates_and_streams_differ",),
    ),
    Mutant(
        "classes-of-other-images",
        "The classes of a replicate are not those of its images.",
        MEASUREMENTS,
        "data.labels[chosen]",
        "data.labels[np.sort(chosen, axis=1)]",
        (f"{PLANTED}test_classes_are_those_of_the_images",),
    ),
    Mutant(
        "same-weights-for-every-replicate",
        "Every replicate starts from the same initial weights.",
        MEASUREMENTS,
        'theta = net.init(seeds.derive("init", stream=stream, replicate=r, lane=lane) for r in replicates)',
        'theta = net.init(seeds.derive("init", stream=stream, replicate=0, lane=lane) for r in replicates)',
        (f"{PLANTED}test_replicates_differ_in_their_weights_alone_too",),
    ),
    Mutant(
        "members-of-an-ensemble-equal",
        "The kernels that are averaged are those of one and the same network.",
        "claims/wenger2023/kernel_regime.py",
        "replicate=replicate, init=i, member=m)",
        "replicate=replicate, init=i, member=0 * m)",
        ("tests/claims/wenger2023/test_kernel_regime.py::test_kernel_error_vanishes_for_an_ensemble",),
    ),
    Mutant(
        "centred-with-the-wrong-sign",
        "Centred training goes towards y - f_0 instead of y + f_0.",
        MEASUREMENTS,
        "y = y + backend.forward(net, theta, x)",
        "y = y - backend.forward(net, theta, x)",
        (f"{TESTS}test_centred_training_starts_from_the_labels_alone",),
    ),
    Mutant(
        "change-relative-to-the-end",
        "The kernel's change is divided by the norm of the kernel after training instead of before.",
        MEASUREMENTS,
        "/ np.linalg.norm(reference, axis=(-2, -1))",
        "/ np.linalg.norm(kernel, axis=(-2, -1))",
        (f"{TESTS}test_relative_change_is_per_seed",),
    ),
    Mutant(
        "edge-of-stability-doubled",
        "The largest stable learning rate is twice what it is.",
        MEASUREMENTS,
        "np.asarray(samples * outputs / np.linalg.eigvalsh(flat)[:, -1])",
        "np.asarray(2 * samples * outputs / np.linalg.eigvalsh(flat)[:, -1])",
        (f"{TESTS}test_edge_is_two_over_the_largest_curvature",),
    ),
    Mutant(
        "diverged-seeds-count-as-constant",
        "A seed that diverged is recorded as one whose kernel did not change.",
        MEASUREMENTS,
        "np.where(diverged, np.nan, change)",
        "np.where(diverged, 0.0, change)",
        (f"{TESTS}test_a_diverged_replicate_has_no_kernel_change_and_does_not_stop_the_others",),
    ),
    Mutant(
        "untrained-counts-as-trained",
        "The gate on training is told that every seed reached its loss.",
        MEASUREMENTS,
        '(trained.reason == "loss").astype(float)',
        "np.ones(len(replicates))",
        (f"{PLANTED}test_a_seed_that_ran_out_of_steps_has_not_reached_its_loss",),
    ),
)
