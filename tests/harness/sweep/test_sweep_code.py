"""A cell is stale when the code that it runs has changed, and only then."""

import os
import shutil
import subprocess
import sys
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
    return write(tmp_path / "claims" / "own" / "test_claim.py", CLAIM)


def write(file: Path, text: str, **options) -> Path:
    """A file of a paper, its folder made where it is not there."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8", **options)
    return file


def digest_of(file: Path, computation="own/curves", backend="numpy") -> str:
    """The digest of a computation of the paper's folder that the file is in."""
    return code.code_digest(computation, backend, file.parent.parent)


def edited(file: Path, old: str, new: str) -> bool:
    """Whether an edit changes the digest of `curves`."""
    before = digest_of(file)
    text = file.read_text(encoding="utf-8")
    assert old in text
    write(file, text.replace(old, new))
    return digest_of(file) != before


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
        ("class Point", "RATE += 1\n\n\nclass Point"),
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
        ("STEPS = 5", "STEPS = (5)  # half of them"),
        ('"""What is measured."""', '"""What is measured:\n\n    the risk."""'),
        (
            "    return RATE * STEPS * Point(seed).value",
            "    return (\n        RATE * STEPS * Point(seed).value\n    )",
        ),
        (
            "def effects(measurements)",
            "SEEDS = [seed for seed in range(3)]\n\n\ndef effects(measurements)",
        ),
    ],
)
def test_an_edit_of_the_rest_of_a_claim_does_not(claim, old, new):
    assert not edited(claim, old, new)


def test_the_place_of_a_claim_does_not_matter(claim, tmp_path, monkeypatch):
    before = digest_of(claim)
    (tmp_path / "linked").symlink_to(tmp_path / "claims")
    shutil.copytree(tmp_path / "claims", tmp_path / "elsewhere")
    assert code.code_digest("own/curves", "numpy", tmp_path / "linked") == before
    assert code.code_digest("own/curves", "numpy", tmp_path / "elsewhere") == before
    monkeypatch.chdir(tmp_path)
    assert code.code_digest("own/curves", "numpy") == before


EXPERIMENTS = """
from harness import seeds
from .tables import RATES as table


def curves(backend, configuration, replicates, stream):
    return {"risk": scaled(seeds.derive(0, stream)) * table["slow"]}


def scaled(seed):
    return 2 * seed


def effects(m):
    return {}
"""
TABLES = """
RATES = {"slow": 0.1}
RATES["fast"] = 1.0
SEEDS = 10
"""


@pytest.fixture
def paper(tmp_path):
    """The folder of a paper whose computation stands in a module, beside another paper."""
    folder = tmp_path / "claims" / "own"
    write(folder / "experiments.py", EXPERIMENTS)
    write(folder / "tables.py", TABLES)
    write(folder / "test_claim.py", "from claims.own.experiments import curves\n")
    write(
        tmp_path / "claims" / "other" / "experiments.py",
        EXPERIMENTS.replace("curves", "lines"),
    )
    write(tmp_path / "claims" / "other" / "tables.py", TABLES)
    return folder


@pytest.mark.parametrize(
    ("file", "old", "new", "stale"),
    [
        ("experiments.py", "2 * seed", "3 * seed", True),
        ("experiments.py", "return {}", "return {1: 1}", False),
        ("tables.py", '"slow": 0.1', '"slow": 0.2', True),
        ("tables.py", '["fast"] = 1.0', '["slow"] = 1.0', True),
        ("tables.py", "SEEDS = 10", "SEEDS = 11", False),
        ("test_claim.py", "curves\n", "curves\n\nLIMITS = 'none'\n", False),
    ],
)
def test_an_edit_of_a_papers_module_makes_that_papers_cells_stale_and_no_others(
    paper, file, old, new, stale
):
    other = digest_of(paper / file, "other/lines")
    assert edited(paper / file, old, new) is stale
    assert digest_of(paper / file, "other/lines") == other


def test_a_computation_may_move_within_its_paper(paper):
    before = digest_of(paper / "experiments.py")
    (paper / "experiments.py").rename(paper / "runs.py")
    assert digest_of(paper / "runs.py") == before
    text = (paper / "runs.py").read_text()
    helper = text[text.index("def scaled") : text.index("def effects")]
    write(paper / "scales.py", helper)
    write(
        paper / "runs.py",
        "from claims.own.scales import scaled\n" + text.replace(helper, ""),
    )
    assert digest_of(paper / "runs.py") == before


def test_two_definitions_of_a_computation_are_named(paper):
    write(
        paper / "test_claim.py",
        "def curves(backend, configuration, replicates, stream): ...\n",
    )
    message = (
        r"'own/curves': \S+experiments\.py and \S+test_claim\.py each define 'curves'"
    )
    with pytest.raises(InvalidInput, match=message):
        digest_of(paper / "test_claim.py")


@pytest.mark.parametrize("place", ["claim", "harness"])
def test_line_endings_do_not_matter(place, paper, home):
    file = paper / "experiments.py" if place == "claim" else home / "seeds.py"
    before = digest_of(paper / "experiments.py")
    assert b"\r" not in file.read_bytes()
    file.write_bytes(file.read_bytes().replace(b"\n", b"\r\n"))
    assert digest_of(paper / "experiments.py") == before


