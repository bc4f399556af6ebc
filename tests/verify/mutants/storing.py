"""Defects of seeds, data sets, experiments, the store and the sweep."""

import hashlib
from dataclasses import replace

import numpy as np

from tests.verify.mutants.defect import Defects

DEFECTS = Defects()
plant = DEFECTS.plant

STREAMS = "tests/harness/networks/test_networks.py::test_seeds_and_arrays_have_streams_of_their_own"
DRAWN = (
    "tests/harness/test_architecture.py::"
    "test_whatever_is_drawn_depends_on_the_stream_and_the_replicate"
)
REQUESTS = "tests/verify/test_planted_defects.py::test_every_field_of_a_request_is_in_its_digest"
STORE = "tests/harness/sweep/test_store.py::"
SWEEP = "tests/harness/sweep/test_sweep.py::"
JSON = "tests/harness/test_strict_json.py::test_what_is_refused"


# Seeds


@plant("harness.seeds:derive", STREAMS)
def seed_ignored(derive, purpose, **axes):
    """Every seed gives the same initial weights, so replicates are copies."""
    return derive(purpose, **(axes | {"seed": 0} if "seed" in axes else axes))


@plant("harness.seeds:derive", DRAWN)
def stream_ignored(derive, purpose, **axes):
    """What is registered is drawn from the seeds that were explored."""
    return derive(
        purpose, **(axes | {"stream": "explored"} if "stream" in axes else axes)
    )


@plant("harness.seeds:derive", DRAWN)
def replicate_ignored(derive, purpose, **axes):
    """All replicates draw the same data."""
    return derive(purpose, **(axes | {"replicate": 0} if "replicate" in axes else axes))


@plant("harness.seeds:derive", "harness/seeds.py")
def one_stream_for_all_purposes(derive, purpose, **axes):
    """Weights, data and minibatches of a replicate are drawn from one stream."""
    return derive("all", **axes)


# Data sets


@plant(
    "harness.datasets.digits_1d:_chunk",
    "tests/verify/test_planted_defects.py::test_no_sample_of_a_data_set_comes_twice",
)
def samples_come_twice(chunk_of, seed, chunk, *arguments):
    """The generator repeats its first samples, so a large training set contains the test set."""
    return chunk_of(seed, 0, *arguments)


@plant(
    "harness.datasets.fashion_mnist:assemble",
    "tests/harness/datasets/test_datasets.py::test_embedded_part_as_arrays",
)
def labels_shuffled(assemble, *arguments, **options):
    """Labels are not those of their images."""
    data = assemble(*arguments, **options)
    return replace(data, labels=np.roll(data.labels, 1))


@plant(
    "harness.datasets._files:_verify",
    "tests/harness/datasets/test_datasets.py::test_wrong_bytes_are_corrupted_and_no_other_place_is_tried",
)
def checksum_not_checked(verify, *arguments):
    """The checksum of a data file is computed, and not compared."""


# Experiments


@plant("harness.experiment:Request.digest", REQUESTS)
def request_digest_without_stream(digest, self):
    """Fresh seeds find the cells of the explored ones."""
    return digest(replace(self, stream=""))


@plant(
    "harness.experiment:Tier.blocks",
    "tests/verify/test_planted_defects.py::test_blocks_are_the_replicates_once_each",
)
def replicates_shared_by_blocks(blocks, self):
    """Every block of an experiment has the replicates of the first."""
    found = list(blocks(self))
    return found[:1] * len(found)


@plant(
    "harness.experiment:Measured.exactly",
    f"{SWEEP}test_measurements_join_the_blocks_of_a_configuration",
)
def seeds_joined_out_of_order(exactly, self, quantity, configuration):
    """Seeds are joined in another order, so arms and backends are no longer paired by seed."""
    return np.roll(exactly(self, quantity, configuration), 1, axis=0)


@plant(
    "harness.experiment:Measured.__call__",
    "tests/verify/test_planted_defects.py::test_a_question_about_two_configurations_is_refused",
)
def any_configuration_will_do(measured, self, quantity, **where):
    """A question that several configurations match is answered from the first."""
    from harness.errors import InvalidInput

    try:
        return measured(self, quantity, **where)
    except InvalidInput:
        return measured(replace(self, cells=self.cells[:1]), quantity)


