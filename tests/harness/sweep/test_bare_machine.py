"""docs/operations.md: a machine with numpy and one framework computes, a pack travels, the verdict
is judged elsewhere.

The machine is a process in which nothing else can be imported. tests/harness/test_architecture.py
asks the same of every module on import; this is the recipe as a whole.
"""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from harness import cli
from harness.sweep import __main__ as sweep_command

ROOT = Path(__file__).parents[3]
OTHERS = {
    "scipy",
    "statsmodels",
    "pytest",
    "altair",
    "vl_convert",
    "jinja2",
    "pooch",
    "pydantic",
    "hypothesis",
}
FRAMEWORKS = {"torch": {"jax", "jaxlib"}, "jax": {"torch"}}
NEEDED = {"jax": {"scipy"}, "torch": set()}  # JAX brings SciPy itself

BARE = """
import importlib.abc, os, sys

class Absent(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in os.environ["ABSENT"].split(","):
            raise ModuleNotFoundError(f"No module named {name!r} on this machine", name=name)

sys.meta_path.insert(0, Absent())
"""


@pytest.fixture
def machine(tmp_path):
    """A folder, and what runs Python there, in a process that lacks everything but one framework;
    so do its workers.
    """
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(BARE)
    path = os.pathsep.join([str(tmp_path / "site"), str(ROOT)])

    def run(framework, *command):
        absent = ",".join((OTHERS | FRAMEWORKS[framework]) - NEEDED[framework])
        env = {**os.environ, "PYTHONPATH": path, "ABSENT": absent}
        return _run([sys.executable, *command], tmp_path, env)

    return tmp_path, run


def _run(command, folder, env):
    return subprocess.run(
        command, cwd=folder, env=env, capture_output=True, text=True, timeout=300
    )


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_the_machine_lacks_what_it_is_said_to_lack(machine, framework):
    _, run = machine
    for missing in (*FRAMEWORKS[framework], "statsmodels", "pytest"):
        assert (
            f"No module named '{missing}' on this machine"
            in run(framework, "-c", f"import {missing}").stderr
        )
    assert run(framework, "-c", f"import {framework}").returncode == 0


def computed(machine, framework, plan):
    """The pack of a plan's cells in one backend, computed there in slices."""
    folder, run = machine
    options = (
        "--store",
        framework,
        "--backend",
        framework,
        "--device",
        "cpu",
        "--workers",
        "1",
        "--minutes",
        "0.5",
    )
    for _ in range(20):
        done = run(framework, "-m", "harness.sweep", str(plan), *options)
        if done.returncode != 3:
            break
    assert done.returncode == 0, done.stderr
    packed = run(
        framework, "-m", "harness.sweep.pack", "pack", framework, f"{framework}.pack"
    )
    assert packed.returncode == 0, packed.stderr
    return folder / f"{framework}.pack"


def test_from_plan_to_verdict(machine, plant, pytester):
    plant("toy", BLOCK=5)
    shutil.copytree(pytester.path / "claims", machine[0] / "claims")
    own = [
        sys.executable,
        "-c",
        "import sys; from harness.cli import main; sys.exit(main())",
    ]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    plan = pytester.path / "plan.json"
    assert _run([*own, "plan", "--json", str(plan)], pytester.path, env).returncode == 0
    for framework in FRAMEWORKS:
        pack = computed(machine, framework, plan)
        assert (
            _run([*own, "unpack", str(pack), "store"], pytester.path, env).returncode
            == 0
        )

    def judged(*options):
        pytester.runpytest_inprocess(
            "claims", "--report", "report", *options
        ).assert_outcomes(passed=1)
        report = pytester.path / "report"
        return (report / "verdicts.json").read_bytes(), json.loads(
            (report / "run.json").read_text()
        )["cells"]

    replayed, cells = judged("--replay", "--store", "store")
    assert (cells["computed"], cells["cached"]) == (
        0,
        len(json.loads(plan.read_text())),
    )
    direct, cells = judged("--device", "cpu", "--store", "direct")
    assert cells["cached"] == 0
    assert replayed == direct


def test_the_commands_of_the_page_are_those_of_the_programs():
    """Each is parsed as it stands; what they do is tested above."""
    page = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```console\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)
    parsed = []
    for line in "".join(blocks).splitlines():
        program, *words = shlex.split(line)
        if program == "ntk-claims":
            parsed.append(cli.parser().parse_args(words))
        elif words[:2] == ["-m", "harness.sweep"]:
            parsed.append(sweep_command.parser().parse_args(words[2:]))
        elif words[:2] == ["-m", "harness.sweep.pack"]:
            parsed.append(cli.parser().parse_args(words[2:]))
    assert len(parsed) == 10