def test_the_encoding_of_a_file_does_not_matter_and_the_locale_is_not_asked(claim):
    """PEP 263: a file is UTF-8 unless it says otherwise."""
    text = CLAIM.replace("STEPS = 5", 'STEPS = "na\u00efvely \u2265"')
    write(claim, text)
    before = digest_of(claim)
    place = repr(str(claim.parent.parent))
    ask = "from harness.sweep import code; from pathlib import Path; "
    ask += f"print(code.code_digest('own/curves', 'numpy', Path({place})))"
    plain = {**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    call = [sys.executable, "-c", ask]
    done = subprocess.run(
        call,
        env=plain,
        cwd=code.HOME.parent,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == before
    claim.write_bytes(b"\xef\xbb\xbf" + claim.read_bytes())
    assert digest_of(claim) == before
    write(claim, CLAIM.replace("STEPS = 5", 'STEPS = "na\u00efvely"'))
    utf8 = digest_of(claim)
    latin = "# -*- coding: latin-1 -*-\n" + claim.read_text(encoding="utf-8")
    claim.write_bytes(latin.encode("latin-1"))
    assert digest_of(claim) == utf8


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
def test_which_files_of_the_harness_make_which_backends_cells_stale(
    home, claim, file, stale
):
    def digests():
        return {
            backend: digest_of(claim, backend=backend)
            for backend in ("numpy", "torch", "jax")
        }

    before = digests()
    (home / file).write_text("# edited\n")
    assert {
        backend for backend, digest in digests().items() if digest != before[backend]
    } == stale


def test_other_packages_beside_the_installed_harness_do_not_count(home, claim):
    """They are known by their versions: an update of one that is only near would make every cell
    stale.
    """
    write(
        claim,
        CLAIM.replace(
            "import functools\n", "import functools\n\nimport neighbour\n"
        ).replace("* STEPS", "* neighbour.STEPS"),
    )
    write(home.parent / "neighbour.py", "STEPS = 1\n")
    before = digest_of(claim)
    write(home.parent / "neighbour.py", "STEPS = 2\n")
    assert digest_of(claim) == before


@pytest.mark.parametrize(
    ("computation", "file", "stale"),
    [
        ("harness.first:f", "second.py", True),
        ("harness.first:f", "third.py", True),  # by way of the second
        ("harness.second:f", "first.py", False),
    ],
)
def test_what_a_module_imports_counts_with_it(home, computation, file, stale):
    write(home / "first.py", "from harness.second import f\n")
    write(home / "second.py", "from harness import third\n\n\ndef f(): ...\n")
    write(home / "third.py", "UNIT = 1\n")
    before = code.code_digest(computation, "numpy")
    write(home / file, (home / file).read_text(encoding="utf-8") + "\nMORE = 2\n")
    assert (code.code_digest(computation, "numpy") != before) is stale


def test_a_module_that_is_no_python_is_named(home):
    write(home / "added.py", "def samples(:\n")
    with pytest.raises(InvalidInput, match=r"added\.py cannot be read as Python"):
        code.code_digest("harness.added:samples", "numpy")


def test_a_computation_in_a_module_of_the_harness_counts_whole(home):
    (home / "added.py").write_text("def f(): ...\n")
    before = code.code_digest("harness.added:f", "numpy")
    (home / "added.py").write_text("def f(): return 1\n")
    assert code.code_digest("harness.added:f", "numpy") != before


@pytest.mark.parametrize(
    ("computation", "message"),
    [
        ("drift", "Computation 'drift' must read '<paper>/<function>'"),
        (
            "subprocess:run",
            "Computation 'subprocess:run' must read 'harness.module:function', or '<paper>/<fun",
        ),
        (
            "claims.own.test_claim:curves",
            "must read 'harness.module:function', or '<paper>/<function>'",
        ),
        ("harness.measurements:", "must read"),
        ("harness.measurements:Study.effects", "must read"),
        ("harness.nowhere:f", "the harness has no module harness.nowhere"),
        ("../own/curves", "must read '<paper>/<function>'"),
        ("../curves", "must read '<paper>/<function>'"),
        (
            "own/Point.value",
            "must read '<paper>/<function>', for a function at the top level of a file",
        ),
        (
            "nowhere/f",
            r"there is no folder \S+nowhere \(looked from \S+\). Name the folder .* with --claims",
        ),
        (
            "own/missing",
            "no file of .*own defines a function 'missing' at its top level",
        ),
        ("own/np", "no file of .*own defines a function 'np' at its top level"),
    ],
)
def test_a_computation_that_is_not_there_is_named(claim, computation, message):
    with pytest.raises(InvalidInput, match=message):
        digest_of(claim, computation)


def test_a_computation_in_a_file_that_is_no_python_is_named(claim):
    write(claim, "def curves(:\n")
    with pytest.raises(InvalidInput, match=r"test_claim\.py cannot be read as Python"):
        digest_of(claim)


def test_a_framework_that_is_not_installed_is_named(monkeypatch):
    def version(package):
        if package == "jaxlib":
            raise metadata.PackageNotFoundError(package)
        return "1.0"

    monkeypatch.setattr(metadata, "version", version)
    assert code.versions("torch") == {"numpy": "1.0", "torch": "1.0"}
    with pytest.raises(
        BackendUnavailable,
        match=r"'jax' needs the package 'jaxlib'.*pip install 'ntk-claims\[jax\]'",
    ):
        code.versions("jax")
