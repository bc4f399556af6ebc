"""The form of a claim: what its file may say, and what the harness makes of it."""

import math

import numpy as np
import pytest

from harness import gates, plots
from harness.claim import Claim, Paper, Published, overridden
from harness.errors import InvalidInput
from harness.experiment import Measurements, grid, reference
from harness.study import Difference, Equivalence, Superiority

PAPER = Paper("Roe", 2024, "On gaps", "in full")
TEXT = """Narrow networks move more.

Claim
    A narrow network moves its kernel more.

Measured
    By the change of
    the kernel.

Departs
    In nothing.

Limits
    Toy networks.
"""


def change(backend, configuration, replicates, stream):
    """What a worker would compute; nothing here runs it."""
    raise AssertionError("no cell is computed")


def made(**options):
    return Claim(TEXT, id="own/narrow", paper=PAPER, locus="Figure 2", **options)


def measured(experiment, values, backend="numpy"):
    """Measurements that give each configuration of the quick tier an array of its own."""
    requests = experiment.requests("quick", backend)
    assert len(requests) == len(values)
    return Measurements(
        [
            (r, {"change": np.array(v, dtype=float)})
            for r, v in zip(requests, values, strict=True)
        ]
    )


def test_the_docstring_becomes_title_and_sections():
    claim = made()
    assert claim.title == "Narrow networks move more"
    assert claim.sections == {
        "Claim": "A narrow network moves its kernel more.",
        "Measured": "By the change of the kernel.",
        "Departs": "In nothing.",
        "Limits": "Toy networks.",
    }
    assert claim.family == "own"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (TEXT.replace("Limits\n    Toy networks.", ""), "missing or empty: Limits"),
        (TEXT.replace("    In nothing.\n", ""), "missing or empty: Departs"),
        (TEXT + "\nMore\n    Words.\n", r"unknown: \['More'\]"),
        (TEXT + "\nClaim\n    Again.\n", "heading 'Claim' twice"),
        ("", "must have a title"),
    ],
)
def test_a_docstring_without_its_headings_is_refused(text, said):
    with pytest.raises(InvalidInput, match=said):
        Claim(text, id="own/narrow", paper=PAPER, locus="Figure 2")


def with_effect(**terms):
    claim = made(seeds=(3, 5))
    widths = claim.experiment(
        change, grid(width=(64, 256), depth=3), full=dict(depth=10)
    )

    @claim.effect(
        **{"primary": True, "expect": (2.0, 0.3), "because": "it shows", **terms}
    )
    def narrow_over_wide(m):
        """Narrow networks move {} times as much."""
        return m[widths]("change", width=64) / m[widths]("change", width=256)

    @claim.control("SUPPORTED", of=narrow_over_wide)
    def itself(m):
        """The same twice."""
        return np.ones(3)

    @claim.control("not SUPPORTED", of=narrow_over_wide)
    def planted(m):
        """Planted."""
        return np.full(3, 4.0)

    return claim, widths


def test_a_ratio_is_held_against_its_margin_as_a_logarithm():
    claim, widths = with_effect(
        ratio=True, above=1.5, published=Published(3.0, "Figure 2", "read off")
    )
    (hypothesis,) = claim.study.claim.hypotheses
    assert hypothesis.rule == Superiority(math.log(1.5))
    assert hypothesis.expected_effect == math.log(2.0)
    assert hypothesis.expected_sd == 0.3
    assert hypothesis.published.value == math.log(3.0)
    assert hypothesis.scale == "ratio"
    found = claim.study.effects(measured(widths, [[2, 4, 8], [1, 2, 2]]))
    np.testing.assert_allclose(found["narrow_over_wide"], np.log([2, 2, 4]))
    np.testing.assert_allclose(found["planted"], np.log(np.full(3, 4.0)))


def test_a_ratio_that_is_not_positive_is_no_number():
    claim, widths = with_effect(ratio=True, above=1.5)
    found = claim.study.effects(measured(widths, [[-2, 4, 0], [1, 2, 2]]))
    assert np.isnan(found["narrow_over_wide"][0])
    assert np.isneginf(found["narrow_over_wide"][2])


