"""Defects of registration, calibration, audit and the decision's second opinion."""

from mutants.mutant import Mutant

LEDGER = "harness/registration/ledger.py"
WRITING = "harness/registration/writing.py"
AUDIT = "harness/sweep/audit.py"
BACKENDS = "harness/backends/backend.py"

MUTANTS = (
    Mutant(
        "registration-not-asked-for",
        "A claim that is not what was registered is judged all the same.",
        LEDGER,
        "    if registered.digest == record.digest:\n        return",
        "    if registered.digest:\n        return",
        ("tests/test_registration.py::test_a_changed_claim_is_broken_whatever_it_would_have_been",),
    ),
    Mutant(
        "unregistered-claim-passes",
        "A claim that nobody registered is judged like a registered one.",
        LEDGER,
        'return f"not registered: run `ntk-claims register {claim}`."',
        'return ""',
        ("tests/test_registration.py::test_an_unregistered_claim_is_broken_and_not_measured",),
    ),
    Mutant(
        "history-need-not-follow",
        "A line taken out of the log of amendments is not missed.",
        LEDGER,
        "if entry.claim != claim or entry.previous != previous or entry.before != before:",
        "if entry.claim != claim:",
        ("tests/test_registration.py::test_what_was_altered_by_hand_is_named",),
    ),
    Mutant(
        "gates-not-registered",
        "The code of a claim's gates can be changed after the run without anyone being told.",
        "harness/registration/code.py",
        "functions = (study.effects, study.gates, *(",
        "functions = (study.effects, *(",
        ("tests/test_registration.py::test_code_behind_the_effects_is_registered",),
    ),
    Mutant(
        "results-can-be-unseen",
        "An amendment may say that no results had been seen when its own history says otherwise.",
        WRITING,
        "if seen and not results_seen:",
        "if not seen and not results_seen and False:",
        ("tests/test_registration.py::test_results_that_were_seen_stay_seen",),
    ),
    Mutant(
        "weak-checks-are-registered",
        "A check with too few seeds for its own effect is registered without saying so.",
        "harness/registration/rules.py",
        "        if found < POWER:\n",
        "        if found < 0:\n",
        ("tests/test_registration.py::test_what_the_rules_of_evidence_forbid_is_not_registered",),
    ),
    Mutant(
        "bounds-not-held",
        "An error rate of 130 % is taken for an effect.",
        "harness/judge.py",
        "if effect < low or effect > high]",
        "if False]",
        ("tests/test_judge.py::test_an_effect_outside_its_registered_bounds_is_no_effect",),
    ),
    Mutant(
        "bootstrap-not-asked",
        "Effects skewed against the claim are decided by Student's t alone.",
        "harness/verdict.py",
        "    if sample.size < BOOTSTRAP_SEEDS:\n",
        "    if sample.size < 10**9:\n",
        ("tests/test_decide.py::test_support_takes_the_bootstrap_as_well_as_students_t",),
    ),
    Mutant(
        "audit-forgives",
        "A recorded cell that a recomputation contradicts is found sound.",
        AUDIT,
        "result = Result.CLOSE if differences[name] <= tolerance else Result.DIFFERENT",
        "result = Result.CLOSE",
        ("tests/test_audit.py::test_a_planted_cell_that_the_store_takes_for_valid_is_found",),
    ),
    Mutant(
        "audit-blinded-by-one-large-seed",
        "The difference of a cell is taken relative to its largest seed, and that of a small one disappears.",
        AUDIT,
        "np.abs(array).reshape(len(array), -1).max(axis=1, initial=0.0)",
        "np.abs(array).reshape(1, -1).max(axis=1, initial=0.0)",
        ("tests/test_audit.py::test_a_small_replicate_is_not_hidden_by_a_large_one",),
    ),
    Mutant(
        "audit-passes-over-claims",
        "A small sample leaves whole claims and backends unaudited.",
        AUDIT,
        "drawn = {min((request.digest for request in group), key=ranks.__getitem__) for group in groups if group}",
        "drawn: set[str] = set()",
        ("tests/test_audit.py::test_every_claim_and_backend_is_drawn",),
    ),
    Mutant(
        "drift-against-itself",
        "The kernel between two times is taken at one time, so the Jacobian seems not to move.",
        BACKENDS,
        "batch.theta if theta2 is None else other_weights(net, theta, theta2, batch)",
        "batch.theta",
        ("tests/test_backends.py::test_kernels_between_two_times_give_the_gram_of_the_change",),
    ),
)
