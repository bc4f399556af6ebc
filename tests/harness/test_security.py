"""Files of strangers: nothing that is read can run code, and no reader ends otherwise than
documented.
"""

import ast
import random
import subprocess
import sys
from pathlib import Path

import pytest

from tests.verify.fuzz.catalogue import catalogue

ROOT = Path(__file__).parents[2]
FOLDERS = ("harness", "claims", "benchmarks", "tests")
SOURCES = sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py"))
RUN_CODE = {
    "pickle",
    "cPickle",
    "_pickle",
    "cloudpickle",
    "marshal",
    "shelve",
    "dill",
    "joblib",
}
"""Modules whose loading runs what the file says."""
CALLS = {
    "eval",
    "exec",
    "compile",
    "torch.load",
    "yaml.load",
    "yaml.unsafe_load",
    "np.fromfile",
    "os.system",
}
ALLOWED = {
    ("tests/harness/test_readme.py", "exec"): "the blocks of our own README",
    ("tests/harness/backends/test_function.py", "exec"): "the blocks of our own guide",
    (
        "tests/harness/backends/test_function_table.py",
        "eval",
    ): "the operations that the test's own table names",
    (
        "tests/harness/datasets/test_datasets_cifar5m.py",
        "pickle",
    ): "pickles are made there, as traps that no reader may fall into",
}


def dotted(node):
    """torch.load -> "torch.load"; what is no plain name -> ""."""
    if isinstance(node, ast.Attribute) and (inner := dotted(node.value)):
        return f"{inner}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def unsafe(source):
    """What a source does that may run code out of a file."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = (
                [alias.name for alias in node.names]
                if isinstance(node, ast.Import)
                else [node.module or ""]
            )
            yield from (name for name in names if name.split(".")[0] in RUN_CODE)
        if isinstance(node, ast.Call):
            name, given = (
                dotted(node.func),
                {keyword.arg: keyword.value for keyword in node.keywords},
            )
            allows = given.get("allow_pickle")
            if name in CALLS or (
                allows is not None
                and not (isinstance(allows, ast.Constant) and allows.value is False)
            ):
                yield name
            if name in {"np.load", "numpy.load"} and allows is None:
                yield f"{name} without allow_pickle=False"
            if isinstance(shell := given.get("shell"), ast.Constant) and shell.value:
                yield f"{name} by a shell"


def test_nothing_here_runs_code_out_of_files():
    found = {
        (path.relative_to(ROOT).as_posix(), what)
        for path in SOURCES
        for what in unsafe(path.read_text(encoding="utf-8"))
    }
    assert found == ALLOWED.keys()


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "from joblib import load",
        "import os, marshal",
        "np.load(file)",
        "torch.load(file)",
        "numpy.load(file, allow_pickle=True)",
        "np.load(file, allow_pickle=flag)",
        "eval(text)",
        "yaml.load(text)",
        "subprocess.run(text, shell=True)",
        "np.lib.format.read_array(file, allow_pickle=True)",
    ],
)
def test_what_would_run_code_is_found(source):
    assert list(unsafe(source))


@pytest.mark.parametrize("name", catalogue())
def test_samples_are_read_and_altered_ones_end_as_documented(name, tmp_path):
    """A small sample of `python -m tests.verify.fuzz`; the inputs are the same every time."""
    target = catalogue()[name]
    for number, sample in enumerate(target.samples):
        (folder := tmp_path / f"sample-{number}").mkdir()
        assert not target.refuses(folder, sample)
    refused = 0
    for number in range(100):
        (folder := tmp_path / str(number)).mkdir()
        refused += target.refuses(folder, target.input(2026, number))
    assert refused > 20


def test_inputs_depend_on_their_number_alone():
    target = catalogue()["plan"]
    assert target.input(0, 7) == target.input(0, 7)
    assert len({target.input(0, number) for number in range(20)}) > 15


@pytest.mark.skipif(
    not sys.platform.startswith("linux"),
    reason="memory is limited by what Linux has for it",
)
def test_what_a_reader_must_not_do_is_a_finding():
    code = """
import os, signal, sys, time
import tests.verify.fuzz.__main__ as main
from tests.verify.fuzz.target import Target

readers = {
    "exception": lambda folder, content: {}[content],
    "crash": lambda folder, content: os.kill(os.getpid(), signal.SIGSEGV),
    "memory": lambda folder, content: bytes(2**31),
    "hang": lambda folder, content: time.sleep(60),
}
targets = {
    name: Target(name, [b"sample"], reader, (ValueError,))
    for name, reader in readers.items()
}
main.catalogue, main.SECONDS = lambda: targets, 1
sys.exit(main.main(["--inputs", "4"]))
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    for said in (
        "KeyError",
        "ended the process, exit code -11",
        "MemoryError",
        "Hang",
        "4 inputs, 4 targets, 4 findings",
    ):
        assert said in done.stdout


def test_alterations_reach_every_part_of_a_sample():
    """Each byte of the sample is changed by some input: no part of a file is out of reach."""
    target, draws = catalogue()["cell"], random.Random(0)
    (sample,) = target.samples
    first = {
        next(
            (
                at
                for at, (old, new) in enumerate(
                    zip(sample, target.mutate(draws, sample), strict=False)
                )
                if old != new
            ),
            0,
        )
        for _ in range(20_000)
    }
    assert len(first) > 0.8 * len(sample)