@pytest.mark.parametrize(
    ("terms", "rule"),
    [
        (dict(above=0.1), Superiority(0.1)),
        (dict(within=0.1), Equivalence(0.1)),
        (dict(differs=0.1, alpha=0.01), Difference(0.1, 0.01)),
        (dict(within=1.1, ratio=True), Equivalence(math.log(1.1))),
    ],
)
def test_the_terms_name_the_rule(terms, rule):
    claim, _ = with_effect(**terms)
    assert claim.study.claim.hypotheses[0].rule == rule


@pytest.mark.parametrize(
    ("terms", "said"),
    [
        ({}, "must name one rule of above, within, differs; it names none"),
        (dict(above=0.1, within=0.2), "it names"),
        (dict(above=-1.0, ratio=True), "must be positive; got -1.0"),
        (dict(above=1.0, rato=True), "an effect has no 'rato'. It takes: primary, "),
    ],
)
def test_terms_that_say_no_rule_are_refused(terms, said):
    with pytest.raises(InvalidInput, match=said):
        with_effect(**terms)


def test_the_sentence_has_a_place_for_its_value():
    claim, _ = with_effect(above=0.1)
    (hypothesis,) = claim.study.claim.hypotheses
    assert (
        hypothesis.sentence("2.1 [1.9, 2.3]")
        == "Narrow networks move 2.1 [1.9, 2.3] times as much."
    )
    with pytest.raises(InvalidInput, match=r"must have \{\} once"):

        @claim.effect(above=0.1, expect=(1, 1), because="so")
        def wordless(m):
            """No place for a value."""


def test_hypotheses_of_one_form_are_one_function():
    claim = made()

    @claim.effect(
        above=0.05,
        each=grid(setting=("pairs", "digits"), depth=(1,)),
        expect={("pairs", 1): (0.2, 0.1), ("digits", 1): (0.3, 0.2)},
        because="so",
    )
    def gap(m, setting, depth):
        """On {setting} with {depth} layer the gap is {}."""
        return np.full(10, 1.0 if setting == "pairs" else 2.0)

    assert [h.name for h in claim.hypotheses] == ["gap[pairs-1]", "gap[digits-1]"]
    assert claim.hypotheses[1].sentence("2") == "On digits with 1 layer the gap is 2."
    assert [h.expected_effect for h in claim.hypotheses] == [0.2, 0.3]
    assert [member(Measurements()).mean() for member in claim.members] == [1.0, 2.0]


def test_a_case_of_which_nothing_is_expected_is_named():
    with pytest.raises(
        InvalidInput,
        match=r"expect of effect 'gap\[3\]' has nothing for 3, a case of its `each`; it has 1, 2",
    ):

        @made().effect(
            above=0.05,
            each=grid(depth=(1, 3)),
            expect={1: (0.2, 0.1), 2: (0.3, 0.1)},
            because="so",
        )
        def gap(m, depth):
            """With {depth} layers the gap is {}."""
            return np.full(10, 1.0)


def test_a_control_is_of_an_effect_above_it():
    with pytest.raises(InvalidInput, match=r"no effect above it\. Effects: none"):
        made().control("SUPPORTED", of=change)


def test_five_secondary_effects_are_too_many():
    claim, _ = with_effect(above=0.1)
    for number in range(5):

        def secondary(m):
            """The value is {}."""

        secondary.__name__ = f"secondary_{number}"
        claim.effect(above=0.1, expect=(1, 1), because="so")(secondary)
    with pytest.raises(InvalidInput, match="5 secondary effects; at most 4"):
        claim.study  # noqa: B018


def test_a_tier_is_a_set_of_overrides():
    _, widths = with_effect(above=0.1)
    assert [cell["depth"] for cell in widths.quick.grid] == [3, 3]
    assert [cell["depth"] for cell in widths.full.grid] == [10, 10]
    assert (widths.quick.replicates, widths.full.replicates) == (3, 5)
    assert overridden(grid(width=(64, 256)), dict(width=(512, 1024))) == grid(
        width=(512, 1024)
    )


