"""Defects of experiments, cells, the store and the workers."""

from mutants.mutant import Mutant

EXPERIMENT = "harness/experiment.py"
CELL = "harness/sweep/cell.py"
CODE = "harness/sweep/code.py"
TESTS = "tests/test_sweep.py::"
STORE_TESTS = "tests/test_store.py::"
PLANTED = "tests/test_planted_defects.py::"

MUTANTS = (
    Mutant(
        "stale-cells",
        "Cells are taken from the store though the code that made them has changed.",
        CODE,
        "return Circumstances(device, code_digest(computation, backend, claims), versions(backend))",
        'return Circumstances(device, "", versions(backend))',
        (f"{TESTS}test_an_edited_computation_is_computed_again",),
    ),
    Mutant(
        "kernels-not-digested",
        "An edit of the infinite-width kernels makes no cell stale.",
        CODE,
        '"measurements", "kernels", ',
        '"measurements", ',
        ("tests/test_sweep_code.py::test_which_files_of_the_harness_make_which_backends_cells_stale",),
    ),
    Mutant(
        "circumstances-not-in-the-key",
        "A cell computed on another device or with other versions counts as the same.",
        CELL,
        'return digest({"request": asdict(request), "circumstances": asdict(circumstances)})',
        'return digest({"request": asdict(request)})',
        (f"{STORE_TESTS}test_any_change_of_the_circumstances_is_another_cell_in_the_same_folder",),
    ),
    Mutant(
        "request-digest-without-dtype",
        "Requests that differ in precision alone have one digest, so one takes the other's cell.",
        EXPERIMENT,
        "return digest(asdict(self))",
        'return digest({**asdict(self), "dtype": ""})',
        (f"{PLANTED}test_every_field_of_a_request_is_in_its_digest",),
    ),
    Mutant(
        "request-digest-without-stream",
        "Fresh seeds find the cells of the explored ones.",
        EXPERIMENT,
        "return digest(asdict(self))",
        'return digest({**asdict(self), "stream": ""})',
        (f"{PLANTED}test_every_field_of_a_request_is_in_its_digest",),
    ),
    Mutant(
        "altered-cells-accepted",
        "A cell whose bytes were altered or cut off is read all the same.",
        CELL,
        "if found != expected:",
        "if not found:",
        (f"{STORE_TESTS}test_arrays_altered_after_the_cell_was_found_are_noticed",),
    ),
    Mutant(
        "truncated-cells-accepted",
        "A cell that has fewer bytes than its header says is read all the same.",
        CELL,
        "if needed != len(body):",
        "if not needed:",
        (f"{STORE_TESTS}test_a_crafted_file_is_refused_however_well_sealed",),
    ),
    Mutant(
        "cell-of-another-request-accepted",
        "A cell under the name of another counts as that one.",
        CELL,
        "if expected != (path.parent.name, path.stem):",
        "if not expected:",
        (f"{STORE_TESTS}test_a_cell_under_the_name_of_another_is_noticed",),
    ),
    Mutant(
        "failed-cells-count-as-done",
        "A cell that failed is counted as done.",
        "harness/sweep/ledger.py",
        'return "unfinished" if self.failure is None else "failed"',
        'return "unfinished" if self.failure is None else "done"',
        (f"{TESTS}test_an_error_is_recorded_not_retried_and_stops_nothing_else",),
    ),
    Mutant(
        "missing-cells-passed-over",
        "Measurements are joined from the cells that there are, without a word about those that are missing.",
        "harness/sweep/coordinator.py",
        "        if missing:\n",
        "        if False:\n",
        (f"{TESTS}test_measurements_that_are_missing_are_named",),
    ),
    Mutant(
        "cached-cells-not-named",
        "Cells from the store are reported as computed in this run.",
        "harness/sweep/ledger.py",
        'return "cached" if self.cached else "done"',
        'return "done"',
        (f"{TESTS}test_only_missing_cells_are_computed_and_a_warm_run_starts_no_worker",),
    ),
    Mutant(
        "two-backends-in-one-process",
        "A worker of one backend is given the cells of the other.",
        "harness/sweep/local_engine.py",
        "if slot.worker is not None and slot.worker.backend == backend:",
        "if slot.worker is not None:",
        (f"{PLANTED}test_one_slot_serves_two_backends_with_a_worker_of_each",),
    ),
    Mutant(
        "changed-code-is-run",
        "A worker computes with code that changed since the sweep was planned.",
        "harness/sweep/worker.py",
        "if circumstances != promised:",
        "if False:",
        ("tests/test_worker.py::test_code_that_changed_since_the_plan_is_not_run",),
    ),
    Mutant(
        "tf32-allowed-in-workers",
        "The environment of workers allows TF32.",
        "harness/sweep/environment.py",
        '"NVIDIA_TF32_OVERRIDE": "0"',
        '"NVIDIA_TF32_OVERRIDE": "1"',
        (f"{PLANTED}test_workers_are_kept_from_reduced_precision",),
    ),
    Mutant(
        "replicates-shared-by-blocks",
        "Every block of an experiment has the replicates of the first.",
        EXPERIMENT,
        "yield tuple(range(start, min(start + size, self.replicates)))",
        "yield tuple(range(min(size, self.replicates)))",
        (f"{PLANTED}test_blocks_are_the_replicates_once_each",),
    ),
    Mutant(
        "blocks-joined-in-order-of-arrival",
        "Blocks of replicates are joined as they come, so arms and backends are no longer paired by seed.",
        EXPERIMENT,
        "        blocks.sort(key=lambda block: block[0].replicates)\n",
        "",
        (f"{TESTS}test_measurements_join_the_blocks_of_a_configuration",),
    ),
    Mutant(
        "any-configuration-will-do",
        "A question that matches several configurations is answered from the first.",
        EXPERIMENT,
        "if len(found) != 1:",
        "found = dict(list(found.items())[:1])\n        if len(found) != 1:",
        (f"{PLANTED}test_a_question_about_two_configurations_is_refused",),
    ),
)
