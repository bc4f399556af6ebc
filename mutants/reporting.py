"""Defects of comparing runs, of the common axis of effects, and of the formats that other programs read."""

from mutants.mutant import Mutant

DIFF = "harness/report/diff.py"
HISTORY = "harness/report/history.py"
FOREST = "harness/report/forest.py"
CRATE = "harness/export/crate.py"
COMPARED = "tests/report/test_diff.py::"
NIGHTS = "tests/report/test_history.py::"
AXIS = "tests/report/test_forest.py::"
ARCHIVE = "tests/report/test_archive.py::"
REPORTS = "tests/report/test_test_reports.py::"

MUTANTS = (
    Mutant(
        "claim-of-one-run-counts-as-changed",
        "A claim that only one of two runs has counts as one whose verdict changed.",
        DIFF,
        "return self.in_both and self.kinds[0] != self.kinds[1]",
        "return self.kinds[0] != self.kinds[1]",
        (f"{COMPARED}test_what_changed_is_said",),
    ),
    Mutant(
        "identical-as-shown",
        "Effects that differ beyond the digits that are shown count as identical.",
        DIFF,
        "        identical=one_scale and before == after,\n",
        "        identical=one_scale and bool(old and new) and old.shown(backend) == new.shown(backend),\n",
        (f"{COMPARED}test_what_differs_in_the_last_digit_is_not_identical",),
    ),
    Mutant(
        "margins-not-compared",
        "A hypothesis whose margin changed from one run to the next counts as identical.",
        DIFF,
        "same = self.kinds[0] == self.kinds[1] and self.needs[0] == self.needs[1]",
        "same = self.kinds[0] == self.kinds[1]",
        (f"{COMPARED}test_a_changed_margin_is_said_though_nothing_else_changed",),
    ),
    Mutant(
        "overlap-of-one-side",
        "Intervals overlap if the first begins before the second ends.",
        "harness/report/runs.py",
        "return self.low <= other.high and other.low <= self.high",
        "return self.low <= other.high",
        (f"{COMPARED}test_what_changed_is_said",),
    ),
    Mutant(
        "diff-always-succeeds",
        "The comparison of two runs exits with 0 though a verdict changed.",
        "harness/commands/diff.py",
        "return 1 if difference.changed else 0",
        "return 0",
        (f"{COMPARED}test_what_changed_is_said",),
    ),
    Mutant(
        "history-in-order-of-the-call",
        "Runs stand in the order in which they are named, not in that of their dates.",
        HISTORY,
        "    runs.sort(key=lambda run: (run.finished, run.path.as_posix()))\n",
        "",
        (f"{NIGHTS}test_runs_are_in_the_order_of_their_dates_not_of_the_call",),
    ),
    Mutant(
        "history-mixes-tiers",
        "Verdicts at quick and at full scale stand on one line of time.",
        HISTORY,
        "own = [run for run in runs if run.tier == tier and claim in run.claims]",
        "own = [run for run in runs if claim in run.claims]",
        (f"{NIGHTS}test_tiers_are_kept_apart",),
    ),
    Mutant(
        "history-skips-registrations",
        "A claim that was registered anew between two runs is not marked.",
        HISTORY,
        "changes = [*_versions(before.environment, after.environment), *_registered(old, new)]",
        "changes = [*_versions(before.environment, after.environment)]",
        (f"{NIGHTS}test_changes_of_verdict_versions_and_registration_are_marked",),
    ),
    Mutant(
        "surest-effect-decides",
        "The overview shows the primary effect of smallest p instead of largest.",
        FOREST,
        'key=lambda h: (-h["verdict"]["p"], _worst(h))',
        'key=lambda h: (h["verdict"]["p"], _worst(h))',
        (f"{AXIS}test_where_all_hold_the_least_sure_effect_decides",),
    ),
    Mutant(
        "axis-ends-swapped",
        "An effect that must be small is drawn by the end of its interval that is nearer to zero.",
        "harness/reason.py",
        "return 1 - max(abs(low), abs(high)) / margin, 1 - nearest / margin",
        "return 1 - nearest / margin, 1 - max(abs(low), abs(high)) / margin",
        (f"{AXIS}test_right_of_zero_is_the_claims_side",),
    ),
    Mutant(
        "alone-without-the-bootstrap",
        "What a backend shows alone is judged by Student's t only.",
        FOREST,
        'worst, best = in_margins(row["ends"], hypothesis)',
        'worst, best = in_margins((row["low"], row["high"]), hypothesis)',
        (f"{AXIS}test_a_gate_or_a_bootstrap_that_fails_in_one_backend_shows_there",),
    ),
    Mutant(
        "alone-without-gates",
        "A backend in which a gate failed shows the verdict of its seeds.",
        FOREST,
        '        or any(gate["failures"].get(backend) for gate in claim["gates"])\n',
        "",
        (f"{AXIS}test_a_gate_or_a_bootstrap_that_fails_in_one_backend_shows_there",),
    ),
    Mutant(
        "rows-of-other-seeds",
        "The table of measurements gives numbers to the seeds in turn instead of one after the other.",
        "harness/export/parquet.py",
        "return np.repeat(np.array(block.seeds, dtype=np.int32), each)",
        "return np.tile(np.array(block.seeds, dtype=np.int32), each)",
        (f"{ARCHIVE}test_a_row_per_number",),
    ),
    Mutant(
        "digest-of-the-name",
        "The archive lists the digest of a file's name instead of its content.",
        CRATE,
        '"sha256": hashlib.sha256(part.content).hexdigest()',
        '"sha256": hashlib.sha256(part.path.encode()).hexdigest()',
        (f"{ARCHIVE}test_the_metadata_lists_every_file_with_its_digest",),
    ),
    Mutant(
        "sweep-ends-when-it-begins",
        "The archive says that the last cell was computed when the first one was.",
        CRATE,
        '"endTime": _time(run["cells"]["newest"]["computed"])',
        '"endTime": _time(run["cells"]["oldest"]["computed"])',
        (f"{ARCHIVE}test_the_metadata_lists_every_file_with_its_digest",),
    ),
    Mutant(
        "any-registration-is-archived",
        "The archive holds registrations that are not what its claims were judged by.",
        "harness/export/parts.py",
        'if _registered(folder, claim["id"]) != claim["registration"]:',
        'if not _registered(folder, claim["id"]):',
        (f"{ARCHIVE}test_only_the_registration_that_was_judged_is_archived",),
    ),
    Mutant(
        "unrecorded-verdict-is-expected",
        "A refuted claim of which nothing is recorded ends as an expected failure.",
        "harness/export/outcome.py",
        "    if kind != recorded:\n",
        '    if claim["recorded"] and kind != recorded:\n',
        (f"{REPORTS}test_a_change_of_verdict_fails",),
    ),
    Mutant(
        "broken-is-no-failure",
        "A broken check ends as neither passed nor failed in CTRF.",
        "harness/export/ctrf.py",
        '"error": "failed"',
        '"error": "other"',
        (f"{REPORTS}test_a_change_of_verdict_fails",),
    ),
    Mutant(
        "times-of-this-machine",
        "Times without a zone are taken for those of the machine that exports.",
        "harness/export/run_times.py",
        "time.replace(tzinfo=UTC)",
        "time.astimezone(UTC)",
        (f"{REPORTS}test_ctrf_times_are_those_of_the_run",),
    ),
    Mutant(
        "seconds-for-milliseconds",
        "CTRF gives the cost of a claim in seconds, where the format asks for milliseconds.",
        "harness/export/ctrf.py",
        '"duration": round(1000 * took)',
        '"duration": round(took)',
        (f"{REPORTS}test_ctrf_times_are_those_of_the_run",),
    ),
    Mutant(
        "exported-interval-turned",
        "The interval of an effect is exported from high to low.",
        "harness/export/outcome.py",
        '[estimate["low"], estimate["high"]]',
        '[estimate["high"], estimate["low"]]',
        (f"{REPORTS}test_a_case_says_what_decided",),
    ),
)
