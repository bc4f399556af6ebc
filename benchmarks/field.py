"""The field of a case: every contestant built, run twice, and compared with ours before anybody is
timed.
"""

import importlib
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from benchmarks.cases import Case
from benchmarks.contestant import YARDSTICKS, Contestant, Run
from harness import backends, kernels

Status = Literal["raced", "wrong", "failed", "refused"]
FRAMEWORKS = ("numpy", "torch", "jax")
# Relative, in the Frobenius norm. A ReLU whose input is zero up to rounding may be on in float32
# and off in float64, which changes its sample's row for everybody who rounds alike: 8e-6 measured.
# At infinite width the angle of equal inputs rounds to sqrt(eps) in everybody's closed form but
# ours, so that diagonals are that far off.
ALLOWED = {
    ("empirical", "float32"): 1e-4,
    ("empirical", "float64"): 1e-10,
    ("infinite", "float32"): 1e-3,
    ("infinite", "float64"): 1e-7,
    ("solve", "float64"): 1e-7,
}


@dataclass(frozen=True)
class Entry:
    """A contestant in a case.

    Attributes:
        contestant: its name.
        status: "raced"; "wrong" if it disagrees with ours; "failed" if it raised; "refused" if it
            does not enter.
        reason: why it is not raced, in words.
        error: difference to our float64 result, relative in the Frobenius norm; None: not compared.
        first, second: clock of its first run, compilation included, and of the second; s.
        run: computes the case once.
    """

    contestant: str
    status: Status
    reason: str = ""
    error: float | None = None
    first: float | None = None
    second: float | None = None
    run: Run | None = None

    def record(self) -> dict[str, Any]:
        """All but the function."""
        return {name: value for name, value in asdict(self).items() if name != "run"}


def contestants(framework: str) -> tuple[Contestant, ...]:
    """Those of a framework, which is imported."""
    return importlib.import_module(f"benchmarks.{framework}_contestants").contestants()


def field(
    case: Case, framework: str, device: str, clock: Callable[[], float]
) -> dict[str, Entry]:
    """Everybody's entry, by name, in the order in which they run."""
    truth = reference(case, framework, device)
    return {
        contestant.name: entry(contestant, case, truth, device=device, clock=clock)
        for contestant in contestants(framework)
    }


def reference(case: Case, framework: str, device: str) -> np.ndarray:
    """Our result in float64."""
    x = case.x.astype(np.float64)
    if case.subject == "empirical":
        backend = backends.get(
            framework if framework != "numpy" else "torch", device, "float64"
        )
        theta = {name: array.astype(np.float64) for name, array in case.theta.items()}
        return backend.empirical_ntk(case.net, theta, x, outputs=case.outputs)
    if case.subject == "infinite":
        return kernels.ntk(case.net, x)
    return contestants("numpy")[0].prepare(case, "cpu")()


def entry(
    contestant: Contestant,
    case: Case,
    truth: np.ndarray,
    *,
    device: str,
    clock: Callable[[], float],
) -> Entry:
    """One contestant, run twice and compared."""
    name, reason = contestant.name, contestant.refusal(case)
    if reason:
        return Entry(name, "refused", reason)
    try:
        start = clock()
        run = contestant.prepare(case, device)
        result = run()
        middle = clock()
        run()
        first, second = middle - start, clock() - middle
    except Exception as error:  # whatever a peer raises is its result
        return Entry(
            name,
            "failed",
            f"{type(error).__name__}: {str(error).strip()[:100]}".replace("\n", " "),
        )
    if name in YARDSTICKS:
        return Entry(name, "raced", first=first, second=second, run=run)
    return judged(
        Entry(name, "raced", first=first, second=second, run=run), result, truth, case
    )


def judged(entry: Entry, result: np.ndarray, truth: np.ndarray, case: Case) -> Entry:
    """The entry with its error; out of the race if that is more than allowed."""
    allowed = ALLOWED[case.subject, case.dtype]
    values = asdict(entry) | {"run": entry.run}
    if result.shape != truth.shape:
        return Entry(
            **values
            | {
                "status": "wrong",
                "reason": f"shape {result.shape} instead of {truth.shape}",
            }
        )
    error = float(np.linalg.norm(result - truth) / np.linalg.norm(truth))
    if not error <= allowed:
        return Entry(
            **values
            | {
                "status": "wrong",
                "reason": f"relative error {error:.2g}",
                "error": error,
            }
        )
    return Entry(**values | {"error": error})
