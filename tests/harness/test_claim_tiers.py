"""The form of a claim: what its decorators accept, and which effects and figures a tier has."""

import numpy as np
import pytest

from harness.claim import Claim, Paper, grid
from harness.errors import InvalidInput, NotMeasured
from harness.experiment import Measurements
from harness.plots import Axes, figure

TEXT = """Things grow.

Claim
    They grow.

Measured
    By how much.

Departs
    In size.

Limits
    They are small.
"""


def grown(backend, configuration, replicates, stream):
    """The size of a thing."""
    return {"size": np.full(len(replicates), configuration["length"])}


def claim():
    return Claim(
        TEXT,
        id="roe2024/growth",
        paper=Paper("Roe", 2024, "Growth", "all of it"),
        locus="Figure 1",
    )


def measured(made, tier):
    cells = [
        (
            request,
            grown(None, request.configuration, request.replicates, request.stream),
        )
        for experiment in made.experiments
        for request in experiment.requests(tier, "torch")
    ]
    return Measurements(cells)


def with_a_part_of_the_full_tier(tiers):
    """A claim with an experiment, an effect and a figure of the full tier."""
    made = claim()
    small = made.experiment(grown, grid(length=1.0))
    large = made.experiment(grown, (), full=grid(length=3.0))

    @made.effect(primary=True, above=0.5, expect=(1.0, 0.1), because="it is")
    def growth(m):
        """They grow by {}."""
        return m[small]("size")

    @made.effect(above=0.5, expect=(1.0, 0.1), because="it is", tiers=tiers)
    def growth_of_the_large(m):
        """Large ones grow by {}."""
        return m[large]("size")

    @made.control("SUPPORTED", of=growth)
    def planted(m):
        """Planted."""
        return m[small]("size") + 1

    @made.control("not SUPPORTED", of=growth)
    def still(m):
        """Nothing."""
        return m[small]("size") - 1

    for name, experiment in {"small": small, "large": large}.items():
        made.figure(
            lambda m, name=name, experiment=experiment: figure(
                f"{m[experiment].name}, {name}", Axes("", ""), ()
            )
        )
    return made


@pytest.mark.parametrize(
    ("tier", "more"), [("quick", set()), ("full", {"growth_of_the_large"})]
)
def test_an_effect_of_one_tier_and_a_figure_of_it_are_left_out_of_the_other(tier, more):
    made = with_a_part_of_the_full_tier(("full",))
    m = measured(made, tier)
    assert made.study.effects(m).keys() == {"growth", "planted", "still"} | more
    assert [h.name for h in made.study.claim.at(tier).hypotheses] == ["growth", *more]
    assert len(made.study.figures({"torch": m})) == 1 + len(more)


def test_an_effect_of_both_tiers_on_what_one_does_not_measure_is_an_error():
    made = with_a_part_of_the_full_tier(("quick", "full"))
    with pytest.raises(
        NotMeasured, match="Nothing was measured of the experiment on 'grown'"
    ):
        made.study.effects(measured(made, "quick"))


def test_the_rule_of_a_control_is_that_of_the_parameters_it_names():
    made = claim()
    sizes = made.experiment(grown, grid(length=(1.0, 2.0)))
    terms = {
        "above": 0.5,
        "expect": (1.0, 0.1),
        "because": "it is",
        "agreement": {1.0: 0.1, 2.0: 0.3},
    }

    @made.effect(primary=True, each=grid(length=(1.0, 2.0)), **terms)
    def growth(m, length):
        """At {length} they grow by {}."""
        return m[sizes]("size", length=length)

    @made.control("SUPPORTED", of=growth)
    def planted(m):
        """Planted."""
        return m[sizes]("size", length=2.0)

    @made.control("not SUPPORTED", of=growth, at={"length": 2.0})
    def still(m):
        """Nothing."""
        return 0 * m[sizes]("size", length=1.0)

    statement = made.study.claim
    rules = {
        control.name: statement.hypothesis(control.hypothesis).agreement
        for control in statement.controls
    }
    assert rules == {"planted": 0.1, "still": 0.3}
    with pytest.raises(
        InvalidInput,
        match=r"a control is of 'growth' at \{'length': 7\}, which is no effect above",
    ):
        made.control("SUPPORTED", of=growth, at={"length": 7})


def test_a_cell_that_two_experiments_ask_for_counts_once():
    made = claim()
    both = [
        made.experiment(grown, grid(length=lengths)) for lengths in (1.0, (1.0, 2.0))
    ]
    m = measured(made, "quick")
    assert [m[experiment]("size", length=1.0).shape for experiment in both] == [
        (10,),
        (10,),
    ]


def test_a_cell_of_the_quick_tier_that_another_experiment_has_at_the_full_one_is_not_of_that_tier():
    made = claim()
    enlarged = made.experiment(grown, grid(length=1.0), full=grid(length=3.0))
    kept = made.experiment(grown, grid(length=1.0))
    for tier, length in (("quick", 1.0), ("full", 3.0)):
        m = measured(made, tier)
        assert m[enlarged].configurations() == [{"length": length}]
        assert m[kept].configurations() == [{"length": 1.0}]