def test_measurements_are_asked_experiment_by_experiment():
    claim, widths = with_effect(above=0.1)
    other = claim.experiment(change, grid(width=64, label_scale=2.0))
    m = measured(widths, [[1, 2, 3], [4, 5, 6]])
    np.testing.assert_array_equal(m[widths]("change", width=64), [1, 2, 3])
    np.testing.assert_array_equal(
        m[widths].select("change", depth=3)(width=256), [4, 5, 6]
    )
    assert m[widths].axis("width") == [64, 256]
    assert m.backend == "numpy"
    with pytest.raises(
        InvalidInput,
        match=r"has no 'label_scale'\. Its configurations have: depth, width",
    ):
        m[widths]("change", label_scale=None)
    with pytest.raises(InvalidInput, match="must name one configuration; 2 match"):
        m[widths]("change", depth=3)
    with pytest.raises(
        InvalidInput,
        match=r"must name one configuration; 0 match:\n  width may be 64, 256$",
    ):
        m[widths]("change", width=128)
    with pytest.raises(
        InvalidInput, match=r"measures no 'chnage'\. It measures: change"
    ):
        m[widths]("chnage", width=64)
    with pytest.raises(
        InvalidInput,
        match=f"Nothing was measured of the experiment on {other.measure.__name__!r}",
    ):
        m[other]


def test_a_key_that_is_absent_is_not_none():
    claim = made()
    mixed = claim.experiment(change, [dict(width=64), dict(width=128, panel=None)])
    m = measured(mixed, [[1], [2]])
    np.testing.assert_array_equal(m[mixed]("change", panel=None), [2])


def test_gates_say_in_one_line_what_failed():
    _, widths = with_effect(above=0.1)
    m = measured(widths, [[1, 1, 1], [1, 0, np.nan]])
    assert (
        gates.every(m, "change", widths) == "change fails for 2 of 3 seeds at width 256"
    )
    assert (
        gates.positive(m, ["change"], widths)
        == "zero, negative or not finite: change at width 256"
    )
    fine = measured(widths, [[1, 1, 1], [1, 1, 1]])
    assert gates.every(fine, "change", widths) == ""
    assert gates.positive(fine, ["change"], widths) == ""
    assert gates.below(fine, "change", 2, widths) == ""


def test_a_gate_on_a_limit_fails_at_the_limit_and_where_there_is_no_number():
    _, widths = with_effect(above=0.1)
    m = measured(widths, [[0.5, 2, 1], [1, 0, np.nan]])
    assert gates.below(m, "change", 3, widths) == "change not below 3: nan at width 256"
    assert (
        gates.below(m, "change", 2, widths)
        == "change not below 2: 2 at width 64; nan at width 256"
    )


def test_a_figure_has_a_line_for_each_entry():
    claim, widths = with_effect(above=0.1)
    axes = plots.Axes("width", "change", log_y=True)
    build = plots.lines(
        widths,
        "change",
        over="width",
        axes=axes,
        title="Change",
        per={"3 layers": dict(depth=3)},
    )
    claim.figure(build)
    (figure,) = claim.study.figures({"numpy": measured(widths, [[1, 2, 4], [2, 4, 8]])})
    (line,) = figure.series
    assert (line.label, line.x) == ("3 layers", (64.0, 256.0))
    np.testing.assert_allclose(line.y, [2, 4])


def test_figures_are_added_together_in_their_order():
    claim, _ = with_effect(above=0.1)
    titles = ["First", "Second"]

    def of(title):
        return lambda m: plots.figure(title, plots.Axes("x", "y"), [], m.backend)

    claim.figure(*map(of, titles))
    made = claim.study.figures({"numpy": Measurements()})
    assert [figure.title for figure in made] == titles


def test_the_record_names_the_computation_and_the_rule():
    claim, widths = with_effect(differs=0.1)
    record = claim.study.claim.record(claim.study.experiments)
    assert record["claim"]["hypotheses"][0]["rule"] == {
        "kind": "Difference",
        "margin": 0.1,
        "alpha": 0.05,
    }
    assert record["claim"]["paper"]["locus"] == "Figure 2"
    assert record["experiments"][0]["measure"] == reference(widths.measure)
