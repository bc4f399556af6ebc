"""What was not measured, NaN, is evidence for nothing: every p and interval of harness.statistics
is NaN or refuses.
"""

import numpy as np
import pytest

from harness.errors import InvalidInput
from harness.statistics import (
    curve_gates,
    power,
    replication,
    scaling,
    slopes,
)
from harness.statistics.decisions import Rate, decisions
from harness.statistics.equivalence import tost
from harness.statistics.intervals import (
    Bootstrap,
    p_above,
    prediction_interval,
    region,
    t_interval,
)
from harness.statistics.multiplicity import holm
from harness.study import Superiority

GOOD = np.array([1.0, 2.0, 2.5, 4.0, 3.0, 2.6])
RULE = Superiority(margin=0.1)
SIZES = np.array([16, 32, 64, 128, 256.0])


def spoilt(value):
    """The good effects, of which one is not finite."""
    return np.where(np.arange(6) == 2, value, GOOD)


def curves(value):
    """Curves of 4 seeds, of which one number is not finite."""
    points = np.ones((4, 5)) * SIZES**-0.5
    points[1, 2] = value
    return points


each_value = pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])


@each_value
@pytest.mark.filterwarnings("ignore:invalid value")
def test_p_and_intervals_are_nan(value):
    bad = spoilt(value)
    numbers = [
        p_above(bad, 0.0),
        *t_interval(bad, 0.025)[:1],
        tost(bad, 1.0, 0.05).p,
        Bootstrap.of(bad).p_above(0.0),
    ]
    numbers += [
        Bootstrap.of(bad).p_below(0.0),
        prediction_interval(bad, 0.025)[0],
        Bootstrap.of(bad).interval(0.025)[0],
    ]
    assert not np.isfinite(numbers).any()
    assert not tost(bad, 1.0, 0.05).equivalent
    assert not tost(bad, 1.0, 0.05).different


def test_a_margin_that_is_none_gives_no_p():
    assert np.isnan(p_above(GOOD, np.nan))
    assert np.isnan(Bootstrap.of(GOOD).p_above(np.nan))


def test_one_sample_that_is_not_finite_leaves_the_others_alone():
    p = p_above(np.stack([GOOD, spoilt(np.nan), 0 * GOOD, 0 * GOOD + 1]), 0.0)
    assert p[0] == p_above(GOOD, 0.0)
    assert np.isnan(p[1])
    assert p[2:].tolist() == [0.5, 0.0]


@pytest.mark.parametrize("interval", [(np.nan, 1.0), (1.0, np.nan), (np.nan, np.nan)])
def test_an_interval_without_an_end_lies_nowhere(interval):
    assert region(interval, [0.5]) is None
    assert region(interval, [-2.0, 2.0]) is None


@each_value
@pytest.mark.parametrize(
    "call",
    [
        lambda bad, curve: holm([0.1, bad[2]]),
        lambda bad, curve: decisions(bad[None, None], RULE),
        lambda bad, curve: replication.replication(bad, 1.0),
        lambda bad, curve: slopes.loglog_slopes(SIZES, curve),
        lambda bad, curve: scaling.fit_per_seed(SIZES, curve, "power"),
        lambda bad, curve: scaling.fit_per_seed(SIZES, curve, "power+floor"),
        lambda bad, curve: curve_gates.floor(SIZES, curve, 0.1),
        lambda bad, curve: power.power(RULE, bad[2], 1.0, 10),
        lambda bad, curve: power.power(RULE, 0.5, bad[2], 10),
        lambda bad, curve: Rate.of(bad),
    ],
)
def test_others_refuse(call, value):
    with pytest.raises(InvalidInput):
        call(spoilt(value), curves(value))


def test_a_rate_of_no_trials_is_refused():
    with pytest.raises(InvalidInput, match="at least one flag"):
        Rate.of([])
    for count, trials in ((0, 0), (3, 2), (-1, 5)):
        with pytest.raises(InvalidInput, match=f"got {count} of {trials}"):
            Rate(count, trials)
    assert str(Rate.of([True, False, 1, 0])) == str(Rate(2, 4))
