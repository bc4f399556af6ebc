"""Options of a race, its order, and what its JSON says beside the times."""

import subprocess
import time
from importlib import metadata
from typing import Any

import pytest

from benchmarks.cases import Case, cases
from benchmarks.field import FRAMEWORKS, Entry, contestants, field

PACKAGES = (
    "numpy",
    "scipy",
    "torch",
    "jax",
    "jaxlib",
    "neural-tangents",
    "nngeometry",
    "asdfghjkl",
    "pytest-benchmark",
)
LONGEST_RACE = 15.0  # seconds for one contestant in one case
FIELDS = pytest.StashKey[dict[str, dict[str, Entry]]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """What `python -m benchmarks` passes."""
    group = parser.getgroup("race")
    group.addoption(
        "--framework", choices=FRAMEWORKS, help="whose contestants run in this process"
    )
    group.addoption("--race-device", choices=("cpu", "cuda"), default="cpu")
    group.addoption("--rounds", type=int, default=7)
    group.addoption("--quick", action="store_true", help="the reduced run")


def pytest_configure(config: pytest.Config) -> None:
    """An empty record of the fields."""
    config.stash[FIELDS] = {}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Case outermost, then the round, then the contestant: A B C, A B C."""
    framework = metafunc.config.getoption("framework")
    if framework is None:
        pytest.skip(
            "a race needs --framework; start it with python -m benchmarks",
            allow_module_level=True,
        )
    entered = [
        (case, number, contestant.name)
        for case in cases(metafunc.config.getoption("quick")).values()
        if contestants(framework)[0].refusal(case) is None
        for number in range(metafunc.config.getoption("rounds"))
        for contestant in contestants(framework)
    ]
    ids = [f"{case.name}-{number}-{name}" for case, number, name in entered]
    metafunc.parametrize(("case", "number", "contestant"), entered, ids=ids)


@pytest.fixture
def entry(
    case: Case, number: int, contestant: str, pytestconfig: pytest.Config
) -> Entry:
    """The contestant, built with the field of its case; skips those not raced, and the slow after
    some rounds.
    """
    fields = pytestconfig.stash[FIELDS]
    if case.name not in fields:
        for name, others in fields.items():  # one case's programs and arrays at a time
            fields[name] = {
                key: Entry(**value.record()) for key, value in others.items()
            }
        device = pytestconfig.getoption("race_device")
        clock = time.process_time if device == "cpu" else time.perf_counter
        fields[case.name] = field(
            case, pytestconfig.getoption("framework"), device, clock
        )
    entered = fields[case.name][contestant]
    if entered.status != "raced":
        pytest.skip(f"{entered.status}: {entered.reason}")
    if number and (number + 1) * (entered.second or 0) > LONGEST_RACE:
        pytest.skip("slow: fewer rounds")
    return entered


@pytest.hookimpl(optionalhook=True)
def pytest_benchmark_update_json(
    config: pytest.Config, benchmarks: Any, output_json: dict[str, Any]
) -> None:
    """Adds every entry and the versions."""
    output_json["fields"] = {
        name: [entry.record() for entry in entries.values()]
        for name, entries in config.stash[FIELDS].items()
    }
    output_json["gpu"] = gpu() if config.getoption("race_device") == "cuda" else None
    output_json["versions"] = {package: version(package) for package in PACKAGES}


def gpu() -> str:
    """Name of the first GPU."""
    query = ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]
    return subprocess.run(
        query, check=True, capture_output=True, text=True, encoding="utf-8"
    ).stdout.splitlines()[0]


def version(package: str) -> str | None:
    """Its version; None if it is not installed."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
