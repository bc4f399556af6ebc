"""What a network forgets of tasks that it learns one after the other, and how that depends on its
width.

a[t, i] is the accuracy on test images of task i after training on task t (both from 0 to T - 1).
Then

    forgetting         AF = mean over i < T - 1 of (max over t >= i of a[t, i]) - a[T - 1, i],
    learning accuracy  LA = mean over i of a[i, i],

as Mirzadeh et al. 2020 have them ("Understanding the Role of Training Regimes in Continual
Learning").
"""

from collections.abc import Callable, Sequence

import numpy as np

from claims.wenger2023 import conditions
from claims.wenger2023.conditions import failing, is_share
from claims.wenger2023.tasks import named
from harness.errors import NotMeasured
from harness.experiment import Experiment, Measured, Measurements

Measure = Callable[[np.ndarray], np.ndarray]
"""AF, LA or another measure of accuracies, (R, T, T) -> (R,)."""


def forgetting(accuracy: np.ndarray) -> np.ndarray:
    """AF, (R,), of accuracies a, (R, T, T), T > 1; 0 if no task ever got worse.

    >>> forgetting(np.array([[[0.9, 0.1, 0.1], [0.6, 0.8, 0.2], [0.5, 0.4, 0.7]]])).round(3)
    array([0.4])
    """
    tasks = accuracy.shape[1]
    losses = []
    for task in range(tasks - 1):
        best = accuracy[:, task:, task].max(axis=1)
        losses.append(best - accuracy[:, -1, task])
    return np.mean(losses, axis=0)


def first_forgotten(accuracy: np.ndarray) -> np.ndarray:
    """Forgetting of the first task alone, (R,), of accuracies a, (R, T, T).

    Mirzadeh et al. 2022 report it after five tasks ("Wide Neural Networks Forget Less
    Catastrophically").
    """
    return np.asarray(accuracy[:, :, 0].max(axis=1) - accuracy[:, -1, 0])


def learning_accuracy(accuracy: np.ndarray) -> np.ndarray:
    """LA, (R,), of accuracies a, (R, T, T)."""
    return np.asarray(accuracy.diagonal(axis1=1, axis2=2).mean(axis=1))


def against_width(
    measured: Measured, measure: Measure, **where: object
) -> tuple[list[int], np.ndarray]:
    """The widths at which an arm was measured, (K,), and AF or LA there, (K, S).

    Raises:
        NotMeasured: if the tier lacks the arm.
        DatasetUnavailable: if its images are not there.
    """
    widths = measured.axis("width", **where)
    if not widths:
        raise NotMeasured(f"No width was measured at {where}.")
    return widths, np.array(
        [measure(measured("accuracy", **where, width=width)) for width in widths]
    )


def per_doubling(widths: Sequence[int], values: np.ndarray) -> np.ndarray:
    """Least-squares slope on log2(width) of values (K, S), one per seed.

    >>> per_doubling([32, 64], np.array([[0.5], [0.4]])).round(3)
    array([-0.1])
    """
    return np.asarray(np.polyfit(np.log2(widths), values, 1)[0])


def slope(
    measured: Measured, measure: Measure = forgetting, **where: object
) -> np.ndarray:
    """Slope of AF, or of another measure, on log2(width) in an arm, per seed, (S,)."""
    widths, values = against_width(measured, measure, **where)
    return per_doubling(widths, values)


def planted(
    m: Measurements,
    arms: Sequence[Experiment],
) -> np.ndarray:
    """Slope of AF where narrow, middle and wide networks have the tasks of different arms, (S,).

    The widths are the first, the second and the last at which an arm was measured.
    """
    ladder = max((m[arm].axis("width") for arm in arms), key=len)
    widths = [ladder[0], ladder[1], ladder[-1]]
    values = []
    for arm, width in zip(arms, widths, strict=True):
        accuracy = m[arm]("accuracy", width=width)
        values.append(forgetting(accuracy))
    return per_doubling(widths, np.array(values))


def not_told_apart(
    m: Measurements,
    short: Experiment,
    long: Experiment,
    at: float,
) -> str:
    """What a gate says of short tasks whose training accuracy is not below a value, and of long
    ones whose is not above it.
    """

    def below(fitted: np.ndarray) -> np.ndarray:
        return fitted < at

    def above(fitted: np.ndarray) -> np.ndarray:
        return fitted > at

    fast = failing(m, [short], "fitted", below, named)
    slow = failing(m, [long], "fitted", above, named)
    where = "; ".join(filter(None, (fast, slow)))
    return conditions.at(f"training accuracy on the wrong side of {at:g}", where)


def unreached(m: Measurements, experiments: Sequence[Experiment]) -> str:
    """What a gate says of networks that did not reach their stopping rule in every task."""
    where = failing(m, experiments, "reached", lambda reached: reached == 1, named)
    return conditions.at("the stopping rule was not reached", where)


def unstable(m: Measurements, experiments: Sequence[Experiment]) -> str:
    """What a gate says of networks whose rate is not below their edge of stability at the start."""
    where = failing(m, experiments, "rate_over_edge", lambda share: share < 1, named)
    return conditions.at("the rate is above the edge of stability", where)


def not_a_share(m: Measurements, experiments: Sequence[Experiment]) -> str:
    """What a gate says of accuracies that are no numbers from 0 to 1."""
    where = failing(m, experiments, "accuracy", is_share, named)
    return conditions.at("an accuracy is no number from 0 to 1", where)
