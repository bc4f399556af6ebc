"""Defects of the report, of comparisons of runs, and of exports."""

from dataclasses import replace

from tests.verify.mutants.defect import Defects

DEFECTS = Defects()
plant = DEFECTS.plant

NUMERALS = "harness/numerals.py"
PAGE = "tests/harness/report/test_page.py::"
FINDINGS = "tests/harness/report/test_findings.py::"
CHANGED = "tests/harness/report/test_diff.py::test_what_changed_is_said"
ARCHIVE = "tests/harness/report/test_archive.py::"


# Numbers


@plant("harness.numerals:_decimals", NUMERALS)
def one_digit_of_the_interval(decimals, values):
    """Numbers show one digit of their interval's half-width instead of two."""
    found = decimals(values)
    return found - 1 if found else found


@plant("harness.numerals:p_value", NUMERALS)
def p_rounded_to_zero(p_value, value):
    """A tiny p is shown as 0.000."""
    return "0.000" if value is not None and value < 0.001 else p_value(value)


@plant(
    "harness.report.findings:support",
    f"{FINDINGS}test_an_effect_that_speaks_against_the_title_counts_against_it",
)
def secondary_effects_counted_by_label(support, claim):
    """A secondary effect counts by its verdict, also where it speaks against the title."""
    plain = [{**part, "against_title": False} for part in claim["hypotheses"]]
    return support({**claim, "hypotheses": plain})


# Page


@plant("harness.report.html:_environment", f"{PAGE}test_hostile_text_stays_text")
def escaping_off(environment):
    """Text of a claim goes into the page as markup."""
    templates = environment()
    templates.autoescape = False
    return templates


@plant(
    "harness.report.document:_check_entries",
    "tests/harness/report/test_document.py::test_an_entry_must_hold_its_own_verdict",
)
def verdict_of_another_claim(check_entries, entries, tier):
    """The report shows the verdict of another claim."""


@plant(
    "harness.report.document:_control",
    "tests/harness/report/test_document.py::test_a_control_passes_if_it_comes_out_as_it_must",
)
def failed_control_shown_as_passed(control_entry, control, verdict):
    """The report shows a control that failed as passed."""
    return control_entry(control, verdict) | {"passed": True}


@plant(
    "harness.report.findings:deciding",
    f"{FINDINGS}test_of_equal_p_the_effect_nearest_to_its_margin_decides",
)
def surest_effect_decides(deciding, claim):
    """The primary effect of smallest p is said to have decided instead of that of the largest."""
    primary = [h for h in claim["hypotheses"] if h["role"] == "primary"]
    return min(primary, key=lambda h: h["verdict"]["p"])


# Comparisons


@plant(
    "harness.report.diff:_effect",
    "tests/harness/report/test_diff.py::test_what_differs_in_the_last_digit_is_not_identical",
)
def identical_as_shown(effect_change, backend, old, new):
    """Effects that differ beyond the digits that are shown count as identical."""
    change = effect_change(backend, old, new)
    return replace(change, identical=change.before == change.after)


# Exports


@plant(
    "harness.export.crate:_file",
    f"{ARCHIVE}test_the_metadata_lists_every_file_with_its_digest",
)
def digest_of_the_name(entity, part):
    """The archive lists the digest of a file's name instead of its content."""
    import hashlib

    return entity(part) | {"sha256": hashlib.sha256(part.path.encode()).hexdigest()}
