"""Papers' modules: imported in one way by claim files, pytest and workers, and their computations
found by name.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness import papers, registration, studies
from harness.errors import InvalidInput
from harness.experiment import reference
from harness.sweep.worker import load

IMPORTS = [
    "from claims.toy.experiments import draw_toy",
    "from .experiments import draw_toy",
    "from claims.toy import experiments\ndraw_toy = experiments.draw_toy",
]


def move_out(file, line=IMPORTS[0]):
    """Moves the computation of a toy claim to experiments.py of its paper, of which a line then
    imports it.
    """
    text = file.read_text(encoding="utf-8")
    start, end = text.index("SEEDS = 10"), text.index("claim = Claim(")
    imports = text[text.index("import errno") : text.index("from harness")]
    (file.parent / "experiments.py").write_text(
        f"{imports}\n{text[start:end]}", encoding="utf-8"
    )
    file.write_text(
        f"{text[:start]}{line}\n\nSEEDS = 10\n\n{text[end:]}", encoding="utf-8"
    )
    return file


@pytest.fixture
def toy(plant):
    """A toy claim whose computation stands in a module of its paper."""
    return move_out(plant("toy"))


@pytest.mark.parametrize("line", IMPORTS)
def test_a_claim_imports_from_its_paper_in_the_ordinary_ways(plant, pytester, line):
    file = move_out(plant("toy"), line)
    measure = studies.load(file).experiments[0].measure
    assert reference(measure) == "toy/draw_toy"
    assert measure.__module__ == "claims.toy.experiments"
    assert load("toy/draw_toy", file.parents[1]) is measure


def test_a_computation_that_moves_within_its_paper_keeps_its_name_and_its_registration(
    toy, pytester
):
    assert (
        registration.check(
            studies.load(toy), pytester.path / "claims" / registration.FOLDER
        )
        == ""
    )


def test_a_worker_loads_the_module_of_a_computation_and_not_the_claim(toy):
    toy.write_text("raise SystemExit('the claim was loaded')\n")
    assert load("toy/draw_toy", toy.parents[1]).__name__ == "draw_toy"


def test_a_module_that_was_edited_is_loaded_again(toy):
    before = load("toy/draw_toy", toy.parents[1])
    assert load("toy/draw_toy", toy.parents[1]) is before
    experiments = toy.parent / "experiments.py"
    experiments.write_text(
        experiments.read_text(encoding="utf-8") + "\nMORE = 'text than before'\n",
        encoding="utf-8",
    )
    assert (
        load("toy/draw_toy", toy.parents[1]).__globals__["MORE"] == "text than before"
    )


def test_papers_of_two_folders_of_claims_do_not_mix(tmp_path):
    for place in ("one", "two"):
        (tmp_path / place / "own").mkdir(parents=True)
        (tmp_path / place / "own" / "tables.py").write_text(f"PLACE = {place!r}\n")
        (tmp_path / place / "own" / "runs.py").write_text(
            "from claims.own.tables import PLACE\n\n\ndef place(*_):\n    return PLACE\n"
        )
    assert [
        load("own/place", tmp_path / place)() for place in ("one", "two", "one")
    ] == ["one", "two", "one"]
    files = [tmp_path / place / "own" / "runs.py" for place in ("one", "two")]
    with pytest.raises(
        InvalidInput,
        match=r"lie in papers' folders of 2 places: \S+one, \S+two\. Name the claims of",
    ):
        studies.claims_folder(files)
    assert studies.claims_folder(files[:1]) == tmp_path / "one"
    assert studies.claims_folder([]) == papers.CLAIMS


@pytest.mark.parametrize(
    "computation",
    ["os:system", "subprocess:run", "/etc/own/f", "../own/f", "own.x:f", "own/sys"],
)
def test_a_plan_calls_nothing_but_computations(computation, tmp_path):
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "runs.py").write_text(
        "import sys\nfrom os import system\nf = system\n"
    )
    with pytest.raises(InvalidInput, match=r"^Computation '"):
        load(computation, tmp_path)
    for name in ("own/system", "own/f"):
        with pytest.raises(InvalidInput, match="defines a function"):
            load(name, tmp_path)


def test_a_run_from_elsewhere_or_through_a_link_finds_the_same_cells(toy, pytester):
    """One store: whoever computes under other names computes again, and is not registered."""
    (pytester.path / "linked").mkdir()
    (pytester.path / "linked" / "claims").symlink_to(pytester.path / "claims")
    options = [
        "--backend",
        "numpy",
        "--tb=short",
        "-p",
        "no:cacheprovider",
        "--store",
        str(pytester.path / "store"),
    ]
    calls = [
        (pytester.path, "claims", "0 cached"),
        (pytester.path.parent, str(pytester.path / "claims"), "3 cached"),
        (pytester.path / "linked", "claims", "3 cached"),
        (pytester.path / "claims" / "toy", toy.name, "3 cached"),
    ]
    for folder, argument, cached in calls:
        report = ["--report", str(pytester.path / "report")]
        done = run_pytest(folder, argument, *options, *report)
        assert done.returncode == 0, done.stdout + done.stderr
        assert f"({cached})" in done.stdout
        assert "SUPPORTED           toy/toy (quick)" in done.stdout


def run_pytest(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """A run of pytest of its own, in a folder."""
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("PYTEST_")
    }
    command = [
        sys.executable,
        "-m",
        "pytest",
        "--import-mode=importlib",
        "-p",
        "no:hypothesispytest",
        *arguments,
    ]
    return subprocess.run(
        command,
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