# Store


@plant(
    "harness.sweep.cell:_verified",
    f"{STORE}test_arrays_altered_after_the_cell_was_found_are_noticed",
)
def altered_cells_accepted(verified, path, content=None):
    """A cell whose bytes were altered is read all the same."""
    found = path.read_bytes() if content is None else content
    seal, _, body = found.partition(b"\n")
    whole = seal[:-64] + hashlib.sha256(body).hexdigest().encode() + b"\n" + body
    return verified(path, whole)


@plant(
    "harness.sweep.cell:_read",
    f"{STORE}test_a_cell_under_the_name_of_another_is_noticed",
)
def cell_of_another_request_accepted(read, path, content=None):
    """A cell under the name of another counts as that one."""
    from harness.sweep import cell

    header, _ = cell._verified(path, content)
    request, circumstances = (
        cell.request_of(header["request"]),
        cell.circumstances_of(header["circumstances"]),
    )
    named = (
        path.parent.with_name(request.digest)
        / f"{cell.key(request, circumstances)}.cell"
    )
    return read(named, path.read_bytes() if content is None else content)


@plant(
    "harness.sweep.cell:key",
    f"{STORE}test_any_change_of_the_circumstances_is_another_cell_in_the_same_folder",
)
def circumstances_not_in_the_key(key, request, circumstances):
    """A cell of other code, with other versions or of another device counts as the same."""
    return key(
        request, replace(circumstances, **dict.fromkeys(vars(circumstances), ""))
    )


@plant("harness.sweep.store:check_failure", "tests/harness/sweep/test_pack.py")
def any_record_of_a_failure_accepted(check_failure, key, content):
    """What a pack gives as the record of a failure is taken over unread."""


@plant("harness.strict_json:_members", JSON)
def last_name_counts(members, pairs):
    """Of a name that a JSON object has twice, the last one counts."""
    return dict(pairs)


# Sweep


@plant(
    "harness.sweep.ledger:Outcome.kind",
    f"{SWEEP}test_an_error_is_recorded_not_retried_and_stops_nothing_else",
)
def failed_cells_count_as_done(kind, self):
    """A cell that failed is counted as done."""
    return "done" if self.failure else kind(self)


@plant(
    "harness.sweep.coordinator:Sweep.measurements",
    f"{SWEEP}test_measurements_that_are_missing_are_named",
)
def missing_cells_passed_over(measurements, self, backend):
    """Measurements are joined from the cells that are there, without a word about those that are
    missing.
    """
    return measurements(
        replace(self, outcomes=tuple(one for one in self.outcomes if one.cell)), backend
    )


@plant(
    "harness.sweep.local_engine:failed", f"{SWEEP}test_death_and_exhaustion_are_retried"
)
def nothing_is_retried(failed, task, kind, text):
    """A cell whose worker died, or ran out of memory, is not tried again."""
    return replace(failed(task, kind, text), again=False)


@plant(
    "harness.sweep.local_engine:Engine._worker",
    "tests/verify/test_planted_defects.py::test_one_slot_serves_two_backends_with_a_worker_of_each",
)
def two_backends_in_one_process(worker, self, slot, backend):
    """A worker of one backend is given the cells of the other."""
    return slot.worker if slot.worker is not None else worker(self, slot, backend)


@plant(
    "harness.sweep.environment:variables",
    "tests/verify/test_planted_defects.py::test_workers_are_kept_from_reduced_precision",
)
def tf32_allowed_in_workers(variables, *arguments, **options):
    """The environment of workers allows TF32."""
    return variables(*arguments, **options) | {"NVIDIA_TF32_OVERRIDE": "1"}


@plant(
    "harness.sweep.audit:compare",
    "tests/harness/sweep/test_audit.py::test_a_small_replicate_is_not_hidden_by_a_large_one",
)
def audit_forgives(compare, recorded, again, tolerance):
    """A recorded cell that a recomputation contradicts is found sound."""
    return compare(recorded, again, float("inf"))
