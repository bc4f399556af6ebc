"""Installed, the pytest plugin changes nothing in a project without claims, and gives way to a
project's own names.
"""

import os
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest

import ntk_claims_pytest
from harness import plugin
from harness.plugin_options import OPTIONS

ROOT = Path(__file__).parents[2]
OURS = "harness.plugin"
CLAIM = "from harness.study import Study\n"


def write(folder, files):
    """Writes files, by their names below a folder."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def conftest(*options):
    """A conftest.py that adds these options of its own."""
    added = "\n".join(f"    parser.addoption({option})" for option in options)
    return f"def pytest_addoption(parser):\n{added}\n"


def test_the_entry_point_is_the_small_module_and_the_wheel_has_it():
    (entry,) = (
        point
        for point in metadata.entry_points(group="pytest11")
        if point.name == "ntk_claims"
    )
    assert entry.value == ntk_claims_pytest.__name__
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert (
        "ntk_claims_pytest.py"
        in project["tool"]["hatch"]["build"]["targets"]["wheel"]["only-include"]
    )


def test_a_project_without_claims_has_all_our_option_names_for_itself(pytester):
    names = [option.short for option in OPTIONS]
    write(
        pytester.path,
        {"conftest.py": conftest(*(f"'{name}', default='theirs'" for name in names))},
    )
    config = pytester.parseconfig(*(f"{name}=given" for name in names))
    assert {config.getoption(name) for name in names} == {"given"}
    assert not config.pluginmanager.has_plugin(OURS)


@pytest.mark.parametrize("shown", ["--help", "--markers", "--fixtures"])
def test_a_project_without_claims_shows_nothing_of_ours(pytester, shown):
    write(pytester.path, {"test_a.py": "def test_a(): ..."})

    def said(*options):
        lines = pytester.runpytest_inprocess(shown, *options).outlines
        return [
            line
            for line in lines
            if not line.startswith(("plugins:", "=", "no tests ran"))
        ]

    assert said() == said("-p", "no:ntk_claims")


THEIRS = """
import sys

import pytest

from harness import answer

STUDY = "a study of their own"


@pytest.fixture
def verdict():
    return "guilty"


def test_their_names_are_theirs(verdict, request):
    assert answer() == 42
    assert verdict == "guilty"
    assert "claim" not in [mark.name for mark in request.node.iter_markers()]
    ours = ("harness.", "torch", "jax", "scipy")
    assert not [name for name in sys.modules if name.startswith(ours)]
"""


@pytest.mark.parametrize(
    "command",
    [["pytest"], [sys.executable, "-m", "pytest"]],
    ids=["pytest", "python -m pytest"],
)
def test_a_project_with_a_package_harness_fixture_verdict_and_variable_study_runs_as_ever(
    tmp_path, command
):
    write(
        tmp_path,
        {
            "harness/__init__.py": "def answer():\n    return 42\n",
            "test_theirs.py": THEIRS,
        },
    )
    (tmp_path / "pytest.ini").write_text(
        "[pytest]\naddopts = -p no:hypothesispytest\n", encoding="utf-8"
    )
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    called = [*command, "-p", "no:cacheprovider"]
    done = subprocess.run(
        called,
        cwd=tmp_path,
        env={**os.environ, "PATH": path},
        capture_output=True,
        timeout=120,
    )
    said = done.stdout.decode(errors="replace") + done.stderr.decode(errors="replace")
    assert done.returncode == 0, said
    assert "1 passed" in said
    assert "ntk-claims:" not in said


def brings_the_plugin(pytester, *arguments):
    return pytester.parseconfig(*arguments).pluginmanager.has_plugin(OURS)


@pytest.mark.parametrize(
    "arguments",
    [[], ["claims"], ["claims/own"], ["claims/own/test_gap.py::test_gap"], ["."]],
)
@pytest.mark.parametrize("kind", ["recorded", "registered", "written"])
def test_claims_are_found_wherever_pytest_is_pointed(pytester, kind, arguments):
    write(pytester.path, {"claims/own/test_gap.py": CLAIM if kind == "written" else ""})
    claims = pytester.path / "claims"
    if kind == "recorded":
        (claims / "verdicts.toml").touch()
    if kind == "registered":
        (claims / "registrations" / "own").mkdir(parents=True)
        (claims / "registrations" / "own" / "gap.log.jsonl").touch()
    assert brings_the_plugin(pytester, *arguments)
    assert not brings_the_plugin(pytester, *arguments, "-p", "no:ntk_claims")


def test_claims_are_found_from_another_folder_and_by_testpaths(pytester, monkeypatch):
    pytester.makeini("[pytest]\ntestpaths = papers/claims")
    write(pytester.path, {"papers/claims/test_gap.py": CLAIM, "other/test_a.py": ""})
    assert brings_the_plugin(pytester)
    monkeypatch.chdir(pytester.path / "other")
    assert brings_the_plugin(pytester, "../papers/claims/test_gap.py")


def test_folders_that_only_sound_like_claims_bring_nothing(pytester):
    write(
        pytester.path,
        {
            "claims/test_insurance.py": "def test_it(): ...",
            "registrations/test_users.py": "",
        },
    )
    (pytester.path / "claims" / "broken").symlink_to(pytester.path / "nowhere")
    assert not brings_the_plugin(pytester)
    assert not brings_the_plugin(
        pytester, "claims", "registrations", "no_such_folder", 300 * "x"
    )


def test_a_claim_in_a_folder_like_any_other_brings_the_plugin_with_its_defaults(
    pytester, plant
):
    file = plant("holds", registered=False)
    file.rename(pytester.path / "test_somewhere.py")
    result = pytester.runpytest_inprocess("test_somewhere.py", "--setup-plan")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["ntk-claims: *, tier quick, *", "*SETUP * verdict*"])


def test_the_plugin_may_be_asked_for_without_claims(pytester):
    config = pytester.parseconfig("-p", OURS, "--ntk-tier=full", "--backend=numpy")
    found = plugin.settings(config)
    assert (found.tier, found.backends) == ("full", ("numpy",))


def test_where_a_claims_project_has_options_of_its_own_ours_have_their_long_names(
    pytester,
):
    taken = (
        "'--device', choices=['left', 'right']",
        "'--report', action='store_true'",
        "'--tier', type=int",
    )
    write(pytester.path, {"conftest.py": conftest(*taken), "claims/test_gap.py": CLAIM})
    theirs = ["--device=left", "--report", "--tier=3"]
    config = pytester.parseconfig(
        *theirs,
        "--ntk-device=cpu",
        "--ntk-tier=full",
        "--backend=numpy",
        "--ntk-store=here",
    )
    assert [config.getoption(name) for name in ("device", "report", "tier")] == [
        "left",
        True,
        3,
    ]
    found = plugin.settings(config)
    assert (found.device, found.tier, found.backends) == ("cpu", "full", ("numpy",))
    assert found.store == pytester.path / "here"


def test_the_value_of_an_option_is_no_folder_of_tests(pytester):
    pytester.makeini("[pytest]\ntestpaths = claims")
    write(
        pytester.path,
        {
            "quick/conftest.py": "1 / 0",
            "claims/conftest.py": conftest("'--mine'"),
            "claims/test_gap.py": CLAIM,
        },
    )
    config = pytester.parseconfig("--tier", "quick", "--mine=here")
    assert plugin.settings(config).tier == "quick"
    assert config.getoption("--mine") == "here"
