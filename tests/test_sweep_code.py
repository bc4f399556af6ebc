"""A cell is stale when the code that it runs has changed, and only then."""

import shutil
from importlib import metadata
from pathlib import Path

import pytest

from harness.errors import BackendUnavailable, InvalidInput
from harness.sweep import code

CLAIM = '''
"""Prose."""

import functools

import numpy as np

STEPS = 5
if True:
    RATE = 0.1


def curves(backend, configuration, replicates, stream):
    """What is measured."""
    return {"risk": np.stack([risk(seed) for seed in replicates])}


@functools.cache
def risk(seed):
    return RATE * STEPS * Point(seed).value


class Point:
    def __init__(self, seed):
        self.value = seed


def effects(measurements):
    return {"gap": measurements("risk")}


EXPERIMENT = curves, "a note"
'''


@pytest.fixture
def claim(tmp_path):
    file = tmp_path / "claim.py"
    file.write_text(CLAIM)
    return file


def edited(file: Path, old: str, new: str) -> bool:
    """Whether an edit changes the digest of `curves`."""
    before = code.code_digest(f"{file}:curves", "numpy")
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))
    return code.code_digest(f"{file}:curves", "numpy") != before


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("np.stack(", "np.array("),
        ("RATE * STEPS", "STEPS"),
        ("@functools.cache\n", ""),
        ("@functools.cache\n", "@functools.lru_cache(1)\n"),
        ("STEPS = 5", "STEPS = 6"),
        ("RATE = 0.1", "RATE = 0.2"),
        ("self.value = seed", "self.value = -seed"),
        ("import numpy as np", "import numpy.ma as np"),
    ],
)
def test_an_edit_of_what_a_computation_uses_makes_its_cells_stale(claim, old, new):
    assert edited(claim, old, new)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"""Prose."""', '"""Better prose."""\n\n# and a comment'),
        ('{"gap": measurements("risk")}', '{"gap": -measurements("risk")}'),
        ("a note", "another note"),
    ],
)
def test_an_edit_of_the_rest_of_a_claim_does_not(claim, old, new):
    assert not edited(claim, old, new)


def test_the_place_of_a_claim_does_not_matter(claim, tmp_path):
    elsewhere = tmp_path / "elsewhere" / "claim.py"
    elsewhere.parent.mkdir()
    elsewhere.write_text(CLAIM)
    assert code.code_digest(f"{claim}:curves", "numpy") == code.code_digest(f"{elsewhere}:curves", "numpy")


def test_a_file_of_the_project_that_a_computation_imports_counts(claim, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("shared.py").write_text("rate = 0.1\n")
    claim.write_text(CLAIM.replace("RATE = 0.1", "from shared import rate as RATE"))
    before = code.code_digest("claim.py:curves", "numpy")
    Path("shared.py").write_text("rate = 0.2\n")
    assert code.code_digest("claim.py:curves", "numpy") != before


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A copy of the harness that a test may edit."""
    copy = tmp_path / "project" / "harness"
    shutil.copytree(code.HOME, copy, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(code, "HOME", copy)
    return copy


@pytest.mark.parametrize(
    ("file", "stale"),
    [
        ("seeds.py", {"numpy", "torch", "jax"}),
        ("networks/network.py", {"numpy", "torch", "jax"}),
        ("measurements.py", {"numpy", "torch", "jax"}),
        ("kernels/prediction.py", {"numpy", "torch", "jax"}),
        ("datasets/digits_1d.py", {"numpy", "torch", "jax"}),
        ("backends/backend.py", {"numpy", "torch", "jax"}),
        ("sweep/environment.py", {"numpy", "torch", "jax"}),
        ("backends/torch_backend.py", {"torch"}),
        ("backends/torch_layers.py", {"torch"}),
        ("backends/jax_backend.py", {"jax"}),
        ("verdict.py", set()),
        ("sweep/progress.py", set()),
    ],
)
def test_which_files_of_the_harness_make_which_backends_cells_stale(home, claim, file, stale):
    def digests():
        return {backend: code.code_digest(f"{claim}:curves", backend) for backend in ("numpy", "torch", "jax")}

    before = digests()
    (home / file).write_text("# edited\n")
    assert {backend for backend, digest in digests().items() if digest != before[backend]} == stale


@pytest.mark.parametrize(
    ("computation", "file", "stale"),
    [
        ("harness.learning.curves:network_curves", "learning/tasks.py", True),
        ("harness.learning.evolution:kernel_evolution", "learning/tasks.py", True),  # by way of curves
        ("harness.learning.curves:network_curves", "learning/evolution.py", False),
    ],
)
def test_what_a_module_imports_counts_with_it(home, computation, file, stale):
    before = code.code_digest(computation, "numpy")
    (home / file).write_text("# edited\n")
    assert (code.code_digest(computation, "numpy") != before) is stale


def test_a_module_that_is_no_python_is_named(home):
    (home / "learning" / "tasks.py").write_text("def samples(:\n")
    with pytest.raises(InvalidInput, match=r"tasks\.py, which a computation uses, cannot be read as Python"):
        code.code_digest("harness.learning.curves:network_curves", "numpy")


def test_a_computation_in_a_module_of_the_harness_counts_whole(home):
    (home / "added.py").write_text("def f(): ...\n")
    before = code.code_digest("harness.added:f", "numpy")
    (home / "added.py").write_text("def f(): return 1\n")
    assert code.code_digest("harness.added:f", "numpy") != before


@pytest.mark.parametrize(
    ("computation", "message"),
    [
        ("drift", "Computation 'drift' must read 'harness.module:function' or 'path/of/claim.py:function'"),
        ("subprocess:run", "Computation 'subprocess:run' must read 'harness.module:function' or 'path/of"),
        ("harness.measurements:", "must read"),
        ("harness.measurements:Study.effects", "with a function at the top level of its file"),
        ("nowhere.py:f", "Computation nowhere.py:f: the file cannot be read as Python .*No such file"),
        ("{claim}:missing", "there is no 'missing' at the top level of that file"),
    ],
)
def test_a_computation_that_is_not_there_is_named(claim, computation, message):
    with pytest.raises(InvalidInput, match=message):
        code.code_digest(computation.format(claim=claim), "numpy")


def test_a_computation_in_a_file_that_is_no_python_is_named(tmp_path):
    file = tmp_path / "broken.py"
    file.write_text("def f(:\n")
    with pytest.raises(InvalidInput, match=r"broken.py:f: the file cannot be read as Python"):
        code.code_digest(f"{file}:f", "numpy")


def test_a_framework_that_is_not_installed_is_named(monkeypatch):
    def version(package):
        if package == "jaxlib":
            raise metadata.PackageNotFoundError(package)
        return "1.0"

    monkeypatch.setattr(metadata, "version", version)
    assert code.versions("torch") == {"numpy": "1.0", "torch": "1.0"}
    with pytest.raises(BackendUnavailable, match=r"'jax' needs the package 'jaxlib'.*pip install 'ntk-claims\[jax\]'"):
        code.versions("jax")
