"""`import harness` and the list of commands import nothing that takes long."""

import json
import subprocess
import sys

import pytest

from harness import cli

SLOW = ("numpy", "scipy", "torch", "jax", "pandas", "jinja2", "pydantic", "statsmodels")


def imported(code):
    """Which of the slow packages are imported after this code."""
    told = f"{code}\nimport json, sys\nprint(json.dumps(sorted(sys.modules)))"
    run = subprocess.run(
        [sys.executable, "-c", told], capture_output=True, text=True, check=True
    )
    modules = json.loads(run.stdout.splitlines()[-1])
    return [name for name in SLOW if name in modules]


@pytest.mark.parametrize(
    "code",
    [
        "import harness",
        "from harness import cli\ntry: cli.main(['--help'])\nexcept SystemExit: pass",
        "from harness import cli\ntry: cli.main(['--version'])\nexcept SystemExit: pass",
    ],
    ids=["package", "help", "version"],
)
def test_nothing_slow_is_imported_for(code):
    assert imported(code) == []


def test_every_command_of_the_list_is_there():
    (commands,) = (a for a in cli.parser()._actions if isinstance(a.choices, dict))
    assert set(commands.choices) == set(cli.COMMANDS)


def test_the_list_says_what_each_command_does(capsys):
    with pytest.raises(SystemExit):
        cli.main(["--help"])
    shown = " ".join(capsys.readouterr().out.split())
    for name, (_, line) in cli.COMMANDS.items():
        assert f"{name} {line}" in shown
