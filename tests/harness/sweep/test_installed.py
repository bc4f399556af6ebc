"""The package as a wheel installs it: it runs the tutorial's claim from an empty folder, with a
checkout's digests.
"""

import os
import re
import shutil
import subprocess
import sys
import zipfile
from importlib.util import find_spec
from pathlib import Path

import pytest

from harness.sweep import code

ROOT = Path(__file__).parents[3]
TUTORIAL = (ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8")
NTK_CLAIMS = ("-c", "import sys; from harness.cli import main; sys.exit(main())")
ASK = (
    "from harness.sweep import code; print(code.HOME); "
    "print(code.code_digest('tutorial/diagonal', 'numpy'))"
)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A folder of packages that holds what the wheel of this checkout installs, beside links to all
    other packages.
    """
    folder = tmp_path_factory.mktemp("wheel")
    if find_spec("hatchling") is not None:
        build = ["hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    elif find_spec("pip") is not None:
        build = ["pip", "wheel", str(ROOT), "--no-deps", "--wheel-dir", str(folder)]
    else:
        pytest.skip("a wheel is built by hatchling or pip, and neither is installed")
    subprocess.run(
        [sys.executable, "-m", *build], cwd=ROOT, check=True, capture_output=True
    )
    (wheel,) = folder.glob("*.whl")
    site = folder / "site-packages"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    for package in (
        "pytest",
        "_pytest",
        "numpy",
        "pygments",
    ):  # as neighbours, which must not count
        (site / package).symlink_to(Path(find_spec(package).origin).parent)
    return site


@pytest.fixture
def empty(tmp_path):
    """A folder with the tutorial's files alone."""
    for file, text in re.findall(
        r"`(claims/\S+\.py)`:\n\n```python\n(.*?)^```$",
        TUTORIAL,
        re.DOTALL | re.MULTILINE,
    ):
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_text(text, encoding="utf-8")
    return tmp_path


@pytest.fixture
def run(site, empty):
    """Runs Python there with the installed package, or that of another folder; what it prints."""
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("PYTEST_")
    }

    def call(*arguments, packages=site):
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=empty,
            env={**environment, "PYTHONPATH": str(packages)},
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return call


def test_the_installed_package_verifies_the_tutorials_claim_and_a_checkout_takes_its_store(
    run, site, empty
):
    """For the checkout nothing is stale or unregistered, and every cell is cached."""
    home, digest = run("-c", ASK).split()
    assert Path(home) == site / "harness"
    assert digest == code.code_digest("tutorial/diagonal", "numpy", empty / "claims")
    assert run(*NTK_CLAIMS, "register").startswith(
        "registered tutorial/kernel_settles "
    )
    said = run("-m", "pytest", "claims", "--backend", "numpy")
    assert "cells: 5 of 5 done (0 cached), 0 failed" in said
    assert "SUPPORTED           tutorial/kernel_settles (quick)" in said
    assert "1 verdict, none recorded." in run(
        *NTK_CLAIMS, "verdict", "--backend", "numpy"
    )
    shutil.rmtree(empty / "reports", ignore_errors=True)
    said = run("-m", "pytest", "claims", "--backend", "numpy", packages=ROOT)
    assert "cells: 5 of 5 done (5 cached), 0 failed" in said
    assert "SUPPORTED           tutorial/kernel_settles (quick)" in said
